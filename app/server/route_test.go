package server

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"entrepot/formats"
)

// keeper lets callers do what their names say.
type keeper struct{}

type named string

func (n named) UserID() string { return string(n) }

func (keeper) Authenticate(r *Request) (Caller, error) {
	user := r.Header.Get("X-User")
	if user == "wrong" {
		return nil, &formats.Error{Kind: formats.Unauthenticated}
	}
	return named(user), nil
}

func (keeper) Permits(c Caller, permission string) bool {
	return slices.Contains(strings.Split(c.UserID(), ","), permission)
}

func TestMountRefuses(t *testing.T) {
	ok := Route{Methods: []string{"GET"}, Pattern: "/a/{id}", Access: Public(), Handler: refusing}
	change := func(f func(*Route)) Route { r := ok; f(&r); return r }
	with := Surface{Prefix: "/a/", Face: face{}, Authenticator: keeper{}}
	without := Surface{Prefix: "/a/", Face: face{}}
	tests := []struct {
		name    string
		surface Surface
		routes  []Route
		want    string
	}{
		{"no access", with, []Route{change(func(r *Route) { r.Access = Access{} })}, "no access given"},
		{"no permission", with, []Route{change(func(r *Route) { r.Access = Permission() })}, "no permission named"},
		{"no permission after the body", with, []Route{change(func(r *Route) { r.Access = PermissionAfterBody() })}, "no permission named"},
		{"nobody asks", without, []Route{change(func(r *Route) { r.Access = Permission("nexus:*") })}, "no authenticator"},
		{"nobody asks for content", without, []Route{change(func(r *Route) { r.Access = Content() })}, "no authenticator"},
		{"no handler", with, []Route{change(func(r *Route) { r.Handler = nil })}, "no handler"},
		{"elsewhere", with, []Route{change(func(r *Route) { r.Pattern = "/b" })}, "not below"},
		{"twice", with, []Route{ok, change(func(r *Route) { r.Pattern = "/a/{other}" })}, "mounted twice"},
		{"rest in the middle", with, []Route{change(func(r *Route) { r.Pattern = "/a/**/b" })}, "not at the end"},
		{"no face", Surface{Prefix: "/a/"}, nil, "a face"},
		{"no slash", Surface{Prefix: "/a", Face: face{}}, nil, "between slashes"},
	}
	for _, tt := range tests {
		if err := New(Options{}).Mount(tt.surface, tt.routes...); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v; want %q", tt.name, err, tt.want)
		}
	}
	s, _ := start(t, Options{})
	if err := s.Mount(with, ok); err == nil {
		t.Error("mounted while listening")
	}
}

func TestRouting(t *testing.T) {
	answer := func(name string) Handler {
		return func(r *Request) (*formats.Response, error) {
			return text(name + " " + r.Param("a") + " " + r.Param("b")), nil
		}
	}
	s := New(Options{})
	mount := func(surface Surface, routes ...Route) {
		t.Helper()
		if err := s.Mount(surface, routes...); err != nil {
			t.Fatal(err)
		}
	}
	route := func(method, pattern string, access Access) Route {
		r := Route{Pattern: pattern, Access: access, Handler: answer(method + pattern)}
		if method != "" {
			r.Methods = []string{method}
		}
		return r
	}
	mount(Surface{Prefix: "/", Face: face{}}, route("GET", "/", Public()), route("", "/**", Public()))
	mount(Surface{Prefix: "/api/", Face: face{}, Authenticator: keeper{}},
		route("GET", "/api/open", Public()),
		route("GET", "/api/x/{a}", Permission("x:read")),
		route("PUT", "/api/x/{a}", Permission("x:read", "x:write")),
		route("GET", "/api/x/fixed", Public()),
		route("GET", "/api/x/{b}/y/{a}", Public()),
		route("POST", "/api/late", PermissionAfterBody("x:write")),
	)
	mount(Surface{Prefix: "/api/", Face: face{}}, Route{
		Methods: []string{"POST"}, Pattern: "/api/careful", Access: PermissionAfterBody("x:write"),
		Handler: func(r *Request) (*formats.Response, error) { return text("careful"), r.Authorize() },
	})
	mount(Surface{Prefix: "/r/", Face: face{}}, route("", "/r/**", Public()), route("GET", "/r/a/b", Public()))
	addr, err := s.Listen(Listener{Address: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Shutdown(t.Context()) }()
	tests := []struct {
		method, path, user string
		status             int
		body               string
	}{
		{"GET", "/", "", 200, "GET/  "},
		{"POST", "/", "", 405, ""}, // a path of its own shadows what is below
		{"GET", "/nothing", "", 200, "/**  "},
		{"GET", "/api", "", 200, "/**  "},
		{"GET", "/api/", "", 404, ""},
		{"GET", "/api/open", "", 200, "GET/api/open  "},
		{"GET", "/api/open", "wrong", 401, ""},
		{"GET", "/api/nothing", "wrong", 401, ""},
		{"GET", "/api/open/", "", 404, ""},
		{"HEAD", "/api/open", "", 200, ""},
		{"POST", "/api/open", "", 405, ""},
		{"GET", "/API/open", "", 200, "/**  "},
		{"GET", "/api/x/1", "", 403, ""},
		{"GET", "/api/x/1", "x:read", 200, "GET/api/x/{a} 1 "},
		{"PUT", "/api/x/1", "x:read", 403, ""},
		{"PUT", "/api/x/1", "x:write,x:read", 200, "PUT/api/x/{a} 1 "},
		{"GET", "/api/x/a%2Fb%20c", "x:read", 200, "GET/api/x/{a} a/b c "},
		{"GET", "/api/x/fixed", "", 200, "GET/api/x/fixed  "},
		{"GET", "/api/x/%66ixed", "", 200, "GET/api/x/fixed  "},
		{"PUT", "/api/x/fixed", "x:read,x:write", 405, ""},
		{"GET", "/api/x/1/y/2", "", 200, "GET/api/x/{b}/y/{a} 2 1"},
		{"GET", "/api/x/", "x:read", 404, ""},
		{"POST", "/api/late", "x:write", 500, ""}, // its handler forgets to check
		{"POST", "/api/careful", "x:write", 200, "careful"},
		{"POST", "/api/careful", "x:read", 403, ""},
		{"GET", "/r/a/b", "", 200, "GET/r/a/b  "},
		{"PUT", "/r/a/b", "", 405, ""},
		{"PROPFIND", "/r/a/c", "", 200, "/r/**  "},
		{"get", "/r/x", "", 200, "/r/**  "},
		{"ANY", "/r/x", "", 200, "/r/**  "},
		{"GET", "/r/", "", 200, "/r/**  "},
		{"GET", "/x/../r/a", "", 404, ""},
		{"GET", "/r/../api/open", "", 404, ""},
		{"GET", "/r/x/../y", "", 200, "/r/**  "},
		{"GET", "//r/a", "", 200, "/**  "},
		{"GET", "http://elsewhere/r/a", "", 200, "/r/**  "},
		{"GET", "/r/a?u=http://x/y//z", "", 200, "/r/**  "},
		{"GET", "/r/http://x", "", 200, "/r/**  "},
		{"OPTIONS", "*", "", 200, ""},
		{"TRACE", "/r/a", "", 403, ""},
	}
	c := dial(t, addr.String())
	for _, tt := range tests {
		c.send("%s %s HTTP/1.1\r\nHost: h\r\nX-User: %s\r\n\r\n", tt.method, tt.path, tt.user)
		resp, body := c.reply(tt.method)
		if resp.StatusCode != tt.status || tt.body != "" && body != tt.body {
			t.Errorf("%s %s as %q: got %d %q; want %d %q", tt.method, tt.path, tt.user, resp.StatusCode, body, tt.status, tt.body)
		}
		if resp.Close {
			c = dial(t, addr.String())
		}
	}
	if got := len(s.Routes("/api/x/")); got != 4 {
		t.Errorf("%d routes below /api/x/; want 4", got)
	}
	for _, r := range s.Routes("/") {
		if r.Access.String() == "none" {
			t.Errorf("%s: nobody may", r.Pattern)
		}
	}
}

// TestMethodSeen states that handlers see methods as sent, known to the framework or not.
func TestMethodSeen(t *testing.T) {
	_, addr := start(t, Options{}, Route{Pattern: "/", Access: Public(), Handler: func(r *Request) (*formats.Response, error) { return text(r.Method), nil }})
	c := dial(t, addr)
	for _, method := range []string{"GET", "PUT", "MKCOL", "get", "ANY", "FOO"} {
		c.send("%s / HTTP/1.1\r\nHost: h\r\n\r\n", method)
		if _, body := c.reply(method); body != method {
			t.Errorf("%s: the handler saw %q", method, body)
		}
	}
}

func TestVersions(t *testing.T) {
	_, addr := start(t, Options{}, Route{Pattern: "/", Access: Public(), Handler: func(*Request) (*formats.Response, error) { return text("hello"), nil }})
	for version, want := range map[string]int{"1.0": 200, "1.1": 200, "1.2": 200, "0.9": 505, "2.0": 505} {
		c := dial(t, addr)
		c.send("GET / HTTP/%s\r\nHost: h\r\n\r\n", version)
		if resp, _ := c.reply("GET"); resp.StatusCode != want || want == 505 && !resp.Close {
			t.Errorf("HTTP/%s: %d, connection kept: %v; want %d", version, resp.StatusCode, !resp.Close, want)
		}
	}
}

func TestPanic(t *testing.T) {
	_, addr := start(t, Options{},
		Route{Methods: []string{"GET"}, Pattern: "/panic", Access: Public(), Handler: func(*Request) (*formats.Response, error) { panic("on purpose") }},
		Route{Methods: []string{"GET"}, Pattern: "/nil", Access: Public(), Handler: func(*Request) (*formats.Response, error) { return nil, nil }})
	c := dial(t, addr)
	for _, path := range []string{"/panic", "/nil", "/panic"} {
		c.send("GET %s HTTP/1.1\r\nHost: h\r\n\r\n", path)
		if resp, body := c.reply("GET"); resp.StatusCode != http.StatusInternalServerError || strings.Contains(body, "on purpose") {
			t.Errorf("%s: got %d %q", path, resp.StatusCode, body)
		}
	}
}
