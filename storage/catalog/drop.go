package catalog

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"entrepot/storage/kv"
)

// States of a tree in the registry.
const (
	treeLive    = 'l'
	treeDropped = 'd'
)

func treeIsLive(e *kv.Entry) bool { return len(e.Value) == 2 && e.Value[1] == treeLive }

// raiseFeed keeps the sequences of this process above those that a former one gave.
func (t *Content) raiseFeed(ctx context.Context) error {
	for e, err := range t.catalog.store.Scan(ctx, t.parts.feed, kv.Range{Reverse: true, Limit: 1}) {
		if err != nil {
			return err
		}
		if len(e.Sort) == 8 {
			t.catalog.feed.raise(binary.BigEndian.Uint64([]byte(e.Sort)))
		}
	}
	return nil
}

// Drop removes the tree and all that belongs to it, in batches. No write to it succeeds any more from the moment Drop begins. When it
// ends with an error, or the process dies, another Drop goes on where it stopped; Contents still delivers the tree until then.
func (t *Content) Drop(ctx context.Context) error {
	if err := t.bury(ctx); err != nil {
		return wrap(err, "drop "+t.id)
	}
	defer t.catalog.cache.forgetContent(t.id)
	batch := &sharedRemoval{t: t, ctx: ctx}
	for a, err := range t.scanAssets(ctx, kv.Range{}) {
		if err == nil {
			err = batch.add(a)
		}
		if err != nil {
			return wrap(err, "drop "+t.id)
		}
	}
	if err := batch.flush(); err != nil {
		return wrap(err, "drop "+t.id)
	}
	for _, partition := range t.parts.all() {
		if err := t.catalog.clear(ctx, partition); err != nil {
			return wrap(err, "drop "+t.id)
		}
	}
	t.catalog.mu.Lock()
	delete(t.catalog.trees, t.id)
	t.catalog.mu.Unlock()
	return wrap(t.catalog.store.Apply(ctx, kv.Delete(t.registryKey())), "drop "+t.id)
}

func (t *Content) registryKey() kv.Key { return kv.Key{Partition: registryPartition, Sort: t.id} }

// bury marks the tree as being removed. A tree that does not exist is marked too, so that no write under way makes it.
func (t *Content) bury(ctx context.Context) error {
	defer t.state.Store(0)
	return t.catalog.store.Apply(ctx, kv.Put(t.registryKey(), []byte{recordFormat, treeDropped}))
}

// sharedRemoval removes assets with their rows among those of all trees, several in a batch.
type sharedRemoval struct {
	t     *Content
	ctx   context.Context
	ops   []kv.Op
	paths []string
	blobs map[BlobRef]bool // whose references the batch changes; each at most once
}

func (r *sharedRemoval) add(a *Asset) error {
	if r.blobs[a.Blob] {
		if err := r.flush(); err != nil {
			return err
		}
	}
	ops, err := r.t.removeShared(r.ctx, a)
	if err != nil {
		return err
	}
	if len(r.ops)+len(ops) > kv.MaxBatch {
		if err := r.flush(); err != nil {
			return err
		}
	}
	if r.blobs == nil {
		r.blobs = make(map[BlobRef]bool)
	}
	r.blobs[a.Blob] = true
	r.paths = append(r.paths, a.Path)
	r.ops = append(r.ops, ops...)
	return nil
}

// flush commits the batch. When something it builds on has changed meanwhile, it goes on asset by asset.
func (r *sharedRemoval) flush() error {
	err := r.t.catalog.store.Apply(r.ctx, r.ops...)
	if errors.Is(err, kv.ErrConflict) {
		err = nil
		for _, path := range r.paths {
			if err = r.one(path); err != nil {
				break
			}
		}
	}
	r.ops, r.paths = r.ops[:0], r.paths[:0]
	clear(r.blobs)
	return err
}

func (r *sharedRemoval) one(path string) error {
	for range maxAttempts {
		a, err := r.t.load(r.ctx, path)
		if errors.Is(err, ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		ops, err := r.t.removeShared(r.ctx, a)
		if err != nil {
			return err
		}
		if err = r.t.catalog.store.Apply(r.ctx, ops...); !errors.Is(err, kv.ErrConflict) {
			return err
		}
	}
	return fmt.Errorf("%w: %q: gave up after %d attempts", ErrConflict, path, maxAttempts)
}

// removeShared makes the operations that remove an asset's record and its rows among those of all trees.
func (t *Content) removeShared(ctx context.Context, a *Asset) ([]kv.Op, error) {
	w := &write{t: t, ctx: ctx, old: a}
	if err := w.assetOp(); err != nil {
		return nil, err
	}
	if err := w.checksumOps(); err != nil {
		return nil, err
	}
	err := w.blobOps()
	return w.ops, err
}

// clear removes all rows of a partition in batches.
func (c *Catalog) clear(ctx context.Context, partition string) error {
	var ops []kv.Op
	for e, err := range c.store.Scan(ctx, partition, kv.Range{}) {
		if err != nil {
			return err
		}
		ops = append(ops, kv.Delete(kv.Key{Partition: partition, Sort: e.Sort}))
		if len(ops) == kv.MaxBatch {
			if err := c.store.Apply(ctx, ops...); err != nil {
				return err
			}
			ops = ops[:0]
		}
	}
	return c.store.Apply(ctx, ops...)
}
