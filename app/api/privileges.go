package api

import (
	"net/http"

	"entrepot/app/server"
	"entrepot/formats"
)

func (a *API) privilegeOperations() []operation {
	return []operation{
		{method: http.MethodGet, path: "privileges", access: server.Permission("nexus:privileges:read"), run: a.listPrivileges},
		{method: http.MethodPost, path: "privileges", access: server.Permission("nexus:privileges:create"), run: a.createPrivilege},
		{method: http.MethodGet, path: "privileges/{name}", access: server.Permission("nexus:privileges:read"), run: a.getPrivilege},
		{method: http.MethodPut, path: "privileges/{name}", access: server.Permission("nexus:privileges:update"), run: a.replacePrivilege},
		{method: http.MethodPatch, path: "privileges/{name}", access: server.Permission("nexus:privileges:update"), run: a.patchPrivilege},
		{method: http.MethodDelete, path: "privileges/{name}", access: server.Permission("nexus:privileges:delete"), run: a.deletePrivilege},
	}
}

// listPrivileges gives the privileges by name, also those of formats and repositories.
//
//	@Summary	List privileges
//	@Description	All privileges by name, also those of formats and repositories. Needs nexus:privileges:read.
//	@Tags	privileges
//	@Param	limit query int false "how many at most" minimum(1) maximum(1000) default(100)
//	@Param	cursor query string false "where to go on: next of the part before"
//	@Success	200 {object} Page[resource.Privilege]
//	@Failure	400 {object} Problem
//	@Failure	401 {object} Problem
//	@Failure	403 {object} Problem
//	@Router	/privileges [get]
func (a *API) listPrivileges(c *call) (*formats.Response, error) { return a.privileges.list(c) }

// createPrivilege makes a privilege.
//
//	@Summary	Make a privilege
//	@Description	Needs nexus:privileges:create.
//	@Tags	privileges
//	@Param	document body resource.Privilege true "a privilege"
//	@Success	201 {object} resource.Privilege
//	@Failure	400 {object} Problem
//	@Failure	401 {object} Problem
//	@Failure	403 {object} Problem
//	@Failure	409 {object} Problem
//	@Failure	415 {object} Problem
//	@Failure	422 {object} Problem
//	@Failure	503 {object} Problem
//	@Router	/privileges [post]
func (a *API) createPrivilege(c *call) (*formats.Response, error) { return a.privileges.create(c) }

// getPrivilege gives a privilege.
//
//	@Summary	Read a privilege
//	@Description	Needs nexus:privileges:read.
//	@Tags	privileges
//	@Param	name path string true "which"
//	@Param	If-None-Match header string false "tag of the document that the client has"
//	@Success	200 {object} resource.Privilege
//	@Success	304
//	@Failure	401 {object} Problem
//	@Failure	403 {object} Problem
//	@Failure	404 {object} Problem
//	@Router	/privileges/{name} [get]
func (a *API) getPrivilege(c *call) (*formats.Response, error) { return a.privileges.get(c) }

// replacePrivilege puts a privilege in the place of what is there.
//
//	@Summary	Replace a privilege
//	@Description	Needs nexus:privileges:update.
//	@Tags	privileges
//	@Param	name path string true "which"
//	@Param	If-Match header string false "tag of the document as it was seen"
//	@Param	document body resource.Privilege true "all of it: absent members get their defaults"
//	@Success	200 {object} resource.Privilege
//	@Failure	400 {object} Problem
//	@Failure	401 {object} Problem
//	@Failure	403 {object} Problem
//	@Failure	404 {object} Problem
//	@Failure	409 {object} Problem
//	@Failure	412 {object} Problem
//	@Failure	415 {object} Problem
//	@Failure	422 {object} Problem
//	@Failure	503 {object} Problem
//	@Router	/privileges/{name} [put]
func (a *API) replacePrivilege(c *call) (*formats.Response, error) { return a.privileges.replace(c) }

// patchPrivilege changes members of a privilege.
//
//	@Summary	Change a privilege
//	@Description	A merge patch as of RFC 7396: null takes a member away.  Needs nexus:privileges:update.
//	@Tags	privileges
//	@Param	name path string true "which"
//	@Param	If-Match header string false "tag of the document as it was seen"
//	@Param	patch body resource.Privilege true "the members that change"
//	@Success	200 {object} resource.Privilege
//	@Failure	400 {object} Problem
//	@Failure	401 {object} Problem
//	@Failure	403 {object} Problem
//	@Failure	404 {object} Problem
//	@Failure	409 {object} Problem
//	@Failure	412 {object} Problem
//	@Failure	415 {object} Problem
//	@Failure	422 {object} Problem
//	@Failure	503 {object} Problem
//	@Router	/privileges/{name} [patch]
func (a *API) patchPrivilege(c *call) (*formats.Response, error) { return a.privileges.patch(c) }

// deletePrivilege deletes a privilege.
//
//	@Summary	Delete a privilege
//	@Description	Roles that have it lose it. Needs nexus:privileges:delete.
//	@Tags	privileges
//	@Param	name path string true "which"
//	@Param	If-Match header string false "tag of the document as it was seen"
//	@Success	204
//	@Failure	401 {object} Problem
//	@Failure	403 {object} Problem
//	@Failure	404 {object} Problem
//	@Failure	409 {object} Problem
//	@Failure	412 {object} Problem
//	@Failure	503 {object} Problem
//	@Router	/privileges/{name} [delete]
func (a *API) deletePrivilege(c *call) (*formats.Response, error) { return a.privileges.remove(c) }
