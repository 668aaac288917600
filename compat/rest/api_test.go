package rest

import (
	"bytes"
	"errors"
	"io"
	"mime/multipart"
	"net/http"
	"strings"
	"testing"

	"entrepot/app/apptest"
	"entrepot/app/diagnostics"
	"entrepot/app/domains"
	"entrepot/app/server"
	"entrepot/formats"
)

// pages answers with a status and nothing else.
type pages struct{}

func (pages) Lines(*server.Request, int) []server.Line { return nil }

func (pages) Error(_ *server.Request, err error) *formats.Response {
	var status *server.StatusError
	if errors.As(err, &status) {
		return &formats.Response{Status: status.Status, Header: http.Header{"Content-Type": {"text/html"}}}
	}
	return &formats.Response{Status: http.StatusInternalServerError}
}

// rig is a server with nothing but the REST API, over memory.
type rig struct {
	*apptest.Server
	base string
	edge *server.Server
	api  *API
}

func noError(t *testing.T, err error) {
	t.Helper()
	apptest.Must(t, err)
}

func newRig(t *testing.T) *rig {
	t.Helper()
	return openRig(t, nil)
}

func openRig(t *testing.T, change func(*domains.Options)) *rig {
	t.Helper()
	r := &rig{Server: apptest.New(t, change)}
	r.RunTasks(t)
	r.api = New(Options{
		Domains: r.Domains, Pages: pages{},
		Diagnostics: diagnostics.New(diagnostics.Options{Engine: r.Engine, Access: r.Access, Health: func() error { return nil }, Folder: t.TempDir(), SealKeys: func() []string { return []string{"new", "old"} }}),
	})
	r.base, r.edge, _ = r.Listen(t, func(edge *server.Server) error { return r.api.Mount(edge, r.Authenticator()) })
	return r
}

// do sends a request; a body that begins with "{" or "[" is JSON, others are text. user "" sends no credentials.
func (r *rig) do(t *testing.T, user, method, path, body string) (status int, text string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, r.base+prefix+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	switch {
	case strings.HasPrefix(body, "{"), strings.HasPrefix(body, "["):
		req.Header.Set("Content-Type", "application/json")
	case body != "":
		req.Header.Set("Content-Type", "text/plain")
	}
	return r.send(t, user, req)
}

func (r *rig) send(t *testing.T, user string, req *http.Request) (status int, text string) {
	t.Helper()
	if name, secret, ok := strings.Cut(user, ":"); ok {
		req.SetBasicAuth(name, secret)
	}
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(data)
}

const admin = apptest.Admin

// exchange is a request and what is wanted of its answer: the status and texts in its body.
type exchange struct {
	user, method, path, body string
	status                   int
	want                     []string
}

func (r *rig) play(t *testing.T, exchanges []exchange) {
	t.Helper()
	for _, x := range exchanges {
		status, text := r.do(t, x.user, x.method, x.path, x.body)
		if status != x.status {
			t.Errorf("%s %s %.80s: %d %s, want %d", x.method, x.path, x.body, status, text, x.status)
		}
		for _, want := range x.want {
			if !strings.Contains(text, want) {
				t.Errorf("%s %s %.80s: no %q in %s", x.method, x.path, x.body, want, text)
			}
		}
	}
}

const rawHosted = `{"name":"r","online":true,"storage":{"blobStoreName":"default","strictContentTypeValidation":false,"writePolicy":"ALLOW"}}`

// upload stores one file through a form.
func (r *rig) upload(t *testing.T, repository, directory, name, content string) {
	t.Helper()
	var form bytes.Buffer
	w := multipart.NewWriter(&form)
	file, err := w.CreateFormFile("raw.asset1", name)
	if err == nil {
		_, err = io.WriteString(file, content)
	}
	if err != nil {
		t.Fatal(err)
	}
	for field, value := range map[string]string{"raw.directory": directory, "raw.asset1.filename": name} {
		if err := w.WriteField(field, value); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, r.base+prefix+"v1/components?repository="+repository, &form)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", w.FormDataContentType())
	if status, text := r.send(t, admin, req); status != http.StatusNoContent {
		t.Fatalf("upload: %d %s", status, text)
	}
}
