package api

import (
	"net/http"

	"entrepot/app/server"
	"entrepot/formats"
)

func (a *API) cleanupPolicyOperations() []operation {
	return []operation{
		{method: http.MethodGet, path: "cleanup-policies", access: server.Permission("nexus:settings:read"), run: a.listCleanupPolicies},
		{method: http.MethodPost, path: "cleanup-policies", access: server.Permission("nexus:*"), run: a.createCleanupPolicy},
		{method: http.MethodGet, path: "cleanup-policies/{name}", access: server.Permission("nexus:settings:read"), run: a.getCleanupPolicy},
		{method: http.MethodPut, path: "cleanup-policies/{name}", access: server.Permission("nexus:*"), run: a.replaceCleanupPolicy},
		{method: http.MethodPatch, path: "cleanup-policies/{name}", access: server.Permission("nexus:*"), run: a.patchCleanupPolicy},
		{method: http.MethodDelete, path: "cleanup-policies/{name}", access: server.Permission("nexus:*"), run: a.deleteCleanupPolicy},
	}
}

// listCleanupPolicies gives the cleanup policies by name.
//
//	@Summary	List cleanup policies
//	@Description	All cleanup policies by name. Needs nexus:settings:read.
//	@Tags	cleanup-policies
//	@Param	limit query int false "how many at most" minimum(1) maximum(1000) default(100)
//	@Param	cursor query string false "where to go on: next of the part before"
//	@Success	200 {object} Page[resource.CleanupPolicy]
//	@Failure	400 {object} Problem
//	@Failure	401 {object} Problem
//	@Failure	403 {object} Problem
//	@Router	/cleanup-policies [get]
func (a *API) listCleanupPolicies(c *call) (*formats.Response, error) {
	return a.cleanupPolicies.list(c)
}

// createCleanupPolicy makes a cleanup policy.
//
//	@Summary	Make a cleanup policy
//	@Description	Needs nexus:*.
//	@Tags	cleanup-policies
//	@Param	document body resource.CleanupPolicy true "a cleanup policy"
//	@Success	201 {object} resource.CleanupPolicy
//	@Failure	400 {object} Problem
//	@Failure	401 {object} Problem
//	@Failure	403 {object} Problem
//	@Failure	409 {object} Problem
//	@Failure	415 {object} Problem
//	@Failure	422 {object} Problem
//	@Failure	503 {object} Problem
//	@Router	/cleanup-policies [post]
func (a *API) createCleanupPolicy(c *call) (*formats.Response, error) {
	return a.cleanupPolicies.create(c)
}

// getCleanupPolicy gives a cleanup policy.
//
//	@Summary	Read a cleanup policy
//	@Description	Needs nexus:settings:read.
//	@Tags	cleanup-policies
//	@Param	name path string true "which"
//	@Param	If-None-Match header string false "tag of the document that the client has"
//	@Success	200 {object} resource.CleanupPolicy
//	@Success	304
//	@Failure	401 {object} Problem
//	@Failure	403 {object} Problem
//	@Failure	404 {object} Problem
//	@Router	/cleanup-policies/{name} [get]
func (a *API) getCleanupPolicy(c *call) (*formats.Response, error) { return a.cleanupPolicies.get(c) }

// replaceCleanupPolicy puts a cleanup policy in the place of what is there.
//
//	@Summary	Replace a cleanup policy
//	@Description	Needs nexus:*.
//	@Tags	cleanup-policies
//	@Param	name path string true "which"
//	@Param	If-Match header string false "tag of the document as it was seen"
//	@Param	document body resource.CleanupPolicy true "all of it: absent members get their defaults"
//	@Success	200 {object} resource.CleanupPolicy
//	@Failure	400 {object} Problem
//	@Failure	401 {object} Problem
//	@Failure	403 {object} Problem
//	@Failure	404 {object} Problem
//	@Failure	409 {object} Problem
//	@Failure	412 {object} Problem
//	@Failure	415 {object} Problem
//	@Failure	422 {object} Problem
//	@Failure	503 {object} Problem
//	@Router	/cleanup-policies/{name} [put]
func (a *API) replaceCleanupPolicy(c *call) (*formats.Response, error) {
	return a.cleanupPolicies.replace(c)
}

// patchCleanupPolicy changes members of a cleanup policy.
//
//	@Summary	Change a cleanup policy
//	@Description	A merge patch as of RFC 7396: null takes a member away.  Needs nexus:*.
//	@Tags	cleanup-policies
//	@Param	name path string true "which"
//	@Param	If-Match header string false "tag of the document as it was seen"
//	@Param	patch body resource.CleanupPolicy true "the members that change"
//	@Success	200 {object} resource.CleanupPolicy
//	@Failure	400 {object} Problem
//	@Failure	401 {object} Problem
//	@Failure	403 {object} Problem
//	@Failure	404 {object} Problem
//	@Failure	409 {object} Problem
//	@Failure	412 {object} Problem
//	@Failure	415 {object} Problem
//	@Failure	422 {object} Problem
//	@Failure	503 {object} Problem
//	@Router	/cleanup-policies/{name} [patch]
func (a *API) patchCleanupPolicy(c *call) (*formats.Response, error) {
	return a.cleanupPolicies.patch(c)
}

// deleteCleanupPolicy deletes a cleanup policy.
//
//	@Summary	Delete a cleanup policy
//	@Description	It is taken from the repositories that it is assigned to. Needs nexus:*.
//	@Tags	cleanup-policies
//	@Param	name path string true "which"
//	@Param	If-Match header string false "tag of the document as it was seen"
//	@Success	204
//	@Failure	401 {object} Problem
//	@Failure	403 {object} Problem
//	@Failure	404 {object} Problem
//	@Failure	409 {object} Problem
//	@Failure	412 {object} Problem
//	@Failure	503 {object} Problem
//	@Router	/cleanup-policies/{name} [delete]
func (a *API) deleteCleanupPolicy(c *call) (*formats.Response, error) {
	return a.cleanupPolicies.remove(c)
}
