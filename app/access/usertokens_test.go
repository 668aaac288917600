package access

import (
	"encoding/base64"
	"errors"
	"testing"
	"time"
)

func TestUserTokenEnds(t *testing.T) {
	w := newWorld()
	s := w.open(t)
	addUser(t, s, "ann", "nx-settings-read")
	must(t, s.SetUserTokenSettings(t.Context(), System(), UserTokenSettings{Enabled: true, Days: 30}))
	must(t, s.SetActiveRealms(t.Context(), System(), []string{RealmLocal, RealmUserToken}))
	token, passCode, err := s.CreateUserToken(t.Context(), System(), SourceLocal, "ann")
	must(t, err)
	shown := basic(token.NameCode, passCode)
	bearer := Credentials{Kind: Bearer, Secret: base64.StdEncoding.EncodeToString([]byte(token.NameCode + ":" + passCode))}
	for _, c := range []Credentials{shown, bearer} {
		subject, err := s.Authenticate(t.Context(), c)
		if must(t, err); subject.UserID() != "ann" || subject.Realm() != RealmUserToken || subject.NeedsUserToken() {
			t.Errorf("%v: %+v", c, subject)
		}
	}
	id, _, err := s.Login(t.Context(), shown)
	must(t, err)
	refused := func(what string) {
		t.Helper()
		if _, err := s.Authenticate(t.Context(), shown); !errors.Is(err, ErrBadCredentials) {
			t.Errorf("%s: %v", what, err)
		}
		if subject, err := s.Authenticate(t.Context(), Credentials{Session: id}); err != nil || !subject.Anonymous() {
			t.Errorf("%s, session: %v", what, err)
		}
	}
	w.clock.advance(10 * 24 * time.Hour)
	login(t, s, token.NameCode, passCode)
	must(t, s.SetUserTokenSettings(t.Context(), System(), UserTokenSettings{Enabled: true, Expire: true, Days: 11}))
	login(t, s, token.NameCode, passCode)
	w.clock.advance(24 * time.Hour)
	refused("after its end")
	if list, err := s.UserTokens(t.Context(), UserTokenFilter{Limit: 10}); err != nil || len(list) != 0 {
		t.Errorf("%+v, %v", list, err)
	}
	if list, err := s.UserTokens(t.Context(), UserTokenFilter{Limit: 10, Expired: true, User: "ann", Source: SourceLocal}); err != nil || len(list) != 1 || list[0].CreatedBy.UserID != System().UserID {
		t.Errorf("%+v, %v", list, err)
	}
	must(t, s.SetUserTokenSettings(t.Context(), System(), UserTokenSettings{Enabled: true, Days: 30}))
	login(t, s, token.NameCode, passCode)
	must(t, s.SetActiveRealms(t.Context(), System(), []string{RealmLocal}))
	refused("without its realm")
	must(t, s.SetActiveRealms(t.Context(), System(), []string{RealmUserToken, RealmLocal}))
	must(t, s.DeleteUser(t.Context(), System(), "ann"))
	refused("without its user")
}

func TestProtectedContent(t *testing.T) {
	w := newWorld()
	s := w.open(t)
	needs := func(c Credentials) bool {
		t.Helper()
		subject, err := s.Authenticate(t.Context(), c)
		must(t, err)
		return subject.NeedsUserToken()
	}
	protect := UserTokenSettings{Enabled: true, ProtectContent: true, Days: 30}
	must(t, s.SetUserTokenSettings(t.Context(), System(), protect))
	if needs(basic("admin", "admin123")) {
		t.Error("content is protected while no user token can be shown")
	}
	must(t, s.SetActiveRealms(t.Context(), System(), []string{RealmLocal, RealmUserToken}))
	token, passCode, err := s.CreateUserToken(t.Context(), System(), SourceLocal, "admin")
	must(t, err)
	id, _, err := s.Login(t.Context(), basic("admin", "admin123"))
	must(t, err)
	for _, tt := range []struct {
		what string
		c    Credentials
		want bool
	}{
		{"password", basic("admin", "admin123"), true}, {"user token", basic(token.NameCode, passCode), false}, {"nobody", Credentials{}, false},
		{"session", Credentials{Session: id}, false},
	} {
		if got := needs(tt.c); got != tt.want {
			t.Errorf("%s: %v", tt.what, got)
		}
	}
}
