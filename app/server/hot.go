package server

import (
	"container/list"
	"sync"
	"sync/atomic"

	"entrepot/storage/catalog"
)

const (
	// hotSize is the largest blob that is kept in memory, in bytes.
	hotSize = 8 << 10
	// hotOverhead is what an entry costs besides its bytes.
	hotOverhead = 256
	// hotShards is the number of independent parts.
	hotShards = 16
)

// hot keeps small blobs in memory. Blobs are named by their bytes, so nothing in it can be out of date; who may have them was decided
// before.
type hot [hotShards]hotShard

// hotShard is a part of hot. The oldest blob goes first, but one that was used since it was last the oldest gets another turn; so a
// hit takes no more than a shared lock.
type hotShard struct {
	mu    sync.RWMutex
	limit int64 // bytes
	size  int64
	order list.List // of *hotBlob, newest first
	blobs map[catalog.BlobRef]*hotBlob
}

type hotBlob struct {
	ref   catalog.BlobRef
	bytes []byte
	used  atomic.Bool
}

// newHot gives a cache of so many bytes.
func newHot(limit int64) *hot {
	h := new(hot)
	for i := range h {
		h[i] = hotShard{limit: limit / hotShards, blobs: make(map[catalog.BlobRef]*hotBlob)}
	}
	return h
}

func (h *hot) shard(ref catalog.BlobRef) *hotShard { return &h[ref.Hash[0]%hotShards] }

// get gives a blob's bytes, nil when it is not here. They are not to be changed.
func (h *hot) get(ref catalog.BlobRef) []byte {
	s := h.shard(ref)
	s.mu.RLock()
	b := s.blobs[ref]
	s.mu.RUnlock()
	if b == nil {
		return nil
	}
	if !b.used.Load() {
		b.used.Store(true)
	}
	return b.bytes
}

// put keeps a whole blob.
func (h *hot) put(ref catalog.BlobRef, bytes []byte) {
	s := h.shard(ref)
	size := int64(len(bytes)) + hotOverhead
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.blobs[ref] != nil || size > s.limit {
		return
	}
	for s.size+size > s.limit {
		s.evict()
	}
	b := &hotBlob{ref: ref, bytes: bytes}
	s.blobs[ref] = b
	s.order.PushFront(b)
	s.size += size
}

// evict removes one blob.
func (s *hotShard) evict() {
	for {
		oldest := s.order.Back()
		b := oldest.Value.(*hotBlob)
		if b.used.Swap(false) {
			s.order.MoveToFront(oldest)
			continue
		}
		s.order.Remove(oldest)
		delete(s.blobs, b.ref)
		s.size -= int64(len(b.bytes)) + hotOverhead
		return
	}
}
