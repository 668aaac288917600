package content

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"

	"entrepot/app/access"
	"entrepot/app/access/permission"
	"entrepot/app/server"
	"entrepot/formats"
)

// Access knows callers and sessions. *access.Service is one.
type Access interface {
	Authenticate(ctx context.Context, c access.Credentials) (*access.Subject, error)
	Login(ctx context.Context, c access.Credentials) (id string, subject *access.Subject, err error)
	Logout(id string) bool
	LoginExternal(ctx context.Context, e access.ExternalSignIn) (id string, subject *access.Subject, err error)
	RefuseExternal(ctx context.Context, user, address string) error
}

const (
	sessionCookie = "NXSESSIONID"
	// forgeryToken names the cookie, and the header or form field, that have to be alike when a session writes.
	forgeryToken = "NX-ANTI-CSRF-TOKEN"
)

// errForgery is the cause of the refusal of a write in a session without its anti-forgery token.
var errForgery = errors.New("content: anti cross-site request forgery token mismatch")

func forged() error {
	return &server.AnsweredError{Err: errForgery, Response: &formats.Response{
		Status: http.StatusUnauthorized,
		Header: http.Header{"Content-Type": {"text/plain;charset=iso-8859-1"}},
		Body:   formats.Body{Bytes: []byte("Anti cross-site request forgery token mismatch")},
	}}
}

// Authenticator finds callers the way the old server does. The callers it gives are *access.Subject.
func (c *Content) Authenticator() server.Authenticator { return authenticator{c.opts.Access} }

type authenticator struct{ access Access }

// Authenticate implements server.Authenticator.
func (a authenticator) Authenticate(r *server.Request) (server.Caller, error) {
	subject, err := a.access.Authenticate(r.Context(), credentials(r))
	if err != nil {
		return nil, unauthenticated(err)
	}
	if subject.Session() != "" && subject.CheckCSRF(forgeryCheck(r)) == access.CSRFMismatch {
		return nil, forged()
	}
	return subject, nil
}

// Permits implements server.Authenticator.
func (a authenticator) Permits(c server.Caller, name string) bool {
	p, err := permission.Parse(name)
	return err == nil && c.(*access.Subject).Permits(p)
}

// contentAuthenticator is the authenticator of content, which may be given for user tokens only.
type contentAuthenticator struct{ authenticator }

// Authenticate implements server.Authenticator.
func (a contentAuthenticator) Authenticate(r *server.Request) (server.Caller, error) {
	caller, err := a.authenticator.Authenticate(r)
	if err == nil && caller.(*access.Subject).NeedsUserToken() {
		return nil, &formats.Error{Kind: formats.Unauthenticated, Err: access.ErrBadCredentials}
	}
	return caller, err
}

func credentials(r *server.Request) access.Credentials {
	var c access.Credentials
	if lines := r.Header["Authorization"]; len(lines) > 0 {
		c = access.ParseAuthorization(lines[0])
	}
	c.Address = r.Remote
	c.Session, _ = r.Cookie(sessionCookie)
	return c
}

// forgeryCheck gives what tells a page of this server from a stranger's.
func forgeryCheck(r *server.Request) access.CSRFRequest {
	check := access.CSRFRequest{Method: r.Method, Multipart: strings.HasPrefix(r.Header.Get("Content-Type"), "multipart/form-data")}
	if header := r.Header[http.CanonicalHeaderKey(forgeryToken)]; len(header) > 0 {
		check.Header = access.CSRFToken{Value: header[0], Present: true}
	}
	check.Cookie.Value, check.Cookie.Present = r.Cookie(forgeryToken)
	return check
}

// unauthenticated makes wrong credentials a refusal; other errors stay failures.
func unauthenticated(err error) error {
	var throttled *access.ThrottledError
	var unavailable *access.UnavailableError
	switch {
	case errors.As(err, &throttled):
		seconds := max(1, int(throttled.RetryAfter.Seconds()))
		return &server.StatusError{
			Status: http.StatusTooManyRequests, Message: "Too many authentication attempts", Err: err,
			Header: http.Header{"Retry-After": {strconv.Itoa(seconds)}},
		}
	case errors.As(err, &unavailable):
		return &server.StatusError{
			Status: http.StatusServiceUnavailable, Message: "Credentials cannot be checked now", Err: err, Header: http.Header{"Retry-After": {"30"}},
		}
	case errors.Is(err, access.ErrBadCredentials):
		return &formats.Error{Kind: formats.Unauthenticated, Err: err}
	}
	return err
}
