package access

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"entrepot/app/audit"
	"entrepot/storage/kv"
)

// The built-in realms.
const (
	RealmLocal       = "NexusAuthenticatingRealm" // local users
	RealmAuthorizing = "NexusAuthorizingRealm"    // hidden; never asked, always in force
	RealmDefaultRole = "DefaultRole"              // asks nobody; gives every signed-in user one more role
)

// Realm is a way to sign in. The list of active realms says which are asked, in which order.
type Realm struct {
	ID   string
	Name string // for people

	// Authenticator checks credentials; nil for a realm that only accepts tokens or checks nothing.
	Authenticator Authenticator
	// Tokens makes the realm accept the tokens kept here under its ID as domain.
	Tokens bool
	// Source is the id of the users that the realm knows, "" when it adds none.
	Source string
	// Directory tells about the users of Source; nil when nobody can be asked.
	Directory Directory
	// CacheFor is how long an answer of Authenticator or Directory holds. Default: every time is asked.
	CacheFor time.Duration
	// Epoch names the settings that answers of Authenticator depend on: answers under another epoch count no more. nil: they do not
	// depend on any. Who changes the settings does so by Service.Change.
	Epoch func(ctx context.Context) (string, error)
	// Hidden keeps the realm from being listed or activated.
	Hidden bool
}

// Authenticator checks credentials for a realm.
type Authenticator interface {
	// Authenticate tells who the credentials belong to. ErrNotMine means that the realm knows nothing of such credentials,
	// ErrBadCredentials that they are wrong; any other error that the question could not be answered.
	Authenticate(ctx context.Context, c Credentials) (Identity, error)
}

// ErrNotMine is an Authenticator's answer to credentials of a kind or owner it does not know.
var ErrNotMine = errors.New("access: credentials of another realm")

// Identity is who an Authenticator recognised.
type Identity struct {
	UserID string
	Source string
	Groups []string  // roles that the source itself gives; those without a local role of the same id mean nothing
	Until  time.Time // when the credentials end by themselves; zero: never

	realm string
	epoch string   // of the realm when it was asked
	stamp string   // what must not change for the identity to hold: of a local user's password, or the digest of a token
	token string   // domain of the token that was shown
	scope []string // of an API token
}

// Source is where users come from.
type Source struct {
	ID   string
	Name string
}

// laterRealm tells whether a realm is that of a format that is not built yet. Administrators and their tools may make it active, as they
// may define repositories of the format; it asks nobody until it is installed.
func laterRealm(id string) bool {
	switch id {
	case "NpmToken", "DockerToken", "NuGetApiKey", "ConanToken":
		return true
	}
	return false
}

// installRealms joins the built-in realms with those of the options.
func (s *Service) installRealms() (map[string]Realm, error) {
	realms := map[string]Realm{
		RealmLocal:       {ID: RealmLocal, Name: "Local Authenticating Realm", Authenticator: localRealm{s}, Source: SourceLocal},
		RealmAuthorizing: {ID: RealmAuthorizing, Name: "Local Authorizing Realm", Hidden: true},
		RealmAPIToken:    {ID: RealmAPIToken, Name: "API Token Realm", Tokens: true, Hidden: true},
		RealmDefaultRole: {ID: RealmDefaultRole, Name: "Default Role Realm"},
		RealmUserToken:   {ID: RealmUserToken, Name: "User Token Realm", Authenticator: userTokenRealm{s}},
	}
	for _, r := range s.opts.Realms {
		if _, taken := realms[r.ID]; taken || r.ID == "" {
			return nil, fmt.Errorf("access: realm %q is installed twice", r.ID)
		}
		if r.Tokens {
			if r.Authenticator != nil {
				return nil, fmt.Errorf("access: realm %q has both tokens and an authenticator", r.ID)
			}
			r.Authenticator = tokenRealm{s, r.ID}
		}
		realms[r.ID] = r
	}
	return realms, nil
}

// AvailableRealms gives the realms that can be activated, by name.
func (s *Service) AvailableRealms() []Realm {
	var list []Realm
	for _, r := range s.realms {
		if !r.Hidden {
			list = append(list, r)
		}
	}
	slices.SortFunc(list, func(a, b Realm) int { return strings.Compare(a.Name, b.Name) })
	return list
}

// ActiveRealms gives the ids of the active realms in order, without those that nobody knows here.
func (s *Service) ActiveRealms(ctx context.Context) ([]string, error) {
	snap, err := s.current(ctx)
	if err != nil {
		return nil, err
	}
	list := []string{}
	for _, id := range snap.realms {
		if r, ok := s.realms[id]; ok && !r.Hidden || !ok && laterRealm(id) {
			list = append(list, id)
		}
	}
	return list, nil
}

// SetActiveRealms sets the active realms and their order. At least one must let people in.
func (s *Service) SetActiveRealms(ctx context.Context, actor Actor, ids []string) error {
	var unknown []string
	opens := false
	for _, id := range ids {
		r, ok := s.realms[id]
		if r.Hidden || !ok && !laterRealm(id) {
			unknown = append(unknown, id)
		}
		opens = opens || r.Authenticator != nil && !r.Tokens
	}
	if len(unknown) > 0 {
		return refuse(Refused, "Unknown realmIds: [%s]", strings.Join(unknown, ", "))
	}
	if !opens {
		return refuse(Refused, "At least one active realm must authenticate users")
	}
	return s.setting(ctx, actor, rowRealms, slices.Clone(ids))
}

// ImportRealms sets the active realms as another server kept them; those that are not installed are kept for the day they are.
func (s *Service) ImportRealms(ctx context.Context, actor Actor, ids []string) error {
	if !slices.Contains(ids, RealmLocal) {
		ids = append(slices.Clone(ids), RealmLocal)
	}
	return s.setting(ctx, actor, rowRealms, ids)
}

// setting stores a row of settings.
func (s *Service) setting(ctx context.Context, actor Actor, row string, value any) error {
	return s.change(ctx, audit.Event{Actor: actor, Action: "settings." + row, Object: row}, func(*snapshot) ([]kv.Op, error) {
		return one(put(settingKey(row), value))
	})
}

// RealmInstalled tells whether there is a realm of that id, hidden ones included.
func (s *Service) RealmInstalled(id string) bool {
	_, ok := s.realms[id]
	return ok
}

// Sources gives where users may come from, the local source first.
func (s *Service) Sources() []Source {
	list := []Source{{ID: SourceLocal, Name: RealmLocal}}
	for _, r := range s.AvailableRealms() {
		if r.Source != "" && r.Source != SourceLocal {
			list = append(list, Source{ID: r.Source, Name: r.ID})
		}
	}
	return list
}

func (s *Service) hasSource(id string) bool {
	return slices.ContainsFunc(s.Sources(), func(src Source) bool { return src.ID == id })
}

// Anonymous says how callers without credentials are treated.
type Anonymous struct {
	Enabled bool   `json:"enabled"`
	UserID  string `json:"userId"` // whose roles they get; one that does not exist has none
	Realm   string `json:"realm"`
}

// Anonymous gives the settings of anonymous access.
func (s *Service) Anonymous(ctx context.Context) (Anonymous, error) {
	snap, err := s.current(ctx)
	if err != nil {
		return Anonymous{}, err
	}
	return snap.settings, nil
}

// SetAnonymous sets how callers without credentials are treated.
func (s *Service) SetAnonymous(ctx context.Context, actor Actor, a Anonymous) error {
	var faults shapes
	faults.add(blank(a.UserID), "userId", mustNotBeBlank)
	faults.add(tooLong(a.UserID), "userId", mustBeShort)
	faults.add(blank(a.Realm), "realmName", mustNotBeBlank)
	if err := faults.err(); err != nil {
		return err
	}
	if !s.RealmInstalled(a.Realm) {
		return unfit("realmName", "Realm does not exist")
	}
	return s.setting(ctx, actor, rowAnonymous, a)
}

// ImportAnonymous sets how callers without credentials are treated as another server kept it, unchecked.
func (s *Service) ImportAnonymous(ctx context.Context, actor Actor, a Anonymous) error {
	return s.setting(ctx, actor, rowAnonymous, a)
}

// DefaultRole gives the role of every signed-in user while the realm DefaultRole is active, "" for none.
func (s *Service) DefaultRole(ctx context.Context) (string, error) {
	snap, err := s.current(ctx)
	if err != nil {
		return "", err
	}
	return snap.defaultTo, nil
}

// SetDefaultRole sets the role of every signed-in user under the realm DefaultRole, "" for none.
func (s *Service) SetDefaultRole(ctx context.Context, actor Actor, role string) error {
	return s.setting(ctx, actor, rowDefaultRole, role)
}
