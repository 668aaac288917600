package access

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"entrepot/storage/kv"
)

func tokenWorld(t *testing.T) (*world, *Service) {
	w := newWorld()
	w.opts.Realms = []Realm{{ID: "NpmToken", Name: "npm Bearer Token Realm", Tokens: true},
		{ID: "DockerToken", Name: "Docker Bearer Token Realm", Tokens: true}, {ID: "NuGetApiKey", Name: "NuGet API-Key Realm", Tokens: true}}
	s := w.open(t)
	addUser(t, s, "ann", "nx-search-read")
	return w, s
}

func TestTokens(t *testing.T) {
	w, s := tokenWorld(t)
	npm, err := s.CreateToken(t.Context(), System(), Token{Domain: "NpmToken", Source: SourceLocal, User: "ann"})
	must(t, err)
	nuget, err := s.CreateToken(t.Context(), System(), Token{Domain: "NuGetApiKey", Source: SourceLocal, User: "ann",
		Expires: w.clock.Now().Add(time.Hour)})
	must(t, err)
	bearer := func(secret string) Credentials { return Credentials{Kind: Bearer, Secret: secret} }
	outcome := func(c Credentials) string {
		subject, err := s.Authenticate(t.Context(), c)
		switch {
		case errors.Is(err, ErrBadCredentials):
			return "refused"
		case err != nil:
			t.Fatal(err)
		case subject.Anonymous():
			return "anonymous"
		}
		return subject.UserID()
	}
	check := func(when string, tests map[Credentials]string) {
		t.Helper()
		for round := range 2 {
			for c, want := range tests {
				if got := outcome(c); got != want {
					t.Errorf("%s, round %d: %v %.12s: %s, want %s", when, round, c, c.Secret, got, want)
				}
			}
		}
	}
	check("inactive", map[Credentials]string{bearer("NpmToken." + npm): "anonymous", bearer(npm): "anonymous",
		{Kind: APIKey, Domain: "NuGetApiKey", Secret: nuget}: "anonymous"})
	must(t, s.SetActiveRealms(t.Context(), System(), []string{RealmLocal, "NpmToken", "NuGetApiKey"}))
	check("active", map[Credentials]string{bearer("NpmToken." + npm): "ann", bearer(npm): "ann", bearer("NpmToken.x"): "refused",
		bearer("x"): "refused", bearer("DockerToken." + npm): "anonymous", bearer("NuGetApiKey." + nuget): "ann", bearer("a.b.c"): "refused",
		{Kind: APIKey, Domain: "NuGetApiKey", Secret: nuget}: "ann", {Kind: APIKey, Domain: "NuGetApiKey", Secret: npm}: "refused",
		{Kind: APIKey, Domain: "RubyGemsApiKey", Secret: nuget}: "anonymous", basic("ann", npm): "refused"})
	w.clock.advance(time.Hour)
	check("later", map[Credentials]string{bearer("NpmToken." + npm): "ann", {Kind: APIKey, Domain: "NuGetApiKey", Secret: nuget}: "refused"})
	list, err := s.Tokens(t.Context(), TokenFilter{Source: SourceLocal, User: "ann"})
	must(t, err)
	if len(list) != 2 || list[0].Domain != "NpmToken" || list[1].User != "ann" {
		t.Errorf("tokens = %+v", list)
	}
	if n, err := s.DeleteTokens(t.Context(), System(), TokenFilter{Source: SourceLocal, User: "ann", Domain: "NpmToken"}); n != 1 || err != nil {
		t.Errorf("deleted %d, %v", n, err)
	}
	check("deleted", map[Credentials]string{bearer("NpmToken." + npm): "refused"})
	// Nothing of a token's text is stored.
	for _, partition := range []string{partTokens, partOwners} {
		for e, err := range w.store.Scan(t.Context(), partition, kv.Range{}) {
			must(t, err)
			if text := e.Sort + string(e.Value); strings.Contains(text, nuget) || strings.Contains(text, npm) {
				t.Errorf("%s holds %q", partition, text)
			}
		}
	}
}

// A token works only while its owner may sign in.
func TestTokenOwner(t *testing.T) {
	_, s := tokenWorld(t)
	must(t, s.ImportRealms(t.Context(), System(), []string{RealmLocal, "NpmToken", "LdapRealm"}))
	must(t, s.ImportToken(t.Context(), Token{Domain: "NpmToken", Source: "LDAP", User: "lea"}, "lea-token"))
	must(t, s.ImportToken(t.Context(), Token{Domain: "NpmToken", Source: SourceLocal, User: "gone"}, "gone-token"))
	must(t, s.ImportToken(t.Context(), Token{Domain: "NpmToken", Source: SourceLocal, User: "ann"}, "ann-token"))
	if err := s.ImportToken(t.Context(), Token{Domain: "NpmToken", Source: SourceLocal}, "x"); KindOf(err) != Refused {
		t.Errorf("a token of nobody: %v", err)
	}
	try := func(secret string) error {
		_, err := s.Authenticate(t.Context(), Credentials{Kind: Bearer, Secret: secret})
		return err
	}
	if err := try("lea-token"); err != nil {
		t.Errorf("owner of another source: %v", err)
	}
	if err := try("gone-token"); !errors.Is(err, ErrBadCredentials) {
		t.Errorf("unknown owner: %v", err)
	}
	must(t, try("ann-token"))
	must(t, s.ChangePassword(t.Context(), System(), PasswordChange{UserID: "ann", Password: "new"}))
	must(t, try("ann-token"))
	must(t, s.DeleteUser(t.Context(), System(), "ann"))
	if err := try("ann-token"); !errors.Is(err, ErrBadCredentials) {
		t.Errorf("deleted owner: %v", err)
	}
	again := NewUser{ID: "ann", FirstName: "F", LastName: "L", Email: "a@b", Password: "x", Status: StatusActive, Roles: []string{"nx-admin"}}
	_, err := s.CreateUser(t.Context(), System(), again)
	must(t, err)
	if err := try("ann-token"); !errors.Is(err, ErrBadCredentials) {
		t.Errorf("a new user inherits the tokens of an old one: %v", err)
	}
}

func TestTokensAreBounded(t *testing.T) {
	w, s := tokenWorld(t)
	for i := range maxTokens + 20 {
		w.clock.advance(time.Second)
		must(t, s.ImportToken(t.Context(), Token{Domain: "NpmToken", Source: SourceLocal, User: "ann", Created: w.clock.Now()}, fmt.Sprint("token", i)))
	}
	list, err := s.Tokens(t.Context(), TokenFilter{Source: SourceLocal, User: "ann", Domain: "NpmToken"})
	must(t, err)
	if len(list) != maxTokens {
		t.Errorf("%d tokens", len(list))
	}
	if _, err := s.token(t.Context(), "NpmToken", tokenDigest("NpmToken", "token19")); !errors.Is(err, ErrBadCredentials) {
		t.Errorf("the oldest ones stayed: %v", err)
	}
	if _, err := s.token(t.Context(), "NpmToken", tokenDigest("NpmToken", "token20")); err != nil {
		t.Errorf("a newer one went: %v", err)
	}
}
