package kvtest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"entrepot/storage/kv"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"
)

// testModel runs random histories against a driver and a map.
func testModel(t *testing.T, s *kv.Store) {
	run := 0
	rapid.Check(t, func(rt *rapid.T) {
		run++ // each history has partitions of its own
		m := &machine{store: s, prefix: fmt.Sprintf("run%d-", run), rows: map[kv.Key]kv.Entry{}, old: map[kv.Key][]uint64{}}
		rt.Repeat(map[string]func(*rapid.T){"apply": m.apply, "get": m.get, "scan": m.scan})
	})
}

type machine struct {
	store  *kv.Store
	prefix string
	rows   map[kv.Key]kv.Entry
	old    map[kv.Key][]uint64 // versions a row once had
}

func (m *machine) apply(t *rapid.T) {
	keys := rapid.SliceOfNDistinct(m.key(), 1, 6, rapid.ID[kv.Key]).Draw(t, "keys")
	ops := make([]kv.Op, len(keys))
	var want error
	next := make([]kv.Entry, len(keys))
	for i, k := range keys {
		ops[i] = m.draw(t, k)
		var err error
		if next[i], err = kv.Outcome(&ops[i], m.rows[k], 1); err != nil && want == nil {
			want = err
		}
	}
	err := m.store.Apply(t.Context(), ops...)
	if (err == nil) != (want == nil) {
		t.Fatalf("Apply = %v, want %v", err, want)
	}
	if err != nil {
		if !errors.Is(err, kv.ErrConflict) && !errors.Is(err, kv.ErrNotCounter) {
			t.Fatalf("Apply: %v", err)
		}
		return
	}
	for i, k := range keys {
		m.settle(t, ops[i], k, next[i])
	}
}

// settle makes row the model's row of k, with the version that the driver gave it.
func (m *machine) settle(t *rapid.T, op kv.Op, k kv.Key, row kv.Entry) {
	if op.Kind == kv.OpCheck {
		return
	}
	if row.Version == 0 {
		delete(m.rows, k)
		return
	}
	got, err := m.store.Get(t.Context(), k)
	if err != nil {
		t.Fatalf("get after write: %v", err)
	}
	if slices.Contains(m.old[k], got.Version) {
		t.Fatalf("version %d of %q/%q came back", got.Version, k.Partition, k.Sort)
	}
	m.old[k] = append(m.old[k], got.Version)
	row.Version = got.Version
	row.Value = slices.Clone(row.Value)
	m.rows[k] = row
}

func (m *machine) draw(t *rapid.T, k kv.Key) kv.Op {
	op := kv.Op{Key: k, Kind: rapid.SampledFrom([]kv.OpKind{kv.OpPut, kv.OpPut, kv.OpDelete, kv.OpAdd, kv.OpAdd, kv.OpCheck}).Draw(t, "kind")}
	switch op.Kind {
	case kv.OpPut:
		op.Value = rapid.SliceOfN(rapid.Byte(), 0, 40).Draw(t, "value")
	case kv.OpAdd:
		op.Delta = rapid.Int64Range(-2, 2).Draw(t, "delta")
	}
	// Mostly conditions that hold, else few batches would commit.
	row, exists := m.rows[k]
	switch pick := rapid.IntRange(0, 19).Draw(t, "condition"); {
	case pick == 0:
		op.If = rapid.SampledFrom([]kv.Condition{kv.IfAbsent, kv.IfExists}).Draw(t, "if")
	case pick == 1 && len(m.old[k]) > 0:
		op.If, op.Version = kv.IfVersion, rapid.SampledFrom(m.old[k]).Draw(t, "version")
	case pick < 10 && exists:
		op.If, op.Version = kv.IfVersion, row.Version
	case pick < 10:
		op.If = kv.IfAbsent
	}
	return op
}

func (m *machine) get(t *rapid.T) {
	k := m.key().Draw(t, "key")
	want, exists := m.rows[k]
	got, err := m.store.Get(t.Context(), k)
	if !exists {
		if !errors.Is(err, kv.ErrNotFound) {
			t.Fatalf("get = %+v, %v; want ErrNotFound", got, err)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Fatalf("get (-want +got):\n%s", diff)
	}
}

func (m *machine) scan(t *rapid.T) {
	partition := m.partition().Draw(t, "partition")
	r := kv.Range{
		From:    rapid.OneOf(rapid.Just(""), sortKey()).Draw(t, "from"),
		To:      rapid.OneOf(rapid.Just(""), sortKey()).Draw(t, "to"),
		Reverse: rapid.Bool().Draw(t, "reverse"),
		Limit:   rapid.IntRange(0, 8).Draw(t, "limit"),
	}
	var want []kv.Entry
	for k, row := range m.rows {
		if k.Partition == partition && k.Sort >= r.From && (r.To == "" || k.Sort < r.To) {
			want = append(want, row)
		}
	}
	slices.SortFunc(want, func(a, b kv.Entry) int { return strings.Compare(a.Sort, b.Sort) })
	if r.Reverse {
		slices.Reverse(want)
	}
	if r.Limit > 0 && len(want) > r.Limit {
		want = want[:r.Limit]
	}
	var got []kv.Entry
	for e, err := range m.store.Scan(t.Context(), partition, r) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, e)
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Fatalf("scan (-want +got):\n%s", diff)
	}
}

func (m *machine) partition() *rapid.Generator[string] {
	return rapid.Map(rapid.SampledFrom([]string{"", "\x00", "\x01"}), func(s string) string { return m.prefix + s })
}

func (m *machine) key() *rapid.Generator[kv.Key] {
	return rapid.Custom(func(t *rapid.T) kv.Key {
		return kv.Key{Partition: m.partition().Draw(t, "partition"), Sort: sortKey().Draw(t, "sort")}
	})
}

// sortKey draws from few keys, so that operations meet.
func sortKey() *rapid.Generator[string] {
	return rapid.StringOfN(rapid.RuneFrom([]rune{0, 1, 'a', 0xff}), 0, 2, -1)
}
