package access

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"entrepot/app/audit"
	"entrepot/storage/kv"
)

// maxTokens bounds the tokens a user can have in one domain; the oldest go first.
const maxTokens = 50

// Token is a key that a user signs in with instead of a password. Its text is not kept.
type Token struct {
	Domain  string // the id of the realm that accepts it
	Source  string
	User    string
	Name    string   // of API tokens, for people; the name code of user tokens
	Scope   []string // of API tokens, see APIToken
	Created time.Time
	Expires time.Time // zero: never
	Digest  string    // names the token without telling it

	by   Actor  // who made it, of user tokens
	hash string // of the pass code, of user tokens that were not used since they were imported
}

// TokenFilter selects tokens of one user.
type TokenFilter struct {
	Source string
	User   string
	Domain string // "" for every domain
	Digest string // "" for every token
}

func tokenDigest(domain, secret string) string {
	sum := sha256.Sum256([]byte(domain + "\x00" + secret))
	return hex.EncodeToString(sum[:])
}

// Is tells whether the token has the given text.
func (t *Token) Is(text string) bool { return t.Digest == tokenDigest(t.Domain, text) }

// CreateToken makes a token for a user and gives its text, without the domain that some clients put before it.
func (s *Service) CreateToken(ctx context.Context, actor Actor, t Token) (string, error) {
	if err := withheld(actor.Token); err != nil {
		return "", err
	}
	secret, err := s.newID()
	if err != nil {
		return "", err
	}
	t.Created = s.opts.Now().UTC()
	if err := s.storeToken(ctx, t, secret); err != nil {
		return "", err
	}
	audit.Record(ctx, s.opts.Audit, audit.Event{Actor: actor, Action: "token.create", Object: t.Domain + " of " + t.User})
	return secret, nil
}

// ImportToken stores a token whose text another server gave out; that of a user token is NAMECODE:PASSCODE. Its domain need not be
// installed.
func (s *Service) ImportToken(ctx context.Context, t Token, secret string) error {
	return s.storeToken(ctx, t, secret)
}

func (s *Service) storeToken(ctx context.Context, t Token, secret string) error {
	if t.Domain == "" || t.Source == "" || t.User == "" || secret == "" {
		return refuse(Refused, "A token needs a domain, a user and a text.")
	}
	record := tokenRecord{Domain: t.Domain, Source: t.Source, User: t.User, Name: t.Name, Scope: t.Scope, Created: t.Created, Expires: t.Expires}
	return s.keepToken(ctx, record, tokenDigest(t.Domain, secret))
}

// keepToken stores the record of a token under a digest. A user token takes the place of one with the same name code.
func (s *Service) keepToken(ctx context.Context, record tokenRecord, digest string) error {
	ops, err := puts(map[kv.Key]any{tokenKey(record.Domain, digest): record, ownerKey(record, digest): record})
	if err != nil {
		return err
	}
	have, err := s.Tokens(ctx, TokenFilter{Source: record.Source, User: record.User, Domain: record.Domain})
	if err != nil {
		return err
	}
	if record.Domain == RealmUserToken {
		have = slices.DeleteFunc(have, func(old Token) bool {
			taken := old.Name == record.Name && old.Digest != digest
			if taken {
				ops = append(ops, old.deletions()...)
			}
			return taken
		})
	}
	if surplus := len(have) - maxTokens + 1; surplus > 0 {
		slices.SortFunc(have, func(a, b Token) int { return a.Created.Compare(b.Created) })
		for _, old := range have[:min(surplus, maxTokens)] {
			if old.Digest != digest {
				ops = append(ops, old.deletions()...)
			}
		}
	}
	if err := s.store.Apply(ctx, ops[:min(len(ops), kv.MaxBatch)]...); err != nil {
		return fmt.Errorf("access: store token: %w", err)
	}
	return nil
}

func (t Token) deletions() []kv.Op {
	record := tokenRecord{Domain: t.Domain, Source: t.Source, User: t.User}
	return []kv.Op{kv.Delete(tokenKey(t.Domain, t.Digest)), kv.Delete(ownerKey(record, t.Digest))}
}

// Tokens gives a user's tokens.
func (s *Service) Tokens(ctx context.Context, filter TokenFilter) ([]Token, error) {
	prefix := ownerPrefix(filter.Source, filter.User)
	if filter.Domain != "" {
		prefix += filter.Domain + "\x00"
	}
	list := []Token{}
	for r, err := range rows[tokenRecord](ctx, s.store, partOwners, kv.Prefix(prefix)) {
		if err != nil {
			return nil, fmt.Errorf("access: read tokens: %w", err)
		}
		digest := r.sort[strings.LastIndexByte(r.sort, 0)+1:]
		if filter.Digest == "" || filter.Digest == digest {
			list = append(list, r.record.token(digest))
		}
	}
	return list, nil
}

// DeleteTokens removes the tokens that the filter selects and tells how many there were. They stop working at once.
func (s *Service) DeleteTokens(ctx context.Context, actor Actor, filter TokenFilter) (int, error) {
	list, err := s.Tokens(ctx, filter)
	if err != nil {
		return 0, err
	}
	for group := range slices.Chunk(list, maxOps/2) {
		event := audit.Event{Actor: actor, Action: "token.delete", Object: filter.Domain + " of " + filter.User}
		err := s.change(ctx, event, func(*snapshot) ([]kv.Op, error) {
			var ops []kv.Op
			for _, t := range group {
				ops = append(ops, t.deletions()...)
			}
			return ops, nil
		})
		if err != nil {
			return 0, err
		}
	}
	return len(list), nil
}

// token reads a token that may be used now; ErrBadCredentials when there is none.
func (s *Service) token(ctx context.Context, domain, digest string) (tokenRecord, error) {
	var record tokenRecord
	e, err := s.store.Get(ctx, tokenKey(domain, digest))
	if errors.Is(err, kv.ErrNotFound) {
		return record, ErrBadCredentials
	}
	if err == nil {
		err = decode(e, &record)
	}
	if err != nil {
		return record, err
	}
	if domain == RealmUserToken {
		settings := s.snapshot.Load().userTokens
		if record.Expires = settings.ends(record.Created, record.Expires); !settings.Enabled {
			return record, ErrBadCredentials
		}
	}
	if !record.Expires.IsZero() && !s.opts.Now().Before(record.Expires) {
		return record, ErrBadCredentials
	}
	return record, nil
}

// tokenRealm accepts the tokens kept under its id.
type tokenRealm struct {
	service *Service
	id      string
}

// Authenticate implements Authenticator.
func (r tokenRealm) Authenticate(ctx context.Context, c Credentials) (Identity, error) {
	secret := c.Secret
	switch c.Kind {
	case Bearer:
		before, after, found := strings.Cut(secret, ".")
		if found && before == r.id {
			secret = after
		} else if found && r.service.realms[before].Tokens {
			return Identity{}, ErrNotMine
		}
	case APIKey:
		if c.Domain != r.id {
			return Identity{}, ErrNotMine
		}
	default:
		return Identity{}, ErrNotMine
	}
	digest := tokenDigest(r.id, secret)
	record, err := r.service.token(ctx, r.id, digest)
	if err != nil {
		return Identity{}, err
	}
	return r.service.tokenIdentity(ctx, record, digest)
}

// tokenIdentity gives whose token a record is.
func (s *Service) tokenIdentity(ctx context.Context, record tokenRecord, digest string) (Identity, error) {
	groups, err := s.externalGroups(ctx, s.snapshot.Load(), record.Source, record.User)
	if err != nil {
		return Identity{}, err
	}
	return Identity{UserID: record.User, Source: record.Source, Groups: groups, token: digest, Until: record.Expires}, nil
}
