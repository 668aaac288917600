package file

import (
	"errors"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"entrepot/storage/blob"
)

// sharingDisk takes bytes that are on the disk already without writing them again.
type sharingDisk interface {
	// clone makes an empty file share the bytes of another one until either is written to. It fails where the file system cannot do that.
	clone(from *os.File, to diskFile) error
	// link gives a file a second name. It fails across file systems, and for a file that is not this user's alone.
	link(from *os.File, to string) (diskFile, error)
}

var _ blob.Taker = (*spool)(nil)

// Take takes the bytes of a file in. A small file is not worth it: copying it costs one write for all of it and its neighbours.
func (s *spool) Take(f *os.File, link bool) (bool, error) {
	info, err := f.Stat()
	if err != nil {
		return false, err
	}
	if s.size > 0 || !info.Mode().IsRegular() || info.Size() <= max(s.driver.smallLimit, defaultSmallLimit) {
		return false, nil
	}
	if link && s.file == nil && s.takeLink(f) {
		s.size = info.Size()
		return true, nil
	}
	if s.file == nil {
		if err := s.spill(); err != nil {
			return false, writeError(err)
		}
	}
	if s.driver.disk.clone(f, s.file) != nil { // then it is copied
		return false, nil
	}
	s.size = info.Size()
	return true, nil
}

// takeLink makes the file itself the spool's.
func (s *spool) takeLink(f *os.File) bool {
	name := s.driver.tmpName()
	linked, err := s.driver.disk.link(f, name)
	if err != nil {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.name, s.file = name, linked
	return true
}

func (osDisk) clone(from *os.File, to diskFile) error {
	target, ok := to.(*osFile)
	if !ok {
		return errors.ErrUnsupported
	}
	return ignoringEINTR(func() error { return unix.IoctlFileClone(int(target.Fd()), int(from.Fd())) })
}

// link refuses a file of somebody else, because its time could not be changed later on, and one that has further names, because somebody
// may still write to it.
func (osDisk) link(from *os.File, to string) (_ diskFile, err error) {
	var st unix.Stat_t
	if err := unix.Fstat(int(from.Fd()), &st); err != nil {
		return nil, err
	}
	if st.Nlink != 1 || int(st.Uid) != os.Geteuid() {
		return nil, errors.ErrUnsupported
	}
	if err := os.Link(from.Name(), to); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(to))
		}
	}()
	f, err := os.Open(to)
	if err != nil {
		return nil, err
	}
	err = sameFile(from, f)
	if err == nil {
		now := unix.Timespec{Nsec: unix.UTIME_NOW}
		err = errors.Join(f.Chmod(fileMode), unix.UtimesNanoAt(unix.AT_FDCWD, to, []unix.Timespec{now, now}, unix.AT_SYMLINK_NOFOLLOW))
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &osFile{File: f}, nil
}

// sameFile makes sure that a name still was that of the open file.
func sameFile(a, b *os.File) error {
	first, err := a.Stat()
	if err != nil {
		return err
	}
	second, err := b.Stat()
	if err == nil && !os.SameFile(first, second) {
		err = &os.PathError{Op: "link", Path: filepath.Base(a.Name()), Err: errors.ErrUnsupported}
	}
	return err
}
