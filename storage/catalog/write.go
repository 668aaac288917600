package catalog

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync"
	"time"

	"entrepot/storage/blob"
	"entrepot/storage/kv"
)

// A write that meets conflict after conflict takes its turn with the others that do; one that still cannot succeed gives up.
const (
	patientAttempts = 4
	maxAttempts     = 1000
)

// Put stores an asset: its record, component, browse nodes, indexes, counters and feed entry in one atomic batch. On success the
// catalog has set a.ID and the times that were zero, and a.Version is 0: read the asset again before a conditional write.
// ErrConflict when the condition of opts does not hold, ErrInvalid when the asset cannot be stored, ErrDropped when the tree is
// being removed.
func (t *Content) Put(ctx context.Context, a *Asset, opts PutOptions) error {
	if err := t.checkAsset(a); err != nil {
		return fmt.Errorf("put %q: %w", a.Path, err)
	}
	now := t.catalog.opts.Now()
	err := t.attempt(&write{t: t, ctx: ctx, fresh: opts.Fresh}, a.Path, func(w *write, old *Asset) error {
		if err := opts.allow(old, a.Version); err != nil {
			return err
		}
		next := *a
		next.complete(old, now)
		w.old, w.new, w.opts, w.now = old, &next, &opts, now
		return nil
	}, func(w *write) {
		*a = *w.new
		a.Version = 0
	})
	if err != nil {
		return fmt.Errorf("put %q: %w", a.Path, err)
	}
	return nil
}

// Delete removes an asset with all that belongs to it; its component goes with its last asset. ErrNotFound when there is none.
func (t *Content) Delete(ctx context.Context, path string) error { return t.DeleteIf(ctx, path, 0) }

// DeleteIf is Delete, but only while the record still has a version, else ErrConflict. Version 0 means any.
func (t *Content) DeleteIf(ctx context.Context, path string, version uint64) error {
	return t.Remove(ctx, path, RemoveOptions{Version: version})
}

// Remove is Delete with options. ErrConflict when the record has another version.
func (t *Content) Remove(ctx context.Context, path string, o RemoveOptions) error {
	if len(o.Stale) > maxStale {
		return fmt.Errorf("%w: %d stale documents", ErrInvalid, len(o.Stale))
	}
	err := t.attempt(&write{t: t, ctx: ctx, stale: o.Stale, forget: o.Forget}, path, func(w *write, old *Asset) error {
		switch {
		case old == nil:
			return ErrNotFound
		case o.Version != 0 && o.Version != old.Version:
			return ErrConflict
		}
		w.old, w.opts, w.now = old, &PutOptions{}, t.catalog.opts.Now()
		return nil
	}, func(*write) {})
	if err != nil {
		return fmt.Errorf("delete %q: %w", path, err)
	}
	return nil
}

// AddDigests adds digests of a blob to the asset that has it, where the asset lacks them. It is no change of the asset: its times and
// the change feed stay. ErrConflict when the asset has another blob meanwhile, ErrNotFound when there is none.
func (t *Content) AddDigests(ctx context.Context, path string, ref BlobRef, d blob.Digests) error {
	err := t.write(ctx, path, func(w *write, old *Asset) error {
		switch {
		case old == nil:
			return ErrNotFound
		case old.Blob != ref:
			return ErrConflict
		}
		next := *old
		next.addDigests(&d)
		w.old, w.new, w.opts, w.now, w.sameBytes = old, &next, &PutOptions{}, t.catalog.opts.Now(), true
		return nil
	}, func(*write) {})
	if err != nil {
		return fmt.Errorf("add digests of %q: %w", path, err)
	}
	return nil
}

func (o *PutOptions) allow(old *Asset, version uint64) error {
	switch {
	case o.If == PutIfAbsent && old != nil,
		o.If == PutIfVersion && (old == nil || old.Version != version):
		return ErrConflict
	}
	return nil
}

// complete fills in what the caller left open.
func (a *Asset) complete(old *Asset, now time.Time) {
	if a.Browse == a.Path {
		a.Browse = ""
	}
	for _, d := range digestSet {
		digest := d.field(&a.Digests)
		*digest = strings.ToLower(*digest)
	}
	if old != nil {
		a.ID = old.ID
		a.Created = orDefault(a.Created, old.Created)
		a.LastDownloaded = orDefault(a.LastDownloaded, old.LastDownloaded)
	}
	for _, at := range []*time.Time{&a.Created, &a.BlobCreated, &a.BlobUpdated, &a.Updated} {
		*at = orDefault(*at, now)
	}
	if old != nil && a.Updated.Equal(old.Updated) && !sameContent(old, a) {
		a.Updated = now
	}
	for _, at := range []*time.Time{&a.Created, &a.BlobCreated, &a.BlobUpdated, &a.LastDownloaded, &a.Updated} {
		if !at.IsZero() {
			*at = at.UTC().Truncate(time.Millisecond)
		}
	}
}

func (t *Content) checkAsset(a *Asset) error {
	coordinates := ""
	if a.Component != nil {
		coordinates = a.Component.Group + a.Component.Name + a.Component.Version
	}
	switch {
	case t.id == "" || len(t.id) > MaxContentID || strings.ContainsRune(t.id, 0):
		return fmt.Errorf("%w: content id %q", ErrInvalid, t.id)
	case !validPath(a.Path):
		return fmt.Errorf("%w: path of %d bytes", ErrInvalid, len(a.Path))
	case a.Browse != "" && !validPath(a.Browse):
		return fmt.Errorf("%w: browse path %q", ErrInvalid, a.Browse)
	case len(coordinates) > MaxCoordinates || strings.ContainsRune(coordinates, 0):
		return fmt.Errorf("%w: coordinates", ErrInvalid)
	case a.Blob.Store == "" || len(a.Blob.Store) > MaxStoreName || strings.ContainsRune(a.Blob.Store, 0) || a.Blob.Hash.IsZero():
		return fmt.Errorf("%w: blob reference", ErrInvalid)
	case a.Size < 0:
		return fmt.Errorf("%w: size %d", ErrInvalid, a.Size)
	}
	return nil
}

func validPath(path string) bool {
	return len(path) > 0 && len(path) <= MaxPath && path[0] == '/' && strings.IndexByte(path, 0) < 0
}

// write runs attempts until one succeeds: read the present record, let decide choose the change, commit it in one batch.
func (t *Content) write(ctx context.Context, path string, decide func(*write, *Asset) error, done func(*write)) error {
	return t.attempt(&write{t: t, ctx: ctx}, path, decide, done)
}

// attempt is write with what is known beforehand.
func (t *Content) attempt(w *write, path string, decide func(*write, *Asset) error, done func(*write)) error {
	for attempt := range maxAttempts {
		if attempt == patientAttempts {
			t.catalog.contended.Lock()
			defer t.catalog.contended.Unlock()
		}
		old, err := w.before(path)
		if err != nil {
			return err
		}
		w.ops = w.ops[:0]
		if err := decide(w, old); err != nil {
			return err
		}
		err = w.commit()
		if w.fresh && err == nil {
			w.remember()
		}
		w.fresh = false
		t.catalog.cache.forget(cacheKey{t.id, path}) // also when the outcome is unknown
		if err == nil {
			done(w)
			return nil
		}
		if !errors.Is(err, kv.ErrConflict) {
			return err
		}
		t.learn(err)
	}
	return fmt.Errorf("%w: gave up after %d attempts", ErrConflict, maxAttempts)
}

// learn forgets the state of the tree when a conflict may be due to it.
func (t *Content) learn(err error) {
	var conflict *kv.ConflictError
	if !errors.As(err, &conflict) || conflict.Key.Partition == registryPartition {
		t.state.Store(0)
	}
}

// write is one change of one path: from the old record to the new one, either of which may be nil.
type write struct {
	t    *Content
	ctx  context.Context
	old  *Asset
	new  *Asset
	opts *PutOptions
	now  time.Time
	ops  []kv.Op

	stale     []string          // documents that tell of what is removed
	fresh     bool              // nothing of the asset is believed to be there yet; an attempt that finds something is followed by one that reads
	whole     bool              // a deferred asset becomes whole
	sameBytes bool              // only digests are added, or the place of the blob changes
	forget    bool              // a deletion leaves no note
	sequence  uint64            // of the attempt: its feed entry, and the number of what it creates
	component *ChangedComponent // by the attempt
	creating  *sync.Mutex       // held by an attempt that makes a component
}

func (w *write) add(op kv.Op) { w.ops = append(w.ops, op) }

func (w *write) commit() error {
	defer w.unlockComponent()
	w.component = nil
	if err := w.registryOp(); err != nil {
		return err
	}
	w.sequence = w.t.catalog.feed.begin(w.now)
	defer w.t.catalog.feed.end(w.sequence)
	if w.new != nil && w.old == nil {
		w.new.ID = w.sequence
	}
	if w.new != nil && w.old != nil && w.new.Blob == w.old.Blob && w.new.Size != w.old.Size {
		return fmt.Errorf("%w: size %d of a blob of %d bytes", ErrInvalid, w.new.Size, w.old.Size)
	}
	if err := w.assetOp(); err != nil {
		return err
	}
	if w.sameBytes {
		if err := errors.Join(w.checksumOps(), w.blobOps()); err != nil {
			return err
		}
		return w.t.catalog.store.Apply(w.ctx, w.ops...)
	}
	if err := w.componentOps(); err != nil {
		return err
	}
	if w.new == nil || w.old == nil || !sameContent(w.old, w.new) || len(w.ops) > 2 {
		if err := w.contentOps(); err != nil {
			return err
		}
		w.feedOp()
	}
	w.noteOp()
	if err := w.staleOps(); err != nil {
		return err
	}
	return w.t.catalog.store.Apply(w.ctx, w.ops...)
}

// contentOps is everything derived from the asset's record.
func (w *write) contentOps() error {
	w.idOp()
	w.treeOps()
	if err := w.checksumOps(); err != nil {
		return err
	}
	if err := w.blobOps(); err != nil {
		return err
	}
	w.usageOp()
	return nil
}

// sameContent reports whether two records of a path differ in no more than what reading and revalidating changes, and Updated.
func sameContent(x, y *Asset) bool {
	return x.Browse == y.Browse && x.Kind == y.Kind && x.Blob == y.Blob && x.Digests == y.Digests &&
		x.ContentType == y.ContentType && x.Created.Equal(y.Created) &&
		x.BlobCreated.Equal(y.BlobCreated) && x.BlobUpdated.Equal(y.BlobUpdated) &&
		x.Uploader == y.Uploader && x.UploaderIP == y.UploaderIP &&
		sameComponent(x.Component, y.Component) && maps.Equal(x.Format, y.Format)
}

func sameComponent(a, b *Coordinates) bool {
	return a == b || a != nil && b != nil && *a == *b
}

// registryOp makes the batch fail when the tree is removed meanwhile, and enters a new tree into the registry.
func (w *write) registryOp() error {
	key := w.t.registryKey()
	if version := w.t.state.Load(); version != 0 {
		w.add(kv.Check(key, version))
		return nil
	}
	e, err := w.t.catalog.find(w.ctx, key.Partition, key.Sort)
	switch {
	case err != nil:
		return err
	case e.Version == 0:
		w.add(kv.PutNew(key, []byte{recordFormat, treeLive}))
		return nil
	case !treeIsLive(&e):
		return ErrDropped
	}
	if err := w.t.raiseFeed(w.ctx); err != nil {
		return err
	}
	w.t.state.Store(e.Version)
	w.add(kv.Check(key, e.Version))
	return nil
}

func (w *write) assetOp() error {
	path := w.path()
	sort, shortened := leafSort(path)
	key := kv.Key{Partition: w.t.parts.assets, Sort: sort}
	if w.new == nil {
		w.add(kv.DeleteIf(key, w.old.Version))
		return nil
	}
	value, err := encodeAsset(w.new, shortened)
	if err == nil {
		err = checkRecord(value)
	}
	if err != nil {
		return err
	}
	if w.old == nil {
		w.add(kv.PutNew(key, value))
	} else {
		w.add(kv.PutIf(key, value, w.old.Version))
	}
	return nil
}

// checkRecord refuses records that the store would not take.
func checkRecord(record []byte) error {
	if len(record) > kv.MaxValue {
		return fmt.Errorf("%w: record of %d bytes; at most %d", ErrInvalid, len(record), kv.MaxValue)
	}
	return nil
}

func (w *write) path() string { return w.present().Path }

// present is the new record, or the old one when the path is removed.
func (w *write) present() *Asset {
	if w.new != nil {
		return w.new
	}
	return w.old
}

func (w *write) idOp() {
	key := kv.Key{Partition: w.t.parts.ids, Sort: numberSort(assetLetter, w.present().ID)}
	switch {
	case w.old == nil:
		w.add(kv.Put(key, []byte(w.new.Path))) // the feed entry, which is new, has the same number
	case w.new == nil:
		w.add(kv.Delete(key))
	}
}
