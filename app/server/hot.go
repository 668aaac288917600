package server

import (
	"container/list"
	"sync"

	"entrepot/storage/catalog"
)

// hotSize is the largest blob that is kept in memory, in bytes.
const hotSize = 8 << 10

// hotOverhead is what an entry costs besides its bytes.
const hotOverhead = 256

// hot keeps small blobs in memory, the least recently used ones go first. Blobs are named by their bytes, so nothing in it can be
// out of date; who may have them was decided before.
type hot struct {
	mu    sync.Mutex
	limit int64 // bytes
	size  int64
	order *list.List // of *hotBlob, most recently used first
	blobs map[catalog.BlobRef]*list.Element
}

type hotBlob struct {
	ref   catalog.BlobRef
	bytes []byte
}

func newHot(limit int64) *hot {
	return &hot{limit: limit, order: list.New(), blobs: make(map[catalog.BlobRef]*list.Element)}
}

// get gives a blob's bytes, nil when it is not here. They are not to be changed.
func (h *hot) get(ref catalog.BlobRef) []byte {
	h.mu.Lock()
	defer h.mu.Unlock()
	e := h.blobs[ref]
	if e == nil {
		return nil
	}
	h.order.MoveToFront(e)
	return e.Value.(*hotBlob).bytes
}

// put keeps a whole blob.
func (h *hot) put(ref catalog.BlobRef, bytes []byte) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.blobs[ref] != nil || int64(len(bytes))+hotOverhead > h.limit {
		return
	}
	h.blobs[ref] = h.order.PushFront(&hotBlob{ref: ref, bytes: bytes})
	h.size += int64(len(bytes)) + hotOverhead
	for h.size > h.limit {
		last := h.order.Remove(h.order.Back()).(*hotBlob)
		delete(h.blobs, last.ref)
		h.size -= int64(len(last.bytes)) + hotOverhead
	}
}
