package federated

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"entrepot/app/access"
	"entrepot/app/access/password"
	"entrepot/app/access/permission"
	"entrepot/app/audit"
	"entrepot/storage/kv"
	"entrepot/storage/kv/memory"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// world is an access service with a realm of single sign-on, whose role "ops" may read settings, and a clock.
type world struct {
	*access.Service
	people *People
	now    time.Time
	events []audit.Event
}

// Record implements audit.Recorder.
func (w *world) Record(_ context.Context, e audit.Event) { w.events = append(w.events, e) }

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{now: time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)}
	clock := func() time.Time { return w.now }
	store := kv.New(memory.New())
	w.people = NewPeople(store, access.SourceSAML, clock)
	var err error
	w.Service, err = access.Open(t.Context(), store, &access.Options{
		InitialPassword: "admin123", Now: clock, Audit: w, Passwords: &password.Options{Cost: password.Cost{Memory: 8, Passes: 1, Threads: 1}},
		Realms: []access.Realm{{ID: "SamlRealm", Name: "SAML Realm", Source: access.SourceSAML, Directory: w.people, CacheFor: CacheFor}},
	})
	must(t, err)
	must(t, w.SetActiveRealms(t.Context(), access.System(), []string{access.RealmLocal, "SamlRealm"}))
	_, err = w.CreateRole(t.Context(), access.System(), access.RoleInput{ID: "ops", Name: "ops", Privileges: []string{"nx-settings-read"}})
	must(t, err)
	return w
}

func (w *world) signIn(id string, groups ...string) (string, error) {
	session, _, err := w.LoginExternal(context.Background(), access.ExternalSignIn{
		Realm: "SamlRealm", User: access.DirectoryUser{ID: id, FirstName: "Sam", LastName: "L", Email: id + "@example.org", Groups: groups}, Address: "192.0.2.1",
	})
	return session, err
}

// may tells whether a session may read settings.
func (w *world) may(t *testing.T, session string) bool {
	t.Helper()
	subject, err := w.Authenticate(t.Context(), access.Credentials{Session: session})
	must(t, err)
	return subject.Permits(permission.Application("settings", "read"))
}

func TestSignIn(t *testing.T) {
	w := newWorld(t)
	session, err := w.signIn("sam", "ops", "other")
	must(t, err)
	if !w.may(t, session) {
		t.Error("the group gives no role")
	}
	user, err := w.User(t.Context(), access.SourceSAML, "sam")
	if must(t, err); user.Email != "sam@example.org" || !slices.Equal(user.Groups, []string{"ops", "other"}) || user.Status != access.StatusActive {
		t.Errorf("%+v", user)
	}
	if _, err := w.signIn("sam"); err != nil { // who has left the group meanwhile
		t.Fatal(err)
	}
	w.now = w.now.Add(CacheFor)
	if w.may(t, session) {
		t.Error("the older session keeps a group for ever")
	}
	must(t, w.Assign(t.Context(), access.System(), access.User{Source: access.SourceSAML, ID: "sam", Status: access.StatusActive, Roles: []string{"ops"}}))
	if !w.may(t, session) {
		t.Error("a role that was assigned here counts for nothing")
	}
	for _, id := range []string{"", " ", "a\x00b", strings.Repeat("x", 201)} {
		if _, err := w.signIn(id); !errors.Is(err, access.ErrBadCredentials) {
			t.Errorf("%.10q: %v", id, err)
		}
	}
}

func TestRefusals(t *testing.T) {
	w := newWorld(t)
	session, err := w.signIn("sam", "ops")
	must(t, err)
	disabled := access.User{Source: access.SourceSAML, ID: "sam", Status: access.StatusDisabled}
	must(t, w.Assign(t.Context(), access.System(), disabled))
	if w.may(t, session) {
		t.Error("the session of a disabled user goes on")
	}
	if _, err := w.signIn("sam", "ops"); !errors.Is(err, access.ErrBadCredentials) {
		t.Errorf("disabled: %v", err)
	}
	last := w.events[len(w.events)-1]
	if last.Action != audit.ActionSignInFailed || last.Object != "sam" || last.Actor.Address != "192.0.2.1" {
		t.Errorf("%+v", last)
	}
	must(t, w.SetActiveRealms(t.Context(), access.System(), []string{access.RealmLocal}))
	if _, err := w.signIn("max"); !errors.Is(err, access.ErrBadCredentials) {
		t.Errorf("realm switched off: %v", err)
	}
	if _, _, err := w.LoginExternal(t.Context(), access.ExternalSignIn{Realm: access.RealmLocal, User: access.DirectoryUser{ID: "admin"}}); access.KindOf(err) != access.NotFound {
		t.Errorf("of a realm with passwords: %v", err)
	}
}

func TestManage(t *testing.T) {
	w := newWorld(t)
	ctx, admin := t.Context(), access.System()
	sam := access.User{Source: access.SourceSAML, ID: "Sam", FirstName: "Sam", Email: "sam@example.org", Status: access.StatusActive, Roles: []string{"ops"}}
	must(t, w.CreateExternalUser(ctx, admin, sam))
	if err := w.CreateExternalUser(ctx, admin, sam); access.KindOf(err) != access.Exists {
		t.Error(err)
	}
	session, err := w.signIn("Sam", "g")
	must(t, err)
	if !w.may(t, session) {
		t.Error("the role of a user made beforehand is lost")
	}
	sam.Roles, sam.Status, sam.LastName = nil, access.StatusLocked, "New"
	must(t, w.UpdateExternalUser(ctx, admin, sam))
	if got, err := w.User(ctx, access.SourceSAML, "Sam"); err != nil || got.LastName != "New" || got.Status != access.StatusLocked || !slices.Equal(got.Groups, []string{"g"}) {
		t.Errorf("%+v, %v", got, err)
	}
	if w.may(t, session) {
		t.Error("a locked user goes on")
	}
	for name, tt := range map[string]struct {
		change func(*access.User)
		want   access.Kind
	}{
		"no id":          {func(u *access.User) { u.ID = "" }, access.Invalid},
		"no status":      {func(u *access.User) { u.Status = "" }, access.Invalid},
		"odd status":     {func(u *access.User) { u.Status = "gone" }, access.Invalid},
		"mail":           {func(u *access.User) { u.Email = "x" }, access.Invalid},
		"unknown role":   {func(u *access.User) { u.Roles = []string{"nope"} }, access.Invalid},
		"unknown user":   {func(u *access.User) { u.ID = "sam" }, access.NotFound},
		"unknown source": {func(u *access.User) { u.Source = access.SourceLocal }, access.NotFound},
	} {
		u := sam
		tt.change(&u)
		if err := w.UpdateExternalUser(ctx, admin, u); access.KindOf(err) != tt.want {
			t.Errorf("%s: %v", name, err)
		}
	}
	must(t, w.DeleteExternalUser(ctx, admin, access.SourceSAML, "Sam"))
	if err := w.DeleteExternalUser(ctx, admin, access.SourceSAML, "Sam"); access.KindOf(err) != access.NotFound {
		t.Error(err)
	}
}

func TestDirectory(t *testing.T) {
	w := newWorld(t)
	for _, id := range []string{"Max", "maxine", "lea", "Ägidius"} {
		_, err := w.signIn(id, "g-"+strings.ToLower(id), "all")
		must(t, err)
	}
	for _, tt := range []struct {
		prefix string
		limit  int
		want   string
	}{
		{"", 100, "lea Max maxine Ägidius"}, {"MAX", 100, "Max maxine"}, {"max", 1, "Max"}, {"ä", 9, "Ägidius"}, {"x", 9, ""}, {"\x00", 9, ""},
	} {
		found, err := w.people.Search(t.Context(), tt.prefix, tt.limit)
		must(t, err)
		var ids []string
		for _, u := range found {
			ids = append(ids, u.ID)
		}
		if got := strings.Join(ids, " "); got != tt.want {
			t.Errorf("%q: %s, want %s", tt.prefix, got, tt.want)
		}
	}
	if _, err := w.people.Find(t.Context(), "max"); !errors.Is(err, access.ErrNoUser) {
		t.Errorf("ids differ by case: %v", err)
	}
	if _, err := w.people.Find(t.Context(), strings.Repeat("x", 9999)); !errors.Is(err, access.ErrNoUser) {
		t.Error(err)
	}
	groups, err := w.people.Groups(t.Context(), 3)
	if must(t, err); len(groups) != 3 || !slices.Contains(groups, "all") {
		t.Errorf("%v", groups)
	}
}

func TestPending(t *testing.T) {
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	p := NewPending[int](PendingOptions{For: time.Minute, Limit: 2, Now: func() time.Time { return now }})
	var keys []string
	for i := range 3 {
		key, err := p.Add(i)
		must(t, err)
		keys = append(keys, key)
	}
	if _, ok := p.Take(keys[0]); ok {
		t.Error("more are held than the limit says")
	}
	if v, ok := p.Take(keys[1]); !ok || v != 1 {
		t.Errorf("%d, %v", v, ok)
	}
	if _, ok := p.Take(keys[1]); ok {
		t.Error("taken twice")
	}
	now = now.Add(time.Minute)
	if _, ok := p.Take(keys[2]); ok {
		t.Error("held for too long")
	}
	p.Put("k", 1)
	p.Put("k", 2)
	if v, ok := p.Take("k"); !ok || v != 2 {
		t.Errorf("%d, %v", v, ok)
	}
}

func TestLocalPath(t *testing.T) {
	for wanted, want := range map[string]string{
		"": "/", "/": "/", "/#browse/browse:raw": "/#browse/browse:raw", "/repository/a/?x=//y": "/repository/a/?x=//y",
		"https://evil.example.org/": "/", "//evil.example.org": "/", "/\\evil.example.org": "/", "/\t/evil.example.org": "/", "javascript:alert(1)": "/",
		"evil": "/", "/%": "/", "/" + strings.Repeat("x", 3000): "/", "/a\r\nSet-Cookie: x": "/", "/%2f%2fevil": "/%2f%2fevil",
	} {
		if got := LocalPath(wanted); got != want {
			t.Errorf("%q: %q, want %q", wanted, got, want)
		}
	}
}
