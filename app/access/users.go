package access

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"entrepot/app/audit"
	"entrepot/storage/kv"
)

// The sources of users. Only the records and passwords of SourceLocal are kept here.
const (
	SourceLocal  = "default"
	SourceLDAP   = "LDAP"
	SourceSAML   = "SAML"
	SourceOAuth2 = "OAuth2"
	SourceCrowd  = "Crowd"
)

// Status says whether a user may sign in.
type Status string

// The statuses.
const (
	StatusActive         Status = "active"
	StatusLocked         Status = "locked"
	StatusDisabled       Status = "disabled"
	StatusChangePassword Status = "changepassword" // may sign in and should change the password
)

func (s Status) known() bool {
	return s == StatusActive || s == StatusLocked || s == StatusDisabled || s == StatusChangePassword
}

func (s Status) maySignIn() bool { return s == StatusActive || s == StatusChangePassword }

// User is an account. Ids are case-sensitive.
type User struct {
	ID        string
	Source    string
	FirstName string
	LastName  string
	Email     string
	Status    Status
	Roles     []string // assigned here
	Groups    []string // of its source, which are roles where one of the same id exists
}

// NewUser is what it takes to make a local user.
type NewUser struct {
	ID        string
	FirstName string
	LastName  string
	Email     string
	Password  string
	Status    Status
	Roles     []string // need not exist
}

// UserUpdate replaces everything but a user's password. Of a user of another source only Roles are taken.
type UserUpdate struct {
	ID        string
	Source    string
	FirstName string
	LastName  string
	Email     string
	Status    Status
	Roles     []string
}

// UserFilter selects users.
type UserFilter struct {
	Prefix string // of the id, ignoring case; "" for all
	Source string // "" for every source
	// Stored selects only users of whom something is kept here: directories are not asked.
	Stored bool
	// Limit bounds the users of each directory. Default: 100.
	Limit int
}

// Validate finds the faults that the request has by itself.
func (u *NewUser) Validate() error {
	s := userShapes(u.ID, u.FirstName, u.LastName, u.Email)
	s.add(u.Password == "", "password", mustNotBeEmpty)
	addStatusAndRoles(&s, u.Status, u.Roles)
	return s.err()
}

// Validate finds the faults that the request has by itself.
func (u *UserUpdate) Validate() error {
	s := userShapes(u.ID, u.FirstName, u.LastName, u.Email)
	s.add(blank(u.Source), "source", mustNotBeBlank)
	addStatusAndRoles(&s, u.Status, u.Roles)
	return s.err()
}

func userShapes(id, first, last, email string) shapes {
	var s shapes
	s.add(blank(id), "userId", mustNotBeBlank)
	s.add(tooLong(id), "userId", mustBeShort)
	s.add(strings.ContainsRune(id, 0), "userId", mustBePlain)
	s.add(first == "", "firstName", mustNotBeEmpty)
	s.add(tooLong(first), "firstName", mustBeShort)
	s.add(last == "", "lastName", mustNotBeEmpty)
	s.add(tooLong(last), "lastName", mustBeShort)
	s.add(email == "", "emailAddress", mustNotBeEmpty)
	s.add(email != "" && !wellFormedEmail(email), "emailAddress", mustBeEmail)
	return s
}

func addStatusAndRoles(s *shapes, status Status, roles []string) {
	s.add(status == "", "status", mustNotBeNull)
	s.add(status != "" && !status.known(), "status", "is not a status")
	s.add(len(roles) == 0, "roles", mustNotBeEmpty)
}

// account reads a user's record; kv.ErrNotFound when there is none.
func (s *Service) account(ctx context.Context, source, id string) (userRecord, kv.Entry, error) {
	var record userRecord
	key := userKey(source, id)
	if len(key.Sort) > kv.MaxSort {
		return record, kv.Entry{}, kv.ErrNotFound
	}
	e, err := s.store.Get(ctx, key)
	if err == nil {
		err = decode(e, &record)
	}
	return record, e, err
}

func (r *userRecord) user() User {
	return User{ID: r.ID, Source: r.Source, FirstName: r.FirstName, LastName: r.LastName, Email: r.Email, Status: r.Status,
		Roles: unique(r.Roles)}
}

// User gives one user. Of a user of a directory ids are spelled as there.
func (s *Service) User(ctx context.Context, source, id string) (User, error) {
	if realm, ok := s.realmOf(source); ok && realm.Directory != nil {
		return s.directoryUser(ctx, realm, id)
	}
	r, _, err := s.account(ctx, source, id)
	if errors.Is(err, kv.ErrNotFound) {
		return User{}, noUser(id)
	}
	if err != nil {
		return User{}, fmt.Errorf("access: read user: %w", err)
	}
	return r.user(), nil
}

// NotLocal is the refusal to delete a user of another source.
func NotLocal() error { return refuse(Refused, "Non-local user cannot be deleted.") }

func noUser(id string) error { return refuse(NotFound, "User '%s' not found.", id) }

// Users gives the users that the filter selects, by source and id: all local ones, and the first of each directory. When a directory
// cannot be asked and its source was not named, only those of its users who were given roles here are told. It reads all users.
func (s *Service) Users(ctx context.Context, filter UserFilter) ([]User, error) {
	list, asked := []User{}, map[string]bool{}
	for _, realm := range s.directories(filter.Source) {
		if filter.Stored {
			break
		}
		found, err := s.externalUsers(ctx, realm, filter)
		if err != nil && filter.Source != "" {
			return nil, err
		}
		if err != nil {
			s.opts.Log.WarnContext(ctx, "users of a directory are missing in a listing", "source", realm.Source, "error", err)
			continue
		}
		list, asked[realm.Source] = append(list, found...), true
	}
	err := s.eachUser(ctx, func(r userRecord) error {
		if asked[r.Source] || filter.Source != "" && filter.Source != r.Source {
			return nil
		}
		if len(r.ID) >= len(filter.Prefix) && strings.EqualFold(r.ID[:len(filter.Prefix)], filter.Prefix) {
			list = append(list, r.user())
		}
		return nil
	})
	slices.SortStableFunc(list, func(a, b User) int { return cmp.Compare(sourceRank(a.Source), sourceRank(b.Source)) })
	return list, err
}

// sourceRank puts local users first.
func sourceRank(source string) string {
	if source == SourceLocal {
		return ""
	}
	return source
}

func (s *Service) eachUser(ctx context.Context, visit func(userRecord) error) error {
	for r, err := range rows[userRecord](ctx, s.store, partUsers, kv.Range{}) {
		if err != nil {
			return fmt.Errorf("access: read users: %w", err)
		}
		if err := visit(r.record); err != nil {
			return err
		}
	}
	return nil
}

// CreateUser makes a local user.
func (s *Service) CreateUser(ctx context.Context, actor Actor, u NewUser) (User, error) {
	if err := u.Validate(); err != nil {
		return User{}, err
	}
	if blank(u.Password) {
		return User{}, refuse(Refused, "A non-empty password is required.")
	}
	record := userRecord{ID: u.ID, Source: SourceLocal, FirstName: u.FirstName, LastName: u.LastName, Email: u.Email, Status: u.Status,
		Roles: unique(u.Roles)}
	if err := s.setPassword(ctx, &record, u.Password); err != nil {
		return User{}, err
	}
	err := s.change(ctx, audit.Event{Actor: actor, Action: "user.create", Object: u.ID}, func(*snapshot) ([]kv.Op, error) {
		switch _, _, err := s.account(ctx, SourceLocal, u.ID); {
		case err == nil:
			return nil, refuse(Exists, "User %s already exists.", u.ID)
		case !errors.Is(err, kv.ErrNotFound):
			return nil, err
		}
		return one(put(userKey(SourceLocal, u.ID), record))
	})
	return record.user(), err
}

func one(op kv.Op, err error) ([]kv.Op, error) { return []kv.Op{op}, err }

// UpdateUser replaces a local user's data, or the roles assigned here to a user of another source.
func (s *Service) UpdateUser(ctx context.Context, actor Actor, u UserUpdate) error {
	if err := u.Validate(); err != nil {
		return err
	}
	if !s.hasSource(u.Source) {
		return refuse(NotFound, "Unable to locate source: %s", u.Source)
	}
	if realm, ok := s.realmOf(u.Source); ok && realm.Directory != nil {
		known, err := s.directoryUser(ctx, realm, u.ID)
		if err != nil {
			return err
		}
		u.ID = known.ID
	}
	return s.change(ctx, audit.Event{Actor: actor, Action: "user.update", Object: u.ID}, func(snap *snapshot) ([]kv.Op, error) {
		if err := snap.checkUserRoles(u.Roles); err != nil {
			return nil, err
		}
		r, _, err := s.account(ctx, u.Source, u.ID)
		missing := errors.Is(err, kv.ErrNotFound)
		switch {
		case missing && u.Source == SourceLocal:
			return nil, noUser(u.ID)
		case missing:
			r = userRecord{ID: u.ID, Source: u.Source, Status: StatusActive}
		case err != nil:
			return nil, err
		}
		if u.Source == SourceLocal {
			r.FirstName, r.LastName, r.Email, r.Status = u.FirstName, u.LastName, u.Email, u.Status
		}
		r.Roles = unique(u.Roles)
		return one(put(userKey(u.Source, u.ID), r))
	})
}

// Assign sets the status and roles that a user of another source has here; active without roles forgets the user. Its directory is not
// asked, so that roles can be given before it is set up, and taken from whom it does not know any more.
func (s *Service) Assign(ctx context.Context, actor Actor, u User) error {
	if u.Source == SourceLocal || !s.hasSource(u.Source) {
		return refuse(NotFound, "Unable to locate source: %s", u.Source)
	}
	if !fitID(u.ID) {
		return unfit("userId", "is not the id of a user")
	}
	if !u.Status.known() {
		return unfit("status", "is not a status")
	}
	return s.change(ctx, audit.Event{Actor: actor, Action: "user.update", Object: u.ID}, func(snap *snapshot) ([]kv.Op, error) {
		if err := snap.checkUserRoles(u.Roles); err != nil {
			return nil, err
		}
		if len(u.Roles) == 0 && u.Status == StatusActive {
			return []kv.Op{kv.Delete(userKey(u.Source, u.ID))}, nil
		}
		return one(put(userKey(u.Source, u.ID), userRecord{ID: u.ID, Source: u.Source, Status: u.Status, Roles: unique(u.Roles)}))
	})
}

func (snap *snapshot) checkUserRoles(roles []string) error {
	var missing []FieldError
	for _, id := range roles {
		if _, ok := snap.roles[id]; !ok {
			missing = append(missing, FieldError{Field: "roles", Message: "Unable to locate roleId: " + id})
		}
	}
	if missing == nil {
		return nil
	}
	return &Error{Kind: Invalid, Fields: missing}
}

// DeleteUser removes a local user with all tokens and sessions. Nobody can delete himself or the user anonymous callers act as.
func (s *Service) DeleteUser(ctx context.Context, actor Actor, id string) error {
	if _, _, err := s.account(ctx, SourceLocal, id); errors.Is(err, kv.ErrNotFound) && s.knownElsewhere(ctx, id) {
		return NotLocal()
	}
	err := s.change(ctx, audit.Event{Actor: actor, Action: "user.delete", Object: id}, func(snap *snapshot) ([]kv.Op, error) {
		if _, _, err := s.account(ctx, SourceLocal, id); err != nil {
			if errors.Is(err, kv.ErrNotFound) {
				return nil, noUser(id)
			}
			return nil, err
		}
		switch {
		case actor.UserID == id && (actor.Source == SourceLocal || actor.Source == ""):
			return nil, refuse(InUse, "Can not delete currently signed in user")
		case snap.settings.UserID == id:
			return nil, refuse(InUse, "Can not delete anonymous user")
		}
		return []kv.Op{kv.Delete(userKey(SourceLocal, id))}, nil
	})
	if err != nil {
		return err
	}
	s.sessions.endUser(SourceLocal, id, "")
	// Without their owner the tokens are dead already.
	_, err = s.DeleteTokens(ctx, actor, TokenFilter{Source: SourceLocal, User: id})
	return err
}

// PasswordChange sets a local user's password.
type PasswordChange struct {
	UserID   string
	Password string
	// KeepSession is the id of a session of the user that goes on; all others end.
	KeepSession string
}

// ChangePassword sets a local user's password and ends the user's sessions. A user who had to change it becomes active.
func (s *Service) ChangePassword(ctx context.Context, actor Actor, p PasswordChange) error {
	if err := withheld(actor.Token); err != nil {
		return err
	}
	if blank(p.Password) {
		return refuse(Refused, "Password must be supplied.")
	}
	if _, err := s.User(ctx, SourceLocal, p.UserID); err != nil {
		return err
	}
	var fresh userRecord
	if err := s.setPassword(ctx, &fresh, p.Password); err != nil {
		return err
	}
	err := s.change(ctx, audit.Event{Actor: actor, Action: "user.password", Object: p.UserID}, func(*snapshot) ([]kv.Op, error) {
		r, _, err := s.account(ctx, SourceLocal, p.UserID)
		if errors.Is(err, kv.ErrNotFound) {
			return nil, noUser(p.UserID)
		}
		if err != nil {
			return nil, err
		}
		r.Password, r.Stamp = fresh.Password, fresh.Stamp
		if r.Status == StatusChangePassword {
			r.Status = StatusActive
		}
		return one(put(userKey(SourceLocal, p.UserID), r))
	})
	if err != nil {
		return err
	}
	s.sessions.restamp(p.KeepSession, SourceLocal, p.UserID, fresh.Stamp)
	s.sessions.endUser(SourceLocal, p.UserID, p.KeepSession)
	if p.UserID == UserAdmin {
		s.opts.AdminPasswordChanged()
	}
	return nil
}

// setPassword gives a record a new password.
func (s *Service) setPassword(ctx context.Context, r *userRecord, secret string) error {
	hash, err := s.passwords.Hash(ctx, secret)
	if err != nil {
		return err
	}
	if r.Stamp, err = s.newID(); err != nil {
		return err
	}
	r.Password = hash
	return nil
}

// ImportedUser is a user as another server kept it.
type ImportedUser struct {
	User
	PasswordHash string // verified as it is and replaced at the first good sign-in; "" lets nobody in
}

// ImportUser stores a user of any source as it was elsewhere, replacing one with the same id. A user that comes without a password keeps
// the one that is here.
func (s *Service) ImportUser(ctx context.Context, actor Actor, u ImportedUser) error {
	if blank(u.ID) || blank(u.Source) || strings.ContainsRune(u.ID+u.Source, 0) {
		return refuse(Refused, "A user needs an id and a source.")
	}
	stamp, err := s.newID()
	if err != nil {
		return err
	}
	record := userRecord{ID: u.ID, Source: u.Source, FirstName: u.FirstName, LastName: u.LastName, Email: u.Email, Status: u.Status,
		Roles: unique(u.Roles), Password: u.PasswordHash, Stamp: stamp}
	return s.change(ctx, audit.Event{Actor: actor, Action: "user.import", Object: u.ID}, func(*snapshot) ([]kv.Op, error) {
		if u.PasswordHash == "" {
			before, _, err := s.account(ctx, u.Source, u.ID)
			if err != nil && !errors.Is(err, kv.ErrNotFound) {
				return nil, err
			}
			record.Password = before.Password
		}
		return one(put(userKey(u.Source, u.ID), record))
	})
}

// DeleteImportedUser removes a user of any source with all tokens, as DeleteUser does a local one.
func (s *Service) DeleteImportedUser(ctx context.Context, actor Actor, source, id string) error {
	if source == SourceLocal {
		return s.DeleteUser(ctx, actor, id)
	}
	err := s.change(ctx, audit.Event{Actor: actor, Action: "user.delete", Object: id}, func(*snapshot) ([]kv.Op, error) {
		return []kv.Op{kv.Delete(userKey(source, id))}, nil
	})
	if err != nil {
		return err
	}
	s.sessions.endUser(source, id, "")
	_, err = s.DeleteTokens(ctx, actor, TokenFilter{Source: source, User: id})
	return err
}

// usersWithRole gives the operations that take a role away from every user.
func (s *Service) usersWithRole(ctx context.Context, role string) ([]kv.Op, error) {
	var ops []kv.Op
	err := s.eachUser(ctx, func(r userRecord) error {
		roles, held := without(r.Roles, role)
		if !held {
			return nil
		}
		r.Roles = roles
		op, err := put(userKey(r.Source, r.ID), r)
		ops = append(ops, op)
		return err
	})
	slices.SortFunc(ops, func(a, b kv.Op) int { return strings.Compare(a.Key.Sort, b.Key.Sort) })
	return ops, err
}
