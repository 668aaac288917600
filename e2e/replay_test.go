//go:build e2e

package e2e

import (
	"fmt"
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
	r := newReplay(t)
	for _, recording := range r.recordings(t, "content") {
		if formatsAbsent.MatchString(name(recording)) {
			continue
		}
		t.Run(name(recording), func(t *testing.T) {
			t.Parallel()
			s := start(t, "--skip-default-repositories")
			r.run(t, s.addr, recording)
		})
	}
}

// notReplayed are recordings of the REST API that say nothing about this server, with the reason.
var notReplayed = map[string]string{
	"defects-privileges":   "faults of the original: a privilege updated through another type, after which its list fails for good",
	"defects-repositories": "faults of the original: a repository updated while frozen stays behind stopped",
}

// ofREST are what servers need for some recordings of the REST API.
var ofREST = map[string]struct{ args, env []string }{
	"scripts-enabled": {env: []string{"ENTREPOT_SCRIPT_CREATION=true"}},
}

// TestReplayREST does the same with the recordings of the REST API. Answers in JSON are held against the schemas of the old server's own
// description and of ours as well.
func TestReplayREST(t *testing.T) {
	r := newReplay(t)
	described := documents(t)
	for _, recording := range r.recordings(t, "rest") {
		name := name(recording)
		if notReplayed[name] != "" {
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			needs := ofREST[name]
			s := (&server{t: t, data: t.TempDir(), args: append([]string{"--skip-default-repositories"}, needs.args...), env: needs.env}).start()
			w := tap(t, s.addr)
			r.run(t, w.address, recording)
			w.check(t, described)
		})
	}
}

// check holds what was heard against descriptions.
func (w *wiretap) check(t *testing.T, described []*apiDocument) {
	t.Helper()
	heard := w.heard()
	for _, doc := range described {
		checked, wrong := 0, map[string]error{}
		for _, x := range heard {
			found, err := doc.validate(x)
			if found {
				checked++
			}
			if err != nil {
				wrong[x.method+" "+x.path] = err
			}
		}
		t.Logf("%s: %d of %d answers have a schema", doc.name, checked, len(heard))
		for _, err := range wrong {
			t.Error(err)
		}
	}
}

// replay is the tool that sends recordings.
type replay struct{ tool, allowed string }

func newReplay(t *testing.T) *replay {
	t.Helper()
	r := &replay{tool: filepath.Join(t.TempDir(), "nxreplay"), allowed: filepath.Join(root(t), "e2e", "allowed.json")}
	run(t, fixtures(t, "nxreplay"), "go", "build", "-o", r.tool, ".")
	return r
}

func (r *replay) recordings(t *testing.T, corpus string) []string {
	t.Helper()
	all, err := filepath.Glob(filepath.Join(fixtures(t, "corpus", corpus), "*.rec.json"))
	if err != nil || len(all) == 0 {
		t.Fatalf("no recordings: %v", err)
	}
	return all
}

// name is what a recording is called.
func name(recording string) string { return strings.TrimSuffix(filepath.Base(recording), ".rec.json") }

// run sends a recording to a server and fails when there are differences that are not allowed.
func (r *replay) run(t *testing.T, address, recording string) {
	t.Helper()
	base := fmt.Sprintf("http://%s", address)
	out, err := command(t, t.TempDir(), r.tool, "replay", "-base", base, "-admin-password", adminPassword, "-allow", r.allowed, recording)
	lines := strings.Split(strings.TrimSpace(out), "\n")
	t.Log(lines[len(lines)-1])
	if err != nil {
		keep(t, name(recording), out)
		t.Fatalf("%v\n%s", err, strings.Join(lines[max(0, len(lines)-60):], "\n"))
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
