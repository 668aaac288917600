package rest

import (
	"errors"
	"net/http"
	"slices"
	"strconv"

	"entrepot/app/access"
	"entrepot/app/server"
)

func (a *API) privilegeOperations() []operation {
	ops := []operation{
		{method: http.MethodGet, path: "v1/security/privileges", access: server.Permission("nexus:privileges:read"), run: a.listPrivileges},
		{method: http.MethodGet, path: "v1/security/privileges/{name}", access: server.Permission("nexus:privileges:read"), run: a.getPrivilege},
		{method: http.MethodDelete, path: "v1/security/privileges/{name}", access: server.Permission("nexus:privileges:delete"), run: a.deletePrivilege},
	}
	for _, t := range access.PrivilegeTypes() {
		named := func(run func(*call, string) (any, error)) func(*call) (any, error) { // a privilege may have the name of a type
			return func(c *call) (any, error) { return run(c, string(t)) }
		}
		ops = append(ops,
			operation{
				method: http.MethodGet, path: "v1/security/privileges/" + string(t), access: server.Permission("nexus:privileges:read"),
				run: named(a.privilegeNamed),
			},
			operation{
				method: http.MethodDelete, path: "v1/security/privileges/" + string(t), access: server.Permission("nexus:privileges:delete"),
				run: named(a.deletePrivilegeNamed),
			},
			operation{
				method: http.MethodPost, path: "v1/security/privileges/" + string(t), access: server.PermissionAfterBody("nexus:privileges:create"),
				consumes: mediaJSON, status: http.StatusCreated, run: func(c *call) (any, error) { return a.createPrivilege(c, t) },
			},
			operation{
				method: http.MethodPut, path: "v1/security/privileges/" + string(t) + "/{name}", access: server.PermissionAfterBody("nexus:privileges:update"),
				consumes: mediaJSON, run: func(c *call) (any, error) { return a.updatePrivilege(c, t) },
			})
	}
	return ops
}

type privilegeBody struct {
	Name        *string  `json:"name"`
	Description *string  `json:"description"`
	Actions     []string `json:"actions"`
	Pattern     string   `json:"pattern"`
	Domain      string   `json:"domain"`
	Format      string   `json:"format"`
	Repository  string   `json:"repository"`
	Selector    string   `json:"contentSelector"`
	Script      string   `json:"scriptName"`
}

// privilege is a privilege as clients see it; the members depend on its type.
func privilege(p access.Privilege) object {
	out := object{{"type", p.Type}, {"name", p.Name}, {"description", p.Description}, {"readOnly", p.ReadOnly}}
	actions := []string{}
	for _, action := range p.Actions {
		actions = append(actions, access.ActionLabel(p.Type, action))
	}
	switch p.Type {
	case access.TypeWildcard:
		return append(out, member{"pattern", p.Pattern})
	case access.TypeApplication:
		return append(out, member{"domain", p.Domain}, member{"actions", actions})
	case access.TypeScript:
		return append(out, member{"actions", actions}, member{"scriptName", p.Script})
	}
	out = append(out, member{"actions", actions}, member{"format", p.Format}, member{"repository", p.Repository})
	if p.Type == access.TypeSelector {
		out = append(out, member{"contentSelector", p.Selector})
	}
	return out
}

func (a *API) listPrivileges(c *call) (any, error) {
	privileges, err := a.access.Privileges(c.Context())
	if err != nil {
		return nil, err
	}
	out := make([]object, 0, len(privileges))
	for _, p := range privileges {
		out = append(out, privilege(p))
	}
	return out, nil
}

func (a *API) getPrivilege(c *call) (any, error) { return a.privilegeNamed(c, c.Param("name")) }

func (a *API) privilegeNamed(c *call, name string) (any, error) {
	p, err := a.access.Privilege(c.Context(), name)
	if err != nil {
		return nil, err
	}
	return privilege(p), nil
}

// privilegeInput reads and checks a body, then the caller's right.
func (c *call) privilegeInput(t access.PrivilegeType) (access.Privilege, error) {
	var b privilegeBody
	if err := c.decode(&b); err != nil {
		return access.Privilege{}, err
	}
	p := access.Privilege{
		Name: deref(b.Name), Type: t, Description: b.Description, Pattern: b.Pattern, Domain: b.Domain, Format: b.Format,
		Repository: b.Repository, Selector: b.Selector, Script: b.Script,
	}
	for _, label := range b.Actions {
		action, ok := access.ParseAction(t, label)
		if !ok {
			return p, &errShape{[]string{"actions", "*"}, "Cannot deserialize value from String " + strconv.Quote(label) + ": not one of the values accepted"}
		}
		p.Actions = append(p.Actions, action)
	}
	if err := withoutNameRule(b.Name, p.Validate()); err != nil {
		return p, err
	}
	return p, c.authorize()
}

func (a *API) createPrivilege(c *call, t access.PrivilegeType) (any, error) {
	p, err := c.privilegeInput(t)
	if err != nil {
		return nil, err
	}
	return nil, a.access.CreatePrivilege(c.Context(), c.actor(), p)
}

func (a *API) updatePrivilege(c *call, t access.PrivilegeType) (any, error) {
	p, err := c.privilegeInput(t)
	if err != nil {
		return nil, err
	}
	if name := c.Param("name"); p.Name != name {
		return nil, quotedf(http.StatusConflict, "The privilege name '%s' does not match the name used in the path '%s'.", p.Name, name)
	}
	return nil, a.access.UpdatePrivilege(c.Context(), c.actor(), p)
}

func (a *API) deletePrivilege(c *call) (any, error) {
	return a.deletePrivilegeNamed(c, c.Param("name"))
}

func (a *API) deletePrivilegeNamed(c *call, name string) (any, error) {
	if err := c.signedIn(); err != nil {
		return nil, err
	}
	return nil, a.access.DeletePrivilege(c.Context(), c.actor(), name)
}

// withoutNameRule takes what is wrong with the spelling of a name out of an error when there was no name at all: clients are told
// only that it is missing.
func withoutNameRule(name *string, err error) error {
	var refused *access.Error
	if name != nil || !errors.As(err, &refused) {
		return err
	}
	fields := slices.DeleteFunc(slices.Clone(refused.Fields), func(f access.FieldError) bool {
		return f.Field == "name" && f.Message == nameRule
	})
	return &access.Error{Kind: refused.Kind, Message: refused.Message, Fields: fields}
}
