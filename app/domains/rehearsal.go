package domains

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"entrepot/app/access"
	"entrepot/app/access/password"
	"entrepot/app/audit"
	"entrepot/app/repository"
	"entrepot/app/tasks"
	"entrepot/app/upkeep"
	"entrepot/app/webhooks"
	"entrepot/storage/blob"
	blobmemory "entrepot/storage/blob/memory"
	"entrepot/storage/catalog"
	"entrepot/storage/kv"
	"entrepot/storage/kv/overlay"
)

// Rehearsal opens the same domains over what the store has now, to try changes: what they write stays in memory and is forgotten at Close.
// They take writes also while the server does not, make no folders, tell nobody, and leave content alone.
func (d *Domains) Rehearsal(ctx context.Context) (*Rehearsal, error) {
	o := d.opts
	o.Store, o.Log = kv.New(overlay.New(d.opts.Store)), slog.New(slog.DiscardHandler)
	o.Audit, o.Catalog = audit.Options{}, catalog.Options{FlushInterval: 24 * time.Hour} // it has nothing to do
	o.Engine.Still, o.Engine.FreeSpace = true, nil
	o.Engine.OpenBlobs = func(_ context.Context, s repository.BlobStore) (*blob.Store, error) {
		return blob.New(s.Ref(), blobmemory.New(nil), nil), nil
	}
	o.Access = access.Options{Formats: d.opts.Access.Formats, Selectors: d.opts.Access.Selectors, Passwords: &password.Options{Cost: password.Cost{Memory: 8, Passes: 1, Threads: 1}}}
	o.Upkeep = upkeep.Options{Checkpoint: func(context.Context) error { return nil }}
	o.Webhooks = webhooks.Options{}
	o.Tasks = tasks.Options{Types: d.opts.Tasks.Types, Needless: d.opts.Tasks.Needless}
	try, err := Open(ctx, o)
	if err != nil {
		return nil, errors.Join(err, o.Store.Close())
	}
	r := &Rehearsal{try}
	if _, err := r.Engine.Release(ctx); err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return r, nil
}

// Rehearsal are domains that try changes.
type Rehearsal struct{ *Domains }

// Close forgets what was tried.
func (r *Rehearsal) Close() error { return errors.Join(r.Domains.Close(), r.opts.Store.Close()) }
