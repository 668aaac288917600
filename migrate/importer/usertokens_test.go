package importer_test

import (
	"slices"
	"testing"

	"entrepot/app/access"
	"entrepot/migrate/inventory"
)

// shiroAdmin is admin123 as real servers hash it.
const shiroAdmin = "$shiro1$SHA-512$1024$NE+wqQq/TmjZMvfI7ENh/g==$V4yPw8T64UQ6GfJfxYq2hLsVrBY8D1v+bktfOxGdt4b/9BthpWPNUy/CBk6V9iA0nHpzYzJFWO8v/tZFtES8CA=="

// TestUserTokens imports a token of which only a hash is known. That it was used here is no change; once it is gone there it goes here.
func TestUserTokens(t *testing.T) {
	s, from := newServer(t), newOld()
	token := access.Token{Domain: access.RealmUserToken, Source: "default", User: "ann", Name: "code/1", Created: day}
	from.Access.Tokens = append(from.Access.Tokens, inventory.Token{Token: token, Hash: shiroAdmin})
	from.Access.UserTokens = &access.UserTokenSettings{Enabled: true, Days: 7}
	from.Access.Realms = []string{access.RealmUserToken, access.RealmLocal}
	if _, report := s.bring(t, from); report.Failed != 0 {
		t.Fatalf("%+v", report)
	}
	for range 2 {
		subject, err := s.Access.Authenticate(t.Context(), access.Credentials{Kind: access.Basic, User: "code/1", Secret: "admin123"})
		if must(t, err); subject.UserID() != "ann" {
			t.Errorf("signed in as %s", subject.UserID())
		}
	}
	if _, hash, err := s.Access.ImportedUserToken(t.Context(), "default", "ann", "code/1"); err != nil || hash != "" {
		t.Errorf("hash %q, %v", hash, err)
	}
	if _, report := s.bring(t, from); report.Settings != 0 {
		t.Errorf("the second import wrote something: %+v", report)
	}
	from.Access.Tokens = from.Access.Tokens[:1]
	plan, report := s.bring(t, from)
	if got := lines(plan.Removals); !slices.Equal(got, []string{"user-tokens default/ann/code%2F1"}) || report.Removed != 1 {
		t.Errorf("planned %q, report %+v", got, report)
	}
	if _, _, err := s.Access.ImportedUserToken(t.Context(), "default", "ann", "code/1"); access.KindOf(err) != access.NotFound {
		t.Errorf("after its removal: %v", err)
	}
}
