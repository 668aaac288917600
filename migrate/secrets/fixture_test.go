package secrets_test

import (
	"bytes"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"entrepot/migrate/h2"
	"entrepot/migrate/h2/h2test"
	"entrepot/migrate/secrets"
)

// unpack gives the parts of a recorded data directory that have to do with secrets.
func unpack(t testing.TB, fixture string) string {
	t.Helper()
	return h2test.Unpack(t, fixture, "db", "etc", "keystores")
}

// expectation is what another program decrypted of the same server.
type expectation struct {
	Rows []struct {
		ID      int64
		Purpose string
		KeyID   string `json:"key_id"`
		UserID  string `json:"user_id"`
		Plain   string
	} `json:"secrets_rows"`
	References []struct{ Where, Member, Ref, Stored, Form, Plain string }
	Keys       []struct {
		Domain     string
		Username   string
		Token      string   // sealed for releases with the old table
		Plain      string   // which have this
		Principals []string `json:"principal_strings"`
		Created    time.Time
	} `json:"api_keys"`
}

// facts are what the scripts saw that made the fixture.
type facts struct {
	Tokens []struct{ Domain, User, Realm, Token string }
}

func readJSON(t testing.TB, fixture, name string, into any) {
	t.Helper()
	if err := json.Unmarshal(h2test.Expected(t, fixture, name), into); err != nil {
		t.Fatal(err)
	}
}

func openDatabase(t testing.TB, dir string) *h2.Database {
	t.Helper()
	db, err := h2.Open(filepath.Join(dir, "db", "nexus.mv.db"), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

func openVault(t testing.TB, dir string, opts *secrets.Options) *secrets.Vault {
	t.Helper()
	keys, err := secrets.ReadKeys(dir, opts)
	if err != nil {
		t.Fatal(err)
	}
	vault, err := secrets.Open(t.Context(), openDatabase(t, dir), keys)
	if err != nil {
		t.Fatal(err)
	}
	return vault
}

func TestFixtures(t *testing.T) {
	for _, fixture := range h2test.Fixtures() {
		t.Run(fixture, func(t *testing.T) {
			var want expectation
			readJSON(t, fixture, "secrets.json", &want)
			dir := unpack(t, fixture)
			vault := openVault(t, dir, nil)
			survey, err := vault.Survey(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			compareRows(t, vault, want)
			compareReferences(t, survey, want)
			compareKeys(t, survey, want)
			compareTokens(t, fixture, survey)
			checkIdentity(t, survey.Keystore)
			checkNodeKeystores(t, dir)
			if len(survey.Unused) != 0 {
				t.Errorf("nothing refers to secrets %v", survey.Unused)
			}
		})
	}
}

func compareRows(t *testing.T, vault *secrets.Vault, want expectation) {
	t.Helper()
	got := vault.Stored()
	if len(got) != len(want.Rows) {
		t.Fatalf("%d rows of secrets, want %d", len(got), len(want.Rows))
	}
	for i, w := range want.Rows {
		g := got[i]
		if g.ID != w.ID || g.Purpose != w.Purpose || g.KeyID != w.KeyID || g.User != w.UserID || g.Plain.Reveal() != w.Plain || g.Err != nil {
			t.Errorf("secret %d: %q of %s, %v, want %+v", g.ID, g.Plain.Reveal(), g.User, g.Err, w)
		}
	}
}

// compareReferences looks for each expected place. The survey also finds secrets in the clear that the expectation leaves out, but
// no other sealed ones.
func compareReferences(t *testing.T, survey *secrets.Survey, want expectation) {
	t.Helper()
	sealed, wantSealed := 0, 0
	for _, r := range survey.References {
		if r.Form != secrets.FormClear {
			sealed++
		}
	}
	for _, w := range want.References {
		if w.Form != "clear" {
			wantSealed++
		}
		found := false
		for _, r := range survey.References {
			where := strings.ToUpper(r.Place.Table) + " " + r.Place.Row
			if (where == w.Where || strings.HasPrefix(where, w.Where+" ")) && strings.EqualFold(r.Place.Member, w.Member) &&
				(w.Form == "" || string(r.Form) == w.Form) && r.Plain.Reveal() == w.Plain {
				found = true
			}
		}
		if !found {
			t.Errorf("not found: %+v", w)
		}
	}
	if sealed != wantSealed {
		t.Errorf("%d sealed secrets in use, want %d: %v", sealed, wantSealed, survey.References)
	}
}

func compareKeys(t *testing.T, survey *secrets.Survey, want expectation) {
	t.Helper()
	if len(survey.APIKeys) != len(want.Keys) {
		t.Fatalf("%d API keys, want %d", len(survey.APIKeys), len(want.Keys))
	}
	for i, w := range want.Keys {
		g := survey.APIKeys[i]
		token := w.Plain
		if token == "" {
			token = w.Token
		}
		if g.Domain != w.Domain || g.Token.Reveal() != token || !g.Created.Equal(w.Created) {
			t.Errorf("API key %+v with token %s, want %+v", g, g.Token.Reveal(), w)
		}
		if w.Principals == nil {
			continue
		}
		if g.User != w.Username || len(g.Principals) != 1 || g.Realm != w.Principals[0] || g.Principals[0].Name != w.Principals[1] {
			t.Errorf("API key of %s in %s, want %v", g.User, g.Realm, w.Principals)
		}
	}
}

// compareTokens compares with the tokens as the server handed them out.
func compareTokens(t *testing.T, fixture string, survey *secrets.Survey) {
	t.Helper()
	var seen facts
	readJSON(t, fixture, "facts.json", &seen)
	for _, w := range seen.Tokens {
		found := false
		for _, k := range survey.APIKeys {
			found = found || k.Domain == w.Domain && k.User == w.User && k.Realm == w.Realm && k.Token.Reveal() == w.Token
		}
		if !found {
			t.Errorf("the server gave %+v", w)
		}
	}
	if len(seen.Tokens) != len(survey.APIKeys) {
		t.Errorf("%d API keys, the server gave %d", len(survey.APIKeys), len(seen.Tokens))
	}
}

// checkIdentity opens the private key and looks whether its certificate belongs to it.
func checkIdentity(t *testing.T, ks secrets.Keystore) {
	t.Helper()
	if len(ks.Keys) != 1 || len(ks.Keys[0].Chain) != 1 {
		t.Fatalf("%d private keys", len(ks.Keys))
	}
	checkKey(t, ks.Keys[0], secrets.IdentityKeyPassword)
	for _, c := range ks.Trusted {
		if _, err := x509.ParseCertificate(c.DER); err != nil || c.Created.Year() != 2026 {
			t.Errorf("certificate %s of %v: %v", c.Alias, c.Created, err)
		}
	}
}

func checkKey(t *testing.T, k secrets.PrivateKey, password string) {
	t.Helper()
	der, err := k.Open(password)
	if err != nil {
		t.Fatal(err)
	}
	key, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := x509.ParseCertificate(k.Chain[0].DER)
	if err != nil {
		t.Fatal(err)
	}
	if private, ok := key.(*rsa.PrivateKey); !ok || !private.PublicKey.Equal(certificate.PublicKey) {
		t.Error("certificate and private key do not belong together")
	}
	if _, err := k.Open("other"); !errors.Is(err, secrets.ErrKey) {
		t.Errorf("wrong password: %v", err)
	}
}

func checkNodeKeystores(t *testing.T, dir string) {
	t.Helper()
	read := func(name, password string) *secrets.Keystore {
		content, err := os.ReadFile(filepath.Join(dir, "keystores", "node", name))
		if err != nil {
			t.Fatal(err)
		}
		ks, err := secrets.ParseKeystore(content, password)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if _, err := secrets.ParseKeystore(content, "other"); !errors.Is(err, secrets.ErrKey) {
			t.Errorf("%s: wrong password: %v", name, err)
		}
		for n := range content {
			if _, err := secrets.ParseKeystore(content[:n], ""); err == nil {
				t.Errorf("%s: cut at %d is taken", name, n)
			}
		}
		return ks
	}
	read("trusted.ks", secrets.NodeTrustStorePassword)
	private := read("private.ks", secrets.NodePrivateStorePassword)
	checkKey(t, private.Keys[0], secrets.NodePrivateKeyPassword)
}

// TestTrustedCertificate compares a certificate with the file that was uploaded.
func TestTrustedCertificate(t *testing.T) {
	survey, err := openVault(t, unpack(t, "nexus-3.77-small"), nil).Survey(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(h2test.Expected(t, "nexus-3.77-small", "ca.pem"))
	for _, c := range survey.Keystore.Trusted {
		if bytes.Equal(c.DER, block.Bytes) {
			return
		}
	}
	t.Errorf("%d certificates, not the one that was uploaded", len(survey.Keystore.Trusted))
}
