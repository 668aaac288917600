// Package settings keeps what administrators set for the whole server, as records: capabilities, which are switches with properties.
//
// Some have an effect here: see the constants of types. Of these, the base URL is for what the server writes outside of a request;
// links in answers follow the request itself, as on the old server (recorded), and base_url of the configuration is what fixes them.
// Others are kept for the clients that create them and have no effect; Standing tells which, and why.
//
// Invariants: a new capability is of a type that is known, so that nobody believes in what is not there; one that an import brought
// is kept whatever its type; secrets are sealed at rest; nothing changes while the server takes no writes.
package settings

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"entrepot/app/audit"
	"entrepot/formats"
	"entrepot/storage/kv"
)

const partition = "settings/capability"

// ErrNotFound is the cause of a refusal because no capability has an id.
var ErrNotFound = errors.New("settings: no such capability")

// Secret is a string that prints as ***.
type Secret string

// String hides the secret.
func (Secret) String() string { return "***" }

// GoString hides the secret.
func (Secret) GoString() string { return "***" }

// Capability is a switch with properties.
type Capability struct {
	ID         string            `json:"id"` // set by Create
	Type       string            `json:"type"`
	Name       string            `json:"name,omitempty"` // tells those of one type apart; "" is one without, of which the id does. It stays.
	Enabled    bool              `json:"enabled"`
	Notes      string            `json:"notes,omitempty"`
	Properties map[string]string `json:"properties,omitempty"`
	Secrets    map[string]Secret `json:"-"` // properties of kind Password. A change keeps those that it does not name.
}

// Told gives the capability as it is told to others than administrators: in the audit, which webhooks carry on, and in a support archive.
// The address of a webhook ends with its host, because what follows is often what lets into the receiver.
func (c Capability) Told() Capability {
	if c.Type != TypeGlobalHook && c.Type != TypeRepositoryHook {
		return c
	}
	c.Properties = maps.Clone(c.Properties)
	if u, err := url.Parse(c.Properties["url"]); err == nil && (u.User != nil || u.Path != "" || u.RawQuery != "") {
		c.Properties["url"] = u.Scheme + "://" + u.Host + "/***"
	}
	return c
}

// Key is what a capability is called: the type, when there is one of it, else the name, or the id of one without.
func (c *Capability) Key() string {
	if t, known := TypeOf(c.Type); known && !t.Many {
		return c.Type
	}
	return cmp.Or(c.Name, c.ID)
}

// record is what is stored: secrets are sealed.
type record struct {
	Capability
	Sealed map[string]string `json:"sealed,omitempty"`
}

// Sealer keeps secrets unreadable at rest. *seal.Sealer is one.
type Sealer interface {
	Seal(secret string) (string, error)
	Unseal(sealed string) (string, error)
}

// Effect is what enabled capabilities come to. Zero members are not set.
type Effect struct {
	BaseURL          string // without a slash at the end
	DefaultRole      string
	LegacyURLs       bool
	HealthChecks     bool
	DownloadInterval time.Duration
}

// Options of Settings. Sealer is required; of the others the zero value means the documented default.
type Options struct {
	Sealer   Sealer
	Writable func() error   // refuses changes while the server takes none; default never
	Audit    audit.Recorder // is told about changes; default nobody
	// Changed is told after each change what was in force before it and what is now; default nothing.
	Changed func(ctx context.Context, before, now Effect) error
	// Edited is called after each change of a capability, whatever it comes to; default nothing.
	Edited func(ctx context.Context) error
	// Report tells how a capability that is in force does, in words; "" when there is nothing to tell. Default nothing.
	Report func(id string) string
}

// Settings are the settings of a server. All methods may be called from many goroutines.
type Settings struct {
	store  *kv.Store
	opts   Options
	mu     sync.Mutex // held by changes
	effect atomic.Pointer[Effect]
}

// Open reads the settings that a store keeps.
func Open(ctx context.Context, store *kv.Store, opts Options) (*Settings, error) {
	if opts.Writable == nil {
		opts.Writable = func() error { return nil }
	}
	if opts.Changed == nil {
		opts.Changed = func(context.Context, Effect, Effect) error { return nil }
	}
	if opts.Edited == nil {
		opts.Edited = func(context.Context) error { return nil }
	}
	if opts.Report == nil {
		opts.Report = func(string) string { return "" }
	}
	s := &Settings{store: store, opts: opts}
	effect, err := s.sum(ctx)
	s.effect.Store(&effect)
	return s, err
}

// Report tells how a capability does, in words; "" when there is nothing to tell.
func (s *Settings) Report(id string) string { return s.opts.Report(id) }

// Effect gives what is in force.
func (s *Settings) Effect() Effect { return *s.effect.Load() }

// sum finds what the enabled capabilities come to.
func (s *Settings) sum(ctx context.Context) (Effect, error) {
	var e Effect
	all, err := s.Capabilities(ctx)
	for _, c := range all {
		if !c.Enabled {
			continue
		}
		switch c.Type {
		case TypeBaseURL:
			e.BaseURL = trimSlash(c.Properties["url"])
		case TypeDefaultRole:
			e.DefaultRole = c.Properties["role"]
		case TypeLegacyURLs:
			e.LegacyURLs = true
		case TypeHealthCheck:
			e.HealthChecks = true
		case TypeStorage:
			if hours, err := strconv.Atoi(c.Properties["lastDownloadedInterval"]); err == nil && hours > 0 && hours <= maxNumber {
				e.DownloadInterval = time.Duration(hours) * time.Hour
			}
		}
	}
	return e, err
}

func trimSlash(url string) string {
	for len(url) > 0 && url[len(url)-1] == '/' {
		url = url[:len(url)-1]
	}
	return url
}

// Standing tells whether a capability is in force, and if it is enabled and not, why.
func Standing(c Capability) (active bool, why string) {
	t, known := TypeOf(c.Type)
	switch {
	case !known:
		return false, "Capabilities of type " + c.Type + " are not known here"
	case !c.Enabled:
		return false, ""
	}
	return t.Idle == "", t.Idle
}

// Capabilities gives all capabilities by id.
func (s *Settings) Capabilities(ctx context.Context) ([]Capability, error) {
	var all []Capability
	for e, err := range s.store.Scan(ctx, partition, kv.Range{}) {
		if err != nil {
			return nil, fmt.Errorf("settings: %w", err)
		}
		c, err := s.decode(e)
		if err != nil {
			return nil, err
		}
		all = append(all, c)
	}
	return all, nil
}

func (s *Settings) decode(e kv.Entry) (Capability, error) {
	var r record
	err := json.Unmarshal(e.Value, &r)
	for id, sealed := range r.Sealed {
		var plain string
		if plain, err = s.opts.Sealer.Unseal(sealed); err != nil {
			break
		}
		if r.Secrets == nil {
			r.Secrets = make(map[string]Secret, len(r.Sealed))
		}
		r.Secrets[id] = Secret(plain)
	}
	if err != nil {
		return r.Capability, fmt.Errorf("settings: capability %s: %w", e.Sort, err)
	}
	return r.Capability, nil
}

// Create stores a capability and gives it with its id. Of most types there is at most one, which has no name.
func (s *Settings) Create(ctx context.Context, c Capability) (Capability, error) {
	t, err := check(&c)
	if err == nil {
		err = t.checkName(c.Name)
	}
	if err != nil {
		return c, err
	}
	c.ID = uuid.NewString()
	return c, s.change(ctx, func() error {
		present, err := s.Capabilities(ctx)
		if err != nil {
			return err
		}
		for _, other := range present {
			switch {
			case other.Type == c.Type && !t.Many:
				return formats.Errorf(formats.Denied, "There is a capability of type %s already", c.Type)
			case c.Name != "" && c.Name == other.Key():
				return formats.Errorf(formats.Denied, "There is a capability called %s already", c.Name)
			}
		}
		if err := s.put(ctx, c, kv.PutNew); err != nil {
			return err
		}
		audit.Record(ctx, s.opts.Audit, audit.Event{Action: "capability.create", Object: c.Type, After: c.Told()})
		return nil
	})
}

// Update replaces the capability with the same id and gives what it became. Its type stays.
func (s *Settings) Update(ctx context.Context, c Capability) (Capability, error) {
	return c, s.change(ctx, func() error {
		before, err := s.Capability(ctx, c.ID)
		if err != nil {
			return err
		}
		c.Type, c.Name = before.Type, before.Name
		if _, known := TypeOf(c.Type); known {
			if _, err := check(&c); err != nil {
				return err
			}
		}
		secrets := maps.Clone(before.Secrets)
		for id, secret := range c.Secrets {
			if secrets == nil {
				secrets = make(map[string]Secret)
			}
			secrets[id] = secret
		}
		c.Secrets = secrets
		if err := s.put(ctx, c, kv.Put); err != nil {
			return err
		}
		audit.Record(ctx, s.opts.Audit, audit.Event{Action: "capability.update", Object: c.Type, Before: before.Told(), After: c.Told()})
		return nil
	})
}

// Import stores a capability of an old server under its own id, whatever its type. A capability of a type of which there is one
// already takes its place.
func (s *Settings) Import(ctx context.Context, c Capability) error {
	return s.change(ctx, func() error {
		present, err := s.Capabilities(ctx)
		if err != nil {
			return err
		}
		for _, other := range present {
			if t, _ := TypeOf(c.Type); other.Type == c.Type && other.ID != c.ID && !t.Many {
				if err := s.store.Apply(ctx, kv.Delete(key(other.ID))); err != nil {
					return fmt.Errorf("settings: replace capability: %w", err)
				}
			}
		}
		return s.put(ctx, c, kv.Put)
	})
}

// Delete removes a capability.
func (s *Settings) Delete(ctx context.Context, id string) error {
	return s.change(ctx, func() error {
		before, err := s.Capability(ctx, id)
		if err != nil {
			return err
		}
		if err := s.store.Apply(ctx, kv.Delete(key(id))); err != nil {
			return fmt.Errorf("settings: delete capability: %w", err)
		}
		audit.Record(ctx, s.opts.Audit, audit.Event{Action: "capability.delete", Object: before.Type, Before: before.Told()})
		return nil
	})
}

// change makes a change and puts it in force.
func (s *Settings) change(ctx context.Context, make func() error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.opts.Writable(); err != nil {
		return err
	}
	if err := make(); err != nil {
		return err
	}
	now, err := s.sum(ctx)
	if err != nil {
		return err
	}
	before := *s.effect.Swap(&now)
	if before != now {
		err = s.opts.Changed(ctx, before, now)
	}
	return errors.Join(err, s.opts.Edited(ctx))
}

func key(id string) kv.Key { return kv.Key{Partition: partition, Sort: id} }

// maxID keeps what clients ask for within the keys of the store, in bytes.
const maxID = 200

// Capability gives the capability with an id. The error says ErrNotFound when there is none.
func (s *Settings) Capability(ctx context.Context, id string) (Capability, error) {
	missing := &formats.Error{Kind: formats.NotFound, Message: "There is no capability " + id, Err: ErrNotFound}
	if id == "" || len(id) > maxID {
		return Capability{}, missing
	}
	e, err := s.store.Get(ctx, key(id))
	if errors.Is(err, kv.ErrNotFound) {
		return Capability{}, missing
	}
	if err != nil {
		return Capability{}, fmt.Errorf("settings: %w", err)
	}
	return s.decode(e)
}

// Row tells which state of a capability's record is stored; version 0 when there is none.
func (s *Settings) Row(ctx context.Context, id string) (kv.Row, error) {
	return s.store.Row(ctx, key(id))
}

func (s *Settings) put(ctx context.Context, c Capability, op func(kv.Key, []byte) kv.Op) error {
	r := record{Capability: c}
	for id, secret := range c.Secrets {
		sealed, err := s.opts.Sealer.Seal(string(secret))
		if err != nil {
			return fmt.Errorf("settings: seal %s: %w", id, err)
		}
		if r.Sealed == nil {
			r.Sealed = make(map[string]string, len(c.Secrets))
		}
		r.Sealed[id] = sealed
	}
	value, err := json.Marshal(r)
	if err == nil {
		err = s.store.Apply(ctx, op(key(c.ID), value))
	}
	if err != nil {
		return fmt.Errorf("settings: store capability: %w", err)
	}
	return nil
}

// check finds the faults of a capability and moves its secrets to where they belong.
func check(c *Capability) (Type, error) {
	t, known := TypeOf(c.Type)
	if !known {
		return t, formats.FieldErrors{{Field: "typeId", Message: "Capabilities of type " + c.Type + " are not known here"}}
	}
	c.Properties = maps.Clone(c.Properties)
	for _, f := range t.Fields {
		if plain, ok := c.Properties[f.ID]; ok && f.Kind == Password {
			delete(c.Properties, f.ID)
			if c.Secrets == nil {
				c.Secrets = make(map[string]Secret)
			}
			c.Secrets[f.ID] = Secret(plain)
		}
	}
	if wrong := t.validate(c); len(wrong) > 0 {
		return t, wrong
	}
	return t, nil
}
