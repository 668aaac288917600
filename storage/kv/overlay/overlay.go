// Package overlay is a key-value driver over a store that it never changes: rows are read from the store below, and what is written stays
// in memory and hides them. It is for trying changes, few of them, on the records of a server.
//
// Invariants: the store below is only read; a batch is decided on what the overlay shows at that moment. What others write below shows
// through where the overlay has written nothing.
//
//	try := kv.New(overlay.New(store))
//	defer try.Close()
package overlay

import (
	"bytes"
	"context"
	"errors"
	"iter"
	"maps"
	"slices"
	"sync"

	"entrepot/storage/kv"
)

// own begins the versions of rows that were written here, so that none is one of the store below.
const own = 1 << 63

// Driver holds what was written. All methods may be called from many goroutines.
type Driver struct {
	below *kv.Store

	mu      sync.RWMutex
	written map[string]map[string]kv.Entry // by partition and sort key; those with version 0 are gone
	version uint64                         // of the last batch
	closed  bool
}

var _ kv.Driver = (*Driver)(nil)

// New makes a driver that shows what a store has. The store stays the caller's to close.
func New(below *kv.Store) *Driver {
	return &Driver{below: below, written: make(map[string]map[string]kv.Entry), version: own}
}

// Get reads a row.
func (d *Driver) Get(ctx context.Context, k kv.Key) (kv.Entry, error) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	row, err := d.get(ctx, k)
	if err == nil && row.Version == 0 {
		err = kv.ErrNotFound
	}
	return row, err
}

// get reads a row, with version 0 when there is none. d.mu is held.
func (d *Driver) get(ctx context.Context, k kv.Key) (kv.Entry, error) {
	if err := ctx.Err(); err != nil {
		return kv.Entry{}, err
	}
	if d.closed {
		return kv.Entry{}, kv.ErrClosed
	}
	if row, ok := d.written[k.Partition][k.Sort]; ok {
		return owned(row), nil
	}
	row, err := d.below.Get(ctx, k)
	if errors.Is(err, kv.ErrNotFound) {
		return kv.Entry{}, nil
	}
	return row, err
}

// Scan delivers the rows of a range: what was written here before it begins, among those of the store below.
func (d *Driver) Scan(ctx context.Context, partition string, r kv.Range) iter.Seq2[kv.Entry, error] {
	return func(yield func(kv.Entry, error) bool) {
		d.mu.RLock()
		rows, closed := maps.Clone(d.written[partition]), d.closed
		d.mu.RUnlock()
		if closed {
			yield(kv.Entry{}, kv.ErrClosed)
			return
		}
		left := r.Limit
		for row, err := range d.merged(ctx, partition, r, rows) {
			if err == nil {
				err = ctx.Err()
			}
			if left--; !yield(row, err) || err != nil || left == 0 {
				return
			}
		}
	}
}

// merged puts written rows among those of the store below.
func (d *Driver) merged(ctx context.Context, partition string, r kv.Range, written map[string]kv.Entry) iter.Seq2[kv.Entry, error] {
	keys := slices.DeleteFunc(slices.Sorted(maps.Keys(written)), func(sort string) bool { return sort < r.From || r.To != "" && sort >= r.To })
	if r.Reverse {
		slices.Reverse(keys)
	}
	first := func(a, b string) bool { return a < b != r.Reverse }
	return func(yield func(kv.Entry, error) bool) {
		// own delivers the written rows before a key, all of them when there is no key.
		own := func(before *string) bool {
			for len(keys) > 0 && (before == nil || first(keys[0], *before)) {
				row := written[keys[0]]
				if keys = keys[1:]; row.Version != 0 && !yield(owned(row), nil) {
					return false
				}
			}
			return true
		}
		for row, err := range d.below.Scan(ctx, partition, kv.Range{From: r.From, To: r.To, Reverse: r.Reverse}) {
			if err != nil {
				yield(row, err)
				return
			}
			if !own(&row.Sort) {
				return
			}
			if _, hidden := written[row.Sort]; !hidden && !yield(row, nil) {
				return
			}
		}
		own(nil)
	}
}

// Apply commits a batch here.
func (d *Driver) Apply(ctx context.Context, ops []kv.Op) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	rows := make([]kv.Entry, len(ops))
	for i := range ops {
		row, err := d.get(ctx, ops[i].Key)
		if err == nil {
			rows[i], err = kv.Outcome(&ops[i], row, d.version+1)
		}
		if err != nil {
			return err
		}
	}
	d.version++
	for i := range ops {
		if ops[i].Kind == kv.OpCheck {
			continue
		}
		partition := d.written[ops[i].Key.Partition]
		if partition == nil {
			partition = make(map[string]kv.Entry)
			d.written[ops[i].Key.Partition] = partition
		}
		partition[ops[i].Key.Sort] = owned(rows[i])
	}
	return nil
}

// Close forgets what was written.
func (d *Driver) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed, d.written = true, nil
	return nil
}

// owned gives the row a value of its own.
func owned(row kv.Entry) kv.Entry {
	row.Value = bytes.Clone(row.Value)
	return row
}
