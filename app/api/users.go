package api

import (
	"net/http"

	"entrepot/app/access"
	"entrepot/app/resource"
	"entrepot/app/server"
	"entrepot/formats"
)

func (a *API) userOperations() []operation {
	return []operation{
		{method: http.MethodGet, path: "users", access: server.Permission("nexus:users:read"), run: a.listUsers},
		{method: http.MethodPost, path: "users", access: server.Permission("nexus:users:create"), run: a.createUser},
		{method: http.MethodGet, path: "users/{id}", access: server.Permission("nexus:users:read"), run: a.getUser},
		{method: http.MethodPut, path: "users/{id}", access: server.Permission("nexus:users:update"), run: a.replaceUser},
		{method: http.MethodPatch, path: "users/{id}", access: server.Permission("nexus:users:update"), run: a.patchUser},
		{method: http.MethodDelete, path: "users/{id}", access: server.Permission("nexus:users:delete"), run: a.deleteUser},
		{method: http.MethodPut, path: "users/{id}/password", access: server.SignedIn(), run: a.setPassword},
	}
}

// listUsers gives the users by id.
//
//	@Summary	List users
//	@Description	All users by id. Needs nexus:users:read.
//	@Tags	users
//	@Param	limit query int false "how many at most" minimum(1) maximum(1000) default(100)
//	@Param	cursor query string false "where to go on: next of the part before"
//	@Success	200 {object} Page[resource.User]
//	@Failure	400 {object} Problem
//	@Failure	401 {object} Problem
//	@Failure	403 {object} Problem
//	@Router	/users [get]
func (a *API) listUsers(c *call) (*formats.Response, error) { return a.users.list(c) }

// createUser makes a user.
//
//	@Summary	Make a user
//	@Description	Needs nexus:users:create.
//	@Tags	users
//	@Param	document body resource.User true "a user"
//	@Success	201 {object} resource.User
//	@Failure	400 {object} Problem
//	@Failure	401 {object} Problem
//	@Failure	403 {object} Problem
//	@Failure	409 {object} Problem
//	@Failure	415 {object} Problem
//	@Failure	422 {object} Problem
//	@Failure	503 {object} Problem
//	@Router	/users [post]
func (a *API) createUser(c *call) (*formats.Response, error) { return a.users.create(c) }

// getUser gives a user.
//
//	@Summary	Read a user
//	@Description	Needs nexus:users:read.
//	@Tags	users
//	@Param	id path string true "which"
//	@Param	If-None-Match header string false "tag of the document that the client has"
//	@Success	200 {object} resource.User
//	@Success	304
//	@Failure	401 {object} Problem
//	@Failure	403 {object} Problem
//	@Failure	404 {object} Problem
//	@Router	/users/{id} [get]
func (a *API) getUser(c *call) (*formats.Response, error) { return a.users.get(c) }

// replaceUser puts a user in the place of what is there.
//
//	@Summary	Replace a user
//	@Description	The password is not changed by this. Needs nexus:users:update.
//	@Tags	users
//	@Param	id path string true "which"
//	@Param	If-Match header string false "tag of the document as it was seen"
//	@Param	document body resource.User true "all of it: absent members get their defaults"
//	@Success	200 {object} resource.User
//	@Failure	400 {object} Problem
//	@Failure	401 {object} Problem
//	@Failure	403 {object} Problem
//	@Failure	404 {object} Problem
//	@Failure	409 {object} Problem
//	@Failure	412 {object} Problem
//	@Failure	415 {object} Problem
//	@Failure	422 {object} Problem
//	@Failure	503 {object} Problem
//	@Router	/users/{id} [put]
func (a *API) replaceUser(c *call) (*formats.Response, error) { return a.users.replace(c) }

// patchUser changes members of a user.
//
//	@Summary	Change a user
//	@Description	A merge patch as of RFC 7396: null takes a member away. The password is not changed by this. Needs nexus:users:update.
//	@Tags	users
//	@Param	id path string true "which"
//	@Param	If-Match header string false "tag of the document as it was seen"
//	@Param	patch body resource.User true "the members that change"
//	@Success	200 {object} resource.User
//	@Failure	400 {object} Problem
//	@Failure	401 {object} Problem
//	@Failure	403 {object} Problem
//	@Failure	404 {object} Problem
//	@Failure	409 {object} Problem
//	@Failure	412 {object} Problem
//	@Failure	415 {object} Problem
//	@Failure	422 {object} Problem
//	@Failure	503 {object} Problem
//	@Router	/users/{id} [patch]
func (a *API) patchUser(c *call) (*formats.Response, error) { return a.users.patch(c) }

// deleteUser deletes a user.
//
//	@Summary	Delete a user
//	@Description	Tokens and sessions of the user end. Needs nexus:users:delete.
//	@Tags	users
//	@Param	id path string true "which"
//	@Param	If-Match header string false "tag of the document as it was seen"
//	@Success	204
//	@Failure	401 {object} Problem
//	@Failure	403 {object} Problem
//	@Failure	404 {object} Problem
//	@Failure	409 {object} Problem
//	@Failure	412 {object} Problem
//	@Failure	503 {object} Problem
//	@Router	/users/{id} [delete]
func (a *API) deleteUser(c *call) (*formats.Response, error) { return a.users.remove(c) }

// Password is a new password.
type Password struct {
	Password resource.Secret `json:"password" swaggertype:"string" format:"password"`
}

// setPassword sets a user's password.
//
//	@Summary		Set a user's password
//	@Description	Sessions of the user end, but for the one that asks. Needs nexus:userschangepw:create for one's own, and nexus:* for another's. An API token cannot change passwords.
//	@Tags			users
//	@Param			id			path	string		true	"which"
//	@Param			document	body	Password	true	"the password"
//	@Success		204
//	@Failure		400	{object}	Problem
//	@Failure		401	{object}	Problem
//	@Failure		403	{object}	Problem
//	@Failure		404	{object}	Problem
//	@Failure		415	{object}	Problem
//	@Failure		422	{object}	Problem
//	@Failure		503	{object}	Problem
//	@Router			/users/{id}/password [put]
func (a *API) setPassword(c *call) (*formats.Response, error) {
	change := access.PasswordChange{UserID: c.key()}
	own := c.subject.UserID() == change.UserID && c.subject.Source() == access.SourceLocal
	if !c.permits("nexus:*") && !(own && c.permits("nexus:userschangepw:create")) {
		return nil, forbidden()
	}
	var body Password
	if err := c.decode(&body); err != nil {
		return nil, err
	}
	if own {
		change.KeepSession = c.subject.Session()
	}
	change.Password = string(body.Password)
	return empty(), a.Access.ChangePassword(c.Context(), c.actor(), change)
}
