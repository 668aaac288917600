package checkpoint_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"entrepot/storage/kv/leveldb/checkpoint"
	"entrepot/storage/kv/leveldb/disk"
	"entrepot/storage/kv/leveldb/disk/faulty"
	"entrepot/storage/kv/leveldb/frame"
)

func row(i int) (key, value string) {
	return fmt.Sprintf("key %08d", i), strings.Repeat(fmt.Sprintf("value %d ", i*7919), i%9)
}

func write(t testing.TB, dir string, sequence uint64, rows int) checkpoint.Info {
	t.Helper()
	w, err := checkpoint.Create(dir, sequence, disk.OS{})
	if err != nil {
		t.Fatal(err)
	}
	for i := range rows {
		key, value := row(i)
		if err := w.Add([]byte(key), []byte(value)); err != nil {
			t.Fatal(err)
		}
	}
	info, err := w.Commit()
	if err != nil {
		t.Fatal(err)
	}
	return info
}

func verify(ctx context.Context, info checkpoint.Info) (int64, error) {
	return checkpoint.Read(ctx, info, disk.OS{}, func([]byte, []byte) error { return nil })
}

func TestReadBack(t *testing.T) {
	for _, rows := range []int{0, 1, 50_000} {
		info := write(t, t.TempDir(), 12, rows)
		i := 0
		n, err := checkpoint.Read(t.Context(), info, disk.OS{}, func(key, value []byte) error {
			wantKey, wantValue := row(i)
			if string(key) != wantKey || string(value) != wantValue {
				return fmt.Errorf("row %d is %q=%q", i, key, value)
			}
			i++
			return nil
		})
		if err != nil || n != int64(rows) || i != rows {
			t.Errorf("%d rows: read %d (%d), %v", rows, n, i, err)
		}
	}
}

func TestLargeRows(t *testing.T) {
	w, err := checkpoint.Create(t.TempDir(), 1, disk.OS{})
	if err != nil {
		t.Fatal(err)
	}
	noise := make([]byte, 360<<10)
	for i := range noise {
		noise[i] = byte(rand.Uint32())
	}
	for i := range 20 {
		if err := w.Add([]byte{byte(i)}, noise); err != nil {
			t.Fatal(err)
		}
	}
	info, err := w.Commit()
	if err != nil {
		t.Fatal(err)
	}
	if n, err := verify(t.Context(), info); err != nil || n != 20 {
		t.Errorf("read %d rows, %v", n, err)
	}
}

func TestList(t *testing.T) {
	dir := t.TempDir()
	for _, sequence := range []uint64{5, 100, 20} {
		write(t, dir, sequence, 3)
	}
	if _, err := checkpoint.Create(dir, 200, disk.OS{}); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "notes.txt"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	found, err := checkpoint.List(dir)
	if err != nil {
		t.Fatal(err)
	}
	var got []uint64
	for _, info := range found {
		got = append(got, info.Sequence)
	}
	if !slices.Equal(got, []uint64{100, 20, 5}) {
		t.Errorf("List = %v", got)
	}
	if err := checkpoint.RemoveUnfinished(dir, disk.OS{}); err != nil {
		t.Fatal(err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*.tmp")); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

func TestDamageIsFound(t *testing.T) {
	info := write(t, t.TempDir(), 12, 20_000)
	whole, err := os.ReadFile(info.Path)
	if err != nil {
		t.Fatal(err)
	}
	check := func(what string, content []byte) {
		t.Helper()
		if err := os.WriteFile(info.Path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		bad := info
		bad.Bytes = int64(len(content))
		var damage *frame.DamageError
		if _, err := verify(t.Context(), bad); !errors.As(err, &damage) || damage.File != info.Path {
			t.Fatalf("%s: %v", what, err)
		}
	}
	random := rand.New(rand.NewPCG(3, 4))
	for range 100 {
		at := random.IntN(len(whole))
		bad := slices.Clone(whole)
		bad[at] ^= 1 << random.IntN(8)
		check(fmt.Sprintf("byte %d flipped", at), bad)
		check(fmt.Sprintf("cut at %d", at), whole[:at])
	}
	check("longer", append(slices.Clone(whole), 0))
}

func TestReadStops(t *testing.T) {
	info := write(t, t.TempDir(), 12, 50_000)
	ctx, cancel := context.WithCancel(t.Context())
	n, err := checkpoint.Read(ctx, info, disk.OS{}, func([]byte, []byte) error { cancel(); return nil })
	if !errors.Is(err, context.Canceled) || n == 50_000 {
		t.Errorf("cancelled: %d rows, %v", n, err)
	}
	stop := errors.New("stop")
	n, err = checkpoint.Read(t.Context(), info, disk.OS{}, func([]byte, []byte) error { return stop })
	if !errors.Is(err, stop) || n != 1 {
		t.Errorf("stopped: %d rows, %v", n, err)
	}
}

func TestFailedWriteLeavesNothing(t *testing.T) {
	fails := map[string]func(*faulty.FS){
		"full":   func(fs *faulty.FS) { fs.Room(500, syscall.ENOSPC) },
		"sync":   func(fs *faulty.FS) { fs.Fail(faulty.Sync, syscall.EIO) },
		"rename": func(fs *faulty.FS) { fs.Fail(faulty.Rename, syscall.EIO) },
	}
	for name, fail := range fails {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			fs := faulty.New(disk.OS{})
			w, err := checkpoint.Create(dir, 1, fs)
			if err != nil {
				t.Fatal(err)
			}
			fail(fs)
			for i := range 1000 {
				key, value := row(i)
				if err := w.Add([]byte(key), []byte(value)); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := w.Commit(); err == nil {
				t.Fatal("a checkpoint was committed")
			}
			if left, err := os.ReadDir(dir); len(left) > 0 || err != nil {
				t.Errorf("left: %v, %v", left, err)
			}
		})
	}
}
