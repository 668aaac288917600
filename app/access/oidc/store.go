package oidc

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strconv"

	"entrepot/app/access"
	"entrepot/app/audit"
	"entrepot/storage/kv"
)

// key is the row that holds the settings.
func key() kv.Key { return kv.Key{Partition: "access/oidc", Sort: "provider"} }

// stored are settings as they are stored.
type stored struct {
	Settings
	Sealed string `json:"clientSecret,omitempty"`
}

// loaded are the settings of one version of their row.
type loaded struct {
	version  uint64
	settings *Settings // nil: there are none
}

// Row tells which state of the settings is stored; version 0 when there are none.
func (s *Service) Row(ctx context.Context) (kv.Row, error) { return s.store.Row(ctx, key()) }

// load gives the settings as they are stored now.
func (s *Service) load(ctx context.Context) (*loaded, error) {
	e, err := s.store.Get(ctx, key())
	if errors.Is(err, kv.ErrNotFound) {
		return &loaded{}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("oidc: read settings: %w", err)
	}
	if have := s.loaded.Load(); have != nil && have.version == e.Version {
		return have, nil
	}
	var row stored
	if err := json.Unmarshal(e.Value, &row); err != nil {
		return nil, fmt.Errorf("oidc: decode settings: %w", err)
	}
	secret, err := s.opts.Sealer.Unseal(row.Sealed)
	if err != nil {
		return nil, fmt.Errorf("oidc: open the client secret: %w", err)
	}
	row.ClientSecret = Secret(secret)
	now := &loaded{version: e.Version, settings: &row.Settings}
	s.loaded.Store(now)
	return now, nil
}

// Epoch names the present state of the settings.
func (s *Service) Epoch(ctx context.Context) (string, error) {
	have, err := s.load(ctx)
	if err != nil {
		return "", err
	}
	return strconv.FormatUint(have.version, 10), nil
}

// Settings gives the settings, with the client secret. What they point to must not be changed. The error is access.NotFound when there
// are none.
func (s *Service) Settings(ctx context.Context) (Settings, error) {
	have, err := s.load(ctx)
	if err != nil {
		return Settings{}, err
	}
	if have.settings == nil {
		return Settings{}, &access.Error{Kind: access.NotFound, Message: "OAuth2 is not configured."}
	}
	return *have.settings, nil
}

// Set stores settings, if they are others than those that are stored. Without a client secret they keep the one there is, unless it is
// to be shown to another host, under another client id or less safely.
func (s *Service) Set(ctx context.Context, actor access.Actor, settings Settings) error {
	if err := settings.Validate(); err != nil {
		return err
	}
	return s.write(ctx, audit.Event{Actor: actor, Action: "oauth2.update", Object: "provider"}, func(kept *Settings) (*Settings, error) {
		next := settings
		if next.ClientSecret == "" && next.TokenURL != "" && kept != nil && kept.ClientSecret != "" {
			if !next.sameClient(kept) {
				return nil, &access.Error{Kind: access.Invalid, Fields: []access.FieldError{{
					Field: fieldClientSecret, Message: "must be given again when " + fieldTokenURL + ", " + fieldClientID + " or useTrustStore changes",
				}}}
			}
			next.ClientSecret = kept.ClientSecret
		}
		if kept != nil && next.equal(kept) {
			return nil, errSame
		}
		return &next, nil
	})
}

// errSame reports settings that are stored already: sessions go on.
var errSame = errors.New("oidc: nothing changes")

// equal tells whether both are the same settings.
func (s *Settings) equal(o *Settings) bool {
	a, err := json.Marshal(s)
	b, other := json.Marshal(o)
	return err == nil && other == nil && string(a) == string(b) && s.ClientSecret == o.ClientSecret
}

// sameClient tells whether a secret for the one may be used for the other.
func (s *Settings) sameClient(kept *Settings) bool {
	a, err := url.Parse(s.TokenURL)
	b, other := url.Parse(kept.TokenURL)
	return err == nil && other == nil && a.Scheme == b.Scheme && a.Host == b.Host && s.ClientID == kept.ClientID && s.TrustStore == kept.TrustStore
}

// Clear forgets the settings. Nobody comes in by them any more, sessions end.
func (s *Service) Clear(ctx context.Context, actor access.Actor) error {
	return s.write(ctx, audit.Event{Actor: actor, Action: "oauth2.delete", Object: "provider"}, func(*Settings) (*Settings, error) { return nil, nil })
}

// Reseal stores the client secret again, sealed with the first key of the key file.
func (s *Service) Reseal(ctx context.Context) error {
	event := audit.Event{Actor: access.System(), Action: "oauth2.update", Object: "provider"}
	return s.write(ctx, event, func(kept *Settings) (*Settings, error) { return kept, nil })
}

// write stores what edit makes of the settings that are kept, nil for none.
func (s *Service) write(ctx context.Context, event audit.Event, edit func(kept *Settings) (*Settings, error)) error {
	return s.opts.Change(ctx, event, func() ([]kv.Op, error) {
		have, err := s.load(ctx)
		if err != nil {
			return nil, err
		}
		next, err := edit(have.settings)
		if errors.Is(err, errSame) || err == nil && next == nil && have.settings == nil {
			return nil, kv.Expected(ctx, kv.Row{Key: key(), Version: have.version})
		}
		if err != nil {
			return nil, err
		}
		if next == nil {
			return []kv.Op{kv.DeleteIf(key(), have.version)}, nil
		}
		row := stored{Settings: *next}
		if row.Sealed, err = s.opts.Sealer.Seal(string(next.ClientSecret)); err != nil {
			return nil, fmt.Errorf("oidc: seal the client secret: %w", err)
		}
		value, err := json.Marshal(row)
		if err != nil {
			return nil, fmt.Errorf("oidc: encode settings: %w", err)
		}
		op := kv.PutIf(key(), value, have.version)
		if have.settings == nil {
			op.If = kv.IfAbsent
		}
		return []kv.Op{op}, nil
	})
}
