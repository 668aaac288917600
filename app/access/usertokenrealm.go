package access

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"

	"entrepot/app/access/password"
	"entrepot/storage/kv"
)

// ImportHashedToken stores a user token of which another server kept the name code, as the token's name, and a hash of the pass code. The
// hash is replaced at the first sign-in.
func (s *Service) ImportHashedToken(ctx context.Context, t Token, hash string) error {
	if t.Source == "" || t.User == "" || t.Name == "" || strings.Contains(t.Name, ":") {
		return refuse(Refused, "A user token needs a user and a name code, which has no colon.")
	}
	if !password.Known(hash) {
		return refuse(Refused, "The pass code is hashed in an unknown form.")
	}
	record := tokenRecord{Domain: RealmUserToken, Source: t.Source, User: t.User, Name: t.Name, Created: t.Created, Expires: t.Expires, Hash: hash}
	return s.keepToken(ctx, record, tokenDigest(RealmUserToken, t.Name))
}

// ImportedUserToken gives the user token of a user by its name code, with the hash of its pass code while that was not replaced.
func (s *Service) ImportedUserToken(ctx context.Context, source, user, nameCode string) (Token, string, error) {
	held, err := s.Tokens(ctx, TokenFilter{Source: source, User: user, Domain: RealmUserToken})
	if err != nil {
		return Token{}, "", err
	}
	i := slices.IndexFunc(held, func(t Token) bool { return t.Name == nameCode })
	if i < 0 {
		return Token{}, "", noUserToken(user)
	}
	return held[i], held[i].hash, nil
}

// userTokenRealm accepts user tokens.
type userTokenRealm struct{ service *Service }

// Authenticate implements Authenticator. What is no user token may be a password, so it is never called wrong here.
func (r userTokenRealm) Authenticate(ctx context.Context, c Credentials) (Identity, error) {
	text := c.User + ":" + c.Secret
	switch c.Kind {
	case Bearer:
		decoded, err := base64.StdEncoding.DecodeString(c.Secret)
		if err != nil {
			return Identity{}, ErrNotMine
		}
		text = string(decoded)
	case Basic:
	default:
		return Identity{}, ErrNotMine
	}
	nameCode, passCode, found := strings.Cut(text, ":")
	if !found || nameCode == "" || passCode == "" {
		return Identity{}, ErrNotMine
	}
	identity, err := tokenRealm{r.service, RealmUserToken}.Authenticate(ctx, Credentials{Kind: APIKey, Domain: RealmUserToken, Secret: text})
	if errors.Is(err, ErrBadCredentials) {
		identity, err = r.hashed(ctx, nameCode, passCode)
	}
	if errors.Is(err, ErrBadCredentials) {
		return Identity{}, ErrNotMine
	}
	return identity, err
}

// hashed signs in with a token of which only a hash is known, and replaces that.
func (r userTokenRealm) hashed(ctx context.Context, nameCode, passCode string) (Identity, error) {
	s, digest := r.service, tokenDigest(RealmUserToken, nameCode)
	record, err := s.token(ctx, RealmUserToken, digest)
	if err != nil {
		return Identity{}, err
	}
	result, err := s.passwords.Verify(ctx, record.Hash, passCode)
	if err != nil {
		return Identity{}, err
	}
	if !result.OK {
		return Identity{}, ErrBadCredentials
	}
	known := tokenDigest(RealmUserToken, nameCode+":"+passCode)
	switch err := s.replaceHash(ctx, digest, known); {
	case err == nil:
		digest = known
	case !errors.Is(err, kv.ErrConflict): // the next sign-in tries again
		s.opts.Log.WarnContext(ctx, "hash of a user token was not replaced", "user", record.User, "error", err)
	}
	return s.tokenIdentity(ctx, record, digest)
}

// replaceHash moves a token from the digest of its name code to that of its whole text.
func (s *Service) replaceHash(ctx context.Context, from, to string) error {
	key := tokenKey(RealmUserToken, from)
	e, err := s.store.Get(ctx, key)
	if errors.Is(err, kv.ErrNotFound) {
		return kv.ErrConflict // another sign-in was faster
	}
	var record tokenRecord
	if err == nil {
		err = decode(e, &record)
	}
	if err != nil {
		return fmt.Errorf("access: read user token: %w", err)
	}
	record.Hash = ""
	ops, err := puts(map[kv.Key]any{tokenKey(RealmUserToken, to): record, ownerKey(record, to): record})
	if err != nil {
		return err
	}
	ops = append(ops, kv.DeleteIf(key, e.Version), kv.Delete(ownerKey(record, from)))
	if err := s.store.Apply(ctx, ops...); err != nil {
		return fmt.Errorf("access: replace the hash of a user token: %w", err)
	}
	return nil
}
