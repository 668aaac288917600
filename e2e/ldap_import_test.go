//go:build e2e

package e2e

import (
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
)

// ldapTables are layouts of the table of LDAP servers: with the members that the old server's classes have in documents, or in columns.
// Passwords refer to the secret of the fixture's mail settings.
var ldapTables = map[string]string{
	"documents": `
CREATE TABLE "LDAP_CONFIGURATION"("ID" VARCHAR(200) NOT NULL, "NAME" VARCHAR(200) NOT NULL, "ORDER" INTEGER NOT NULL, "CONNECTION" JSON, "MAPPING" JSON);
INSERT INTO "LDAP_CONFIGURATION" VALUES
('b', 'behind', 2, JSON '{"searchBase":"dc=example,dc=org","systemUsername":"cn=x","systemPassword":"_6","authScheme":"simple","connectionTimeout":1,"connectionRetryDelay":1,"maxIncidentsCount":3,"host":{"protocol":"ldap","hostName":"127.0.0.1","port":1}}', JSON '{"userIdAttribute":"uid"}'),
('a', 'before', 1, JSON '{"searchBase":"dc=example,dc=org","systemUsername":"cn=reader,dc=example,dc=org","systemPassword":"_6","authScheme":"simple","connectionTimeout":5,"connectionRetryDelay":1,"maxIncidentsCount":3,"host":{"protocol":"ldap","hostName":"_HOST_","port":_PORT_}}', JSON '{"userBaseDn":"ou=people","userObjectClass":"inetOrgPerson","userIdAttribute":"uid","userRealNameAttribute":"cn","ldapGroupsAsRoles":true,"groupBaseDn":"ou=groups","groupObjectClass":"groupOfNames","groupIdAttribute":"cn","groupMemberAttribute":"member","groupMemberFormat":"${dn}"}');
`,
	"columns": `
CREATE TABLE "LDAP_CONFIGURATION"("ID" UUID, "NAME" VARCHAR, "SORT_ORDER" INTEGER, "PROTOCOL" VARCHAR, "HOST_NAME" VARCHAR, "PORT" INTEGER, "SEARCH_BASE" VARCHAR,
"AUTH_SCHEME" VARCHAR, "SYSTEM_USERNAME" VARCHAR, "SYSTEM_PASSWORD" VARCHAR, "CONNECTION_TIMEOUT" INTEGER, "CONNECTION_RETRY_DELAY" INTEGER, "MAX_INCIDENTS_COUNT" INTEGER,
"USER_BASE_DN" VARCHAR, "USER_OBJECT_CLASS" VARCHAR, "USER_ID_ATTRIBUTE" VARCHAR, "USER_REAL_NAME_ATTRIBUTE" VARCHAR, "LDAP_GROUPS_AS_ROLES" BOOLEAN, "GROUP_BASE_DN" VARCHAR,
"GROUP_OBJECT_CLASS" VARCHAR, "GROUP_ID_ATTRIBUTE" VARCHAR, "GROUP_MEMBER_ATTRIBUTE" VARCHAR, "GROUP_MEMBER_FORMAT" VARCHAR);
INSERT INTO "LDAP_CONFIGURATION" VALUES
(RANDOM_UUID(), 'behind', 2, 'ldap', '127.0.0.1', 1, 'dc=example,dc=org', 'simple', 'cn=x', '_6', 1, 1, 3, NULL, NULL, 'uid', NULL, FALSE, NULL, NULL, NULL, NULL, NULL),
(RANDOM_UUID(), 'before', 1, 'ldap', '_HOST_', _PORT_, 'dc=example,dc=org', 'simple', 'cn=reader,dc=example,dc=org', '_6', 5, 1, 3, 'ou=people', 'inetOrgPerson', 'uid', 'cn', TRUE,
 'ou=groups', 'groupOfNames', 'cn', 'member', '${dn}');
`,
}

// TestImportNexusLDAP imports a server whose people are in a directory: they sign in with their passwords there, with the roles that were
// given to them on the old server. The export brings the servers to the next one.
func TestImportNexusLDAP(t *testing.T) {
	t.Parallel()
	d := startSlapd(t)
	write(t, filepath.Join(d.dir, "alice.ldif"), "dn: cn=reader,dc=example,dc=org\nchangetype: modify\nreplace: userPassword\nuserPassword: mail-päss-1\n\n"+
		"dn: uid=ldap.alice,ou=people,dc=example,dc=org\nchangetype: add\nobjectClass: inetOrgPerson\nuid: ldap.alice\ncn: Alice\nsn: Alice\nuserPassword: alice-pw\n")
	d.modify("ldapmodify", "alice.ldif")
	host, port, err := net.SplitHostPort(d.plain)
	must(t, err)
	for layout, table := range ldapTables {
		t.Run(layout, func(t *testing.T) {
			source := unpack(t, fixtures(t, "datadirs", "nexus-3.77-small.tar.gz"))
			execute(t, source, strings.NewReplacer("_HOST_", host, "_PORT_", port).Replace(table))
			importDirectories(t, source, port)
		})
	}
}

func importDirectories(t *testing.T, source, port string) {
	t.Helper()
	first, second, out := filepath.Join(t.TempDir(), "data"), filepath.Join(t.TempDir(), "data"), filepath.Join(t.TempDir(), "export")
	plan := run(t, "", binary(t), "import", "nexus", "--data", first, "--plan", source)
	if words := strings.Join(strings.Fields(plan), " "); !strings.Contains(words, "ldap 3 3 0") || !strings.Contains(words, "Realm NpmToken is active there and not known here") {
		t.Errorf("the plan does not tell of LDAP servers and realms:\n%s", plan)
	}
	importNexus(t, first, source)
	run(t, "", binary(t), "import", "nexus", "--data", first, "--verify", source)
	run(t, "", binary(t), "export", "nexus", "--data", first, out)
	run(t, "", binary(t), "import", "export", "--data", second, out)

	const artifact = "/repository/maven-releases/org/example/multi/multi/1.0.0/multi-1.0.0.jar"
	for _, data := range []string{first, second} {
		s := startIn(t, data)
		s.wants("imported", [][4]string{
			{"ldap.alice", "alice-pw", artifact, "200"}, {"Ldap.Alice", "alice-pw", artifact, "200"}, {"ldap.alice", "wrong", artifact, "401"},
			{"ada", "ada-pw", artifact, "403"}, {"deployer", "deployer-pass", artifact, "200"},
		})
		resp, body := get(t, client(), s.url(ldapAPI), "admin", dataDirectories["nexus-3.77-small"])
		text := string(body)
		before, behind := strings.Index(text, `"name" : "before"`), strings.Index(text, `"name" : "behind"`)
		if resp.StatusCode != http.StatusOK || before < 0 || behind < before || strings.Contains(text, "mail-p") {
			t.Errorf("servers: %d %s", resp.StatusCode, text)
		}
		if want := fmt.Sprintf(`"port" : %s`, port); !strings.Contains(text, want) {
			t.Errorf("no %s in %s", want, text)
		}
		s.stop()
	}
}
