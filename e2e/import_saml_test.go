//go:build e2e

package e2e

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// idpMetadata describes a provider that nobody asks here.
const idpMetadata = `<EntityDescriptor xmlns="urn:oasis:names:tc:SAML:2.0:metadata" entityID="https://idp.example.org/">
<IDPSSODescriptor protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol"><KeyDescriptor use="signing"><KeyInfo xmlns="http://www.w3.org/2000/09/xmldsig#"><X509Data><X509Certificate>
MIIBCTCBsaADAgECAgEBMAoGCCqGSM49BAMCMA4xDDAKBgNVBAMTA2lkcDAgFw0yNjAxMDEwMDAwMDBaGA8yMDk5MDEwMTAwMDAwMFowDjEMMAoGA1UEAxMDaWRwMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE
N+y68f+IRYjvNPatSMWRtKbMaH9mvXMi7lgFfq2HeBUaQNnd8rpFLuvewMmeBNcHI3vGV+YSt11wJNySuxRozDAKBggqhkjOPQQDAgNHADBEAiBA4dBOb0XTX7TrgD++OEBtD8qC9VGmEqDaQm6tFctHeAIgI4TK
NB9uRNuxbN/KltlJdMieyL6HmNftHvBX7HRYFjg=
</X509Certificate></X509Data></KeyInfo></KeyDescriptor>
<SingleSignOnService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect" Location="https://idp.example.org/sso"/></IDPSSODescriptor></EntityDescriptor>`

// samlTables are layouts of the table of SAML settings, whose keystore is of Java itself.
var samlTables = map[string]string{
	"columns": `CREATE TABLE "SAML_CONFIGURATION"("ID" INTEGER, "ENTITY_ID" VARCHAR, "IDP_METADATA" CLOB, "USERNAME_ATTRIBUTE" VARCHAR, "GROUPS_ATTRIBUTE" VARCHAR,
 "VALIDATE_RESPONSE_SIGNATURE" BOOLEAN, "KEY_STORE" BLOB, "KEY_STORE_PASSWORD" VARCHAR);
INSERT INTO "SAML_CONFIGURATION" VALUES(1, 'urn:old-server', '<metadata>', 'uid', 'groups', TRUE, X'<keystore>', 'store-pass');`,
	"documents": `CREATE TABLE "SAML"("NAME" VARCHAR, "IDP_METADATA_XML" VARBINARY, "CONFIGURATION" JSON, "KEYSTORE_BYTES" VARBINARY, "KEYSTORE_PASSWORD" VARCHAR);
INSERT INTO "SAML" VALUES('saml', STRINGTOUTF8('<metadata>'), JSON '{"entityId":"urn:old-server","mapping":{"usernameAttribute":"uid","groupsAttribute":"groups"},"validateResponseSignature":true}',
 X'<keystore>', 'store-pass');`,
}

// TestImportSAML imports the provider that people signed in at, with the key pair that it knows, out of tables that the real H2 made. A user
// of it signs in with a user token before the first sign-in there. An export brings both to the next server.
func TestImportSAML(t *testing.T) {
	t.Parallel()
	keystore := filepath.Join(t.TempDir(), "keystore")
	run(t, "", "keytool", "-genkeypair", "-keyalg", "RSA", "-storetype", "JKS", "-keystore", keystore, "-storepass", "store-pass", "-keypass", "store-pass",
		"-alias", "saml", "-dname", "CN=old-server", "-validity", "1000")
	raw, err := os.ReadFile(keystore)
	must(t, err)
	for layout, table := range samlTables {
		t.Run(layout, func(t *testing.T) {
			source := unpack(t, fixtures(t, "datadirs", "nexus-3.77-small.tar.gz"))
			execute(t, source, strings.NewReplacer("<metadata>", idpMetadata, "<keystore>", fmt.Sprintf("%x", raw)).Replace(table)+`
CREATE TABLE "USER_TOKEN"("USER_NAME" VARCHAR, "REALM_NAME" VARCHAR, "NAME_CODE" VARCHAR, "PASS_CODE" VARCHAR);
INSERT INTO "USER_TOKEN" VALUES('saml.bob@example.org', 'SamlRealm', 'samlbob1', 'bobs-code');
INSERT INTO "KEY_STORE_DATA" VALUES('saml/other.ks', X'feed');
UPDATE "REALM_CONFIGURATION" SET "REALM_NAMES" = JSON '["NexusAuthenticatingRealm","User-Token-Realm","SamlRealm"]';`)
			importSAML(t, source)
		})
	}
}

func importSAML(t *testing.T, source string) {
	t.Helper()
	first, second, out := filepath.Join(t.TempDir(), "data"), filepath.Join(t.TempDir(), "data"), filepath.Join(t.TempDir(), "export")
	if notes := strings.Join(planNexus(t, first, source).Notes, "\n"); strings.Contains(notes, "SAML") || !strings.Contains(notes, "keystore saml/other.ks is none that this program can open") {
		t.Errorf("notes: %s", notes)
	}
	importNexus(t, first, source)
	if again := importNexus(t, first, source); again.New+again.SettingsWritten != 0 {
		t.Errorf("the second import wrote something: %+v", again)
	}
	run(t, "", binary(t), "import", "nexus", "--data", first, "--verify", source)
	run(t, "", binary(t), "export", "nexus", "--data", first, out)
	run(t, "", binary(t), "import", "export", "--data", second, out)
	for data, token := range map[string]string{first: "200", second: "401"} {
		s := startIn(t, data)
		s.wants("user token", [][4]string{{"samlbob1", "bobs-code", "/service/rest/v1/security/users", token}})
		resp, body := get(t, client(), s.url("/service/rest/v1/security/saml"), "admin", dataDirectories["nexus-3.77-small"])
		text := string(body)
		for _, want := range []string{`"entityId" : "urn:old-server"`, `"usernameAttribute" : "uid"`, `"groupsAttribute" : "groups"`, `"validateResponseSignature" : true`, "idp.example.org/sso"} {
			if resp.StatusCode != http.StatusOK || !strings.Contains(text, want) {
				t.Errorf("no %s in %d %s", want, resp.StatusCode, text)
			}
		}
		_, body = get(t, client(), s.url("/service/rest/v1/security/saml/pem?type=signing"), "admin", dataDirectories["nexus-3.77-small"])
		block, _ := pem.Decode(body)
		if block == nil {
			t.Fatalf("no certificate: %s", body)
		}
		certificate, err := x509.ParseCertificate(block.Bytes)
		if must(t, err); certificate.Subject.CommonName != "old-server" {
			t.Errorf("certificate of %s", certificate.Subject)
		}
		s.stop()
	}
}
