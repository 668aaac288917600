package leveldb

import (
	"bytes"
	"context"
	"fmt"
	"iter"
	"sync"

	"entrepot/storage/kv"

	"github.com/syndtr/goleveldb/leveldb/iterator"
	"github.com/syndtr/goleveldb/leveldb/util"
)

// scans are the iterations under way; they must be released before the index is closed.
type scans struct {
	mu   sync.Mutex
	open map[iterator.Iterator]struct{}
}

func (s *scans) add(it iterator.Iterator) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open == nil {
		s.open = make(map[iterator.Iterator]struct{})
	}
	s.open[it] = struct{}{}
}

func (s *scans) release(it iterator.Iterator) {
	s.mu.Lock()
	defer s.mu.Unlock()
	it.Release() // a second time does nothing
	delete(s.open, it)
}

func (s *scans) releaseAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for it := range s.open {
		it.Release()
	}
	clear(s.open)
}

// Scan delivers the rows of a range as they are when the iteration begins. Between two rows it holds no lock, only the tables
// it reads from.
func (d *Driver) Scan(ctx context.Context, partition string, r kv.Range) iter.Seq2[kv.Entry, error] {
	return func(yield func(kv.Entry, error) bool) {
		start, limit := bounds(partition, &r)
		if bytes.Compare(start, limit) >= 0 {
			return
		}
		var it iterator.Iterator
		err := d.use(ctx, func() error {
			it = d.index.db.NewIterator(&util.Range{Start: start, Limit: limit}, nil)
			d.scans.add(it)
			return nil
		})
		if err != nil {
			yield(kv.Entry{}, err)
			return
		}
		defer d.scans.release(it)
		c := &cursor{d: d, it: it, prefix: len(appendPartition(nil, partition)), reverse: r.Reverse}
		for n := 1; ; n++ {
			row, ok, err := c.next(ctx)
			if err != nil {
				yield(kv.Entry{}, fmt.Errorf("scan %q: %w", partition, err))
				return
			}
			if !ok || !yield(row, nil) || n == r.Limit {
				return
			}
		}
	}
}

// cursor walks over the rows of one scan.
type cursor struct {
	d       *Driver
	it      iterator.Iterator
	prefix  int // bytes of the partition in stored keys
	reverse bool
	begun   bool
}

// next gives the next row; ok is false at the end.
func (c *cursor) next(ctx context.Context) (row kv.Entry, ok bool, err error) {
	err = c.d.use(ctx, func() error {
		if !c.move() {
			return c.d.index.noted(c.it.Error())
		}
		ok = true
		var err error
		row, err = decodeRow(string(c.it.Key()[c.prefix:]), bytes.Clone(c.it.Value()))
		return c.d.index.noted(err)
	})
	return row, ok && err == nil, err
}

func (c *cursor) move() bool {
	begun := c.begun
	c.begun = true
	switch {
	case !c.reverse:
		return c.it.Next()
	case begun:
		return c.it.Prev()
	default:
		return c.it.Last()
	}
}
