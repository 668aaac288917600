// Package scripts keeps the scripts that clients of a Nexus store. They are listed, read and changed, and never run: this server has
// no scripting language. Each is a record in the partition "scripts".
//
// Storing scripts is off unless Options.AllowCreation says otherwise; reading and deleting always work, so that imported ones can be
// seen and cleared away.
package scripts

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"

	"entrepot/app/audit"
	"entrepot/formats"
	"entrepot/storage/kv"
)

const partition = "scripts"

// Errors that callers tell apart.
var (
	ErrNotFound = errors.New("scripts: not found")
	ErrExists   = errors.New("scripts: exists")
	// ErrDisabled reports that scripts must not be created or changed.
	ErrDisabled = errors.New("scripts: creating and updating scripts is disabled")
)

// Script is a program text with a name.
type Script struct {
	Name    string `json:"name"` // letters, digits, "_", "-", "."
	Type    string `json:"type"` // language, for example "groovy"
	Content string `json:"content"`
}

// Groovy is the one language in which the old server ran scripts.
const Groovy = "groovy"

// MaxName keeps names within the keys of the store, in bytes.
const MaxName = 255

var validName = regexp.MustCompile(`^[a-zA-Z0-9\-][a-zA-Z0-9_\-.]*$`)

// Validate finds the faults of a script.
func (s *Script) Validate() formats.FieldErrors {
	var wrong formats.FieldErrors
	add := func(field, message string) { wrong = append(wrong, formats.FieldError{Field: field, Message: message}) }
	for _, m := range []struct{ field, value string }{{"name", s.Name}, {"type", s.Type}, {"content", s.Content}} {
		if m.value == "" {
			add(m.field, "must not be empty")
		}
	}
	if !validName.MatchString(s.Name) {
		add("name", "Only letters, digits, underscores(_), hyphens(-), and dots(.) are allowed and may not start with underscore or dot.")
	}
	if len(s.Name) > MaxName {
		add("name", fmt.Sprintf("must not be longer than %d characters", MaxName))
	}
	return wrong
}

// Options of a Store; the zero value means the documented default.
type Options struct {
	AllowCreation bool
	Audit         audit.Recorder // is told about changes; default nobody
	Writable      func() error   // refuses changes while the server takes none; default never
}

// Store keeps scripts. Its methods may be called from many goroutines.
type Store struct {
	store *kv.Store
	opts  Options
}

// New makes a Store over the server's records.
func New(store *kv.Store, opts Options) *Store {
	if opts.Writable == nil {
		opts.Writable = func() error { return nil }
	}
	return &Store{store, opts}
}

// CreationAllowed reports whether scripts may be created and changed.
func (s *Store) CreationAllowed() bool { return s.opts.AllowCreation }

func key(name string) kv.Key { return kv.Key{Partition: partition, Sort: name} }

// List gives all scripts by name.
func (s *Store) List(ctx context.Context) ([]Script, error) {
	var all []Script
	for e, err := range s.store.Scan(ctx, partition, kv.Range{}) {
		if err != nil {
			return nil, fmt.Errorf("scripts: list: %w", err)
		}
		var script Script
		if err := json.Unmarshal(e.Value, &script); err != nil {
			return nil, fmt.Errorf("scripts: read %s: %w", e.Sort, err)
		}
		all = append(all, script)
	}
	return all, nil
}

// Get gives a script. ErrNotFound when there is none.
func (s *Store) Get(ctx context.Context, name string) (Script, error) {
	script, _, err := s.read(ctx, name)
	return script, err
}

// Row tells which state of a script's record is stored; version 0 when there is none.
func (s *Store) Row(ctx context.Context, name string) (kv.Row, error) {
	return s.store.Row(ctx, key(name))
}

func (s *Store) read(ctx context.Context, name string) (script Script, version uint64, err error) {
	if name == "" || len(name) > MaxName {
		return script, 0, ErrNotFound
	}
	e, err := s.store.Get(ctx, key(name))
	if errors.Is(err, kv.ErrNotFound) {
		return script, 0, ErrNotFound
	}
	if err == nil {
		err = json.Unmarshal(e.Value, &script)
	}
	if err != nil {
		return script, 0, fmt.Errorf("scripts: read %s: %w", name, err)
	}
	return script, e.Version, nil
}

// Create stores a new script. It returns formats.FieldErrors when it is wrong, ErrDisabled or ErrExists.
func (s *Store) Create(ctx context.Context, script Script) error {
	err := s.write(ctx, script, func(value []byte) (kv.Op, error) { return kv.PutNew(key(script.Name), value), nil })
	if errors.Is(err, kv.ErrConflict) {
		return ErrExists
	}
	if err == nil {
		audit.Record(ctx, s.opts.Audit, audit.Event{Action: "script.create", Object: script.Name, After: script})
	}
	return err
}

// Update replaces the script of the same name. ErrNotFound when there is none; otherwise as Create.
func (s *Store) Update(ctx context.Context, script Script) error {
	var before Script
	err := s.write(ctx, script, func(value []byte) (op kv.Op, err error) {
		var version uint64
		before, version, err = s.read(ctx, script.Name)
		return kv.PutIf(key(script.Name), value, version), err
	})
	if err == nil {
		audit.Record(ctx, s.opts.Audit, audit.Event{Action: "script.update", Object: script.Name, Before: before, After: script})
	}
	return err
}

// Import stores a script of an old server, whether or not scripts may be created.
func (s *Store) Import(ctx context.Context, script Script) error {
	if err := s.opts.Writable(); err != nil {
		return err
	}
	return s.put(ctx, script, func(value []byte) (kv.Op, error) { return kv.Put(key(script.Name), value), nil })
}

func (s *Store) write(ctx context.Context, script Script, op func([]byte) (kv.Op, error)) error {
	if !s.opts.AllowCreation {
		return ErrDisabled
	}
	if wrong := script.Validate(); len(wrong) > 0 {
		return wrong
	}
	return s.put(ctx, script, func(value []byte) (kv.Op, error) {
		made, err := op(value)
		if err == nil {
			err = s.opts.Writable()
		}
		return made, err
	})
}

func (s *Store) put(ctx context.Context, script Script, op func([]byte) (kv.Op, error)) error {
	value, err := json.Marshal(script)
	if err != nil {
		return fmt.Errorf("scripts: encode %s: %w", script.Name, err)
	}
	put, err := op(value)
	if err != nil {
		return err
	}
	if err := s.store.Apply(ctx, put); err != nil {
		return fmt.Errorf("scripts: write %s: %w", script.Name, err)
	}
	return nil
}

// Delete removes a script. ErrNotFound when there is none.
func (s *Store) Delete(ctx context.Context, name string) error {
	before, version, err := s.read(ctx, name)
	if err != nil {
		return err
	}
	if err := s.opts.Writable(); err != nil {
		return err
	}
	if err := s.store.Apply(ctx, kv.DeleteIf(key(name), version)); err != nil {
		return fmt.Errorf("scripts: delete %s: %w", name, err)
	}
	audit.Record(ctx, s.opts.Audit, audit.Event{Action: "script.delete", Object: name, Before: before})
	return nil
}
