package leveldb_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"entrepot/storage/kv"
	"entrepot/storage/kv/leveldb"
	"entrepot/storage/kv/leveldb/disk"
	"entrepot/storage/kv/leveldb/disk/faulty"
)

// gate is a disk whose syncs wait while it is shut, so that a test decides what is in a group.
type gate struct {
	*faulty.FS
	mu    sync.Mutex
	shut  chan struct{} // nil: open
	waits chan struct{} // told of each sync that waits
}

func newGate() *gate { return &gate{FS: faulty.New(disk.OS{}), waits: make(chan struct{}, 100)} }

// Shut lets syncs wait until the returned function is called.
func (g *gate) Shut() (open func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	shut := make(chan struct{})
	g.shut = shut
	return func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.shut = nil
		close(shut)
	}
}

func (g *gate) Create(name string) (disk.File, error) {
	f, err := g.FS.Create(name)
	return gatedFile{f, g}, err
}

func (g *gate) Open(name string) (disk.File, error) {
	f, err := g.FS.Open(name)
	return gatedFile{f, g}, err
}

type gatedFile struct {
	disk.File
	gate *gate
}

func (f gatedFile) Sync() error {
	f.gate.mu.Lock()
	shut := f.gate.shut
	f.gate.mu.Unlock()
	if shut != nil {
		f.gate.waits <- struct{}{}
		<-shut
	}
	return f.File.Sync()
}

// pending is a batch that another goroutine applies.
type pending chan error

func start(ctx context.Context, store *kv.Store, ops ...kv.Op) pending {
	p := make(pending, 1)
	go func() { p <- store.Apply(ctx, ops...) }()
	return p
}

// queued waits until n batches wait for the writer.
func queued(t *testing.T, d *leveldb.Driver, n int) {
	t.Helper()
	for leveldb.Waiting(d) != n {
		if t.Context().Err() != nil {
			t.Fatal("batches do not arrive")
		}
	}
}

func TestOneGroupOneSync(t *testing.T) {
	g := newGate()
	d := open(t, t.TempDir(), &leveldb.Options{FS: g})
	store := kv.New(d)
	release := g.Shut()
	all := []pending{start(t.Context(), store, kv.Put(row("first"), nil))}
	<-g.waits
	for i := range 20 {
		all = append(all, start(t.Context(), store, kv.PutNew(row("same"), []byte{byte(i)}), kv.Add(row("n"), 1)))
	}
	queued(t, d, 20)
	before := g.Syncs()
	release()
	won := 0
	for _, p := range all[1:] {
		switch err := <-p; {
		case err == nil:
			won++
		case !errors.Is(err, kv.ErrConflict):
			t.Error(err)
		}
	}
	if err := <-all[0]; err != nil {
		t.Error(err)
	}
	n, err := store.Count(t.Context(), row("n"))
	if won != 1 || n != 1 || err != nil {
		t.Errorf("%d batches won, counter %d, %v", won, n, err)
	}
	if syncs := g.Syncs() - before; syncs != 2 {
		t.Errorf("%d syncs for the first batch and a group of 20", syncs)
	}
	s, err := d.Stats()
	if err != nil || s.Groups != 2 || s.Sequence != 2 {
		t.Errorf("stats %+v, %v", s, err)
	}
}

// TestRefusedGroup lets a group fail in which one batch saw the row of another: both must be refused, neither as a conflict.
func TestRefusedGroup(t *testing.T) {
	g := newGate()
	store := kv.New(open(t, t.TempDir(), &leveldb.Options{FS: g}))
	release := g.Shut()
	first := start(t.Context(), store, kv.Put(row("first"), nil))
	<-g.waits
	g.Fail(faulty.Sync, errors.New("broken disk"))
	var group []pending
	for range 5 {
		group = append(group, start(t.Context(), store, kv.PutNew(row("same"), nil)))
	}
	release()
	for i, p := range append(group, first) {
		if err := <-p; !errors.Is(err, kv.ErrReadOnly) || errors.Is(err, kv.ErrConflict) {
			t.Errorf("batch %d: %v, want ErrReadOnly", i, err)
		}
	}
	if _, err := store.Get(t.Context(), row("same")); !errors.Is(err, kv.ErrNotFound) {
		t.Errorf("a refused row is there: %v", err)
	}
}

func TestCancelWhileWaiting(t *testing.T) {
	g := newGate()
	d := open(t, t.TempDir(), &leveldb.Options{FS: g})
	store := kv.New(d)
	release := g.Shut()
	ctx, cancel := context.WithCancel(t.Context())
	first := start(ctx, store, kv.Put(row("first"), nil))
	<-g.waits
	second := start(ctx, store, kv.Put(row("second"), nil))
	queued(t, d, 1)
	cancel()
	if err := <-second; !errors.Is(err, context.Canceled) {
		t.Errorf("waiting batch: %v, want context.Canceled", err)
	}
	release()
	if err := <-first; err != nil {
		t.Errorf("a batch that is being written does not heed its context: %v", err)
	}
	if err := store.Apply(t.Context(), kv.Put(row("third"), nil)); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Get(t.Context(), row("second")); !errors.Is(err, kv.ErrNotFound) {
		t.Errorf("the cancelled batch was written: %v", err)
	}
}

func TestCloseAnswersEverybody(t *testing.T) {
	g := newGate()
	d := open(t, t.TempDir(), &leveldb.Options{FS: g})
	store := kv.New(d)
	fill(t, store, 0, 20)
	release := g.Shut()
	first := start(t.Context(), store, kv.Put(row("first"), nil))
	<-g.waits
	second := start(t.Context(), store, kv.Put(row("second"), nil))
	queued(t, d, 1)
	rows := 0
	for _, err := range store.Scan(t.Context(), "p", kv.Range{}) {
		if rows++; rows == 1 {
			closed := make(pending, 1)
			go func() { closed <- store.Close() }()
			for d.Health() == nil { // until Close has begun
			}
			release()
			if err := <-closed; err != nil {
				t.Error(err)
			}
			continue
		}
		if !errors.Is(err, kv.ErrClosed) || rows > 2 {
			t.Fatalf("scan goes on after Close: row %d, %v", rows, err)
		}
	}
	if rows != 2 {
		t.Errorf("the scan yielded %d times, want a row and an error", rows)
	}
	if err := errors.Join(<-first, <-second); err != nil {
		t.Errorf("batches from before Close: %v", err)
	}
}

func TestLargeGroups(t *testing.T) {
	dir := t.TempDir()
	d := open(t, dir, small())
	store := kv.New(d)
	var wg sync.WaitGroup
	for i := range 12 {
		wg.Go(func() {
			var ops []kv.Op
			for j := range 8 {
				value := make([]byte, kv.MaxValue)
				value[0], value[1] = byte(i), byte(j)
				ops = append(ops, kv.Put(kv.Key{Partition: "large", Sort: fmt.Sprintf("%02d %d", i, j)}, value))
			}
			if err := store.Apply(t.Context(), ops...); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	store = kv.New(open(t, dir, small()))
	n := 0
	for e, err := range store.Scan(t.Context(), "large", kv.Range{}) {
		if err != nil {
			t.Fatal(err)
		}
		if len(e.Value) != kv.MaxValue || e.Sort != fmt.Sprintf("%02d %d", e.Value[0], e.Value[1]) {
			t.Errorf("row %q has %d bytes", e.Sort, len(e.Value))
		}
		n++
	}
	if n != 12*8 {
		t.Errorf("%d rows", n)
	}
}
