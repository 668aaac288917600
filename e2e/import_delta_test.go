//go:build e2e

package e2e

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// withoutRows writes what H2 itself wrote of a database as a script, less the rows that begin with the given texts.
func withoutRows(t *testing.T, script string, rows ...string) string {
	t.Helper()
	f, err := os.Open(script)
	must(t, err)
	defer f.Close()
	z, err := gzip.NewReader(f)
	must(t, err)
	text, err := io.ReadAll(z)
	must(t, err)
	var left bytes.Buffer
	dropped := 0
lines:
	for line := range bytes.Lines(text) {
		if bytes.Contains(line, []byte("SELECT COUNT(*)")) { // how many rows to expect
			continue
		}
		for _, row := range rows {
			if bytes.HasPrefix(line, []byte(row)) && bytes.HasSuffix(bytes.TrimSpace(line), []byte(",")) {
				dropped++
				continue lines
			}
		}
		left.Write(line)
	}
	if dropped != len(rows) {
		t.Fatalf("%d rows were dropped, want %d", dropped, len(rows))
	}
	name := filepath.Join(t.TempDir(), "nexus.sql")
	must(t, os.WriteFile(name, left.Bytes(), 0o600))
	return name
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

	database := withoutRows(t, fixtures(t, "datadirs", "nexus-3.77-small.expected", "db.sql.gz"),
		"(3, 1, '/docs/secret.txt'", "(4, 1, '/public/one.txt'", "('deployer', 'Dep'", "('raw-writer', 'raw-writer'")
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
