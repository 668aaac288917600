// Package kept holds settings that an import brought and that have no home in this server yet: cleanup policies before there is a
// cleanup, mail settings before there is mail. The part of the server that comes to need such a section reads it from here.
//
// Invariants: a record is found again exactly as it was put; its secrets are sealed at rest and never part of its value.
//
//	records := kept.New(store, sealer)
//	for r, err := range records.Section(ctx, "cleanup-policies") { … }
package kept

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"

	"entrepot/storage/kv"
)

// ErrNotFound reports that there is no such record.
var ErrNotFound = errors.New("kept: not found")

// Sealer keeps secrets unreadable at rest. *seal.Sealer is one.
type Sealer interface {
	Seal(secret string) (string, error)
	Unseal(sealed string) (string, error)
}

// Record is one setting.
type Record struct {
	Section string // at most 200 bytes
	Name    string // unique in its section, at most 1024 bytes
	Value   json.RawMessage
	Secrets map[string]string // in the clear, by the path of the member of Value that they belong to
}

// Store keeps records. It may be used from many goroutines.
type Store struct {
	kv     *kv.Store
	sealer Sealer
}

// New gives a store over the database of the server.
func New(store *kv.Store, sealer Sealer) *Store { return &Store{kv: store, sealer: sealer} }

// sectionIndex lists the sections that have been used.
const sectionIndex = "imported"

// row is a record as it is stored.
type row struct {
	Value   json.RawMessage   `json:"value"`
	Secrets map[string]string `json:"secrets,omitempty"` // sealed
}

func key(section, name string) kv.Key {
	return kv.Key{Partition: sectionIndex + "/" + section, Sort: name}
}

// Put stores a record, replacing one of the same name. A value beyond kv.MaxValue is refused.
func (s *Store) Put(ctx context.Context, r Record) error {
	stored := row{Value: r.Value}
	for path, secret := range r.Secrets {
		sealed, err := s.sealer.Seal(secret)
		if err != nil {
			return fmt.Errorf("kept: seal %s of %s/%s: %w", path, r.Section, r.Name, err)
		}
		if stored.Secrets == nil {
			stored.Secrets = make(map[string]string, len(r.Secrets))
		}
		stored.Secrets[path] = sealed
	}
	value, err := json.Marshal(stored)
	if err == nil {
		err = s.kv.Apply(ctx, kv.Put(key(r.Section, r.Name), value), kv.Put(kv.Key{Partition: sectionIndex, Sort: r.Section}, nil))
	}
	if err != nil {
		return fmt.Errorf("kept: put %s/%s: %w", r.Section, r.Name, err)
	}
	return nil
}

// Get gives a record. ErrNotFound when there is none.
func (s *Store) Get(ctx context.Context, section, name string) (Record, error) {
	e, err := s.kv.Get(ctx, key(section, name))
	if errors.Is(err, kv.ErrNotFound) {
		return Record{}, fmt.Errorf("%w: %s/%s", ErrNotFound, section, name)
	}
	if err != nil {
		return Record{}, fmt.Errorf("kept: get %s/%s: %w", section, name, err)
	}
	return s.decode(section, e)
}

func (s *Store) decode(section string, e kv.Entry) (Record, error) {
	r := Record{Section: section, Name: e.Sort}
	var stored row
	if err := json.Unmarshal(e.Value, &stored); err != nil {
		return r, fmt.Errorf("kept: decode %s/%s: %w", section, e.Sort, err)
	}
	r.Value = stored.Value
	for path, sealed := range stored.Secrets {
		secret, err := s.sealer.Unseal(sealed)
		if err != nil {
			return r, fmt.Errorf("kept: open %s of %s/%s: %w", path, section, e.Sort, err)
		}
		if r.Secrets == nil {
			r.Secrets = make(map[string]string, len(stored.Secrets))
		}
		r.Secrets[path] = secret
	}
	return r, nil
}

// Delete removes a record. One that is not there is no error.
func (s *Store) Delete(ctx context.Context, section, name string) error {
	if err := s.kv.Apply(ctx, kv.Delete(key(section, name))); err != nil {
		return fmt.Errorf("kept: delete %s/%s: %w", section, name, err)
	}
	return nil
}

// Section delivers the records of a section by name. It ends after the first error.
func (s *Store) Section(ctx context.Context, section string) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		for e, err := range s.kv.Scan(ctx, sectionIndex+"/"+section, kv.Range{}) {
			if err != nil {
				yield(Record{}, fmt.Errorf("kept: read %s: %w", section, err))
				return
			}
			r, err := s.decode(section, e)
			if !yield(r, err) || err != nil {
				return
			}
		}
	}
}

// Sections gives the names of the sections that have been used.
func (s *Store) Sections(ctx context.Context) ([]string, error) {
	var names []string
	for e, err := range s.kv.Scan(ctx, sectionIndex, kv.Range{}) {
		if err != nil {
			return nil, fmt.Errorf("kept: read sections: %w", err)
		}
		names = append(names, e.Sort)
	}
	return names, nil
}
