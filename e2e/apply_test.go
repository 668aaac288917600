//go:build e2e

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// manyChanges is a configuration of some sixty changes.
func manyChanges() string {
	var repositories, roles, users strings.Builder
	for i := range 16 {
		fmt.Fprintf(&repositories, "  - {name: all-%d, format: raw, kind: proxy, members: [files-%d]}\n  - {name: files-%d, format: raw, kind: hosted}\n", i, i, i)
		fmt.Fprintf(&roles, "  - {id: role-%d, privileges: [nx-repository-view-raw-files-%d-read], roles: [role-%d]}\n", i, i, i+1)
		fmt.Fprintf(&users, "  - {id: user-%d, firstName: U, lastName: U, email: u@example.org, roles: [role-%d], password: p}\n", i, i)
	}
	return "repositories:\n" + repositories.String() + "roles:\n  - {id: role-16}\n" + roles.String() + "users:\n" + users.String() + "anonymous: {enabled: false}\n"
}

// TestApplyKilled kills the server at moments while it applies a file. Applied again it ends as if nothing had been.
func TestApplyKilled(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "many.yaml")
	if err := os.WriteFile(file, []byte(manyChanges()), 0o600); err != nil {
		t.Fatal(err)
	}
	apply := func(s *server) []string {
		return []string{"apply", "-f", file, "--yes", "--server", s.url(""), "--user", "admin", "--password", adminPassword}
	}
	whole := start(t)
	run(t, dir, binary(t), apply(whole)...)
	_, _, want := whole.native("admin", "GET", "configuration", "")
	if !strings.Contains(want, `"all-15"`) || !strings.Contains(want, `"user-15"`) {
		t.Fatalf("applied: %s", want)
	}
	whole.stop()
	for _, moment := range []string{`"files-5"`, `"all-15"`, `"role-8"`, `"user-7"`} {
		s := start(t)
		ended := make(chan error, 1)
		go func() {
			_, err := command(t, dir, binary(t), apply(s)...)
			ended <- err
		}()
		for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
			if _, _, now := s.native("admin", "GET", "configuration", ""); strings.Contains(now, moment) {
				break
			}
		}
		s.kill()
		if err := <-ended; err == nil {
			t.Logf("killed at %s, which was too late", moment)
		}
		s.run()
		run(t, dir, binary(t), apply(s)...)
		if _, _, got := s.native("admin", "GET", "configuration", ""); got != want {
			t.Errorf("killed at %s and applied again:\n%s\nwant\n%s", moment, got, want)
		}
		s.stop()
	}
}
