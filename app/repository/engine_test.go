package repository

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"entrepot/app/access/permission"
	"entrepot/formats"
	"entrepot/formats/maven2"
	"entrepot/formats/raw"
	"entrepot/storage/blob"
	blobmemory "entrepot/storage/blob/memory"
	"entrepot/storage/catalog"
	"entrepot/storage/kv"
	kvmemory "entrepot/storage/kv/memory"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// start is when the clock of tests begins.
var start = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// clock stands still until it is moved.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) forward(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// shift is a sealer that tests can see through.
type shift struct{}

func (shift) Seal(s string) (string, error) { return "sealed:" + strings.ToUpper(s), nil }

func (shift) Unseal(s string) (string, error) {
	rest, ok := strings.CutPrefix(s, "sealed:")
	if !ok {
		return "", errors.New("not sealed")
	}
	return strings.ToLower(rest), nil
}

// user is a subject whose permissions are a function.
type user struct {
	id        string
	anonymous bool
	may       func(format, repository string, actions permission.Action, path string) bool
}

func (u *user) UserID() string  { return u.id }
func (u *user) Anonymous() bool { return u.anonymous }

func (u *user) MayView(format, repository string, actions permission.Action, path string) bool {
	return u.may(format, repository, actions, path)
}

func (u *user) MayEnter(format, repository string, anyOf permission.Action) bool {
	for _, a := range []permission.Action{permission.Browse, permission.Read, permission.Edit, permission.Add, permission.Delete} {
		if anyOf&a != 0 && u.may(format, repository, a, "/") {
			return true
		}
	}
	return false
}

var (
	admin  = &user{id: "admin", may: func(string, string, permission.Action, string) bool { return true }}
	nobody = &user{id: "anonymous", anonymous: true, may: func(string, string, permission.Action, string) bool { return false }}
)

// bench is an engine over memory with a raw and a maven2 format and the blob store "default".
type bench struct {
	*Engine
	t      testing.TB
	clock  *clock
	kv     *kv.Store
	stores map[string]*blob.Store
}

func newBench(t testing.TB, change ...func(*Options)) *bench {
	t.Helper()
	b := &bench{t: t, clock: &clock{now: start}, kv: kv.New(kvmemory.New()), stores: map[string]*blob.Store{}}
	b.open(change...)
	if _, err := b.BlobStore(DefaultBlobStore); err != nil {
		must(t, b.CreateDefaults(t.Context(), false))
	}
	return b
}

func (b *bench) open(change ...func(*Options)) {
	b.t.Helper()
	cat := catalog.New(b.kv, &catalog.Options{Now: b.clock.Now})
	opts := Options{
		Store: b.kv, Catalog: cat, Sealer: shift{}, Now: b.clock.Now,
		Formats: []formats.Format{raw.New(), maven2.New(nil)},
		OpenBlobs: func(_ context.Context, d BlobStore) (*blob.Store, error) {
			if strings.HasPrefix(d.Path, "/bad") {
				return nil, errors.New("no such folder")
			}
			if b.stores[d.Ref()] == nil {
				b.stores[d.Ref()] = blob.New(d.Ref(), blobmemory.New(nil), &blob.Options{Now: b.clock.Now})
			}
			return b.stores[d.Ref()], nil
		},
	}
	for _, f := range change {
		f(&opts)
	}
	e, err := Open(b.t.Context(), opts)
	must(b.t, err)
	b.Engine = e
	b.t.Cleanup(func() {
		if err := errors.Join(e.Close(), cat.Close()); err != nil {
			b.t.Error(err)
		}
	})
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func rawHosted(name string) Definition {
	return Definition{Name: name, Format: "raw", Kind: formats.Hosted, Online: true, BlobStore: DefaultBlobStore, Write: WriteAllow}
}

func rawCache(name, url string) Definition {
	return Definition{
		Name: name, Format: "raw", Kind: formats.Cache, Online: true, BlobStore: DefaultBlobStore,
		Upstream:      &Upstream{URL: url, ContentMaxAge: 24 * time.Hour, MetadataMaxAge: 24 * time.Hour},
		NegativeCache: NegativeCache{Enabled: true, TTL: time.Hour},
	}
}

func rawProxy(name string, members ...string) Definition {
	return Definition{Name: name, Format: "raw", Kind: formats.Proxy, Online: true, BlobStore: DefaultBlobStore, Members: members}
}

func (b *bench) create(defs ...Definition) {
	b.t.Helper()
	for _, d := range defs {
		must(b.t, b.Create(b.t.Context(), d, "admin"))
	}
}

// reply is an answer as a client sees it.
type reply struct {
	status int
	header http.Header
	body   string
	err    error // of the body
}

func (r reply) String() string { return fmt.Sprintf("%d %.200q", r.status, r.body) }

var statuses = map[formats.ErrorKind]int{
	formats.Invalid: 400, formats.NotFound: 404, formats.Unauthenticated: 401, formats.Forbidden: 403, formats.MethodNotAllowed: 405,
	formats.Denied: 400, formats.PreconditionFailed: 412, formats.Unavailable: 503, formats.BadGateway: 502, formats.NoSpace: 507,
	formats.RangeNotSatisfiable: 416,
}

// do sends a request as admin. headers are names and values in turn.
func (b *bench) do(method, repository, path, body string, headers ...string) reply {
	b.t.Helper()
	return b.as(admin, method, repository, path, body, headers...)
}

func (b *bench) as(s Subject, method, repository, path, body string, headers ...string) reply {
	b.t.Helper()
	path, query, _ := strings.Cut(path, "?")
	req := &formats.Request{Method: method, Path: path, RawQuery: query, Header: http.Header{}, Size: int64(len(body))}
	if body != "" {
		req.Body = strings.NewReader(body)
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Add(headers[i], headers[i+1])
	}
	return b.send(s, repository, req)
}

func (b *bench) send(s Subject, repository string, req *formats.Request) reply {
	b.t.Helper()
	resp, err := b.Serve(b.t.Context(), Call{Repository: repository, Subject: s, Request: req, RemoteIP: "192.0.2.1"})
	if err != nil {
		return refusedReply(req.Method, err)
	}
	r := reply{status: resp.Status, header: resp.Header}
	var source io.Reader = bytes.NewReader(resp.Body.Bytes)
	switch {
	case resp.Landing:
		source = strings.NewReader("landing page")
	case resp.Body.Blob != nil && req.Method != http.MethodHead:
		object, err := b.OpenBlob(b.t.Context(), *resp.Body.Blob)
		must(b.t, err)
		defer object.Close()
		source = io.NewSectionReader(object, resp.Body.Offset, resp.Body.Size)
	case resp.Body.Stream != nil:
		defer resp.Body.Stream.Close()
		source = resp.Body.Stream
	}
	body, err := io.ReadAll(source)
	r.body, r.err = string(body), err
	if err == nil && req.Method != http.MethodHead && resp.Body.Size >= 0 && !resp.Landing && int64(len(body)) != resp.Body.Size {
		b.t.Errorf("%s %s%s: body of %d bytes; its size says %d", req.Method, repository, req.Path, len(body), resp.Body.Size)
	}
	return r
}

// refusedReply maps kinds to statuses as the edge does; the body is the message.
func refusedReply(method string, err error) reply {
	var refused *formats.Error
	if !errors.As(err, &refused) {
		return reply{status: 500, body: err.Error()}
	}
	r := reply{status: statuses[refused.Kind], header: refused.Header, body: refused.Message}
	switch {
	case refused.Kind == formats.Internal:
		r.status = 500
	case refused.Kind == formats.InvalidContent && method == http.MethodPut:
		r.status = 400
	case refused.Kind == formats.InvalidContent:
		r.status = 404
	}
	return r
}

// want checks status and body.
func (b *bench) want(got reply, status int, body string) {
	b.t.Helper()
	if got.status != status || got.body != body {
		b.t.Errorf("got %s; want %d %.200q", got, status, body)
	}
}
