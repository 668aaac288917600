package api

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
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
	"entrepot/app/mail"
	"entrepot/app/node"
	"entrepot/app/outbound"
	"entrepot/app/repository"
	"entrepot/app/resource"
	"entrepot/app/search"
	"entrepot/app/server"
	"entrepot/app/settings"
	"entrepot/app/tasks"
	"entrepot/app/trust"
	"entrepot/app/upkeep"
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

// headerOnly authenticates by the Authorization header alone.
type headerOnly struct{ access *access.Service }

func (h headerOnly) Authenticate(r *server.Request) (server.Caller, error) {
	subject, err := h.access.Authenticate(r.Context(), access.ParseAuthorization(r.Header.Get("Authorization")))
	if err != nil {
		return nil, err
	}
	return subject, nil
}

func (h headerOnly) Permits(c server.Caller, name string) bool {
	p, err := permission.Parse(name)
	return err == nil && c.(*access.Subject).Permits(p)
}

// rig is a server with nothing but the native API, over memory.
type rig struct {
	t        *testing.T
	base     string
	server   *server.Server
	engine   *repository.Engine
	access   *access.Service
	shutdown func() error
	job      chan struct{} // lets the task "count" go on by one
	clock    *atomic.Int64 // what the clock of accounts is ahead, in nanoseconds
}

func newRig(t *testing.T) *rig {
	t.Helper()
	ctx := context.Background()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	store, clock := kv.New(kvmemory.New()), new(atomic.Int64)
	trees := catalog.New(store, nil)
	log, err := audit.Open(ctx, store, audit.Options{Path: filepath.Join(t.TempDir(), "audit.log"), Present: resource.Shown})
	must(err)
	engine, err := repository.Open(ctx, repository.Options{
		Audit: log, Store: store, Catalog: trees, Formats: []formats.Format{maven2.New(nil), raw.New()}, Sealer: clear{},
		OpenBlobs: func(_ context.Context, d repository.BlobStore) (*blob.Store, error) {
			return blob.New(d.Name, blobmemory.New(nil), nil), nil
		},
	})
	must(err)
	must(engine.CreateDefaults(ctx, false))
	users, err := access.Open(ctx, store, &access.Options{
		Audit: log, Formats: []string{"maven2", "raw"}, InitialPassword: "admin123", Writable: engine.Writable,
		Now:   func() time.Time { return time.Now().Add(time.Duration(clock.Load())) },
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
	out, err := outbound.Open(ctx, store, outbound.Options{Audit: log, Sealer: clear{}})
	must(err)
	certificates, err := trust.Open(ctx, store, trust.Options{Audit: log})
	must(err)
	switches, err := settings.Open(ctx, store, settings.Options{Audit: log, Sealer: clear{}})
	must(err)
	policies, err := cleanup.Open(ctx, store)
	must(err)
	job := make(chan struct{})
	work := upkeep.Types(upkeep.Options{Engine: engine, Catalog: trees, Access: users})
	upkeep, err := tasks.Open(ctx, store, tasks.Options{Audit: log, Types: append(work, tasks.Type{
		ID: "count", Name: "Count", Fields: []tasks.Field{{ID: "to", Label: "To", Kind: tasks.Number, Required: true}}, Do: countOn(job),
	})})
	must(err)
	directories := ldap.New(store, ldap.Options{Sealer: clear{}, Change: users.Change})
	provider := oidc.New(store, oidc.Options{Sealer: clear{}, Change: users.Change, Users: federated.NewPeople(store, access.SourceOAuth2, nil)})
	signOn := saml.New(store, saml.Options{Sealer: clear{}, Change: users.Change})
	s := server.New(server.Options{Blobs: engine, Acting: func(ctx context.Context, c server.Caller, remote string) context.Context {
		return audit.WithActor(ctx, c.(*access.Subject).Actor(remote))
	}})
	api := New(Options{
		Engine: engine, Access: users, Audit: log, Search: search.New(store, trees, nil), Tasks: upkeep, Node: id, Trees: trees, Version: "test", Resources: resource.New(resource.Options{
			Engine: engine, Access: users, Audit: log, Outbound: out, Trust: certificates, Settings: switches, LDAP: directories, OAuth2: provider, SAML: signOn, Upkeep: upkeep, Cleanup: cleanup.New(policies, engine, cleanup.Options{Audit: log}),
			Mail: mail.New(store, mail.Options{Audit: log, Sealer: clear{}, Writable: engine.Writable}),
		}),
	})
	must(api.Mount(s, headerOnly{users}))
	addr, err := s.Listen(server.Listener{Address: "127.0.0.1:0"})
	must(err)
	working, stop := context.WithCancel(ctx)
	served := make(chan struct{})
	go func() { defer close(served); upkeep.Serve(working) }()
	shutdown := sync.OnceValue(func() error { return s.Shutdown(ctx) })
	t.Cleanup(func() {
		must(shutdown())
		stop()
		<-served
		must(engine.Close())
		must(trees.Close())
		must(log.Close())
	})
	return &rig{t: t, base: "http://" + addr.String(), server: s, engine: engine, access: users, clock: clock, job: job, shutdown: shutdown}
}

// countOn is the work of a task that counts as often as it is let.
func countOn(job <-chan struct{}) func(context.Context, map[string]string, *tasks.Monitor) (string, error) {
	return func(ctx context.Context, properties map[string]string, m *tasks.Monitor) (string, error) {
		to, err := strconv.Atoi(properties["to"])
		if err != nil {
			return "", err
		}
		m.Total(int64(to))
		for range to {
			select {
			case <-job:
				m.Add(1)
			case <-ctx.Done():
				return "", ctx.Err()
			}
		}
		return "Counted", nil
	}
}

const admin = "admin:admin123"

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   string
}

// decode reads the body.
func (a answer) decode(t *testing.T, into any) {
	t.Helper()
	if err := json.Unmarshal([]byte(a.body), into); err != nil {
		t.Fatalf("%v: %s", err, a.body)
	}
}

// do sends a request. user "" sends no credentials, one without ":" is a token; header lines are "Name: value".
func (r *rig) do(user, method, path, body string, header ...string) answer {
	r.t.Helper()
	req, err := http.NewRequestWithContext(r.t.Context(), method, r.base+prefix+path, strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for _, line := range header {
		name, value, _ := strings.Cut(line, ": ")
		req.Header.Set(name, value)
	}
	if name, secret, ok := strings.Cut(user, ":"); ok {
		req.SetBasicAuth(name, secret)
	} else if user != "" {
		req.Header.Set("Authorization", "Bearer "+user)
	}
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return answer{resp.StatusCode, resp.Header, string(data)}
}

// exchange is a request and what is wanted of its answer: the status and texts in its body.
type exchange struct {
	user, method, path, body string
	status                   int
	want                     []string
}

func (r *rig) play(exchanges []exchange) {
	r.t.Helper()
	for _, x := range exchanges {
		got := r.do(x.user, x.method, x.path, x.body)
		if got.status != x.status {
			r.t.Errorf("%s %s %.80s: %d %s, want %d", x.method, x.path, x.body, got.status, got.body, x.status)
		}
		for _, want := range x.want {
			if !strings.Contains(got.body, want) {
				r.t.Errorf("%s %s %.80s: no %q in %s", x.method, x.path, x.body, want, got.body)
			}
		}
		if got.status >= 400 && got.header.Get("Content-Type") != mediaProblem {
			r.t.Errorf("%s %s: an error of type %s", x.method, x.path, got.header.Get("Content-Type"))
		}
	}
}
