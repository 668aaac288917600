package file_test

import (
	"crypto/sha1"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/zeebo/blake3"

	"entrepot/storage/blob"
	"entrepot/storage/blob/blobtest"
)

// BenchmarkPut measures the durable write path beside a small program that writes, hashes and syncs in one pass and does no more:
// "plain" does not sync the name, checks for nothing and keeps no order. Compare the rates of one run only. Nothing is deleted before
// the end, because ext4 looks for free inodes far longer for some minutes after many files were deleted.
func BenchmarkPut(b *testing.B) {
	root := b.TempDir()
	for _, c := range []struct {
		size, writers int
	}{{1 << 10, 16}, {16 << 10, 16}, {64 << 10, 16}, {256 << 10, 8}, {1 << 20, 8}, {256 << 20, 1}} {
		name := fmt.Sprintf("%dKiB-x%d", c.size>>10, c.writers)
		body := blobtest.Body(c.size, 1)
		b.Run(name+"/store", func(b *testing.B) {
			store := blob.New("bench", open(b, benchFolder(b, root)), nil)
			putAll(b, c.writers, body, func(r io.Reader) error { return putStore(b, store, r, int64(c.size)) })
		})
		b.Run(name+"/plain", func(b *testing.B) {
			dir := benchFolder(b, root)
			var n atomic.Int64
			putAll(b, c.writers, body, func(r io.Reader) error {
				return putPlain(filepath.Join(dir, fmt.Sprint(n.Add(1))), r)
			})
		})
	}
}

func benchFolder(b *testing.B, root string) string {
	b.Helper()
	dir, err := os.MkdirTemp(root, "")
	if err != nil {
		b.Fatal(err)
	}
	return dir
}

// putAll has b.N bodies, each different from the others, put by several writers.
func putAll(b *testing.B, writers int, body []byte, put func(io.Reader) error) {
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	var next atomic.Int64
	var wg sync.WaitGroup
	b.ResetTimer()
	for range writers {
		wg.Go(func() {
			for i := next.Add(1); i <= int64(b.N); i = next.Add(1) {
				if err := put(&benchBody{head: binary.LittleEndian.AppendUint64(nil, uint64(i)), rest: body[8:]}); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "puts/s")
}

// benchBody is a head followed by the rest, without an allocation of its own for every read.
type benchBody struct{ head, rest []byte }

func (r *benchBody) Read(p []byte) (int, error) {
	n := copy(p, r.head)
	r.head = r.head[n:]
	m := copy(p[n:], r.rest)
	r.rest = r.rest[m:]
	if n+m == 0 {
		return 0, io.EOF
	}
	return n + m, nil
}

func putStore(b *testing.B, store *blob.Store, r io.Reader, size int64) error {
	w, err := store.Create(b.Context(), blob.WriteOptions{Size: size})
	if err != nil {
		return err
	}
	defer w.Discard()
	if _, err := w.ReadFrom(r); err != nil {
		return err
	}
	_, err = w.Commit(b.Context())
	return err
}

func putPlain(name string, r io.Reader) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	defer f.Close()
	b3, s256, s1 := blake3.New(), sha256.New(), sha1.New()
	buf := make([]byte, 64<<10)
	if _, err := io.CopyBuffer(io.MultiWriter(f, b3, s256, s1), r, buf); err != nil {
		return err
	}
	b3.Sum(nil)
	s256.Sum(nil)
	s1.Sum(nil)
	return f.Sync()
}
