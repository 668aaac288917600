package repository

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"strings"

	"entrepot/app/audit"
	"entrepot/formats"
	"entrepot/storage/kv"
)

// List gives the definitions of all repositories by name. What it returns is shared: copy before changing.
func (e *Engine) List() []Definition {
	s := e.state.Load()
	all := make([]Definition, len(s.ordered))
	for i, r := range s.ordered {
		all[i] = r.def
	}
	return all
}

// Lookup finds a repository, ignoring the case of its name. What it returns is shared: copy before changing.
func (e *Engine) Lookup(name string) (Definition, bool) {
	r := e.state.Load().find(name)
	if r == nil {
		return Definition{}, false
	}
	return r.def, true
}

// Served reports whether this build can serve a format.
func (e *Engine) Served(format string) bool { return e.formats[format] != nil }

// Holders gives the names of the proxies that have a repository among their members, directly or through others.
func (e *Engine) Holders(name string) []string {
	s := e.state.Load()
	r := s.find(name)
	if r == nil {
		return nil
	}
	var names []string
	for _, p := range s.ordered {
		if p != r && p.def.Kind == formats.Proxy && s.holds(p, r, nil) {
			names = append(names, p.def.Name)
		}
	}
	return names
}

// holds reports whether a proxy has r behind it. seen guards against a circle in imported definitions.
func (s *state) holds(proxy, r *repo, seen map[*repo]bool) bool {
	if seen == nil {
		seen = make(map[*repo]bool)
	}
	if seen[proxy] {
		return false
	}
	seen[proxy] = true
	for _, name := range proxy.def.Members {
		m := s.find(name)
		if m != nil && (m == r || m.def.Kind == formats.Proxy && s.holds(m, r, seen)) {
			return true
		}
	}
	return false
}

// Create adds a repository. actor is the user id of who asks for it. The definition's Content may name an existing tree to be
// served; "" makes a new one. It returns formats.FieldErrors or a *formats.Error when the definition is wrong.
func (e *Engine) Create(ctx context.Context, d Definition, actor string) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	s := e.state.Load()
	if err := e.check(s, nil, &d); err != nil {
		return err
	}
	if err := e.writable(); err != nil {
		return err
	}
	if d.Content == "" {
		d.Content = newContentID()
	}
	if err := e.add(ctx, d); err != nil {
		return err
	}
	e.tell(ctx, actor, audit.Event{Action: "repository.create", Object: d.Name, After: d})
	e.log.Info("repository created", "repository", d.Name, "format", d.Format, "kind", d.Kind, "user", actor)
	return nil
}

// add stores a repository whose name is new.
func (e *Engine) add(ctx context.Context, d Definition) error {
	value, err := e.encodeRepository(d)
	if err != nil {
		return err
	}
	return e.apply(ctx, kv.PutNew(repositoryKey(d.Name), value))
}

// newContentID names a new content tree.
func newContentID() string { return strings.ToLower(rand.Text()) }

// Update replaces the definition of the repository with the same name. Format, kind and blob store stay as they are.
func (e *Engine) Update(ctx context.Context, d Definition, actor string) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	s := e.state.Load()
	before := s.find(d.Name)
	if before == nil {
		return errRepositoryNotFound()
	}
	if err := e.check(s, before, &d); err != nil {
		return err
	}
	if err := e.writable(); err != nil {
		return err
	}
	d.Content, d.Token, d.HealthCheck = before.def.Content, before.def.Token, before.def.HealthCheck
	if err := e.replace(ctx, before, d); err != nil {
		return err
	}
	e.tell(ctx, actor, audit.Event{Action: "repository.update", Object: d.Name, Before: before.def, After: d})
	e.log.Info("repository changed", "repository", d.Name, "user", actor)
	return nil
}

// SetHealthCheck says whether the content of a cache is to be examined.
func (e *Engine) SetHealthCheck(ctx context.Context, name string, on bool, actor string) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	before := e.state.Load().find(name)
	if before == nil {
		return errRepositoryNotFound()
	}
	d := before.def
	if d.Kind != formats.Cache {
		return formats.Errorf(formats.Invalid, "%s is no cache", d.Name)
	}
	if err := e.writable(); err != nil || d.HealthCheck == on {
		return err
	}
	d.HealthCheck = on
	if err := e.replace(ctx, before, d); err != nil {
		return err
	}
	e.tell(ctx, actor, audit.Event{Action: "repository.healthcheck", Object: d.Name, Before: before.def, After: d})
	return nil
}

func (e *Engine) replace(ctx context.Context, before *repo, d Definition) error {
	value, err := e.encodeRepository(d)
	if err != nil {
		return err
	}
	return e.apply(ctx, kv.PutIf(repositoryKey(d.Name), value, before.version))
}

// Delete removes a repository, also from the proxies that it is a member of. Its content goes in the background, also after a restart.
func (e *Engine) Delete(ctx context.Context, name, actor string) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	s := e.state.Load()
	r := s.find(name)
	if r == nil {
		return errRepositoryNotFound()
	}
	if err := e.writable(); err != nil {
		return err
	}
	ops := []kv.Op{kv.DeleteIf(repositoryKey(r.def.Name), r.version)}
	if !s.shared(r) {
		ops = append(ops, kv.Put(kv.Key{Partition: dropPartition, Sort: r.def.Content}, []byte(r.def.Name)))
	}
	for _, p := range s.ordered {
		d, changed := withoutMember(p.def, r.def.Name)
		if !changed {
			continue
		}
		value, err := e.encodeRepository(d)
		if err != nil {
			return err
		}
		ops = append(ops, kv.PutIf(repositoryKey(d.Name), value, p.version))
	}
	if len(ops) > kv.MaxBatch {
		return formats.Errorf(formats.Denied, "The repository is a member of more than %d others; take it out of some first", kv.MaxBatch-2)
	}
	if err := e.apply(ctx, ops...); err != nil {
		return err
	}
	e.tell(ctx, actor, audit.Event{Action: "repository.delete", Object: r.def.Name, Before: r.def})
	e.log.Info("repository deleted", "repository", r.def.Name, "user", actor)
	return e.resumeDrops(ctx)
}

// shared reports whether another repository serves the same content tree.
func (s *state) shared(r *repo) bool {
	return slices.ContainsFunc(s.ordered, func(o *repo) bool { return o != r && o.def.Content == r.def.Content })
}

func withoutMember(d Definition, name string) (Definition, bool) {
	changed := false
	if strings.EqualFold(d.WriteMember, name) {
		d.WriteMember, changed = "", true
	}
	is := func(m string) bool { return strings.EqualFold(m, name) }
	if slices.ContainsFunc(d.Members, is) {
		d.Members, changed = slices.DeleteFunc(slices.Clone(d.Members), is), true
	}
	return d, changed
}

// resumeDrops removes, in the background, the content of repositories that are gone.
func (e *Engine) resumeDrops(ctx context.Context) error {
	var ids []string
	for entry, err := range e.opts.Store.Scan(ctx, dropPartition, kv.Range{}) {
		if err != nil {
			return fmt.Errorf("repository: read unfinished removals: %w", err)
		}
		ids = append(ids, entry.Sort)
	}
	for _, id := range ids {
		if !e.drops.begin(id) {
			continue
		}
		if !e.background.start(func(ctx context.Context) { e.drop(ctx, id) }) {
			e.drops.end(id)
		}
	}
	return nil
}

// drop removes one content tree. What fails is tried again at the next start.
func (e *Engine) drop(ctx context.Context, id string) {
	defer e.drops.end(id)
	err := e.opts.Catalog.Content(id).Drop(ctx)
	if err == nil {
		err = e.opts.Store.Apply(ctx, kv.Delete(digestsKey(id)), kv.Delete(kv.Key{Partition: dropPartition, Sort: id}))
	}
	if err != nil && ctx.Err() == nil {
		e.log.Error("content of a deleted repository is not removed yet", "content", id, "error", err)
	}
}

// InvalidateCache makes a cache ask its upstream again for everything, and a proxy merge its documents again and its members do
// the same. It is a refusal of kind Invalid for a hosted repository.
func (e *Engine) InvalidateCache(ctx context.Context, name string) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	s := e.state.Load()
	r := s.find(name)
	if r == nil {
		return errRepositoryNotFound()
	}
	if r.def.Kind == formats.Hosted {
		return &formats.Error{Kind: formats.Invalid, Message: "You can invalidate cache of proxy or group repository only"}
	}
	if err := e.writable(); err != nil {
		return err
	}
	targets := []*repo{r}
	for _, m := range r.leaves {
		if m.def.Kind == formats.Cache {
			targets = append(targets, m)
		}
	}
	for _, t := range targets {
		d := t.def
		d.Token = strings.ToLower(rand.Text())
		if err := e.replace(ctx, t, d); err != nil {
			return err
		}
		e.forget(t.run)
	}
	e.tell(ctx, "", audit.Event{Action: "repository.invalidate-cache", Object: r.def.Name})
	return nil
}

// tell makes a change of definitions known. The context says who made it; actor does where it does not.
func (e *Engine) tell(ctx context.Context, actor string, event audit.Event) {
	if event.Actor = audit.ActorOf(ctx); actor != "" && event.Actor == audit.System() {
		event.Actor = audit.Actor{UserID: actor}
	}
	audit.Record(ctx, e.opts.Audit, event)
}
