package access

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"entrepot/app/access/permission"
)

func header(user, secret string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+secret))
}

func TestParseAuthorization(t *testing.T) {
	malformed := Credentials{Kind: Malformed}
	admin := basic("admin", "admin123")
	tests := []struct {
		header string
		want   Credentials
	}{
		{"", Credentials{}},
		{"Basic YWRtaW46YWRtaW4xMjM=", admin},
		{"basic YWRtaW46YWRtaW4xMjM=", admin},
		{"BASIC YWRtaW46YWRtaW4xMjM=", admin},
		{"Basic YWRtaW46YWRtaW4xMjM", admin},
		{"Basic YWRtaW46YWRtaW4xMjMg", basic("admin", "admin123 ")},
		{"Basic YXUtdW1sYXV0OnDDpHNzOnfDtnJk", basic("au-umlaut", "päss:wörd")},
		{"Basic Og==", Credentials{}},
		{"Basic Ong=", malformed},
		{"Basic YWRtaW46", malformed},
		{"Basic OmFkbWluMTIz", malformed},
		{"Basic YWRtaW4=", malformed},
		{"Basic !!!", malformed},
		{"Basic", malformed},
		{"Basic ", malformed},
		{"Basic  YWRtaW46YWRtaW4xMjM=", malformed},
		{"Basic YWRtaW46YWRtaW4xMjM= x", malformed},
		{"Basic YWRt\naW46YWRtaW4xMjM=", malformed},
		{"Bearer abc", Credentials{Kind: Bearer, Secret: "abc"}},
		{"bearer NpmToken.x", Credentials{Kind: Bearer, Secret: "NpmToken.x"}},
		{"Bearer", Credentials{}},
		{"Bearer  ", Credentials{}},
		{`Digest username="admin"`, Credentials{}},
		{"NX-APIKEY x", Credentials{}},
		{"junk", Credentials{}},
	}
	for _, tt := range tests {
		if got := ParseAuthorization(tt.header); got != tt.want {
			t.Errorf("ParseAuthorization(%q) = %+v", tt.header, got)
		}
	}
}

func FuzzParseAuthorization(f *testing.F) {
	for _, seed := range []string{"", "Basic YWRtaW46YWRtaW4xMjM=", "Basic Og==", "Bearer x.y", "basic  ", "Digest x"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		c := ParseAuthorization(text)
		if c.Kind == Basic {
			if c.User == "" || c.Secret == "" || strings.Contains(c.User, ":") {
				t.Fatalf("%q gives %q and %q", text, c.User, c.Secret)
			}
			if again := ParseAuthorization(header(c.User, c.Secret)); again != c {
				t.Fatalf("%+v became %+v", c, again)
			}
		} else if c.User != "" || c.Secret != "" && c.Kind != Bearer {
			t.Fatalf("%q gives %#v", text, c)
		}
	})
}

func TestCredentialsHideSecrets(t *testing.T) {
	c := Credentials{Kind: Basic, User: "ann", Secret: "hunter2", Session: "s3cret"}
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "credentials", c)
	for _, text := range []string{fmt.Sprintf("%v %+v %#v %s", c, c, c, c), log.String()} {
		if strings.Contains(text, "hunter2") || strings.Contains(text, "s3cret") || !strings.Contains(text, "basic ann") {
			t.Error(text)
		}
	}
}

const refused, anonymous = "refused", "anonymous"

// recordedOutcomes are those that a real server showed: refused, anonymous, or who.
var recordedOutcomes = []struct{ header, want string }{
	{header("admin", "admin123"), "admin"},
	{header("admin", "wrong"), refused},
	{header("nobody", "x"), refused},
	{"Basic Og==", anonymous},
	{header("admin", ""), refused},
	{header("", "admin123"), refused},
	{"Basic YWRtaW4=", refused},
	{"Basic !!!", refused},
	{"Basic", refused},
	{"basic YWRtaW46YWRtaW4xMjM=", "admin"},
	{header("ADMIN", "admin123"), refused},
	{"Bearer abc", anonymous},
	{"Bearer NpmToken.00000000-0000-0000-0000-000000000000", anonymous},
	{`Digest username="admin"`, anonymous},
	{header("anonymous", "anonymous"), refused},
	{header("au-alice", "au-alice-pw"), "au-alice"},
	{header("au-dis", "au-dis-pw"), refused},
	{header("au-locked", "au-locked-pw"), refused},
	{header("au-change", "au-change-pw"), "au-change"},
	{header("au-umlaut", "päss:wörd"), "au-umlaut"},
	{header("au-umlaut", "p\xe4ss:w\xf6rd"), refused},
	{"Basic  YWRtaW46YWRtaW4xMjM=", refused},
	{header("admin", "admin123 "), refused},
	{"", anonymous},
}

func TestAuthenticateAsRecorded(t *testing.T) {
	s := newWorld().open(t)
	addUser(t, s, "au-alice", "nx-repository-view-raw-pv-raw-read")
	for id, status := range map[string]Status{"au-dis": StatusDisabled, "au-locked": StatusLocked, "au-change": StatusChangePassword} {
		_, err := s.CreateUser(t.Context(), System(), NewUser{ID: id, FirstName: "F", LastName: "L", Email: "a@b", Password: id + "-pw",
			Status: status, Roles: []string{"nx-admin"}})
		must(t, err)
	}
	_, err := s.CreateUser(t.Context(), System(), NewUser{ID: "au-umlaut", FirstName: "F", LastName: "L", Email: "a@b", Password: "päss:wörd",
		Status: StatusActive, Roles: []string{"nope"}})
	must(t, err)
	for _, on := range []bool{true, false} {
		must(t, s.SetAnonymous(t.Context(), System(), Anonymous{Enabled: on, UserID: "anonymous", Realm: RealmAuthorizing}))
		for round := range 2 { // the second time from memory
			for _, tt := range recordedOutcomes {
				subject, err := s.Authenticate(t.Context(), ParseAuthorization(tt.header))
				got := refused
				switch {
				case err != nil && !errors.Is(err, ErrBadCredentials):
					t.Fatal(err)
				case err == nil && subject.Anonymous():
					got = anonymous
					if reads := subject.MayView("raw", "pv-raw", permission.Read, "/a"); reads != on {
						t.Errorf("anonymous %v: reads %v", on, reads)
					}
				case err == nil:
					got = subject.UserID()
				}
				if got != tt.want {
					t.Errorf("anonymous %v, round %d, %q: %s, want %s", on, round, tt.header, got, tt.want)
				}
			}
		}
	}
}

func TestPasswordChangeAndDeletion(t *testing.T) {
	s := newWorld().open(t)
	addUser(t, s, "ann")
	login(t, s, "ann", "ann-pw")
	must(t, s.ChangePassword(t.Context(), System(), PasswordChange{UserID: "ann", Password: "new-pw"}))
	if _, err := s.Authenticate(t.Context(), basic("ann", "ann-pw")); !errors.Is(err, ErrBadCredentials) {
		t.Errorf("old password: %v", err)
	}
	login(t, s, "ann", "new-pw")
	update := UserUpdate{ID: "ann", Source: SourceLocal, FirstName: "F", LastName: "L", Email: "a@b", Status: StatusDisabled, Roles: []string{"nx-admin"}}
	must(t, s.UpdateUser(t.Context(), System(), update))
	if _, err := s.Authenticate(t.Context(), basic("ann", "new-pw")); !errors.Is(err, ErrBadCredentials) {
		t.Errorf("disabled: %v", err)
	}
	update.Status = StatusActive
	must(t, s.UpdateUser(t.Context(), System(), update))
	if !login(t, s, "ann", "new-pw").Permits(permission.Everything()) {
		t.Error("new role has no effect")
	}
	must(t, s.DeleteUser(t.Context(), System(), "ann"))
	if _, err := s.Authenticate(t.Context(), basic("ann", "new-pw")); !errors.Is(err, ErrBadCredentials) {
		t.Errorf("deleted: %v", err)
	}
}

// Imported hashes work and are replaced at the first good login, without ending anything.
func TestImportedPasswords(t *testing.T) {
	s := newWorld().open(t)
	hashes := map[string]string{
		"shiro":  "$shiro1$SHA-512$1024$zjU1u+Zg9UNwuB+HEawvtA==$IzF/OWzJxrqvB5FCe/2+UcZhhZYM2pTu0TEz7Ybnk65AbbEdUk9ntdtBzkN8P3gZby2qz6MHKqAe8Cjai9c4Gg==",
		"pbkdf2": "$PBKDF2WithHmacSHA256$key_iteration=10000,key_len=256$AAECAwQFBgcICQoLDA0ODw==$QYruImrEIfbgvKJd1TVFPj1jqr/M4wSkf2ltGPGot88=",
		"sha1":   "f865b53623b121fd34ee5426c792e5c33af8c227",
		"md5":    "0192023a7bbd73250516f069df18b500",
	}
	for id, hash := range hashes {
		must(t, s.ImportUser(t.Context(), System(), ImportedUser{User: User{ID: id, Source: SourceLocal, Status: StatusActive}, PasswordHash: hash}))
		if _, err := s.Authenticate(t.Context(), basic(id, "wrong")); !errors.Is(err, ErrBadCredentials) {
			t.Errorf("%s: %v", id, err)
		}
		if r, _, _ := s.account(t.Context(), SourceLocal, id); r.Password != hash {
			t.Errorf("%s: replaced by a bad login", id)
		}
		login(t, s, id, "admin123")
		r, _, err := s.account(t.Context(), SourceLocal, id)
		must(t, err)
		if !strings.HasPrefix(r.Password, "$argon2id$") {
			t.Errorf("%s: still %q", id, r.Password)
		}
		login(t, s, id, "admin123")
	}
	must(t, s.ImportUser(t.Context(), System(), ImportedUser{User: User{ID: "odd", Source: SourceLocal, Status: StatusActive}, PasswordHash: "{SSHA}x"}))
	if _, err := s.Authenticate(t.Context(), basic("odd", "x")); !errors.Is(err, ErrBadCredentials) {
		t.Errorf("unknown hash: %v", err)
	}
}

// Verified credentials are remembered: no hash is computed again until they expire, even when other records change.
func TestCredentialsAreRemembered(t *testing.T) {
	w := newWorld()
	s := w.open(t)
	login(t, s, "admin", "admin123")
	// A hash that no longer fits shows whether it is computed.
	r, _, err := s.account(t.Context(), SourceLocal, "admin")
	must(t, err)
	r.Password = "f865b53623b121fd34ee5426c792e5c33af8c228"
	op, err := put(userKey(SourceLocal, "admin"), r)
	must(t, err)
	must(t, w.store.Apply(t.Context(), op))
	login(t, s, "admin", "admin123")
	must(t, s.SetDefaultRole(t.Context(), System(), "x"))
	login(t, s, "admin", "admin123")
	w.clock.advance(defaultCredentialTTL)
	if _, err := s.Authenticate(t.Context(), basic("admin", "admin123")); !errors.Is(err, ErrBadCredentials) {
		t.Errorf("not verified again after their time: %v", err)
	}
	for i := range cacheShards * shardCapacity * 2 {
		c := basic("u", fmt.Sprint(i))
		s.cache.put(s.cache.key(&c), &signedIn{expires: w.clock.Now()}, w.clock.Now())
	}
	for i := range s.cache.shards {
		if n := len(s.cache.shards[i].entries); n > shardCapacity {
			t.Fatalf("a shard holds %d entries", n)
		}
	}
}

func TestThrottle(t *testing.T) {
	w := newWorld()
	s := w.open(t)
	addUser(t, s, "ann")
	bad := Credentials{Kind: Basic, User: "ann", Secret: "nope", Address: "192.0.2.1"}
	good := Credentials{Kind: Basic, User: "ann", Secret: "ann-pw", Address: "192.0.2.1"}
	for range 30 {
		if _, err := s.Authenticate(t.Context(), bad); !errors.Is(err, ErrBadCredentials) {
			t.Fatal(err)
		}
	}
	if w.slept.Load() != 0 {
		t.Errorf("slowed down after few failures: %v", w.slept.Load())
	}
	if _, err := s.Authenticate(t.Context(), good); err != nil || w.slept.Load() != 0 {
		t.Errorf("good login after bad ones: %v, slept %v", err, w.slept.Load())
	}
	var throttled *ThrottledError
	for range 40 { // the clock stands still, as if all came at once
		if _, err := s.Authenticate(t.Context(), bad); errors.As(err, &throttled) {
			break
		}
	}
	if throttled == nil || throttled.RetryAfter <= 0 || !errors.Is(throttled, ErrBadCredentials) || w.slept.Load() == 0 {
		t.Fatalf("never refused: %v, slept %v", throttled, w.slept.Load())
	}
	w.slept.Store(0)
	if _, err := s.Authenticate(t.Context(), good); err != nil || w.slept.Load() != 0 {
		t.Errorf("verified credentials are slowed down: %v, %v", err, w.slept.Load())
	}
	elsewhere := bad
	elsewhere.Address = "192.0.2.2"
	if _, err := s.Authenticate(t.Context(), elsewhere); errors.As(err, new(*ThrottledError)) || w.slept.Load() != 0 {
		t.Errorf("another address pays: %v, %v", err, w.slept.Load())
	}
	other := Credentials{Kind: Basic, User: "admin", Secret: "admin123", Address: "192.0.2.1"}
	if _, err := s.Authenticate(t.Context(), other); err != nil || w.slept.Load() != 0 {
		t.Errorf("another user pays: %v, %v", err, w.slept.Load())
	}
	w.clock.advance(5 * time.Minute)
	if _, err := s.Authenticate(t.Context(), bad); errors.As(err, new(*ThrottledError)) || w.slept.Load() != 0 {
		t.Errorf("never forgotten: %v, %v", err, w.slept.Load())
	}
	for i := range maxBuckets {
		s.throttle.failed(w.clock.Now(), fmt.Sprint(i), "a")
	}
	if n := len(s.throttle.buckets); n > maxBuckets {
		t.Errorf("%d buckets", n)
	}
}

// realm is an external realm for tests.
type realm struct {
	users map[string]string
	fail  error
	asked int
}

func (r *realm) Authenticate(_ context.Context, c Credentials) (Identity, error) {
	r.asked++
	if r.fail != nil {
		return Identity{}, r.fail
	}
	secret, known := r.users[c.User]
	switch {
	case c.Kind != Basic || !known:
		return Identity{}, ErrNotMine
	case secret != c.Secret:
		return Identity{}, ErrBadCredentials
	}
	return Identity{UserID: c.User, Source: "LDAP", Groups: []string{"developers", "unknown"}}, nil
}

func TestExternalRealm(t *testing.T) {
	w := newWorld()
	ldap := &realm{users: map[string]string{"lea": "lea-pw", "admin": "ldap-admin"}}
	w.opts.Realms = []Realm{{ID: "LdapRealm", Name: "LDAP Realm", Authenticator: ldap, Source: "LDAP", CacheFor: time.Minute}}
	s := w.open(t)
	if _, err := s.Authenticate(t.Context(), basic("lea", "lea-pw")); !errors.Is(err, ErrBadCredentials) || ldap.asked != 0 {
		t.Errorf("an inactive realm is asked: %v", err)
	}
	must(t, s.SetActiveRealms(t.Context(), System(), []string{"NexusAuthenticatingRealm", "LdapRealm", "DefaultRole", "LdapRealm"}))
	_, err := s.CreateRole(t.Context(), System(), RoleInput{ID: "developers", Name: "d", Privileges: []string{"nx-settings-read"}})
	must(t, err)
	_, err = s.CreateRole(t.Context(), System(), RoleInput{ID: "mapped", Name: "m", Privileges: []string{"nx-bundles-read"}})
	must(t, err)
	must(t, s.UpdateUser(t.Context(), System(), UserUpdate{ID: "lea", Source: "LDAP", FirstName: "x", LastName: "x", Email: "a@b",
		Status: StatusActive, Roles: []string{"mapped"}}))
	must(t, s.SetDefaultRole(t.Context(), System(), "nx-anonymous"))
	ldap.asked = 0
	lea := login(t, s, "lea", "lea-pw")
	for _, want := range []permission.Permission{permission.Application("settings", "read"), permission.Application("bundles", "read"),
		permission.Application("search", "read")} {
		if !lea.Permits(want) {
			t.Errorf("lea lacks %v", want)
		}
	}
	if lea.Source() != "LDAP" || lea.Realm() != "LdapRealm" || lea.Permits(permission.Everything()) {
		t.Errorf("lea = %+v", lea)
	}
	login(t, s, "lea", "lea-pw")
	if ldap.asked != 1 {
		t.Errorf("asked %d times within the time to remember", ldap.asked)
	}
	w.clock.advance(time.Minute)
	login(t, s, "lea", "lea-pw")
	if ldap.asked != 2 {
		t.Errorf("asked %d times after it", ldap.asked)
	}
	// A local user refused by the local realm may be known to the next one.
	if got := login(t, s, "admin", "ldap-admin"); got.Source() != "LDAP" || got.Permits(permission.Everything()) {
		t.Errorf("admin of LDAP = %+v", got)
	}
	ldap.fail = errors.New("no route to host")
	if _, err := s.Authenticate(t.Context(), basic("max", "x")); err == nil || errors.Is(err, ErrBadCredentials) {
		t.Errorf("a realm out of reach: %v", err)
	}
	login(t, s, "admin", "admin123")
	must(t, s.SetActiveRealms(t.Context(), System(), []string{"NexusAuthenticatingRealm"}))
	if _, err := s.Authenticate(t.Context(), basic("lea", "lea-pw")); !errors.Is(err, ErrBadCredentials) {
		t.Errorf("remembered after its realm was switched off: %v", err)
	}
}

func TestAuthenticateInParallel(t *testing.T) {
	w := newWorld()
	s := w.open(t)
	addUser(t, s, "ann", "nx-settings-read")
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for n := range 50 {
				if i == 0 && n%10 == 0 {
					if err := s.SetDefaultRole(t.Context(), System(), fmt.Sprint(n)); err != nil {
						t.Error(err)
					}
				}
				w.clock.advance(time.Minute) // so that bad passwords stay few for their time, whichever goroutine is ahead
				subject, err := s.Authenticate(t.Context(), basic("ann", "ann-pw"))
				if err != nil || !subject.Permits(permission.Application("settings", "read")) {
					t.Error(subject, err)
				}
				if n%5 != 0 { // more failures than 100 would hold up the good ones as well
					continue
				}
				bad := basic("ann", "bad")
				bad.Address = fmt.Sprint(i)
				if _, err := s.Authenticate(t.Context(), bad); !errors.Is(err, ErrBadCredentials) {
					t.Errorf("bad password: %v", err)
				}
			}
		})
	}
	wg.Wait()
}

func BenchmarkAuthenticateBasic(b *testing.B) {
	w := newWorld()
	w.opts.Now = nil
	s := w.open(b)
	text := header("admin", "admin123")
	b.ReportAllocs()
	for b.Loop() {
		subject, err := s.Authenticate(b.Context(), ParseAuthorization(text))
		if err != nil || !subject.MayView("raw", "docs", permission.Read, "/a/b.txt") {
			b.Fatal(err)
		}
	}
}

func BenchmarkAuthenticateAnonymous(b *testing.B) {
	w := newWorld()
	w.opts.Now = nil
	s := w.open(b)
	b.ReportAllocs()
	for b.Loop() {
		subject, err := s.Authenticate(b.Context(), ParseAuthorization(""))
		if err != nil || !subject.MayView("raw", "docs", permission.Read, "/a/b.txt") {
			b.Fatal(err)
		}
	}
}

func BenchmarkAuthenticateParallel(b *testing.B) {
	w := newWorld()
	w.opts.Now = nil
	s := w.open(b)
	text := header("admin", "admin123")
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := s.Authenticate(context.Background(), ParseAuthorization(text)); err != nil {
				b.Fatal(err)
			}
		}
	})
}
