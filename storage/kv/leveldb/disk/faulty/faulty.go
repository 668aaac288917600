// Package faulty is a file system for tests whose operations fail on demand: full disks, short writes, failing syncs, disks that
// turn read-only.
//
//	fs := faulty.New(disk.OS{})
//	fs.Fail(faulty.Sync, syscall.EIO)
package faulty

import (
	"sync"

	"entrepot/storage/kv/leveldb/disk"
)

// Op names an operation of disk.FS or disk.File.
type Op string

// The operations that can fail.
const (
	Create   Op = "create"
	Open     Op = "open"
	Rename   Op = "rename"
	Remove   Op = "remove"
	SyncDir  Op = "sync folder"
	Write    Op = "write"
	Truncate Op = "truncate"
	Sync     Op = "sync"
)

// FS passes everything on to another file system, except what is to fail.
type FS struct {
	inner disk.FS

	mu    sync.Mutex
	fails map[Op]error
	room  int64 // bytes that can still be written before writes are cut short
	full  error // what a cut write returns; nil for endless room
	syncs int
}

var _ disk.FS = (*FS)(nil)

// New makes a file system that works until told otherwise.
func New(inner disk.FS) *FS { return &FS{inner: inner, fails: make(map[Op]error)} }

// Fail lets every operation of a kind fail, changing nothing, until Heal.
func (f *FS) Fail(op Op, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fails[op] = err
}

// Room lets writes beyond n more bytes be cut short with err, until Heal.
func (f *FS) Room(n int64, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.room, f.full = n, err
}

// Heal ends all failures.
func (f *FS) Heal() {
	f.mu.Lock()
	defer f.mu.Unlock()
	clear(f.fails)
	f.full = nil
}

// Syncs counts the syncs of files that succeeded.
func (f *FS) Syncs() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.syncs
}

func (f *FS) check(op Op) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.fails[op]
}

// take uses up room for n bytes and returns for how many there was some.
func (f *FS) take(n int) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.fails[Write]; err != nil {
		return 0, err
	}
	if f.full == nil {
		return n, nil
	}
	if int64(n) <= f.room {
		f.room -= int64(n)
		return n, nil
	}
	n, f.room = int(f.room), 0
	return n, f.full
}

// Create makes a file.
func (f *FS) Create(name string) (disk.File, error) { return f.open(Create, f.inner.Create, name) }

// Open opens a file.
func (f *FS) Open(name string) (disk.File, error) { return f.open(Open, f.inner.Open, name) }

func (f *FS) open(op Op, open func(string) (disk.File, error), name string) (disk.File, error) {
	if err := f.check(op); err != nil {
		return nil, err
	}
	inner, err := open(name)
	if err != nil {
		return nil, err
	}
	return &file{File: inner, fs: f}, nil
}

// Rename renames a file.
func (f *FS) Rename(from, to string) error {
	if err := f.check(Rename); err != nil {
		return err
	}
	return f.inner.Rename(from, to)
}

// Remove removes a file.
func (f *FS) Remove(name string) error {
	if err := f.check(Remove); err != nil {
		return err
	}
	return f.inner.Remove(name)
}

// SyncDir syncs a folder.
func (f *FS) SyncDir(name string) error {
	if err := f.check(SyncDir); err != nil {
		return err
	}
	return f.inner.SyncDir(name)
}

type file struct {
	disk.File
	fs *FS
}

func (f *file) WriteAt(p []byte, offset int64) (int, error) {
	n, full := f.fs.take(len(p))
	if n == 0 && full != nil {
		return 0, full
	}
	written, err := f.File.WriteAt(p[:n], offset)
	if err == nil {
		err = full
	}
	return written, err
}

func (f *file) Truncate(size int64) error {
	if err := f.fs.check(Truncate); err != nil {
		return err
	}
	return f.File.Truncate(size)
}

func (f *file) Sync() error {
	if err := f.fs.check(Sync); err != nil {
		return err
	}
	err := f.File.Sync()
	if err == nil {
		f.fs.mu.Lock()
		f.fs.syncs++
		f.fs.mu.Unlock()
	}
	return err
}

// Allocate takes room only where there is plenty.
func (f *file) Allocate(size int64) error {
	f.fs.mu.Lock()
	err := f.fs.fails[Write]
	if err == nil {
		err = f.fs.full
	}
	f.fs.mu.Unlock()
	if a, can := f.File.(disk.Allocator); can && err == nil {
		return a.Allocate(size)
	}
	return err
}
