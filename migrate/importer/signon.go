package importer

import (
	"context"

	"entrepot/app/access"
	"entrepot/app/access/oidc"
	"entrepot/migrate/inventory"
)

// Sections of single sign-on, with one setting each.
const (
	sectionSAML   = "saml"
	sectionOAuth2 = "oauth2"
	signOn        = "settings"
)

// signOns lists the providers that people sign in at.
func (p *Plan) signOns(s *inventory.System) []*setting {
	var all []*setting
	target, actor := p.target.System, access.Actor{UserID: p.opts.Actor, Source: access.SourceLocal}
	if s.SAML != nil {
		all = append(all, &setting{section: sectionSAML, name: signOn, content: s.SAML, write: func(ctx context.Context) error {
			return target.SAML.Import(ctx, actor, s.SAML.Settings, s.SAML.Pair)
		}})
	}
	if s.OAuth2 != nil {
		all = append(all, &setting{section: sectionOAuth2, name: signOn, content: s.OAuth2, write: func(ctx context.Context) error {
			settings := s.OAuth2.Settings
			settings.ClientSecret = oidc.Secret(s.OAuth2.Secret)
			return target.OAuth2.Set(ctx, actor, settings)
		}})
	}
	return all
}

// signOnHome knows a provider with its secrets.
func (p *Plan) signOnHome(section string, actor access.Actor) home {
	target := p.target.System
	if section == sectionSAML {
		return home{
			func(ctx context.Context, _ string) (any, error) {
				settings, pair, err := target.SAML.Export(ctx)
				return stateOf(inventory.SAML{Settings: settings, Pair: &pair}, err)
			},
			func(ctx context.Context, _ string) error { return target.SAML.Delete(ctx, actor) },
		}
	}
	return home{
		func(ctx context.Context, _ string) (any, error) {
			settings, err := target.OAuth2.Settings(ctx)
			return stateOf(inventory.OAuth2{Settings: settings, Secret: string(settings.ClientSecret)}, err)
		},
		func(ctx context.Context, _ string) error { return target.OAuth2.Clear(ctx, actor) },
	}
}
