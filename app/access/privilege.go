package access

import (
	"slices"
	"strings"

	"entrepot/app/access/permission"
)

// PrivilegeType says which members of a Privilege mean something.
type PrivilegeType string

// The types of privileges.
const (
	TypeWildcard    PrivilegeType = "wildcard"                    // Pattern
	TypeApplication PrivilegeType = "application"                 // Domain, Actions
	TypeView        PrivilegeType = "repository-view"             // Format, Repository, Actions
	TypeAdmin       PrivilegeType = "repository-admin"            // Format, Repository, Actions
	TypeSelector    PrivilegeType = "repository-content-selector" // Selector, Format, Repository, Actions
	TypeScript      PrivilegeType = "script"                      // Script, Actions
)

// PrivilegeTypes gives all types.
func PrivilegeTypes() []PrivilegeType {
	return []PrivilegeType{TypeScript, TypeAdmin, TypeSelector, TypeView, TypeApplication, TypeWildcard}
}

// Privilege is a named permission. Actions are kept as the permission spells them ("create", "*"); ActionLabel and ParseAction
// translate from and to the names that clients see.
type Privilege struct {
	Name        string
	Type        PrivilegeType
	Description *string // nil when never given
	ReadOnly    bool    // built in

	Pattern    string
	Domain     string
	Format     string // an id or "*"
	Repository string // a name, "*", or for TypeSelector also "*-FORMAT"
	Selector   string
	Script     string // a name or "*"
	Actions    []string
}

// actionLabels are the names under which clients know the actions, in the order of their enumeration.
var actionLabels = []string{"READ", "BROWSE", "EDIT", "ADD", "DELETE", "RUN", "START", "STOP", "ASSOCIATE", "DISASSOCIATE", "ALL"}

// ActionLabel gives the name under which clients know an action of a privilege.
func ActionLabel(t PrivilegeType, action string) string {
	switch {
	case action == permission.Any:
		return "ALL"
	case t == TypeApplication && action == "create":
		return "ADD"
	case t == TypeApplication && action == "update":
		return "EDIT"
	}
	return strings.ToUpper(action)
}

// ParseAction reads the name of an action in any letter case; false when no action has it. Whether the type of privilege can have
// the action is checked when the privilege is stored.
func ParseAction(t PrivilegeType, label string) (string, bool) {
	label = strings.ToUpper(label)
	switch {
	case !slices.Contains(actionLabels, label):
		return "", false
	case label == "ALL":
		return permission.Any, true
	case t == TypeApplication && label == "ADD":
		return "create", true
	case t == TypeApplication && label == "EDIT":
		return "update", true
	}
	return strings.ToLower(label), true
}

// actionsOf gives the actions that a type of privilege may have.
func actionsOf(t PrivilegeType) []string {
	switch t {
	case TypeApplication:
		return []string{"create", "read", "update", "delete", "start", "stop", "associate", "disassociate", permission.Any}
	case TypeScript:
		return []string{"browse", "read", "edit", "add", "delete", "run", permission.Any}
	case TypeView, TypeAdmin, TypeSelector:
		return []string{"browse", "read", "edit", "add", "delete", permission.Any}
	}
	return nil
}

// Permission gives what holding the privilege grants; false when it grants nothing because it cannot be understood.
func (p *Privilege) Permission() (permission.Permission, bool) {
	switch p.Type {
	case TypeWildcard:
		parsed, err := permission.Parse(p.Pattern)
		return parsed, err == nil
	case TypeApplication:
		return permission.Application(p.Domain, p.Actions...), len(p.Actions) > 0
	case TypeView:
		return permission.RepositoryView(p.Format, p.Repository, p.Actions...), len(p.Actions) > 0
	case TypeAdmin:
		return permission.RepositoryAdmin(p.Format, p.Repository, p.Actions...), len(p.Actions) > 0
	case TypeSelector:
		format, repository := selectorScope(p.Repository)
		return permission.ContentSelector(p.Selector, format, repository, p.Actions...), len(p.Actions) > 0
	case TypeScript:
		return permission.Script(p.Script, p.Actions...), len(p.Actions) > 0
	}
	return permission.Permission{}, false
}

// selectorScope reads the repository member of a selector privilege: a name, "*", or "*-FORMAT". The format member of the
// privilege restricts nothing: so it is on the servers whose rules this follows, and users' rights must survive the move.
func selectorScope(repository string) (format, name string) {
	if only, found := strings.CutPrefix(repository, "*-"); found {
		return only, permission.Any
	}
	return permission.Any, repository
}

// validate finds the faults that the privilege has by itself.
func (p *Privilege) validate() error {
	var s shapes
	checkName(&s, p.Name)
	switch p.Type {
	case TypeWildcard:
		s.add(blank(p.Pattern), "pattern", mustNotBeBlank)
	case TypeApplication:
		s.add(blank(p.Domain), "domain", mustNotBeBlank)
	case TypeView, TypeAdmin, TypeSelector:
		s.add(blank(p.Format), "format", mustNotBeBlank)
		s.add(blank(p.Repository), "repository", mustNotBeBlank)
		s.add(p.Type == TypeSelector && blank(p.Selector), "contentSelector", mustNotBeBlank)
	case TypeScript:
		s.add(blank(p.Script), "scriptName", mustNotBeBlank)
	default:
		return refuse(Refused, "Privilege type '%s' is unknown.", p.Type)
	}
	s.add(p.Type != TypeWildcard && len(p.Actions) == 0, "actions", mustNotBeEmpty)
	return s.err()
}

// checkActions refuses actions that the type of privilege cannot have.
func (p *Privilege) checkActions() error {
	if p.Type == TypeWildcard {
		return nil
	}
	allowed := actionsOf(p.Type)
	var wrong []string
	for _, action := range p.Actions {
		if !slices.Contains(allowed, action) {
			wrong = append(wrong, ActionLabel(p.Type, action))
		}
	}
	if len(wrong) > 0 {
		return refuse(Refused, "Privilege of type '%s' cannot use action(s) of type '%s'.", p.Type, strings.Join(wrong, ", "))
	}
	return nil
}

func (p *Privilege) clone() Privilege {
	c := *p
	c.Actions = slices.Clone(p.Actions)
	if p.Description != nil {
		text := *p.Description
		c.Description = &text
	}
	return c
}
