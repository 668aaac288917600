package access

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"entrepot/app/access/csel"
	"entrepot/app/access/password"
	"entrepot/app/audit"
	"entrepot/storage/kv"
)

// RepositoryRef names a repository.
type RepositoryRef struct {
	Format string
	Name   string
}

// Options of a Service; nil and zero members mean the defaults.
type Options struct {
	// Formats are the ids of the installed package formats.
	Formats []string
	// Repositories gives all repositories, whose privileges exist as long as they do. Default: none. Neither this nor ScriptExists
	// may call the Service.
	Repositories func() []RepositoryRef
	// ScriptExists tells whether a script of that name exists. Default: none does.
	ScriptExists func(name string) bool
	// Realms are those besides the built-in ones. Which are asked, in which order, is a setting.
	Realms []Realm

	// InitialPassword of the user admin on a new store. Default: a random one, which must then be changed.
	InitialPassword string
	// NewAdminPassword takes the random first password before it becomes valid. Default: it is lost.
	NewAdminPassword func(password string) error
	// AdminPasswordChanged is called after the password of admin was set.
	AdminPasswordChanged func()
	// NoAnonymous starts a new store with anonymous access switched off.
	NoAnonymous bool

	// Selectors changes how content selectors are evaluated.
	Selectors *csel.Options
	// Passwords sets the cost of password hashes.
	Passwords *password.Options
	// SessionIdle ends sessions that were not used for so long. Default: 30 minutes.
	SessionIdle time.Duration
	// CredentialTTL is how long verified credentials are remembered. Default: 10 minutes.
	CredentialTTL time.Duration
	// Refresh is how often changes by other instances are looked for, at most 15 seconds. Default: 1 second.
	Refresh time.Duration

	// Writable refuses changes while the server takes none; its error is what callers get. Default: never.
	Writable func() error
	// Audit is told about changes and failed sign-ins. Default: nobody.
	Audit audit.Recorder
	// Log gets what goes wrong beside a request. Default: nobody.
	Log *slog.Logger
	// Now is the clock. Default: time.Now.
	Now func() time.Time
	// Sleep waits before a sign-in after many failures. Default: a timer.
	Sleep func(ctx context.Context, d time.Duration) error
	// Random is the source of ids, salts and keys. Default: crypto/rand.
	Random io.Reader
}

const (
	defaultSessionIdle   = 30 * time.Minute
	defaultCredentialTTL = 10 * time.Minute
	defaultRefresh       = time.Second
	// maxStale is how long the snapshot may be used when the store cannot be asked.
	maxStale = 30 * time.Second
)

// Service is the keeper of users, roles, privileges and settings. It is safe for many goroutines.
type Service struct {
	store     *kv.Store
	opts      Options
	passwords *password.Hasher
	realms    map[string]Realm // all installed, by id
	cache     *credentialCache
	sessions  *sessions
	throttle  *throttle

	mu       sync.Mutex // serialises changes and reloads
	snapshot atomic.Pointer[snapshot]
	checked  atomic.Int64 // when the change number was last looked at, Unix nanoseconds
	verified atomic.Int64 // when that last succeeded
}

// Actor is who makes a change, for the audit.
type Actor = audit.Actor

// System is the server itself as actor.
func System() Actor { return audit.System() }

// Open loads the records of a store and makes those every server has when it is new.
func Open(ctx context.Context, store *kv.Store, opts *Options) (*Service, error) {
	s := &Service{store: store}
	if opts != nil {
		s.opts = *opts
	}
	s.opts.setDefaults()
	if s.opts.Passwords == nil {
		s.opts.Passwords = &password.Options{Random: s.opts.Random}
	}
	s.passwords = password.New(s.opts.Passwords)
	s.throttle = newThrottle()
	s.sessions = newSessions(s.opts.SessionIdle)
	var err error
	if s.cache, err = newCredentialCache(s.opts.Random); err != nil {
		return nil, err
	}
	if s.realms, err = s.installRealms(); err != nil {
		return nil, err
	}
	if err := s.initialise(ctx); err != nil {
		return nil, fmt.Errorf("access: prepare the store: %w", err)
	}
	if err := s.reload(ctx); err != nil {
		return nil, err
	}
	return s, nil
}

func (o *Options) setDefaults() {
	if o.Repositories == nil {
		o.Repositories = func() []RepositoryRef { return nil }
	}
	if o.ScriptExists == nil {
		o.ScriptExists = func(string) bool { return false }
	}
	if o.NewAdminPassword == nil {
		o.NewAdminPassword = func(string) error { return nil }
	}
	if o.AdminPasswordChanged == nil {
		o.AdminPasswordChanged = func() {}
	}
	if o.Writable == nil {
		o.Writable = func() error { return nil }
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Sleep == nil {
		o.Sleep = sleep
	}
	if o.Random == nil {
		o.Random = rand.Reader
	}
	o.SessionIdle = orDefault(o.SessionIdle, defaultSessionIdle)
	o.CredentialTTL = orDefault(o.CredentialTTL, defaultCredentialTTL)
	o.Refresh = min(orDefault(o.Refresh, defaultRefresh), maxStale/2)
}

func orDefault(d, fallback time.Duration) time.Duration {
	if d <= 0 {
		return fallback
	}
	return d
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// newID makes a random identifier of 122 bits.
func (s *Service) newID() (string, error) {
	id, err := uuid.NewRandomFromReader(s.opts.Random)
	if err != nil {
		return "", fmt.Errorf("access: make an id: %w", err)
	}
	return id.String(), nil
}

// initialise makes the records of a new store; on any other it does nothing.
func (s *Service) initialise(ctx context.Context) error {
	_, err := s.store.Get(ctx, changeKey())
	if !errors.Is(err, kv.ErrNotFound) {
		return err
	}
	admin := userRecord{ID: UserAdmin, Source: SourceLocal, FirstName: "Administrator", LastName: "User", Email: "admin@example.org",
		Status: StatusActive, Roles: []string{RoleAdmin}}
	secret := s.opts.InitialPassword
	if secret == "" {
		if secret, err = s.newID(); err != nil {
			return err
		}
		admin.Status = StatusChangePassword
		if err := s.opts.NewAdminPassword(secret); err != nil {
			return fmt.Errorf("keep the first password: %w", err)
		}
	}
	if err := s.setPassword(ctx, &admin, secret); err != nil {
		return err
	}
	anonymous := userRecord{ID: UserAnonymous, Source: SourceLocal, FirstName: "Anonymous", LastName: "User", Email: "anonymous@example.org",
		Status: StatusActive, Roles: []string{RoleAnonymous}}
	ops, err := puts(map[kv.Key]any{
		userKey(SourceLocal, UserAdmin):     admin,
		userKey(SourceLocal, UserAnonymous): anonymous,
		settingKey(rowRealms):               []string{RealmLocal},
		settingKey(rowAnonymous):            Anonymous{Enabled: !s.opts.NoAnonymous, UserID: UserAnonymous, Realm: RealmAuthorizing},
	})
	if err != nil {
		return err
	}
	change, err := put(changeKey(), changeRecord{Number: 1})
	if err != nil {
		return err
	}
	change.If = kv.IfAbsent
	err = s.store.Apply(ctx, append(ops, change)...)
	if errors.Is(err, kv.ErrConflict) {
		return nil // another instance was faster
	}
	return err
}

func puts(records map[kv.Key]any) ([]kv.Op, error) {
	var ops []kv.Op
	for key, record := range records {
		op, err := put(key, record)
		if err != nil {
			return nil, err
		}
		ops = append(ops, op)
	}
	return ops, nil
}
