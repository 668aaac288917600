package api

import (
	"errors"
	"net/http"
	netmail "net/mail"

	"entrepot/app/mail"
	"entrepot/app/server"
	"entrepot/formats"
)

func (a *API) settingsOperations() []operation {
	read, update := server.Permission("nexus:settings:read"), server.Permission("nexus:settings:update")
	return []operation{
		{method: http.MethodGet, path: "realms", access: read, run: a.getRealms},
		{method: http.MethodPut, path: "realms", access: update, run: a.putRealms},
		{method: http.MethodPatch, path: "realms", access: update, run: a.patchRealms},
		{method: http.MethodGet, path: "anonymous", access: read, run: a.getAnonymous},
		{method: http.MethodPut, path: "anonymous", access: update, run: a.putAnonymous},
		{method: http.MethodPatch, path: "anonymous", access: update, run: a.patchAnonymous},
		{method: http.MethodGet, path: "settings/email", access: read, run: a.getEmail},
		{method: http.MethodPut, path: "settings/email", access: update, run: a.putEmail},
		{method: http.MethodPatch, path: "settings/email", access: update, run: a.patchEmail},
		{method: http.MethodDelete, path: "settings/email", access: update, run: a.deleteEmail},
		{method: http.MethodPost, path: "settings/email/test", access: update, run: a.testEmail},
	}
}

// getRealms gives the ways to sign in.
//
//	@Summary		Read the ways to sign in
//	@Description	Needs nexus:settings:read.
//	@Tags			settings
//	@Param			If-None-Match	header	string	false	"tag of the document that the client has"
//	@Success		200				{object}	resource.Realms
//	@Success		304
//	@Failure		401				{object}	Problem
//	@Failure		403				{object}	Problem
//	@Router			/realms [get]
func (a *API) getRealms(c *call) (*formats.Response, error) { return getValue(c, a.Resources.Realms()) }

// putRealms replaces the ways to sign in.
//
//	@Summary		Replace the ways to sign in
//	@Description	Needs nexus:settings:update.
//	@Tags			settings
//	@Param			If-Match	header		string			false	"tag of the document as it was seen"
//	@Param			document	body		resource.Realms	true	"all of it: absent members get their defaults"
//	@Success		200			{object}	resource.Realms
//	@Failure		400			{object}	Problem
//	@Failure		401			{object}	Problem
//	@Failure		403			{object}	Problem
//	@Failure		412			{object}	Problem
//	@Failure		415			{object}	Problem
//	@Failure		422			{object}	Problem
//	@Failure		503			{object}	Problem
//	@Router			/realms [put]
func (a *API) putRealms(c *call) (*formats.Response, error) { return putValue(c, a.Resources.Realms()) }

// patchRealms changes members of the ways to sign in.
//
//	@Summary		Change the ways to sign in
//	@Description	A merge patch as of RFC 7396: null takes a member away. Needs nexus:settings:update.
//	@Tags			settings
//	@Param			If-Match	header		string			false	"tag of the document as it was seen"
//	@Param			patch		body		resource.Realms	true	"the members that change"
//	@Success		200			{object}	resource.Realms
//	@Failure		400			{object}	Problem
//	@Failure		401			{object}	Problem
//	@Failure		403			{object}	Problem
//	@Failure		412			{object}	Problem
//	@Failure		415			{object}	Problem
//	@Failure		422			{object}	Problem
//	@Failure		503			{object}	Problem
//	@Router			/realms [patch]
func (a *API) patchRealms(c *call) (*formats.Response, error) {
	return patchValue(c, a.Resources.Realms())
}

// getAnonymous gives how callers without credentials are treated.
//
//	@Summary		Read how callers without credentials are treated
//	@Description	Needs nexus:settings:read.
//	@Tags			settings
//	@Param			If-None-Match	header	string	false	"tag of the document that the client has"
//	@Success		200				{object}	resource.Anonymous
//	@Success		304
//	@Failure		401				{object}	Problem
//	@Failure		403				{object}	Problem
//	@Router			/anonymous [get]
func (a *API) getAnonymous(c *call) (*formats.Response, error) {
	return getValue(c, a.Resources.Anonymous())
}

// putAnonymous replaces how callers without credentials are treated.
//
//	@Summary		Replace how callers without credentials are treated
//	@Description	Needs nexus:settings:update.
//	@Tags			settings
//	@Param			If-Match	header		string			false	"tag of the document as it was seen"
//	@Param			document	body		resource.Anonymous	true	"all of it: absent members get their defaults"
//	@Success		200			{object}	resource.Anonymous
//	@Failure		400			{object}	Problem
//	@Failure		401			{object}	Problem
//	@Failure		403			{object}	Problem
//	@Failure		412			{object}	Problem
//	@Failure		415			{object}	Problem
//	@Failure		422			{object}	Problem
//	@Failure		503			{object}	Problem
//	@Router			/anonymous [put]
func (a *API) putAnonymous(c *call) (*formats.Response, error) {
	return putValue(c, a.Resources.Anonymous())
}

// patchAnonymous changes members of how callers without credentials are treated.
//
//	@Summary		Change how callers without credentials are treated
//	@Description	A merge patch as of RFC 7396: null takes a member away. Needs nexus:settings:update.
//	@Tags			settings
//	@Param			If-Match	header		string			false	"tag of the document as it was seen"
//	@Param			patch		body		resource.Anonymous	true	"the members that change"
//	@Success		200			{object}	resource.Anonymous
//	@Failure		400			{object}	Problem
//	@Failure		401			{object}	Problem
//	@Failure		403			{object}	Problem
//	@Failure		412			{object}	Problem
//	@Failure		415			{object}	Problem
//	@Failure		422			{object}	Problem
//	@Failure		503			{object}	Problem
//	@Router			/anonymous [patch]
func (a *API) patchAnonymous(c *call) (*formats.Response, error) {
	return patchValue(c, a.Resources.Anonymous())
}

// getEmail gives how mail leaves the server.
//
//	@Summary		Read how mail leaves the server
//	@Description	Needs nexus:settings:read.
//	@Tags			settings
//	@Param			If-None-Match	header	string	false	"tag of the document that the client has"
//	@Success		200				{object}	resource.Email
//	@Success		304
//	@Failure		401				{object}	Problem
//	@Failure		403				{object}	Problem
//	@Router			/settings/email [get]
func (a *API) getEmail(c *call) (*formats.Response, error) { return getValue(c, a.Resources.Email()) }

// putEmail replaces how mail leaves the server.
//
//	@Summary		Replace how mail leaves the server
//	@Description	Needs nexus:settings:update.
//	@Tags			settings
//	@Param			If-Match	header		string			false	"tag of the document as it was seen"
//	@Param			document	body		resource.Email	true	"all of it: absent members get their defaults"
//	@Success		200			{object}	resource.Email
//	@Failure		400			{object}	Problem
//	@Failure		401			{object}	Problem
//	@Failure		403			{object}	Problem
//	@Failure		412			{object}	Problem
//	@Failure		415			{object}	Problem
//	@Failure		422			{object}	Problem
//	@Failure		503			{object}	Problem
//	@Router			/settings/email [put]
func (a *API) putEmail(c *call) (*formats.Response, error) { return putValue(c, a.Resources.Email()) }

// patchEmail changes members of how mail leaves the server.
//
//	@Summary		Change how mail leaves the server
//	@Description	A merge patch as of RFC 7396: null takes a member away. Needs nexus:settings:update.
//	@Tags			settings
//	@Param			If-Match	header		string			false	"tag of the document as it was seen"
//	@Param			patch		body		resource.Email	true	"the members that change"
//	@Success		200			{object}	resource.Email
//	@Failure		400			{object}	Problem
//	@Failure		401			{object}	Problem
//	@Failure		403			{object}	Problem
//	@Failure		412			{object}	Problem
//	@Failure		415			{object}	Problem
//	@Failure		422			{object}	Problem
//	@Failure		503			{object}	Problem
//	@Router			/settings/email [patch]
func (a *API) patchEmail(c *call) (*formats.Response, error) {
	return patchValue(c, a.Resources.Email())
}

// deleteEmail forgets how mail leaves the server.
//
//	@Summary		Forget how mail leaves the server
//	@Description	Needs nexus:settings:update.
//	@Tags			settings
//	@Param			If-Match	header	string	false	"tag of the document as it was seen"
//	@Success		204
//	@Failure		401	{object}	Problem
//	@Failure		403	{object}	Problem
//	@Failure		412	{object}	Problem
//	@Failure		503	{object}	Problem
//	@Router			/settings/email [delete]
func (a *API) deleteEmail(c *call) (*formats.Response, error) {
	return clearValue(c, a.Resources.Email())
}

// TestMail is whom a mail is sent to.
type TestMail struct {
	To string `json:"to" example:"admin@example.org"`
}

// testEmail sends a mail with the settings that are stored.
//
//	@Summary		Send a mail to see whether the settings are right
//	@Description	Also while mail is switched off. Needs nexus:settings:update.
//	@Tags			settings
//	@Param			document	body	TestMail	true	"the address"
//	@Success		204
//	@Failure		400	{object}	Problem
//	@Failure		401	{object}	Problem
//	@Failure		403	{object}	Problem
//	@Failure		409	{object}	Problem	"mail is not set up"
//	@Failure		415	{object}	Problem
//	@Failure		422	{object}	Problem
//	@Router			/settings/email/test [post]
func (a *API) testEmail(c *call) (*formats.Response, error) {
	var to TestMail
	if err := c.decode(&to); err != nil {
		return nil, err
	}
	if parsed, err := netmail.ParseAddress(to.To); err != nil || parsed.Address != to.To {
		return nil, formats.FieldErrors{{Field: "to", Message: "must be a mail address"}}
	}
	err := a.Resources.Mail.Send(c.Context(), mail.Message{To: to.To, Subject: "A test of the mail settings", Text: "This server can send mail."})
	switch {
	case errors.Is(err, mail.ErrNotSetUp):
		return nil, formats.Errorf(formats.Denied, "Mail is not set up")
	case err != nil:
		return nil, a.unreachable(c, "The mail server did not take the mail", err)
	}
	return empty(), nil
}
