//go:build e2e

package e2e

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf16"
)

// faultReport is what an import with faults reports.
type faultReport struct {
	importReport
	Failures []struct{ Setting, Repository, Path, Blob, Reason string }
	Warnings []string
}

// importFaulty runs an import that brings over what it can, and says what not.
func importFaulty(t *testing.T, what, data string, arguments ...string) faultReport {
	t.Helper()
	out, err := command(t, "", binary(t), append([]string{"import", what, "--data", data, "--json"}, arguments...)...)
	if err == nil {
		t.Errorf("the exit status says that everything came over")
	}
	decoder := json.NewDecoder(strings.NewReader(jsonOf(out)))
	var report faultReport
	must(t, decoder.Decode(&struct{}{}))
	if err := decoder.Decode(&report); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return report
}

// rawBlobs gives the file of each path of raw-hosted in the small directory, without its ending, as the real H2 told.
func rawBlobs(t *testing.T, source string) map[string]string {
	t.Helper()
	f, err := os.Open(fixtures(t, "datadirs", "nexus-3.77-small.expected", "tables.jsonl.gz"))
	must(t, err)
	defer f.Close()
	z, err := gzip.NewReader(f)
	must(t, err)
	refs, paths := make(map[int64]string), make(map[string]int64)
	for lines := json.NewDecoder(bufio.NewReader(z)); ; {
		var line struct {
			Table string
			Row   struct {
				Path         string `json:"PATH"`
				Ref          string `json:"BLOB_REF"`
				Blob         int64  `json:"ASSET_BLOB_ID"`
				RepositoryID any    `json:"REPOSITORY_ID"`
			}
		}
		err := lines.Decode(&line)
		if err == io.EOF {
			break
		}
		must(t, err)
		switch {
		case line.Table == "RAW_ASSET_BLOB" && line.Row.Ref != "":
			refs[line.Row.Blob] = line.Row.Ref
		case line.Table == "RAW_ASSET" && line.Row.RepositoryID == float64(1):
			paths[line.Row.Path] = line.Row.Blob
		}
	}
	files := make(map[string]string)
	for path, id := range paths {
		store, blob, _ := strings.Cut(refs[id], "@")
		found, err := filepath.Glob(filepath.Join(source, "blobs", store, "content", "vol-*", "chap-*", blob+".bytes"))
		must(t, err)
		if len(found) == 1 {
			files[path] = strings.TrimSuffix(found[0], ".bytes")
		}
	}
	return files
}

// TestImportNexusFaults damages a data directory in each way that one was ever found in, and wants every asset that cannot come over
// named with the reason, and all the others.
func TestImportNexusFaults(t *testing.T) {
	t.Parallel()
	source := unpack(t, fixtures(t, "datadirs", "nexus-3.77-small.tar.gz"))
	files := rawBlobs(t, source)
	body := func(path string) string { return files[path] + ".bytes" }
	must(t, os.Remove(body("/docs/read me.txt")))
	must(t, os.Truncate(body("/docs/secret.txt"), 5))
	flipped, err := os.ReadFile(body("/public/one.txt"))
	must(t, err)
	flipped[3] ^= 0x10
	must(t, os.WriteFile(body("/public/one.txt"), flipped, 0o644))
	must(t, os.WriteFile(files["/public/notes.md"]+".properties", nil, 0o644)) // the database tells what is in them
	must(t, os.Rename(filepath.Join(source, "blobs", "second"), filepath.Join(source, "blobs", "gone")))

	data := filepath.Join(t.TempDir(), "data")
	report := importFaulty(t, "nexus", data, source)
	reasons, inSecond := make(map[string]string), 0
	for _, f := range report.Failures {
		if f.Path == "" || f.Reason == "" {
			t.Errorf("failure %+v", f)
		}
		reasons[f.Repository+f.Path] = f.Reason
		if strings.HasPrefix(f.Blob, "second@") {
			inSecond++
		}
	}
	for path, reason := range map[string]string{
		"raw-hosted/docs/read me.txt": "its bytes are missing", "raw-hosted/docs/secret.txt": "5 bytes, promised 29",
		"raw-hosted/public/one.txt": "its bytes are damaged",
	} {
		if !strings.Contains(reasons[path], reason) {
			t.Errorf("%s: %q, want %q", path, reasons[path], reason)
		}
	}
	if inSecond == 0 || len(reasons) != inSecond+3 || report.Failed != int64(len(reasons)) || report.New+report.Failed != 403 {
		t.Errorf("%d failures, %d of them in the store that is gone; %+v", len(reasons), inSecond, report.importReport)
	}
	s := startIn(t, data)
	for path, status := range map[string]int{"/docs/secret.txt": http.StatusNotFound, "/public/notes.md": http.StatusOK} {
		if resp, _ := get(t, client(), contentURL(s, "raw-hosted", path), "admin", dataDirectories["nexus-3.77-small"]); resp.StatusCode != status {
			t.Errorf("%s: %s, want %d", path, resp.Status, status)
		}
	}
}

// TestImportNexusOddRows imports a database with rows that no server writes: a path twice, paths and repositories that differ in letter
// case only, and a repository whose blob store is not configured.
func TestImportNexusOddRows(t *testing.T) {
	t.Parallel()
	source := unpack(t, fixtures(t, "datadirs", "nexus-3.77-small.tar.gz"))
	at := `TIMESTAMP WITH TIME ZONE '2026-11-21 15:19:13+00'`
	asset := func(id, path, blob string) string {
		return "(" + id + ", 1, '" + path + "', '', NULL, " + blob + ", NULL, JSON '{}', " + at + ", " + at + ", 30),\n"
	}
	script := withoutRows(t, databaseScript(t, "nexus-3.77-small"), "(UUID '01a1feae-4674-d058-678a-7565eeb9e6f8', 'second'")
	insert := func(table, row string) {
		head := `INSERT INTO "PUBLIC"."` + table + `" VALUES` + "\n"
		script = strings.Replace(script, head, head+row, 1)
	}
	insert("RAW_ASSET", asset("900", "/public/one.txt", "2")+asset("901", "/DOCS/read me.txt", "3")+asset("902", "/docs/READ ME.txt", "5"))
	insert("REPOSITORY", "(UUID '01a1feae-add1-eba1-5850-6e3970c91d5b', 'RAW-Hosted', 'raw-hosted', TRUE, NULL, JSON '{\"storage\":{\"blobStoreName\":\"default\"}}'),\n")
	database := saved(t, script)

	data := filepath.Join(t.TempDir(), "data")
	plan := run(t, "", binary(t), "import", "nexus", "--data", data, "--database", database, "--plan", source)
	for _, want := range []string{"in letter case only", "its blob store second does not exist: its content stays behind"} {
		if !strings.Contains(plan, want) {
			t.Errorf("the plan does not say %q:\n%s", want, plan)
		}
	}
	out := run(t, "", binary(t), "import", "nexus", "--data", data, "--database", database, source)
	if !strings.Contains(out, "raw-hosted/public/one.txt is there twice: the newer blob came over") {
		t.Errorf("the report does not warn of the path that is there twice:\n%s", out)
	}
	s := startIn(t, data)
	for path, size := range map[string]int{"/DOCS/read me.txt": 29, "/docs/read me.txt": 30, "/public/one.txt": 28} {
		resp, body := get(t, client(), contentURL(s, "raw-hosted", path), "admin", dataDirectories["nexus-3.77-small"])
		if resp.StatusCode != http.StatusOK || len(body) != size {
			t.Errorf("%s: %s, %d bytes, want %d", path, resp.Status, len(body), size)
		}
	}
}

// TestImportBlobsFaults spoils properties, from which alone a blob store tells what it holds.
func TestImportBlobsFaults(t *testing.T) {
	t.Parallel()
	source := unpack(t, fixtures(t, "datadirs", "nexus-3.77-small.tar.gz"))
	files := rawBlobs(t, source)
	wide := []byte{0xff, 0xfe}
	for _, unit := range utf16.Encode([]rune("@Bucket.repo-name=raw-hosted\n")) {
		wide = append(wide, byte(unit), byte(unit>>8))
	}
	must(t, os.WriteFile(files["/docs/read me.txt"]+".properties", nil, 0o644))
	must(t, os.WriteFile(files["/docs/secret.txt"]+".properties", wide, 0o644))
	must(t, os.Remove(files["/public/one.txt"]+".bytes"))
	data := filepath.Join(t.TempDir(), "data")
	report := importFaulty(t, "blobs", data, filepath.Join(source, "blobs", "default"))
	var failed []string
	for _, f := range report.Failures {
		failed = append(failed, f.Blob)
		if f.Reason == "" {
			t.Errorf("failure %+v", f)
		}
	}
	for _, path := range []string{"/docs/read me.txt", "/docs/secret.txt", "/public/one.txt"} {
		id := filepath.Base(files[path])
		if !strings.Contains(strings.Join(failed, " "), id) {
			t.Errorf("%s (%s) is not among the failures %q", path, id, failed)
		}
	}
	if report.Failed != 3 || report.New < 300 {
		t.Errorf("report %+v", report.importReport)
	}
}
