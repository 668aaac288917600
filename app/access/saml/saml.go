// Package saml lets people sign in by SAML 2.0, with the Web Browser SSO Profile: a browser is sent to an identity provider and comes
// back with its signed answer.
//
// Its Service keeps the settings of one provider, with the key pair that requests are signed and assertions encrypted with, and runs the
// sign-ins: Begin makes the request, Consume judges the answer, Finish tells the browser's side who it is. Who signed in is kept as a
// user of the source SAML (package federated); the session is begun by access.Service.LoginExternal.
//
// Signatures are judged by github.com/crewjam/saml over github.com/russellhaering/goxmldsig. What this package adds is stricter:
//
// Invariants:
//
//   - Nobody is let in without a valid signature on the answer or on the assertion, whatever the settings say; a signature that is there
//     is right or the answer is refused. The settings can ask for both.
//   - An answer belongs to a request that was made here not long ago, and to the browser that it was made for. It is good for one use,
//     which makes replays and sign-ins that a provider begins on its own fail.
//   - The assertion names this server as audience and recipient, in every confirmation and restriction that it has.
//   - XML of clients is bounded in size, depth and count of elements before anything parses it, and holds no document type.
//   - Why an answer was refused is for the log; the client learns nothing that helps to guess.
//   - The private key is sealed at rest, and given out to an export of everything alone.
//
// Example:
//
//	begun, err := service.Begin(ctx, baseURL, "/#browse")  // to the provider: begun.Redirect or begun.Form, with the cookie begun.Cookie
//	ticket, err := service.Consume(ctx, form.Get("SAMLResponse"))
//	arrived, err := service.Finish(ticket, cookies)         // then access.Service.LoginExternal
package saml

import (
	"context"
	"io"
	"log/slog"
	"sync/atomic"
	"time"

	"entrepot/app/access"
	"entrepot/app/access/federated"
	"entrepot/app/audit"
	"entrepot/storage/kv"
)

// RealmID is the id of the realm.
const RealmID = "SamlRealm"

// Paths below the server's external URL, as identity providers of the old server have them registered.
const (
	// ConsumerPath is where sign-ins begin (GET) and where providers send browsers with their answers (POST).
	ConsumerPath = "/saml"
	// MetadataPath is where the description of this server lies; with the external URL it is what the server is called.
	MetadataPath = "/service/rest/v1/security/saml/metadata"
)

// Sealer keeps secrets unreadable at rest. *seal.Sealer is one.
type Sealer interface {
	Seal(secret string) (string, error)
	Unseal(sealed string) (string, error)
}

// Options of a Service. Sealer, Change and Active are required.
type Options struct {
	Sealer Sealer
	// Change stores what plan gives. It is access.Service.Change, which exists only after this Service.
	Change func(ctx context.Context, event audit.Event, plan func() ([]kv.Op, error)) error
	// Active tells whether the realm is active.
	Active func(ctx context.Context) (bool, error)
	// Log gets why answers of providers were refused. Default: nobody.
	Log *slog.Logger
	// Now is the clock of what waits here; the times in answers are judged by the system's. Default: time.Now.
	Now func() time.Time
	// Random is the source of keys and ids. Default: crypto/rand.
	Random io.Reader
}

// Service keeps the settings of single sign-on by SAML and runs the sign-ins. It is safe for many goroutines.
type Service struct {
	*federated.People
	store    *kv.Store
	opts     Options
	loaded   atomic.Pointer[loaded]
	requests *federated.Pending[request]
	arrivals *federated.Pending[arrival]
}

// How long a person may take to prove who it is to the provider, and a browser to follow a redirect.
const (
	forSignIn   = 15 * time.Minute
	forRedirect = time.Minute
)

// New makes a Service over the settings of a store.
func New(store *kv.Store, opts Options) *Service {
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	pending := federated.PendingOptions{For: forSignIn, Now: opts.Now, Random: opts.Random}
	s := &Service{
		People: federated.NewPeople(store, access.SourceSAML, opts.Now), store: store, opts: opts, requests: federated.NewPending[request](pending),
	}
	pending.For = forRedirect
	s.arrivals = federated.NewPending[arrival](pending)
	return s
}

// Realm gives the realm to be installed. Sessions end when the settings change.
func (s *Service) Realm() access.Realm {
	return access.Realm{ID: RealmID, Name: "SAML Realm", Source: access.SourceSAML, Directory: s, CacheFor: federated.CacheFor, Epoch: s.Epoch}
}
