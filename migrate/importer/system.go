package importer

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"entrepot/app/access"
	"entrepot/app/access/ldap"
	"entrepot/app/access/oidc"
	"entrepot/app/access/saml"
	"entrepot/app/mail"
	"entrepot/app/node"
	"entrepot/app/outbound"
	"entrepot/app/repository"
	"entrepot/app/scripts"
	"entrepot/app/settings"
	"entrepot/app/trust"
	"entrepot/migrate/inventory"
)

// Sections of what is set for the whole server.
const (
	sectionCertificates = "certificates"
	sectionHTTP         = "http"
	sectionMail         = "email"
	sectionCapabilities = "capabilities"
	sectionScripts      = "scripts"
	sectionSystem       = "system"
	sectionLDAP         = "ldap"
)

// System is what takes the settings of the whole server. All members are required.
type System struct {
	Node     *node.Node
	Trust    *trust.Store
	Outbound *outbound.Service
	Mail     *mail.Service
	Settings *settings.Settings
	Scripts  *scripts.Store
	LDAP     *ldap.Service
	SAML     *saml.Service
	OAuth2   *oidc.Service
}

// ldapOrder is the setting of the section ldap that is no server; servers follow ldapServer.
const (
	ldapOrder  = "order"
	ldapServer = "server/"
)

// noteRealms says which ways to sign in do not come along.
func (p *Plan) noteRealms(inv *inventory.Inventory) {
	for _, id := range inv.Access.Realms {
		switch {
		case !p.target.Access.RealmInstalled(id):
			p.Notes = append(p.Notes, fmt.Sprintf("Realm %s is active there and not known here: it keeps its place in the order and lets nobody in.", id))
		case id == ldap.RealmID && len(inv.System.LDAP) == 0:
			p.Notes = append(p.Notes, "The LDAP realm is active there, but no LDAP server comes along: nobody signs in through it until one is set up.")
		case id == saml.RealmID && inv.System.SAML == nil:
			p.Notes = append(p.Notes, "The SAML realm is active there, but no provider comes along: nobody signs in through it until one is set up.")
		case id == oidc.RealmID && inv.System.OAuth2 == nil:
			p.Notes = append(p.Notes, "The OAuth2 realm is active there, but no provider comes along: nobody signs in through it until one is set up.")
		}
	}
}

// directories lists LDAP servers, and then their order.
func (p *Plan) directories(servers []ldap.Server) []*setting {
	var all []*setting
	var names []string
	target, actor := p.target.System.LDAP, access.Actor{UserID: p.opts.Actor, Source: access.SourceLocal}
	for _, s := range servers {
		names = append(names, s.Name)
		all = append(all, &setting{
			section: sectionLDAP, name: ldapServer + s.Name, content: s, secrets: []repository.Secret{repository.Secret(s.Password)},
			write: func(ctx context.Context) error { return target.Import(ctx, actor, s) },
		})
	}
	if len(names) > 1 {
		all = append(all, &setting{
			section: sectionLDAP, name: ldapOrder, content: names, write: func(ctx context.Context) error { return target.Arrange(ctx, actor, names) },
		})
	}
	return all
}

// directoryHome knows LDAP servers with their passwords, and their order.
func (p *Plan) directoryHome(actor access.Actor) home {
	target := p.target.System.LDAP
	return home{
		func(ctx context.Context, name string) (any, error) {
			if name == ldapOrder {
				servers, err := target.Servers(ctx)
				names := []string{}
				for _, s := range servers {
					names = append(names, s.Name)
				}
				return names, err
			}
			s, err := target.Server(ctx, strings.TrimPrefix(name, ldapServer))
			return stateOf([]any{s, string(s.Password)}, err)
		},
		func(ctx context.Context, name string) error {
			if name == ldapOrder {
				return nil // it goes with the servers
			}
			return target.Delete(ctx, actor, strings.TrimPrefix(name, ldapServer))
		},
	}
}

// system lists what is set for the whole server.
func (p *Plan) system(s *inventory.System) []*setting {
	var all []*setting
	target := p.target.System
	add := func(section, name string, content any, write func(ctx context.Context) error) *setting {
		all = append(all, &setting{section: section, name: name, content: content, write: write})
		return all[len(all)-1]
	}
	held := s.Secrets()
	if s.NodeID != "" {
		add(sectionSystem, "node", s.NodeID, func(ctx context.Context) error { return target.Node.Adopt(ctx, s.NodeID) })
	}
	all = append(all, p.certificates(s.Certificates)...)
	if s.HTTP != nil {
		added := add(sectionHTTP, "settings", s.HTTP, func(ctx context.Context) error { return target.Outbound.Set(ctx, *s.HTTP) })
		for _, name := range []string{"http", "https"} {
			if h, ok := held[name]; ok {
				added.secrets = append(added.secrets, repository.Secret(h.Get()))
			}
		}
	}
	if s.Mail != nil {
		added := add(sectionMail, "settings", s.Mail, func(ctx context.Context) error { return target.Mail.Set(ctx, *s.Mail) })
		added.secrets = []repository.Secret{repository.Secret(s.Mail.Password)}
	}
	for _, c := range s.Capabilities {
		added := add(sectionCapabilities, c.ID, c, func(ctx context.Context) error { return target.Settings.Import(ctx, c) })
		for _, id := range slices.Sorted(maps.Keys(c.Secrets)) {
			added.secrets = append(added.secrets, repository.Secret(c.Secrets[id]))
		}
		_, added.why = settings.Standing(c)
		added.kept = added.why != ""
	}
	all = append(all, p.directories(s.LDAP)...)
	all = append(all, p.signOns(s)...)
	for _, c := range s.Scripts {
		added := add(sectionScripts, c.Name, c, func(ctx context.Context) error { return target.Scripts.Import(ctx, c) })
		added.why, added.kept = "listed and never run", true
	}
	return all
}

// serverHome gives the home of a section of what is set for the whole server.
func (p *Plan) serverHome(section string) home {
	switch section {
	case sectionCapabilities:
		return p.capabilityHome()
	case sectionScripts:
		return p.scriptHome()
	case sectionMail:
		return p.mailHome()
	case sectionHTTP:
		return p.httpHome()
	case sectionCertificates:
		return p.certificateHome()
	}
	return p.nodeHome()
}

// certificates lists what is trusted, by fingerprint.
func (p *Plan) certificates(trusted []inventory.Certificate) []*setting {
	var all []*setting
	for _, c := range trusted {
		parsed, err := trust.Parse(c.PEM)
		s := &setting{section: sectionCertificates, name: c.Name, content: c, write: func(ctx context.Context) error {
			if err != nil {
				return err
			}
			return p.target.System.Trust.Import(ctx, parsed)
		}}
		if err == nil {
			parsed.Added = c.Added
			s.name = parsed.Fingerprint()
		}
		all = append(all, s)
	}
	return all
}

func (p *Plan) certificateHome() home {
	target := p.target.System.Trust
	return home{
		func(ctx context.Context, fingerprint string) (any, error) {
			c, err := target.Get(ctx, fingerprint)
			if errors.Is(err, trust.ErrNotFound) {
				return nil, nil
			}
			return c.Added, err
		},
		target.Delete,
	}
}

// httpHome knows the settings for talking to other servers with the passwords of proxies.
func (p *Plan) httpHome() home {
	target := p.target.System.Outbound
	return home{
		func(context.Context, string) (any, error) {
			s, stored := target.Settings()
			if !stored {
				return nil, nil
			}
			return []any{s, hiddenIn(&inventory.System{HTTP: &s})}, nil
		},
		func(ctx context.Context, _ string) error { return target.Clear(ctx) },
	}
}

// mailHome knows the settings of mail with their password.
func (p *Plan) mailHome() home {
	target := p.target.System.Mail
	return home{
		func(ctx context.Context, _ string) (any, error) {
			s, stored, err := target.Settings(ctx)
			if !stored {
				return nil, err
			}
			return []any{s, hiddenIn(&inventory.System{Mail: &s})}, err
		},
		func(ctx context.Context, _ string) error { return target.Clear(ctx) },
	}
}

// nodeHome knows the id that the server has from its next start on.
func (p *Plan) nodeHome() home {
	return home{
		func(ctx context.Context, _ string) (any, error) {
			id, err := p.target.System.Node.NextID(ctx)
			if id == "" {
				return nil, err
			}
			return id, err
		},
		func(context.Context, string) error { return errNeeded },
	}
}

// hiddenIn gives the secrets of settings by name.
func hiddenIn(s *inventory.System) map[string]string {
	secrets := make(map[string]string)
	for name, secret := range s.Secrets() {
		secrets[name] = secret.Get()
	}
	return secrets
}

// capabilityHome knows capabilities with their secrets.
func (p *Plan) capabilityHome() home {
	target := p.target.System.Settings
	return home{
		func(ctx context.Context, id string) (any, error) {
			c, err := target.Capability(ctx, id)
			if errors.Is(err, settings.ErrNotFound) {
				return nil, nil
			}
			secrets := make(map[string]string, len(c.Secrets))
			for name, secret := range c.Secrets {
				secrets[name] = string(secret)
			}
			return []any{c, secrets}, err
		},
		target.Delete,
	}
}

func (p *Plan) scriptHome() home {
	target := p.target.System.Scripts
	return home{
		func(ctx context.Context, name string) (any, error) {
			script, err := target.Get(ctx, name)
			if errors.Is(err, scripts.ErrNotFound) {
				return nil, nil
			}
			return script, err
		},
		target.Delete,
	}
}
