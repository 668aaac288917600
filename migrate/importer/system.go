package importer

import (
	"context"
	"maps"
	"slices"

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
)

// System is what takes the settings of the whole server. All members are required.
type System struct {
	Node     *node.Node
	Trust    *trust.Store
	Outbound *outbound.Service
	Mail     *mail.Service
	Settings *settings.Settings
	Scripts  *scripts.Store
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
	for _, c := range s.Certificates {
		add(sectionCertificates, c.Name, c, func(ctx context.Context) error {
			parsed, err := trust.Parse(c.PEM)
			if err != nil {
				return err
			}
			parsed.Added = c.Added
			return target.Trust.Import(ctx, parsed)
		})
	}
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
	for _, c := range s.Scripts {
		added := add(sectionScripts, c.Name, c, func(ctx context.Context) error { return target.Scripts.Import(ctx, c) })
		added.why, added.kept = "listed and never run", true
	}
	return all
}
