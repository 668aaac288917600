//go:build e2e

package e2e

import (
	"bufio"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// native asks the native API and gives the status, the header and the body. user is "admin", or a token.
func (s *server) native(user, method, path, body string, header ...string) (int, http.Header, string) {
	s.t.Helper()
	req, err := http.NewRequest(method, s.url("/api/v1/"+path), strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	if user == "admin" {
		req.SetBasicAuth("admin", adminPassword)
	} else if user != "" {
		req.Header.Set("Authorization", "Bearer "+user)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatalf("%s %s: %v\n%s", method, path, err, s.log)
	}
	defer resp.Body.Close()
	var text strings.Builder
	if _, err := bufio.NewReader(resp.Body).WriteTo(&text); err != nil {
		s.t.Fatal(err)
	}
	return resp.StatusCode, resp.Header, text.String()
}

const configurationFile = `
version: 1
routingRules:
  - {name: no-secrets, mode: BLOCK, matchers: ["^/secret/.*"]}
repositories:
  - {name: docs, format: raw, kind: hosted}
  - name: mirror
    format: raw
    kind: cache
    routingRule: no-secrets
    upstream:
      url: http://127.0.0.1:1/
      authentication: {type: username, username: reader, password: hush-hush}
  - {name: everything, format: raw, kind: proxy, members: [docs, mirror]}
roles:
  - {id: writers, privileges: ["nx-repository-view-raw-docs-*"]}
users:
  - {id: jane, firstName: Jane, lastName: Doe, email: jane@example.org, roles: [writers], password: first-secret}
anonymous: {enabled: false}
`

// TestApply makes a server what a file says: over the network, again, from its own export on another server's stopped data, and with
// what is not named taken away.
func TestApply(t *testing.T) {
	t.Parallel()
	s := start(t)
	dir := t.TempDir()
	file := filepath.Join(dir, "entrepot.yaml")
	if err := os.WriteFile(file, []byte(configurationFile), 0o600); err != nil {
		t.Fatal(err)
	}
	status, _, made := s.native("admin", "POST", "tokens", `{"name":"configuration"}`)
	var token struct{ Token string }
	if err := json.Unmarshal([]byte(made), &token); err != nil || status != http.StatusCreated {
		t.Fatal(status, made)
	}
	remote := []string{"--server", s.url(""), "--token", token.Token}
	out, err := command(t, dir, binary(t), append([]string{"apply", "-f", file, "--dry-run"}, remote...)...)
	if err == nil || !strings.Contains(out, "+ repositories/everything") || strings.Contains(out, "hush-hush") || strings.Contains(out, "first-secret") {
		t.Fatalf("dry run: %v\n%s", err, out)
	}
	if out := run(t, dir, binary(t), append([]string{"apply", "-f", file, "--yes"}, remote...)...); !strings.Contains(out, "changes were made") {
		t.Fatal(out)
	}
	if out := run(t, dir, binary(t), append([]string{"apply", "-f", file}, remote...)...); !strings.Contains(out, "No changes") {
		t.Errorf("the second time: %s", out)
	}
	if status, _ := s.do("PUT", "/repository/docs/a.txt", strings.NewReader("text")); status != http.StatusCreated {
		t.Errorf("upload into a repository of the file: %d", status)
	}
	if status, _, _ := s.native("", "GET", "repositories", ""); status != http.StatusUnauthorized {
		t.Errorf("anonymous access is still on: %d", status)
	}
	export := filepath.Join(dir, "export.yaml")
	run(t, dir, binary(t), append([]string{"config", "export", "-o", export}, remote...)...)
	if out := run(t, dir, binary(t), append([]string{"apply", "-f", export, "--prune"}, remote...)...); !strings.Contains(out, "No changes") {
		t.Errorf("its own export changes: %s", out)
	}
	applyElsewhere(t, s, dir, file)
	if text, err := os.ReadFile(filepath.Join(s.data, "audit.log")); err != nil || strings.Contains(string(text), "hush-hush") || !strings.Contains(string(text), `"repository.create"`) {
		t.Errorf("audit: %v %.300s", err, text)
	}
}

// applyElsewhere applies the file to the data folder of a server that is stopped, and prunes there.
func applyElsewhere(t *testing.T, s *server, dir, file string) {
	t.Helper()
	s.stop()
	if out := run(t, dir, binary(t), "apply", "-f", file, "--data", s.data); !strings.Contains(out, "No changes") {
		t.Errorf("offline: %s", out)
	}
	less := filepath.Join(dir, "less.yaml")
	if err := os.WriteFile(less, []byte("repositories: [{name: docs}]\nroles: []\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	out := run(t, dir, binary(t), "apply", "-f", less, "--data", s.data, "--prune", "--yes")
	if !strings.Contains(out, "- repositories/everything") || !strings.Contains(out, "- roles/writers") || strings.Contains(out, "repositories/docs") {
		t.Errorf("pruned: %s", out)
	}
	s.run()
	if status, _, text := s.native("admin", "GET", "repositories", ""); status != http.StatusOK || !strings.Contains(text, `"docs"`) || strings.Contains(text, `"mirror"`) {
		t.Errorf("after pruning: %d %s", status, text)
	}
}

// TestNativeAPI drives the API as a program does: tags, tokens, events, and content through a token.
func TestNativeAPI(t *testing.T) {
	t.Parallel()
	s := start(t)
	status, header, text := s.native("admin", "POST", "repositories", `{"name":"docs","format":"raw","kind":"hosted"}`)
	if status != http.StatusCreated || header.Get("Location") != "/api/v1/repositories/docs" {
		t.Fatal(status, header, text)
	}
	s.native("admin", "POST", "repositories", `{"name":"other","format":"raw","kind":"hosted"}`)
	tag := header.Get("ETag")
	if status, _, text := s.native("admin", "PATCH", "repositories/docs", `{"writePolicy":"ALLOW_ONCE"}`, "If-Match", tag); status != http.StatusOK {
		t.Errorf("change: %d %s", status, text)
	}
	if status, header, text := s.native("admin", "DELETE", "repositories/docs", "", "If-Match", tag); status != http.StatusPreconditionFailed || header.Get("Content-Type") != "application/problem+json" {
		t.Errorf("a change over another's: %d %s", status, text)
	}
	status, _, text = s.native("admin", "POST", "tokens", `{"name":"writer of docs","scope":["nexus:repository-view:raw:docs:*"],"validFor":"1h"}`)
	var token struct{ ID, Token string }
	if err := json.Unmarshal([]byte(text), &token); err != nil || status != http.StatusCreated {
		t.Fatal(status, text)
	}
	for path, want := range map[string]int{"docs": http.StatusCreated, "other": http.StatusForbidden} {
		req, err := http.NewRequest(http.MethodPut, s.url("/repository/"+path+"/a.txt"), strings.NewReader("text"))
		if err != nil {
			t.Fatal(err)
		}
		req.SetBasicAuth("admin", token.Token)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("PUT into %s with the token: %d, want %d", path, resp.StatusCode, want)
		}
	}
	if status, _, _ := s.native(token.Token, "GET", "users", ""); status != http.StatusForbidden {
		t.Errorf("users with the token: %d", status)
	}
	if status, _, _ := s.native("admin", "DELETE", "tokens/"+token.ID, ""); status != http.StatusNoContent {
		t.Errorf("revoke: %d", status)
	}
	if status, _, _ := s.native(token.Token, "GET", "assets?repository=docs", ""); status != http.StatusUnauthorized {
		t.Errorf("a revoked token: %d", status)
	}
	if _, _, text := s.native("admin", "GET", "search?sha1=372ea08cab33e71c02c651dbc83a474d32c676ea", ""); !strings.Contains(text, `"path":"/a.txt"`) {
		t.Errorf("search by checksum: %s", text)
	}
	if _, _, text := s.native("admin", "GET", "audit?action=token", ""); !strings.Contains(text, `"token.delete"`) || strings.Contains(text, token.Token) {
		t.Errorf("audit: %s", text)
	}
}

// TestTaskEvents watches a task run, and the end of the server.
func TestTaskEvents(t *testing.T) {
	t.Parallel()
	s := start(t)
	status, _, text := s.native("admin", "GET", "task-statuses", "")
	var page struct{ Items []struct{ ID, Name string } }
	if err := json.Unmarshal([]byte(text), &page); err != nil || status != http.StatusOK || len(page.Items) == 0 {
		t.Fatal(status, text)
	}
	req, err := http.NewRequest(http.MethodGet, s.url("/api/v1/tasks/"+page.Items[0].ID+"/events"), nil)
	if err != nil {
		t.Fatal(err)
	}
	req.SetBasicAuth("admin", adminPassword)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	ran, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		told := false
		for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
			if !told && strings.Contains(lines.Text(), `"result":"ok"`) {
				told = true
				close(ran)
			}
		}
	}()
	if status, _, text := s.native("admin", "POST", "tasks/"+page.Items[0].ID+"/start", ""); status != http.StatusAccepted {
		t.Fatalf("start: %d %s", status, text)
	}
	wait(t, ran, "the end of the run is not told")
	before := time.Now()
	s.stop()
	if took := time.Since(before); took > 10*time.Second {
		t.Errorf("a watcher holds the server up for %v", took)
	}
	wait(t, ended, "the stream goes on without its server")
}

func wait(t *testing.T, done <-chan struct{}, otherwise string) {
	t.Helper()
	select {
	case <-done:
	case <-time.After(30 * time.Second):
		t.Fatal(otherwise)
	}
}
