package search

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"entrepot/storage/catalog"
	"entrepot/storage/kv"
)

// followedPartition holds how far each content tree was followed.
const followedPartition = "search/followed"

// partitions are those of one content tree.
type partitions struct{ terms, order, grams, documents string }

func partitionsOf(content string) partitions {
	prefix := "search/" + content
	return partitions{prefix + "/terms", prefix + "/order", prefix + "/grams", prefix + "/documents"}
}

func (p partitions) all() []string { return []string{p.terms, p.order, p.grams, p.documents} }

// document is the row of a component.
type document struct {
	Terms []string `json:"terms"`
	Order []string `json:"order"`
}

const idLength = 8

func idSort(id uint64) string { return string(binary.BigEndian.AppendUint64(nil, id)) }

func withID(key string, id uint64) string { return key + "\x00" + idSort(id) }

// splitID takes the ID off a sort key.
func splitID(sort string) (key string, id uint64, ok bool) {
	at := len(sort) - idLength - 1
	if at < 0 || sort[at] != 0 {
		return "", 0, false
	}
	return sort[:at], binary.BigEndian.Uint64([]byte(sort[at+1:])), true
}

// add takes in a component and what its assets are called, unless all of it is in. Several may add to one component at a time.
func (x *Index) add(ctx context.Context, content string, c *catalog.Component, assets ...*catalog.Asset) error {
	for {
		err := x.tryAdd(ctx, partitionsOf(content), c, assets)
		if !errors.Is(err, kv.ErrConflict) {
			return err
		}
	}
}

func (x *Index) tryAdd(ctx context.Context, p partitions, c *catalog.Component, assets []*catalog.Asset) error {
	key := kv.Key{Partition: p.documents, Sort: idSort(c.ID)}
	before, err := x.store.Get(ctx, key)
	isNew := errors.Is(err, kv.ErrNotFound)
	var doc document
	switch {
	case isNew:
		doc = document{Terms: termsOf(c), Order: orderKeys(c)}
		if err := x.addGrams(ctx, p, doc.Terms); err != nil {
			return err
		}
	case err != nil:
		return fmt.Errorf("search: read document: %w", err)
	default:
		if err := json.Unmarshal(before.Value, &doc); err != nil {
			return fmt.Errorf("search: read document: %w", err)
		}
	}
	old := len(doc.Terms)
	for _, a := range assets {
		for _, term := range assetTerms(a) {
			if len(doc.Terms) < maxTerms && !slices.Contains(doc.Terms, term) {
				doc.Terms = append(doc.Terms, term)
			}
		}
	}
	if !isNew && len(doc.Terms) == old {
		return nil
	}
	value, err := json.Marshal(doc)
	if err != nil {
		return fmt.Errorf("search: encode document: %w", err)
	}
	ops := []kv.Op{kv.PutIf(key, value, before.Version)}
	if isNew {
		ops, old = []kv.Op{kv.PutNew(key, value)}, 0
		for _, order := range doc.Order {
			ops = append(ops, kv.Put(kv.Key{Partition: p.order, Sort: withID(order, c.ID)}, nil))
		}
	}
	for _, term := range doc.Terms[old:] {
		var value []byte
		if tells(term) {
			value = []byte(told(c.Coordinates))
		}
		ops = append(ops, kv.Put(kv.Key{Partition: p.terms, Sort: withID(term, c.ID)}, value))
	}
	if err := x.store.Apply(ctx, ops...); err != nil {
		return fmt.Errorf("search: write terms: %w", err)
	}
	return nil
}

// forget removes the rows of a component that is gone.
func (x *Index) forget(ctx context.Context, content string, id uint64) error {
	p := partitionsOf(content)
	key := kv.Key{Partition: p.documents, Sort: idSort(id)}
	e, err := x.store.Get(ctx, key)
	if errors.Is(err, kv.ErrNotFound) {
		return nil
	}
	var doc document
	if err == nil {
		err = json.Unmarshal(e.Value, &doc)
	}
	if err != nil {
		return fmt.Errorf("search: read document: %w", err)
	}
	ops := []kv.Op{kv.DeleteIf(key, e.Version)}
	for _, term := range doc.Terms {
		ops = append(ops, kv.Delete(kv.Key{Partition: p.terms, Sort: withID(term, id)}))
	}
	for _, order := range doc.Order {
		ops = append(ops, kv.Delete(kv.Key{Partition: p.order, Sort: withID(order, id)}))
	}
	err = x.store.Apply(ctx, ops...)
	if err != nil && !errors.Is(err, kv.ErrConflict) { // somebody else removed it
		return fmt.Errorf("search: remove terms: %w", err)
	}
	return nil
}

// clear removes all rows of a content tree.
func (x *Index) clear(ctx context.Context, content string) error {
	defer x.words.reset()
	for _, partition := range partitionsOf(content).all() {
		var ops []kv.Op
		flush := func() error {
			if len(ops) == 0 {
				return nil
			}
			err := x.store.Apply(ctx, ops...)
			ops = ops[:0]
			return err
		}
		for e, err := range x.store.Scan(ctx, partition, kv.Range{}) {
			if err != nil {
				return fmt.Errorf("search: %w", err)
			}
			if ops = append(ops, kv.Delete(kv.Key{Partition: partition, Sort: e.Sort})); len(ops) == kv.MaxBatch {
				if err := flush(); err != nil {
					return fmt.Errorf("search: %w", err)
				}
			}
		}
		if err := flush(); err != nil {
			return fmt.Errorf("search: %w", err)
		}
	}
	return nil
}

// gramLength is how many letters in a row a gram has.
const gramLength = 3

// grams gives the runs of three letters in a word, each once.
func grams(word string) []string {
	runes := []rune(word)
	var all []string
	for i := 0; i+gramLength <= len(runes); i++ {
		if gram := string(runes[i : i+gramLength]); !slices.Contains(all, gram) {
			all = append(all, gram)
		}
	}
	return all
}

// addGrams makes the words among some terms findable by what is inside them. It comes before the terms do, so that a word never
// lacks its grams.
func (x *Index) addGrams(ctx context.Context, p partitions, terms []string) error {
	for _, term := range terms {
		word, ok := strings.CutPrefix(term, termWord+"\x00")
		if !ok || x.words.has(p.grams, word) {
			continue
		}
		all := grams(word)
		if len(all) == 0 {
			continue
		}
		last := kv.Key{Partition: p.grams, Sort: all[len(all)-1] + "\x00" + word}
		_, err := x.store.Get(ctx, last)
		if errors.Is(err, kv.ErrNotFound) {
			err = x.putGrams(ctx, p, word, all)
		}
		if err != nil {
			return fmt.Errorf("search: write grams: %w", err)
		}
		x.words.add(p.grams, word)
	}
	return nil
}

// putGrams writes the last gram last: it says that the others are there.
func (x *Index) putGrams(ctx context.Context, p partitions, word string, all []string) error {
	for batch := range slices.Chunk(all, kv.MaxBatch) {
		var ops []kv.Op
		for _, gram := range batch {
			ops = append(ops, kv.Put(kv.Key{Partition: p.grams, Sort: gram + "\x00" + word}, nil))
		}
		if err := x.store.Apply(ctx, ops...); err != nil {
			return err
		}
	}
	return nil
}

// knownWords remembers words whose grams are there, so that common ones are not asked for again and again. It may be used from many
// goroutines.
type knownWords struct {
	mu            sync.Mutex
	recent, older map[string]bool
}

const knownWordsLimit = 20_000

func (k *knownWords) has(partition, word string) bool {
	key := partition + "\x00" + word
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.recent[key] || k.older[key]
}

func (k *knownWords) add(partition, word string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.recent == nil || len(k.recent) >= knownWordsLimit {
		k.older, k.recent = k.recent, make(map[string]bool)
	}
	k.recent[partition+"\x00"+word] = true
}

func (k *knownWords) reset() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.recent, k.older = nil, nil
}
