package oidc

import (
	"fmt"
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"

	"entrepot/app/access"
	"entrepot/storage/kv"
)

func TestValidate(t *testing.T) {
	rsa := rsaSigner(0, "one").public()
	private := rsaSigner(0, "one").public()
	private["d"] = "AQAB"
	for _, tt := range []struct {
		edit func(*Settings)
		want string
	}{
		{func(*Settings) {}, "<nil>"},
		{func(s *Settings) { *s = Settings{Algorithm: "RS256", Claims: Claims{Username: "sub"}} }, "<nil>"},
		{func(s *Settings) { *s = Settings{} }, "idpJwsAlgorithm must not be blank; usernameClaim must not be blank"},
		{func(s *Settings) { s.Algorithm = "HS256" }, "idpJwsAlgorithm must be one of ES256, ES384, ES512, EdDSA, PS256, PS384, PS512, RS256, RS384, RS512" +
			": an algorithm with a shared secret, or none, proves nothing here"},
		{func(s *Settings) { s.Algorithm = "none" }, "idpJwsAlgorithm must be one of ES256, ES384, ES512, EdDSA, PS256, PS384, PS512, RS256, RS384, RS512" +
			": an algorithm with a shared secret, or none, proves nothing here"},
		{func(s *Settings) { s.TokenURL = "" }, "idpTokenUrl must be given with idpAuthorizationUrl: people sign in at both"},
		{func(s *Settings) { s.AuthorizationURL = "" }, "idpAuthorizationUrl must be given with idpTokenUrl: people sign in at both"},
		{func(s *Settings) { s.ClientID = " " }, "clientId must be given with idpAuthorizationUrl: the provider wants to know who asks"},
		{func(s *Settings) { s.JWKSURL = "ftp://x/y" }, "idpJwksUrl must be a URL with https:// or http:// and a host, without user and fragment"},
		{func(s *Settings) { s.JWKSURL = "https:///y" }, "idpJwksUrl must be a URL with https:// or http:// and a host, without user and fragment"},
		{func(s *Settings) { s.LogoutURL = "https://u:p@x/" }, "idpLogoutUrl must be a URL with https:// or http:// and a host, without user and fragment"},
		{func(s *Settings) { s.JWKS = "x" }, "idpJwks must be a JSON Web Key Set as the provider shows it at its idpJwksUrl"},
		{func(s *Settings) { s.JWKS = "{}" }, "idpJwks must be a JSON Web Key Set as the provider shows it at its idpJwksUrl"},
		{func(s *Settings) { s.JWKS = keySetOf(rsa) }, "<nil>"},
		{func(s *Settings) { s.JWKS = keySetOf(private) }, "idpJwks must hold public keys only: take out the members d, p, q, dp, dq, qi, oth and k"},
		{func(s *Settings) { s.JWKS, s.Algorithm = keySetOf(rsa), "ES256" }, "idpJwks must hold a key for ES256, of at least 2048 bits if it is one of RSA"},
		{func(s *Settings) { s.JWKS = strings.Repeat("x", maxKeySet+1) }, "idpJwks must be at most 262144 bytes long"},
		{func(s *Settings) { s.Claims.Groups = "a\nb" }, "groupsClaim must be a text of at most 2000 characters, without line ends"},
		{func(s *Settings) { s.AuthorizationParams = map[string]string{"state": "x"} }, "authorizationCustomParams must not have state, which the server sets itself"},
		{func(s *Settings) { s.AuthorizationParams = map[string]string{"scope": "email"} }, "authorizationCustomParams must have openid in its scope, or no scope at all"},
		{func(s *Settings) {
			s.AuthorizationParams = map[string]string{"scope": "openid groups", "prompt": "login"}
		}, "<nil>"},
		{func(s *Settings) { s.TokenParams = map[string]string{"code": "x"} }, "tokenRequestCustomParams must not have code, which the server sets itself"},
		{func(s *Settings) { s.ExactMatch = map[string]string{" ": "x"} }, "exactMatchClaims must have names that are not blank, and texts of at most 2000 characters"},
	} {
		s := (&world{server: &httptest.Server{URL: "https://id.example.org"}}).settings()
		tt.edit(&s)
		if got := says(s.Validate()); got != tt.want {
			t.Errorf("%s, want %s", got, tt.want)
		}
	}
}

func TestSettingsAreKept(t *testing.T) {
	w := newWorld(t)
	ctx, admin := t.Context(), access.System()
	if _, err := w.oidc.Settings(ctx); access.KindOf(err) != access.NotFound {
		t.Error(err)
	}
	must(t, w.oidc.Clear(ctx, admin))
	w.set(t, func(s *Settings) { s.ExactMatch = map[string]string{"iss": "x"} })
	got, err := New(w.store, Options{Sealer: reverse{}}).Settings(ctx)
	if must(t, err); got.ClientSecret != Secret("geheim&") || got.ExactMatch["iss"] != "x" || got.Claims.Username != "preferred_username" {
		t.Errorf("%+v", got)
	}
	e, err := w.store.Get(ctx, key())
	if must(t, err); !strings.Contains(string(e.Value), `"clientSecret":"sealed:geheim\u0026"`) || strings.Count(string(e.Value), "geheim") != 1 {
		t.Errorf("%s", e.Value)
	}
	if text := fmt.Sprintf("%v %+v %#v %v", got, got, got, slog.Any("x", got.ClientSecret)); strings.Contains(text, "geheim") {
		t.Error("the secret shows: " + text)
	}
	for _, tt := range []struct {
		edit func(*Settings)
		want string // of the error, or the secret after the change
	}{
		{func(s *Settings) { s.ClientSecret = "" }, "geheim&"},
		{func(s *Settings) { s.ClientSecret, s.TokenURL = "", s.TokenURL+"/v2" }, "geheim&"},
		{func(s *Settings) { s.ClientSecret, s.TokenURL = "", "https://evil.example.org/token" },
			"clientSecret must be given again when idpTokenUrl, clientId or useTrustStore changes"},
		{func(s *Settings) { s.ClientSecret, s.ClientID = "", "other" }, "clientSecret must be given again when idpTokenUrl, clientId or useTrustStore changes"},
		{func(s *Settings) { s.ClientSecret, s.TrustStore = "", true }, "clientSecret must be given again when idpTokenUrl, clientId or useTrustStore changes"},
		{func(s *Settings) { s.ClientSecret, s.ClientID = "new", "other" }, "new"},
		{func(s *Settings) { s.ClientSecret, s.TokenURL, s.AuthorizationURL = "", "", "" }, ""},
	} {
		s := w.settings()
		tt.edit(&s)
		err := w.oidc.Set(ctx, admin, s)
		now, _ := w.oidc.Settings(ctx)
		if got := string(now.ClientSecret); err == nil && got != tt.want || err != nil && says(err) != tt.want {
			t.Errorf("%q, %v, want %q", got, err, tt.want)
		}
	}
	epoch, err := w.oidc.Epoch(ctx)
	must(t, err)
	same, err := w.oidc.Settings(ctx)
	must(t, err)
	must(t, w.oidc.Set(ctx, admin, same))
	if now, err := w.oidc.Epoch(ctx); err != nil || now != epoch {
		t.Errorf("the same settings again are a change: %v", err)
	}
	must(t, w.oidc.Reseal(ctx))
	if now, err := w.oidc.Epoch(ctx); err != nil || now == epoch {
		t.Errorf("nothing is sealed anew: %v", err)
	}
	must(t, w.oidc.Clear(ctx, admin))
	if _, err := w.oidc.Settings(ctx); access.KindOf(err) != access.NotFound {
		t.Error(err)
	}
	must(t, w.oidc.Reseal(ctx))
	if _, err := w.store.Get(ctx, key()); err != kv.ErrNotFound {
		t.Error(err)
	}
}
