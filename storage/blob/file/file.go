// Package file keeps blobs as files in one folder of a local disk. Linux only.
//
// Layout, all below the folder of the store:
//
//	format            names this layout and its version
//	lock              held while a process uses the folder; a second one is refused
//	content/ab/HEX    the blob whose BLAKE3 is HEX, which begins with ab; up to 256 folders
//	journal/0, 1      small bodies whose files are not synced yet
//	tmp/              bodies on their way in, emptied at every start
//
// A body becomes durable in one of two ways. A large one is a file in tmp that is synced, renamed into content, and the folder that
// holds the name is synced; writers that wait for the same folder share a sync. A small one is written to its file without a sync, and
// to the journal, where all writers that wait share one sync of bytes in place; after that its file gets its name. Before a journal
// file is used again the whole file system is synced; at a start, all that the journal holds is written to files again. That takes a
// third of the system's time per body, and one sync for sixteen writers where there were two for each. A group of bodies (CommitAll)
// is written to files in tmp; the whole file system is synced before they get their names, and after.
//
// Invariants:
//
//   - A file below content is whole whenever this program looks at it: it gets its name after all bytes were written, and a name that
//     a loss of power leaves without its bytes is put right from the journal before the driver opens.
//   - Commit returns nil after the bytes and the name, or the bytes in the journal, survive a loss of power.
//   - A rename over an existing blob puts equal bytes in its place; who reads the old file goes on undisturbed.
//
// One level of 256 folders measured no slower than one of 1, 16, 64 or 4,096, and has all its folders soon; in a store with ten million
// blobs each holds 40,000 names.
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
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"entrepot/storage/blob"
)

const (
	defaultJournalSize = 16 << 20
	defaultSmallLimit  = 16 << 10
)

// Options tune a Driver; nil and zero values mean the defaults.
type Options struct {
	// SmallLimit is the size in bytes up to which a body goes through the journal, and stays in memory until then. Default 16 KiB,
	// at most 256 KiB. Negative means that there is no journal.
	SmallLimit int64
	// JournalSize is the size of each of the two journal files in bytes. Default 16 MiB.
	JournalSize int64
	// Logger hears of failures that no caller can be told of. Default slog.Default.
	Logger *slog.Logger

	disk disk // nil means the real one; fault tests set it
}

// withDefaults gives a copy without zero values.
func (o *Options) withDefaults() Options {
	var opts Options
	if o != nil {
		opts = *o
	}
	if opts.SmallLimit == 0 {
		opts.SmallLimit = defaultSmallLimit
	}
	opts.SmallLimit = min(opts.SmallLimit, maxFrame/4)
	if opts.JournalSize <= 0 {
		opts.JournalSize = defaultJournalSize
	}
	if opts.Logger == nil {
		opts.Logger = slog.Default()
	}
	if opts.disk == nil {
		opts.disk = osDisk{}
	}
	return opts
}

// Driver is a blob.Driver over one folder. Its methods may be called from many goroutines.
type Driver struct {
	dir          string
	disk         disk
	lock         *os.File
	journal      *journal // nil when there is none
	smallLimit   int64    // bytes a spool keeps in memory; negative without a journal
	smallBuffers sync.Pool
	spools       atomic.Uint64 // gives files in tmp their names
	content      coalescer     // syncs of the folder of folders
	whole        journalFile   // syncs the whole file system for groups; nil where that is not to be relied on
	folders      [fanOut]folder

	life   sync.RWMutex // held for reading by a Commit, so that Close waits for it
	closed bool
}

// folder is one of those below content.
type folder struct {
	names   coalescer   // syncs of the names in it
	durable atomic.Bool // the folder itself survives a loss of power
}

var _ blob.Driver = (*Driver)(nil)

// Open opens the store in dir, which it makes when it does not exist. A folder that holds something else (ErrForeign), or a store that
// another process uses (ErrLocked), is refused. Close gives the folder free.
func Open(dir string, opts *Options) (*Driver, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("blob folder %s: %w", dir, err)
	}
	all := opts.withDefaults()
	d := &Driver{dir: dir, disk: all.disk, smallLimit: -1}
	if err := d.prepare(&all); err != nil {
		return nil, errors.Join(fmt.Errorf("blob folder %s: %w", dir, writeError(err)), d.Close())
	}
	return d, nil
}

// Close waits for commits that run and makes the folder free for another process. Spools and objects that are still open stay
// readable; nothing can be committed any more.
func (d *Driver) Close() error {
	d.life.Lock()
	defer d.life.Unlock()
	if d.closed {
		return nil
	}
	d.closed = true
	var errs []error
	if d.journal != nil {
		errs = append(errs, d.journal.close())
	}
	if d.whole != nil {
		errs = append(errs, d.whole.Close())
	}
	if d.lock != nil {
		errs = append(errs, d.lock.Close())
	}
	return errors.Join(errs...)
}

// Create starts a spool. A size that is known and does not fit on the disk is refused at once.
func (d *Driver) Create(ctx context.Context, size int64) (blob.Spool, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	d.life.RLock()
	defer d.life.RUnlock()
	if d.closed {
		return nil, blob.ErrClosed
	}
	s := &spool{driver: d}
	if size <= d.smallLimit {
		return s, nil
	}
	if err := d.checkRoom(size); err != nil {
		return nil, err
	}
	if err := s.spill(); err != nil {
		return nil, writeError(err)
	}
	return s, nil
}

// Open opens a blob. The object has a method File.
func (d *Driver) Open(_ context.Context, h blob.Hash) (blob.Object, error) {
	name := d.path(h)
	fd, err := openRetrying(name, unix.O_RDONLY)
	if err != nil {
		return nil, readError(err)
	}
	f := os.NewFile(uintptr(fd), name)
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

// Delete removes a blob. After a crash it may be there again.
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
	if errors.Is(err, fs.ErrNotExist) {
		return true // no blob yet
	}
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
