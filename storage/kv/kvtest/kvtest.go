// Package kvtest is the suite that every key-value driver passes: conditions, atomicity, counters, order of arbitrary bytes,
// limits, concurrency, cancellation, and long random histories compared with a model.
//
//	func TestSuite(t *testing.T) {
//		kvtest.Run(t, func(testing.TB) kv.Driver { return memory.New() })
//	}
package kvtest

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"testing"

	"entrepot/storage/kv"

	"github.com/google/go-cmp/cmp"
)

// Run checks a driver. open makes an empty one and arranges its end by t.Cleanup.
func Run(t *testing.T, open func(t testing.TB) kv.Driver) {
	cases := []struct {
		name string
		run  func(*testing.T, *kv.Store)
	}{
		{"values", testValues},
		{"ownership", testOwnership},
		{"conditions", testConditions},
		{"atomicity", testAtomicity},
		{"versions", testVersions},
		{"counters", testCounters},
		{"limits", testLimits},
		{"order", testOrder},
		{"ranges", testRanges},
		{"partitions", testPartitions},
		{"scan and write", testScanAndWrite},
		{"concurrent replace", testConcurrentReplace},
		{"concurrent add", testConcurrentAdd},
		{"concurrent make", testConcurrentMake},
		{"cancellation", testCancellation},
		{"closed", testClosed},
		{"model", testModel},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) { c.run(t, kv.New(open(t))) })
	}
}

// RunSnapshots checks a driver whose scans see the rows of one moment, which is more than the contract asks.
func RunSnapshots(t *testing.T, open func(t testing.TB) kv.Driver) {
	t.Run("scan while moving", func(t *testing.T) { testScanWhileMoving(t, kv.New(open(t))) })
}

func testValues(t *testing.T, s *kv.Store) {
	values := map[string][]byte{
		"empty":  {},
		"nil":    nil,
		"zeroes": make([]byte, 300),
		"bytes":  allBytes(),
		"large":  bytes.Repeat(allBytes(), kv.MaxValue/256),
	}
	for name, v := range values {
		apply(t, s, kv.Put(row(name), v))
	}
	for name, v := range values {
		e := get(t, s, row(name))
		if !bytes.Equal(e.Value, v) || e.Sort != name || e.IsCount || e.Version == 0 {
			t.Errorf("%s: got %d bytes, sort %q, counter %t, version %d", name, len(e.Value), e.Sort, e.IsCount, e.Version)
		}
	}
	apply(t, s, kv.Put(row("bytes"), []byte("new")))
	if got := get(t, s, row("bytes")).Value; string(got) != "new" {
		t.Errorf("after a second put: %q", got)
	}
	apply(t, s, kv.Delete(row("bytes")), kv.Delete(row("never there")))
	wantAbsent(t, s, row("bytes"))
	wantAbsent(t, s, kv.Key{Partition: "never there", Sort: "x"})
}

func testOwnership(t *testing.T, s *kv.Store) {
	v := []byte("mine")
	apply(t, s, kv.Put(row("a"), v))
	v[0] = 'X'
	got := get(t, s, row("a")).Value
	if string(got) != "mine" {
		t.Fatalf("the driver kept the caller's slice: %q", got)
	}
	got[0] = 'Y'
	for e, err := range s.Scan(t.Context(), part, kv.Range{}) {
		if err != nil || string(e.Value) != "mine" {
			t.Fatalf("row changed through a read value: %q, %v", e.Value, err)
		}
		e.Value[0] = 'Z'
	}
	if got := get(t, s, row("a")).Value; string(got) != "mine" {
		t.Fatalf("row changed through a scanned value: %q", got)
	}
}

func testLimits(t *testing.T, s *kv.Store) {
	longest := string(bytes.Repeat([]byte{0xff}, kv.MaxSort))
	k := kv.Key{Partition: string(bytes.Repeat([]byte{0}, kv.MaxPartition)), Sort: longest}
	apply(t, s, kv.Put(k, []byte("x")))
	if e := get(t, s, k); e.Sort != longest {
		t.Errorf("sort key came back with %d bytes", len(e.Sort))
	}
	if got := sorts(t, s, k.Partition, kv.Range{From: longest}); len(got) != 1 {
		t.Errorf("scan found %d rows", len(got))
	}

	ops := make([]kv.Op, kv.MaxBatch)
	for i := range ops {
		ops[i] = kv.PutNew(row(fmt.Sprintf("%03d", i)), bytes.Repeat([]byte{byte(i)}, kv.MaxBatchBytes/kv.MaxBatch-64))
	}
	apply(t, s, ops...)
	n := 0
	for e, err := range s.Scan(t.Context(), part, kv.Range{}) {
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(e.Value, ops[n].Value) {
			t.Fatalf("row %d of a full batch differs", n)
		}
		n++
	}
	if n != kv.MaxBatch {
		t.Errorf("scan found %d rows of a full batch", n)
	}
}

func testClosed(t *testing.T, s *kv.Store) {
	apply(t, s, kv.Put(row("a"), nil))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Errorf("second Close = %v", err)
	}
	if _, err := s.Get(t.Context(), row("a")); !errors.Is(err, kv.ErrClosed) {
		t.Errorf("Get = %v, want ErrClosed", err)
	}
	if err := s.Apply(t.Context(), kv.Put(row("a"), nil)); !errors.Is(err, kv.ErrClosed) {
		t.Errorf("Apply = %v, want ErrClosed", err)
	}
	calls := 0
	for _, err := range s.Scan(t.Context(), part, kv.Range{}) {
		if calls++; !errors.Is(err, kv.ErrClosed) {
			t.Errorf("Scan = %v, want ErrClosed", err)
		}
	}
	if calls != 1 {
		t.Errorf("Scan yielded %d times, want one error", calls)
	}
}

// part is the partition most cases use, and row a key in it.
const part = "p"

func row(sort string) kv.Key { return kv.Key{Partition: part, Sort: sort} }

func apply(t testing.TB, s *kv.Store, ops ...kv.Op) {
	t.Helper()
	if err := s.Apply(t.Context(), ops...); err != nil {
		t.Fatal(err)
	}
}

func get(t testing.TB, s *kv.Store, k kv.Key) kv.Entry {
	t.Helper()
	e, err := s.Get(t.Context(), k)
	if err != nil {
		t.Fatalf("get %q/%q: %v", k.Partition, k.Sort, err)
	}
	return e
}

func wantAbsent(t testing.TB, s *kv.Store, k kv.Key) {
	t.Helper()
	if e, err := s.Get(t.Context(), k); !errors.Is(err, kv.ErrNotFound) {
		t.Errorf("get %q/%q = %+v, %v; want ErrNotFound", k.Partition, k.Sort, e, err)
	}
}

func sorts(t testing.TB, s *kv.Store, partition string, r kv.Range) []string {
	t.Helper()
	got := []string{}
	for e, err := range s.Scan(t.Context(), partition, r) {
		if err != nil {
			t.Fatalf("scan %q %+v: %v", partition, r, err)
		}
		got = append(got, e.Sort)
	}
	return got
}

func wantSorts(t testing.TB, s *kv.Store, partition string, r kv.Range, want []string) {
	t.Helper()
	if diff := cmp.Diff(want, sorts(t, s, partition, r)); diff != "" {
		t.Errorf("scan %q %+v (-want +got):\n%s", partition, r, diff)
	}
}

func allBytes() []byte {
	b := make([]byte, 256)
	for i := range b {
		b[i] = byte(i)
	}
	return b
}

func reversed(s []string) []string {
	s = slices.Clone(s)
	slices.Reverse(s)
	return s
}
