package importer

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"entrepot/app/access"
	"entrepot/app/kept"
	"entrepot/app/repository"
)

// home is where a section of settings lives on the server: how one of its settings is now, and how it is removed.
type home struct {
	// state gives what an administrator can change about the setting; nil when it is not here.
	state  func(ctx context.Context, name string) (any, error)
	remove func(ctx context.Context, name string) error
}

// removalOrder lists the sections with a home, those that others name last.
var removalOrder = []string{
	sectionScripts, sectionCapabilities, sectionTasks, sectionRepositories, sectionPolicies, sectionTokens, sectionUserTokens, sectionUsers, sectionLDAP, sectionSAML, sectionOAuth2, sectionSecurity, sectionRoles, sectionPrivileges, sectionSelectors, sectionRules, sectionBlobStores,
	sectionMail, sectionHTTP, sectionCertificates,
}

// homeOf gives the home of a section; records that nothing uses yet have one of their own.
func (p *Plan) homeOf(section string) home {
	engine, service, actor := p.target.Engine, p.target.Access, access.Actor{UserID: p.opts.Actor, Source: access.SourceLocal}
	switch section {
	case sectionRepositories:
		return home{p.repositoryState, func(ctx context.Context, name string) error { return engine.Delete(ctx, name, p.opts.Actor) }}
	case sectionBlobStores:
		return home{func(_ context.Context, name string) (any, error) { return stateOf(engine.BlobStore(name)) }, engine.DeleteBlobStore}
	case sectionRules:
		return home{func(_ context.Context, name string) (any, error) { return stateOf(engine.RoutingRule(name)) }, engine.DeleteRoutingRule}
	case sectionSelectors:
		return home{
			func(ctx context.Context, name string) (any, error) { return stateOf(service.Selector(ctx, name)) },
			func(ctx context.Context, name string) error { return service.DeleteSelector(ctx, actor, name) },
		}
	case sectionPrivileges:
		return home{
			func(ctx context.Context, name string) (any, error) { return stateOf(service.Privilege(ctx, name)) },
			func(ctx context.Context, name string) error { return service.DeletePrivilege(ctx, actor, name) },
		}
	case sectionRoles:
		return home{
			func(ctx context.Context, name string) (any, error) {
				return stateOf(service.Role(ctx, access.SourceLocal, name))
			},
			func(ctx context.Context, name string) error { return service.DeleteRole(ctx, actor, name) },
		}
	case sectionUsers:
		return p.userHome(actor)
	case sectionTokens:
		return p.tokenHome(actor)
	case sectionUserTokens:
		return p.userTokenHome(actor)
	case sectionSecurity:
		return p.securityHome(actor)
	case sectionLDAP:
		return p.directoryHome(actor)
	case sectionSAML, sectionOAuth2:
		return p.signOnHome(section, actor)
	case sectionPolicies:
		return p.policyHome()
	case sectionTasks:
		return p.taskHome()
	case sectionCapabilities, sectionScripts, sectionMail, sectionHTTP, sectionCertificates, sectionSystem:
		return p.serverHome(section)
	}
	return home{
		func(ctx context.Context, name string) (any, error) { return p.recordState(ctx, section, name) },
		func(ctx context.Context, name string) error { return p.target.Records.Delete(ctx, section, name) },
	}
}

// errNeeded refuses to remove a setting that every server has.
var errNeeded = errors.New("a server cannot be without it")

// stateOf makes an absent thing nil.
func stateOf[T any](v T, err error) (any, error) {
	if errors.Is(err, repository.ErrNotFound) || access.KindOf(err) == access.NotFound {
		return nil, nil
	}
	return v, err
}

// repositoryState is the definition with the secrets of its upstream, without what the server keeps in it for itself.
func (p *Plan) repositoryState(_ context.Context, name string) (any, error) {
	d, there := p.target.Engine.Lookup(name)
	if !there {
		return nil, nil
	}
	d.Content, d.Token = "", ""
	secrets := []string{}
	for _, s := range secretsOf(d) {
		secrets = append(secrets, string(s))
	}
	return []any{d, secrets}, nil
}

// userHome leaves passwords out of account: one that was imported is replaced at the first sign-in.
func (p *Plan) userHome(actor access.Actor) home {
	service := p.target.Access
	return home{
		func(ctx context.Context, name string) (any, error) {
			source, id, _ := strings.Cut(name, "/")
			u, err := service.ExportUser(ctx, source, id)
			return stateOf(u.User, err)
		},
		func(ctx context.Context, name string) error {
			source, id, _ := strings.Cut(name, "/")
			return service.DeleteImportedUser(ctx, actor, source, id)
		},
	}
}

// tokenName names a token: of its text nothing is known here but a digest.
func tokenName(t access.Token) string {
	return fmt.Sprintf("%s/%s/%s/%s", t.Domain, t.Source, t.User, t.Created)
}

// token finds a token by its name; nil when it is not here. Users may have slashes in their names, the other parts have none.
func (p *Plan) token(ctx context.Context, name string) (*access.Token, error) {
	domain, rest, _ := strings.Cut(name, "/")
	source, rest, _ := strings.Cut(rest, "/")
	user := rest[:max(strings.LastIndexByte(rest, '/'), 0)]
	tokens, err := p.target.Access.Tokens(ctx, access.TokenFilter{Domain: domain, Source: source, User: user})
	for _, t := range tokens {
		if tokenName(t) == name {
			return &t, nil
		}
	}
	return nil, err
}

func (p *Plan) tokenHome(actor access.Actor) home {
	return home{
		func(ctx context.Context, name string) (any, error) {
			t, err := p.token(ctx, name)
			if t == nil {
				return nil, err
			}
			return *t, nil
		},
		func(ctx context.Context, name string) error {
			t, err := p.token(ctx, name)
			if t == nil {
				return err
			}
			_, err = p.target.Access.DeleteTokens(ctx, actor, access.TokenFilter{Domain: t.Domain, Source: t.Source, User: t.User, Digest: t.Digest})
			return err
		},
	}
}

// securityHome knows settings of which there is one each; only the default role can be absent.
func (p *Plan) securityHome(actor access.Actor) home {
	service := p.target.Access
	return home{
		func(ctx context.Context, name string) (any, error) {
			switch name {
			case settingAnonymous:
				return stateOf(service.Anonymous(ctx))
			case settingRealms:
				return stateOf(service.ConfiguredRealms(ctx))
			case settingUserTokens:
				return stateOf(service.UserTokenSettings(ctx))
			}
			role, err := service.DefaultRole(ctx)
			if role == "" {
				return nil, err
			}
			return role, err
		},
		func(ctx context.Context, name string) error {
			if name != settingDefaultRole {
				return errNeeded
			}
			return service.SetDefaultRole(ctx, actor, "")
		},
	}
}

// recordState is a record with its secrets.
func (p *Plan) recordState(ctx context.Context, section, name string) (any, error) {
	r, err := p.target.Records.Get(ctx, section, name)
	if errors.Is(err, kept.ErrNotFound) {
		return nil, nil
	}
	return []any{r.Value, r.Secrets}, err
}
