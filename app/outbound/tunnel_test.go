package outbound

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"entrepot/storage/kv"
	"entrepot/storage/kv/memory"
)

// TestTunnelThroughNTLM plays a proxy that wants NTLM: it sends a challenge and lets any reply of the right user through.
func TestTunnelThroughNTLM(t *testing.T) {
	for name, tt := range map[string]struct {
		offered string
		accept  bool
		want    string // of the error; "" for none
	}{
		"accepted":    {"NTLM " + challenge(), true, ""},
		"refused":     {"NTLM " + challenge(), false, "refuses the credentials"},
		"not offered": {`Basic realm="x"`, false, "does not offer NTLM"},
	} {
		t.Run(name, func(t *testing.T) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			go func() {
				if conn, err := l.Accept(); err == nil {
					proxy(conn, tt.offered, tt.accept)
				}
			}()
			s := open(t, kv.New(memory.New()), Options{})
			err = s.Set(t.Context(), Settings{HTTP: &Proxy{
				Enabled: true, Host: "127.0.0.1", Port: l.Addr().(*net.TCPAddr).Port,
				Auth: &ProxyAuth{Enabled: true, Username: "user", Password: "p", NTLMDomain: "DOM"},
			}})
			if err != nil {
				t.Fatal(err)
			}
			conn, err := s.Dial(t.Context(), "tcp", "repo.example.org:443")
			if tt.want != "" {
				if err == nil || !strings.Contains(err.Error(), tt.want) {
					t.Fatalf("%v, want %q", err, tt.want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if _, err := conn.Write([]byte("?")); err != nil {
				t.Fatal(err)
			}
			if got, err := io.ReadAll(conn); string(got) != "hello" || err != nil {
				t.Errorf("through the tunnel came %q, %v", got, err)
			}
		})
	}
}

// challenge is an NTLM challenge (MS-NLMP, section 2.2.1.2) with Unicode and NTLMv2 target information.
func challenge() string {
	var b bytes.Buffer
	b.WriteString("NTLMSSP\x00")
	for _, v := range []any{
		uint32(2), uint16(0), uint16(0), uint32(48), // type, empty target name
		uint32(0x00800001 | 0x00000200 | 0x00080000),                            // target info, Unicode, NTLM, extended session security
		uint64(0x0123456789abcdef), uint64(0), uint16(4), uint16(4), uint32(48), // challenge, reserved, target info
		uint16(0), uint16(0), // its end
	} {
		_ = binary.Write(&b, binary.LittleEndian, v) // a buffer never fails
	}
	return base64.StdEncoding.EncodeToString(b.Bytes())
}

func proxy(conn net.Conn, offered string, accept bool) {
	defer conn.Close()
	r := bufio.NewReader(conn)
	for step := range 2 {
		req, err := http.ReadRequest(r)
		if err != nil {
			return
		}
		message, _ := base64.StdEncoding.DecodeString(strings.TrimPrefix(req.Header.Get("Proxy-Authorization"), "NTLM "))
		user := []byte("D\x00O\x00M\x00u\x00s\x00e\x00r\x00")
		if step == 1 && accept && req.Method == http.MethodConnect && req.Host == "repo.example.org:443" && bytes.Contains(message, user) {
			fmt.Fprint(conn, "HTTP/1.1 200 OK\r\n\r\n")
			if first, err := r.ReadByte(); err == nil && first == '?' { // the one who dials speaks first
				fmt.Fprint(conn, "hello")
			}
			return
		}
		fmt.Fprintf(conn, "HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: %s\r\nContent-Length: 2\r\n\r\nno", offered)
	}
}

// TestTunnelWithAPassword goes through a proxy that wants Basic.
func TestTunnelWithAPassword(t *testing.T) {
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "hello") }))
	t.Cleanup(upstream.Close)
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Proxy-Authorization") != "Basic dTpwdw==" || r.Method != http.MethodConnect {
			w.WriteHeader(http.StatusProxyAuthRequired)
			return
		}
		behind, err := net.Dial("tcp", upstream.Listener.Addr().String())
		if err != nil {
			return
		}
		defer behind.Close()
		conn, buffered, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer conn.Close()
		fmt.Fprint(conn, "HTTP/1.1 200 OK\r\n\r\n")
		go func() { _, _ = io.Copy(behind, buffered) }()
		_, _ = io.Copy(conn, behind)
	}))
	t.Cleanup(proxy.Close)
	s := open(t, kv.New(memory.New()), Options{})
	port := proxy.Listener.Addr().(*net.TCPAddr).Port
	get := func(password Secret) (string, error) {
		auth := &ProxyAuth{Enabled: true, Username: "u", Password: password}
		if err := s.Set(t.Context(), Settings{HTTPS: &Proxy{Enabled: true, Host: "127.0.0.1", Port: port, Auth: auth}}); err != nil {
			t.Fatal(err)
		}
		conn, err := s.Tunnel(t.Context(), "tcp", "repo.example.org:443")
		if err != nil {
			return "", err
		}
		defer conn.Close()
		fmt.Fprint(conn, "GET / HTTP/1.0\r\n\r\n")
		answer, err := io.ReadAll(conn)
		return string(answer), err
	}
	if answer, err := get("pw"); err != nil || !strings.HasSuffix(answer, "hello") {
		t.Errorf("%q, %v", answer, err)
	}
	if _, err := get("other"); err == nil || !strings.Contains(err.Error(), "refuses the credentials") {
		t.Errorf("with a wrong password: %v", err)
	}
}
