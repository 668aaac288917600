// Package adopt serves the blobs of an old server where they lie, and copies them behind. An import writes records whose blobs have
// names of this package, in a blob store of this package; the server reads them from the old folders until the copy of each is made
// and checked, and then the record names the copy. When no record names an adopted blob any more, the old folders are not needed.
//
// Invariants: nothing in the old folders is ever changed; which blobs are left to copy follows from the records alone, so a copy that
// was killed goes on where it was; a blob that is missing or damaged is listed with its paths and does not stop the rest, and is tried
// again in each pass.
//
//	stores, err := adopt.Open(ctx, rows)
//	engine, err := repository.Open(ctx, repository.Options{Adopted: stores.Blobs, …})
//	copier := adopt.NewCopier(engine, trees, stores, adopt.Options{})
//	copier.Run(ctx, nil) // while the server serves
package adopt

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"entrepot/app/repository"
	"entrepot/storage/blob"
	"entrepot/storage/catalog"
	"entrepot/storage/kv"
)

// Store is a blob store of an old server that was adopted.
type Store struct {
	Name     string    `json:"name"`    // of the blob store in records, see StoreName
	Origin   string    `json:"origin"`  // what it is, for people
	Folders  []string  `json:"folders"` // absolute; several when it was a group
	Finished time.Time `json:"finished,omitzero"`
}

// StoreName names an adopted blob store in records. origin tells old servers apart.
func StoreName(origin, store string) string { return repository.AdoptedPrefix + origin + "/" + store }

// Failure is a blob that could not be copied.
type Failure struct {
	Paths   []string `json:"paths"`   // repository and path of what it belongs to
	Reason  string   `json:"reason"`  // for people
	Damaged bool     `json:"damaged"` // its bytes are not what they should be, so they are not served any more
}

// String gives the failure as one line.
func (f *Failure) String() string { return strings.Join(f.Paths, ", ") + ": " + f.Reason }

// The partitions that hold what is known of adopted stores.
const (
	storePartition    = "adopt/stores"
	countPartition    = "adopt/failures"  // how many in each store
	failuresPartition = "adopt/failures/" // of one store, by name of the blob
)

// Stores are the adopted blob stores. All methods may be called from many goroutines.
type Stores struct {
	rows *kv.Store

	mu     sync.RWMutex
	open   map[string]*adopted
	asked  asked
	damage func(ctx context.Context, ref catalog.BlobRef, cause error) error // is told of what is found as it is served; nil for nobody
}

type adopted struct {
	def   Store
	blobs *blob.Store
}

// Open reads which stores were adopted.
func Open(ctx context.Context, rows *kv.Store) (*Stores, error) {
	s := &Stores{rows: rows, open: make(map[string]*adopted)}
	for e, err := range rows.Scan(ctx, storePartition, kv.Range{}) {
		var def Store
		if err == nil {
			err = json.Unmarshal(e.Value, &def)
		}
		if err != nil {
			return nil, fmt.Errorf("adopt: %w", err)
		}
		s.install(def)
	}
	return s, nil
}

func (s *Stores) install(def Store) {
	d := &driver{folders: def.Folders, damaged: func(ctx context.Context, h blob.Hash) (string, error) {
		f, err := s.failure(ctx, def.Name, h)
		if err != nil || f == nil || !f.Damaged {
			return "", err
		}
		return f.Reason, nil
	}, found: func(ctx context.Context, h blob.Hash, cause error) error {
		return s.found(ctx, catalog.BlobRef{Store: def.Name, Hash: h}, cause)
	}}
	s.open[def.Name] = &adopted{def, blob.New(def.Name, d, nil)}
}

// found passes on what was found damaged.
func (s *Stores) found(ctx context.Context, ref catalog.BlobRef, cause error) error {
	s.mu.RLock()
	told := s.damage
	s.mu.RUnlock()
	if told == nil {
		return nil
	}
	return told(ctx, ref, cause)
}

// Asked notes that somebody wants to read a blob: it is copied before others.
func (s *Stores) Asked(ref catalog.BlobRef) { s.asked.add(ref) }

// Blobs gives the bytes of an adopted store; nil when there is no such store.
func (s *Stores) Blobs(name string) *blob.Store {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if a := s.open[name]; a != nil {
		return a.blobs
	}
	return nil
}

// List gives all adopted stores by name, those that are not needed any more among them.
func (s *Stores) List() []Store {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var all []Store
	for _, a := range s.open {
		all = append(all, a.def)
	}
	slices.SortFunc(all, func(a, b Store) int { return cmp.Compare(a.Name, b.Name) })
	return all
}

// Put adds a store, or says where its folders are now. It has to be there before the first record names it.
func (s *Stores) Put(ctx context.Context, def Store) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	value, err := json.Marshal(def)
	if err == nil {
		err = s.rows.Apply(ctx, kv.Put(kv.Key{Partition: storePartition, Sort: def.Name}, value))
	}
	if err != nil {
		return fmt.Errorf("adopt %s: %w", def.Name, err)
	}
	s.install(def)
	return nil
}

// Failures delivers what could not be copied of a store.
func (s *Stores) Failures(ctx context.Context, store string) iter.Seq2[*Failure, error] {
	return func(yield func(*Failure, error) bool) {
		for e, err := range s.rows.Scan(ctx, failuresPartition+store, kv.Range{}) {
			f := &Failure{}
			if err == nil {
				err = json.Unmarshal(e.Value, f)
			}
			if !yield(f, err) || err != nil {
				return
			}
		}
	}
}

// FailureCount is how many blobs of a store could not be copied.
func (s *Stores) FailureCount(ctx context.Context, store string) (int64, error) {
	return s.rows.Count(ctx, kv.Key{Partition: countPartition, Sort: store})
}

func (s *Stores) failure(ctx context.Context, store string, h blob.Hash) (*Failure, error) {
	e, err := s.rows.Get(ctx, failureKey(store, h))
	if errors.Is(err, kv.ErrNotFound) {
		return nil, nil
	}
	f := &Failure{}
	if err == nil {
		err = json.Unmarshal(e.Value, f)
	}
	return f, err
}

// fail remembers that a blob could not be copied, and tells whether that is news.
func (s *Stores) fail(ctx context.Context, store string, h blob.Hash, f *Failure) (news bool, err error) {
	value, err := json.Marshal(f)
	if err != nil {
		return false, err
	}
	key := failureKey(store, h)
	err = s.rows.Apply(ctx, kv.PutNew(key, value), kv.Add(kv.Key{Partition: countPartition, Sort: store}, 1))
	if errors.Is(err, kv.ErrConflict) {
		return false, s.rows.Apply(ctx, kv.Put(key, value))
	}
	return err == nil, err
}

// forget drops the failure of a blob, if there is one.
func (s *Stores) forget(ctx context.Context, store string, h blob.Hash) error {
	e, err := s.rows.Get(ctx, failureKey(store, h))
	if errors.Is(err, kv.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	return s.rows.Apply(ctx, kv.DeleteIf(failureKey(store, h), e.Version), kv.Add(kv.Key{Partition: countPartition, Sort: store}, -1))
}

func failureKey(store string, h blob.Hash) kv.Key {
	return kv.Key{Partition: failuresPartition + store, Sort: string(h[:])}
}

// Needed reports that there is a store that is still needed.
func (s *Stores) Needed() bool { return len(s.names()) > 0 }

// names are those of all stores that are still needed.
func (s *Stores) names() []string {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var needed []string
	for _, name := range slices.Sorted(maps.Keys(s.open)) {
		if s.open[name].def.Finished.IsZero() {
			needed = append(needed, name)
		}
	}
	return needed
}

func (s *Stores) get(name string) Store {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.open[name].def
}
