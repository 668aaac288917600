//go:build e2e

package e2e

import (
	"bufio"
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// resident gives the memory of the server in bytes.
func (s *server) resident() int64 {
	s.t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.cmd.Process.Pid))
	if err != nil {
		s.t.Fatal(err)
	}
	kib, err := strconv.ParseInt(strings.Fields(strings.TrimPrefix(findLine(string(text), "VmRSS:"), "VmRSS:"))[0], 10, 64)
	if err != nil {
		s.t.Fatal(err)
	}
	return kib << 10
}

// TestIdleConnections keeps 2,000 clients connected that have had their answer. They cost little and are in nobody's way.
func TestIdleConnections(t *testing.T) {
	s := start(t)
	s.makeRaw()
	if status, _ := s.do(http.MethodPut, "/repository/files/a.txt", strings.NewReader("a")); status != http.StatusCreated {
		t.Fatal(status)
	}
	before := s.resident()
	const clients = 2000
	for range clients {
		c := s.dial()
		fmt.Fprint(c, "GET /repository/files/a.txt HTTP/1.1\r\nHost: x\r\n\r\n")
		if resp, err := http.ReadResponse(bufio.NewReader(c), nil); err != nil || resp.StatusCode != http.StatusOK {
			t.Fatalf("%v %v", resp, err)
		}
	}
	grown := s.resident() - before
	t.Logf("%d idle connections take %d KiB each", clients, grown/clients>>10)
	if grown > clients*48<<10 {
		t.Errorf("%d idle connections take %d MiB", clients, grown>>20)
	}
	began := time.Now()
	if status, body := s.do(http.MethodGet, "/repository/files/a.txt", nil); status != http.StatusOK || body != "a" {
		t.Errorf("another client gets %d %q", status, body)
	}
	if status, _ := s.do(http.MethodPut, "/repository/files/b.txt", strings.NewReader("b")); status != http.StatusCreated {
		t.Errorf("another client's upload: %d", status)
	}
	s.stop()
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("two requests and the end took %v", took)
	}
}

// TestSlowClients wants those cut off who only hold the server up, and those served who are slow but go on.
func TestSlowClients(t *testing.T) {
	file := filepath.Join(t.TempDir(), "entrepot.yaml")
	write(t, file, "limits: {header_timeout: 1s, body_timeout: 1s, idle_timeout: 1s}\n")
	s := start(t, "--config", file)
	s.makeRaw()
	const size = 64 << 20
	if status, _ := s.do(http.MethodPut, "/repository/files/large.bin", bytes.NewReader(make([]byte, size))); status != http.StatusCreated {
		t.Fatal(status)
	}
	head := "PUT /repository/files/slow.bin HTTP/1.1\r\nHost: x\r\nAuthorization: " + basic + "\r\nContent-Length: 100000\r\n\r\n"
	cut := map[string]func(c net.Conn) error{
		"says nothing": func(net.Conn) error { return nil },
		"sends its head byte by byte": func(c net.Conn) error {
			return drip(c, "GET /repository/files/large.bin HTTP/1.1\r\nHost: x\r\nX-Long: "+strings.Repeat("x", 1000))
		},
		"stops in its body": func(c net.Conn) error {
			_, err := io.WriteString(c, head+strings.Repeat("x", 50000))
			return err
		},
		"asks once and stays": func(c net.Conn) error {
			_, err := io.WriteString(c, "GET /service/rest/v1/status HTTP/1.1\r\nHost: x\r\n\r\n")
			return err
		},
	}
	for name, act := range cut {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, began := s.dial(), time.Now()
			if err := act(c); err != nil && !closed(err) {
				t.Fatal(err)
			}
			if text, err := io.ReadAll(c); err != nil && !closed(err) {
				t.Errorf("still connected after %v: %q", time.Since(began), text)
			}
			if took := time.Since(began); took > 8*time.Second {
				t.Errorf("cut off after %v", took)
			}
		})
	}
	t.Run("takes nothing of its answer", func(t *testing.T) {
		t.Parallel()
		c := s.dial()
		fmt.Fprint(c, "GET /repository/files/large.bin HTTP/1.1\r\nHost: x\r\n\r\n")
		eventually(t, "the answer is given up", func() bool {
			return strings.Contains(s.log.String(), `"method":"GET","path":"/repository/files/large.bin"`)
		})
		if n, err := io.Copy(io.Discard, c); n >= size {
			t.Errorf("all came after all: %v", err)
		}
	})
	t.Run("is slow but goes on", func(t *testing.T) {
		t.Parallel()
		c := s.dial()
		fmt.Fprint(c, strings.Replace(head, "slow", "steady", 1))
		for range 20 {
			time.Sleep(100 * time.Millisecond) // the slowness is what is tested
			if _, err := c.Write(make([]byte, 5000)); err != nil {
				t.Fatal(err)
			}
		}
		if resp, err := http.ReadResponse(bufio.NewReader(c), nil); err != nil || resp.StatusCode != http.StatusCreated {
			t.Errorf("%v %v", resp, err)
		}
	})
	t.Cleanup(func() {
		for path, want := range map[string]int{"slow.bin": http.StatusNotFound, "steady.bin": http.StatusOK} {
			if status, _ := s.do(http.MethodGet, "/repository/files/"+path, nil); status != want {
				t.Errorf("%s: %d; want %d", path, status, want)
			}
		}
	})
}

// drip sends a text slowly until the other side has enough of it.
func drip(c net.Conn, text string) error {
	for i := range len(text) {
		if _, err := io.WriteString(c, text[i:i+1]); err != nil {
			return err
		}
		time.Sleep(20 * time.Millisecond)
	}
	return errors.New("all of it was taken")
}

// closed tells the end of a connection by the other side from a time-out on this one.
func closed(err error) bool { return !errors.Is(err, os.ErrDeadlineExceeded) }

// TestTLS serves HTTPS and takes a new certificate without a restart.
func TestTLS(t *testing.T) {
	t.Parallel()
	dir, address := t.TempDir(), freeAddress(t)
	certificate, key := filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")
	renew(t, certificate, key, 1)
	file := filepath.Join(dir, "entrepot.yaml")
	write(t, file, fmt.Sprintf("tls: {listen: %q, certificate: %q, key: %q}\n", address, certificate, key))
	s := start(t, "--config", file)
	serial := func() int64 {
		c, err := tls.Dial("tcp", address, &tls.Config{InsecureSkipVerify: true})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		return c.ConnectionState().PeerCertificates[0].SerialNumber.Int64()
	}
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	defer client.CloseIdleConnections()
	resp, body := get(t, client, "https://"+address+"/service/rest/v1/repositories", "admin", adminPassword)
	if resp.StatusCode != http.StatusOK || !strings.Contains(string(body), "https://"+address+"/repository/maven-public") {
		t.Errorf("%d %s; want URLs with https", resp.StatusCode, body)
	}
	if got := serial(); got != 1 {
		t.Errorf("certificate %d", got)
	}
	renew(t, certificate, key, 2)
	eventually(t, "the new certificate", func() bool { return serial() == 2 })
	if status, _ := s.do(http.MethodGet, "/service/rest/v1/status", nil); status != http.StatusOK {
		t.Errorf("plain HTTP beside it: %d", status)
	}
}

// renew writes a certificate of its own and its key.
func renew(t *testing.T, certificate, key string, serial int64) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "localhost"}, NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	write(t, key, string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})))
	write(t, certificate, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})))
}
