package kv_test

import (
	"context"
	"errors"
	"testing"

	"entrepot/storage/kv"
	"entrepot/storage/kv/memory"
)

func TestExpect(t *testing.T) {
	ctx, store := t.Context(), kv.New(memory.New())
	key, other := kv.Key{Partition: "p", Sort: "a"}, kv.Key{Partition: "p", Sort: "b"}
	seen := func() kv.Row {
		t.Helper()
		row, err := store.Row(ctx, key)
		if err != nil {
			t.Fatal(err)
		}
		return row
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	absent := seen()
	if absent.Version != 0 {
		t.Fatalf("a row that is not there: %+v", absent)
	}
	must(store.Apply(kv.Expect(ctx, absent), kv.Put(key, []byte("1"))))
	first := seen()
	must(store.Apply(ctx, kv.Put(key, []byte("2"))))
	now := seen()
	for name, op := range map[string]kv.Op{
		"put": kv.Put(key, nil), "delete": kv.Delete(key), "put of what was read before": kv.PutIf(key, nil, now.Version), "new": kv.PutNew(key, nil),
		"exists": {Kind: kv.OpPut, Key: key, If: kv.IfExists},
	} {
		for _, row := range []kv.Row{absent, first} {
			if err := store.Apply(kv.Expect(ctx, row), op); name != "new" && !errors.Is(err, kv.ErrStale) || errors.Is(err, kv.ErrConflict) != (name == "new" && row == absent) {
				t.Errorf("%s after a change of version %d: %v", name, row.Version, err)
			}
		}
	}
	if seen() != now {
		t.Error("a refused batch changed the row")
	}
	once := kv.Expect(ctx, now)
	must(store.Apply(once, kv.Put(other, nil), kv.Check(key, now.Version)))
	must(store.Apply(once, kv.Put(key, []byte("3"))))
	must(store.Apply(once, kv.Put(key, []byte("4")))) // the expectation was met
	if err := store.Apply(kv.Expect(context.WithoutCancel(once), now), kv.Delete(key)); !errors.Is(err, kv.ErrStale) {
		t.Errorf("a newer expectation: %v", err)
	}
	for name, tt := range map[string]struct {
		ctx  context.Context
		row  kv.Row
		want error
	}{
		"no expectation": {ctx, now, nil}, "met": {once, seen(), nil}, "of another row": {kv.Expect(ctx, first), kv.Row{Key: other}, nil},
		"as seen": {kv.Expect(ctx, seen()), seen(), nil}, "changed": {kv.Expect(ctx, first), seen(), kv.ErrStale}, "gone": {kv.Expect(ctx, first), kv.Row{Key: key}, kv.ErrStale},
	} {
		if err := kv.Expected(tt.ctx, tt.row); !errors.Is(err, tt.want) {
			t.Errorf("nothing to change, %s: %v", name, err)
		}
	}
}
