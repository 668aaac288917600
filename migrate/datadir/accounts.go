package datadir

import (
	"context"
	"strings"

	"entrepot/app/access"
	"entrepot/app/repository"
	"entrepot/migrate/inventory"
)

// readAccounts reads who may do what.
func (d *Directory) readAccounts(ctx context.Context, inv *inventory.Inventory) error {
	a := &inv.Access
	for _, read := range []func(context.Context, *inventory.Access) error{
		d.readSelectors, d.readPrivileges, d.readRoles, d.readUsers, d.readRealms,
	} {
		if err := read(ctx, a); err != nil {
			return err
		}
	}
	d.readTokens(a)
	return nil
}

func (d *Directory) readSelectors(ctx context.Context, a *inventory.Access) error {
	for r, err := range d.rows(ctx, "selector_configuration") {
		if err != nil {
			return err
		}
		a.Selectors = append(a.Selectors, access.Selector{
			Name: r.text("name"), Type: r.text("type"), Description: r.optional("description"), Expression: r.object("attributes").text("expression"),
		})
		if r.err != nil {
			return r.err
		}
	}
	return nil
}

// optional reads a text that may be NULL.
func (r *row) optional(column string) *string {
	text, ok := get[string](r, column)
	if !ok {
		return nil
	}
	return &text
}

func (d *Directory) readPrivileges(ctx context.Context, a *inventory.Access) error {
	for r, err := range d.rows(ctx, "privilege") {
		if err != nil {
			return err
		}
		p, properties := access.Privilege{Name: r.text("name"), Type: access.PrivilegeType(r.text("type"))}, r.object("properties")
		p.Description = r.optional("description")
		p.Pattern, p.Domain, p.Format = properties.text("pattern"), properties.text("domain"), properties.text("format")
		p.Repository, p.Selector = properties.text("repository"), properties.text("contentSelector")
		if p.Type == access.TypeScript {
			p.Script = properties.text("name")
		}
		for action := range strings.SplitSeq(properties.text("actions"), ",") {
			if action = strings.TrimSpace(action); action != "" {
				p.Actions = append(p.Actions, action)
			}
		}
		a.Privileges = append(a.Privileges, p)
		if r.err != nil {
			return r.err
		}
	}
	return nil
}

func (d *Directory) readRoles(ctx context.Context, a *inventory.Access) error {
	for r, err := range d.rows(ctx, "role") {
		if err != nil {
			return err
		}
		a.Roles = append(a.Roles, access.RoleInput{
			ID: r.text("id"), Name: r.text("name"), Description: r.optional("description"), Privileges: r.list("privileges"), Roles: r.list("roles"),
		})
		if r.err != nil {
			return r.err
		}
	}
	return nil
}

// readUsers reads local users, and the users of other sources that were given roles.
func (d *Directory) readUsers(ctx context.Context, a *inventory.Access) error {
	type id struct{ source, user string }
	roles := make(map[id][]string)
	var external []access.ImportedUser
	for r, err := range d.rows(ctx, "user_role_mapping") {
		if err != nil {
			return err
		}
		key := id{r.text("source"), r.text("user_id")}
		roles[key] = r.list("roles")
		if key.source != access.SourceLocal {
			user := access.User{ID: key.user, Source: key.source, Status: access.StatusActive, Roles: roles[key]}
			external = append(external, access.ImportedUser{User: user})
		}
		if r.err != nil {
			return r.err
		}
	}
	for r, err := range d.rows(ctx, "security_user") {
		if err != nil {
			return err
		}
		user := access.User{
			ID: r.text("id"), Source: access.SourceLocal, FirstName: r.text("first_name"), LastName: r.text("last_name"),
			Email: r.text("email"), Status: access.Status(r.text("status")),
		}
		user.Roles = roles[id{user.Source, user.ID}]
		a.Users = append(a.Users, access.ImportedUser{User: user, PasswordHash: r.text("password")})
		if r.err != nil {
			return r.err
		}
	}
	a.Users = append(a.Users, external...)
	return nil
}

// readRealms reads who is asked for credentials, and as whom callers without any act.
func (d *Directory) readRealms(ctx context.Context, a *inventory.Access) error {
	for r, err := range d.rows(ctx, "realm_configuration") {
		if err != nil {
			return err
		}
		if a.Realms = r.list("realm_names"); r.err != nil {
			return r.err
		}
	}
	a.Anonymous = &access.Anonymous{Enabled: true, UserID: access.UserAnonymous, Realm: access.RealmAuthorizing} // until it is saved
	for r, err := range d.rows(ctx, "anonymous_configuration") {
		if err != nil {
			return err
		}
		a.Anonymous = &access.Anonymous{Enabled: r.flag("enabled"), UserID: r.text("user_id"), Realm: r.text("realm_name")}
		if r.err != nil {
			return r.err
		}
	}
	for r, err := range d.rows(ctx, "capability_storage_item") {
		if err != nil {
			return err
		}
		if r.text("type") == "defaultrole" && r.flag("enabled") {
			a.DefaultRole = r.object("properties").text("role")
		}
		if r.err != nil {
			return r.err
		}
	}
	return nil
}

// sourceOf gives the source of the users that a realm knows.
func sourceOf(realm string) string {
	switch realm {
	case access.RealmLocal, access.RealmAuthorizing:
		return access.SourceLocal
	case "LdapRealm":
		return "LDAP"
	case "SamlRealm":
		return "SAML"
	}
	return realm
}

// readTokens translates the keys that were opened with the other secrets.
func (d *Directory) readTokens(a *inventory.Access) {
	for _, k := range d.survey.APIKeys {
		a.Tokens = append(a.Tokens, inventory.Token{
			Token: access.Token{Domain: k.Domain, Source: sourceOf(k.Realm), User: k.User, Created: k.Created.UTC()},
			Text:  repository.Secret(k.Token.Reveal()),
		})
	}
}
