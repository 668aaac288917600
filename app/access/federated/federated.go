// Package federated is what realms of single sign-on share: the users who came by it, and the sign-ins that are under way.
//
// An identity provider tells of a user only when the user signs in. People keeps what it told last, so that package access can ask about
// the users of such a source as about those of a directory: for tokens and keys, in listings, and for the groups that are roles here.
// Nothing of a password is kept, and nothing that lets anybody in: that takes a new proof by the provider, or a token that was made here.
//
// Pending holds what a server must know again when a browser comes back from the provider: bounded, for a short time, one use each.
//
// Example:
//
//	people := federated.NewPeople(store, access.SourceSAML, nil)
//	realm := access.Realm{ID: "SamlRealm", Name: "SAML Realm", Source: access.SourceSAML, Directory: people, CacheFor: federated.CacheFor}
package federated

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"entrepot/app/access"
	"entrepot/storage/kv"
)

// CacheFor is how long an answer of People holds in package access: other instances learn of changes within it.
const CacheFor = time.Minute

// maxGroups bounds the groups of a user that are kept.
const maxGroups = 1000

// partition holds a row a user: source NUL id in lower case NUL id.
const partition = "access/federated"

// People are the users of one source. It is safe for many goroutines and implements access.Keeper.
type People struct {
	store  *kv.Store
	source string
	now    func() time.Time
}

// person is a user as the source told last.
type person struct {
	ID        string    `json:"id"`
	FirstName string    `json:"firstName,omitempty"`
	LastName  string    `json:"lastName,omitempty"`
	Email     string    `json:"email,omitempty"`
	Groups    []string  `json:"groups,omitempty"`
	Told      time.Time `json:"told"` // when
}

func (p *person) user() access.DirectoryUser {
	return access.DirectoryUser{ID: p.ID, FirstName: p.FirstName, LastName: p.LastName, Email: p.Email, Groups: p.Groups}
}

// NewPeople gives the users of a source. now is the clock; nil means time.Now.
func NewPeople(store *kv.Store, source string, now func() time.Time) *People {
	if now == nil {
		now = time.Now
	}
	return &People{store: store, source: source, now: now}
}

// key gives the key of a user. Ids are told apart by letter case, and found without it.
func (p *People) key(id string) kv.Key {
	return kv.Key{Partition: partition, Sort: p.source + "\x00" + strings.ToLower(id) + "\x00" + id}
}

// Find implements access.Directory.
func (p *People) Find(ctx context.Context, id string) (access.DirectoryUser, error) {
	key := p.key(id)
	if len(key.Sort) > kv.MaxSort {
		return access.DirectoryUser{}, access.ErrNoUser
	}
	e, err := p.store.Get(ctx, key)
	if errors.Is(err, kv.ErrNotFound) {
		return access.DirectoryUser{}, access.ErrNoUser
	}
	if err != nil {
		return access.DirectoryUser{}, fmt.Errorf("federated: read user: %w", err)
	}
	return decode(e)
}

func decode(e kv.Entry) (access.DirectoryUser, error) {
	var one person
	if err := json.Unmarshal(e.Value, &one); err != nil {
		return access.DirectoryUser{}, fmt.Errorf("federated: decode %q: %w", e.Sort, err)
	}
	return one.user(), nil
}

// Search implements access.Directory.
func (p *People) Search(ctx context.Context, prefix string, limit int) ([]access.DirectoryUser, error) {
	var found []access.DirectoryUser
	if strings.ContainsRune(prefix, 0) {
		return nil, nil
	}
	for user, err := range p.all(ctx, prefix, limit) {
		if err != nil {
			return nil, err
		}
		found = append(found, user)
	}
	return found, nil
}

// Groups implements access.Directory: it gives groups that users were in when they signed in last. It reads all users until it has enough.
func (p *People) Groups(ctx context.Context, limit int) ([]string, error) {
	names := map[string]bool{}
	for user, err := range p.all(ctx, "", 0) {
		if err != nil {
			return nil, err
		}
		for _, name := range user.Groups {
			if len(names) < limit {
				names[name] = true
			}
		}
		if len(names) >= limit {
			break
		}
	}
	list := make([]string, 0, len(names))
	for name := range names {
		list = append(list, name)
	}
	slices.Sort(list)
	return list, nil
}

// all delivers users by id. The sequence ends after the first error.
func (p *People) all(ctx context.Context, prefix string, limit int) iter.Seq2[access.DirectoryUser, error] {
	return func(yield func(access.DirectoryUser, error) bool) {
		within := kv.Prefix(p.source + "\x00" + strings.ToLower(prefix))
		within.Limit = limit
		for e, err := range p.store.Scan(ctx, partition, within) {
			var user access.DirectoryUser
			if err != nil {
				err = fmt.Errorf("federated: read users: %w", err)
			} else {
				user, err = decode(e)
			}
			if !yield(user, err) || err != nil {
				return
			}
		}
	}
}

// Keep implements access.Keeper. Names that are too long are cut, and groups beyond the first thousand are dropped.
func (p *People) Keep(_ context.Context, u access.DirectoryUser) (kv.Op, error) {
	if len(p.key(u.ID).Sort) > kv.MaxSort {
		return kv.Op{}, &access.Error{Kind: access.Invalid, Fields: []access.FieldError{{Field: "userId", Message: "is too long", Shape: true}}}
	}
	groups := slices.Compact(slices.Sorted(slices.Values(u.Groups)))
	value, err := json.Marshal(person{
		ID: u.ID, FirstName: short(u.FirstName), LastName: short(u.LastName), Email: short(u.Email),
		Groups: groups[:min(len(groups), maxGroups)], Told: p.now().UTC(),
	})
	if err != nil {
		return kv.Op{}, fmt.Errorf("federated: encode user: %w", err)
	}
	return kv.Put(p.key(u.ID), value), nil
}

// short cuts a name that nobody would call one.
func short(name string) string {
	const longest = 400 // bytes
	if len(name) > longest {
		name = strings.ToValidUTF8(name[:longest], "")
	}
	return name
}

// Drop implements access.Keeper.
func (p *People) Drop(id string) kv.Op { return kv.Delete(p.key(id)) }
