package kv_test

import (
	"context"
	"errors"
	"iter"
	"math"
	"strings"
	"testing"

	"entrepot/storage/kv"
	"entrepot/storage/kv/memory"

	"github.com/google/go-cmp/cmp"
)

func key(sort string) kv.Key { return kv.Key{Partition: "p", Sort: sort} }

func TestStoreRefusesBadArguments(t *testing.T) {
	long := strings.Repeat("x", 1025)
	many := make([]kv.Op, kv.MaxBatch+1)
	for i := range many {
		many[i] = kv.Put(key(string(rune('a'+i))), nil)
	}
	heavy := make([]kv.Op, 10)
	for i := range heavy {
		heavy[i] = kv.Put(key(string(rune('a'+i))), make([]byte, kv.MaxValue))
	}
	tests := []struct {
		name string
		ops  []kv.Op
		want string
	}{
		{"empty partition", []kv.Op{kv.Put(kv.Key{Sort: "s"}, nil)}, "empty partition"},
		{"long partition", []kv.Op{kv.Put(kv.Key{Partition: long}, nil)}, "partition name of 1025 bytes"},
		{"long sort key", []kv.Op{kv.Put(key(long), nil)}, "sort key of 1025 bytes"},
		{"large value", []kv.Op{kv.Put(key("a"), make([]byte, kv.MaxValue+1))}, "value of 358401 bytes"},
		{"no kind", []kv.Op{{Key: key("a")}}, "unknown operation 0"},
		{"version 0", []kv.Op{kv.Check(key("a"), 0)}, "condition on version 0"},
		{"same key twice", []kv.Op{kv.Put(key("a"), nil), kv.Delete(key("a"))}, "twice"},
		{"add and put", []kv.Op{kv.Add(key("a"), 1), kv.Put(key("a"), nil)}, "twice"},
		{"too many", many, "batch of 101 operations"},
		{"too large", heavy, "batch of 3584020 bytes"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			store := kv.New(memory.New())
			err := store.Apply(t.Context(), tt.ops...)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("Apply = %v, want an error with %q", err, tt.want)
			}
		})
	}
}

func TestStoreRefusesBadKeysInReads(t *testing.T) {
	store := kv.New(memory.New())
	if _, err := store.Get(t.Context(), kv.Key{}); err == nil || errors.Is(err, kv.ErrNotFound) {
		t.Errorf("Get of an empty partition = %v", err)
	}
	for _, err := range store.Scan(t.Context(), "", kv.Range{}) {
		if err == nil {
			t.Error("Scan of an empty partition delivered a row")
		}
	}
}

func TestStoreSumsAdds(t *testing.T) {
	store := kv.New(memory.New())
	adds := make([]kv.Op, 0, 3*kv.MaxBatch)
	for range cap(adds) {
		adds = append(adds, kv.Add(key("n"), 2))
	}
	if err := store.Apply(t.Context(), adds...); err != nil {
		t.Fatal(err)
	}
	got, err := store.Count(t.Context(), key("n"))
	if err != nil || got != 600 {
		t.Fatalf("Count = %d, %v; want 600", got, err)
	}
	if err := store.Apply(t.Context()); err != nil {
		t.Fatalf("empty batch: %v", err)
	}
}

func TestStoreCount(t *testing.T) {
	store := kv.New(memory.New())
	if got, err := store.Count(t.Context(), key("absent")); got != 0 || err != nil {
		t.Errorf("Count of an absent row = %d, %v", got, err)
	}
	if err := store.Apply(t.Context(), kv.Put(key("v"), []byte("x"))); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Count(t.Context(), key("v")); !errors.Is(err, kv.ErrNotCounter) {
		t.Errorf("Count of a value = %v", err)
	}
}

// zeroes is a driver that keeps counters at zero, as a table service does.
type zeroes struct{ kv.Driver }

func (z zeroes) Get(ctx context.Context, k kv.Key) (kv.Entry, error) {
	e, err := z.Driver.Get(ctx, k)
	return asZero(e), err
}

func (z zeroes) Scan(ctx context.Context, partition string, r kv.Range) iter.Seq2[kv.Entry, error] {
	return func(yield func(kv.Entry, error) bool) {
		for e, err := range z.Driver.Scan(ctx, partition, r) {
			if !yield(asZero(e), err) {
				return
			}
		}
	}
}

func asZero(e kv.Entry) kv.Entry {
	if strings.HasPrefix(e.Sort, "zero") {
		e.IsCount, e.Value = true, nil
	}
	return e
}

func TestStoreHidesZeroCounters(t *testing.T) {
	store := kv.New(zeroes{memory.New()})
	ops := []kv.Op{}
	for _, sort := range []string{"a", "zero1", "b", "zero2", "zz"} {
		ops = append(ops, kv.Put(key(sort), nil))
	}
	if err := store.Apply(t.Context(), ops...); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Get(t.Context(), key("zero1")); !errors.Is(err, kv.ErrNotFound) {
		t.Errorf("Get of a counter at zero = %v", err)
	}
	var got []string
	for e, err := range store.Scan(t.Context(), "p", kv.Range{Limit: 3}) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, e.Sort)
	}
	if diff := cmp.Diff([]string{"a", "b", "zz"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestAfter(t *testing.T) {
	tests := []struct{ prefix, want string }{
		{"", ""}, {"a", "b"}, {"a\xff", "b"}, {"\xff\xff", ""}, {"a\x00", "a\x01"},
	}
	for _, tt := range tests {
		if got := kv.After(tt.prefix); got != tt.want {
			t.Errorf("After(%q) = %q, want %q", tt.prefix, got, tt.want)
		}
	}
}

func TestOutcome(t *testing.T) {
	value := kv.Entry{Sort: "a", Value: []byte("x"), Version: 3}
	count := kv.Entry{Sort: "a", Counter: 5, IsCount: true, Version: 4}
	zero := kv.Entry{Sort: "a", IsCount: true, Version: 4}
	full := kv.Entry{Sort: "a", Counter: math.MaxInt64, IsCount: true, Version: 4}
	onlyExisting := kv.Op{Kind: kv.OpCheck, Key: key("a"), If: kv.IfExists}
	tests := []struct {
		name string
		op   kv.Op
		row  kv.Entry
		want kv.Entry
		err  error
	}{
		{"put", kv.Put(key("a"), []byte("y")), count, kv.Entry{Sort: "a", Value: []byte("y"), Version: 9}, nil},
		{"put new over zero counter", kv.PutNew(key("a"), nil), zero, kv.Entry{Sort: "a", Version: 9}, nil},
		{"put new", kv.PutNew(key("a"), nil), value, kv.Entry{}, kv.ErrConflict},
		{"put if", kv.PutIf(key("a"), nil, 3), value, kv.Entry{Sort: "a", Version: 9}, nil},
		{"put if changed", kv.PutIf(key("a"), nil, 2), value, kv.Entry{}, kv.ErrConflict},
		{"put if absent row", kv.PutIf(key("a"), nil, 2), kv.Entry{}, kv.Entry{}, kv.ErrConflict},
		{"delete", kv.Delete(key("a")), value, kv.Entry{}, nil},
		{"delete absent", kv.Delete(key("a")), kv.Entry{}, kv.Entry{}, nil},
		{"delete if", kv.DeleteIf(key("a"), 4), value, kv.Entry{}, kv.ErrConflict},
		{"check", kv.Check(key("a"), 4), count, count, nil},
		{"check zero counter", kv.Check(key("a"), 4), zero, kv.Entry{}, kv.ErrConflict},
		{"check absent", kv.CheckAbsent(key("a")), zero, kv.Entry{}, nil},
		{"check exists", onlyExisting, value, value, nil},
		{"check exists absent", onlyExisting, kv.Entry{}, kv.Entry{}, kv.ErrConflict},
		{"add first", kv.Add(key("a"), -2), kv.Entry{}, kv.Entry{Sort: "a", Counter: -2, IsCount: true, Version: 9}, nil},
		{"add", kv.Add(key("a"), 2), count, kv.Entry{Sort: "a", Counter: 7, IsCount: true, Version: 9}, nil},
		{"add nothing", kv.Add(key("a"), 0), count, kv.Entry{Sort: "a", Counter: 5, IsCount: true, Version: 9}, nil},
		{"add to zero", kv.Add(key("a"), -5), count, kv.Entry{}, nil},
		{"add to value", kv.Add(key("a"), 1), value, kv.Entry{}, kv.ErrNotCounter},
		{"add too much", kv.Add(key("a"), 1), full, kv.Entry{}, kv.ErrOverflow},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := kv.Outcome(&tt.op, tt.row, 9)
			if !errors.Is(err, tt.err) {
				t.Fatalf("error = %v, want %v", err, tt.err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}
