package leveldb

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"entrepot/storage/kv"
	"entrepot/storage/kv/leveldb/commitlog"
	"entrepot/storage/kv/leveldb/disk"
	"entrepot/storage/kv/leveldb/frame"

	"github.com/syndtr/goleveldb/leveldb"
)

// groupBytes ends the gathering of a group. A group is at most this and one batch.
const groupBytes = 1 << 20

// keepBytes is the largest buffer that the writer keeps while it waits.
const keepBytes = 256 << 10

// request is a batch that waits for its group.
type request struct {
	ops    []kv.Op
	blank  bool        // write a frame without rows
	taken  atomic.Bool // by the writer or by the caller who gave up: whoever is first
	result error       // of the conditions, then of the group
	done   chan error
}

// writer commits batches in groups. All log appends and index writes are made by the goroutine in run.
type writer struct {
	log   *commitlog.Log
	index *index
	grown func(n int64) // told of every frame's length
	group *group
	frame []byte
	pool  sync.Pool // of *request
	wake  chan struct{}

	mu      sync.Mutex
	waiting []*request
	closing bool

	failure atomic.Pointer[error] // why the last group was refused; nil after a commit
	broken  error                 // why no group is accepted any more
	wrote   bool                  // frames since the folder was opened
	stats   counters
}

type counters struct{ batches, groups atomic.Uint64 }

func newWriter(log *commitlog.Log, x *index, grown func(int64)) *writer {
	w := &writer{log: log, index: x, grown: grown, group: newGroup(x), wake: make(chan struct{}, 1)}
	w.pool.New = func() any { return &request{done: make(chan error, 1)} }
	return w
}

// apply hands a batch to the writer and waits until it is committed or refused.
func (w *writer) apply(ctx context.Context, ops []kv.Op) error {
	r := w.pool.Get().(*request)
	r.ops = ops
	return w.submit(ctx, r)
}

func (w *writer) submit(ctx context.Context, r *request) error {
	w.mu.Lock()
	if w.closing {
		w.mu.Unlock()
		return kv.ErrClosed
	}
	w.waiting = append(w.waiting, r)
	w.mu.Unlock()
	select {
	case w.wake <- struct{}{}:
	default:
	}
	select {
	case err := <-r.done:
		w.recycle(r)
		return err
	case <-ctx.Done():
		if r.taken.CompareAndSwap(false, true) {
			return ctx.Err() // the writer will pass it over
		}
		err := <-r.done
		w.recycle(r)
		return err
	}
}

func (w *writer) recycle(r *request) {
	r.ops, r.blank, r.result = nil, false, nil
	r.taken.Store(false)
	w.pool.Put(r)
}

// probe writes a frame without rows, to see whether writes are possible.
func (w *writer) probe() error {
	r := w.pool.Get().(*request)
	r.blank = true
	return w.submit(context.Background(), r)
}

// close makes run return when it has answered every waiting batch.
func (w *writer) close() {
	w.mu.Lock()
	w.closing = true
	w.mu.Unlock()
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

func (w *writer) run() {
	var requests, group []*request
	for closing := false; !closing; {
		<-w.wake
		w.mu.Lock()
		requests, w.waiting = w.waiting, requests[:0]
		closing = w.closing
		w.mu.Unlock()
		for left := requests; len(left) > 0; {
			group, left = w.gather(group[:0], left)
			w.answer(group, w.commit(group))
		}
		clear(requests)
		clear(group)
		w.release()
	}
	if w.wrote && w.broken == nil {
		// A frame behind the last rows: from now on damage of theirs cannot pass for a write that a crash has cut.
		w.commit([]*request{{blank: true}})
	}
}

// release gives up what a group has kept: values of callers, and buffers that a large group has grown.
func (w *writer) release() {
	w.group.reset()
	if cap(w.frame) > keepBytes {
		w.frame, w.group.batch = nil, new(leveldb.Batch)
	}
}

// gather moves requests into a group until it is large enough, and evaluates them.
func (w *writer) gather(group, requests []*request) (_, left []*request) {
	version := w.log.Next()
	w.group.reset()
	for i, r := range requests {
		if w.group.size >= groupBytes {
			return group, requests[i:]
		}
		if !r.taken.CompareAndSwap(false, true) {
			continue
		}
		r.result = w.group.add(r.ops, version)
		group = append(group, r)
	}
	return group, nil
}

// answer ends the requests of a group. When the group was refused, what conditions have said does not count either: they may
// have seen rows of the group.
func (w *writer) answer(group []*request, refused error) {
	for _, r := range group {
		if refused != nil {
			r.result = refused
		}
		if r.result == nil {
			w.stats.batches.Add(1)
		}
		r.done <- r.result
	}
}

// commit makes the gathered rows durable and visible.
func (w *writer) commit(group []*request) error {
	blank := false
	for _, r := range group {
		blank = blank || r.blank
	}
	if w.group.empty() && !blank {
		return nil
	}
	err := w.broken
	if err == nil {
		err = w.write()
	}
	if err != nil {
		err = refusal(err)
		w.failure.Store(&err)
		return err
	}
	w.failure.Store(nil)
	w.stats.groups.Add(1)
	return nil
}

func (w *writer) write() error {
	batch := w.group.encode()
	w.frame = append(frame.Begin(w.frame[:0]), batch.Dump()...)
	if err := w.log.Append(w.frame); err != nil {
		if errors.Is(err, commitlog.ErrBroken) || !disk.IsNoSpace(err) {
			w.broken = err
		}
		return err
	}
	w.wrote = true
	number := w.log.Next() - 1
	if err := w.index.apply(batch, number); err != nil {
		if undone := w.log.Undo(); undone != nil || !disk.IsNoSpace(err) {
			err = errors.Join(err, undone)
			w.broken = err
		}
		return err
	}
	w.group.committed()
	w.grown(int64(len(w.frame)))
	return nil
}

// refusal is the error of a write that the disk or the index did not take.
func refusal(err error) error {
	if disk.IsNoSpace(err) && !errors.Is(err, commitlog.ErrBroken) {
		return fmt.Errorf("%w: %w: %w", kv.ErrReadOnly, kv.ErrNoSpace, err)
	}
	return fmt.Errorf("%w: %w", kv.ErrReadOnly, err)
}
