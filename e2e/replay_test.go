//go:build e2e

package e2e

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// formatsAbsent are recordings of formats that are not built yet.
var formatsAbsent = regexp.MustCompile(`^apt-`)

// TestReplayContent sends every recording of content requests to a fresh server and wants the real server's replies, but for the
// differences in allowed.json.
func TestReplayContent(t *testing.T) {
	tool := filepath.Join(t.TempDir(), "nxreplay")
	run(t, fixtures(t, "nxreplay"), "go", "build", "-o", tool, ".")
	recordings, err := filepath.Glob(filepath.Join(fixtures(t, "corpus", "content"), "*.rec.json"))
	if err != nil || len(recordings) == 0 {
		t.Fatalf("no recordings: %v", err)
	}
	allowed := filepath.Join(root(t), "e2e", "allowed.json")
	for _, recording := range recordings {
		name := strings.TrimSuffix(filepath.Base(recording), ".rec.json")
		if formatsAbsent.MatchString(name) {
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := start(t, "--skip-default-repositories")
			out, err := command(t, t.TempDir(), tool, "replay", "-base", s.url(""), "-admin-password", adminPassword, "-allow", allowed, recording)
			lines := strings.Split(strings.TrimSpace(out), "\n")
			t.Log(lines[len(lines)-1])
			if err != nil {
				keep(t, name, out)
				t.Fatalf("%v\n%s", err, strings.Join(lines[max(0, len(lines)-60):], "\n"))
			}
		})
	}
}

// keep leaves a failed comparison where a developer can read it whole.
func keep(t *testing.T, name, out string) {
	t.Helper()
	dir := filepath.Join(root(t), ".cache", "e2e")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Error(err)
		return
	}
	if err := os.WriteFile(filepath.Join(dir, name+".txt"), []byte(out), 0o644); err != nil {
		t.Error(err)
	}
}
