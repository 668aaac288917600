package file

import (
	"context"
	"errors"
	"io/fs"
	"os"

	"entrepot/storage/blob"
)

// spool is a body on its way in: a file in tmp.
type spool struct {
	driver    *Driver
	file      diskFile
	name      string
	size      int64
	committed bool
	closed    bool
}

// Write appends p.
func (s *spool) Write(p []byte) (int, error) {
	n, err := s.file.Write(p)
	s.size += int64(n)
	return n, writeError(err)
}

// ReadAt reads bytes already written.
func (s *spool) ReadAt(p []byte, off int64) (int, error) { return s.file.ReadAt(p, off) }

// Commit syncs the file, moves it into place and syncs the folder. When the last step fails the blob may stay, as one that nobody
// refers to: another writer of equal bytes may rely on it already.
func (s *spool) Commit(_ context.Context, h blob.Hash) error {
	d := s.driver
	there, err := d.refresh(h, s.size)
	if err != nil {
		return writeError(err)
	}
	if !there {
		if err := s.file.Sync(); err != nil {
			return writeError(err)
		}
		if err := d.disk.rename(s.name, d.path(h)); err != nil {
			return writeError(err)
		}
		s.committed = true
	}
	// Also for a blob that was there: whoever put it there may not have come to this step.
	return writeError(d.syncFolder(h))
}

// Close drops the file unless it was committed.
func (s *spool) Close() error {
	if s.closed {
		return nil
	}
	s.closed = true
	err := s.file.Close()
	if !s.committed {
		err = errors.Join(err, s.driver.disk.remove(s.name))
	}
	return err
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
	now := d.now()
	err = os.Chtimes(name, now, now)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil // deleted since
	}
	return err == nil, err
}

// syncFolder makes the name of blob h durable.
func (d *Driver) syncFolder(h blob.Hash) error {
	i := int(h[0])
	return d.folders[i].do(func() error { return d.disk.syncFolder(d.folder(i)) })
}
