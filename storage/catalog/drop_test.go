package catalog

import (
	"errors"
	"fmt"
	"testing"

	"entrepot/storage/kv"
	"entrepot/storage/kv/memory"
)

func fillForDrop(t testing.TB, c *Catalog) {
	for i := range 60 {
		for _, content := range testContents {
			a := libraryAsset(i)
			if i%3 == 0 {
				a.Blob, a.Digests, a.Size = testAsset("/x", i%4+1).Blob, testAsset("/x", i%4+1).Digests, int64(i%4+1)*100
			}
			put(t, c.Content(content), a, PutOptions{})
		}
	}
}

// TestDropIsResumed stops a Drop at every batch, in a process that then dies.
func TestDropIsResumed(t *testing.T) {
	driver := watch(memory.New())
	store := kv.New(driver)
	defer store.Close()
	c := New(store, nil)
	fillForDrop(t, c)
	kept := collect(t, c.Content("two").Assets(t.Context(), ""))
	stops := 0
	for {
		driver.mu.Lock()
		driver.fail = 2 // the mark, one batch of work, then failure
		driver.mu.Unlock()
		err := c.Content("one").Drop(t.Context())
		driver.mu.Lock()
		driver.fail = -1
		driver.mu.Unlock()
		if err == nil {
			break
		}
		if !errors.Is(err, errInjected) {
			t.Fatal(err)
		}
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
		c = New(store, nil)
		mustCheck(t, c)
		if err := c.Content("one").Put(t.Context(), testAsset("/new", 1), PutOptions{}); !errors.Is(err, ErrDropped) {
			t.Fatalf("Put into a dropped tree = %v", err)
		}
		if ids := collect(t, c.Contents(t.Context())); len(ids) != 2 {
			t.Fatalf("contents while dropping: %v", ids)
		}
		stops++
	}
	defer c.Close()
	if stops < 5 {
		t.Errorf("only %d stops", stops)
	}
	mustCheck(t, c)
	if ids := collect(t, c.Contents(t.Context())); len(ids) != 1 || ids[0] != "two" {
		t.Errorf("contents: %v", ids)
	}
	parts := newPartitions("one")
	for _, partition := range parts.all() {
		if rows := collect(t, store.Scan(t.Context(), partition, kv.Range{})); len(rows) != 0 {
			t.Errorf("%d rows left in %s", len(rows), partition)
		}
	}
	if got := collect(t, c.Content("two").Assets(t.Context(), "")); len(got) != len(kept) {
		t.Errorf("the other tree has %d assets, had %d", len(got), len(kept))
	}
	if err := c.Content("two").Drop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if usage, err := c.StoreUsage(t.Context(), "default"); err != nil || usage != (StoreUsage{}) {
		t.Errorf("store usage after everything was dropped: %+v, %v", usage, err)
	}
}

// TestDropAgainstWriters drops a tree under writers that do not stop, while another tree moves the shared blobs.
func TestDropAgainstWriters(t *testing.T) {
	c := newCatalog(t, nil)
	fillForDrop(t, c)
	stop, ended := make(chan struct{}), make(chan error, 2)
	for worker := range 2 {
		go func() {
			var err error
			for i := 0; err == nil; i++ {
				select {
				case <-stop:
					ended <- nil
					return
				default:
				}
				tree := c.Content(testContents[worker])
				err = tree.Put(t.Context(), testAsset(fmt.Sprintf("/w/%d", i%10), i%4+1), PutOptions{})
				if errors.Is(err, ErrDropped) {
					err = nil
				}
			}
			ended <- err
		}()
	}
	if err := c.Content("one").Drop(t.Context()); err != nil {
		t.Error(err)
	}
	close(stop)
	for range 2 {
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
	mustCheck(t, c)
}

// TestDropMeetsWrites has another tree take up and give back shared blobs between the drop's reads and its batches.
func TestDropMeetsWrites(t *testing.T) {
	driver := watch(memory.New())
	c := New(kv.New(driver), nil)
	defer c.Close()
	fillForDrop(t, c)
	other := c.Content("two")
	busy, round := false, 0
	driver.before = func(ops []kv.Op) {
		if busy || ops[0].Key.Partition == registryPartition {
			return
		}
		busy = true
		for body := range 4 {
			put(t, other, testAsset(fmt.Sprintf("/%d/%d", round, body), body+1), PutOptions{})
		}
		if round++; round > 20 {
			driver.before = nil // let it win
		}
		busy = false
	}
	if err := c.Content("one").Drop(t.Context()); err != nil {
		t.Fatal(err)
	}
	mustCheck(t, c)
}
