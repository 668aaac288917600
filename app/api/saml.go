package api

import (
	"net/http"

	"entrepot/app/server"
	"entrepot/formats"
)

func (a *API) samlOperations() []operation {
	read, update := server.Permission("nexus:settings:read"), server.Permission("nexus:*") // who sets the provider decides who everybody is
	return []operation{
		{method: http.MethodGet, path: "settings/saml", access: read, run: a.getSAML},
		{method: http.MethodPut, path: "settings/saml", access: update, run: a.putSAML},
		{method: http.MethodPatch, path: "settings/saml", access: update, run: a.patchSAML},
		{method: http.MethodDelete, path: "settings/saml", access: update, run: a.deleteSAML},
	}
}

// getSAML gives how people sign in by SAML.
//
//	@Summary		Read how people sign in by SAML
//	@Description	Empty when nothing is set. Needs nexus:settings:read.
//	@Tags			settings
//	@Param			If-None-Match	header	string	false	"tag of the document that the client has"
//	@Success		200				{object}	resource.SAML
//	@Success		304
//	@Failure		401				{object}	Problem
//	@Failure		403				{object}	Problem
//	@Router			/settings/saml [get]
func (a *API) getSAML(c *call) (*formats.Response, error) { return getValue(c, a.Resources.SAML()) }

// putSAML replaces how people sign in by SAML.
//
//	@Summary		Replace how people sign in by SAML
//	@Description	The first settings get a key pair, which stays until they are deleted. Sessions of people who signed in so end. Needs nexus:*.
//	@Tags			settings
//	@Param			If-Match	header		string			false	"tag of the document as it was seen"
//	@Param			document	body		resource.SAML	true	"all of it: absent members get their defaults"
//	@Success		200			{object}	resource.SAML
//	@Failure		400			{object}	Problem
//	@Failure		401			{object}	Problem
//	@Failure		403			{object}	Problem
//	@Failure		412			{object}	Problem
//	@Failure		415			{object}	Problem
//	@Failure		422			{object}	Problem
//	@Failure		503			{object}	Problem
//	@Router			/settings/saml [put]
func (a *API) putSAML(c *call) (*formats.Response, error) { return putValue(c, a.Resources.SAML()) }

// patchSAML changes members of how people sign in by SAML.
//
//	@Summary		Change how people sign in by SAML
//	@Description	A merge patch as of RFC 7396: null takes a member away. Needs nexus:*.
//	@Tags			settings
//	@Param			If-Match	header		string			false	"tag of the document as it was seen"
//	@Param			patch		body		resource.SAML	true	"the members that change"
//	@Success		200			{object}	resource.SAML
//	@Failure		400			{object}	Problem
//	@Failure		401			{object}	Problem
//	@Failure		403			{object}	Problem
//	@Failure		412			{object}	Problem
//	@Failure		415			{object}	Problem
//	@Failure		422			{object}	Problem
//	@Failure		503			{object}	Problem
//	@Router			/settings/saml [patch]
func (a *API) patchSAML(c *call) (*formats.Response, error) {
	return patchValue(c, a.Resources.SAML())
}

// deleteSAML forgets how people sign in by SAML.
//
//	@Summary		Forget how people sign in by SAML
//	@Description	The key pair goes too: the identity provider has to be told of the next one. Needs nexus:*.
//	@Tags			settings
//	@Param			If-Match	header	string	false	"tag of the document as it was seen"
//	@Success		204
//	@Failure		401	{object}	Problem
//	@Failure		403	{object}	Problem
//	@Failure		412	{object}	Problem
//	@Failure		503	{object}	Problem
//	@Router			/settings/saml [delete]
func (a *API) deleteSAML(c *call) (*formats.Response, error) {
	return clearValue(c, a.Resources.SAML())
}
