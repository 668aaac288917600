package api

import (
	"net/http"

	"entrepot/app/access"
	"entrepot/app/server"
	"entrepot/formats"
)

func (a *API) ldapOperations() []operation {
	return []operation{
		{method: http.MethodGet, path: "ldap-servers", access: server.Permission("nexus:ldap:read"), run: a.listLDAPServers},
		{method: http.MethodPost, path: "ldap-servers", access: server.Permission("nexus:ldap:create"), run: a.createLDAPServer},
		{method: http.MethodGet, path: "ldap-servers/{name}", access: server.Permission("nexus:ldap:read"), run: a.getLDAPServer},
		{method: http.MethodPut, path: "ldap-servers/{name}", access: server.Permission("nexus:ldap:update"), run: a.replaceLDAPServer},
		{method: http.MethodPatch, path: "ldap-servers/{name}", access: server.Permission("nexus:ldap:update"), run: a.patchLDAPServer},
		{method: http.MethodDelete, path: "ldap-servers/{name}", access: server.Permission("nexus:ldap:delete"), run: a.deleteLDAPServer},
		{method: http.MethodPost, path: "ldap-servers/{name}/check", access: server.Permission("nexus:ldap:update"), run: a.checkLDAPServer},
		{method: http.MethodGet, path: "ldap-order", access: server.Permission("nexus:ldap:read"), run: a.getLDAPOrder},
		{method: http.MethodPut, path: "ldap-order", access: server.Permission("nexus:ldap:update"), run: a.putLDAPOrder},
		{method: http.MethodPatch, path: "ldap-order", access: server.Permission("nexus:ldap:update"), run: a.patchLDAPOrder},
	}
}

// listLDAPServers gives the LDAP servers by name.
//
//	@Summary	List LDAP servers
//	@Description	All LDAP servers by name. Needs nexus:ldap:read.
//	@Tags	ldap
//	@Param	limit query int false "how many at most" minimum(1) maximum(1000) default(100)
//	@Param	cursor query string false "where to go on: next of the part before"
//	@Success	200 {object} Page[resource.LDAPServer]
//	@Failure	400 {object} Problem
//	@Failure	401 {object} Problem
//	@Failure	403 {object} Problem
//	@Router	/ldap-servers [get]
func (a *API) listLDAPServers(c *call) (*formats.Response, error) { return a.ldapServers.list(c) }

// createLDAPServer makes an LDAP server.
//
//	@Summary	Make an LDAP server
//	@Description	Needs nexus:ldap:create.
//	@Tags	ldap
//	@Param	document body resource.LDAPServer true "an LDAP server"
//	@Success	201 {object} resource.LDAPServer
//	@Failure	400 {object} Problem
//	@Failure	401 {object} Problem
//	@Failure	403 {object} Problem
//	@Failure	409 {object} Problem
//	@Failure	415 {object} Problem
//	@Failure	422 {object} Problem
//	@Failure	503 {object} Problem
//	@Router	/ldap-servers [post]
func (a *API) createLDAPServer(c *call) (*formats.Response, error) { return a.ldapServers.create(c) }

// getLDAPServer gives an LDAP server.
//
//	@Summary	Read an LDAP server
//	@Description	Needs nexus:ldap:read.
//	@Tags	ldap
//	@Param	name path string true "which"
//	@Param	If-None-Match header string false "tag of the document that the client has"
//	@Success	200 {object} resource.LDAPServer
//	@Success	304
//	@Failure	401 {object} Problem
//	@Failure	403 {object} Problem
//	@Failure	404 {object} Problem
//	@Router	/ldap-servers/{name} [get]
func (a *API) getLDAPServer(c *call) (*formats.Response, error) { return a.ldapServers.get(c) }

// replaceLDAPServer puts an LDAP server in the place of what is there.
//
//	@Summary	Replace an LDAP server
//	@Description	Another name renames it. The password has to be given again when the connection changes. Needs nexus:ldap:update.
//	@Tags	ldap
//	@Param	name path string true "which"
//	@Param	If-Match header string false "tag of the document as it was seen"
//	@Param	document body resource.LDAPServer true "all of it: absent members get their defaults"
//	@Success	200 {object} resource.LDAPServer
//	@Failure	400 {object} Problem
//	@Failure	401 {object} Problem
//	@Failure	403 {object} Problem
//	@Failure	404 {object} Problem
//	@Failure	409 {object} Problem
//	@Failure	412 {object} Problem
//	@Failure	415 {object} Problem
//	@Failure	422 {object} Problem
//	@Failure	503 {object} Problem
//	@Router	/ldap-servers/{name} [put]
func (a *API) replaceLDAPServer(c *call) (*formats.Response, error) { return a.ldapServers.replace(c) }

// patchLDAPServer changes members of an LDAP server.
//
//	@Summary	Change an LDAP server
//	@Description	A merge patch as of RFC 7396: null takes a member away. Another name renames it. The password has to be given again when the connection changes. Needs nexus:ldap:update.
//	@Tags	ldap
//	@Param	name path string true "which"
//	@Param	If-Match header string false "tag of the document as it was seen"
//	@Param	patch body resource.LDAPServer true "the members that change"
//	@Success	200 {object} resource.LDAPServer
//	@Failure	400 {object} Problem
//	@Failure	401 {object} Problem
//	@Failure	403 {object} Problem
//	@Failure	404 {object} Problem
//	@Failure	409 {object} Problem
//	@Failure	412 {object} Problem
//	@Failure	415 {object} Problem
//	@Failure	422 {object} Problem
//	@Failure	503 {object} Problem
//	@Router	/ldap-servers/{name} [patch]
func (a *API) patchLDAPServer(c *call) (*formats.Response, error) { return a.ldapServers.patch(c) }

// deleteLDAPServer deletes an LDAP server.
//
//	@Summary	Delete an LDAP server
//	@Description	Needs nexus:ldap:delete.
//	@Tags	ldap
//	@Param	name path string true "which"
//	@Param	If-Match header string false "tag of the document as it was seen"
//	@Success	204
//	@Failure	401 {object} Problem
//	@Failure	403 {object} Problem
//	@Failure	404 {object} Problem
//	@Failure	409 {object} Problem
//	@Failure	412 {object} Problem
//	@Failure	503 {object} Problem
//	@Router	/ldap-servers/{name} [delete]
func (a *API) deleteLDAPServer(c *call) (*formats.Response, error) { return a.ldapServers.remove(c) }

// getLDAPOrder gives the order in which LDAP servers are asked.
//
//	@Summary		Read the order in which LDAP servers are asked
//	@Description	Needs nexus:ldap:read.
//	@Tags			ldap
//	@Param			If-None-Match	header	string	false	"tag of the document that the client has"
//	@Success		200				{object}	resource.LDAPOrder
//	@Success		304
//	@Failure		401				{object}	Problem
//	@Failure		403				{object}	Problem
//	@Router			/ldap-order [get]
func (a *API) getLDAPOrder(c *call) (*formats.Response, error) {
	return getValue(c, a.Resources.LDAPOrder())
}

// putLDAPOrder replaces the order in which LDAP servers are asked.
//
//	@Summary		Replace the order in which LDAP servers are asked
//	@Description	Needs nexus:ldap:update.
//	@Tags			ldap
//	@Param			If-Match	header		string			false	"tag of the document as it was seen"
//	@Param			document	body		resource.LDAPOrder	true	"all of it: absent members get their defaults"
//	@Success		200			{object}	resource.LDAPOrder
//	@Failure		400			{object}	Problem
//	@Failure		401			{object}	Problem
//	@Failure		403			{object}	Problem
//	@Failure		412			{object}	Problem
//	@Failure		415			{object}	Problem
//	@Failure		422			{object}	Problem
//	@Failure		503			{object}	Problem
//	@Router			/ldap-order [put]
func (a *API) putLDAPOrder(c *call) (*formats.Response, error) {
	return putValue(c, a.Resources.LDAPOrder())
}

// patchLDAPOrder changes members of the order in which LDAP servers are asked.
//
//	@Summary		Change the order in which LDAP servers are asked
//	@Description	A merge patch as of RFC 7396: null takes a member away. Needs nexus:ldap:update.
//	@Tags			ldap
//	@Param			If-Match	header		string			false	"tag of the document as it was seen"
//	@Param			patch		body		resource.LDAPOrder	true	"the members that change"
//	@Success		200			{object}	resource.LDAPOrder
//	@Failure		400			{object}	Problem
//	@Failure		401			{object}	Problem
//	@Failure		403			{object}	Problem
//	@Failure		412			{object}	Problem
//	@Failure		415			{object}	Problem
//	@Failure		422			{object}	Problem
//	@Failure		503			{object}	Problem
//	@Router			/ldap-order [patch]
func (a *API) patchLDAPOrder(c *call) (*formats.Response, error) {
	return patchValue(c, a.Resources.LDAPOrder())
}

// checkLDAPServer connects to an LDAP server with its stored settings.
//
//	@Summary		See whether an LDAP server answers
//	@Description	Connects with the stored settings, signs in as the service account and waits for an answer. Needs nexus:ldap:update.
//	@Tags			ldap
//	@Param			name	path	string	true	"which"
//	@Success		204
//	@Failure		401	{object}	Problem
//	@Failure		403	{object}	Problem
//	@Failure		404	{object}	Problem
//	@Failure		422	{object}	Problem	"it does not answer, or not as it should"
//	@Router			/ldap-servers/{name}/check [post]
func (a *API) checkLDAPServer(c *call) (*formats.Response, error) {
	stored, err := a.Resources.LDAP.Server(c.Context(), c.key())
	if err == nil {
		err = a.Resources.LDAP.Check(c.Context(), stored)
	}
	if err != nil && access.KindOf(err) == 0 {
		return nil, a.unreachable(c, "The LDAP server could not be asked", err)
	}
	return empty(), err
}
