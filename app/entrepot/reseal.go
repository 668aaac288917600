package main

import (
	"context"
	"fmt"

	"entrepot/app/access"
	"entrepot/app/kept"
	"entrepot/migrate/importer"
)

// reseal stores every secret again, so that it is sealed with the first key of the key file. Killed, it can be run again.
func (a *appliance) reseal(ctx context.Context) error {
	for _, step := range []struct {
		what string
		run  func(context.Context) error
	}{
		{"repositories", a.resealRepositories}, {"settings", a.resealSettings}, {"directories", a.resealDirectories}, {"OpenID Connect", a.OAuth2.Reseal}, {"SAML", a.SAML.Reseal}, {"kept settings", a.resealKept},
		{"journal of imports", func(ctx context.Context) error { return importer.Reseal(ctx, a.store, a.sealer) }},
	} {
		if err := step.run(ctx); err != nil {
			return fmt.Errorf("seal secrets of %s: %w", step.what, err)
		}
	}
	return nil
}

func (a *appliance) resealRepositories(ctx context.Context) error {
	for _, d := range a.Engine.List() {
		if len(d.Secrets) == 0 && (d.Upstream == nil || d.Upstream.Authentication == nil) {
			continue
		}
		if err := a.Engine.Import(ctx, d, access.System().UserID); err != nil {
			return fmt.Errorf("%s: %w", d.Name, err)
		}
	}
	return nil
}

func (a *appliance) resealSettings(ctx context.Context) error {
	if s, stored := a.Outbound.Settings(); stored {
		if err := a.Outbound.Set(ctx, s); err != nil {
			return err
		}
	}
	m, stored, err := a.Mail.Settings(ctx)
	if err != nil {
		return err
	}
	if stored {
		if err := a.Mail.Set(ctx, m); err != nil {
			return err
		}
	}
	all, err := a.Settings.Capabilities(ctx)
	if err != nil {
		return err
	}
	for _, c := range all {
		if len(c.Secrets) > 0 {
			if err := a.Settings.Import(ctx, c); err != nil {
				return err
			}
		}
	}
	return nil
}

// resealDirectories puts the directory servers into the order that they have, which stores all of them.
func (a *appliance) resealDirectories(ctx context.Context) error {
	servers, err := a.LDAP.Servers(ctx)
	if err != nil || len(servers) == 0 {
		return err
	}
	names := make([]string, len(servers))
	for i, s := range servers {
		names[i] = s.Name
	}
	return a.LDAP.Reorder(ctx, access.System(), names)
}

func (a *appliance) resealKept(ctx context.Context) error {
	records := kept.New(a.store, a.sealer)
	sections, err := records.Sections(ctx)
	if err != nil {
		return err
	}
	for _, section := range sections {
		for r, err := range records.Section(ctx, section) {
			if err != nil {
				return err
			}
			if len(r.Secrets) == 0 {
				continue
			}
			if err := records.Put(ctx, r); err != nil {
				return err
			}
		}
	}
	return nil
}
