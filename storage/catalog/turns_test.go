package catalog

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"entrepot/storage/kv"
	"entrepot/storage/kv/memory"
)

// deferSome puts deferred assets into a tree, each of a blob of its own so that no write is tried again. They have a checksum in common.
func deferSome(t *testing.T, tree *Content, from, n int) {
	t.Helper()
	for i := range n {
		a := testAsset(fmt.Sprintf("/dir%d/%d", i%7, i), from+i)
		a.Digests.MD5 = sharedMD5
		must(t, tree.Defer(t.Context(), a, PutOptions{}))
	}
}

const sharedMD5 = "0123456789abcdef0123456789abcdef"

// completes tells whether a batch makes an asset of a tree whole.
func completes(ops []kv.Op, tree *Content) bool {
	for _, op := range ops {
		if op.Key.Partition == tree.parts.deferred && op.Kind == kv.OpDelete {
			return true
		}
	}
	return false
}

// eventually polls until something is so.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !is(); {
		if time.Now().After(deadline) {
			t.Fatalf("%s does not happen", what)
		}
	}
}

// TestWaitersGoFirst lists a small tree while a large one becomes whole in the background: the large one waits meanwhile.
func TestWaitersGoFirst(t *testing.T) {
	driver := watch(memory.New())
	c := New(kv.New(driver), nil)
	defer func() { must(t, c.Close()) }()
	big, small := c.Content("big"), c.Content("small")
	deferSome(t, big, 1, 800)
	deferSome(t, small, 1001, 200)
	var done, smallDone, before, after atomic.Int64
	reached := make(chan struct{})
	driver.before = func(ops []kv.Op) {
		if completes(ops, big) && done.Add(1) == 10 {
			close(reached)
		}
		if completes(ops, small) {
			switch smallDone.Add(1) {
			case 1:
				before.Store(done.Load())
			case 200:
				after.Store(done.Load())
			}
		}
	}
	ended := make(chan error, 1)
	go func() { ended <- c.Complete(t.Context(), nil) }()
	<-reached
	if n := len(collect(t, small.Assets(t.Context(), ""))); n != 200 {
		t.Errorf("%d assets", n)
	}
	if during := after.Load() - before.Load(); during > 2*completers { // those that were begun
		t.Errorf("of the large tree %d assets became whole while somebody waited for the small one", during)
	}
	must(t, <-ended)
	for _, tree := range []*Content{big, small} {
		if whole, err := tree.IsWhole(t.Context()); err != nil || !whole {
			t.Errorf("%s: %v, %v", tree.ID(), whole, err)
		}
	}
	mustCheck(t, c)
}

// TestWaitersDoNotWaitForOthers lists and searches one tree while another cannot become whole at all, though somebody waits for it.
func TestWaitersDoNotWaitForOthers(t *testing.T) {
	driver := watch(memory.New())
	c := New(kv.New(driver), nil)
	defer func() { must(t, c.Close()) }()
	stuck, free := c.Content("a-stuck"), c.Content("free")
	deferSome(t, stuck, 1, 5)
	deferSome(t, free, 1001, 300)
	blocked, release := atomic.Int64{}, make(chan struct{})
	driver.before = func(ops []kv.Op) {
		if completes(ops, stuck) {
			blocked.Add(1)
			<-release
		}
	}
	var wg sync.WaitGroup
	wg.Go(func() { collect(t, stuck.Assets(t.Context(), "")) })
	eventually(t, "the stuck tree's completion", func() bool { return blocked.Load() > 0 })
	ctx, cancel := context.WithCancel(t.Context())
	wg.Go(func() { // holds the free tree, and lets the other go first
		if err := free.Complete(Patient(ctx), nil); err != nil && !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
	eventually(t, "the patient one to hold the tree", func() bool {
		held := !free.deferred.completing.TryLock()
		if !held {
			free.deferred.completing.Unlock()
		}
		return held
	})
	if n := len(collect(t, free.Assets(t.Context(), ""))); n != 300 {
		t.Errorf("%d assets", n)
	}
	if n := len(collect(t, c.ByChecksumIn(t.Context(), []string{"free"}, "md5", sharedMD5))); n != 300 {
		t.Errorf("%d assets of a checksum", n)
	}
	if n := len(collect(t, free.ByChecksum(t.Context(), "md5", sharedMD5))); n != 300 {
		t.Errorf("%d assets of a checksum in the tree", n)
	}
	cancel()
	close(release)
	wg.Wait()
}
