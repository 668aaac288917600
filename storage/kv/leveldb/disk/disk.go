// Package disk is the seam between the files that the leveldb driver writes itself (commit log, checkpoints) and the
// operating system, so that tests can make a disk fail. Reading folders and attributes does not go through it.
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
	return os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
}

// Open opens an existing file.
func (OS) Open(name string) (File, error) { return os.OpenFile(name, os.O_RDWR, 0) }

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
