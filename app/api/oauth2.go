package api

import (
	"net/http"

	"entrepot/app/server"
	"entrepot/formats"
)

func (a *API) oauth2Operations() []operation {
	all := server.Permission("nexus:*") // who sets the provider decides who everybody is
	return []operation{
		{method: http.MethodGet, path: "oauth2", access: all, run: a.getOAuth2},
		{method: http.MethodPut, path: "oauth2", access: all, run: a.putOAuth2},
		{method: http.MethodPatch, path: "oauth2", access: all, run: a.patchOAuth2},
		{method: http.MethodDelete, path: "oauth2", access: all, run: a.deleteOAuth2},
	}
}

// getOAuth2 gives the OpenID Connect provider.
//
//	@Summary		Read the OpenID Connect provider
//	@Description	Needs nexus:*.
//	@Tags			oauth2
//	@Param			If-None-Match	header	string	false	"tag of the document that the client has"
//	@Success		200				{object}	resource.OAuth2
//	@Success		304
//	@Failure		401				{object}	Problem
//	@Failure		403				{object}	Problem
//	@Router			/oauth2 [get]
func (a *API) getOAuth2(c *call) (*formats.Response, error) {
	return getValue(c, a.Resources.OAuth2())
}

// putOAuth2 replaces the OpenID Connect provider.
//
//	@Summary		Replace the OpenID Connect provider
//	@Description	The client secret has to be given again when the token address, the client or useTrustStore changes. Needs nexus:*.
//	@Tags			oauth2
//	@Param			If-Match	header		string			false	"tag of the document as it was seen"
//	@Param			document	body		resource.OAuth2	true	"all of it: absent members get their defaults"
//	@Success		200			{object}	resource.OAuth2
//	@Failure		400			{object}	Problem
//	@Failure		401			{object}	Problem
//	@Failure		403			{object}	Problem
//	@Failure		412			{object}	Problem
//	@Failure		415			{object}	Problem
//	@Failure		422			{object}	Problem
//	@Failure		503			{object}	Problem
//	@Router			/oauth2 [put]
func (a *API) putOAuth2(c *call) (*formats.Response, error) {
	return putValue(c, a.Resources.OAuth2())
}

// patchOAuth2 changes members of the OpenID Connect provider.
//
//	@Summary		Change the OpenID Connect provider
//	@Description	A merge patch as of RFC 7396: null takes a member away. The client secret has to be given again when the token address, the client or useTrustStore changes. Needs nexus:*.
//	@Tags			oauth2
//	@Param			If-Match	header		string			false	"tag of the document as it was seen"
//	@Param			patch		body		resource.OAuth2	true	"the members that change"
//	@Success		200			{object}	resource.OAuth2
//	@Failure		400			{object}	Problem
//	@Failure		401			{object}	Problem
//	@Failure		403			{object}	Problem
//	@Failure		412			{object}	Problem
//	@Failure		415			{object}	Problem
//	@Failure		422			{object}	Problem
//	@Failure		503			{object}	Problem
//	@Router			/oauth2 [patch]
func (a *API) patchOAuth2(c *call) (*formats.Response, error) {
	return patchValue(c, a.Resources.OAuth2())
}

// deleteOAuth2 forgets the OpenID Connect provider.
//
//	@Summary		Forget the OpenID Connect provider
//	@Description	Needs nexus:*.
//	@Tags			oauth2
//	@Param			If-Match	header	string	false	"tag of the document as it was seen"
//	@Success		204
//	@Failure		401	{object}	Problem
//	@Failure		403	{object}	Problem
//	@Failure		412	{object}	Problem
//	@Failure		503	{object}	Problem
//	@Router			/oauth2 [delete]
func (a *API) deleteOAuth2(c *call) (*formats.Response, error) {
	return clearValue(c, a.Resources.OAuth2())
}
