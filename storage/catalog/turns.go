package catalog

import (
	"context"
	"sync"
)

// turns lets work on a tree that somebody waits for go before work that nobody waits for.
type turns struct {
	mu      sync.Mutex
	waiting int           // for any tree
	changed chan struct{} // closed when somebody begins or ends to wait; nil while nobody looks
}

type patience struct{}

// Patient makes reading wait for its turn: deferred assets that have to be whole for what is read with such a context become so when nobody
// else waits for another tree. It is for work in the background.
func Patient(ctx context.Context) context.Context { return context.WithValue(ctx, patience{}, true) }

func patient(ctx context.Context) bool { return ctx.Value(patience{}) != nil }

// enter notes that somebody waits for a tree until the function that it gives is called.
func (q *turns) enter(t *Content) (leave func()) {
	q.add(t, 1)
	return func() { q.add(t, -1) }
}

func (q *turns) add(t *Content, n int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.waiting += n
	t.deferred.waiting += n
	if q.changed != nil {
		close(q.changed)
		q.changed = nil
	}
}

// yield returns when somebody waits for the tree, or nobody for any.
func (q *turns) yield(ctx context.Context, t *Content) error {
	for {
		q.mu.Lock()
		if q.waiting == 0 || t.deferred.waiting > 0 {
			q.mu.Unlock()
			return ctx.Err()
		}
		if q.changed == nil {
			q.changed = make(chan struct{})
		}
		changed := q.changed
		q.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
