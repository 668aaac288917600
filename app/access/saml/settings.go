package saml

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"strconv"
	"strings"
	"unicode/utf8"

	"entrepot/app/access"
	"entrepot/app/audit"
	"entrepot/storage/kv"
)

// Settings say which identity provider is trusted and what its answers mean.
type Settings struct {
	// EntityID is what this server is called to the provider. Default: its external URL with MetadataPath.
	EntityID string `json:"entityId,omitempty"`
	// IDPMetadata is the provider's description: XML with one IDPSSODescriptor.
	IDPMetadata string `json:"idpMetadata"`
	// Names of attributes of an assertion, or their friendly names. Username has to be there; the values of Groups are roles where one of
	// the same id exists.
	Username  string `json:"usernameAttribute"`
	FirstName string `json:"firstNameAttribute,omitempty"`
	LastName  string `json:"lastNameAttribute,omitempty"`
	Email     string `json:"emailAttribute,omitempty"`
	Groups    string `json:"groupsAttribute,omitempty"`
	// Whether the answer as a whole, and the assertion in it, have to be signed. nil and false mean that one of both has to be.
	ValidateResponse  *bool `json:"validateResponseSignature,omitempty"`
	ValidateAssertion *bool `json:"validateAssertionSignature,omitempty"`
}

// Secret is a string that prints as ***.
type Secret string

// String hides the secret.
func (Secret) String() string { return "***" }

// GoString hides the secret.
func (Secret) GoString() string { return "***" }

// LogValue hides the secret.
func (Secret) LogValue() slog.Value { return slog.StringValue("***") }

// KeyPair is what requests are signed and assertions encrypted with: PEM of an X.509 certificate and of its RSA key in PKCS #8.
type KeyPair struct {
	Certificate string
	Key         Secret
}

const (
	mustNotBeBlank = "must not be blank"
	maxAttribute   = 1024    // characters of a name or an entity id
	maxMetadata    = 1 << 20 // bytes
)

// Validate finds the faults of the settings.
func (s *Settings) Validate() error {
	var faults []access.FieldError
	add := func(broken bool, field, message string) {
		if broken {
			faults = append(faults, access.FieldError{Field: field, Message: message, Shape: true})
		}
	}
	blank := strings.TrimSpace(s.IDPMetadata) == ""
	add(blank, "idpMetadata", mustNotBeBlank)
	if !blank {
		_, err := readMetadata(s.IDPMetadata)
		add(err != nil, "idpMetadata", fmt.Sprint("is not the metadata of an identity provider: ", err))
	}
	add(strings.TrimSpace(s.Username) == "", "usernameAttribute", mustNotBeBlank)
	for _, f := range []struct{ name, value string }{
		{"entityId", s.EntityID}, {"usernameAttribute", s.Username}, {"firstNameAttribute", s.FirstName}, {"lastNameAttribute", s.LastName},
		{"emailAttribute", s.Email}, {"groupsAttribute", s.Groups},
	} {
		add(utf8.RuneCountInString(f.value) > maxAttribute, f.name, fmt.Sprintf("must be at most %d characters long", maxAttribute))
		add(!plain(f.value), f.name, "must not hold control characters")
	}
	if faults == nil {
		return nil
	}
	return &access.Error{Kind: access.Invalid, Fields: faults}
}

func plain(text string) bool {
	return utf8.ValidString(text) && !strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f })
}

// settingsKey is the one row with the settings and the key pair.
func settingsKey() kv.Key { return kv.Key{Partition: "access/saml", Sort: "settings"} }

// Row tells which state of the settings is stored; version 0 when there are none.
func (s *Service) Row(ctx context.Context) (kv.Row, error) { return s.store.Row(ctx, settingsKey()) }

// stored is what is stored.
type stored struct {
	Settings
	Certificate string `json:"certificate"`
	Sealed      string `json:"privateKey"`
}

// loaded are the settings of one version of their row.
type loaded struct {
	version  uint64
	settings Settings
	pair     KeyPair
	peer     *peer
}

// load gives the settings as they are stored now; nil when there are none.
func (s *Service) load(ctx context.Context) (*loaded, error) {
	e, err := s.store.Get(ctx, settingsKey())
	if errors.Is(err, kv.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("saml: read settings: %w", err)
	}
	if have := s.loaded.Load(); have != nil && have.version == e.Version {
		return have, nil
	}
	var row stored
	if err := json.Unmarshal(e.Value, &row); err != nil {
		return nil, fmt.Errorf("saml: decode settings: %w", err)
	}
	key, err := s.opts.Sealer.Unseal(row.Sealed)
	if err != nil {
		return nil, fmt.Errorf("saml: open the private key: %w", err)
	}
	now := &loaded{version: e.Version, settings: row.Settings, pair: KeyPair{Certificate: row.Certificate, Key: Secret(key)}}
	if now.peer, err = newPeer(now); err != nil {
		return nil, err
	}
	s.loaded.Store(now)
	return now, nil
}

// configured is load for who needs settings.
func (s *Service) configured(ctx context.Context) (*loaded, error) {
	have, err := s.load(ctx)
	if err == nil && have == nil {
		err = &access.Error{Kind: access.NotFound, Message: "SAML is not configured."}
	}
	return have, err
}

// Epoch names the present settings.
func (s *Service) Epoch(ctx context.Context) (string, error) {
	have, err := s.load(ctx)
	if err != nil || have == nil {
		return "", err
	}
	return strconv.FormatUint(have.version, 10), nil
}

// Settings gives the settings; an access.Error of kind NotFound when there are none.
func (s *Service) Settings(ctx context.Context) (Settings, error) {
	have, err := s.configured(ctx)
	if err != nil {
		return Settings{}, err
	}
	return have.settings, nil
}

// Export gives the settings with the key pair, as Import takes them. It is for a copy of everything that is kept safe.
func (s *Service) Export(ctx context.Context) (Settings, KeyPair, error) {
	have, err := s.configured(ctx)
	if err != nil {
		return Settings{}, KeyPair{}, err
	}
	return have.settings, have.pair, nil
}

// Set stores settings and tells whether there were none before. The first ones get a new key pair, which stays.
func (s *Service) Set(ctx context.Context, actor access.Actor, settings Settings) (created bool, err error) {
	return s.set(ctx, actor, settings, nil)
}

// Import stores settings with the key pair that another server had. Without one, the key pair that is here stays, or a new one is made,
// which the provider has to be told of.
func (s *Service) Import(ctx context.Context, actor access.Actor, settings Settings, pair *KeyPair) error {
	if pair != nil {
		if _, _, err := pair.parse(); err != nil {
			return &access.Error{Kind: access.Refused, Message: err.Error()}
		}
	}
	_, err := s.set(ctx, actor, settings, pair)
	return err
}

func (s *Service) set(ctx context.Context, actor access.Actor, settings Settings, pair *KeyPair) (created bool, err error) {
	if err := settings.Validate(); err != nil {
		return false, err
	}
	var fresh *KeyPair
	if have, err := s.load(ctx); err != nil {
		return false, err
	} else if have == nil && pair == nil {
		if fresh, err = s.newKeyPair(); err != nil { // which takes a while, and others wait for changes
			return false, err
		}
	}
	event := audit.Event{Actor: actor, Action: "saml.update", Object: "saml"}
	err = s.opts.Change(ctx, event, func() ([]kv.Op, error) {
		have, err := s.load(ctx)
		if err != nil {
			return nil, err
		}
		used, version := pair, uint64(0)
		if have != nil {
			version = have.version
			if used == nil {
				used = &have.pair
			}
		}
		if used == nil {
			used = fresh
		}
		created = have == nil
		if have != nil && pair == nil && reflect.DeepEqual(have.settings, settings) {
			return nil, kv.Expected(ctx, kv.Row{Key: settingsKey(), Version: version}) // nobody's session ends for it
		}
		return s.operation(settings, used, version)
	})
	return created, err
}

// operation stores settings in place of a version of them, 0 for none.
func (s *Service) operation(settings Settings, pair *KeyPair, version uint64) ([]kv.Op, error) {
	if pair == nil {
		return nil, errors.New("saml: the settings were deleted just now")
	}
	sealed, err := s.opts.Sealer.Seal(string(pair.Key))
	if err != nil {
		return nil, fmt.Errorf("saml: seal the private key: %w", err)
	}
	value, err := json.Marshal(stored{Settings: settings, Certificate: pair.Certificate, Sealed: sealed})
	if err != nil {
		return nil, fmt.Errorf("saml: encode settings: %w", err)
	}
	op := kv.PutNew(settingsKey(), value)
	if version > 0 {
		op = kv.PutIf(settingsKey(), value, version)
	}
	return []kv.Op{op}, nil
}

// Delete forgets the settings and the key pair. Users stay, and nobody signs in by SAML any more.
func (s *Service) Delete(ctx context.Context, actor access.Actor) error {
	return s.opts.Change(ctx, audit.Event{Actor: actor, Action: "saml.delete", Object: "saml"}, func() ([]kv.Op, error) {
		have, err := s.configured(ctx)
		if err != nil {
			return nil, err
		}
		return []kv.Op{kv.DeleteIf(settingsKey(), have.version)}, nil
	})
}

// Reseal stores the private key again, sealed with the first key of the key file.
func (s *Service) Reseal(ctx context.Context) error {
	have, err := s.load(ctx)
	if err != nil || have == nil {
		return err
	}
	_, err = s.set(ctx, access.System(), have.settings, &have.pair)
	return err
}
