package trust

import (
	"bufio"
	"context"
	"crypto/ed25519"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"entrepot/storage/kv"
	"entrepot/storage/kv/memory"
)

// none is a system without authorities.
func none() (*x509.CertPool, error) { return nil, errors.New("no authorities") }

func open(t *testing.T, store *kv.Store, opts Options) *Store {
	t.Helper()
	opts.System = none
	s, err := Open(t.Context(), store, opts)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func serve(t *testing.T) (*httptest.Server, string) {
	t.Helper()
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "hello") }))
	t.Cleanup(s.Close)
	return s, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}))
}

// TestTrustDecidesWhoIsBelieved asks a server whose certificate nobody signed before, while and after it is trusted.
func TestTrustDecidesWhoIsBelieved(t *testing.T) {
	upstream, text := serve(t)
	store, changes := kv.New(memory.New()), 0
	s := open(t, store, Options{Changed: func() { changes++ }})
	get := func() error {
		c := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: s.Roots()}, DisableKeepAlives: true}}
		resp, err := c.Get(upstream.URL)
		if err == nil {
			err = resp.Body.Close()
		}
		return err
	}
	if get() == nil {
		t.Error("a certificate is believed that nobody trusted")
	}
	c, err := s.Add(t.Context(), "some words\n"+text)
	if err != nil {
		t.Fatal(err)
	}
	if err := get(); err != nil {
		t.Errorf("a trusted certificate is not believed: %v", err)
	}
	if _, err := s.Add(t.Context(), text); !errors.Is(err, ErrExists) {
		t.Errorf("twice: %v", err)
	}
	again := open(t, store, Options{})
	all, err := again.List(t.Context())
	if err != nil || len(all) != 1 || all[0].Fingerprint() != c.Fingerprint() || all[0].PEM() != text {
		t.Errorf("read back %v, %v", all, err)
	}
	if err := s.Delete(t.Context(), c.Fingerprint()); err != nil {
		t.Fatal(err)
	}
	if get() == nil {
		t.Error("a certificate is believed that is trusted no more")
	}
	if err := s.Delete(t.Context(), c.Fingerprint()); !errors.Is(err, ErrNotFound) {
		t.Errorf("deleted twice: %v", err)
	}
	if changes != 2 {
		t.Errorf("told of %d changes, want 2", changes)
	}
}

func TestFingerprintAndBadText(t *testing.T) {
	_, text := serve(t)
	c, err := Parse(text)
	if err != nil || len(c.Fingerprint()) != 59 || strings.Count(c.Fingerprint(), ":") != 19 {
		t.Errorf("fingerprint %q, %v", c.Fingerprint(), err)
	}
	for _, bad := range []string{
		"", "x", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", strings.ReplaceAll(text, "\n", " "), fmt.Sprintf("%q", text),
		strings.ReplaceAll(text, "CERTIFICATE", "PRIVATE KEY"), text + strings.Repeat("x", maxPEM),
	} {
		if _, err := Parse(bad); !errors.Is(err, ErrInvalid) {
			t.Errorf("%.40q: %v", bad, err)
		}
	}
}

func TestNothingChangesWhileFrozen(t *testing.T) {
	_, text := serve(t)
	frozen := errors.New("frozen")
	s := open(t, kv.New(memory.New()), Options{Writable: func() error { return frozen }})
	if _, err := s.Add(t.Context(), text); !errors.Is(err, frozen) {
		t.Errorf("Add: %v", err)
	}
	if err := s.Delete(t.Context(), "x"); !errors.Is(err, frozen) {
		t.Errorf("Delete: %v", err)
	}
}

func TestImportKeepsTheDate(t *testing.T) {
	_, text := serve(t)
	s := open(t, kv.New(memory.New()), Options{})
	c, err := Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	c.Added = time.Date(2020, 1, 2, 3, 4, 5, 0, time.UTC)
	for range 2 { // an import may run again
		if err := s.Import(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	got, err := s.Get(t.Context(), c.Fingerprint())
	if err != nil || !got.Added.Equal(c.Added) {
		t.Errorf("added %s, %v", got.Added, err)
	}
}

func TestRetrieve(t *testing.T) {
	upstream, text := serve(t)
	address := upstream.Listener.Addr().(*net.TCPAddr)
	mail := mailServer(t, upstream.TLS)
	s := open(t, kv.New(memory.New()), Options{})
	tests := []struct {
		host string
		port int
		hint string
		want error // nil: the certificate
	}{
		{"127.0.0.1", address.Port, "", nil},
		{"127.0.0.1", address.Port, "HTTPS", nil},
		{"127.0.0.1", address.Port, "smtp", nil},
		{"127.0.0.1", mail, "smtp", nil},
		{"", 443, "", ErrHost},
		{"a/b", 443, "", ErrHost},
		{"a..b", 443, "", ErrHost},
		{"127.0.0.1", 0, "", ErrPort},
		{"127.0.0.1", 65536, "", ErrPort},
		{"127.0.0.1", address.Port, "http", ErrHint},
	}
	for _, tt := range tests {
		c, err := s.Retrieve(t.Context(), tt.host, tt.port, tt.hint)
		switch {
		case tt.want != nil && !errors.Is(err, tt.want), tt.want == nil && err != nil:
			t.Errorf("%q:%d %s: %v, want %v", tt.host, tt.port, tt.hint, err, tt.want)
		case tt.want == nil && c.PEM() != text:
			t.Errorf("%q:%d %s: another certificate", tt.host, tt.port, tt.hint)
		}
	}
}

// mailServer knows EHLO and STARTTLS, and gives its port.
func mailServer(t *testing.T, config *tls.Config) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	t.Cleanup(func() {
		_ = l.Close()
		<-done
	})
	go func() {
		defer close(done)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			greet(conn, config)
		}
	}()
	return l.Addr().(*net.TCPAddr).Port
}

func greet(conn net.Conn, config *tls.Config) {
	defer conn.Close()
	fmt.Fprint(conn, "220-test\r\n220 ready\r\n")
	r := bufio.NewReader(conn)
	for _, answer := range []string{"250-test\r\n250 STARTTLS\r\n", "220 go\r\n"} {
		if line, err := r.ReadString('\n'); err != nil || strings.HasPrefix(line, "\x16") {
			return
		}
		fmt.Fprint(conn, answer)
	}
	_ = tls.Server(conn, config).HandshakeContext(context.Background()) // the client leaves as soon as it saw the certificate
}

func TestRetrieveGivesUp(t *testing.T) {
	s := open(t, kv.New(memory.New()), Options{Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Retrieve(ctx, "example.org", 443, ""); !errors.Is(err, context.Canceled) {
		t.Errorf("after the caller left: %v", err)
	}
}

// FuzzParse wants every text that is taken to be found again by what is made of it.
func FuzzParse(f *testing.F) {
	key := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	der, err := x509.CreateCertificate(nil, &x509.Certificate{SerialNumber: big.NewInt(1)}, &x509.Certificate{SerialNumber: big.NewInt(1)}, key.Public(), key)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})))
	f.Add("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
	f.Fuzz(func(t *testing.T, text string) {
		c, err := Parse(text)
		if err != nil {
			return
		}
		again, err := Parse(c.PEM())
		if err != nil || again.Fingerprint() != c.Fingerprint() {
			t.Errorf("%q is not found again: %v", text, err)
		}
	})
}
