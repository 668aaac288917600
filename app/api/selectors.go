package api

import (
	"net/http"

	"entrepot/app/server"
	"entrepot/formats"
)

func (a *API) selectorOperations() []operation {
	return []operation{
		{method: http.MethodGet, path: "content-selectors", access: server.Permission("nexus:selectors:read"), run: a.listSelectors},
		{method: http.MethodPost, path: "content-selectors", access: server.Permission("nexus:selectors:create"), run: a.createSelector},
		{method: http.MethodGet, path: "content-selectors/{name}", access: server.Permission("nexus:selectors:read"), run: a.getSelector},
		{method: http.MethodPut, path: "content-selectors/{name}", access: server.Permission("nexus:selectors:update"), run: a.replaceSelector},
		{method: http.MethodPatch, path: "content-selectors/{name}", access: server.Permission("nexus:selectors:update"), run: a.patchSelector},
		{method: http.MethodDelete, path: "content-selectors/{name}", access: server.Permission("nexus:selectors:delete"), run: a.deleteSelector},
	}
}

// listSelectors gives the content selectors by name.
//
//	@Summary	List content selectors
//	@Description	All content selectors by name. Needs nexus:selectors:read.
//	@Tags	content-selectors
//	@Param	limit query int false "how many at most" minimum(1) maximum(1000) default(100)
//	@Param	cursor query string false "where to go on: next of the part before"
//	@Success	200 {object} Page[resource.Selector]
//	@Failure	400 {object} Problem
//	@Failure	401 {object} Problem
//	@Failure	403 {object} Problem
//	@Router	/content-selectors [get]
func (a *API) listSelectors(c *call) (*formats.Response, error) { return a.selectors.list(c) }

// createSelector makes a content selector.
//
//	@Summary	Make a content selector
//	@Description	Needs nexus:selectors:create.
//	@Tags	content-selectors
//	@Param	document body resource.Selector true "a content selector"
//	@Success	201 {object} resource.Selector
//	@Failure	400 {object} Problem
//	@Failure	401 {object} Problem
//	@Failure	403 {object} Problem
//	@Failure	409 {object} Problem
//	@Failure	415 {object} Problem
//	@Failure	422 {object} Problem
//	@Failure	503 {object} Problem
//	@Router	/content-selectors [post]
func (a *API) createSelector(c *call) (*formats.Response, error) { return a.selectors.create(c) }

// getSelector gives a content selector.
//
//	@Summary	Read a content selector
//	@Description	Needs nexus:selectors:read.
//	@Tags	content-selectors
//	@Param	name path string true "which"
//	@Param	If-None-Match header string false "tag of the document that the client has"
//	@Success	200 {object} resource.Selector
//	@Success	304
//	@Failure	401 {object} Problem
//	@Failure	403 {object} Problem
//	@Failure	404 {object} Problem
//	@Router	/content-selectors/{name} [get]
func (a *API) getSelector(c *call) (*formats.Response, error) { return a.selectors.get(c) }

// replaceSelector puts a content selector in the place of what is there.
//
//	@Summary	Replace a content selector
//	@Description	Needs nexus:selectors:update.
//	@Tags	content-selectors
//	@Param	name path string true "which"
//	@Param	If-Match header string false "tag of the document as it was seen"
//	@Param	document body resource.Selector true "all of it: absent members get their defaults"
//	@Success	200 {object} resource.Selector
//	@Failure	400 {object} Problem
//	@Failure	401 {object} Problem
//	@Failure	403 {object} Problem
//	@Failure	404 {object} Problem
//	@Failure	409 {object} Problem
//	@Failure	412 {object} Problem
//	@Failure	415 {object} Problem
//	@Failure	422 {object} Problem
//	@Failure	503 {object} Problem
//	@Router	/content-selectors/{name} [put]
func (a *API) replaceSelector(c *call) (*formats.Response, error) { return a.selectors.replace(c) }

// patchSelector changes members of a content selector.
//
//	@Summary	Change a content selector
//	@Description	A merge patch as of RFC 7396: null takes a member away.  Needs nexus:selectors:update.
//	@Tags	content-selectors
//	@Param	name path string true "which"
//	@Param	If-Match header string false "tag of the document as it was seen"
//	@Param	patch body resource.Selector true "the members that change"
//	@Success	200 {object} resource.Selector
//	@Failure	400 {object} Problem
//	@Failure	401 {object} Problem
//	@Failure	403 {object} Problem
//	@Failure	404 {object} Problem
//	@Failure	409 {object} Problem
//	@Failure	412 {object} Problem
//	@Failure	415 {object} Problem
//	@Failure	422 {object} Problem
//	@Failure	503 {object} Problem
//	@Router	/content-selectors/{name} [patch]
func (a *API) patchSelector(c *call) (*formats.Response, error) { return a.selectors.patch(c) }

// deleteSelector deletes a content selector.
//
//	@Summary	Delete a content selector
//	@Description	One that a privilege names cannot be deleted. Needs nexus:selectors:delete.
//	@Tags	content-selectors
//	@Param	name path string true "which"
//	@Param	If-Match header string false "tag of the document as it was seen"
//	@Success	204
//	@Failure	401 {object} Problem
//	@Failure	403 {object} Problem
//	@Failure	404 {object} Problem
//	@Failure	409 {object} Problem
//	@Failure	412 {object} Problem
//	@Failure	503 {object} Problem
//	@Router	/content-selectors/{name} [delete]
func (a *API) deleteSelector(c *call) (*formats.Response, error) { return a.selectors.remove(c) }
