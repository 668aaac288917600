package catalog

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"entrepot/storage/kv"
	"entrepot/storage/kv/memory"

	"github.com/google/go-cmp/cmp"
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

// TestChangesSayWhatBecameOfAssetsAndComponents goes through the life of a component.
func TestChangesSayWhatBecameOfAssetsAndComponents(t *testing.T) {
	c := newCatalog(t, &Options{Actor: func(context.Context) string { return "jane" }})
	tree := c.Content("maven")
	at := Coordinates{Group: "g", Name: "a", Version: "1"}
	one, two := testAsset("/1", 1), testAsset("/2", 2)
	one.Component, two.Component = &at, &at
	one.Uploader, one.UploaderIP, two.Uploader = "ann", "192.0.2.1", ""
	put(t, tree, one, PutOptions{})
	put(t, tree, two, PutOptions{ComponentAttributes: map[string]string{"packaging": "jar"}})
	again := *one
	again.Blob.Hash[0]++
	again.BlobCreated = again.BlobCreated.Add(time.Hour)
	put(t, tree, &again, PutOptions{})
	for _, path := range []string{"/1", "/2"} {
		if err := tree.Delete(t.Context(), path); err != nil {
			t.Fatal(err)
		}
	}
	var got []string
	for _, change := range collect(t, tree.Changes(t.Context(), "")) {
		text := fmt.Sprintf("%s %s asset=%t created=%t by %s", change.Kind, change.Path, change.Asset == one.ID || change.Asset == two.ID, change.Created, change.Actor)
		if p := change.Component; p != nil {
			text += fmt.Sprintf(" component=%t %s %s", p.ID > 0, p.Change, coordString(&p.Coordinates))
		}
		got = append(got, strings.ReplaceAll(text, "\x00", ":"))
	}
	want := []string{
		"put /1 asset=true created=true by ann/192.0.2.1 component=true created g:a:1",
		"put /2 asset=true created=true by jane component=true updated g:a:1",
		"put /1 asset=true created=false by ann/192.0.2.1",
		"delete /1 asset=true created=false by jane",
		"delete /2 asset=true created=false by jane component=true deleted g:a:1",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

// FuzzChange reads rows of the feed as they may be after damage, and as an earlier version wrote them.
func FuzzChange(f *testing.F) {
	whole := Change{Path: "/a", Asset: 7, Created: true, Actor: "ann", Component: &ChangedComponent{Coordinates{"g", "a", "1"}, 9, ComponentDeleted}}
	f.Add(whole.encode())
	f.Add([]byte("\x01p/a"))
	f.Add([]byte("\x01d/a\x00\xff\xff"))
	f.Fuzz(func(t *testing.T, value []byte) {
		c, err := changeOfRow(&kv.Entry{Sort: "12345678", Value: value})
		if err != nil {
			return
		}
		back, err := changeOfRow(&kv.Entry{Sort: "12345678", Value: c.encode()})
		if d := cmp.Diff(c, back); err != nil || d != "" {
			t.Errorf("%v %s", err, d)
		}
	})
}
