package search

import (
	"slices"
	"testing"

	"entrepot/storage/kv"
)

// TestRebuild loses rows of the index and makes it anew.
func TestRebuild(t *testing.T) {
	f := newFixture(t)
	q := Query{Places: f.places[:1], Criteria: []Criterion{{Text, "core"}}}
	want := f.find(t, q)
	if len(want) == 0 {
		t.Fatal("nothing is found")
	}
	p := partitionsOf("m-1")
	for _, partition := range p.all() {
		for e, err := range f.index.store.Scan(t.Context(), partition, kv.Range{}) {
			if err == nil {
				err = f.index.store.Apply(t.Context(), kv.Delete(kv.Key{Partition: partition, Sort: e.Sort}))
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	if got := f.find(t, q); len(got) != 0 {
		t.Fatalf("found without an index: %q", got)
	}
	looked := int64(0)
	if err := f.index.Rebuild(t.Context(), "m-1", func(n int64) { looked += n }); err != nil {
		t.Fatal(err)
	}
	if got := f.find(t, q); !slices.Equal(got, want) {
		t.Errorf("got %q; want %q", got, want)
	}
	if looked == 0 {
		t.Error("nobody heard of progress")
	}
}
