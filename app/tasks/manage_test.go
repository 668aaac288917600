package tasks_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"entrepot/app/tasks"
	"entrepot/formats"
	"entrepot/storage/kv"
	"entrepot/storage/kv/memory"
)

func TestRefusals(t *testing.T) {
	valid := func() tasks.Definition {
		return tasks.Definition{Type: "sleep", Name: "n", Schedule: tasks.Schedule{Frequency: tasks.Manual}, Properties: map[string]string{"seconds": "5"}}
	}
	h := open(t, nil, nil)
	for field, change := range map[string]func(*tasks.Definition){
		"type":                func(d *tasks.Definition) { d.Type = "" },
		"type ":               func(d *tasks.Definition) { d.Type = "unknown" },
		"type  ":              func(d *tasks.Definition) { d.Type = "built-in" },
		"name":                func(d *tasks.Definition) { d.Name = " " },
		"name ":               func(d *tasks.Definition) { d.Name = strings.Repeat("x", 256) },
		"alert.email":         func(d *tasks.Definition) { d.Alert.Email = "nobody" },
		"alert.on":            func(d *tasks.Definition) { d.Alert.On = "sometimes" },
		"schedule.cron":       func(d *tasks.Definition) { d.Schedule = tasks.Schedule{Frequency: tasks.Cron, Cron: "x"} },
		"schedule.days":       func(d *tasks.Definition) { d.Schedule.Frequency = tasks.Weekly },
		"properties.seconds":  func(d *tasks.Definition) { d.Properties["seconds"] = "0" },
		"properties.seconds ": func(d *tasks.Definition) { d.Properties["seconds"] = "" },
		"properties.deep":     func(d *tasks.Definition) { d.Properties["deep"] = "yes" },
		"properties.side":     func(d *tasks.Definition) { d.Properties["side"] = "up" },
		"properties.place":    func(d *tasks.Definition) { d.Properties["place"] = "nowhere" },
	} {
		d := valid()
		change(&d)
		var wrong formats.FieldErrors
		if _, err := h.Create(t.Context(), d, "admin"); !errors.As(err, &wrong) || wrong[0].Field != strings.TrimSpace(field) {
			t.Errorf("%s: %v %+v", field, err, wrong)
		}
	}
	made, err := h.Create(t.Context(), valid(), "admin")
	must(t, err)
	d := made.Definition
	d.Type = "fail"
	if err := h.Update(t.Context(), d, "admin"); err == nil {
		t.Error("the type was changed")
	}
	if err := h.Update(t.Context(), tasks.Definition{ID: "nobody"}, "admin"); !errors.Is(err, tasks.ErrNotFound) {
		t.Error(err)
	}
	frozen := errors.New("frozen")
	f := open(t, h.store, func(o *tasks.Options) { o.Writable = func() error { return frozen } })
	_, created := f.Create(t.Context(), valid(), "admin")
	for _, err := range []error{created, f.Update(t.Context(), made.Definition, "admin"), f.Delete(t.Context(), made.ID, "admin")} {
		if !errors.Is(err, frozen) {
			t.Errorf("frozen: %v", err)
		}
	}
}

func TestTemplate(t *testing.T) {
	h := open(t, nil, nil)
	typ, ok := h.Type("sleep")
	if !ok || len(h.Types()) != 4 {
		t.Fatal("types are missing")
	}
	want := tasks.Definition{
		Type: "sleep", Name: "Sleep", Enabled: true, Alert: tasks.Alert{On: tasks.OnFailure}, Schedule: tasks.Schedule{Frequency: tasks.Manual},
		Properties: map[string]string{"seconds": "10", "place": "", "deep": "false", "side": ""},
	}
	if d := cmp.Diff(want, typ.Template()); d != "" {
		t.Error(d)
	}
}

// TestImport brings tasks as another server had them.
func TestImport(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, nil, func(o *tasks.Options) { o.Needless = func(id string) string { return id + "s are rare" } })
		must(t, h.Ensure(t.Context(), tasks.Definition{Type: "built-in", Name: "Built in", Enabled: true, Schedule: tasks.Schedule{Frequency: tasks.Manual}}))
		must(t, h.Ensure(t.Context(), tasks.Definition{Type: "built-in", Name: "twice"}))
		last := tasks.Outcome{Started: time.Now().Add(-time.Hour), Duration: time.Second, Result: tasks.OK}
		foreign := tasks.Definition{ID: "f", Type: "alien", Name: "Foreign", Enabled: true, Schedule: tasks.Schedule{Frequency: tasks.Hourly}}
		must(t, h.Import(t.Context(), foreign, &last))
		must(t, h.Import(t.Context(), foreign, &last))
		must(t, h.Import(t.Context(), tasks.Definition{ID: "b", Type: "built-in", Name: "Old", Enabled: true, Schedule: tasks.Schedule{Frequency: tasks.Manual}}, nil))
		h.serve()
		defer h.stop()
		later(3 * time.Hour)
		var got []string
		for _, s := range h.List() {
			got = append(got, fmt.Sprintf("%s %s %d %q", s.ID, s.Name, len(s.Runs), s.Reason))
		}
		want := []string{`f Foreign 1 "This server has no tasks of type alien: it is kept, and never runs; aliens are rare"`, `b Old 0 ""`}
		if d := cmp.Diff(want, got); d != "" {
			t.Error(d)
		}
		if err := h.Start(t.Context(), "f", "ann"); !errors.Is(err, tasks.ErrUnsupported) {
			t.Errorf("start: %v", err)
		}
		if err := h.Delete(t.Context(), "b", "ann"); formats.KindOf(err) != formats.Denied {
			t.Errorf("delete: %v", err)
		}
		foreign.Name = "Renamed" // it may be changed and removed, though not run
		must(t, h.Update(t.Context(), foreign, "ann"))
		must(t, h.Delete(t.Context(), "f", "ann"))
	})
}

func TestHistoryIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, nil, nil).serve()
		defer h.stop()
		id := h.make(tasks.Definition{Type: "fail"})
		for range 30 {
			h.begin(id)
			later(time.Minute)
		}
		if got := len(open(t, h.store, nil).get(id).Runs); got != 20 {
			t.Errorf("%d runs are kept", got)
		}
	})
}

// fullDisk refuses all writes while it is full.
type fullDisk struct {
	kv.Driver
	full atomic.Bool
}

func (d *fullDisk) Apply(ctx context.Context, ops []kv.Op) error {
	if d.full.Load() {
		return kv.ErrNoSpace
	}
	return d.Driver.Apply(ctx, ops)
}

func (d *fullDisk) Scan(ctx context.Context, partition string, r kv.Range) iter.Seq2[kv.Entry, error] {
	return d.Driver.Scan(ctx, partition, r)
}

// TestFullDisk begins nothing that cannot be recorded, and shows the end of a run that could not be.
func TestFullDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk := &fullDisk{Driver: memory.New()}
		h := open(t, kv.New(disk), nil).serve()
		id := h.make(tasks.Definition{Type: "sleep"})
		disk.full.Store(true)
		h.begin(id)
		if s := h.get(id); s.State != tasks.Waiting || len(s.Runs) != 0 {
			t.Errorf("begun on a full disk: %+v", s)
		}
		disk.full.Store(false)
		h.begin(id)
		disk.full.Store(true)
		later(time.Minute)
		if got := results(h.get(id)); got != "ok 10s slept 10 s" {
			t.Error(got)
		}
		disk.full.Store(false)
		h.begin(id)
		later(time.Minute)
		if got := len(h.get(id).Runs); got != 2 {
			t.Errorf("%d runs", got)
		}
		h.stop()
	})
}
