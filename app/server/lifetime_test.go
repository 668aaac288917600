package server

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"entrepot/app/telemetry"
	"entrepot/formats"
)

func TestDrain(t *testing.T) {
	release := make(chan struct{})
	entered := make(chan struct{}, 1)
	s, addr := start(t, Options{}, Route{Pattern: "/wait", Access: Public(), Handler: func(*Request) (*formats.Response, error) {
		entered <- struct{}{}
		<-release
		return text("finished"), nil
	}}, Route{Pattern: "/", Access: Public(), Handler: func(*Request) (*formats.Response, error) { return text("hello"), nil }})
	busy, idle, fresh, head := dial(t, addr), dial(t, addr), dial(t, addr), dial(t, addr)
	idle.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
	idle.reply("GET")
	head.send("GET / HT")
	busy.send("GET /wait HTTP/1.1\r\nHost: h\r\n\r\n")
	<-entered
	ended := make(chan error, 1)
	go func() { ended <- s.Shutdown(t.Context()) }()
	for _, c := range []*client{idle, fresh} {
		if left := c.rest(); left != "" {
			t.Errorf("an idle connection got %q", left)
		}
	}
	for end := time.Now().Add(5 * time.Second); ; <-time.After(time.Millisecond) {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			break
		}
		c.Close()
		if time.Now().After(end) {
			t.Fatal("new connections are still accepted")
		}
	}
	select {
	case err := <-ended:
		t.Fatalf("the server ended before its request: %v", err)
	default:
	}
	close(release)
	if resp, body := busy.reply("GET"); body != "finished" || !resp.Close {
		t.Errorf("the request in flight got %q, connection kept: %v", body, !resp.Close)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestDrainGivesUp(t *testing.T) {
	s := New(Options{})
	err := s.Mount(Surface{Prefix: "/", Face: face{}}, Route{Pattern: "/wait", Access: Public(), Handler: func(r *Request) (*formats.Response, error) {
		<-r.Context().Done()
		return nil, r.Context().Err()
	}})
	if err != nil {
		t.Fatal(err)
	}
	addr, err := s.Listen(Listener{Address: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	c := dial(t, addr.String())
	c.send("GET /wait HTTP/1.1\r\nHost: h\r\n\r\n")
	for end := time.Now().Add(5 * time.Second); s.requests.Load() == 0; <-time.After(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("no request came")
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := s.Shutdown(ctx); err == nil || !strings.Contains(err.Error(), "cut off") {
		t.Errorf("got %v; want that a request was cut off", err)
	}
	if n := s.Connections(); n != 0 {
		t.Errorf("%d connections are left", n)
	}
}

func TestShutdownAtOnce(t *testing.T) {
	for range 20 {
		s := New(Options{})
		if _, err := s.Listen(Listener{Address: "127.0.0.1:0"}); err != nil {
			t.Fatal(err)
		}
		if err := s.Shutdown(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

// TestIdleConnections is a check of proportion: thousands of clients that do nothing must not cost much.
func TestIdleConnections(t *testing.T) {
	const connections = 2000
	s, addr := start(t, Options{}, Route{Pattern: "/", Access: Public(), Handler: func(*Request) (*formats.Response, error) { return text("hello"), nil }})
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for i := range connections {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			t.Skipf("this machine gives out %d connections: %v", i, err)
		}
		defer c.Close()
		if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: h\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadAtLeast(c, make([]byte, 512), 20); err != nil {
			t.Fatal(err)
		}
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if n := s.Connections(); n != connections {
		t.Errorf("%d connections are open; want %d", n, connections)
	}
	// Virtual size: the read buffers count whole here, of which the untouched pages take no memory.
	if each := (after.Sys - before.Sys) / connections; each > 160<<10 {
		t.Errorf("an idle connection reserves %d bytes", each)
	}
	c := dial(t, addr)
	c.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
	if _, body := c.reply("GET"); body != "hello" {
		t.Errorf("a new client gets %q", body)
	}
}

func TestTooManyConnections(t *testing.T) {
	s, addr := start(t, Options{MaxConnections: 2}, Route{Pattern: "/", Access: Public(), Handler: func(*Request) (*formats.Response, error) { return text("hello"), nil }})
	ask := func(c *client) int {
		c.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
		resp, _ := c.reply("GET")
		return resp.StatusCode
	}
	first, second, third := dial(t, addr), dial(t, addr), dial(t, addr)
	if ask(first) != 200 || ask(second) != 200 {
		t.Error("the first two are not served")
	}
	if resp, err := http.ReadResponse(third.in, nil); err != nil || resp.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("the third got %v, %v", resp, err)
	}
	first.Close()
	for end := time.Now().Add(5 * time.Second); s.Connections() > 1; <-time.After(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the first is not let go")
		}
	}
	if got := ask(dial(t, addr)); got != 200 {
		t.Errorf("the fourth got %d", got)
	}
}

// certificate writes a self-signed certificate with a serial number.
func certificate(t *testing.T, dir string, serial int64) (certFile, keyFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	certFile, keyFile = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for name, block := range map[string]*pem.Block{certFile: {Type: "CERTIFICATE", Bytes: der}, keyFile: {Type: "PRIVATE KEY", Bytes: secret}} {
		if err := os.WriteFile(name, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(name, time.Time{}, time.Unix(serial*1000, 0)); err != nil {
			t.Fatal(err)
		}
	}
	return certFile, keyFile
}

func TestTLS(t *testing.T) {
	dir := t.TempDir()
	certFile, keyFile := certificate(t, dir, 1)
	now := time.Unix(1_000_000, 0)
	cert, err := LoadCertificate(certFile, keyFile, slog.New(slog.DiscardHandler), func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	big := randomBytes(1 << 20)
	s := New(Options{Blobs: newShelf(t, map[string][]byte{"big": big})})
	err = s.Mount(Surface{Prefix: "/", Face: face{}}, blobRoute(), Route{Pattern: "/base", Access: Public(), Handler: func(r *Request) (*formats.Response, error) {
		return text(fmt.Sprint(r.BaseURL(), " ", r.Secure, " ", r.TLS())), nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	addr, err := s.Listen(Listener{Address: "127.0.0.1:0", TLS: cert})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Shutdown(t.Context()) }()
	ask := func(path string) (serial int64, body []byte) {
		t.Helper()
		c, err := tls.Dial("tcp", addr.String(), &tls.Config{InsecureSkipVerify: true})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if _, err := fmt.Fprintf(c, "GET %s HTTP/1.0\r\nHost: h\r\n\r\n", path); err != nil {
			t.Fatal(err)
		}
		all, err := io.ReadAll(c)
		if err != nil {
			t.Fatal(err)
		}
		_, body, _ = bytes.Cut(all, []byte("\r\n\r\n"))
		return c.ConnectionState().PeerCertificates[0].SerialNumber.Int64(), body
	}
	if serial, body := ask("/base"); serial != 1 || string(body) != "https://h true true" {
		t.Errorf("certificate %d, %q", serial, body)
	}
	if _, body := ask(fmt.Sprintf("/b/file:big/0/%d", len(big))); !bytes.Equal(body, big) {
		t.Errorf("%d bytes of a blob", len(body))
	}
	certificate(t, dir, 2)
	if serial, _ := ask("/base"); serial != 1 {
		t.Error("the files are read at every handshake")
	}
	now = now.Add(certificateCheck)
	if serial, _ := ask("/base"); serial != 2 {
		t.Error("the new certificate is not used")
	}
	if err := os.WriteFile(certFile, []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	now = now.Add(certificateCheck)
	if serial, _ := ask("/base"); serial != 2 {
		t.Error("a broken file took the certificate away")
	}
	if _, err := LoadCertificate(certFile, keyFile, nil, nil); err == nil {
		t.Error("a broken file passes at the start")
	}
}

func TestObserved(t *testing.T) {
	var logged bytes.Buffer
	access := telemetry.NewAccessLog(&logged, telemetry.JSONLines, slog.New(slog.DiscardHandler))
	registry := prometheus.NewRegistry()
	spans := tracetest.NewSpanRecorder()
	s := New(Options{
		AccessLog: access, Metrics: telemetry.NewRequests(registry), Blobs: newShelf(t, map[string][]byte{"big": make([]byte, 100000)}),
		Tracer: trace.NewTracerProvider(trace.WithSpanProcessor(spans)).Tracer("test"),
	})
	route := blobRoute()
	route.Class = "blob"
	err := s.Mount(Surface{Prefix: "/", Face: face{}, Authenticator: keeper{}}, route, Route{Methods: []string{"GET"}, Pattern: "/named", Access: Public(), Class: "page", Handler: func(r *Request) (*formats.Response, error) {
		r.Labels = Labels{Repository: "repo", Format: "raw", Class: "artifact"}
		return text("hello"), nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	addr, err := s.Listen(Listener{Address: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	c := dial(t, addr.String())
	c.send("GET /named?secret=1 HTTP/1.1\r\nHost: h\r\nX-User: ann\r\ntraceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n\r\n")
	c.reply("GET")
	c.send("GET /b/big/0/100000 HTTP/1.1\r\nHost: h\r\n\r\nGET /none HTTP/1.1\r\nHost: h\r\n\r\n")
	c.reply("GET")
	c.reply("GET")
	c.send("BAD\r\n\r\n")
	c.reply("GET")
	if err := s.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	access.Close()
	var lines []map[string]any
	for line := range strings.Lines(logged.String()) {
		var m map[string]any
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			t.Fatal(err)
		}
		lines = append(lines, m)
	}
	want := []map[string]any{
		{"method": "GET", "path": "/named", "status": 200.0, "bytes": 5.0, "user": "ann", "repository": "repo", "format": "raw", "class": "artifact", "remote": "127.0.0.1"},
		{"method": "GET", "path": "/b/big/0/100000", "status": 200.0, "bytes": 100000.0, "class": "blob"},
		{"method": "GET", "path": "/none", "status": 404.0},
		{"method": "-", "status": 400.0, "class": "refused"},
	}
	if len(lines) != len(want) {
		t.Fatalf("%d lines; want %d:\n%s", len(lines), len(want), logged.String())
	}
	for i := range want {
		for key, value := range want[i] {
			if lines[i][key] != value {
				t.Errorf("line %d: %s is %v; want %v", i, key, lines[i][key], value)
			}
		}
	}
	if strings.Contains(logged.String(), "secret") {
		t.Error("the query is logged")
	}
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	counted := map[string]float64{}
	for _, f := range families {
		for _, m := range f.Metric {
			counted[f.GetName()] += m.GetCounter().GetValue() + m.GetGauge().GetValue()
		}
	}
	if counted["entrepot_http_requests_total"] != 4 || counted["entrepot_http_requests_in_flight"] != 0 || counted["entrepot_http_response_bytes_total"] < 100005 {
		t.Errorf("counted %v", counted)
	}
	ended := spans.Ended()
	if len(ended) != 2 || ended[0].Name() != "GET /named" || ended[0].Parent().TraceID().String() != "0af7651916cd43dd8448eb211c80319c" {
		t.Errorf("spans %v", ended)
	}
}
