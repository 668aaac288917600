package leveldb_test

import (
	"fmt"
	"strconv"
	"sync/atomic"
	"testing"

	"entrepot/storage/kv"
	"entrepot/storage/kv/leveldb"
)

// BenchmarkApply measures durable batches of the size that one asset makes, with several writers.
func BenchmarkApply(b *testing.B) {
	for _, writers := range []int{1, 16, 64} {
		b.Run(strconv.Itoa(writers), func(b *testing.B) {
			driver := open(b, b.TempDir(), nil)
			store := kv.New(driver)
			value := make([]byte, 160)
			var number atomic.Int64
			b.SetParallelism(max(1, writers/2)) // times GOMAXPROCS
			b.ReportAllocs()
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					n := number.Add(1)
					sort := fmt.Sprintf("/org/acme/lib%d/1.%d/lib", n%1000, n)
					if err := store.Apply(b.Context(),
						kv.PutNew(kv.Key{Partition: "asset/maven-releases", Sort: sort}, value),
						kv.Put(kv.Key{Partition: "component/maven-releases", Sort: sort}, value[:60]),
						kv.Put(kv.Key{Partition: "browse/maven-releases", Sort: sort}, value[:20]),
						kv.Add(kv.Key{Partition: "usage", Sort: "maven-releases"}, 1),
					); err != nil {
						b.Fatal(err)
					}
				}
			})
			b.StopTimer()
			stats, err := driver.Stats()
			if err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "batches/s")
			b.ReportMetric(float64(stats.Batches)/float64(stats.Groups), "batches/sync")
		})
	}
}

// BenchmarkGet reads rows that lie in tables, in random order, and rows that do not exist.
func BenchmarkGet(b *testing.B) {
	const rows = 200_000
	driver := open(b, b.TempDir(), &leveldb.Options{WriteBufferBytes: 1 << 20})
	store := kv.New(driver)
	ops := make([]kv.Op, 0, kv.MaxBatch)
	for i := range rows {
		ops = append(ops, kv.Put(benchKey(i), make([]byte, 160)))
		if len(ops) == cap(ops) {
			if err := store.Apply(b.Context(), ops...); err != nil {
				b.Fatal(err)
			}
			ops = ops[:0]
		}
	}
	b.Run("present", func(b *testing.B) {
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			if _, err := store.Get(b.Context(), benchKey(i*7919%rows)); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("absent", func(b *testing.B) {
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			if _, err := store.Get(b.Context(), benchKey(rows+i)); err == nil {
				b.Fatal("an absent row was found")
			}
		}
	})
}

// BenchmarkScan reads a hundred rows that lie together.
func BenchmarkScan(b *testing.B) {
	store := kv.New(open(b, b.TempDir(), nil))
	for i := range 1000 {
		if err := store.Apply(b.Context(), kv.Put(benchKey(i), make([]byte, 160))); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportAllocs()
	for b.Loop() {
		for _, err := range store.Scan(b.Context(), benchKey(0).Partition, kv.Range{From: benchKey(300).Sort, Limit: 100}) {
			if err != nil {
				b.Fatal(err)
			}
		}
	}
}

func benchKey(i int) kv.Key {
	return kv.Key{Partition: "asset/maven-releases", Sort: fmt.Sprintf("/org/acme/lib%05d/1.0/lib-1.0.jar", i)}
}
