package resource

import (
	"context"

	"entrepot/app/access"
)

// Role is a named set of privileges and other roles.
type Role struct {
	ID          string   `json:"id" example:"developers"`
	Name        string   `json:"name"` // the id when absent
	Description string   `json:"description"`
	ReadOnly    bool     `json:"readOnly,omitempty"` // came with the server; decided by it
	Privileges  []string `json:"privileges"`         // names
	Roles       []string `json:"roles"`              // ids
}

// Roles gives the local roles.
func (r *Resources) Roles() *Set[Role] {
	return &Set[Role]{
		Name:  "roles",
		Key:   func(d *Role) string { return d.ID },
		Blank: func() Role { return Role{} },
		Fill: func(d *Role) {
			if d.Name == "" {
				d.Name = d.ID
			}
			d.Privileges, d.Roles = listed(d.Privileges), listed(d.Roles)
		},
		List: func(ctx context.Context) ([]Role, error) {
			roles, err := r.Access.Roles(ctx, "")
			list := []Role{}
			for _, role := range roles {
				list = append(list, roleOf(role))
			}
			return list, err
		},
		Get: func(ctx context.Context, id string) (Role, error) {
			role, err := r.Access.Role(ctx, access.SourceLocal, id)
			return roleOf(role), err
		},
		Row: r.Access.RoleRow,
		Create: func(ctx context.Context, actor access.Actor, d Role) error {
			_, err := r.Access.CreateRole(ctx, actor, d.input())
			return err
		},
		Replace: func(ctx context.Context, actor access.Actor, id string, d Role) error {
			if d.ID != id {
				return renamed("id")
			}
			return r.Access.UpdateRole(ctx, actor, d.input())
		},
		Delete: r.Access.DeleteRole,
		Needs:  func(d *Role) []string { return d.Roles },
		Given:  func(d *Role) bool { return d.ReadOnly },
	}
}

// renamed refuses another name than that of the address.
func renamed(field string) error {
	return &SyntaxError{Field: field, Message: "must be what the address says: it cannot be changed"}
}

func roleOf(r access.Role) Role {
	return Role{ID: r.ID, Name: r.Name, Description: r.Description, ReadOnly: r.ReadOnly, Privileges: listed(r.Privileges), Roles: listed(r.Roles)}
}

func (d *Role) input() access.RoleInput {
	return access.RoleInput{ID: d.ID, Name: d.Name, Description: &d.Description, Privileges: d.Privileges, Roles: d.Roles}
}

// Privilege is a named permission. Which members mean something depends on the type.
type Privilege struct {
	Name        string   `json:"name"`
	Type        string   `json:"type" enums:"wildcard,application,repository-view,repository-admin,repository-content-selector,script"`
	Description *string  `json:"description,omitempty"`
	ReadOnly    bool     `json:"readOnly,omitempty"`   // came with the server or a repository; decided by it
	Pattern     string   `json:"pattern,omitempty"`    // wildcard
	Domain      string   `json:"domain,omitempty"`     // application
	Format      string   `json:"format,omitempty"`     // repository-*: a format or "*"
	Repository  string   `json:"repository,omitempty"` // repository-*: a name, "*", or "*-FORMAT" for content selectors
	Selector    string   `json:"selector,omitempty"`   // repository-content-selector
	Script      string   `json:"script,omitempty"`     // script: a name or "*"
	Actions     []string `json:"actions,omitempty"`    // for example read, browse, edit, add, delete, or "*"
}

// Privileges gives the privileges, also those of formats and repositories.
func (r *Resources) Privileges() *Set[Privilege] {
	return &Set[Privilege]{
		Name:  "privileges",
		Key:   func(d *Privilege) string { return d.Name },
		Blank: func() Privilege { return Privilege{} },
		List: func(ctx context.Context) ([]Privilege, error) {
			privileges, err := r.Access.Privileges(ctx)
			list := []Privilege{}
			for _, p := range privileges {
				list = append(list, privilegeOf(p))
			}
			return list, err
		},
		Get: func(ctx context.Context, name string) (Privilege, error) {
			p, err := r.Access.Privilege(ctx, name)
			return privilegeOf(p), err
		},
		Row: r.Access.PrivilegeRow,
		Create: func(ctx context.Context, actor access.Actor, d Privilege) error {
			return r.Access.CreatePrivilege(ctx, actor, d.privilege())
		},
		Replace: func(ctx context.Context, actor access.Actor, name string, d Privilege) error {
			if d.Name != name {
				return renamed("name")
			}
			return r.Access.UpdatePrivilege(ctx, actor, d.privilege())
		},
		Delete: r.Access.DeletePrivilege,
		Given:  func(d *Privilege) bool { return d.ReadOnly },
	}
}

func privilegeOf(p access.Privilege) Privilege {
	return Privilege{
		Name: p.Name, Type: string(p.Type), Description: p.Description, ReadOnly: p.ReadOnly, Pattern: p.Pattern, Domain: p.Domain, Format: p.Format,
		Repository: p.Repository, Selector: p.Selector, Script: p.Script, Actions: p.Actions,
	}
}

func (d *Privilege) privilege() access.Privilege {
	return access.Privilege{
		Name: d.Name, Type: access.PrivilegeType(d.Type), Description: d.Description, Pattern: d.Pattern, Domain: d.Domain, Format: d.Format,
		Repository: d.Repository, Selector: d.Selector, Script: d.Script, Actions: d.Actions,
	}
}

// Selector is a content selector: a named expression over format and path.
type Selector struct {
	Name        string  `json:"name"`
	Type        string  `json:"type,omitempty" enums:"csel,jexl"` // decided by the server
	Description *string `json:"description,omitempty"`
	Expression  string  `json:"expression" example:"format == \"maven2\" and path =^ \"/org/acme/\""`
}

// Selectors gives the content selectors.
func (r *Resources) Selectors() *Set[Selector] {
	return &Set[Selector]{
		Name:  "content-selectors",
		Key:   func(d *Selector) string { return d.Name },
		Blank: func() Selector { return Selector{Type: access.SelectorType} },
		List: func(ctx context.Context) ([]Selector, error) {
			selectors, err := r.Access.Selectors(ctx)
			list := []Selector{}
			for _, s := range selectors {
				list = append(list, Selector(s))
			}
			return list, err
		},
		Get: func(ctx context.Context, name string) (Selector, error) {
			s, err := r.Access.Selector(ctx, name)
			return Selector(s), err
		},
		Row: r.Access.SelectorRow,
		Create: func(ctx context.Context, actor access.Actor, d Selector) error {
			return r.Access.CreateSelector(ctx, actor, access.Selector(d))
		},
		Replace: func(ctx context.Context, actor access.Actor, name string, d Selector) error {
			if d.Name != name {
				return renamed("name")
			}
			return r.Access.UpdateSelector(ctx, actor, access.Selector(d))
		},
		Delete: r.Access.DeleteSelector,
	}
}
