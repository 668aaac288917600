package rest

import (
	"cmp"
	"net/http"

	"entrepot/app/access"
	"entrepot/app/server"
)

func (a *API) roleOperations() []operation {
	return []operation{
		{method: http.MethodGet, path: "v1/security/roles", access: server.Permission("nexus:roles:read"), run: a.listRoles},
		{method: http.MethodPost, path: "v1/security/roles", access: server.PermissionAfterBody("nexus:roles:create"), consumes: mediaJSON, run: a.createRole},
		{method: http.MethodGet, path: "v1/security/roles/{id}", access: server.Permission("nexus:roles:read"), run: a.getRole},
		{method: http.MethodPut, path: "v1/security/roles/{id}", access: server.PermissionAfterBody("nexus:roles:update"), consumes: mediaJSON, run: a.updateRole},
		{method: http.MethodDelete, path: "v1/security/roles/{id}", access: server.Permission("nexus:roles:delete"), run: a.deleteRole},
	}
}

type roleBody struct {
	ID          string   `json:"id"`
	Name        string   `json:"name"`
	Description *string  `json:"description"`
	Privileges  []string `json:"privileges"`
	Roles       []string `json:"roles"`
}

func role(r access.Role) object {
	return object{
		{"id", r.ID}, {"source", cmp.Or(r.Source, access.SourceLocal)}, {"name", r.Name}, {"description", r.Description}, {"readOnly", r.ReadOnly},
		{"privileges", list(r.Privileges)}, {"roles", list(r.Roles)},
	}
}

func (a *API) listRoles(c *call) (any, error) {
	roles, err := a.access.Roles(c.Context(), c.Query().Get("source"))
	if err != nil {
		return nil, err
	}
	out := []object{}
	for _, r := range roles {
		out = append(out, role(r))
	}
	return out, nil
}

func (a *API) getRole(c *call) (any, error) {
	r, err := a.access.Role(c.Context(), c.Query().Get("source"), c.Param("id"))
	if err != nil {
		return nil, err
	}
	return role(r), nil
}

// roleInput reads and checks a body, then the caller's right.
func (c *call) roleInput() (access.RoleInput, error) {
	var b roleBody
	if err := c.decode(&b); err != nil {
		return access.RoleInput{}, err
	}
	r := access.RoleInput{ID: b.ID, Name: b.Name, Description: b.Description, Privileges: b.Privileges, Roles: b.Roles}
	if err := r.Validate(); err != nil {
		return r, err
	}
	return r, c.authorize()
}

func (a *API) createRole(c *call) (any, error) {
	in, err := c.roleInput()
	if err != nil {
		return nil, err
	}
	r, err := a.access.CreateRole(c.Context(), c.actor(), in)
	if err != nil {
		return nil, err
	}
	return role(r), nil
}

func (a *API) updateRole(c *call) (any, error) {
	in, err := c.roleInput()
	if err != nil {
		return nil, err
	}
	if id := c.Param("id"); in.ID != id {
		return nil, quotedf(http.StatusConflict, "The Role id '%s' does not match the id used in the path '%s'.", in.ID, id)
	}
	return nil, a.access.UpdateRole(c.Context(), c.actor(), in)
}

func (a *API) deleteRole(c *call) (any, error) {
	if err := c.signedIn(); err != nil {
		return nil, err
	}
	return nil, a.access.DeleteRole(c.Context(), c.actor(), c.Param("id"))
}
