// Package settings keeps what administrators set for the whole server, as records: capabilities, which are switches with properties.
//
// Of these, "baseurl" is the external URL for what the server writes outside of a request. Links in answers follow the request itself,
// as on the old server (recorded); base_url of the configuration is what fixes them.
//
// Invariant: a type that is not known is refused, so that nobody believes in it.
package settings

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"sync"

	"github.com/google/uuid"

	"entrepot/formats"
	"entrepot/storage/kv"
)

// TypeBaseURL is the type of the capability whose property "url" is the external URL of the server.
const TypeBaseURL = "baseurl"

const partition = "settings/capability"

// ErrNotFound is the cause of a refusal because no capability has an id.
var ErrNotFound = errors.New("settings: no such capability")

// Capability is a switch with properties.
type Capability struct {
	ID         string            `json:"id"` // set by Create
	Type       string            `json:"type"`
	Enabled    bool              `json:"enabled"`
	Notes      string            `json:"notes,omitempty"`
	Properties map[string]string `json:"properties,omitempty"`
}

// Settings are the settings of a server. All methods may be called from many goroutines.
type Settings struct {
	store *kv.Store
	mu    sync.Mutex // held by changes
}

// New gives the settings that a store keeps.
func New(store *kv.Store) *Settings { return &Settings{store: store} }

// Capabilities gives all capabilities by id.
func (s *Settings) Capabilities(ctx context.Context) ([]Capability, error) {
	var all []Capability
	for e, err := range s.store.Scan(ctx, partition, kv.Range{}) {
		if err != nil {
			return nil, fmt.Errorf("settings: %w", err)
		}
		var c Capability
		if err := json.Unmarshal(e.Value, &c); err != nil {
			return nil, fmt.Errorf("settings: capability %s: %w", e.Sort, err)
		}
		all = append(all, c)
	}
	return all, nil
}

// Create stores a capability and gives it with its id. There is at most one of a type.
func (s *Settings) Create(ctx context.Context, c Capability) (Capability, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := c.check(); err != nil {
		return c, err
	}
	present, err := s.Capabilities(ctx)
	if err != nil {
		return c, err
	}
	for _, other := range present {
		if other.Type == c.Type {
			return c, formats.Errorf(formats.Denied, "There is a capability of type %s already", c.Type)
		}
	}
	c.ID = uuid.NewString()
	return c, s.put(ctx, c, kv.PutNew)
}

// Update replaces the capability with the same id. Its type stays.
func (s *Settings) Update(ctx context.Context, c Capability) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	before, err := s.find(ctx, c.ID)
	if err != nil {
		return err
	}
	c.Type = before.Type
	if err := c.check(); err != nil {
		return err
	}
	return s.put(ctx, c, kv.Put)
}

// Delete removes a capability.
func (s *Settings) Delete(ctx context.Context, id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := s.find(ctx, id); err != nil {
		return err
	}
	if err := s.store.Apply(ctx, kv.Delete(key(id))); err != nil {
		return fmt.Errorf("settings: delete capability: %w", err)
	}
	return nil
}

func key(id string) kv.Key { return kv.Key{Partition: partition, Sort: id} }

func (s *Settings) find(ctx context.Context, id string) (c Capability, err error) {
	e, err := s.store.Get(ctx, key(id))
	if errors.Is(err, kv.ErrNotFound) {
		return c, &formats.Error{Kind: formats.NotFound, Message: "There is no capability " + id, Err: ErrNotFound}
	}
	if err != nil {
		return c, fmt.Errorf("settings: %w", err)
	}
	return c, json.Unmarshal(e.Value, &c)
}

func (s *Settings) put(ctx context.Context, c Capability, op func(kv.Key, []byte) kv.Op) error {
	value, err := json.Marshal(c)
	if err != nil {
		return fmt.Errorf("settings: %w", err)
	}
	if err := s.store.Apply(ctx, op(key(c.ID), value)); err != nil {
		return fmt.Errorf("settings: store capability: %w", err)
	}
	return nil
}

func (c *Capability) check() error {
	if c.Type != TypeBaseURL {
		return formats.FieldErrors{{Field: "typeId", Message: "Capabilities of type " + c.Type + " are not known here"}}
	}
	if u, err := url.Parse(c.Properties["url"]); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return formats.FieldErrors{{Field: "url", Message: "URL should be in the format 'http://www.example.com'"}}
	}
	return nil
}
