package catalog

import (
	"context"
	"errors"
	"sync"

	"entrepot/storage/kv"
)

var errInjected = errors.New("injected")

// watched is a driver that counts, and can be told to fail or to call back.
type watched struct {
	kv.Driver

	mu      sync.Mutex
	largest int               // operations in the largest batch
	batches int               // batches applied
	fail    int               // batches until all fail; negative for never
	before  func(ops []kv.Op) // called before each batch
}

func watch(d kv.Driver) *watched { return &watched{Driver: d, fail: -1} }

func (w *watched) Apply(ctx context.Context, ops []kv.Op) error {
	w.mu.Lock()
	w.largest = max(w.largest, len(ops))
	w.batches++
	failing := w.fail == 0
	if w.fail > 0 {
		w.fail--
	}
	before := w.before
	w.mu.Unlock()
	if before != nil {
		before(ops)
	}
	if failing {
		return errInjected
	}
	return w.Driver.Apply(ctx, ops)
}
