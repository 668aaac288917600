package access

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"entrepot/app/access/permission"
	"entrepot/app/audit"
	"entrepot/storage/kv"
)

// RealmAPIToken is the hidden realm of API tokens. They are always accepted: as Bearer, and with their user's id in the place of a
// password.
const RealmAPIToken = "ApiToken"

// apiTokenPrefix begins the text of every API token, so that one that leaked can be found.
const apiTokenPrefix = "ent_"

// ScopeRead is the scope of a token that may read what its user may read.
const ScopeRead = "read"

// Limits of an API token.
const (
	maxTokenName  = 200 // characters
	maxTokenScope = 100 // entries
)

// APIToken is what it takes to make an API token.
type APIToken struct {
	Name string // for people
	// Scope is what the token may do of what its user may: ScopeRead, or permissions such as "nexus:repository-view:raw:docs:read".
	// None is all that the user may.
	Scope   []string
	Expires time.Time // zero: never
}

// validate finds the faults that the request has by itself.
func (t *APIToken) validate(now time.Time) error {
	var s shapes
	s.add(blank(t.Name), "name", mustNotBeBlank)
	s.add(len([]rune(t.Name)) > maxTokenName, "name", mustBeShort)
	s.add(!t.Expires.IsZero() && !t.Expires.After(now), "expires", "must be in the future")
	s.add(len(t.Scope) > maxTokenScope, "scope", fmt.Sprintf("must not have more than %d entries", maxTokenScope))
	for i, entry := range t.Scope {
		if _, err := parseScope(entry); err != nil {
			s.add(true, fmt.Sprintf("scope[%d]", i), err.Error())
		}
	}
	return s.err()
}

// parseScope gives the permissions behind an entry of a scope.
func parseScope(entry string) ([]permission.Permission, error) {
	texts := []string{entry}
	if entry == ScopeRead {
		texts = []string{"nexus:*:read", "nexus:repository-view:*:*:browse,read", "nexus:repository-admin:*:*:browse,read", "nexus:script:*:browse,read"}
	} else if !strings.HasPrefix(entry, "nexus:") {
		return nil, errors.New(`must be "read" or a permission such as "nexus:repository-view:raw:docs:read"`)
	}
	var all []permission.Permission
	for _, text := range texts {
		p, err := permission.Parse(text)
		if err != nil {
			return nil, errors.New("is not a permission")
		}
		all = append(all, p)
	}
	return all, nil
}

// limits gives what a scope allows, nil for everything. What cannot be understood allows nothing.
func (snap *snapshot) limits(scope []string) *permission.Set {
	if len(scope) == 0 {
		return nil
	}
	var granted []permission.Permission
	for _, entry := range scope {
		if all, err := parseScope(entry); err == nil {
			granted = append(granted, all...)
		}
	}
	return permission.NewSet(granted, snap.compiled)
}

// CreateAPIToken makes an API token for a caller that signed in with something else, and gives its text, which is not kept. A user has
// at most 50.
func (s *Service) CreateAPIToken(ctx context.Context, subject *Subject, actor Actor, t APIToken) (Token, string, error) {
	if err := withheld(subject.token); err != nil {
		return Token{}, "", err
	}
	if subject.ends { // such as a token of an identity provider, for a few minutes
		return Token{}, "", refuse(Withheld, "Credentials that end by themselves cannot get an API token: sign in with a password or in a browser.")
	}
	if err := t.validate(s.opts.Now()); err != nil {
		return Token{}, "", err
	}
	if err := s.opts.Writable(); err != nil {
		return Token{}, "", err
	}
	have, err := s.Tokens(ctx, TokenFilter{Source: subject.source, User: subject.userID, Domain: RealmAPIToken})
	if err != nil {
		return Token{}, "", err
	}
	if len(have) >= maxTokens {
		return Token{}, "", refuse(InUse, "There are %d tokens already: delete one first.", maxTokens)
	}
	id, err := s.newID()
	if err != nil {
		return Token{}, "", err
	}
	text := apiTokenPrefix + strings.ReplaceAll(id, "-", "")
	made := Token{
		Domain: RealmAPIToken, Source: subject.source, User: subject.userID, Name: t.Name, Scope: slices.Clone(t.Scope), Created: s.opts.Now().UTC(),
		Expires: t.Expires, Digest: tokenDigest(RealmAPIToken, text),
	}
	if err := s.storeToken(ctx, made, text); err != nil {
		return Token{}, "", err
	}
	audit.Record(ctx, s.opts.Audit, audit.Event{
		Time: made.Created, Actor: actor, Action: "token.create", Object: made.Digest,
		After: tokenRecord{Domain: made.Domain, Source: made.Source, User: made.User, Name: made.Name, Scope: made.Scope, Created: made.Created, Expires: made.Expires},
	})
	return made, text, nil
}

// DeleteAPIToken revokes a user's API token, at once.
func (s *Service) DeleteAPIToken(ctx context.Context, actor Actor, t Token) error {
	return s.change(ctx, audit.Event{Actor: actor, Action: "token.delete", Object: t.Digest}, func(*snapshot) ([]kv.Op, error) {
		if _, err := s.store.Get(ctx, tokenKey(RealmAPIToken, t.Digest)); errors.Is(err, kv.ErrNotFound) {
			return nil, refuse(NotFound, "There is no such token.")
		} else if err != nil {
			return nil, err
		}
		ops := t.deletions()
		slices.Reverse(ops) // the audit looks at the last one
		return ops, nil
	})
}

// apiToken gives the text of the API token among credentials; false when there is none.
func (c *Credentials) apiToken() (string, bool) {
	return c.Secret, (c.Kind == Bearer || c.Kind == Basic) && strings.HasPrefix(c.Secret, apiTokenPrefix)
}

// tokenSignIn gives whose API token is among credentials. ErrNotMine when there is none; a password may begin like one.
func (s *Service) tokenSignIn(ctx context.Context, c *Credentials) (*Identity, error) {
	text, ok := c.apiToken()
	if !ok {
		return nil, ErrNotMine
	}
	id, err := tokenRealm{s, RealmAPIToken}.Authenticate(ctx, Credentials{Kind: APIKey, Domain: RealmAPIToken, Secret: text})
	if err == nil && c.Kind == Basic && c.User != id.UserID {
		err = ErrBadCredentials
	}
	if errors.Is(err, ErrBadCredentials) && c.Kind == Basic {
		err = ErrNotMine
	}
	if err != nil {
		return nil, err
	}
	record, err := s.token(ctx, RealmAPIToken, id.token)
	if err != nil {
		return nil, err
	}
	id.realm, id.scope, id.Until = RealmAPIToken, record.Scope, record.Expires
	return &id, nil
}

// before gives the earlier of a moment and the end of what the identity rests on.
func (id *Identity) before(t time.Time) time.Time {
	if !id.Until.IsZero() && id.Until.Before(t) {
		return id.Until
	}
	return t
}

// withheld is an error for who showed an API token: it ends and may be narrower than its user, so it gives no passwords, tokens or tickets.
func withheld(token string) error {
	if token != "" {
		return refuse(Withheld, "An API token cannot get other credentials.")
	}
	return nil
}

// TokenID names the API token that the caller showed, "" for none. Who showed one cannot get other credentials with it.
func (s *Subject) TokenID() string { return s.token }
