package access

import (
	"context"
	"errors"
	"fmt"

	"entrepot/storage/kv"
)

// RemoveOrphanedTokens removes the tokens of local users that do not exist, and tells how many there were. Users of other sources are
// known to these only, so their tokens stay.
func (s *Service) RemoveOrphanedTokens(ctx context.Context, actor Actor) (int, error) {
	removed, last := 0, ""
	for r, err := range rows[tokenRecord](ctx, s.store, partOwners, kv.Prefix(SourceLocal+"\x00")) {
		if err != nil {
			return removed, fmt.Errorf("access: read tokens: %w", err)
		}
		user := r.record.User
		if user == last {
			continue
		}
		last = user
		_, _, err := s.account(ctx, SourceLocal, user)
		if err == nil {
			continue
		}
		if !errors.Is(err, kv.ErrNotFound) {
			return removed, fmt.Errorf("access: read user: %w", err)
		}
		n, err := s.DeleteTokens(ctx, actor, TokenFilter{Source: SourceLocal, User: user})
		removed += n
		if err != nil {
			return removed, err
		}
	}
	return removed, nil
}
