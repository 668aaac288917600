package search

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"

	"entrepot/storage/catalog"
	"entrepot/storage/kv"
	"entrepot/storage/kv/memory"
)

// halting is a driver on which nothing of one content tree becomes whole until it is released.
type halting struct {
	kv.Driver
	once    sync.Once
	reached chan struct{} // closed when it is tried
	release chan struct{}
}

func (h *halting) Apply(ctx context.Context, ops []kv.Op) error {
	for _, op := range ops {
		if op.Kind == kv.OpDelete && strings.HasPrefix(op.Key.Partition, "cat/t/behind/") {
			h.once.Do(func() { close(h.reached) })
			<-h.release
		}
	}
	return h.Driver.Apply(ctx, ops)
}

// TestSearchOfOneRepositoryWaitsForNoOther searches a repository that was adopted while another cannot be made whole.
func TestSearchOfOneRepositoryWaitsForNoOther(t *testing.T) {
	driver := &halting{Driver: memory.New(), reached: make(chan struct{}), release: make(chan struct{})}
	store := kv.New(driver)
	c := catalog.New(store, nil)
	t.Cleanup(func() { _ = c.Close() })
	f := &fixture{catalog: c, index: New(store, c, nil)}
	for _, content := range []string{"behind", "wanted"} {
		for _, name := range []string{"a", "b"} {
			f.stored++
			a := &catalog.Asset{Path: "/" + name, Size: 1}
			if content == "wanted" { // a write that makes a component keeps others of its share waiting
				a.Component = &catalog.Coordinates{Name: name}
			}
			a.Blob.Store, a.Blob.Hash[0] = "default", byte(f.stored)
			a.Digests.SHA1 = strings.Repeat("a", 40)
			if err := c.Content(content).Defer(t.Context(), a, catalog.PutOptions{}); err != nil {
				t.Fatal(err)
			}
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { f.index.Run(ctx, func() []string { return []string{"behind", "wanted"} }) })
	<-driver.reached
	places := []Place{{Repository: "w", Format: "raw", Content: "wanted"}}
	for what, q := range map[string]Query{
		"all":        {Places: places},
		"a checksum": {Places: places, Criteria: []Criterion{{Field: SHA1, Value: strings.Repeat("a", 40)}}},
	} {
		if got := f.find(t, q); len(got) != 2 || !slices.IsSorted(got) {
			t.Errorf("%s: %q", what, got)
		}
	}
	cancel()
	close(driver.release)
	wg.Wait()
}
