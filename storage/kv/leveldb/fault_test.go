package leveldb_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"entrepot/storage/kv"
	"entrepot/storage/kv/leveldb"
	"entrepot/storage/kv/leveldb/commitlog"
	"entrepot/storage/kv/leveldb/disk"
	"entrepot/storage/kv/leveldb/disk/faulty"
	"entrepot/storage/kv/leveldb/frame"

	"github.com/google/go-cmp/cmp"
)

// small makes segments, tables and checkpoints of a few batches.
func small() *leveldb.Options {
	return &leveldb.Options{WriteBufferBytes: 16 << 10, SegmentBytes: 2 << 10, CheckpointBytes: 1 << 30}
}

func row(sort string) kv.Key { return kv.Key{Partition: "p", Sort: sort} }

// fill commits n batches of several kinds of operations.
func fill(t testing.TB, store *kv.Store, from, n int) {
	t.Helper()
	for i := from; i < from+n; i++ {
		if err := store.Apply(t.Context(),
			kv.Put(row(fmt.Sprintf("row %05d", i)), []byte(strings.Repeat(strconv.Itoa(i), i%200))),
			kv.Put(row(fmt.Sprintf("slot %d", i%7)), []byte(strconv.Itoa(i))),
			kv.Delete(row(fmt.Sprintf("row %05d", i-30))),
			kv.Add(kv.Key{Partition: "counts", Sort: strconv.Itoa(i % 3)}, int64(i)),
		); err != nil {
			t.Fatal(err)
		}
	}
}

// content is all rows of the partitions that fill writes to.
func content(t testing.TB, store *kv.Store) []kv.Entry {
	t.Helper()
	var all []kv.Entry
	for _, partition := range []string{"p", "counts"} {
		for e, err := range store.Scan(t.Context(), partition, kv.Range{}) {
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, e)
		}
	}
	return all
}

// made is a closed folder with a checkpoint, tables, and a log that does not reach back to the beginning, and what it holds.
func made(t testing.TB) (dir string, rows []kv.Entry) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "records")
	d := open(t, dir, small())
	store := kv.New(d)
	n := 0
	for n == 0 || strings.HasSuffix(glob(t, dir, "log/*")[0], "/00000000000000000001.log") {
		fill(t, store, n, 50)
		n += 50
		if err := d.Checkpoint(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	fill(t, store, n, 200)
	rows = content(t, store)
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	return dir, rows
}

// wantContent opens a folder and checks its rows and their agreement with log and checkpoint.
func wantContent(t testing.TB, dir string, want []kv.Entry) {
	t.Helper()
	d, err := leveldb.Open(dir, small())
	if err != nil {
		t.Fatal(err)
	}
	store := kv.New(d)
	if diff := cmp.Diff(want, content(t, store)); diff != "" {
		t.Errorf("content (-want +got):\n%s", diff)
	}
	if _, err := d.Verify(t.Context()); err != nil {
		t.Error(err)
	}
	if err := store.Close(); err != nil {
		t.Error(err)
	}
}

func copyOf(t testing.TB, dir string) string {
	t.Helper()
	to := filepath.Join(t.TempDir(), "copy")
	if err := os.CopyFS(to, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	return to
}

func glob(t testing.TB, dir, pattern string) []string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, pattern))
	if err != nil || len(names) == 0 {
		t.Fatalf("no %s in %s (%v)", pattern, dir, err)
	}
	slices.Sort(names)
	return names
}

func flip(t testing.TB, name string, at int) {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	b[at] ^= 1 << (at % 8)
	if err := os.WriteFile(name, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestSecondOpenIsRefused(t *testing.T) {
	dir := t.TempDir()
	open(t, dir, nil)
	_, err := leveldb.Open(dir, nil)
	if err == nil || !strings.Contains(err.Error(), dir) || !strings.Contains(err.Error(), strconv.Itoa(os.Getpid())) {
		t.Errorf("second open: %v; want an error with folder and process id", err)
	}
	if err := leveldb.Rebuild(dir, nil); err == nil {
		t.Error("an open folder was rebuilt")
	}
}

func TestReopen(t *testing.T) {
	dir, rows := made(t)
	for range 3 {
		wantContent(t, dir, rows)
	}
}

func TestIndexDeletedOrDamaged(t *testing.T) {
	dir, rows := made(t)
	breaks := map[string]func(*testing.T, string){
		"deleted": func(t *testing.T, db string) {
			if err := os.RemoveAll(db); err != nil {
				t.Fatal(err)
			}
		},
		"emptied": func(t *testing.T, db string) {
			if err := errors.Join(os.RemoveAll(db), os.Mkdir(db, 0o700)); err != nil {
				t.Fatal(err)
			}
		},
		"no manifest":  func(t *testing.T, db string) { remove(t, glob(t, db, "MANIFEST-*")[0]) },
		"no pointer":   func(t *testing.T, db string) { remove(t, filepath.Join(db, "CURRENT")) },
		"bad pointer":  func(t *testing.T, db string) { flip(t, filepath.Join(db, "CURRENT"), 3) },
		"bad manifest": func(t *testing.T, db string) { flip(t, glob(t, db, "MANIFEST-*")[0], 40) },
		"no table":     func(t *testing.T, db string) { remove(t, glob(t, db, "*.ldb")[0]) },
	}
	for name, damage := range breaks {
		t.Run(name, func(t *testing.T) {
			dir := copyOf(t, dir)
			damage(t, filepath.Join(dir, "db"))
			wantContent(t, dir, rows)
			wantContent(t, dir, rows)
		})
	}
}

func remove(t *testing.T, name string) {
	t.Helper()
	if err := os.Remove(name); err != nil {
		t.Fatal(err)
	}
}

// TestBadTable flips bits in tables: reads may fail, never lie, and the next start cures it.
func TestBadTable(t *testing.T) {
	origin, rows := made(t)
	random := rand.New(rand.NewPCG(5, 6))
	for range 6 {
		dir := copyOf(t, origin)
		tables := glob(t, dir, "db/*.ldb")
		name := tables[random.IntN(len(tables))]
		info, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		flip(t, name, random.IntN(int(info.Size())))
		d, err := leveldb.Open(dir, small())
		if err != nil {
			t.Fatal(err)
		}
		store := kv.New(d)
		got, failed := rowsUntilError(t, store)
		if !failed && !cmp.Equal(rows, got) {
			t.Fatalf("%s: a damaged table changed what is read", name)
		}
		if health := d.Health(); failed && health == nil {
			t.Errorf("a read failed and Health says nothing")
		}
		if err := store.Close(); err != nil {
			t.Fatal(err)
		}
		if failed {
			wantContent(t, dir, rows)
		}
	}
}

func rowsUntilError(t *testing.T, store *kv.Store) (rows []kv.Entry, failed bool) {
	t.Helper()
	for _, partition := range []string{"p", "counts"} {
		for e, err := range store.Scan(t.Context(), partition, kv.Range{}) {
			if err != nil {
				return rows, true
			}
			rows = append(rows, e)
		}
	}
	return rows, false
}

// TestIndexFromBackup puts an old index beside a log that does not reach back so far.
func TestIndexFromBackup(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "records")
	d := open(t, dir, small())
	store := kv.New(d)
	fill(t, store, 0, 20)
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	backup := copyOf(t, dir)
	d = open(t, dir, small())
	store = kv.New(d)
	fill(t, store, 20, 600)
	if err := d.Checkpoint(t.Context()); err != nil {
		t.Fatal(err)
	}
	fill(t, store, 620, 10)
	rows := content(t, store)
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.RemoveAll(dir+"/db"), os.Rename(backup+"/db", dir+"/db")); err != nil {
		t.Fatal(err)
	}
	wantContent(t, dir, rows)
}

// TestTornTail cuts the log at every byte of its last frame, as a crash would, with the index of that moment and without.
func TestTornTail(t *testing.T) {
	dir := t.TempDir()
	d := open(t, dir, nil)
	store := kv.New(d)
	fill(t, store, 0, 20)
	before := copyOf(t, dir)
	rows := content(t, store)
	if err := store.Apply(t.Context(), kv.Put(row("last"), []byte("value"))); err != nil {
		t.Fatal(err)
	}
	// Behind the frames there is room taken ahead.
	whole := bytes.TrimRight(read(t, glob(t, dir, "log/*")[0]), "\x00")
	start := len(bytes.TrimRight(read(t, glob(t, before, "log/*")[0]), "\x00"))
	for size := start; size < len(whole); size++ {
		for _, db := range []bool{true, false} {
			if err := os.WriteFile(glob(t, before, "log/*")[0], whole[:size], 0o600); err != nil {
				t.Fatal(err)
			}
			if !db {
				if err := os.RemoveAll(before + "/db"); err != nil {
					t.Fatal(err)
				}
			}
			wantContent(t, before, rows)
		}
	}
}

func read(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestDamagedLog flips bits anywhere in the log of a closed folder that must be read.
func TestDamagedLog(t *testing.T) {
	origin, _ := made(t)
	random := rand.New(rand.NewPCG(7, 8))
	names := glob(t, origin, "log/*")
	for range 20 {
		dir := copyOf(t, origin)
		if err := os.RemoveAll(dir + "/db"); err != nil {
			t.Fatal(err)
		}
		// What lies before the checkpoint is not read. The very last frame is the empty one that marks an orderly end.
		name := filepath.Join(dir, "log", filepath.Base(names[len(names)/2+random.IntN((len(names)+1)/2)]))
		size := len(read(t, name))
		if name == filepath.Join(dir, "log", filepath.Base(names[len(names)-1])) {
			size -= frame.HeaderSize
		}
		at := random.IntN(size)
		flip(t, name, at)
		_, err := leveldb.Open(dir, small())
		var damage *frame.DamageError
		if !errors.As(err, &damage) || damage.File != name || damage.Offset > int64(at) || !strings.Contains(err.Error(), "entrepot rebuild") {
			t.Fatalf("byte %d of %s flipped: %v", at, name, err)
		}
	}
}

func TestDamagedCheckpoint(t *testing.T) {
	dir, rows := made(t)
	name := glob(t, dir, "checkpoint/*")[0]
	flip(t, name, len(read(t, name))/2)
	wantRows := func() {
		d := open(t, dir, small())
		if diff := cmp.Diff(rows, content(t, kv.New(d))); diff != "" {
			t.Error(diff)
		}
		var damage *frame.DamageError
		if _, err := d.Verify(t.Context()); !errors.As(err, &damage) || damage.File != name {
			t.Errorf("Verify = %v, want damage in %s", err, name)
		}
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
	}
	wantRows()
	// The log was trimmed, so without the index nothing can be rebuilt, and the index must not be given up for nothing.
	if err := leveldb.Rebuild(dir, small()); err == nil {
		t.Fatal("rebuilt from a damaged checkpoint")
	}
	wantRows()
	saved, err := leveldb.Salvage(t.Context(), dir, small())
	if err != nil || saved.Damage == nil || saved.Aside == "" {
		t.Fatalf("Salvage = %+v, %v", saved, err)
	}
	wantContent(t, dir, rows)
}

func TestLostLog(t *testing.T) {
	dir, rows := made(t)
	if err := errors.Join(os.RemoveAll(dir+"/log"), os.RemoveAll(dir+"/checkpoint")); err != nil {
		t.Fatal(err)
	}
	if _, err := leveldb.Open(dir, small()); !errors.Is(err, commitlog.ErrNone) {
		t.Fatalf("open without a log: %v", err)
	}
	if err := leveldb.Rebuild(dir, small()); !errors.Is(err, commitlog.ErrNone) {
		t.Fatalf("rebuild without a log: %v", err)
	}
	saved, err := leveldb.Salvage(t.Context(), dir, small())
	if err != nil || !errors.Is(saved.Damage, commitlog.ErrNone) {
		t.Fatalf("Salvage = %+v, %v", saved, err)
	}
	// What was in the memory of the index and not in a table is gone with the log.
	d := open(t, dir, small())
	kept := content(t, kv.New(d))
	if len(kept) == 0 || len(kept) > len(rows) {
		t.Errorf("%d rows were kept of %d", len(kept), len(rows))
	}
}

func TestRebuildMakesNoNewFolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "mistyped")
	if err := leveldb.Rebuild(dir, nil); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Rebuild of an absent folder = %v", err)
	}
	if _, err := leveldb.Salvage(t.Context(), dir, nil); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Salvage of an absent folder = %v", err)
	}
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Error("a folder was made")
	}
	if err := leveldb.Rebuild(t.TempDir(), nil); !errors.Is(err, commitlog.ErrNone) {
		t.Errorf("Rebuild of an empty folder = %v", err)
	}
	if saved, err := leveldb.Salvage(t.Context(), t.TempDir(), nil); err == nil {
		t.Errorf("Salvage of an empty folder = %+v", saved)
	}
}

func TestSalvageOfDamagedLog(t *testing.T) {
	dir, rows := made(t)
	if saved, err := leveldb.Salvage(t.Context(), dir, small()); err != nil || saved.Damage != nil || saved.Aside != "" || saved.Sequence < 250 {
		t.Fatalf("sound folder: %+v, %v", saved, err)
	}
	wantContent(t, dir, rows)
	names := glob(t, dir, "log/*")
	damaged := names[len(names)-3]
	first, err := strconv.Atoi(strings.TrimSuffix(filepath.Base(damaged), ".log"))
	if err != nil {
		t.Fatal(err)
	}
	flip(t, damaged, 100)
	if err := os.RemoveAll(dir + "/db"); err != nil {
		t.Fatal(err)
	}
	saved, err := leveldb.Salvage(t.Context(), dir, small())
	var damage *frame.DamageError
	if err != nil || !errors.As(saved.Damage, &damage) || int(saved.Sequence) < first-1 || int(saved.Sequence) > first+3 {
		t.Fatalf("Salvage = %+v, %v; frame %d is near the damage", saved, err, first)
	}
	d := open(t, dir, small())
	store := kv.New(d)
	if _, err := store.Get(t.Context(), row(fmt.Sprintf("row %05d", saved.Sequence-1))); err != nil {
		t.Errorf("last change that was kept: %v", err)
	}
	if e, err := store.Get(t.Context(), row(fmt.Sprintf("row %05d", saved.Sequence))); !errors.Is(err, kv.ErrNotFound) {
		t.Errorf("first change that was lost: %+v, %v", e, err)
	}
	fill(t, store, 400, 5)
	if _, err := d.Verify(t.Context()); err != nil {
		t.Error(err)
	}
	if len(glob(t, saved.Aside, "log/*")) < 2 {
		t.Error("the damaged log was not kept")
	}
}

func TestFullDisk(t *testing.T) {
	disk := faulty.New(disk.OS{})
	opts := small()
	opts.FS = disk
	dir := t.TempDir()
	d := open(t, dir, opts)
	store := kv.New(d)
	fill(t, store, 0, 10)
	rows := content(t, store)
	for room := range int64(60) {
		disk.Room(room, syscall.ENOSPC)
		err := store.Apply(t.Context(), kv.Put(row("refused"), []byte(strings.Repeat("x", 200))), kv.Add(row("n"), 1))
		if !errors.Is(err, kv.ErrNoSpace) || !errors.Is(err, kv.ErrReadOnly) {
			t.Fatalf("room for %d bytes: %v, want ErrNoSpace", room, err)
		}
		if diff := cmp.Diff(rows, content(t, store)); diff != "" {
			t.Fatalf("a refused batch is visible:\n%s", diff)
		}
	}
	disk.Room(0, syscall.ENOSPC)
	if err := d.Health(); !errors.Is(err, kv.ErrNoSpace) {
		t.Errorf("Health = %v, want ErrNoSpace", err)
	}
	disk.Heal()
	if err := d.Health(); err != nil {
		t.Errorf("Health after there is room = %v", err)
	}
	fill(t, store, 10, 50)
	rows = content(t, store)
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	wantContent(t, dir, rows)
}

func TestFailingDisk(t *testing.T) {
	tests := []struct {
		name string
		op   faulty.Op
		err  error
	}{
		{"sync", faulty.Sync, syscall.EIO},
		{"sync without space", faulty.Sync, syscall.ENOSPC},
		{"write", faulty.Write, syscall.EIO},
		{"read-only", faulty.Write, syscall.EROFS},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			disk := faulty.New(disk.OS{})
			dir := t.TempDir()
			d := open(t, dir, &leveldb.Options{FS: disk})
			store := kv.New(d)
			fill(t, store, 0, 10)
			rows := content(t, store)
			disk.Fail(tt.op, tt.err)
			if err := store.Apply(t.Context(), kv.Put(row("refused"), nil)); !errors.Is(err, kv.ErrReadOnly) || errors.Is(err, kv.ErrNoSpace) {
				t.Fatalf("Apply = %v, want ErrReadOnly alone", err)
			}
			disk.Heal()
			if err := store.Apply(t.Context(), kv.Put(row("refused"), nil)); !errors.Is(err, kv.ErrReadOnly) {
				t.Errorf("Apply after the failure = %v, want ErrReadOnly", err)
			}
			if err := d.Health(); !errors.Is(err, kv.ErrReadOnly) {
				t.Errorf("Health = %v, want ErrReadOnly", err)
			}
			if diff := cmp.Diff(rows, content(t, store)); diff != "" {
				t.Errorf("reads after the failure: %s", diff)
			}
			if err := store.Close(); err != nil {
				t.Fatal(err)
			}
			wantContent(t, dir, rows)
		})
	}
}

func TestFilesAreForTheOwner(t *testing.T) {
	dir, _ := made(t)
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := e.Info()
		if err == nil && strings.HasPrefix(filepath.Base(filepath.Dir(path)), "log") && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v", path, info.Mode())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
