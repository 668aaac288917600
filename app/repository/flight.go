package repository

import (
	"context"
	"sync"

	"entrepot/formats"
	"entrepot/storage/blob"
	"entrepot/storage/catalog"
)

// flight is one download of one path, shared by all who wait for it.
type flight struct {
	done  chan struct{} // closed when out is set
	ready chan struct{} // closed with done, or before when the body can be passed on
	out   outcome

	// Set before ready is closed, when the body is passed on.
	passing bool
	rep     representation // without its body
	size    int64          // bytes to come; -1 when unknown
	writer  *blob.Writer

	mu   sync.Mutex
	more chan struct{} // closed when more bytes are there, then replaced
}

// starter is on whose behalf a download is started.
type starter struct {
	user, ip string
}

// join gives the download of a path that is under way, or starts one. It returns nil when the engine is closing.
func (e *Engine) join(r *repo, it formats.Item, copy *catalog.Asset, by starter) *flight {
	run := r.run
	run.mu.Lock()
	defer run.mu.Unlock()
	if f := run.flights[it.Path]; f != nil {
		return f
	}
	f := &flight{done: make(chan struct{}), ready: make(chan struct{}), more: make(chan struct{})}
	started := e.background.start(func(ctx context.Context) {
		out := e.fetch(ctx, fetching{repo: r, item: it, copy: copy, by: by, flight: f})
		run.mu.Lock()
		delete(run.flights, it.Path)
		run.mu.Unlock()
		f.finish(out)
	})
	if !started {
		return nil
	}
	run.flights[it.Path] = f
	return f
}

// wait waits for the end of a download; with stream, or for the moment from which its body can be passed on.
func (f *flight) wait(ctx context.Context, stream bool) (obtained, error) {
	until := f.done
	if stream {
		until = f.ready
	}
	select {
	case <-until:
	case <-ctx.Done():
		return obtained{}, ctx.Err()
	}
	select {
	case <-f.done:
		return obtained{asset: f.out.asset}, f.out.err
	default:
		return obtained{incoming: f}, nil
	}
}

// pass lets those who wait have the body while it is still coming in.
func (f *flight) pass(w *blob.Writer, rep representation, size int64) {
	f.passing, f.writer, f.rep, f.size = true, w, rep, size
	close(f.ready)
}

// advance wakes those who read the body.
func (f *flight) advance() {
	f.mu.Lock()
	defer f.mu.Unlock()
	close(f.more)
	f.more = make(chan struct{})
}

// progress gives the channel that the next advance closes.
func (f *flight) progress() <-chan struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.more
}

func (f *flight) finish(out outcome) {
	f.out = out
	close(f.done)
	if !f.passing {
		close(f.ready)
	}
}
