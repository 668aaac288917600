package adopt

import (
	"bytes"
	"context"
	"crypto/sha1"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"go.uber.org/goleak"

	"entrepot/app/apptest"
	"entrepot/app/domains"
	"entrepot/app/repository"
	"entrepot/formats"
	"entrepot/migrate/blobs"
	"entrepot/storage/blob"
	"entrepot/storage/catalog"
	"entrepot/storage/kv"
	kvmemory "entrepot/storage/kv/memory"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const someID = "0c89ccf4-ec5b-44a8-83b2-d08df2599c6e"

func TestNameOf(t *testing.T) {
	sum := fmt.Sprintf("%x", sha1.Sum(nil))
	for _, created := range []time.Time{{}, time.Date(2025, 9, 14, 8, 31, 0, 0, time.UTC)} {
		h, ok := NameOf(someID, created, sum)
		id, at, valid := place(h)
		if !ok || !valid || id != someID || !at.Equal(created) || fmt.Sprintf("%x", h[sumAt:]) != sum[:2*sumBytes] {
			t.Errorf("%v: %v %s %v %v", created, ok, id, at, valid)
		}
	}
	for _, bad := range []struct {
		id, sum string
		created time.Time
	}{
		{"short", sum, time.Time{}}, {strings.ToUpper(someID), sum, time.Time{}}, {someID, "", time.Time{}}, {someID, sum[2:], time.Time{}},
		{someID, sum, time.Date(1960, 1, 1, 0, 0, 0, 0, time.UTC)}, {someID, sum, time.Date(2025, 1, 1, 0, 0, 1, 0, time.UTC)},
	} {
		if _, ok := NameOf(bad.id, bad.created, bad.sum); ok {
			t.Errorf("%+v has a name", bad)
		}
	}
	if _, _, ok := place(blob.Hash{}); ok {
		t.Error("the zero hash is a name")
	}
}

// folder is a blob store of an old server.
type folder struct {
	t   *testing.T
	dir string
}

func newFolder(t *testing.T) folder {
	t.Helper()
	dir := t.TempDir()
	must(t, os.Mkdir(filepath.Join(dir, "content"), 0o755))
	return folder{t, dir}
}

// put makes a blob of the old server, and gives its name and file.
func (f folder) put(body []byte) (blob.Hash, string) {
	f.t.Helper()
	id := uuid.NewString()
	name := filepath.Join(f.dir, "content", filepath.FromSlash(blobs.Location(id, time.Time{}))+".bytes")
	must(f.t, os.MkdirAll(filepath.Dir(name), 0o755))
	must(f.t, os.WriteFile(name, body, 0o644))
	h, ok := NameOf(id, time.Time{}, fmt.Sprintf("%x", sha1.Sum(body)))
	if !ok {
		f.t.Fatal("no name")
	}
	return h, name
}

func TestDriver(t *testing.T) {
	first, second := newFolder(t), newFolder(t)
	known := ""
	d := &driver{folders: []string{first.dir, second.dir}, damaged: func(context.Context, blob.Hash) (string, error) { return known, nil }}
	store := blob.New("adopted", d, nil)
	ctx := t.Context()
	for _, size := range []int{0, 10, checkUpTo, checkUpTo + 1} {
		body := bytes.Repeat([]byte("x"), size)
		h, name := second.put(body)
		object, err := store.Open(ctx, h)
		must(t, err)
		got, err := io.ReadAll(io.NewSectionReader(object, 0, object.Size()))
		if err != nil || !bytes.Equal(got, body) || object.Close() != nil {
			t.Errorf("%d bytes: read %d, %v", size, len(got), err)
		}
		if info, err := store.Verify(ctx, h); err != nil || info.Size != int64(size) {
			t.Errorf("verify %d bytes: %+v, %v", size, info, err)
		}
		if size == 0 {
			continue
		}
		must(t, os.WriteFile(name, append([]byte("y"), body[1:]...), 0o644))
		if _, err := store.Verify(ctx, h); !errors.Is(err, blob.ErrCorrupt) {
			t.Errorf("verify %d flipped bytes: %v", size, err)
		}
		_, err = store.Open(ctx, h)
		if (size <= checkUpTo) != errors.Is(err, blob.ErrCorrupt) {
			t.Errorf("open %d flipped bytes: %v", size, err)
		}
		known = "known to be damaged"
		if _, err := store.Open(ctx, h); !errors.Is(err, blob.ErrCorrupt) {
			t.Errorf("open %d bytes known to be flipped: %v", size, err)
		}
		known = ""
		must(t, os.Remove(name))
		if _, err := store.Stat(ctx, h); !errors.Is(err, blob.ErrNotFound) {
			t.Errorf("stat of %d missing bytes: %v", size, err)
		}
	}
	h, name := first.put([]byte("stays"))
	if err := store.Delete(ctx, h); !errors.Is(err, blob.ErrReadOnly) {
		t.Errorf("delete: %v", err)
	}
	if _, err := store.Create(ctx, blob.WriteOptions{}); !errors.Is(err, blob.ErrReadOnly) {
		t.Errorf("create: %v", err)
	}
	for _, err := range store.List(ctx, blob.Hash{}) {
		if !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("list: %v", err)
		}
	}
	if _, err := os.Stat(name); err != nil {
		t.Error(err)
	}
}

// bench is a server with one repository that adopts from a folder.
type bench struct {
	*Copier
	t      *testing.T
	old    folder
	engine *repository.Engine
	trees  *catalog.Catalog
}

func newBench(t *testing.T, opts Options) *bench {
	t.Helper()
	rows := kv.New(kvmemory.New())
	stores, err := Open(t.Context(), rows)
	must(t, err)
	s := apptest.New(t, func(o *domains.Options) { o.Store, o.Engine.Adopted = rows, stores.Blobs })
	must(t, s.Engine.Import(t.Context(), repository.Definition{
		Name: "files", Format: "raw", Kind: formats.Hosted, Online: true, BlobStore: "default", Write: repository.WriteAllow,
	}, "test"))
	b := &bench{NewCopier(s.Engine, s.Catalog, stores, opts), t, newFolder(t), s.Engine, s.Catalog}
	must(t, stores.Put(t.Context(), Store{Name: StoreName("o", "default"), Origin: "a test", Folders: []string{b.old.dir}}))
	return b
}

// adopt makes an asset of a blob in the folder, and gives the blob's file.
func (b *bench) adopt(path, body string) string {
	b.t.Helper()
	h, name := b.old.put([]byte(body))
	in := repository.Restored{
		Path: path, ContentType: "text/plain", Size: int64(len(body)), Digests: blob.Digests{SHA1: fmt.Sprintf("%x", sha1.Sum([]byte(body)))},
		BlobCreated: time.Date(2025, 1, 2, 3, 4, 5, 0, time.UTC),
	}
	_, err := b.engine.Adopt(b.t.Context(), "files", in, catalog.BlobRef{Store: StoreName("o", "default"), Hash: h})
	must(b.t, err)
	return name
}

func (b *bench) held(path string) *catalog.Asset {
	b.t.Helper()
	a, err := b.engine.Held(b.t.Context(), "files", path)
	must(b.t, err)
	return a
}

func (b *bench) status() Status {
	b.t.Helper()
	all, err := b.Status(b.t.Context())
	if err != nil || len(all) != 1 {
		b.t.Fatalf("status %+v, %v", all, err)
	}
	return all[0]
}

// TestPass copies what is good, names what is not, and ends when that is repaired.
func TestPass(t *testing.T) {
	b := newBench(t, Options{})
	ctx := t.Context()
	b.adopt("/a", "the same")
	b.adopt("/b", "the same")
	missing, short, flipped := b.adopt("/missing", "missing"), b.adopt("/short", "too short"), b.adopt("/flipped", "flipped")
	must(t, os.Remove(missing))
	must(t, os.WriteFile(short, []byte("too"), 0o644))
	must(t, os.WriteFile(flipped, []byte("flopped"), 0o644))
	before := *b.held("/a")
	var tried atomic.Int64
	must(t, b.Pass(ctx, StoreName("o", "default"), func(n, _ int64) { tried.Add(n) }))
	if s := b.status(); s.Blobs != 3 || s.Failures != 3 || !s.Finished.IsZero() || tried.Load() != 5 {
		t.Errorf("after the first pass: %+v, %d tried", s, tried.Load())
	}
	after := b.held("/a")
	if after.Blob.Store != "default" || after.Blob != b.held("/b").Blob || !after.BlobCreated.Equal(before.BlobCreated) ||
		after.Digests.SHA1 != before.Digests.SHA1 || after.Digests.SHA256 == "" {
		t.Errorf("the copied asset: %+v", after)
	}
	var failures []string
	for f, err := range b.Stores().Failures(ctx, StoreName("o", "default")) {
		must(t, err)
		failures = append(failures, f.String())
	}
	for _, want := range []string{"files/missing: its bytes are missing", "files/short: its bytes are damaged", "files/flipped: its bytes are damaged"} {
		if !strings.Contains(strings.Join(failures, "\n"), want) {
			t.Errorf("%q is not among %q", want, failures)
		}
	}
	must(t, os.WriteFile(missing, []byte("missing"), 0o644))
	must(t, os.WriteFile(short, []byte("too short"), 0o644))
	must(t, os.WriteFile(flipped, []byte("flipped"), 0o644))
	b.Run(ctx, nil)
	if s := b.status(); s.Blobs != 0 || s.Failures != 0 || s.Finished.IsZero() {
		t.Errorf("after all was repaired: %+v", s)
	}
	for p, err := range b.trees.Check(ctx) {
		t.Errorf("%v, %v", p, err)
	}
}

// TestPassStops wants a copy that cannot go on to say so and blame no blob.
func TestPassStops(t *testing.T) {
	b := newBench(t, Options{})
	b.adopt("/a", "body")
	_, err := b.engine.Freeze(t.Context(), repository.Freeze{})
	must(t, err)
	if err := b.Pass(t.Context(), StoreName("o", "default"), nil); err == nil {
		t.Error("copied on a server in read-only mode")
	}
	_, err = b.engine.Release(t.Context())
	must(t, err)
	away := b.old.dir + ".away"
	must(t, os.Rename(b.old.dir, away))
	if err := b.Pass(t.Context(), StoreName("o", "default"), nil); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("without the old folder: %v", err)
	}
	if s := b.status(); s.Blobs != 1 || s.Failures != 0 {
		t.Errorf("after that: %+v", s)
	}
	must(t, b.Stores().Put(t.Context(), Store{Name: StoreName("o", "default"), Folders: []string{away}}))
	must(t, b.Pass(t.Context(), StoreName("o", "default"), nil))
	if s := b.status(); s.Blobs != 0 || s.Finished.IsZero() {
		t.Errorf("from where the folder is now: %+v", s)
	}
}

// TestPace reads at a rate, by a clock that stands still.
func TestPace(t *testing.T) {
	now := time.Unix(1_000_000, 0)
	p := newPace(&Options{BytesPerSecond: 1_000_000, Now: func() time.Time { return now }})
	r := p.reader(t.Context(), bytes.NewReader(make([]byte, 3000)))
	for range 3 {
		if n, err := r.Read(make([]byte, 1000)); n != 1000 || err != nil {
			t.Fatal(n, err)
		}
	}
	if wait := p.nextBytes.Sub(now); wait != 3*time.Millisecond {
		t.Errorf("after 3000 bytes the next may begin in %v", wait)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := p.wait(ctx, &p.nextBytes, 1_000_000_000, p.bytes); !errors.Is(err, context.Canceled) {
		t.Errorf("when the copy ends: %v", err)
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
