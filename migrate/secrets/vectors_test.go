package secrets

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"entrepot/migrate/h2"
)

func TestMaven(t *testing.T) {
	for _, c := range []struct{ sealed, phrase, want string }{
		{"{X4bkkyyxOxkH+JFw6vVV3Gp0ONzT0aSzGOUCSSH+P5E=}", DefaultPhrase, "test"},
		{"text {X4bkkyyxOxkH+JFw6vVV3Gp0ONzT0aSzGOUCSSH+P5E=}", DefaultPhrase, ""},
		{"{5FjvnZvhNDMHHnxXoPu1a0WcgZzaArKRCnGBnsA83R7rYQHKGFrprtAM4Qyr4diV}", "foofoo", "my testing phrase"},
		{"~{5FjvnZvhNDMHHnxXoPu1a0WcgZzaArKRCnGBnsA83R7rYQHKGFrprtAM4Qyr4diV}~", "foofoo", "my testing phrase"},
		{"{AQIDBAUGBwgHOd+5lYr+3uNDxjwD8QmmIQAAAAAAAAA=}", DefaultPhrase, "secret"},
	} {
		got, err := DecryptMaven(c.sealed, c.phrase)
		if got.Reveal() != c.want || (err == nil) != (c.want != "") || IsMaven(c.sealed) != (c.want != "") {
			t.Errorf("%s: %q, %v, want %q", c.sealed, got.Reveal(), err, c.want)
		}
	}
	if _, err := DecryptMaven("{5FjvnZvhNDMHHnxXoPu1a0WcgZzaArKRCnGBnsA83R7rYQHKGFrprtAM4Qyr4diV}", "barbar"); !errors.Is(err, ErrKey) {
		t.Errorf("wrong phrase: %v", err)
	}
	for _, text := range []string{"", "{}", "{x}", "${karaf.data}", `{"a":1}`, "{AQID}", "{AQIDBAUGBwj/Od+5lYr+3uNDxjwD8QmmIQAAAAAAAAA=}"} {
		if IsMaven(text) {
			t.Errorf("%q is taken for a sealed string", text)
		}
	}
}

func TestFixedCipher(t *testing.T) {
	c, err := NewFixedCipher(FixedParameters{})
	if err != nil {
		t.Fatal(err)
	}
	if got := hex.EncodeToString(c.key); got != "eec0156b841703ac6c629c6d62d053a9" {
		t.Errorf("key %s", got)
	}
	for sealed, want := range map[string]string{
		"o9TLgu9KPe3uXPEnGikQxg==": "secret",
		"4YiPpKGTF70xaFCVKcTlhpG5t49XUXQ0W9IjLwXAyTbad8y/UBHuXjO85TkAoOjp": "e3b0c442-98fc-3c14-9afb-f4c8996fb924",
		"XElUi6HYIauCxxu7ldgY0A==": "admin",
	} {
		if got, err := c.DecryptText(sealed); err != nil || got.Reveal() != want {
			t.Errorf("%s: %q, %v, want %q", sealed, got.Reveal(), err, want)
		}
	}
	other, err := NewFixedCipher(FixedParameters{Password: NewPlain("other")})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := other.DecryptText("4YiPpKGTF70xaFCVKcTlhpG5t49XUXQ0W9IjLwXAyTbad8y/UBHuXjO85TkAoOjp"); !errors.Is(err, ErrKey) {
		t.Errorf("wrong key: %v", err)
	}
	for _, text := range []string{"", "c2hvcnQ=", "not base64 !"} {
		if _, err := c.DecryptText(text); !errors.Is(err, ErrForm) {
			t.Errorf("%q: %v", text, err)
		}
	}
	if _, err := NewFixedCipher(FixedParameters{IV: "short"}); !errors.Is(err, ErrForm) {
		t.Errorf("short initialization: %v", err)
	}
}

func TestCipherString(t *testing.T) {
	const (
		old  = "$AES/CBC/PKCS5Padding$iv=101112131415161718191a1b1c1d1e1f,key_iteration=1024,key_len=128$AAECAwQFBgcICQoLDA0ODw==$IxZ7G36Re+P+Ojq31mCPPA=="
		sha2 = "$PBKDF2WithHmacSHA256$iv=101112131415161718191a1b1c1d1e1f,key_iteration=10000,key_len=256$AAECAwQFBgcICQoLDA0ODw==$1udXhAW59Ia232WAInT8Rw=="
	)
	for _, text := range []string{old, sha2, strings.Replace(old, "key_iteration=1024,", "", 1), strings.Replace(old, "$iv", "$new=1,iv", 1)} {
		if got, err := DecryptString(text, NewPlain("changeme")); err != nil || got.Reveal() != "secret" {
			t.Errorf("%s: %q, %v", text, got.Reveal(), err)
		}
	}
	// The code over initialization and sealed bytes under the derived key, computed elsewhere.
	const code = "bbb93d0011559b310f200a32329d4a8156c225e46f3135daf1f35e224bd0f845"
	coded := strings.Replace(sha2, "$iv", "$hmac="+code+",iv", 1)
	if got, err := DecryptString(coded, NewPlain("changeme")); err != nil || got.Reveal() != "secret" {
		t.Errorf("with a code: %q, %v", got.Reveal(), err)
	}
	if _, err := DecryptString(strings.Replace(coded, "=bbb9", "=bbb8", 1), NewPlain("changeme")); !errors.Is(err, ErrKey) {
		t.Errorf("wrong code: %v", err)
	}
	for _, text := range []string{
		"", "$$$$", "$a$b$c$d", strings.Replace(old, "=1024", "=99999999999", 1), strings.Replace(old, "=1024", "=-1", 1),
		strings.Replace(old, "=128", "=100", 1), strings.Replace(old, "iv=", "iw=", 1), strings.Replace(old, "iv=10", "iv=", 1),
		old[:len(old)-4], strings.Replace(old, "PKCS5", "GCM", 1),
	} {
		if got, err := DecryptString(text, NewPlain("changeme")); !errors.Is(err, ErrForm) {
			t.Errorf("%s: %q, %v", text, got.Reveal(), err)
		}
	}
}

// AdminPrincipals is the owner "admin" of the local realm, as the old server serializes it.
func AdminPrincipals() []byte {
	text := func(s string) string { return string([]byte{byte(len(s) >> 8), byte(len(s))}) + s }
	unhex := func(s string) string {
		b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
		if err != nil {
			panic(err)
		}
		return string(b)
	}
	return []byte(unhex("aced0005 7372") + text("org.apache.shiro.subject.SimplePrincipalCollection") + unhex("a87f5825c6a3084a 03 0001 4c") +
		text("realmPrincipals") + unhex("74") + text("Ljava/util/Map;") + unhex("78 70") +
		unhex("7372") + text("java.util.LinkedHashMap") + unhex("34c04e5c106cc0fb 02 0001 5a") + text("accessOrder") + unhex("78") +
		unhex("72") + text("java.util.HashMap") + unhex("0507dac1c31660d1 03 0002 46") + text("loadFactor") + unhex("49") + text("threshold") +
		unhex("78 70 3f400000 0000000c 77 08 00000010 00000001 74") + text("NexusAuthenticatingRealm") +
		unhex("7372") + text("java.util.LinkedHashSet") + unhex("d86cd75a95dd2a1e 02 0000 78") +
		unhex("72") + text("java.util.HashSet") + unhex("ba44859596b8b734 03 0000 78 70 77 0c 00000010 3f400000 00000001 74") + text("admin") +
		unhex("78 78 00 77 01 01 71 007e0005 78"))
}

func TestPrincipals(t *testing.T) {
	data := AdminPrincipals()
	if len(data) != 369 {
		t.Fatalf("%d bytes, want 369", len(data))
	}
	got, err := ParsePrincipals(data)
	if err != nil || len(got) != 1 || got[0] != (Principal{Realm: "NexusAuthenticatingRealm", Name: "admin"}) {
		t.Fatalf("%+v, %v", got, err)
	}
	for n := range data {
		if _, err := ParsePrincipals(data[:n]); !errors.Is(err, ErrForm) {
			t.Errorf("cut at %d: %v", n, err)
		}
	}
}

func TestPlainIsHidden(t *testing.T) {
	p := struct{ Secret Plain }{NewPlain("hunter2")}
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("test", "secret", p.Secret, "all", p)
	marshalled, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{fmt.Sprint(p), fmt.Sprintf("%v %+v %#v %s %q %x %d", p, p, p, p, p, p, p), fmt.Sprintf("%#v", p.Secret),
		log.String(), string(marshalled)} {
		if strings.Contains(text, "hunter2") || strings.Contains(text, "68756e") || !strings.Contains(text, "***") {
			t.Error(text)
		}
	}
}

// TestMovedKeys has a key in both tables, as a server does that was stopped while it moved them.
func TestMovedKeys(t *testing.T) {
	c, err := NewFixedCipher(FixedParameters{})
	if err != nil {
		t.Fatal(err)
	}
	seal := func(plain []byte) []byte {
		block, err := aes.NewCipher(c.key)
		if err != nil {
			t.Fatal(err)
		}
		pad := aes.BlockSize - len(plain)%aes.BlockSize
		plain = append(bytes.Clone(plain), bytes.Repeat([]byte{byte(pad)}, pad)...)
		cipher.NewCBCEncrypter(block, c.iv).CryptBlocks(plain, plain)
		return plain
	}
	principals := seal(AdminPrincipals())
	const prefix = "4pJoRqcdQOylvDuQktyhVRbslvDVH20p"
	if got := base64.StdEncoding.EncodeToString(principals); !strings.HasPrefix(got, prefix) {
		t.Errorf("sealed principals begin %.40s", got)
	}
	old := base64.StdEncoding.EncodeToString
	sql := fmt.Sprintf(`;
CREATE CACHED TABLE "PUBLIC"."SECRETS"("ID" INTEGER, "PURPOSE" CHARACTER VARYING, "KEY_ID" CHARACTER VARYING, "SECRET" CHARACTER VARYING, "USER_ID" CHARACTER VARYING);
INSERT INTO "PUBLIC"."SECRETS" VALUES (1, 'NpmToken', NULL, '$AES/CBC/PKCS5Padding$iv=101112131415161718191a1b1c1d1e1f,key_iteration=1024,key_len=128$AAECAwQFBgcICQoLDA0ODw==$IxZ7G36Re+P+Ojq31mCPPA==', 'admin');
CREATE CACHED TABLE "PUBLIC"."API_KEY"("PRIMARY_PRINCIPAL" CHARACTER VARYING, "DOMAIN" CHARACTER VARYING, "TOKEN" CHARACTER VARYING, "PRINCIPALS" BINARY VARYING, "CREATED" TIMESTAMP WITH TIME ZONE);
INSERT INTO "PUBLIC"."API_KEY" VALUES
('%[1]s', 'NpmToken', '%[2]s', X'%[4]x', TIMESTAMP WITH TIME ZONE '2024-01-01 00:00:00+00'),
('%[1]s', 'NuGetApiKey', '%[3]s', X'%[4]x', TIMESTAMP WITH TIME ZONE '2024-01-02 00:00:00+00');
CREATE CACHED TABLE "PUBLIC"."API_KEY_V2"("USERNAME" CHARACTER VARYING, "PRINCIPALS" BINARY VARYING, "DOMAIN" CHARACTER VARYING, "ACCESS_KEY" CHARACTER VARYING, "SECRET" CHARACTER VARYING, "CREATED" TIMESTAMP WITH TIME ZONE);
INSERT INTO "PUBLIC"."API_KEY_V2" VALUES ('admin', X'%[4]x', 'NpmToken', 'half-', '_1', TIMESTAMP WITH TIME ZONE '2024-01-03 00:00:00+00');
`, old(seal([]byte("admin"))), old(seal([]byte("stale"))), old(seal([]byte("nuget"))), principals)
	db, err := h2.OpenReader(strings.NewReader(sql), int64(len(sql)), nil)
	if err != nil {
		t.Fatal(err)
	}
	vault, err := Open(t.Context(), db, &Keys{})
	if err != nil {
		t.Fatal(err)
	}
	survey, err := vault.Survey(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, k := range survey.APIKeys {
		got = append(got, k.Domain+" "+k.User+" "+k.Realm+" "+k.Token.Reveal())
	}
	want := []string{"NpmToken admin NexusAuthenticatingRealm half-secret", "NuGetApiKey admin NexusAuthenticatingRealm nuget"}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

func FuzzReveal(f *testing.F) {
	for _, text := range []string{
		"_1", "{X4bkkyyxOxkH+JFw6vVV3Gp0ONzT0aSzGOUCSSH+P5E=}", "o9TLgu9KPe3uXPEnGikQxg==", "clear",
		"$AES/CBC/PKCS5Padding$iv=101112131415161718191a1b1c1d1e1f,key_iteration=1,key_len=128$AAECAwQFBgcICQoLDA0ODw==$IxZ7G36Re+P+Ojq31mCPPA==",
	} {
		f.Add(text)
	}
	c, err := NewFixedCipher(FixedParameters{})
	if err != nil {
		f.Fatal(err)
	}
	v := &Vault{keys: &Keys{}, fixed: []*FixedCipher{c}}
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 300 || strings.Contains(text, "key_iteration=") && !strings.Contains(text, "key_iteration=1,") {
			return // work, not danger
		}
		plain, form, err := v.Reveal(text)
		if err == nil && form == FormClear && plain.Reveal() != text {
			t.Fatalf("clear text changed to %q", plain.Reveal())
		}
		if err != nil && !errors.Is(err, ErrKey) && !errors.Is(err, ErrForm) {
			t.Fatal(err)
		}
	})
}

func FuzzKeystore(f *testing.F) {
	seed, err := hex.DecodeString("feedfeed000000020000000100000002000161000001a1feb09ce90005582e3530390000000330010100000000000000000000000000000000000000000000")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(seed)
	f.Fuzz(func(t *testing.T, data []byte) {
		ks, err := ParseKeystore(data, "")
		if err != nil {
			return
		}
		for _, k := range ks.Keys {
			if _, err := k.Open("x"); err == nil {
				t.Fatal("a key opens with a made-up password")
			}
		}
	})
}
