package catalog

import (
	"fmt"
	"hash/maphash"
	"strings"
	"sync"
	"sync/atomic"
	"unsafe"
)

// cacheShards is the number of independent parts of the cache, so that writers of one do not hold up readers of another.
const cacheShards = 16

// assetCache keeps hot assets, and paths known to be absent, within a number of bytes. Entries leave by the SIEVE rule: oldest first,
// but one that was used since the hand last passed it stays. A hit takes no more than a shared lock.
//
// A reader takes the shard's epoch before it reads the store and hands it to add; a writer moves the epoch after its commit. So what
// was read before a write never gets in after it.
type assetCache struct {
	seed   maphash.Seed
	shards [cacheShards]cacheShard
}

type cacheKey struct{ content, path string }

type cacheShard struct {
	mu      sync.RWMutex
	entries map[cacheKey]*cacheEntry
	epoch   uint64
	bytes   int64
	limit   int64
	newest  *cacheEntry
	oldest  *cacheEntry
	hand    *cacheEntry // where the search for a victim goes on
}

type cacheEntry struct {
	key          cacheKey
	asset        *Asset // nil when the path is known to be absent
	err          error  // what a reader of an absent path gets
	size         int64
	used         atomic.Bool
	touched      atomic.Int64 // last download known, in milliseconds
	newer, older *cacheEntry
}

func newAssetCache(bytes int64) *assetCache {
	c := &assetCache{seed: maphash.MakeSeed()}
	for i := range c.shards {
		c.shards[i].entries = make(map[cacheKey]*cacheEntry)
		c.shards[i].limit = bytes / cacheShards
	}
	return c
}

func (c *assetCache) shard(k cacheKey) *cacheShard {
	return &c.shards[maphash.String(c.seed, k.path)%cacheShards]
}

// get gives the entry of a path, or nil and the epoch for add.
func (c *assetCache) get(k cacheKey) (*cacheEntry, uint64) {
	s := c.shard(k)
	s.mu.RLock()
	e, epoch := s.entries[k], s.epoch
	s.mu.RUnlock()
	if e != nil && !e.used.Load() {
		e.used.Store(true)
	}
	return e, epoch
}

// add enters what was read from the store: an asset, or nil for an absent path.
func (c *assetCache) add(k cacheKey, a *Asset, epoch uint64) {
	e := newCacheEntry(k, a)
	s := c.shard(k)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.epoch != epoch || s.entries[k] != nil || e.size > s.limit {
		return
	}
	for s.bytes+e.size > s.limit {
		s.evict()
	}
	s.entries[k] = e
	s.bytes += e.size
	e.older = s.newest
	if s.newest != nil {
		s.newest.newer = e
	} else {
		s.oldest = e
	}
	s.newest = e
}

func newCacheEntry(k cacheKey, a *Asset) *cacheEntry {
	e := &cacheEntry{asset: a}
	e.size = int64(unsafe.Sizeof(*e)) + 64 // with its share of the map
	if a == nil {
		e.key = cacheKey{content: k.content, path: strings.Clone(k.path)}
		e.err = fmt.Errorf("asset %q: %w", e.key.path, ErrNotFound)
		e.size += 2*int64(len(k.path)) + 64
		return e
	}
	e.key = cacheKey{content: k.content, path: a.Path}
	e.size += a.footprint()
	if !a.LastDownloaded.IsZero() {
		e.touched.Store(a.LastDownloaded.UnixMilli())
	}
	return e
}

// footprint is about the memory an asset takes.
func (a *Asset) footprint() int64 {
	n := int(unsafe.Sizeof(*a))
	n += len(a.Path) + len(a.Browse) + len(a.Kind) + len(a.ContentType) + len(a.Uploader) + len(a.UploaderIP) + len(a.Blob.Store)
	n += len(a.Digests.SHA1) + len(a.Digests.SHA256) + len(a.Digests.MD5) + len(a.Digests.SHA512)
	if c := a.Component; c != nil {
		n += int(unsafe.Sizeof(*c)) + len(c.Group) + len(c.Name) + len(c.Version)
	}
	if u := a.Upstream; u != nil {
		n += int(unsafe.Sizeof(*u)) + len(u.ETag) + len(u.Token)
	}
	if len(a.Format) > 0 {
		n += 48
	}
	for k, v := range a.Format {
		n += 64 + len(k) + len(v)
	}
	return int64(n)
}

// evict removes one entry.
func (s *cacheShard) evict() {
	e := s.hand
	if e == nil {
		e = s.oldest
	}
	for e.used.Swap(false) {
		if e = e.newer; e == nil {
			e = s.oldest
		}
	}
	s.hand = e.newer
	s.remove(e)
}

func (s *cacheShard) remove(e *cacheEntry) {
	if s.hand == e {
		s.hand = e.newer
	}
	if e.newer != nil {
		e.newer.older = e.older
	} else {
		s.newest = e.older
	}
	if e.older != nil {
		e.older.newer = e.newer
	} else {
		s.oldest = e.newer
	}
	delete(s.entries, e.key)
	s.bytes -= e.size
}

// forget removes a path after a write.
func (c *assetCache) forget(k cacheKey) {
	s := c.shard(k)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.epoch++
	if e := s.entries[k]; e != nil {
		s.remove(e)
	}
}

// forgetContent removes all paths of a tree.
func (c *assetCache) forgetContent(content string) {
	for i := range c.shards {
		s := &c.shards[i]
		s.mu.Lock()
		s.epoch++
		for k, e := range s.entries {
			if k.content == content {
				s.remove(e)
			}
		}
		s.mu.Unlock()
	}
}
