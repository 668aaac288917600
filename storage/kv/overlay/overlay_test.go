package overlay_test

import (
	"strings"
	"testing"

	"entrepot/storage/kv"
	"entrepot/storage/kv/kvtest"
	"entrepot/storage/kv/memory"
	"entrepot/storage/kv/overlay"
)

func TestSuite(t *testing.T) {
	kvtest.Run(t, func(testing.TB) kv.Driver { return overlay.New(kv.New(memory.New())) })
}

func TestBelow(t *testing.T) {
	below := kv.New(memory.New())
	put := func(s *kv.Store, sort string, op func(kv.Key, []byte) kv.Op) {
		t.Helper()
		if err := s.Apply(t.Context(), op(kv.Key{Partition: "p", Sort: sort}, []byte(sort))); err != nil {
			t.Fatal(err)
		}
	}
	remove := func(k kv.Key, _ []byte) kv.Op { return kv.Delete(k) }
	keys := func(s *kv.Store, r kv.Range) string {
		t.Helper()
		var all []string
		for e, err := range s.Scan(t.Context(), "p", r) {
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, e.Sort)
		}
		return strings.Join(all, "")
	}
	for _, sort := range []string{"b", "d", "f"} {
		put(below, sort, kv.PutNew)
	}
	above := kv.New(overlay.New(below))
	for _, sort := range []string{"a", "c", "g"} {
		put(above, sort, kv.PutNew)
	}
	put(above, "b", remove)
	put(above, "d", kv.Put)
	for r, want := range map[kv.Range]string{
		{}: "acdfg", {Reverse: true}: "gfdca", {From: "b", To: "g"}: "cdf", {Limit: 2}: "ac", {Reverse: true, To: "f", Limit: 2}: "dc",
	} {
		if got := keys(above, r); got != want {
			t.Errorf("%+v: %s, want %s", r, got, want)
		}
	}
	if got := keys(below, kv.Range{}); got != "bdf" {
		t.Errorf("the store below has %s", got)
	}
	if err := above.Apply(t.Context(), kv.PutNew(kv.Key{Partition: "p", Sort: "f"}, nil)); err == nil {
		t.Error("a row below is not there")
	}
}
