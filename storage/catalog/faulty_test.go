package catalog

import (
	"context"
	"errors"
	"iter"
	"sync"
	"testing"

	"entrepot/storage/blob"
	"entrepot/storage/kv"
	"entrepot/storage/kv/memory"
)

var errInjected = errors.New("injected")

// watched is a driver that counts, and can be told to fail or to call back.
type watched struct {
	kv.Driver

	mu      sync.Mutex
	largest int               // operations in the largest batch
	batches int               // batches applied
	fail    int               // batches until all fail; negative for never
	before  func(ops []kv.Op) // called before each batch
	noGet   bool              // Get fails
	noScan  bool              // Scan fails after one row
}

func (w *watched) Get(ctx context.Context, k kv.Key) (kv.Entry, error) {
	if w.noGet {
		return kv.Entry{}, errInjected
	}
	return w.Driver.Get(ctx, k)
}

func (w *watched) Scan(ctx context.Context, partition string, r kv.Range) iter.Seq2[kv.Entry, error] {
	if !w.noScan {
		return w.Driver.Scan(ctx, partition, r)
	}
	return func(yield func(kv.Entry, error) bool) {
		for e, err := range w.Driver.Scan(ctx, partition, r) {
			if !yield(e, err) {
				return
			}
			break
		}
		yield(kv.Entry{}, errInjected)
	}
}

func watch(d kv.Driver) *watched { return &watched{Driver: d, fail: -1} }

func (w *watched) Apply(ctx context.Context, ops []kv.Op) error {
	w.mu.Lock()
	w.largest = max(w.largest, len(ops))
	w.batches++
	failing := w.fail == 0
	if w.fail > 0 {
		w.fail--
	}
	before := w.before
	w.mu.Unlock()
	if before != nil {
		before(ops)
	}
	if failing {
		return errInjected
	}
	return w.Driver.Apply(ctx, ops)
}

// last gives the error a sequence ends with.
func last[T any](seq iter.Seq2[T, error]) (err error) {
	for _, err = range seq {
		if err != nil {
			break
		}
	}
	return err
}

// TestReadErrorsAreReported has the store fail under every way of reading.
func TestReadErrorsAreReported(t *testing.T) {
	driver := watch(memory.New())
	c := New(kv.New(driver), &Options{CacheBytes: -1})
	defer c.Close()
	tree, ctx := c.Content("maven"), t.Context()
	for i := range 7 {
		put(t, tree, libraryAsset(i), PutOptions{})
	}
	hung := testAsset("/hung", 1)
	hung.Browse = "/org/acme/team0/hung"
	put(t, tree, hung, PutOptions{})
	a := libraryAsset(1)
	component, err := tree.Component(ctx, *a.Component)
	if err != nil {
		t.Fatal(err)
	}
	reads := map[string]func() error{
		"Asset":              func() error { _, err := tree.Asset(ctx, a.Path); return err },
		"AssetByID":          func() error { _, err := tree.AssetByID(ctx, 1); return err },
		"AssetsAfterID":      func() error { return last(tree.AssetsAfterID(ctx, 0)) },
		"Assets":             func() error { return last(tree.Assets(ctx, "")) },
		"AssetsUnder":        func() error { return last(tree.AssetsUnder(ctx, "/org")) },
		"Browse":             func() error { return last(tree.Browse(ctx, "/org/acme/team0", "", 0)) },
		"Component":          func() error { _, err := tree.Component(ctx, *a.Component); return err },
		"ComponentByID":      func() error { _, err := tree.ComponentByID(ctx, component.ID); return err },
		"ComponentsAfterID":  func() error { return last(tree.ComponentsAfterID(ctx, 0)) },
		"Components":         func() error { return last(tree.Components(ctx, ComponentQuery{})) },
		"ComponentAssets":    func() error { return last(tree.ComponentAssets(ctx, *a.Component)) },
		"Usage":              func() error { _, err := tree.Usage(ctx); return err },
		"Generation":         func() error { _, err := tree.Generation(ctx, "/org"); return err },
		"Changes":            func() error { return last(tree.Changes(ctx, "")) },
		"Content.ByChecksum": func() error { return last(tree.ByChecksum(ctx, "sha1", a.Digests.SHA1)) },
		"ByChecksum":         func() error { return last(c.ByChecksum(ctx, "sha1", a.Digests.SHA1)) },
		"Contents":           func() error { return last(c.Contents(ctx)) },
		"Referenced":         func() error { _, err := c.Referenced(ctx, BlobRef{Store: "default", Hash: blob.Hash{9}}); return err },
		"References":         func() error { return last(c.References(ctx, a.Blob)) },
		"Blobs":              func() error { return last(c.Blobs(ctx, "default", blob.Hash{})) },
		"StoreUsage":         func() error { _, err := c.StoreUsage(ctx, "default"); return err },
		"Check":              func() error { return last(c.Check(ctx)) },
		"TrimFeeds":          func() error { return c.TrimFeeds(ctx) },
		"Flush":              func() error { tree.Touch(a.Path, testTime); return c.Flush(ctx) },
		"Put":                func() error { return tree.Put(ctx, libraryAsset(1), PutOptions{}) },
		"Delete":             func() error { return tree.Delete(ctx, a.Path) },
		"Drop":               func() error { return c.Content("maven").Drop(ctx) },
	}
	onlyGet := map[string]bool{
		"Asset": true, "AssetByID": true, "Component": true, "ComponentByID": true, "Usage": true, "Generation": true, "StoreUsage": true,
		"Flush": true, "Put": true, "Delete": true,
	}
	onlyScan := map[string]bool{
		"Assets": true, "AssetsUnder": true, "Components": true, "Changes": true, "Contents": true, "Referenced": true, "Blobs": true,
		"TrimFeeds": true,
	}
	for name, read := range reads {
		if !onlyScan[name] {
			driver.noGet = true
			if err := read(); !errors.Is(err, errInjected) {
				t.Errorf("%s with a store that cannot get: %v", name, err)
			}
			driver.noGet = false
		}
		if !onlyGet[name] {
			driver.noScan = true
			if err := read(); !errors.Is(err, errInjected) {
				t.Errorf("%s with a store that cannot scan: %v", name, err)
			}
			driver.noScan = false
		}
	}
}
