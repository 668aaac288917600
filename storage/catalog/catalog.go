// Package catalog keeps the records of repositories' content over the key-value contract: assets, components, the browse tree,
// the checksum index, usage counters and the change feed.
//
// Invariants:
//
//   - One write of an asset is one atomic batch of at most 100 operations: asset, component, browse nodes, checksum index, blob
//     reference, usage, feed. Counters are exact, because each change of one hangs on the version of the record it counts.
//   - A record never names a blob that was not committed before: the caller commits first.
//   - Keys are partitioned by content tree, so work on one repository never reads another's rows, and no call on a request path
//     scans more than it delivers. Paths up to MaxPath and of any depth fit the keys.
//   - A repository refers to its content by the id of a tree of partitions, not by its own name: a clone or snapshot can share a
//     tree instead of copying it.
//   - Reading an asset never costs a write: downloads are gathered in memory and written now and then.
//   - Hot assets, and paths known to be absent, are answered from memory; a reader that began after a write of this process ended
//     sees that write. With several processes over one store, another's write is seen when the entry leaves the memory.
//
// The rows and their keys are described in docs/design/catalog-keys.md.
//
// Example:
//
//	c := catalog.New(store, nil)
//	defer c.Close()
//	tree := c.Content("releases-1")
//	err := tree.Put(ctx, &catalog.Asset{
//		Path: "/org/acme/lib/1.0/lib-1.0.jar", Component: &catalog.Coordinates{Group: "org.acme", Name: "lib", Version: "1.0"},
//		Blob: catalog.BlobRef{Store: "default", Hash: info.Hash}, Size: info.Size, Digests: info.Digests,
//	}, catalog.PutOptions{If: catalog.PutIfAbsent})
//	for node, err := range tree.Browse(ctx, "/org/acme", "", 1000) { … }
package catalog

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"iter"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"entrepot/storage/kv"
)

var (
	// ErrNotFound reports that a path, component or folder does not exist.
	ErrNotFound = errors.New("catalog: not found")
	// ErrConflict reports that the condition of a write did not hold; nothing was changed.
	ErrConflict = errors.New("catalog: conflict")
	// ErrInvalid reports an asset or an argument that cannot be stored.
	ErrInvalid = errors.New("catalog: invalid")
	// ErrDropped reports a write to a content tree that is being removed.
	ErrDropped = errors.New("catalog: content dropped")
	// ErrTrimmed reports that the change feed no longer holds what follows the given sequence: start over from the assets.
	ErrTrimmed = errors.New("catalog: change feed trimmed")
)

// Options tune a Catalog; zero members mean the documented default.
type Options struct {
	DownloadInterval time.Duration                    // an asset's last download is written at most once in so long; default DefaultDownloadInterval
	FlushInterval    time.Duration                    // how long downloads wait in memory before they are written; default 30 s
	FeedRetention    time.Duration                    // how long entries of the change feed are kept; default 7 days
	CacheBytes       int64                            // memory for hot assets; default 16 MiB, negative for none
	Now              func() time.Time                 // default time.Now
	Actor            func(ctx context.Context) string // who makes a change, for the change feed where no uploader says it; default nobody
	Logger           *slog.Logger                     // for what goes wrong in the background; default discards
}

// DefaultDownloadInterval is how often an asset's last download is written at most.
const DefaultDownloadInterval = 12 * time.Hour

// Catalog keeps the records of all repositories' content. All methods may be called from many goroutines.
type Catalog struct {
	store *kv.Store
	opts  Options
	feed  sequencer
	cache *assetCache

	touched  touches
	flushing sync.Mutex    // held while downloads are written
	held     atomic.Bool   // nothing is written in the background
	interval atomic.Int64  // between two downloads of an asset that are written, a time.Duration
	wake     chan struct{} // asks for a flush before its time
	stop     context.CancelFunc
	ended    chan struct{} // closed when background work has ended

	contended sync.Mutex      // taken by writes that met conflict after conflict
	creating  [256]sync.Mutex // each held while a component of its share is made
	seed      maphash.Seed    // divides components among creating

	deferrals atomic.Int64 // calls of Defer, begun and ended
	wholeAt   atomic.Int64 // one more than deferrals when all trees were seen to be whole
	turns     turns        // of making trees whole
	mu        sync.RWMutex
	trees     map[string]*Content
}

// New makes a catalog over a store and starts its background work, which ends with Close. The store stays the caller's to close,
// after the catalog.
func New(store *kv.Store, opts *Options) *Catalog {
	c := &Catalog{store: store, trees: make(map[string]*Content), wake: make(chan struct{}, 1), ended: make(chan struct{})}
	c.seed = maphash.MakeSeed()
	if opts != nil {
		c.opts = *opts
	}
	c.SetDownloadInterval(orDefault(c.opts.DownloadInterval, DefaultDownloadInterval))
	c.opts.FlushInterval = orDefault(c.opts.FlushInterval, 30*time.Second)
	c.opts.FeedRetention = orDefault(c.opts.FeedRetention, 7*24*time.Hour)
	c.opts.CacheBytes = orDefault(c.opts.CacheBytes, 16<<20)
	if c.opts.Now == nil {
		c.opts.Now = time.Now
	}
	if c.opts.Logger == nil {
		c.opts.Logger = slog.New(slog.DiscardHandler)
	}
	c.cache = newAssetCache(max(c.opts.CacheBytes, 0))
	ctx, stop := context.WithCancel(context.Background())
	c.stop = stop
	go c.background(ctx)
	return c
}

func orDefault[T comparable](v, fallback T) T {
	var zero T
	if v == zero {
		return fallback
	}
	return v
}

// Content gives the tree with an id, which need not exist yet: the first Put makes it. Ids are never reused after a Drop.
func (c *Catalog) Content(id string) *Content {
	c.mu.RLock()
	t := c.trees[id]
	c.mu.RUnlock()
	if t != nil {
		return t
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if t = c.trees[id]; t == nil {
		t = &Content{catalog: c, id: id, parts: newPartitions(id)}
		c.trees[id] = t
	}
	return t
}

// Contents delivers the ids of all trees that exist, also those whose Drop has not ended.
func (c *Catalog) Contents(ctx context.Context) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for e, err := range c.store.Scan(ctx, registryPartition, kv.Range{}) {
			if !yield(e.Sort, wrap(err, "list contents")) || err != nil {
				return
			}
		}
	}
}

// get reads a row and translates its absence.
func (c *Catalog) get(ctx context.Context, partition, sort string) (kv.Entry, error) {
	e, err := c.store.Get(ctx, kv.Key{Partition: partition, Sort: sort})
	if errors.Is(err, kv.ErrNotFound) {
		return kv.Entry{}, ErrNotFound
	}
	return e, err
}

// find is get for rows whose absence is no error: an absent row has Version 0.
func (c *Catalog) find(ctx context.Context, partition, sort string) (kv.Entry, error) {
	e, err := c.get(ctx, partition, sort)
	if errors.Is(err, ErrNotFound) {
		return kv.Entry{}, nil
	}
	return e, err
}

// wrap adds the operation to an error, if there is one.
func wrap(err error, operation string) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("catalog: %s: %w", operation, err)
}
