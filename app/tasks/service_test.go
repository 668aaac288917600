package tasks_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"entrepot/app/mail"
	"entrepot/app/tasks"
	"entrepot/formats"
	"entrepot/storage/kv"
	"entrepot/storage/kv/memory"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// post keeps the mail that was sent.
type post struct {
	mu   sync.Mutex
	sent []mail.Message
	off  bool
}

func (p *post) Settings(context.Context) (mail.Settings, bool, error) {
	return mail.Settings{Enabled: !p.off}, true, nil
}

func (p *post) Send(_ context.Context, m mail.Message) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sent = append(p.sent, m)
	return nil
}

func (p *post) subjects() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var all []string
	for _, m := range p.sent {
		all = append(all, m.To+": "+m.Subject)
	}
	return all
}

// house is a service with types that tests steer.
type house struct {
	*tasks.Service
	t     *testing.T
	store *kv.Store
	post  *post
	stop  func()
}

func one(n int64) *int64 { return &n }

// types are: "sleep" takes as many seconds as it is told, claiming a place; "fail" fails; "panic" panics; "built-in" is single.
func types() []tasks.Type {
	place := func(p map[string]string) []tasks.Claim {
		if p["place"] == "" {
			return nil
		}
		return []tasks.Claim{{Kind: "place", Name: strings.TrimPrefix(p["place"], "*")}}
	}
	return []tasks.Type{
		{
			ID: "sleep", Name: "Sleep", Claims: place, Title: func(p map[string]string) string { return "Sleep at " + p["place"] },
			Fields: []tasks.Field{
				{ID: "seconds", Kind: tasks.Number, Required: true, Default: "10", Min: one(1)}, {ID: "place", Kind: tasks.Text},
				{ID: "deep", Kind: tasks.Boolean, Default: "false"}, {ID: "side", Kind: tasks.Choice, Options: []string{"left", "right"}},
			},
			Check: func(p map[string]string) formats.FieldErrors {
				if p["place"] == "nowhere" {
					return formats.FieldErrors{{Field: "place", Message: "There is no such place"}}
				}
				return nil
			},
			Do: func(ctx context.Context, p map[string]string, m *tasks.Monitor) (string, error) {
				d, err := time.ParseDuration(p["seconds"] + "s")
				if err != nil {
					return "", err
				}
				m.Total(int64(d / time.Second))
				for range d / time.Second {
					select {
					case <-ctx.Done():
						return "woken", ctx.Err()
					case <-time.After(time.Second):
						m.Add(1)
					}
				}
				return "slept " + p["seconds"] + " s", nil
			},
		},
		{ID: "fail", Name: "Fail", Do: func(context.Context, map[string]string, *tasks.Monitor) (string, error) {
			return "", errors.New("no luck")
		}},
		{ID: "panic", Name: "Panic", Do: func(context.Context, map[string]string, *tasks.Monitor) (string, error) { panic("oh") }},
		{ID: "built-in", Name: "Built in", Single: true, Do: func(context.Context, map[string]string, *tasks.Monitor) (string, error) { return "done", nil }},
	}
}

func open(t *testing.T, store *kv.Store, change func(*tasks.Options)) *house {
	t.Helper()
	if store == nil {
		store = kv.New(memory.New())
	}
	h := &house{t: t, store: store, post: &post{}}
	o := tasks.Options{Types: types(), Mail: h.post}
	if change != nil {
		change(&o)
	}
	var err error
	h.Service, err = tasks.Open(t.Context(), store, o)
	must(t, err)
	return h
}

// serve runs tasks until stop.
func (h *house) serve() *house {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		h.Serve(ctx)
	}()
	h.stop = func() {
		cancel()
		<-done
	}
	synctest.Wait()
	return h
}

func (h *house) make(d tasks.Definition) string {
	h.t.Helper()
	d.Enabled = true
	if d.Name == "" {
		d.Name = d.Type
	}
	if d.Schedule.Frequency == "" {
		d.Schedule.Frequency = tasks.Manual
	}
	made, err := h.Create(h.t.Context(), d, "admin")
	must(h.t, err)
	return made.ID
}

func (h *house) get(id string) tasks.Status {
	h.t.Helper()
	s, err := h.Get(id)
	must(h.t, err)
	return s
}

func (h *house) begin(ids ...string) {
	h.t.Helper()
	for _, id := range ids {
		must(h.t, h.Start(h.t.Context(), id, "ann"))
	}
	synctest.Wait()
}

// later lets time pass.
func later(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

func results(s tasks.Status) string {
	var all []string
	for _, o := range s.Runs {
		all = append(all, fmt.Sprintf("%s %s %s", o.Result, o.Duration, o.Message))
	}
	return strings.Join(all, "; ")
}

func TestRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, nil, nil).serve()
		defer h.stop()
		id := h.make(tasks.Definition{Type: "sleep", Properties: map[string]string{"seconds": "4", "place": "home"}})
		if s := h.get(id); s.State != tasks.Waiting || !s.Next.IsZero() || s.Title != "Sleep at home" || s.Properties["deep"] != "false" {
			t.Errorf("made: %+v", s)
		}
		h.begin(id)
		later(2500 * time.Millisecond)
		s := h.get(id)
		if s.State != tasks.Running || s.Progress == nil || s.Progress.Done != 2 || s.Progress.Total != 4 || s.Progress.Rate != 0.8 {
			t.Errorf("running: %+v %+v", s, s.Progress)
		}
		h.begin(id) // once more changes nothing
		later(2 * time.Second)
		s = h.get(id)
		if got := results(s); s.State != tasks.Waiting || got != "ok 4s slept 4 s" || s.Runs[0].Actor != "ann" {
			t.Errorf("ended: %s %+v", got, s)
		}
	})
}

func TestSchedule(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var seen []string
		h := open(t, nil, func(o *tasks.Options) {
			o.Ended = func(id string, r tasks.Outcome) { seen = append(seen, id+" "+string(r.Result)) }
		}).serve()
		id := h.make(tasks.Definition{Type: "sleep", Schedule: tasks.Schedule{Frequency: tasks.Cron, Cron: "0 */30 * * * ?", Zone: "Z"}})
		off := h.make(tasks.Definition{Type: "sleep", Schedule: tasks.Schedule{Frequency: tasks.Hourly}})
		d := h.get(off).Definition
		d.Enabled = false
		must(t, h.Update(t.Context(), d, "admin"))
		later(61 * time.Minute)
		if got := results(h.get(id)); got != "ok 10s slept 10 s; ok 10s slept 10 s" {
			t.Error(got)
		}
		if s := h.get(off); len(s.Runs) != 0 || !s.Next.IsZero() {
			t.Errorf("a disabled task ran: %+v", s)
		}
		if err := h.Start(t.Context(), off, "ann"); !errors.Is(err, tasks.ErrDisabled) {
			t.Errorf("start of a disabled task: %v", err)
		}
		h.stop()
		later(3 * time.Hour) // nobody serves
		again := open(t, h.store, nil).serve()
		defer again.stop()
		later(15 * time.Second)
		if got := len(again.get(id).Runs); got != 3 {
			t.Errorf("%d runs; the times that passed are made up for once", got)
		}
		if d := cmp.Diff([]string{"sleep ok", "sleep ok"}, seen); d != "" {
			t.Error(d)
		}
	})
}

func TestExclusion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, nil, func(o *tasks.Options) { o.Parallel = 3 }).serve()
		defer h.stop()
		var ids []string
		for _, place := range []string{"a", "a", "b", "*", "", ""} {
			ids = append(ids, h.make(tasks.Definition{Type: "sleep", Name: "at " + place, Properties: map[string]string{"place": place}}))
		}
		h.begin(ids...)
		states := func() (all string) {
			for _, id := range ids {
				all += string(h.get(id).State)[:1]
			}
			return all
		}
		// The second waits for the first, "*" for a and b, the last for one of three to end.
		if got := states(); got != "rbrbrb" {
			t.Errorf("at first %s", got)
		}
		if got := h.get(ids[1]).Reason; got != "waits for task at a, which works on place a" {
			t.Error(got)
		}
		must(t, h.Stop(t.Context(), ids[5], "ann"))
		later(11 * time.Second)
		if got := states(); got != "wrwbww" {
			t.Errorf("then %s", got)
		}
		later(10 * time.Second)
		if got := states(); got != "wwwrww" {
			t.Errorf("at last %s", got)
		}
		later(10 * time.Second)
		if got := len(h.get(ids[5]).Runs); got != 0 {
			t.Error("a request that was taken back was run")
		}
	})
}

func TestStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, nil, nil).serve()
		defer h.stop()
		id := h.make(tasks.Definition{Type: "sleep", Alert: tasks.Alert{Email: "ops@example.org", On: tasks.OnEnd}})
		if err := h.Stop(t.Context(), id, "ann"); !errors.Is(err, tasks.ErrNotRunning) {
			t.Errorf("stop of what does not run: %v", err)
		}
		h.begin(id)
		later(3 * time.Second)
		must(t, h.Stop(t.Context(), id, "ann"))
		synctest.Wait()
		if got := results(h.get(id)); got != "stopped 3s woken" {
			t.Error(got)
		}
		if got := h.post.subjects(); len(got) != 0 {
			t.Errorf("mail %q", got)
		}
		h.begin(id)
		must(t, h.Delete(t.Context(), id, "ann"))
		synctest.Wait()
		if _, err := h.Get(id); !errors.Is(err, tasks.ErrNotFound) {
			t.Errorf("deleted: %v", err)
		}
	})
}

func TestAlerts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, nil, nil).serve()
		defer h.stop()
		alert := tasks.Alert{Email: "ops@example.org"}
		bad := h.make(tasks.Definition{Type: "fail", Alert: alert})
		worse := h.make(tasks.Definition{Type: "panic", Alert: alert})
		good := h.make(tasks.Definition{Type: "sleep", Alert: alert})
		alert.On = tasks.OnEnd
		told := h.make(tasks.Definition{Type: "sleep", Alert: alert})
		h.begin(bad)
		h.begin(worse)
		h.begin(good)
		h.begin(told)
		later(time.Minute)
		want := []string{"ops@example.org: Task fail has failed", "ops@example.org: Task panic has failed", "ops@example.org: Task sleep has run"}
		if d := cmp.Diff(want, h.post.subjects()); d != "" {
			t.Error(d)
		}
		if got := results(h.get(bad)) + "/" + results(h.get(worse)); got != "failed 0s no luck/failed 0s internal error; the log says more" {
			t.Error(got)
		}
		h.post.off = true
		h.begin(bad)
		if got := len(h.post.subjects()); got != 3 {
			t.Error("mail was sent though it is switched off")
		}
	})
}

// TestInterruption ends the process, once with notice and once without.
func TestInterruption(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, nil, nil).serve()
		id := h.make(tasks.Definition{Type: "sleep", Alert: tasks.Alert{Email: "ops@example.org"}})
		h.begin(id)
		later(time.Second)
		h.stop()
		if got := results(h.get(id)); got != "interrupted 1s The server was stopped during the run" {
			t.Error(got)
		}
		if err := h.Start(t.Context(), id, "ann"); !errors.Is(err, tasks.ErrClosed) {
			t.Errorf("start: %v", err)
		}
		h.serve()
		h.begin(id)
		crashed := open(t, h.store, nil).serve() // as if the first had gone without a word
		defer crashed.stop()
		h.stop()
		if got := crashed.get(id); len(got.Runs) != 2 || got.Runs[0].Message != "The server ended during the run" || got.State != tasks.Waiting {
			t.Errorf("after a crash %+v", got)
		}
		if d := cmp.Diff([]string{"ops@example.org: Task sleep was interrupted"}, crashed.post.subjects()); d != "" {
			t.Error(d)
		}
	})
}

// TestGoingOn ends the process during runs that go on from where they were: at most some times in a row they do so by themselves.
func TestGoingOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		resumes := func(o *tasks.Options) { o.Types[0].Resumes = true }
		h := open(t, nil, resumes).serve()
		id := h.make(tasks.Definition{Type: "sleep"})
		h.begin(id)
		for range 3 {
			h.stop()
			h = open(t, h.store, resumes).serve()
			if got := h.get(id); got.State != tasks.Running {
				t.Fatalf("after the end of the process: %+v", got)
			}
		}
		h.stop()
		h = open(t, h.store, resumes).serve()
		defer func() { h.stop() }()
		if got := h.get(id); got.State != tasks.Waiting || len(got.Runs) != 4 {
			t.Errorf("it goes on and on: %+v", got)
		}
		h.begin(id)
		must(t, h.Stop(t.Context(), id, "ann"))
		synctest.Wait()
		h.stop()
		h = open(t, h.store, resumes).serve()
		if got := h.get(id); got.State != tasks.Waiting || got.Runs[0].Result != tasks.Stopped {
			t.Errorf("what a user stopped: %+v", got)
		}
	})
}

func TestMonitorTellsTheRateOfThisRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, nil, func(o *tasks.Options) {
			do := o.Types[0].Do
			o.Types[0].Do = func(ctx context.Context, p map[string]string, m *tasks.Monitor) (string, error) {
				m.Resume(90)
				defer m.Total(100)
				return do(ctx, p, m)
			}
		}).serve()
		defer h.stop()
		id := h.make(tasks.Definition{Type: "sleep", Properties: map[string]string{"seconds": "10"}})
		h.begin(id)
		later(4 * time.Second)
		if p := h.get(id).Progress; p == nil || p.Done != 94 || p.Resumed != 90 || p.Rate != 1 {
			t.Errorf("%+v", p)
		}
	})
}

func TestWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, nil, nil).serve()
		defer h.stop()
		id := h.make(tasks.Definition{Type: "sleep", Properties: map[string]string{"seconds": "3"}})
		var one, all []string
		var watchers sync.WaitGroup
		ctx, cancel := context.WithCancel(t.Context())
		watchers.Go(func() {
			for s := range h.Watch(ctx, id) {
				line := string(s.State)
				if s.Progress != nil {
					line += fmt.Sprint(s.Progress.Done)
				}
				if s.Deleted {
					line = "deleted"
				}
				one = append(one, line)
			}
		})
		watchers.Go(func() {
			for s := range h.Watch(ctx, "") {
				all = append(all, fmt.Sprintf("%s %v", s.Name, s.Deleted))
			}
		})
		synctest.Wait()
		h.begin(id)
		later(5 * time.Second)
		other := h.make(tasks.Definition{Type: "sleep", Name: "other"})
		must(t, h.Delete(t.Context(), id, "admin"))
		synctest.Wait()
		cancel()
		watchers.Wait()
		got := strings.Join(one, " ")
		if !strings.HasPrefix(got, "waiting ") || !strings.HasSuffix(got, " running1 running2 running3 waiting deleted") && !strings.HasSuffix(got, " running2 waiting deleted") {
			t.Error(got)
		}
		if got := strings.Join(all, ";"); !strings.Contains(got, "other false") || !strings.Contains(got, "sleep true") {
			t.Error(got)
		}
		for range h.Watch(t.Context(), "nobody") {
			t.Error("a task that there is not has a status")
		}
		_ = h.get(other)
	})
}
