package access

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"entrepot/app/audit"
	"entrepot/storage/kv"
)

// RealmUserToken is the realm of user tokens: pairs of a name code and a pass code that a user's tools show in the place of user id and
// password, or as Bearer in the Base64 form of NAMECODE:PASSCODE. They are accepted while they are enabled and the realm is active.
const RealmUserToken = "User-Token-Realm"

// UserTokenSettings say how user tokens are treated.
type UserTokenSettings struct {
	Enabled        bool `json:"enabled"`
	ProtectContent bool `json:"protectContent"` // content of repositories is not given for a password
	Expire         bool `json:"expire"`
	Days           int  `json:"days"` // from creation to end when they expire, 1 to 999
}

// UserToken is a user token without its pass code, which is told once.
type UserToken struct {
	Source    string
	User      string
	NameCode  string
	Created   time.Time
	Expires   time.Time // zero: never
	CreatedBy Actor
}

// Lengths of the codes, in letters.
const (
	nameCodeLength = 8
	passCodeLength = 44
	maxTokenDays   = 999
)

// codeLetters are what codes are made of. There are 64, so that every byte gives a letter with the same chance.
const codeLetters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

// Validate finds the faults that the settings have by themselves.
func (u *UserTokenSettings) Validate() error {
	var s shapes
	s.add(u.Days < 1 || u.Days > maxTokenDays, "expirationDays", "must be between 1 and 999")
	return s.err()
}

// ends gives the end of a token, zero for never: by the settings, or its own if that is earlier. When one was made that another server
// gave out need not be known.
func (u *UserTokenSettings) ends(created, own time.Time) time.Time {
	if !u.Expire || created.IsZero() {
		return own
	}
	end := created.Add(time.Duration(u.Days) * 24 * time.Hour)
	if !own.IsZero() && own.Before(end) {
		return own
	}
	return end
}

// UserTokenSettings gives how user tokens are treated.
func (s *Service) UserTokenSettings(ctx context.Context) (UserTokenSettings, error) {
	snap, err := s.current(ctx)
	if err != nil {
		return UserTokenSettings{}, err
	}
	return snap.userTokens, nil
}

// SetUserTokenSettings sets how user tokens are treated, those that exist included.
func (s *Service) SetUserTokenSettings(ctx context.Context, actor Actor, u UserTokenSettings) error {
	if err := u.Validate(); err != nil {
		return err
	}
	return s.setting(ctx, actor, rowUserTokens, u)
}

func (s *Service) userToken(snap *snapshot, t Token) UserToken {
	return UserToken{Source: t.Source, User: t.User, NameCode: t.Name, Created: t.Created, Expires: snap.userTokens.ends(t.Created, t.Expires), CreatedBy: t.by}
}

// UserToken gives the user token of a user.
func (s *Service) UserToken(ctx context.Context, source, user string) (UserToken, error) {
	snap, err := s.current(ctx)
	if err != nil {
		return UserToken{}, err
	}
	held, err := s.Tokens(ctx, TokenFilter{Source: source, User: user, Domain: RealmUserToken})
	if err != nil {
		return UserToken{}, err
	}
	if len(held) == 0 {
		return UserToken{}, noUserToken(user)
	}
	return s.userToken(snap, held[0]), nil
}

func noUserToken(user string) error { return refuse(NotFound, "User '%s' has no user token.", user) }

// UserTokenFilter selects user tokens. Skip passes over so many, Limit bounds how many there are.
type UserTokenFilter struct {
	Source  string // "" for every source
	User    string // "" for every user
	Expired bool   // those that have ended too
	Skip    int
	Limit   int
}

// UserTokens gives the user tokens that a filter selects.
func (s *Service) UserTokens(ctx context.Context, f UserTokenFilter) ([]UserToken, error) {
	snap, err := s.current(ctx)
	if err != nil {
		return nil, err
	}
	list, now := []UserToken{}, s.opts.Now()
	for r, err := range rows[tokenRecord](ctx, s.store, partTokens, kv.Prefix(RealmUserToken+"\x00")) {
		if err != nil {
			return nil, fmt.Errorf("access: read user tokens: %w", err)
		}
		t := s.userToken(snap, r.record.token(""))
		ended := !t.Expires.IsZero() && !now.Before(t.Expires)
		if f.Source != "" && f.Source != t.Source || f.User != "" && f.User != t.User || ended && !f.Expired {
			continue
		}
		if f.Skip > 0 {
			f.Skip--
			continue
		}
		if len(list) == f.Limit {
			break
		}
		list = append(list, t)
	}
	return list, nil
}

// CreateUserToken makes the user token of a user who has none, and gives its pass code, which is not kept.
func (s *Service) CreateUserToken(ctx context.Context, actor Actor, source, user string) (t UserToken, passCode string, err error) {
	if err := withheld(actor.Token); err != nil {
		return t, "", err
	}
	known, err := s.User(ctx, source, user)
	if err != nil {
		return t, "", err
	}
	nameCode, err := s.code(nameCodeLength)
	if err != nil {
		return t, "", err
	}
	if passCode, err = s.code(passCodeLength); err != nil {
		return t, "", err
	}
	record := tokenRecord{Domain: RealmUserToken, Source: source, User: known.ID, Name: nameCode, Created: s.opts.Now().UTC(), By: actor.UserID, BySource: actor.Source}
	digest := tokenDigest(RealmUserToken, nameCode+":"+passCode)
	err = s.change(ctx, audit.Event{Actor: actor, Action: "usertoken.create", Object: known.ID}, func(snap *snapshot) ([]kv.Op, error) {
		if !snap.userTokens.Enabled {
			return nil, refuse(Refused, "User tokens are not enabled.")
		}
		held, err := s.Tokens(ctx, TokenFilter{Source: source, User: known.ID, Domain: RealmUserToken})
		if err != nil {
			return nil, err
		}
		if len(held) > 0 {
			return nil, refuse(Exists, "User '%s' has a user token already.", known.ID)
		}
		owned, err := put(ownerKey(record, digest), record)
		if err != nil {
			return nil, err
		}
		found, err := put(tokenKey(RealmUserToken, digest), record)
		return []kv.Op{owned, found}, err
	})
	if err != nil {
		return t, "", err
	}
	return s.userToken(s.snapshot.Load(), record.token(digest)), passCode, nil
}

// code makes a random code.
func (s *Service) code(length int) (string, error) {
	raw := make([]byte, length)
	if _, err := io.ReadFull(s.opts.Random, raw); err != nil {
		return "", fmt.Errorf("access: make a code: %w", err)
	}
	for i, b := range raw {
		raw[i] = codeLetters[b&63]
	}
	return string(raw), nil
}

// DeleteUserToken ends the user token of a user.
func (s *Service) DeleteUserToken(ctx context.Context, actor Actor, source, user string) error {
	count, err := s.DeleteTokens(ctx, actor, TokenFilter{Source: source, User: user, Domain: RealmUserToken})
	if err == nil && count == 0 {
		return noUserToken(user)
	}
	return err
}

// DeleteUserTokens ends all user tokens.
func (s *Service) DeleteUserTokens(ctx context.Context, actor Actor) error {
	var ops []kv.Op
	for r, err := range rows[tokenRecord](ctx, s.store, partTokens, kv.Prefix(RealmUserToken+"\x00")) {
		if err != nil {
			return fmt.Errorf("access: read user tokens: %w", err)
		}
		ops = append(ops, r.record.token(r.sort[strings.LastIndexByte(r.sort, 0)+1:]).deletions()...)
	}
	for group := range slices.Chunk(ops, maxOps/2*2) {
		event := audit.Event{Actor: actor, Action: "usertoken.reset", Object: "all"}
		if err := s.change(ctx, event, func(*snapshot) ([]kv.Op, error) { return group, nil }); err != nil {
			return err
		}
	}
	return nil
}
