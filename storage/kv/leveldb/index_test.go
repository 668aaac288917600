package leveldb

import (
	"errors"
	"fmt"
	"hash/maphash"
	"sync/atomic"
	"syscall"
	"testing"

	"entrepot/storage/kv"

	"github.com/syndtr/goleveldb/leveldb/storage"
)

func openStore(t *testing.T, dir string, opts *Options) (*Driver, *kv.Store) {
	t.Helper()
	d, err := Open(dir, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d, kv.New(d)
}

func testKey(i int) kv.Key { return kv.Key{Partition: "p", Sort: fmt.Sprintf("%04d", i)} }

// changed makes rows 0 to 99, a checkpoint, and then changes, removes and makes some.
func changed(t *testing.T, dir string) *Driver {
	t.Helper()
	d, store := openStore(t, dir, nil)
	apply := func(ops ...kv.Op) {
		t.Helper()
		if err := store.Apply(t.Context(), ops...); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 100 {
		apply(kv.Put(testKey(i), []byte("first")))
	}
	if err := d.Checkpoint(t.Context()); err != nil {
		t.Fatal(err)
	}
	for i := range 20 {
		apply(kv.Put(testKey(i), []byte("second")), kv.Delete(testKey(30+i)), kv.Put(testKey(200+i), nil))
	}
	for i := range 20 {
		apply(kv.Delete(testKey(200 + i)))
	}
	return d
}

func TestVerifyFindsDifferences(t *testing.T) {
	stored := func(i int) []byte { return appendKey(nil, testKey(i)) }
	tampers := map[string]func(*Driver) error{
		"row of the checkpoint lost":    func(d *Driver) error { return d.index.db.Delete(stored(70), nil) },
		"row of the log lost":           func(d *Driver) error { return d.index.db.Delete(stored(3), nil) },
		"row of the checkpoint changed": func(d *Driver) error { return d.index.db.Put(stored(70), appendRow(nil, &kv.Entry{Version: 71}), nil) },
		"row of the log changed": func(d *Driver) error {
			return d.index.db.Put(stored(3), appendRow(nil, &kv.Entry{Version: 104, Value: []byte("x")}), nil)
		},
		"row of the log as it was before": func(d *Driver) error {
			return d.index.db.Put(stored(3), appendRow(nil, &kv.Entry{Version: 4, Value: []byte("first")}), nil)
		},
		"removed row":  func(d *Driver) error { return d.index.db.Put(stored(31), appendRow(nil, &kv.Entry{Version: 32}), nil) },
		"invented row": func(d *Driver) error { return d.index.db.Put(stored(500), appendRow(nil, &kv.Entry{Version: 50}), nil) },
		"young row": func(d *Driver) error {
			return d.index.db.Put(stored(500), appendRow(nil, &kv.Entry{Version: 130}), nil)
		},
		"unreadable": func(d *Driver) error { return d.index.db.Put(stored(70), []byte{0}, nil) },
	}
	for name, tamper := range tampers {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			d := changed(t, dir)
			report, err := d.Verify(t.Context())
			if err != nil || report.Rows != 80 || report.CheckpointRows != 100 || report.Frames != 140 {
				t.Fatalf("sound folder: %+v, %v", report, err)
			}
			if err := tamper(d); err != nil {
				t.Fatal(err)
			}
			if _, err := d.Verify(t.Context()); !errors.Is(err, errBadRow) {
				t.Errorf("Verify = %v, want errBadRow", err)
			}
			if err := d.Health(); err == nil {
				t.Error("Health knows nothing of it")
			}
			if err := d.Close(); err != nil {
				t.Fatal(err)
			}
			d, _ = openStore(t, dir, nil)
			if report, err := d.Verify(t.Context()); err != nil || report.Rows != 80 {
				t.Errorf("after the next start: %+v, %v", report, err)
			}
		})
	}
}

// TestVerifyInParts gives the verification room for few missing keys.
func TestVerifyInParts(t *testing.T) {
	d := changed(t, t.TempDir())
	verify := func() error {
		snapshot, err := d.index.db.GetSnapshot()
		if err != nil {
			return err
		}
		defer snapshot.Release()
		v := &verification{d: d, snapshot: snapshot, parts: 1, seed: maphash.MakeSeed(), limit: 6}
		report, err := v.run(t.Context())
		if v.parts == 1 || err == nil && report.Rows != 80 {
			t.Errorf("%d parts, %+v", v.parts, report)
		}
		return err
	}
	if err := verify(); err != nil {
		t.Fatal(err)
	}
	if err := d.index.db.Delete(appendKey(nil, testKey(70)), nil); err != nil {
		t.Fatal(err)
	}
	if err := verify(); !errors.Is(err, errBadRow) {
		t.Errorf("lost row: %v", err)
	}
}

// failingTables is a storage on which no table can be made while fail is set.
type failingTables struct {
	storage.Storage
	fail atomic.Pointer[error]
}

func (f *failingTables) Create(fd storage.FileDesc) (storage.Writer, error) {
	if err := f.fail.Load(); err != nil && fd.Type == storage.TypeTable {
		return nil, *err
	}
	return f.Storage.Create(fd)
}

// TestIndexTakesNoMore lets the index refuse a group that the log has taken already.
func TestIndexTakesNoMore(t *testing.T) {
	if underRace {
		t.Skip("goleveldb answers a failed compaction on a channel that may be closed, and recovers; the race detector objects")
	}
	tests := []struct {
		name     string
		err      error
		want     error
		recovers bool
	}{
		{"full", syscall.ENOSPC, kv.ErrNoSpace, true},
		{"broken", syscall.EIO, kv.ErrReadOnly, false},
		{"corrupt", &storage.ErrCorrupted{Err: errors.New("bad")}, kv.ErrReadOnly, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			d, store := openStore(t, dir, &Options{WriteBufferBytes: 4 << 10})
			tables := &failingTables{Storage: d.index.files.Storage}
			d.index.files.Storage = tables
			tables.fail.Store(&tt.err)
			i, err := 0, error(nil)
			for ; err == nil && i < 10_000; i++ {
				err = store.Apply(t.Context(), kv.Put(testKey(i), make([]byte, 500)), kv.Add(kv.Key{Partition: "n"}, 1))
			}
			if !errors.Is(err, tt.want) {
				t.Fatalf("batch %d: %v, want %v", i, err, tt.want)
			}
			kept := i - 1
			if _, err := store.Get(t.Context(), testKey(kept)); !errors.Is(err, kv.ErrNotFound) {
				t.Errorf("the refused row is there: %v", err)
			}
			if n, err := store.Count(t.Context(), kv.Key{Partition: "n"}); n != int64(kept) || err != nil {
				t.Errorf("counter %d, %v; want %d", n, err, kept)
			}
			tables.fail.Store(nil)
			for tt.recovers && d.Health() != nil { // goleveldb tries again after a second
				if t.Context().Err() != nil {
					t.Fatal("writing does not recover")
				}
			}
			if err := store.Apply(t.Context(), kv.Put(kv.Key{Partition: "q"}, nil)); (err == nil) != tt.recovers {
				t.Errorf("write after the disk was mended: %v", err)
			}
			if err := d.Close(); err != nil && tt.recovers {
				t.Fatal(err)
			}
			_, store = openStore(t, dir, nil)
			if n, err := store.Count(t.Context(), kv.Key{Partition: "n"}); n != int64(kept) || err != nil {
				t.Errorf("after the next start: counter %d, %v; want %d", n, err, kept)
			}
		})
	}
}
