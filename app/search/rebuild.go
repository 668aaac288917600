package search

import (
	"context"
	"fmt"
)

// Rebuild makes the index of a content tree anew. Searches meanwhile find what is in it so far. looked hears of components that were
// taken in.
func (x *Index) Rebuild(ctx context.Context, content string, looked func(n int64)) error {
	s := x.state(content)
	if err := x.forgetAll(ctx, content, s); err != nil {
		return fmt.Errorf("search: rebuild: %w", err)
	}
	for {
		more, err := x.catchUp(ctx, content, true)
		if err != nil {
			return fmt.Errorf("search: rebuild: %w", err)
		}
		looked(catchUpChanges)
		if !more {
			return nil
		}
	}
}

// forgetAll removes the index of a content tree and begins it anew.
func (x *Index) forgetAll(ctx context.Context, content string, s *state) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.progress, s.loaded, s.current = progress{}, true, false
	if err := x.save(ctx, content, s); err != nil { // first: what is killed now is built anew from the start
		return err
	}
	return x.clear(ctx, content)
}
