// Package outbound keeps how the server talks to other servers over HTTP: time-outs, tries, the name it gives itself, proxies and
// whom it may ask at all. The settings are one record in the partition "settings/outbound", passwords sealed. What is not set follows
// the configuration of the server.
//
// Invariants: settings are checked whole before they are stored, and refused while the server takes no writes; a proxy is asked for
// everything but the hosts that are excepted; with the guard on, no connection goes to a private address that is not allowed.
//
//	s, err := outbound.Open(ctx, store, outbound.Options{Sealer: sealer, Writable: engine.Writable})
//	o := &upstream.Options{Proxy: s.Proxy, Dial: s.Dial}
package outbound

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"path"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"entrepot/app/audit"
	"entrepot/formats"
	"entrepot/storage/kv"
)

// Limits of settings.
const (
	MaxTimeout  = time.Hour
	MaxRetries  = 10
	maxSuffix   = 500 // characters
	maxPatterns = 1000
)

// Settings say how to talk to other servers. What is zero is not set.
type Settings struct {
	UserAgentSuffix string        `json:"userAgentSuffix,omitempty"`
	Timeout         time.Duration `json:"timeout,omitempty"` // for connecting and for each silence; one second to MaxTimeout
	Retries         *int          `json:"retries,omitempty"` // 0 to MaxRetries
	HTTP            *Proxy        `json:"http,omitempty"`    // for http:// and, unless HTTPS is set, for https://
	HTTPS           *Proxy        `json:"https,omitempty"`
	Direct          []string      `json:"direct,omitempty"` // hosts that are asked without a proxy; "*" stands for any characters
}

// Proxy is a proxy for outgoing requests.
type Proxy struct {
	Enabled bool       `json:"enabled"`
	TLS     bool       `json:"tls,omitempty"` // the proxy itself is spoken to over TLS
	Host    string     `json:"host"`
	Port    int        `json:"port"`
	Auth    *ProxyAuth `json:"auth,omitempty"`
}

// ProxyAuth are the credentials for a proxy: Basic, or NTLM when a domain or host is named.
type ProxyAuth struct {
	Enabled    bool   `json:"enabled"`
	Username   string `json:"username"`
	Password   Secret `json:"-"`
	NTLMHost   string `json:"ntlmHost,omitempty"`
	NTLMDomain string `json:"ntlmDomain,omitempty"`
}

// Secret is a string that prints as ***.
type Secret string

// String hides the secret.
func (Secret) String() string { return "***" }

// GoString hides the secret.
func (Secret) GoString() string { return "***" }

// Guard keeps the server from being sent to machines that only it can reach. It is off unless an administrator sets it.
type Guard struct {
	Enabled        bool     `json:"enabled"`
	AllowedIPs     []string `json:"allowedIPs"`     // addresses or networks that may be asked though they are private
	AllowedDomains []string `json:"allowedDomains"` // host names, "*" stands for any characters
}

// Validate finds the faults of settings; the field names are those of the JSON that clients send.
func (s *Settings) Validate() formats.FieldErrors {
	var wrong formats.FieldErrors
	add := func(field, message string) { wrong = append(wrong, formats.FieldError{Field: field, Message: message}) }
	if s.Timeout != 0 && (s.Timeout < time.Second || s.Timeout > MaxTimeout) {
		add("timeout", "must be between 1 and 3600")
	}
	if s.Retries != nil && (*s.Retries < 0 || *s.Retries > MaxRetries) {
		add("retries", "must be between 0 and 10")
	}
	if len(s.UserAgentSuffix) > maxSuffix || strings.ContainsFunc(s.UserAgentSuffix, func(r rune) bool { return r < ' ' || r > '~' }) {
		add("userAgent", "must be printable and at most 500 characters long")
	}
	wrong = append(wrong, s.HTTP.validate("httpProxy")...)
	wrong = append(wrong, s.HTTPS.validate("httpsProxy")...)
	return append(wrong, validatePatterns("nonProxyHosts", s.Direct)...)
}

func (p *Proxy) validate(name string) (wrong formats.FieldErrors) {
	if p == nil {
		return nil
	}
	add := func(field, message string) {
		wrong = append(wrong, formats.FieldError{Field: name + field, Message: message})
	}
	if p.Host == "" || strings.ContainsAny(p.Host, " /@?#\r\n\t") {
		add(".host", "must be a host name or address")
	}
	if p.Port < 1 || p.Port > 65535 {
		add(".port", "must be between 1 and 65535")
	}
	if p.Auth != nil && p.Auth.Enabled && p.Auth.Username == "" {
		add(".authInfo.username", "must not be empty")
	}
	return wrong
}

func validatePatterns(field string, patterns []string) formats.FieldErrors {
	if len(patterns) > maxPatterns {
		return formats.FieldErrors{{Field: field, Message: "has too many entries"}}
	}
	for _, p := range patterns {
		if p == "" || strings.ContainsAny(p, " /\\?#\r\n\t") {
			return formats.FieldErrors{{Field: field, Message: "must hold host names, with * for any characters"}}
		}
	}
	return nil
}

// Validate finds the faults of a guard.
func (g *Guard) Validate() formats.FieldErrors {
	for _, text := range g.AllowedIPs {
		if _, err := network(text); err != nil {
			return formats.FieldErrors{{Field: "allowedIPs", Message: "must hold addresses or networks like 10.0.0.0/8"}}
		}
	}
	return validatePatterns("allowedDomains", g.AllowedDomains)
}

func network(text string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(text); err == nil {
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	return netip.ParsePrefix(text)
}

// matches reports whether a host name is one of the patterns.
func matches(patterns []string, host string) bool {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	for _, p := range patterns {
		if ok, err := path.Match(escaped.Replace(strings.ToLower(p)), host); err == nil && ok {
			return true
		}
	}
	return false
}

// escaped leaves "*" the only character with a meaning.
var escaped = strings.NewReplacer(`[`, `\[`, `?`, `\?`, `\`, `\\`)

// Sealer keeps secrets unreadable at rest. *seal.Sealer is one.
type Sealer interface {
	Seal(secret string) (string, error)
	Unseal(sealed string) (string, error)
}

// Options of a Service. Sealer is required; of the others the zero value means the documented default.
type Options struct {
	Sealer   Sealer
	Defaults Settings       // in force while no proxies are set, from the configuration of the server
	Writable func() error   // refuses changes while the server takes none; default never
	Audit    audit.Recorder // is told about changes; default nobody
	Changed  func()         // called after each change; default nothing
}

// Service keeps the settings and applies them. Its methods may be called from many goroutines.
type Service struct {
	store *kv.Store
	opts  Options
	mu    sync.Mutex // held by changes
	now   atomic.Pointer[state]
}

// state is what is in force.
type state struct {
	stored   *Settings // nil when nothing is set
	settings Settings  // stored, with the defaults
	guard    Guard
	allowed  []netip.Prefix
}

// record is what is stored: passwords are sealed.
type record struct {
	Settings *Settings `json:"settings,omitempty"`
	Guard    Guard     `json:"guard"`
	HTTP     string    `json:"httpPassword,omitempty"`  // sealed
	HTTPS    string    `json:"httpsPassword,omitempty"` // sealed
}

// Open reads the settings.
func Open(ctx context.Context, store *kv.Store, opts Options) (*Service, error) {
	if opts.Writable == nil {
		opts.Writable = func() error { return nil }
	}
	if opts.Changed == nil {
		opts.Changed = func() {}
	}
	s := &Service{store: store, opts: opts}
	r, err := s.read(ctx)
	if err != nil {
		return nil, err
	}
	return s, s.apply(r.Settings, r.Guard)
}

func key() kv.Key { return kv.Key{Partition: "settings/outbound", Sort: "http"} }

func (s *Service) read(ctx context.Context) (record, error) {
	var r record
	e, err := s.store.Get(ctx, key())
	if errors.Is(err, kv.ErrNotFound) {
		return r, nil
	}
	if err == nil {
		err = json.Unmarshal(e.Value, &r)
	}
	for _, p := range []struct {
		sealed string
		proxy  func(*Settings) *Proxy
	}{{r.HTTP, func(s *Settings) *Proxy { return s.HTTP }}, {r.HTTPS, func(s *Settings) *Proxy { return s.HTTPS }}} {
		if err != nil || p.sealed == "" || r.Settings == nil || p.proxy(r.Settings) == nil || p.proxy(r.Settings).Auth == nil {
			continue
		}
		var password string
		password, err = s.opts.Sealer.Unseal(p.sealed)
		p.proxy(r.Settings).Auth.Password = Secret(password)
	}
	if err != nil {
		return r, fmt.Errorf("outbound: read settings: %w", err)
	}
	return r, nil
}

// apply puts settings in force.
func (s *Service) apply(stored *Settings, guard Guard) error {
	next := &state{stored: stored, guard: guard, settings: s.opts.Defaults}
	if stored != nil {
		next.settings = *stored
		if stored.HTTP == nil && stored.HTTPS == nil && len(stored.Direct) == 0 {
			next.settings.HTTP, next.settings.HTTPS, next.settings.Direct = s.opts.Defaults.HTTP, s.opts.Defaults.HTTPS, s.opts.Defaults.Direct
		}
	}
	for _, text := range guard.AllowedIPs {
		prefix, err := network(text)
		if err != nil {
			return fmt.Errorf("outbound: %w", err)
		}
		next.allowed = append(next.allowed, prefix)
	}
	s.now.Store(next)
	return nil
}

// Settings gives what is stored; false when nothing is. What it points to must not be changed.
func (s *Service) Settings() (Settings, bool) {
	if stored := s.now.Load().stored; stored != nil {
		return *stored, true
	}
	return Settings{}, false
}

// InForce gives the settings with what the configuration of the server says where nothing is stored. What it points to must not be
// changed.
func (s *Service) InForce() Settings { return s.now.Load().settings }

// Guard gives whom the server may ask.
func (s *Service) Guard() Guard { return s.now.Load().guard }

// Row tells which state of the record of settings and guard is in force; version 0 when there is none.
func (s *Service) Row(ctx context.Context) (kv.Row, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.store.Row(ctx, key())
}

// Set replaces the settings. It returns formats.FieldErrors when they are wrong.
func (s *Service) Set(ctx context.Context, n Settings) error {
	if wrong := n.Validate(); len(wrong) > 0 {
		return wrong
	}
	return s.change(ctx, func(st *state) { st.stored = &n })
}

// Clear forgets the settings; the guard stays.
func (s *Service) Clear(ctx context.Context) error {
	return s.change(ctx, func(st *state) { st.stored = nil })
}

// SetGuard replaces the guard. It returns formats.FieldErrors when it is wrong.
func (s *Service) SetGuard(ctx context.Context, g Guard) error {
	if wrong := g.Validate(); len(wrong) > 0 {
		return wrong
	}
	return s.change(ctx, func(st *state) { st.guard = g })
}

// shown gives what an audit may know: secrets print as *** by themselves.
func (st *state) shown() any { return record{Settings: st.stored, Guard: st.guard} }

func (s *Service) change(ctx context.Context, edit func(*state)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.opts.Writable(); err != nil {
		return err
	}
	before := *s.now.Load()
	next := before
	edit(&next)
	r := record{Settings: next.stored, Guard: next.guard}
	var err error
	if next.stored != nil {
		if r.HTTP, err = s.sealPassword(next.stored.HTTP); err == nil {
			r.HTTPS, err = s.sealPassword(next.stored.HTTPS)
		}
	}
	var value []byte
	if err == nil {
		value, err = json.Marshal(r)
	}
	if err == nil {
		err = s.store.Apply(ctx, kv.Put(key(), value))
	}
	if err != nil {
		return fmt.Errorf("outbound: write settings: %w", err)
	}
	if err := s.apply(next.stored, next.guard); err != nil {
		return err
	}
	audit.Record(ctx, s.opts.Audit, audit.Event{Action: "http.update", Object: "settings", Before: before.shown(), After: next.shown()})
	s.opts.Changed()
	return nil
}

func (s *Service) sealPassword(p *Proxy) (string, error) {
	if p == nil || p.Auth == nil {
		return "", nil
	}
	return s.opts.Sealer.Seal(string(p.Auth.Password))
}
