package file

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"strconv"

	"golang.org/x/sys/unix"

	"entrepot/storage/blob"
)

// disk is what a write needs of the file system. Fault tests put a failing one in its place.
type disk interface {
	bodyDisk
	journalDisk
	sharingDisk
}

// bodyDisk keeps bodies on their way in.
type bodyDisk interface {
	// create makes a file that does not exist, for reading and writing.
	create(name string) (diskFile, error)
	// stage writes a whole small file without syncing it. It has no name yet, or one in tmp.
	stage(folder, tmp string, body []byte) (stagedFile, error)
	// rename moves a file, over another one if need be.
	rename(from, to string) error
	remove(name string) error
	// syncFolder makes the names in a folder durable.
	syncFolder(name string) error
}

// journalDisk keeps the journal.
type journalDisk interface {
	// openJournal opens or makes a file and gives its size.
	openJournal(name string) (journalFile, int64, error)
	syncFolder(name string) error
}

// stagedFile is a written file that waits for its name. It ends with one of its methods.
type stagedFile interface {
	// publish gives the file its name, which may be that of another file until now.
	publish(name string) error
	// drop removes the file.
	drop() error
}

// diskFile is an open file. Sync makes its bytes and its length durable.
type diskFile interface {
	io.Writer
	io.ReaderAt
	Sync() error
	Close() error
}

// journalFile is an open file of the journal.
type journalFile interface {
	io.ReaderAt
	io.WriterAt
	Sync() error
	// SyncAll makes all that was written to the file system of this file durable.
	SyncAll() error
	Close() error
}

// osDisk is the real file system.
type osDisk struct{}

func (osDisk) create(name string) (diskFile, error) {
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, fileMode)
	if err != nil {
		return nil, err
	}
	return &osFile{File: f}, nil
}

func (osDisk) openJournal(name string) (journalFile, int64, error) {
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, fileMode)
	if err != nil {
		return nil, 0, err
	}
	info, err := f.Stat()
	if err != nil {
		return nil, 0, errors.Join(err, f.Close())
	}
	return &osFile{File: f}, info.Size(), nil
}

func (osDisk) stage(folder, tmp string, body []byte) (stagedFile, error) {
	f := &osStaged{tmp: tmp}
	var err error
	f.fd, err = openRetrying(folder, unix.O_WRONLY|unix.O_TMPFILE)
	if errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.EISDIR) {
		f.named = true
		f.fd, err = openRetrying(tmp, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL)
	}
	if err != nil {
		return nil, err
	}
	if err := f.write(body); err != nil {
		return nil, errors.Join(err, f.drop())
	}
	return f, nil
}

// osStaged is a file without a name, or in tmp where the file system knows only files with names. It bypasses os.File, which would
// spend five system calls on finding out that a file cannot be polled.
type osStaged struct {
	fd    int
	tmp   string
	named bool
}

func (f *osStaged) write(body []byte) error {
	for len(body) > 0 {
		n, err := unix.Write(f.fd, body)
		if err != nil && !errors.Is(err, unix.EINTR) {
			return &fs.PathError{Op: "write", Path: f.tmp, Err: err}
		}
		body = body[max(n, 0):]
	}
	return nil
}

func (f *osStaged) publish(name string) error {
	if !f.named {
		err := f.link(name)
		if err == nil {
			return f.close()
		}
		// The name is taken, or the system gives no way to name an open file.
		if !errors.Is(err, unix.EEXIST) {
			return errors.Join(err, f.close())
		}
		if err := f.link(f.tmp); err != nil {
			return errors.Join(err, f.close())
		}
		f.named = true
	}
	if err := os.Rename(f.tmp, name); err != nil {
		return errors.Join(err, f.drop())
	}
	return f.close()
}

func (f *osStaged) link(name string) error {
	err := unix.Linkat(unix.AT_FDCWD, "/proc/self/fd/"+strconv.Itoa(f.fd), unix.AT_FDCWD, name, unix.AT_SYMLINK_FOLLOW)
	if err != nil {
		return &os.LinkError{Op: "linkat", Old: f.tmp, New: name, Err: err}
	}
	return nil
}

func (f *osStaged) close() error { return unix.Close(f.fd) }

func (f *osStaged) drop() error {
	err := f.close()
	if f.named {
		err = errors.Join(err, os.Remove(f.tmp))
	}
	return err
}

// openRetrying opens a file past interrupted calls.
func openRetrying(name string, flags int) (int, error) {
	for {
		fd, err := unix.Open(name, flags|unix.O_CLOEXEC, fileMode)
		if err == nil {
			return fd, nil
		}
		if !errors.Is(err, unix.EINTR) {
			return -1, &fs.PathError{Op: "open", Path: name, Err: err}
		}
	}
}

func (osDisk) rename(from, to string) error { return os.Rename(from, to) }
func (osDisk) remove(name string) error     { return os.Remove(name) }

func (osDisk) syncFolder(name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// writeBehind is how many bytes are gathered before the disk is asked to begin with them, so that the sync at the end of a large body
// finds little left to do.
const writeBehind = 8 << 20

// osFile is a real file.
type osFile struct {
	*os.File
	written, begun int64 // bytes
}

// Write appends p, and has the disk begin with what was written now and then.
func (f *osFile) Write(p []byte) (int, error) {
	n, err := f.File.Write(p)
	f.written += int64(n)
	if f.written-f.begun >= writeBehind {
		// A hint: where it cannot be followed, or fails, the sync does it all and tells.
		_ = unix.SyncFileRange(int(f.Fd()), f.begun, f.written-f.begun, unix.SYNC_FILE_RANGE_WRITE)
		f.begun = f.written
	}
	return n, err
}

// Sync leaves out times, which nobody needs after a loss of power: syncing a file in place then costs no journal entry of the file
// system.
func (f *osFile) Sync() error { return f.call("fdatasync", unix.Fdatasync) }

func (f *osFile) SyncAll() error { return f.call("syncfs", unix.Syncfs) }

func (f *osFile) call(name string, sync func(fd int) error) error {
	err := ignoringEINTR(func() error { return sync(int(f.Fd())) })
	if err != nil {
		return &fs.PathError{Op: name, Path: f.Name(), Err: err}
	}
	return nil
}

func ignoringEINTR(call func() error) error {
	for {
		if err := call(); !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

// syncsWhole reports whether the file system at dir is one on which SyncAll is known to reach the disk. Others, those over a network
// or in a process among them, do without the journal.
func syncsWhole(dir string) bool {
	const zfsMagic = 0x2fc12fc1
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return false
	}
	switch int64(st.Type) {
	case unix.EXT4_SUPER_MAGIC, unix.XFS_SUPER_MAGIC, unix.BTRFS_SUPER_MAGIC, unix.F2FS_SUPER_MAGIC, zfsMagic,
		unix.OVERLAYFS_SUPER_MAGIC, unix.TMPFS_MAGIC:
		return true
	}
	return false
}

// Free is the number of bytes that can still be written to the device behind the driver.
func (d *Driver) Free() (int64, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(d.dir, &st); err != nil {
		return 0, fmt.Errorf("statfs %s: %w", d.dir, err)
	}
	return int64(min(st.Bavail*uint64(st.Bsize), math.MaxInt64)), nil
}

// checkRoom fails when a body of the given size cannot fit.
func (d *Driver) checkRoom(size int64) error {
	if size <= 0 {
		return nil
	}
	free, err := d.Free()
	if err != nil {
		return err
	}
	if size > free {
		return fmt.Errorf("%w: %d bytes to come, %d free", blob.ErrNoSpace, size, free)
	}
	return nil
}

// writeError adds the meaning that callers know to an error of a write.
func writeError(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, unix.ENOSPC), errors.Is(err, unix.EDQUOT):
		return fmt.Errorf("%w: %w", blob.ErrNoSpace, err)
	case errors.Is(err, unix.EROFS), errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%w: %w", blob.ErrReadOnly, err)
	}
	return err
}

// readError does the same for a read.
func readError(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return blob.ErrNotFound
	}
	return err
}
