package content

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"

	"entrepot/app/access"
	"entrepot/app/access/oidc"
	"entrepot/app/server"
	"entrepot/formats"
)

// OpenID runs sign-ins with an OpenID Connect provider. *oidc.Service is one.
type OpenID interface {
	Begin(ctx context.Context, redirect, path string) (oidc.Begun, error)
	Finish(ctx context.Context, a oidc.Answer) (user access.DirectoryUser, path string, err error)
	LogoutURL(ctx context.Context, back string) (string, error)
}

// Where browsers begin and end a sign-in. Providers of the old server know the address of the callback.
const (
	oidcLoginPath    = "/oidc/login"
	oidcCallbackPath = "/oidc/callback"
	oidcLogoutPath   = "/oidc/logout"
)

const (
	oidcCookie    = "NX-OIDC-" // and the beginning of the state: several sign-ins may go on in one browser
	oidcCookieFor = 15 * 60    // seconds
)

// oidcRoutes are public: what lets people in is the provider's answer.
func (c *Content) oidcRoutes() []server.Route {
	if c.opts.OpenID == nil {
		return nil
	}
	public := server.Public()
	return []server.Route{
		{Methods: []string{http.MethodGet}, Pattern: oidcLoginPath, Access: public, Class: "session", Handler: c.beginOIDC},
		{Methods: []string{http.MethodGet}, Pattern: oidcCallbackPath, Access: public, Class: "session", Handler: c.finishOIDC},
		{Methods: []string{http.MethodPost}, Pattern: oidcLogoutPath, Access: public, Class: "session", Handler: c.logoutOIDC},
	}
}

// beginOIDC sends a browser to the provider. Its parameter hash says what of the pages is to be shown afterwards.
func (c *Content) beginOIDC(r *server.Request) (*formats.Response, error) {
	begun, err := c.opts.OpenID.Begin(r.Context(), r.BaseURL()+oidcCallbackPath, nextPage(r))
	if err != nil {
		return nil, err
	}
	header := uncached()
	header.Add("Set-Cookie", cookieLine(r, oidcCookieOf(begun.State), begun.Browser)+"; Max-Age="+strconv.Itoa(oidcCookieFor))
	header.Set("Location", begun.URL)
	return &formats.Response{Status: http.StatusFound, Header: header}, nil
}

func oidcCookieOf(state string) string {
	return oidcCookie + strings.Map(func(r rune) rune {
		if r == '-' || r == '_' || '0' <= r && r <= '9' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' {
			return r
		}
		return -1
	}, state[:min(len(state), 16)])
}

// finishOIDC begins the session of whom the provider sent back.
func (c *Content) finishOIDC(r *server.Request) (*formats.Response, error) {
	query := r.Query()
	answer := oidc.Answer{State: query.Get("state"), Code: query.Get("code"), Issuer: query.Get("iss"), Error: query.Get("error")}
	cookie := oidcCookieOf(answer.State)
	answer.Browser, _ = r.Cookie(cookie)
	user, path, err := c.opts.OpenID.Finish(r.Context(), answer)
	if formats.KindOf(err) == formats.Forbidden {
		if told := c.opts.Access.RefuseExternal(r.Context(), "", r.Remote); !errors.Is(told, access.ErrBadCredentials) {
			return nil, told
		}
	}
	if err != nil {
		return nil, err
	}
	id, _, err := c.opts.Access.LoginExternal(r.Context(), access.ExternalSignIn{Realm: oidc.RealmID, User: user, Address: r.Remote})
	if errors.Is(err, access.ErrBadCredentials) { // no 401: browsers would ask for a password on their own
		return nil, formats.Errorf(formats.Forbidden, "The identity provider knows you, but you may not sign in here")
	}
	if err != nil {
		return nil, unauthenticated(err)
	}
	header := uncached()
	header.Add("Set-Cookie", cookieLine(r, sessionCookie, id))
	header.Add("Set-Cookie", cookieLine(r, cookie, "")+"; Max-Age=0")
	header.Set("Location", r.BaseURL()+path)
	return &formats.Response{Status: http.StatusSeeOther, Header: header}, nil
}

// logoutOIDC ends the session, and sends the browser to the provider to sign out there where that is set up. Browsers show the session's
// cookie with no POST of another site, which so ends nobody's session.
func (c *Content) logoutOIDC(r *server.Request) (*formats.Response, error) {
	if id, ok := r.Cookie(sessionCookie); ok {
		c.opts.Access.Logout(id)
	}
	home := r.BaseURL() + "/"
	target, err := c.opts.OpenID.LogoutURL(r.Context(), home)
	if err != nil {
		return nil, err
	}
	if target == "" {
		target = home
	}
	header := uncached()
	header.Set("Set-Cookie", cookieLine(r, sessionCookie, "deleteMe")+"; Max-Age=0")
	header.Set("Location", target)
	return &formats.Response{Status: http.StatusSeeOther, Header: header}, nil
}
