package access

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"entrepot/app/access/permission"
	"entrepot/app/audit"
	"entrepot/storage/kv"
)

// phonebook is a realm with a directory for tests.
type phonebook struct {
	realm
	people map[string][]string // groups by lower-case id
	epoch  string
}

func (p *phonebook) Find(_ context.Context, id string) (DirectoryUser, error) {
	p.asked++
	if p.fail != nil {
		return DirectoryUser{}, p.fail
	}
	groups, known := p.people[strings.ToLower(id)]
	if !known {
		return DirectoryUser{}, ErrNoUser
	}
	return DirectoryUser{ID: strings.ToLower(id), FirstName: "F", LastName: "L", Email: "f@example.org", Groups: groups}, nil
}

func (p *phonebook) Search(ctx context.Context, prefix string, limit int) ([]DirectoryUser, error) {
	var found []DirectoryUser
	for id := range p.people {
		if user, err := p.Find(ctx, id); err != nil {
			return nil, err
		} else if strings.HasPrefix(id, strings.ToLower(prefix)) && len(found) < limit {
			found = append(found, user)
		}
	}
	return found, nil
}

func (p *phonebook) Groups(context.Context, int) ([]string, error) {
	return []string{"watchers", "developers", "watchers"}, p.fail
}

// withPhonebook opens a service whose users of LDAP are lea, in the group developers, and max.
func withPhonebook(t *testing.T, w *world) (*Service, *phonebook) {
	t.Helper()
	book := &phonebook{realm: realm{users: map[string]string{"lea": "lea-pw"}}, people: map[string][]string{"lea": {"developers"}, "max": nil}, epoch: "1"}
	w.opts.Realms = []Realm{
		{ID: "LdapRealm", Name: "LDAP", Source: SourceLDAP, Authenticator: book, Directory: book, CacheFor: time.Minute,
			Epoch: func(context.Context) (string, error) { return book.epoch, nil }},
		{ID: "NpmToken", Name: "npm", Tokens: true},
	}
	s := w.open(t)
	must(t, s.SetActiveRealms(t.Context(), System(), []string{RealmLocal, "LdapRealm", "NpmToken"}))
	_, err := s.CreateRole(t.Context(), System(), RoleInput{ID: "developers", Name: "d", Privileges: []string{"nx-settings-read"}})
	must(t, err)
	return s, book
}

func TestUsersOfDirectories(t *testing.T) {
	s, book := withPhonebook(t, newWorld())
	update := UserUpdate{ID: "LEA", Source: SourceLDAP, FirstName: "x", LastName: "x", Email: "a@b", Status: StatusActive, Roles: []string{"developers"}}
	must(t, s.UpdateUser(t.Context(), System(), update))
	update.ID = "nobody"
	if err := s.UpdateUser(t.Context(), System(), update); says(err) != "not found: User 'nobody' not found." {
		t.Error(err)
	}
	ids := func(filter UserFilter) string {
		t.Helper()
		users, err := s.Users(t.Context(), filter)
		must(t, err)
		var list []string
		for _, u := range users {
			list = append(list, u.Source+"/"+u.ID+strings.Join(u.Roles, ",")+"+"+strings.Join(u.Groups, ","))
		}
		return strings.Join(list, " ")
	}
	const local, mapped = "default/adminnx-admin+ default/anonymousnx-anonymous+", "LDAP/leadevelopers+developers"
	for _, tt := range []struct {
		filter UserFilter
		want   string
	}{
		{UserFilter{}, local + " " + mapped + " LDAP/max+"}, {UserFilter{Source: SourceLDAP, Prefix: "L"}, mapped}, {UserFilter{Source: SourceLocal}, local},
		{UserFilter{Source: "nope"}, ""}, {UserFilter{Stored: true}, local + " LDAP/leadevelopers+"},
	} {
		if got := ids(tt.filter); got != tt.want {
			t.Errorf("%+v: %s, want %s", tt.filter, got, tt.want)
		}
	}
	if u, err := s.User(t.Context(), SourceLDAP, "Lea"); err != nil || u.ID != "lea" || u.FirstName != "F" {
		t.Errorf("%+v, %v", u, err)
	}
	if err := s.DeleteUser(t.Context(), System(), "max"); says(err) != "refused: Non-local user cannot be deleted." {
		t.Error(err)
	}
	roles, err := s.Roles(t.Context(), SourceLDAP)
	if must(t, err); len(roles) != 2 || roles[0].ID != "developers" || roles[0].Source != SourceLDAP || !roles[0].ReadOnly {
		t.Errorf("%+v", roles)
	}
	if _, err := s.Role(t.Context(), SourceLDAP, "nope"); KindOf(err) != NotFound {
		t.Error(err)
	}
	book.fail = errors.New("gone")
	var unavailable *UnavailableError
	if _, err := s.Users(t.Context(), UserFilter{Source: SourceLDAP}); !errors.As(err, &unavailable) {
		t.Error(err)
	}
	if got := ids(UserFilter{}); got != local+" LDAP/leadevelopers+" {
		t.Errorf("without the directory: %s", got)
	}
}

// Tokens of users whose realm is not known here work as long as the old server had it in its list.
func TestTokensOfUnknownSources(t *testing.T) {
	w := newWorld()
	s, _ := withPhonebook(t, w)
	must(t, s.ImportUser(t.Context(), System(), ImportedUser{User: User{ID: "Sam", Source: SourceSAML, Status: StatusActive, Roles: []string{"developers"}}}))
	for _, tt := range []struct {
		source, realm string
		known         bool
	}{{SourceSAML, "SamlRealm", true}, {SourceSAML, "Crowd", false}, {"other", "other", false}} {
		text, err := s.CreateToken(t.Context(), System(), Token{Domain: "NpmToken", Source: tt.source, User: "Sam"})
		must(t, err)
		must(t, s.ImportRealms(t.Context(), System(), []string{RealmLocal, "NpmToken", tt.realm}))
		subject, err := s.Authenticate(t.Context(), Credentials{Kind: Bearer, Secret: "NpmToken." + text})
		if tt.known != (err == nil) || err == nil && !subject.Permits(permission.Application("settings", "read")) {
			t.Errorf("%s under %s: %v", tt.source, tt.realm, err)
		}
	}
}

func TestAssignedRoles(t *testing.T) {
	s, book := withPhonebook(t, newWorld())
	book.fail = errors.New("gone") // and not asked
	for _, tt := range []struct {
		source, id string
		roles      []string
		want       string
	}{
		{SourceLocal, "admin", []string{"developers"}, "not found: Unable to locate source: default"},
		{"nope", "x", []string{"developers"}, "not found: Unable to locate source: nope"},
		{SourceLDAP, " ", []string{"developers"}, "invalid: userId is not the id of a user"},
		{SourceLDAP, "x", []string{"nope"}, "invalid: roles Unable to locate roleId: nope"},
		{SourceLDAP, "Max", []string{"developers", "developers"}, "<nil>"}, {SourceLDAP, "lea", []string{"developers"}, "<nil>"}, {SourceLDAP, "LEA", nil, "<nil>"},
	} {
		if got := says(s.Assign(t.Context(), System(), User{Source: tt.source, ID: tt.id, Status: StatusActive, Roles: tt.roles})); got != tt.want {
			t.Errorf("%s/%s %v: %s, want %s", tt.source, tt.id, tt.roles, got, tt.want)
		}
	}
	users, err := s.Users(t.Context(), UserFilter{Stored: true, Source: SourceLDAP})
	if must(t, err); len(users) != 1 || users[0].ID != "Max" || len(users[0].Roles) != 1 {
		t.Errorf("%+v", users)
	}
}

// Tokens and sessions of users of a directory end with them, and follow their groups.
func TestTokensAndSessionsOfDirectories(t *testing.T) {
	w := newWorld()
	s, book := withPhonebook(t, w)
	text, err := s.CreateToken(t.Context(), System(), Token{Domain: "NpmToken", Source: SourceLDAP, User: "lea"})
	must(t, err)
	token := Credentials{Kind: Bearer, Secret: "NpmToken." + text}
	id, _, err := s.Login(t.Context(), basic("lea", "lea-pw"))
	must(t, err)
	session := Credentials{Session: id}
	settings := permission.Application("settings", "read")
	check := func(what, wantToken, wantSession string) {
		t.Helper()
		for name, c := range map[string]Credentials{"token": token, "session": session} {
			got := "refused"
			subject, err := s.Authenticate(t.Context(), c)
			switch {
			case err == nil && subject.Anonymous():
			case err == nil && subject.Permits(settings):
				got = "developer"
			case err == nil:
				got = "nothing"
			case !errors.Is(err, ErrBadCredentials):
				got = "unavailable"
			}
			if want := map[string]string{"token": wantToken, "session": wantSession}[name]; got != want {
				t.Errorf("%s, %s: %s (%v), want %s", what, name, got, err, want)
			}
		}
	}
	check("at first", "developer", "developer")
	book.people["lea"] = nil
	check("remembered", "developer", "developer")
	w.clock.advance(time.Minute)
	check("left the group", "nothing", "nothing")
	w.clock.advance(time.Minute)
	book.fail = errors.New("gone")
	check("directory down", "unavailable", "unavailable")
	book.fail, book.people["lea"] = nil, []string{"developers"}
	check("back", "developer", "developer")
	book.epoch = "2" // the servers were changed
	must(t, s.Change(t.Context(), audit.Event{Action: "ldap.update"}, func() ([]kv.Op, error) { return []kv.Op{kv.Put(kv.Key{Partition: "x", Sort: "x"}, nil)}, nil }))
	check("other servers", "developer", "refused")
	delete(book.people, "lea")
	w.clock.advance(time.Minute)
	check("gone from the directory", "refused", "refused")
	book.people["lea"] = nil
	must(t, s.SetActiveRealms(t.Context(), System(), []string{RealmLocal, "NpmToken"}))
	check("realm switched off", "refused", "refused")
}

// Guessing is slowed down while a directory is down, and however the name is spelled.
func TestDirectoryDoesNotBypassTheThrottle(t *testing.T) {
	w := newWorld()
	s, book := withPhonebook(t, w)
	spellings := []string{"lea", "LEA", "Lea", "lEa"}
	for i := range 31 {
		if _, err := s.Authenticate(t.Context(), basic(spellings[i%4], "wrong")); !errors.Is(err, ErrBadCredentials) {
			t.Fatal(err)
		}
	}
	if w.slept.Load() != 0 {
		t.Error("slowed down too early")
	}
	_, _ = s.Authenticate(t.Context(), basic("leA", "wrong"))
	if w.slept.Load() == 0 {
		t.Error("another spelling is not slowed down")
	}
	book.fail = errors.New("gone")
	for range 31 {
		var unavailable *UnavailableError
		if _, err := s.Authenticate(t.Context(), basic("max", "wrong")); !errors.As(err, &unavailable) {
			t.Fatal(err)
		}
	}
	before := w.slept.Load()
	_, _ = s.Authenticate(t.Context(), basic("max", "wrong"))
	if w.slept.Load() == before {
		t.Error("an outage lifts the limit")
	}
}
