package settings

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"entrepot/formats"
	"entrepot/storage/kv"
	"entrepot/storage/kv/memory"
)

func TestLifeOfACapability(t *testing.T) {
	store := kv.New(memory.New())
	s := New(store)
	c, err := s.Create(t.Context(), Capability{Type: TypeBaseURL, Enabled: true, Properties: map[string]string{"url": "https://repo.example.org/x/"}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Create(t.Context(), c); err == nil {
		t.Error("a second one was made")
	}
	c.Enabled = false
	if err := s.Update(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	got, err := New(store).Capabilities(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]Capability{c}, got); d != "" {
		t.Error(d)
	}
	if err := s.Delete(t.Context(), c.ID); err != nil {
		t.Fatal(err)
	}
	if err := s.Delete(t.Context(), c.ID); !errors.Is(err, ErrNotFound) {
		t.Errorf("deleted twice: %v", err)
	}
}

func TestRefusals(t *testing.T) {
	s := New(kv.New(memory.New()))
	for _, c := range []Capability{
		{Type: "webhook.global"},
		{Type: TypeBaseURL},
		{Type: TypeBaseURL, Properties: map[string]string{"url": "repo.example.org"}},
		{Type: TypeBaseURL, Properties: map[string]string{"url": "ftp://repo.example.org"}},
	} {
		var fields formats.FieldErrors
		if _, err := s.Create(t.Context(), c); !errors.As(err, &fields) {
			t.Errorf("%+v: %v", c, err)
		}
	}
}
