package leveldb

import (
	"strings"
	"testing"

	"github.com/syndtr/goleveldb/leveldb/storage"

	"entrepot/storage/kv"
)

// TestCacheGrowsWithTheDatabase counts the tables as they come and go, and again at the next start.
func TestCacheGrowsWithTheDatabase(t *testing.T) {
	dir := t.TempDir()
	check := func(d *Driver, want int) {
		t.Helper()
		files := d.index.files
		found, err := files.List(storage.TypeTable)
		if err != nil {
			t.Fatal(err)
		}
		files.mu.Lock()
		defer files.mu.Unlock()
		if files.count != len(found) || len(found) == 0 {
			t.Errorf("%d tables counted, %d found", files.count, len(found))
		}
		if got := files.blocks.Capacity(); got != want {
			t.Errorf("room for %d bytes, want %d", got, want)
		}
	}
	d, store := openStore(t, dir, &Options{WriteBufferBytes: 16 << 10})
	for i := range 200 {
		if err := store.Apply(t.Context(), kv.Put(testKey(i), []byte(strings.Repeat("x", 1024)))); err != nil {
			t.Fatal(err)
		}
	}
	if err := d.index.flush(); err != nil {
		t.Fatal(err)
	}
	check(d, leastCache)
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	d, _ = openStore(t, dir, &Options{CacheBytes: 2 << 20})
	check(d, 2<<20)
	d.index.files.counted(leastCache / cachePerTable)
	d.index.files.most = 32 << 20
	d.index.files.counted(0)
	if got := d.index.files.blocks.Capacity(); got <= leastCache {
		t.Errorf("room for %d bytes with many tables", got)
	}
}
