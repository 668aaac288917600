package adopt

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"entrepot/app/repository"
	"entrepot/storage/blob"
	"entrepot/storage/catalog"
	"entrepot/storage/kv"
)

// Options tune a Copier; zero values mean the documented default.
type Options struct {
	BytesPerSecond int64         // at most so many are copied; default no limit
	BlobsPerSecond int64         // at most so many are copied; default no limit
	Workers        int           // blobs that are copied at once; default 8
	Retry          time.Duration // from the end of a pass that left something to the next; default 10 min
	Every          time.Duration // between two lines in the log; default 30 s
	Now            func() time.Time
	Log            *slog.Logger // default discards
}

// Copier copies adopted blobs.
type Copier struct {
	engine *repository.Engine
	trees  *catalog.Catalog
	stores *Stores
	opts   Options
}

// NewCopier makes a copier.
func NewCopier(engine *repository.Engine, trees *catalog.Catalog, stores *Stores, opts Options) *Copier {
	if opts.Workers <= 0 {
		opts.Workers = 8
	}
	if opts.Retry <= 0 {
		opts.Retry = 10 * time.Minute
	}
	if opts.Every <= 0 {
		opts.Every = 30 * time.Second
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	c := &Copier{engine: engine, trees: trees, stores: stores, opts: opts}
	stores.mu.Lock()
	defer stores.mu.Unlock()
	stores.damage = func(ctx context.Context, ref catalog.BlobRef, cause error) error {
		return c.fail(ctx, ref, fmt.Errorf("%w: %w", repository.ErrDigest, cause))
	}
	return c
}

// Stores gives the stores that the copier empties.
func (c *Copier) Stores() *Stores { return c.stores }

// Usage counts what of an adopted store is left to copy.
func (c *Copier) Usage(ctx context.Context, store string) (catalog.StoreUsage, error) {
	return c.trees.StoreUsage(ctx, store)
}

// Status is how far the copy of one adopted store is.
type Status struct {
	Store
	Blobs    int64 `json:"blobs"`    // left to copy
	Bytes    int64 `json:"bytes"`    // of them
	Failures int64 `json:"failures"` // of them, that could not be copied
}

// Status tells how far the copy is.
func (c *Copier) Status(ctx context.Context) ([]Status, error) {
	var all []Status
	for _, def := range c.stores.List() {
		usage, err := c.trees.StoreUsage(ctx, def.Name)
		if err != nil {
			return nil, err
		}
		failures, err := c.stores.FailureCount(ctx, def.Name)
		if err != nil {
			return nil, err
		}
		all = append(all, Status{Store: def, Blobs: usage.Blobs, Bytes: usage.Bytes, Failures: failures})
	}
	return all, nil
}

// Run copies until nothing is left or ctx ends. What could not be copied is tried again from time to time. done is as for Pass.
func (c *Copier) Run(ctx context.Context, done func(blobs, bytes int64)) {
	for {
		left := false
		for _, name := range c.stores.names() {
			err := c.Pass(ctx, name, done)
			if ctx.Err() != nil {
				return
			}
			if err != nil {
				c.opts.Log.Warn("adopted blobs are not copied for now", "store", name, "retry", c.opts.Retry, "error", err)
			}
			left = left || c.stores.get(name).Finished.IsZero()
		}
		if !left {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(c.opts.Retry):
		}
	}
}

// Pass tries to copy each adopted blob of a store once. When none is left, the store is not needed any more, and is marked so. What is
// missing or damaged is remembered and does not make an error; a full disk, a server in read-only mode or an old folder that is not
// there do. done, if not nil, hears of each blob that was tried; it may be called by several goroutines.
func (c *Copier) Pass(ctx context.Context, store string, done func(blobs, bytes int64)) error {
	def := c.stores.get(store)
	for _, folder := range def.Folders {
		if _, err := os.Stat(filepath.Join(folder, "content")); err != nil {
			return fmt.Errorf("adopt: the old blob store is not there: %w", err)
		}
	}
	p := &pass{Copier: c, store: store, done: done, pace: newPace(&c.opts), begin: c.opts.Now(), early: make(map[blob.Hash]bool)}
	usage, err := c.trees.StoreUsage(ctx, store)
	if err != nil {
		return fmt.Errorf("adopt: %w", err)
	}
	if usage.Blobs > 0 {
		c.opts.Log.Info("copying adopted blobs", "origin", def.Origin, "blobs", usage.Blobs, "bytes", usage.Bytes)
	}
	if err := p.run(ctx); err != nil {
		return err
	}
	return c.conclude(ctx, def, p)
}

// conclude marks a store that no record names any more.
func (c *Copier) conclude(ctx context.Context, def Store, p *pass) error {
	usage, err := c.trees.StoreUsage(ctx, def.Name)
	if err != nil {
		return fmt.Errorf("adopt: %w", err)
	}
	if usage.Blobs > 0 {
		failures, err := c.stores.FailureCount(ctx, def.Name)
		if err == nil {
			c.opts.Log.Warn("adopted blobs are left that could not be copied", "origin", def.Origin, "folders", def.Folders, "blobs", usage.Blobs, "failures", failures)
		}
		return err
	}
	def.Finished = c.opts.Now().UTC()
	if err := c.stores.Put(ctx, def); err != nil {
		return err
	}
	c.opts.Log.Info("all adopted blobs are copied; the old blob store is no longer needed", "origin", def.Origin, "folders", def.Folders,
		"blobs", p.blobs.Load(), "bytes", p.bytes.Load(), "took", c.opts.Now().Sub(p.begin).Round(time.Millisecond))
	return nil
}

// maxEarly bounds how many blobs of one pass are copied out of their turn.
const maxEarly = 1 << 16

// pass is one walk over the blobs of a store.
type pass struct {
	*Copier
	early map[blob.Hash]bool // copied because they were asked for
	store string
	done  func(blobs, bytes int64)
	pace  *pace
	begin time.Time

	blobs, bytes atomic.Int64 // copied
	mu           sync.Mutex
	told         time.Time // when the last line was logged
}

func (p *pass) run(ctx context.Context) error {
	p.told = p.begin
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(p.opts.Workers)
	begin := func(b catalog.ReferencedBlob) error {
		if err := p.pace.blob(ctx); err != nil {
			return err
		}
		g.Go(func() error { return p.copy(ctx, b) })
		return nil
	}
	for b, err := range p.trees.Blobs(ctx, p.store, blob.Hash{}) {
		if err == nil {
			err = p.wanted(ctx, begin)
		}
		if err == nil && !p.early[b.Hash] {
			err = begin(b)
		}
		if err != nil {
			return errors.Join(g.Wait(), err)
		}
	}
	return g.Wait()
}

// wanted begins with the blobs that somebody wants to read.
func (p *pass) wanted(ctx context.Context, begin func(catalog.ReferencedBlob) error) error {
	for len(p.early) < maxEarly {
		ref, ok := p.stores.asked.next(p.store)
		if !ok {
			return nil
		}
		if p.early[ref.Hash] {
			continue
		}
		held, err := p.trees.Referenced(ctx, ref)
		if err != nil {
			return err
		}
		info, err := p.stores.Blobs(p.store).Stat(ctx, ref.Hash)
		if err != nil || !held { // copied already, or missing: its turn comes with the others
			continue
		}
		p.early[ref.Hash] = true
		if err := begin(catalog.ReferencedBlob{Hash: ref.Hash, Size: info.Size}); err != nil {
			return err
		}
	}
	return nil
}

// copy copies one blob. Its error is not nil only when nothing more can be copied.
func (p *pass) copy(ctx context.Context, b catalog.ReferencedBlob) error {
	ref := catalog.BlobRef{Store: p.store, Hash: b.Hash}
	err := p.repaired(ctx, ref)
	if err == nil {
		err = p.engine.Settle(ctx, ref, func(r io.Reader) io.Reader { return p.pace.reader(ctx, r) })
	}
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil && ends(err), err != nil && p.engine.Writable() != nil:
		return fmt.Errorf("adopt: %w", err)
	case err != nil:
		err = p.fail(ctx, ref, err)
	default:
		p.blobs.Add(1)
		p.bytes.Add(b.Size)
		err = p.stores.forget(ctx, p.store, b.Hash)
	}
	if err != nil {
		return fmt.Errorf("adopt: %w", err)
	}
	if p.done != nil {
		p.done(1, b.Size)
	}
	return p.tell(ctx)
}

// repaired looks again at a blob that was found damaged before, because it cannot be opened until it is known to be good.
func (p *pass) repaired(ctx context.Context, ref catalog.BlobRef) error {
	f, err := p.stores.failure(ctx, ref.Store, ref.Hash)
	if err != nil || f == nil || !f.Damaged {
		return err
	}
	if _, err := p.stores.Blobs(ref.Store).Verify(ctx, ref.Hash); err != nil {
		if errors.Is(err, blob.ErrCorrupt) {
			err = fmt.Errorf("%w: %w", repository.ErrDigest, err)
		}
		return err
	}
	return p.stores.forget(ctx, ref.Store, ref.Hash)
}

// ends reports whether an error is one that the next blob would meet as well.
func ends(err error) bool {
	for _, cause := range []error{blob.ErrNoSpace, blob.ErrReadOnly, kv.ErrNoSpace, kv.ErrReadOnly, kv.ErrClosed, blob.ErrClosed} {
		if errors.Is(err, cause) {
			return true
		}
	}
	return false
}

// fail remembers a blob that could not be copied.
func (c *Copier) fail(ctx context.Context, ref catalog.BlobRef, cause error) error {
	f := &Failure{Reason: cause.Error(), Damaged: errors.Is(cause, repository.ErrDigest)}
	switch {
	case errors.Is(cause, blob.ErrNotFound), errors.Is(cause, fs.ErrNotExist):
		f.Reason = "its bytes are missing: " + cause.Error()
	case f.Damaged:
		f.Reason = "its bytes are damaged: " + cause.Error()
	}
	for m, err := range c.trees.References(ctx, ref) {
		if err != nil {
			return err
		}
		f.Paths = append(f.Paths, c.engine.Holder(m.Content)+m.Asset.Path)
	}
	news, err := c.stores.fail(ctx, ref.Store, ref.Hash, f)
	if news {
		c.opts.Log.Warn("an adopted blob cannot be copied", "paths", f.Paths, "reason", f.Reason)
	}
	return err
}

// tell logs now and then how far the copy is.
func (p *pass) tell(ctx context.Context) error {
	now := p.opts.Now()
	p.mu.Lock()
	due := now.Sub(p.told) >= p.opts.Every
	if due {
		p.told = now
	}
	p.mu.Unlock()
	if !due {
		return nil
	}
	usage, err := p.trees.StoreUsage(ctx, p.store)
	if err != nil {
		return fmt.Errorf("adopt: %w", err)
	}
	seconds := now.Sub(p.begin).Seconds()
	p.opts.Log.Info("copying adopted blobs", "left", usage.Blobs, "leftBytes", usage.Bytes, "copied", p.blobs.Load(), "copiedBytes", p.bytes.Load(),
		"bytesPerSecond", int64(float64(p.bytes.Load())/max(seconds, 0.001)))
	return nil
}
