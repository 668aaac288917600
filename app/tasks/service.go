package tasks

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"entrepot/app/audit"
	"entrepot/app/mail"
	"entrepot/formats"
	"entrepot/storage/kv"
)

// defaultParallel is how many runs go on at once.
const defaultParallel = 4

// Mailer sends alerts. *mail.Service is one.
type Mailer interface {
	Settings(ctx context.Context) (mail.Settings, bool, error)
	Send(ctx context.Context, message mail.Message) error
}

// Options of a Service. The zero value of a member means its documented default.
type Options struct {
	Types    []Type
	Writable func() error                           // refuses changes while the server takes none; default never
	Audit    audit.Recorder                         // is told about changes; default nobody
	Mail     Mailer                                 // sends alerts; default none are sent
	Needless func(typeID string) string             // tells why there is no type of that id; "" and default when there is no more to say
	Ended    func(typeID string, o Outcome)         // hears of each run that ended; default nobody
	Parallel int                                    // runs at once; default 4
	Now      func() time.Time                       // default time.Now
	After    func(d time.Duration) <-chan time.Time // default time.After
	Log      *slog.Logger                           // default discards
}

// Service keeps tasks and runs them. Its methods may be called from many goroutines.
type Service struct {
	store *kv.Store
	opts  Options
	types map[string]*Type

	revision atomic.Uint64
	kick     chan struct{} // the scheduler is to look again

	watching sync.Mutex
	news     chan struct{} // closed at the next change

	mu    sync.Mutex
	tasks map[string]*task
	queue []*task         // to run, in the order of asking
	serve context.Context // of runs; nil while tasks are not served
	runs  sync.WaitGroup
}

// task is one task in memory. Its fields are guarded by Service.mu, except revision.
type task struct {
	def         Definition
	version     uint64
	runs        runsRecord
	runsVersion uint64

	next    time.Time // zero when no run is planned
	queued  bool
	actor   string // of the queued run
	blocked string // why the queued run does not begin
	job     *job   // nil when it does not run

	revision atomic.Uint64
}

// job is a run that goes on.
type job struct {
	monitor  *Monitor
	cancel   context.CancelCauseFunc
	claims   []Claim
	stopping bool
}

// Open reads the tasks. Nothing runs before Serve.
func Open(ctx context.Context, store *kv.Store, opts Options) (*Service, error) {
	s := &Service{store: store, opts: opts, types: make(map[string]*Type), tasks: make(map[string]*task)}
	s.kick, s.news = make(chan struct{}, 1), make(chan struct{})
	if s.opts.Writable == nil {
		s.opts.Writable = func() error { return nil }
	}
	if s.opts.Needless == nil {
		s.opts.Needless = func(string) string { return "" }
	}
	if s.opts.Ended == nil {
		s.opts.Ended = func(string, Outcome) {}
	}
	if s.opts.Parallel <= 0 {
		s.opts.Parallel = defaultParallel
	}
	if s.opts.Now == nil {
		s.opts.Now = time.Now
	}
	if s.opts.After == nil {
		s.opts.After = time.After
	}
	if s.opts.Log == nil {
		s.opts.Log = slog.New(slog.DiscardHandler)
	}
	for _, t := range opts.Types {
		s.types[t.ID] = &t
	}
	return s, s.load(ctx)
}

// Types gives the kinds of work by their names.
func (s *Service) Types() []Type {
	all := slices.Clone(s.opts.Types)
	slices.SortFunc(all, func(a, b Type) int { return cmp.Compare(a.Name, b.Name) })
	return all
}

// Type gives a kind of work; false when there is none of that id.
func (s *Service) Type(id string) (Type, bool) {
	t := s.types[id]
	if t == nil {
		return Type{}, false
	}
	return *t, true
}

// Unsupported says, for people, that there is no type of an id, and why.
func (s *Service) Unsupported(typeID string) string {
	text := fmt.Sprintf("This server has no tasks of type %s: it is kept, and never runs", typeID)
	if why := s.opts.Needless(typeID); why != "" {
		text += "; " + why
	}
	return text
}

// Template gives a definition of a type with all defaults.
func (t *Type) Template() Definition {
	d := Definition{Type: t.ID, Name: t.Name, Enabled: true, Alert: Alert{On: OnFailure}, Schedule: Schedule{Frequency: Manual}}
	d.Properties = make(map[string]string, len(t.Fields))
	for _, f := range t.Fields {
		d.Properties[f.ID] = f.Default
	}
	return d
}

// List gives all tasks by name.
func (s *Service) List() []Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]Status, 0, len(s.tasks))
	for _, t := range s.tasks {
		all = append(all, s.status(t))
	}
	slices.SortFunc(all, func(a, b Status) int { return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID)) })
	return all
}

// Get gives a task. ErrNotFound when there is none.
func (s *Service) Get(id string) (Status, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.tasks[id]
	if t == nil {
		return Status{}, ErrNotFound
	}
	return s.status(t), nil
}

// status gives a task as it is. s.mu is held.
func (s *Service) status(t *task) Status {
	st := Status{Definition: t.def.clone(), State: Waiting, Next: t.next, Runs: slices.Clone(t.runs.Ended), Revision: t.revision.Load()}
	if typ := s.types[t.def.Type]; typ == nil {
		st.Reason = s.Unsupported(t.def.Type)
	} else {
		st.Title = typ.title(t.def)
	}
	switch {
	case t.job != nil:
		st.State = Running
		if t.job.stopping {
			st.State = Stopping
		}
		p := t.job.monitor.Progress()
		st.Progress = &p
	case t.queued:
		st.State, st.Reason = Blocked, t.blocked
	}
	return st
}

func (t *Type) title(d Definition) string {
	if t.Title == nil {
		return t.Name
	}
	return t.Title(d.Properties)
}

// Create makes a task and gives it an id. The properties that are missing get their defaults. actor is the user id of who asks for it.
func (s *Service) Create(ctx context.Context, d Definition, actor string) (Status, error) {
	d = d.clone()
	d.ID = uuid.NewString()
	s.mu.Lock()
	defer s.mu.Unlock()
	if wrong := s.check(&d, nil); len(wrong) > 0 {
		return Status{}, wrong
	}
	if err := s.opts.Writable(); err != nil {
		return Status{}, err
	}
	d.Created = s.opts.Now()
	t, err := s.put(ctx, d, &task{})
	if err != nil {
		return Status{}, err
	}
	s.record(ctx, actor, audit.Event{Action: "task.create", Object: d.ID, After: d})
	s.opts.Log.Info("task created", "task", d.Name, "id", d.ID, "type", d.Type, "user", actor)
	return s.status(t), nil
}

// Update replaces the definition of the task with the same id. Its type stays. A run that goes on is not touched.
func (s *Service) Update(ctx context.Context, d Definition, actor string) error {
	d = d.clone()
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.tasks[d.ID]
	if t == nil {
		return ErrNotFound
	}
	if wrong := s.check(&d, t); len(wrong) > 0 {
		return wrong
	}
	if err := s.opts.Writable(); err != nil {
		return err
	}
	before := t.def
	d.Created = before.Created
	if _, err := s.put(ctx, d, t); err != nil {
		return err
	}
	s.record(ctx, actor, audit.Event{Action: "task.update", Object: d.ID, Before: before, After: d})
	s.opts.Log.Info("task changed", "task", d.Name, "id", d.ID, "user", actor)
	return nil
}

// put stores a definition and plans its next run. s.mu is held.
func (s *Service) put(ctx context.Context, d Definition, t *task, more ...kv.Op) (*task, error) {
	d.Updated = s.opts.Now()
	if err := s.saveDefinition(ctx, t, d, more...); err != nil {
		return nil, err
	}
	s.tasks[d.ID] = t
	s.plan(t, d.Updated)
	s.touch(t)
	s.look()
	return t, nil
}

// Delete removes a task. A run that goes on is stopped.
func (s *Service) Delete(ctx context.Context, id, actor string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.tasks[id]
	if t == nil {
		return ErrNotFound
	}
	if typ := s.types[t.def.Type]; typ != nil && typ.Single {
		return &formats.Error{Kind: formats.Denied, Message: "This task belongs to the server and cannot be removed; it can be disabled"}
	}
	if err := s.opts.Writable(); err != nil {
		return err
	}
	if err := s.store.Apply(ctx, kv.Delete(definitionKey(id)), kv.Delete(runsKey(id))); err != nil {
		return fmt.Errorf("tasks: delete %s: %w", id, err)
	}
	s.drop(t)
	s.record(ctx, actor, audit.Event{Action: "task.delete", Object: id, Before: t.def})
	s.opts.Log.Info("task deleted", "task", t.def.Name, "id", id, "user", actor)
	return nil
}

// record makes a change known. The context says who made it; actor does where it does not.
func (s *Service) record(ctx context.Context, actor string, event audit.Event) {
	if event.Actor = audit.ActorOf(ctx); actor != "" && event.Actor == audit.System() {
		event.Actor = audit.Actor{UserID: actor}
	}
	audit.Record(ctx, s.opts.Audit, event)
}

// drop forgets a task whose records are gone. s.mu is held.
func (s *Service) drop(t *task) {
	delete(s.tasks, t.def.ID)
	s.unqueue(t)
	if t.job != nil {
		t.job.cancel(errStopped)
	}
	s.touch(t)
}

// Ensure makes the task of a type that users cannot make, unless there is one.
func (s *Service) Ensure(ctx context.Context, d Definition) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range s.tasks {
		if t.def.Type == d.Type {
			return nil
		}
	}
	d = d.clone()
	d.ID, d.Created = uuid.NewString(), s.opts.Now()
	_, err := s.put(ctx, d, &task{})
	return err
}

// Import keeps a task as another server had it, with the id that it had there, and its last run if it is known. Nothing is refused:
// what is not valid fails when it runs. One of a type that there is only one of takes the place of the one that is there.
func (s *Service) Import(ctx context.Context, d Definition, last *Outcome) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.tasks[d.ID]
	if t == nil {
		t = &task{}
	}
	if d.Created.IsZero() {
		d.Created = s.opts.Now()
	}
	var gone []kv.Op
	var replaced []*task
	if typ := s.types[d.Type]; typ != nil && typ.Single {
		for _, o := range s.tasks {
			if o.def.Type == d.Type && o.def.ID != d.ID {
				replaced = append(replaced, o)
				gone = append(gone, kv.Delete(definitionKey(o.def.ID)), kv.Delete(runsKey(o.def.ID)))
			}
		}
	}
	if _, err := s.put(ctx, d.clone(), t, gone...); err != nil {
		return err
	}
	for _, o := range replaced {
		s.drop(o)
	}
	if last == nil || len(t.runs.Ended) > 0 {
		return nil
	}
	return s.saveRuns(ctx, t, t.runs.with(*last))
}
