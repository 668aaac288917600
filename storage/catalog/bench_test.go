package catalog

import (
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"entrepot/storage/blob"
	"entrepot/storage/kv"
	"entrepot/storage/kv/leveldb"
)

// libraryAsset is the n-th of many assets as a Maven repository has them: five assets to a version, ten versions to a library.
func libraryAsset(n int) *Asset {
	version, library := n/5, n/50
	c := &Coordinates{Group: fmt.Sprintf("org.acme.team%d", library%100), Name: fmt.Sprintf("library-%d", library), Version: fmt.Sprintf("1.%d", version%10)}
	file := fmt.Sprintf("%s-%s.%s", c.Name, c.Version, []string{"jar", "pom", "jar.sha1", "pom.sha1", "module"}[n%5])
	var hash blob.Hash
	binary.BigEndian.PutUint64(hash[:], uint64(n)*0x9e3779b97f4a7c15)
	binary.BigEndian.PutUint64(hash[24:], uint64(n)+1)
	return &Asset{
		Path:      fmt.Sprintf("/org/acme/team%d/%s/%s/%s", library%100, c.Name, c.Version, file),
		Kind:      "artifact",
		Component: c, Blob: BlobRef{Store: "default", Hash: hash}, Size: 1024,
		Digests:     blob.Digests{SHA1: fmt.Sprintf("%016x%024x", hash[:8], n), SHA256: hash.String()},
		ContentType: "application/java-archive", Uploader: "deployer", UploaderIP: "10.0.0.1",
		Format: map[string]string{"groupId": c.Group, "artifactId": c.Name, "version": c.Version, "extension": "jar"},
	}
}

// diskCatalog is a catalog on a disk, with a number of assets.
func diskCatalog(b *testing.B, opts *Options, count int) *Content {
	b.Helper()
	driver, err := leveldb.Open(b.TempDir(), nil)
	if err != nil {
		b.Fatal(err)
	}
	store := kv.New(driver)
	c := New(store, opts)
	b.Cleanup(func() {
		if err := errors.Join(c.Close(), store.Close()); err != nil {
			b.Errorf("close: %v", err)
		}
	})
	t := c.Content("maven")
	var next atomic.Int64
	var wg sync.WaitGroup
	for range 32 {
		wg.Go(func() {
			for n := next.Add(1) - 1; n < int64(count); n = next.Add(1) - 1 {
				if err := t.Put(b.Context(), libraryAsset(int(n)), PutOptions{}); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	return t
}

// BenchmarkPut measures durable writes of 32 clients for each processor.
func BenchmarkPut(b *testing.B) {
	t := diskCatalog(b, nil, 0)
	var n atomic.Int64
	b.ReportAllocs()
	b.SetParallelism(32)
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if err := t.Put(b.Context(), libraryAsset(int(n.Add(1))), PutOptions{}); err != nil {
				b.Error(err)
			}
		}
	})
}

func BenchmarkGet(b *testing.B) {
	const count = 10_000
	run := func(name string, opts *Options, suffix string) {
		b.Run(name, func(b *testing.B) {
			t := diskCatalog(b, opts, count)
			paths := make([]string, count)
			for i := range paths {
				paths[i] = libraryAsset(i).Path + suffix
			}
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				if _, err := t.Asset(b.Context(), paths[i%count]); (err != nil) != (suffix != "") {
					b.Fatal(err)
				}
				i++
			}
		})
	}
	run("hot", nil, "")
	run("hot absent", nil, ".asc")
	run("cold", &Options{CacheBytes: -1}, "")
	run("cold absent", &Options{CacheBytes: -1}, ".asc")
}

// BenchmarkBrowse lists one folder of a small and of a large repository.
func BenchmarkBrowse(b *testing.B) {
	for _, count := range []int{1_000, 100_000} {
		b.Run(fmt.Sprint(count), func(b *testing.B) {
			t := diskCatalog(b, nil, count)
			b.ReportAllocs()
			for b.Loop() {
				n := 0
				for _, err := range t.Browse(b.Context(), "/org/acme/team1/library-1/1.3", "", 0) {
					if err != nil {
						b.Fatal(err)
					}
					n++
				}
				if n != 5 {
					b.Fatalf("%d entries", n)
				}
			}
		})
	}
}

func BenchmarkDecodeAsset(b *testing.B) {
	record, err := encodeAsset(libraryAsset(1), false)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(len(record)), "record-bytes")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := decodeAsset(string(record)); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkTouch(b *testing.B) {
	t := diskCatalog(b, nil, 100)
	path := libraryAsset(1).Path
	if _, err := t.Asset(b.Context(), path); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		t.Touch(path, testTime)
	}
}
