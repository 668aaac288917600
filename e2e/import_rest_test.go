//go:build e2e

package e2e

import (
	"crypto/sha1"
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// importRest is the command that imports a living server, in a hurry.
func importRest(t *testing.T, data string, old *server, password string, args ...string) *exec.Cmd {
	args = append([]string{"import", "nexus-rest", "--data", data, "--rate", "2000"}, append(args, old.url(""))...)
	cmd := exec.Command(binary(t), args...)
	cmd.Env = append(os.Environ(), "ENTREPOT_IMPORT_PASSWORD="+password)
	return cmd
}

// TestImportNexusRest imports a living server, killed on the way, and compares what both answer. Passwords come from the data
// directory afterwards.
func TestImportNexusRest(t *testing.T) {
	t.Parallel()
	const name = "nexus-3.77-small"
	password := dataDirectories[name]
	directory := unpack(t, fixtures(t, "datadirs", name+".tar.gz"))
	there := filepath.Join(t.TempDir(), "there")
	importNexus(t, there, directory)
	old := startIn(t, there)
	deleteUnserved(t, old, password)

	here := filepath.Join(t.TempDir(), "here")
	for i := range 6 {
		cmd := importRest(t, here, old, password)
		must(t, cmd.Start())
		done := make(chan error, 1)
		go func() { done <- cmd.Wait() }()
		select {
		case <-done:
		case <-time.After(time.Duration(200+150*i) * time.Millisecond):
			_ = cmd.Process.Kill() // it may have ended meanwhile
			<-done
		}
	}
	for _, args := range [][]string{nil, {"--verify", "--read"}} {
		out, err := importRest(t, here, old, password, args...).CombinedOutput()
		if err != nil && !onlyTokenDiffers(string(out)) {
			t.Fatalf("%v: %v\n%s", args, err, out)
		}
	}

	first, err := os.ReadFile(filepath.Join(here, "admin.password"))
	must(t, err)
	s := startIn(t, here)
	compareServers(t, old, s, password, strings.TrimSpace(string(first)))
	if resp, _ := get(t, client(), s.url("/service/rest/v1/status"), "ops", "ops-pass"); resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("a user signed in with a password that nobody brought: %s", resp.Status)
	}
	s.stop()
	importNexus(t, here, directory)
	s = startIn(t, here)
	for user, secret := range map[string]string{"admin": password, "ops": "ops-pass"} {
		if resp, _ := get(t, client(), s.url("/service/rest/v1/status"), user, secret); resp.StatusCode != http.StatusOK {
			t.Errorf("%s cannot sign in after the data directory came: %s", user, resp.Status)
		}
	}
}

// onlyTokenDiffers reports whether a comparison found nothing but the upstream whose token no server gives away.
func onlyTokenDiffers(out string) bool {
	return strings.Contains(out, "\n1 differences,") && strings.Contains(out, "| repository | maven-bearer | differs in upstream |")
}

// deleteUnserved removes repositories whose content cannot be downloaded.
func deleteUnserved(t *testing.T, s *server, password string) {
	t.Helper()
	for _, repository := range []string{"apt-hosted", "apt-proxy", "apt-proxy-flat"} {
		req, err := http.NewRequest(http.MethodDelete, s.url("/service/rest/v1/repositories/"+repository), nil)
		must(t, err)
		req.SetBasicAuth("admin", password)
		resp, err := client().Do(req)
		must(t, err)
		resp.Body.Close()
		if resp.StatusCode != http.StatusNoContent {
			t.Fatalf("delete %s: %s", repository, resp.Status)
		}
	}
}

// compareServers asks both servers for everything that the first one lists.
func compareServers(t *testing.T, old, s *server, oldPassword, password string) {
	t.Helper()
	_, listed := get(t, client(), old.url("/service/rest/v1/repositories"), "admin", oldPassword)
	var repositories []struct{ Name, Type string }
	must(t, json.Unmarshal(listed, &repositories))
	compared := 0
	for _, r := range repositories {
		if r.Name == "raw-offline" {
			continue
		}
		for token := ""; ; {
			var page struct {
				Items             []struct{ Path string }
				ContinuationToken string
			}
			query := url.Values{"repository": {r.Name}}
			if token != "" {
				query.Set("continuationToken", token)
			}
			_, body := get(t, client(), old.url("/service/rest/v1/assets?"+query.Encode()), "admin", oldPassword)
			must(t, json.Unmarshal(body, &page))
			for _, a := range page.Items {
				there, here := answer(t, contentURL(old, r.Name, a.Path), oldPassword), answer(t, contentURL(s, r.Name, a.Path), password)
				if r.Type != "hosted" { // a listing does not tell the upstream's date
					there["Last-Modified"] = here["Last-Modified"]
				}
				if r.Type == "group" { // nor do settings tell how a group wants its content shown
					there["Content-Disposition"] = here["Content-Disposition"]
				}
				if d := cmp.Diff(there, here); d != "" {
					t.Errorf("%s %s: %s", r.Name, a.Path, d)
				}
				compared++
			}
			if token = page.ContinuationToken; token == "" {
				break
			}
		}
	}
	if compared < 300 {
		t.Errorf("only %d assets were compared", compared)
	}
}

// answer is what clients see of an asset.
func answer(t *testing.T, address, password string) map[string]string {
	t.Helper()
	resp, body := get(t, client(), address, "admin", password)
	seen := map[string]string{"status": resp.Status, "sha1": hexOf(sha1.New(), body)}
	for _, name := range []string{"Content-Type", "Content-Length", "ETag", "Last-Modified", "Content-Disposition"} {
		seen[name] = resp.Header.Get(name)
	}
	return seen
}
