package catalog

import (
	"context"
	"fmt"
	"strings"

	"entrepot/storage/blob"
)

// Move is a blob's way from one place to another.
type Move struct {
	From, To BlobRef
	Digests  blob.Digests // of the blob, to be added where the asset lacks them
}

// Relocate makes the asset at a path name a copy of its blob in another place. The bytes being the same, it is no change of the asset:
// its times and the change feed stay. The copy has been committed before. ErrConflict when the asset does not name m.From any more,
// ErrNotFound when there is none.
func (t *Content) Relocate(ctx context.Context, path string, m Move) error {
	err := t.write(ctx, path, func(w *write, old *Asset) error {
		switch {
		case old == nil:
			return ErrNotFound
		case old.Blob != m.From:
			return ErrConflict
		}
		next := *old
		next.Blob = m.To
		next.addDigests(&m.Digests)
		w.old, w.new, w.opts, w.now, w.sameBytes = old, &next, &PutOptions{}, t.catalog.opts.Now(), true
		return t.checkAsset(&next)
	}, func(*write) {})
	if err != nil {
		return fmt.Errorf("relocate %q: %w", path, err)
	}
	return nil
}

// addDigests fills in those that the asset lacks.
func (a *Asset) addDigests(d *blob.Digests) {
	for _, kind := range digestSet {
		if field := kind.field(&a.Digests); *field == "" {
			*field = strings.ToLower(*kind.field(d))
		}
	}
}
