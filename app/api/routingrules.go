package api

import (
	"net/http"

	"entrepot/app/server"
	"entrepot/formats"
)

func (a *API) routingRuleOperations() []operation {
	return []operation{
		{method: http.MethodGet, path: "routing-rules", access: server.Permission("nexus:settings:read"), run: a.listRoutingRules},
		{method: http.MethodPost, path: "routing-rules", access: server.Permission("nexus:*"), run: a.createRoutingRule},
		{method: http.MethodGet, path: "routing-rules/{name}", access: server.Permission("nexus:settings:read"), run: a.getRoutingRule},
		{method: http.MethodPut, path: "routing-rules/{name}", access: server.Permission("nexus:*"), run: a.replaceRoutingRule},
		{method: http.MethodPatch, path: "routing-rules/{name}", access: server.Permission("nexus:*"), run: a.patchRoutingRule},
		{method: http.MethodDelete, path: "routing-rules/{name}", access: server.Permission("nexus:*"), run: a.deleteRoutingRule},
	}
}

// listRoutingRules gives the routing rules by name.
//
//	@Summary	List routing rules
//	@Description	All routing rules by name. Needs nexus:settings:read.
//	@Tags	routing-rules
//	@Param	limit query int false "how many at most" minimum(1) maximum(1000) default(100)
//	@Param	cursor query string false "where to go on: next of the part before"
//	@Success	200 {object} Page[resource.RoutingRule]
//	@Failure	400 {object} Problem
//	@Failure	401 {object} Problem
//	@Failure	403 {object} Problem
//	@Router	/routing-rules [get]
func (a *API) listRoutingRules(c *call) (*formats.Response, error) { return a.routingRules.list(c) }

// createRoutingRule makes a routing rule.
//
//	@Summary	Make a routing rule
//	@Description	Needs nexus:*.
//	@Tags	routing-rules
//	@Param	document body resource.RoutingRule true "a routing rule"
//	@Success	201 {object} resource.RoutingRule
//	@Failure	400 {object} Problem
//	@Failure	401 {object} Problem
//	@Failure	403 {object} Problem
//	@Failure	409 {object} Problem
//	@Failure	415 {object} Problem
//	@Failure	422 {object} Problem
//	@Failure	503 {object} Problem
//	@Router	/routing-rules [post]
func (a *API) createRoutingRule(c *call) (*formats.Response, error) { return a.routingRules.create(c) }

// getRoutingRule gives a routing rule.
//
//	@Summary	Read a routing rule
//	@Description	Needs nexus:settings:read.
//	@Tags	routing-rules
//	@Param	name path string true "which"
//	@Param	If-None-Match header string false "tag of the document that the client has"
//	@Success	200 {object} resource.RoutingRule
//	@Success	304
//	@Failure	401 {object} Problem
//	@Failure	403 {object} Problem
//	@Failure	404 {object} Problem
//	@Router	/routing-rules/{name} [get]
func (a *API) getRoutingRule(c *call) (*formats.Response, error) { return a.routingRules.get(c) }

// replaceRoutingRule puts a routing rule in the place of what is there.
//
//	@Summary	Replace a routing rule
//	@Description	With another name in the body it is renamed, also in the repositories that use it. Needs nexus:*.
//	@Tags	routing-rules
//	@Param	name path string true "which"
//	@Param	If-Match header string false "tag of the document as it was seen"
//	@Param	document body resource.RoutingRule true "all of it: absent members get their defaults"
//	@Success	200 {object} resource.RoutingRule
//	@Failure	400 {object} Problem
//	@Failure	401 {object} Problem
//	@Failure	403 {object} Problem
//	@Failure	404 {object} Problem
//	@Failure	409 {object} Problem
//	@Failure	412 {object} Problem
//	@Failure	415 {object} Problem
//	@Failure	422 {object} Problem
//	@Failure	503 {object} Problem
//	@Router	/routing-rules/{name} [put]
func (a *API) replaceRoutingRule(c *call) (*formats.Response, error) {
	return a.routingRules.replace(c)
}

// patchRoutingRule changes members of a routing rule.
//
//	@Summary	Change a routing rule
//	@Description	A merge patch as of RFC 7396: null takes a member away. With another name in the body it is renamed, also in the repositories that use it. Needs nexus:*.
//	@Tags	routing-rules
//	@Param	name path string true "which"
//	@Param	If-Match header string false "tag of the document as it was seen"
//	@Param	patch body resource.RoutingRule true "the members that change"
//	@Success	200 {object} resource.RoutingRule
//	@Failure	400 {object} Problem
//	@Failure	401 {object} Problem
//	@Failure	403 {object} Problem
//	@Failure	404 {object} Problem
//	@Failure	409 {object} Problem
//	@Failure	412 {object} Problem
//	@Failure	415 {object} Problem
//	@Failure	422 {object} Problem
//	@Failure	503 {object} Problem
//	@Router	/routing-rules/{name} [patch]
func (a *API) patchRoutingRule(c *call) (*formats.Response, error) { return a.routingRules.patch(c) }

// deleteRoutingRule deletes a routing rule.
//
//	@Summary	Delete a routing rule
//	@Description	One that a repository uses cannot be deleted. Needs nexus:*.
//	@Tags	routing-rules
//	@Param	name path string true "which"
//	@Param	If-Match header string false "tag of the document as it was seen"
//	@Success	204
//	@Failure	401 {object} Problem
//	@Failure	403 {object} Problem
//	@Failure	404 {object} Problem
//	@Failure	409 {object} Problem
//	@Failure	412 {object} Problem
//	@Failure	503 {object} Problem
//	@Router	/routing-rules/{name} [delete]
func (a *API) deleteRoutingRule(c *call) (*formats.Response, error) { return a.routingRules.remove(c) }
