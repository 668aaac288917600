package resource

import (
	"context"

	"entrepot/app/access"
	"entrepot/app/access/ldap"
	"entrepot/app/audit"
	"entrepot/app/cleanup"
	"entrepot/app/mail"
	"entrepot/app/outbound"
	"entrepot/app/repository"
	"entrepot/app/settings"
	"entrepot/app/tasks"
	"entrepot/app/trust"
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
	LDAP     *ldap.Service
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

	Create  func(ctx context.Context, actor access.Actor, doc T) error
	Replace func(ctx context.Context, actor access.Actor, key string, doc T) error
	Delete  func(ctx context.Context, actor access.Actor, key string) error

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
	Put    func(ctx context.Context, actor access.Actor, doc T) error
	Clear  func(ctx context.Context, actor access.Actor) error // nil when it cannot be forgotten
	Settle func(ctx context.Context, doc *T) error             // as in Set
	Unset  func(*T) bool                                       // reports that nobody set it yet, so that a configuration file leaves it out; nil means never
}
