//go:build e2e

package e2e

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
)

// rawCache is the definition of a raw cache that is asked for everything each time.
func rawCache(name, upstream string) string {
	return `{"name":"` + name + `","online":true,"storage":{"blobStoreName":"default","strictContentTypeValidation":false},
		"proxy":{"remoteUrl":"` + upstream + `","contentMaxAge":1440,"metadataMaxAge":1440},"negativeCache":{"enabled":false,"timeToLive":1},
		"httpClient":{"blocked":false,"autoBlock":false,"connection":{"retries":0,"useTrustStore":true}}}`
}

// TestTrustedUpstream has a cache ask an upstream whose certificate nobody signed: only once an administrator looked at the certificate
// and trusted it, and no more after trust was taken back.
func TestTrustedUpstream(t *testing.T) {
	t.Parallel()
	upstream := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = w.Write([]byte("body of " + r.URL.Path)) }))
	t.Cleanup(upstream.Close)
	s := start(t, "--skip-default-repositories")
	s.json("POST", "/service/rest/v1/repositories/raw/proxy", rawCache("far", upstream.URL))
	want := func(path string, status int) {
		t.Helper()
		if got, body := s.do("GET", "/repository/far/"+path, nil); got != status || status == 200 && body != "body of /"+path {
			t.Errorf("%s: %d %q, want %d", path, got, body, status)
		}
	}
	want("a.txt", http.StatusBadGateway)
	host, port, err := net.SplitHostPort(upstream.Listener.Addr().String())
	must(t, err)
	status, shown := s.do("GET", "/service/rest/v1/security/ssl?host="+host+"&port="+port, nil)
	var certificate struct{ ID, PEM string }
	if err := json.Unmarshal([]byte(shown), &certificate); err != nil || status != http.StatusOK {
		t.Fatalf("the certificate is not shown: %d %s", status, shown)
	}
	if status, text := s.do("POST", "/service/rest/v1/security/ssl/truststore", strings.NewReader(certificate.PEM), "Content-Type", "application/json"); status != http.StatusCreated {
		t.Fatalf("the certificate is not trusted: %d %s", status, text)
	}
	want("a.txt", http.StatusOK)
	s.stop()
	s.run()
	want("b.txt", http.StatusOK)
	if status, text := s.do("DELETE", "/service/rest/v1/security/ssl/truststore/"+certificate.ID, nil); status != http.StatusNoContent {
		t.Fatalf("trust is not taken back: %d %s", status, text)
	}
	want("c.txt", http.StatusBadGateway)
}

// TestProxiedUpstream has a cache ask an upstream that only a proxy with a password can reach.
func TestProxiedUpstream(t *testing.T) {
	t.Parallel()
	var refused, passed atomic.Int32
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Header.Set("Authorization", r.Header.Get("Proxy-Authorization"))
		user, password, _ := r.BasicAuth()
		if user != "u" || password != "geheim" {
			refused.Add(1)
			w.WriteHeader(http.StatusProxyAuthRequired)
			return
		}
		passed.Add(1)
		_, _ = w.Write([]byte(r.URL.String() + " for " + r.Header.Get("User-Agent")))
	}))
	t.Cleanup(proxy.Close)
	host, port, err := net.SplitHostPort(proxy.Listener.Addr().String())
	must(t, err)
	s := start(t, "--skip-default-repositories")
	s.json("POST", "/service/rest/v1/repositories/raw/proxy", strings.Replace(rawCache("far", "http://upstream.invalid/x"), `,"useTrustStore":true`, "", 1))
	settings := func(password string) {
		s.json("PUT", "/service/rest/v1/http", `{"userAgent":"suffix","nonProxyHosts":["localhost"],"httpProxy":{"enabled":true,"host":"`+host+`","port":`+port+`,
			"authInfo":{"enabled":true,"username":"u","password":"`+password+`"}}}`)
	}
	settings("wrong")
	if status, _ := s.do("GET", "/repository/far/a.txt", nil); status < 400 || refused.Load() == 0 {
		t.Errorf("with a wrong password: %d", status)
	}
	settings("geheim")
	status, body := s.do("GET", "/repository/far/a.txt", nil)
	if status != http.StatusOK || !strings.HasPrefix(body, "http://upstream.invalid/x/a.txt for ") || !strings.HasSuffix(body, " suffix") || passed.Load() == 0 {
		t.Errorf("through the proxy: %d %q", status, body)
	}
	if _, text := s.do("GET", "/service/rest/v1/http", nil); strings.Contains(text, "geheim") {
		t.Errorf("the password is shown: %s", text)
	}
	if status, _ := s.do("DELETE", "/service/rest/v1/http", nil); status != http.StatusNoContent {
		t.Errorf("settings are not removed: %d", status)
	}
	if status, _ := s.do("GET", "/repository/far/b.txt", nil); status != http.StatusBadGateway {
		t.Errorf("without the proxy: %d", status)
	}
}

// TestNewSecretKey replaces the key that seals secrets: both in the file, all secrets sealed with the first, then the old one gone.
func TestNewSecretKey(t *testing.T) {
	t.Parallel()
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, password, _ := r.BasicAuth(); password != "geheim" {
			w.Header().Set("WWW-Authenticate", "Basic")
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		_, _ = w.Write([]byte("secret content"))
	}))
	t.Cleanup(upstream.Close)
	s := start(t, "--skip-default-repositories")
	s.json("POST", "/service/rest/v1/repositories/raw/proxy", strings.Replace(rawCache("far", upstream.URL), `"connection":{"retries":0,"useTrustStore":true}`,
		`"authentication":{"type":"username","username":"u","password":"geheim"}`, 1))
	s.json("PUT", "/service/rest/v1/email", `{"enabled":false,"host":"mail.example.org","port":25,"fromAddress":"a@example.org","username":"u","password":"geheim"}`)
	want := func(path string, status int) {
		t.Helper()
		if got, body := s.do("GET", "/repository/far/"+path, nil); got != status {
			t.Errorf("%s: %d %s, want %d", path, got, body, status)
		}
	}
	want("a", http.StatusOK)
	s.stop()
	file := filepath.Join(s.data, "secret.key")
	old, err := os.ReadFile(file)
	must(t, err)
	key := sha256.Sum256([]byte("another key"))
	sum := sha256.Sum256(key[:])
	line := hex.EncodeToString(key[:]) + "\n"
	must(t, os.WriteFile(file, append([]byte(line), old...), 0o600))
	s.run()
	if _, text := s.do("GET", "/service/rest/v1/status/check", nil); !strings.Contains(text, "The key file holds 2 keys.") {
		t.Errorf("nobody is told of the old key: %s", text)
	}
	status, text := s.do("PUT", "/service/rest/v1/secrets/encryption/re-encrypt", strings.NewReader(`{"secretKeyId":"`+hex.EncodeToString(sum[:4])+`"}`), "Content-Type", "application/json")
	if status != http.StatusAccepted {
		t.Fatalf("secrets are not sealed anew: %d %s", status, text)
	}
	s.stop()
	must(t, os.WriteFile(file, []byte(line), 0o600))
	s.run()
	want("b", http.StatusOK)
	if status, text := s.do("GET", "/service/rest/v1/email", nil); status != http.StatusOK {
		t.Errorf("mail settings cannot be read: %d %s", status, text)
	}
}
