package catalog

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"entrepot/storage/kv"
)

// A tree that is filled for the first time can take assets in one row each, which is a tenth of the work, and catch up with all the rest
// later. Such a deferred asset is stored for all purposes: who asks for its path makes it whole first, and who asks for what is made of
// many assets (listings, folders, components, usage, checksums) waits until all of the tree are. Only the change feed, which is followed
// and not asked, and the generations of folders tell of it as it becomes whole.

// deferredFormat is the first byte of a deferred asset's row.
const deferredFormat = 3

// completers are the deferred assets that become whole at once: enough for the store to write them in large groups.
const completers = 64

// What is known of a tree's deferred assets.
const (
	deferredUnknown = iota
	deferredSome
	deferredNone
)

// deferral is what a tree knows of its deferred assets.
type deferral struct {
	state      atomic.Int32
	completing sync.Mutex // held by the one that makes all whole
	waiting    int        // who waits for all to be whole, under the lock of the catalog's turns
}

// Defer stores an asset whose path holds nothing yet, in one row. ErrConflict when another one was deferred there; where the path holds a
// whole asset, that one stays.
func (t *Content) Defer(ctx context.Context, a *Asset, opts PutOptions) error {
	err := t.checkAsset(a)
	if err == nil {
		err = t.putDeferred(ctx, a, opts)
	}
	if err != nil {
		return fmt.Errorf("defer %q: %w", a.Path, err)
	}
	return nil
}

func (t *Content) putDeferred(ctx context.Context, a *Asset, opts PutOptions) error {
	next := *a
	next.complete(nil, t.catalog.opts.Now())
	row, err := encodeDeferred(&next, &opts)
	if err != nil {
		return err
	}
	for range maxAttempts {
		w := &write{t: t, ctx: ctx}
		if err := w.registryOp(); err != nil {
			return err
		}
		sort, _ := leafSort(a.Path)
		key := kv.Key{Partition: t.parts.deferred, Sort: sort}
		w.add(kv.PutNew(key, row))
		t.deferring()
		err = t.catalog.store.Apply(ctx, w.ops...)
		t.deferring()
		t.catalog.cache.forget(cacheKey{t.id, a.Path})
		var conflict *kv.ConflictError
		switch {
		case !errors.Is(err, kv.ErrConflict):
			return err
		case errors.As(err, &conflict) && conflict.Key == key:
			return ErrConflict
		}
		t.learn(err)
	}
	return ErrConflict
}

// deferring notes that the tree gets a deferred asset, before and after it does.
func (t *Content) deferring() {
	t.deferred.state.Store(deferredSome)
	t.catalog.deferrals.Add(1)
}

func encodeDeferred(a *Asset, opts *PutOptions) ([]byte, error) {
	record, err := encodeAsset(a, true)
	if err != nil {
		return nil, err
	}
	b := append(make([]byte, 0, len(record)+64), deferredFormat)
	b = appendString(appendString(b, string(record)), opts.ComponentKind)
	b = appendTime(appendTime(b, opts.ComponentCreated), opts.ComponentUpdated)
	b = appendMap(b, opts.ComponentAttributes)
	return b, checkRecord(b)
}

func decodeDeferred(row string) (*Asset, PutOptions, error) {
	r := reader{rest: row}
	format, record := r.byte(), r.string()
	opts := PutOptions{ComponentKind: r.string(), ComponentCreated: r.time(), ComponentUpdated: r.time(), ComponentAttributes: r.stringMap()}
	if format != deferredFormat || r.bad || r.rest != "" {
		return nil, opts, fmt.Errorf("%w: deferred asset of %d bytes", errRecord, len(row))
	}
	a, err := decodeAsset(record)
	return a, opts, err
}

// hasDeferred reports whether the tree may have deferred assets.
func (t *Content) hasDeferred(ctx context.Context) (bool, error) {
	switch t.deferred.state.Load() {
	case deferredSome:
		return true, nil
	case deferredNone:
		return false, nil
	}
	for _, err := range t.catalog.store.Scan(ctx, t.parts.deferred, kv.Range{Limit: 1}) {
		if err == nil {
			t.deferred.state.Store(deferredSome)
		}
		return err == nil, err
	}
	t.deferred.state.CompareAndSwap(deferredUnknown, deferredNone)
	return false, nil
}

// loadWhole reads an asset; a deferred one becomes whole. On a store that takes no writes, or is held, it is given as it was deferred, with Version 0.
func (t *Content) loadWhole(ctx context.Context, path string) (*Asset, error) {
	some, err := t.hasDeferred(ctx) // asked first: it is whole before it is not deferred any more
	if err != nil {
		return nil, err
	}
	a, err := t.load(ctx, path)
	if !some || !errors.Is(err, ErrNotFound) || !validPath(path) {
		return a, err
	}
	sort, _ := leafSort(path)
	e, err := t.catalog.find(ctx, t.parts.deferred, sort)
	held := t.catalog.held.Load()
	if err == nil && e.Version != 0 && !held {
		err = t.complete(ctx, &e)
	}
	if e.Version != 0 && (held || errors.Is(err, kv.ErrReadOnly)) {
		a, _, err := decodeDeferred(string(e.Value))
		return a, err
	}
	if err != nil {
		return nil, err
	}
	return t.load(ctx, path) // also when it has just become whole
}

// complete makes one deferred asset whole, in the batch that removes its row.
func (t *Content) complete(ctx context.Context, row *kv.Entry) error {
	a, opts, err := decodeDeferred(string(row.Value))
	if err != nil {
		return err
	}
	key := kv.Key{Partition: t.parts.deferred, Sort: row.Sort}
	now, gone := t.catalog.opts.Now(), false
	w := &write{t: t, ctx: ctx, fresh: true, whole: true}
	err = t.attempt(w, a.Path, func(w *write, old *Asset) error {
		if !w.fresh { // an attempt failed: perhaps because somebody else was faster
			e, err := t.catalog.find(ctx, key.Partition, key.Sort)
			if gone = e.Version != row.Version; gone || err != nil {
				return errors.Join(err, ErrConflict)
			}
		}
		if old != nil {
			return ErrConflict
		}
		next := *a
		w.new, w.opts, w.now = &next, &opts, now
		w.add(kv.DeleteIf(key, row.Version))
		return nil
	}, func(*write) {})
	switch {
	case !errors.Is(err, ErrConflict):
		return err
	case gone:
		return nil
	}
	err = t.catalog.store.Apply(ctx, kv.DeleteIf(key, row.Version)) // what is there at the path stays
	if errors.Is(err, kv.ErrConflict) {
		return nil
	}
	return err
}

// Complete makes all deferred assets of the tree whole, before those of other trees unless ctx is Patient. done, if not nil, hears of them;
// several goroutines may call it.
func (t *Content) Complete(ctx context.Context, done func(assets int64)) error {
	if some, err := t.hasDeferred(ctx); err != nil || !some {
		return wrap(err, "complete "+t.id)
	}
	if !patient(ctx) {
		defer t.catalog.turns.enter(t)()
	}
	t.deferred.completing.Lock()
	defer t.deferred.completing.Unlock()
	if some, err := t.hasDeferred(ctx); err != nil || !some { // somebody else did it meanwhile
		return wrap(err, "complete "+t.id)
	}
	g, working := errgroup.WithContext(ctx)
	g.SetLimit(completers)
	for e, err := range t.catalog.store.Scan(working, t.parts.deferred, kv.Range{}) {
		if err == nil {
			err = t.catalog.turns.yield(working, t)
		}
		if err != nil {
			return wrap(errors.Join(g.Wait(), err), "complete "+t.id)
		}
		g.Go(func() error {
			err := t.complete(working, &e)
			if err == nil && done != nil {
				done(1)
			}
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return wrap(err, "complete "+t.id)
	}
	t.deferred.state.Store(deferredUnknown)
	_, err := t.hasDeferred(ctx)
	return wrap(err, "complete "+t.id)
}

// IsWhole reports that the tree has no deferred assets.
func (t *Content) IsWhole(ctx context.Context) (bool, error) {
	some, err := t.hasDeferred(ctx)
	return !some, wrap(err, "look at "+t.id)
}

// Complete makes all deferred assets of all trees whole, those of trees first that somebody waits for.
func (c *Catalog) Complete(ctx context.Context, done func(assets int64)) error {
	ctx = Patient(ctx)
	if c.isWhole() {
		return nil
	}
	before := c.deferrals.Load()
	for id, err := range c.Contents(ctx) {
		if err == nil {
			err = c.Content(id).Complete(ctx, done)
		}
		if err != nil && !errors.Is(err, ErrDropped) {
			return err
		}
	}
	c.wholeAt.Store(before + 1)
	return nil
}

// isWhole reports that no tree has deferred assets.
func (c *Catalog) isWhole() bool { return c.wholeAt.Load() == c.deferrals.Load()+1 }

// afterward delivers a sequence once something was done before.
func afterward[T any](before func() error, sequence iter.Seq2[T, error]) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		if err := before(); err != nil {
			var none T
			yield(none, err)
			return
		}
		sequence(yield)
	}
}

// whenWhole delivers a sequence that is made of many assets.
func whenWhole[T any](ctx context.Context, t *Content, sequence iter.Seq2[T, error]) iter.Seq2[T, error] {
	if t.deferred.state.Load() == deferredNone {
		return sequence
	}
	return afterward(func() error { return t.Complete(ctx, nil) }, sequence)
}

// whenAllWhole delivers a sequence that is made of assets of many trees.
func whenAllWhole[T any](ctx context.Context, c *Catalog, sequence iter.Seq2[T, error]) iter.Seq2[T, error] {
	if c.isWhole() {
		return sequence
	}
	return afterward(func() error { return c.Complete(ctx, nil) }, sequence)
}
