// Package memory is a key-value driver that keeps all rows in memory, for tests and for data that may be lost. It passes the
// same suite as the drivers on disk: batches are serialisable and a scan sees the rows of one moment.
//
// Rows of a partition form an immutable tree, so a scan keeps the tree it began with and never blocks a writer.
//
//	store := kv.New(memory.New())
package memory

import (
	"bytes"
	"context"
	"iter"
	"sync"

	"entrepot/storage/kv"
)

// Driver holds rows in memory. All methods may be called from many goroutines.
type Driver struct {
	mu         sync.RWMutex
	partitions map[string]*node // roots of immutable trees
	version    uint64           // of the last batch
	closed     bool
}

var _ kv.Driver = (*Driver)(nil)

// New makes an empty driver.
func New() *Driver { return &Driver{partitions: make(map[string]*node)} }

// Get reads a row.
func (d *Driver) Get(ctx context.Context, k kv.Key) (kv.Entry, error) {
	root, err := d.root(ctx, k.Partition)
	if err != nil {
		return kv.Entry{}, err
	}
	n := root.find(k.Sort)
	if n == nil {
		return kv.Entry{}, kv.ErrNotFound
	}
	return owned(n.row), nil
}

// Scan delivers the rows of a range as they are when the iteration begins.
func (d *Driver) Scan(ctx context.Context, partition string, r kv.Range) iter.Seq2[kv.Entry, error] {
	return func(yield func(kv.Entry, error) bool) {
		root, err := d.root(ctx, partition)
		if err != nil {
			yield(kv.Entry{}, err)
			return
		}
		left := r.Limit
		root.walk(&r, func(row kv.Entry) bool {
			if err := ctx.Err(); err != nil {
				yield(kv.Entry{}, err)
				return false
			}
			left--
			return yield(owned(row), nil) && left != 0
		})
	}
}

// Apply commits a batch.
func (d *Driver) Apply(ctx context.Context, ops []kv.Op) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return kv.ErrClosed
	}
	version := d.version + 1
	rows := make([]kv.Entry, len(ops))
	for i := range ops {
		op := &ops[i]
		var row kv.Entry
		if n := d.partitions[op.Key.Partition].find(op.Key.Sort); n != nil {
			row = n.row
		}
		var err error
		if rows[i], err = kv.Outcome(op, row, version); err != nil {
			return err
		}
	}
	d.version = version
	for i := range ops {
		d.set(&ops[i], rows[i])
	}
	return nil
}

// set makes row the outcome of op.
func (d *Driver) set(op *kv.Op, row kv.Entry) {
	if op.Kind == kv.OpCheck {
		return
	}
	root := d.partitions[op.Key.Partition].without(op.Key.Sort)
	if row.Version != 0 {
		root = root.with(owned(row))
	}
	if root == nil {
		delete(d.partitions, op.Key.Partition)
		return
	}
	d.partitions[op.Key.Partition] = root
}

// Close drops all rows.
func (d *Driver) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed, d.partitions = true, nil
	return nil
}

func (d *Driver) root(ctx context.Context, partition string) (*node, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	d.mu.RLock()
	defer d.mu.RUnlock()
	if d.closed {
		return nil, kv.ErrClosed
	}
	return d.partitions[partition], nil
}

// owned gives the row a value of its own.
func owned(row kv.Entry) kv.Entry {
	row.Value = bytes.Clone(row.Value)
	return row
}
