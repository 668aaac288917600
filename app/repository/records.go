package repository

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"entrepot/storage/kv"
)

// The partitions of the key-value store that hold definitions. Repositories are sorted by lower-case name, so that a name is
// unique ignoring case; the others by name.
const (
	repositoryPartition = "repository/repositories"
	rulePartition       = "repository/rules"
	storePartition      = "repository/blobstores"
	dropPartition       = "repository/drops" // ids of content trees that are being removed
)

// repositoryRecord is a Definition as it is kept: secrets are sealed and stand apart.
type repositoryRecord struct {
	Definition
	Secrets map[string]string `json:"secrets,omitempty"` // sealed, by name
}

func repositoryKey(name string) kv.Key {
	return kv.Key{Partition: repositoryPartition, Sort: strings.ToLower(name)}
}

func ruleKey(name string) kv.Key { return kv.Key{Partition: rulePartition, Sort: name} }

func storeKey(name string) kv.Key { return kv.Key{Partition: storePartition, Sort: name} }

// RepositoryRow tells which state of a repository's record is in force; version 0 when there is no such repository.
func (e *Engine) RepositoryRow(name string) kv.Row {
	row := kv.Row{Key: repositoryKey(name)}
	if r := e.state.Load().find(name); r != nil {
		row.Version = r.version
	}
	return row
}

// RoutingRuleRow is as RepositoryRow.
func (e *Engine) RoutingRuleRow(name string) kv.Row {
	row := kv.Row{Key: ruleKey(name)}
	if r := e.state.Load().rules[name]; r != nil {
		row.Version = r.version
	}
	return row
}

// BlobStoreRow is as RepositoryRow.
func (e *Engine) BlobStoreRow(name string) kv.Row {
	row := kv.Row{Key: storeKey(name)}
	if b := e.state.Load().stores[name]; b != nil {
		row.Version = b.version
	}
	return row
}

// settingPrefix begins the names under which secrets among a format's settings are kept.
const settingPrefix = "settings."

// encodeRepository seals the secrets of a definition and gives its record.
func (e *Engine) encodeRepository(d Definition) ([]byte, error) {
	rec := repositoryRecord{Definition: d, Secrets: make(map[string]string)}
	seal := func(name string, secret Secret) error {
		if secret == "" {
			return nil
		}
		sealed, err := e.opts.Sealer.Seal(string(secret))
		if err != nil {
			return fmt.Errorf("repository: seal %s of %s: %w", name, d.Name, err)
		}
		rec.Secrets[name] = sealed
		return nil
	}
	for name, secret := range d.Secrets {
		if err := seal(settingPrefix+name, secret); err != nil {
			return nil, err
		}
	}
	if d.Upstream != nil && d.Upstream.Authentication != nil {
		up, credentials := *d.Upstream, *d.Upstream.Authentication
		rec.Upstream, up.Authentication = &up, &credentials
		for name, secret := range credentials.secrets() {
			if err := seal(name, *secret); err != nil {
				return nil, err
			}
			*secret = ""
		}
	}
	value, err := json.Marshal(rec)
	if err != nil {
		return nil, fmt.Errorf("repository: encode %s: %w", d.Name, err)
	}
	return value, nil
}

// decodeRepository reads a record and opens its secrets. One that cannot be opened is missing: the repository serves on without it, and
// its upstream says what it thinks of that.
func (e *Engine) decodeRepository(value []byte) (Definition, error) {
	var rec repositoryRecord
	if err := json.Unmarshal(value, &rec); err != nil {
		return Definition{}, fmt.Errorf("repository: decode: %w", err)
	}
	credentials := &Credentials{}
	if rec.Upstream != nil && rec.Upstream.Authentication != nil {
		credentials = rec.Upstream.Authentication
	}
	places := credentials.secrets()
	for name, sealed := range rec.Secrets {
		plain, err := e.opts.Sealer.Unseal(sealed)
		if err != nil {
			e.log.Error("secret of a repository cannot be opened", "repository", rec.Name, "secret", name, "error", err)
			continue
		}
		if setting, ok := strings.CutPrefix(name, settingPrefix); ok {
			if rec.Definition.Secrets == nil {
				rec.Definition.Secrets = make(map[string]Secret)
			}
			rec.Definition.Secrets[setting] = Secret(plain)
		} else if place := places[name]; place != nil {
			*place = Secret(plain)
		}
	}
	return rec.Definition, nil
}

// secrets gives the places of the secrets by the name they are kept under.
func (c *Credentials) secrets() map[string]*Secret {
	return map[string]*Secret{"password": &c.Password, "bearerToken": &c.Bearer}
}

func decodeJSON[T any](value []byte) (T, error) {
	var v T
	err := json.Unmarshal(value, &v)
	return v, err
}

// readAll reads all definitions of one partition.
func readAll[T any](ctx context.Context, store *kv.Store, partition string, decode func([]byte) (T, error)) ([]stored[T], error) {
	var all []stored[T]
	for entry, err := range store.Scan(ctx, partition, kv.Range{}) {
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", partition, err)
		}
		v, err := decode(entry.Value)
		if err != nil {
			return nil, fmt.Errorf("read %s/%s: %w", partition, entry.Sort, err)
		}
		all = append(all, stored[T]{v, entry.Version})
	}
	return all, nil
}

// apply commits a change of definitions and makes it the present state. When the records are no longer what the present state says,
// it reads them again and returns ErrChanged. e.mu is held.
func (e *Engine) apply(ctx context.Context, ops ...kv.Op) error {
	err := e.opts.Store.Apply(ctx, ops...)
	if err != nil && !errors.Is(err, kv.ErrConflict) {
		return fmt.Errorf("repository: write definitions: %w", err)
	}
	if err != nil {
		next, readErr := e.readState(ctx)
		if readErr != nil {
			return fmt.Errorf("repository: %w", errors.Join(readErr, err))
		}
		e.install(next)
		return fmt.Errorf("%w: %w", ErrChanged, err)
	}
	recs := e.state.Load().records()
	for _, op := range ops {
		if err := e.patch(ctx, &recs, op.Key); err != nil {
			return fmt.Errorf("repository: read back: %w", err)
		}
	}
	e.install(e.build(ctx, recs))
	return nil
}

// patch brings one record of recs to what the store holds.
func (e *Engine) patch(ctx context.Context, recs *records, key kv.Key) error {
	entry, err := e.opts.Store.Get(ctx, key)
	if err != nil && !errors.Is(err, kv.ErrNotFound) {
		return err
	}
	gone := err != nil
	switch key.Partition {
	case repositoryPartition:
		return patchList(&recs.repositories, entry, gone, e.decodeRepository, func(d Definition) bool { return repositoryKey(d.Name) == key })
	case rulePartition:
		return patchList(&recs.rules, entry, gone, decodeJSON[RoutingRule], func(r RoutingRule) bool { return ruleKey(r.Name) == key })
	case storePartition:
		return patchList(&recs.stores, entry, gone, decodeJSON[BlobStore], func(s BlobStore) bool { return storeKey(s.Name) == key })
	}
	return nil
}

func patchList[T any](list *[]stored[T], entry kv.Entry, gone bool, decode func([]byte) (T, error), is func(T) bool) error {
	*list = slices.DeleteFunc(*list, func(s stored[T]) bool { return is(s.value) })
	if gone {
		return nil
	}
	v, err := decode(entry.Value)
	if err != nil {
		return err
	}
	*list = append(*list, stored[T]{v, entry.Version})
	return nil
}

// records gives the definitions of a state.
func (s *state) records() records {
	var recs records
	for _, r := range s.ordered {
		recs.repositories = append(recs.repositories, stored[Definition]{r.def, r.version})
	}
	for _, r := range s.rules {
		recs.rules = append(recs.rules, stored[RoutingRule]{r.def, r.version})
	}
	for _, b := range s.stores {
		recs.stores = append(recs.stores, stored[BlobStore]{b.def, b.version})
	}
	return recs
}
