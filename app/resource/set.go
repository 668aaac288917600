package resource

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"

	"entrepot/app/access"
	"entrepot/app/access/ldap"
	"entrepot/app/access/oidc"
	"entrepot/app/access/saml"
	"entrepot/app/audit"
	"entrepot/app/cleanup"
	"entrepot/app/mail"
	"entrepot/app/outbound"
	"entrepot/app/repository"
	"entrepot/app/scripts"
	"entrepot/app/settings"
	"entrepot/app/tasks"
	"entrepot/app/trust"
	"entrepot/storage/kv"
)

// Options are the domains behind the documents. All are required.
type Options struct {
	Engine   *repository.Engine
	Access   *access.Service
	Mail     *mail.Service
	Audit    *audit.Log
	Outbound *outbound.Service
	Trust    *trust.Store
	Settings *settings.Settings
	Scripts  *scripts.Store
	LDAP     *ldap.Service
	OAuth2   *oidc.Service
	SAML     *saml.Service
	Cleanup  *cleanup.Service
	Upkeep   *tasks.Service
}

// Resources gives the documents of a server. Its methods may be called from many goroutines.
type Resources struct{ Options }

// New makes the documents of a server.
func New(o Options) *Resources { return &Resources{o} }

// Set is all documents of one kind. Its functions end in calls of a domain and return that domain's errors.
type Set[T any] struct {
	Name  string          // as URLs and configuration files spell it in the plural, for example "routing-rules"
	Key   func(*T) string // what names a document, unique in the set
	Blank func() T        // a document with the defaults of members that may be absent
	Fill  func(*T)        // gives defaults that depend on other members; nil for none
	List  func(ctx context.Context) ([]T, error)
	Get   func(ctx context.Context, key string) (T, error)
	// Row tells which state of the record behind a document is in force, secrets included; what Get gives afterwards is at least as new.
	Row func(ctx context.Context, key string) (kv.Row, error)

	Create  func(ctx context.Context, actor access.Actor, doc T) error
	Replace func(ctx context.Context, actor access.Actor, key string, doc T) error
	Delete  func(ctx context.Context, actor access.Actor, key string) error

	// Keep gives what puts a document back as it is now, secrets included; nil when Replace does with what Get gives.
	Keep func(ctx context.Context, key string) (Restore, error)
	// Settle takes the secrets out of a document that are stored already, so that it can be told whether it changes anything; nil
	// when documents of this kind hold none.
	Settle func(ctx context.Context, doc *T) error
	// Given reports whether a document came with the server, or is the server's own business: it is shown and never part of a
	// configuration file. nil means never.
	Given func(*T) bool
	// Needs gives the keys of documents of the same kind that must be there before this one; nil when there are none such.
	Needs func(*T) []string
	// Permanent reports whether a document is never deleted because a configuration file does not name it; nil means never.
	Permanent func(*T) bool
}

// Value is a document that there is one of.
type Value[T any] struct {
	Name   string // as URLs and configuration files spell it, for example "anonymous"
	Blank  func() T
	Get    func(ctx context.Context) (T, error)
	Row    func(ctx context.Context) (kv.Row, error) // as in Set
	Put    func(ctx context.Context, actor access.Actor, doc T) error
	Clear  func(ctx context.Context, actor access.Actor) error // nil when it cannot be forgotten
	Keep   func(ctx context.Context) (Restore, error)          // as in Set
	Settle func(ctx context.Context, doc *T) error             // as in Set
	Unset  func(*T) bool                                       // reports that nobody set it yet, so that a configuration file leaves it out; nil means never
}

// Restore puts a document back as it was.
type Restore func(ctx context.Context, actor access.Actor) error

// Keeping gives what puts a document back as it is now.
func (s *Set[T]) Keeping(ctx context.Context, key string) (Restore, error) {
	if s.Keep != nil {
		return s.Keep(ctx, key)
	}
	doc, err := s.Get(ctx, key)
	return func(ctx context.Context, actor access.Actor) error { return s.Replace(ctx, actor, key, doc) }, err
}

// Keeping is as that of Set.
func (v *Value[T]) Keeping(ctx context.Context) (Restore, error) {
	if v.Keep != nil {
		return v.Keep(ctx)
	}
	doc, err := v.Get(ctx)
	if v.Clear != nil && v.Unset != nil && v.Unset(&doc) {
		return v.Clear, err
	}
	return func(ctx context.Context, actor access.Actor) error { return v.Put(ctx, actor, doc) }, err
}

// Look gives a document and which state of its record it comes from. A change in a context of kv.Expect with that row is refused unless
// the document is still the same, whoever changes it.
func (s *Set[T]) Look(ctx context.Context, key string) (doc T, row kv.Row, err error) {
	if row, err = s.Row(ctx, key); err == nil {
		doc, err = s.Get(ctx, key)
	}
	return doc, row, err
}

// Look is as that of Set.
func (v *Value[T]) Look(ctx context.Context) (doc T, row kv.Row, err error) {
	if row, err = v.Row(ctx); err == nil {
		doc, err = v.Get(ctx)
	}
	return doc, row, err
}

// Tag names a state of a document: another one has another tag, also when only secrets differ. It tells nothing about them, because it
// is made of what is shown and of the number of the record's version.
func Tag(doc any, row kv.Row) (string, error) {
	data, err := Encode(doc)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(binary.BigEndian.AppendUint64(data, row.Version))
	return base64.RawURLEncoding.EncodeToString(sum[:16]), nil
}

// held makes a Row of what a domain that keeps its records in memory tells.
func held(row func(key string) kv.Row) func(context.Context, string) (kv.Row, error) {
	return func(_ context.Context, key string) (kv.Row, error) { return row(key), nil }
}
