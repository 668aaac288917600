package webhooks

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"

	"entrepot/storage/kv"
)

// maxQueued is how many events wait for one hook; the changes of content have their feed instead.
const maxQueued = 10_000

// queue keeps the events of a global hook in their order.
type queue struct {
	store     *kv.Store
	partition string

	mu    sync.Mutex
	last  uint64 // number of the newest event
	count int
}

func openQueue(ctx context.Context, store *kv.Store, id string) (*queue, error) {
	q := &queue{store: store, partition: queuePartition + id}
	for e, err := range store.Scan(ctx, q.partition, kv.Range{}) {
		if err == nil {
			_, err = fmt.Sscanf(e.Sort, "%016x", &q.last)
		}
		if err != nil {
			return nil, fmt.Errorf("webhooks: queue of %s: %w", id, err)
		}
		q.count++
	}
	return q, nil
}

// add keeps an event, or refuses it when there is no room.
func (q *queue) add(ctx context.Context, e event) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.count >= maxQueued {
		return errFull
	}
	value, err := json.Marshal(e)
	if err == nil {
		err = q.store.Apply(ctx, kv.PutNew(kv.Key{Partition: q.partition, Sort: fmt.Sprintf("%016x", q.last+1)}, value))
	}
	if err != nil {
		return fmt.Errorf("webhooks: queue: %w", err)
	}
	q.last++
	q.count++
	return nil
}

// first gives the event that has waited longest, and its key; false when none waits.
func (q *queue) first(ctx context.Context) (e event, key kv.Key, ok bool, err error) {
	for row, err := range q.store.Scan(ctx, q.partition, kv.Range{Limit: 1}) {
		if err == nil {
			err = json.Unmarshal(row.Value, &e)
		}
		if err != nil {
			return e, key, false, fmt.Errorf("webhooks: queue: %w", err)
		}
		return e, kv.Key{Partition: q.partition, Sort: row.Sort}, true, nil
	}
	return e, key, false, nil
}

// took counts an event that was removed.
func (q *queue) took() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.count--
}
