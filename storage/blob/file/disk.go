package file

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"

	"entrepot/storage/blob"
)

// disk is what a write needs of the file system. Fault tests put a failing one in its place.
type disk interface {
	// create makes a file that does not exist, for reading and writing.
	create(name string) (diskFile, error)
	// rename moves a file, over another one if need be.
	rename(from, to string) error
	remove(name string) error
	// syncFolder makes the names in a folder durable.
	syncFolder(name string) error
}

// diskFile is an open file. Sync makes its bytes and its length durable.
type diskFile interface {
	io.Writer
	io.ReaderAt
	Sync() error
	Close() error
}

// osDisk is the real file system.
type osDisk struct{}

func (osDisk) create(name string) (diskFile, error) {
	return os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, fileMode)
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

// checkRoom fails when a body of the given size cannot fit.
func (d *Driver) checkRoom(size int64) error {
	if size <= 0 {
		return nil
	}
	var st unix.Statfs_t
	if err := unix.Statfs(d.dir, &st); err != nil {
		return fmt.Errorf("statfs %s: %w", d.dir, err)
	}
	if free := st.Bavail * uint64(st.Bsize); uint64(size) > free {
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
