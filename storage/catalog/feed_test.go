package catalog

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"entrepot/storage/kv"
	"entrepot/storage/kv/memory"
)

func TestChangesGoOnBehindASequence(t *testing.T) {
	clock := &fakeClock{now: testTime}
	c := newCatalog(t, &Options{Now: clock.Now})
	tree := c.Content("raw")
	for i := range 5 {
		put(t, tree, testAsset(fmt.Sprintf("/%d", i), 1), PutOptions{})
	}
	all := collect(t, tree.Changes(t.Context(), ""))
	if len(all) != 5 || !all[0].Time.Equal(testTime) || all[4].Path != "/4" || all[4].Kind != ChangePut {
		t.Fatalf("%+v", all)
	}
	if rest := collect(t, tree.Changes(t.Context(), all[2].Sequence)); len(rest) != 2 || rest[0] != all[3] {
		t.Errorf("%+v", rest)
	}
	for _, err := range tree.Changes(t.Context(), "yesterday") {
		if !errors.Is(err, ErrInvalid) {
			t.Errorf("sequence of no hex: %v", err)
		}
	}
}

// TestChangesWaitForEarlierWrites has a write with a smaller sequence commit after one with a greater.
func TestChangesWaitForEarlierWrites(t *testing.T) {
	driver := watch(memory.New())
	c := New(kv.New(driver), nil)
	defer c.Close()
	tree := c.Content("raw")
	put(t, tree, testAsset("/0", 1), PutOptions{})
	held, release := make(chan struct{}), make(chan struct{})
	driver.before = func(ops []kv.Op) {
		for _, op := range ops {
			if op.Key.Sort == "\x00slow" {
				close(held)
				<-release
			}
		}
	}
	done := make(chan error)
	go func() { done <- tree.Put(t.Context(), testAsset("/slow", 2), PutOptions{}) }()
	<-held
	put(t, tree, testAsset("/fast", 3), PutOptions{})
	if got := collect(t, tree.Changes(t.Context(), "")); len(got) != 1 {
		t.Errorf("while a write is under way: %+v", got)
	}
	close(release)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	got := collect(t, tree.Changes(t.Context(), ""))
	if len(got) != 3 || got[1].Path != "/slow" || got[2].Path != "/fast" {
		t.Errorf("afterwards: %+v", got)
	}
}

func TestFeedSurvivesClockSetBack(t *testing.T) {
	store := kv.New(memory.New())
	defer store.Close()
	clock := &fakeClock{now: testTime}
	for i := range 3 {
		c := New(store, &Options{Now: clock.Now})
		if got := collect(t, c.Content("raw").Changes(t.Context(), "")); len(got) != i {
			t.Errorf("round %d before the first write: %+v", i, got)
		}
		put(t, c.Content("raw"), testAsset(fmt.Sprintf("/%d", i), 1), PutOptions{})
		got := collect(t, c.Content("raw").Changes(t.Context(), ""))
		if len(got) != i+1 || got[i].Path != fmt.Sprintf("/%d", i) {
			t.Errorf("round %d: %+v", i, got)
		}
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
		clock.now = clock.now.Add(-time.Hour)
	}
}

func TestTrimFeeds(t *testing.T) {
	clock := &fakeClock{now: testTime}
	c := newCatalog(t, &Options{Now: clock.Now, FeedRetention: 24 * time.Hour})
	tree := c.Content("raw")
	for i := range 250 {
		put(t, tree, testAsset(fmt.Sprintf("/old%d", i), 1), PutOptions{})
	}
	first := collect(t, tree.Changes(t.Context(), ""))[0].Sequence
	clock.now = clock.now.Add(25 * time.Hour)
	put(t, tree, testAsset("/new", 1), PutOptions{})
	if err := c.TrimFeeds(t.Context()); err != nil {
		t.Fatal(err)
	}
	kept := collect(t, tree.Changes(t.Context(), ""))
	if len(kept) != 1 || kept[0].Path != "/new" {
		t.Fatalf("kept %+v", kept)
	}
	for _, err := range tree.Changes(t.Context(), first) {
		if !errors.Is(err, ErrTrimmed) {
			t.Errorf("changes behind a trimmed sequence: %v", err)
		}
	}
	if rest := collect(t, tree.Changes(t.Context(), kept[0].Sequence)); len(rest) != 0 {
		t.Errorf("%+v", rest)
	}
	mustCheck(t, c)
}
