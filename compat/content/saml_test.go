package content

import (
	"context"
	"errors"
	"strings"
	"testing"

	"entrepot/app/access"
	"entrepot/app/access/saml"
)

// signOn is a SAML service whose answers are given.
type signOn struct {
	begun  saml.Begun
	next   string // what Begin was asked for
	answer string // what Consume was shown
	err    error
}

func (o *signOn) Begin(_ context.Context, base, next string) (saml.Begun, error) {
	o.next = base + next
	return o.begun, o.err
}

func (o *signOn) Consume(_ context.Context, answer string) (string, error) {
	o.answer = answer
	return "tick et", o.err
}

func (o *signOn) Finish(_ context.Context, ticket string, cookie func(string) (string, bool)) (saml.Arrived, error) {
	if value, ok := cookie("NXSAML-1"); ticket != "tick et" || !ok || value != "v" {
		return saml.Arrived{}, saml.ErrRefused
	}
	return saml.Arrived{User: access.DirectoryUser{ID: "sam"}, Next: "/#browse", Cookie: "NXSAML-1"}, nil
}

// door lets in who comes by single sign-on, unless err says otherwise.
type door struct {
	Access
	err     error
	refused int
}

func (d *door) LoginExternal(_ context.Context, e access.ExternalSignIn) (string, *access.Subject, error) {
	return "session-of-" + e.User.ID, nil, d.err
}

func (d *door) RefuseExternal(context.Context, string, string) error {
	d.refused++
	return access.ErrBadCredentials
}

func TestSAML(t *testing.T) {
	on, in := &signOn{begun: saml.Begun{Redirect: "https://idp.example.org/sso?x=1", Cookie: saml.Cookie{Name: "NXSAML-1", Value: "v", MaxAge: 900}}}, &door{}
	s := open(t, func(o *Options) { in.Access = o.Access; o.Access, o.SAML = in, on })
	const cookie, form = "NXSAML-1=v; Path=/; HttpOnly; SameSite=lax; Max-Age=900", "Content-Type: application/x-www-form-urlencoded"
	for query, next := range map[string]string{
		"": "/", "?hash=%23browse%2Fx": "/#browse/x", "?hash=%2523browse%252Fx": "/#browse/x", "?hash=//evil.example.org": "/", "?hash=": "/",
	} {
		r := s.ask("GET", "/saml"+query, "")
		if r.has(t, query, "Location=https://idp.example.org/sso?x=1; Cache-Control=no-store; X-Frame-Options=DENY"); r.line != "302 Found" || on.next != "http://repo.example.org"+next {
			t.Errorf("%s: %s to %s", query, r.line, on.next)
		}
		if got := r.header.Get("Set-Cookie"); got != cookie {
			t.Error(got)
		}
	}
	on.begun = saml.Begun{Form: []byte(`<form id="f">`)}
	if r := s.ask("GET", "/saml", ""); r.line != "200 OK" || !strings.Contains(r.body, `<form id="f">`) {
		t.Errorf("%s %s", r.line, r.body)
	}
	r := s.ask("POST", "/saml", "SAMLResponse=a%2Bb&RelayState=x", form)
	if r.has(t, "answer", "Location=http://repo.example.org/saml/finish?ticket=tick+et; -Set-Cookie"); r.line != "303 See Other" || on.answer != "a+b" {
		t.Errorf("%s, shown %q", r.line, on.answer)
	}
	r = s.ask("GET", "/saml/finish?ticket=tick+et", "", "Cookie: NXSAML-1=v")
	r.has(t, "end", "Location=http://repo.example.org/#browse")
	if got := strings.Join(r.header.Values("Set-Cookie"), " | "); r.line != "303 See Other" ||
		got != "NXSESSIONID=session-of-sam; Path=/; HttpOnly; SameSite=lax | NXSAML-1=; Path=/; HttpOnly; SameSite=lax; Max-Age=0" {
		t.Errorf("%s %s", r.line, got)
	}
	for _, tt := range []struct {
		method, target, body, header, want string
		change                             func()
		refused                            int
	}{
		{"POST", "/saml", "x", "Content-Type: text/plain", "400 Send the answer of the identity provider as a form", nil, 0},
		{"POST", "/saml", "x=1", form, "400 The form lacks a SAMLResponse", nil, 0},
		{"POST", "/saml", "SAMLResponse=x", form, "403 The sign-in by single sign-on failed", func() { on.err = saml.ErrRefused }, 1},
		{"POST", "/saml", "SAMLResponse=x", form, "500 Server Error", func() { on.err = errors.New("broken") }, 0},
		{"POST", "/saml", "SAMLResponse=x", form, "404 Single sign-on by SAML is not set up", func() { on.err = &access.Error{Kind: access.NotFound} }, 0},
		{"GET", "/saml", "", "A: b", "404 Single sign-on by SAML is not set up", nil, 0},
		{"GET", "/saml/finish?ticket=x", "", "Cookie: NXSAML-1=v", "403 The sign-in", nil, 1},
		{"GET", "/saml/finish?ticket=tick+et", "", "A: b", "403 The sign-in", nil, 1},
		{"GET", "/saml/finish?ticket=tick+et", "", "Cookie: NXSAML-1=v", "403 The sign-in", func() { in.err = access.ErrBadCredentials }, 0},
		{"PUT", "/saml", "x", form, "405 Method Not Allowed", nil, 0},
	} {
		if tt.change != nil {
			tt.change()
		}
		in.refused = 0
		if r := s.ask(tt.method, tt.target, tt.body, tt.header); !strings.HasPrefix(r.line, tt.want) || in.refused != tt.refused || r.header.Get("Set-Cookie") != "" {
			t.Errorf("%s %s %s: %s, %d refused; want %s", tt.method, tt.target, tt.body, r.line, in.refused, tt.want)
		}
	}
}

// Without the service its paths are as all others where there is nothing.
func TestNoSAML(t *testing.T) {
	if r := open(t, nil).ask("GET", "/saml", ""); r.line != "404 Not Found" {
		t.Error(r.line)
	}
}
