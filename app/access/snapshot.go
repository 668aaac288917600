package access

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"entrepot/app/access/csel"
	"entrepot/app/access/permission"
	"entrepot/app/audit"
	"entrepot/storage/kv"
)

// snapshot is everything but users and tokens as of one change number. Its records never change.
type snapshot struct {
	number  uint64 // of changes so far
	version uint64 // of the change row, the condition of the next change

	formats    []string
	roles      map[string]Role
	privileges map[string]Privilege // without those derived from repositories
	selectors  map[string]selectorRecord
	compiled   []permission.Selector
	realms     []string // in order, as stored
	settings   Anonymous
	userTokens UserTokenSettings
	defaultTo  string // the role of everybody under the realm DefaultRole, "" for none

	anonymous *Subject // what a caller without credentials is

	mu   sync.Mutex
	sets map[string]*permission.Set // by the ids of the roles they come from
}

// maxSets bounds the compiled sets a snapshot keeps; more combinations of roles are compiled whenever they are needed.
const maxSets = 4096

// current gives the newest snapshot known, looking for changes by others when it is time to.
func (s *Service) current(ctx context.Context) (*snapshot, error) {
	snap, now, last := s.snapshot.Load(), s.opts.Now().UnixNano(), s.checked.Load()
	stale := now-s.verified.Load() >= int64(maxStale)
	if !stale && (now-last < int64(s.opts.Refresh) || !s.checked.CompareAndSwap(last, now)) {
		return snap, nil // looked at just now, or another caller is looking
	}
	err := s.refresh(ctx)
	if err != nil && stale {
		return nil, fmt.Errorf("access: settings may be outdated: %w", err)
	}
	if err != nil {
		s.opts.Log.WarnContext(ctx, "cannot look for changed access settings", "error", err)
	}
	return s.snapshot.Load(), nil
}

// refresh loads a new snapshot when the change number moved.
func (s *Service) refresh(ctx context.Context) error {
	e, err := s.store.Get(ctx, changeKey())
	if err != nil {
		return fmt.Errorf("access: read the change number: %w", err)
	}
	if e.Version != s.snapshot.Load().version {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.reload(ctx)
	}
	s.verified.Store(s.opts.Now().UnixNano())
	return nil
}

// reload loads a new snapshot. The caller holds mu, or is Open.
func (s *Service) reload(ctx context.Context) error {
	const attempts = 10
	for range attempts {
		snap, err := s.load(ctx)
		if err != nil {
			return fmt.Errorf("access: load: %w", err)
		}
		e, err := s.store.Get(ctx, changeKey())
		if err != nil {
			return fmt.Errorf("access: load: %w", err)
		}
		if e.Version != snap.version {
			continue // the rows may come from before and after a change
		}
		now := s.opts.Now().UnixNano()
		s.snapshot.Store(snap)
		s.checked.Store(now)
		s.verified.Store(now)
		return nil
	}
	return errors.New("access: load: records change faster than they can be read")
}

func (s *Service) load(ctx context.Context) (*snapshot, error) {
	snap := &snapshot{formats: s.opts.Formats, roles: map[string]Role{}, privileges: map[string]Privilege{},
		selectors: map[string]selectorRecord{}, sets: map[string]*permission.Set{}}
	// The change row comes first: what is read later is not older.
	if err := s.loadSettings(ctx, snap); err != nil {
		return nil, err
	}
	for row, err := range rows[roleRecord](ctx, s.store, partRoles, kv.Range{}) {
		if err != nil {
			return nil, err
		}
		r := row.record
		snap.roles[r.ID] = Role{ID: r.ID, Name: r.Name, Description: r.Description, Privileges: r.Privileges, Roles: r.Roles}
	}
	for row, err := range rows[privilegeRecord](ctx, s.store, partPrivileges, kv.Range{}) {
		if err != nil {
			return nil, err
		}
		r := row.record
		snap.privileges[r.Name] = Privilege{Name: r.Name, Type: r.Type, Description: r.Description, Pattern: r.Pattern, Domain: r.Domain,
			Format: r.Format, Repository: r.Repository, Selector: r.Selector, Script: r.Script, Actions: r.Actions}
	}
	for row, err := range rows[selectorRecord](ctx, s.store, partSelectors, kv.Range{}) {
		if err != nil {
			return nil, err
		}
		snap.selectors[row.record.Name] = row.record
		snap.compiled = append(snap.compiled, s.compile(ctx, row.record))
	}
	for _, r := range builtinRoles() {
		snap.roles[r.ID] = r
	}
	for _, p := range builtinPrivileges(s.opts.Formats) {
		snap.privileges[p.Name] = p
	}
	var err error
	snap.anonymous, err = s.anonymousSubject(ctx, snap)
	return snap, err
}

func (s *Service) loadSettings(ctx context.Context, snap *snapshot) error {
	change, err := s.store.Get(ctx, changeKey())
	if err != nil {
		return err
	}
	var record changeRecord
	if err := decode(change, &record); err != nil {
		return err
	}
	snap.number, snap.version = record.Number, change.Version
	snap.userTokens = UserTokenSettings{Days: 30} // until they are set
	for row, target := range map[string]any{
		rowAnonymous: &snap.settings, rowRealms: &snap.realms, rowDefaultRole: &snap.defaultTo, rowUserTokens: &snap.userTokens,
	} {
		e, err := s.store.Get(ctx, settingKey(row))
		if errors.Is(err, kv.ErrNotFound) {
			continue
		}
		if err != nil {
			return err
		}
		if err := decode(e, target); err != nil {
			return err
		}
	}
	return nil
}

// compile makes a stored selector usable, like the last snapshot's when that has the same. One that cannot be understood, as old
// kinds of selectors may, matches nothing.
func (s *Service) compile(ctx context.Context, r selectorRecord) permission.Selector {
	if last := s.snapshot.Load(); last != nil && last.selectors[r.Name].Expression == r.Expression {
		if i := slices.IndexFunc(last.compiled, func(sel permission.Selector) bool { return sel.Name == r.Name }); i >= 0 {
			return last.compiled[i]
		}
	}
	sel, err := csel.Compile(r.Expression, s.opts.Selectors)
	if err != nil {
		s.opts.Log.WarnContext(ctx, "content selector matches nothing", "selector", r.Name, "error", err)
		return permission.Selector{Name: r.Name, Match: func(string, string) bool { return false }}
	}
	return permission.Selector{Name: r.Name, Match: sel.Match}
}

// permissions compiles what roles grant, those nested in them included. Roles that do not exist grant nothing.
func (snap *snapshot) permissions(roles []string) *permission.Set {
	roles = slices.Clone(roles)
	slices.Sort(roles)
	key := strings.Join(slices.Compact(roles), "\x00")
	snap.mu.Lock()
	defer snap.mu.Unlock()
	if set := snap.sets[key]; set != nil {
		return set
	}
	var granted []permission.Permission
	for name := range snap.privilegeNames(roles) {
		if p, ok := snap.grant(name); ok {
			granted = append(granted, p)
		}
	}
	set := permission.NewSet(granted, snap.compiled)
	if len(snap.sets) < maxSets {
		snap.sets[key] = set
	}
	return set
}

// privilegeNames walks roles and the roles within them; a circle is walked once.
func (snap *snapshot) privilegeNames(roles []string) map[string]bool {
	names, seen := map[string]bool{}, map[string]bool{}
	for queue := slices.Clone(roles); len(queue) > 0; queue = queue[1:] {
		role, exists := snap.roles[queue[0]]
		if !exists || seen[role.ID] {
			continue
		}
		seen[role.ID] = true
		for _, name := range role.Privileges {
			names[name] = true
		}
		queue = append(queue, role.Roles...)
	}
	return names
}

func (snap *snapshot) grant(name string) (permission.Permission, bool) {
	if p, ok := snap.privileges[name]; ok {
		return p.Permission()
	}
	return derivedPermission(name, snap.formats)
}

// change stores the operations that plan makes from the newest snapshot, and moves the change number. When another instance was
// faster, plan is asked again. A plan without operations changes nothing. A plan must not ask for the current snapshot itself.
func (s *Service) change(ctx context.Context, event audit.Event, plan func(snap *snapshot) ([]kv.Op, error)) error {
	made, err := s.tryChange(ctx, plan)
	if err != nil {
		if KindOf(err) != 0 {
			return err
		}
		return fmt.Errorf("access: %s %q: %w", event.Action, event.Object, err)
	}
	if made != nil {
		event.Time, event.Before, event.After = s.opts.Now(), made.before, made.after
		audit.Record(ctx, s.opts.Audit, event)
	}
	return nil
}

// made is what a change did to the record that it is about: the last one of its plan.
type made struct{ before, after any } // JSON, nil for nothing

// compare reads what the last operation of a plan is to replace. Whoever is told about the change leaves secrets out.
func (s *Service) compare(ctx context.Context, ops []kv.Op) (*made, error) {
	op := ops[len(ops)-1]
	m := &made{}
	if op.Kind == kv.OpPut {
		m.after = json.RawMessage(op.Value)
	}
	e, err := s.store.Get(ctx, op.Key)
	switch {
	case err == nil:
		m.before = json.RawMessage(e.Value)
	case !errors.Is(err, kv.ErrNotFound):
		return nil, err
	}
	return m, nil
}

// Change stores records of a part of access that is kept elsewhere, such as the servers of a directory, as every change here is stored:
// only while the server takes changes, with one batch, and so that all instances look again at whom they let in. plan may be called
// several times and must not call the Service.
func (s *Service) Change(ctx context.Context, event audit.Event, plan func() ([]kv.Op, error)) error {
	return s.change(ctx, event, func(*snapshot) ([]kv.Op, error) { return plan() })
}

func (s *Service) tryChange(ctx context.Context, plan func(snap *snapshot) ([]kv.Op, error)) (*made, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e, err := s.store.Get(ctx, changeKey()); err != nil {
		return nil, err
	} else if e.Version != s.snapshot.Load().version {
		if err := s.reload(ctx); err != nil {
			return nil, err
		}
	}
	const attempts = 20
	for range attempts {
		snap := s.snapshot.Load()
		ops, err := plan(snap)
		if err != nil || len(ops) == 0 {
			return nil, err
		}
		if err := s.opts.Writable(); err != nil {
			return nil, err
		}
		changed, err := s.compare(ctx, ops)
		if err != nil {
			return nil, err
		}
		next, err := put(changeKey(), changeRecord{Number: snap.number + 1})
		if err != nil {
			return nil, err
		}
		next.If, next.Version = kv.IfVersion, snap.version
		err = s.store.Apply(ctx, append(ops, next)...)
		if err != nil && !errors.Is(err, kv.ErrConflict) {
			return nil, err
		}
		s.adopt(ctx)
		if err == nil {
			return changed, nil
		}
	}
	return nil, kv.ErrConflict
}

// adopt takes over what was just stored. The change stands even if reading it back fails; then the next caller looks again.
func (s *Service) adopt(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	if err := s.reload(ctx); err != nil {
		s.checked.Store(0)
		s.verified.Store(0)
		s.opts.Log.ErrorContext(ctx, "cannot load changed access settings", "error", err)
	}
}
