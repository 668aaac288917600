package repository

import (
	"container/list"
	"sync"
)

const (
	defaultDocumentBytes = 32 << 20
	documentOverhead     = 512 // bytes of bookkeeping that an entry costs beside its body and path
)

// documentCache keeps generated and merged documents in memory. They are derived data: whoever reads one checks that it was made
// from what is there now, and one that is gone is made again.
type documentCache struct {
	max int64

	mu      sync.Mutex
	entries map[documentKey]*list.Element
	recent  *list.List // of *documentEntry, the last used first
	bytes   int64
}

// documentKey names a document of one repository's content tree.
type documentKey struct {
	content, path string
}

type documentEntry struct {
	key  documentKey
	made *madeDocument
}

func newDocumentCache(limit int64) *documentCache {
	if limit <= 0 {
		limit = defaultDocumentBytes
	}
	return &documentCache{max: limit, entries: make(map[documentKey]*list.Element), recent: list.New()}
}

// get gives a document that was made from what from says; nil when there is none.
func (c *documentCache) get(key documentKey, from string) *madeDocument {
	c.mu.Lock()
	defer c.mu.Unlock()
	el := c.entries[key]
	if el == nil {
		return nil
	}
	made := el.Value.(*documentEntry).made
	if made.from != from {
		return nil
	}
	c.recent.MoveToFront(el)
	return made
}

// put keeps a document in place of an older one. A document larger than a quarter of the room is not kept.
func (c *documentCache) put(key documentKey, made *madeDocument) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if el := c.entries[key]; el != nil {
		c.remove(el)
	}
	entry := &documentEntry{key, made}
	if entry.cost() > c.max/4 {
		return
	}
	c.entries[key] = c.recent.PushFront(entry)
	c.bytes += entry.cost()
	for c.bytes > c.max {
		c.remove(c.recent.Back())
	}
}

func (c *documentCache) remove(el *list.Element) {
	entry := c.recent.Remove(el).(*documentEntry)
	delete(c.entries, entry.key)
	c.bytes -= entry.cost()
}

func (d *documentEntry) cost() int64 {
	return int64(len(d.made.doc.Body)+len(d.key.path)+len(d.made.from)) + documentOverhead
}

// dropContent forgets all documents of a content tree.
func (c *documentCache) dropContent(content string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for key, el := range c.entries {
		if key.content == content {
			c.remove(el)
		}
	}
}
