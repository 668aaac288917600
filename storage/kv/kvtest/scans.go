package kvtest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"entrepot/storage/kv"
)

// awkward are sort keys in bytewise order that separators, escapes and length prefixes get wrong.
var awkward = []string{
	"", "\x00", "\x00\x00", "\x00\x01", "\x00\xff", "\x01", "\x01\x00", "\x01\x01", "\n", " ", "%00", "/", "/a", "A", "a", "a\x00", "a\x00b",
	"a\x01", "a/", "a/b", "a0", "aa", "a\xff", "b", "é", "\xc3\xa9\x00", "日本", "\xfe\xff", "\xff", "\xff\x00", "\xff\x01", "\xff\xff",
}

func testOrder(t *testing.T, s *kv.Store) {
	// Partitions that are prefixes of each other must not see each other's rows.
	partitions := []string{"p", "p\x00", "p\x00\x00", "p\x00\x01", "p\x01", "pp", "\x00", "\xff", "\xff\xff", "p/", "a\x00a"}
	for i, p := range partitions {
		for j := range awkward {
			sort := awkward[(j*7+i)%len(awkward)]
			apply(t, s, kv.Put(kv.Key{Partition: p, Sort: sort}, []byte(p+"|"+sort)))
		}
	}
	want := slices.Clone(awkward)
	slices.Sort(want)
	for _, p := range partitions {
		wantSorts(t, s, p, kv.Range{}, want)
		wantSorts(t, s, p, kv.Range{Reverse: true}, reversed(want))
		for e, err := range s.Scan(t.Context(), p, kv.Range{}) {
			if err != nil || string(e.Value) != p+"|"+e.Sort {
				t.Fatalf("row %q/%q has value %q, %v", p, e.Sort, e.Value, err)
			}
		}
	}
	for i, p := range partitions {
		if i%2 == 0 {
			for _, sort := range awkward {
				apply(t, s, kv.Delete(kv.Key{Partition: p, Sort: sort}))
			}
			wantSorts(t, s, p, kv.Range{}, []string{})
		}
	}
	wantSorts(t, s, partitions[1], kv.Range{}, want)
}

func testRanges(t *testing.T, s *kv.Store) {
	all := slices.Clone(awkward)
	slices.Sort(all)
	for _, sort := range all {
		apply(t, s, kv.Put(row(sort), nil))
	}
	bounds := append([]string{"a\x00a", "zz", "\xff\xff\xff"}, all...)
	for _, from := range bounds {
		for _, to := range bounds {
			var want []string
			for _, sort := range all {
				if sort >= from && (to == "" || sort < to) {
					want = append(want, sort)
				}
			}
			checkRange(t, s, kv.Range{From: from, To: to}, want)
		}
	}
	wantSorts(t, s, part, kv.Prefix("a\x00"), []string{"a\x00", "a\x00b"})
	wantSorts(t, s, part, kv.Prefix("\xff"), []string{"\xff", "\xff\x00", "\xff\x01", "\xff\xff"})
	wantSorts(t, s, part, kv.Prefix(""), all)
}

func checkRange(t *testing.T, s *kv.Store, r kv.Range, want []string) {
	t.Helper()
	for _, limit := range []int{0, 1, 3, len(awkward) + 1} {
		r.Limit = limit
		n := len(want)
		if limit > 0 {
			n = min(n, limit)
		}
		r.Reverse = false
		wantSorts(t, s, part, r, append([]string{}, want[:n]...))
		r.Reverse = true
		wantSorts(t, s, part, r, append([]string{}, reversed(want)[:n]...))
	}
}

func testPartitions(t *testing.T, s *kv.Store) {
	wantSorts(t, s, "empty", kv.Range{}, []string{})
	wantSorts(t, s, "empty", kv.Range{From: "b", To: "a"}, []string{})
	a, b := kv.Key{Partition: "a", Sort: "x"}, kv.Key{Partition: "b", Sort: "x"}
	apply(t, s, kv.Put(a, []byte("1")), kv.Put(b, []byte("2")))
	apply(t, s, kv.Delete(a), kv.Check(b, get(t, s, b).Version))
	wantAbsent(t, s, a)
	if got := get(t, s, b).Value; string(got) != "2" {
		t.Errorf("row of the other partition = %q", got)
	}
}

// testScanAndWrite reads and writes inside a scan, and leaves scans early.
func testScanAndWrite(t *testing.T, s *kv.Store) {
	const rows = 500
	for i := range rows {
		apply(t, s, kv.Put(row(fmt.Sprintf("%04d", i)), []byte("old")))
	}
	n := 0
	for e, err := range s.Scan(t.Context(), part, kv.Range{To: "z"}) {
		if err != nil {
			t.Fatal(err)
		}
		if want := fmt.Sprintf("%04d", n); e.Sort != want {
			t.Fatalf("row %d is %q", n, e.Sort)
		}
		apply(t, s, kv.DeleteIf(row(e.Sort), e.Version))
		wantAbsent(t, s, row(e.Sort))
		n++
	}
	if n != rows {
		t.Errorf("scan delivered %d rows of %d", n, rows)
	}
	wantSorts(t, s, part, kv.Range{}, []string{})
	for range 50 {
		apply(t, s, kv.Put(row("a"), nil), kv.Put(row("b"), nil))
		for range s.Scan(t.Context(), part, kv.Range{}) {
			break
		}
	}
}

func testCancellation(t *testing.T, s *kv.Store) {
	apply(t, s, kv.Put(row("a"), nil), kv.Put(row("b"), nil))
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Get(gone, row("a")); !errors.Is(err, context.Canceled) {
		t.Errorf("Get = %v, want context.Canceled", err)
	}
	if err := s.Apply(gone, kv.Put(row("c"), nil)); !errors.Is(err, context.Canceled) {
		t.Errorf("Apply = %v, want context.Canceled", err)
	}
	wantAbsent(t, s, row("c"))
	for _, err := range s.Scan(gone, part, kv.Range{}) {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("Scan = %v, want context.Canceled", err)
		}
	}

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	const rows = 2000 // more than a driver may have read ahead
	for i := 0; i < rows; i += 50 {
		var ops []kv.Op
		for j := i; j < i+50; j++ {
			ops = append(ops, kv.Put(kv.Key{Partition: "many", Sort: fmt.Sprint(j)}, make([]byte, 2048)))
		}
		apply(t, s, ops...)
	}
	var last error
	n := 0
	for _, err := range s.Scan(ctx, "many", kv.Range{}) {
		n++
		last = err
		cancel()
	}
	if n == rows || !errors.Is(last, context.Canceled) {
		t.Errorf("cancelled scan yielded %d times and ended with %v", n, last)
	}
}
