package kv

import (
	"context"
	"errors"
	"sync"
)

// ErrStale reports a batch that was refused because of Expect: a row is not as it was seen. Nothing was changed.
var ErrStale = errors.New("kv: row is not as it was seen")

// Row is a row as somebody saw it.
type Row struct {
	Key     Key
	Version uint64 // 0 when it was not there
}

// Row looks at a row without its value. One with a key that no row can have is not there.
func (s *Store) Row(ctx context.Context, k Key) (Row, error) {
	if checkKey(k) != nil {
		return Row{Key: k}, nil
	}
	e, err := s.Get(ctx, k)
	if errors.Is(err, ErrNotFound) {
		return Row{Key: k}, nil
	}
	return Row{k, e.Version}, err
}

type expectKey struct{}

// expectation is a row that must be as it was seen until it is written once.
type expectation struct {
	row Row
	mu  sync.Mutex
	met bool
}

// Expect gives a context in which the first batch that writes a row is applied only if the row is still as it was seen: Apply returns
// ErrStale else. Other batches are applied as ever. With it, who asks for a change says what he saw, and it is decided in the batch
// that stores the change, whatever lies between the two.
func Expect(ctx context.Context, row Row) context.Context {
	return context.WithValue(ctx, expectKey{}, &expectation{row: row})
}

// apply commits a batch under the expectation of its context, if any.
func (s *Store) apply(ctx context.Context, ops []Op) error {
	x, ok := ctx.Value(expectKey{}).(*expectation)
	if !ok {
		return s.driver.Apply(ctx, ops)
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	at := x.concerns(ops)
	if at < 0 {
		return s.driver.Apply(ctx, ops)
	}
	own, err := ops[at].expect(x.row.Version)
	if err != nil {
		return err
	}
	err = s.driver.Apply(ctx, ops)
	var conflict *ConflictError
	if !own && errors.As(err, &conflict) && conflict.Key == x.row.Key {
		return ErrStale
	}
	x.met = err == nil
	return err
}

// Expected gives ErrStale when the context expects a row to be another one than it is now. It is for changes that turn out to change nothing,
// of which no batch comes.
func Expected(ctx context.Context, now Row) error {
	x, ok := ctx.Value(expectKey{}).(*expectation)
	if !ok || x.row.Key != now.Key {
		return nil
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if !x.met && x.row.Version != now.Version {
		return ErrStale
	}
	return nil
}

// concerns gives the index of the operation that writes the expected row, -1 when there is none or the expectation was met before.
func (x *expectation) concerns(ops []Op) int {
	for i := range ops {
		if !x.met && ops[i].Key == x.row.Key && ops[i].Kind != OpCheck {
			return i
		}
	}
	return -1
}

// expect makes an operation depend on the version of its row, 0 for a row that is not there. It reports whether it did so by itself: then
// its author wants to hear of the conflict as it is.
func (op *Op) expect(version uint64) (own bool, err error) {
	if op.If == IfVersion || op.If == IfAbsent {
		if op.If == IfVersion && op.Version != version || op.If == IfAbsent && version != 0 {
			return true, ErrStale
		}
		return true, nil
	}
	op.If, op.Version = IfVersion, version
	if version == 0 {
		op.If = IfAbsent
	}
	return false, nil
}
