package secrets_test

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/pbkdf2"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"entrepot/migrate/h2"
	"entrepot/migrate/secrets"
)

// lostPlaces gives the error of a survey as lines, which must name every lost secret and hold none.
func lostPlaces(t *testing.T, survey *secrets.Survey, err error) []string {
	t.Helper()
	var lost *secrets.LostError
	if !errors.As(err, &lost) || !errors.Is(err, secrets.ErrKey) || survey == nil {
		t.Fatalf("%v, want a LostError", err)
	}
	var lines []string
	for _, l := range lost.Lost {
		line := l.Place.String() + ": " + l.Reason
		if !strings.Contains(err.Error(), line) {
			t.Errorf("the error does not name %s", line)
		}
		lines = append(lines, line)
	}
	return lines
}

// contains reports whether a line begins like this and holds that.
func contains(lines []string, start, inside string) bool {
	for _, line := range lines {
		if strings.HasPrefix(line, start) && strings.Contains(line, inside) {
			return true
		}
	}
	return false
}

var customkeyUses = []string{
	"repository maven-auth attributes.httpclient.authentication.password: ", "repository raw-auth attributes.httpclient",
	"email_configuration 1 password: ", "http_client_configuration 1 proxy.http.authentication.password: ",
	"http_client_configuration 1 proxy.https.authentication.password: ", "capability_storage_item webhook.repository properties.secret: ",
	"api_key_v2 NpmToken of admin: ", "api_key_v2 NuGetApiKey of admin: ", "api_key_v2 DockerToken of admin: ",
}

func TestMissingSecretsFile(t *testing.T) {
	dir := unpack(t, "nexus-3.77-customkey")
	file := filepath.Join(dir, "etc", "nexus-secret-keys.json")
	moved := filepath.Join(t.TempDir(), "keys.json")
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(moved, content, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	survey, err := openVault(t, dir, nil).Survey(t.Context())
	lines := lostPlaces(t, survey, err)
	for _, use := range customkeyUses {
		if !contains(lines, use, `the key "fixture-key-2" of the secrets file (the secrets file `+file+" is not there)") {
			t.Errorf("%s is not named: %q", use, lines)
		}
	}
	if len(lines) != len(customkeyUses) {
		t.Errorf("%d lost, want %d: %q", len(lines), len(customkeyUses), lines)
	}
	if _, err := openVault(t, dir, &secrets.Options{SecretsFile: moved}).Survey(t.Context()); err != nil {
		t.Errorf("with the file given: %v", err)
	}
	if _, err := secrets.ReadKeys(dir, &secrets.Options{SecretsFile: file}); err == nil {
		t.Error("a file that was given and is not there is no error")
	}
}

func TestWrongKeys(t *testing.T) {
	wrongFile := filepath.Join(t.TempDir(), "wrong.json")
	err := os.WriteFile(wrongFile, []byte(`{"active":"fixture-key-2","keys":[{"id":"fixture-key-2","key":"another"}]}`), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, fixture string
		opts          secrets.Options
		want          []string
		reason        string
	}{
		{"secrets file", "nexus-3.77-customkey", secrets.Options{SecretsFile: wrongFile}, customkeyUses,
			`the key "fixture-key-2" of the secrets file does not open it`},
		{"fixed cipher", "nexus-3.77-customkey", secrets.Options{Properties: map[string]string{"nexus.mybatis.cipher.password": "other"}},
			customkeyUses[6:], "the fixed cipher (nexus.mybatis.cipher.password, .salt, .iv) does not open its owner"},
		{"initialization", "nexus-3.77-customkey", secrets.Options{Properties: map[string]string{"nexus.mybatis.cipher.iv": "0123456789ABCDEF"}},
			customkeyUses[6:], "does not open its owner"},
		{"fixed cipher of an old release", "nexus-3.71-tiny", secrets.Options{Properties: map[string]string{"nexus.mybatis.cipher.salt": "other"}},
			[]string{"email_configuration 1 password: ", "api_key NpmToken of ", "api_key NuGetApiKey of ", "api_key DockerToken of "},
			"the fixed cipher (nexus.mybatis.cipher.password, .salt, .iv) does not open i"},
	} {
		t.Run(c.name, func(t *testing.T) {
			survey, err := openVault(t, unpack(t, c.fixture), &c.opts).Survey(t.Context())
			lines := lostPlaces(t, survey, err)
			for _, use := range c.want {
				if !contains(lines, use, c.reason) {
					t.Errorf("%s is not named", use)
				}
			}
			if len(lines) != len(c.want) {
				t.Errorf("%d lost, want %d: %q", len(lines), len(c.want), lines)
			}
			if len(survey.References)+len(survey.Keystore.Keys) == 0 {
				t.Error("the survey has nothing of the rest")
			}
		})
	}
}

// seal encrypts as the old server does.
func seal(t testing.TB, key, iv []byte, plain string) []byte {
	t.Helper()
	block, err := aes.NewCipher(key)
	if err != nil {
		t.Fatal(err)
	}
	pad := aes.BlockSize - len(plain)%aes.BlockSize
	padded := append([]byte(plain), []byte(strings.Repeat(string(rune(pad)), pad))...)
	cipher.NewCBCEncrypter(block, iv).CryptBlocks(padded, padded)
	return padded
}

// cipherString seals with one iteration, so that many are quick.
func cipherString(t testing.TB, password, plain string, n int) string {
	t.Helper()
	salt := sha256.Sum256([]byte(fmt.Sprint("salt", n)))
	key, err := pbkdf2.Key(sha1.New, password, salt[:16], 1, 16)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("$AES/CBC/PKCS5Padding$iv=%s,key_iteration=1,key_len=128$%s$%s", hex.EncodeToString(salt[16:]),
		base64.StdEncoding.EncodeToString(salt[:16]), base64.StdEncoding.EncodeToString(seal(t, key, salt[16:], plain)))
}

// mavenString seals a "{…}" string.
func mavenString(t testing.TB, phrase, plain string, n int) string {
	t.Helper()
	salt := fmt.Sprintf("%08d", n)
	digest := sha256.Sum256([]byte(phrase + salt))
	raw := append([]byte(salt+"\x00"), seal(t, digest[:16], digest[16:], plain)...)
	return "{" + base64.StdEncoding.EncodeToString(raw) + "}"
}

// scripted opens a database that is written out as SQL.
func scripted(t testing.TB, sql string) *h2.Database {
	t.Helper()
	db, err := h2.OpenReader(strings.NewReader(sql), int64(len(sql)), nil)
	if err != nil {
		t.Fatal(err)
	}
	return db
}

const secretsTable = `;
CREATE CACHED TABLE "PUBLIC"."SECRETS"("ID" INTEGER NOT NULL, "PURPOSE" CHARACTER VARYING, "KEY_ID" CHARACTER VARYING,
 "SECRET" CHARACTER VARYING NOT NULL, "USER_ID" CHARACTER VARYING);
CREATE CACHED TABLE "PUBLIC"."LDAP_CONFIGURATION"("ID" UUID, "NAME" CHARACTER VARYING, "SYSTEM_PASSWORD" CHARACTER VARYING,
 "MAPPING" JSON);
`

// TestDistrust seals so many secrets that a wrong key seems to fit some of them, and none may come out.
func TestDistrust(t *testing.T) {
	const n = 3000
	var sql, settings strings.Builder
	sql.WriteString(secretsTable + `INSERT INTO "PUBLIC"."SECRETS" VALUES`)
	settings.WriteString(`INSERT INTO "PUBLIC"."LDAP_CONFIGURATION" VALUES`)
	for i := range n {
		end := ","
		if i == n-1 {
			end = ";"
		}
		fmt.Fprintf(&sql, "\n(%d, 'p', NULL, '%s', 'u')%s", i, cipherString(t, "right", "abcdefghijklmn", i), end)
		fmt.Fprintf(&settings, "\n(NULL, 'l%d', '~%s~', NULL)%s", i, mavenString(t, "right", "abcdefghijklmn", i), end)
	}
	db := scripted(t, sql.String()+settings.String())
	for _, c := range []struct {
		key  string
		lost int
	}{{"right", 0}, {"wrong", n}} {
		keys := &secrets.Keys{Fixed: []secrets.FixedParameters{{Password: secrets.NewPlain(c.key)}}, OwnPhrase: secrets.NewPlain(c.key)}
		vault, err := secrets.Open(t.Context(), db, keys)
		if err != nil {
			t.Fatal(err)
		}
		lost := 0
		for _, s := range vault.Stored() {
			if errors.Is(s.Err, secrets.ErrKey) && s.Plain.Reveal() == "" {
				lost++
			} else if s.Plain.Reveal() != "abcdefghijklmn" {
				t.Fatalf("secret %d became %q", s.ID, s.Plain.Reveal())
			}
		}
		if lost != c.lost {
			t.Errorf("%s key: %d secrets lost, want %d", c.key, lost, c.lost)
		}
		survey, err := vault.Survey(t.Context())
		if survey == nil {
			t.Fatal(err)
		}
		var named *secrets.LostError
		if errors.As(err, &named); c.lost > 0 && (named == nil || len(named.Lost) != n || len(survey.References) != 0) {
			t.Errorf("%s phrase: %d of %d are left", c.key, len(survey.References), n)
		}
		if c.lost == 0 && (err != nil || len(survey.References) != n) {
			t.Errorf("%s phrase: %v, %d of %d", c.key, err, len(survey.References), n)
		}
	}
}

// dataDir makes a data directory with these files in etc.
func dataDir(t testing.TB, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "etc"), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, "etc", name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// TestForms opens settings of releases between the old forms and the new, with keys in both tables.
func TestForms(t *testing.T) {
	fixed, err := pbkdf2.Key(sha1.New, "changeme", []byte("changeme"), 1024, 16)
	if err != nil {
		t.Fatal(err)
	}
	own, err := pbkdf2.Key(sha256.New, "text of b", []byte("salt"), 7, 32)
	if err != nil {
		t.Fatal(err)
	}
	const iv, ownIV = "0123456789ABCDEF", "ABCDEFGHIJKLMNOP"
	base := base64.StdEncoding.EncodeToString
	sql := secretsTable + fmt.Sprintf(`INSERT INTO "PUBLIC"."SECRETS" VALUES (7, 'ldap', NULL, '%s', 'u'), (8, 'p', 'b', '%s', 'u'), (9, 'p', NULL, '%s', 'u');
INSERT INTO "PUBLIC"."LDAP_CONFIGURATION" VALUES
(NULL, 'a', '_7', JSON '{"x":["_8",{"password":"plain","password":"_99","note":"_99","other":"{}"}]}'),
(NULL, 'b', '%s', JSON 'null'),
(NULL, 'c', '%s', NULL),
(NULL, 'd', '%s', NULL),
(NULL, 'e', '%s', NULL),
(NULL, 'f', '', NULL);
`, cipherString(t, "changeme", "seven", 7), cipherString(t, "text of b", "eight", 8), cipherString(t, "changeme", "nine", 9),
		mavenString(t, secrets.DefaultPhrase, "maven", 1), "~"+mavenString(t, "my phrase", "own", 2)+"~",
		base(seal(t, fixed, []byte(iv), "fixed")), base(seal(t, own, []byte(ownIV), "newest")))
	dir := dataDir(t, map[string]string{
		"nexus.properties": "nexus.secrets.file=etc/keys.json\nnexus.security.masterPhraseFile=${karaf.data}/etc/phrase\n",
		"keys.json": `{"active":"b","keys":[{"id":"a","key":"text of a"},{"id":"b","key":"text of b"}],
			"fixedEncryption":{"keyId":"b","salt":"salt","iv":"` + ownIV + `","keyIterations":7}}`,
		"phrase": "  my phrase\n",
	})
	keys, err := secrets.ReadKeys(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	vault, err := secrets.Open(t.Context(), scripted(t, sql), keys)
	if err != nil {
		t.Fatal(err)
	}
	survey, err := vault.Survey(t.Context())
	if lines := lostPlaces(t, survey, err); len(lines) != 1 ||
		lines[0] != "ldap_configuration a mapping.x[1].password: it refers to secret 99, which is not stored" {
		t.Errorf("lost: %q", lines)
	}
	want := []string{
		"a system_password reference seven", "a mapping.x[0] reference eight", "a mapping.x[1].password clear plain",
		"b system_password maven maven", "c system_password maven, own own", "d system_password fixed cipher fixed",
		"e system_password fixed cipher newest",
	}
	for i, r := range survey.References {
		if got := fmt.Sprintf("%s %s %s %s", r.Place.Row, r.Place.Member, r.Form, r.Plain.Reveal()); i >= len(want) || got != want[i] {
			t.Errorf("reference %d: %s", i, got)
		}
	}
	if len(survey.References) != len(want) || len(survey.Unused) != 1 || survey.Unused[0] != 9 {
		t.Errorf("%d references, unused %v", len(survey.References), survey.Unused)
	}
}
