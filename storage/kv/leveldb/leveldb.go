// Package leveldb is the key-value driver for one machine: records in a folder of their own, durable before they are
// acknowledged.
//
// The truth is a commit log of our own, framed, checksummed and numbered (package commitlog), of which goleveldb holds an index.
// One goroutine gathers the batches that wait, checks their conditions, writes them as one frame with one sync, and applies them to
// the index. The index has no journal: what a crash takes from its memory is replayed from the log. From time to time a checkpoint
// (package checkpoint) is written behind, and the log before it removed. In the folder:
//
//	LOCK         held while the folder is in use; contains the process id
//	log/         segments of the commit log
//	checkpoint/  complete copies of the records at one sequence number
//	db/          the goleveldb index; may be deleted while nothing runs, it is rebuilt from the two others
//
// Invariants, each with a test: an acknowledged batch survives kill -9 and power loss; a refused one leaves no trace; damage of log
// or checkpoint is found and named, never skipped; after a full disk writing goes on when there is room, after a failed sync only
// when the folder was opened anew; readers see everything that was acknowledged before they began.
//
//	driver, err := leveldb.Open("data/records", nil)
//	if err != nil {
//		return err
//	}
//	store := kv.New(driver)
//	defer store.Close()
package leveldb

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"entrepot/storage/kv"
	"entrepot/storage/kv/leveldb/commitlog"
	"entrepot/storage/kv/leveldb/disk"
)

// Options are the choices for a driver. Zero values mean the defaults.
type Options struct {
	Logger           *slog.Logger // default: no log
	FS               disk.FS      // of log and checkpoints; default: the operating system's
	CacheBytes       int          // of the tables' blocks in memory at most, reached by a large database; default 48 MiB
	WriteBufferBytes int          // of rows gathered before they become a table; twice this may be in memory; default 4 MiB
	OpenTables       int          // tables of about 1 MiB kept open; default 500
	SegmentBytes     int64        // of a log segment; default 16 MiB
	// CheckpointBytes is how much the log grows before a checkpoint is written, if the last checkpoint is not larger;
	// default 256 MiB.
	CheckpointBytes int64
}

func (o *Options) orDefault() Options {
	var c Options
	if o != nil {
		c = *o
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.FS == nil {
		c.FS = disk.OS{}
	}
	setDefault(&c.CacheBytes, 48<<20)
	setDefault(&c.WriteBufferBytes, 4<<20)
	setDefault(&c.OpenTables, 500)
	setDefault(&c.SegmentBytes, 16<<20)
	setDefault(&c.CheckpointBytes, 256<<20)
	return c
}

func setDefault[N int | int64](n *N, value N) {
	if *n == 0 {
		*n = value
	}
}

// Names in the driver's folder.
const (
	logName        = "log"
	checkpointName = "checkpoint"
	indexName      = "db"
	asideName      = "db.old"        // the index before a rebuild that has not ended
	wantedName     = "rebuild-index" // its presence makes the next start build the index anew
)

// Driver is an open folder of records. All methods may be called from many goroutines.
type Driver struct {
	dir     string
	opts    Options
	lock    *os.File
	log     *commitlog.Log
	index   *index
	writer  *writer
	copier  *copier
	scans   scans
	working sync.WaitGroup // writer and copier

	life   sync.RWMutex // held for reading while the index is used
	closed bool
}

var _ kv.Driver = (*Driver)(nil)

// Open opens the records in a folder, making it when it is absent. It refuses a folder that another process has open. A missing
// or damaged index is rebuilt; damage of the log or a gap in it is an error.
func Open(dir string, opts *Options) (*Driver, error) {
	d, err := open(dir, opts.orDefault(), false)
	if err != nil {
		return nil, fmt.Errorf("open records in %s: %w", dir, err)
	}
	return d, nil
}

// Rebuild makes the index anew from the newest sound checkpoint and the log. No process may have the folder open. When it fails,
// the old index is back in place.
func Rebuild(dir string, opts *Options) error {
	d, err := open(dir, opts.orDefault(), true)
	if err == nil {
		err = d.Close()
	}
	if err != nil {
		return fmt.Errorf("rebuild records in %s: %w", dir, err)
	}
	return nil
}

func open(dir string, opts Options, rebuild bool) (_ *Driver, err error) {
	if _, err := os.Stat(dir); rebuild && err != nil {
		return nil, err // nothing to rebuild from
	}
	for _, name := range []string{logName, checkpointName} {
		if err := os.MkdirAll(filepath.Join(dir, name), 0o700); err != nil {
			return nil, err
		}
	}
	lock, err := lockFolder(dir)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, lock.Close())
		}
	}()
	began := time.Now()
	r := &recovery{dir: dir, opts: opts, rebuild: rebuild}
	if err := r.run(); err != nil {
		return nil, err
	}
	d := &Driver{dir: dir, opts: opts, lock: lock, log: r.log, index: r.index}
	d.copier = newCopier(d, r.checkpoints)
	d.writer = newWriter(d.log, d.index, d.copier.grown)
	d.working.Go(d.writer.run)
	d.working.Go(d.copier.run)
	opts.Logger.Info("records opened", "folder", dir, "sequence", d.index.applied.Load(),
		"replayed", r.replayed, "took", time.Since(began).Round(time.Millisecond))
	return d, nil
}

// Close ends all work. Batches that wait are still committed, iterations that are under way end with kv.ErrClosed.
func (d *Driver) Close() error {
	d.life.Lock()
	if d.closed {
		d.life.Unlock()
		return nil
	}
	d.closed = true
	d.life.Unlock()

	d.writer.close()
	d.copier.close()
	d.working.Wait()
	d.scans.releaseAll()
	if err := d.index.close(); err != nil {
		d.opts.Logger.Warn("index of the records was not closed in order; what it lacks is in the log", "error", err)
	}
	if err := errors.Join(d.log.Close(), d.lock.Close()); err != nil {
		return fmt.Errorf("close records in %s: %w", d.dir, err)
	}
	return nil
}

// use runs f while the index is open.
func (d *Driver) use(ctx context.Context, f func() error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	d.life.RLock()
	defer d.life.RUnlock()
	if d.closed {
		return kv.ErrClosed
	}
	return f()
}

// Get reads a row.
func (d *Driver) Get(ctx context.Context, k kv.Key) (kv.Entry, error) {
	var e kv.Entry
	err := d.use(ctx, func() (err error) {
		e, err = d.index.get(k)
		return err
	})
	if err != nil {
		return kv.Entry{}, err
	}
	if e.Version == 0 {
		return kv.Entry{}, kv.ErrNotFound
	}
	return e, nil
}

// Apply commits a batch. An error of ctx means that nothing was changed.
func (d *Driver) Apply(ctx context.Context, ops []kv.Op) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return d.writer.apply(ctx, ops)
}
