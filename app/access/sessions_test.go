package access

import (
	"errors"
	"fmt"
	"testing"
	"time"
)

func inSession(t *testing.T, s *Service, id string) *Subject {
	t.Helper()
	subject, err := s.Authenticate(t.Context(), Credentials{Session: id})
	must(t, err)
	return subject
}

func TestSessions(t *testing.T) {
	w := newWorld()
	s := w.open(t)
	addUser(t, s, "carl", "nx-all")
	for _, c := range []Credentials{basic("carl", "wrong"), basic("nobody", "x"), {}, {Kind: Bearer, Secret: "x"}} {
		if id, _, err := s.Login(t.Context(), c); !errors.Is(err, ErrBadCredentials) || id != "" {
			t.Errorf("Login(%v) = %q, %v", c, id, err)
		}
	}
	id, subject, err := s.Login(t.Context(), basic("carl", "carl-pw"))
	must(t, err)
	if len(id) != 36 || subject.Session() != id || subject.UserID() != "carl" {
		t.Errorf("session %q of %+v", id, subject)
	}
	if got := inSession(t, s, id); got.UserID() != "carl" || got.Session() != id {
		t.Errorf("in session: %+v", got)
	}
	// A live session goes before credentials, a dead one counts as nothing.
	bad := basic("admin", "wrong")
	bad.Session = id
	if got, err := s.Authenticate(t.Context(), bad); err != nil || got.UserID() != "carl" {
		t.Errorf("bad credentials in a session: %+v, %v", got, err)
	}
	bad.Session = "rubbish"
	if _, err := s.Authenticate(t.Context(), bad); !errors.Is(err, ErrBadCredentials) {
		t.Errorf("bad credentials with a rubbish session: %v", err)
	}
	if !inSession(t, s, "rubbish").Anonymous() {
		t.Error("a rubbish session is somebody")
	}
	// It lives as long as it is used.
	for range 3 {
		w.clock.advance(29 * time.Minute)
		if inSession(t, s, id).Anonymous() {
			t.Fatal("ended although it was used")
		}
	}
	if !s.Logout(id) || s.Logout(id) || !inSession(t, s, id).Anonymous() {
		t.Error("logout does not end it, or ends it twice")
	}
	id, _, err = s.Login(t.Context(), basic("carl", "carl-pw"))
	must(t, err)
	w.clock.advance(30 * time.Minute)
	if !inSession(t, s, id).Anonymous() || s.Logout(id) {
		t.Error("alive after the idle time")
	}
}

// A session ends with the right to it.
func TestSessionsEnd(t *testing.T) {
	w := newWorld()
	s := w.open(t)
	addUser(t, s, "carl", "nx-all")
	begin := func(secret string) string {
		id, _, err := s.Login(t.Context(), basic("carl", secret))
		must(t, err)
		return id
	}
	kept, other := begin("carl-pw"), begin("carl-pw")
	must(t, s.ChangePassword(t.Context(), System(), PasswordChange{UserID: "carl", Password: "new", KeepSession: kept}))
	if inSession(t, s, kept).Anonymous() || !inSession(t, s, other).Anonymous() {
		t.Error("a new password ends the wrong sessions")
	}
	admin, _, err := s.Login(t.Context(), basic("admin", "admin123"))
	must(t, err)
	must(t, s.ChangePassword(t.Context(), System(), PasswordChange{UserID: "carl", Password: "newer", KeepSession: admin}))
	if !inSession(t, s, kept).Anonymous() || inSession(t, s, admin).Anonymous() {
		t.Error("another user's session is touched")
	}
	id := begin("newer")
	must(t, s.UpdateUser(t.Context(), System(), UserUpdate{ID: "carl", Source: SourceLocal, FirstName: "F", LastName: "L", Email: "a@b",
		Status: StatusDisabled, Roles: []string{"nx-admin"}}))
	if !inSession(t, s, id).Anonymous() {
		t.Error("a disabled user goes on")
	}
	must(t, s.DeleteUser(t.Context(), System(), "carl"))
	// Another instance changes the password: the stamp no longer fits.
	elsewhere := w.open(t)
	must(t, elsewhere.ChangePassword(t.Context(), System(), PasswordChange{UserID: "admin", Password: "x"}))
	w.clock.advance(2 * time.Second)
	if !inSession(t, s, admin).Anonymous() {
		t.Error("the password changed elsewhere")
	}
}

func TestSessionsAreBounded(t *testing.T) {
	list := newSessions(time.Hour)
	now := time.Unix(1_000_000, 0)
	for i := range maxSessions + 10 {
		sess := &session{id: fmt.Sprint(i)}
		sess.seen.Store(now.Add(time.Duration(i)).UnixNano())
		list.add(sess, now)
	}
	if len(list.byID) != maxSessions || list.byID["0"] != nil || list.byID[fmt.Sprint(maxSessions+9)] == nil {
		t.Errorf("%d sessions", len(list.byID))
	}
	list.add(&session{id: "later"}, now.Add(2*time.Hour))
	if len(list.byID) != 1 {
		t.Errorf("%d sessions after all died", len(list.byID))
	}
}

func TestCheckCSRF(t *testing.T) {
	tok, other, empty, absent := CSRFToken{"tok", true}, CSRFToken{"other", true}, CSRFToken{"", true}, CSRFToken{}
	tests := []struct {
		session string
		request CSRFRequest
		want    CSRFResult
	}{
		{"s", CSRFRequest{Method: "PUT"}, CSRFMismatch},
		{"s", CSRFRequest{Method: "DELETE"}, CSRFMismatch},
		{"s", CSRFRequest{Method: "POST"}, CSRFMismatch},
		{"s", CSRFRequest{Method: "OPTIONS"}, CSRFMismatch},
		{"s", CSRFRequest{Method: "GET"}, CSRFPass},
		{"s", CSRFRequest{Method: "HEAD", Header: tok, Cookie: other}, CSRFPass},
		{"s", CSRFRequest{Method: "PUT", Header: tok, Cookie: tok}, CSRFPass},
		{"s", CSRFRequest{Method: "PUT", Header: tok, Cookie: absent}, CSRFMismatch},
		{"s", CSRFRequest{Method: "PUT", Header: absent, Cookie: tok}, CSRFMismatch},
		{"s", CSRFRequest{Method: "PUT", Header: other, Cookie: tok}, CSRFMismatch},
		{"s", CSRFRequest{Method: "PUT", Header: empty, Cookie: empty}, CSRFPass},
		{"s", CSRFRequest{Method: "PUT", Header: empty, Cookie: absent}, CSRFMismatch},
		{"s", CSRFRequest{Method: "POST", Multipart: true}, CSRFInForm},
		{"s", CSRFRequest{Method: "PUT", Multipart: true}, CSRFMismatch},
		{"", CSRFRequest{Method: "PUT", Header: other, Cookie: tok}, CSRFPass},
	}
	for _, tt := range tests {
		if got := (&Subject{session: tt.session}).CheckCSRF(tt.request); got != tt.want {
			t.Errorf("session %q, %+v: %d, want %d", tt.session, tt.request, got, tt.want)
		}
	}
}
