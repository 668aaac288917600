package file

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"sync"

	"golang.org/x/sys/unix"

	"entrepot/storage/blob"
)

// spool is a body on its way in: in memory while it is small, a file in tmp from then on.
type spool struct {
	driver    *Driver
	name      string // of the file
	size      int64
	committed bool // the file is the blob's now
	closed    bool

	mu    sync.RWMutex // guards the step from memory to the file
	small *[]byte      // nil once there is a file
	file  diskFile
}

// Write appends p.
func (s *spool) Write(p []byte) (int, error) {
	if s.file == nil {
		if s.appendSmall(p) {
			return len(p), nil
		}
		if err := s.spill(); err != nil {
			return 0, writeError(err)
		}
	}
	n, err := s.file.Write(p)
	s.size += int64(n)
	return n, writeError(err)
}

// appendSmall reports whether p fitted into memory.
func (s *spool) appendSmall(p []byte) bool {
	if s.size+int64(len(p)) > s.driver.smallLimit {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.small == nil {
		s.small = s.driver.smallBuffer()
	}
	*s.small = append(*s.small, p...)
	s.size += int64(len(p))
	return true
}

// spill moves the body from memory to a file.
func (s *spool) spill() error {
	name := s.driver.tmpName()
	f, err := s.driver.disk.create(name)
	if err != nil {
		return err
	}
	if s.small != nil {
		if _, err := f.Write(*s.small); err != nil {
			return errors.Join(err, f.Close(), s.driver.disk.remove(name))
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.name, s.file = name, f
	s.dropSmall()
	return nil
}

func (s *spool) dropSmall() {
	if s.small != nil {
		s.driver.smallBuffers.Put(s.small)
		s.small = nil
	}
}

// ReadAt reads bytes already written.
func (s *spool) ReadAt(p []byte, off int64) (int, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.file != nil {
		return s.file.ReadAt(p, off)
	}
	if s.small == nil || off >= int64(len(*s.small)) {
		return 0, io.EOF
	}
	n := copy(p, (*s.small)[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// Commit makes the bytes durable and gives them their name. When it fails after the bytes are safe, the blob may stay or come back,
// as one that nobody refers to.
func (s *spool) Commit(_ context.Context, h blob.Hash) error {
	s.driver.life.RLock()
	defer s.driver.life.RUnlock()
	if s.driver.closed {
		return blob.ErrClosed
	}
	if s.file == nil {
		err := s.commitSmall(h)
		if !errors.Is(err, errJournalOff) {
			return writeError(err)
		}
		if err := s.spill(); err != nil {
			return writeError(err)
		}
	}
	return writeError(s.commitFile(h))
}

// commitSmall writes the file, makes the same bytes durable in the journal, and only then gives the file its name. The file is
// written first because that may fail for want of space.
func (s *spool) commitSmall(h blob.Hash) error {
	d := s.driver
	var body []byte
	if s.small != nil {
		body = *s.small
	}
	there, err := d.refresh(h, s.size)
	if err != nil {
		return err
	}
	if there {
		release, err := d.journal.append(h, body)
		if err == nil {
			release()
		}
		return err
	}
	staged, err := d.stage(h, body)
	if err != nil {
		return err
	}
	release, err := d.journal.append(h, body)
	if err != nil {
		return errors.Join(err, staged.drop())
	}
	defer release()
	return staged.publish(d.path(h))
}

// commitFile syncs the file, moves it into place and syncs the folder.
func (s *spool) commitFile(h blob.Hash) error {
	d := s.driver
	there, err := d.refresh(h, s.size)
	if err != nil {
		return err
	}
	if !there {
		if err := s.file.Sync(); err != nil {
			return err
		}
		if err := d.moveIn(s.name, h); err != nil {
			return err
		}
		s.committed = true
	}
	// Also for a blob that was there: whoever put it there may not have come to this step.
	return d.syncFolder(h)
}

// Close drops the bytes unless they were committed.
func (s *spool) Close() error {
	if s.closed {
		return nil
	}
	s.closed = true
	s.dropSmall()
	if s.file == nil {
		return nil
	}
	err := s.file.Close()
	s.driver.life.RLock()
	defer s.driver.life.RUnlock()
	// Once the driver is closed the name may be that of another process's spool.
	if !s.committed && !s.driver.closed {
		err = errors.Join(err, s.driver.disk.remove(s.name))
	}
	return err
}

// smallBuffer gives room for a body in memory.
func (d *Driver) smallBuffer() *[]byte {
	if used, ok := d.smallBuffers.Get().(*[]byte); ok {
		*used = (*used)[:0]
		return used
	}
	buf := make([]byte, 0, 4096)
	return &buf
}

func (d *Driver) tmpName() string {
	return filepath.Join(d.dir, tmpFolder, strconv.FormatUint(d.spools.Add(1), 10))
}

// restore writes a blob anew from the journal; the caller syncs the file system. On a full disk a file that reads well is good
// enough, so that a server whose disk is full can start.
func (d *Driver) restore(h blob.Hash, body []byte) error {
	staged, err := d.stage(h, body)
	if err == nil {
		err = staged.publish(d.path(h))
	}
	if !errors.Is(writeError(err), blob.ErrNoSpace) {
		return err
	}
	if there, readErr := os.ReadFile(d.path(h)); readErr != nil || !bytes.Equal(there, body) {
		return err
	}
	return nil
}

// restoreSynced does the same where that is not to be relied on.
func (d *Driver) restoreSynced(h blob.Hash, body []byte) error {
	name := d.tmpName()
	f, err := d.disk.create(name)
	if err != nil {
		return err
	}
	_, err = f.Write(body)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := d.moveIn(name, h); err != nil {
		return err
	}
	return d.syncFolder(h)
}

// stage writes the file of a small blob, yet without its name.
func (d *Driver) stage(h blob.Hash, body []byte) (staged stagedFile, err error) {
	tmp := d.tmpName()
	err = d.inFolder(h, func(folder string) error {
		staged, err = d.disk.stage(folder, tmp, body)
		return err
	})
	return staged, err
}

// moveIn gives the file in tmp the name of blob h.
func (d *Driver) moveIn(tmp string, h blob.Hash) error {
	return d.inFolder(h, func(string) error { return d.disk.rename(tmp, d.path(h)) })
}

// refresh reports whether blob h is there with the given size, and gives it a new time if so. One of another size is damaged: it
// counts as absent and is replaced.
func (d *Driver) refresh(h blob.Hash, size int64) (bool, error) {
	name := d.path(h)
	info, err := os.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil || info.Size() != size {
		return false, err
	}
	now := unix.Timespec{Nsec: unix.UTIME_NOW}
	err = unix.UtimesNanoAt(unix.AT_FDCWD, name, []unix.Timespec{now, now}, unix.AT_SYMLINK_NOFOLLOW)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil // deleted since
	}
	if err != nil {
		return false, &fs.PathError{Op: "utimensat", Path: name, Err: err}
	}
	return true, nil
}
