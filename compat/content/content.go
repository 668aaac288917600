package content

import (
	"context"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"entrepot/app/access"
	"entrepot/app/repository"
	"entrepot/app/server"
	"entrepot/compat/names"
	"entrepot/formats"
	"entrepot/storage/catalog"
)

// Engine answers requests to repositories. *repository.Engine is one.
type Engine interface {
	Serve(ctx context.Context, c repository.Call) (*formats.Response, error)
	// Lookup finds a repository, its name in any case.
	Lookup(name string) (repository.Definition, bool)
}

// Trees gives the catalog's trees. *catalog.Catalog is one.
type Trees interface {
	Content(id string) *catalog.Content
}

// Options say what the URLs lead to. Engine, Trees and Access are required.
type Options struct {
	Engine Engine
	Trees  Trees
	Access Access

	SAML       SAML             // signs people in; nil: nobody
	OpenID     OpenID           // signs people in; nil: nobody
	Version    string           // on pages
	LegacyURLs func() bool      // whether the URLs of Nexus 2 are answered as well; nil: never
	Metrics    Metrics          // what /service/metrics/* shows; nil: nothing but a ping
	Now        func() time.Time // nil: time.Now
}

// Content answers the content URLs.
type Content struct {
	opts    Options
	started time.Time
	plain   *Face // of pages of this server
	view    *Face // of content of repositories
}

// New gives the content URLs; Mount puts them on a server.
func New(opts Options) *Content {
	if opts.Now == nil {
		opts.Now = time.Now
	}
	b := brand{version: opts.Version}
	return &Content{
		opts: opts, started: opts.Now().UTC(),
		plain: &Face{brand: b, lines: newLineSets()},
		view:  &Face{brand: b, lines: newLineSets(), view: true},
	}
}

// Face is what answers without a face of their own look like, for other packages' surfaces.
func (c *Content) Face() *Face { return c.plain }

// Mount puts the URLs on a server.
func (c *Content) Mount(s *server.Server) error {
	auth := c.Authenticator()
	mounts := []struct {
		surface server.Surface
		routes  []server.Route
	}{
		{server.Surface{Prefix: "/repository/", Face: c.view, Authenticator: contentAuthenticator{authenticator{c.opts.Access}}, Exhaust: Exhaust}, []server.Route{
			{Pattern: "/repository/**", Access: server.Content(), Class: "content", Handler: c.serve},
		}},
		{server.Surface{Prefix: browsePrefix, Face: indexFace{}, Authenticator: auth}, []server.Route{
			{Methods: []string{http.MethodGet}, Pattern: browsePrefix + "**", Access: server.Content(), Class: "browse", Handler: c.browse},
		}},
		{server.Surface{Prefix: "/service/metrics/", Face: metricsFace{c.plain}, Authenticator: auth}, c.metricsRoutes()},
		{server.Surface{Prefix: "/service/rapture/", Face: c.plain}, c.sessionRoutes()},
		{server.Surface{Prefix: "/", Face: c.plain}, slices.Concat(c.rootRoutes(), c.samlRoutes(), c.oidcRoutes())},
	}
	for _, m := range mounts {
		if err := s.Mount(m.surface, m.routes...); err != nil {
			return err
		}
	}
	if c.opts.LegacyURLs != nil {
		return c.mountLegacy(s, contentAuthenticator{authenticator{c.opts.Access}})
	}
	return nil
}

// patient are clients that send their whole body before they look at the answer.
var patient = regexp.MustCompile(`^Apache(-Maven| Ivy)`)

// Exhaust reports whether a refused upload has to be read to its end, because this client would see a broken connection instead of
// the refusal.
func Exhaust(r *server.Request, status int) bool {
	return status >= http.StatusBadRequest && (r.Method == http.MethodPut || r.Method == http.MethodPost) && patient.MatchString(r.Header.Get("User-Agent"))
}

// serve answers /repository/NAME/PATH.
func (c *Content) serve(r *server.Request) (*formats.Response, error) {
	return c.answer(r, strings.TrimPrefix(r.Path, "/repository"))
}

// answer has the engine answer for a decoded /NAME/PATH.
func (c *Content) answer(r *server.Request, below string) (*formats.Response, error) {
	name, path, err := splitPath(below)
	if err != nil {
		return nil, err
	}
	r.Labels.Repository = name
	var asked struct { // one piece of memory
		request formats.Request
		traits  repository.Traits
	}
	req, traits := &asked.request, &asked.traits
	*req = formats.Request{
		Method: r.Method, Path: path, RawQuery: r.RawQuery, Header: r.Header, Body: r.Body(), Size: r.Size,
		BaseURL: r.BaseURL() + "/repository/" + name,
	}
	if r.RawQuery != "" {
		req.Query = r.Query()
	}
	call := repository.Call{Repository: name, Subject: r.Caller.(*access.Subject), Request: req, RemoteIP: r.Remote, Traits: traits}
	resp, err := c.opts.Engine.Serve(r.Context(), call)
	r.Labels.Format = traits.Format
	if traits.Class != "" {
		r.Labels.Class = traits.Class
	}
	if req.Query.Has("describe") && (r.Method == http.MethodGet || r.Method == http.MethodHead) && described(err) {
		return c.describe(r, req, resp, err)
	}
	if err == nil && resp.Landing {
		return c.landing(r, name)
	}
	return resp, err
}

// landing gives the page that says where a repository's content can be looked at.
func (c *Content) landing(r *server.Request, name string) (*formats.Response, error) {
	def, ok := c.opts.Engine.Lookup(name)
	if !ok {
		return nil, &formats.Error{Kind: formats.NotFound, Message: "Repository not found"}
	}
	up := upwards(r.Target)
	section := "<p>This " + def.Format + " " + names.Type(def.Kind) + " repository is not directly browseable at this URL.</p>\n" +
		"<p>Please use the <a href=\"" + up + "/#browse/browse:" + def.Name + "\">browse</a>\nor <a href=\"" + up + browsePrefix + def.Name +
		"/\">HTML index</a>\nviews to inspect the contents of this repository.</p>"
	return htmlPage(c.view.brand.render(nil, page{
		title: "Repository", up: up, heading: "Repository", description: def.Name, section: section,
	})), nil
}

func htmlPage(body []byte) *formats.Response {
	return &formats.Response{Status: http.StatusOK, Header: http.Header{"Content-Type": {"text/html"}}, Body: formats.Body{Bytes: body}}
}
