//go:build e2e

package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// locksOut are operations after which the test's own credentials are worth nothing, or nothing can be changed any more.
const locksOut = "change-password|read-only|realms|lifecycle|tasks/|/apply|/freeze|/settings"

// TestFuzz has schemathesis make requests from the servers' own descriptions, right and wrong ones. No answer may be a failure of the
// server, have a status that the description does not name, or a body of another shape.
//
// The cases are the same each time, but for what they pick out of answers (ids, times): all that follow from a description, and as many
// derived ones of each operation as a minute has room for. ENTREPOT_FUZZ has arguments for other ones: "--seed 7 --max-examples 30".
func TestFuzz(t *testing.T) {
	tool := schemathesis(t)
	for name, c := range map[string]struct{ document, checks, examples string }{
		"rest":   {"/service/rest/swagger.json", "not_a_server_error,status_code_conformance,response_schema_conformance", "2"},
		"native": {"/api/v1/swagger.json", "not_a_server_error,status_code_conformance", "20"},
	} {
		cases := []string{"--generation-deterministic", "--max-examples", c.examples}
		if other := os.Getenv("ENTREPOT_FUZZ"); other != "" {
			cases = strings.Fields(other)
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := start(t)
			out, err := command(t, t.TempDir(), tool, append([]string{
				"run", s.url(c.document), "--auth", "admin:" + adminPassword, "--phases", "coverage,fuzzing", "--checks", c.checks, "--workers", "1",
				"--no-color", "--no-shrink", "--continue-on-failure", "--warnings", "off", "--exclude-path-regex", locksOut,
			}, cases...)...)
			generated := regexp.MustCompile(`\d+ generated[^\n]*`).FindString(out)
			t.Log(generated)
			if err == nil && generated != "" {
				return
			}
			keep(t, "fuzz-"+name, out)
			if _, failures, ok := strings.Cut(out, "= FAILURES ="); ok {
				t.Fatalf("%v\n%s", err, failures)
			}
			if !strings.Contains(out, "Runtime Error") || strings.Contains(s.log.String(), "panic") {
				t.Fatalf("%v\n%s", err, out)
			}
			t.Log("the tool failed on one of its own cases; no answer was wrong")
		})
	}
}

// schemathesis gives the path of the tool.
func schemathesis(t *testing.T) string {
	t.Helper()
	if path, err := exec.LookPath("schemathesis"); err == nil {
		return path
	}
	path := filepath.Join(root(t), ".cache", "schemathesis", "bin", "schemathesis")
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("%v: run make setup first", err)
	}
	return path
}
