package server

import (
	"fmt"
	"net/http"
	"slices"
	"sort"
	"strings"

	"entrepot/formats"
)

// Handler answers a request. It returns a response or an error; the surface's Face words the error.
type Handler func(r *Request) (*formats.Response, error)

// Access says who may use a route. The zero value is nobody: a route cannot be mounted with it.
type Access struct {
	kind        accessKind
	permissions []string
}

type accessKind uint8

const (
	accessNone accessKind = iota
	accessPublic
	accessPermission
	accessLate
	accessContent
	accessSignedIn
)

// Public lets everybody in, also callers whom anonymous access does not allow anything.
func Public() Access { return Access{kind: accessPublic} }

// Permission lets callers in who have all of the application permissions, for example "nexus:users:read".
func Permission(all ...string) Access { return Access{kind: accessPermission, permissions: all} }

// PermissionAfterBody is Permission for a handler that has to look at its body first, because clients expect complaints about the
// body before those about their rights. The handler calls Request.Authorize before it does anything; an answer without that call is
// thrown away.
func PermissionAfterBody(all ...string) Access { return Access{kind: accessLate, permissions: all} }

// AfterBody gives the same access checked by the handler, as with PermissionAfterBody, and whether it was to be checked before.
func (a Access) AfterBody() (Access, bool) {
	if a.kind != accessPermission {
		return a, false
	}
	a.kind = accessLate
	return a, true
}

// Content leaves the decision to the engine, which knows the privileges of a repository and of a path in it. The handler hands the
// caller on and answers nothing on its own.
func Content() Access { return Access{kind: accessContent} }

// SignedIn lets callers in who showed credentials that hold, whatever they may do: for what is their own.
func SignedIn() Access { return Access{kind: accessSignedIn} }

// String gives the access for listings of routes.
func (a Access) String() string {
	switch a.kind {
	case accessPublic:
		return "public"
	case accessPermission, accessLate:
		return strings.Join(a.permissions, " ")
	case accessContent:
		return "content"
	case accessSignedIn:
		return "signed in"
	}
	return "none"
}

// Route is one thing that a surface answers.
type Route struct {
	Methods []string // nil means every method. GET answers HEAD too, unless HEAD has a route
	// Pattern is a path with parameters: "/users/{id}". A segment is matched as sent and decoded afterwards, so a parameter may
	// hold "/". "/repository/**" is everything below /repository/; trailing slashes count.
	Pattern string
	Access  Access
	Class   string // route class for metrics; "" means "other"
	MaxBody int64  // most bytes of a body; 0 means any
	Handler Handler
}

// Authenticator finds out who sends a request.
type Authenticator interface {
	// Authenticate gives the caller, or an error that the surface's Face answers, when credentials are wrong.
	Authenticate(r *Request) (Caller, error)
	// Permits reports whether a caller that it gave has an application permission, for example "nexus:users:read".
	Permits(c Caller, permission string) bool
}

// Line is one header line.
type Line struct{ Name, Value string }

// Face is what the answers of a surface look like.
type Face interface {
	// Lines gives the header lines that an answer carries besides those of its Response. The slice is shared and not changed.
	Lines(r *Request, status int) []Line
	// Error gives the answer to an error: a *StatusError of this package, or what a handler or authenticator returned.
	Error(r *Request, err error) *formats.Response
}

// Surface is a part of the URL space whose answers look alike. The longest prefix wins.
type Surface struct {
	Prefix        string // with its final "/"
	Face          Face
	Authenticator Authenticator // nil: callers are not looked at; only public routes can be mounted
	// Matrix drops what follows a ";" in a segment that a pattern names, so that "/status;x=y" is "/status". A parameter keeps it.
	Matrix bool
	// Exhaust reports whether this client must be read to the end of its body before it is answered. nil means never.
	Exhaust func(r *Request, status int) bool

	root   node
	routes []*mounted
}

// mounted is a route in its place.
type mounted struct {
	Route
	names []string // of the pattern's parameters
}

// node is one segment of the patterns of a surface.
type node struct {
	literal map[string]*node
	param   *node
	routes  []*mounted // that end here
	rest    []*mounted // that take everything below
}

// Mount adds routes. A mistake in a route is an error that names it. Mounting ends when the first listener starts.
func (s *Server) Mount(surface Surface, routes ...Route) error {
	if s.listening.Load() {
		return fmt.Errorf("server: mount %s: the server is listening already", surface.Prefix)
	}
	if !strings.HasPrefix(surface.Prefix, "/") || !strings.HasSuffix(surface.Prefix, "/") || surface.Face == nil {
		return fmt.Errorf("server: mount %q: a surface needs a prefix between slashes and a face", surface.Prefix)
	}
	i := slices.IndexFunc(s.surfaces, func(o *Surface) bool { return o.Prefix == surface.Prefix })
	if i < 0 {
		s.surfaces = append(s.surfaces, &surface)
		sort.SliceStable(s.surfaces, func(a, b int) bool { return len(s.surfaces[a].Prefix) > len(s.surfaces[b].Prefix) })
		i = slices.Index(s.surfaces, &surface)
	}
	for _, route := range routes {
		if err := s.surfaces[i].add(route); err != nil {
			return fmt.Errorf("server: mount %v %s: %w", route.Methods, route.Pattern, err)
		}
	}
	return nil
}

// Routes lists what is mounted below a prefix, for tests that walk all routes.
func (s *Server) Routes(prefix string) []Route {
	var all []Route
	for _, surface := range s.surfaces {
		for _, route := range surface.routes {
			if strings.HasPrefix(route.Pattern, prefix) {
				all = append(all, route.Route)
			}
		}
	}
	return all
}

func (f *Surface) add(route Route) error {
	switch {
	case route.Access.kind == accessNone:
		return fmt.Errorf("no access given: name a permission, or say Public or Content")
	case (route.Access.kind == accessPermission || route.Access.kind == accessLate) && len(route.Access.permissions) == 0:
		return fmt.Errorf("no permission named")
	case route.Access.kind != accessPublic && f.Authenticator == nil:
		return fmt.Errorf("the surface has no authenticator")
	case route.Handler == nil:
		return fmt.Errorf("no handler")
	case !strings.HasPrefix(route.Pattern, f.Prefix):
		return fmt.Errorf("the pattern is not below the surface's prefix %s", f.Prefix)
	}
	if route.Class == "" {
		route.Class = "other"
	}
	return f.place(&mounted{Route: route})
}

func (f *Surface) place(m *mounted) error {
	n, list := &f.root, &f.root.routes
	for _, segment := range strings.Split(m.Pattern[1:], "/") {
		if list == &n.rest {
			return fmt.Errorf("** is not at the end")
		}
		if segment == "**" {
			list = &n.rest
			continue
		}
		if name, ok := parameter(segment); ok {
			m.names = append(m.names, name)
		}
		n = n.child(segment)
		list = &n.routes
	}
	for _, other := range *list {
		if overlap(other.Methods, m.Methods) {
			return fmt.Errorf("mounted twice")
		}
	}
	*list = append(*list, m)
	f.routes = append(f.routes, m)
	return nil
}

// parameter gives the name in "{name}".
func parameter(segment string) (string, bool) {
	if len(segment) > 2 && segment[0] == '{' && segment[len(segment)-1] == '}' {
		return segment[1 : len(segment)-1], true
	}
	return "", false
}

func overlap(a, b []string) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	return slices.ContainsFunc(a, func(m string) bool { return slices.Contains(b, m) })
}

func (n *node) child(segment string) *node {
	if _, ok := parameter(segment); ok {
		if n.param == nil {
			n.param = &node{}
		}
		return n.param
	}
	if n.literal == nil {
		n.literal = make(map[string]*node)
	}
	if n.literal[segment] == nil {
		n.literal[segment] = &node{}
	}
	return n.literal[segment]
}

// find gives the routes for a path as sent, without its first "/", and the values of their parameters. matrix is the surface's.
func (n *node) find(path string, matrix bool, values []string) ([]*mounted, []string) {
	raw, below, more := strings.Cut(path, "/")
	segment, ok := unescape(raw)
	if !ok {
		return nil, nil
	}
	literal := segment
	if plain, _, cut := strings.Cut(raw, ";"); cut && matrix {
		literal, _ = unescape(plain) // it could be, above
	}
	if child := n.literal[literal]; child != nil {
		if routes, v := child.at(below, more, matrix, values); routes != nil {
			return routes, v
		}
	}
	if n.param != nil && segment != "" {
		if routes, v := n.param.at(below, more, matrix, append(values, segment)); routes != nil {
			return routes, v
		}
	}
	return n.rest, values
}

func (n *node) at(below string, more, matrix bool, values []string) ([]*mounted, []string) {
	if more {
		return n.find(below, matrix, values)
	}
	return n.routes, values
}

// route picks the route of a request on its surface.
func (f *Surface) route(r *Request) (*mounted, error) {
	routes, values := f.root.find(strings.TrimPrefix(r.Target, "/"), f.Matrix, nil)
	if len(routes) == 0 {
		return nil, &formats.Error{Kind: formats.NotFound}
	}
	var get, any *mounted
	var allow []string
	for _, m := range routes {
		switch {
		case slices.Contains(m.Methods, r.Method):
			return r.take(m, values)
		case m.Methods == nil:
			any = m
		case r.Method == http.MethodHead && slices.Contains(m.Methods, http.MethodGet):
			get = m
		}
		allow = append(allow, m.Methods...)
	}
	switch {
	case get != nil:
		return r.take(get, values)
	case any != nil:
		return r.take(any, values)
	}
	return nil, &formats.Error{Kind: formats.MethodNotAllowed, Allow: allow}
}

func (r *Request) take(m *mounted, values []string) (*mounted, error) {
	r.names, r.values = m.names, values
	return m, nil
}
