package mail

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"mime"
	"net"
	"net/smtp"
	"strconv"
	"strings"
	"time"
)

// sendTimeout bounds the talk with a mail server.
const sendTimeout = 30 * time.Second

// overSMTP talks to a mail server as RFC 5321 says.
type overSMTP struct {
	roots func() *x509.CertPool
	now   func() time.Time
}

// Send implements Transport.
func (t overSMTP) Send(ctx context.Context, m Settings, message Message) error {
	ctx, cancel := context.WithTimeout(ctx, sendTimeout)
	defer cancel()
	address := net.JoinHostPort(m.Host, strconv.Itoa(m.Port))
	security := t.security(m)
	var conn net.Conn
	var err error
	if m.TLS {
		conn, err = (&tls.Dialer{Config: security}).DialContext(ctx, "tcp", address)
	} else {
		conn, err = (&net.Dialer{}).DialContext(ctx, "tcp", address)
	}
	if err != nil {
		return err
	}
	defer conn.Close()
	if deadline, ok := ctx.Deadline(); ok {
		if err := conn.SetDeadline(deadline); err != nil {
			return err
		}
	}
	client, err := smtp.NewClient(conn, m.Host)
	if err != nil {
		return err
	}
	if err := secure(client, m, security); err != nil {
		return err
	}
	return t.deliver(client, m, message)
}

// security gives how TLS is spoken. The mail server's certificate must be one that is trusted; that it is made for the server's name
// is checked only where the settings ask for it.
func (t overSMTP) security(m Settings) *tls.Config {
	c := &tls.Config{ServerName: m.Host, MinVersion: tls.VersionTLS12}
	if m.TrustStore {
		c.RootCAs = t.roots()
	}
	if m.CheckName {
		return c
	}
	c.InsecureSkipVerify = true // which leaves the name out; the rest is done here
	c.VerifyConnection = func(state tls.ConnectionState) error {
		opts := x509.VerifyOptions{Roots: c.RootCAs, Intermediates: x509.NewCertPool(), CurrentTime: t.now()}
		for _, cert := range state.PeerCertificates[1:] {
			opts.Intermediates.AddCert(cert)
		}
		_, err := state.PeerCertificates[0].Verify(opts)
		return err
	}
	return c
}

// secure starts TLS and signs in, as far as the settings ask for it.
func secure(client *smtp.Client, m Settings, security *tls.Config) error {
	offered, _ := client.Extension("STARTTLS")
	switch {
	case m.TLS:
	case offered && (m.StartTLS || m.NeedStartTLS):
		if err := client.StartTLS(security); err != nil {
			return err
		}
	case m.NeedStartTLS:
		return errors.New("the mail server does not offer STARTTLS")
	}
	if m.Username == "" {
		return nil
	}
	_, ways := client.Extension("AUTH")
	return client.Auth(&credentials{settings: m, ways: strings.Fields(strings.ToUpper(ways))})
}

// credentials sign in with PLAIN (RFC 4616) or, at servers that know no better, LOGIN. They go over a connection in the clear only
// where the settings ask for no TLS at all, or to this machine.
type credentials struct {
	settings Settings
	ways     []string
	asked    int
}

// Start implements smtp.Auth.
func (c *credentials) Start(server *smtp.ServerInfo) (string, []byte, error) {
	if ip := net.ParseIP(c.settings.Host); !server.TLS && c.settings.StartTLS && c.settings.Host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return "", nil, errors.New("the mail server does not offer STARTTLS, so the password is not sent")
	}
	for _, way := range c.ways {
		if way == "PLAIN" {
			return way, []byte("\x00" + c.settings.Username + "\x00" + string(c.settings.Password)), nil
		}
	}
	for _, way := range c.ways {
		if way == "LOGIN" {
			return way, nil, nil
		}
	}
	return "", nil, errors.New("the mail server offers neither PLAIN nor LOGIN")
}

// Next implements smtp.Auth.
func (c *credentials) Next(_ []byte, more bool) ([]byte, error) {
	if !more {
		return nil, nil
	}
	c.asked++
	switch c.asked {
	case 1:
		return []byte(c.settings.Username), nil
	case 2:
		return []byte(c.settings.Password), nil
	}
	return nil, errors.New("the mail server asks too much")
}

func (t overSMTP) deliver(client *smtp.Client, m Settings, message Message) error {
	if err := client.Mail(m.From); err != nil {
		return err
	}
	if err := client.Rcpt(message.To); err != nil {
		return err
	}
	w, err := client.Data()
	if err != nil {
		return err
	}
	header := strings.NewReplacer("\r", " ", "\n", " ")
	_, err = fmt.Fprintf(w, "From: %s\r\nTo: %s\r\nSubject: %s\r\nDate: %s\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n%s\r\n",
		header.Replace(m.From), header.Replace(message.To), mime.QEncoding.Encode("utf-8", header.Replace(message.Subject)),
		t.now().Format(time.RFC1123Z), message.Text)
	if err := errors.Join(err, w.Close()); err != nil {
		return err
	}
	return client.Quit()
}
