// Package oidc lets people sign in with an OpenID Connect provider, and machines with the tokens of that provider.
//
// Its Service keeps the settings of the one provider, and is what package access asks: as Authenticator of the realm OAuth2Realm about
// Bearer tokens, with a Keeper as the Directory of the source OAuth2. People come through the authorization code flow with PKCE: Begin
// gives the URL that their browser is sent to, Finish turns what the provider sent back into a user, for access.Service.LoginExternal.
// Machines send an ID token or an access token in the form of a JWT as Bearer token of a request.
//
// The settings hold the addresses of the provider, there is no discovery. They name no issuer: the claim iss is compared where the
// settings want it by an exact match, and with the parameter iss of the provider's redirect (RFC 9207).
//
// Invariants:
//
//   - One algorithm is believed, that of the settings; never none, never one with a shared secret. A key is used for it only when its
//     kind, use and algorithm agree.
//   - A token must end, be meant for this client, and have every claim that has to match. Bearer tokens need an audience in the
//     settings: without one, tokens for any other service would open this one.
//   - The answer to a sign-in counts once, in the browser that began it, while it is fresh.
//   - The client secret is sealed at rest, and is not shown to another address than it was given for.
//   - What the provider sends is bounded in size and time. When it is down, the keys it gave last count for a day.
//
// Example:
//
//	provider := oidc.New(store, oidc.Options{Sealer: sealer, Change: change, Users: people, Transport: transport})
//	svc, err := access.Open(ctx, store, &access.Options{Realms: []access.Realm{provider.Realm()}})
package oidc

import (
	"context"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"entrepot/app/access"
	"entrepot/app/access/federated"
	"entrepot/app/audit"
	"entrepot/storage/kv"
)

// RealmID is the id of the realm.
const RealmID = "OAuth2Realm"

// Sealer keeps secrets unreadable at rest. *seal.Sealer is one.
type Sealer interface {
	Seal(secret string) (string, error)
	Unseal(sealed string) (string, error)
}

// Options of a Service. Sealer, Change and Users are required.
type Options struct {
	Sealer Sealer
	// Change stores what plan gives. It is access.Service.Change, which exists only after this Service.
	Change func(ctx context.Context, event audit.Event, plan func() ([]kv.Op, error)) error
	// Users keeps the people who signed in.
	Users access.Keeper
	// Active tells whether the realm is active. Default: it is.
	Active func(ctx context.Context) (bool, error)
	// Transport carries requests to the provider, whose certificate may be one of the trust store. Default: that of net/http, and the
	// certificates of the system.
	Transport func(trustStore bool) http.RoundTripper
	// CacheFor is how long a verified token, or what is kept of a user, holds unseen; a token no longer than it says itself.
	// Default: federated.CacheFor.
	CacheFor time.Duration
	// Log is told why a token was refused, which its bearer is not. Default: nobody.
	Log *slog.Logger
	// Now is the clock. Default: time.Now.
	Now func() time.Time
}

// Service keeps the settings of a provider and asks it. It is safe for many goroutines.
type Service struct {
	store    *kv.Store
	opts     Options
	loaded   atomic.Pointer[loaded]
	pending  *federated.Pending[signIn]
	mu       sync.Mutex
	provider *provider // of the settings that were used last
}

// New makes a Service over the settings of a store.
func New(store *kv.Store, opts Options) *Service {
	if opts.Active == nil {
		opts.Active = func(context.Context) (bool, error) { return true, nil }
	}
	if opts.Transport == nil {
		opts.Transport = func(bool) http.RoundTripper { return http.DefaultTransport }
	}
	if opts.CacheFor <= 0 {
		opts.CacheFor = federated.CacheFor
	}
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	return &Service{store: store, opts: opts, pending: federated.NewPending[signIn](federated.PendingOptions{Now: opts.Now})}
}

// Realm gives the realm to be installed.
func (s *Service) Realm() access.Realm {
	return access.Realm{
		ID: RealmID, Name: "OAuth2 Realm", Source: access.SourceOAuth2, Authenticator: s, Directory: s.opts.Users, CacheFor: s.opts.CacheFor, Epoch: s.Epoch,
	}
}
