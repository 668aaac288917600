package adopt

import (
	"sync"

	"entrepot/storage/catalog"
)

// maxAsked is how many blobs that are asked for wait to be copied before others. Those beyond wait with all others.
const maxAsked = 1024

// asked is a queue of blobs that somebody wants to read, each once.
type asked struct {
	mu     sync.Mutex
	stores map[string][]catalog.BlobRef
	have   map[catalog.BlobRef]bool
}

func (q *asked) add(ref catalog.BlobRef) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.have[ref] || len(q.have) >= maxAsked {
		return
	}
	if q.have == nil {
		q.have, q.stores = make(map[catalog.BlobRef]bool), make(map[string][]catalog.BlobRef)
	}
	q.have[ref] = true
	q.stores[ref.Store] = append(q.stores[ref.Store], ref)
}

// next takes the first one of a store; false when there is none.
func (q *asked) next(store string) (catalog.BlobRef, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	waiting := q.stores[store]
	if len(waiting) == 0 {
		return catalog.BlobRef{}, false
	}
	q.stores[store] = waiting[1:]
	if len(waiting) == 1 {
		delete(q.stores, store)
	}
	delete(q.have, waiting[0])
	return waiting[0], true
}
