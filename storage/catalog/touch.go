package catalog

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"entrepot/storage/kv"
)

// maxTouchBytes bounds the downloads that wait in memory. Beyond it downloads are not remembered until the next flush.
const maxTouchBytes = 4 << 20

// touches are the downloads that were not written yet.
type touches struct {
	mu      sync.Mutex
	times   map[cacheKey]time.Time
	writing map[cacheKey]time.Time // taken by a flush that has not ended
	bytes   int
}

// add remembers a download, unless the memory is used up.
func (b *touches) add(k cacheKey, at time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if was, ok := b.times[k]; ok {
		if at.After(was) {
			b.times[k] = at
		}
		return true
	}
	size := len(k.path) + 96
	if b.bytes+size > maxTouchBytes {
		return false
	}
	if b.times == nil {
		b.times = make(map[cacheKey]time.Time)
	}
	b.times[cacheKey{k.content, strings.Clone(k.path)}] = at
	b.bytes += size
	return true
}

func (b *touches) take() map[cacheKey]time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	times := b.times
	b.times, b.bytes, b.writing = nil, 0, times
	return times
}

// done takes downloads that were handled out of those that a flush took.
func (b *touches) done(times map[cacheKey]time.Time, handled []cacheKey) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, k := range handled {
		delete(times, k)
	}
}

// pending gives the download of a path that waits to be written; the zero time without one.
func (b *touches) pending(k cacheKey) time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	if at, ok := b.times[k]; ok {
		return at
	}
	return b.writing[k]
}

// Touch remembers that an asset was downloaded. It never waits for the store: downloads are written in batches in the background, and
// at most once in Options.DownloadInterval for one asset. A crash loses those that were not written yet. While the catalog is held,
// downloads are not remembered.
func (t *Content) Touch(path string, at time.Time) {
	c := t.catalog
	if c.held.Load() {
		return
	}
	k := cacheKey{t.id, path}
	e, _ := c.cache.get(k)
	if e != nil && (e.asset == nil || at.UnixMilli()-e.touched.Load() < c.downloadInterval().Milliseconds()) {
		return
	}
	if c.touched.add(k, at) {
		if e != nil {
			e.touched.Store(at.UnixMilli())
		}
		return
	}
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// SetDownloadInterval replaces Options.DownloadInterval. d must be more than nothing.
func (c *Catalog) SetDownloadInterval(d time.Duration) { c.interval.Store(int64(d)) }

func (c *Catalog) downloadInterval() time.Duration { return time.Duration(c.interval.Load()) }

// Hold keeps the catalog from writing on its own account, until it is let go: downloads that wait in memory stay there. Writes that
// callers ask for are theirs to refuse. When Hold returns, a flush that was under way has ended.
func (c *Catalog) Hold(hold bool) {
	c.flushing.Lock()
	defer c.flushing.Unlock()
	c.held.Store(hold)
}

// Flush writes what waits in memory: the times of downloads. While the catalog is held it does nothing.
func (c *Catalog) Flush(ctx context.Context) error {
	c.flushing.Lock()
	defer c.flushing.Unlock()
	if c.held.Load() {
		return nil
	}
	times := c.touched.take()
	for len(times) > 0 {
		if err := c.flushSome(ctx, times); err != nil {
			for k, at := range times {
				c.touched.add(k, at)
			}
			return wrap(err, "flush downloads")
		}
	}
	return nil
}

// flushSome writes a batch of downloads and takes them out of times.
func (c *Catalog) flushSome(ctx context.Context, times map[cacheKey]time.Time) error {
	var ops []kv.Op
	var handled []cacheKey
	bytes := 0
	for k, at := range times {
		handled = append(handled, k)
		op, due, err := c.touchOp(ctx, k, at)
		if err != nil {
			return err
		}
		if due {
			ops = append(ops, op)
			bytes += len(op.Value)
		}
		if len(ops) == kv.MaxBatch || bytes > kv.MaxBatchBytes/4 {
			break
		}
	}
	if err := c.applyTouches(ctx, ops); err != nil {
		return err
	}
	for _, k := range handled {
		c.cache.forget(k)
	}
	c.touched.done(times, handled)
	return nil
}

// withDownload adds a download that waits to be written to an asset that was just read, for listings: they show what the next flush
// will write.
func (t *Content) withDownload(a *Asset) *Asset {
	at := t.catalog.touched.pending(cacheKey{t.id, a.Path})
	if !at.IsZero() && t.catalog.due(a, at) {
		a.LastDownloaded = storedTime(at)
	}
	return a
}

// due reports whether a download is to be written.
func (c *Catalog) due(a *Asset, at time.Time) bool {
	return a.LastDownloaded.IsZero() || at.Sub(a.LastDownloaded) >= c.downloadInterval()
}

// storedTime is a time with the precision of records.
func storedTime(at time.Time) time.Time { return at.UTC().Truncate(time.Millisecond) }

// applyTouches leaves out the assets that somebody else wrote meanwhile: their next download will be remembered.
func (c *Catalog) applyTouches(ctx context.Context, ops []kv.Op) error {
	for len(ops) > 0 {
		err := c.store.Apply(ctx, ops...)
		if !errors.Is(err, kv.ErrConflict) {
			return err
		}
		var conflict *kv.ConflictError
		if !errors.As(err, &conflict) {
			return nil
		}
		ops = withoutKey(ops, conflict.Key)
	}
	return nil
}

func withoutKey(ops []kv.Op, key kv.Key) []kv.Op {
	kept := ops[:0]
	for _, op := range ops {
		if op.Key != key {
			kept = append(kept, op)
		}
	}
	return kept
}

// touchOp makes the write of one download, when it is due.
func (c *Catalog) touchOp(ctx context.Context, k cacheKey, at time.Time) (op kv.Op, due bool, err error) {
	t := c.Content(k.content)
	a, err := t.load(ctx, k.path)
	if errors.Is(err, ErrNotFound) {
		return kv.Op{}, false, nil
	}
	if err != nil {
		return kv.Op{}, false, err
	}
	if !c.due(a, at) {
		return kv.Op{}, false, nil
	}
	a.LastDownloaded = storedTime(at)
	sort, shortened := leafSort(k.path)
	value, err := encodeAsset(a, shortened)
	return kv.PutIf(kv.Key{Partition: t.parts.assets, Sort: sort}, value, a.Version), true, err
}

// background flushes and trims until the catalog is closed.
func (c *Catalog) background(ctx context.Context) {
	defer close(c.ended)
	tick := time.NewTicker(c.opts.FlushInterval)
	defer tick.Stop()
	var trimmed time.Time
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-c.wake:
		}
		if err := c.Flush(ctx); err != nil && ctx.Err() == nil {
			c.opts.Logger.Warn("downloads were not recorded", "error", err)
		}
		if now := c.opts.Now(); !c.held.Load() && now.Sub(trimmed) >= trimInterval {
			trimmed = now
			if err := c.TrimFeeds(ctx); err != nil && ctx.Err() == nil {
				c.opts.Logger.Warn("change feeds were not trimmed", "error", err)
			}
		}
	}
}

// Close ends background work and writes what waits in memory, unless the catalog is held.
func (c *Catalog) Close() error {
	c.stop()
	<-c.ended
	return c.Flush(context.Background())
}
