package repository

import (
	"context"
	"errors"
	"strings"

	"entrepot/formats"
	"entrepot/storage/catalog"
)

// staysDeleted reports whether the asset came before, was deleted here, and is still the same on the other server.
func (in *Restored) staysDeleted(ctx context.Context, r *repo) (bool, error) {
	if in.Origin == "" || in.Again {
		return false, nil
	}
	deleted, changed, err := in.deleted(ctx, r)
	return deleted && !changed, err
}

// deleted reports whether the asset came before and was deleted here, and whether the other server changed it since: it has another blob,
// or in a hosted repository a later update. A cache updates its records whenever it asks the upstream.
func (in *Restored) deleted(ctx context.Context, r *repo) (deleted, changed bool, err error) {
	d, err := r.content.Deletion(ctx, in.Path)
	if errors.Is(err, catalog.ErrNotFound) {
		return false, false, nil
	}
	if err != nil {
		return false, false, err
	}
	otherBlob := in.Digests.SHA1 != "" && !strings.EqualFold(in.Digests.SHA1, d.SHA1)
	return true, otherBlob || in.BlobCreated.After(d.BlobCreated) || r.def.Kind == formats.Hosted && in.Updated.After(d.Updated), nil
}

// DeletedHere reports whether an asset of another server came before and was deleted here, and whether that server changed it since: then
// Restore brings it again. The path holds nothing now.
func (e *Engine) DeletedHere(ctx context.Context, repository string, in Restored) (deleted, changed bool, err error) {
	r := e.state.Load().find(repository)
	if r == nil {
		return false, false, nil
	}
	in.normalise()
	return in.deleted(ctx, r)
}

// HasDeletions reports whether anything that came from another server was deleted from a repository.
func (e *Engine) HasDeletions(ctx context.Context, repository string) (bool, error) {
	r := e.state.Load().find(repository)
	if r == nil {
		return false, nil
	}
	return r.content.HasDeletions(ctx)
}
