package memory_test

import (
	"testing"

	"entrepot/storage/kv"
	"entrepot/storage/kv/kvtest"
	"entrepot/storage/kv/memory"
)

func TestSuite(t *testing.T) {
	open := func(testing.TB) kv.Driver { return memory.New() }
	kvtest.Run(t, open)
	kvtest.RunSnapshots(t, open)
}

func BenchmarkScanPrefix(b *testing.B) {
	store := kv.New(memory.New())
	for i := range 100_000 {
		sort := string([]byte{byte(i), byte(i >> 8), byte(i >> 16)})
		if err := store.Apply(b.Context(), kv.Put(kv.Key{Partition: "p", Sort: sort}, nil)); err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		for _, err := range store.Scan(b.Context(), "p", kv.Range{From: "\x80", Limit: 10}) {
			if err != nil {
				b.Fatal(err)
			}
		}
	}
}
