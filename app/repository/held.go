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
