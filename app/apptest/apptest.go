// Package apptest puts a whole server together in memory, for tests of what stands on its domains: with maven2 and raw, an
// administrator, and secrets that are not sealed.
//
//	s := apptest.New(t, nil)
//	base, _, _ := s.Listen(t, func(edge *server.Server) error { return api.Mount(edge, s.Authenticator()) })
package apptest

import (
	"context"
	"sync"
	"testing"
	"time"

	"entrepot/app/access"
	hash "entrepot/app/access/password"
	"entrepot/app/access/permission"
	"entrepot/app/audit"
	"entrepot/app/domains"
	"entrepot/app/repository"
	"entrepot/app/server"
	"entrepot/formats"
	"entrepot/formats/maven2"
	"entrepot/formats/raw"
	"entrepot/storage/blob"
	blobmemory "entrepot/storage/blob/memory"
	"entrepot/storage/kv"
	kvmemory "entrepot/storage/kv/memory"
)

const password = "admin123" // of the user admin

// Admin are the credentials of the user admin, with ":" between name and password.
const Admin = "admin:" + password

// Server is a server in memory.
type Server struct {
	*domains.Domains
	Store *kv.Store
	Disk  *blobmemory.Driver // of the blob store "default", unless options say otherwise
}

// clear is a sealer that seals nothing.
type clear struct{}

func (clear) Seal(s string) (string, error) { return s, nil }

func (clear) Unseal(s string) (string, error) { return s, nil }

// Must ends a test when there is an error.
func Must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// New opens a server, which closes when the test ends. change, nil for nothing, adapts its options.
func New(t testing.TB, change func(o *domains.Options)) *Server {
	t.Helper()
	o := domains.Options{
		Store: kv.New(kvmemory.New()), Sealer: clear{},
		Engine: repository.Options{
			Formats: []formats.Format{maven2.New(nil), raw.New()}, FreeSpace: func(repository.BlobStore) (int64, error) { return 69_270_000_000, nil },
		},
		Access: access.Options{
			Formats: []string{"maven2", "raw"}, InitialPassword: password, Sleep: func(context.Context, time.Duration) error { return nil },
			Passwords: &hash.Options{Cost: hash.Cost{Memory: 8, Passes: 1, Threads: 1}},
		},
	}
	if change != nil {
		change(&o)
	}
	s := &Server{Store: o.Store, Disk: blobmemory.New(&blobmemory.Options{Now: o.Now})}
	if o.Engine.OpenBlobs == nil {
		o.Engine.OpenBlobs = OpenBlobs(func(ref string) blob.Driver {
			if ref == repository.DefaultBlobStore {
				return s.Disk
			}
			return blobmemory.New(nil)
		})
	}
	if o.Upkeep.Checkpoint == nil {
		o.Upkeep.Checkpoint = func(context.Context) error { return nil }
	}
	var err error
	s.Domains, err = domains.Open(context.WithoutCancel(t.Context()), o)
	Must(t, err)
	t.Cleanup(func() { Must(t, s.Close()) })
	return s
}

// OpenBlobs opens each blob store once, over drivers that a function makes.
func OpenBlobs(driver func(ref string) blob.Driver) func(context.Context, repository.BlobStore) (*blob.Store, error) {
	var mu sync.Mutex
	open := make(map[string]*blob.Store)
	return func(_ context.Context, d repository.BlobStore) (*blob.Store, error) {
		mu.Lock()
		defer mu.Unlock()
		if open[d.Ref()] == nil {
			open[d.Ref()] = blob.New(d.Ref(), driver(d.Ref()), nil)
		}
		return open[d.Ref()], nil
	}
}

// RunTasks runs tasks until the test ends.
func (s *Server) RunTasks(t testing.TB) {
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.Tasks.Serve(ctx)
	}()
	t.Cleanup(func() {
		stop()
		<-done
	})
}

// Listen serves what mount adds until the test ends, or until shutdown is called. base is the URL of the server.
func (s *Server) Listen(t testing.TB, mount func(edge *server.Server) error) (base string, edge *server.Server, shutdown func() error) {
	t.Helper()
	edge = server.New(server.Options{Blobs: s.Engine, Acting: func(ctx context.Context, c server.Caller, remote string) context.Context {
		return audit.WithActor(ctx, c.(*access.Subject).Actor(remote))
	}})
	Must(t, mount(edge))
	address, err := edge.Listen(server.Listener{Address: "127.0.0.1:0"})
	Must(t, err)
	shutdown = sync.OnceValue(func() error { return edge.Shutdown(context.Background()) })
	t.Cleanup(func() { Must(t, shutdown()) })
	return "http://" + address.String(), edge, shutdown
}

// Authenticator takes the header Authorization and nothing else: there are no sessions.
func (s *Server) Authenticator() server.Authenticator { return headerOnly{s.Access} }

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
