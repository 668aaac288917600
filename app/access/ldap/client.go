package ldap

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync"
	"time"

	"github.com/go-ldap/ldap/v3"

	"entrepot/app/access"
)

// maxAtOnce bounds what one server is asked at a time; others wait their turn, at most for the server's timeout.
const maxAtOnce = 16

var (
	// errDown reports a server that is left alone after failures.
	errDown = errors.New("ldap: the server failed several times and is left alone for a while")
	// errAmbiguous reports people who cannot be told apart.
	errAmbiguous = errors.New("ldap: several entries have one id")
)

// client asks one server.
type client struct {
	server Server
	opts   *Options
	slots  chan struct{}

	mu        sync.Mutex
	shared    *ldap.Conn // of the service account, for all searches; nil until needed
	closed    bool
	incidents int       // failures in a row
	until     time.Time // when the server may be asked again
}

func newClient(server Server, opts *Options) *client {
	return &client{server: server, opts: opts, slots: make(chan struct{}, maxAtOnce)}
}

func (c *client) timeout() time.Duration { return time.Duration(c.server.Timeout) * time.Second }

// close ends the shared connection. Nothing is asked afterwards.
func (c *client) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	c.drop(c.shared)
}

// drop ends a connection that is not used any more. The caller holds mu.
func (c *client) drop(conn *ldap.Conn) {
	if conn == nil {
		return
	}
	if c.shared == conn {
		c.shared = nil
	}
	// The server may be gone; there is nothing to lose with the connection.
	_ = conn.Close()
}

// ask runs a question in its turn, and notes whether the server failed at it.
func (c *client) ask(ctx context.Context, question func(ctx context.Context) error) error {
	if c.down() {
		return errDown
	}
	bounded, cancel := context.WithTimeout(ctx, 2*c.timeout())
	defer cancel()
	select {
	case c.slots <- struct{}{}:
		defer func() { <-c.slots }()
	case <-bounded.Done():
		return fmt.Errorf("ldap: too many questions at once: %w", bounded.Err())
	}
	err := question(bounded)
	switch {
	case errors.Is(err, access.ErrBadCredentials), errors.Is(err, access.ErrNoUser), errors.Is(err, errAmbiguous):
		c.note(nil) // that was an answer
	case ctx.Err() == nil:
		c.note(err)
	}
	return err
}

func (c *client) down() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.opts.Now().Before(c.until)
}

// note counts failures in a row.
func (c *client) note(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err == nil {
		c.incidents = 0
		return
	}
	if c.incidents++; c.incidents >= max(1, c.server.MaxIncidents) {
		c.incidents, c.until = 0, c.opts.Now().Add(time.Duration(c.server.RetryDelay)*time.Second)
	}
}

// dial opens a connection on which nobody is bound. The caller closes it.
func (c *client) dial(ctx context.Context) (*ldap.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout())
	defer cancel()
	raw, err := c.opts.Dial(ctx, "tcp", net.JoinHostPort(c.server.Host, strconv.Itoa(c.server.Port)))
	if err != nil {
		return nil, fmt.Errorf("ldap: connect: %w", err)
	}
	if c.server.Protocol == TLS {
		if raw, err = c.encrypt(ctx, raw); err != nil {
			return nil, err
		}
	}
	conn := ldap.NewConn(raw, c.server.Protocol == TLS)
	conn.SetTimeout(c.timeout())
	conn.Start()
	return conn, nil
}

// encrypt speaks TLS on a connection, which it closes when that fails.
func (c *client) encrypt(ctx context.Context, raw net.Conn) (net.Conn, error) {
	var roots *x509.CertPool // nil: those of the system
	if c.server.TrustStore {
		roots = c.opts.Roots()
	}
	secure := tls.Client(raw, &tls.Config{ServerName: c.server.Host, RootCAs: roots, MinVersion: tls.VersionTLS12})
	if err := secure.HandshakeContext(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("ldap: encrypt the connection: %w", err), raw.Close())
	}
	return secure, nil
}

// dialService opens a connection on which the service account is bound.
func (c *client) dialService(ctx context.Context) (*ldap.Conn, error) {
	conn, err := c.dial(ctx)
	if err != nil {
		return nil, err
	}
	if err := c.bindService(conn); err != nil {
		return nil, errors.Join(fmt.Errorf("ldap: sign in as the service account: %w", err), conn.Close())
	}
	return conn, nil
}

func (c *client) bindService(conn *ldap.Conn) error {
	s := &c.server
	if s.Scheme != SchemeNone && s.Password == "" {
		return errors.New("it has no password")
	}
	switch s.Scheme {
	case SchemeNone:
		return nil // who binds nothing is anonymous
	case SchemeSimple:
		return conn.Bind(s.Username, string(s.Password))
	case SchemeDigestMD5:
		return conn.MD5Bind(s.Host, s.Username, string(s.Password))
	}
	return fmt.Errorf("scheme %s is not supported", s.Scheme)
}

// service gives the shared connection, which fresh makes a new one.
func (c *client) service(ctx context.Context, fresh bool) (conn *ldap.Conn, reused bool, err error) {
	c.mu.Lock()
	conn = c.shared
	if c.closed {
		c.mu.Unlock()
		return nil, false, errors.New("ldap: closed")
	}
	c.mu.Unlock()
	if conn != nil && !conn.IsClosing() && !fresh {
		return conn, true, nil
	}
	made, err := c.dialService(ctx)
	if err != nil {
		return nil, false, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		c.drop(made)
		return nil, false, errors.New("ldap: closed")
	}
	if c.shared != nil && c.shared != conn && !c.shared.IsClosing() { // somebody was faster
		c.drop(made)
		return c.shared, false, nil
	}
	c.drop(c.shared)
	c.shared = made
	return made, false, nil
}

// search asks over the shared connection; when that turns out to be dead, over a new one. An answer that the server cut short is one.
func (c *client) search(ctx context.Context, r *ldap.SearchRequest) ([]*ldap.Entry, error) {
	for fresh := false; ; fresh = true {
		conn, reused, err := c.service(ctx, fresh)
		if err != nil {
			return nil, err
		}
		result, err := conn.Search(r)
		switch {
		case err == nil, errors.Is(err, ldap.ErrSizeLimitExceeded), ldap.IsErrorWithCode(err, ldap.LDAPResultSizeLimitExceeded):
			return result.Entries, nil
		case ldap.IsErrorWithCode(err, ldap.LDAPResultNoSuchObject): // the base does not exist
			return nil, nil
		case reused && !fresh && broken(err):
			continue
		}
		return nil, fmt.Errorf("ldap: search: %w", err)
	}
}

// broken tells whether an error is the connection's, not the server's or a mistake of ours.
func broken(err error) bool {
	var said *ldap.Error
	return !errors.As(err, &said) || said.ResultCode == ldap.ErrorNetwork
}

// prove binds a person on a connection of its own.
func (c *client) prove(ctx context.Context, dn, secret string) error {
	if dn == "" || secret == "" {
		return access.ErrBadCredentials
	}
	conn, err := c.dial(ctx)
	if err != nil {
		return err
	}
	err = conn.Bind(dn, secret)
	_ = conn.Close() // it has served its purpose
	switch {
	case err == nil:
		return nil
	case ldap.IsErrorAnyOf(err, ldap.LDAPResultInvalidCredentials, ldap.LDAPResultNoSuchObject, ldap.LDAPResultInappropriateAuthentication,
		ldap.LDAPResultInsufficientAccessRights, ldap.LDAPResultConstraintViolation, ldap.LDAPResultInvalidDNSyntax, ldap.LDAPResultUnwillingToPerform):
		return access.ErrBadCredentials
	}
	return fmt.Errorf("ldap: bind: %w", err)
}
