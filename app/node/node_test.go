package node

import (
	"errors"
	"regexp"
	"testing"

	"entrepot/storage/kv"
	"entrepot/storage/kv/memory"
)

func TestID(t *testing.T) {
	store := kv.New(memory.New())
	open := func() *Node {
		t.Helper()
		n, err := Open(t.Context(), store, Options{})
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	n := open()
	first := n.ID()
	if !regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{8}){4}$`).MatchString(first) {
		t.Errorf("id %q", first)
	}
	if again := open().ID(); again != first {
		t.Errorf("id %q became %q", first, again)
	}
	if err := n.Reset(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n.ID() != first {
		t.Error("the id changed while the server runs")
	}
	if next := open().ID(); next == first {
		t.Error("the id is the same after it was reset")
	}
}

func TestAgreement(t *testing.T) {
	var frozen error
	n, err := Open(t.Context(), kv.New(memory.New()), Options{Writable: func() error { return frozen }})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []bool{false, true, false} {
		if err := n.SetAgreement(t.Context(), want); err != nil {
			t.Fatal(err)
		}
		if got, err := n.AgreementAccepted(t.Context()); err != nil || got != want {
			t.Errorf("accepted %t, %v, want %t", got, err, want)
		}
	}
	frozen = errors.New("frozen")
	if err := n.SetAgreement(t.Context(), true); !errors.Is(err, frozen) {
		t.Errorf("while nothing is written: %v", err)
	}
}
