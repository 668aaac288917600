package catalog

import (
	"context"
	"encoding/binary"

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

// Drop removes the tree and all that belongs to it. No write to it succeeds any more from the moment Drop begins. When it ends with
// an error, or the process dies, another Drop goes on where it stopped.
func (t *Content) Drop(ctx context.Context) error {
	if err := t.bury(ctx); err != nil {
		return err
	}
	for a, err := range t.Assets(ctx, "") {
		if err == nil {
			err = t.removeShared(ctx, a)
		}
		if err != nil {
			return wrap(err, "drop "+t.id)
		}
	}
	for _, partition := range t.parts.all() {
		if err := t.catalog.clear(ctx, partition, kv.Range{}); err != nil {
			return wrap(err, "drop "+t.id)
		}
	}
	return wrap(t.catalog.store.Apply(ctx, kv.Delete(kv.Key{Partition: registryPartition, Sort: t.id})), "drop "+t.id)
}

// bury marks the tree as being removed. A tree that does not exist is marked too, so that no write under way makes it.
func (t *Content) bury(ctx context.Context) error {
	defer t.state.Store(0)
	err := t.catalog.store.Apply(ctx, kv.Put(kv.Key{Partition: registryPartition, Sort: t.id}, []byte{recordFormat, treeDropped}))
	return wrap(err, "drop "+t.id)
}

// removeShared removes an asset with its rows outside the tree.
func (t *Content) removeShared(ctx context.Context, a *Asset) error {
	w := &write{t: t, ctx: ctx, old: a}
	if err := w.assetOp(); err != nil {
		return err
	}
	if err := w.checksumOps(); err != nil {
		return err
	}
	if err := w.blobOps(); err != nil {
		return err
	}
	return t.catalog.store.Apply(ctx, w.ops...)
}

// clear removes the rows of a range in batches.
func (c *Catalog) clear(ctx context.Context, partition string, r kv.Range) error {
	var ops []kv.Op
	for e, err := range c.store.Scan(ctx, partition, r) {
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
