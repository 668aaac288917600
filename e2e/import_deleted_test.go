//go:build e2e

package e2e

import (
	"encoding/json"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
)

// TestImportNexusDeletedHere imports a server, deletes things here, is killed, and imports again: they stay deleted, but for what was
// changed there since, until they are asked for.
func TestImportNexusDeletedHere(t *testing.T) {
	for _, mode := range []string{"copy", "adopt"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			source := unpack(t, fixtures(t, "datadirs", "nexus-3.77-small.tar.gz"))
			data := filepath.Join(t.TempDir(), "data")
			args := []string{"import", "nexus", "--data", data}
			if mode == "adopt" {
				args = append(args, "--adopt")
			}
			run(t, "", binary(t), append(args, source)...)
			password := dataDirectories["nexus-3.77-small"]
			s := startIn(t, data)
			deleteThings(t, s, password)
			s.kill()

			plan := strings.Join(strings.Fields(run(t, "", binary(t), append(args, "--plan", source)...)), " ")
			for _, want := range []string{"users default/deployer stays deleted", "raw-hosted/public/one.txt stays deleted", "assets in all 3 stay deleted, 0 come again"} {
				if !strings.Contains(plan, want) {
					t.Errorf("the plan does not say %q:\n%s", want, plan)
				}
			}
			if out := run(t, "", binary(t), append(args, source)...); !strings.Contains(out, "imported 0 new and 0 newer assets") || !strings.Contains(out, "3 stay deleted") {
				t.Errorf("the second import: %s", out)
			}
			verify(t, data)
			out, _ := command(t, "", binary(t), "import", "nexus", "--data", data, "--verify", source)
			if !strings.Contains(out, "4 differences") || !strings.Contains(out, "3 were deleted here") { // the user, and three tokens
				t.Errorf("the comparison: %s", out)
			}
			s = startIn(t, data)
			wantDeleted(t, s, password, http.StatusNotFound, http.StatusUnauthorized)
			s.stop()

			changed := strings.NewReplacer("('deployer', 'Dep'", "('deployer', 'Changed'").Replace(databaseScript(t, "nexus-3.77-small"))
			plan = strings.Join(strings.Fields(run(t, "", binary(t), append(args, "--plan", "--database", saved(t, changed), source)...)), " ")
			if want := "users default/deployer comes again: was changed there since"; !strings.Contains(plan, want) {
				t.Errorf("the plan does not say %q:\n%s", want, plan)
			}
			run(t, "", binary(t), append(args, "--again", source)...)
			run(t, "", binary(t), "import", "nexus", "--data", data, "--verify", source)
			wantDeleted(t, startIn(t, data), password, http.StatusOK, http.StatusOK)
		})
	}
}

// deleteThings deletes an asset by its path, one by its number, a component and a user.
func deleteThings(t *testing.T, s *server, password string) {
	t.Helper()
	if status := s.as("admin", password, http.MethodDelete, "/repository/raw-hosted/public/one.txt", ""); status/100 != 2 {
		t.Fatalf("deletion by path: %d", status)
	}
	var found struct{ Items []struct{ ID string } }
	for kind, at := range map[string][2]string{"assets": {"/v1/search/assets", "/docs/secret.txt"}, "components": {"/v1/search", "/docs/read me.txt"}} {
		name := at[1]
		status, body := s.rest(http.MethodGet, at[0]+"?repository=raw-hosted&name="+url.QueryEscape(name), password, "")
		must(t, json.Unmarshal([]byte(body), &found))
		if status != http.StatusOK || len(found.Items) != 1 {
			t.Fatalf("search of %s: %d %s", name, status, body)
		}
		if status, body := s.rest(http.MethodDelete, "/v1/"+kind+"/"+found.Items[0].ID, password, ""); status != http.StatusNoContent {
			t.Fatalf("deletion among %s: %d %s", kind, status, body)
		}
	}
	if status, body := s.rest(http.MethodDelete, "/v1/security/users/deployer", password, ""); status != http.StatusNoContent {
		t.Fatalf("deletion of a user: %d %s", status, body)
	}
}

// wantDeleted checks what the server says to requests for what was deleted.
func wantDeleted(t *testing.T, s *server, password string, path, user int) {
	t.Helper()
	for _, name := range []string{"/public/one.txt", "/docs/secret.txt", "/docs/read me.txt"} {
		if resp, _ := get(t, client(), contentURL(s, "raw-hosted", name), "admin", password); resp.StatusCode != path {
			t.Errorf("%s: %s, want %d", name, resp.Status, path)
		}
	}
	if resp, _ := get(t, client(), s.url("/service/rest/v1/status"), "deployer", "deployer-pass"); resp.StatusCode != user {
		t.Errorf("the user: %s, want %d", resp.Status, user)
	}
}
