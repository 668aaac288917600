package catalog

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"entrepot/storage/kv"
	"entrepot/storage/kv/memory"
)

// manyDeferred gives assets with components, and how they are to be put.
func manyDeferred() (all []*Asset, opts PutOptions) {
	day := time.Date(2025, 1, 2, 3, 4, 5, 0, time.UTC)
	for n := range 40 {
		a := libraryAsset(n)
		a.Created, a.BlobCreated, a.BlobUpdated, a.Updated = day, day, day, day
		all = append(all, a)
	}
	return all, PutOptions{
		If: PutIfAbsent, ComponentKind: "lib", ComponentAttributes: map[string]string{"k": "v"}, ComponentCreated: day, ComponentUpdated: day,
	}
}

// listing is what a tree tells of itself, numbers and versions left out.
func listing(t *testing.T, tree *Content) (assets []Asset, components []Component, usage Usage) {
	t.Helper()
	for _, a := range collect(t, tree.Assets(t.Context(), "")) {
		plain := *a
		plain.ID, plain.Version = 0, 0
		assets = append(assets, plain)
	}
	for _, c := range collect(t, tree.Components(t.Context(), ComponentQuery{})) {
		plain := *c
		plain.ID, plain.RecordVersion = 0, 0
		components = append(components, plain)
	}
	usage, err := tree.Usage(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return assets, components, usage
}

// TestDefer fills one tree with deferred assets and one at once, and wants the same to be seen.
func TestDefer(t *testing.T) {
	rows := kv.New(memory.New())
	c := New(rows, nil)
	t.Cleanup(func() { must(t, c.Close()) })
	deferred, direct := c.Content("deferred"), c.Content("direct")
	all, opts := manyDeferred()
	for _, a := range all {
		first, second := *a, *a
		must(t, deferred.Defer(t.Context(), &first, opts))
		must(t, direct.Put(t.Context(), &second, opts))
	}
	if entries := count(t, rows, deferred.parts.deferred); entries != len(all) {
		t.Errorf("%d deferred rows", entries)
	}
	a, err := deferred.Asset(t.Context(), all[7].Path)
	if err != nil || a.ID == 0 || a.Version == 0 || a.Blob != all[7].Blob {
		t.Errorf("by its path: %+v, %v", a, err)
	}
	if _, err := deferred.Asset(t.Context(), "/none"); !errors.Is(err, ErrNotFound) {
		t.Errorf("a path that is not there: %v", err)
	}
	if entries := count(t, rows, deferred.parts.deferred); entries != len(all)-1 {
		t.Errorf("%d deferred rows after one was asked for", entries)
	}
	later := New(rows, nil) // as after a restart
	t.Cleanup(func() { must(t, later.Close()) })
	assets, components, usage := listing(t, later.Content("deferred"))
	wantAssets, wantComponents, wantUsage := listing(t, later.Content("direct"))
	for i, pair := range [][2]any{{wantAssets, assets}, {wantComponents, components}, {wantUsage, usage}} {
		if diff := gocmp.Diff(pair[0], pair[1]); diff != "" {
			t.Errorf("%d: not as put at once: %s", i, diff)
		}
	}
	if entries := count(t, rows, deferred.parts.deferred); entries != 0 {
		t.Errorf("%d deferred rows are left", entries)
	}
	mustCheck(t, later)
}

// TestDeferredWrites deletes, replaces and relocates deferred assets, and defers what is there already.
func TestDeferredWrites(t *testing.T) {
	c := newCatalog(t, nil)
	tree := c.Content("raw")
	all, opts := manyDeferred()
	kept := *all[3]
	kept.Uploader = "here before"
	put(t, tree, &kept, PutOptions{})
	for _, a := range all {
		must(t, tree.Defer(t.Context(), a, opts))
	}
	if err := tree.Defer(t.Context(), all[5], opts); !errors.Is(err, ErrConflict) {
		t.Errorf("deferred twice: %v", err)
	}
	must(t, tree.Delete(t.Context(), all[0].Path))
	if err := tree.Put(t.Context(), all[1], PutOptions{If: PutIfAbsent}); !errors.Is(err, ErrConflict) {
		t.Errorf("where a deferred one is: %v", err)
	}
	changed := *all[2]
	changed.Uploader = "changed"
	put(t, tree, &changed, PutOptions{})
	moved := BlobRef{Store: "other", Hash: all[4].Blob.Hash}
	must(t, tree.Relocate(t.Context(), all[4].Path, Move{From: all[4].Blob, To: moved}))
	must(t, c.Complete(t.Context(), nil))
	for path, want := range map[string]string{all[1].Path: "deployer", all[2].Path: "changed", all[3].Path: "here before"} {
		if a, err := tree.Asset(t.Context(), path); err != nil || a.Uploader != want {
			t.Errorf("%s: %+v, %v", path, a, err)
		}
	}
	if _, err := tree.Asset(t.Context(), all[0].Path); !errors.Is(err, ErrNotFound) {
		t.Errorf("the deleted one: %v", err)
	}
	if a, err := tree.Asset(t.Context(), all[4].Path); err != nil || a.Blob != moved {
		t.Errorf("the relocated one: %+v, %v", a, err)
	}
	if usage, err := tree.Usage(t.Context()); err != nil || usage.Assets != int64(len(all)-1) {
		t.Errorf("usage %+v, %v", usage, err)
	}
	mustCheck(t, c)
}

// TestCompleteMeanwhile makes assets whole while others read, delete and replace them.
func TestCompleteMeanwhile(t *testing.T) {
	c := newCatalog(t, nil)
	tree := c.Content("raw")
	all, opts := manyDeferred()
	for _, a := range all {
		must(t, tree.Defer(t.Context(), a, opts))
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			if err := tree.Complete(t.Context(), nil); err != nil {
				t.Errorf("complete: %v", err)
			}
		})
	}
	for n, a := range all {
		wg.Go(func() {
			var err error
			switch n % 4 {
			case 0:
				err = tree.Delete(t.Context(), a.Path)
			case 1:
				next := *a
				next.Uploader = "next"
				err = tree.Put(t.Context(), &next, PutOptions{})
			case 2:
				_, err = tree.Asset(t.Context(), a.Path)
			}
			if err != nil {
				t.Errorf("%d: %v", n, err)
			}
		})
	}
	wg.Wait()
	for n, a := range all {
		got, err := tree.Asset(t.Context(), a.Path)
		if n%4 == 0 && !errors.Is(err, ErrNotFound) || n%4 != 0 && err != nil || n%4 == 1 && got.Uploader != "next" {
			t.Errorf("%d: %+v, %v", n, got, err)
		}
	}
	mustCheck(t, c)
}

// TestDeferredReadOnly serves deferred assets from a store that takes no writes.
func TestDeferredReadOnly(t *testing.T) {
	driver := &readOnly{Driver: memory.New()}
	c := New(kv.New(driver), nil)
	tree := c.Content("raw")
	all, opts := manyDeferred()
	must(t, tree.Defer(t.Context(), all[0], opts))
	driver.refuse = true
	if a, err := tree.Asset(t.Context(), all[0].Path); err != nil || a.Size != all[0].Size || a.Digests != all[0].Digests {
		t.Errorf("on a store that takes no writes: %+v, %v", a, err)
	}
	driver.refuse = false
	if a, err := tree.Asset(t.Context(), all[0].Path); err != nil || a.Version == 0 {
		t.Errorf("later: %+v, %v", a, err)
	}
	must(t, c.Close())
}

// TestDropDeferred drops a tree with deferred assets.
func TestDropDeferred(t *testing.T) {
	rows := kv.New(memory.New())
	c := New(rows, nil)
	t.Cleanup(func() { must(t, c.Close()) })
	tree := c.Content("raw")
	all, opts := manyDeferred()
	for _, a := range all {
		must(t, tree.Defer(t.Context(), a, opts))
	}
	must(t, tree.Drop(t.Context()))
	if entries := count(t, rows, tree.parts.deferred); entries != 0 {
		t.Errorf("%d deferred rows are left", entries)
	}
	if err := tree.Defer(t.Context(), all[0], opts); err == nil {
		mustCheck(t, c) // a tree of that name may be made again
	}
}

func FuzzDeferredRow(f *testing.F) {
	all, opts := manyDeferred()
	row, err := encodeDeferred(all[0], &opts)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(row))
	f.Fuzz(func(t *testing.T, row string) {
		a, opts, err := decodeDeferred(row)
		if err != nil {
			return
		}
		if again, err := encodeDeferred(a, &opts); err == nil && len(again) > len(row)+64 {
			t.Errorf("%d bytes become %d", len(row), len(again))
		}
	})
}

func count(t *testing.T, rows *kv.Store, partition string) int {
	t.Helper()
	return len(collect(t, rows.Scan(t.Context(), partition, kv.Range{})))
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// readOnly is a database that takes no writes when it is told so.
type readOnly struct {
	kv.Driver
	refuse bool
}

func (d *readOnly) Apply(ctx context.Context, ops []kv.Op) error {
	if d.refuse {
		return fmt.Errorf("%w: test", kv.ErrReadOnly)
	}
	return d.Driver.Apply(ctx, ops)
}
