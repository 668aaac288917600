package access

import (
	"context"
	"errors"
	"slices"

	"entrepot/app/access/permission"
	"entrepot/storage/kv"
)

// Subject is a caller and what it may do. It is immutable and safe for many goroutines; one request should use one subject.
type Subject struct {
	userID    string
	source    string
	realm     string
	session   string
	anonymous bool
	standIn   bool // the user that callers without credentials act as
	needs     bool // a user token, for content
	roles     []string
	set       *permission.Set
	limit     *permission.Set // of the API token that was shown; nil for none
	token     string          // its digest
	ends      bool            // the credentials end by themselves
}

// UserID gives the caller's user id; that of the anonymous user for callers without credentials, "" when anonymous access is off.
func (s *Subject) UserID() string { return s.userID }

// Source gives the source of the caller's user, "" for callers without credentials.
func (s *Subject) Source() string { return s.source }

// Realm gives the id of the realm that accepted the credentials, "" without.
func (s *Subject) Realm() string { return s.realm }

// Session gives the id of the session that the caller is in, "" without. Only such callers need an anti-CSRF token.
func (s *Subject) Session() string { return s.session }

// Anonymous tells whether the caller showed no credentials. Such a caller may be allowed to read, but is never signed in.
func (s *Subject) Anonymous() bool { return s.anonymous }

// SignedIn tells whether the caller counts as somebody. Neither a caller without credentials does, nor one who signed in as the very
// user that such callers act as.
func (s *Subject) SignedIn() bool { return !s.anonymous && !s.standIn }

// NeedsUserToken tells whether content is refused to the caller because it is given for user tokens, not for passwords.
func (s *Subject) NeedsUserToken() bool { return s.needs }

// Roles gives the ids of the roles that the caller has directly.
func (s *Subject) Roles() []string { return slices.Clone(s.roles) }

// Granted gives the text of every permission the caller holds, as far as its token allows it.
func (s *Subject) Granted() []string {
	if s.limit == nil {
		return s.set.Granted()
	}
	return s.set.Common(s.limit)
}

// Actor gives the caller as the author of a change.
func (s *Subject) Actor(address string) Actor {
	return Actor{UserID: s.userID, Source: s.source, Address: address, Token: s.token}
}

// Permits tells whether the caller holds a permission that implies p.
func (s *Subject) Permits(p permission.Permission) bool {
	return s.set.Permits(p) && (s.limit == nil || s.limit.Permits(p))
}

// MayView tells whether all the actions are allowed on a path of a repository's content, by a privilege on the repository or
// through a content selector.
func (s *Subject) MayView(format, repository string, actions permission.Action, path string) bool {
	return s.set.View(format, repository, actions, path) && (s.limit == nil || s.limit.View(format, repository, actions, path))
}

// MayBrowse tells whether an entry of a folder of a repository's index may be shown. The path of a folder ends in a slash.
func (s *Subject) MayBrowse(format, repository, path string) bool {
	return s.set.Browse(format, repository, path) && (s.limit == nil || s.limit.Browse(format, repository, path))
}

// MayEnter tells whether one of the actions is allowed on at least some path of a repository, so that it may be shown to the caller.
func (s *Subject) MayEnter(format, repository string, anyOf permission.Action) bool {
	return s.set.Enter(format, repository, anyOf) && (s.limit == nil || s.limit.Enter(format, repository, anyOf))
}

// MayAdminister tells whether all the actions are allowed on a repository's settings.
func (s *Subject) MayAdminister(format, repository string, actions permission.Action) bool {
	return s.set.Admin(format, repository, actions) && (s.limit == nil || s.limit.Admin(format, repository, actions))
}

// subjectOf gives what an identity may do now. ErrBadCredentials when its user is gone or may not sign in any more.
func (s *Service) subjectOf(ctx context.Context, snap *snapshot, id Identity) (*Subject, error) {
	record, _, err := s.account(ctx, id.Source, id.UserID)
	switch {
	case errors.Is(err, kv.ErrNotFound) && id.Source != SourceLocal:
		record.Status = StatusActive // known to its source only
	case errors.Is(err, kv.ErrNotFound):
		return nil, ErrBadCredentials
	case err != nil:
		return nil, err
	}
	if !record.Status.maySignIn() || id.stamp != "" && id.stamp != record.Stamp {
		return nil, ErrBadCredentials
	}
	roles := slices.Concat(id.Groups, record.Roles)
	if snap.defaultTo != "" && slices.Contains(snap.realms, RealmDefaultRole) {
		roles = append(roles, snap.defaultTo)
	}
	roles = unique(roles)
	standIn := snap.settings.Enabled && id.Source == SourceLocal && id.UserID == snap.settings.UserID
	subject := &Subject{
		userID: id.UserID, source: id.Source, realm: id.realm, standIn: standIn, roles: roles, set: snap.permissions(roles), ends: !id.Until.IsZero(),
	}
	subject.needs = id.token == "" && snap.userTokens.Enabled && snap.userTokens.ProtectContent && slices.Contains(snap.realms, RealmUserToken)
	if id.realm == RealmAPIToken {
		subject.token, subject.limit = id.token, snap.limits(id.scope)
	}
	return subject, nil
}

// anonymousSubject gives what callers without credentials are. An anonymous user who is gone or may not sign in may do nothing.
func (s *Service) anonymousSubject(ctx context.Context, snap *snapshot) (*Subject, error) {
	nobody := &Subject{anonymous: true, set: &permission.Set{}}
	if !snap.settings.Enabled {
		return nobody, nil
	}
	nobody.userID = snap.settings.UserID
	record, _, err := s.account(ctx, SourceLocal, snap.settings.UserID)
	switch {
	case errors.Is(err, kv.ErrNotFound):
		return nobody, nil
	case err != nil:
		return nil, err
	case record.Status.maySignIn():
		nobody.roles = unique(record.Roles)
		nobody.set = snap.permissions(nobody.roles)
	}
	return nobody, nil
}
