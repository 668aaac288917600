package secrets_test

import (
	"crypto/pbkdf2"
	"crypto/sha1"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"entrepot/migrate/secrets"
)

// shiroAdmin is admin123 as real servers hash it.
const shiroAdmin = "$shiro1$SHA-512$1024$NE+wqQq/TmjZMvfI7ENh/g==$V4yPw8T64UQ6GfJfxYq2hLsVrBY8D1v+bktfOxGdt4b/9BthpWPNUy/CBk6V9iA0nHpzYzJFWO8v/tZFtES8CA=="

// surveyed looks through a database that is written in SQL.
func surveyed(t *testing.T, sql string) (*secrets.Survey, error) {
	t.Helper()
	keys, err := secrets.ReadKeys(dataDir(t, nil), nil)
	if err != nil {
		t.Fatal(err)
	}
	vault, err := secrets.Open(t.Context(), scripted(t, sql), keys)
	if err != nil {
		t.Fatal(err)
	}
	return vault.Survey(t.Context())
}

// tokenTables are layouts that a table of user tokens may have.
const tokenTables = `
CREATE CACHED TABLE "PUBLIC"."USER_TOKEN"("NAME_CODE" CHARACTER VARYING, "PASS_CODE" CHARACTER VARYING, "USER_ID" CHARACTER VARYING, "REALM" CHARACTER VARYING, "CREATED" CHARACTER VARYING, "EXPIRES" BIGINT);
CREATE CACHED TABLE "PUBLIC"."PAIRS"("NAMECODE" BINARY VARYING, "PASSCODEHASH" BINARY VARYING, "PRINCIPALS" BINARY VARYING);
CREATE CACHED TABLE "PUBLIC"."USERTOKEN_DOCUMENT"("VALUE" JSON);
CREATE CACHED TABLE "PUBLIC"."USERTOKEN_SETTINGS"("ID" INTEGER, "ENABLED" BOOLEAN, "PROTECT_CONTENT" BOOLEAN, "EXPIRATION_DAYS" INTEGER);
CREATE CACHED TABLE "PUBLIC"."NAMES"("NAMECODE" CHARACTER VARYING, "CODE" CHARACTER VARYING);
INSERT INTO "PUBLIC"."NAMES" VALUES ('no', 'token');
INSERT INTO "PUBLIC"."USERTOKEN_SETTINGS" VALUES (1, TRUE, FALSE, 7);
`

func TestUserTokens(t *testing.T) {
	fixed, err := pbkdf2.Key(sha1.New, "changeme", []byte("changeme"), 1024, 16)
	if err != nil {
		t.Fatal(err)
	}
	const iv = "0123456789ABCDEF"
	sealed := func(plain string) string { return base64.StdEncoding.EncodeToString(seal(t, fixed, []byte(iv), plain)) }
	bytes := func(text string) string { return hex.EncodeToString([]byte(text)) }
	other := base64.StdEncoding.EncodeToString(seal(t, []byte("another key 1234"), []byte(iv), strings.Repeat("x", 44)))
	sql := secretsTable + tokenTables + fmt.Sprintf(`INSERT INTO "PUBLIC"."SECRETS" VALUES (7, 'usertoken', NULL, '%s', 'u'), (8, 'usertoken', NULL, '%s', 'u');
INSERT INTO "PUBLIC"."USER_TOKEN" VALUES
('a', 'plain/code+of==', 'ann', 'LdapRealm', '2024-05-06T07:08:09+02:00', 1700000000000),
('b', '_7', 'ann', NULL, NULL, NULL),
('c', '%s', '%s', NULL, NULL, NULL),
('%s', '%s', 'ann', NULL, NULL, NULL),
('e', '_8', 'ann', NULL, NULL, NULL),
('f', '%s', 'ann', NULL, NULL, NULL),
('g', '$bcrypt$x', 'ann', NULL, NULL, NULL),
('h:i', 'x', 'ann', NULL, NULL, NULL),
('j', 'x', NULL, NULL, NULL, NULL);
INSERT INTO "PUBLIC"."PAIRS" VALUES
(X'%s', X'%s', X'%x'),
(X'%s', X'%s', X'%x'),
(X'%s', X'fffe', X'%x'),
(X'%s', X'%s', X'feed');
INSERT INTO "PUBLIC"."USERTOKEN_DOCUMENT" VALUES (JSON '{"nameCode":"d","token":{"passCode":"deep"},"owner":"bob","created":1700000000000}'), (JSON '"nothing"');
`, cipherString(t, "changeme", "seven", 7), cipherString(t, "changeme", shiroAdmin, 8),
		mavenString(t, secrets.DefaultPhrase, "maven", 1), sealed("ann"), sealed("d1"), sealed("fixed"), other,
		bytes("p1"), bytes("f865b53623b121fd34ee5426c792e5c33af8c227"), secrets.AdminPrincipals(),
		bytes("p2"), bytes("no hash"), secrets.AdminPrincipals(),
		bytes("p3"), secrets.AdminPrincipals(),
		bytes("p4"), bytes("f865b53623b121fd34ee5426c792e5c33af8c227"))
	survey, err := surveyed(t, sql)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, u := range survey.UserTokens {
		line := fmt.Sprintf("%s %d: %s, %q %q, %q", u.Table, u.Number, &u, u.PassCode.Reveal(), u.Hash, u.Realm)
		for _, at := range []time.Time{u.Created, u.Expires} {
			if !at.IsZero() {
				line += at.Format(" 2006-01-02T15:04Z07")
			}
		}
		got = append(got, strings.ReplaceAll(line, shiroAdmin, "SHIRO")+" "+u.Unknown)
	}
	slices.Sort(got)
	want := []string{
		`pairs 1: p1 of admin, "" "f865b53623b121fd34ee5426c792e5c33af8c227", "NexusAuthenticatingRealm" `,
		`pairs 2: p2 of admin, "" "", "NexusAuthenticatingRealm" its pass code is hashed in a form that is not known`,
		`pairs 3: p3 of admin, "" "", "NexusAuthenticatingRealm" it has no pass code that can be read`,
		`pairs 4: p4, "" "f865b53623b121fd34ee5426c792e5c33af8c227", "" its owner cannot be read: the fixed cipher (nexus.mybatis.cipher.password, .salt, .iv) does not open its owner`,
		`user_token 1: a of ann, "plain/code+of==" "", "LdapRealm" 2024-05-06T05:08Z 2023-11-14T22:13Z `,
		`user_token 2: b of ann, "seven" "", "" `,
		`user_token 3: c of ann, "maven" "", "" `,
		`user_token 4: d1 of ann, "fixed" "", "" `,
		`user_token 5: e of ann, "" "SHIRO", "" `,
		`user_token 6: f of ann, "" "", "" its pass code looks sealed, and the fixed cipher (nexus.mybatis.cipher.password, .salt, .iv) does not open it`,
		`user_token 7: g of ann, "" "", "" its pass code is hashed in a form that is not known`,
		`user_token 8: h:i of ann, "x" "", "" its name code has a colon`,
		`user_token 9: j, "x" "", "" it has no owner that can be read`,
		`usertoken_document 1: d of bob, "deep" "", "" 2023-11-14T22:13Z `,
		`usertoken_document 2: row 2, "" "", "" it has no name code that can be read`,
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if m := survey.UserTokenSettings; !m.Flag("enabled") || m.Flag("protectcontent") || m.Number(0, "expirationdays") != 7 {
		t.Errorf("settings %v", m)
	}
	if len(survey.Unused) != 0 {
		t.Errorf("unused secrets %v", survey.Unused)
	}
}

// TestLostUserTokens wants pass codes that are sealed in a known way and cannot be opened to be named with the other secrets.
func TestLostUserTokens(t *testing.T) {
	survey, err := surveyed(t, tokenTables+fmt.Sprintf(`INSERT INTO "PUBLIC"."USER_TOKEN" VALUES ('a', '_9', 'ann', NULL, NULL, NULL), ('b', '~%s~', 'ann', NULL, NULL, NULL), ('c', '%s', 'ann', NULL, NULL, NULL);
`, mavenString(t, "my phrase", "own", 2), mavenString(t, "other phrase", "x", 3)))
	want := []string{
		"user_token a of ann passcode: it refers to secret 9, which is not stored",
		"user_token b of ann passcode: it needs the operator's master phrase",
		"user_token c of ann passcode: the master phrase does not open it",
	}
	if got := lostPlaces(t, survey, err); !slices.Equal(got, want) || len(survey.UserTokens) != 0 {
		t.Errorf("%q, %v", got, survey.UserTokens)
	}
}
