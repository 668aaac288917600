package access

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"strings"
	"time"

	"entrepot/storage/kv"
)

// The partitions of the store that belong to this package, and how their rows are keyed.
const (
	partSettings   = "access/settings"   // the rows below
	partUsers      = "access/users"      // source NUL id
	partRoles      = "access/roles"      // id
	partPrivileges = "access/privileges" // name
	partSelectors  = "access/selectors"  // name
	partTokens     = "access/tokens"     // domain NUL digest
	partOwners     = "access/owners"     // source NUL user NUL domain NUL digest: the tokens of a user
)

// The rows of partSettings.
const (
	rowChange      = "change"
	rowAnonymous   = "anonymous"
	rowRealms      = "realms"
	rowDefaultRole = "default-role"
	rowUserTokens  = "user-tokens"
)

func changeKey() kv.Key { return kv.Key{Partition: partSettings, Sort: rowChange} }

func settingKey(row string) kv.Key { return kv.Key{Partition: partSettings, Sort: row} }

func userKey(source, id string) kv.Key {
	return kv.Key{Partition: partUsers, Sort: source + "\x00" + foldID(source, id)}
}

// foldID gives what tells an id from others of its source: LDAP and Crowd do not tell letter case apart.
func foldID(source, id string) string {
	if source == SourceLDAP || source == SourceCrowd {
		return strings.ToLower(id)
	}
	return id
}

// row tells which state of a record is stored; what the Service gives afterwards is at least as new.
func (s *Service) row(ctx context.Context, key kv.Key) (kv.Row, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	row, err := s.store.Row(ctx, key)
	if err != nil {
		return row, fmt.Errorf("access: %w", err)
	}
	e, err := s.store.Get(ctx, changeKey())
	if err == nil && e.Version != s.snapshot.Load().version {
		err = s.reload(ctx)
	}
	if err != nil {
		return row, fmt.Errorf("access: %w", err)
	}
	return row, nil
}

// UserRow tells which state of a user's record is stored; version 0 when there is none.
func (s *Service) UserRow(ctx context.Context, source, id string) (kv.Row, error) {
	return s.row(ctx, userKey(source, id))
}

// RoleRow is as UserRow. Roles that came with the server have no record.
func (s *Service) RoleRow(ctx context.Context, id string) (kv.Row, error) {
	return s.row(ctx, kv.Key{Partition: partRoles, Sort: id})
}

// PrivilegeRow is as UserRow. Privileges that came with the server or a repository have no record.
func (s *Service) PrivilegeRow(ctx context.Context, name string) (kv.Row, error) {
	return s.row(ctx, kv.Key{Partition: partPrivileges, Sort: name})
}

// SelectorRow is as UserRow.
func (s *Service) SelectorRow(ctx context.Context, name string) (kv.Row, error) {
	return s.row(ctx, kv.Key{Partition: partSelectors, Sort: name})
}

// RealmsRow is as UserRow, of the active realms.
func (s *Service) RealmsRow(ctx context.Context) (kv.Row, error) {
	return s.row(ctx, settingKey(rowRealms))
}

// AnonymousRow is as UserRow, of anonymous access.
func (s *Service) AnonymousRow(ctx context.Context) (kv.Row, error) {
	return s.row(ctx, settingKey(rowAnonymous))
}

func tokenKey(domain, digest string) kv.Key {
	return kv.Key{Partition: partTokens, Sort: domain + "\x00" + digest}
}

func ownerKey(t tokenRecord, digest string) kv.Key {
	return kv.Key{Partition: partOwners, Sort: ownerPrefix(t.Source, t.User) + t.Domain + "\x00" + digest}
}

func ownerPrefix(source, user string) string { return source + "\x00" + foldID(source, user) + "\x00" }

// changeRecord is the row whose version guards all others.
type changeRecord struct {
	Number uint64 `json:"number"` // of changes so far
}

// userRecord is a stored user. One of another source than SourceLocal holds only what was assigned here.
type userRecord struct {
	ID        string   `json:"id"`
	Source    string   `json:"source"`
	FirstName string   `json:"firstName,omitempty"`
	LastName  string   `json:"lastName,omitempty"`
	Email     string   `json:"email,omitempty"`
	Status    Status   `json:"status"`
	Roles     []string `json:"roles"`
	Password  string   `json:"password,omitempty"` // hash; "" lets nobody in
	// Stamp changes whenever the password is set, but not when its hash is only replaced by a better one.
	Stamp string `json:"stamp,omitempty"`
}

// roleRecord is a stored role.
type roleRecord struct {
	ID          string   `json:"id"`
	Name        string   `json:"name"`
	Description string   `json:"description"`
	Privileges  []string `json:"privileges"`
	Roles       []string `json:"roles"`
}

// privilegeRecord is a stored privilege.
type privilegeRecord struct {
	Name        string        `json:"name"`
	Type        PrivilegeType `json:"type"`
	Description *string       `json:"description,omitempty"`
	Pattern     string        `json:"pattern,omitempty"`
	Domain      string        `json:"domain,omitempty"`
	Format      string        `json:"format,omitempty"`
	Repository  string        `json:"repository,omitempty"`
	Selector    string        `json:"contentSelector,omitempty"`
	Script      string        `json:"script,omitempty"`
	Actions     []string      `json:"actions,omitempty"`
}

// selectorRecord is a stored content selector.
type selectorRecord struct {
	Name        string  `json:"name"`
	Type        string  `json:"type"`
	Description *string `json:"description,omitempty"`
	Expression  string  `json:"expression"`
}

// tokenRecord is a stored token, found by the digest of its text.
type tokenRecord struct {
	Domain  string    `json:"domain"`
	Source  string    `json:"source"`
	User    string    `json:"user"`
	Name    string    `json:"name,omitempty"`
	Scope   []string  `json:"scope,omitempty"`
	Created time.Time `json:"created"`
	Expires time.Time `json:"expires,omitzero"` // zero: never
	// Hash is that of the pass code, of user tokens that another server gave out and nobody used here yet. Such a record lies under the
	// digest of the name code alone.
	Hash string `json:"hash,omitempty"`
	// By is who made it, of user tokens.
	By       string `json:"by,omitempty"`
	BySource string `json:"bySource,omitempty"`
}

// token gives the token of a record, named by its digest.
func (r *tokenRecord) token(digest string) Token {
	return Token{
		Domain: r.Domain, Source: r.Source, User: r.User, Name: r.Name, Scope: r.Scope, Created: r.Created, Expires: r.Expires, Digest: digest,
		by: Actor{UserID: r.By, Source: r.BySource}, hash: r.Hash,
	}
}

// put makes the operation that stores a record.
func put(key kv.Key, record any) (kv.Op, error) {
	data, err := json.Marshal(record)
	if err != nil {
		return kv.Op{}, fmt.Errorf("access: encode %q: %w", key.Sort, err)
	}
	return kv.Put(key, data), nil
}

// row is a decoded row of the store.
type row[T any] struct {
	sort   string
	record T
}

// rows delivers the decoded rows of a range. The sequence ends after the first error.
func rows[T any](ctx context.Context, store *kv.Store, partition string, r kv.Range) iter.Seq2[row[T], error] {
	return func(yield func(row[T], error) bool) {
		for e, err := range store.Scan(ctx, partition, r) {
			read := row[T]{sort: e.Sort}
			if err == nil {
				err = decode(e, &read.record)
			}
			if !yield(read, err) || err != nil {
				return
			}
		}
	}
}

func decode(e kv.Entry, record any) error {
	if err := json.Unmarshal(e.Value, record); err != nil {
		return fmt.Errorf("access: decode %q: %w", e.Sort, err)
	}
	return nil
}
