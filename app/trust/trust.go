// Package trust keeps the certificates that administrators trust beside those of the system: of upstreams, mail servers and
// directories that an authority of their own signed, or nobody. Each is a record in the partition "settings/trust", named by the SHA-1
// fingerprint of the certificate, as clients know it.
//
// Invariants: what is stored parses; Roots always holds the system's authorities and every stored certificate; nothing changes while
// the server takes no writes.
//
//	s, err := trust.Open(ctx, store, trust.Options{Writable: engine.Writable, Changed: refresh})
//	c, err := s.Add(ctx, pemText)
//	conf := &tls.Config{RootCAs: s.Roots()}
package trust

import (
	"cmp"
	"context"
	"crypto/sha1"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"entrepot/app/audit"
	"entrepot/storage/kv"
)

const partition = "settings/trust"

// Errors that callers tell apart.
var (
	ErrNotFound = errors.New("trust: no such certificate")
	ErrExists   = errors.New("trust: the certificate is trusted already")
	ErrInvalid  = errors.New("trust: not a certificate in PEM form")
)

// maxPEM is the longest text of a certificate, in bytes.
const maxPEM = 64 << 10

// Certificate is a certificate with when it was trusted.
type Certificate struct {
	X509  *x509.Certificate
	Added time.Time // zero when it is not in the store
}

// Parse reads the first certificate of a PEM text. What stands around it is passed over; the error is ErrInvalid.
func Parse(text string) (Certificate, error) {
	if len(text) > maxPEM {
		return Certificate{}, ErrInvalid
	}
	for block, rest := pem.Decode([]byte(text)); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			continue
		}
		parsed, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return Certificate{}, fmt.Errorf("%w: %w", ErrInvalid, err)
		}
		return Certificate{X509: parsed}, nil
	}
	return Certificate{}, ErrInvalid
}

// Fingerprint gives the SHA-1 of the certificate: upper-case hexadecimal digits in pairs, with colons between them.
func (c Certificate) Fingerprint() string {
	sum := sha1.Sum(c.X509.Raw)
	pairs := make([]string, len(sum))
	for i, b := range sum {
		pairs[i] = fmt.Sprintf("%02X", b)
	}
	return strings.Join(pairs, ":")
}

// PEM gives the certificate as text, with a line end behind every line.
func (c Certificate) PEM() string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.X509.Raw}))
}

// record is what is stored.
type record struct {
	PEM   string    `json:"pem"`
	Added time.Time `json:"added"`
}

// Options of a Store; the zero value means the documented default.
type Options struct {
	Writable func() error                   // refuses changes while the server takes none; default never
	Audit    audit.Recorder                 // is told about changes; default nobody
	Changed  func()                         // called after each change of what is trusted; default nothing
	Now      func() time.Time               // default time.Now
	System   func() (*x509.CertPool, error) // the system's authorities; default x509.SystemCertPool
	// Dial opens connections to look at certificates; default net.Dialer.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
}

// Store keeps certificates. Its methods may be called from many goroutines.
type Store struct {
	store     *kv.Store
	opts      Options
	mu        sync.Mutex // held by changes
	roots     atomic.Pointer[x509.CertPool]
	retrieval chan struct{} // held by whoever looks at a remote certificate
}

// Open reads what is trusted.
func Open(ctx context.Context, store *kv.Store, opts Options) (*Store, error) {
	if opts.Writable == nil {
		opts.Writable = func() error { return nil }
	}
	if opts.Changed == nil {
		opts.Changed = func() {}
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.System == nil {
		opts.System = x509.SystemCertPool
	}
	if opts.Dial == nil {
		opts.Dial = (&net.Dialer{}).DialContext
	}
	s := &Store{store: store, opts: opts, retrieval: make(chan struct{}, maxRetrievals)}
	return s, s.load(ctx)
}

// load gathers the roots anew. A system without authorities has none; what is stored is trusted all the same.
func (s *Store) load(ctx context.Context) error {
	all, err := s.List(ctx)
	if err != nil {
		return err
	}
	pool, err := s.opts.System()
	if err != nil || pool == nil {
		pool = x509.NewCertPool()
	}
	for _, c := range all {
		pool.AddCert(c.X509)
	}
	s.roots.Store(pool)
	return nil
}

// Roots gives the system's authorities and all that is stored. Callers must not change the pool; it stays as it is when more is
// trusted later, so ask again for each new connection or client.
func (s *Store) Roots() *x509.CertPool { return s.roots.Load() }

// List gives all certificates, those that were trusted first before others.
func (s *Store) List(ctx context.Context) ([]Certificate, error) {
	var all []Certificate
	for e, err := range s.store.Scan(ctx, partition, kv.Range{}) {
		if err != nil {
			return nil, fmt.Errorf("trust: list: %w", err)
		}
		c, err := decode(e)
		if err != nil {
			return nil, err
		}
		all = append(all, c)
	}
	slices.SortFunc(all, func(a, b Certificate) int {
		return cmp.Or(a.Added.Compare(b.Added), strings.Compare(a.Fingerprint(), b.Fingerprint()))
	})
	return all, nil
}

// Get gives a certificate by its fingerprint. ErrNotFound when there is none.
func (s *Store) Get(ctx context.Context, fingerprint string) (Certificate, error) {
	if fingerprint == "" || len(fingerprint) > maxFingerprint {
		return Certificate{}, ErrNotFound
	}
	e, err := s.store.Get(ctx, key(fingerprint))
	if errors.Is(err, kv.ErrNotFound) {
		return Certificate{}, ErrNotFound
	}
	if err != nil {
		return Certificate{}, fmt.Errorf("trust: read: %w", err)
	}
	return decode(e)
}

// Row tells which state of a certificate's record is stored; version 0 when there is none.
func (s *Store) Row(ctx context.Context, fingerprint string) (kv.Row, error) {
	return s.store.Row(ctx, key(fingerprint))
}

// maxFingerprint keeps what clients ask for within the keys of the store, in bytes.
const maxFingerprint = 128

func decode(e kv.Entry) (Certificate, error) {
	var r record
	if err := json.Unmarshal(e.Value, &r); err != nil {
		return Certificate{}, fmt.Errorf("trust: decode %s: %w", e.Sort, err)
	}
	c, err := Parse(r.PEM)
	if err != nil {
		return c, fmt.Errorf("trust: %s: %w", e.Sort, err)
	}
	c.Added = r.Added
	return c, nil
}

// Add trusts the first certificate of a PEM text. ErrInvalid when there is none, ErrExists when it is trusted already.
func (s *Store) Add(ctx context.Context, text string) (Certificate, error) {
	c, err := Parse(text)
	if err != nil {
		return c, err
	}
	c.Added = s.opts.Now()
	return c, s.change(ctx, func() error {
		err := s.apply(ctx, c, kv.PutNew)
		if errors.Is(err, kv.ErrConflict) {
			return ErrExists
		}
		if err == nil {
			audit.Record(ctx, s.opts.Audit, audit.Event{Action: "certificate.create", Object: c.Fingerprint(), After: record{PEM: c.PEM(), Added: c.Added}})
		}
		return err
	})
}

// Import trusts a certificate that was trusted elsewhere since c.Added, or since now when that is zero. One that is here already gets
// that date.
func (s *Store) Import(ctx context.Context, c Certificate) error {
	if c.Added.IsZero() {
		c.Added = s.opts.Now()
	}
	return s.change(ctx, func() error { return s.apply(ctx, c, kv.Put) })
}

func (s *Store) apply(ctx context.Context, c Certificate, put func(kv.Key, []byte) kv.Op) error {
	value, err := json.Marshal(record{PEM: c.PEM(), Added: c.Added.UTC()})
	if err == nil {
		err = s.store.Apply(ctx, put(key(c.Fingerprint()), value))
	}
	if err != nil {
		return fmt.Errorf("trust: write: %w", err)
	}
	return nil
}

// Delete takes trust back. ErrNotFound when there is no such certificate.
func (s *Store) Delete(ctx context.Context, fingerprint string) error {
	return s.change(ctx, func() error {
		if _, err := s.Get(ctx, fingerprint); err != nil {
			return err
		}
		if err := s.store.Apply(ctx, kv.Delete(key(fingerprint))); err != nil {
			return fmt.Errorf("trust: delete: %w", err)
		}
		audit.Record(ctx, s.opts.Audit, audit.Event{Action: "certificate.delete", Object: fingerprint})
		return nil
	})
}

// change makes a change and has everybody see it.
func (s *Store) change(ctx context.Context, make func() error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.opts.Writable(); err != nil {
		return err
	}
	if err := make(); err != nil {
		return err
	}
	if err := s.load(ctx); err != nil {
		return err
	}
	s.opts.Changed()
	return nil
}

func key(fingerprint string) kv.Key { return kv.Key{Partition: partition, Sort: fingerprint} }
