package oidc

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"strings"

	"entrepot/app/access"
	"entrepot/app/access/federated"
	"entrepot/formats"
)

// scope is asked for unless the settings name another.
const scope = "openid profile email"

// signIn is a sign-in that waits for the provider's answer. Its key is the state.
type signIn struct {
	version  uint64 // of the settings
	browser  string
	nonce    string
	verifier string // of PKCE (RFC 7636)
	redirect string
	path     string
}

// Begun is a sign-in that began.
type Begun struct {
	URL     string // where the browser is to be sent
	State   string // names the sign-in
	Browser string // a secret for a cookie of the browser, which has to bring it back
}

// Begin begins a sign-in. The provider will send the browser to the URL redirect with an answer for Finish, which gives path. The error
// is a *formats.Error for the person, of the kind NotFound when nobody can sign in with the settings.
func (s *Service) Begin(ctx context.Context, redirect, path string) (Begun, error) {
	p, err := s.forPeople(ctx)
	if err != nil {
		return Begun{}, err
	}
	var secrets [4]string
	for i := range secrets {
		if secrets[i], err = s.pending.Secret(); err != nil {
			return Begun{}, err
		}
	}
	one := signIn{version: p.version, browser: secrets[1], nonce: secrets[2], verifier: secrets[3], redirect: redirect, path: federated.LocalPath(path)}
	challenge := sha256.Sum256([]byte(one.verifier))
	params := map[string]string{"scope": scope}
	maps.Copy(params, p.settings.AuthorizationParams)
	maps.Copy(params, map[string]string{
		"response_type": "code", "client_id": p.settings.ClientID, "redirect_uri": redirect, "state": secrets[0], "nonce": one.nonce,
		"code_challenge": base64.RawURLEncoding.EncodeToString(challenge[:]), "code_challenge_method": "S256",
	})
	target, err := withQuery(p.settings.AuthorizationURL, params)
	if err != nil {
		return Begun{}, err
	}
	s.pending.Put(secrets[0], one)
	return Begun{URL: target, State: secrets[0], Browser: one.browser}, nil
}

// forPeople gives the provider if people can sign in with it.
func (s *Service) forPeople(ctx context.Context) (*provider, error) {
	p, err := s.current(ctx)
	if err != nil {
		return nil, err
	}
	active, err := s.opts.Active(ctx)
	if err != nil {
		return nil, err
	}
	if !active {
		return nil, formats.Errorf(formats.NotFound, "Sign-in with OpenID Connect is not set up: the realm %s is not active", RealmID)
	}
	if p == nil || !p.settings.signsIn() {
		return nil, formats.Errorf(formats.NotFound, "Sign-in with OpenID Connect is not set up: %s, %s and %s are needed", fieldClientID, fieldAuthorizationURL, fieldTokenURL)
	}
	return p, nil
}

// withQuery adds parameters to those that a URL has, in place of those of the same name.
func withQuery(text string, params map[string]string) (string, error) {
	u, err := url.Parse(text)
	if err != nil {
		return "", fmt.Errorf("oidc: %w", err)
	}
	query := u.Query()
	for name, value := range params {
		query.Set(name, value)
	}
	u.RawQuery = query.Encode()
	return u.String(), nil
}

// Answer is what a browser brings back from the provider.
type Answer struct {
	State   string
	Browser string // the secret of its cookie
	Code    string
	Issuer  string // "" when the provider does not send it
	Error   string // in place of Code
}

// Finish gives who signed in, and the path that Begin was given. The error is a *formats.Error for the person: Invalid when nothing waits
// for the answer, Forbidden when the provider or its token does not let in, BadGateway when the provider cannot be asked or says
// something odd. What it was about is in the log.
func (s *Service) Finish(ctx context.Context, a Answer) (user access.DirectoryUser, path string, err error) {
	one, waits := s.pending.Take(a.State)
	p, err := s.forPeople(ctx)
	switch {
	case err != nil:
		return user, "", err
	case !waits || p.version != one.version || subtle.ConstantTimeCompare([]byte(one.browser), []byte(a.Browser)) != 1:
		return user, "", formats.Errorf(formats.Invalid, "This sign-in is over, or was begun in another browser; begin again")
	case a.Error != "" || a.Code == "":
		s.opts.Log.InfoContext(ctx, "identity provider refused a sign-in", "error", short(a.Error))
		return user, "", formats.Errorf(formats.Forbidden, "The identity provider did not let you in")
	}
	user, err = p.finish(ctx, one, a)
	switch {
	case refused(err):
		s.opts.Log.WarnContext(ctx, "sign-in refused", "reason", err)
		return user, "", formats.Errorf(formats.Forbidden, "The answer of the identity provider is not accepted; the log of the server says why")
	case err != nil:
		s.opts.Log.WarnContext(ctx, "identity provider cannot be asked", "error", err)
		return user, "", formats.Errorf(formats.BadGateway, "The identity provider cannot be asked now; the log of the server says why")
	}
	return user, one.path, nil
}

// finish gets the ID token for a code, and reads who it is about.
func (p *provider) finish(ctx context.Context, one signIn, a Answer) (access.DirectoryUser, error) {
	text, err := p.exchange(ctx, one, a.Code)
	if err != nil {
		return access.DirectoryUser{}, err
	}
	t, err := p.verify(ctx, text)
	if err == nil {
		err = t.checkIdentity(p.settings.ClientID, one.nonce)
	}
	if err == nil && a.Issuer != "" && a.Issuer != t.text("iss") {
		err = refuse("the answer is of the issuer %q, the token of another", a.Issuer)
	}
	if err != nil {
		return access.DirectoryUser{}, err
	}
	return p.settings.Claims.user(t.claims)
}

// tokenAnswer is an answer to a token request.
type tokenAnswer struct {
	IDToken string `json:"id_token"`
	Error   string `json:"error"`
}

// exchange gives the ID token for a code. The client secret is shown in a header, as every provider has to understand (RFC 6749 2.3.1);
// to one that does not, in the form.
func (p *provider) exchange(ctx context.Context, one signIn, code string) (string, error) {
	form := url.Values{}
	for name, value := range p.settings.TokenParams {
		form.Set(name, value)
	}
	form.Set("grant_type", "authorization_code")
	form.Set("code", code)
	form.Set("redirect_uri", one.redirect)
	form.Set("code_verifier", one.verifier)
	secret := p.settings.ClientSecret != ""
	inBody := !secret || p.inBody.Load()
	status, answer, err := p.askToken(ctx, form, inBody)
	if err == nil && secret && !inBody && status/100 == 4 && answer.Error != "invalid_grant" {
		if status, answer, err = p.askToken(ctx, form, true); err == nil && status == http.StatusOK {
			p.inBody.Store(true)
		}
	}
	switch {
	case err != nil:
		return "", fmt.Errorf("oidc: token request: %w", err)
	case answer.Error == "invalid_grant":
		return "", refuse("the provider does not accept the code of its own answer")
	case status != http.StatusOK:
		return "", fmt.Errorf("oidc: token request: it answers with status %d and error %q", status, short(answer.Error))
	case answer.IDToken == "":
		return "", errors.New("oidc: token request: it gives no ID token; is openid in the scope?")
	}
	return answer.IDToken, nil
}

func (p *provider) askToken(ctx context.Context, form url.Values, inBody bool) (status int, answer tokenAnswer, err error) {
	s := p.settings
	if inBody {
		form.Set("client_id", s.ClientID)
		if s.ClientSecret != "" {
			form.Set("client_secret", string(s.ClientSecret))
		}
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.TokenURL, strings.NewReader(form.Encode()))
	if err != nil {
		return 0, answer, err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if !inBody {
		req.SetBasicAuth(url.QueryEscape(s.ClientID), url.QueryEscape(string(s.ClientSecret)))
	}
	status, data, err := p.send(req, maxAnswer)
	if err != nil {
		return 0, answer, err
	}
	if err := json.Unmarshal(data, &answer); err != nil && status == http.StatusOK {
		return 0, answer, errors.New("its answer is not JSON")
	}
	return status, answer, nil
}

// LogoutURL gives where a browser is sent to sign out at the provider too, which may send it on to back (OpenID Connect RP-Initiated
// Logout); "" when the settings name no such place.
func (s *Service) LogoutURL(ctx context.Context, back string) (string, error) {
	p, err := s.current(ctx)
	if err != nil || p == nil || p.settings.LogoutURL == "" {
		return "", err
	}
	params := map[string]string{"post_logout_redirect_uri": back}
	if p.settings.ClientID != "" {
		params["client_id"] = p.settings.ClientID
	}
	return withQuery(p.settings.LogoutURL, params)
}
