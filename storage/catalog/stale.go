package catalog

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"

	"entrepot/storage/kv"
)

// Some documents of a repository are derived from the rest of its content and stored with it. Whoever removes what such a document tells
// of names it in RemoveOptions.Stale: the batch of the removal then holds a row that says so, one for each document however much was
// removed. The row goes with the batch that stores the document anew, see PutOptions.Settles, so that a process that was killed in
// between finds it.

// Stale is a document that has to be made anew.
type Stale struct {
	Path   string
	Create bool // also when it is not stored
	// Mark tells this request from later ones for the same document. 0 means that there is none.
	Mark uint64
}

// maxStale is how many documents one removal may name: they share a batch with everything else.
const maxStale = 16

const (
	staleUpdate = 'u'
	staleCreate = 'c'
)

func (t *Content) staleKey(path string) kv.Key {
	sort, _ := leafSort(path)
	return kv.Key{Partition: t.parts.stale, Sort: sort}
}

func (t *Content) staleOp(path string, create bool) kv.Op {
	letter := byte(staleUpdate)
	if create {
		letter = staleCreate
	}
	return kv.Put(t.staleKey(path), append([]byte{recordFormat, letter}, path...))
}

func staleOfRow(e *kv.Entry) (Stale, error) {
	if len(e.Value) < 3 || e.Value[0] != recordFormat {
		return Stale{}, fmt.Errorf("stale document %x: %w", e.Sort, errRecord)
	}
	return Stale{Path: string(e.Value[2:]), Create: e.Value[1] == staleCreate, Mark: e.Version}, nil
}

// Stale tells whether a document has to be made anew: Mark is 0 when not.
func (t *Content) Stale(ctx context.Context, path string) (Stale, error) {
	key := t.staleKey(path)
	e, err := t.catalog.find(ctx, key.Partition, key.Sort)
	if err != nil || e.Version == 0 {
		return Stale{Path: path}, wrap(err, "stale documents of "+t.id)
	}
	return staleOfRow(&e)
}

// AllStale delivers all documents that have to be made anew.
func (t *Content) AllStale(ctx context.Context) iter.Seq2[Stale, error] {
	return func(yield func(Stale, error) bool) {
		for e, err := range t.catalog.store.Scan(ctx, t.parts.stale, kv.Range{}) {
			if err != nil {
				yield(Stale{}, wrap(err, "stale documents of "+t.id))
				return
			}
			s, err := staleOfRow(&e)
			if !yield(s, err) || err != nil {
				return
			}
		}
	}
}

// MarkStale says that documents have to be made anew, with create also those that are not stored.
func (t *Content) MarkStale(ctx context.Context, paths []string, create bool) error {
	for some := range slices.Chunk(paths, maxStale) {
		if err := t.markStale(ctx, some, create); err != nil {
			return wrap(err, "mark stale documents of "+t.id)
		}
	}
	return nil
}

func (t *Content) markStale(ctx context.Context, paths []string, create bool) error {
	for range maxAttempts {
		w := &write{t: t, ctx: ctx}
		if err := w.registryOp(); err != nil {
			return err
		}
		for _, path := range paths {
			w.add(t.staleOp(path, create))
		}
		err := t.catalog.store.Apply(ctx, w.ops...)
		if !errors.Is(err, kv.ErrConflict) {
			return err
		}
		t.learn(err)
	}
	return ErrConflict
}

// Settle forgets that a document has to be made anew, unless it was asked for again since s was read.
func (t *Content) Settle(ctx context.Context, s Stale) error {
	if s.Mark == 0 {
		return nil
	}
	err := t.catalog.store.Apply(ctx, kv.DeleteIf(t.staleKey(s.Path), s.Mark))
	if errors.Is(err, kv.ErrConflict) {
		return nil
	}
	return wrap(err, "settle "+s.Path)
}

// staleOps names the documents that a removal makes stale, and forgets the one that a write makes anew.
func (w *write) staleOps() error {
	for _, path := range w.stale {
		w.add(w.t.staleOp(path, false))
	}
	if w.opts.Settles.Mark == 0 {
		return nil
	}
	key := w.t.staleKey(w.opts.Settles.Path)
	e, err := w.t.catalog.find(w.ctx, key.Partition, key.Sort)
	if err == nil && e.Version == w.opts.Settles.Mark {
		w.add(kv.DeleteIf(key, e.Version))
	}
	return err
}
