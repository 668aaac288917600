package access

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"entrepot/app/audit"
	"entrepot/storage/kv"
)

// Keeper is a Directory whose users are kept in our store, because their source tells of them only when they sign in.
type Keeper interface {
	Directory
	// Keep gives the operation that stores a user in place of what was kept.
	Keep(ctx context.Context, u DirectoryUser) (kv.Op, error)
	// Drop gives the operation that forgets a user.
	Drop(id string) kv.Op
}

// ExternalSignIn is a sign-in that a realm has proved by other means than credentials, such as the answer of an identity provider.
type ExternalSignIn struct {
	Realm   string        // its id; its directory must be a Keeper
	User    DirectoryUser // as its source tells of it now
	Address string        // of the client
}

// LoginExternal begins a session for a user whom a realm recognised by single sign-on, and keeps what its source told of the user. The
// session's id is a secret for the client's cookie. ErrBadCredentials when the realm is not active or the user may not sign in.
//
// There is no guessing here that could be slowed down: who calls this has seen a proof.
func (s *Service) LoginExternal(ctx context.Context, e ExternalSignIn) (id string, subject *Subject, err error) {
	realm, keeper, err := s.keeperOf(s.realms[e.Realm].Source)
	if err != nil {
		return "", nil, err
	}
	snap, err := s.current(ctx)
	if err != nil {
		return "", nil, err
	}
	if !slices.Contains(snap.realms, realm.ID) || !fitID(e.User.ID) {
		return "", nil, s.RefuseExternal(ctx, e.User.ID, e.Address)
	}
	identity := Identity{UserID: e.User.ID, Source: realm.Source, Groups: e.User.Groups, realm: realm.ID}
	if identity.epoch, err = s.epoch(ctx, realm.ID); err != nil {
		return "", nil, err
	}
	subject, err = s.subjectOf(ctx, snap, identity)
	if errors.Is(err, ErrBadCredentials) {
		return "", nil, s.RefuseExternal(ctx, e.User.ID, e.Address)
	}
	if err != nil {
		return "", nil, err
	}
	op, err := keeper.Keep(ctx, e.User)
	if err != nil {
		return "", nil, err
	}
	// As with a password's better hash, this is no change of settings: it is stored in read-only mode too.
	if err := s.store.Apply(ctx, op); err != nil {
		return "", nil, fmt.Errorf("access: keep user %s: %w", e.User.ID, err)
	}
	return s.begin(snap, identity, subject)
}

// RefuseExternal makes a failed single sign-on known and gives ErrBadCredentials. The user is "" when nobody knows who it was.
func (s *Service) RefuseExternal(ctx context.Context, user, address string) error {
	if user == "" {
		user = "(single sign-on)"
	}
	s.tellFailure(ctx, &Credentials{User: user, Address: address})
	return ErrBadCredentials
}

// fitID tells whether a source's id of a user can be one here.
func fitID(id string) bool { return !blank(id) && !tooLong(id) && !strings.ContainsRune(id, 0) }

// keeperOf gives the realm whose users of a source are kept here.
func (s *Service) keeperOf(source string) (Realm, Keeper, error) {
	realm, _ := s.realmOf(source)
	keeper, ok := realm.Directory.(Keeper)
	if !ok {
		return realm, nil, refuse(NotFound, "Unable to locate source: %s", source)
	}
	return realm, keeper, nil
}

// Recognise makes a user known whom another server knew by single sign-on, so that the user's tokens let in before the next sign-in here.
// Users who are known are left as they are, and so are those whose source can be asked.
func (s *Service) Recognise(ctx context.Context, source, id string) error {
	_, keeper, err := s.keeperOf(source)
	if err != nil {
		return nil
	}
	if _, err = keeper.Find(ctx, id); !errors.Is(err, ErrNoUser) {
		return err
	}
	op, err := keeper.Keep(ctx, DirectoryUser{ID: id})
	if err == nil {
		err = s.store.Apply(ctx, op)
	}
	if err != nil {
		return fmt.Errorf("access: keep user %s: %w", id, err)
	}
	return nil
}

// ValidateExternal finds the faults that a user kept for a source has by itself.
func (u *User) ValidateExternal() error {
	var s shapes
	s.add(blank(u.ID), "userId", mustNotBeBlank)
	s.add(tooLong(u.ID), "userId", mustBeShort)
	s.add(strings.ContainsRune(u.ID, 0), "userId", mustBePlain)
	s.add(tooLong(u.FirstName), "firstName", mustBeShort)
	s.add(tooLong(u.LastName), "lastName", mustBeShort)
	s.add(u.Email != "" && !wellFormedEmail(u.Email), "emailAddress", mustBeEmail)
	s.add(u.Status == "", "status", mustNotBeNull)
	s.add(u.Status != "" && !u.Status.known(), "status", "is not a status")
	return s.err()
}

// CreateExternalUser makes a user of a source whose users are kept here, before the user first signs in.
func (s *Service) CreateExternalUser(ctx context.Context, actor Actor, u User) error {
	return s.keepExternal(ctx, audit.Event{Actor: actor, Action: "user.create", Object: u.ID}, u, true)
}

// UpdateExternalUser replaces the names, status and roles of a user of a source whose users are kept here. The groups stay as the source
// told them; the names do until the next sign-in.
func (s *Service) UpdateExternalUser(ctx context.Context, actor Actor, u User) error {
	return s.keepExternal(ctx, audit.Event{Actor: actor, Action: "user.update", Object: u.ID}, u, false)
}

func (s *Service) keepExternal(ctx context.Context, event audit.Event, u User, fresh bool) error {
	if err := u.ValidateExternal(); err != nil {
		return err
	}
	_, keeper, err := s.keeperOf(u.Source)
	if err != nil {
		return err
	}
	return s.change(ctx, event, func(snap *snapshot) ([]kv.Op, error) {
		if err := snap.checkUserRoles(u.Roles); err != nil {
			return nil, err
		}
		known, err := keeper.Find(ctx, u.ID)
		switch {
		case err == nil && fresh:
			return nil, refuse(Exists, "User %s already exists.", u.ID)
		case errors.Is(err, ErrNoUser) && !fresh:
			return nil, noUser(u.ID)
		case err != nil && !errors.Is(err, ErrNoUser):
			return nil, err
		}
		kept, err := keeper.Keep(ctx, DirectoryUser{ID: u.ID, FirstName: u.FirstName, LastName: u.LastName, Email: u.Email, Groups: known.Groups})
		if err != nil {
			return nil, err
		}
		account, err := put(userKey(u.Source, u.ID), userRecord{ID: u.ID, Source: u.Source, Status: u.Status, Roles: unique(u.Roles)})
		return []kv.Op{kept, account}, err
	})
}

// DeleteExternalUser forgets a user of a source whose users are kept here, with what was assigned, all tokens and sessions. Who is not
// disabled but deleted comes back with the next sign-in.
func (s *Service) DeleteExternalUser(ctx context.Context, actor Actor, source, id string) error {
	_, keeper, err := s.keeperOf(source)
	if err != nil {
		return err
	}
	if actor.Source == source && actor.UserID == id {
		return refuse(InUse, "Can not delete currently signed in user")
	}
	err = s.change(ctx, audit.Event{Actor: actor, Action: "user.delete", Object: id}, func(*snapshot) ([]kv.Op, error) {
		if _, err := keeper.Find(ctx, id); errors.Is(err, ErrNoUser) {
			return nil, noUser(id)
		} else if err != nil {
			return nil, err
		}
		return []kv.Op{keeper.Drop(id), kv.Delete(userKey(source, id))}, nil
	})
	if err != nil {
		return err
	}
	s.sessions.endUser(source, id, "")
	_, err = s.DeleteTokens(ctx, actor, TokenFilter{Source: source, User: id})
	return err
}
