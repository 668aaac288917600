package api

import (
	"net/http"

	"entrepot/app/access/permission"
	"entrepot/app/resource"
	"entrepot/app/server"
	"entrepot/formats"
)

func (a *API) repositoryOperations() []operation {
	return []operation{
		{method: http.MethodGet, path: "repositories", access: server.SignedIn(), run: a.listRepositories},
		{method: http.MethodPost, path: "repositories", access: server.SignedIn(), run: a.createRepository},
		{method: http.MethodGet, path: "repositories/{name}", access: server.SignedIn(), run: a.getRepository},
		{method: http.MethodPut, path: "repositories/{name}", access: server.SignedIn(), run: a.replaceRepository},
		{method: http.MethodPatch, path: "repositories/{name}", access: server.SignedIn(), run: a.patchRepository},
		{method: http.MethodDelete, path: "repositories/{name}", access: server.SignedIn(), run: a.deleteRepository},
		{method: http.MethodPost, path: "repositories/{name}/invalidate-cache", access: server.SignedIn(), run: a.invalidateCache},
		{method: http.MethodPost, path: "repositories/{name}/clone", access: server.SignedIn(), run: a.cloneRepository},
	}
}

// listRepositories gives the repositories whose settings the caller may read, by name.
//
//	@Summary	List repositories
//	@Description	All repositories whose settings the caller may read, by name. Needs nexus:repository-admin:FORMAT:NAME:read.
//	@Tags	repositories
//	@Param	limit query int false "how many at most" minimum(1) maximum(1000) default(100)
//	@Param	cursor query string false "where to go on: next of the part before"
//	@Success	200 {object} Page[resource.Repository]
//	@Failure	400 {object} Problem
//	@Failure	401 {object} Problem
//	@Failure	403 {object} Problem
//	@Router	/repositories [get]
func (a *API) listRepositories(c *call) (*formats.Response, error) { return a.repositories.list(c) }

// createRepository makes a repository.
//
//	@Summary	Make a repository
//	@Description	Needs nexus:repository-admin:FORMAT:NAME:add.
//	@Tags	repositories
//	@Param	document body resource.Repository true "a repository"
//	@Success	201 {object} resource.Repository
//	@Failure	400 {object} Problem
//	@Failure	401 {object} Problem
//	@Failure	403 {object} Problem
//	@Failure	409 {object} Problem
//	@Failure	415 {object} Problem
//	@Failure	422 {object} Problem
//	@Failure	503 {object} Problem
//	@Router	/repositories [post]
func (a *API) createRepository(c *call) (*formats.Response, error) { return a.repositories.create(c) }

// getRepository gives a repository.
//
//	@Summary	Read a repository
//	@Description	Needs nexus:repository-admin:FORMAT:NAME:read.
//	@Tags	repositories
//	@Param	name path string true "which"
//	@Param	If-None-Match header string false "tag of the document that the client has"
//	@Success	200 {object} resource.Repository
//	@Success	304
//	@Failure	401 {object} Problem
//	@Failure	403 {object} Problem
//	@Failure	404 {object} Problem
//	@Router	/repositories/{name} [get]
func (a *API) getRepository(c *call) (*formats.Response, error) { return a.repositories.get(c) }

// replaceRepository puts a repository in the place of what is there.
//
//	@Summary	Replace a repository
//	@Description	Format, kind and blob store stay as they are. Needs nexus:repository-admin:FORMAT:NAME:edit.
//	@Tags	repositories
//	@Param	name path string true "which"
//	@Param	If-Match header string false "tag of the document as it was seen"
//	@Param	document body resource.Repository true "all of it: absent members get their defaults"
//	@Success	200 {object} resource.Repository
//	@Failure	400 {object} Problem
//	@Failure	401 {object} Problem
//	@Failure	403 {object} Problem
//	@Failure	404 {object} Problem
//	@Failure	409 {object} Problem
//	@Failure	412 {object} Problem
//	@Failure	415 {object} Problem
//	@Failure	422 {object} Problem
//	@Failure	503 {object} Problem
//	@Router	/repositories/{name} [put]
func (a *API) replaceRepository(c *call) (*formats.Response, error) { return a.repositories.replace(c) }

// patchRepository changes members of a repository.
//
//	@Summary	Change a repository
//	@Description	A merge patch as of RFC 7396: null takes a member away. Format, kind and blob store stay as they are. Needs nexus:repository-admin:FORMAT:NAME:edit.
//	@Tags	repositories
//	@Param	name path string true "which"
//	@Param	If-Match header string false "tag of the document as it was seen"
//	@Param	patch body resource.Repository true "the members that change"
//	@Success	200 {object} resource.Repository
//	@Failure	400 {object} Problem
//	@Failure	401 {object} Problem
//	@Failure	403 {object} Problem
//	@Failure	404 {object} Problem
//	@Failure	409 {object} Problem
//	@Failure	412 {object} Problem
//	@Failure	415 {object} Problem
//	@Failure	422 {object} Problem
//	@Failure	503 {object} Problem
//	@Router	/repositories/{name} [patch]
func (a *API) patchRepository(c *call) (*formats.Response, error) { return a.repositories.patch(c) }

// deleteRepository deletes a repository.
//
//	@Summary	Delete a repository
//	@Description	Its content goes in the background. Needs nexus:repository-admin:FORMAT:NAME:delete.
//	@Tags	repositories
//	@Param	name path string true "which"
//	@Param	If-Match header string false "tag of the document as it was seen"
//	@Success	204
//	@Failure	401 {object} Problem
//	@Failure	403 {object} Problem
//	@Failure	404 {object} Problem
//	@Failure	409 {object} Problem
//	@Failure	412 {object} Problem
//	@Failure	503 {object} Problem
//	@Router	/repositories/{name} [delete]
func (a *API) deleteRepository(c *call) (*formats.Response, error) { return a.repositories.remove(c) }

// administers reports whether the caller is signed in and may do something to the settings of a repository.
func administers(c *call, d *resource.Repository, action permission.Action) bool {
	return !c.subject.Anonymous() && c.subject.MayAdminister(d.Format, d.Name, action)
}

// invalidateCache makes a cache ask its upstream again.
//
//	@Summary		Forget what is cached
//	@Description	A cache asks its upstream again for everything, a proxy merges its documents again. Needs nexus:repository-admin:FORMAT:NAME:edit.
//	@Tags			repositories
//	@Param			name	path	string	true	"which"
//	@Success		204
//	@Failure		401	{object}	Problem
//	@Failure		403	{object}	Problem
//	@Failure		404	{object}	Problem
//	@Failure		422	{object}	Problem
//	@Failure		503	{object}	Problem
//	@Router			/repositories/{name}/invalidate-cache [post]
func (a *API) invalidateCache(c *call) (*formats.Response, error) {
	doc, err := a.repositories.Get(c.Context(), c.key())
	if err == nil {
		err = a.repositories.allowed(c, &doc, permission.Edit)
	}
	if err != nil {
		return nil, err
	}
	return empty(), a.Engine.InvalidateCache(c.Context(), doc.Name)
}
