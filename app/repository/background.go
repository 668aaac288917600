package repository

import (
	"context"
	"sync"
)

// background runs what must not end with the request that started it: downloads that others wait for, removal of content.
type background struct {
	ctx context.Context
	end context.CancelFunc

	mu     sync.Mutex
	closed bool
	wg     sync.WaitGroup
}

func (b *background) open() { b.ctx, b.end = context.WithCancel(context.Background()) }

// start runs f with a context that ends at close. It reports false, and does nothing, after close.
func (b *background) start(f func(ctx context.Context)) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return false
	}
	b.wg.Go(func() { f(b.ctx) })
	return true
}

// close ends the context of all that runs and waits for it.
func (b *background) close() {
	b.mu.Lock()
	b.closed = true
	b.mu.Unlock()
	b.end()
	b.wg.Wait()
}

// idSet is a set of what is under way.
type idSet struct {
	mu  sync.Mutex
	ids map[string]bool
}

// begin adds an id and reports whether it was not there.
func (s *idSet) begin(id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ids[id] {
		return false
	}
	if s.ids == nil {
		s.ids = make(map[string]bool)
	}
	s.ids[id] = true
	return true
}

func (s *idSet) end(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.ids, id)
}
