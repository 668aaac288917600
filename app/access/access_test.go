package access

import (
	"context"
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"entrepot/app/access/password"
	"entrepot/app/access/permission"
	"entrepot/app/audit"
	"entrepot/storage/kv"
	"entrepot/storage/kv/memory"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// clock is a time that only tests move.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// world is what a service under test lives in.
type world struct {
	store *kv.Store
	clock *clock
	opts  Options
	repos []RepositoryRef
	slept atomic.Int64 // nanoseconds
}

var cheap = &password.Options{Cost: password.Cost{Memory: 8, Passes: 1, Threads: 1}}

func newWorld() *world {
	w := &world{store: kv.New(memory.New()), clock: newClock(),
		repos: []RepositoryRef{{"raw", "pv-raw"}, {"raw", "Docs"}, {"maven2", "maven-releases"}}}
	w.opts = Options{Formats: []string{"maven2", "raw", "apt"}, InitialPassword: "admin123", Passwords: cheap, Now: w.clock.Now,
		Repositories: func() []RepositoryRef { return w.repos },
		ScriptExists: func(name string) bool { return name == "hello" },
		Sleep: func(_ context.Context, d time.Duration) error {
			w.slept.Add(int64(d))
			return nil
		}}
	return w
}

func (w *world) open(t testing.TB) *Service {
	t.Helper()
	s, err := Open(t.Context(), w.store, &w.opts)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func basic(user, secret string) Credentials {
	return Credentials{Kind: Basic, User: user, Secret: secret}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// addUser makes a user with a role that holds the privileges.
func addUser(t testing.TB, s *Service, id string, privileges ...string) {
	t.Helper()
	_, err := s.CreateRole(t.Context(), System(), RoleInput{ID: id + "-r", Name: id, Privileges: privileges})
	must(t, err)
	_, err = s.CreateUser(t.Context(), System(), NewUser{ID: id, FirstName: "F", LastName: "L", Email: id + "@example.org",
		Password: id + "-pw", Status: StatusActive, Roles: []string{id + "-r"}})
	must(t, err)
}

func login(t testing.TB, s *Service, user, secret string) *Subject {
	t.Helper()
	subject, err := s.Authenticate(t.Context(), basic(user, secret))
	if err != nil {
		t.Fatalf("%s: %v", user, err)
	}
	return subject
}

func TestNewStore(t *testing.T) {
	w := newWorld()
	s := w.open(t)
	admin := login(t, s, "admin", "admin123")
	if !admin.Permits(permission.Everything()) || admin.Anonymous() || admin.Realm() != RealmLocal || admin.Source() != SourceLocal {
		t.Errorf("admin = %+v", admin)
	}
	users, err := s.Users(t.Context(), UserFilter{})
	must(t, err)
	if len(users) != 2 || users[0].ID != "admin" || users[0].Status != StatusActive || users[1].ID != "anonymous" ||
		!slices.Equal(users[1].Roles, []string{"nx-anonymous"}) {
		t.Errorf("users = %+v", users)
	}
	if a, _ := s.Anonymous(t.Context()); a != (Anonymous{Enabled: true, UserID: "anonymous", Realm: "NexusAuthorizingRealm"}) {
		t.Errorf("anonymous = %+v", a)
	}
	// The anonymous user has no password.
	if _, err := s.Authenticate(t.Context(), basic("anonymous", "anonymous")); !errors.Is(err, ErrBadCredentials) {
		t.Errorf("anonymous signs in: %v", err)
	}
	// Opening again makes nothing new, whatever the options.
	must(t, s.ChangePassword(t.Context(), System(), PasswordChange{UserID: "admin", Password: "other"}))
	again := w.open(t)
	login(t, again, "admin", "other")
}

func TestRandomFirstPassword(t *testing.T) {
	w := newWorld()
	w.opts.InitialPassword = ""
	w.opts.NoAnonymous = true
	var secret string
	changed := 0
	w.opts.NewAdminPassword = func(p string) error { secret = p; return nil }
	w.opts.AdminPasswordChanged = func() { changed++ }
	s := w.open(t)
	if len(secret) != 36 {
		t.Fatalf("password %q", secret)
	}
	login(t, s, "admin", secret)
	if u, _ := s.User(t.Context(), SourceLocal, "admin"); u.Status != StatusChangePassword {
		t.Errorf("status %q", u.Status)
	}
	if a, _ := s.Anonymous(t.Context()); a.Enabled {
		t.Error("anonymous access is on")
	}
	must(t, s.ChangePassword(t.Context(), System(), PasswordChange{UserID: "admin", Password: "mine"}))
	if u, _ := s.User(t.Context(), SourceLocal, "admin"); u.Status != StatusActive || changed != 1 {
		t.Errorf("status %q, told %d times", u.Status, changed)
	}
	broken := newWorld()
	broken.opts.InitialPassword = ""
	broken.opts.NewAdminPassword = func(string) error { return errors.New("disk full") }
	if _, err := Open(t.Context(), broken.store, &broken.opts); err == nil {
		t.Error("opened although the password could not be kept")
	}
}

// flaky fails reads while told to.
type flaky struct {
	kv.Driver
	mu     sync.Mutex
	broken bool
}

func (f *flaky) Get(ctx context.Context, k kv.Key) (kv.Entry, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.broken {
		return kv.Entry{}, errors.New("disk on fire")
	}
	return f.Driver.Get(ctx, k)
}

func (f *flaky) set(broken bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.broken = broken
}

// Without the store, what is known holds for a while and then nobody is let in.
func TestStoreOutOfReach(t *testing.T) {
	w := newWorld()
	driver := &flaky{Driver: memory.New()}
	w.store = kv.New(driver)
	s := w.open(t)
	login(t, s, "admin", "admin123")
	driver.set(true)
	w.clock.advance(5 * time.Second)
	login(t, s, "admin", "admin123")
	if _, err := s.Authenticate(t.Context(), basic("admin", "wrong")); err == nil || errors.Is(err, ErrBadCredentials) {
		t.Errorf("unknown credentials while the store is broken: %v", err)
	}
	w.clock.advance(maxStale)
	for range 2 {
		if _, err := s.Authenticate(t.Context(), basic("admin", "admin123")); err == nil || errors.Is(err, ErrBadCredentials) {
			t.Errorf("old knowledge is used: %v", err)
		}
		if _, err := s.Authenticate(t.Context(), Credentials{}); err == nil {
			t.Error("anonymous is let in on old knowledge")
		}
	}
	driver.set(false)
	login(t, s, "admin", "admin123")
}

// Two instances over one store see each other's changes and never overwrite them.
func TestTwoInstances(t *testing.T) {
	w := newWorld()
	a, b := w.open(t), w.open(t)
	addUser(t, a, "u", "nx-settings-read")
	if !login(t, b, "u", "u-pw").Permits(permission.Application("settings", "read")) {
		// The role is not known to b yet: it was made after b looked.
		w.clock.advance(2 * time.Second)
	}
	if !login(t, b, "u", "u-pw").Permits(permission.Application("settings", "read")) {
		t.Error("b does not see the role")
	}
	must(t, a.UpdateRole(t.Context(), System(), RoleInput{ID: "u-r", Name: "u", Privileges: []string{"nx-search-read"}}))
	w.clock.advance(2 * time.Second)
	if login(t, b, "u", "u-pw").Permits(permission.Application("settings", "read")) {
		t.Error("b does not see that the role changed")
	}
	// A change plans on what is there now, not on what this instance saw last.
	_, err := a.CreateRole(t.Context(), System(), RoleInput{ID: "x", Name: "x"})
	must(t, err)
	must(t, b.UpdateRole(t.Context(), System(), RoleInput{ID: "x", Name: "x", Roles: []string{"u-r"}}))
	if err := a.UpdateRole(t.Context(), System(), RoleInput{ID: "u-r", Name: "u", Roles: []string{"x"}}); KindOf(err) != Refused {
		t.Errorf("a circle across instances: %v", err)
	}
	var wg sync.WaitGroup
	for i, s := range []*Service{a, b} {
		wg.Go(func() {
			for n := range 20 {
				id := string(rune('a'+i)) + string(rune('a'+n))
				if _, err := s.CreateRole(t.Context(), System(), RoleInput{ID: id, Name: id}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	roles, err := w.open(t).Roles(t.Context(), "")
	must(t, err)
	if len(roles) != 2+2+40 {
		t.Errorf("%d roles", len(roles))
	}
}

func TestAudit(t *testing.T) {
	w := newWorld()
	var told recorder
	w.opts.Audit = &told
	s := w.open(t)
	ann := Actor{UserID: "ann", Source: SourceLocal, Address: "192.0.2.1"}
	must(t, s.SetDefaultRole(t.Context(), ann, "nx-admin"))
	if err := s.DeleteRole(t.Context(), ann, "nope"); KindOf(err) != NotFound {
		t.Error(err)
	}
	want := audit.Event{Time: w.clock.Now(), Actor: ann, Action: "settings.default-role", Object: "default-role", After: json.RawMessage(`"nx-admin"`)}
	if len(told) != 1 || !reflect.DeepEqual(told[0], want) {
		t.Errorf("events = %+v", told)
	}
	if _, err := s.Authenticate(t.Context(), Credentials{Kind: Basic, User: "joe", Secret: "guess", Address: "192.0.2.7"}); !errors.Is(err, ErrBadCredentials) {
		t.Error(err)
	}
	if last := told[len(told)-1]; last.Action != audit.ActionSignInFailed || last.Object != "joe" || last.Actor.Address != "192.0.2.7" {
		t.Errorf("failed sign-in = %+v", last)
	}
}

// recorder keeps what it is told.
type recorder []audit.Event

func (r *recorder) Record(_ context.Context, e audit.Event) { *r = append(*r, e) }
