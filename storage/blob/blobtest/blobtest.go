// Package blobtest is the suite that every blob.Driver passes.
//
//	func TestDriver(t *testing.T) {
//		blobtest.Run(t, func(testing.TB) blob.Driver { return memory.New(nil) })
//	}
package blobtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/zeebo/blake3"

	"entrepot/storage/blob"
)

// Run runs the suite. The function gives a new, empty driver each time and closes it with the test where that is needed.
func Run(t *testing.T, newDriver func(t testing.TB) blob.Driver) {
	for name, test := range map[string]func(*testing.T, blob.Driver){
		"RoundTrip":                 testRoundTrip,
		"NotFound":                  testNotFound,
		"ClosedSpoolLeavesNothing":  testClosedSpool,
		"SpoolReadsBack":            testSpoolReadsBack,
		"EqualBytesAreOneBlob":      testEqualBytes,
		"DamagedBlobIsReplaced":     testDamagedBlob,
		"OpenObjectOutlivesDelete":  testDelete,
		"DeletedBlobCanComeBack":    testComeBack,
		"ListInOrder":               testList,
		"EndedContext":              testContext,
		"ConcurrentWriters":         testConcurrentWriters,
		"ReadersFollowAWriter":      testFollow,
		"CommittedBlobsPassVerify":  testVerify,
		"ManySpoolsAtOnceStayApart": testManySpools,
		"GroupsOfWriters":           testGroups,
	} {
		t.Run(name, func(t *testing.T) { test(t, newDriver(t)) })
	}
}

// sizes cross the borders at which drivers change their ways.
var sizes = []int{0, 1, 1024, 4096, 16 << 10, 16<<10 + 1, 64<<10 - 1, 64<<10 + 1, 200 << 10, 3 << 20}

// Body gives n bytes that depend on n and seed only.
func Body(n int, seed uint64) []byte {
	body := make([]byte, n)
	var key [32]byte
	copy(key[:], fmt.Sprintf("%d/%d", n, seed))
	rand.NewChaCha8(key).Read(body)
	return body
}

// testGroups commits groups, with bodies that are there already and bodies that are twice in one, from several goroutines.
func testGroups(t *testing.T, d blob.Driver) {
	store := blob.New("test", d, nil)
	Put(t, d, Body(sizes[2], 1))
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			var writers []*blob.Writer
			for i := range 2 * len(sizes) {
				w, err := store.Create(t.Context(), blob.WriteOptions{})
				if err == nil {
					_, err = w.Write(Body(sizes[i%len(sizes)], 1))
				}
				if err != nil {
					t.Error(err)
					return
				}
				defer w.Discard()
				writers = append(writers, w)
			}
			if err := store.CommitAll(t.Context(), writers); err != nil {
				t.Error(err)
			}
			for i, w := range writers {
				if got, err := store.Verify(t.Context(), w.Info().Hash); err != nil || got.Size != int64(sizes[i%len(sizes)]) || w.Info().ModTime.IsZero() {
					t.Errorf("%d bytes, %v", got.Size, err)
				}
			}
		})
	}
	wg.Wait()
	w, err := store.Create(t.Context(), blob.WriteOptions{})
	if err != nil {
		t.Fatal(err)
	}
	w.Discard()
	if err := store.CommitAll(t.Context(), []*blob.Writer{w}); !errors.Is(err, blob.ErrClosed) {
		t.Errorf("a group with a discarded body: %v", err)
	}
}

// Put commits body through the driver and gives its name.
func Put(t testing.TB, d blob.Driver, body []byte) blob.Hash {
	t.Helper()
	h := blob.Hash(blake3.Sum256(body))
	putAs(t, d, h, body)
	return h
}

func putAs(t testing.TB, d blob.Driver, h blob.Hash, body []byte) {
	t.Helper()
	spool := create(t, d)
	write(t, spool, body)
	if err := spool.Commit(t.Context(), h); err != nil {
		t.Fatalf("commit: %v", err)
	}
	if err := spool.Close(); err != nil {
		t.Fatalf("close: %v", err)
	}
}

func create(t testing.TB, d blob.Driver) blob.Spool {
	t.Helper()
	spool, err := d.Create(t.Context(), 0)
	if err != nil {
		t.Fatalf("create: %v", err)
	}
	t.Cleanup(func() { spool.Close() })
	return spool
}

// write writes body in pieces of uneven length.
func write(t testing.TB, spool blob.Spool, body []byte) {
	t.Helper()
	for n := 1; len(body) > 0; n = min(2*n+1, 50_000) {
		n = min(n, len(body))
		if wrote, err := spool.Write(body[:n]); err != nil || wrote != n {
			t.Fatalf("write of %d bytes: %d, %v", n, wrote, err)
		}
		body = body[n:]
	}
}

// wantBlob checks what the driver says of a blob and all of its bytes.
func wantBlob(t testing.TB, d blob.Driver, h blob.Hash, body []byte) {
	t.Helper()
	info, err := d.Stat(t.Context(), h)
	if err != nil || info.Hash != h || info.Size != int64(len(body)) {
		t.Errorf("stat of %d bytes: %+v, %v", len(body), info, err)
	}
	if age := time.Since(info.ModTime); age < -time.Hour || age > time.Hour {
		t.Errorf("stat: the time %v is not now", info.ModTime)
	}
	o, err := d.Open(t.Context(), h)
	if err != nil {
		t.Errorf("open: %v", err)
		return
	}
	defer o.Close()
	wantObject(t, o, body)
}

func wantObject(t testing.TB, o blob.Object, body []byte) {
	t.Helper()
	if o.Size() != int64(len(body)) {
		t.Errorf("size %d, want %d", o.Size(), len(body))
	}
	got, err := io.ReadAll(io.NewSectionReader(o, 0, int64(len(body))+1))
	if err != nil || !bytes.Equal(got, body) {
		t.Errorf("read %d bytes, want %d, equal %t: %v", len(got), len(body), bytes.Equal(got, body), err)
	}
	middle := make([]byte, len(body)/2)
	if n, err := o.ReadAt(middle, int64(len(body)/4)); n != len(middle) || !bytes.Equal(middle, body[len(body)/4:][:n]) {
		t.Errorf("read in the middle: %d bytes, %v", n, err)
	}
	filer, ok := o.(interface{ File() *os.File })
	if !ok {
		return
	}
	info, err := filer.File().Stat()
	if err != nil || info.Size() != int64(len(body)) {
		t.Errorf("file: %v, %v", info, err)
	}
}

func list(t testing.TB, d blob.Driver, after blob.Hash) []blob.Info {
	t.Helper()
	var infos []blob.Info
	for info, err := range d.List(t.Context(), after) {
		if err != nil {
			t.Fatalf("list: %v", err)
		}
		infos = append(infos, info)
	}
	return infos
}

func testRoundTrip(t *testing.T, d blob.Driver) {
	for _, size := range sizes {
		body := Body(size, 1)
		wantBlob(t, d, Put(t, d, body), body)
	}
	if n := len(list(t, d, blob.Hash{})); n != len(sizes) {
		t.Errorf("%d blobs listed, want %d", n, len(sizes))
	}
}

func testNotFound(t *testing.T, d blob.Driver) {
	absent := blob.Hash{7}
	_, open := d.Open(t.Context(), absent)
	_, stat := d.Stat(t.Context(), absent)
	for op, err := range map[string]error{"open": open, "stat": stat, "delete": d.Delete(t.Context(), absent)} {
		if !errors.Is(err, blob.ErrNotFound) {
			t.Errorf("%s: %v", op, err)
		}
	}
}

func testClosedSpool(t *testing.T, d blob.Driver) {
	for _, size := range sizes {
		spool := create(t, d)
		write(t, spool, Body(size, 2))
		if err := spool.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
		if err := spool.Close(); err != nil {
			t.Errorf("second close: %v", err)
		}
	}
	if infos := list(t, d, blob.Hash{}); len(infos) > 0 {
		t.Errorf("listed: %v", infos)
	}
}

func testSpoolReadsBack(t *testing.T, d blob.Driver) {
	for _, size := range sizes {
		body := Body(size, 3)
		spool := create(t, d)
		if n, err := spool.ReadAt(make([]byte, 1), 0); n != 0 || err != io.EOF {
			t.Errorf("read of nothing: %d, %v", n, err)
		}
		write(t, spool, body)
		check := func(when string) {
			got := make([]byte, size+1)
			if n, err := spool.ReadAt(got, 0); n != size || err != io.EOF || !bytes.Equal(got[:n], body) {
				t.Errorf("%s, %d bytes: read %d, %v", when, size, n, err)
			}
		}
		check("before commit")
		if err := spool.Commit(t.Context(), blake3.Sum256(body)); err != nil {
			t.Fatal(err)
		}
		check("after commit")
		if err := d.Delete(t.Context(), blake3.Sum256(body)); err != nil {
			t.Fatal(err)
		}
		check("after delete")
	}
}

func testEqualBytes(t *testing.T, d blob.Driver) {
	for _, size := range []int{100, 200 << 10} {
		body := Body(size, 4)
		h := Put(t, d, body)
		first, err := d.Stat(t.Context(), h)
		if err != nil {
			t.Fatal(err)
		}
		Put(t, d, body)
		wantBlob(t, d, h, body)
		second, err := d.Stat(t.Context(), h)
		if err != nil || second.ModTime.Before(first.ModTime) {
			t.Errorf("times %v, then %v: %v", first.ModTime, second.ModTime, err)
		}
	}
	if infos := list(t, d, blob.Hash{}); len(infos) != 2 {
		t.Errorf("listed: %v", infos)
	}
}

func testDamagedBlob(t *testing.T, d blob.Driver) {
	for _, size := range []int{100, 200 << 10} {
		body := Body(size, 5)
		h := blob.Hash(blake3.Sum256(body))
		putAs(t, d, h, body[:size/2])
		putAs(t, d, h, body)
		wantBlob(t, d, h, body)
	}
}

func testDelete(t *testing.T, d blob.Driver) {
	for _, size := range sizes {
		body := Body(size, 6)
		h := Put(t, d, body)
		o, err := d.Open(t.Context(), h)
		if err != nil {
			t.Fatal(err)
		}
		if err := d.Delete(t.Context(), h); err != nil {
			t.Fatal(err)
		}
		wantObject(t, o, body)
		if err := o.Close(); err != nil {
			t.Error(err)
		}
		if _, err := d.Stat(t.Context(), h); !errors.Is(err, blob.ErrNotFound) {
			t.Errorf("stat after delete: %v", err)
		}
	}
}

func testComeBack(t *testing.T, d blob.Driver) {
	for _, size := range []int{100, 200 << 10} {
		body := Body(size, 7)
		h := Put(t, d, body)
		if err := d.Delete(t.Context(), h); err != nil {
			t.Fatal(err)
		}
		Put(t, d, body)
		wantBlob(t, d, h, body)
	}
}

func testList(t *testing.T, d blob.Driver) {
	for seed := range uint64(300) {
		Put(t, d, Body(10, seed))
	}
	all := list(t, d, blob.Hash{})
	if len(all) != 300 {
		t.Fatalf("%d blobs, want 300", len(all))
	}
	for i := 1; i < len(all); i++ {
		if bytes.Compare(all[i-1].Hash[:], all[i].Hash[:]) >= 0 {
			t.Fatalf("%s before %s", all[i-1].Hash, all[i].Hash)
		}
	}
	for _, i := range []int{0, 150, 299} {
		if got := list(t, d, all[i].Hash); len(got) != 299-i {
			t.Errorf("after %d: %d blobs", i, len(got))
		}
	}
	for info, err := range d.List(t.Context(), blob.Hash{}) {
		if err != nil || info != all[0] {
			t.Errorf("first: %v, %v", info, err)
		}
		break
	}
}

func testContext(t *testing.T, d blob.Driver) {
	Put(t, d, []byte("one"))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if spool, err := d.Create(ctx, 0); !errors.Is(err, context.Canceled) {
		t.Errorf("create: %v, %v", spool, err)
	}
	for info, err := range d.List(ctx, blob.Hash{}) {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("list: %v, %v", info, err)
		}
	}
}

// testConcurrentWriters commits every body from several goroutines at once.
func testConcurrentWriters(t *testing.T, d blob.Driver) {
	store := blob.New("test", d, nil)
	const writers, bodies = 8, 40
	var wg sync.WaitGroup
	for range writers {
		wg.Go(func() {
			for seed := range uint64(bodies) {
				if err := commit(t.Context(), store, Body(1000*int(seed%5)+int(seed%2)*100_000, seed)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	count := 0
	for info, err := range store.List(t.Context(), blob.Hash{}) {
		if err != nil {
			t.Fatal(err)
		}
		if _, err := store.Verify(t.Context(), info.Hash); err != nil {
			t.Error(err)
		}
		count++
	}
	// The bodies of no bytes are one.
	if want := bodies - 3; count != want {
		t.Errorf("%d blobs, want %d", count, want)
	}
}

func commit(ctx context.Context, store *blob.Store, body []byte) error {
	w, err := store.Create(ctx, blob.WriteOptions{})
	if err != nil {
		return err
	}
	defer w.Discard()
	if _, err := w.Write(body); err != nil {
		return err
	}
	_, err = w.Commit(ctx)
	return err
}

// testFollow reads a body from several goroutines while it comes in.
func testFollow(t *testing.T, d blob.Driver) {
	body := Body(400<<10, 8)
	w, err := blob.New("test", d, nil).Create(t.Context(), blob.WriteOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Discard()
	var wg sync.WaitGroup
	for range 4 {
		r, err := w.Reader()
		if err != nil {
			t.Fatal(err)
		}
		wg.Go(func() {
			defer r.Close()
			follow(t, r, body)
		})
	}
	for rest := body; len(rest) > 0; {
		n := min(3000, len(rest))
		if _, err := w.Write(rest[:n]); err != nil {
			t.Fatal(err)
		}
		rest = rest[n:]
	}
	if _, err := w.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.Discard()
	wg.Wait()
}

func follow(t *testing.T, r *blob.Reader, body []byte) {
	buf := make([]byte, 5000)
	for off := 0; off < len(body); {
		there := int(r.Size())
		n, err := r.ReadAt(buf, int64(off))
		if err != nil && err != io.EOF {
			t.Error(err)
			return
		}
		if n < min(there-off, len(buf)) || !bytes.Equal(buf[:n], body[off:off+n]) {
			t.Errorf("at %d: %d bytes of %d that are there, or wrong ones", off, n, there-off)
			return
		}
		off += n
	}
}

func testVerify(t *testing.T, d blob.Driver) {
	store := blob.New("test", d, nil)
	for _, size := range sizes {
		body := Body(size, 9)
		if err := commit(t.Context(), store, body); err != nil {
			t.Fatal(err)
		}
		if info, err := store.Verify(t.Context(), blake3.Sum256(body)); err != nil || info.Size != int64(size) {
			t.Errorf("verify: %v, %v", info, err)
		}
	}
}

func testManySpools(t *testing.T, d blob.Driver) {
	spools := make([]blob.Spool, 20)
	for i := range spools {
		spools[i] = create(t, d)
	}
	body := func(i int) []byte { return Body(8000*i, uint64(i)) }
	for i, spool := range spools {
		write(t, spool, body(i))
	}
	for i, spool := range spools {
		if err := spool.Commit(t.Context(), blake3.Sum256(body(i))); err != nil {
			t.Fatal(err)
		}
	}
	for i := range spools {
		wantBlob(t, d, blake3.Sum256(body(i)), body(i))
	}
}
