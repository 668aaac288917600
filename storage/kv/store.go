package kv

import (
	"context"
	"errors"
	"fmt"
	"iter"
)

// Store is the key-value store that the rest of the program uses: argument checks and the meaning of counters, over any Driver.
// All methods may be called from many goroutines.
type Store struct {
	driver Driver
}

// New wraps a driver. The store owns it from now on.
func New(d Driver) *Store { return &Store{driver: d} }

// Get reads a row. It returns ErrNotFound when the row is absent or a counter at zero.
func (s *Store) Get(ctx context.Context, k Key) (Entry, error) {
	if err := checkKey(k); err != nil {
		return Entry{}, err
	}
	e, err := s.driver.Get(ctx, k)
	if err != nil {
		return Entry{}, err
	}
	if e.IsCount && e.Counter == 0 {
		return Entry{}, ErrNotFound
	}
	return e, nil
}

// Count reads a counter; an absent one is 0.
func (s *Store) Count(ctx context.Context, k Key) (int64, error) {
	e, err := s.Get(ctx, k)
	switch {
	case errors.Is(err, ErrNotFound):
		return 0, nil
	case err != nil:
		return 0, err
	case !e.IsCount:
		return 0, fmt.Errorf("%w: %q/%q", ErrNotCounter, k.Partition, k.Sort)
	}
	return e.Counter, nil
}

// Scan delivers the rows of a range in order of their sort keys. The sequence ends after the first error.
func (s *Store) Scan(ctx context.Context, partition string, r Range) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		if err := checkKey(Key{Partition: partition}); err != nil {
			yield(Entry{}, err)
			return
		}
		left := r.Limit
		inner := r
		inner.Limit = 0 // zero counters must not use up the limit
		for e, err := range s.driver.Scan(ctx, partition, inner) {
			if err != nil {
				yield(Entry{}, err)
				return
			}
			if e.IsCount && e.Counter == 0 {
				continue
			}
			if !yield(e, nil) {
				return
			}
			if left--; left == 0 {
				return
			}
		}
	}
}

// Apply commits a batch: all of it, durably, or nothing. Several Adds to one key are summed; any other repetition of a key is an error.
// See Expect for conditions that come with the context.
func (s *Store) Apply(ctx context.Context, ops ...Op) error {
	merged, err := mergeOps(ops)
	if err != nil || len(merged) == 0 {
		return err
	}
	return s.apply(ctx, merged)
}

// Close closes the driver.
func (s *Store) Close() error { return s.driver.Close() }

func mergeOps(ops []Op) ([]Op, error) {
	seen := make(map[Key]int, len(ops))
	merged := make([]Op, 0, len(ops))
	for _, op := range ops {
		if err := checkOp(op); err != nil {
			return nil, err
		}
		at, again := seen[op.Key]
		if !again {
			seen[op.Key] = len(merged)
			merged = append(merged, op)
			continue
		}
		if op.Kind != OpAdd || merged[at].Kind != OpAdd || op.If != Always || merged[at].If != Always {
			return nil, fmt.Errorf("kv: batch names %q/%q twice", op.Key.Partition, op.Key.Sort)
		}
		merged[at].Delta += op.Delta
	}
	if len(merged) > MaxBatch {
		return nil, fmt.Errorf("kv: batch of %d operations; at most %d", len(merged), MaxBatch)
	}
	size := 0
	for i := range merged {
		size += len(merged[i].Key.Partition) + len(merged[i].Key.Sort) + len(merged[i].Value)
	}
	if size > MaxBatchBytes {
		return nil, fmt.Errorf("kv: batch of %d bytes; at most %d", size, MaxBatchBytes)
	}
	return merged, nil
}

func checkOp(op Op) error {
	if err := checkKey(op.Key); err != nil {
		return err
	}
	switch {
	case op.Kind < OpPut || op.Kind > OpCheck:
		return fmt.Errorf("kv: unknown operation %d", op.Kind)
	case len(op.Value) > MaxValue:
		return fmt.Errorf("kv: value of %d bytes for %q/%q; at most %d", len(op.Value), op.Key.Partition, op.Key.Sort, MaxValue)
	case op.If == IfVersion && op.Version == 0:
		return fmt.Errorf("kv: condition on version 0 of %q/%q", op.Key.Partition, op.Key.Sort)
	}
	return nil
}

func checkKey(k Key) error {
	switch {
	case k.Partition == "":
		return fmt.Errorf("kv: empty partition")
	case len(k.Partition) > MaxPartition:
		return fmt.Errorf("kv: partition name of %d bytes; at most %d", len(k.Partition), MaxPartition)
	case len(k.Sort) > MaxSort:
		return fmt.Errorf("kv: sort key of %d bytes; at most %d", len(k.Sort), MaxSort)
	}
	return nil
}
