// Package file keeps blobs as files in one folder of a local disk. Linux only.
//
// Layout, all below the folder of the store:
//
//	format            names this layout and its version
//	lock              held while a process uses the folder; a second one is refused
//	content/ab/HEX    the blob whose BLAKE3 is HEX, which begins with ab: 256 folders
//	tmp/              bodies on their way in, emptied at every start
//
// Invariants:
//
//   - A file below content is whole: it gets its name by a rename after its bytes were synced.
//   - Commit returns nil after the folder that holds the name was synced as well. Writers that wait for the same folder share a sync.
//   - A rename over an existing blob puts equal bytes in its place; who reads the old file goes on undisturbed.
//
// One level of folders measured as fast as two and keeps the number of folders and their syncs small; a folder of a store with ten
// million blobs has 40,000 names.
//
//	driver, err := file.Open("/var/lib/entrepot/blobs/default", nil)
//	if err != nil { … }
//	defer driver.Close()
//	store := blob.New("default", driver, nil)
package file

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"time"

	"entrepot/storage/blob"
)

// Options tune a Driver; nil and zero values mean the defaults.
type Options struct {
	// Now is the clock. Default time.Now.
	Now func() time.Time

	disk disk // nil means the real one; fault tests set it
}

// Driver is a blob.Driver over one folder. Its methods may be called from many goroutines.
type Driver struct {
	dir     string
	now     func() time.Time
	disk    disk
	lock    *os.File
	spools  atomic.Uint64 // gives spools their names
	folders [fanOut]coalescer
}

var _ blob.Driver = (*Driver)(nil)

// Open opens the store in dir, which it makes when it does not exist. A folder that holds something else, or a store that another
// process uses (ErrLocked), is refused. Close gives the folder free.
func Open(dir string, opts *Options) (*Driver, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("blob folder %s: %w", dir, err)
	}
	d := &Driver{dir: dir, now: time.Now, disk: osDisk{}}
	if opts != nil && opts.Now != nil {
		d.now = opts.Now
	}
	if opts != nil && opts.disk != nil {
		d.disk = opts.disk
	}
	if err := d.prepare(); err != nil {
		return nil, errors.Join(fmt.Errorf("blob folder %s: %w", dir, writeError(err)), d.Close())
	}
	return d, nil
}

// Close gives the folder free for another process. Spools and objects that are still open stay readable; nothing may be committed
// any more.
func (d *Driver) Close() error {
	if d.lock == nil {
		return nil
	}
	err := d.lock.Close()
	d.lock = nil
	return err
}

// Create starts a spool. A size that is known and does not fit on the disk is refused at once.
func (d *Driver) Create(ctx context.Context, size int64) (blob.Spool, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := d.checkRoom(size); err != nil {
		return nil, err
	}
	name := filepath.Join(d.dir, tmpFolder, strconv.FormatUint(d.spools.Add(1), 10))
	f, err := d.disk.create(name)
	if err != nil {
		return nil, writeError(err)
	}
	return &spool{driver: d, file: f, name: name}, nil
}

// Open opens a blob. The object has a method File.
func (d *Driver) Open(_ context.Context, h blob.Hash) (blob.Object, error) {
	f, err := os.Open(d.path(h))
	if err != nil {
		return nil, readError(err)
	}
	info, err := f.Stat()
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &object{file: f, size: info.Size()}, nil
}

// Stat describes a blob.
func (d *Driver) Stat(_ context.Context, h blob.Hash) (blob.Info, error) {
	info, err := os.Lstat(d.path(h))
	if err != nil {
		return blob.Info{}, readError(err)
	}
	return blobInfo(h, info), nil
}

// Delete removes a blob. After a loss of power it may be there again.
func (d *Driver) Delete(_ context.Context, h blob.Hash) error {
	err := d.disk.remove(d.path(h))
	if errors.Is(err, fs.ErrNotExist) {
		return blob.ErrNotFound
	}
	return writeError(err)
}

// List delivers the blobs in order of their names, and holds the names of one folder in memory at a time.
func (d *Driver) List(ctx context.Context, after blob.Hash) iter.Seq2[blob.Info, error] {
	return func(yield func(blob.Info, error) bool) {
		for i := int(after[0]); i < fanOut; i++ {
			if !d.listFolder(ctx, i, after.String(), yield) {
				return
			}
		}
	}
}

// listFolder delivers the blobs of one folder and reports whether to go on.
func (d *Driver) listFolder(ctx context.Context, folder int, after string, yield func(blob.Info, error) bool) bool {
	entries, err := os.ReadDir(d.folder(folder))
	if err != nil {
		yield(blob.Info{}, err)
		return false
	}
	for _, entry := range entries {
		h, err := blob.ParseHash(entry.Name())
		if err != nil || h.String() != entry.Name() || int(h[0]) != folder || entry.Name() <= after {
			continue // not ours, or delivered before
		}
		if err := ctx.Err(); err != nil {
			yield(blob.Info{}, err)
			return false
		}
		info, err := entry.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue // deleted since
		}
		if err != nil {
			yield(blob.Info{}, err)
			return false
		}
		if !yield(blobInfo(h, info), nil) {
			return false
		}
	}
	return true
}

func blobInfo(h blob.Hash, info fs.FileInfo) blob.Info {
	return blob.Info{Hash: h, Size: info.Size(), ModTime: info.ModTime()}
}

// object is an open blob.
type object struct {
	file *os.File
	size int64
}

func (o *object) ReadAt(p []byte, off int64) (int, error) { return o.file.ReadAt(p, off) }
func (o *object) Close() error                            { return o.file.Close() }
func (o *object) Size() int64                             { return o.size }

// File is the open file, for sendfile. The object owns it.
func (o *object) File() *os.File { return o.file }
