package archive_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"entrepot/storage/archive"
	"entrepot/storage/blob"
	blobmemory "entrepot/storage/blob/memory"
	"entrepot/storage/catalog"
	"entrepot/storage/kv"
	"entrepot/storage/kv/memory"

	"go.uber.org/goleak"
)

// rotten is a blob driver whose bytes can be spoilt.
type rotten struct {
	blob.Driver
	spoilt map[blob.Hash]bool
	broken error // of all opens, when set
}

func (r *rotten) Open(ctx context.Context, h blob.Hash) (blob.Object, error) {
	o, err := r.Driver.Open(ctx, h)
	if err != nil || r.broken != nil {
		return nil, errors.Join(err, r.broken)
	}
	if r.spoilt[h] {
		return spoiltObject{o}, nil
	}
	return o, nil
}

type spoiltObject struct{ blob.Object }

func (o spoiltObject) ReadAt(p []byte, off int64) (int, error) {
	n, err := o.Object.ReadAt(p, off)
	if n > 0 {
		p[0] ^= 1
	}
	return n, err
}

// house is a catalog with ten assets in a blob store.
type house struct {
	driver  *rotten
	store   *blob.Store
	catalog *catalog.Catalog
	hashes  []blob.Hash
	bytes   int64
}

func newHouse(t *testing.T) *house {
	t.Helper()
	h := &house{driver: &rotten{Driver: blobmemory.New(nil), spoilt: make(map[blob.Hash]bool)}}
	h.store = blob.New("default", h.driver, nil)
	h.catalog = catalog.New(kv.New(memory.New()), nil)
	t.Cleanup(func() {
		if err := h.catalog.Close(); err != nil {
			t.Error(err)
		}
	})
	for i := range 10 {
		h.put(t, i, "default")
	}
	return h
}

// put stores a blob and records it as one of a blob store.
func (h *house) put(t *testing.T, i int, store string) {
	t.Helper()
	w, err := h.store.Create(t.Context(), blob.WriteOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(w, strings.Repeat(fmt.Sprint("content ", i, " "), 1+i*50)); err != nil {
		t.Fatal(err)
	}
	info, err := w.Commit(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	asset := &catalog.Asset{Path: fmt.Sprintf("/file%d", i), Blob: catalog.BlobRef{Store: store, Hash: info.Hash}, Size: info.Size, Digests: info.Digests}
	if err := h.catalog.Content("raw").Put(t.Context(), asset, catalog.PutOptions{}); err != nil {
		t.Fatal(err)
	}
	h.hashes = append(h.hashes, info.Hash)
	h.bytes += info.Size
}

func (h *house) verify(ctx context.Context) (result archive.Result, problems []string, err error) {
	result, err = archive.Verify(ctx, archive.Verification{
		Catalog: h.catalog, Stores: []*blob.Store{h.store}, Workers: 3,
		Problem: func(p archive.Problem) { problems = append(problems, p.String()) },
	})
	slices.Sort(problems)
	return result, problems, err
}

func TestSoundHouse(t *testing.T) {
	h := newHouse(t)
	var found, read [2]int64
	result, err := archive.Verify(t.Context(), archive.Verification{
		Catalog: h.catalog, Stores: []*blob.Store{h.store},
		Found: func(blobs, bytes int64) { found = [2]int64{blobs, bytes} },
		Read:  func(blobs, bytes int64) { read[0] += blobs; read[1] += bytes },
	})
	if want := (archive.Result{Blobs: 10, Bytes: h.bytes}); err != nil || result != want {
		t.Errorf("Verify = %+v, %v; want %+v", result, err, want)
	}
	if want := [2]int64{10, h.bytes}; found != want || read != want {
		t.Errorf("found %v, read %v; want %v", found, read, want)
	}
}

func TestProblems(t *testing.T) {
	tests := []struct {
		name  string
		spoil func(*testing.T, *house)
		want  []string // pieces of the problems, in order
	}{
		{"missing blob", func(t *testing.T, h *house) {
			if err := h.store.Delete(t.Context(), h.hashes[3]); err != nil {
				t.Fatal(err)
			}
		}, []string{"is missing, but recorded (content of /file3)"}},
		{"spoilt blobs", func(t *testing.T, h *house) {
			h.driver.spoilt[h.hashes[4]] = true
			h.driver.spoilt[h.hashes[5]] = true
		}, []string{"blob store default, blob ", "blob store default, blob "}},
		{"unknown blob store", func(t *testing.T, h *house) { h.put(t, 20, "gone") },
			[]string{"blob store gone: does not exist, but 1 blobs are recorded to be in it"}},
		{"wrong size", func(t *testing.T, h *house) {
			asset := &catalog.Asset{Path: "/liar", Blob: catalog.BlobRef{Store: "default", Hash: h.hashes[9]}, Size: 5}
			asset.Digests = blob.Digests{SHA1: strings.Repeat("0", 40), SHA256: strings.Repeat("0", 64)}
			tree := h.catalog.Content("raw")
			if err := tree.Delete(t.Context(), "/file9"); err != nil {
				t.Fatal(err)
			}
			if err := tree.Put(t.Context(), asset, catalog.PutOptions{}); err != nil {
				t.Fatal(err)
			}
		}, []string{"recorded are 5 (content of /liar)"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := newHouse(t)
			tt.spoil(t, h)
			result, problems, err := h.verify(t.Context())
			if err != nil || len(problems) != len(tt.want) || result.Problems != int64(len(tt.want)) {
				t.Fatalf("Verify = %+v, %v; problems %q", result, err, problems)
			}
			for i, want := range tt.want {
				if !strings.Contains(problems[i], want) {
					t.Errorf("problem %q does not say %q", problems[i], want)
				}
			}
		})
	}
}

func TestUnreadableStore(t *testing.T) {
	h := newHouse(t)
	h.driver.broken = errors.New("disk on fire")
	result, problems, err := h.verify(t.Context())
	if err != nil || result.Problems != 10 || !strings.Contains(problems[0], "disk on fire") {
		t.Errorf("Verify = %+v, %v; %q", result, err, problems)
	}
}

func TestCancelledVerify(t *testing.T) {
	h := newHouse(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := h.verify(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Verify = %v", err)
	}
}

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
