package repository

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"entrepot/formats"
	"entrepot/storage/catalog"
)

// Pruner removes components of one repository for tasks, which act without a subject. Documents that tell of what was removed are made
// anew now and then, and by Flush at the end. It is used by one goroutine.
type Pruner struct {
	engine     *Engine
	repository string
	told       derived
}

// pruneFlush is how many documents wait to be made anew.
const pruneFlush = 200

// Pruner gives a pruner of a repository.
func (e *Engine) Pruner(repository string) *Pruner { return &Pruner{engine: e, repository: repository} }

// Remove removes a component as it was seen, and reports whether it did: one of which an asset has come or changed since stays. It
// refuses while the server is frozen.
func (p *Pruner) Remove(ctx context.Context, c *catalog.Component, assets []*catalog.Asset) (bool, error) {
	r := p.engine.state.Load().find(p.repository)
	if r == nil {
		return false, errRepositoryNotFound()
	}
	if err := p.engine.writable(); err != nil {
		return false, err
	}
	if same, err := unchanged(ctx, r.content, c.Coordinates, assets); err != nil || !same {
		return false, err
	}
	stale := p.told.add(r, c)
	for _, a := range assets {
		err := r.content.Remove(ctx, a.Path, catalog.RemoveOptions{Version: a.Version, Stale: stale})
		switch {
		case errors.Is(err, catalog.ErrConflict):
			return false, nil
		case err != nil && !errors.Is(err, catalog.ErrNotFound):
			return false, err
		}
	}
	if len(p.told) < pruneFlush {
		return true, nil
	}
	return true, p.Flush(ctx)
}

// RemoveAsset removes an asset that belongs to no component, as it was seen, and reports whether it did. It refuses while the server is
// frozen.
func (p *Pruner) RemoveAsset(ctx context.Context, a *catalog.Asset) (bool, error) {
	r := p.engine.state.Load().find(p.repository)
	if r == nil {
		return false, errRepositoryNotFound()
	}
	if err := p.engine.writable(); err != nil {
		return false, err
	}
	err := r.content.DeleteIf(ctx, a.Path, a.Version)
	if errors.Is(err, catalog.ErrConflict) || errors.Is(err, catalog.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// unchanged reports whether a component still has exactly these assets.
func unchanged(ctx context.Context, content *catalog.Content, at catalog.Coordinates, assets []*catalog.Asset) (bool, error) {
	i := 0
	for a, err := range content.ComponentAssets(ctx, at) {
		if err != nil {
			return false, err
		}
		if i == len(assets) || assets[i].Path != a.Path || assets[i].Version != a.Version {
			return false, nil
		}
		i++
	}
	return i == len(assets), nil
}

// Flush makes the documents anew that tell of what was removed.
func (p *Pruner) Flush(ctx context.Context) error {
	r := p.engine.state.Load().find(p.repository)
	if r == nil {
		return nil
	}
	told := p.told
	p.told = nil
	return p.engine.renewDocuments(ctx, r, told)
}

// RebuildDocuments makes the documents anew that tell of components of a hosted repository, and tells how many. wanted is asked about each
// component that the query selects. Other repositories have none.
func (e *Engine) RebuildDocuments(ctx context.Context, name string, q catalog.ComponentQuery, wanted func(*catalog.Component) bool) (int64, error) {
	r := e.state.Load().find(name)
	if r == nil {
		return 0, errRepositoryNotFound()
	}
	b := &rebuilding{engine: e, repo: r, waiting: make(map[string]bool), inGroup: make(map[string]bool)}
	for c, err := range r.content.Components(ctx, q) {
		if err == nil {
			err = ctx.Err()
		}
		if err == nil {
			err = b.reach(ctx, catalog.Coordinates{Group: c.Group, Name: c.Name})
		}
		if err != nil {
			return b.made, err
		}
		if wanted(c) {
			b.add(c)
		}
	}
	return b.made, b.flush(ctx)
}

// rebuilding makes documents anew while it goes through components by group and name: each once, as far as groups are concerned that
// come one after the other.
type rebuilding struct {
	engine  *Engine
	repo    *repo
	at      catalog.Coordinates // group and name of what is waiting
	waiting map[string]bool     // paths of documents
	inGroup map[string]bool     // those made for names of the group
	made    int64
}

// reach makes what is waiting when another name begins.
func (b *rebuilding) reach(ctx context.Context, at catalog.Coordinates) error {
	if at == b.at {
		return nil
	}
	if err := b.flush(ctx); err != nil {
		return err
	}
	if at.Group != b.at.Group {
		clear(b.inGroup)
	}
	b.at = at
	return nil
}

func (b *rebuilding) add(c *catalog.Component) {
	var told derived
	told.add(b.repo, c)
	for _, path := range told {
		b.waiting[path] = true
	}
}

func (b *rebuilding) flush(ctx context.Context) error {
	var paths derived
	for path := range b.waiting {
		if !b.inGroup[path] {
			b.inGroup[path] = true
			paths = append(paths, path)
		}
	}
	clear(b.waiting)
	if len(paths) == 0 {
		return nil
	}
	if err := b.engine.writable(); err != nil {
		return err
	}
	b.made += int64(len(paths))
	return b.engine.makeDocuments(ctx, b.repo, paths)
}

// CleanupUsers gives the names of the repositories that a cleanup policy is assigned to.
func (e *Engine) CleanupUsers(policy string) []string {
	var users []string
	for _, r := range e.state.Load().ordered {
		if slices.Contains(r.def.Cleanup, policy) {
			users = append(users, r.def.Name)
		}
	}
	return users
}

// WithdrawCleanup takes a cleanup policy away from all repositories.
func (e *Engine) WithdrawCleanup(ctx context.Context, policy, actor string) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if err := e.writable(); err != nil {
		return err
	}
	for _, name := range e.CleanupUsers(policy) {
		r := e.state.Load().find(name)
		d := r.def
		d.Cleanup = slices.DeleteFunc(slices.Clone(d.Cleanup), func(p string) bool { return p == policy })
		if len(d.Cleanup) == 0 {
			d.Cleanup = nil
		}
		if err := e.replace(ctx, r, d); err != nil {
			return err
		}
		e.log.Info("cleanup policy withdrawn from repository", "repository", name, "policy", policy, "user", actor)
	}
	return nil
}

// checkCleanup refuses policies that are made for another format. Names of policies that do not exist (yet) may be assigned.
func (e *Engine) checkCleanup(d *Definition) error {
	if e.opts.CleanupFormat == nil {
		return nil
	}
	for _, policy := range d.Cleanup {
		if format, known := e.opts.CleanupFormat(policy); known && format != d.Format && format != AnyFormat {
			return formats.FieldErrors{{Field: "cleanup", Message: fmt.Sprintf(
				"Repository %s is of format type %s, unable to assign cleanup policy %s of format type %s", d.Name, d.Format, policy, format)}}
		}
	}
	return nil
}

// AnyFormat is the format of a cleanup policy that is made for all.
const AnyFormat = "*"

// Abilities gives a format that this build serves, to be asked for optional abilities; nil for others.
func (e *Engine) Abilities(format string) formats.Format { return e.formats[format] }

// ContentOf gives the catalog tree of a repository's content; nil when there is no such repository.
func (e *Engine) ContentOf(repository string) *catalog.Content {
	r := e.state.Load().find(repository)
	if r == nil {
		return nil
	}
	return r.content
}
