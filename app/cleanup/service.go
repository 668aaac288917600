package cleanup

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"entrepot/app/audit"
	"entrepot/app/repository"
	"entrepot/formats"
)

// Options of a Service. The zero value means the documented defaults.
type Options struct {
	Now   func() time.Time // default time.Now
	Audit audit.Recorder   // is told about changes of policies; default nobody
	Log   *slog.Logger     // default discards
}

// Service changes policies and acts by them. Its methods may be called from many goroutines.
type Service struct {
	*Policies
	engine *repository.Engine
	now    func() time.Time
	audit  audit.Recorder
	log    *slog.Logger

	changing sync.Mutex // held by changes of policies
}

// New makes a Service. The engine asks the same policies for their formats.
func New(policies *Policies, engine *repository.Engine, o Options) *Service {
	s := &Service{Policies: policies, engine: engine, now: o.Now, log: o.Log, audit: o.Audit}
	if s.now == nil {
		s.now = time.Now
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	return s
}

// Users gives the names of the repositories that a policy is assigned to.
func (s *Service) Users(policy string) []string { return s.engine.CleanupUsers(policy) }

// Check finds what is wrong with a policy in itself: formats.FieldErrors, or a *formats.Error whose cause is ErrNotOffered.
func (s *Service) Check(p Policy) error { return s.check(&p) }

// Create adds a policy. It returns formats.FieldErrors, or a *formats.Error whose cause may be ErrExists or ErrNotOffered.
func (s *Service) Create(ctx context.Context, p Policy, actor string) error {
	s.changing.Lock()
	defer s.changing.Unlock()
	if err := s.check(&p); err != nil {
		return err
	}
	before := s.find(p.Name)
	if before.version != 0 {
		return &formats.Error{Kind: formats.Denied, Message: "Name is already used, must be unique (ignoring case)", Err: ErrExists}
	}
	if err := s.engine.Writable(); err != nil {
		return err
	}
	if err := s.put(ctx, p, before); err != nil {
		return err
	}
	audit.Record(ctx, s.audit, audit.Event{Action: "cleanup-policy.create", Object: p.Name, After: p})
	s.log.Info("cleanup policy created", "policy", p.Name, "user", actor)
	return nil
}

// Update replaces the policy of the same name. ErrNotFound when there is none; otherwise as Create.
func (s *Service) Update(ctx context.Context, p Policy, actor string) error {
	s.changing.Lock()
	defer s.changing.Unlock()
	before := s.find(p.Name)
	if before.version == 0 || before.Name != p.Name {
		return ErrNotFound
	}
	if err := s.check(&p); err != nil {
		return err
	}
	if before.Format != p.Format && len(s.Users(p.Name)) > 0 {
		return formats.FieldErrors{{Field: "format", Message: "You cannot change the format of a policy that is in use."}}
	}
	if err := s.engine.Writable(); err != nil {
		return err
	}
	if err := s.put(ctx, p, before); err != nil {
		return err
	}
	audit.Record(ctx, s.audit, audit.Event{Action: "cleanup-policy.update", Object: p.Name, Before: before.Policy, After: p})
	s.log.Info("cleanup policy changed", "policy", p.Name, "user", actor)
	return nil
}

// Delete removes a policy, first from the repositories that it is assigned to: a policy that is made anew under its name is none of theirs.
func (s *Service) Delete(ctx context.Context, name, actor string) error {
	s.changing.Lock()
	defer s.changing.Unlock()
	before := s.find(name)
	if before.version == 0 || before.Name != name {
		return ErrNotFound
	}
	if err := s.engine.WithdrawCleanup(ctx, name, actor); err != nil {
		return err
	}
	if err := s.remove(ctx, before); err != nil {
		return err
	}
	audit.Record(ctx, s.audit, audit.Event{Action: "cleanup-policy.delete", Object: name, Before: before.Policy})
	s.log.Info("cleanup policy deleted", "policy", name, "user", actor)
	return nil
}

// Import keeps a policy as another server had it, replacing one of the same name. Nothing is refused: what this server cannot decide
// selects nothing.
func (s *Service) Import(ctx context.Context, p Policy) error {
	s.changing.Lock()
	defer s.changing.Unlock()
	return s.put(ctx, p, s.find(p.Name))
}
