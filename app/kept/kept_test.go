package kept

import (
	"bytes"
	"encoding/json"
	"errors"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"entrepot/app/seal"
	"entrepot/storage/kv"
	"entrepot/storage/kv/memory"
)

func TestRecordsComeBackAsTheyWerePut(t *testing.T) {
	rows, s := newStore(t)
	for _, r := range []Record{
		{Section: "email", Name: "1", Value: json.RawMessage(`{"host":"old"}`)},
		{Section: "email", Name: "1", Value: json.RawMessage(`{"host":"mail"}`), Secrets: map[string]string{"password": "hush-hush"}},
		{Section: "tasks", Name: "b", Value: json.RawMessage(`[]`)},
		{Section: "tasks", Name: "a", Value: json.RawMessage(`{}`)},
	} {
		if err := s.Put(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	got, err := s.Get(t.Context(), "email", "1")
	want := Record{Section: "email", Name: "1", Value: json.RawMessage(`{"host":"mail"}`), Secrets: map[string]string{"password": "hush-hush"}}
	if d := cmp.Diff(want, got); d != "" || err != nil {
		t.Errorf("%v %s", err, d)
	}
	var names []string
	for r, err := range s.Section(t.Context(), "tasks") {
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, r.Name)
	}
	sections, err := s.Sections(t.Context())
	if d := cmp.Diff([][]string{{"a", "b"}, {"email", "tasks"}}, [][]string{names, sections}); d != "" || err != nil {
		t.Errorf("%v %s", err, d)
	}
	e, err := rows.Get(t.Context(), key("email", "1"))
	if err != nil || bytes.Contains(e.Value, []byte("hush")) {
		t.Errorf("the secret is stored in the clear (%v)", err)
	}
}

func TestRefusals(t *testing.T) {
	_, s := newStore(t)
	if _, err := s.Get(t.Context(), "email", "1"); !errors.Is(err, ErrNotFound) {
		t.Errorf("got %v", err)
	}
	large, err := json.Marshal(string(make([]byte, kv.MaxValue)))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Put(t.Context(), Record{Section: "x", Name: "large", Value: large}); err == nil {
		t.Error("a value beyond the limit is taken")
	}
	if err := s.Put(t.Context(), Record{Section: "x", Name: "broken", Value: json.RawMessage(`{`)}); err == nil {
		t.Error("a value that is no JSON is taken")
	}
}

func newStore(t *testing.T) (*kv.Store, *Store) {
	t.Helper()
	sealer, err := seal.Open(filepath.Join(t.TempDir(), "key"))
	if err != nil {
		t.Fatal(err)
	}
	rows := kv.New(memory.New())
	return rows, New(rows, sealer)
}
