package server

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/textproto"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/valyala/fasthttp"
	"go.opentelemetry.io/otel/trace"

	"entrepot/formats"
)

// Caller is who sends a request, as far as this package needs to know.
type Caller interface {
	// UserID is for the log.
	UserID() string
}

// Request is a client's request. It is valid until its handler returns, but its strings and headers may be kept.
// Headers are shared between requests and not changed.
type Request struct {
	Method   string // as sent
	Target   string // path as sent, without query
	Path     string // Target percent-decoded: valid UTF-8, no NUL; "." and ".." segments as sent
	RawQuery string // as sent, without "?"
	Header   http.Header
	Size     int64  // Content-Length in bytes, -1 when unknown, 0 without a body
	Remote   string // client's address without port, as trusted proxies tell it
	Secure   bool   // the client's own connection is TLS, as trusted proxies tell it
	Caller   Caller // nil where the surface has no authenticator

	// Handlers fill these for the log and the metrics.
	Labels Labels

	server    *Server
	ctx       *fasthttp.RequestCtx
	conn      *conn
	context   context.Context
	span      trace.Span // nil when there is no tracer
	body      *body
	origin    origin
	canonical string
	query     url.Values
	surface   *Surface
	names     []string // of the route's parameters
	values    []string
	reached   bool
	failed    bool
	closing   bool // the client wants the connection to end
	done      bool

	opened formats.Response // the answer with its blob opened

	permissions []string // of the route
	authorized  bool     // they were checked

	started time.Time
	id      uint64
	sent    int64
}

// Labels say what a request was about.
type Labels struct {
	Repository string
	Format     string // metrics; from a closed set
	Class      string // route class, metrics; from a small closed set
}

// Context ends when the server gives up waiting for requests in flight. It carries the request's span where tracing is on.
func (r *Request) Context() context.Context { return r.context }

// ID is the number under which the log tells of the request.
func (r *Request) ID() uint64 { return r.id }

// Ending is closed when the server is about to stop: an answer that has no end of its own ends then.
func (r *Request) Ending() <-chan struct{} { return r.server.ending }

// Body gives the request's body, nil when there is none. Reading it fails with a *StatusError when it is cut off, too long for the
// route or stops arriving.
func (r *Request) Body() io.Reader {
	if r.body == nil {
		return nil
	}
	return r.body
}

// Param gives a parameter of the route's pattern, decoded.
func (r *Request) Param(name string) string {
	if i := slices.Index(r.names, name); i >= 0 {
		return r.values[i]
	}
	return ""
}

// Query gives the parameters of the query; broken escapes are left out.
func (r *Request) Query() url.Values {
	if r.query == nil {
		r.query, _ = url.ParseQuery(r.RawQuery)
	}
	return r.query
}

// Cookie gives the value of the first cookie with a name.
func (r *Request) Cookie(name string) (string, bool) {
	for _, line := range r.Header["Cookie"] {
		for len(line) > 0 {
			var pair string
			pair, line, _ = strings.Cut(line, ";")
			key, value, ok := strings.Cut(strings.TrimSpace(pair), "=")
			if ok && key == name {
				return strings.Trim(value, `"`), true
			}
		}
	}
	return "", false
}

// BaseURL is the server's external URL without a final slash: the configured one, else what the request's Host and the trusted
// proxies' headers say.
func (r *Request) BaseURL() string {
	if c := r.conn; c.base == "" || c.origin != r.origin {
		c.origin, c.base = r.origin, r.server.baseURL(r.origin)
	}
	return r.conn.base
}

// TLS reports whether the connection to this server is encrypted, whatever proxies say.
func (r *Request) TLS() bool { return r.ctx.IsTLS() }

// Authorize checks the permissions of a route that was mounted with PermissionAfterBody. Its error is for the handler to return.
func (r *Request) Authorize() error {
	for _, permission := range r.permissions {
		if r.Caller == nil || !r.surface.Authenticator.Permits(r.Caller, permission) {
			return &formats.Error{Kind: formats.Forbidden}
		}
	}
	r.authorized = true
	return nil
}

// Reached reports whether the caller was let in and the route's handler was asked.
func (r *Request) Reached() bool { return r.reached }

// Failed reports whether the answer is an error's.
func (r *Request) Failed() bool { return r.failed }

// Close makes the connection end after the answer.
func (r *Request) Close() { r.ctx.SetConnectionClose() }

// parseHeader copies the header lines into a map. A name with a blank in it is refused: proxies disagree about what it is.
func parseHeader(raw []byte) (http.Header, error) {
	text := string(raw)
	lines := strings.Count(text, "\n")
	h := make(http.Header, lines)
	values := make([]string, lines)
	for len(text) > 0 && len(values) > 0 {
		var line string
		line, text, _ = strings.Cut(text, "\n")
		name, value, ok := strings.Cut(line, ":")
		if !ok {
			continue
		}
		if strings.ContainsAny(name, " \t") {
			return nil, &StatusError{Status: http.StatusBadRequest, Message: "Illegal character SPACE=' '"}
		}
		key := textproto.CanonicalMIMEHeaderKey(name)
		value = strings.Trim(value, " \t\r")
		if had := h[key]; had != nil {
			h[key] = append(had, value)
			continue
		}
		values[0] = value
		h[key] = values[:1:1]
		values = values[1:]
	}
	return h, nil
}

// lastHead is the largest header block that an idle connection keeps, in bytes.
const lastHead = 1 << 10

// last is the header of a connection's last request with what was made of it: clients say the same again with each request.
type last struct {
	raw    []byte // as sent; empty when there is none
	header http.Header
	origin origin
	remote string
	secure bool
}

// keep remembers a header that is in order.
func (l *last) keep(r *Request, raw []byte) {
	if len(raw) > lastHead {
		*l = last{}
		return
	}
	*l = last{raw: append(l.raw[:0], raw...), header: r.Header, origin: r.origin, remote: r.Remote, secure: r.Secure}
}

// repeat takes over what was made of the last header when this one is the same.
func (l *last) repeat(r *Request, raw []byte) bool {
	if len(raw) == 0 || !bytes.Equal(l.raw, raw) {
		return false
	}
	r.Header, r.origin, r.Remote, r.Secure = l.header, l.origin, l.remote, l.secure
	return true
}

// first gives the first value of a header whose name is in its canonical form.
func first(h http.Header, name string) string {
	if values := h[name]; len(values) > 0 {
		return values[0]
	}
	return ""
}

// methodName avoids a copy for the methods that are seen all the time.
func methodName(b []byte) string {
	switch string(b) {
	case http.MethodGet:
		return http.MethodGet
	case http.MethodHead:
		return http.MethodHead
	case http.MethodPut:
		return http.MethodPut
	case http.MethodPost:
		return http.MethodPost
	case http.MethodDelete:
		return http.MethodDelete
	}
	return string(b)
}
