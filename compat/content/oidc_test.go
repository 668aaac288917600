package content

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"

	"entrepot/app/access"
	"entrepot/app/access/oidc"
	"entrepot/formats"
)

// answers is a provider's side of sign-ins whose answers the test chooses, in front of an access service with one session for those
// who come by it.
type answers struct {
	Access
	got     oidc.Answer
	path    string
	err     error // of Begin and Finish
	refused error // of LoginExternal
	told    int   // failed sign-ins
	ended   string
}

func (a *answers) Begin(_ context.Context, redirect, path string) (oidc.Begun, error) {
	a.path = path
	return oidc.Begun{URL: "https://id.example.org/a?redirect=" + redirect, State: "state;0123456789abcdef", Browser: "b"}, a.err
}

func (a *answers) Finish(_ context.Context, answer oidc.Answer) (access.DirectoryUser, string, error) {
	a.got = answer
	return access.DirectoryUser{ID: "sam"}, a.path, a.err
}

func (a *answers) LogoutURL(context.Context, string) (string, error) {
	return "https://id.example.org/end", a.err
}

func (a *answers) LoginExternal(context.Context, access.ExternalSignIn) (string, *access.Subject, error) {
	return "session", nil, a.refused
}

func (a *answers) RefuseExternal(context.Context, string, string) error {
	a.told++
	return access.ErrBadCredentials
}

func (a *answers) Logout(id string) bool {
	a.ended = id
	return true
}

// visit sends a request without following redirects.
func (s *site) visit(method, path, cookie string) (status int, location, cookies string) {
	s.t.Helper()
	req, err := http.NewRequest(method, "http://"+s.addr+path, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Cookie", cookie)
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		s.t.Fatal(err)
	}
	_ = resp.Body.Close()
	return resp.StatusCode, resp.Header.Get("Location"), strings.Join(resp.Header["Set-Cookie"], "\n")
}

func TestOpenIDConnect(t *testing.T) {
	provider := &answers{}
	s := open(t, func(o *Options) {
		provider.Access = o.Access
		o.Access, o.OpenID = provider, provider
	})
	defer http.DefaultTransport.(*http.Transport).CloseIdleConnections()
	base := "http://" + s.addr
	status, location, cookies := s.visit("GET", "/oidc/login?hash=%2523browse", "")
	if status != 302 || location != "https://id.example.org/a?redirect="+base+"/oidc/callback" || provider.path != "/#browse" ||
		cookies != "NX-OIDC-state0123456789=b; Path=/; HttpOnly; SameSite=lax; Max-Age=900" {
		t.Errorf("begin: %d %s %s, then %s", status, location, cookies, provider.path)
	}
	const callback = "/oidc/callback?state=state%3B0123456789abcdef&code=c&iss=i&error=e"
	status, location, cookies = s.visit("GET", callback, "NX-OIDC-state0123456789=b")
	if status != 303 || location != base+"/#browse" || !strings.HasPrefix(cookies, "NXSESSIONID=session; Path=/; HttpOnly; SameSite=lax\nNX-OIDC-state0123456789=;") {
		t.Errorf("finish: %d %s %s", status, location, cookies)
	}
	if want := (oidc.Answer{State: "state;0123456789abcdef", Browser: "b", Code: "c", Issuer: "i", Error: "e"}); provider.got != want {
		t.Errorf("%+v", provider.got)
	}
	for _, tt := range []struct {
		err, refused error
		status       int
		told         int
	}{
		{err: formats.Errorf(formats.Invalid, "over"), status: 400},
		{err: formats.Errorf(formats.Forbidden, "no"), status: 403, told: 1},
		{err: formats.Errorf(formats.NotFound, "not set up"), status: 404},
		{err: formats.Errorf(formats.BadGateway, "down"), status: 502},
		{err: errors.New("broken"), status: 500},
		{refused: access.ErrBadCredentials, status: 403},
		{refused: &access.UnavailableError{Err: errors.New("down")}, status: 503},
	} {
		provider.err, provider.refused, provider.told = tt.err, tt.refused, 0
		status, _, cookies := s.visit("GET", callback, "NX-OIDC-state0123456789=b")
		if status != tt.status || strings.Contains(cookies, "NXSESSIONID") || provider.told != tt.told {
			t.Errorf("%v, %v: %d %s, told %d times", tt.err, tt.refused, status, cookies, provider.told)
		}
	}
	provider.err = nil
	if status, _, _ := s.visit("GET", "/oidc/logout", "NXSESSIONID=x"); status == 303 || provider.ended != "" {
		t.Errorf("a link ends sessions: %d", status)
	}
	status, location, cookies = s.visit("POST", "/oidc/logout", "NXSESSIONID=x")
	if status != 303 || location != "https://id.example.org/end" || provider.ended != "x" || !strings.Contains(cookies, "NXSESSIONID=deleteMe; Path=/; HttpOnly; SameSite=lax; Max-Age=0") {
		t.Errorf("logout: %d %s %s", status, location, cookies)
	}
	if status, _, _ := open(t, nil).visit("GET", "/oidc/login", ""); status != 404 {
		t.Errorf("without a provider: %d", status)
	}
}
