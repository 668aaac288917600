//go:build e2e

package e2e

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// h2Versions are those of the engines that wrote the databases of the recorded servers.
var h2Versions = map[string]string{"nexus-3.77-small": "2.3.232", "nexus-3.71-tiny": "2.2.224"}

// execute lets the real H2 run SQL in the database of an unpacked server.
func execute(t *testing.T, source, sql string) {
	t.Helper()
	jar := filepath.Join(root(t), ".cache", "h2", "h2-"+h2Versions[filepath.Base(source)]+".jar")
	if _, err := os.Stat(jar); err != nil {
		t.Fatalf("%v: run packaging/setup.sh first", err)
	}
	script := filepath.Join(t.TempDir(), "script.sql")
	write(t, script, sql+"SHUTDOWN COMPACT;\n") // H2 at times opens an older version of what it changed in these databases and closed without that
	run(t, "", "java", "-cp", jar, "org.h2.tools.RunScript", "-url", "jdbc:h2:file:"+filepath.Join(source, "db", "nexus"), "-user", "", "-script", script)
}

// shiroAdmin and pbkdf2Admin are hashes of admin123 as real servers make them, mavenSecret and fixedSecret are "secret" sealed with the
// phrase and the cipher that servers have unless they are changed.
const (
	shiroAdmin  = "$shiro1$SHA-512$1024$zjU1u+Zg9UNwuB+HEawvtA==$IzF/OWzJxrqvB5FCe/2+UcZhhZYM2pTu0TEz7Ybnk65AbbEdUk9ntdtBzkN8P3gZby2qz6MHKqAe8Cjai9c4Gg=="
	pbkdf2Admin = "$PBKDF2WithHmacSHA256$key_iteration=10000,key_len=256$AAECAwQFBgcICQoLDA0ODw==$QYruImrEIfbgvKJd1TVFPj1jqr/M4wSkf2ltGPGot88="
	mavenSecret = "{AQIDBAUGBwgHOd+5lYr+3uNDxjwD8QmmIQAAAAAAAAA=}"
	fixedSecret = "o9TLgu9KPe3uXPEnGikQxg=="
	fixedAdmin  = "XElUi6HYIauCxxu7ldgY0A=="
	longCode    = "Jt5_xKo2mDvZk0aYb7cQ9hRf4sPw1eLu8nGi3jXoTyMA"
	writtenInMS = 1700000000000
)

// principals is the serialized owner of a key.
func principals(user, realm string) string {
	text := func(s string) string { return fmt.Sprintf("%04x%x", len(s), s) }
	const sets = "7372" // a new object of a new class
	return "aced0005" + sets + text("org.apache.shiro.subject.SimplePrincipalCollection") + "a87f5825c6a3084a0300014c" + text("realmPrincipals") +
		"74" + text("Ljava/util/Map;") + "7870" + sets + text("java.util.LinkedHashMap") + "34c04e5c106cc0fb0200015a" + text("accessOrder") + "78" +
		"72" + text("java.util.HashMap") + "0507dac1c31660d103000246" + text("loadFactor") + "49" + text("threshold") + "7870" +
		"3f4000000000000c770800000010" + "00000001" + "74" + text(realm) + sets + text("java.util.LinkedHashSet") + "d86cd75a95dd2a1e02000078" +
		"72" + text("java.util.HashSet") + "ba44859596b8b7340300007870" + "770c000000103f40000000000001" + "74" + text(user) + "787800" + "7701" + "01" + "71007e0005" + "78"
}

// tokenTables are user tokens in layouts that the old server may have. The passwords of the recorded mail settings and the owners of
// recorded keys are part of some.
var tokenTables = []struct {
	what, sql  string
	user       string // who signs in
	name, pass string
}{
	{"columns", `CREATE TABLE "USER_TOKEN"("USER_NAME" VARCHAR(200), "REALM_NAME" VARCHAR(200), "NAME_CODE" VARCHAR(50), "PASS_CODE" VARCHAR(512), "CREATED" TIMESTAMP WITH TIME ZONE);
		INSERT INTO "USER_TOKEN" VALUES('admin', 'NexusAuthenticatingRealm', 'aB3dE6gH', '` + longCode + `', TIMESTAMP WITH TIME ZONE '2024-05-06 07:08:09+02');`,
		"admin", "aB3dE6gH", longCode},
	{"shiro", `INSERT INTO "USER_TOKEN" VALUES('deployer', 'NexusAuthenticatingRealm', 'shiroOne', '` + shiroAdmin + `', TIMESTAMP WITH TIME ZONE '2024-05-06 07:08:09Z');`,
		"deployer", "shiroOne", "admin123"},
	{"pbkdf2", `INSERT INTO "USER_TOKEN" VALUES('deployer', 'NexusAuthenticatingRealm', 'pbkdfOne', '` + pbkdf2Admin + `', NULL);`,
		"deployer", "pbkdfOne", "admin123"},
	{"secret of the table of secrets", `INSERT INTO "USER_TOKEN" VALUES('deployer', 'NexusAuthenticatingRealm', 'referred', '_6', NULL);`,
		"deployer", "referred", "mail-päss-1"},
	{"sealed principals", `CREATE TABLE "USERTOKEN_RECORD"("ID" UUID PRIMARY KEY, "PRIMARY_PRINCIPAL" VARCHAR, "PRINCIPALS" VARBINARY, "NAMECODE" VARCHAR, "PASSCODE" VARCHAR, "CREATED" TIMESTAMP);
		INSERT INTO "USERTOKEN_RECORD" SELECT RANDOM_UUID(), '` + fixedAdmin + `', "PRINCIPALS", 'sealed-1', '` + fixedSecret + `', TIMESTAMP '2024-01-02 03:04:05' FROM "API_KEY_V2" WHERE "USERNAME" = 'admin' LIMIT 1;`,
		"admin", "sealed-1", "secret"},
	{"plain principals under another name", `CREATE TABLE "PAIRS"("TOKEN_NAME_CODE" VARBINARY, "TOKEN_PASS_CODE" VARBINARY, "PRINCIPALS" BLOB, "CREATED_AT" BIGINT, "EXPIRATION_DATE" BIGINT);
		INSERT INTO "PAIRS" VALUES(X'` + hex.EncodeToString([]byte("bytecode")) + `', X'` + hex.EncodeToString([]byte("byte-pass")) + `', X'` + principals("deployer", "NexusAuthenticatingRealm") + fmt.Sprintf("', %d, NULL);", writtenInMS),
		"deployer", "bytecode", "byte-pass"},
	{"document", `CREATE TABLE "USER_TOKEN_DOCUMENT"("ID" INTEGER, "RECORD" JSON);
		INSERT INTO "USER_TOKEN_DOCUMENT" VALUES(1, JSON '{"userToken":{"nameCode":"document","passCode":"` + mavenSecret + `"},"userId":"deployer","realm":"default","created":"2024-05-06T07:08:09.123Z"}');`,
		"deployer", "document", "secret"},
	{"halves like keys, no realm", `CREATE TABLE "USER_TOKEN_V2"("USER_ID" VARCHAR, "ACCESS_KEY" VARCHAR, "SECRET" VARCHAR, "CREATED" TIMESTAMP WITH TIME ZONE);
		INSERT INTO "USER_TOKEN_V2" VALUES('admin', 'accesske', '_6', CURRENT_TIMESTAMP);`,
		"admin", "accesske", "mail-päss-1"},
}

// strangeTables have user tokens that cannot be used, and what else closed parts of the old server may leave behind.
const strangeTables = `
INSERT INTO "USER_TOKEN" VALUES('deployer', 'NexusAuthenticatingRealm', 'nohash01', '$shiro2$argon2id$x', NULL), ('deployer', 'NexusAuthenticatingRealm', NULL, 'x', NULL),
  ('deployer', 'NexusAuthenticatingRealm', 'nothing1', NULL, NULL), ('stranger', NULL, 'norealm1', 'plain-code', NULL);
CREATE TABLE "SAML_CONFIGURATION"("ID" INTEGER, "ENTITY_ID" VARCHAR, "IDP_METADATA" CLOB, "KEY_STORE" BLOB, "KEY_STORE_PASSWORD" VARCHAR, "MAPPING" JSON);
INSERT INTO "SAML_CONFIGURATION" VALUES(1, 'urn:x', '<EntityDescriptor/>', X'feedfeed', '_6', JSON '{"usernameAttribute":"uid"}');
CREATE TABLE "TAG"("ID" UUID, "NAME" VARCHAR, "ATTRIBUTES" JSON); INSERT INTO "TAG" VALUES(RANDOM_UUID(), 'release', JSON '{"a":1}');
CREATE TABLE "MAVEN2_COMPONENT_TAG"("COMPONENT_ID" INTEGER, "TAG_ID" UUID); INSERT INTO "MAVEN2_COMPONENT_TAG" VALUES(1, RANDOM_UUID());
CREATE TABLE "FIREWALL_QUARANTINE"("ID" BIGINT, "PATTERN" VARCHAR); INSERT INTO "FIREWALL_QUARANTINE" SELECT X, 'p' FROM SYSTEM_RANGE(1, 10001);
CREATE TABLE "ODD_TYPES"("A" INTEGER ARRAY, "E" ENUM('x', 'y'), "D" DECFLOAT, "T" TIME(9), "B" BOOLEAN); INSERT INTO "ODD_TYPES" VALUES(ARRAY[1, NULL], 'y', 1.5, TIME '01:02:03', TRUE);
CREATE TABLE "SPANS"("I" INTERVAL DAY TO SECOND); INSERT INTO "SPANS" VALUES(INTERVAL '1 02:03:04' DAY TO SECOND);
CREATE SCHEMA "OTHER"; CREATE TABLE "OTHER"."REPOSITORY"("ID" INTEGER, "PASSWORD" VARCHAR); INSERT INTO "OTHER"."REPOSITORY" VALUES(1, '_6');
CREATE TABLE "EMPTY_ONE"("ID" INTEGER);
`

const activeRealms = `UPDATE "REALM_CONFIGURATION" SET "REALM_NAMES" = JSON '["NexusAuthenticatingRealm","User-Token-Realm","NexusAuthorizingRealm"]';`

// plannedImport is what the tests look at of a plan.
type plannedImport struct {
	Settings []struct {
		Name       string
		Total, New int
	}
	Tables []struct {
		Name, Action, Why string
		Rows              int
	}
	Removals []struct{ Section, Name, Kept string }
	Notes    []string
}

func planNexus(t *testing.T, data, source string) (p plannedImport) {
	t.Helper()
	out := run(t, "", binary(t), "import", "nexus", "--data", data, "--plan", "--json", source)
	must(t, json.Unmarshal([]byte(jsonOf(out)), &p))
	return p
}

// checkTokens signs in with every token in the forms that clients use.
func checkTokens(t *testing.T, s *server, tables []int) {
	t.Helper()
	const artifact, users = "/repository/maven-releases/org/example/multi/multi/1.0.0/multi-1.0.0.jar", "/service/rest/v1/security/users"
	for _, i := range tables {
		c := tokenTables[i]
		allowed := map[string]string{"admin": "200", "deployer": "403"}[c.user]
		s.wants(c.what, [][4]string{
			{c.name, c.pass, artifact, "200"}, {c.name, c.pass, users, allowed}, {c.name, c.pass + "x", artifact, "401"}, {c.name, "", artifact, "401"},
			{c.name + "x", c.pass, artifact, "401"},
		})
		for path, want := range map[string]string{artifact: "200", users: allowed} {
			req, err := http.NewRequest(http.MethodGet, s.url(path), nil)
			must(t, err)
			req.Header.Set("Authorization", "Bearer "+base64.StdEncoding.EncodeToString([]byte(c.name+":"+c.pass)))
			resp, err := client().Do(req)
			must(t, err)
			resp.Body.Close()
			if fmt.Sprint(resp.StatusCode) != want {
				t.Errorf("%s as Bearer for %s: %s, want %s", c.what, path, resp.Status, want)
			}
		}
	}
}

func everyTable() (list []int, sql string) {
	for i, c := range tokenTables {
		list, sql = append(list, i), sql+c.sql+"\n"
	}
	return list, sql
}

// TestImportUserTokens imports user tokens out of tables that the real H2 made: their owners sign in with them, twice in a row, and a later
// import takes away those that were deleted there. What cannot be used is named, and kept.
func TestImportUserTokens(t *testing.T) {
	t.Parallel()
	source := unpack(t, fixtures(t, "datadirs", "nexus-3.77-small.tar.gz"))
	list, sql := everyTable()
	execute(t, source, sql+strangeTables+activeRealms)
	data := filepath.Join(t.TempDir(), "data")
	checkTokenPlan(t, planNexus(t, data, source))
	importNexus(t, data, source)
	if again := importNexus(t, data, source); again.New+again.SettingsWritten != 0 {
		t.Errorf("the second import wrote something: %+v", again)
	}
	run(t, "", binary(t), "import", "nexus", "--data", data, "--verify", source)
	s := startIn(t, data)
	for range 2 { // the second time without the hashes of the old server
		checkTokens(t, s, list)
	}
	s.wants("unusable", [][4]string{{"nohash01", "x", "/service/rest/v1/repositories", "401"}, {"norealm1", "plain-code", "/service/rest/v1/repositories", "401"}})
	s.stop()
	run(t, "", binary(t), "import", "nexus", "--data", data, "--verify", source)

	execute(t, source, `DELETE FROM "USER_TOKEN" WHERE "NAME_CODE" IN ('shiroOne', 'aB3dE6gH'); UPDATE "USER_TOKEN" SET "PASS_CODE" = 'another-code' WHERE "NAME_CODE" = 'referred';`)
	removed := 0
	for _, r := range planNexus(t, data, source).Removals {
		if r.Section == "user-tokens" && r.Kept == "" {
			removed++
		}
	}
	if removed != 2 {
		t.Errorf("the plan removes %d user tokens, want 2", removed)
	}
	importNexus(t, data, source)
	run(t, "", binary(t), "import", "nexus", "--data", data, "--verify", source)
	s = startIn(t, data)
	const path = "/service/rest/v1/repositories"
	s.wants("after deletions", [][4]string{
		{"shiroOne", "admin123", path, "401"}, {"aB3dE6gH", longCode, path, "401"}, {"referred", "mail-päss-1", path, "401"}, {"referred", "another-code", path, "200"},
	})
	checkTokens(t, s, list[4:])
}

// checkTokenPlan wants user tokens, tables and notes to be told.
func checkTokenPlan(t *testing.T, p plannedImport) {
	t.Helper()
	for _, section := range p.Settings {
		if section.Name == "user-tokens" && section.Total != len(tokenTables) {
			t.Errorf("%d user tokens, want %d", section.Total, len(tokenTables))
		}
	}
	told := make(map[string]string)
	for _, table := range p.Tables {
		told[table.Name] = fmt.Sprintf("%s %d", table.Action, table.Rows)
	}
	for name, want := range map[string]string{
		"user_token": "keep 4", "saml_configuration": "keep 1", "tag": "keep 1", "maven2_component_tag": "keep 1", "firewall_quarantine": "leave 10001",
		"odd_types": "keep 1", "spans": "leave 1", "other.repository": "keep 1", "maven2_browse_node": "skip 441", "pairs": "", "empty_one": "", "repository": "",
	} {
		if told[name] != want {
			t.Errorf("table %s: %q, want %q", name, told[name], want)
		}
	}
	notes := strings.Join(p.Notes, "\n")
	for _, want := range []string{
		"The user token nohash01 of deployer in table user_token lets nobody in here: its pass code is hashed in a form that is not known.",
		"The user token deployer in table user_token lets nobody in here: it has no name code that can be read.",
		"The user token nothing1 of deployer in table user_token lets nobody in here: it has no pass code that can be read.",
		"The user token norealm1 of stranger in table user_token lets nobody in here: nothing says of which realm its owner is.",
		"nothing says how they were treated: they are enabled",
		"The SAML settings in row 1 of table saml_configuration have to be set up by hand: they are not laid out as this program knows them (access: idpMetadata is not the metadata",
	} {
		if !strings.Contains(notes, want) {
			t.Errorf("the plan does not say %q:\n%s", want, notes)
		}
	}
}

// TestImportUserTokenSettings imports from an older server how user tokens are treated: content is for them alone. An export brings that to
// the next server, without the tokens. A pass code that cannot be opened stops the import, by name.
func TestImportUserTokenSettings(t *testing.T) {
	t.Parallel()
	source := unpack(t, fixtures(t, "datadirs", "nexus-3.71-tiny.tar.gz"))
	execute(t, source, `
INSERT INTO "CAPABILITY_STORAGE_ITEM" VALUES(RANDOM_UUID(), 1, 'usertoken', TRUE, NULL, JSON '{"protectContent":"true","expirationEnabled":"true","expirationDays":"999"}');
DELETE FROM "REALM_CONFIGURATION"; INSERT INTO "REALM_CONFIGURATION" VALUES(1, JSON '["NexusAuthenticatingRealm","User-Token-Realm"]');
UPDATE "ANONYMOUS_CONFIGURATION" SET "ENABLED" = FALSE;
CREATE TABLE "USER_TOKEN"("PRINCIPALS" VARBINARY, "NAME_CODE" VARCHAR, "PASS_CODE" VARCHAR, "CREATED" TIMESTAMP WITH TIME ZONE);
INSERT INTO "USER_TOKEN" SELECT "PRINCIPALS", 'fromtiny', '`+fixedSecret+`', CURRENT_TIMESTAMP FROM "API_KEY" WHERE "PRIMARY_PRINCIPAL" = '`+fixedAdmin+`' LIMIT 1;
`)
	first, second, out := filepath.Join(t.TempDir(), "data"), filepath.Join(t.TempDir(), "data"), filepath.Join(t.TempDir(), "export")
	importNexus(t, first, source)
	run(t, "", binary(t), "import", "nexus", "--data", first, "--verify", source)
	if told := run(t, "", binary(t), "export", "nexus", "--data", first, out); !strings.Contains(told, "tokens stay behind: only their digests are known here") {
		t.Errorf("the export says: %s", told)
	}
	run(t, "", binary(t), "import", "export", "--data", second, out)
	const artifact, users, settings = "/repository/maven-releases/org/example/old/a/1.0/a-1.0.jar", "/service/rest/v1/security/users", "/service/rest/v1/security/user-tokens"
	for data, token := range map[string]string{first: "200", second: "401"} {
		s := startIn(t, data)
		s.wants("imported", [][4]string{
			{"admin", "admin123", artifact, "401"}, {"admin", "admin123", users, "200"}, {"fromtiny", "secret", artifact, token}, {"fromtiny", "secret", users, token},
		})
		_, body := get(t, client(), s.url(settings), "admin", "admin123")
		if got, want := strings.Join(strings.Fields(string(body)), ""), `{"enabled":true,"protectContent":true,"expirationEnabled":true,"expirationDays":999}`; got != want {
			t.Errorf("settings %s, want %s", got, want)
		}
		s.stop()
	}

	execute(t, source, `UPDATE "USER_TOKEN" SET "PASS_CODE" = '_77';`)
	told, err := command(t, "", binary(t), "import", "nexus", "--data", first, source)
	if want := "user_token fromtiny of admin passcode: it refers to secret 77, which is not stored"; err == nil || !strings.Contains(told, want) {
		t.Errorf("%v, the import does not say %q: %s", err, want, told)
	}
}
