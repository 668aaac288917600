// Package upstream is the HTTP client of caches: it fetches from the one server that a cache copies, with its time-outs, retries,
// redirects, credentials and cookies, and stops asking for a while when that server fails.
//
// It knows nothing of repositories or blobs. What it reports is what the cache's rules need: an answer with any status, a refusal
// to ask (*BlockedError), or a failure before there was an answer (*TransportError). A failure in the middle of the body shows as an
// error of the body's Read.
//
// Invariants: credentials go to the configured host only; every wait is bounded by Settings.Timeout; a response body must be closed.
//
//	c, err := upstream.New(upstream.Settings{URL: "https://repo.example.org/maven2/"}, nil)
//	resp, err := c.Fetch(ctx, upstream.Request{Path: "org/acme/a/1/a-1.jar"})
package upstream

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"time"
)

// Defaults and limits of one cache's client.
const (
	DefaultTimeout = 20 * time.Second // for connecting and for each silence
	DefaultRetries = 2
	maxRedirects   = 50
	maxDrained     = 64 << 10 // bytes of a discarded answer that are read to keep its connection
)

// Settings say what to ask and how. The zero value of each member but URL is a default.
type Settings struct {
	URL               string        // base; a final "/" is added, query and fragment are dropped
	Timeout           time.Duration // for connecting and for each silence; 0 means that of Options
	Retries           *int          // further tries after an I/O error before the answer; nil means that of Options
	UserAgentSuffix   string
	CircularRedirects bool // follow a redirect to a place already visited
	Cookies           bool // keep the upstream's cookies and send them back
	UseTrustStore     bool // trust Options.Roots beside the system's
	Auth              *Auth
	Blocked           bool // never ask
	AutoBlock         bool // stop asking for a while after failures
}

// Options are what all clients of a server share. nil and zero members mean the documented default.
type Options struct {
	UserAgent string                                                            // default "Entrepot"
	Suffix    string                                                            // of the user agent of clients without one of their own
	Timeout   time.Duration                                                     // of clients without one of their own; default DefaultTimeout
	Retries   *int                                                              // of clients without a number of their own; default DefaultRetries
	Dial      func(ctx context.Context, network, addr string) (net.Conn, error) // default net.Dialer
	Proxy     func(*http.Request) (*url.URL, error)                             // outbound HTTP proxy; default none
	Roots     func() *x509.CertPool                                             // extra trust; default none
	Now       func() time.Time                                                  // default time.Now
	AfterFunc func(time.Duration, func()) (stop func() bool)                    // default time.AfterFunc
}

// Request asks for one path below the base URL.
type Request struct {
	Path   string      // decoded, relative to the base; a leading "/" is dropped
	Query  string      // raw query, without "?"
	Method string      // default GET
	Header http.Header // conditionals, Accept; nothing of the client's own request belongs here
}

// Response is the upstream's answer, whatever its status.
type Response struct {
	Status       int
	Reason       string // phrase of the status line
	Header       http.Header
	Body         io.ReadCloser // decoded when the upstream compressed it for transport
	Size         int64         // bytes of Body; -1 when unknown
	ETag         string        // as sent; quotes added when missing
	LastModified time.Time     // zero when absent or unreadable
}

// BlockedError reports that the upstream was not asked.
type BlockedError struct {
	Until time.Time // zero when an administrator blocked it
}

func (e *BlockedError) Error() string {
	if e.Until.IsZero() {
		return "Remote Manually Blocked"
	}
	return "Remote Auto Blocked until " + e.Until.UTC().Format("2006-01-02T15:04:05.000Z")
}

// TransportError reports that no answer came: name resolution, connection, TLS, a reset, a time-out or a broken chain of redirects.
type TransportError struct {
	Err error
}

func (e *TransportError) Error() string { return "upstream: " + e.Err.Error() }

func (e *TransportError) Unwrap() error { return e.Err }

// ErrInvalidPath reports a path that cannot be part of a URL.
var ErrInvalidPath = errors.New("upstream: path cannot form a URL")

// Client fetches from one upstream. It may be used from many goroutines. Close it when its settings change.
type Client struct {
	settings  Settings
	base      *url.URL
	userAgent string
	retries   int
	http      *http.Client
	transport *http.Transport
	auth      authenticator
	block     *blocker
}

// New makes a client. It does not contact the upstream.
func New(s Settings, o *Options) (*Client, error) {
	if o == nil {
		o = &Options{}
	}
	base, err := baseURL(s.URL)
	if err != nil {
		return nil, err
	}
	c := &Client{settings: s, base: base, retries: DefaultRetries, userAgent: "Entrepot"}
	if retries := cmp.Or(s.Retries, o.Retries); retries != nil {
		c.retries = *retries
	}
	if o.UserAgent != "" {
		c.userAgent = o.UserAgent
	}
	if suffix := cmp.Or(s.UserAgentSuffix, o.Suffix); suffix != "" {
		c.userAgent += " " + suffix
	}
	c.transport = newTransport(s, o)
	c.auth = newAuthenticator(s.Auth, base, c.transport)
	c.http = &http.Client{Transport: c.auth.transport(), CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	if s.Cookies {
		if c.http.Jar, err = cookiejar.New(nil); err != nil {
			return nil, fmt.Errorf("upstream: %w", err)
		}
	}
	c.block = newBlocker(o, c.probe)
	return c, nil
}

func baseURL(raw string) (*url.URL, error) {
	u, err := url.Parse(raw)
	if err != nil {
		return nil, fmt.Errorf("upstream: URL: %w", err)
	}
	if (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		return nil, fmt.Errorf("upstream: URL %q: want http:// or https:// and a host", u.Redacted())
	}
	u.RawQuery, u.Fragment, u.User = "", "", nil
	if !strings.HasSuffix(u.Path, "/") {
		u = u.JoinPath("/")
	}
	return u, nil
}

func newTransport(s Settings, o *Options) *http.Transport {
	timeout := cmp.Or(max(s.Timeout, 0), o.Timeout, DefaultTimeout)
	dial := o.Dial
	if dial == nil {
		dial = (&net.Dialer{KeepAlive: 30 * time.Second}).DialContext
	}
	t := &http.Transport{
		Proxy:                 o.Proxy,
		MaxIdleConnsPerHost:   20,
		MaxConnsPerHost:       20,
		IdleConnTimeout:       30 * time.Second,
		TLSHandshakeTimeout:   timeout,
		ResponseHeaderTimeout: timeout,
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			ctx, cancel := context.WithTimeout(ctx, timeout)
			defer cancel()
			conn, err := dial(ctx, network, addr)
			if err != nil {
				return nil, err
			}
			return &patientConn{Conn: conn, timeout: timeout}, nil
		},
	}
	if s.UseTrustStore && o.Roots != nil {
		t.TLSClientConfig = &tls.Config{RootCAs: o.Roots(), MinVersion: tls.VersionTLS12}
	}
	return t
}

// patientConn gives up on a silence, not on a long transfer.
type patientConn struct {
	net.Conn
	timeout time.Duration
}

func (c *patientConn) Read(p []byte) (int, error) {
	if err := c.SetReadDeadline(time.Now().Add(c.timeout)); err != nil {
		return 0, err
	}
	return c.Conn.Read(p)
}

func (c *patientConn) Write(p []byte) (int, error) {
	if err := c.SetWriteDeadline(time.Now().Add(c.timeout)); err != nil {
		return 0, err
	}
	return c.Conn.Write(p)
}

// Fetch asks the upstream and follows its redirects. The caller closes the response's body.
func (c *Client) Fetch(ctx context.Context, r Request) (*Response, error) {
	if c.settings.Blocked {
		return nil, &BlockedError{}
	}
	if c.settings.AutoBlock {
		if until := c.block.until(); !until.IsZero() {
			return nil, &BlockedError{Until: until}
		}
	}
	target, err := c.target(r)
	if err != nil {
		return nil, err
	}
	resp, redirected, err := c.follow(ctx, target, r)
	if ctx.Err() != nil && err != nil {
		return nil, err // the caller gave up; says nothing about the upstream
	}
	if c.settings.AutoBlock {
		c.judge(resp, redirected, err)
	}
	if err != nil {
		return nil, &TransportError{Err: err}
	}
	return answer(resp), nil
}

// judge starts or ends automatic blocking. Only the configured host's own failures count.
func (c *Client) judge(resp *http.Response, redirected bool, err error) {
	switch {
	case redirected:
	case err != nil, resp.StatusCode >= 500, resp.StatusCode == http.StatusUnauthorized, resp.StatusCode == http.StatusProxyAuthRequired:
		c.block.failed()
	default:
		c.block.succeeded()
	}
}

func (c *Client) target(r Request) (*url.URL, error) {
	path := strings.TrimPrefix(r.Path, "/")
	if strings.ContainsAny(path, "\x00\r\n") {
		return nil, ErrInvalidPath
	}
	u := *c.base
	u.Path = c.base.Path + path
	u.RawPath = c.base.EscapedPath() + escapePath(path)
	u.RawQuery = r.Query
	return &u, nil
}

// escapePath escapes what cannot stand in a URL's path and leaves the rest as clients spell it.
func escapePath(path string) string {
	const upperHex = "0123456789ABCDEF"
	var b strings.Builder
	for i := 0; i < len(path); i++ {
		ch := path[i]
		if ch <= ' ' || ch >= 0x7f || strings.IndexByte("\"#%:<>?[\\]^`{|}", ch) >= 0 {
			b.Write([]byte{'%', upperHex[ch>>4], upperHex[ch&15]})
			continue
		}
		b.WriteByte(ch)
	}
	return b.String()
}

// follow sends the request and goes where redirects lead. redirected tells that the outcome is another place's.
func (c *Client) follow(ctx context.Context, target *url.URL, r Request) (resp *http.Response, redirected bool, err error) {
	visited := make(map[string]bool)
	for range maxRedirects + 1 {
		if resp, err = c.try(ctx, target, r); err != nil {
			return nil, redirected, err
		}
		location := resp.Header.Get("Location")
		if !isRedirect(resp.StatusCode) || location == "" {
			return resp, redirected, nil
		}
		drain(resp.Body)
		next, err := target.Parse(location)
		if err != nil {
			return nil, redirected, fmt.Errorf("redirect of %s: %w", target.Redacted(), err)
		}
		if next.Scheme != "http" && next.Scheme != "https" {
			return nil, redirected, fmt.Errorf("redirect of %s: unsupported scheme %q", target.Redacted(), next.Scheme)
		}
		key := next.String()
		if visited[key] && !c.settings.CircularRedirects {
			return nil, redirected, fmt.Errorf("circular redirect to %s", next.Redacted())
		}
		visited[key] = true
		redirected = redirected || next.Host != c.base.Host
		target = next
	}
	return nil, redirected, fmt.Errorf("more than %d redirects", maxRedirects)
}

func isRedirect(status int) bool {
	switch status {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		return true
	}
	return false
}

// try sends to one place, again after an I/O error, and once more with credentials after a challenge.
func (c *Client) try(ctx context.Context, target *url.URL, r Request) (*http.Response, error) {
	var resp *http.Response
	var err error
	for attempt := 0; attempt <= c.retries; attempt++ {
		if resp, err = c.send(ctx, target, r, c.auth.first(target)); err == nil || ctx.Err() != nil {
			break
		}
	}
	if err != nil || resp.StatusCode != http.StatusUnauthorized {
		return resp, err
	}
	method := resp.Request.Method
	credentials := c.auth.reply(target, method, resp.Header.Values("WWW-Authenticate"))
	if credentials == "" {
		return resp, nil
	}
	drain(resp.Body)
	return c.send(ctx, target, r, credentials)
}

func (c *Client) send(ctx context.Context, target *url.URL, r Request, authorization string) (*http.Response, error) {
	method := r.Method
	if method == "" {
		method = http.MethodGet
	}
	ctx = WithScheme(ctx, target.Scheme)
	req := (&http.Request{Method: method, URL: target, Host: target.Host, Header: make(http.Header), Body: nothing{}}).WithContext(ctx)
	for name, values := range r.Header {
		req.Header[name] = values
	}
	req.Header.Set("User-Agent", c.userAgent)
	if authorization != "" {
		req.Header.Set("Authorization", authorization)
	}
	return c.http.Do(req)
}

type schemeKey struct{}

// WithScheme gives a context that tells Options.Dial for what a connection is opened.
func WithScheme(ctx context.Context, scheme string) context.Context {
	return context.WithValue(ctx, schemeKey{}, scheme)
}

// SchemeOf gives the scheme of the URL that a connection is opened for, from the context that Options.Dial gets; "" elsewhere.
func SchemeOf(ctx context.Context) string {
	scheme, _ := ctx.Value(schemeKey{}).(string)
	return scheme
}

// nothing is an empty body that net/http does not know to be repeatable, so that the number of tries is ours alone.
type nothing struct{}

func (nothing) Read([]byte) (int, error) { return 0, io.EOF }

func (nothing) Close() error { return nil }

// drain reads the rest of a small answer, so that its connection can be used again.
func drain(body io.ReadCloser) {
	_, _ = io.CopyN(io.Discard, body, maxDrained) // an unreadable rest only costs the connection
	_ = body.Close()
}

func answer(resp *http.Response) *Response {
	a := &Response{Status: resp.StatusCode, Reason: reason(resp.Status), Header: resp.Header, Body: resp.Body, Size: resp.ContentLength}
	if tag := strings.TrimSpace(resp.Header.Get("ETag")); tag != "" {
		if !strings.HasPrefix(tag, `"`) && !strings.HasPrefix(tag, "W/") {
			tag = `"` + tag + `"`
		}
		a.ETag = tag
	}
	if t, err := http.ParseTime(resp.Header.Get("Last-Modified")); err == nil {
		a.LastModified = t.UTC()
	}
	return a
}

// reason is what stands behind the number in a status line.
func reason(status string) string {
	_, phrase, _ := strings.Cut(status, " ")
	return phrase
}

// probe asks whether the upstream answers again, for the end of an automatic block.
func (c *Client) probe(ctx context.Context) bool {
	resp, redirected, err := c.follow(ctx, c.base, Request{Method: http.MethodHead})
	if err != nil {
		return false
	}
	drain(resp.Body)
	return redirected || resp.StatusCode < 500 && resp.StatusCode != http.StatusUnauthorized && resp.StatusCode != http.StatusProxyAuthRequired
}

// Close ends background work and idle connections. Fetches under way may finish.
func (c *Client) Close() {
	c.block.close()
	c.transport.CloseIdleConnections()
}
