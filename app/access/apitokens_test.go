package access

import (
	"errors"
	"testing"
)

func TestAPITokensLeadToNoOtherCredentials(t *testing.T) {
	w := newWorld()
	w.opts.InitialPassword = "admin123"
	s := w.open(t)
	subject, err := s.Authenticate(t.Context(), Credentials{Kind: Basic, User: UserAdmin, Secret: "admin123"})
	must(t, err)
	_, text, err := s.CreateAPIToken(t.Context(), subject, subject.Actor(""), APIToken{Name: "reader", Scope: []string{ScopeRead}})
	must(t, err)
	asPassword := Credentials{Kind: Basic, User: UserAdmin, Secret: text}
	if _, _, err := s.Login(t.Context(), asPassword); !errors.Is(err, ErrBadCredentials) {
		t.Errorf("a session of a token: %v", err)
	}
	limited, err := s.Authenticate(t.Context(), asPassword)
	must(t, err)
	if limited.TokenID() == "" || limited.Realm() != RealmAPIToken {
		t.Fatalf("signed in as %+v", limited)
	}
	if _, err := s.CreateToken(t.Context(), limited.Actor(""), Token{Domain: "NpmToken", Source: SourceLocal, User: UserAdmin}); KindOf(err) != Withheld {
		t.Errorf("a token of a token: %v", err)
	}
	if _, _, err := s.CreateAPIToken(t.Context(), limited, limited.Actor(""), APIToken{Name: "more"}); KindOf(err) != Withheld {
		t.Errorf("an API token of a token: %v", err)
	}
	if _, _, err := s.CreateUserToken(t.Context(), limited.Actor(""), SourceLocal, UserAdmin); KindOf(err) != Withheld {
		t.Errorf("a user token of a token: %v", err)
	}
	if err := s.ChangePassword(t.Context(), limited.Actor(""), PasswordChange{UserID: UserAdmin, Password: "taken over"}); KindOf(err) != Withheld {
		t.Errorf("a password of a token: %v", err)
	}
	if limited.MayAdminister("raw", "docs", 1<<2) || !limited.MayView("raw", "docs", 1<<1, "/a") {
		t.Error("the scope is not what counts")
	}
	for _, granted := range limited.Granted() {
		if granted == "nexus:*" {
			t.Error("more is granted than the scope has")
		}
	}
	for _, realm := range s.AvailableRealms() {
		if realm.ID == RealmAPIToken {
			t.Error("the realm of API tokens is listed")
		}
	}
	if err := s.SetActiveRealms(t.Context(), System(), []string{RealmLocal, RealmAPIToken}); err == nil {
		t.Error("the realm of API tokens can be activated")
	}
}

// What ends soon, such as a token of an identity provider, is not made to last.
func TestCredentialsThatEndGetNoAPIToken(t *testing.T) {
	for _, expire := range []bool{false, true} {
		w := newWorld()
		s := w.open(t)
		addUser(t, s, "ann", "nx-settings-read")
		must(t, s.SetActiveRealms(t.Context(), System(), []string{RealmUserToken, RealmLocal}))
		must(t, s.SetUserTokenSettings(t.Context(), System(), UserTokenSettings{Enabled: true, Expire: expire, Days: 30}))
		must(t, s.ImportToken(t.Context(), Token{Domain: RealmUserToken, Source: SourceLocal, User: "ann", Name: "short", Created: w.clock.Now()}, "short:admin123"))
		subject := login(t, s, "short", "admin123")
		if _, _, err := s.CreateAPIToken(t.Context(), subject, subject.Actor(""), APIToken{Name: "more"}); (KindOf(err) == Withheld) != expire {
			t.Errorf("ends %v: %v", expire, err)
		}
	}
}
