package access

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"entrepot/storage/kv"
)

// ExportUser gives a user as ImportUser takes it, password hash included.
func (s *Service) ExportUser(ctx context.Context, source, id string) (ImportedUser, error) {
	r, _, err := s.account(ctx, source, id)
	if errors.Is(err, kv.ErrNotFound) {
		return ImportedUser{}, noUser(id)
	}
	if err != nil {
		return ImportedUser{}, fmt.Errorf("access: read user: %w", err)
	}
	return ImportedUser{User: r.user(), PasswordHash: r.Password}, nil
}

// TokenOwner gives the token of a domain that has the given text, without regard to whether its realm is active.
func (s *Service) TokenOwner(ctx context.Context, domain, text string) (Token, error) {
	digest := tokenDigest(domain, text)
	r, err := s.token(ctx, domain, digest)
	if errors.Is(err, ErrBadCredentials) {
		return Token{}, refuse(NotFound, "No such token.")
	}
	if err != nil {
		return Token{}, fmt.Errorf("access: read token: %w", err)
	}
	return Token{Domain: r.Domain, Source: r.Source, User: r.User, Created: r.Created, Expires: r.Expires, Digest: digest}, nil
}

// ConfiguredRealms gives the ids of the active realms in order as they were set, also those that are not installed or hidden.
func (s *Service) ConfiguredRealms(ctx context.Context) ([]string, error) {
	snap, err := s.current(ctx)
	if err != nil {
		return nil, err
	}
	return slices.Clone(snap.realms), nil
}
