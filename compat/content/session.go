package content

import (
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"entrepot/app/access"
	"entrepot/app/server"
	"entrepot/formats"
)

const (
	sessionPath = "/service/rapture/session"
	maxLogin    = 16 << 10 // bytes of a login form
)

func (c *Content) sessionRoutes() []server.Route {
	return []server.Route{
		{Methods: []string{http.MethodPost}, Pattern: sessionPath, Access: server.Public(), Class: "session", MaxBody: maxLogin, Handler: c.signIn},
		{Methods: []string{http.MethodDelete}, Pattern: sessionPath, Access: server.Public(), Class: "session", Handler: c.signOut},
		{Pattern: sessionPath, Access: server.Public(), Class: "session", Handler: func(*server.Request) (*formats.Response, error) {
			return &formats.Response{Status: http.StatusForbidden}, nil
		}},
	}
}

// signIn starts a session. User and password come as a form, each in base64.
func (c *Content) signIn(r *server.Request) (*formats.Response, error) {
	user, password, err := credentialsOf(r)
	if err != nil {
		return nil, err
	}
	id, _, err := c.opts.Access.Login(r.Context(), access.Credentials{Kind: access.Basic, User: user, Secret: password, Address: r.Remote})
	if err = unauthenticated(err); formats.KindOf(err) == formats.Unauthenticated {
		return &formats.Response{Status: http.StatusForbidden}, nil // 401 would make browsers ask for a password on their own
	}
	if err != nil {
		return nil, err
	}
	header := http.Header{"Set-Cookie": {cookieLine(r, sessionCookie, id)}, "X-Frame-Options": {"DENY"}}
	return &formats.Response{Status: http.StatusNoContent, Header: header}, nil
}

// cookieLine gives a browser a cookie that scripts and requests that other sites make do not see.
func cookieLine(r *server.Request, name, value string) string {
	line := name + "=" + value + "; Path=/; HttpOnly; SameSite=lax"
	if r.Secure {
		line += "; Secure"
	}
	return line
}

func credentialsOf(r *server.Request) (user, password string, err error) {
	media, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";")
	if r.Body() == nil || !strings.EqualFold(strings.TrimSpace(media), "application/x-www-form-urlencoded") {
		return "", "", &formats.Error{Kind: formats.Invalid, Message: "Send the credentials as a form"}
	}
	raw, err := io.ReadAll(r.Body())
	if err != nil {
		return "", "", fmt.Errorf("content: sign in: %w", err)
	}
	form, err := url.ParseQuery(string(raw))
	if err != nil {
		return "", "", &formats.Error{Kind: formats.Invalid, Message: "The form cannot be read"}
	}
	decoded := make([]string, 2)
	for i, name := range []string{"username", "password"} {
		text, err := base64.StdEncoding.DecodeString(form.Get(name))
		if err != nil || name == "username" && len(text) == 0 {
			return "", "", &formats.Error{Kind: formats.Invalid, Message: "The form lacks a " + name + " in base64"}
		}
		decoded[i] = string(text)
	}
	return decoded[0], decoded[1], nil
}

// signOut ends a session.
func (c *Content) signOut(r *server.Request) (*formats.Response, error) {
	if id, ok := r.Cookie(sessionCookie); ok {
		subject, err := c.opts.Access.Authenticate(r.Context(), access.Credentials{Session: id, Address: r.Remote})
		if err != nil {
			return nil, unauthenticated(err)
		}
		if subject.CheckCSRF(forgeryCheck(r)) == access.CSRFMismatch {
			return nil, forged()
		}
		c.opts.Access.Logout(id)
	}
	yesterday := c.opts.Now().UTC().Add(-24 * time.Hour).Format("Mon, 02-Jan-2006 15:04:05 GMT")
	cookie := sessionCookie + "=deleteMe; Path=/; Max-Age=0; Expires=" + yesterday + "; SameSite=lax"
	return &formats.Response{Status: http.StatusNoContent, Header: http.Header{"Set-Cookie": {cookie}, "X-Frame-Options": {"DENY"}}}, nil
}

// nextPage gives what a browser shows after a sign-in. The old server's pages say with the parameter hash, which they escape once or
// twice, what they showed.
func nextPage(r *server.Request) string {
	hash := r.Query().Get("hash")
	if once, err := url.PathUnescape(hash); err == nil && strings.HasPrefix(hash, "%23") {
		hash = once
	}
	if strings.HasPrefix(hash, "#") {
		return "/" + hash
	}
	return "/"
}
