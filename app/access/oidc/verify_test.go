package oidc

import (
	"context"
	"crypto/elliptic"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"entrepot/app/access"
)

func TestBearer(t *testing.T) {
	w := newWorld(t)
	w.set(t, nil)
	good, other := rsaSigner(0, "one"), rsaSigner(1, "one")
	shared, err := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims(w.claims())).SignedString([]byte(keySetOf(good.public())))
	must(t, err)
	unsigned, err := jwt.NewWithClaims(jwt.SigningMethodNone, jwt.MapClaims(w.claims())).SignedString(jwt.UnsafeAllowNoneSignatureType)
	must(t, err)
	ps := good
	ps.method = jwt.SigningMethodPS256
	now, right := w.clock().Unix(), good.sign(t, nil, w.claims())
	const sam, bad, nobody = "sam of OAuth2 by OAuth2Realm with all,ops", "bad", "nobody"
	for _, tt := range []struct {
		name, token, want string
	}{
		{"right", right, sam},
		{"several audiences", good.sign(t, nil, w.claims(with("aud", []string{"x", "depot"}))), sam},
		{"access token", good.sign(t, map[string]any{"typ": "at+jwt"}, w.claims()), sam},
		{"one group", good.sign(t, nil, w.claims(with("groups", "ops"))), "sam of OAuth2 by OAuth2Realm with ops"},
		{"no groups", good.sign(t, nil, w.claims(with("groups", nil))), "sam of OAuth2 by OAuth2Realm with "},
		{"odd groups", good.sign(t, nil, w.claims(with("groups", []any{1, "ops", "", nil, "a\nb"}))), "sam of OAuth2 by OAuth2Realm with ops"},
		{"clocks differ", good.sign(t, nil, w.claims(with("exp", now-20), with("iat", now+20), with("nbf", now+20))), sam},
		{"expired", good.sign(t, nil, w.claims(with("exp", now-31))), bad},
		{"without end", good.sign(t, nil, w.claims(with("exp", nil))), bad},
		{"not yet", good.sign(t, nil, w.claims(with("nbf", now+60))), bad},
		{"of the future", good.sign(t, nil, w.claims(with("iat", now+60))), bad},
		{"odd end", good.sign(t, nil, w.claims(with("exp", "soon"))), bad},
		{"other audience", good.sign(t, nil, w.claims(with("aud", "x"))), bad},
		{"no audience", good.sign(t, nil, w.claims(with("aud", nil))), bad},
		{"other party's audience", good.sign(t, nil, w.claims(with("aud", "x"), with("azp", "depot"))), bad},
		{"no user", good.sign(t, nil, w.claims(with("preferred_username", nil))), bad},
		{"odd user", good.sign(t, nil, w.claims(with("preferred_username", 7))), bad},
		{"blank user", good.sign(t, nil, w.claims(with("preferred_username", " "))), bad},
		{"long user", good.sign(t, nil, w.claims(with("preferred_username", strings.Repeat("x", 600)))), bad},
		{"logout token", good.sign(t, map[string]any{"typ": "logout+jwt"}, w.claims()), bad},
		{"event", good.sign(t, nil, w.claims(with("events", map[string]any{}))), bad},
		{"critical extension", good.sign(t, map[string]any{"crit": []string{"exp"}}, w.claims()), bad},
		{"other key", other.sign(t, nil, w.claims()), bad},
		{"unknown key", rsaSigner(1, "two").sign(t, nil, w.claims()), bad},
		{"odd kid", good.sign(t, map[string]any{"kid": 1}, w.claims()), bad},
		{"without kid, one key", good.sign(t, map[string]any{"kid": ""}, w.claims()), sam},
		{"key of its own", other.sign(t, map[string]any{"jwk": other.public()}, w.claims()), bad},
		{"other algorithm", ps.sign(t, nil, w.claims()), bad},
		{"shared secret", shared, bad},
		{"unsigned", unsigned, bad},
		{"cut off", right[:len(right)-5], bad},
		{"changed", strings.Replace(right, ".", ".e30", 1), bad},
		{"too long", good.sign(t, nil, w.claims(with("x", strings.Repeat("x", maxToken)))), nobody},
		{"npm's", "NpmToken.01234567-89ab-cdef-0123-456789abcdef", nobody},
		{"three parts", "a.b.c", nobody},
		{"no JSON", "AAAA.e30.e30", nobody},
	} {
		if got := w.bearer(t, tt.token); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
}

func TestAlgorithms(t *testing.T) {
	w := newWorld(t)
	for name, key := range map[string]signer{
		"ES256": ecSigner(t, "k", elliptic.P256(), jwt.SigningMethodES256), "ES384": ecSigner(t, "k", elliptic.P384(), jwt.SigningMethodES384),
		"ES512": ecSigner(t, "k", elliptic.P521(), jwt.SigningMethodES512), "EdDSA": edSigner(t, "k"),
		"PS512": {"k", jwt.SigningMethodPS512, rsaKeys()[0]}, "RS384": {"k", jwt.SigningMethodRS384, rsaKeys()[0]},
	} {
		w.set(t, func(s *Settings) { s.Algorithm, s.JWKS = name, keySetOf(rsaSigner(1, "k").public(), key.public()) })
		if got := w.bearer(t, key.sign(t, nil, w.claims())); !strings.HasPrefix(got, "sam") {
			t.Errorf("%s: %s", name, got)
		}
		if got := w.bearer(t, rsaSigner(0, "k").sign(t, nil, w.claims())); got != "bad" {
			t.Errorf("RS256 for %s: %s", name, got)
		}
	}
}

func TestExactMatch(t *testing.T) {
	w := newWorld(t)
	for _, tt := range []struct {
		match map[string]string
		claim string // of the token, as JSON
		want  bool
	}{
		{map[string]string{"iss": "https://id.example.org"}, `{}`, true},
		{map[string]string{"iss": "https://id.example.org/"}, `{}`, false},
		{map[string]string{"aud": "depot"}, `{"aud":["x","depot"]}`, true},
		{map[string]string{"aud": "ci"}, `{"aud":"ci"}`, true},
		{map[string]string{"aud": "ci"}, `{}`, false},
		{map[string]string{"azp": "depot"}, `{"aud":"account","azp":"depot"}`, true},
		{map[string]string{"team": "a"}, `{"team":["a"]}`, true},
		{map[string]string{"team": "a"}, `{"team":["a","b"]}`, false},
		{map[string]string{"team": "a"}, `{"aud":"ci","team":"a"}`, false},
		{map[string]string{"n": "12", "b": "true"}, `{"n":12,"b":true}`, true},
		{map[string]string{"x.y": "1"}, `{"x":{"y":"1"}}`, true},
		{map[string]string{"x.y": "1"}, `{"x.y":"2","x":{"y":"1"}}`, false},
		{map[string]string{"x": "null"}, `{"x":null}`, false},
	} {
		w.set(t, func(s *Settings) { s.ExactMatch = tt.match })
		token := rsaSigner(0, "one").sign(t, nil, w.claims(func(c map[string]any) {
			must(t, json.Unmarshal([]byte(tt.claim), &c))
		}))
		if got := w.bearer(t, token); strings.HasPrefix(got, "sam") != tt.want {
			t.Errorf("%v, %s: %s", tt.match, tt.claim, got)
		}
	}
	w.set(t, func(s *Settings) { *s = Settings{JWKSURL: s.JWKSURL, Algorithm: s.Algorithm, Claims: s.Claims} })
	if got := w.bearer(t, rsaSigner(0, "one").sign(t, nil, w.claims())); got != "bad" {
		t.Errorf("a server without a name takes the tokens of all: %s", got)
	}
}

func TestNestedClaims(t *testing.T) {
	w := newWorld(t)
	w.set(t, func(s *Settings) {
		s.Claims.Groups, s.Claims.Username = "realm_access.roles", "https://id.example.org/name"
	})
	token := rsaSigner(0, "one").sign(t, nil, w.claims(with("realm_access", map[string]any{"roles": []string{"ops"}}), with("https://id.example.org/name", "lea")))
	if got := w.bearer(t, token); got != "lea of OAuth2 by OAuth2Realm with ops" {
		t.Error(got)
	}
}

// A token that was verified is not remembered longer than it says, nor beyond its settings, its user or its realm.
func TestRemembered(t *testing.T) {
	w := newWorld(t)
	ctx, admin := t.Context(), access.System()
	w.set(t, nil)
	token := rsaSigner(0, "one").sign(t, nil, w.claims(with("exp", w.clock().Unix()+40)))
	const sam = "sam of OAuth2 by OAuth2Realm with all,ops"
	check := func(when, want string) {
		t.Helper()
		if got := w.bearer(t, token); got != want {
			t.Errorf("%s: %s, want %s", when, got, want)
		}
	}
	check("at first", sam)
	w.with(func() { w.down = true })
	w.pass(39 * time.Second)
	check("just before its end", sam)
	w.pass(time.Minute)
	check("behind its end", "bad")

	w.with(func() { w.down = false })
	token = rsaSigner(0, "one").sign(t, nil, w.claims())
	check("a new one", sam)
	must(t, w.Assign(ctx, admin, access.User{Source: access.SourceOAuth2, ID: "sam", Status: access.StatusDisabled}))
	check("the user is disabled", "bad")
	must(t, w.Assign(ctx, admin, access.User{Source: access.SourceOAuth2, ID: "sam", Status: access.StatusActive, Roles: []string{"nx-admin"}}))
	check("the user has a role", "sam of OAuth2 by OAuth2Realm with all,nx-admin,ops")
	w.set(t, func(s *Settings) { s.ClientID = "other" })
	check("it is for another client", "bad")
	w.set(t, nil)
	must(t, w.SetActiveRealms(ctx, admin, []string{access.RealmLocal}))
	check("the realm is off", "nobody")
	must(t, w.SetActiveRealms(ctx, admin, []string{access.RealmLocal, RealmID}))
	must(t, w.oidc.Clear(ctx, admin))
	check("there are no settings", "nobody")
}

func TestKeys(t *testing.T) {
	w := newWorld(t)
	w.set(t, nil)
	p, err := w.oidc.current(t.Context())
	must(t, err)
	asked := func(want int) {
		t.Helper()
		w.mu.Lock()
		defer w.mu.Unlock()
		if w.asked != want {
			t.Errorf("asked %d times, want %d", w.asked, want)
		}
	}
	known := func(id string, want error) {
		t.Helper()
		if _, err := p.key(t.Context(), id); want == nil && err != nil || want != nil && !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", id, err, want)
		}
	}
	known("one", nil)
	known("one", nil)
	asked(1)
	w.with(func() { w.keys = []signer{rsaSigner(0, "one"), rsaSigner(1, "two")} }) // rotation
	known("two", errUnknownKey)
	known("two", errUnknownKey)
	asked(1) // not more often because somebody asks
	w.pass(keysAgain)
	known("two", nil)
	asked(2)
	w.with(func() { w.keys = []signer{rsaSigner(1, "two")} })
	known("one", nil)
	w.pass(keysFresh)
	known("one", errUnknownKey)
	asked(3)
	w.with(func() { w.down = true })
	w.pass(keysStale - time.Minute)
	known("two", nil)
	w.pass(time.Minute)
	if _, err := p.key(t.Context(), "two"); err == nil || errors.Is(err, errUnknownKey) {
		t.Errorf("keys hold for ever: %v", err)
	}
	if got := w.bearer(t, rsaSigner(1, "two").sign(t, nil, w.claims())); !strings.Contains(got, "status 503") {
		t.Errorf("an outage is %s", got)
	}
	w.with(func() { w.down = false })
	w.pass(keysAgain)
	known("two", nil)
}

// Many who come at once wait for one question.
func TestKeysAreAskedForOnce(t *testing.T) {
	w := newWorld(t)
	w.set(t, nil)
	p, err := w.oidc.current(t.Context())
	must(t, err)
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			if _, err := p.key(t.Context(), "one"); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if w.asked != 1 {
		t.Errorf("asked %d times", w.asked)
	}
}

func TestKeysThatCannotBeHad(t *testing.T) {
	for path, want := range map[string]string{"/huge": "longer than", "/moved": "redirects to", "/nowhere": "unexpected end"} {
		w := newWorld(t)
		w.set(t, func(s *Settings) { s.JWKSURL = w.server.URL + path })
		p, err := w.oidc.current(t.Context())
		must(t, err)
		if _, err := p.key(t.Context(), "one"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", path, err)
		}
	}
	w := newWorld(t)
	w.set(t, nil)
	p, err := w.oidc.current(t.Context())
	must(t, err)
	over, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := p.key(over, "one"); err != nil && !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestKeysThatAreNotUsed(t *testing.T) {
	good := rsaSigner(0, "k").public()
	small := rsaSigner(0, "k").public()
	small["n"] = b64(slices.Repeat([]byte{0xff}, 128))
	even := rsaSigner(0, "k").public()
	even["e"] = "Ag"
	point := ecSigner(t, "k", elliptic.P256(), jwt.SigningMethodES256).public()
	point["x"] = point["y"]
	for _, tt := range []struct {
		name, algorithm string
		key             map[string]any
		edit            func(map[string]any)
		want            int
	}{
		{"good", "RS256", good, nil, 1},
		{"no use", "RS256", good, with("use", nil), 1},
		{"encryption", "RS256", good, with("use", "enc"), 0},
		{"other algorithm", "RS256", good, with("alg", "RS512"), 0},
		{"no algorithm", "RS256", good, with("alg", nil), 1},
		{"operations", "RS256", good, with("key_ops", []string{"verify"}), 1},
		{"other operations", "RS256", good, with("key_ops", []string{"sign"}), 0},
		{"other kind", "ES256", good, with("alg", nil), 0},
		{"small", "RS256", small, nil, 0},
		{"even exponent", "RS256", even, nil, 0},
		{"not on the curve", "ES256", point, nil, 0},
		{"broken", "RS256", good, with("n", "!"), 0},
		{"odd", "RS256", good, with("kid", 1), 0},
	} {
		k := map[string]any{}
		for name, value := range tt.key {
			k[name] = value
		}
		if tt.edit != nil {
			tt.edit(k)
		}
		set, err := parseKeys([]byte(keySetOf(k)), tt.algorithm)
		if must(t, err); len(set.keys) != tt.want {
			t.Errorf("%s: %d", tt.name, len(set.keys))
		}
	}
}

func FuzzClaims(f *testing.F) {
	f.Add(`{"a":{"b":["x"]},"a.b":"y"}`, "a.b")
	f.Add(`{"u":"x"}`, "u")
	f.Add(`{"":{"":"x"}}`, ".")
	f.Fuzz(func(t *testing.T, text, name string) {
		var claims map[string]any
		if json.Unmarshal([]byte(text), &claims) != nil {
			return
		}
		c := Claims{Username: name, Groups: name, Email: name}
		user, err := c.user(claims)
		if err == nil && !fit(user.ID) || err != nil && !refused(err) {
			t.Fatalf("%+v, %v", user, err)
		}
		for _, g := range user.Groups {
			if !fit(g) {
				t.Fatalf("%q", g)
			}
		}
		(&token{claims: claims}).is(name, "x")
	})
}

func FuzzKeys(f *testing.F) {
	f.Add(keySetOf(rsaSigner(0, "k").public()), "RS256")
	f.Add(`{"keys":[{"kty":"EC","crv":"P-256","x":"","y":""},{"kty":"OKP","crv":"Ed25519","x":"AA"}]}`, "ES256")
	f.Fuzz(func(t *testing.T, text, algorithm string) {
		if set, err := parseKeys([]byte(text), algorithm); err == nil && len(set.keys) > 0 && !known(algorithm) {
			t.Fatal("keys for an algorithm that is not believed")
		}
		compact(text)
	})
}
