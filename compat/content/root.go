package content

import (
	"embed"
	"fmt"
	"io/fs"
	"net/http"
	"time"

	"entrepot/app/server"
	"entrepot/formats"
)

//go:embed assets
var assets embed.FS

// files are those that browsers and crawlers ask for at the root.
var files = []struct{ path, name, contentType string }{
	{"/favicon.ico", "favicon.ico", "image/vnd.microsoft.icon"},
	{"/static/rapture/resources/favicon.ico", "favicon.ico", "image/vnd.microsoft.icon"}, // where bookmarks of the old server look
	{"/favicon-32x32.png", "favicon-32x32.png", "image/png"},
	{"/robots.txt", "robots.txt", "text/plain"},
}

// rootRoutes are the root, its few files, and the refusal of everything else.
func (c *Content) rootRoutes() []server.Route {
	routes := []server.Route{
		{Methods: []string{http.MethodGet}, Pattern: "/", Access: server.Public(), Class: "page", Handler: c.home},
		{Methods: []string{http.MethodGet}, Pattern: "/index.html", Access: server.Public(), Class: "page", Handler: toHome},
		{Pattern: "/", Access: server.Public(), Class: "page", Handler: nothing},
		{Pattern: "/**", Access: server.Public(), Class: "page", Handler: nothing},
	}
	for _, f := range files {
		routes = append(routes, server.Route{
			Methods: []string{http.MethodGet}, Pattern: f.path, Access: server.Public(), Class: "page", Handler: c.file(f.name, f.contentType),
		})
	}
	return routes
}

// framed are the headers of pages and files of the server itself.
func (c *Content) framed(contentType, cache string) http.Header {
	return http.Header{
		"Content-Type": {contentType}, "Last-Modified": {c.started.Format(http.TimeFormat)}, "Cache-Control": {cache},
		"X-Frame-Options": {"DENY"}, "X-Xss-Protection": {"1; mode=block"},
	}
}

// home is the page at the root.
func (c *Content) home(r *server.Request) (*formats.Response, error) {
	header := c.framed("text/html", "no-cache, no-store, max-age=0, must-revalidate, post-check=0, pre-check=0")
	header["Pragma"], header["Expires"] = []string{"no-cache"}, []string{"0"}
	section := "<p>Repositories are at <code>/repository/NAME/</code>. What they hold is listed at <code>" + browsePrefix + "NAME/</code>.</p>"
	body := c.plain.brand.render(nil, page{up: ".", heading: product, description: "artifact repository", section: section})
	return &formats.Response{Status: http.StatusOK, Header: header, Body: formats.Body{Bytes: body}}, nil
}

func toHome(r *server.Request) (*formats.Response, error) {
	return &formats.Response{Status: http.StatusFound, Header: http.Header{"Location": {r.BaseURL() + "/"}}}, nil
}

func (c *Content) file(name, contentType string) server.Handler {
	body, err := fs.ReadFile(assets, "assets/"+name)
	return func(*server.Request) (*formats.Response, error) {
		if err != nil {
			return nil, fmt.Errorf("content: %s: %w", name, err)
		}
		month := 30 * 24 * time.Hour
		header := c.framed(contentType, fmt.Sprintf("max-age=%d", int(month.Seconds())))
		return &formats.Response{Status: http.StatusOK, Header: header, Body: formats.Body{Bytes: body}}, nil
	}
}

// nothing answers for paths where there is nothing.
func nothing(r *server.Request) (*formats.Response, error) {
	switch r.Method {
	case http.MethodGet, http.MethodHead:
		return nil, &formats.Error{Kind: formats.NotFound}
	case http.MethodOptions:
		return &formats.Response{Status: http.StatusOK, Header: http.Header{"Allow": {"GET, HEAD, TRACE, OPTIONS"}}}, nil
	case http.MethodPost:
		return nil, &formats.Error{Kind: formats.MethodNotAllowed, Message: "HTTP method POST is not supported by this URL"}
	}
	return nil, &formats.Error{Kind: formats.MethodNotAllowed}
}
