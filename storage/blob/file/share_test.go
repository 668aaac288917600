package file_test

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/zeebo/blake3"

	"entrepot/storage/blob"
	"entrepot/storage/blob/blobtest"
)

// TestTakeFile takes files in, as a copy and by their name, and wants the blob and the file whole in each case.
func TestTakeFile(t *testing.T) {
	for _, tt := range []struct {
		name   string
		size   int
		link   bool
		names  int // of the file
		linked bool
	}{
		{name: "copy", size: 300_000, names: 1},
		{name: "empty", size: 0, link: true, names: 1},
		{name: "small", size: 1000, link: true, names: 1},
		{name: "link", size: 2_000_000, link: true, names: 1, linked: true},
		{name: "shared with somebody", size: 300_000, link: true, names: 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			d := open(t, filepath.Join(dir, "store"))
			store := blob.New("test", d, nil)
			body, name := blobtest.Body(tt.size, 1), filepath.Join(dir, "old")
			must(t, os.WriteFile(name, body, 0o644))
			if tt.names > 1 {
				must(t, os.Link(name, name+".2"))
			}
			h := takeFile(t, store, name, blob.FileOptions{Link: tt.link})
			if h != blob.Hash(blake3.Sum256(body)) {
				t.Errorf("the name is %s", h)
			}
			before, err := os.Stat(name)
			must(t, err)
			object, err := store.Open(t.Context(), h)
			must(t, err)
			defer object.Close()
			after, err := object.(interface{ File() *os.File }).File().Stat()
			must(t, err)
			if os.SameFile(before, after) != tt.linked {
				t.Errorf("the same file: %v", !tt.linked)
			}
			must(t, os.Remove(name))
			if info, err := store.Verify(t.Context(), h); err != nil || info.Size != int64(tt.size) {
				t.Errorf("once the file is gone: %+v, %v", info, err)
			}
		})
	}
}

// TestTakeFileDiscarded wants a file untouched whose bytes were not wanted after all.
func TestTakeFileDiscarded(t *testing.T) {
	dir := t.TempDir()
	store := blob.New("test", open(t, filepath.Join(dir, "store")), nil)
	body, name := blobtest.Body(100_000, 1), filepath.Join(dir, "old")
	must(t, os.WriteFile(name, body, 0o644))
	f, err := os.Open(name)
	must(t, err)
	defer f.Close()
	w, err := store.Create(t.Context(), blob.WriteOptions{})
	must(t, err)
	passed := 0
	n, err := w.TakeFile(f, blob.FileOptions{Link: true, Through: func(r io.Reader) io.Reader {
		return readerFunc(func(p []byte) (int, error) {
			n, err := r.Read(p)
			passed += n
			return n, err
		})
	}})
	if err != nil || n != int64(len(body)) || passed != len(body) {
		t.Errorf("took %d bytes, %d of them passed: %v", n, passed, err)
	}
	w.Discard()
	if got, err := os.ReadFile(name); err != nil || !bytes.Equal(got, body) {
		t.Errorf("the file is %d bytes now, %v", len(got), err)
	}
	if left, err := os.ReadDir(filepath.Join(dir, "store", "tmp")); err != nil || len(left) > 0 {
		t.Errorf("left in tmp: %v, %v", left, err)
	}
}

func takeFile(t *testing.T, store *blob.Store, name string, opts blob.FileOptions) blob.Hash {
	t.Helper()
	f, err := os.Open(name)
	must(t, err)
	defer f.Close()
	w, err := store.Create(t.Context(), blob.WriteOptions{})
	must(t, err)
	defer w.Discard()
	_, err = w.TakeFile(f, opts)
	must(t, err)
	info, err := w.Commit(t.Context())
	must(t, err)
	return info.Hash
}

type readerFunc func(p []byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
