package mail

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"net"
	"net/http/httptest"
	"net/smtp"
	"strings"
	"testing"

	"entrepot/storage/kv"
	"entrepot/storage/kv/memory"
)

// mailbox plays a mail server with STARTTLS and one account.
type mailbox struct {
	port     int
	offer    string // what it offers once, or instead of, TLS is spoken
	startTLS bool
	config   *tls.Config
	wrapped  bool // TLS from the first byte
	got      chan string
}

func newMailbox(t *testing.T, m mailbox) *mailbox {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	m.port, m.got = l.Addr().(*net.TCPAddr).Port, make(chan string, 1)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			m.talk(conn)
		}
	}()
	t.Cleanup(func() {
		_ = l.Close()
		<-done
	})
	return &m
}

func (m *mailbox) talk(conn net.Conn) {
	defer func() { _ = conn.Close() }() // conn changes with TLS
	secured := m.wrapped
	if m.wrapped {
		conn = tls.Server(conn, m.config)
	}
	fmt.Fprint(conn, "220 test\r\n")
	r := bufio.NewReader(conn)
	said := ""
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return
		}
		said += line
		switch word, _, _ := strings.Cut(strings.TrimSpace(line), " "); word {
		case "EHLO":
			offer := m.offer
			if m.startTLS && !secured {
				offer = "STARTTLS"
			}
			fmt.Fprintf(conn, "250-test\r\n250 %s\r\n", offer)
		case "STARTTLS":
			fmt.Fprint(conn, "220 go\r\n")
			conn = tls.Server(conn, m.config)
			r, secured = bufio.NewReader(conn), true
		case "AUTH":
			said += m.signIn(conn, r, line)
		case "DATA":
			fmt.Fprint(conn, "354 go on\r\n")
		case ".":
			m.got <- fmt.Sprintf("secured=%t %s", secured, said)
			fmt.Fprint(conn, "250 ok\r\n")
		case "QUIT":
			fmt.Fprint(conn, "221 bye\r\n")
			return
		case "MAIL", "RCPT":
			fmt.Fprint(conn, "250 ok\r\n")
		}
	}
}

// signIn asks for user and password, unless they came along, and says what it got.
func (m *mailbox) signIn(conn net.Conn, r *bufio.Reader, line string) (said string) {
	fields := strings.Fields(line)
	words := fields[2:]
	if fields[1] == "LOGIN" {
		for _, ask := range []string{"Username:", "Password:"} {
			fmt.Fprintf(conn, "334 %s\r\n", base64.StdEncoding.EncodeToString([]byte(ask)))
			word, err := r.ReadString('\n')
			if err != nil {
				return said
			}
			words = append(words, strings.TrimSpace(word))
		}
	}
	for _, word := range words {
		plain, err := base64.StdEncoding.DecodeString(word)
		if err != nil {
			return said
		}
		said += strings.ReplaceAll(string(plain), "\x00", "/") + "\n"
	}
	fmt.Fprint(conn, "235 welcome\r\n")
	return said
}

func TestSendOverTLSAndWithAPassword(t *testing.T) {
	web := httptest.NewUnstartedServer(nil)
	web.StartTLS()
	t.Cleanup(web.Close)
	trusted := x509.NewCertPool()
	trusted.AddCert(web.Certificate())
	tests := map[string]struct {
		box      mailbox
		settings Settings
		roots    *x509.CertPool
		want     string // in what was said
		fails    string // in the error
	}{
		"start tls, plain":  {mailbox{startTLS: true, offer: "AUTH PLAIN LOGIN"}, Settings{StartTLS: true, TrustStore: true, CheckName: true}, trusted, "/u/secret", ""},
		"start tls, login":  {mailbox{startTLS: true, offer: "AUTH LOGIN"}, Settings{StartTLS: true, TrustStore: true}, trusted, "u\nsecret", ""},
		"tls at once":       {mailbox{wrapped: true, offer: "AUTH PLAIN"}, Settings{TLS: true, TrustStore: true}, trusted, "secured=true", ""},
		"not trusted":       {mailbox{startTLS: true, offer: "AUTH PLAIN"}, Settings{StartTLS: true}, trusted, "", "certificate"},
		"no trust store":    {mailbox{startTLS: true, offer: "AUTH PLAIN"}, Settings{StartTLS: true, TrustStore: true}, x509.NewCertPool(), "", "certificate"},
		"tls needed":        {mailbox{offer: "AUTH PLAIN"}, Settings{NeedStartTLS: true}, nil, "", "does not offer STARTTLS"},
		"in the clear":      {mailbox{offer: "AUTH PLAIN"}, Settings{}, nil, "secured=false", ""},
		"no way to sign in": {mailbox{offer: "8BITMIME"}, Settings{}, nil, "", "neither PLAIN nor LOGIN"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			tt.box.config = web.TLS
			box := newMailbox(t, tt.box)
			s := New(kv.New(memory.New()), Options{Sealer: reverse{}, Roots: func() *x509.CertPool { return tt.roots }})
			m := tt.settings
			m.Host, m.Port, m.From, m.Username, m.Password = "127.0.0.1", box.port, "a@example.org", "u", "secret"
			if err := s.Set(t.Context(), m); err != nil {
				t.Fatal(err)
			}
			err := s.Send(t.Context(), Message{To: "b@example.org", Subject: "Grüße", Text: "It works."})
			if tt.fails != "" {
				if err == nil || !strings.Contains(err.Error(), tt.fails) {
					t.Errorf("%v, want %q", err, tt.fails)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := <-box.got; !strings.Contains(got, tt.want) || !strings.Contains(got, "Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=") {
				t.Errorf("the mail server got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestNoPasswordInTheClearWhereTLSWasWanted(t *testing.T) {
	c := &credentials{settings: Settings{Host: "mail.example.org", StartTLS: true}, ways: []string{"PLAIN"}}
	if _, _, err := c.Start(&smtp.ServerInfo{}); err == nil {
		t.Error("the password would be sent in the clear")
	}
}
