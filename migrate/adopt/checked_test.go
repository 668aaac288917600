package adopt

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"entrepot/storage/blob"
	"entrepot/storage/catalog"
)

// bigDriver gives a driver over a folder with one large blob, and what it told of damage.
func bigDriver(t *testing.T) (d *driver, h blob.Hash, name string, body []byte, told *[]error) {
	t.Helper()
	f := newFolder(t)
	body = bytes.Repeat([]byte("0123456789abcdef"), checkUpTo/16+100)
	h, name = f.put(body)
	told = new([]error)
	d = &driver{
		folders: []string{f.dir}, damaged: func(context.Context, blob.Hash) (string, error) { return "", nil },
		found: func(_ context.Context, got blob.Hash, cause error) error {
			if got != h {
				t.Errorf("told of %s", got)
			}
			*told = append(*told, cause)
			return nil
		},
	}
	return d, h, name, body, told
}

// flip changes one byte of a file; the date stays, as on a disk that forgets.
func flip(t *testing.T, name string, at int) {
	t.Helper()
	info, err := os.Stat(name)
	must(t, err)
	raw, err := os.ReadFile(name)
	must(t, err)
	raw[at] ^= 1
	must(t, os.WriteFile(name, raw, 0o644))
	must(t, os.Chtimes(name, info.ModTime(), info.ModTime()))
}

// reading reads an object in steps, and gives what came before the error.
func reading(o blob.Object, step int) ([]byte, error) {
	var got bytes.Buffer
	_, err := io.CopyBuffer(struct{ io.Writer }{&got}, struct{ io.Reader }{io.NewSectionReader(o, 0, o.Size())}, make([]byte, step))
	return got.Bytes(), err
}

// TestCheckedAsRead reads large blobs, good and flipped ones, from the first byte to the last.
func TestCheckedAsRead(t *testing.T) {
	for _, step := range []int{1000, 32 << 10, 1 << 20} {
		d, h, name, body, told := bigDriver(t)
		for _, first := range []bool{true, false} {
			o, err := d.Open(t.Context(), h)
			must(t, err)
			if _, unchecked := o.(blob.Checked); unchecked != first {
				t.Errorf("first %v: %T", first, o)
			}
			if _, file := o.(interface{ File() *os.File }); file == first {
				t.Errorf("first %v: may leave by sendfile: %v", first, file)
			}
			if got, err := reading(o, step); err != nil || !bytes.Equal(got, body) || o.Close() != nil {
				t.Errorf("first %v: %d bytes, %v", first, len(got), err)
			}
		}
		now := time.Now().Add(time.Hour)
		must(t, os.Chtimes(name, now, now)) // another state of the file: it is not known any more
		flip(t, name, 7)
		o, err := d.Open(t.Context(), h)
		must(t, err)
		got, err := reading(o, step)
		if !errors.Is(err, blob.ErrCorrupt) || len(got) >= len(body) || len(*told) != 1 {
			t.Errorf("flipped, in steps of %d: %d of %d bytes, %v, told %v", step, len(got), len(body), err, *told)
		}
		if _, err := o.ReadAt(make([]byte, 1), 0); !errors.Is(err, blob.ErrCorrupt) {
			t.Errorf("read again: %v", err)
		}
		must(t, o.Close())
	}
}

// TestCheckedParts reads parts of large blobs: nothing comes before the whole was checked.
func TestCheckedParts(t *testing.T) {
	d, h, name, body, told := bigDriver(t)
	part := func(check bool) ([]byte, error) {
		o, err := d.Open(t.Context(), h)
		must(t, err)
		defer o.Close()
		if c, ok := o.(blob.Checked); ok && check {
			if err := c.Check(t.Context()); err != nil {
				return nil, err
			}
		}
		got := make([]byte, 10)
		n, err := o.ReadAt(got, 1000)
		return got[:n], err
	}
	flip(t, name, len(body)-1)
	for i, check := range []bool{true, false} {
		if got, err := part(check); !errors.Is(err, blob.ErrCorrupt) || len(got) != 0 || len(*told) != i+1 {
			t.Errorf("of a flipped one: %q, %v, told %v", got, err, *told)
		}
	}
	flip(t, name, len(body)-1)
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	o, err := d.Open(t.Context(), h)
	must(t, err)
	if err := o.(blob.Checked).Check(cancelled); !errors.Is(err, context.Canceled) {
		t.Errorf("when the client has gone: %v", err)
	}
	must(t, o.Close())
	var wg sync.WaitGroup
	for _, check := range []bool{true, false, true, false} {
		wg.Go(func() {
			if got, err := part(check); err != nil || !bytes.Equal(got, body[1000:1010]) {
				t.Errorf("of a good one: %q, %v", got, err)
			}
		})
	}
	wg.Wait()
	if got, err := part(false); err != nil || !bytes.Equal(got, body[1000:1010]) || len(*told) != 2 {
		t.Errorf("of one that is known: %q, %v, told %v", got, err, *told)
	}
}

func TestVerdictsAreBounded(t *testing.T) {
	info, err := os.Stat(".")
	must(t, err)
	var v verdicts
	name := func(n int) blob.Hash { return blob.Hash{byte(n), byte(n >> 8), byte(n >> 16)} }
	for n := range 3 * maxVerdicts {
		v.add(name(n), info)
	}
	if len(v.young)+len(v.old) > 2*maxVerdicts || !v.has(name(3*maxVerdicts-1), info) || !v.has(name(2*maxVerdicts), info) || v.has(name(0), info) {
		t.Errorf("%d and %d are known", len(v.young), len(v.old))
	}
}

// TestDamageFoundAsServed serves a damaged large blob: it is remembered as those that the copy finds, until it is repaired.
func TestDamageFoundAsServed(t *testing.T) {
	b := newBench(t, Options{})
	body := strings.Repeat("x", checkUpTo+1)
	name := b.adopt("/big", body)
	flip(t, name, 0)
	ref := b.held("/big").Blob
	o, err := b.engine.OpenBlob(t.Context(), ref)
	must(t, err)
	if got, err := reading(o, 1000); !errors.Is(err, blob.ErrCorrupt) || len(got) == len(body) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	must(t, o.Close())
	if s := b.status(); s.Failures != 1 {
		t.Errorf("status %+v", s)
	}
	for f, err := range b.Stores().Failures(t.Context(), ref.Store) {
		must(t, err)
		if !f.Damaged || !strings.HasPrefix(f.String(), "files/big: its bytes are damaged") {
			t.Errorf("failure %s", f)
		}
	}
	if _, err := b.engine.OpenBlob(t.Context(), ref); !errors.Is(err, blob.ErrCorrupt) {
		t.Errorf("the next reader: %v", err)
	}
	flip(t, name, 0)
	b.Run(t.Context(), nil)
	if s := b.status(); s.Blobs != 0 || s.Failures != 0 || s.Finished.IsZero() {
		t.Errorf("after it was repaired: %+v", s)
	}
}

// TestAskedFirst reads the last of many blobs: it is copied as the first.
func TestAskedFirst(t *testing.T) {
	b := newBench(t, Options{Workers: 1})
	for _, path := range []string{"/a", "/b", "/c", "/d", "/e"} {
		b.adopt(path, "body of "+path)
	}
	var last catalog.BlobRef
	for r, err := range b.trees.Blobs(t.Context(), StoreName("o", "default"), blob.Hash{}) {
		must(t, err)
		last = catalog.BlobRef{Store: StoreName("o", "default"), Hash: r.Hash}
	}
	b.Stores().Asked(last)
	b.Stores().Asked(last)
	b.Stores().Asked(catalog.BlobRef{Store: last.Store, Hash: blob.Hash{1}}) // nobody's
	copied := 0
	must(t, b.Pass(t.Context(), last.Store, func(int64, int64) {
		if copied++; copied == 1 {
			if held, err := b.trees.Referenced(t.Context(), last); err != nil || held {
				t.Errorf("what was asked for is not the first: %v, %v", held, err)
			}
		}
	}))
	if s := b.status(); copied != 5 || s.Blobs != 0 || s.Finished.IsZero() {
		t.Errorf("%d copied: %+v", copied, s)
	}
}
