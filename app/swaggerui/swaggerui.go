// Package swaggerui serves Swagger UI at /swagger-ui/: pages in which people read the descriptions of the APIs and try them. Everything
// comes from files in the program; a browser is told to load nothing from elsewhere.
package swaggerui

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"net/http"
	"time"

	swaggerFiles "github.com/swaggo/files/v2"

	"entrepot/app/server"
	"entrepot/formats"
)

const prefix = "/swagger-ui/"

// policy keeps a browser from loading anything from elsewhere, and other pages from framing this one.
const policy = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self'; " +
	"connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'self'"

// files are those of the distribution that pages use.
var files = [...]struct{ name, contentType string }{
	{"favicon-16x16.png", "image/png"}, {"favicon-32x32.png", "image/png"}, {"index.css", css}, {"swagger-ui.css", css},
	{"swagger-ui-bundle.js", script}, {"swagger-ui-standalone-preset.js", script},
}

const (
	css    = "text/css;charset=utf-8"
	script = "text/javascript;charset=utf-8"
)

// Document is a description that can be looked at.
type Document struct {
	Name string `json:"name"` // as people choose it
	URL  string `json:"url"`  // relative to the page, so that a proxy may put a path before it
}

// Mount serves the pages for some documents, the first of them at once. face words errors.
func Mount(s *server.Server, face server.Face, documents ...Document) error {
	start, err := initializer(documents)
	if err != nil {
		return err
	}
	index, err := fs.ReadFile(swaggerFiles.FS, "index.html")
	if err != nil {
		return fmt.Errorf("swaggerui: %w", err)
	}
	routes := []server.Route{
		route("", page("text/html;charset=utf-8", index)),
		route("index.html", page("text/html;charset=utf-8", index)),
		route("swagger-initializer.js", page(script, start)),
	}
	for _, f := range files {
		body, err := fs.ReadFile(swaggerFiles.FS, f.name)
		if err != nil {
			return fmt.Errorf("swaggerui: %w", err)
		}
		routes = append(routes, route(f.name, page(f.contentType, body)))
	}
	if err := s.Mount(server.Surface{Prefix: prefix, Face: face}, routes...); err != nil {
		return fmt.Errorf("swaggerui: %w", err)
	}
	return nil
}

func route(name string, handler server.Handler) server.Route {
	return server.Route{Methods: []string{http.MethodGet}, Pattern: prefix + name, Access: server.Public(), Class: "page", Handler: handler}
}

func page(contentType string, body []byte) server.Handler {
	header := http.Header{
		"Content-Type": {contentType}, "Content-Security-Policy": {policy}, "X-Content-Type-Options": {"nosniff"}, "Referrer-Policy": {"no-referrer"},
		"Cache-Control": {fmt.Sprintf("max-age=%d", int(time.Hour.Seconds()))},
	}
	return func(*server.Request) (*formats.Response, error) {
		return &formats.Response{Status: http.StatusOK, Header: header, Body: formats.Body{Bytes: body, Size: int64(len(body))}}, nil
	}
}

// initializer is the script that starts the pages.
func initializer(documents []Document) ([]byte, error) {
	list, err := json.Marshal(documents)
	if err != nil {
		return nil, fmt.Errorf("swaggerui: %w", err)
	}
	return fmt.Appendf(nil, `window.onload = function () {
  window.ui = SwaggerUIBundle({
    urls: %s,
    dom_id: "#swagger-ui",
    deepLinking: true,
    docExpansion: "none",
    validatorUrl: null,
    presets: [SwaggerUIBundle.presets.apis, SwaggerUIStandalonePreset],
    layout: "StandaloneLayout"
  });
};
`, list), nil
}
