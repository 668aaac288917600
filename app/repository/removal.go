package repository

import (
	"context"
	"errors"

	"entrepot/app/access/permission"
	"entrepot/app/audit"
	"entrepot/formats"
	"entrepot/storage/catalog"
)

// DeleteAsset removes the asset behind a number. The subject must see it and have the permission to delete on its path
// of the repository that has it. Documents
// that tell of it are not made anew: that belongs to the removal of components.
func (e *Engine) DeleteAsset(ctx context.Context, s Subject, at Locator) error {
	v, err := e.view(s, at.Repository)
	if err != nil {
		return err
	}
	holder, a, err := v.assetByID(ctx, at)
	switch {
	case err != nil:
		return err
	case !v.sees(a.Path):
		return &formats.Error{Kind: formats.NotFound}
	case !s.MayView(holder.def.Format, holder.def.Name, permission.Delete, a.Path):
		return refuse(s)
	}
	if err := e.writable(); err != nil {
		return err
	}
	err = holder.content.Delete(ctx, a.Path)
	if errors.Is(err, catalog.ErrNotFound) {
		return &formats.Error{Kind: formats.NotFound}
	}
	if err == nil {
		e.tell(ctx, "", audit.Event{Action: "asset.delete", Object: holder.def.Name + a.Path})
	}
	return err
}

// DeleteComponent removes the component behind a number with all its assets. The subject must see it and have the permission to
// delete on each of their paths, else nothing is removed. Documents of a hosted repository that tell of it are made anew.
func (e *Engine) DeleteComponent(ctx context.Context, s Subject, at Locator) error {
	v, err := e.view(s, at.Repository)
	if err != nil {
		return err
	}
	holder, c, err := v.componentByID(ctx, at)
	switch {
	case err != nil:
		return err
	case !v.sees(c.Name):
		return &formats.Error{Kind: formats.NotFound}
	}
	for a, err := range holder.content.ComponentAssets(ctx, c.Coordinates) {
		if err != nil {
			return err
		}
		if !s.MayView(holder.def.Format, holder.def.Name, permission.Delete, a.Path) {
			return refuse(s)
		}
	}
	if err := e.writable(); err != nil {
		return err
	}
	if err := e.RemoveComponents(ctx, holder.def.Name, []*catalog.Component{c}); err != nil {
		return err
	}
	e.tell(ctx, "", audit.Event{Action: "component.delete", Object: holder.def.Name, Before: c.Coordinates})
	return nil
}

// RemoveComponents removes components with all their assets, for tasks that act without a subject, and makes the documents anew
// that tell of them, each once. Those already gone are no error.
func (e *Engine) RemoveComponents(ctx context.Context, repository string, components []*catalog.Component) error {
	r := e.state.Load().find(repository)
	if r == nil {
		return errRepositoryNotFound()
	}
	var told derived
	for _, c := range components {
		stale := told.add(r, c)
		for a, err := range r.content.ComponentAssets(ctx, c.Coordinates) {
			if err != nil {
				return err
			}
			if err := r.content.Remove(ctx, a.Path, catalog.RemoveOptions{Stale: stale}); err != nil && !errors.Is(err, catalog.ErrNotFound) {
				return err
			}
		}
	}
	return e.renewDocuments(ctx, r, told)
}

// RebuildIndex makes everything derived from a repository's content anew the next time it is asked for. It is a refusal of kind
// Invalid for a proxy, whose documents follow its members.
func (e *Engine) RebuildIndex(ctx context.Context, name string) error {
	r := e.state.Load().find(name)
	if r == nil {
		return errRepositoryNotFound()
	}
	if r.def.Kind == formats.Proxy {
		return &formats.Error{Kind: formats.Invalid, Message: "You can rebuild search index of hosted or proxy repository only"}
	}
	e.documents.dropContent(r.def.Content)
	return nil
}
