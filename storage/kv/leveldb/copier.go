package leveldb

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"entrepot/storage/kv"
	"entrepot/storage/kv/leveldb/checkpoint"
	"entrepot/storage/kv/leveldb/commitlog"

	"github.com/syndtr/goleveldb/leveldb"
	"github.com/syndtr/goleveldb/leveldb/opt"
	"github.com/syndtr/goleveldb/leveldb/util"
)

// copier writes checkpoints behind the writer when the log has grown, and trims the log.
type copier struct {
	dir   string
	opts  Options
	log   *commitlog.Log
	index *index

	ctx    context.Context // ended by close
	close  context.CancelFunc
	wanted chan struct{}
	asked  chan job // by Checkpoint and Verify

	since     atomic.Int64 // bytes logged since the newest checkpoint
	threshold atomic.Int64 // of since

	mu    sync.Mutex        // guards known, which only run changes and therefore reads freely
	known []checkpoint.Info // newest first

	failure atomic.Pointer[error] // why the last checkpoint failed
}

func newCopier(d *Driver, known []checkpoint.Info) *copier {
	c := &copier{dir: filepath.Join(d.dir, checkpointName), opts: d.opts, log: d.log, index: d.index, known: known,
		wanted: make(chan struct{}, 1), asked: make(chan job)}
	c.ctx, c.close = context.WithCancel(context.Background())
	c.since.Store(d.log.Size())
	c.setThreshold()
	return c
}

func (c *copier) setThreshold() {
	n := c.opts.CheckpointBytes
	if len(c.known) > 0 {
		n = max(n, c.known[0].Bytes)
	}
	c.threshold.Store(n)
}

// grown counts bytes that were appended to the log.
func (c *copier) grown(n int64) {
	if c.since.Add(n) <= c.threshold.Load() {
		return
	}
	select {
	case c.wanted <- struct{}{}:
	default:
	}
}

// job is work that somebody waits for. Like the checkpoints it is done one at a time, and Close waits for its end.
type job struct {
	ctx   context.Context
	do    func(ctx context.Context) error
	reply chan error
}

// ask hands a job to run and waits for its result.
func (c *copier) ask(ctx context.Context, do func(ctx context.Context) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	j := job{ctx: ctx, do: do, reply: make(chan error, 1)}
	select {
	case c.asked <- j:
	case <-c.ctx.Done():
		return kv.ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
	err := <-j.reply
	switch {
	case err == nil:
		return nil
	case c.ctx.Err() != nil:
		return kv.ErrClosed
	default:
		return errors.Join(ctx.Err(), err)
	}
}

func (c *copier) run() {
	for {
		select {
		case <-c.ctx.Done():
			return
		case j := <-c.asked:
			ctx, cancel := context.WithCancel(c.ctx)
			stop := context.AfterFunc(j.ctx, cancel)
			j.reply <- j.do(ctx)
			stop()
			cancel()
		case <-c.wanted:
			if c.since.Load() > c.threshold.Load() {
				c.behind()
			}
		}
	}
}

// behind writes a checkpoint that nobody waits for.
func (c *copier) behind() {
	err := c.copy(c.ctx)
	switch {
	case err == nil:
		c.failure.Store(nil)
	case c.ctx.Err() == nil:
		c.failure.Store(&err)
		c.since.Add(-c.opts.CheckpointBytes / 8) // until the log has grown again by so much do not try
		c.opts.Logger.Error("checkpoint of the records failed", "error", err)
	}
}

// copy writes a checkpoint of the records as they are, reads it again, and removes what it makes superfluous.
func (c *copier) copy(ctx context.Context) error {
	applied := c.index.applied.Load()
	if applied == 0 || len(c.known) > 0 && c.known[0].Sequence == applied {
		return nil // there is nothing new
	}
	began := time.Now()
	before := c.since.Load()
	info, rows, err := c.write(ctx)
	if err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	read, err := checkpoint.Read(ctx, info, c.opts.FS, func([]byte, []byte) error { return nil })
	if err == nil && read != rows {
		err = fmt.Errorf("it has %d rows of %d", read, rows)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("verify new checkpoint: %w", err), c.opts.FS.Remove(info.Path))
	}
	c.know(append([]checkpoint.Info{info}, c.known...))
	c.since.Add(-before)
	c.setThreshold()
	c.opts.Logger.Info("checkpoint of the records written", "sequence", info.Sequence, "rows", rows, "bytes", info.Bytes,
		"took", time.Since(began).Round(time.Millisecond))
	for oldest := len(c.known) - 1; oldest > 0; oldest-- {
		if err := c.opts.FS.Remove(c.known[oldest].Path); err != nil {
			return fmt.Errorf("remove old checkpoint: %w", err)
		}
		c.know(c.known[:oldest])
	}
	return c.log.Trim(min(info.Sequence, c.index.durable()))
}

func (c *copier) know(checkpoints []checkpoint.Info) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.known = checkpoints
}

func (c *copier) write(ctx context.Context) (info checkpoint.Info, rows int64, err error) {
	snapshot, err := c.index.db.GetSnapshot()
	if err != nil {
		return info, 0, err
	}
	defer snapshot.Release()
	sequence, err := appliedIn(snapshot)
	if err != nil {
		return info, 0, err
	}
	w, err := checkpoint.Create(c.dir, sequence, c.opts.FS)
	if err != nil {
		return info, 0, err
	}
	rows, err = c.rows(ctx, snapshot, w.Add)
	if err != nil {
		return info, rows, errors.Join(err, w.Discard())
	}
	info, err = w.Commit()
	return info, rows, err
}

// rows delivers all rows of a snapshot in their stored form.
func (c *copier) rows(ctx context.Context, snapshot *leveldb.Snapshot, visit func(key, value []byte) error) (n int64, err error) {
	it := snapshot.NewIterator(&util.Range{Start: []byte(firstRow)}, &opt.ReadOptions{DontFillCache: true})
	defer it.Release()
	for ; it.Next(); n++ {
		if err := ctx.Err(); err != nil {
			return n, err
		}
		if err := visit(it.Key(), it.Value()); err != nil {
			return n, err
		}
	}
	return n, c.index.noted(it.Error())
}

func (c *copier) newest() (info checkpoint.Info, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.known) == 0 {
		return info, false
	}
	return c.known[0], true
}

// Checkpoint writes a checkpoint now and removes the log and the checkpoints that it makes superfluous.
func (d *Driver) Checkpoint(ctx context.Context) error { return d.copier.ask(ctx, d.copier.copy) }
