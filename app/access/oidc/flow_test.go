package oidc

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"testing"
	"time"

	"entrepot/app/access"
	"entrepot/formats"
)

const redirect = "https://depot.example.org/oidc/callback"

// begin begins a sign-in and gives what the provider is told.
func (w *world) begin(t *testing.T) (Begun, url.Values) {
	t.Helper()
	b, err := w.oidc.Begin(t.Context(), redirect, "/#browse/welcome")
	must(t, err)
	u, err := url.Parse(b.URL)
	must(t, err)
	return b, u.Query()
}

// give has the provider answer token requests with an ID token.
func (w *world) give(t *testing.T, key signer, claims map[string]any) {
	t.Helper()
	token := key.sign(t, nil, claims)
	w.with(func() {
		w.answer = func(url.Values) (int, any) {
			return 200, map[string]string{"id_token": token, "access_token": "x", "token_type": "Bearer"}
		}
	})
}

func TestSignIn(t *testing.T) {
	w := newWorld(t)
	w.set(t, func(s *Settings) {
		s.AuthorizationParams, s.TokenParams = map[string]string{"prompt": "login"}, map[string]string{"resource": "r"}
	})
	b, sent := w.begin(t)
	for name, want := range map[string]string{
		"tenant": "a", "prompt": "login", "response_type": "code", "client_id": "depot", "redirect_uri": redirect, "scope": "openid profile email",
		"state": b.State, "code_challenge_method": "S256",
	} {
		if got := sent.Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	w.give(t, rsaSigner(0, "one"), w.claims(with("nonce", sent.Get("nonce"))))
	user, path, err := w.oidc.Finish(t.Context(), Answer{State: b.State, Browser: b.Browser, Code: "c", Issuer: "https://id.example.org"})
	must(t, err)
	if user.ID != "sam" || user.FirstName != "Sam" || user.LastName != "Lee" || user.Email != "sam@example.org" || len(user.Groups) != 2 || path != "/#browse/welcome" {
		t.Errorf("%+v, %s", user, path)
	}
	form := w.forms[0]
	challenge := sha256.Sum256([]byte(form.Get("code_verifier")))
	if base64.RawURLEncoding.EncodeToString(challenge[:]) != sent.Get("code_challenge") {
		t.Error("the verifier does not fit the challenge")
	}
	for name, want := range map[string]string{"grant_type": "authorization_code", "code": "c", "redirect_uri": redirect, "resource": "r", "client_secret": ""} {
		if got := form.Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if want := "Basic " + base64.StdEncoding.EncodeToString([]byte("depot:geheim%26")); w.auth[0] != want {
		t.Errorf("%s, want %s", w.auth[0], want)
	}
	if _, _, err := w.oidc.Finish(t.Context(), Answer{State: b.State, Browser: b.Browser, Code: "c"}); formats.KindOf(err) != formats.Invalid {
		t.Errorf("the answer counts twice: %v", err)
	}
	session, _, err := w.LoginExternal(t.Context(), access.ExternalSignIn{Realm: RealmID, User: user})
	must(t, err)
	subject, err := w.Authenticate(t.Context(), access.Credentials{Session: session})
	if must(t, err); subject.UserID() != "sam" || subject.Source() != access.SourceOAuth2 {
		t.Errorf("%s of %s", subject.UserID(), subject.Source())
	}
	must(t, w.oidc.Clear(t.Context(), access.System()))
	if subject, err = w.Authenticate(t.Context(), access.Credentials{Session: session}); err != nil || !subject.Anonymous() {
		t.Errorf("the session outlives the settings: %v", err)
	}
}

func TestSignInsThatAreRefused(t *testing.T) {
	for _, tt := range []struct {
		name   string
		claims func(map[string]any)
		key    signer
		answer func(*Answer)
		other  func(w *world) // happens meanwhile
		want   formats.ErrorKind
	}{
		{name: "nonce", claims: with("nonce", "x"), want: formats.Forbidden},
		{name: "no nonce", claims: with("nonce", nil), want: formats.Forbidden},
		{name: "audience", claims: with("aud", "x"), want: formats.Forbidden},
		{name: "several audiences", claims: with("aud", []string{"x", "depot"}), want: formats.Forbidden},
		{name: "party", claims: with("azp", "x"), want: formats.Forbidden},
		{name: "expired", claims: with("exp", 1), want: formats.Forbidden},
		{name: "no subject", claims: with("sub", nil), want: formats.Forbidden},
		{name: "no issuer", claims: with("iss", nil), want: formats.Forbidden},
		{name: "no name", claims: with("preferred_username", nil), want: formats.Forbidden},
		{name: "key", key: rsaSigner(1, "one"), want: formats.Forbidden},
		{name: "algorithm", key: signer{"one", rsaSigner(0, "").method, rsaKeys()[1]}, want: formats.Forbidden},
		{name: "state", answer: func(a *Answer) { a.State = "x" }, want: formats.Invalid},
		{name: "no state", answer: func(a *Answer) { a.State = "" }, want: formats.Invalid},
		{name: "browser", answer: func(a *Answer) { a.Browser = "x" }, want: formats.Invalid},
		{name: "no browser", answer: func(a *Answer) { a.Browser = "" }, want: formats.Invalid},
		{name: "issuer", answer: func(a *Answer) { a.Issuer = "https://evil.example.org" }, want: formats.Forbidden},
		{name: "error", answer: func(a *Answer) { a.Error = "access_denied" }, want: formats.Forbidden},
		{name: "no code", answer: func(a *Answer) { a.Code = "" }, want: formats.Forbidden},
		{name: "late", other: func(w *world) { w.pass(time.Hour) }, want: formats.Invalid},
		{name: "down", other: func(w *world) { w.with(func() { w.down = true }) }, want: formats.BadGateway},
		{name: "settings", other: func(w *world) { w.set(t, func(s *Settings) { s.LogoutURL = "" }) }, want: formats.Invalid},
		{name: "no settings", other: func(w *world) { must(t, w.oidc.Clear(t.Context(), access.System())) }, want: formats.NotFound},
		{name: "code", other: func(w *world) {
			w.answer = func(url.Values) (int, any) { return 400, map[string]string{"error": "invalid_grant"} }
		}, want: formats.Forbidden},
		{name: "no token", other: func(w *world) { w.answer = func(url.Values) (int, any) { return 200, map[string]string{} } }, want: formats.BadGateway},
		{name: "no JSON", other: func(w *world) { w.answer = func(url.Values) (int, any) { return 200, "<html>" } }, want: formats.BadGateway},
		{name: "right", want: formats.Internal},
	} {
		w := newWorld(t)
		w.set(t, nil)
		b, sent := w.begin(t)
		claims := w.claims(with("nonce", sent.Get("nonce")))
		if tt.claims != nil {
			tt.claims(claims)
		}
		if tt.key.method == nil {
			tt.key = rsaSigner(0, "one")
		}
		w.give(t, tt.key, claims)
		if tt.other != nil {
			tt.other(w)
		}
		a := Answer{State: b.State, Browser: b.Browser, Code: "c"}
		if tt.answer != nil {
			tt.answer(&a)
		}
		_, _, err := w.oidc.Finish(t.Context(), a)
		var told *formats.Error
		if (tt.want != formats.Internal || err != nil) && (!errors.As(err, &told) || told.Kind != tt.want) {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

// A provider that wants the secret in the form gets it there, from then on at once.
func TestSecretInForm(t *testing.T) {
	w := newWorld(t)
	w.set(t, nil)
	for range 2 {
		b, sent := w.begin(t)
		token := rsaSigner(0, "one").sign(t, nil, w.claims(with("nonce", sent.Get("nonce"))))
		w.with(func() {
			w.answer = func(form url.Values) (int, any) {
				if form.Get("client_secret") != "geheim&" || form.Get("client_id") != "depot" {
					return http.StatusUnauthorized, map[string]string{"error": "invalid_client"}
				}
				return 200, map[string]string{"id_token": token}
			}
		})
		_, _, err := w.oidc.Finish(t.Context(), Answer{State: b.State, Browser: b.Browser, Code: "c"})
		must(t, err)
	}
	if len(w.forms) != 3 {
		t.Errorf("%d token requests", len(w.forms))
	}
}

func TestNotSetUp(t *testing.T) {
	w := newWorld(t)
	if _, err := w.oidc.Begin(t.Context(), redirect, ""); formats.KindOf(err) != formats.NotFound {
		t.Error(err)
	}
	if target, err := w.oidc.LogoutURL(t.Context(), "/"); err != nil || target != "" {
		t.Errorf("%s, %v", target, err)
	}
	w.set(t, nil)
	w.off = true
	if _, err := w.oidc.Begin(t.Context(), redirect, ""); formats.KindOf(err) != formats.NotFound {
		t.Error(err)
	}
	w.off = false
	w.set(t, func(s *Settings) { s.AuthorizationURL, s.TokenURL = "", "" })
	if _, err := w.oidc.Begin(t.Context(), redirect, ""); formats.KindOf(err) != formats.NotFound {
		t.Error(err)
	}
	target, err := w.oidc.LogoutURL(t.Context(), "https://depot.example.org/")
	if must(t, err); target != w.server.URL+"/logout?client_id=depot&post_logout_redirect_uri=https%3A%2F%2Fdepot.example.org%2F" {
		t.Error(target)
	}
}
