package catalog

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"entrepot/storage/kv"
	"entrepot/storage/kv/memory"
)

func TestTouchWritesSeldom(t *testing.T) {
	driver := watch(memory.New())
	c := New(kv.New(driver), &Options{FlushInterval: time.Hour})
	defer c.Close()
	tree := c.Content("raw")
	for i := range 150 {
		put(t, tree, testAsset(fmt.Sprintf("/%d", i), 1), PutOptions{})
	}
	flush := func(after time.Duration, wantBatches int) {
		t.Helper()
		before := driver.batches
		for i := range 150 {
			path := fmt.Sprintf("/%d", i)
			if i%2 == 0 { // half of them by way of the cache
				if _, err := tree.Asset(t.Context(), path); err != nil {
					t.Fatal(err)
				}
			}
			tree.Touch(path, testTime.Add(after))
			tree.Touch(path, testTime.Add(after-time.Minute))
		}
		tree.Touch("/absent", testTime)
		if err := c.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := driver.batches - before; got != wantBatches {
			t.Errorf("downloads after %v took %d batches, want %d", after, got, wantBatches)
		}
	}
	flush(0, 2)
	flush(11*time.Hour, 0)
	flush(12*time.Hour, 2)
	a, err := tree.Asset(t.Context(), "/149")
	if err != nil || !a.LastDownloaded.Equal(testTime.Add(12*time.Hour)) {
		t.Errorf("%+v, %v", a, err)
	}
}

func TestTouchesSurviveAFailingStore(t *testing.T) {
	driver := watch(memory.New())
	c := New(kv.New(driver), nil)
	tree := c.Content("raw")
	put(t, tree, testAsset("/a", 1), PutOptions{})
	tree.Touch("/a", testTime)
	driver.fail = 0
	if err := c.Flush(t.Context()); !errors.Is(err, errInjected) {
		t.Errorf("Flush = %v", err)
	}
	driver.fail = -1
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if a, err := tree.Asset(t.Context(), "/a"); err != nil || !a.LastDownloaded.Equal(testTime) {
		t.Errorf("%+v, %v", a, err)
	}
}

// TestFlushMeetsAWrite replaces one of two assets between the flush's read and its write.
func TestFlushMeetsAWrite(t *testing.T) {
	driver := watch(memory.New())
	c := New(kv.New(driver), nil)
	defer c.Close()
	tree := c.Content("raw")
	put(t, tree, testAsset("/a", 1), PutOptions{})
	put(t, tree, testAsset("/b", 1), PutOptions{})
	tree.Touch("/a", testTime)
	tree.Touch("/b", testTime)
	driver.before = func([]kv.Op) {
		driver.before = nil
		put(t, tree, testAsset("/a", 2), PutOptions{})
	}
	if err := c.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	a, errA := tree.Asset(t.Context(), "/a")
	b, errB := tree.Asset(t.Context(), "/b")
	if errA != nil || errB != nil || a.Size != 200 || !a.LastDownloaded.IsZero() || !b.LastDownloaded.Equal(testTime) {
		t.Errorf("%+v %v, %+v %v", a, errA, b, errB)
	}
	mustCheck(t, c)
}

func TestTouchesAreBounded(t *testing.T) {
	var b touches
	kept := 0
	for i := range 1000 {
		if b.add(cacheKey{"raw", fmt.Sprintf("/%d%s", i, strings.Repeat("x", MaxPath-5))}, testTime) {
			kept++
		}
	}
	if b.bytes > maxTouchBytes || kept == 0 || kept == 1000 || len(b.times) != kept {
		t.Errorf("%d kept in %d bytes", kept, b.bytes)
	}
}

// TestBackground waits for the catalog's own flush and trim.
func TestBackground(t *testing.T) {
	c := newCatalog(t, &Options{FlushInterval: time.Millisecond, FeedRetention: time.Nanosecond})
	tree := c.Content("raw")
	put(t, tree, testAsset("/a", 1), PutOptions{})
	tree.Touch("/a", testTime)
	deadline := time.Now().Add(10 * time.Second)
	for {
		a, err := tree.Asset(t.Context(), "/a")
		if err != nil {
			t.Fatal(err)
		}
		if !a.LastDownloaded.IsZero() && len(collect(t, tree.Changes(t.Context(), ""))) == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("nothing happened in the background")
		}
	}
}

func TestListingsShowDownloadsThatWait(t *testing.T) {
	c := New(kv.New(memory.New()), &Options{FlushInterval: time.Hour})
	defer c.Close()
	tree := c.Content("raw")
	asset := testAsset("/d/a", 1)
	asset.Component = &Coordinates{Name: "a"}
	put(t, tree, asset, PutOptions{})
	check := func(when string, want time.Time) {
		t.Helper()
		for a, err := range tree.Assets(t.Context(), "") {
			if err != nil || !a.LastDownloaded.Equal(want) {
				t.Errorf("%s: listed with %v, %v, want %v", when, a.LastDownloaded, err, want)
			}
		}
		for a, err := range tree.ComponentAssets(t.Context(), *asset.Component) {
			if err != nil || !a.LastDownloaded.Equal(want) {
				t.Errorf("%s: of the component with %v, %v, want %v", when, a.LastDownloaded, err, want)
			}
		}
		if a, err := tree.AssetByID(t.Context(), asset.ID); err != nil || !a.LastDownloaded.Equal(want) {
			t.Errorf("%s: by number %v, %v, want %v", when, a, err, want)
		}
	}
	check("before", time.Time{})
	tree.Touch("/d/a", testTime)
	check("waiting", testTime)
	if err := c.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	check("written", testTime)
	tree.Touch("/d/a", testTime.Add(time.Hour))
	check("again within the interval", testTime)
}

func TestNoDownloadIsWrittenWhileHeld(t *testing.T) {
	driver := watch(memory.New())
	c := New(kv.New(driver), &Options{FlushInterval: time.Hour})
	defer c.Close()
	tree := c.Content("raw")
	put(t, tree, testAsset("/before", 1), PutOptions{})
	put(t, tree, testAsset("/while", 1), PutOptions{})
	tree.Touch("/before", testTime)
	c.Hold(true)
	tree.Touch("/while", testTime)
	batches := driver.batches
	if err := c.Flush(t.Context()); err != nil || driver.batches != batches {
		t.Errorf("held, it wrote %d batches, %v", driver.batches-batches, err)
	}
	c.Hold(false)
	if err := c.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]bool{"/before": true, "/while": false} {
		if a, err := tree.Asset(t.Context(), path); err != nil || a.LastDownloaded.IsZero() == want {
			t.Errorf("%s: %+v, %v", path, a, err)
		}
	}
}
