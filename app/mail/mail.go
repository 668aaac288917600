// Package mail keeps the settings with which mail leaves the server and sends it. The settings are one record in the partition
// "settings/mail", with the password sealed. They are checked whole before they are stored, and refused while the server takes no writes.
//
// Example:
//
//	m := mail.New(store, mail.Options{Sealer: sealer, Writable: engine.Writable})
//	err := m.Set(ctx, mail.Settings{Enabled: true, Host: "mail.example.org", Port: 25, From: "repository@example.org"})
//	err = m.Send(ctx, mail.Message{To: "a@example.org", Subject: "Hello", Text: "It works."})
package mail

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	netmail "net/mail"
	"regexp"
	"strings"
	"time"

	"entrepot/app/audit"
	"entrepot/formats"
	"entrepot/storage/kv"
)

// Settings say how mail leaves the server.
type Settings struct {
	Enabled       bool    `json:"enabled"`
	Host          string  `json:"host"`
	Port          int     `json:"port"` // 1 to 65535
	Username      string  `json:"username,omitempty"`
	Password      Secret  `json:"-"`
	From          string  `json:"from"`
	SubjectPrefix *string `json:"subjectPrefix,omitempty"` // nil when never given
	StartTLS      bool    `json:"startTLS,omitempty"`      // when the mail server offers it
	NeedStartTLS  bool    `json:"needStartTLS,omitempty"`
	TLS           bool    `json:"tls,omitempty"`       // from the first byte
	CheckName     bool    `json:"checkName,omitempty"` // the certificate must be the mail server's
	TrustStore    bool    `json:"trustStore,omitempty"`
}

// Secret is a string that prints as ***.
type Secret string

// String hides the secret.
func (Secret) String() string { return "***" }

// GoString hides the secret.
func (Secret) GoString() string { return "***" }

// record is what is stored: the password is sealed.
type record struct {
	Settings
	Sealed string `json:"sealed,omitempty"`
}

// maxHost is the longest name of a mail server in characters.
const maxHost = 200

var hostName = regexp.MustCompile(`^([A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?)(\.[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?)*$`)

// Validate finds the faults of mail settings; the field names are those of the JSON that clients send.
func (m *Settings) Validate() formats.FieldErrors {
	var wrong formats.FieldErrors
	add := func(field, message string) { wrong = append(wrong, formats.FieldError{Field: field, Message: message}) }
	switch {
	case strings.TrimSpace(m.Host) == "":
		add("host", "must not be blank")
	case len(m.Host) > maxHost || !hostName.MatchString(m.Host) && net.ParseIP(m.Host) == nil:
		add("host", "Hostname must be valid")
	}
	if m.Port < 1 || m.Port > 65535 {
		add("port", "Port-number must be >= 1 AND <= 65535.")
	}
	switch a, err := netmail.ParseAddress(m.From); {
	case strings.TrimSpace(m.From) == "":
		add("fromAddress", "must not be blank")
	case err != nil || a.Address != m.From:
		add("fromAddress", "must be a well-formed email address")
	}
	return wrong
}

// Sealer keeps secrets unreadable at rest. *seal.Sealer is one.
type Sealer interface {
	Seal(secret string) (string, error)
	Unseal(sealed string) (string, error)
}

// Options of a Service. Sealer is required; of the others the zero value means the documented default.
type Options struct {
	Sealer   Sealer
	Writable func() error   // refuses changes while the server takes none; default never
	Audit    audit.Recorder // is told about changes; default nobody
	// Roots gives the authorities and certificates that are trusted for settings with TrustStore; default the system's.
	Roots     func() *x509.CertPool
	Transport Transport // default SMTP
	// BaseURL gives the external URL of the server, which every mail names; "" and nil for none.
	BaseURL func() string
	Now     func() time.Time // default time.Now
}

// Service keeps the settings and sends mail. Its methods may be called from many goroutines.
type Service struct {
	store *kv.Store
	opts  Options
}

// New makes a Service over the server's records.
func New(store *kv.Store, opts Options) *Service {
	if opts.Writable == nil {
		opts.Writable = func() error { return nil }
	}
	if opts.Roots == nil {
		opts.Roots = func() *x509.CertPool { return nil }
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.Transport == nil {
		opts.Transport = overSMTP{opts.Roots, opts.Now}
	}
	return &Service{store, opts}
}

func key() kv.Key { return kv.Key{Partition: "settings/mail", Sort: "server"} }

// Settings gives the settings; false when none are stored.
func (s *Service) Settings(ctx context.Context) (Settings, bool, error) {
	e, err := s.store.Get(ctx, key())
	if errors.Is(err, kv.ErrNotFound) {
		return Settings{}, false, nil
	}
	var r record
	if err == nil {
		err = json.Unmarshal(e.Value, &r)
	}
	if err == nil && r.Sealed != "" {
		var password string
		password, err = s.opts.Sealer.Unseal(r.Sealed)
		r.Password = Secret(password)
	}
	if err != nil {
		return Settings{}, false, fmt.Errorf("mail: read settings: %w", err)
	}
	return r.Settings, true, nil
}

// Row tells which state of the settings is stored; version 0 when none are.
func (s *Service) Row(ctx context.Context) (kv.Row, error) { return s.store.Row(ctx, key()) }

// Set replaces the settings. It returns formats.FieldErrors when they are wrong.
func (s *Service) Set(ctx context.Context, m Settings) error {
	if wrong := m.Validate(); len(wrong) > 0 {
		return wrong
	}
	if err := s.opts.Writable(); err != nil {
		return err
	}
	before, _, err := s.Settings(ctx)
	if err != nil {
		return err
	}
	r := record{Settings: m}
	if m.Password != "" {
		r.Sealed, err = s.opts.Sealer.Seal(string(m.Password))
	}
	var value []byte
	if err == nil {
		value, err = json.Marshal(r)
	}
	if err == nil {
		err = s.store.Apply(ctx, kv.Put(key(), value))
	}
	if err != nil {
		return fmt.Errorf("mail: write settings: %w", err)
	}
	audit.Record(ctx, s.opts.Audit, audit.Event{Action: "email.update", Object: "settings", Before: before, After: m})
	return nil
}

// Clear forgets the settings.
func (s *Service) Clear(ctx context.Context) error {
	if err := s.opts.Writable(); err != nil {
		return err
	}
	if err := s.store.Apply(ctx, kv.Delete(key())); err != nil {
		return fmt.Errorf("mail: remove settings: %w", err)
	}
	audit.Record(ctx, s.opts.Audit, audit.Event{Action: "email.delete", Object: "settings"})
	return nil
}

// ErrNotSetUp reports that there are no settings to send with.
var ErrNotSetUp = errors.New("mail: not set up")

// Message is a mail of plain text.
type Message struct {
	To      string
	Subject string
	Text    string
}

// Transport hands a message to a mail server.
type Transport interface {
	Send(ctx context.Context, m Settings, message Message) error
}

// Send sends a message with the stored settings, whether or not mail is enabled. The caller checked the address.
func (s *Service) Send(ctx context.Context, message Message) error {
	m, found, err := s.Settings(ctx)
	if err != nil {
		return err
	}
	if !found {
		return ErrNotSetUp
	}
	if m.SubjectPrefix != nil {
		message.Subject = strings.TrimSpace(*m.SubjectPrefix + " " + message.Subject)
	}
	if s.opts.BaseURL != nil {
		if url := s.opts.BaseURL(); url != "" {
			message.Text += "\r\n\r\n-- \r\n" + url
		}
	}
	if err := s.opts.Transport.Send(ctx, m, message); err != nil {
		return fmt.Errorf("mail: send to %s:%d: %w", m.Host, m.Port, err)
	}
	return nil
}
