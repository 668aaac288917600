package leveldb_test

import (
	"os"

	"testing"

	"entrepot/storage/kv"
	"entrepot/storage/kv/kvtest"
	"entrepot/storage/kv/leveldb"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(crashChild); dir != "" {
		os.Exit(writeUntilKilled(dir))
	}
	// goleveldb lets the goroutine of its buffer pool end up to a second after Close.
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/syndtr/goleveldb/leveldb.(*DB).mpoolDrain"))
}

func open(t testing.TB, dir string, opts *leveldb.Options) *leveldb.Driver {
	t.Helper()
	d, err := leveldb.Open(dir, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

func TestSuite(t *testing.T) {
	fresh := func(t testing.TB) kv.Driver { return open(t, t.TempDir(), nil) }
	kvtest.Run(t, fresh)
	kvtest.RunSnapshots(t, fresh)
}

// TestSuiteUnderPressure lets tables, segments and checkpoints turn over all the time.
func TestSuiteUnderPressure(t *testing.T) {
	tiny := &leveldb.Options{CacheBytes: 1 << 10, WriteBufferBytes: 64 << 10, OpenTables: 4, SegmentBytes: 4 << 10, CheckpointBytes: 64 << 10}
	fresh := func(t testing.TB) kv.Driver { return open(t, t.TempDir(), tiny) }
	kvtest.Run(t, fresh)
	kvtest.RunSnapshots(t, fresh)
}
