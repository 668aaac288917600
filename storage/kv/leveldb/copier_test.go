package leveldb_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"entrepot/storage/kv"
	"entrepot/storage/kv/leveldb"
	"entrepot/storage/kv/leveldb/disk"
	"entrepot/storage/kv/leveldb/disk/faulty"
)

// eventually waits for what happens behind the writer.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	deadline := time.NewTimer(20 * time.Second)
	defer deadline.Stop()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-deadline.C:
			t.Fatalf("not in time: %s", what)
		case <-tick.C:
		}
	}
}

func stats(t *testing.T, d *leveldb.Driver) leveldb.Stats {
	t.Helper()
	s, err := d.Stats()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestCheckpointsFollowTheLog(t *testing.T) {
	opts := small()
	opts.CheckpointBytes = 20 << 10
	dir := t.TempDir()
	d := open(t, dir, opts)
	store := kv.New(d)
	before := uint64(0)
	for round := range 3 {
		fill(t, store, round*200, 200)
		eventually(t, "a checkpoint", func() bool { return stats(t, d).CheckpointSequence > before })
		before = stats(t, d).CheckpointSequence
	}
	fill(t, store, 600, 50)
	eventually(t, "the log is trimmed", func() bool {
		fill(t, store, 650, 10)
		return stats(t, d).LogBytes < 200<<10
	})
	if n := len(glob(t, dir, "checkpoint/*")); n > 2 {
		t.Errorf("%d checkpoints are kept", n)
	}
	rows := content(t, store)
	if _, err := d.Verify(t.Context()); err != nil {
		t.Error(err)
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	if err := leveldb.Rebuild(dir, opts); err != nil {
		t.Fatal(err)
	}
	wantContent(t, dir, rows)
}

func TestFailedCheckpointHarmsNothing(t *testing.T) {
	disk := faulty.New(disk.OS{})
	opts := small()
	opts.FS = disk
	dir := t.TempDir()
	d := open(t, dir, opts)
	store := kv.New(d)
	fill(t, store, 0, 50)
	if err := d.Checkpoint(t.Context()); err != nil {
		t.Fatal(err)
	}
	first := stats(t, d)
	fill(t, store, 50, 50)
	for _, op := range []faulty.Op{faulty.Create, faulty.Write, faulty.Sync, faulty.Rename} {
		disk.Fail(op, syscall.EIO)
		if err := d.Checkpoint(t.Context()); !errors.Is(err, syscall.EIO) {
			t.Errorf("%s fails: %v", op, err)
		}
		disk.Heal()
	}
	if got := stats(t, d); got.CheckpointSequence != first.CheckpointSequence {
		t.Errorf("checkpoint %d took the place of %d", got.CheckpointSequence, first.CheckpointSequence)
	}
	if names, err := os.ReadDir(filepath.Join(dir, "checkpoint")); len(names) != 1 || err != nil {
		t.Errorf("files: %v, %v", names, err)
	}
	rows := content(t, store)
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	if err := leveldb.Rebuild(dir, opts); err != nil {
		t.Fatal(err)
	}
	wantContent(t, dir, rows)
}

func TestCheckpointOfCancelledCaller(t *testing.T) {
	d := open(t, t.TempDir(), nil)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := d.Checkpoint(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Checkpoint = %v", err)
	}
	if _, err := d.Verify(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Verify = %v", err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if err := d.Checkpoint(t.Context()); !errors.Is(err, kv.ErrClosed) {
		t.Errorf("Checkpoint after Close = %v", err)
	}
	if err := d.Health(); !errors.Is(err, kv.ErrClosed) {
		t.Errorf("Health after Close = %v", err)
	}
}
