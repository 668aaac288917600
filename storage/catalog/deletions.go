package catalog

import (
	"context"
	"fmt"
	"time"

	"entrepot/storage/kv"
)

// An asset that an import brought leaves a note when it is deleted, or another takes its place that no import brought: one row, in the
// batch that does it. So a later import knows that the path is empty because somebody wanted it so. A path has one note at most, of the
// last such asset; it stays when the path is stored again, counts nowhere, and goes with the tree.

// deletionFormat is the first byte of a note's row.
const deletionFormat = 4

// Deletion is what is known of an asset that an import brought and that went since.
type Deletion struct {
	BlobCreated time.Time // as it was in the asset
	Updated     time.Time
	SHA1        string // hex, "" when it was not known
}

// Deletion gives the note of a path. ErrNotFound when there is none.
func (t *Content) Deletion(ctx context.Context, path string) (*Deletion, error) {
	if !validPath(path) {
		return nil, fmt.Errorf("deletion of %q: %w", path, ErrNotFound)
	}
	e, err := t.catalog.get(ctx, t.parts.deletions, noteSort(path))
	if err != nil {
		return nil, wrap(err, "deletion of "+path)
	}
	return decodeDeletion(string(e.Value))
}

// HasDeletions reports whether any path of the tree has a note.
func (t *Content) HasDeletions(ctx context.Context) (bool, error) {
	for _, err := range t.catalog.store.Scan(ctx, t.parts.deletions, kv.Range{Limit: 1}) {
		return err == nil, wrap(err, "deletions of "+t.id)
	}
	return false, nil
}

func noteSort(path string) string {
	sort, _ := leafSort(path)
	return sort
}

// noteOp leaves the note of an asset that goes.
func (w *write) noteOp() {
	if w.old == nil || w.old.Origin == "" || w.new != nil && w.new.Origin != "" {
		return
	}
	key := kv.Key{Partition: w.t.parts.deletions, Sort: noteSort(w.old.Path)}
	if w.forget {
		w.add(kv.Delete(key))
		return
	}
	b := appendTime(appendTime([]byte{deletionFormat}, w.old.BlobCreated), w.old.Updated)
	w.add(kv.Put(key, appendString(b, w.old.Digests.SHA1)))
}

func decodeDeletion(row string) (*Deletion, error) {
	r := reader{rest: row}
	format := r.byte()
	d := &Deletion{BlobCreated: r.time(), Updated: r.time(), SHA1: r.string()}
	if format != deletionFormat || r.bad || r.rest != "" {
		return nil, fmt.Errorf("%w: note of %d bytes", errRecord, len(row))
	}
	return d, nil
}

// noteRows checks that every note can be read.
func (c *treeCheck) noteRows() error {
	for e, err := range c.catalog.store.Scan(c.ctx, c.t.parts.deletions, kv.Range{}) {
		if err != nil {
			return err
		}
		if _, err := decodeDeletion(string(e.Value)); err != nil {
			if err := c.report(c.t.id, e.Sort, "%v", err); err != nil {
				return err
			}
		}
	}
	return nil
}
