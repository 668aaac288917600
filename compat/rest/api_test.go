package rest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"mime/multipart"
	"net/http"
	"strings"
	"testing"
	"time"

	"entrepot/app/access"
	"entrepot/app/access/federated"
	"entrepot/app/access/ldap"
	"entrepot/app/access/oidc"
	"entrepot/app/access/permission"
	"entrepot/app/access/saml"
	"entrepot/app/audit"
	"entrepot/app/cleanup"
	"entrepot/app/diagnostics"
	"entrepot/app/mail"
	"entrepot/app/node"
	"entrepot/app/outbound"
	"entrepot/app/repository"
	"entrepot/app/scripts"
	"entrepot/app/search"
	"entrepot/app/server"
	capability "entrepot/app/settings"
	"entrepot/app/trust"
	"entrepot/formats"
	"entrepot/formats/maven2"
	"entrepot/formats/raw"
	"entrepot/storage/blob"
	blobmemory "entrepot/storage/blob/memory"
	"entrepot/storage/catalog"
	"entrepot/storage/kv"
	kvmemory "entrepot/storage/kv/memory"
)

// clear is a sealer that seals nothing.
type clear struct{}

func (clear) Seal(s string) (string, error) { return s, nil }

func (clear) Unseal(s string) (string, error) { return s, nil }

// basic authenticates as the real one does, without sessions.
type basic struct{ access *access.Service }

func (b basic) Authenticate(r *server.Request) (server.Caller, error) {
	subject, err := b.access.Authenticate(r.Context(), access.ParseAuthorization(r.Header.Get("Authorization")))
	if err != nil {
		return nil, err
	}
	return subject, nil
}

func (b basic) Permits(c server.Caller, name string) bool {
	p, err := permission.Parse(name)
	return err == nil && c.(*access.Subject).Permits(p)
}

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
	base   string
	server *server.Server
	engine *repository.Engine
	api    *API
}

func noError(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func newRig(t *testing.T) *rig {
	t.Helper()
	ctx := context.Background()
	must := func(err error) { t.Helper(); noError(t, err) }
	store := kv.New(kvmemory.New())
	trees := catalog.New(store, nil)
	policies, err := cleanup.Open(ctx, store)
	must(err)
	engine, err := repository.Open(ctx, repository.Options{
		Store: store, Catalog: trees, Formats: []formats.Format{maven2.New(nil), raw.New()}, Sealer: clear{}, CleanupFormat: policies.Format,
		OpenBlobs: func(_ context.Context, d repository.BlobStore) (*blob.Store, error) {
			return blob.New(d.Name, blobmemory.New(nil), nil), nil
		},
		FreeSpace: func(repository.BlobStore) (int64, error) { return 69_270_000_000, nil },
	})
	must(err)
	must(engine.CreateDefaults(ctx, false))
	var users *access.Service
	change := func(ctx context.Context, event audit.Event, plan func() ([]kv.Op, error)) error {
		return users.Change(ctx, event, plan)
	}
	directory := ldap.New(store, ldap.Options{Sealer: clear{}, Change: change})
	signOn := saml.New(store, saml.Options{Sealer: clear{}, Change: change})
	t.Cleanup(directory.Close)
	provider := oidc.New(store, oidc.Options{Sealer: clear{}, Change: change, Users: federated.NewPeople(store, access.SourceOAuth2, nil)})
	users, err = access.Open(ctx, store, &access.Options{
		Formats: []string{"maven2", "raw"}, InitialPassword: "admin123", Writable: engine.Writable, Realms: []access.Realm{directory.Realm(), provider.Realm(), signOn.Realm()},
		Sleep: func(context.Context, time.Duration) error { return nil },
		Repositories: func() (refs []access.RepositoryRef) {
			for _, d := range engine.List() {
				refs = append(refs, access.RepositoryRef{Format: d.Format, Name: d.Name})
			}
			return refs
		},
	})
	must(err)
	id, err := node.Open(ctx, store, node.Options{})
	must(err)
	trusted, err := trust.Open(ctx, store, trust.Options{Writable: engine.Writable})
	must(err)
	capabilities, err := capability.Open(ctx, store, capability.Options{Sealer: clear{}, Writable: engine.Writable})
	must(err)
	out, err := outbound.Open(ctx, store, outbound.Options{Sealer: clear{}, Writable: engine.Writable})
	must(err)
	s := server.New(server.Options{Blobs: engine})
	options := Options{
		Engine: engine, Access: users, LDAP: directory, OAuth2: provider, SAML: signOn, Scripts: scripts.New(store, scripts.Options{}), Node: id, Search: search.New(store, trees, nil), Trees: trees,
		Mail: mail.New(store, mail.Options{Sealer: clear{}, Writable: engine.Writable}), Trust: trusted, Outbound: out, Settings: capabilities, Pages: pages{},
		Diagnostics: diagnostics.New(diagnostics.Options{Engine: engine, Access: users, Health: func() error { return nil }, Folder: t.TempDir(), SealKeys: func() []string { return []string{"new", "old"} }}),
	}
	addUpkeep(t, &options, store, policies)
	api := New(options)
	must(api.Mount(s, basic{users}))
	addr, err := s.Listen(server.Listener{Address: "127.0.0.1:0"})
	must(err)
	t.Cleanup(func() {
		must(s.Shutdown(ctx))
		must(engine.Close())
		must(trees.Close())
	})
	return &rig{base: "http://" + addr.String(), server: s, engine: engine, api: api}
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

const admin = "admin:admin123"

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
