package api

import (
	"net/http"

	"entrepot/app/server"
	"entrepot/formats"
)

func (a *API) capabilityOperations() []operation {
	return []operation{
		{method: http.MethodGet, path: "capabilities", access: server.Permission("nexus:capabilities:read"), run: a.listCapabilities},
		{method: http.MethodPost, path: "capabilities", access: server.Permission("nexus:capabilities:create"), run: a.createCapability},
		{method: http.MethodGet, path: "capabilities/{id}", access: server.Permission("nexus:capabilities:read"), run: a.getCapability},
		{method: http.MethodPut, path: "capabilities/{id}", access: server.Permission("nexus:capabilities:update"), run: a.replaceCapability},
		{method: http.MethodPatch, path: "capabilities/{id}", access: server.Permission("nexus:capabilities:update"), run: a.patchCapability},
		{method: http.MethodDelete, path: "capabilities/{id}", access: server.Permission("nexus:capabilities:delete"), run: a.deleteCapability},
	}
}

// listCapabilities gives the capabilities by name.
//
//	@Summary	List capabilities
//	@Description	All capabilities by name. Needs nexus:capabilities:read.
//	@Tags	capabilities
//	@Param	limit query int false "how many at most" minimum(1) maximum(1000) default(100)
//	@Param	cursor query string false "where to go on: next of the part before"
//	@Success	200 {object} Page[resource.Capability]
//	@Failure	400 {object} Problem
//	@Failure	401 {object} Problem
//	@Failure	403 {object} Problem
//	@Router	/capabilities [get]
func (a *API) listCapabilities(c *call) (*formats.Response, error) { return a.capabilities.list(c) }

// createCapability makes a capability.
//
//	@Summary	Make a capability
//	@Description	Of most types there can be one, which is called as its type; of others several, each with a name. Needs nexus:capabilities:create.
//	@Tags	capabilities
//	@Param	document body resource.Capability true "a capability"
//	@Success	201 {object} resource.Capability
//	@Failure	400 {object} Problem
//	@Failure	401 {object} Problem
//	@Failure	403 {object} Problem
//	@Failure	409 {object} Problem
//	@Failure	415 {object} Problem
//	@Failure	422 {object} Problem
//	@Failure	503 {object} Problem
//	@Router	/capabilities [post]
func (a *API) createCapability(c *call) (*formats.Response, error) { return a.capabilities.create(c) }

// getCapability gives a capability.
//
//	@Summary	Read a capability
//	@Description	Needs nexus:capabilities:read.
//	@Tags	capabilities
//	@Param	id path string true "which"
//	@Param	If-None-Match header string false "tag of the document that the client has"
//	@Success	200 {object} resource.Capability
//	@Success	304
//	@Failure	401 {object} Problem
//	@Failure	403 {object} Problem
//	@Failure	404 {object} Problem
//	@Router	/capabilities/{id} [get]
func (a *API) getCapability(c *call) (*formats.Response, error) { return a.capabilities.get(c) }

// replaceCapability puts a capability in the place of what is there.
//
//	@Summary	Replace a capability
//	@Description	Name and type stay. Needs nexus:capabilities:update.
//	@Tags	capabilities
//	@Param	id path string true "which"
//	@Param	If-Match header string false "tag of the document as it was seen"
//	@Param	document body resource.Capability true "all of it: absent members get their defaults"
//	@Success	200 {object} resource.Capability
//	@Failure	400 {object} Problem
//	@Failure	401 {object} Problem
//	@Failure	403 {object} Problem
//	@Failure	404 {object} Problem
//	@Failure	409 {object} Problem
//	@Failure	412 {object} Problem
//	@Failure	415 {object} Problem
//	@Failure	422 {object} Problem
//	@Failure	503 {object} Problem
//	@Router	/capabilities/{id} [put]
func (a *API) replaceCapability(c *call) (*formats.Response, error) { return a.capabilities.replace(c) }

// patchCapability changes members of a capability.
//
//	@Summary	Change a capability
//	@Description	A merge patch as of RFC 7396: null takes a member away. Name and type stay. Needs nexus:capabilities:update.
//	@Tags	capabilities
//	@Param	id path string true "which"
//	@Param	If-Match header string false "tag of the document as it was seen"
//	@Param	patch body resource.Capability true "the members that change"
//	@Success	200 {object} resource.Capability
//	@Failure	400 {object} Problem
//	@Failure	401 {object} Problem
//	@Failure	403 {object} Problem
//	@Failure	404 {object} Problem
//	@Failure	409 {object} Problem
//	@Failure	412 {object} Problem
//	@Failure	415 {object} Problem
//	@Failure	422 {object} Problem
//	@Failure	503 {object} Problem
//	@Router	/capabilities/{id} [patch]
func (a *API) patchCapability(c *call) (*formats.Response, error) { return a.capabilities.patch(c) }

// deleteCapability deletes a capability.
//
//	@Summary	Delete a capability
//	@Description	Needs nexus:capabilities:delete.
//	@Tags	capabilities
//	@Param	id path string true "which"
//	@Param	If-Match header string false "tag of the document as it was seen"
//	@Success	204
//	@Failure	401 {object} Problem
//	@Failure	403 {object} Problem
//	@Failure	404 {object} Problem
//	@Failure	409 {object} Problem
//	@Failure	412 {object} Problem
//	@Failure	503 {object} Problem
//	@Router	/capabilities/{id} [delete]
func (a *API) deleteCapability(c *call) (*formats.Response, error) { return a.capabilities.remove(c) }
