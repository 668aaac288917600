package kvtest

import (
	"errors"
	"fmt"
	"math"
	"testing"

	"entrepot/storage/kv"
)

func testConditions(t *testing.T, s *kv.Store) {
	apply(t, s, kv.Put(row("value"), []byte("v")), kv.Add(row("count"), 7), kv.Add(row("zero"), 1))
	apply(t, s, kv.Add(row("zero"), -1))
	value, count := get(t, s, row("value")).Version, get(t, s, row("count")).Version

	kinds := map[string]kv.Op{
		"put":    {Kind: kv.OpPut, Value: []byte("new")},
		"delete": {Kind: kv.OpDelete},
		"check":  {Kind: kv.OpCheck},
	}
	tests := []struct {
		on      string
		If      kv.Condition
		version uint64
		holds   bool
	}{
		{"value", kv.Always, 0, true},
		{"value", kv.IfAbsent, 0, false},
		{"value", kv.IfExists, 0, true},
		{"value", kv.IfVersion, value, true},
		{"value", kv.IfVersion, value + 1, false},
		{"count", kv.IfAbsent, 0, false},
		{"count", kv.IfExists, 0, true},
		{"count", kv.IfVersion, count, true},
		{"count", kv.IfVersion, count + 1, false},
		{"zero", kv.IfAbsent, 0, true},
		{"zero", kv.IfExists, 0, false},
		{"zero", kv.IfVersion, value, false},
		{"never", kv.IfAbsent, 0, true},
		{"never", kv.IfExists, 0, false},
		{"never", kv.IfVersion, 1, false},
	}
	for name, op := range kinds {
		for _, tt := range tests {
			op.Key, op.If, op.Version = row(tt.on), tt.If, tt.version
			// The last operation always fails, so that every case begins with the same rows.
			err := s.Apply(t.Context(), op, kv.CheckAbsent(row("value ")), kv.Check(row("absent"), 1))
			var conflict *kv.ConflictError
			if !errors.Is(err, kv.ErrConflict) || !errors.As(err, &conflict) {
				t.Fatalf("%s %+v: %v, want a conflict", name, tt, err)
			}
			if held := conflict.Key == row("absent"); held != tt.holds {
				t.Errorf("%s of %s if %d version %d: conflict on %q", name, tt.on, tt.If, tt.version, conflict.Key.Sort)
			}
		}
	}
}

func testAtomicity(t *testing.T, s *kv.Store) {
	apply(t, s, kv.Put(row("old"), []byte("1")), kv.Add(row("n"), 1))
	other := kv.Key{Partition: "other", Sort: "x"}
	changes := []kv.Op{kv.Put(row("old"), []byte("2")), kv.PutNew(row("new"), nil), kv.Add(row("n"), 1), kv.Put(other, nil)}
	failing := []struct {
		op   kv.Op
		want error
	}{
		{kv.PutNew(row("n"), nil), kv.ErrConflict},
		{kv.Check(row("absent"), 1), kv.ErrConflict},
		{kv.Add(row("old"), 1), kv.ErrNotCounter},
	}
	for _, f := range failing {
		for at := range len(changes) + 1 {
			var ops []kv.Op
			for i, op := range changes {
				if i == at {
					ops = append(ops, f.op)
				}
				if op.Key != f.op.Key {
					ops = append(ops, op)
				}
			}
			if at == len(changes) {
				ops = append(ops, f.op)
			}
			if err := s.Apply(t.Context(), ops...); !errors.Is(err, f.want) {
				t.Fatalf("failing operation at %d: %v, want %v", at, err, f.want)
			}
			wantAbsent(t, s, row("new"))
			wantAbsent(t, s, other)
			if got := get(t, s, row("old")).Value; string(got) != "1" {
				t.Fatalf("failed batch changed a value to %q", got)
			}
			if n, err := s.Count(t.Context(), row("n")); n != 1 || err != nil {
				t.Fatalf("failed batch changed a counter: %d, %v", n, err)
			}
		}
	}
}

func testVersions(t *testing.T, s *kv.Store) {
	seen := map[uint64]int{}
	for step, op := range []kv.Op{
		kv.Put(row("a"), []byte("same")),
		kv.Put(row("a"), []byte("same")),
		kv.Delete(row("a")),
		kv.Put(row("a"), []byte("same")),
		kv.Delete(row("a")),
		kv.Add(row("a"), 1),
		kv.Add(row("a"), -1),
		kv.PutNew(row("a"), []byte("same")),
	} {
		apply(t, s, op, kv.Put(row("other"), []byte{byte(step)}))
		e, err := s.Get(t.Context(), row("a"))
		if errors.Is(err, kv.ErrNotFound) {
			continue
		}
		if before, again := seen[e.Version]; err != nil || again {
			t.Fatalf("step %d has version %d like step %d, %v", step, e.Version, before, err)
		}
		seen[e.Version] = step
	}
	before := get(t, s, row("a"))
	apply(t, s, kv.Check(row("a"), before.Version), kv.Put(row("other"), nil))
	if after := get(t, s, row("a")); after.Version != before.Version {
		t.Errorf("a check changed the version %d to %d", before.Version, after.Version)
	}
	for e, err := range s.Scan(t.Context(), part, kv.Range{To: "b"}) {
		if err != nil || e.Version != before.Version {
			t.Errorf("scan gives version %d, get %d (%v)", e.Version, before.Version, err)
		}
	}
}

func testCounters(t *testing.T, s *kv.Store) {
	n := row("n")
	steps := []struct{ delta, want int64 }{
		{5, 5}, {-2, 3}, {0, 3}, {-10, -7}, {7, 0}, {0, 0}, {1, 1}, {-1, 0},
		{math.MaxInt64, math.MaxInt64}, {-math.MaxInt64, 0}, {math.MinInt64, math.MinInt64},
	}
	for i, step := range steps {
		apply(t, s, kv.Add(n, step.delta))
		got, err := s.Count(t.Context(), n)
		if err != nil || got != step.want {
			t.Fatalf("step %d: counter = %d, %v; want %d", i, got, err, step.want)
		}
		if step.want == 0 {
			wantAbsent(t, s, n)
			wantSorts(t, s, part, kv.Range{}, []string{})
			continue
		}
		for e, err := range s.Scan(t.Context(), part, kv.Range{}) {
			if err != nil || !e.IsCount || e.Counter != step.want || e.Value != nil {
				t.Fatalf("step %d: scanned %+v, %v", i, e, err)
			}
		}
	}
	if err := s.Apply(t.Context(), kv.Add(n, -1)); !errors.Is(err, kv.ErrOverflow) {
		t.Errorf("sum below 64 bits = %v, want ErrOverflow", err)
	}
	apply(t, s, kv.Put(n, []byte("now a value")))
	if err := s.Apply(t.Context(), kv.Add(n, 1)); !errors.Is(err, kv.ErrNotCounter) {
		t.Errorf("add to a value = %v, want ErrNotCounter", err)
	}
	apply(t, s, kv.Delete(n))
	apply(t, s, kv.Add(n, 4))
	if e := get(t, s, n); e.Counter != 4 {
		t.Errorf("counter after value and delete = %+v", e)
	}
	for i := range 5 {
		apply(t, s, kv.Add(row(fmt.Sprint("z", i)), 1))
	}
	apply(t, s, kv.Add(row("z0"), -1), kv.Add(row("z1"), -1), kv.Add(row("z3"), -1))
	wantSorts(t, s, part, kv.Range{From: "z", Limit: 2}, []string{"z2", "z4"})
}
