package repository

import (
	"context"
	"errors"
	"iter"

	"entrepot/storage/catalog"
)

// Held gives what a hosted repository or a cache holds at a path; nil when there is nothing, or no such repository. The record is
// shared: copy before changing.
func (e *Engine) Held(ctx context.Context, repository, path string) (*catalog.Asset, error) {
	r := e.state.Load().find(repository)
	if r == nil {
		return nil, nil
	}
	a, err := r.content.Asset(ctx, path)
	if errors.Is(err, catalog.ErrNotFound) {
		return nil, nil
	}
	return a, err
}

// HeldAll delivers everything that a hosted repository or a cache holds, by path. It ends after the first error.
func (e *Engine) HeldAll(ctx context.Context, repository string) iter.Seq2[*catalog.Asset, error] {
	r := e.state.Load().find(repository)
	if r == nil {
		return func(yield func(*catalog.Asset, error) bool) { yield(nil, errRepositoryNotFound()) }
	}
	return r.content.Assets(ctx, "")
}

// RemoveRestored removes assets that Restore brought from a server and that nobody stored anew since; others stay. It gives how many
// it removed. Documents that were made here and tell of components that are gone are made anew.
func (e *Engine) RemoveRestored(ctx context.Context, repository, origin string, paths []string) (int64, error) {
	r := e.state.Load().find(repository)
	if r == nil || origin == "" {
		return 0, nil
	}
	if err := e.writable(); err != nil {
		return 0, err
	}
	var told derived
	var removed int64
	for _, path := range paths {
		a, err := r.content.Asset(ctx, path)
		if err == nil && a.Origin != origin {
			continue
		}
		var stale derived
		if err == nil {
			if stale, err = e.ownDocuments(ctx, r, a, origin); err == nil {
				err = r.content.Remove(ctx, path, catalog.RemoveOptions{Version: a.Version, Stale: stale, Forget: true})
			}
		}
		switch {
		case errors.Is(err, catalog.ErrNotFound), errors.Is(err, catalog.ErrConflict):
			continue
		case err != nil:
			return removed, err
		}
		removed++
		told = append(told, stale...)
	}
	return removed, e.renewDocuments(ctx, r, told)
}

// ownDocuments gives those documents that tell of an asset and were made here: what came from the server that the asset is from is
// brought up to date from there.
func (e *Engine) ownDocuments(ctx context.Context, r *repo, a *catalog.Asset, origin string) (derived, error) {
	if a.Component == nil {
		return nil, nil
	}
	var own derived
	for _, path := range (&derived{}).add(r, &catalog.Component{Coordinates: *a.Component}) {
		doc, err := r.content.Asset(ctx, path)
		switch {
		case err == nil && doc.Origin != origin:
			own = append(own, path)
		case err != nil && !errors.Is(err, catalog.ErrNotFound):
			return nil, err
		}
	}
	return own, nil
}

// HeldComponent gives a component of a repository; nil when there is none.
func (e *Engine) HeldComponent(ctx context.Context, repository string, at catalog.Coordinates) (*catalog.Component, error) {
	r := e.state.Load().find(repository)
	if r == nil {
		return nil, nil
	}
	c, err := r.content.Component(ctx, at)
	if errors.Is(err, catalog.ErrNotFound) {
		return nil, nil
	}
	return c, err
}

// HeldUsage counts what a repository holds; nothing when there is no such repository.
func (e *Engine) HeldUsage(ctx context.Context, repository string) (catalog.Usage, error) {
	r := e.state.Load().find(repository)
	if r == nil {
		return catalog.Usage{}, nil
	}
	return r.content.Usage(ctx)
}
