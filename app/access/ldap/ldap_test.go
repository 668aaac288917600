package ldap

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"
	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"entrepot/app/access"
	"entrepot/app/audit"
	"entrepot/storage/kv"
	"entrepot/storage/kv/memory"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	serviceDN = "cn=reader,dc=example,dc=org"
	baseDN    = "dc=example,dc=org"
)

// people is the directory of the tests.
func people() []entry {
	group := func(name string, members ...string) entry {
		return entry{dn: "cn=" + name + ",ou=groups," + baseDN, attributes: map[string][]string{
			"objectclass": {"groupOfNames"}, "cn": {name}, "member": members}}
	}
	ada, bob := "uid=ada,ou=people,"+baseDN, `uid=bob\, jr,ou=deep,ou=people,`+baseDN
	return []entry{
		{dn: serviceDN, secret: "reader-pw"},
		{dn: ada, secret: "ada-pw", attributes: map[string][]string{"objectclass": {"inetOrgPerson"}, "uid": {"Ada"}, "cn": {"Ada Augusta King"},
			"mail": {"ada@example.org"}, "memberof": {"cn=engines,ou=groups," + baseDN, "plain"}, "userpassword": {"{SSHA}l++8AwbPCGM1T7xaphj30U28SQUwMDAw", "clear-pw"}}},
		{dn: bob, secret: "bob-pw", attributes: map[string][]string{"objectclass": {"inetOrgPerson"}, "uid": {"bob, jr", "bobby"}, "cn": {"Bob"}}},
		{dn: "uid=twin,ou=people," + baseDN, secret: "x", attributes: map[string][]string{"objectclass": {"inetOrgPerson"}, "uid": {"twin"}}},
		{dn: "cn=twin,ou=people," + baseDN, secret: "x", attributes: map[string][]string{"objectclass": {"inetOrgPerson"}, "uid": {"twin"}}},
		{dn: "uid=printer,ou=people," + baseDN, secret: "p", attributes: map[string][]string{"objectclass": {"device"}, "uid": {"printer"}}},
		group("developers", ada, bob), group("readers", ada), group("empty"),
		{dn: "cn=posix,ou=groups," + baseDN, attributes: map[string][]string{"objectclass": {"posixGroup"}, "cn": {"posix"}, "memberuid": {"Ada"}}},
	}
}

// clear is a sealer that seals nothing.
type clear struct{}

func (clear) Seal(s string) (string, error) { return s, nil }

func (clear) Unseal(s string) (string, error) { return s, nil }

// world is a Service under test.
type world struct {
	*Service
	mu  sync.Mutex
	now time.Time
}

func newWorld(t *testing.T, roots *x509.CertPool) *world {
	w := &world{now: time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)}
	store := kv.New(memory.New())
	w.Service = New(store, Options{
		Sealer: clear{}, Roots: func() *x509.CertPool { return roots },
		Change: func(ctx context.Context, _ audit.Event, plan func() ([]kv.Op, error)) error {
			ops, err := plan()
			if err != nil {
				return err
			}
			return store.Apply(ctx, ops...)
		},
		Now: func() time.Time {
			w.mu.Lock()
			defer w.mu.Unlock()
			return w.now
		},
	})
	t.Cleanup(w.Close)
	return w
}

func (w *world) advance(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

func serverOf(d *directory) Server {
	return Server{Name: "main", Protocol: Plain, Host: "127.0.0.1", Port: d.port(), SearchBase: baseDN, Scheme: SchemeSimple, Username: serviceDN,
		Password: "reader-pw", Timeout: 5, RetryDelay: 60, MaxIncidents: 2,
		Users: Users{BaseDN: "ou=people", Subtree: true, ObjectClass: "inetOrgPerson", ID: "uid", RealName: "cn", Email: "mail"},
		Groups: Groups{AsRoles: true, Type: StaticGroups, BaseDN: "ou=groups", ObjectClass: "groupOfNames", ID: "cn", Member: "member",
			MemberFormat: "${dn}"}}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (w *world) add(t *testing.T, s Server) {
	t.Helper()
	_, err := w.Create(t.Context(), access.System(), s)
	must(t, err)
}

// outcome asks for a sign-in and words what comes of it.
func (w *world) outcome(t *testing.T, user, secret string) string {
	t.Helper()
	id, err := w.Authenticate(t.Context(), access.Credentials{Kind: access.Basic, User: user, Secret: secret})
	switch {
	case errors.Is(err, access.ErrNotMine):
		return "unknown"
	case errors.Is(err, access.ErrBadCredentials):
		return "refused"
	case err != nil:
		return "failed"
	}
	return id.Source + "/" + id.UserID + " " + strings.Join(slices.Sorted(slices.Values(id.Groups)), ",")
}

func TestSignIn(t *testing.T) {
	tests := []struct {
		edit               func(*Server)
		user, secret, want string
	}{
		{nil, "ada", "ada-pw", "LDAP/Ada developers,readers"},
		{nil, "ADA", "ada-pw", "LDAP/Ada developers,readers"},
		{nil, " ada", "ada-pw", "unknown"}, // what the directory would pass over
		{nil, "ada", "bob-pw", "refused"},
		{nil, "ada", "", "unknown"},
		{nil, "", "x", "unknown"},
		{nil, "bobby", "bob-pw", "LDAP/bobby developers"},
		{nil, "bob, jr", "bob-pw", "LDAP/bob, jr developers"},
		{nil, "*", "ada-pw", "unknown"},
		{nil, "ada)(uid=*", "ada-pw", "unknown"},
		{nil, "nobody", "x", "unknown"},
		{nil, "twin", "x", "failed"},
		{nil, "printer", "p", "unknown"},
		{nil, strings.Repeat("x", 600), "p", "unknown"},
		{func(s *Server) { s.Users.ObjectClass = "" }, "printer", "p", "LDAP/printer "},
		{func(s *Server) { s.Users.Subtree = false }, "bobby", "bob-pw", "unknown"},
		{func(s *Server) { s.Users.Filter = "mail=*" }, "ada", "ada-pw", "LDAP/Ada developers,readers"},
		{func(s *Server) { s.Users.Filter = "(|(mail=x)(cn=y))" }, "ada", "ada-pw", "unknown"},
		{func(s *Server) { s.Users.ID = "mail" }, "ada@example.org", "ada-pw", "LDAP/ada@example.org developers,readers"},
		{func(s *Server) { s.Users.Password = "userPassword" }, "ada", "geheim", "LDAP/Ada developers,readers"},
		{func(s *Server) { s.Users.Password = "userPassword" }, "ada", "clear-pw", "LDAP/Ada developers,readers"},
		{func(s *Server) { s.Users.Password = "userPassword" }, "ada", "ada-pw", "refused"},
		{func(s *Server) { s.Users.Password = "userPassword" }, "bobby", "bob-pw", "refused"},
		{func(s *Server) { s.Groups.AsRoles = false }, "ada", "ada-pw", "LDAP/Ada "},
		{func(s *Server) { s.Groups.BaseDN = "ou=none" }, "ada", "ada-pw", "LDAP/Ada "},
		{func(s *Server) { s.Groups = Groups{AsRoles: true, Type: DynamicGroups, MemberOf: "memberOf"} }, "ada", "ada-pw", "LDAP/Ada engines,plain"},
		{func(s *Server) {
			s.Groups.ObjectClass, s.Groups.Member, s.Groups.MemberFormat = "posixGroup", "memberUid", "${username}"
		}, "ada", "ada-pw", "LDAP/Ada posix"},
		{func(s *Server) { s.Groups.MemberFormat = "uid=${username},ou=people," + baseDN }, "ada", "ada-pw", "LDAP/Ada developers,readers"},
		{func(s *Server) { s.Groups.MemberFormat = "uid=${username},ou=deep,ou=people," + baseDN }, "bob, jr", "bob-pw", "LDAP/bob, jr developers"},
		{func(s *Server) { s.Password = "wrong" }, "ada", "ada-pw", "failed"},
		{func(s *Server) { s.Scheme, s.Password = SchemeNone, "" }, "ada", "ada-pw", "LDAP/Ada developers,readers"},
	}
	d := startDirectory(t, people(), nil)
	for i, tt := range tests {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			w, s := newWorld(t, nil), serverOf(d)
			if tt.edit != nil {
				tt.edit(&s)
			}
			w.add(t, s)
			if got := w.outcome(t, tt.user, tt.secret); got != tt.want {
				t.Errorf("%s with %q: %s, want %s", tt.user, tt.secret, got, tt.want)
			}
		})
	}
	binds, _ := d.seen()
	for _, bind := range binds {
		if strings.HasPrefix(bind, ":") || strings.HasSuffix(bind, ":") {
			t.Errorf("something empty was bound: %q", bind)
		}
	}
}

func TestServersInOrderAndDown(t *testing.T) {
	one, two := startDirectory(t, people(), nil), startDirectory(t, []entry{
		{dn: serviceDN, secret: "reader-pw"},
		{dn: "uid=ada,ou=people," + baseDN, secret: "second-pw", attributes: map[string][]string{"objectclass": {"inetOrgPerson"}, "uid": {"ada"}}},
	}, nil)
	w := newWorld(t, nil)
	first, second := serverOf(one), serverOf(two)
	second.Name = "second"
	w.add(t, first)
	w.add(t, second)
	steps := []struct {
		do                 func()
		user, secret, want string
	}{
		{nil, "ada", "ada-pw", "LDAP/Ada developers,readers"},
		{nil, "ada", "second-pw", "LDAP/ada "},
		{nil, "ada", "third-pw", "refused"},
		{func() { one.hangUp() }, "ada", "ada-pw", "LDAP/Ada developers,readers"}, // over a new connection
		{func() { one.refuse(true) }, "ada", "second-pw", "LDAP/ada "},
		{nil, "ada", "ada-pw", "refused"},  // the second server says so
		{nil, "bobby", "bob-pw", "failed"}, // nobody can tell
		{func() { one.refuse(false) }, "bobby", "bob-pw", "failed"},
		{func() { w.advance(time.Minute) }, "bobby", "bob-pw", "LDAP/bobby developers"},
	}
	for i, step := range steps {
		if step.do != nil {
			step.do()
		}
		if got := w.outcome(t, step.user, step.secret); got != step.want {
			t.Errorf("step %d: %s, want %s", i, got, step.want)
		}
	}
	users, err := w.Search(t.Context(), "", 100)
	must(t, err)
	if len(users) != 5 {
		t.Errorf("users %+v", users)
	}
	if users, err = w.Search(t.Context(), "AD", 1); err != nil || len(users) != 1 || users[0].FirstName != "Ada" || users[0].LastName != "Augusta King" {
		t.Errorf("users %+v, %v", users, err)
	}
	groups, err := w.Groups(t.Context(), 100)
	must(t, err)
	slices.Sort(groups)
	if d := cmp.Diff([]string{"developers", "empty", "readers"}, slices.Compact(groups)); d != "" {
		t.Error(d)
	}
	one.refuse(true)
	two.refuse(true)
	if _, err := w.Groups(t.Context(), 1); err == nil {
		t.Error("groups of servers that are down")
	}
}

func TestEncrypted(t *testing.T) {
	signed := httptest.NewUnstartedServer(nil)
	signed.StartTLS()
	defer signed.Close()
	roots := x509.NewCertPool()
	roots.AddCert(signed.Certificate())
	d := startDirectory(t, people(), &tls.Config{Certificates: signed.TLS.Certificates})
	for _, trusted := range []bool{true, false} {
		w, s := newWorld(t, roots), serverOf(d)
		s.Protocol, s.TrustStore = TLS, trusted
		w.add(t, s)
		want := map[bool]string{true: "LDAP/Ada developers,readers", false: "failed"}[trusted]
		if got := w.outcome(t, "ada", "ada-pw"); got != want {
			t.Errorf("trusted %v: %s, want %s", trusted, got, want)
		}
	}
}

func TestChecks(t *testing.T) {
	d := startDirectory(t, people(), nil)
	w, s := newWorld(t, nil), serverOf(d)
	must(t, w.Check(t.Context(), s))
	wrong := s
	wrong.Password = "wrong"
	if err := w.Check(t.Context(), wrong); !ldap.IsErrorWithCode(err, ldap.LDAPResultInvalidCredentials) || errors.Is(err, access.ErrBadCredentials) {
		t.Errorf("wrong service account: %v", err)
	}
	user, err := w.CheckLogin(t.Context(), s, "ada", "ada-pw")
	if must(t, err); user.Email != "ada@example.org" {
		t.Errorf("%+v", user)
	}
	if _, err := w.CheckLogin(t.Context(), s, "ada", "x"); !errors.Is(err, access.ErrBadCredentials) {
		t.Error(err)
	}
	if users, err := w.CheckMapping(t.Context(), s, 3); err != nil || len(users) != 3 {
		t.Errorf("%+v, %v", users, err)
	}
	gone := s
	gone.Host, gone.Port = "127.0.0.1", 1
	if err := w.Check(t.Context(), gone); err == nil {
		t.Error("nobody answers, and that is fine")
	}
}
