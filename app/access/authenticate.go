package access

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"entrepot/app/access/password"
	"entrepot/app/audit"
	"entrepot/storage/kv"
)

// Authenticate tells who a caller is. A live session goes before credentials in the same request; a dead one counts as nothing.
// Credentials are shown to the active realms in order, and the first that accepts them wins. Callers without credentials are
// anonymous, and so are those with a token of a kind that no active realm knows.
//
// The error is ErrBadCredentials (perhaps as *ThrottledError) when the credentials are wrong, *UnavailableError when a realm that might
// accept them cannot be asked, and anything else when nobody can tell now.
func (s *Service) Authenticate(ctx context.Context, c Credentials) (*Subject, error) {
	snap, err := s.current(ctx)
	if err != nil {
		return nil, err
	}
	if c.Session != "" {
		if subject, err := s.resume(ctx, snap, c.Session); subject != nil || err != nil {
			return subject, err
		}
	}
	switch c.Kind {
	case NoCredentials:
		return snap.anonymous, nil
	case Malformed:
		return nil, ErrBadCredentials
	}
	e, err := s.identify(ctx, snap, &c)
	if err != nil {
		return nil, err
	}
	return e.subject, nil
}

// identify gives who credentials belong to, from memory if possible.
func (s *Service) identify(ctx context.Context, snap *snapshot, c *Credentials) (*signedIn, error) {
	key, now := s.cache.key(c), s.opts.Now()
	e := s.cache.get(key, now)
	if e != nil && e.snap == snap {
		return e, nil
	}
	if e != nil {
		subject, err := s.renew(ctx, snap, e.identity)
		if err != nil {
			return nil, err
		}
		if subject != nil {
			e = &signedIn{identity: e.identity, subject: subject, snap: snap, expires: e.expires}
			s.cache.put(key, e, now)
			return e, nil
		}
	}
	identity, err := s.signIn(ctx, snap, c)
	if err != nil {
		return nil, err
	}
	if identity == nil {
		return &signedIn{subject: snap.anonymous, snap: snap}, nil
	}
	subject, err := s.subjectOf(ctx, snap, *identity)
	if err != nil {
		return nil, err
	}
	ttl := s.holds(identity)
	e = &signedIn{identity: *identity, subject: subject, snap: snap, expires: identity.before(now.Add(ttl))}
	if ttl > 0 {
		s.cache.put(key, e, now)
	}
	return e, nil
}

// holds gives how long credentials that led to an identity need not be shown to its realm again.
func (s *Service) holds(id *Identity) time.Duration {
	if id.Source != SourceLocal {
		if r, ok := s.realmOf(id.Source); ok {
			return r.CacheFor // what its source says of the user may change unseen
		}
	}
	if r := s.realms[id.realm]; !r.Tokens && id.token == "" && id.realm != RealmLocal {
		return r.CacheFor
	}
	return s.opts.CredentialTTL // revoked by the change number long before
}

// renew gives what an identity verified earlier may do now, or nil when it must be verified again.
func (s *Service) renew(ctx context.Context, snap *snapshot, id Identity) (*Subject, error) {
	if id.realm != RealmAPIToken && !slices.Contains(snap.realms, id.realm) {
		return nil, nil
	}
	if id.token != "" {
		if _, err := s.token(ctx, id.realm, id.token); err != nil {
			return nil, unless(err, ErrBadCredentials)
		}
	}
	if epoch, err := s.epoch(ctx, id.realm); err != nil || epoch != id.epoch {
		return nil, err
	}
	subject, err := s.subjectOf(ctx, snap, id)
	return subject, unless(err, ErrBadCredentials)
}

// epoch gives the epoch of a realm, "" for one without.
func (s *Service) epoch(ctx context.Context, realm string) (string, error) {
	if s.realms[realm].Epoch == nil {
		return "", nil
	}
	epoch, err := s.realms[realm].Epoch(ctx)
	if err != nil {
		return "", fmt.Errorf("access: settings of realm %s: %w", realm, err)
	}
	return epoch, nil
}

// unless drops an error of the given kind.
func unless(err, kind error) error {
	if errors.Is(err, kind) {
		return nil
	}
	return err
}

// signIn asks the realms; a nil identity without error means that none knows such credentials.
func (s *Service) signIn(ctx context.Context, snap *snapshot, c *Credentials) (*Identity, error) {
	if c.Kind == Basic {
		wait, err := s.throttle.reserve(s.opts.Now(), c.User, c.Address)
		if err != nil {
			return nil, err
		}
		if wait > 0 {
			if err := s.opts.Sleep(ctx, wait); err != nil {
				return nil, fmt.Errorf("access: wait after failed sign-ins: %w", err)
			}
		}
	}
	if identity, err := s.tokenSignIn(ctx, c); err == nil {
		return identity, nil
	} else if errors.Is(err, ErrBadCredentials) {
		s.tellFailure(ctx, c)
		return nil, ErrBadCredentials
	} else if !errors.Is(err, ErrNotMine) {
		return nil, err
	}
	return s.askRealms(ctx, snap, c)
}

// askRealms shows credentials to the active realms in order.
func (s *Service) askRealms(ctx context.Context, snap *snapshot, c *Credentials) (*Identity, error) {
	wrong := c.Kind == Basic
	var broken error
	for i, id := range snap.realms {
		realm := s.realms[id]
		if realm.Authenticator == nil || slices.Contains(snap.realms[:i], id) {
			continue
		}
		identity, err := s.ask(ctx, realm, c)
		switch {
		case err == nil:
			return &identity, nil
		case errors.Is(err, ErrBadCredentials):
			wrong = true
		case !errors.Is(err, ErrNotMine):
			broken = errors.Join(broken, fmt.Errorf("access: realm %s: %w", id, err))
		}
	}
	if wrong && c.Kind == Basic { // also when a realm could not be asked: guessing at the others is to be no faster then
		s.throttle.failed(s.opts.Now(), c.User, c.Address)
	}
	if broken != nil {
		return nil, &UnavailableError{Err: broken}
	}
	if wrong {
		s.tellFailure(ctx, c)
		return nil, ErrBadCredentials
	}
	return nil, nil
}

// tellFailure makes a sign-in that failed known. A token that nobody knows has no name.
func (s *Service) tellFailure(ctx context.Context, c *Credentials) {
	name := c.User
	if name == "" {
		name = "(token)"
	}
	audit.Record(ctx, s.opts.Audit, audit.Event{
		Time: s.opts.Now(), Actor: Actor{UserID: name, Address: c.Address}, Action: audit.ActionSignInFailed, Object: name,
	})
}

// ask shows credentials to a realm.
func (s *Service) ask(ctx context.Context, realm Realm, c *Credentials) (Identity, error) {
	epoch, err := s.epoch(ctx, realm.ID)
	if err != nil {
		return Identity{}, err
	}
	identity, err := realm.Authenticator.Authenticate(ctx, *c)
	identity.realm, identity.epoch = realm.ID, epoch
	return identity, err
}

// localRealm checks the passwords of local users.
type localRealm struct{ service *Service }

// Authenticate implements Authenticator.
func (r localRealm) Authenticate(ctx context.Context, c Credentials) (Identity, error) {
	s := r.service
	if c.Kind != Basic {
		return Identity{}, ErrNotMine
	}
	record, row, err := s.account(ctx, SourceLocal, c.User)
	if err != nil && !errors.Is(err, kv.ErrNotFound) {
		return Identity{}, err
	}
	// The built-in anonymous user is no account, whatever its password and whoever callers without credentials act as.
	if err != nil || record.Password == "" || c.User == UserAnonymous {
		return Identity{}, errors.Join(ErrBadCredentials, s.passwords.Burn(ctx, c.Secret))
	}
	result, err := s.passwords.Verify(ctx, record.Password, c.Secret)
	if errors.Is(err, password.ErrUnknownFormat) {
		s.opts.Log.WarnContext(ctx, "stored password hash cannot be read; set a new password", "user", c.User)
		return Identity{}, ErrBadCredentials
	}
	if err != nil {
		return Identity{}, err
	}
	if !result.OK || !record.Status.maySignIn() {
		return Identity{}, ErrBadCredentials
	}
	if result.Outdated {
		s.upgrade(ctx, record, row.Version, c.Secret)
	}
	return Identity{UserID: record.ID, Source: SourceLocal, stamp: record.Stamp}, nil
}

// upgrade replaces an old hash by one of today. The sign-in does not depend on it: the next one tries again.
func (s *Service) upgrade(ctx context.Context, record userRecord, version uint64, secret string) {
	hash, err := s.passwords.Hash(ctx, secret)
	if err == nil {
		record.Password = hash
		var op kv.Op
		if op, err = put(userKey(record.Source, record.ID), record); err == nil {
			op.If, op.Version = kv.IfVersion, version
			err = s.store.Apply(ctx, op)
		}
	}
	if err != nil && !errors.Is(err, kv.ErrConflict) {
		s.opts.Log.WarnContext(ctx, "old password hash was not replaced", "user", record.ID, "error", err)
	}
}
