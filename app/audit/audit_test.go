package audit

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"entrepot/storage/kv"
	"entrepot/storage/kv/memory"
)

// world is a log on a clock that the test moves.
type world struct {
	*Log
	now  time.Time
	path string
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{now: time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC), path: filepath.Join(t.TempDir(), "audit.log")}
	l, err := Open(t.Context(), kv.New(memory.New()), Options{Path: w.path, Now: func() time.Time { return w.now }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	w.Log = l
	return w
}

// all reads everything in parts.
func (w *world) all(t *testing.T, f Filter, limit int) (objects []string) {
	t.Helper()
	for after := ""; ; {
		found, next, err := w.Query(t.Context(), f, after, limit)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range found {
			objects = append(objects, e.Object)
		}
		if next == "" {
			return objects
		}
		after = next
	}
}

func TestQuery(t *testing.T) {
	w := newWorld(t)
	jane := WithActor(t.Context(), Actor{UserID: "jane", Address: "192.0.2.1"})
	for i, ctx := range []context.Context{t.Context(), jane, jane, t.Context(), jane} {
		Record(ctx, w.Log, Event{Action: "role.update", Object: fmt.Sprint(i)})
		w.now = w.now.Add(time.Minute)
	}
	Record(jane, w.Log, Event{Action: "rolex.update", Object: "x"})
	start := w.now.Add(-5 * time.Minute)
	for _, tt := range []struct {
		name   string
		filter Filter
		want   []string
	}{
		{"newest first", Filter{}, []string{"x", "4", "3", "2", "1", "0"}},
		{"user", Filter{User: "jane"}, []string{"x", "4", "2", "1"}},
		{"kind of thing", Filter{Action: "role"}, []string{"4", "3", "2", "1", "0"}},
		{"object", Filter{Object: "3"}, []string{"3"}},
		{"times", Filter{From: start.Add(time.Minute), To: start.Add(3 * time.Minute)}, []string{"3", "2", "1"}},
	} {
		for _, limit := range []int{1, 2, 100} {
			if got := w.all(t, tt.filter, limit); fmt.Sprint(got) != fmt.Sprint(tt.want) {
				t.Errorf("%s by %d: %v, want %v", tt.name, limit, got, tt.want)
			}
		}
	}
}

func TestSecretsAreHidden(t *testing.T) {
	w := newWorld(t)
	w.Record(t.Context(), Event{Action: "x.update", Object: "x", After: map[string]any{
		"password": "hush", "list": []any{map[string]any{"bearerToken": "hush", "name": "n"}}, "secretAccessKey": "hush", "size": 12345678901234567,
	}})
	found, _, err := w.Query(t.Context(), Filter{}, "", 10)
	if err != nil || len(found) != 1 {
		t.Fatal(found, err)
	}
	want := `{"list":[{"bearerToken":"***","name":"n"}],"password":"***","secretAccessKey":"***","size":12345678901234567}`
	if got, err := json.Marshal(found[0].After); err != nil || string(got) != want {
		t.Errorf("%s, %v, want %s", got, err, want)
	}
	w.now = w.now.Add(time.Second)
	w.Record(t.Context(), Event{Action: "x.update", Object: "large", After: make([]byte, kv.MaxValue)})
	if found, _, _ = w.Query(t.Context(), Filter{}, "", 1); !found[0].Omitted || found[0].After != nil {
		t.Errorf("too large: %+v", found[0])
	}
}

func TestFailedSignInsAreLimited(t *testing.T) {
	w := newWorld(t)
	fail := func() { w.Record(t.Context(), Event{Action: ActionSignInFailed, Object: "jane"}) }
	for range 100 {
		fail()
	}
	if n := len(w.all(t, Filter{}, 100)); n != burst {
		t.Errorf("%d are recorded of a flood, want %d", n, burst)
	}
	w.now = w.now.Add(2 * time.Second)
	fail()
	found, _, err := w.Query(t.Context(), Filter{}, "", 1)
	if err != nil || found[0].Missed != 100-burst {
		t.Errorf("missed: %+v, %v", found[0], err)
	}
}

func TestRetention(t *testing.T) {
	w := newWorld(t)
	w.Record(t.Context(), Event{Action: "a.create", Object: "old"})
	w.now = w.now.AddDate(0, 0, 91)
	for range 256 {
		w.Record(t.Context(), Event{Action: "a.create", Object: "new"})
	}
	if got := w.all(t, Filter{Object: "old"}, 10); len(got) != 0 {
		t.Errorf("an old event is still there")
	}
	if got := w.all(t, Filter{}, 1000); len(got) != 256 {
		t.Errorf("%d events are left", len(got))
	}
}

func TestFileIsRotated(t *testing.T) {
	w := newWorld(t)
	if err := w.Set(t.Context(), Settings{Enabled: true, RetentionDays: 1, File: true, FileBytes: 64 << 10, FileCount: 2}); err != nil {
		t.Fatal(err)
	}
	text := make([]byte, 10<<10)
	for range 40 {
		w.Record(t.Context(), Event{Action: "a.create", Object: "o", After: text})
	}
	for _, name := range []string{"", ".1", ".2"} {
		info, err := os.Stat(w.path + name)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != 0o600 || info.Size() == 0 || info.Size() > 80<<10 {
			t.Errorf("audit.log%s: mode %v, %d bytes", name, info.Mode(), info.Size())
		}
		data, err := os.ReadFile(w.path + name)
		if err != nil {
			t.Fatal(err)
		}
		for line := range bytes.Lines(data) {
			if !json.Valid(line) {
				t.Errorf("not a line of JSON: %.80s", line)
			}
		}
	}
	if _, err := os.Stat(w.path + ".3"); !os.IsNotExist(err) {
		t.Errorf("a third old file: %v", err)
	}
}

func TestSettingsLast(t *testing.T) {
	store := kv.New(memory.New())
	l, err := Open(t.Context(), store, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if l.Settings() != Defaults() {
		t.Errorf("defaults: %+v", l.Settings())
	}
	off := Settings{RetentionDays: 1, FileBytes: 1 << 20, FileCount: 1}
	if err := l.Set(t.Context(), off); err != nil {
		t.Fatal(err)
	}
	again, err := Open(t.Context(), store, Options{})
	if err != nil || again.Settings() != off {
		t.Errorf("again: %+v, %v", again.Settings(), err)
	}
	if err := l.Set(t.Context(), Settings{}); err == nil {
		t.Error("settings of nothing are taken")
	}
}
