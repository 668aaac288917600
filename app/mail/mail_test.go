package mail

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"

	"entrepot/storage/kv"
	"entrepot/storage/kv/memory"
)

// reverse is a sealer that one can see through.
type reverse struct{}

func (reverse) Seal(s string) (string, error) { return "sealed:" + s, nil }

func (reverse) Unseal(s string) (string, error) { return strings.TrimPrefix(s, "sealed:"), nil }

func settings() Settings {
	prefix := "[x]"
	return Settings{Enabled: true, Host: "mail.example.org", Port: 25, Username: "u", Password: "secret", From: "a@example.org", SubjectPrefix: &prefix}
}

func TestSettingsAreKeptWithTheirPasswordSealed(t *testing.T) {
	store := kv.New(memory.New())
	s := New(store, Options{Sealer: reverse{}})
	if _, found, err := s.Settings(t.Context()); found || err != nil {
		t.Fatalf("a new server has settings: %v", err)
	}
	if err := s.Set(t.Context(), settings()); err != nil {
		t.Fatal(err)
	}
	got, found, err := New(store, Options{Sealer: reverse{}}).Settings(t.Context())
	if err != nil || !found || got.Host != "mail.example.org" || got.Password != Secret("secret") {
		t.Errorf("read back %+v, %t, %v", got, found, err)
	}
	e, err := store.Get(t.Context(), key())
	if err != nil || strings.Contains(strings.ReplaceAll(string(e.Value), "sealed:secret", ""), "secret") {
		t.Errorf("the record shows the password: %s, %v", e.Value, err)
	}
	if text := fmt.Sprintf("%v %+v %#v", got, got, got); strings.Contains(text, "secret") {
		t.Errorf("settings print their password: %s", text)
	}
	if err := s.Clear(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, found, _ := s.Settings(t.Context()); found {
		t.Error("there are settings after they were cleared")
	}
}

func TestValidate(t *testing.T) {
	tests := []struct {
		change      func(*Settings)
		wantField   string
		wantMessage string
	}{
		{func(*Settings) {}, "", ""},
		{func(s *Settings) { s.Host = "::1" }, "", ""},
		{func(s *Settings) { s.Host = " " }, "host", "must not be blank"},
		{func(s *Settings) { s.Host = "http://x" }, "host", "Hostname must be valid"},
		{func(s *Settings) { s.Host = strings.Repeat("x", 201) }, "host", "Hostname must be valid"},
		{func(s *Settings) { s.Port = 0 }, "port", "Port-number must be >= 1 AND <= 65535."},
		{func(s *Settings) { s.Port = 65536 }, "port", "Port-number must be >= 1 AND <= 65535."},
		{func(s *Settings) { s.From = "" }, "fromAddress", "must not be blank"},
		{func(s *Settings) { s.From = "A <a@b.org>" }, "fromAddress", "must be a well-formed email address"},
	}
	for _, tt := range tests {
		s := settings()
		tt.change(&s)
		wrong := s.Validate()
		switch {
		case tt.wantField == "" && len(wrong) != 0, tt.wantField != "" && len(wrong) != 1:
			t.Errorf("%+v: %v", s, wrong)
		case tt.wantField != "" && (wrong[0].Field != tt.wantField || wrong[0].Message != tt.wantMessage):
			t.Errorf("%+v: %v, want %s: %s", s, wrong, tt.wantField, tt.wantMessage)
		}
	}
}

func TestChangesAreRefusedWhileNothingIsWritten(t *testing.T) {
	frozen := errors.New("frozen")
	s := New(kv.New(memory.New()), Options{Sealer: reverse{}, Writable: func() error { return frozen }})
	if err := s.Set(t.Context(), settings()); !errors.Is(err, frozen) {
		t.Errorf("Set: %v", err)
	}
	if err := s.Clear(t.Context()); !errors.Is(err, frozen) {
		t.Errorf("Clear: %v", err)
	}
}

// TestSendTalksToAMailServer plays a mail server that offers nothing but mail.
func TestSendTalksToAMailServer(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	got := make(chan string, 1)
	go func() {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		got <- receive(conn)
	}()
	s := New(kv.New(memory.New()), Options{Sealer: reverse{}, BaseURL: func() string { return "https://repo.example.org" }})
	if err := s.Send(t.Context(), Message{To: "b@example.org"}); !errors.Is(err, ErrNotSetUp) {
		t.Errorf("without settings: %v", err)
	}
	m := settings()
	m.Host, m.Port, m.Username = "127.0.0.1", l.Addr().(*net.TCPAddr).Port, ""
	if err := s.Set(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	if err := s.Send(t.Context(), Message{To: "b@example.org", Subject: "Hello\r\nBcc: c@example.org", Text: "It works."}); err != nil {
		t.Fatal(err)
	}
	mail := <-got
	for _, want := range []string{"MAIL FROM:<a@example.org>", "RCPT TO:<b@example.org>", "Subject: [x] Hello  Bcc: c@example.org", "It works.", "https://repo.example.org"} {
		if !strings.Contains(mail, want) {
			t.Errorf("the mail server got no %q in %q", want, mail)
		}
	}
}

// receive takes one mail and gives all that was said.
func receive(conn net.Conn) string {
	var said strings.Builder
	r := bufio.NewReader(conn)
	fmt.Fprint(conn, "220 test\r\n")
	data := false
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return said.String()
		}
		said.WriteString(line)
		switch {
		case data && line == ".\r\n":
			data = false
			fmt.Fprint(conn, "250 ok\r\n")
		case data:
		case strings.HasPrefix(line, "DATA"):
			data = true
			fmt.Fprint(conn, "354 go on\r\n")
		case strings.HasPrefix(line, "QUIT"):
			fmt.Fprint(conn, "221 bye\r\n")
			return said.String()
		default:
			fmt.Fprint(conn, "250 ok\r\n")
		}
	}
}
