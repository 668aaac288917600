//go:build e2e

package e2e

import (
	"bytes"
	"compress/gzip"
	"crypto/sha1"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"entrepot/migrate/secrets"
)

// databaseScript is what H2 itself wrote of a fixture's database, as a script, without the numbers of rows to expect.
func databaseScript(t *testing.T, fixture string) string {
	t.Helper()
	f, err := os.Open(fixtures(t, "datadirs", fixture+".expected", "db.sql.gz"))
	must(t, err)
	defer f.Close()
	z, err := gzip.NewReader(f)
	must(t, err)
	text, err := io.ReadAll(z)
	must(t, err)
	var left strings.Builder
	for line := range strings.Lines(string(text)) {
		if !strings.Contains(line, "SELECT COUNT(*)") {
			left.WriteString(line)
		}
	}
	return left.String()
}

// withoutRows takes the rows out of a script that begin with the given texts.
func withoutRows(t *testing.T, script string, rows ...string) string {
	t.Helper()
	var left []string
	dropped := 0
	for line := range strings.Lines(script) {
		if !slices.ContainsFunc(rows, func(row string) bool { return strings.HasPrefix(line, row) }) {
			left = append(left, line)
			continue
		}
		dropped++
		if strings.HasSuffix(strings.TrimSpace(line), ",") {
			continue
		}
		last := len(left) - 1 // the row was the last one of its statement
		if strings.HasPrefix(left[last], "INSERT INTO") {
			left = left[:last]
		} else {
			left[last] = strings.TrimSuffix(strings.TrimSpace(left[last]), ",") + ";\n"
		}
	}
	if dropped != len(rows) {
		t.Fatalf("%d rows were dropped, want %d", dropped, len(rows))
	}
	return strings.Join(left, "")
}

// saved writes a script to a file.
func saved(t *testing.T, script string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "nexus.sql")
	must(t, os.WriteFile(name, []byte(script), 0o600))
	return name
}

// trustLess takes the first certificate out of the trust store in a script, and gives its fingerprint.
func trustLess(t *testing.T, script string) (string, string) {
	t.Helper()
	_, rest, found := strings.Cut(script, "('trusted.ks', X'")
	digits, _, _ := strings.Cut(rest, "'")
	store, err := hex.DecodeString(digits)
	must(t, err)
	before, err := secrets.ParseKeystore(store, secrets.TrustStorePassword)
	must(t, err)
	if !found || len(before.Trusted) < 2 {
		t.Fatalf("the trust store holds %+v", before)
	}
	der := before.Trusted[0].DER
	end := bytes.Index(store, der) + len(der)
	next := slices.Concat(store[:8], []byte{0, 0, 0, byte(len(before.Trusted) - 1)}, store[end:len(store)-sha1.Size])
	sum := sha1.New()
	for _, c := range []byte(secrets.TrustStorePassword) {
		sum.Write([]byte{0, c})
	}
	sum.Write([]byte("Mighty Aphrodite"))
	sum.Write(next)
	print := sha1.Sum(der)
	return strings.Replace(script, digits, hex.EncodeToString(sum.Sum(next)), 1), strings.ToUpper(hex.EncodeToString(print[:]))
}

// rest asks the REST API as the old server's administrator.
func (s *server) rest(method, path, password, body string) (int, string) {
	s.t.Helper()
	req, err := http.NewRequest(method, s.url("/service/rest"+path), strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	req.SetBasicAuth("admin", password)
	req.Header.Set("Content-Type", "application/json")
	resp, err := client().Do(req)
	if err != nil {
		s.t.Fatalf("%s %s: %v\n%s", method, path, err, s.log)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatalf("%s %s: %v", method, path, err)
	}
	return resp.StatusCode, string(text)
}

// TestImportNexusDeletions imports a server, deletes things there and imports again: they go here as well, but for what was made or
// changed here.
func TestImportNexusDeletions(t *testing.T) {
	t.Parallel()
	source := unpack(t, fixtures(t, "datadirs", "nexus-3.77-small.tar.gz"))
	data := filepath.Join(t.TempDir(), "data")
	importNexus(t, data, source)
	s := startIn(t, data)
	password := dataDirectories["nexus-3.77-small"]
	put := func(path, body string) {
		t.Helper()
		req, err := http.NewRequest(http.MethodPut, contentURL(s, "raw-hosted", path), strings.NewReader(body))
		must(t, err)
		req.SetBasicAuth("admin", password)
		resp, err := client().Do(req)
		must(t, err)
		resp.Body.Close()
		if resp.StatusCode/100 != 2 {
			t.Fatalf("PUT %s: %s", path, resp.Status)
		}
	}
	put("/made/here.txt", "new")
	put("/public/one.txt", "changed here")
	s.stop()

	database := saved(t, withoutRows(t, databaseScript(t, "nexus-3.77-small"),
		"(3, 1, '/docs/secret.txt'", "(4, 1, '/public/one.txt'", "('deployer', 'Dep'", "('raw-writer', 'raw-writer'"))
	plan := run(t, "", binary(t), "import", "nexus", "--data", data, "--database", database, "--plan", source)
	for _, want := range []string{
		"users default/deployer", "roles raw-writer", "raw-hosted/docs/secret.txt", "remove: was deleted there",
		"raw-hosted/made/here.txt", "raw-hosted/public/one.txt", "keep: was stored or changed here",
	} {
		if !strings.Contains(strings.Join(strings.Fields(plan), " "), want) {
			t.Errorf("the plan does not say %q:\n%s", want, plan)
		}
	}
	out := run(t, "", binary(t), "import", "nexus", "--data", data, "--database", database, "--json", source)
	var report struct {
		Removed, RemovedAssets int64
		Stayed                 []struct{ Name string }
	}
	decoder := json.NewDecoder(strings.NewReader(jsonOf(out)))
	must(t, decoder.Decode(&struct{}{}))
	must(t, decoder.Decode(&report))
	if report.Removed != 2 || report.RemovedAssets != 1 || len(report.Stayed) != 2 {
		t.Errorf("report %+v", report)
	}
	s = startIn(t, data)
	for path, status := range map[string]int{
		"/docs/secret.txt": http.StatusNotFound, "/made/here.txt": http.StatusOK, "/public/one.txt": http.StatusOK, "/docs/read me.txt": http.StatusOK,
	} {
		if resp, _ := get(t, client(), contentURL(s, "raw-hosted", path), "admin", password); resp.StatusCode != status {
			t.Errorf("%s: %s, want %d", path, resp.Status, status)
		}
	}
	if resp, _ := get(t, client(), s.url("/service/rest/v1/status"), "deployer", "deployer-pass"); resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("the user that was deleted there: %s", resp.Status)
	}
}

// TestImportNexusSettingsDeletions deletes settings of the whole server there: they go here, but for those that were changed here.
func TestImportNexusSettingsDeletions(t *testing.T) {
	t.Parallel()
	source := unpack(t, fixtures(t, "datadirs", "nexus-3.77-small.tar.gz"))
	data := filepath.Join(t.TempDir(), "data")
	importNexus(t, data, source)
	password := dataDirectories["nexus-3.77-small"]
	s := startIn(t, data)
	mail := `{"enabled":false,"host":"changed.example.org","port":25,"fromAddress":"a@example.org"}`
	if status, body := s.rest(http.MethodPut, "/v1/email", password, mail); status != http.StatusNoContent {
		t.Fatalf("change of mail settings: %d %s", status, body)
	}
	_, before := s.rest(http.MethodGet, "/v1/security/ssl/truststore", password, "")
	s.stop()

	script, fingerprint := trustLess(t, databaseScript(t, "nexus-3.77-small"))
	database := saved(t, withoutRows(t, script, "(1, TRUE, '127.0.0.1', 2525", `(1, JSON '{"timeout":33`, "('fixture-hello'", "(UUID '01a1feb0-9dd6-2cca-a28c-e19031cf4b68'"))
	args := []string{"import", "nexus", "--data", data, "--database", database, source}
	plan := strings.Join(strings.Fields(run(t, "", binary(t), append(args, "--plan")...)), " ")
	for _, want := range []string{
		"http settings remove: was deleted there", "scripts fixture-hello remove: was deleted there", "email settings keep: was changed here since",
		"capabilities 01a1feb0-9dd6-2cca-a28c-e19031cf4b68 remove: was deleted there", "remove: was deleted there assets in all",
	} {
		if !strings.Contains(plan, want) {
			t.Errorf("the plan does not say %q:\n%s", want, plan)
		}
	}
	out := run(t, "", binary(t), args...)
	for _, want := range []string{"not removed: email settings: was changed here since", "and 4 settings that were deleted there"} {
		if !strings.Contains(out, want) {
			t.Errorf("the report does not say %q:\n%s", want, out)
		}
	}
	s = startIn(t, data)
	plain := strings.NewReplacer(":", "")
	if _, after := s.rest(http.MethodGet, "/v1/security/ssl/truststore", password, ""); !strings.Contains(plain.Replace(before), fingerprint) || strings.Contains(plain.Replace(after), fingerprint) || !strings.Contains(after, "BEGIN CERTIFICATE") {
		t.Errorf("trusted is %s after %s; %s was deleted there", after, before, fingerprint)
	}
	if _, body := s.rest(http.MethodGet, "/v1/email", password, ""); !strings.Contains(body, "changed.example.org") {
		t.Errorf("mail settings are %s", body)
	}
	if _, body := s.rest(http.MethodGet, "/v1/http", password, ""); strings.Contains(body, "proxy.example.org") {
		t.Errorf("HTTP settings are %s", body)
	}
	if status, _ := s.rest(http.MethodGet, "/v1/script/fixture-hello", password, ""); status != http.StatusNotFound {
		t.Errorf("the script that was deleted there: %d", status)
	}
}
