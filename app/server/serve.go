package server

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"runtime/debug"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"entrepot/app/telemetry"
	"entrepot/formats"
)

// serve answers one request; every step of the edge is called from here.
func (s *Server) serve(c *fiber.Ctx) error {
	ctx := c.Context()
	own := plain(ctx.Conn())
	r := &own.request
	*r = Request{server: s, ctx: ctx, conn: own, context: s.context, started: ctx.Time(), id: s.requests.Add(1), Method: methodOf(ctx)}
	if s.opts.Metrics != nil {
		s.opts.Metrics.Begin()
	}
	own.clock = time.Time{}
	own.phase.Store(phaseHandling)
	resp := s.answer(r)
	s.settle(r, resp.Status)
	s.send(r, resp)
	own.phase.Store(phaseAnswering)
	if r.done {
		*r = Request{} // an idle connection keeps nothing of it
	}
	return nil
}

func methodOf(ctx *fasthttp.RequestCtx) string {
	if m, ok := ctx.UserValue(anyMethod).(string); ok {
		return m
	}
	return methodName(ctx.Method())
}

// answer never returns nil.
func (s *Server) answer(r *Request) (resp *formats.Response) {
	defer func() {
		if p := recover(); p != nil {
			s.log.Error("panic while answering", "id", r.id, "method", r.Method, "path", r.Target, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			resp = s.fail(r, &StatusError{Status: http.StatusInternalServerError})
		}
	}()
	s.guard(r)
	if err := s.parse(r); err != nil {
		return s.refuse(r, err)
	}
	resp, err := s.dispatch(r)
	if err != nil {
		return s.fail(r, err)
	}
	if resp == nil {
		return s.fail(r, errors.New("server: the handler answered nothing"))
	}
	return resp
}

// guard puts itself between handlers and the request's body.
func (s *Server) guard(r *Request) {
	r.Size = int64(r.ctx.Request.Header.ContentLength())
	src := r.ctx.RequestBodyStream()
	if src == nil || r.Size < -1 {
		r.Size = 0
		return
	}
	r.body = &body{src: src, conn: r.ctx.Conn(), timeout: s.opts.BodyTimeout, declared: r.Size}
}

// parse takes the head apart. Its errors are about HTTP itself and are answered the same everywhere.
func (s *Server) parse(r *Request) error {
	head := &r.ctx.Request.Header
	if !strings.HasPrefix(string(head.Protocol()), "HTTP/1.") {
		r.Close()
		return &StatusError{Status: http.StatusHTTPVersionNotSupported}
	}
	t, err := parseTarget(string(head.RequestURI()))
	if err != nil {
		return err
	}
	r.Target, r.Path, r.RawQuery, r.canonical = t.raw, t.path, t.query, t.canonical
	raw, chunked := head.RawHeaders(), head.ContentLength() == -1
	if !chunked && r.Method != http.MethodTrace && r.Target != "*" && r.conn.last.repeat(r, raw) {
		return nil
	}
	if r.Header, err = parseHeader(raw); err != nil {
		return err
	}
	if err := checkHead(r.Header, chunked); err != nil {
		return err
	}
	if connection := first(r.Header, "Connection"); connection != "" && strings.Contains(strings.ToLower(connection), "close") {
		r.ctx.SetConnectionClose() // fasthttp knows only the exact word
		r.closing = true
	}
	switch {
	case r.Method == http.MethodTrace:
		return &StatusError{Status: http.StatusForbidden, Bare: true}
	case r.Target == "*" && r.Method != http.MethodOptions:
		return &StatusError{Status: http.StatusBadRequest}
	}
	if err := s.locate(r); err != nil {
		return err
	}
	if !chunked && !r.closing {
		r.conn.last.keep(r, raw)
	}
	return nil
}

// checkHead refuses what makes a request ambiguous or cannot be done.
func checkHead(h http.Header, chunked bool) error {
	switch {
	case !validHost(first(h, "Host")):
		return &StatusError{Status: http.StatusBadRequest, Bare: true}
	case chunked && h["Content-Length"] != nil:
		return &StatusError{Status: http.StatusBadRequest}
	}
	for _, encoding := range h["Transfer-Encoding"] {
		if !strings.EqualFold(encoding, "chunked") { // "identity" is of no use but to hide where a body ends
			return &StatusError{Status: http.StatusBadRequest}
		}
	}
	for _, expect := range h["Expect"] {
		if !strings.EqualFold(expect, "100-continue") {
			return &StatusError{Status: http.StatusExpectationFailed}
		}
	}
	return nil
}

// dispatch finds who answers, who asks, and whether that is allowed.
func (s *Server) dispatch(r *Request) (*formats.Response, error) {
	if r.Target == "*" {
		return &formats.Response{Status: http.StatusOK, Header: http.Header{"Allow": {"GET,HEAD,POST,OPTIONS"}}}, nil
	}
	for _, surface := range s.surfaces {
		if strings.HasPrefix(r.canonical, surface.Prefix) {
			r.surface = surface
			break
		}
	}
	if r.surface == nil {
		return nil, &formats.Error{Kind: formats.NotFound}
	}
	if r.surface.Authenticator != nil {
		caller, err := r.surface.Authenticator.Authenticate(r)
		if err != nil {
			return nil, err
		}
		r.Caller = caller
	}
	route, err := r.surface.route(r)
	if err != nil {
		return nil, err
	}
	if s.opts.Acting != nil && r.Caller != nil && r.Method != http.MethodGet && r.Method != http.MethodHead {
		r.context = s.opts.Acting(r.context, r.Caller, r.Remote)
	}
	r.Labels.Class = route.Class
	if r.body != nil {
		r.body.limit = route.MaxBody
	}
	if s.opts.Tracer != nil {
		s.trace(r, route)
	}
	return handle(r, route)
}

// handle asks the route's handler when the caller may.
func handle(r *Request, route *mounted) (*formats.Response, error) {
	r.permissions = route.Access.permissions
	late := route.Access.kind == accessLate
	if route.Access.kind == accessSignedIn && !signedIn(r.Caller) {
		return nil, &formats.Error{Kind: formats.Forbidden}
	}
	if !late {
		if err := r.Authorize(); err != nil {
			return nil, err
		}
	}
	r.reached = true
	resp, err := route.Handler(r)
	if late && !r.authorized && err == nil {
		return nil, fmt.Errorf("server: the handler of %s did not check its permission", route.Pattern)
	}
	return resp, err
}

// signedIn reports whether a caller showed credentials: one that can tell that it did not, did not.
func signedIn(c Caller) bool {
	unknown, ok := c.(interface{ Anonymous() bool })
	return c != nil && !(ok && unknown.Anonymous())
}

// trace starts the request's span, below the client's where it sends one.
func (s *Server) trace(r *Request, route *mounted) {
	parent := propagation.TraceContext{}.Extract(r.context, propagation.HeaderCarrier(r.Header))
	r.context, r.span = s.opts.Tracer.Start(parent, r.Method+" "+route.Pattern, trace.WithSpanKind(trace.SpanKindServer), trace.WithTimestamp(r.started),
		trace.WithAttributes(attribute.String("http.request.method", r.Method), attribute.String("http.route", route.Pattern)))
}

// fail words an error and logs those that are not the client's.
func (s *Server) fail(r *Request, err error) *formats.Response {
	r.failed = true
	if cut := r.body.failed(); cut != nil {
		err = cut // whatever it led to
	}
	var answered *AnsweredError
	if !formats.IsPlain(err) && errors.As(err, &answered) {
		return answered.Response
	}
	if r.surface == nil {
		return s.refuse(r, err)
	}
	resp := r.surface.Face.Error(r, err)
	switch {
	case resp.Status == http.StatusBadGateway, resp.Status == http.StatusServiceUnavailable:
		s.log.Warn("request not served", "id", r.id, "method", r.Method, "path", r.Target, "status", resp.Status, "error", err)
	case resp.Status >= http.StatusInternalServerError:
		s.log.Error("request failed", "id", r.id, "method", r.Method, "path", r.Target, "status", resp.Status, "error", err)
	}
	return resp
}

// refuse answers what is wrong with the HTTP of a request. The page is short: whoever reads it is debugging a client.
func (s *Server) refuse(r *Request, err error) *formats.Response {
	r.failed = true
	r.Labels.Class = "refused"
	r.Close()
	refusal := &StatusError{Status: http.StatusBadRequest}
	if formats.KindOf(err) == formats.NotFound {
		refusal.Status = http.StatusNotFound
	}
	errors.As(err, &refusal)
	if refusal.Bare {
		return &formats.Response{Status: refusal.Status}
	}
	reason := refusal.Message
	if reason == "" {
		reason = http.StatusText(refusal.Status)
	}
	page := fmt.Sprintf("<h1>Bad Message %d</h1><pre>reason: %s</pre>", refusal.Status, reason)
	return &formats.Response{
		Status: refusal.Status, Reason: reason, Header: http.Header{"Content-Type": {"text/html;charset=iso-8859-1"}}, Body: formats.Body{Bytes: []byte(page)},
	}
}

// malformed answers a request whose head could not be read.
func (s *Server) malformed(ctx *fasthttp.RequestCtx, err error) {
	r := &Request{server: s, ctx: ctx, context: s.context, started: time.Now(), id: s.requests.Add(1), Method: "-", Target: "-"}
	refusal := &StatusError{Status: http.StatusBadRequest}
	var small *fasthttp.ErrSmallBuffer
	var network *net.OpError
	switch {
	case errors.As(err, &small):
		refusal.Status = http.StatusRequestHeaderFieldsTooLarge
	case strings.Contains(err.Error(), "required host header"): // the framework has no name for it
		refusal.Message = "No Host"
	case errors.Is(err, os.ErrDeadlineExceeded), errors.As(err, &network) && network.Timeout():
		refusal.Status = http.StatusRequestTimeout
	}
	if s.opts.Metrics != nil {
		s.opts.Metrics.Begin()
	}
	r.conn = plain(ctx.Conn())
	r.Remote = r.conn.remote
	r.conn.linger.Store(refusal.Status != http.StatusRequestTimeout)
	s.send(r, s.refuse(r, refusal))
}

// settle makes the connection fit for the next request, or makes it end.
func (s *Server) settle(r *Request, status int) {
	if r.body == nil {
		return
	}
	if r.surface != nil && r.surface.Exhaust != nil && r.surface.Exhaust(r, status) {
		r.body.exhaust()
	}
	if r.body.finish() {
		return
	}
	r.Close()
	r.conn.linger.Store(!errors.Is(r.body.err, os.ErrDeadlineExceeded)) // a client that sends nothing needs no patience
}

// finish tells the log, the metrics and the trace about an answer that has left, or has failed to.
func (s *Server) finish(r *Request, status int, err error) {
	if r.done {
		return
	}
	r.done = true
	r.conn.clock = time.Now()
	duration := r.conn.clock.Sub(r.started)
	if s.opts.Metrics != nil {
		s.opts.Metrics.Observe(telemetry.Observation{
			Method: r.Method, Format: r.Labels.Format, Class: r.Labels.Class, Status: status, Bytes: r.sent, Duration: duration,
		}, &r.conn.series)
	}
	if s.opts.AccessLog != nil {
		line := telemetry.Access{
			Time: r.started, ID: r.id, Method: r.Method, Path: r.Target, Status: status, Bytes: r.sent, Duration: duration, Remote: r.Remote,
			Repository: r.Labels.Repository, Format: r.Labels.Format, Class: r.Labels.Class,
		}
		if r.Caller != nil {
			line.Caller = r.Caller.UserID()
		}
		if err != nil {
			line.Error = err.Error()
		}
		s.opts.AccessLog.Add(line)
	}
	if r.span != nil {
		r.span.SetAttributes(attribute.Int("http.response.status_code", status), attribute.String("entrepot.format", r.Labels.Format))
		if status >= http.StatusInternalServerError {
			r.span.SetStatus(codes.Error, http.StatusText(status))
		}
		r.span.End()
	}
}
