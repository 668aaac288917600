package trust

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// Limits of looking at a remote certificate: an administrator waits for it, and it must not become a tool to walk through networks.
const (
	retrieveTimeout = 10 * time.Second
	attemptTimeout  = 5 * time.Second // where there are two ways to try
	maxRetrievals   = 4
	maxGreeting     = 8 << 10 // bytes of what a mail server says before TLS
)

// Errors of a request to look at a certificate that makes no sense.
var (
	ErrHost = errors.New("trust: not a host name or address")
	ErrPort = errors.New("trust: port out of range")
	ErrHint = errors.New("trust: that protocol carries no certificate")
)

// Retrieve looks at the certificate that a server shows, whether or not it is trusted. hint is the protocol that is spoken there:
// "https" and "" mean TLS from the first byte, "smtp" means STARTTLS after a mail server's greeting (RFC 3207) if TLS from the first
// byte does not work. It takes ten seconds at most, and four can be under way.
func (s *Store) Retrieve(ctx context.Context, host string, port int, hint string) (Certificate, error) {
	switch {
	case !validHost(host):
		return Certificate{}, ErrHost
	case port < 1 || port > 65535:
		return Certificate{}, ErrPort
	case hint != "" && !strings.EqualFold(hint, "https") && !strings.EqualFold(hint, "smtp"):
		return Certificate{}, ErrHint
	}
	ctx, cancel := context.WithTimeout(ctx, retrieveTimeout)
	defer cancel()
	select {
	case s.retrieval <- struct{}{}:
		defer func() { <-s.retrieval }()
	case <-ctx.Done():
		return Certificate{}, fmt.Errorf("trust: retrieve: %w", ctx.Err())
	}
	address := net.JoinHostPort(host, strconv.Itoa(port))
	c, err := s.retrieve(ctx, address, host, strings.EqualFold(hint, "smtp"))
	if err != nil {
		return Certificate{}, fmt.Errorf("trust: retrieve: %w", err)
	}
	return Certificate{X509: c}, nil
}

// retrieve tries TLS from the first byte and, for a mail server, STARTTLS when that fails or the server waits for something else.
func (s *Store) retrieve(ctx context.Context, address, host string, mail bool) (*x509.Certificate, error) {
	if !mail {
		return s.show(ctx, address, host, nil)
	}
	first, cancel := context.WithTimeout(ctx, attemptTimeout)
	defer cancel()
	if c, err := s.show(first, address, host, nil); err == nil {
		return c, nil
	}
	return s.show(ctx, address, host, startTLS)
}

func validHost(host string) bool {
	if _, err := netip.ParseAddr(host); err == nil {
		return true
	}
	if host == "" || len(host) > 253 {
		return false
	}
	for _, label := range strings.Split(strings.TrimSuffix(host, "."), ".") {
		if label == "" || len(label) > 63 || strings.Trim(strings.ToLower(label), "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
			return false
		}
	}
	return true
}

// show makes the handshake and ends the connection; prepare speaks before it, when there is something to be said.
func (s *Store) show(ctx context.Context, address, host string, prepare func(net.Conn) error) (*x509.Certificate, error) {
	conn, err := s.opts.Dial(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	if err := refuseLinkLocal(conn); err != nil {
		return nil, err
	}
	if deadline, ok := ctx.Deadline(); ok {
		if err := conn.SetDeadline(deadline); err != nil {
			return nil, err
		}
	}
	if prepare != nil {
		if err := prepare(conn); err != nil {
			return nil, err
		}
	}
	var shown *x509.Certificate
	client := tls.Client(conn, &tls.Config{
		ServerName:         host,
		InsecureSkipVerify: true, // it is looked at in order to be trusted or not; nothing else is said over this connection
		VerifyConnection: func(state tls.ConnectionState) error {
			shown = state.PeerCertificates[0]
			return nil
		},
	})
	err = client.HandshakeContext(ctx)
	if shown != nil { // a server that wants a certificate of ours has shown its own by then
		return shown, nil
	}
	return nil, err
}

// startTLS has a mail server change to TLS.
func startTLS(conn net.Conn) error {
	lines := &limitedLines{conn: conn, left: maxGreeting}
	for _, command := range []string{"", "EHLO localhost\r\n", "STARTTLS\r\n"} {
		if command != "" {
			if _, err := conn.Write([]byte(command)); err != nil {
				return err
			}
		}
		if err := lines.expectSuccess(); err != nil {
			return err
		}
	}
	return nil
}

// limitedLines reads replies byte by byte: what comes behind the last belongs to TLS.
type limitedLines struct {
	conn net.Conn
	left int
}

// expectSuccess reads a reply (RFC 5321, section 4.2), which may have several lines.
func (l *limitedLines) expectSuccess() error {
	var line []byte
	one := make([]byte, 1)
	for l.left > 0 {
		l.left--
		if _, err := l.conn.Read(one); err != nil {
			return err
		}
		if one[0] != '\n' {
			line = append(line, one[0])
			continue
		}
		if len(line) < 3 || line[0] != '2' {
			return errors.New("the mail server refuses")
		}
		if len(line) == 3 || line[3] != '-' {
			return nil
		}
		line = line[:0]
	}
	return errors.New("the mail server says too much")
}

// refuseLinkLocal keeps the talk away from the addresses at which machines of clouds tell their secrets.
func refuseLinkLocal(conn net.Conn) error {
	end, err := netip.ParseAddrPort(conn.RemoteAddr().String())
	if err != nil {
		return nil // not over TCP
	}
	if a := end.Addr().Unmap(); a.IsLinkLocalUnicast() || a.IsMulticast() {
		return fmt.Errorf("addresses like %s are not asked", a)
	}
	return nil
}
