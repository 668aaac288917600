package content

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"entrepot/app/access"
	"entrepot/app/access/saml"
	"entrepot/app/server"
	"entrepot/formats"
)

// SAML runs sign-ins by SAML. *saml.Service is one.
type SAML interface {
	Begin(ctx context.Context, base, next string) (saml.Begun, error)
	Consume(ctx context.Context, answer string) (ticket string, err error)
	Finish(ctx context.Context, ticket string, cookie func(name string) (string, bool)) (saml.Arrived, error)
}

const (
	samlFinishPath = saml.ConsumerPath + "/finish"
	maxSAMLAnswer  = 1 << 20 // bytes of the form that a provider's answer comes in
)

// samlRoutes are where browsers begin and end a sign-in by SAML, at the paths that providers of the old server know. Everybody may: what
// lets people in is the provider's answer.
func (c *Content) samlRoutes() []server.Route {
	if c.opts.SAML == nil {
		return nil
	}
	public := server.Public()
	return []server.Route{
		{Methods: []string{http.MethodGet}, Pattern: saml.ConsumerPath, Access: public, Class: "session", Handler: c.beginSAML},
		{Methods: []string{http.MethodPost}, Pattern: saml.ConsumerPath, Access: public, Class: "session", MaxBody: maxSAMLAnswer, Handler: c.consumeSAML},
		{Methods: []string{http.MethodGet}, Pattern: samlFinishPath, Access: public, Class: "session", Handler: c.finishSAML},
	}
}

// beginSAML sends a browser to the provider.
func (c *Content) beginSAML(r *server.Request) (*formats.Response, error) {
	begun, err := c.opts.SAML.Begin(r.Context(), r.BaseURL(), nextPage(r))
	if err != nil {
		return nil, samlError(err)
	}
	header := uncached()
	header.Add("Set-Cookie", cookieLine(r, begun.Cookie.Name, begun.Cookie.Value)+"; Max-Age="+strconv.Itoa(begun.Cookie.MaxAge))
	if begun.Redirect != "" {
		header.Set("Location", begun.Redirect)
		return &formats.Response{Status: http.StatusFound, Header: header}, nil
	}
	header.Set("Content-Type", "text/html;charset=utf-8")
	body := "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>" + product + "</title></head><body>\n" + string(begun.Form) + "\n</body></html>\n"
	return &formats.Response{Status: http.StatusOK, Header: header, Body: formats.Body{Bytes: []byte(body)}}, nil
}

// consumeSAML takes the provider's answer. The browser shows its cookies only when it follows the redirect.
func (c *Content) consumeSAML(r *server.Request) (*formats.Response, error) {
	answer, err := samlAnswer(r)
	if err != nil {
		return nil, err
	}
	ticket, err := c.opts.SAML.Consume(r.Context(), answer)
	if errors.Is(err, saml.ErrRefused) {
		return nil, c.refuseSAML(r, "")
	}
	if err != nil {
		return nil, samlError(err)
	}
	header := uncached()
	header.Set("Location", r.BaseURL()+samlFinishPath+"?ticket="+url.QueryEscape(ticket))
	return &formats.Response{Status: http.StatusSeeOther, Header: header}, nil
}

func samlAnswer(r *server.Request) (string, error) {
	media, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";")
	if r.Body() == nil || !strings.EqualFold(strings.TrimSpace(media), "application/x-www-form-urlencoded") {
		return "", &formats.Error{Kind: formats.Invalid, Message: "Send the answer of the identity provider as a form"}
	}
	raw, err := io.ReadAll(r.Body())
	if err != nil {
		return "", fmt.Errorf("content: SAML: %w", err)
	}
	form, err := url.ParseQuery(string(raw))
	if err != nil || form.Get("SAMLResponse") == "" {
		return "", &formats.Error{Kind: formats.Invalid, Message: "The form lacks a SAMLResponse"}
	}
	return form.Get("SAMLResponse"), nil
}

// finishSAML begins the session.
func (c *Content) finishSAML(r *server.Request) (*formats.Response, error) {
	arrived, err := c.opts.SAML.Finish(r.Context(), r.Query().Get("ticket"), r.Cookie)
	if errors.Is(err, saml.ErrRefused) {
		return nil, c.refuseSAML(r, "")
	}
	if err != nil {
		return nil, samlError(err)
	}
	id, _, err := c.opts.Access.LoginExternal(r.Context(), access.ExternalSignIn{Realm: saml.RealmID, User: arrived.User, Address: r.Remote})
	if errors.Is(err, access.ErrBadCredentials) {
		return nil, samlForbidden()
	}
	if err != nil {
		return nil, samlError(err)
	}
	header := uncached()
	header.Add("Set-Cookie", cookieLine(r, sessionCookie, id))
	header.Add("Set-Cookie", cookieLine(r, arrived.Cookie, "")+"; Max-Age=0")
	header.Set("Location", r.BaseURL()+arrived.Next)
	return &formats.Response{Status: http.StatusSeeOther, Header: header}, nil
}

// uncached are the headers of a step of a sign-in.
func uncached() http.Header {
	return http.Header{"Cache-Control": {"no-store"}, "X-Frame-Options": {"DENY"}, "Referrer-Policy": {"no-referrer"}}
}

// refuseSAML makes a failed sign-in known.
func (c *Content) refuseSAML(r *server.Request, user string) error {
	if err := c.opts.Access.RefuseExternal(r.Context(), user, r.Remote); !errors.Is(err, access.ErrBadCredentials) {
		return err
	}
	return samlForbidden()
}

// samlForbidden is no 401: browsers would ask for a password on their own.
func samlForbidden() error {
	return &formats.Error{Kind: formats.Forbidden, Message: "The sign-in by single sign-on failed. Begin it again; if that does not help, the log of the server says why"}
}

// samlError words what is no failed sign-in.
func samlError(err error) error {
	var refused *access.Error
	if errors.As(err, &refused) && refused.Kind == access.NotFound {
		return &formats.Error{Kind: formats.NotFound, Message: "Single sign-on by SAML is not set up", Err: err}
	}
	return unauthenticated(err)
}
