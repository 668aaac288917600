package swaggerui

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"

	"entrepot/app/server"
	"entrepot/formats"
)

type face struct{}

func (face) Lines(*server.Request, int) []server.Line { return nil }

func (face) Error(*server.Request, error) *formats.Response {
	return &formats.Response{Status: http.StatusNotFound}
}

func TestPages(t *testing.T) {
	s := server.New(server.Options{})
	if err := Mount(s, face{}, Document{"one", "../one.json"}, Document{"two", "../two.json"}); err != nil {
		t.Fatal(err)
	}
	addr, err := s.Listen(server.Listener{Address: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
	})
	for _, tt := range []struct {
		name, kind, want string
		status           int
	}{
		{"", "text/html;charset=utf-8", `<script src="./swagger-initializer.js"`, 200},
		{"index.html", "text/html;charset=utf-8", `id="swagger-ui"`, 200},
		{"swagger-initializer.js", "text/javascript;charset=utf-8", `[{"name":"one","url":"../one.json"},{"name":"two","url":"../two.json"}]`, 200},
		{"swagger-ui.css", "text/css;charset=utf-8", ".swagger-ui", 200},
		{"swagger-ui-bundle.js", "text/javascript;charset=utf-8", "SwaggerUIBundle", 200},
		{"swagger-ui.js.map", "", "", 404},
		{"nope", "", "", 404},
	} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+addr.String()+prefix+tt.name, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultTransport.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		if resp.StatusCode != tt.status || tt.status == 200 && (resp.Header.Get("Content-Type") != tt.kind || !strings.Contains(string(body), tt.want)) {
			t.Errorf("%s: %d %s", tt.name, resp.StatusCode, resp.Header.Get("Content-Type"))
		}
		if tt.status == 200 && !strings.Contains(resp.Header.Get("Content-Security-Policy"), "default-src 'none'") {
			t.Errorf("%s: no content security policy", tt.name)
		}
	}
}
