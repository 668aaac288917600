package outbound

import (
	"crypto/x509"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"entrepot/storage/kv"
	"entrepot/storage/kv/memory"
)

func TestTransport(t *testing.T) {
	server := httptest.NewTLSServer(http.NotFoundHandler())
	defer server.Close()
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusTeapot) }))
	defer proxy.Close()
	hop, err := url.Parse(proxy.URL)
	if err != nil {
		t.Fatal(err)
	}
	port, err := strconv.Atoi(hop.Port())
	if err != nil {
		t.Fatal(err)
	}
	s := open(t, kv.New(memory.New()), Options{})
	trusted := false
	client := &http.Client{Transport: s.Transport(func() *x509.CertPool {
		if !trusted {
			return nil
		}
		pool := x509.NewCertPool()
		pool.AddCert(server.Certificate())
		return pool
	})}
	ask := func(target, want string) {
		t.Helper()
		resp, err := client.Get(target)
		got := ""
		if err != nil {
			got = err.Error()
		} else {
			got = resp.Status
			_ = resp.Body.Close()
		}
		if !strings.Contains(got, want) {
			t.Errorf("%s: %s, want %s", target, got, want)
		}
	}
	ask(server.URL, "unknown authority")
	trusted = true
	ask(server.URL, "404")
	if err := s.Set(t.Context(), Settings{HTTP: &Proxy{Enabled: true, Host: hop.Hostname(), Port: port}, Direct: []string{"127.0.0.1"}}); err != nil {
		t.Fatal(err)
	}
	ask("http://id.example.org/", "418")
	ask(server.URL, "404")
	if err := s.SetGuard(t.Context(), Guard{Enabled: true}); err != nil {
		t.Fatal(err)
	}
	ask(server.URL, "private address")
}
