package repository

import (
	"container/list"
	"sync"
	"time"
)

const (
	defaultNegativeBytes = 8 << 20
	negativeOverhead     = 160 // bytes of bookkeeping that an entry costs beside its path
)

// negativeCache remembers which paths upstreams do not have, within a bound of memory: the entries longest unused go first.
type negativeCache struct {
	now func() time.Time
	max int64

	mu      sync.Mutex
	entries map[negativeKey]*list.Element
	recent  *list.List // of *negativeEntry, the last used first
	bytes   int64
}

// negativeKey names a path of one repository. The generation changes when everything that was remembered is to be forgotten.
type negativeKey struct {
	generation uint64 // unique over all repositories
	path       string
}

type negativeEntry struct {
	key  negativeKey
	ends time.Time // zero for never
}

func newNegativeCache(limit int64, now func() time.Time) *negativeCache {
	if limit <= 0 {
		limit = defaultNegativeBytes
	}
	return &negativeCache{now: now, max: limit, entries: make(map[negativeKey]*list.Element), recent: list.New()}
}

// has reports whether a path is known to be missing.
func (c *negativeCache) has(key negativeKey) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	el := c.entries[key]
	if el == nil {
		return false
	}
	if ends := el.Value.(*negativeEntry).ends; !ends.IsZero() && !c.now().Before(ends) {
		c.remove(el)
		return false
	}
	c.recent.MoveToFront(el)
	return true
}

// add remembers a path for ttl; a negative one means for as long as there is room.
func (c *negativeCache) add(key negativeKey, ttl time.Duration) {
	var ends time.Time
	if ttl >= 0 {
		ends = c.now().Add(ttl)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if el := c.entries[key]; el != nil {
		el.Value.(*negativeEntry).ends = ends
		c.recent.MoveToFront(el)
		return
	}
	c.entries[key] = c.recent.PushFront(&negativeEntry{key: key, ends: ends})
	c.bytes += cost(key)
	for c.bytes > c.max {
		c.remove(c.recent.Back())
	}
}

// drop forgets a path.
func (c *negativeCache) drop(key negativeKey) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if el := c.entries[key]; el != nil {
		c.remove(el)
	}
}

func (c *negativeCache) remove(el *list.Element) {
	key := c.recent.Remove(el).(*negativeEntry).key
	delete(c.entries, key)
	c.bytes -= cost(key)
}

func cost(key negativeKey) int64 { return int64(len(key.path)) + negativeOverhead }
