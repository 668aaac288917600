package catalog

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
)

func (c *assetCache) totals() (entries int, bytes int64) {
	for i := range c.shards {
		entries += len(c.shards[i].entries)
		bytes += c.shards[i].bytes
	}
	return entries, bytes
}

func TestCacheIsBounded(t *testing.T) {
	c := newAssetCache(256 << 10)
	for i := range 10_000 {
		k := cacheKey{"raw", fmt.Sprintf("/%d", i)}
		a := testAsset(k.path, 1)
		if i%2 == 0 {
			a = nil
		}
		_, epoch := c.get(k)
		c.add(k, a, epoch)
	}
	huge := cacheKey{"raw", "/" + strings.Repeat("x", 100<<10)}
	c.add(huge, testAsset(huge.path, 1), 0)
	entries, bytes := c.totals()
	if bytes > 256<<10 || entries < 200 {
		t.Errorf("%d entries in %d bytes", entries, bytes)
	}
	counted := int64(0)
	for i := range c.shards {
		for e := c.shards[i].newest; e != nil; e = e.older {
			counted += e.size
		}
	}
	if counted != bytes {
		t.Errorf("%d bytes in the lists, %d noted", counted, bytes)
	}
	c.forgetContent("raw")
	if entries, bytes := c.totals(); entries != 0 || bytes != 0 {
		t.Errorf("%d entries in %d bytes are left", entries, bytes)
	}
}

// TestCacheKeepsWhatIsUsed reads some paths again and again while many others pass by once.
func TestCacheKeepsWhatIsUsed(t *testing.T) {
	c := newAssetCache(1 << 20)
	hits := 0
	for i := range 20_000 {
		for _, path := range []string{fmt.Sprintf("/hot%d", i%100), fmt.Sprintf("/once%d", i)} {
			k := cacheKey{"raw", path}
			e, epoch := c.get(k)
			if e == nil {
				c.add(k, testAsset(path, 1), epoch)
			} else {
				hits++
			}
		}
	}
	if hits < 19_000 {
		t.Errorf("%d hits of 19900", hits)
	}
}

func TestCacheRefusesWhatAWriteOvertook(t *testing.T) {
	c := newAssetCache(1 << 20)
	k := cacheKey{"raw", "/a"}
	_, epoch := c.get(k)
	c.forget(k) // the write
	c.add(k, testAsset("/a", 1), epoch)
	if e, _ := c.get(k); e != nil {
		t.Error("an old record got in after a write")
	}
}

// TestCacheIsCoherent reads a path while it is replaced and removed: a reader never goes back in time.
func TestCacheIsCoherent(t *testing.T) {
	c := newCatalog(t, nil)
	tree := c.Content("raw")
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if _, err := tree.Asset(t.Context(), "/a"); err != nil && !errors.Is(err, ErrNotFound) {
					t.Error(err)
					return
				}
			}
		})
	}
	for i := range 300 {
		put(t, tree, testAsset("/a", i+1), PutOptions{})
		if a, err := tree.Asset(t.Context(), "/a"); err != nil || a.Size != int64(i+1)*100 {
			t.Errorf("after put %d: %+v, %v", i, a, err)
		}
		if i%2 == 0 {
			if err := tree.Delete(t.Context(), "/a"); err != nil {
				t.Error(err)
			}
			if _, err := tree.Asset(t.Context(), "/a"); !errors.Is(err, ErrNotFound) {
				t.Errorf("after delete %d: %v", i, err)
			}
		}
	}
	close(stop)
	wg.Wait()
}
