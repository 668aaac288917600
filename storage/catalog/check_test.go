package catalog

import (
	"slices"
	"strings"
	"testing"

	"entrepot/storage/kv"
	"entrepot/storage/kv/memory"
)

// checkFixture is a store with one of everything.
func checkFixture(t *testing.T) (*kv.Store, *Catalog) {
	store := kv.New(memory.New())
	c := New(store, nil)
	t.Cleanup(func() {
		c.Close()
		store.Close()
	})
	for i := range 12 {
		put(t, c.Content("maven"), libraryAsset(i), PutOptions{})
	}
	hung := testAsset("/packages/x", 1)
	hung.Browse = "/x/1/x"
	put(t, c.Content("pypi"), hung, PutOptions{})
	put(t, c.Content("pypi"), testAsset("/y", 1), PutOptions{})
	put(t, c.Content("pypi"), testAsset("/"+strings.Repeat("l", 2000), 1), PutOptions{})
	return store, c
}

func problems(t *testing.T, c *Catalog) (found []string) {
	for p, err := range c.Check(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		found = append(found, p.String())
	}
	return found
}

// checkedRows are all rows that the check must vouch for.
func checkedRows(t *testing.T, store *kv.Store) map[kv.Key]kv.Entry {
	partitions := []string{registryPartition, checksumPartition, storeUsagePartition, blobPartition("default")}
	for _, content := range []string{"maven", "pypi"} {
		p := newPartitions(content)
		partitions = append(partitions, slices.DeleteFunc(p.all(), func(name string) bool { return name == p.feed })...)
	}
	rows := make(map[kv.Key]kv.Entry)
	for _, partition := range partitions {
		for _, e := range collect(t, store.Scan(t.Context(), partition, kv.Range{})) {
			rows[kv.Key{Partition: partition, Sort: e.Sort}] = e
		}
	}
	return rows
}

// TestCheckFindsEveryDamage removes each row, counts each counter up, and doubles each other row under a neighbouring key.
func TestCheckFindsEveryDamage(t *testing.T) {
	store, c := checkFixture(t)
	mustCheck(t, c)
	rows := checkedRows(t, store)
	if len(rows) < 110 {
		t.Fatalf("only %d rows", len(rows))
	}
	for key, e := range rows {
		restore := kv.Put(key, e.Value)
		damages := map[string][2]kv.Op{
			"removed": {kv.Delete(key), restore},
		}
		if e.IsCount {
			damages["removed"] = [2]kv.Op{kv.Add(key, -e.Counter), kv.Add(key, e.Counter)}
			damages["counted up"] = [2]kv.Op{kv.Add(key, 1), kv.Add(key, -1)}
		}
		extra := kv.Key{Partition: key.Partition, Sort: key.Sort[:len(key.Sort)-1] + "\x7f"}
		if _, taken := rows[extra]; !taken && !e.IsCount && key.Partition != registryPartition {
			damages["doubled"] = [2]kv.Op{kv.Put(extra, e.Value), kv.Delete(extra)}
		}
		for name, damage := range damages {
			if err := store.Apply(t.Context(), damage[0]); err != nil {
				t.Fatal(err)
			}
			if len(problems(t, c)) == 0 {
				t.Errorf("%s unnoticed: %q/%q", name, key.Partition, key.Sort)
			}
			if err := store.Apply(t.Context(), damage[1]); err != nil {
				t.Fatal(err)
			}
		}
	}
	mustCheck(t, c)
}

func TestCheckFindsDamagedRecords(t *testing.T) {
	store, c := checkFixture(t)
	for key, e := range checkedRows(t, store) {
		if e.IsCount || len(e.Value) == 0 || key.Partition == registryPartition {
			continue
		}
		if err := store.Apply(t.Context(), kv.Put(key, append([]byte{0xff}, e.Value...))); err != nil {
			t.Fatal(err)
		}
		if len(problems(t, c)) == 0 {
			t.Errorf("unnoticed: %q/%q", key.Partition, key.Sort)
		}
		if err := store.Apply(t.Context(), kv.Put(key, e.Value)); err != nil {
			t.Fatal(err)
		}
	}
}

func TestCheckCanBeLeft(t *testing.T) {
	store, c := checkFixture(t)
	for key, e := range checkedRows(t, store) {
		if e.IsCount {
			if err := store.Apply(t.Context(), kv.Add(key, 1)); err != nil {
				t.Fatal(err)
			}
		}
	}
	for range c.Check(t.Context()) {
		break
	}
	if found := problems(t, c); len(found) < 10 {
		t.Errorf("only %d problems", len(found))
	}
}

// TestCheckOfOneTree finds what is wrong in a tree, and only there.
func TestCheckOfOneTree(t *testing.T) {
	store, c := checkFixture(t)
	lost := collect(t, store.Scan(t.Context(), newPartitions("maven").components, kv.Range{}))[0]
	if err := store.Apply(t.Context(), kv.Delete(kv.Key{Partition: newPartitions("maven").components, Sort: lost.Sort})); err != nil {
		t.Fatal(err)
	}
	for content, want := range map[string]bool{"maven": true, "pypi": false} {
		found := false
		for p, err := range c.Content(content).Check(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			found = true
			if p.Content != content {
				t.Errorf("problem of another tree: %s", p)
			}
		}
		if found != want {
			t.Errorf("%s: problems found: %v", content, found)
		}
	}
}
