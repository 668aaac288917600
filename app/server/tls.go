package server

import (
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"sync"
	"time"
)

// certificateCheck is how often the files of a certificate are looked at, at most.
const certificateCheck = 10 * time.Second

// Certificate is a TLS certificate in two files. It is read again when the files change; while they are half written or wrong the
// old one stays.
type Certificate struct {
	certFile, keyFile string
	log               *slog.Logger
	now               func() time.Time

	mu      sync.Mutex
	current *tls.Certificate
	stamp   [2]time.Time
	checked time.Time
}

// LoadCertificate reads a certificate chain and its key, both PEM. now is the clock, nil means time.Now.
func LoadCertificate(certFile, keyFile string, log *slog.Logger, now func() time.Time) (*Certificate, error) {
	if now == nil {
		now = time.Now
	}
	c := &Certificate{certFile: certFile, keyFile: keyFile, log: log, now: now}
	stamp, err := c.times()
	if err != nil {
		return nil, err
	}
	if err := c.load(stamp); err != nil {
		return nil, err
	}
	return c, nil
}

func (c *Certificate) times() (stamp [2]time.Time, err error) {
	for i, name := range []string{c.certFile, c.keyFile} {
		info, err := os.Stat(name)
		if err != nil {
			return stamp, fmt.Errorf("server: certificate: %w", err)
		}
		stamp[i] = info.ModTime()
	}
	return stamp, nil
}

func (c *Certificate) load(stamp [2]time.Time) error {
	pair, err := tls.LoadX509KeyPair(c.certFile, c.keyFile)
	if err != nil {
		return fmt.Errorf("server: certificate: %w", err)
	}
	c.current, c.stamp, c.checked = &pair, stamp, c.now()
	return nil
}

// get gives the certificate for a handshake.
func (c *Certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.now()
	if now.Sub(c.checked) < certificateCheck {
		return c.current, nil
	}
	c.checked = now
	stamp, err := c.times()
	if err == nil && stamp == c.stamp {
		return c.current, nil
	}
	if err == nil {
		err = c.load(stamp)
	}
	if err != nil {
		c.log.Error("certificate not renewed, the old one stays", "error", err)
		return c.current, nil
	}
	c.log.Info("certificate renewed", "file", c.certFile)
	return c.current, nil
}

func (c *Certificate) config() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: c.get, NextProtos: []string{"http/1.1"}}
}

// secureListener accepts TLS connections.
type secureListener struct {
	*listener
	config *tls.Config
}

// Accept implements net.Listener.
func (l *secureListener) Accept() (net.Conn, error) {
	c, err := l.listener.Accept()
	if err != nil {
		return nil, err
	}
	return &secureConn{tls.Server(c, l.config), c.(*conn)}, nil
}

// secureConn is a TLS connection that tells, like the one below it, a client's orderly end in the middle of a body from the body's.
type secureConn struct {
	*tls.Conn
	below *conn
}

// Read implements net.Conn.
func (s *secureConn) Read(p []byte) (int, error) {
	n, err := s.Conn.Read(p)
	if n > 0 && err == io.EOF {
		return n, nil // the next Read tells
	}
	return n, s.below.cut(err)
}
