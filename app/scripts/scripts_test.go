package scripts

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"entrepot/formats"
	"entrepot/storage/kv"
	"entrepot/storage/kv/memory"
)

func TestLifeOfAScript(t *testing.T) {
	s := New(kv.New(memory.New()), Options{AllowCreation: true})
	script := Script{Name: "a", Type: "groovy", Content: "1"}
	steps := []struct {
		name string
		err  error
		want error
	}{
		{"update before there is one", s.Update(t.Context(), script), ErrNotFound},
		{"create", s.Create(t.Context(), script), nil},
		{"create again", s.Create(t.Context(), script), ErrExists},
		{"update", s.Update(t.Context(), Script{Name: "a", Type: "groovy", Content: "2"}), nil},
		{"create another", s.Create(t.Context(), Script{Name: "B.b", Type: "python", Content: "3"}), nil},
		{"delete", s.Delete(t.Context(), "B.b"), nil},
		{"delete again", s.Delete(t.Context(), "B.b"), ErrNotFound},
	}
	for _, step := range steps {
		if !errors.Is(step.err, step.want) {
			t.Errorf("%s: %v, want %v", step.name, step.err, step.want)
		}
	}
	all, err := s.List(t.Context())
	if err != nil || !slices.Equal(all, []Script{{Name: "a", Type: "groovy", Content: "2"}}) {
		t.Errorf("%v, %v", all, err)
	}
}

func TestRefusals(t *testing.T) {
	frozen := errors.New("frozen")
	valid := Script{Name: "a", Type: "groovy", Content: "1"}
	var fields formats.FieldErrors
	for _, script := range []Script{{Type: "t", Content: "c"}, {Name: "_a", Type: "t", Content: "c"}, {Name: "a", Content: "c"},
		{Name: "a", Type: "t"}, {Name: strings.Repeat("x", 256), Type: "t", Content: "c"}} {
		if err := New(kv.New(memory.New()), Options{AllowCreation: true}).Create(t.Context(), script); !errors.As(err, &fields) {
			t.Errorf("%.40v: %v", script, err)
		}
	}
	if err := New(kv.New(memory.New()), Options{}).Create(t.Context(), valid); !errors.Is(err, ErrDisabled) {
		t.Errorf("creation is off: %v", err)
	}
	s := New(kv.New(memory.New()), Options{AllowCreation: true, Writable: func() error { return frozen }})
	if err := s.Create(t.Context(), valid); !errors.Is(err, frozen) {
		t.Errorf("while nothing is written: %v", err)
	}
	if _, err := s.Get(t.Context(), strings.Repeat("x", 2000)); !errors.Is(err, ErrNotFound) {
		t.Errorf("a name that no script can have: %v", err)
	}
}
