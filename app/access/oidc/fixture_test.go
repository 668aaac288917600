package oidc

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"go.uber.org/goleak"

	"entrepot/app/access"
	"entrepot/app/access/federated"
	"entrepot/app/access/password"
	"entrepot/storage/kv"
	"entrepot/storage/kv/memory"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// says renders an error as its fields or message.
func says(err error) string {
	var e *access.Error
	if !errors.As(err, &e) {
		return fmt.Sprint(err)
	}
	words := []string{}
	for _, f := range e.Fields {
		words = append(words, f.Field+" "+f.Message)
	}
	return strings.TrimSpace(e.Message + " " + strings.Join(words, "; "))
}

// reverse is a sealer that one can see through.
type reverse struct{}

func (reverse) Seal(s string) (string, error) { return "sealed:" + s, nil }

func (reverse) Unseal(s string) (string, error) { return strings.TrimPrefix(s, "sealed:"), nil }

// signer is a key of a provider.
type signer struct {
	id      string
	method  jwt.SigningMethod
	private crypto.Signer
}

var (
	rsaKeys = sync.OnceValue(func() []*rsa.PrivateKey { // which take long to make
		var keys []*rsa.PrivateKey
		for range 2 {
			key, err := rsa.GenerateKey(rand.Reader, 2048)
			if err != nil {
				panic(err)
			}
			keys = append(keys, key)
		}
		return keys
	})
)

// rsaSigner gives one of two RSA keys under an id.
func rsaSigner(n int, id string) signer { return signer{id, jwt.SigningMethodRS256, rsaKeys()[n]} }

func ecSigner(t *testing.T, id string, curve elliptic.Curve, method jwt.SigningMethod) signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	must(t, err)
	return signer{id, method, key}
}

func edSigner(t *testing.T, id string) signer {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	must(t, err)
	return signer{id, jwt.SigningMethodEdDSA, key}
}

func b64(data []byte) string { return base64.RawURLEncoding.EncodeToString(data) }

// public gives the key as its provider shows it.
func (s signer) public() map[string]any {
	k := map[string]any{"kid": s.id, "use": "sig", "alg": s.method.Alg()}
	switch public := s.private.Public().(type) {
	case *rsa.PublicKey:
		k["kty"], k["n"], k["e"] = "RSA", b64(public.N.Bytes()), b64(big.NewInt(int64(public.E)).Bytes())
	case ed25519.PublicKey:
		k["kty"], k["crv"], k["x"] = "OKP", "Ed25519", b64(public)
	case *ecdsa.PublicKey:
		point, err := public.Bytes()
		if err != nil {
			panic(err)
		}
		half := len(point) / 2
		k["kty"], k["crv"], k["x"], k["y"] = "EC", public.Curve.Params().Name, b64(point[1:1+half]), b64(point[1+half:])
	}
	return k
}

func keySetOf(keys ...map[string]any) string {
	data, err := json.Marshal(map[string]any{"keys": keys})
	if err != nil {
		panic(err)
	}
	return string(data)
}

// sign makes a token. Members of header take the place of those it would have.
func (s signer) sign(t *testing.T, header, claims map[string]any) string {
	t.Helper()
	token := jwt.NewWithClaims(s.method, jwt.MapClaims(claims))
	if s.id != "" {
		token.Header["kid"] = s.id
	}
	maps.Copy(token.Header, header)
	text, err := token.SignedString(s.private)
	must(t, err)
	return text
}

// world is an access service with a provider that keeps its settings there, and a clock.
type world struct {
	*access.Service
	oidc  *Service
	store *kv.Store

	mu     sync.Mutex
	now    time.Time
	down   bool
	off    bool // the realm is not active
	keys   []signer
	asked  int // how often it gave its keys
	forms  []url.Values
	auth   []string
	answer func(form url.Values) (int, any) // to token requests
	server *httptest.Server
}

func (w *world) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *world) pass(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

// with changes what the provider does.
func (w *world) with(change func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	change()
}

// ServeHTTP is the provider.
func (w *world) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.down {
		rw.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	switch r.URL.Path {
	case "/jwks":
		w.asked++
		var public []map[string]any
		for _, k := range w.keys {
			public = append(public, k.public())
		}
		_, _ = rw.Write([]byte(keySetOf(public...)))
	case "/token":
		if err := r.ParseForm(); err != nil {
			panic(err)
		}
		w.forms, w.auth = append(w.forms, r.PostForm), append(w.auth, r.Header.Get("Authorization"))
		status, body := w.answer(r.PostForm)
		rw.WriteHeader(status)
		if text, ok := body.(string); ok {
			_, _ = rw.Write([]byte(text))
			return
		}
		_ = json.NewEncoder(rw).Encode(body)
	case "/huge":
		_, _ = rw.Write([]byte(`{"keys":[` + strings.Repeat(" ", maxKeySet) + `]}`))
	case "/moved":
		http.Redirect(rw, r, "/jwks", http.StatusFound)
	}
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{now: time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC), store: kv.New(memory.New()), keys: []signer{rsaSigner(0, "one")}}
	w.server = httptest.NewServer(w)
	t.Cleanup(w.server.Close)
	transport := &http.Transport{DisableKeepAlives: true}
	w.oidc = New(w.store, Options{
		Sealer: reverse{}, Now: w.clock, Users: federated.NewPeople(w.store, access.SourceOAuth2, w.clock),
		Active:    func(context.Context) (bool, error) { return !w.off, nil },
		Transport: func(bool) http.RoundTripper { return transport },
		Change:    nil,
	})
	var err error
	w.Service, err = access.Open(t.Context(), w.store, &access.Options{
		InitialPassword: "admin123", Now: w.clock, Passwords: &password.Options{Cost: password.Cost{Memory: 8, Passes: 1, Threads: 1}},
		Realms: []access.Realm{w.oidc.Realm()},
	})
	must(t, err)
	w.oidc.opts.Change = w.Change
	must(t, w.SetActiveRealms(t.Context(), access.System(), []string{access.RealmLocal, RealmID}))
	_, err = w.CreateRole(t.Context(), access.System(), access.RoleInput{ID: "ops", Name: "ops", Privileges: []string{"nx-settings-read"}})
	must(t, err)
	return w
}

// settings are those of the world's provider.
func (w *world) settings() Settings {
	return Settings{
		ClientID: "depot", ClientSecret: "geheim&", AuthorizationURL: w.server.URL + "/authorize?tenant=a", TokenURL: w.server.URL + "/token",
		JWKSURL: w.server.URL + "/jwks", LogoutURL: w.server.URL + "/logout", Algorithm: "RS256",
		Claims: Claims{Username: "preferred_username", Groups: "groups", FirstName: "given_name", LastName: "family_name", Email: "email"},
	}
}

func (w *world) set(t *testing.T, edit func(*Settings)) {
	t.Helper()
	s := w.settings()
	if edit != nil {
		edit(&s)
	}
	must(t, w.oidc.Set(t.Context(), access.System(), s))
}

// claims are those of a token that is right.
func (w *world) claims(edit ...func(map[string]any)) map[string]any {
	now := w.clock().Unix()
	c := map[string]any{
		"iss": "https://id.example.org", "sub": "1", "aud": "depot", "exp": now + 300, "iat": now, "preferred_username": "sam", "given_name": "Sam",
		"family_name": "Lee", "email": "sam@example.org", "groups": []string{"ops", "all"},
	}
	for _, e := range edit {
		e(c)
	}
	return c
}

// with sets a claim, or takes it away when it is nil.
func with(name string, value any) func(map[string]any) {
	return func(c map[string]any) {
		if c[name] = value; value == nil {
			delete(c, name)
		}
	}
}

// bearer shows a token and gives the user and the roles, or the error.
func (w *world) bearer(t *testing.T, token string) string {
	t.Helper()
	subject, err := w.Authenticate(t.Context(), access.Credentials{Kind: access.Bearer, Secret: token})
	switch {
	case errors.Is(err, access.ErrBadCredentials):
		return "bad"
	case err != nil:
		return err.Error()
	case subject.Anonymous():
		return "nobody"
	}
	roles := subject.Roles()
	slices.Sort(roles)
	return subject.UserID() + " of " + subject.Source() + " by " + subject.Realm() + " with " + strings.Join(roles, ",")
}
