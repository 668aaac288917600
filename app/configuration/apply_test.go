package configuration_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"

	"entrepot/app/access"
	"entrepot/app/apptest"
	"entrepot/app/configuration"
	"entrepot/app/domains"
	"entrepot/app/mail"
	"entrepot/storage/kv"
	kvmemory "entrepot/storage/kv/memory"
)

// guarded is a driver that asks before each batch.
type guarded struct {
	kv.Driver
	mu  sync.Mutex
	ask func(partition string) error // nil allows all
}

func (g *guarded) Apply(ctx context.Context, ops []kv.Op) error {
	g.mu.Lock()
	ask := g.ask
	g.mu.Unlock()
	for _, op := range ops {
		if ask == nil {
			break
		}
		if err := ask(op.Key.Partition); err != nil {
			return err
		}
	}
	return g.Driver.Apply(ctx, ops)
}

func (g *guarded) guard(ask func(partition string) error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.ask = ask
}

const first = `
repositories:
  - {name: old, format: raw, kind: hosted}
  - {name: up, format: raw, kind: cache, upstream: {url: "http://a.example.org/", authentication: {type: username, username: u, password: one}}}
ldapServers:
  - {name: a, protocol: ldap, host: a.example.org, port: 389, searchBase: dc=x, scheme: SIMPLE, username: u, password: one, users: {objectClass: person, id: uid, realName: cn, email: mail}}
  - {name: b, protocol: ldap, host: b.example.org, port: 389, searchBase: dc=x, users: {objectClass: person, id: uid, realName: cn, email: mail}}
roles: [{id: dev}, {id: gone}]
email: {host: a.example.org, from: a@example.org, password: one}
oauth2: {clientId: a, clientSecret: one, idpAuthorizationUrl: "https://id.example.org/a", idpTokenUrl: "https://id.example.org/t", idpJwksUrl: "https://id.example.org/j"}
`

const second = `
blobStores: [{name: default}, {name: more}]
repositories:
  - {name: fresh, format: raw, kind: hosted, blobStore: more}
  - {name: up, upstream: {url: "http://b.example.org/", authentication: {password: two}}}
ldapServers: [{name: a, host: c.example.org, password: two}, {name: b, port: 390}]
roles: [{id: dev, privileges: [nx-repository-view-raw-fresh-read], roles: [lead]}, {id: lead}]
users: [{id: jane, firstName: J, lastName: D, email: j@example.org, roles: [lead], password: x}]
anonymous: {enabled: false}
email: {host: b.example.org, password: two}
oauth2: {clientSecret: two, groupsClaim: groups, exactMatchClaims: {iss: "https://id.example.org"}}
`

type rig struct {
	*apptest.Server
	*configuration.Configuration
	t     *testing.T
	store *guarded
}

func newRig(t *testing.T) *rig {
	t.Helper()
	driver := &guarded{Driver: kvmemory.New()}
	s := apptest.New(t, func(o *domains.Options) { o.Store = kv.New(driver) })
	r := &rig{s, configuration.New(s.Domains), t, driver}
	apptest.Must(t, r.apply(first, false))
	return r
}

func (r *rig) plan(file string, prune bool) *configuration.Plan {
	r.t.Helper()
	parsed, err := configuration.Parse([]byte(file))
	apptest.Must(r.t, err)
	plan, err := r.Plan(r.t.Context(), access.System(), parsed, prune)
	apptest.Must(r.t, err)
	return plan
}

func (r *rig) apply(file string, prune bool) error {
	return r.Apply(r.t.Context(), access.System(), r.plan(file, prune))
}

// state is all there is, secrets that files may have included.
func (r *rig) state() string {
	r.t.Helper()
	all, err := r.Export(r.t.Context())
	apptest.Must(r.t, err)
	text, err := all.MarshalJSON()
	apptest.Must(r.t, err)
	d, _ := r.Engine.Lookup("up")
	servers, err := r.LDAP.Servers(r.t.Context())
	apptest.Must(r.t, err)
	m, _, err := r.Mail.Settings(r.t.Context())
	apptest.Must(r.t, err)
	o, err := r.OAuth2.Settings(r.t.Context())
	apptest.Must(r.t, err)
	return strings.Join([]string{
		string(text), string(d.Upstream.Authentication.Password), string(servers[0].Password), string(m.Password), string(o.ClientSecret),
	}, "\n")
}

// once refuses the first batch on a partition.
func once(partition string, err error) func(string) error {
	return func(p string) error {
		if p != partition || err == nil {
			return nil
		}
		refused := err
		err = nil
		return refused
	}
}

func failure(t *testing.T, err error) *configuration.ApplyError {
	t.Helper()
	var failed *configuration.ApplyError
	if !errors.As(err, &failed) {
		t.Fatalf("no refusal: %v", err)
	}
	return failed
}

// TestPutBack lets each kind of write fail in turn: nothing is left of those before it.
func TestPutBack(t *testing.T) {
	r := newRig(t)
	before := r.state()
	for _, partition := range []string{"repository/blobstores", "repository/repositories", "access/roles", "access/users", "access/ldap", "access/settings", "settings/mail"} {
		plan := r.plan(second, true)
		r.store.guard(once(partition, kv.ErrNoSpace))
		failed := failure(t, r.Apply(t.Context(), access.System(), plan))
		r.store.guard(nil)
		if !errors.Is(failed, kv.ErrNoSpace) || len(failed.Stays) > 0 || len(failed.Open) != len(plan.Changes) {
			t.Errorf("%s: %v", partition, failed)
		}
		if after := r.state(); after != before {
			t.Errorf("%s: \n%s\nis left, it was\n%s", partition, after, before)
		}
	}
	apptest.Must(t, r.apply(second, true))
	if d, _ := r.Engine.Lookup("up"); d.Upstream.Authentication.Password != "two" {
		t.Errorf("the password is %q", string(d.Upstream.Authentication.Password))
	}
	if left := r.plan(second, true); len(left.Changes) > 0 {
		t.Errorf("the second time: %+v", left.Changes)
	}
}

// TestStays has a disk that stays full, and a deletion that fails after another: what was done is named, and applying again makes the rest.
func TestStays(t *testing.T) {
	r := newRig(t)
	plan, full := r.plan(second, false), false
	r.store.guard(func(partition string) error {
		if full = full || partition == "access/users"; full {
			return kv.ErrNoSpace
		}
		return nil
	})
	failed := failure(t, r.Apply(t.Context(), access.System(), plan))
	r.store.guard(nil)
	if !slices.Contains(failed.Stays, "repositories/fresh") || !slices.Contains(failed.Open, "users/jane") || len(failed.Stays)+len(failed.Open) != len(plan.Changes) {
		t.Errorf("a full disk: %+v", failed)
	}
	if again := r.plan(second, false); len(again.Changes) != len(failed.Open) {
		t.Errorf("left to do: %+v, open were %v", again.Changes, failed.Open)
	}
	apptest.Must(t, r.apply(second, false))
	plan = r.plan(`{roles: [], repositories: [{name: up}, {name: fresh}]}`, true)
	r.store.guard(once("repository/repositories", kv.ErrNoSpace))
	failed = failure(t, r.Apply(t.Context(), access.System(), plan))
	r.store.guard(nil)
	if !slices.Contains(failed.Stays, "roles/gone") || !slices.Equal(failed.Open, []string{"repositories/old"}) {
		t.Errorf("after deletions: %+v", failed)
	}
}

// TestOthersMeanwhile has somebody change a document after the plan was made: it is not overwritten, and nothing else is changed.
func TestOthersMeanwhile(t *testing.T) {
	r := newRig(t)
	plan := r.plan(second, false)
	apptest.Must(t, r.Mail.Set(t.Context(), mail.Settings{Host: "other.example.org", Port: 25, From: "o@example.org"}))
	before := r.state()
	if failed := failure(t, r.Apply(t.Context(), access.System(), plan)); !errors.Is(failed, kv.ErrStale) || failed.Change.Name() != "email" || len(failed.Stays) > 0 {
		t.Errorf("a change meanwhile: %v", failed)
	}
	if after := r.state(); after != before {
		t.Errorf("\n%s\nis left, it was\n%s", after, before)
	}
	if next := r.plan(second, false); next.Revision == plan.Revision {
		t.Error("the revision is the same after a change")
	}
}

// TestRehearsal refuses what cannot be, before anything is changed.
func TestRehearsal(t *testing.T) {
	r := newRig(t)
	before := r.state()
	for file, want := range map[string]string{
		`{repositories: [{name: x, format: raw, kind: hosted}], roles: [{id: y, privileges: [none]}]}`:                           "roles/y",
		`{repositories: [{name: x, format: raw, kind: hosted, blobStore: none}]}`:                                                "repositories/x",
		`{repositories: [{name: x, format: raw, kind: proxy, members: [y]}, {name: y, format: raw, kind: proxy, members: [x]}]}`: "repositories/",
		`{roles: [{id: x, roles: [y]}, {id: y, roles: [x]}]}`:                                                                    "roles/",
		`{roles: [{id: dev, roles: [gone]}, {id: gone, roles: [dev]}]}`:                                                          "roles/gone",
		`{blobStores: [{name: g, type: group, members: [none]}]}`:                                                                "blobStores/g",
		`{repositories: [{name: up, routingRule: none}]}`:                                                                        "repositories/up",
		`{tasks: [{name: x, type: none}]}`:                                                                                       "tasks/x",
		`{anonymous: {enabled: true, realm: none}}`:                                                                              "anonymous",
	} {
		parsed, err := configuration.Parse([]byte(file))
		apptest.Must(t, err)
		if _, err = r.Plan(t.Context(), access.System(), parsed, false); err == nil {
			t.Errorf("%s is not refused", file)
			continue
		}
		if failed := failure(t, err); !strings.HasPrefix(failed.Change.Name(), want) || len(failed.Stays) > 0 {
			t.Errorf("%s: %v", file, failed)
		}
	}
	if after := r.state(); after != before {
		t.Errorf("\n%s\nis left, it was\n%s", after, before)
	}
}
