package catalog

import (
	"errors"
	"strings"
	"testing"
	"time"

	"entrepot/storage/kv"
	"entrepot/storage/kv/memory"
)

// imported makes an asset that an import brought.
func imported(path string, body int) *Asset {
	a := testAsset(path, body)
	a.Origin, a.BlobCreated, a.Updated = "old", testTime, testTime.Add(time.Hour)
	return a
}

// TestDeletionsOfAnyPath deletes assets of imports, deferred ones and those of long paths too, and wants each remembered, by a new process as well.
func TestDeletionsOfAnyPath(t *testing.T) {
	store := kv.New(memory.New())
	c := New(store, nil)
	tree := c.Content("raw")
	paths := []string{"/a", "/dir/b", "/" + strings.Repeat("l", 2000), "/" + strings.Repeat("l", 2000) + "m", "/deferred"}
	for _, path := range paths {
		if path == "/deferred" {
			must(t, tree.Defer(t.Context(), imported(path, 1), PutOptions{}))
		} else {
			put(t, tree, imported(path, 1), PutOptions{})
		}
		if _, err := tree.Deletion(t.Context(), path); !errors.Is(err, ErrNotFound) {
			t.Errorf("before %s went: %v", path, err)
		}
		must(t, tree.Delete(t.Context(), path))
	}
	must(t, c.Close())
	c = New(store, nil)
	defer c.Close()
	tree = c.Content("raw")
	for _, path := range paths {
		d, err := tree.Deletion(t.Context(), path)
		if err != nil || !d.BlobCreated.Equal(testTime) || !d.Updated.Equal(testTime.Add(time.Hour)) || d.SHA1 != testAsset("/x", 1).Digests.SHA1 {
			t.Errorf("%.20s: %+v, %v", path, d, err)
		}
	}
	mustCheck(t, c)
	must(t, tree.Drop(t.Context()))
	if has, err := tree.HasDeletions(t.Context()); err != nil || has {
		t.Errorf("after the tree went: %v, %v", has, err)
	}
}

// TestDeletionIsOneBatch fails the batch of a deletion: the asset stays and nothing is remembered.
func TestDeletionIsOneBatch(t *testing.T) {
	driver := watch(memory.New())
	c := New(kv.New(driver), nil)
	defer c.Close()
	tree := c.Content("raw")
	put(t, tree, imported("/a", 1), PutOptions{})
	driver.fail = 0
	if err := tree.Delete(t.Context(), "/a"); !errors.Is(err, errInjected) {
		t.Fatal(err)
	}
	driver.fail = -1
	before := driver.batches
	if has, err := tree.HasDeletions(t.Context()); err != nil || has {
		t.Errorf("remembered: %v, %v", has, err)
	}
	must(t, tree.Delete(t.Context(), "/a"))
	if n := driver.batches - before; n != 1 {
		t.Errorf("a deletion takes %d batches", n)
	}
}

// TestCheckFindsDamagedNotes damages a note.
func TestCheckFindsDamagedNotes(t *testing.T) {
	store := kv.New(memory.New())
	c := New(store, nil)
	defer c.Close()
	tree := c.Content("raw")
	put(t, tree, imported("/a", 1), PutOptions{})
	must(t, tree.Delete(t.Context(), "/a"))
	for _, damage := range []string{"", "\x01", "\x04\x01"} {
		must(t, store.Apply(t.Context(), kv.Put(kv.Key{Partition: tree.parts.deletions, Sort: noteSort("/a")}, []byte(damage))))
		if len(problems(t, c)) == 0 {
			t.Errorf("%q goes unnoticed", damage)
		}
		if _, err := tree.Deletion(t.Context(), "/a"); err == nil {
			t.Errorf("%q is read", damage)
		}
	}
}
