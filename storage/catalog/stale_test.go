package catalog

import (
	"errors"
	"testing"

	"entrepot/storage/kv"
	"entrepot/storage/kv/memory"
)

// staleOf gives the mark of a document, 0 when it is not stale.
func staleOf(t *testing.T, tree *Content, path string) Stale {
	t.Helper()
	s, err := tree.Stale(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestRemovalsNameStaleDocuments(t *testing.T) {
	tree := newCatalog(t, nil).Content("maven")
	for i, path := range []string{"/1", "/2", "/3", "/doc"} {
		put(t, tree, testAsset(path, i+1), PutOptions{})
	}
	docs := RemoveOptions{Stale: []string{"/doc", "/other"}}
	if err := tree.Remove(t.Context(), "/absent", docs); !errors.Is(err, ErrNotFound) || staleOf(t, tree, "/doc").Mark != 0 {
		t.Errorf("removal of nothing: %v", err)
	}
	for _, path := range []string{"/1", "/2"} {
		if err := tree.Remove(t.Context(), path, docs); err != nil {
			t.Fatal(err)
		}
	}
	all := collect(t, tree.AllStale(t.Context()))
	if len(all) != 2 || all[0].Path != "/doc" || all[1].Path != "/other" || all[0] != staleOf(t, tree, "/doc") || all[0].Create {
		t.Fatalf("after two removals: %+v", all)
	}
	before := staleOf(t, tree, "/doc")
	if err := tree.Remove(t.Context(), "/3", docs); err != nil {
		t.Fatal(err)
	}
	put(t, tree, testAsset("/doc", 9), PutOptions{Settles: before})
	if staleOf(t, tree, "/doc").Mark == 0 {
		t.Error("a document that was made before a removal settles it")
	}
	put(t, tree, testAsset("/doc", 9), PutOptions{Settles: staleOf(t, tree, "/doc")}) // the same content again
	other := staleOf(t, tree, "/other")
	if err := tree.MarkStale(t.Context(), []string{"/other"}, true); err != nil {
		t.Fatal(err)
	}
	if err := tree.Settle(t.Context(), other); err != nil || !staleOf(t, tree, "/other").Create {
		t.Errorf("settled what was asked for again: %v", err)
	}
	if err := tree.Settle(t.Context(), staleOf(t, tree, "/other")); err != nil {
		t.Fatal(err)
	}
	if left := collect(t, tree.AllStale(t.Context())); len(left) != 0 {
		t.Errorf("left: %+v", left)
	}
	if err := tree.Remove(t.Context(), "/doc", RemoveOptions{Stale: make([]string, maxStale+1)}); !errors.Is(err, ErrInvalid) {
		t.Errorf("too many documents: %v", err)
	}
}

// TestStaleDocumentsComeWithTheirRemoval has the batch of a removal fail: neither the removal nor what it says of documents is there.
func TestStaleDocumentsComeWithTheirRemoval(t *testing.T) {
	driver := watch(memory.New())
	c := New(kv.New(driver), nil)
	defer c.Close()
	tree := c.Content("maven")
	put(t, tree, testAsset("/1", 1), PutOptions{})
	batches := 0
	driver.before = func([]kv.Op) { batches++ }
	if err := tree.Remove(t.Context(), "/1", RemoveOptions{Stale: []string{"/doc"}}); err != nil {
		t.Fatal(err)
	}
	if batches != 1 || staleOf(t, tree, "/doc").Mark == 0 {
		t.Errorf("%d batches", batches)
	}
	if err := tree.Drop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := tree.MarkStale(t.Context(), []string{"/doc"}, true); err == nil && staleOf(t, c.Content("maven"), "/doc").Mark == 0 {
		t.Error("neither refused nor marked")
	}
}
