package importer

import (
	"context"
	"net/url"
	"strings"

	"entrepot/app/access"
	"entrepot/app/repository"
	"entrepot/migrate/inventory"
)

// sectionUserTokens has the tokens that are pairs of codes. Their names end with the name code, in which a slash is escaped.
const sectionUserTokens = "user-tokens"

func userTokenName(t access.Token) string {
	return t.Source + "/" + t.User + "/" + url.PathEscape(t.Name)
}

// userToken is a user token as a setting.
func (p *Plan) userToken(t inventory.Token) *setting {
	return &setting{
		section: sectionUserTokens, name: userTokenName(t.Token), content: t.Token, secrets: []repository.Secret{t.Text, t.Hash},
		write: func(ctx context.Context) error {
			if err := p.target.Access.Recognise(ctx, t.Source, t.User); err != nil {
				return err
			}
			if t.Hash != "" {
				return p.target.Access.ImportHashedToken(ctx, t.Token, string(t.Hash))
			}
			return p.target.Access.ImportToken(ctx, t.Token, string(t.Text))
		},
	}
}

// userTokenHome leaves out of account how a pass code is kept: a hash is replaced at the first sign-in.
func (p *Plan) userTokenHome(actor access.Actor) home {
	service := p.target.Access
	find := func(ctx context.Context, name string) (access.Token, error) {
		source, rest, _ := strings.Cut(name, "/")
		end := max(strings.LastIndexByte(rest, '/'), 0)
		code, err := url.PathUnescape(strings.TrimPrefix(rest[end:], "/"))
		if err != nil {
			return access.Token{}, err
		}
		t, _, err := service.ImportedUserToken(ctx, source, rest[:end], code)
		return t, err
	}
	return home{
		func(ctx context.Context, name string) (any, error) {
			t, err := find(ctx, name)
			t.Digest = ""
			return stateOf(t, err)
		},
		func(ctx context.Context, name string) error {
			t, err := find(ctx, name)
			if err != nil {
				return err
			}
			_, err = service.DeleteTokens(ctx, actor, access.TokenFilter{Domain: t.Domain, Source: t.Source, User: t.User, Digest: t.Digest})
			return err
		},
	}
}
