package api

import (
	"net/http"

	"entrepot/app/server"
	"entrepot/formats"
)

func (a *API) outboundOperations() []operation {
	read, update := server.Permission("nexus:settings:read"), server.Permission("nexus:settings:update")
	return []operation{
		{method: http.MethodGet, path: "settings/http", access: read, run: a.getHTTP},
		{method: http.MethodPut, path: "settings/http", access: update, run: a.putHTTP},
		{method: http.MethodPatch, path: "settings/http", access: update, run: a.patchHTTP},
		{method: http.MethodDelete, path: "settings/http", access: update, run: a.deleteHTTP},
		{method: http.MethodGet, path: "settings/outbound-guard", access: read, run: a.getOutboundGuard},
		{method: http.MethodPut, path: "settings/outbound-guard", access: update, run: a.putOutboundGuard},
		{method: http.MethodPatch, path: "settings/outbound-guard", access: update, run: a.patchOutboundGuard},
	}
}

// getHTTP gives how the server talks to others.
//
//	@Summary		Read how the server talks to others
//	@Description	Needs nexus:settings:read.
//	@Tags			settings
//	@Param			If-None-Match	header	string	false	"tag of the document that the client has"
//	@Success		200				{object}	resource.HTTP
//	@Success		304
//	@Failure		401				{object}	Problem
//	@Failure		403				{object}	Problem
//	@Router			/settings/http [get]
func (a *API) getHTTP(c *call) (*formats.Response, error) { return getValue(c, a.Resources.HTTP()) }

// putHTTP replaces how the server talks to others.
//
//	@Summary		Replace how the server talks to others
//	@Description	Needs nexus:settings:update.
//	@Tags			settings
//	@Param			If-Match	header		string			false	"tag of the document as it was seen"
//	@Param			document	body		resource.HTTP	true	"all of it: absent members get their defaults"
//	@Success		200			{object}	resource.HTTP
//	@Failure		400			{object}	Problem
//	@Failure		401			{object}	Problem
//	@Failure		403			{object}	Problem
//	@Failure		412			{object}	Problem
//	@Failure		415			{object}	Problem
//	@Failure		422			{object}	Problem
//	@Failure		503			{object}	Problem
//	@Router			/settings/http [put]
func (a *API) putHTTP(c *call) (*formats.Response, error) { return putValue(c, a.Resources.HTTP()) }

// patchHTTP changes members of how the server talks to others.
//
//	@Summary		Change how the server talks to others
//	@Description	A merge patch as of RFC 7396: null takes a member away. Needs nexus:settings:update.
//	@Tags			settings
//	@Param			If-Match	header		string			false	"tag of the document as it was seen"
//	@Param			patch		body		resource.HTTP	true	"the members that change"
//	@Success		200			{object}	resource.HTTP
//	@Failure		400			{object}	Problem
//	@Failure		401			{object}	Problem
//	@Failure		403			{object}	Problem
//	@Failure		412			{object}	Problem
//	@Failure		415			{object}	Problem
//	@Failure		422			{object}	Problem
//	@Failure		503			{object}	Problem
//	@Router			/settings/http [patch]
func (a *API) patchHTTP(c *call) (*formats.Response, error) {
	return patchValue(c, a.Resources.HTTP())
}

// getOutboundGuard gives whom the server may ask.
//
//	@Summary		Read whom the server may ask
//	@Description	Needs nexus:settings:read.
//	@Tags			settings
//	@Param			If-None-Match	header	string	false	"tag of the document that the client has"
//	@Success		200				{object}	resource.OutboundGuard
//	@Success		304
//	@Failure		401				{object}	Problem
//	@Failure		403				{object}	Problem
//	@Router			/settings/outbound-guard [get]
func (a *API) getOutboundGuard(c *call) (*formats.Response, error) {
	return getValue(c, a.Resources.OutboundGuard())
}

// putOutboundGuard replaces whom the server may ask.
//
//	@Summary		Replace whom the server may ask
//	@Description	Needs nexus:settings:update.
//	@Tags			settings
//	@Param			If-Match	header		string			false	"tag of the document as it was seen"
//	@Param			document	body		resource.OutboundGuard	true	"all of it: absent members get their defaults"
//	@Success		200			{object}	resource.OutboundGuard
//	@Failure		400			{object}	Problem
//	@Failure		401			{object}	Problem
//	@Failure		403			{object}	Problem
//	@Failure		412			{object}	Problem
//	@Failure		415			{object}	Problem
//	@Failure		422			{object}	Problem
//	@Failure		503			{object}	Problem
//	@Router			/settings/outbound-guard [put]
func (a *API) putOutboundGuard(c *call) (*formats.Response, error) {
	return putValue(c, a.Resources.OutboundGuard())
}

// patchOutboundGuard changes members of whom the server may ask.
//
//	@Summary		Change whom the server may ask
//	@Description	A merge patch as of RFC 7396: null takes a member away. Needs nexus:settings:update.
//	@Tags			settings
//	@Param			If-Match	header		string			false	"tag of the document as it was seen"
//	@Param			patch		body		resource.OutboundGuard	true	"the members that change"
//	@Success		200			{object}	resource.OutboundGuard
//	@Failure		400			{object}	Problem
//	@Failure		401			{object}	Problem
//	@Failure		403			{object}	Problem
//	@Failure		412			{object}	Problem
//	@Failure		415			{object}	Problem
//	@Failure		422			{object}	Problem
//	@Failure		503			{object}	Problem
//	@Router			/settings/outbound-guard [patch]
func (a *API) patchOutboundGuard(c *call) (*formats.Response, error) {
	return patchValue(c, a.Resources.OutboundGuard())
}

// deleteHTTP forgets how the server talks to others.
//
//	@Summary		Forget how the server talks to others
//	@Description	Needs nexus:settings:update.
//	@Tags			settings
//	@Param			If-Match	header	string	false	"tag of the document as it was seen"
//	@Success		204
//	@Failure		401	{object}	Problem
//	@Failure		403	{object}	Problem
//	@Failure		412	{object}	Problem
//	@Failure		503	{object}	Problem
//	@Router			/settings/http [delete]
func (a *API) deleteHTTP(c *call) (*formats.Response, error) {
	return clearValue(c, a.Resources.HTTP())
}
