// Package ldap lets people sign in who are kept in LDAP directories, and gives them the roles of their groups there.
//
// Its Service keeps the servers with their order, and is what package access asks: as Authenticator of the realm LdapRealm, and as
// Directory about the users of the source LDAP. Servers are asked in their order; the first that accepts a password wins. A person is
// looked up with the connection of a service account, which all searches share, and the password is proved by a bind on a connection of
// its own, or by comparing it with an attribute where the server is set up so.
//
// The protocols are ldap and ldaps (there is no StartTLS, as on the servers whose settings this follows). The service account may show
// nothing, a simple password, or DIGEST-MD5 in the realm that the server names; CRAM-MD5 is kept when it was imported, and not spoken.
// Referrals are not followed and groups in groups not resolved.
//
// Invariants:
//
//   - Nothing empty is ever bound: no password without letters, no person without a DN.
//   - What people type is escaped in filters and DNs, and must be the spelling of the attribute that names them but for letter case.
//   - A wrong password of the service account is an outage, not a wrong password of who signs in.
//   - A server that failed several times in a row is left alone for a while.
//   - The password of a service account is sealed at rest, and is not shown to another host than it was given for.
//
// Example:
//
//	directory := ldap.New(store, ldap.Options{Sealer: sealer, Change: change})
//	users, err := access.Open(ctx, store, &access.Options{Realms: []access.Realm{directory.Realm()}})
package ldap

import (
	"context"
	"crypto/x509"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"entrepot/app/access"
	"entrepot/app/audit"
	"entrepot/storage/kv"
)

// RealmID is the id of the realm.
const RealmID = "LdapRealm"

// Sealer keeps secrets unreadable at rest. *seal.Sealer is one.
type Sealer interface {
	Seal(secret string) (string, error)
	Unseal(sealed string) (string, error)
}

// Options of a Service. Sealer and Change are required.
type Options struct {
	Sealer Sealer
	// Change stores what plan gives. It is access.Service.Change, which exists only after this Service.
	Change func(ctx context.Context, event audit.Event, plan func() ([]kv.Op, error)) error
	// Roots are the certificates that servers with TrustStore are checked against; nil means those of the system. Default: gives nil.
	Roots func() *x509.CertPool
	// Dial opens connections. Default: a net.Dialer.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// CacheFor is how long an answer of a directory holds. Default: 2 minutes.
	CacheFor time.Duration
	// Now is the clock. Default: time.Now.
	Now func() time.Time
}

const defaultCacheFor = 2 * time.Minute

// Service keeps LDAP servers and asks them. It is safe for many goroutines.
type Service struct {
	store  *kv.Store
	opts   Options
	loaded atomic.Pointer[loaded]

	mu      sync.Mutex
	clients map[string]*client // by the server's id
	closed  bool
}

// New makes a Service over the servers of a store.
func New(store *kv.Store, opts Options) *Service {
	if opts.Roots == nil {
		opts.Roots = func() *x509.CertPool { return nil }
	}
	if opts.Dial == nil {
		opts.Dial = (&net.Dialer{}).DialContext
	}
	if opts.CacheFor <= 0 {
		opts.CacheFor = defaultCacheFor
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	return &Service{store: store, opts: opts, clients: make(map[string]*client)}
}

// Realm gives the realm to be installed.
func (s *Service) Realm() access.Realm {
	return access.Realm{
		ID: RealmID, Name: "LDAP Realm", Source: access.SourceLDAP, Authenticator: s, Directory: s, CacheFor: s.opts.CacheFor, Epoch: s.Epoch,
	}
}

// Close ends all connections. Who is asked afterwards does not answer.
func (s *Service) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	for id, c := range s.clients {
		c.close()
		delete(s.clients, id)
	}
}
