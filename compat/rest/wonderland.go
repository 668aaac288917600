package rest

import (
	"encoding/base64"
	"errors"
	"fmt"
	"html"
	"io/fs"
	"net/http"

	"entrepot/app/access"
	"entrepot/app/server"
	"entrepot/formats"
)

// wonderlandOperations are what the old user interface asks for before it starts, and the ticket for what only the user in person
// may do.
func (a *API) wonderlandOperations() []operation {
	return []operation{
		{method: http.MethodGet, path: "wonderland/status", access: server.Content(), produces: mediaAny, run: a.wonderlandStatus},
		{method: http.MethodGet, path: "wonderland/settings", access: server.Public(), run: wonderlandSettings},
		{method: http.MethodPost, path: "wonderland/authenticate", access: server.Content(), consumes: mediaJSON, produces: mediaAny, run: a.authenticate},
		{
			method: http.MethodGet, path: "wonderland/download/{name}", access: server.PermissionAfterBody("nexus:wonderland:download"), produces: mediaAny,
			run: a.download,
		},
	}
}

const xmlHead = `<?xml version="1.0" encoding="UTF-8" standalone="yes"?>`

// xmlOrJSON answers with XML, as old clients know it, unless JSON is asked for.
func xmlOrJSON(c *call, header http.Header, xml string, json object) (any, error) {
	body, contentType := []byte(xmlHead+xml), "application/xml;charset=UTF-8"
	if asksFor(c.Header, mediaJSON) {
		var err error
		if body, err = encode(json); err != nil {
			return nil, err
		}
		contentType = string(mediaJSON)
	}
	header.Set("Content-Type", contentType)
	return &formats.Response{Status: http.StatusOK, Header: header, Body: formats.Body{Bytes: body, Size: int64(len(body))}}, nil
}

// wonderlandStatus tells the claimed version.
func (a *API) wonderlandStatus(c *call) (any, error) {
	if err := c.known(); err != nil {
		return nil, err
	}
	xml := "<status><edition>" + html.EscapeString(a.Edition) + "</edition><version>" + html.EscapeString(a.Version) + "</version></status>"
	return xmlOrJSON(c, http.Header{}, xml, object{{"edition", a.Edition}, {"version", a.Version}})
}

// wonderlandSettings tells the user interface to keep its session alive while it is open.
func wonderlandSettings(*call) (any, error) {
	return []object{{{"key", "keepAlive"}, {"value", "true"}}}, nil
}

// unkept are the headers of an answer that nobody may keep.
func unkept() http.Header {
	return http.Header{
		"Cache-Control": {"no-cache, must-revalidate, no-transform, no-store, proxy-revalidate, s-maxage=0, max-age=0"},
		"Expires":       {"0"}, "Pragma": {"no-cache"},
	}
}

type ticketBody struct {
	User     string `json:"u"` // both in base64
	Password string `json:"p"`
}

// authenticate gives a ticket to callers who repeat their own credentials.
func (a *API) authenticate(c *call) (any, error) {
	var b ticketBody
	if err := c.decode(&b); err != nil {
		return nil, err
	}
	user, err := base64.StdEncoding.DecodeString(b.User)
	if err != nil || len(user) == 0 {
		return nil, &server.StatusError{Status: http.StatusBadRequest, Header: unkept()}
	}
	password, err := base64.StdEncoding.DecodeString(b.Password)
	if err != nil || c.signedIn() == nil && string(user) != c.subject.UserID() {
		return nil, &server.StatusError{Status: http.StatusBadRequest, Header: unkept()}
	}
	who, err := a.access.Authenticate(c.Context(), access.Credentials{Kind: access.Basic, User: string(user), Secret: string(password), Address: c.Remote})
	switch {
	case errors.Is(err, access.ErrBadCredentials), err == nil && (c.subject.Anonymous() || who.Source() != c.subject.Source() || who.TokenID()+c.subject.TokenID() != ""):
		return nil, &server.StatusError{Status: http.StatusForbidden, Header: unkept()}
	case err != nil:
		return nil, err
	}
	text := a.tickets.issue(who.UserID(), a.Now())
	return xmlOrJSON(c, unkept(), "<authTicket><t>"+text+"</t></authTicket>", object{{"t", text}})
}

// download gives an archive that was left on the server's disk.
func (a *API) download(c *call) (any, error) {
	if err := c.Authorize(); formats.KindOf(err) == formats.Forbidden {
		return nil, &server.StatusError{Status: http.StatusForbidden, Header: unkept()}
	} else if err != nil {
		return nil, err
	}
	f, err := a.Diagnostics.OpenArchive(c.Param("name"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &server.StatusError{Status: http.StatusNotFound, Header: unkept()}
	}
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("rest: %w", err), f.Close())
	}
	header := unkept()
	header.Set("Content-Type", "application/zip")
	header.Set("Content-Disposition", `attachment; filename="`+info.Name()+`"`)
	return &formats.Response{Status: http.StatusOK, Header: header, Body: formats.Body{Stream: f, Size: info.Size()}}, nil
}
