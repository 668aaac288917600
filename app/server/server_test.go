package server

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"entrepot/formats"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.updateServerDate.func1"),    // the clock of the Date header
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.(*workerPool).Start.func2")) // looks for its end every ten seconds
}

// face words errors as their text.
type face struct{ lines []Line }

func (f face) Lines(*Request, int) []Line { return f.lines }

func (f face) Error(_ *Request, err error) *formats.Response {
	status := http.StatusInternalServerError
	var own *StatusError
	switch kind := formats.KindOf(err); {
	case errors.As(err, &own):
		status = own.Status
	case kind == formats.NotFound:
		status = http.StatusNotFound
	case kind == formats.MethodNotAllowed:
		status = http.StatusMethodNotAllowed
	case kind == formats.Forbidden:
		status = http.StatusForbidden
	case kind == formats.Unauthenticated:
		status = http.StatusUnauthorized
	}
	return &formats.Response{Status: status, Body: formats.Body{Bytes: []byte(err.Error())}}
}

func text(s string) *formats.Response {
	return &formats.Response{Status: http.StatusOK, Header: http.Header{"Content-Type": {"text/plain"}}, Body: formats.Body{Bytes: []byte(s)}}
}

// start runs a server with one surface and gives its address.
func start(t *testing.T, opts Options, routes ...Route) (*Server, string) {
	t.Helper()
	s := New(opts)
	if err := s.Mount(Surface{Prefix: "/", Face: face{}}, routes...); err != nil {
		t.Fatal(err)
	}
	addr, err := s.Listen(Listener{Address: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		_ = s.Shutdown(ctx)
	})
	return s, addr.String()
}

// client is a raw connection.
type client struct {
	net.Conn
	t  *testing.T
	in *bufio.Reader
}

func dial(t *testing.T, addr string) *client {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return &client{Conn: c, t: t, in: bufio.NewReader(c)}
}

func (c *client) send(format string, args ...any) {
	c.t.Helper()
	if _, err := fmt.Fprintf(c, format, args...); err != nil {
		c.t.Fatal(err)
	}
}

// reply reads one answer and its body.
func (c *client) reply(method string) (*http.Response, string) {
	c.t.Helper()
	resp, err := http.ReadResponse(c.in, &http.Request{Method: method})
	if err != nil {
		c.t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	return resp, string(body)
}

// rest reads until the server ends the connection.
func (c *client) rest() string {
	c.t.Helper()
	all, err := io.ReadAll(c.in)
	if err != nil {
		c.t.Fatal(err)
	}
	return string(all)
}

// refusing answers 401 to everything without a look at the body.
func refusing(*Request) (*formats.Response, error) {
	return &formats.Response{Status: http.StatusUnauthorized, Body: formats.Body{Bytes: []byte("no")}}, nil
}

// TestUnreadBodyIsNoRequest states that what a handler leaves of a body is never taken for a request: behind a proxy that shares
// connections that would be a request in somebody else's name.
func TestUnreadBodyIsNoRequest(t *testing.T) {
	smuggled := "GET /admin HTTP/1.1\r\nHost: h\r\n\r\n"
	padding := strings.Repeat("x", 8<<10)
	chunk := func(s string) string { return fmt.Sprintf("%x\r\n%s\r\n", len(s), s) }
	tests := []struct {
		name string
		body string // with its framing headers
	}{
		{"content length", fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(padding)+len(smuggled), padding+smuggled)},
		{"short", fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(smuggled), smuggled)},
		{"long", fmt.Sprintf("Content-Length: %d\r\n\r\n%s", drainLimit*2+len(smuggled), strings.Repeat("y", 2*drainLimit)+smuggled)},
		{"chunked", "Transfer-Encoding: chunked\r\n\r\n" + chunk(padding) + chunk(smuggled) + "0\r\n\r\n"},
		{"chunked long", "Transfer-Encoding: chunked\r\n\r\n" + chunk(strings.Repeat(padding, 64)) + chunk(smuggled) + "0\r\n\r\n"},
		{"GET with a body", fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(padding)+len(smuggled), padding+smuggled)},
		{"HEAD with a body", fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(smuggled), smuggled)},
		{"DELETE with chunks", "Transfer-Encoding: chunked\r\n\r\n" + chunk(smuggled) + "0\r\n\r\n"},
		{"FOO with a body", fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(smuggled), smuggled)},
		{"chunked with trailer", "Transfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n" + chunk(smuggled) + "0\r\nX-Sum: 1\r\n\r\n"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			admin := 0
			_, addr := start(t, Options{},
				Route{Pattern: "/**", Access: Public(), Handler: refusing},
				Route{Methods: []string{"GET"}, Pattern: "/admin", Access: Public(), Handler: func(*Request) (*formats.Response, error) { admin++; return text("admin"), nil }},
				Route{Methods: []string{"GET"}, Pattern: "/honest", Access: Public(), Handler: func(*Request) (*formats.Response, error) { return text("honest"), nil }},
			)
			method, _, named := strings.Cut(test.name, " with ")
			if !named || method == "chunked" {
				method = "PUT"
			}
			c := dial(t, addr)
			go func() { // the server may end the connection while this writes
				_, _ = io.WriteString(c, method+" /x HTTP/1.1\r\nHost: h\r\n"+test.body+"GET /honest HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
			}()
			resp, body := c.reply(method)
			if resp.StatusCode != http.StatusUnauthorized || body != "no" && method != http.MethodHead {
				t.Fatalf("first answer %d %q", resp.StatusCode, body)
			}
			after := c.rest()
			if kept := !resp.Close; kept != strings.Contains(after, "honest") {
				t.Errorf("connection kept: %v, but the rest is %q", kept, after)
			}
			if strings.Contains(after, "admin") || admin > 0 || strings.Contains(after, "Bad Message") {
				t.Errorf("the body was taken for a request: %q", after)
			}
		})
	}
}
