// Package api is the native API below /api/v1: the same calls of the domains as the REST API of the old server, with today's manners.
//
// Errors are problem documents (RFC 9457) with a pointer to each wrong member. Lists come in parts, with the cursor of the next one in
// the body and in a Link header. Every document has a tag: If-None-Match saves a read, If-Match keeps a change from going over another's.
// PUT replaces a document, PATCH changes members of it (RFC 7396). Secrets can be written and never be read; one that is absent stays.
//
// Invariants:
//
//   - Every operation names what it needs, and is described in docs/swagger.json; a test walks the routes.
//   - A body has a limit and is read strictly: a member that is not known is an error that names it.
//   - Callers without credentials change nothing.
//
// Example:
//
//	a := api.New(api.Options{Engine: engine, Access: users, Resources: resources, …})
//	err := a.Mount(s, authenticator)
package api

//go:generate ../../packaging/api-docs.sh write

// The general part of the description, which swag reads from here.
//
//	@title			Entrepot
//	@version		1
//	@description	The native API of the artifact repository server. Send credentials as Basic, or an API token as Bearer.
//	@basePath		/api/v1
//	@accept			json
//	@produce		application/json,application/problem+json
//	@securityDefinitions.basic	basic
//	@securityDefinitions.apikey	token
//	@in				header
//	@name			Authorization
//	@description	An API token: "Bearer ent_…"
