package access

import (
	"encoding/base64"
	"errors"
	"strings"
	"testing"
	"time"
)

// shiroAdmin is admin123 as real servers hash it, and pbkdf2Admin as newer ones do.
const (
	shiroAdmin  = "$shiro1$SHA-512$1024$NE+wqQq/TmjZMvfI7ENh/g==$V4yPw8T64UQ6GfJfxYq2hLsVrBY8D1v+bktfOxGdt4b/9BthpWPNUy/CBk6V9iA0nHpzYzJFWO8v/tZFtES8CA=="
	pbkdf2Admin = "$PBKDF2WithHmacSHA256$key_iteration=10000,key_len=256$AAECAwQFBgcICQoLDA0ODw==$QYruImrEIfbgvKJd1TVFPj1jqr/M4wSkf2ltGPGot88="
)

// TestImportedUserTokens imports tokens whose pass codes another server kept in the clear or hashed.
func TestImportedUserTokens(t *testing.T) {
	for _, c := range []struct{ what, hash string }{{"plain", ""}, {"shiro", shiroAdmin}, {"pbkdf2", pbkdf2Admin}} {
		t.Run(c.what, func(t *testing.T) {
			w := newWorld()
			s := w.open(t)
			addUser(t, s, "ann", "nx-settings-read")
			must(t, s.SetUserTokenSettings(t.Context(), System(), UserTokenSettings{Enabled: true, Days: 30}))
			must(t, s.SetActiveRealms(t.Context(), System(), []string{RealmUserToken, RealmLocal}))
			imported := Token{Domain: RealmUserToken, Source: SourceLocal, User: "ann", Name: "short", Created: w.clock.Now()}
			put := func() {
				t.Helper()
				if c.hash == "" {
					must(t, s.ImportToken(t.Context(), imported, "short:admin123"))
				} else {
					must(t, s.ImportHashedToken(t.Context(), imported, c.hash))
				}
			}
			put()
			_, hash, err := s.ImportedUserToken(t.Context(), SourceLocal, "ann", "short")
			if must(t, err); hash != c.hash {
				t.Errorf("hash %q", hash)
			}
			for range 2 { // the second time by our digest
				login(t, s, "short", "admin123")
			}
			if _, hash, err = s.ImportedUserToken(t.Context(), SourceLocal, "ann", "short"); err != nil || hash != "" {
				t.Errorf("the hash was not replaced: %q, %v", hash, err)
			}
			bearer := Credentials{Kind: Bearer, Secret: base64.StdEncoding.EncodeToString([]byte("short:admin123"))}
			if subject, err := s.Authenticate(t.Context(), bearer); err != nil || subject.UserID() != "ann" {
				t.Errorf("bearer: %v, %v", subject, err)
			}
			for _, wrong := range []Credentials{basic("short", "admin12"), basic("short", ""), basic("shor", "admin123"), basic("short:admin123", "")} {
				if _, err := s.Authenticate(t.Context(), wrong); !errors.Is(err, ErrBadCredentials) {
					t.Errorf("%+v: %v", wrong, err)
				}
			}
			put() // once more, as after a change there
			if held, err := s.Tokens(t.Context(), TokenFilter{Source: SourceLocal, User: "ann"}); err != nil || len(held) != 1 || held[0].Name != "short" {
				t.Errorf("%+v, %v", held, err)
			}
			login(t, s, "short", "admin123")
			imported.Expires = w.clock.Now().Add(time.Hour)
			put()
			w.clock.advance(2 * time.Hour)
			if _, err := s.Authenticate(t.Context(), basic("short", "admin123")); !errors.Is(err, ErrBadCredentials) {
				t.Errorf("after its own end: %v", err)
			}
		})
	}
}

func TestImportedUserTokenRefusals(t *testing.T) {
	s := newWorld().open(t)
	for _, c := range []struct {
		token Token
		hash  string
	}{
		{Token{Source: SourceLocal, User: "ann", Name: "a:b"}, shiroAdmin}, {Token{Source: SourceLocal, User: "ann"}, shiroAdmin},
		{Token{Source: SourceLocal, Name: "a"}, shiroAdmin}, {Token{Source: SourceLocal, User: "ann", Name: "a"}, "$shiro2$x"},
		{Token{Source: SourceLocal, User: "ann", Name: "a"}, strings.Repeat("x", 40)},
	} {
		if err := s.ImportHashedToken(t.Context(), c.token, c.hash); KindOf(err) != Refused {
			t.Errorf("%+v: %v", c.token, err)
		}
	}
}
