package blob_test

import (
	"context"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/zeebo/blake3"
	"go.uber.org/goleak"

	"entrepot/storage/blob"
	"entrepot/storage/blob/memory"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var fixedTime = time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)

// newStore gives a store in memory that hashes on several goroutines from 200 KiB on.
func newStore(t *testing.T) *blob.Store {
	t.Helper()
	now := func() time.Time { return fixedTime }
	return blob.New("test", memory.New(&memory.Options{Now: now}), &blob.Options{ParallelFrom: 200 << 10, Now: now})
}

func randomBody(n int) []byte {
	body := make([]byte, n)
	rand.NewChaCha8([32]byte{byte(n), byte(n >> 8)}).Read(body)
	return body
}

func wantInfo(body []byte, opts blob.WriteOptions) blob.Info {
	sum1, sum256, sum5, sum512 := sha1.Sum(body), sha256.Sum256(body), md5.Sum(body), sha512.Sum512(body)
	info := blob.Info{
		Hash:    blake3.Sum256(body),
		Size:    int64(len(body)),
		Digests: blob.Digests{SHA1: hex.EncodeToString(sum1[:]), SHA256: hex.EncodeToString(sum256[:])},
	}
	if opts.MD5 {
		info.Digests.MD5 = hex.EncodeToString(sum5[:])
	}
	if opts.SHA512 {
		info.Digests.SHA512 = hex.EncodeToString(sum512[:])
	}
	return info
}

func create(t *testing.T, s *blob.Store, opts blob.WriteOptions) *blob.Writer {
	t.Helper()
	w, err := s.Create(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Discard)
	return w
}

func put(t *testing.T, s *blob.Store, body []byte) blob.Info {
	t.Helper()
	w := create(t, s, blob.WriteOptions{})
	if _, err := w.Write(body); err != nil {
		t.Fatal(err)
	}
	info, err := w.Commit(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return info
}

func TestDigests(t *testing.T) {
	feeds := map[string]func(w *blob.Writer, body []byte) error{
		"write": func(w *blob.Writer, body []byte) error { _, err := w.Write(body); return err },
		"readfrom": func(w *blob.Writer, body []byte) error {
			_, err := w.ReadFrom(strings.NewReader(string(body)))
			return err
		},
		"halves": func(w *blob.Writer, body []byte) error {
			_, err := w.ReadFrom(iotest.HalfReader(strings.NewReader(string(body))))
			return err
		},
		"mixed": func(w *blob.Writer, body []byte) error {
			if _, err := w.Write(body[:len(body)/3]); err != nil {
				return err
			}
			_, err := w.ReadFrom(strings.NewReader(string(body[len(body)/3:])))
			return err
		},
	}
	options := []blob.WriteOptions{{}, {MD5: true}, {SHA512: true}, {MD5: true, SHA512: true, Size: 1 << 30}}
	for _, size := range []int{0, 1, 1000, 64<<10 - 1, 64 << 10, 64<<10 + 1, 300 << 10, 2 << 20} {
		body := randomBody(size)
		for name, feed := range feeds {
			for _, opts := range options {
				t.Run(fmt.Sprintf("%s/%d/%+v", name, size, opts), func(t *testing.T) {
					w := create(t, newStore(t), opts)
					if err := feed(w, body); err != nil {
						t.Fatal(err)
					}
					if w.Written() != int64(size) {
						t.Errorf("written %d, want %d", w.Written(), size)
					}
					want := wantInfo(body, opts)
					got, err := w.Finish()
					if diff := cmp.Diff(want, got); err != nil || diff != "" {
						t.Fatalf("finish: %v %s", err, diff)
					}
					want.ModTime = fixedTime
					got, err = w.Commit(t.Context())
					if diff := cmp.Diff(want, got); err != nil || diff != "" {
						t.Fatalf("commit: %v %s", err, diff)
					}
				})
			}
		}
	}
}

// A source that breaks may be followed by another one that goes on: an upstream fetch that is resumed.
func TestReadFromGoesOnAfterABrokenSource(t *testing.T) {
	body := randomBody(500 << 10)
	broken := errors.New("connection reset")
	w := create(t, newStore(t), blob.WriteOptions{})
	first := io.MultiReader(strings.NewReader(string(body[:1234])), iotest.ErrReader(broken))
	if n, err := w.ReadFrom(first); n != 1234 || !errors.Is(err, broken) {
		t.Fatalf("got %d, %v", n, err)
	}
	if _, err := w.ReadFrom(strings.NewReader(string(body[1234:]))); err != nil {
		t.Fatal(err)
	}
	info, err := w.Commit(t.Context())
	if err != nil || info.Hash != blake3.Sum256(body) {
		t.Fatalf("got %v, %v", info, err)
	}
}

func TestReadFromGivesUpOnASourceWithoutProgress(t *testing.T) {
	w := create(t, newStore(t), blob.WriteOptions{})
	if _, err := w.ReadFrom(emptyReader{}); !errors.Is(err, io.ErrNoProgress) {
		t.Fatalf("got %v", err)
	}
}

type emptyReader struct{}

func (emptyReader) Read([]byte) (int, error) { return 0, nil }

// A failed write spoils the Writer: bytes may be missing, so the name would be wrong.
func TestFailedWriteCannotBeCommitted(t *testing.T) {
	s := blob.New("small", memory.New(&memory.Options{Limit: 1000}), nil)
	w, err := s.Create(t.Context(), blob.WriteOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Discard()
	if _, err := w.Write(make([]byte, 2000)); !errors.Is(err, blob.ErrNoSpace) {
		t.Fatalf("write: %v", err)
	}
	if _, err := w.Write(make([]byte, 1)); !errors.Is(err, blob.ErrNoSpace) {
		t.Errorf("second write: %v", err)
	}
	if _, err := w.Finish(); !errors.Is(err, blob.ErrNoSpace) {
		t.Errorf("finish: %v", err)
	}
	if _, err := w.Commit(t.Context()); !errors.Is(err, blob.ErrNoSpace) {
		t.Errorf("commit: %v", err)
	}
}

func TestEndedWriterRefuses(t *testing.T) {
	for name, end := range map[string]func(w *blob.Writer){
		"commit":  func(w *blob.Writer) { w.Commit(context.Background()) },
		"discard": func(w *blob.Writer) { w.Discard(); w.Discard() },
	} {
		t.Run(name, func(t *testing.T) {
			w := create(t, newStore(t), blob.WriteOptions{})
			end(w)
			_, write := w.Write([]byte("x"))
			_, from := w.ReadFrom(strings.NewReader("x"))
			_, at := w.ReadAt(make([]byte, 1), 0)
			_, reader := w.Reader()
			_, commit := w.Commit(t.Context())
			for _, err := range []error{write, from, at, reader, commit} {
				if !errors.Is(err, blob.ErrClosed) {
					t.Errorf("got %v", err)
				}
			}
		})
	}
}

func TestFinishedWriterRefusesMoreBytes(t *testing.T) {
	w := create(t, newStore(t), blob.WriteOptions{})
	if _, err := w.Finish(); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte("x")); !errors.Is(err, blob.ErrClosed) {
		t.Errorf("write: %v", err)
	}
	if _, err := w.Commit(t.Context()); err != nil {
		t.Errorf("commit: %v", err)
	}
}

func TestCommitWithEndedContextStoresNothing(t *testing.T) {
	s := newStore(t)
	w := create(t, s, blob.WriteOptions{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := w.Commit(ctx); !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v", err)
	}
	w.Discard()
	for info := range s.List(t.Context(), blob.Hash{}) {
		t.Errorf("stored %v", info)
	}
}

func TestReadersOutliveTheWriter(t *testing.T) {
	body := randomBody(300 << 10)
	for name, end := range map[string]func(w *blob.Writer){
		"commit":  func(w *blob.Writer) { w.Commit(context.Background()) },
		"discard": func(w *blob.Writer) { w.Discard() },
	} {
		t.Run(name, func(t *testing.T) {
			w := create(t, newStore(t), blob.WriteOptions{})
			r, err := w.Reader()
			if err != nil {
				t.Fatal(err)
			}
			if _, err := r.ReadAt(make([]byte, 1), 0); err != io.EOF {
				t.Errorf("read before any byte: %v", err)
			}
			if _, err := w.Write(body); err != nil {
				t.Fatal(err)
			}
			end(w)
			got := make([]byte, r.Size())
			if _, err := r.ReadAt(got, 0); err != nil || string(got) != string(body) {
				t.Errorf("read after the end: %v", err)
			}
			if err := errors.Join(r.Close(), r.Close()); err != nil {
				t.Error(err)
			}
			if _, err := r.ReadAt(got, 0); !errors.Is(err, blob.ErrClosed) {
				t.Errorf("read after close: %v", err)
			}
		})
	}
}

func TestCollectSparesTheYoung(t *testing.T) {
	s := newStore(t)
	info := put(t, s, []byte("body"))
	if done, err := s.Collect(t.Context(), info.Hash, fixedTime); done || err != nil {
		t.Errorf("at its own time: %v %v", done, err)
	}
	if done, err := s.Collect(t.Context(), info.Hash, fixedTime.Add(1)); !done || err != nil {
		t.Errorf("later: %v %v", done, err)
	}
	if done, err := s.Collect(t.Context(), info.Hash, fixedTime.Add(1)); done || err != nil {
		t.Errorf("absent: %v %v", done, err)
	}
}

func TestVerify(t *testing.T) {
	driver := memory.New(nil)
	s := blob.New("test", driver, nil)
	good := put(t, s, randomBody(300<<10))
	if got, err := s.Verify(t.Context(), good.Hash); err != nil || got.Size != good.Size {
		t.Errorf("good: %v, %v", got, err)
	}
	wrong := blob.Hash{1}
	spool, err := driver.Create(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	defer spool.Close()
	if err := spool.Commit(t.Context(), wrong); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Verify(t.Context(), wrong); !errors.Is(err, blob.ErrCorrupt) {
		t.Errorf("wrong: %v", err)
	}
	if _, err := s.Verify(t.Context(), blob.Hash{2}); !errors.Is(err, blob.ErrNotFound) {
		t.Errorf("absent: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Verify(ctx, good.Hash); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func FuzzParseHash(f *testing.F) {
	f.Add(blob.Hash{1, 2, 255}.String())
	f.Add(strings.Repeat("G", 64))
	f.Add("")
	f.Fuzz(func(t *testing.T, s string) {
		h, err := blob.ParseHash(s)
		if err != nil {
			if !h.IsZero() {
				t.Errorf("%q: an error and a hash", s)
			}
			return
		}
		if h.String() != strings.ToLower(s) {
			t.Errorf("%q became %s", s, h)
		}
	})
}

// readOnly is a driver over bytes that belong to somebody else.
type readOnly struct{ blob.Driver }

func (readOnly) Create(context.Context, int64) (blob.Spool, error) { return nil, blob.ErrReadOnly }
func (readOnly) Delete(context.Context, blob.Hash) error           { return blob.ErrReadOnly }

func TestReadOnlyDriver(t *testing.T) {
	driver := memory.New(&memory.Options{Now: func() time.Time { return fixedTime }})
	info := put(t, blob.New("writable", driver, nil), []byte("body"))
	s := blob.New("adopted", readOnly{driver}, nil)
	if _, err := s.Verify(t.Context(), info.Hash); err != nil {
		t.Error(err)
	}
	_, create := s.Create(t.Context(), blob.WriteOptions{})
	_, collect := s.Collect(t.Context(), info.Hash, fixedTime.Add(1))
	for op, err := range map[string]error{"create": create, "delete": s.Delete(t.Context(), info.Hash), "collect": collect} {
		if !errors.Is(err, blob.ErrReadOnly) {
			t.Errorf("%s: %v", op, err)
		}
	}
}

// A Commit of bytes that are about to be collected either keeps them or stores them anew.
func TestCollectAndCommitExcludeEachOther(t *testing.T) {
	var mu sync.Mutex
	now := fixedTime
	tick := func() time.Time {
		mu.Lock()
		defer mu.Unlock()
		now = now.Add(time.Second)
		return now
	}
	s := blob.New("test", memory.New(&memory.Options{Now: tick}), &blob.Options{Now: tick})
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 500 {
				before := tick()
				w, err := s.Create(context.Background(), blob.WriteOptions{})
				if err != nil {
					t.Error(err)
					return
				}
				info, err := w.Commit(context.Background())
				if err != nil {
					t.Error(err)
				}
				// A collection that spares what came in after this write began must spare this blob.
				if _, err := s.Collect(context.Background(), info.Hash, before); err != nil {
					t.Error(err)
				}
				if _, err := s.Stat(context.Background(), info.Hash); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
}

// TestExtraDigestsOfShortBodies states that MD5 and SHA-512 are taken up to a size, whether it is known before or not, and also when
// hashing has gone to goroutines of its own by then (from 200 KiB on).
func TestExtraDigestsOfShortBodies(t *testing.T) {
	for _, limit := range []int{100 << 10, 320 << 10} {
		for _, size := range []int{0, limit, limit + 1, limit + 200<<10} {
			for _, hint := range []int64{0, 1, int64(size), 1 << 30} {
				body := randomBody(size)
				w := create(t, newStore(t), blob.WriteOptions{MD5: true, SHA512: true, Size: hint, ExtraUpTo: int64(limit)})
				if _, err := w.ReadFrom(strings.NewReader(string(body))); err != nil {
					t.Fatal(err)
				}
				info, err := w.Commit(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				short, sum := size <= limit && hint <= int64(limit), sha256.Sum256(body)
				if (info.Digests.MD5 != "") != short || (info.Digests.SHA512 != "") != short || info.Digests.SHA256 != hex.EncodeToString(sum[:]) {
					t.Errorf("%d bytes, %d announced, extra up to %d: %+v", size, hint, limit, info.Digests)
				}
				if short && info.Digests.MD5 != fmt.Sprintf("%x", md5.Sum(body)) {
					t.Errorf("%d bytes, %d announced, extra up to %d: MD5 %s", size, hint, limit, info.Digests.MD5)
				}
			}
		}
	}
}
