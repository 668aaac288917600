// Package disk is the seam between the files that the leveldb driver writes itself (commit log, checkpoints) and the
// operating system, so that tests can make a disk fail. Reading folders and attributes does not go through it. Linux only.
//
// A write survives power loss when Sync of its file returned nil, and a file's name when SyncDir of its folder did.
package disk

import (
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
)

// File is an open file. It has no position, so a failed write can be repeated at the same offset.
type File interface {
	io.ReaderAt
	io.WriterAt
	Truncate(size int64) error
	// Sync makes the content durable. After an error nobody knows what is on the disk, and a second Sync proves nothing.
	Sync() error
	Close() error
}

// Allocator is what a File may do in addition: take room on the disk ahead of writing, which makes later syncs cheaper because
// they need not record a new length.
type Allocator interface {
	// Allocate makes the file at least size bytes long; new bytes read as zeroes. It is a hint: after an error the file is as
	// usable as before.
	Allocate(size int64) error
}

// FS makes and opens files.
type FS interface {
	// Create makes an empty file for reading and writing, whatever was there.
	Create(name string) (File, error)
	// Open opens an existing file for reading and writing.
	Open(name string) (File, error)
	Rename(from, to string) error
	Remove(name string) error
	// SyncDir makes the names in a folder durable.
	SyncDir(name string) error
}

// OS is the operating system's file system.
type OS struct{}

var _ FS = OS{}

// Create makes a file that only the owner may read: records hold password hashes.
func (OS) Create(name string) (File, error) {
	return osFile(os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600))
}

// Open opens an existing file.
func (OS) Open(name string) (File, error) { return osFile(os.OpenFile(name, os.O_RDWR, 0)) }

func osFile(f *os.File, err error) (File, error) {
	if err != nil {
		return nil, err
	}
	return file{f}, nil
}

type file struct{ *os.File }

// Sync makes the content and, where it has changed, the length durable.
func (f file) Sync() error { return f.control("fdatasync", syscall.Fdatasync) }

// Allocate takes room on the disk and writes zeroes to it. In room that was never written a sync must also record what of it is
// written now, and with that everything else that the file system's journal waits for.
func (f file) Allocate(size int64) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if err := f.control("fallocate", func(fd int) error { return syscall.Fallocate(fd, 0, 0, size) }); err != nil {
		return err
	}
	zeroes := make([]byte, 64<<10)
	for at := info.Size(); at < size; {
		n, err := f.WriteAt(zeroes[:min(int64(len(zeroes)), size-at)], at)
		if err != nil {
			return errors.Join(err, f.Truncate(info.Size()))
		}
		at += int64(n)
	}
	return nil
}

// control calls the operating system with the file's descriptor.
func (f file) control(name string, call func(fd int) error) error {
	raw, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	if err := raw.Control(func(fd uintptr) {
		for failed = call(int(fd)); failed == syscall.EINTR; failed = call(int(fd)) {
		}
	}); err != nil {
		return err
	}
	if failed != nil {
		return &os.PathError{Op: name, Path: f.Name(), Err: failed}
	}
	return nil
}

// Rename renames a file, replacing the one of the new name.
func (OS) Rename(from, to string) error { return os.Rename(from, to) }

// Remove removes a file.
func (OS) Remove(name string) error { return os.Remove(name) }

// SyncDir makes the names in a folder durable.
func (OS) SyncDir(name string) error {
	d, err := os.Open(name)
	if err != nil {
		return err
	}
	err = d.Sync()
	if cerr := d.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return fmt.Errorf("disk: sync folder %s: %w", name, err)
	}
	return nil
}

// IsNoSpace tells a full disk or an exhausted quota from other failures.
func IsNoSpace(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}
