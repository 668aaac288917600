package gc_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"entrepot/storage/blob"
	blobmemory "entrepot/storage/blob/memory"
	"entrepot/storage/catalog"
	"entrepot/storage/gc"
	"entrepot/storage/kv"
	kvmemory "entrepot/storage/kv/memory"
)

var errBroken = errors.New("broken")

// faults break the calls that they count down to; 0 breaks none.
type faults struct{ kv, blobs int }

func hit(n *int) bool {
	if *n == 0 {
		return false
	}
	*n--
	return *n == 0
}

// brokenKV is a database whose reads fail at times, in the middle of a scan too.
type brokenKV struct {
	kv.Driver
	*faults
}

func (b brokenKV) Get(ctx context.Context, k kv.Key) (kv.Entry, error) {
	if hit(&b.kv) {
		return kv.Entry{}, errBroken
	}
	return b.Driver.Get(ctx, k)
}

func (b brokenKV) Scan(ctx context.Context, partition string, r kv.Range) iter.Seq2[kv.Entry, error] {
	return func(yield func(kv.Entry, error) bool) {
		for e, err := range b.Driver.Scan(ctx, partition, r) {
			if hit(&b.kv) {
				yield(kv.Entry{}, errBroken)
				return
			}
			if !yield(e, err) {
				return
			}
		}
	}
}

// brokenBlobs is a store that fails at times.
type brokenBlobs struct {
	blob.Driver
	*faults
}

func (b brokenBlobs) Stat(ctx context.Context, h blob.Hash) (blob.Info, error) {
	if hit(&b.blobs) {
		return blob.Info{}, errBroken
	}
	return b.Driver.Stat(ctx, h)
}

func (b brokenBlobs) Delete(ctx context.Context, h blob.Hash) error {
	if hit(&b.blobs) {
		return errBroken
	}
	return b.Driver.Delete(ctx, h)
}

func (b brokenBlobs) List(ctx context.Context, after blob.Hash) iter.Seq2[blob.Info, error] {
	return func(yield func(blob.Info, error) bool) {
		for info, err := range b.Driver.List(ctx, after) {
			if hit(&b.blobs) {
				yield(blob.Info{}, errBroken)
				return
			}
			if !yield(info, err) {
				return
			}
		}
	}
}

// machine is a store with its records, and a model of both.
type machine struct {
	now    time.Time
	broken faults
	disk   *blobmemory.Driver
	store  *blob.Store
	trees  *catalog.Catalog

	named   map[string]blob.Hash // by path
	pending []blob.Hash          // committed, not named yet
	came    map[blob.Hash]time.Time
	pass    *pass // that was cut off, nil when there is none
}

// pass is a collection in several runs, each of which a crash may cut off.
type pass struct {
	from    gc.Stats // what was kept of where the last run was
	garbage map[blob.Hash]bool
}

// begin gives the pass that was cut off, else a new one, which has to remove what is garbage now, as long as it is.
func (m *machine) begin(grace time.Duration) *pass {
	if m.pass == nil {
		m.pass = &pass{garbage: map[blob.Hash]bool{}}
		for h := range m.came {
			if m.isGarbage(h, grace) {
				m.pass.garbage[h] = true
			}
		}
	}
	return m.pass
}

func (m *machine) isGarbage(h blob.Hash, grace time.Duration) bool {
	for _, named := range m.named {
		if named == h {
			return false
		}
	}
	_, err := m.disk.Stat(context.Background(), h)
	return err == nil && m.came[h].Before(m.now.Add(-grace))
}

func newMachine() *machine {
	m := &machine{now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), named: map[string]blob.Hash{}, came: map[blob.Hash]time.Time{}}
	clock := func() time.Time { return m.now }
	m.disk = blobmemory.New(&blobmemory.Options{Now: clock})
	m.store = blob.New("s", brokenBlobs{m.disk, &m.broken}, &blob.Options{Now: clock})
	m.trees = catalog.New(kv.New(brokenKV{kvmemory.New(), &m.broken}), &catalog.Options{Now: clock, CacheBytes: -1})
	return m
}

func (m *machine) commit(t *rapid.T, body string) blob.Hash {
	w, err := m.store.Create(context.Background(), blob.WriteOptions{})
	must(t, err)
	defer w.Discard()
	_, err = io.WriteString(w, body)
	must(t, err)
	info, err := w.Commit(context.Background())
	must(t, err)
	m.came[info.Hash] = m.now
	if m.pass != nil {
		delete(m.pass.garbage, info.Hash)
	}
	return info.Hash
}

func (m *machine) name(t *rapid.T, path string, h blob.Hash) {
	info, err := m.disk.Stat(context.Background(), h)
	must(t, err)
	must(t, m.trees.Content("c").Put(context.Background(), &catalog.Asset{
		Path: path, Blob: catalog.BlobRef{Store: "s", Hash: h}, Size: info.Size,
		Digests: blob.Digests{SHA1: fmt.Sprintf("%040x", h[:20]), SHA256: fmt.Sprintf("%064x", h[:])},
	}, catalog.PutOptions{}))
	m.named[path] = h
}

// garbage counts what a pass has to remove.
func (m *machine) garbage(grace time.Duration) (n int64) {
	for h := range m.came {
		if m.isGarbage(h, grace) {
			n++
		}
	}
	return n
}

func (m *machine) check(t *rapid.T) {
	for path, h := range m.named {
		if _, err := m.disk.Stat(context.Background(), h); err != nil {
			t.Fatalf("the blob of %s is gone: %v", path, err)
		}
	}
	for _, h := range m.pending {
		if _, err := m.disk.Stat(context.Background(), h); err != nil {
			t.Fatalf("a blob that is about to be named is gone: %v", err)
		}
	}
}

func must(t interface{ Fatal(...any) }, err error) {
	if err != nil {
		t.Fatal(err)
	}
}

// TestStates writes, deletes and collects in any order, with errors at any point, and never loses a blob that is named.
func TestStates(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := newMachine()
		defer m.trees.Close()
		const grace = 2 * time.Hour
		paths, bodies := rapid.SampledFrom([]string{"/a", "/b/c", "/b/d", "/e"}), rapid.SampledFrom([]string{"1", "22", "333", "4444", "55555", "666666"})
		collect := func(t *rapid.T, o gc.Options) (gc.Stats, error) {
			o.Store, o.Records, o.Grace, o.Emptied, o.Now = m.store, m.trees, grace, true, func() time.Time { return m.now }
			return gc.Collect(context.Background(), o)
		}
		t.Repeat(map[string]func(*rapid.T){
			"put": func(t *rapid.T) {
				path := paths.Draw(t, "path")
				m.name(t, path, m.commit(t, bodies.Draw(t, "body")))
			},
			"commit": func(t *rapid.T) { m.pending = append(m.pending, m.commit(t, bodies.Draw(t, "body"))) },
			"name what is committed": func(t *rapid.T) {
				if len(m.pending) > 0 {
					m.name(t, paths.Draw(t, "path"), m.pending[0])
					m.pending = m.pending[1:]
				}
			},
			"delete": func(t *rapid.T) {
				path := paths.Draw(t, "path")
				if _, ok := m.named[path]; ok {
					must(t, m.trees.Content("c").Delete(context.Background(), path))
					delete(m.named, path)
				}
			},
			"wait": func(t *rapid.T) {
				m.now = m.now.Add(time.Duration(rapid.IntRange(1, 300).Draw(t, "minutes")) * time.Minute)
				// A writer names its blob within the grace time, or never.
				m.pending = slices.DeleteFunc(m.pending, func(h blob.Hash) bool { return m.came[h].Before(m.now.Add(-grace)) })
			},
			"collect": func(t *rapid.T) {
				want := m.garbage(grace)
				dry, err := collect(t, gc.Options{DryRun: true})
				must(t, err)
				stats, err := collect(t, gc.Options{})
				must(t, err)
				if dry != stats || stats.Collected != want || stats.Missing != 0 {
					t.Fatalf("collected %+v; the dry run said %+v, %d are garbage", stats, dry, want)
				}
			},
			"collect until a crash": func(t *rapid.T) {
				p := m.begin(grace)
				ctx, crash := context.WithCancel(context.Background())
				defer crash()
				steps, kept := rapid.IntRange(0, 5).Draw(t, "steps"), rapid.IntRange(0, 5).Draw(t, "kept")
				m.broken = faults{kv: rapid.IntRange(0, 12).Draw(t, "kv"), blobs: rapid.IntRange(0, 12).Draw(t, "blobs")}
				looked, from := 0, p.from
				_, err := gc.Collect(ctx, gc.Options{
					Store: m.store, Records: m.trees, Grace: grace, Emptied: true, Now: func() time.Time { return m.now }, From: p.from,
					Looked: func(s gc.Stats) {
						if looked++; looked <= kept { // the position is kept now and then
							from = s
						}
						if looked >= steps {
							crash()
						}
					},
				})
				m.broken = faults{}
				p.from = from
				if err != nil && !errors.Is(err, errBroken) && !errors.Is(err, context.Canceled) {
					t.Fatal(err)
				}
			},
			"collect the rest": func(t *rapid.T) {
				p := m.begin(grace)
				stats, err := collect(t, gc.Options{From: p.from})
				must(t, err)
				for h := range p.garbage {
					if m.isGarbage(h, grace) {
						t.Fatalf("%s is left; from %+v to %+v", h, p.from, stats)
					}
				}
				if m.pass = nil; stats.Blobs < p.from.Blobs || stats.Collected < p.from.Collected {
					t.Fatalf("did not count on: from %+v to %+v", p.from, stats)
				}
			},
			"collect with errors": func(t *rapid.T) {
				before := m.garbage(grace)
				m.broken = faults{kv: rapid.IntRange(0, 12).Draw(t, "kv"), blobs: rapid.IntRange(0, 12).Draw(t, "blobs")}
				stats, err := collect(t, gc.Options{})
				m.broken = faults{}
				if err != nil && !errors.Is(err, errBroken) {
					t.Fatal(err)
				}
				if left := m.garbage(grace); left != before-stats.Collected || err == nil && left != 0 {
					t.Fatalf("%d of %d collected, %d left: %v", stats.Collected, before, left, err)
				}
			},
			"": m.check,
		})
	})
}

// TestWriterMeanwhile commits equal bytes while a pass is about to remove them.
func TestWriterMeanwhile(t *testing.T) {
	m := newMachine()
	defer m.trees.Close()
	rapid.Check(t, func(t *rapid.T) {
		h := m.commit(t, "body")
		m.now = m.now.Add(48 * time.Hour)
		_, err := gc.Collect(context.Background(), gc.Options{
			Store: m.store, Records: lateWriter{m.trees, func() { m.commit(t, "body") }}, Emptied: true, Now: func() time.Time { return m.now },
		})
		must(t, err)
		if _, err := m.disk.Stat(context.Background(), h); err != nil {
			t.Fatal("bytes that were committed again are gone")
		}
	})
}

// lateWriter writes right after the records were asked for the last time.
type lateWriter struct {
	gc.Records
	write func()
}

func (l lateWriter) Referenced(ctx context.Context, ref catalog.BlobRef) (bool, error) {
	named, err := l.Records.Referenced(ctx, ref)
	l.write()
	return named, err
}

func TestDoubt(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := newMachine()
		defer m.trees.Close()
		o := gc.Options{Store: m.store, Records: m.trees, Now: func() time.Time { return m.now.Add(72 * time.Hour) }}
		if _, err := gc.Collect(context.Background(), o); err != nil {
			t.Fatalf("an empty store: %v", err)
		}
		m.commit(t, "a")
		if _, err := gc.Collect(context.Background(), o); !errors.Is(err, gc.ErrNothingNamed) {
			t.Fatalf("a store of which nothing is named: %v", err)
		}
		m.name(t, "/lost", m.commit(t, "b"))
		must(t, m.disk.Delete(context.Background(), m.named["/lost"]))
		stats, err := gc.Collect(context.Background(), o)
		if err != nil || stats.Missing != 1 || stats.Collected != 1 {
			t.Fatalf("with a lost blob: %+v, %v", stats, err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		for _, body := range []string{"c", "d"} {
			m.commit(t, body)
		}
		if stats, err := gc.Collect(ctx, o); !errors.Is(err, context.Canceled) || stats.Collected != 0 {
			t.Fatalf("stopped: %+v, %v", stats, err)
		}
	})
}
