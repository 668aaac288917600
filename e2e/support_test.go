//go:build e2e

package e2e

import (
	"archive/zip"
	"bytes"
	"io"
	"strings"
	"testing"
)

// TestSupportArchive wants all parts of the archive, and in none of them a secret that the server was told.
func TestSupportArchive(t *testing.T) {
	t.Parallel()
	s := start(t, "--skip-default-repositories")
	s.json("PUT", "/service/rest/v1/email", `{"enabled":true,"host":"h","port":25,"username":"u","password":"geheim-mail","fromAddress":"a@example.org"}`)
	s.json("PUT", "/service/rest/v1/http", `{"httpProxy":{"host":"p","port":1,"authInfo":{"username":"u","password":"geheim-proxy"}}}`)
	s.json("POST", "/service/rest/v1/capabilities", `{"type":"webhook.global","properties":{"names":"audit","url":"http://hook.example","secret":"geheim-hook"}}`)
	s.json("POST", "/service/rest/v1/repositories/raw/proxy", strings.Replace(rawCache("far", "http://127.0.0.1:9"), `"connection":{"retries":0,"useTrustStore":true}`,
		`"authentication":{"type":"username","username":"u","password":"geheim-upstream"}`, 1))
	_, body := s.do("POST", "/service/rest/v1/support/supportzip", strings.NewReader(
		`{"systemInformation":true,"threadDump":true,"metrics":true,"configuration":true,"security":true,"auditLog":true}`), "Content-Type", "application/json")
	z, err := zip.NewReader(bytes.NewReader([]byte(body)), int64(len(body)))
	must(t, err)
	found := make(map[string]string)
	for _, f := range z.File {
		r, err := f.Open()
		must(t, err)
		text, err := io.ReadAll(r)
		must(t, err)
		must(t, r.Close())
		found[f.Name] = string(text)
		for _, secret := range []string{"geheim", adminPassword, "$argon2"} {
			if strings.Contains(string(text), secret) {
				t.Errorf("%s holds a secret: %s", f.Name, secret)
			}
		}
	}
	for name, want := range map[string]string{
		"info/sysinfo.json": `"nexus-node"`, "info/checks.json": `"Available CPUs"`, "info/threads.txt": "goroutine profile", "info/metrics.txt": "entrepot_http_requests_total",
		"work/etc/repositories.json": `"far"`, "work/etc/http.json": `"host": "p"`, "work/security/users.json": `"admin"`, "work/log/audit/audit.jsonl": "repository.create",
	} {
		if !strings.Contains(found[name], want) {
			t.Errorf("%s lacks %s: %.200s", name, want, found[name])
		}
	}
}
