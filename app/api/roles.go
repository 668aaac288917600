package api

import (
	"net/http"

	"entrepot/app/server"
	"entrepot/formats"
)

func (a *API) roleOperations() []operation {
	return []operation{
		{method: http.MethodGet, path: "roles", access: server.Permission("nexus:roles:read"), run: a.listRoles},
		{method: http.MethodPost, path: "roles", access: server.Permission("nexus:roles:create"), run: a.createRole},
		{method: http.MethodGet, path: "roles/{id}", access: server.Permission("nexus:roles:read"), run: a.getRole},
		{method: http.MethodPut, path: "roles/{id}", access: server.Permission("nexus:roles:update"), run: a.replaceRole},
		{method: http.MethodPatch, path: "roles/{id}", access: server.Permission("nexus:roles:update"), run: a.patchRole},
		{method: http.MethodDelete, path: "roles/{id}", access: server.Permission("nexus:roles:delete"), run: a.deleteRole},
	}
}

// listRoles gives the roles by id.
//
//	@Summary	List roles
//	@Description	All roles by id. Needs nexus:roles:read.
//	@Tags	roles
//	@Param	limit query int false "how many at most" minimum(1) maximum(1000) default(100)
//	@Param	cursor query string false "where to go on: next of the part before"
//	@Success	200 {object} Page[resource.Role]
//	@Failure	400 {object} Problem
//	@Failure	401 {object} Problem
//	@Failure	403 {object} Problem
//	@Router	/roles [get]
func (a *API) listRoles(c *call) (*formats.Response, error) { return a.roles.list(c) }

// createRole makes a role.
//
//	@Summary	Make a role
//	@Description	Needs nexus:roles:create.
//	@Tags	roles
//	@Param	document body resource.Role true "a role"
//	@Success	201 {object} resource.Role
//	@Failure	400 {object} Problem
//	@Failure	401 {object} Problem
//	@Failure	403 {object} Problem
//	@Failure	409 {object} Problem
//	@Failure	415 {object} Problem
//	@Failure	422 {object} Problem
//	@Failure	503 {object} Problem
//	@Router	/roles [post]
func (a *API) createRole(c *call) (*formats.Response, error) { return a.roles.create(c) }

// getRole gives a role.
//
//	@Summary	Read a role
//	@Description	Needs nexus:roles:read.
//	@Tags	roles
//	@Param	id path string true "which"
//	@Param	If-None-Match header string false "tag of the document that the client has"
//	@Success	200 {object} resource.Role
//	@Success	304
//	@Failure	401 {object} Problem
//	@Failure	403 {object} Problem
//	@Failure	404 {object} Problem
//	@Router	/roles/{id} [get]
func (a *API) getRole(c *call) (*formats.Response, error) { return a.roles.get(c) }

// replaceRole puts a role in the place of what is there.
//
//	@Summary	Replace a role
//	@Description	Needs nexus:roles:update.
//	@Tags	roles
//	@Param	id path string true "which"
//	@Param	If-Match header string false "tag of the document as it was seen"
//	@Param	document body resource.Role true "all of it: absent members get their defaults"
//	@Success	200 {object} resource.Role
//	@Failure	400 {object} Problem
//	@Failure	401 {object} Problem
//	@Failure	403 {object} Problem
//	@Failure	404 {object} Problem
//	@Failure	409 {object} Problem
//	@Failure	412 {object} Problem
//	@Failure	415 {object} Problem
//	@Failure	422 {object} Problem
//	@Failure	503 {object} Problem
//	@Router	/roles/{id} [put]
func (a *API) replaceRole(c *call) (*formats.Response, error) { return a.roles.replace(c) }

// patchRole changes members of a role.
//
//	@Summary	Change a role
//	@Description	A merge patch as of RFC 7396: null takes a member away.  Needs nexus:roles:update.
//	@Tags	roles
//	@Param	id path string true "which"
//	@Param	If-Match header string false "tag of the document as it was seen"
//	@Param	patch body resource.Role true "the members that change"
//	@Success	200 {object} resource.Role
//	@Failure	400 {object} Problem
//	@Failure	401 {object} Problem
//	@Failure	403 {object} Problem
//	@Failure	404 {object} Problem
//	@Failure	409 {object} Problem
//	@Failure	412 {object} Problem
//	@Failure	415 {object} Problem
//	@Failure	422 {object} Problem
//	@Failure	503 {object} Problem
//	@Router	/roles/{id} [patch]
func (a *API) patchRole(c *call) (*formats.Response, error) { return a.roles.patch(c) }

// deleteRole deletes a role.
//
//	@Summary	Delete a role
//	@Description	Users and roles that have it lose it. Needs nexus:roles:delete.
//	@Tags	roles
//	@Param	id path string true "which"
//	@Param	If-Match header string false "tag of the document as it was seen"
//	@Success	204
//	@Failure	401 {object} Problem
//	@Failure	403 {object} Problem
//	@Failure	404 {object} Problem
//	@Failure	409 {object} Problem
//	@Failure	412 {object} Problem
//	@Failure	503 {object} Problem
//	@Router	/roles/{id} [delete]
func (a *API) deleteRole(c *call) (*formats.Response, error) { return a.roles.remove(c) }
