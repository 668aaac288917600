package rest

import (
	"net/http"
	"slices"
	"strings"

	"entrepot/app/access"
)

// userDiagnostic shows how a user's rights come together: the user, the roles with the roles and privileges in them, and the realms
// that ask for credentials. A role is shown whole once.
func (a *API) userDiagnostic(c *call) (any, error) {
	id := c.Param("id")
	for _, source := range a.access.Sources() {
		u, err := a.access.User(c.Context(), source.ID, id)
		if access.KindOf(err) == access.NotFound {
			continue
		}
		if err != nil {
			return nil, err
		}
		return a.diagnose(c, u)
	}
	return nil, statusOnly(http.StatusNotFound)
}

func (a *API) diagnose(c *call, u access.User) (any, error) {
	realms, err := a.access.ActiveRealms(c.Context())
	if err != nil {
		return nil, err
	}
	held := slices.Concat(u.Roles, u.Groups)
	byDefault, err := a.access.DefaultRole(c.Context())
	if err != nil {
		return nil, err
	}
	if byDefault != "" && slices.Contains(realms, access.RealmDefaultRole) {
		held = append(held, byDefault)
	}
	slices.Sort(held)
	roles, err := a.diagnoseRoles(c, slices.Compact(held), make(map[string]bool))
	if err != nil {
		return nil, err
	}
	return object{
		{"user", object{
			{"userId", u.ID}, {"name", strings.TrimSpace(u.FirstName + " " + u.LastName)}, {"firstName", u.FirstName}, {"lastName", u.LastName},
			{"emailAddress", u.Email}, {"source", u.Source}, {"status", string(u.Status)}, {"roles", roles},
		}},
		{"realms", list(realms)},
	}, nil
}

// diagnoseRoles shows roles by their ids. seen are those that were shown already.
func (a *API) diagnoseRoles(c *call, ids []string, seen map[string]bool) (object, error) {
	out := object{}
	for _, id := range ids {
		role, err := a.access.Role(c.Context(), "", id)
		switch {
		case access.KindOf(err) == access.NotFound:
			out = append(out, member{id, "ERROR: Failed to resolve role: " + id})
			continue
		case err != nil:
			return nil, err
		case seen[id]:
			out = append(out, member{id, "shown above"})
			continue
		}
		seen[id] = true
		within, err := a.diagnoseRoles(c, role.Roles, seen)
		if err != nil {
			return nil, err
		}
		privileges, err := a.diagnosePrivileges(c, role.Privileges)
		if err != nil {
			return nil, err
		}
		out = append(out, member{id, object{
			{"name", role.Name}, {"source", access.SourceLocal}, {"description", role.Description}, {"roles", within}, {"privileges", privileges},
		}})
	}
	return out, nil
}

func (a *API) diagnosePrivileges(c *call, names []string) (object, error) {
	out := object{}
	for _, name := range names {
		p, err := a.access.Privilege(c.Context(), name)
		if access.KindOf(err) == access.NotFound {
			out = append(out, member{name, "ERROR: Failed to resolve privilege: " + name})
			continue
		}
		if err != nil {
			return nil, err
		}
		var text any // of privileges that cannot be understood there is none
		if granted, ok := p.Permission(); ok {
			text = granted.String()
		}
		out = append(out, member{name, object{{"name", p.Name}, {"description", p.Description}, {"type", string(p.Type)}, {"permission", text}}})
	}
	return out, nil
}
