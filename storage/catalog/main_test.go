package catalog

import (
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	// The database's buffer pool of the benchmarks ends by itself, a while after Close.
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("github.com/syndtr/goleveldb/leveldb.(*DB).mpoolDrain"))
}
