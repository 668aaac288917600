package access

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"entrepot/storage/kv"
)

// Directory tells about the users of a source that keeps them elsewhere.
type Directory interface {
	// Find gives the user of an id; ErrNoUser when there is none.
	Find(ctx context.Context, id string) (DirectoryUser, error)
	// Search gives at most limit users whose id begins with prefix, ignoring case, in no order.
	Search(ctx context.Context, prefix string, limit int) ([]DirectoryUser, error)
	// Groups gives the names of at most limit groups that users may be in. A directory that cannot list them gives none.
	Groups(ctx context.Context, limit int) ([]string, error)
}

// ErrNoUser is a Directory's answer about a user it does not know.
var ErrNoUser = errors.New("access: no such user in the directory")

// DirectoryUser is a user as a Directory knows it.
type DirectoryUser struct {
	ID        string // as the directory spells it
	FirstName string
	LastName  string
	Email     string
	Groups    []string
}

// The most users, unless the caller says so, and groups of a directory that a listing shows.
const (
	maxListedUsers  = 100
	maxListedGroups = 1000
)

// realmOf gives the installed realm whose users have a source.
func (s *Service) realmOf(source string) (Realm, bool) {
	for _, r := range s.realms {
		if source != "" && r.Source == source {
			return r, true
		}
	}
	return Realm{}, false
}

// usualRealm gives the id of the realm that a source's users come from on every server, installed here or not; "" when it is not known.
func usualRealm(source string) string {
	switch source {
	case SourceLDAP:
		return "LdapRealm"
	case SourceSAML:
		return "SamlRealm"
	case SourceCrowd:
		return "Crowd"
	}
	return ""
}

// externalGroups gives the groups of a user who was recognised without a password of its source, by a token or an old session.
// ErrBadCredentials when the source does not know the user any more, or its realm is not active. Users of a source that cannot be asked
// here at all, but was active on the server they came from, have what was assigned here.
func (s *Service) externalGroups(ctx context.Context, snap *snapshot, source, id string) ([]string, error) {
	if source == SourceLocal {
		return nil, nil
	}
	realm, installed := s.realmOf(source)
	if !installed {
		realm.ID = usualRealm(source)
	}
	if !slices.Contains(snap.realms, realm.ID) {
		return nil, ErrBadCredentials
	}
	if realm.Directory == nil {
		return nil, nil
	}
	user, err := realm.Directory.Find(ctx, id)
	if errors.Is(err, ErrNoUser) {
		return nil, ErrBadCredentials
	}
	if err != nil {
		return nil, &UnavailableError{Err: fmt.Errorf("access: find %s of %s: %w", id, source, err)}
	}
	return user.Groups, nil
}

// directoryUser gives a user of a realm's directory.
func (s *Service) directoryUser(ctx context.Context, realm Realm, id string) (User, error) {
	d, err := realm.Directory.Find(ctx, id)
	if errors.Is(err, ErrNoUser) {
		return User{}, noUser(id)
	}
	if err != nil {
		return User{}, &UnavailableError{Err: fmt.Errorf("access: find %s of %s: %w", id, realm.Source, err)}
	}
	return s.external(ctx, realm.Source, d)
}

// external joins what a directory knows of a user with what was assigned here.
func (s *Service) external(ctx context.Context, source string, d DirectoryUser) (User, error) {
	u := User{ID: d.ID, Source: source, FirstName: d.FirstName, LastName: d.LastName, Email: d.Email, Status: StatusActive,
		Roles: []string{}, Groups: unique(d.Groups)}
	r, _, err := s.account(ctx, source, d.ID)
	if errors.Is(err, kv.ErrNotFound) {
		return u, nil
	}
	if err != nil {
		return u, fmt.Errorf("access: read user: %w", err)
	}
	u.Status, u.Roles = r.Status, unique(r.Roles)
	return u, nil
}

// externalUsers gives the users of a directory that the filter selects.
func (s *Service) externalUsers(ctx context.Context, realm Realm, filter UserFilter) ([]User, error) {
	found, err := realm.Directory.Search(ctx, filter.Prefix, cmp.Or(filter.Limit, maxListedUsers))
	if err != nil {
		return nil, &UnavailableError{Err: fmt.Errorf("access: users of %s: %w", realm.Source, err)}
	}
	list := make([]User, 0, len(found))
	for _, d := range found {
		u, err := s.external(ctx, realm.Source, d)
		if err != nil {
			return nil, err
		}
		list = append(list, u)
	}
	slices.SortFunc(list, func(a, b User) int { return strings.Compare(a.ID, b.ID) })
	return list, nil
}

// directories gives the realms with a directory, of one source or, for "", of all, in the order of their ids.
func (s *Service) directories(source string) []Realm {
	var list []Realm
	for _, r := range s.AvailableRealms() {
		if r.Directory != nil && (source == "" || r.Source == source) {
			list = append(list, r)
		}
	}
	return list
}

// externalRoles gives the groups of a directory as roles.
func (s *Service) externalRoles(ctx context.Context, source string) ([]Role, error) {
	list := []Role{}
	for _, realm := range s.directories(source) {
		groups, err := realm.Directory.Groups(ctx, maxListedGroups)
		if err != nil {
			return nil, &UnavailableError{Err: fmt.Errorf("access: groups of %s: %w", source, err)}
		}
		for _, name := range slices.Sorted(slices.Values(unique(groups))) {
			list = append(list, Role{ID: name, Source: source, Name: name, Description: name, ReadOnly: true, Privileges: []string{}, Roles: []string{}})
		}
	}
	return list, nil
}

// knownElsewhere tells whether a directory has a user of that id. One that cannot be asked has none.
func (s *Service) knownElsewhere(ctx context.Context, id string) bool {
	for _, realm := range s.directories("") {
		if _, err := realm.Directory.Find(ctx, id); err == nil {
			return true
		}
	}
	return false
}
