package oidc

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/singleflight"
)

const (
	askTimeout = 10 * time.Second
	maxAnswer  = 1 << 20 // bytes of an answer of the provider

	keysFresh  = 10 * time.Minute // for which keys are used without asking again
	keysStale  = 24 * time.Hour   // for which they are used while the provider does not answer
	keysAgain  = 10 * time.Second // between two questions because of an unknown key
	keysFailed = time.Minute      // between two questions because known keys are not fresh
)

// errUnknownKey reports a token whose key the provider does not have.
var errUnknownKey = errors.New("oidc: the token is signed with a key that the provider does not name")

// provider is asked with the settings of one version.
type provider struct {
	version  uint64
	settings *Settings
	client   *http.Client
	now      func() time.Time
	inBody   atomic.Bool // the client secret goes into the form of a token request, not into its header

	asking singleflight.Group
	mu     sync.Mutex
	keys   keySet
	given  time.Time // when the provider gave keys; zero: it never did
	busy   bool      // it is being asked
	asked  time.Time // when it answered or failed last
	failed error     // of the last question
}

// current gives the settings in force with what asks the provider, nil without settings.
func (s *Service) current(ctx context.Context) (*provider, error) {
	have, err := s.load(ctx)
	if err != nil || have.settings == nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.provider != nil && s.provider.version == have.version {
		return s.provider, nil
	}
	p := &provider{version: have.version, settings: have.settings, now: s.opts.Now, client: &http.Client{
		Transport: s.opts.Transport(have.settings.TrustStore), Timeout: askTimeout,
		CheckRedirect: func(r *http.Request, _ []*http.Request) error {
			return fmt.Errorf("it redirects to %s; set that address if it is right", r.URL.Redacted())
		},
	}}
	if have.settings.JWKS != "" {
		if p.keys, err = parseKeys([]byte(have.settings.JWKS), have.settings.Algorithm); err != nil {
			return nil, err
		}
	}
	s.provider = p
	return p, nil
}

// key gives the key of an id. The error is errUnknownKey when the provider does not have it, and another when it cannot be asked.
func (p *provider) key(ctx context.Context, id string) (crypto.PublicKey, error) {
	if p.settings.JWKS != "" || p.settings.JWKSURL == "" {
		if key, ok := p.keys.find(id); ok {
			return key, nil
		}
		return nil, errUnknownKey
	}
	key, ask, err := p.remembered(id)
	if !ask {
		return key, err
	}
	select {
	case <-p.asking.DoChan("keys", func() (any, error) {
		if _, ask, _ := p.remembered(id); ask { // nobody was faster
			p.refresh(context.WithoutCancel(ctx)) // others wait for it too
		}
		return nil, nil
	}):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	key, _, err = p.remembered(id)
	return key, err
}

// remembered gives the key of an id as far as it is known, and whether the provider is to be asked first.
func (p *provider) remembered(id string) (key crypto.PublicKey, ask bool, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.now()
	usable := !p.given.IsZero() && now.Sub(p.given) < keysStale
	known := false
	if usable {
		key, known = p.keys.find(id)
	}
	switch { // who knows the key does not wait for a question of others, who does not know it does
	case p.busy:
		ask = !known
	case known:
		ask = now.Sub(p.given) >= keysFresh && now.Sub(p.asked) >= keysFailed
	default:
		ask = p.asked.IsZero() || now.Sub(p.asked) >= keysAgain
	}
	switch {
	case known:
		return key, ask, nil
	case p.failed != nil:
		return nil, ask, fmt.Errorf("oidc: keys of the provider: %w", p.failed)
	}
	return nil, ask, errUnknownKey
}

// refresh asks the provider for its keys.
func (p *provider) refresh(ctx context.Context) {
	p.mu.Lock()
	p.busy = true
	p.mu.Unlock()
	set, err := p.fetchKeys(ctx)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.busy, p.asked, p.failed = false, p.now(), err
	if err == nil {
		p.keys, p.given = set, p.asked
	}
}

func (p *provider) fetchKeys(ctx context.Context) (keySet, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.settings.JWKSURL, nil)
	if err != nil {
		return keySet{}, err
	}
	status, data, err := p.send(req, maxKeySet)
	if err != nil {
		return keySet{}, err
	}
	if status != http.StatusOK {
		return keySet{}, fmt.Errorf("it answers with status %d", status)
	}
	return parseKeys(data, p.settings.Algorithm)
}

// send asks the provider and reads its answer, which must not be longer than limit bytes.
func (p *provider) send(req *http.Request, limit int64) (status int, body []byte, err error) {
	req.Header.Set("Accept", "application/json")
	resp, err := p.client.Do(req)
	if err != nil {
		return 0, nil, err
	}
	body, err = io.ReadAll(io.LimitReader(resp.Body, limit+1))
	if err = errors.Join(err, resp.Body.Close()); err != nil {
		return 0, nil, err
	}
	if int64(len(body)) > limit {
		return 0, nil, fmt.Errorf("its answer is longer than %d bytes", limit)
	}
	return resp.StatusCode, body, nil
}
