package tasks

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"time"

	"entrepot/app/audit"
	"entrepot/storage/kv"
)

// longest is how long the scheduler sleeps at most, so that a clock that was set is noticed.
const longest = time.Minute

// The causes of the end of a run's context.
var (
	errStopped  = errors.New("stopped")
	errShutdown = errors.New("the server was stopped")
)

// Serve runs tasks at their times until ctx ends, then stops what runs and waits for it. It must not be called twice at once.
func (s *Service) Serve(ctx context.Context) {
	work, end := context.WithCancelCause(context.WithoutCancel(ctx))
	s.begin(ctx, work)
	for ctx.Err() == nil {
		wait := s.dispatch(ctx)
		select {
		case <-ctx.Done():
		case <-s.kick:
		case <-s.opts.After(wait):
		}
	}
	s.mu.Lock()
	s.serve = nil
	for _, t := range slices.Clone(s.queue) {
		s.unqueue(t)
	}
	s.mu.Unlock()
	end(errShutdown)
	s.runs.Wait()
}

// begin records the runs that an earlier process did not end, and plans.
func (s *Service) begin(ctx, work context.Context) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.serve = work
	for _, t := range s.tasks {
		since := t.def.Updated
		if len(t.runs.Ended) > 0 && t.runs.Ended[0].Started.After(since) {
			since = t.runs.Ended[0].Started
		}
		if r := t.runs.Running; r != nil {
			o := Outcome{Started: r.Started, Result: Interrupted, Message: "The server ended during the run", Actor: r.Actor}
			if err := s.saveRuns(ctx, t, t.runs.with(o)); err != nil {
				s.opts.Log.Error("interrupted run is not recorded", "task", t.def.Name, "error", err)
			}
			since = r.Started
			def := t.def
			s.runs.Go(func() { s.tell(work, def, o) })
		}
		s.plan(t, since)
		s.goOn(t)
		s.touch(t)
	}
}

// maxGoingOn is how often in a row a run that was cut off goes on by itself: it may be what ends the process.
const maxGoingOn = 3

// goOn asks for a run that the end of the process cut off, if it can go on from there. s.mu is held.
func (s *Service) goOn(t *task) {
	typ := s.types[t.def.Type]
	if typ == nil || !typ.Resumes || !t.def.Enabled {
		return
	}
	cut := 0
	for cut < len(t.runs.Ended) && t.runs.Ended[cut].Result == Interrupted {
		cut++
	}
	if cut > 0 && cut <= maxGoingOn {
		s.enqueue(t, t.runs.Ended[0].Actor)
	}
}

// plan sets the next time of a task behind a moment, which may be past: then it is due. s.mu is held.
func (s *Service) plan(t *task, since time.Time) {
	t.next = time.Time{}
	if t.def.Enabled && s.types[t.def.Type] != nil {
		t.next = t.def.Schedule.Next(since)
	}
}

// look makes the scheduler look again.
func (s *Service) look() {
	select {
	case s.kick <- struct{}{}:
	default:
	}
}

// dispatch begins what is due and tells how long nothing else will be.
func (s *Service) dispatch(ctx context.Context) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	now, wait := s.opts.Now(), longest
	for _, t := range s.tasks {
		if t.next.IsZero() {
			continue
		}
		if !t.next.After(now) {
			s.enqueue(t, "")
			s.plan(t, now)
			s.touch(t)
		}
		if !t.next.IsZero() {
			wait = min(wait, t.next.Sub(now))
		}
	}
	for _, t := range slices.Clone(s.queue) {
		if blocked := s.obstacle(t); blocked != t.blocked {
			t.blocked = blocked
			s.touch(t)
		}
		if t.blocked != "" {
			continue
		}
		s.unqueue(t)
		if err := s.start(ctx, t); err != nil {
			s.opts.Log.Error("task did not begin", "task", t.def.Name, "error", err)
			s.touch(t)
		}
	}
	return wait
}

// enqueue asks for a run. One that runs or is queued already is not asked for again. s.mu is held.
func (s *Service) enqueue(t *task, actor string) {
	if t.job != nil || t.queued {
		return
	}
	t.queued, t.actor, t.blocked = true, actor, ""
	s.queue = append(s.queue, t)
}

func (s *Service) unqueue(t *task) {
	t.queued, t.blocked = false, ""
	s.queue = slices.DeleteFunc(s.queue, func(o *task) bool { return o == t })
}

// obstacle tells why a task cannot begin now; "" when it can. s.mu is held.
func (s *Service) obstacle(t *task) string {
	claims, running := s.claims(t), 0
	for _, o := range s.tasks {
		if o.job == nil {
			continue
		}
		running++
		for _, held := range o.job.claims {
			for _, wanted := range claims {
				if held.meets(wanted) {
					return fmt.Sprintf("waits for task %s, which works on %s", o.def.Name, held)
				}
			}
		}
	}
	if running >= s.opts.Parallel {
		return fmt.Sprintf("waits for one of %d other tasks to end", running)
	}
	return ""
}

func (s *Service) claims(t *task) []Claim {
	typ := s.types[t.def.Type]
	if typ == nil || typ.Claims == nil {
		return nil
	}
	return typ.Claims(t.def.Properties)
}

// Start asks for a run now, or as soon as what it claims is free. A task that runs already is left to it.
func (s *Service) Start(ctx context.Context, id, actor string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.tasks[id]
	switch {
	case t == nil:
		return ErrNotFound
	case s.types[t.def.Type] == nil:
		return ErrUnsupported
	case !t.def.Enabled:
		return ErrDisabled
	case s.serve == nil:
		return ErrClosed
	}
	s.enqueue(t, actor)
	s.touch(t)
	s.look()
	s.record(ctx, actor, audit.Event{Action: "task.run", Object: id})
	return nil
}

// Stop ends a run, or takes back that one was asked for. It does not wait for the end.
func (s *Service) Stop(ctx context.Context, id, actor string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.tasks[id]
	switch {
	case t == nil:
		return ErrNotFound
	case t.queued:
		s.unqueue(t)
	case t.job == nil:
		return ErrNotRunning
	default:
		t.job.stopping = true
		t.job.cancel(errStopped)
	}
	s.touch(t)
	s.record(ctx, actor, audit.Event{Action: "task.stop", Object: id})
	s.opts.Log.Info("task stopped", "task", t.def.Name, "user", actor)
	return nil
}

// start begins a run. s.mu is held.
func (s *Service) start(ctx context.Context, t *task) error {
	now := s.opts.Now()
	err := s.saveRuns(ctx, t, runsRecord{Running: &runningRecord{Started: now, Actor: t.actor}, Ended: t.runs.Ended})
	if errors.Is(err, kv.ErrConflict) {
		return errors.Join(err, s.loadRuns(ctx, t)) // another process has begun it
	}
	if err != nil {
		return err
	}
	work, cancel := context.WithCancelCause(s.serve)
	m := &Monitor{now: s.opts.Now, started: now, changed: func() { s.touch(t) }}
	t.job = &job{monitor: m, cancel: cancel, claims: s.claims(t)}
	s.touch(t)
	def, actor, typ := t.def.clone(), t.actor, s.types[t.def.Type]
	s.runs.Go(func() {
		defer cancel(nil)
		message, err := s.do(work, typ, def, m)
		o := Outcome{Started: now, Duration: s.opts.Now().Sub(now), Result: OK, Message: message, Actor: actor}
		if err != nil {
			o.Result, o.Message = Failed, err.Error()
			if message != "" {
				o.Message = message + "; then: " + err.Error()
			}
			switch context.Cause(work) {
			case errStopped:
				o.Result, o.Message = Stopped, message
			case errShutdown:
				o.Result, o.Message = Interrupted, "The server was stopped during the run"
			}
		}
		s.ended(context.WithoutCancel(work), t, o)
	})
	return nil
}

// do runs a type's work. A panic is a failure of this run only.
func (s *Service) do(ctx context.Context, typ *Type, d Definition, m *Monitor) (message string, err error) {
	defer func() {
		if p := recover(); p != nil {
			s.opts.Log.Error("task panicked", "task", d.Name, "panic", p, "stack", string(debug.Stack()))
			err = errors.New("internal error; the log says more")
		}
	}()
	return typ.Do(ctx, d.Properties, m)
}

// ended records a run and lets others begin.
func (s *Service) ended(ctx context.Context, t *task, o Outcome) {
	s.mu.Lock()
	t.job = nil
	def := t.def
	var err error
	if s.tasks[def.ID] == t {
		if err = s.saveRuns(ctx, t, t.runs.with(o)); err != nil {
			t.runs = t.runs.with(o) // it is shown at least until the end of this process
		}
	}
	s.touch(t)
	s.look()
	s.mu.Unlock()
	log := s.opts.Log.With("task", def.Name, "type", def.Type, "result", o.Result, "seconds", o.Duration.Seconds(), "message", o.Message)
	if o.Result == Failed {
		log.Warn("task ended")
	} else {
		log.Info("task ended")
	}
	if err != nil {
		s.opts.Log.Error("the end of a run is not recorded", "task", def.Name, "error", err)
	}
	s.opts.Ended(def.Type, o)
	if o.Result != Interrupted { // then there is no time for it; the next process tells
		s.tell(ctx, def, o)
	}
}
