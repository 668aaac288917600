package rest

import (
	"context"
	"fmt"
	"net/url"

	"entrepot/app/access"
	"entrepot/migrate/inventory"
)

// readAccounts reads who may do what. What every server has built in stays behind.
func (s *Server) readAccounts(ctx context.Context, inv *inventory.Inventory) error {
	a := &inv.Access
	for _, read := range []func(context.Context, *inventory.Access) error{
		s.readSelectors, s.readPrivileges, s.readRoles, s.readUsers, s.readRealms,
	} {
		if err := read(ctx, a); err != nil {
			return err
		}
	}
	return nil
}

func (s *Server) readSelectors(ctx context.Context, a *inventory.Access) error {
	var all []struct {
		Name, Type, Expression string
		Description            *string
	}
	if _, err := s.read(ctx, &all, "security/content-selectors", nil); err != nil {
		return err
	}
	for _, c := range all {
		a.Selectors = append(a.Selectors, access.Selector{Name: c.Name, Type: c.Type, Description: c.Description, Expression: c.Expression})
	}
	return nil
}

func (s *Server) readPrivileges(ctx context.Context, a *inventory.Access) error {
	var all []struct {
		Type, Name, Pattern, Domain, Format, Repository, ContentSelector, ScriptName string
		Description                                                                  *string
		Actions                                                                      []string
		ReadOnly                                                                     bool
	}
	if _, err := s.read(ctx, &all, "security/privileges", nil); err != nil {
		return err
	}
	for _, p := range all {
		if p.ReadOnly {
			continue
		}
		t := access.PrivilegeType(p.Type)
		out := access.Privilege{
			Type: t, Name: p.Name, Description: p.Description, Pattern: p.Pattern, Domain: p.Domain, Format: p.Format, Repository: p.Repository,
			Selector: p.ContentSelector, Script: p.ScriptName,
		}
		for _, label := range p.Actions {
			action, ok := access.ParseAction(t, label)
			if !ok {
				return fmt.Errorf("rest: privilege %s has the unknown action %q", p.Name, label)
			}
			out.Actions = append(out.Actions, action)
		}
		a.Privileges = append(a.Privileges, out)
	}
	return nil
}

func (s *Server) readRoles(ctx context.Context, a *inventory.Access) error {
	var all []struct {
		ID, Name          string
		Description       *string
		Privileges, Roles []string
		ReadOnly          bool
	}
	if _, err := s.read(ctx, &all, "security/roles", url.Values{"source": {access.SourceLocal}}); err != nil {
		return err
	}
	for _, r := range all {
		if !r.ReadOnly {
			a.Roles = append(a.Roles, access.RoleInput{ID: r.ID, Name: r.Name, Description: r.Description, Privileges: r.Privileges, Roles: r.Roles})
		}
	}
	return nil
}

func (s *Server) readUsers(ctx context.Context, a *inventory.Access) error {
	var all []struct {
		UserID, FirstName, LastName, EmailAddress, Source, Status string
		Roles                                                     []string
	}
	if _, err := s.read(ctx, &all, "security/users", url.Values{"source": {access.SourceLocal}}); err != nil {
		return err
	}
	for _, u := range all {
		a.Users = append(a.Users, access.ImportedUser{User: access.User{
			ID: u.UserID, Source: access.SourceLocal, FirstName: u.FirstName, LastName: u.LastName, Email: u.EmailAddress, Status: access.Status(u.Status),
			Roles: u.Roles,
		}})
	}
	return nil
}

// readRealms reads who is asked for credentials, and as whom callers without any act.
func (s *Server) readRealms(ctx context.Context, a *inventory.Access) error {
	if _, err := s.read(ctx, &a.Realms, "security/realms/active", nil); err != nil {
		return err
	}
	var anonymous struct {
		Enabled           bool
		UserID, RealmName string
	}
	found, err := s.read(ctx, &anonymous, "security/anonymous", nil)
	if found {
		a.Anonymous = &access.Anonymous{Enabled: anonymous.Enabled, UserID: anonymous.UserID, Realm: anonymous.RealmName}
	}
	return err
}
