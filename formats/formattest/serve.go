package formattest

import (
	"bytes"
	"crypto/sha1"
	"encoding/hex"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"entrepot/formats"
)

// The repositories of a Site. Hosted ones may be overwritten; the cache keeps what it fetches, and what it did not find, for Age;
// the proxy has HostedA, HostedB and CacheC as its members, in this order.
const (
	HostedA = "hosted-a"
	HostedB = "hosted-b"
	CacheC  = "cache-c"
	ProxyP  = "proxy-p"
)

// Age is how long the cache of a Site keeps content, metadata and misses.
const Age = time.Hour

// hugeBody is larger than any buffer between a client and a blob, in bytes.
const hugeBody = 24 << 20

// Site is an engine with the four repositories of one format, the caller being allowed everything.
type Site struct {
	// Serve answers a request. The body of the reply is read whole.
	Serve func(repository string, r *formats.Request) Reply
	// Upstream is where the cache fetches from.
	Upstream Upstream
	// Advance moves the clock that the engine sees.
	Advance func(time.Duration)
}

// Reply is an answer: a response, or Err, a refusal.
type Reply struct {
	Status int
	Header http.Header
	Body   []byte
	Err    error
}

// Upstream is a server that answers 404 to what it was not given. It answers conditional requests.
type Upstream interface {
	// Put offers a body under a path, with an entity tag made of it.
	Put(path string, body []byte)
	// Break makes it answer every request with 503, until it is mended with false.
	Break(broken bool)
	// Requests gives the paths asked for since the last call.
	Requests() []string
}

// ServeSpec is what Serve checks.
type ServeSpec struct {
	Format   formats.Format
	Settings map[string]string // of all four repositories
	Files    []File            // at least three that stand for themselves
	// Documents are examples of documents that a proxy merges, by path: the first for HostedA, the next for HostedB, the third for the
	// upstream.
	Documents map[string][][]byte
}

// File is content that may be stored as it is.
type File struct {
	Path, ContentType string
	Body              []byte
}

// Serve checks a format under an engine. open makes an empty Site and arranges its end by t.Cleanup.
func Serve(t *testing.T, spec ServeSpec, open func(t *testing.T, spec ServeSpec) *Site) {
	if len(spec.Files) < 3 {
		t.Fatalf("%d files; at least three are wanted", len(spec.Files))
	}
	for _, c := range []struct {
		name string
		run  func(*visit)
	}{
		{"hosted", hostedLife},
		{"conditional", hostedConditions},
		{"huge body", hostedHuge},
		{"bad paths", badPaths},
		{"cache", cacheLife},
		{"cache down", cacheDown},
		{"cache miss", cacheMiss},
		{"proxy order", proxyOrder},
		{"proxy merge", proxyMerge},
	} {
		t.Run(c.name, func(t *testing.T) { c.run(&visit{T: t, spec: spec, site: open(t, spec)}) })
	}
}

// visit is one case on a Site of its own.
type visit struct {
	*testing.T
	spec ServeSpec
	site *Site
}

// ask sends a request without a body.
func (v *visit) ask(method, repository, path string, header ...string) Reply {
	v.Helper()
	return v.send(method, repository, path, sized{}, header...)
}

// sized is a body and the length that is promised for it. The zero value is no body.
type sized struct {
	reader io.Reader
	size   int64
}

func sizedBytes(body []byte) sized { return sized{bytes.NewReader(body), int64(len(body))} }

// send sends a request. header are names and values in turn.
func (v *visit) send(method, repository, path string, body sized, header ...string) Reply {
	v.Helper()
	r := &formats.Request{Method: method, Path: path, Query: url.Values{}, Header: http.Header{}, Body: body.reader, Size: body.size}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	return v.site.Serve(repository, r)
}

// put stores a body in a hosted repository.
func (v *visit) put(repository, path string, body []byte) {
	v.Helper()
	if got := v.send(http.MethodPut, repository, path, sizedBytes(body)); got.Err != nil || got.Status != http.StatusCreated {
		v.Fatalf("PUT %s to %s: %d, %v; want 201", path, repository, got.Status, got.Err)
	}
}

// wantBody checks a 200 with a body.
func (v *visit) wantBody(got Reply, what string, body []byte) {
	v.Helper()
	if got.Err != nil || got.Status != http.StatusOK || !bytes.Equal(got.Body, body) {
		v.Errorf("%s: %d, %.200q, %v; want 200, %.200q", what, got.Status, got.Body, got.Err, body)
	}
}

// wantRefusal checks the kind of a refusal.
func (v *visit) wantRefusal(got Reply, what string, kinds ...formats.ErrorKind) {
	v.Helper()
	if got.Err == nil || !slices.Contains(kinds, formats.KindOf(got.Err)) {
		v.Errorf("%s: %d, %v; want a refusal of kind %v", what, got.Status, got.Err, kinds)
	}
}

// wantRequests checks what the upstream was asked for, leaving aside the files in which it promises digests.
func (v *visit) wantRequests(what string, want ...string) {
	v.Helper()
	promised := map[string]bool{}
	if promiser, ok := v.spec.Format.(formats.Promiser); ok {
		r := formats.Repository{Name: CacheC, Kind: formats.Cache, Settings: v.spec.Settings}
		for _, path := range want {
			sibling, _ := promiser.Promise(r, v.spec.Format.Classify(r, path))
			promised[sibling] = true
		}
	}
	got := slices.DeleteFunc(v.site.Upstream.Requests(), func(path string) bool { return promised[path] })
	if !slices.Equal(got, want) {
		v.Errorf("%s: the upstream was asked for %q; want %q", what, got, want)
	}
}

func etagOf(body []byte) string {
	sum := sha1.Sum(body)
	return `"` + hex.EncodeToString(sum[:]) + `"`
}

// hostedLife writes, reads, replaces and deletes.
func hostedLife(v *visit) {
	for _, f := range v.spec.Files {
		v.wantRefusal(v.ask(http.MethodGet, HostedA, f.Path), "GET before", formats.NotFound)
		v.wantRefusal(v.ask(http.MethodDelete, HostedA, f.Path), "DELETE before", formats.NotFound)
		v.put(HostedA, f.Path, []byte("first"))
		v.put(HostedA, f.Path, f.Body)
		got := v.ask(http.MethodGet, HostedA, f.Path)
		v.wantBody(got, "GET "+f.Path, f.Body)
		for name, want := range map[string]string{"Content-Type": f.ContentType, "Etag": etagOf(f.Body)} {
			if value := got.Header.Get(name); value != want {
				v.Errorf("GET %s: %s %q; want %q", f.Path, name, value, want)
			}
		}
		if _, err := http.ParseTime(got.Header.Get("Last-Modified")); err != nil {
			v.Errorf("GET %s: Last-Modified: %v", f.Path, err)
		}
		head := v.ask(http.MethodHead, HostedA, f.Path)
		if head.Err != nil || head.Status != http.StatusOK || len(head.Body) > 0 || head.Header.Get("Etag") != etagOf(f.Body) {
			v.Errorf("HEAD %s: %d, %d bytes, %v, %v", f.Path, head.Status, len(head.Body), head.Header, head.Err)
		}
		v.wantRefusal(v.ask(http.MethodGet, HostedB, f.Path), "GET elsewhere", formats.NotFound)
		v.wantRefusal(v.ask(http.MethodPost, HostedA, f.Path), "POST", formats.MethodNotAllowed)
		if deleted := v.ask(http.MethodDelete, HostedA, f.Path); deleted.Err != nil || deleted.Status != http.StatusNoContent {
			v.Errorf("DELETE %s: %d, %v; want 204", f.Path, deleted.Status, deleted.Err)
		}
		v.wantRefusal(v.ask(http.MethodGet, HostedA, f.Path), "GET after", formats.NotFound)
	}
}

// hostedConditions asks with preconditions and for ranges.
func hostedConditions(v *visit) {
	f := v.spec.Files[0]
	v.put(HostedA, f.Path, f.Body)
	tag := etagOf(f.Body)
	if got := v.ask(http.MethodGet, HostedA, f.Path, "If-None-Match", tag); got.Err != nil || got.Status != http.StatusNotModified || len(got.Body) > 0 {
		v.Errorf("If-None-Match with the tag: %d, %v; want 304", got.Status, got.Err)
	}
	v.wantBody(v.ask(http.MethodGet, HostedA, f.Path, "If-None-Match", `"other"`), "If-None-Match with another tag", f.Body)
	v.wantBody(v.ask(http.MethodGet, HostedA, f.Path, "If-Match", tag), "If-Match with the tag", f.Body)
	v.wantRefusal(v.ask(http.MethodGet, HostedA, f.Path, "If-Match", `"other"`), "If-Match with another tag", formats.PreconditionFailed)
	v.wantRefusal(v.send(http.MethodPut, HostedA, f.Path, sizedBytes(f.Body), "If-None-Match", "*"),
		"PUT only when absent", formats.PreconditionFailed)
	got := v.ask(http.MethodGet, HostedA, f.Path, "Range", "bytes=1-2")
	if got.Err != nil || got.Status != http.StatusPartialContent || !bytes.Equal(got.Body, f.Body[1:3]) {
		v.Errorf("a range: %d, %q, %v; want 206, %q", got.Status, got.Body, got.Err, f.Body[1:3])
	}
	v.wantRefusal(v.ask(http.MethodGet, HostedA, f.Path, "Range", "bytes=99999999-"), "a range behind the end", formats.RangeNotSatisfiable)
}

// hostedHuge stores a body larger than any buffer on its way, and a body that breaks off.
func hostedHuge(v *visit) {
	path := v.spec.Files[1].Path
	seed := [32]byte{1}
	size := int64(hugeBody)
	body := io.LimitReader(rand.NewChaCha8(seed), size)
	if got := v.send(http.MethodPut, HostedA, path, sized{body, size}); got.Err != nil || got.Status != http.StatusCreated {
		v.Fatalf("PUT of %d bytes: %d, %v", size, got.Status, got.Err)
	}
	got := v.ask(http.MethodGet, HostedA, path)
	want := make([]byte, size)
	if _, err := io.ReadFull(rand.NewChaCha8(seed), want); err != nil {
		v.Fatal(err)
	}
	if got.Err != nil || !bytes.Equal(got.Body, want) {
		v.Errorf("GET: %d, %d bytes, %v; want what was put", got.Status, len(got.Body), got.Err)
	}
	v.wantRefusal(v.send(http.MethodPut, HostedA, path, sized{strings.NewReader("short"), size}), "a body that breaks off", formats.Invalid)
	if got := v.ask(http.MethodHead, HostedA, path); got.Header.Get("Etag") != etagOf(want) {
		v.Errorf("a body that breaks off has replaced the old one: %v", got.Header)
	}
}

// badPaths sends odd paths everywhere: they may be served or refused, but never fail.
func badPaths(v *visit) {
	for _, path := range Paths() {
		for _, repository := range []string{HostedA, CacheC, ProxyP} {
			for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPut, http.MethodDelete, http.MethodGet} {
				got := v.send(method, repository, path, sizedBytes([]byte("text")))
				if got.Err != nil && formats.KindOf(got.Err) == formats.Internal {
					v.Errorf("%s %.80q to %s: %v", method, path, repository, got.Err)
				}
				if got.Err == nil && (got.Status < 200 || got.Status > 399) {
					v.Errorf("%s %.80q to %s: status %d without a refusal", method, path, repository, got.Status)
				}
			}
		}
	}
}

// cacheLife fetches cold, keeps warm, and asks again when stale.
func cacheLife(v *visit) {
	f := v.spec.Files[0]
	v.site.Upstream.Put(f.Path, f.Body)
	v.wantBody(v.ask(http.MethodGet, CacheC, f.Path), "cold", f.Body)
	v.wantRequests("cold", f.Path)
	v.wantBody(v.ask(http.MethodGet, CacheC, f.Path), "warm", f.Body)
	v.wantRequests("warm")
	v.site.Advance(Age + time.Second)
	v.wantBody(v.ask(http.MethodGet, CacheC, f.Path), "stale, unchanged", f.Body)
	v.wantRequests("stale, unchanged", f.Path)
	v.wantBody(v.ask(http.MethodGet, CacheC, f.Path), "confirmed", f.Body)
	v.wantRequests("confirmed")
	changed := slices.Concat(f.Body, []byte("changed"))
	v.site.Upstream.Put(f.Path, changed)
	v.wantBody(v.ask(http.MethodGet, CacheC, f.Path), "changed but not stale", f.Body)
	v.site.Advance(Age + time.Second)
	v.wantBody(v.ask(http.MethodGet, CacheC, f.Path), "stale, changed", changed)
	cold := v.spec.Files[1]
	v.site.Upstream.Put(cold.Path, cold.Body)
	if got := v.ask(http.MethodHead, CacheC, cold.Path); got.Err != nil || got.Status != http.StatusOK || len(got.Body) > 0 {
		v.Errorf("cold HEAD: %d, %v", got.Status, got.Err)
	}
	v.wantRefusal(v.send(http.MethodPut, CacheC, f.Path, sizedBytes(f.Body)), "PUT", formats.MethodNotAllowed)
	v.wantRefusal(v.ask(http.MethodDelete, CacheC, f.Path), "DELETE", formats.MethodNotAllowed)
}

// cacheDown serves what it has while the upstream is down, and says that it cannot get the rest.
func cacheDown(v *visit) {
	f, never := v.spec.Files[0], v.spec.Files[1]
	v.site.Upstream.Put(f.Path, f.Body)
	v.site.Upstream.Put(never.Path, never.Body)
	v.wantBody(v.ask(http.MethodGet, CacheC, f.Path), "cold", f.Body)
	v.site.Upstream.Break(true)
	v.wantRefusal(v.ask(http.MethodGet, CacheC, never.Path), "not fetched before", formats.Unavailable, formats.BadGateway)
	v.site.Advance(Age + time.Second)
	v.wantBody(v.ask(http.MethodGet, CacheC, f.Path), "stale and down", f.Body)
	v.wantBody(v.ask(http.MethodGet, ProxyP, f.Path), "stale and down behind a proxy", f.Body)
	v.site.Upstream.Break(false)
	v.site.Advance(Age + time.Second)
	v.wantBody(v.ask(http.MethodGet, CacheC, never.Path), "mended", never.Body)
}

// cacheMiss remembers what the upstream does not have, for a while.
func cacheMiss(v *visit) {
	f := v.spec.Files[0]
	v.wantRefusal(v.ask(http.MethodGet, CacheC, f.Path), "miss", formats.NotFound)
	v.wantRequests("miss", f.Path)
	v.site.Upstream.Put(f.Path, f.Body)
	v.wantRefusal(v.ask(http.MethodGet, CacheC, f.Path), "remembered miss", formats.NotFound)
	v.wantRequests("remembered miss")
	v.site.Advance(Age + time.Second)
	v.wantBody(v.ask(http.MethodGet, CacheC, f.Path), "there by now", f.Body)
}

// proxyOrder finds files in the first member that has them.
func proxyOrder(v *visit) {
	everywhere, second, third := v.spec.Files[0], v.spec.Files[1], v.spec.Files[2]
	v.put(HostedA, everywhere.Path, everywhere.Body)
	v.put(HostedB, everywhere.Path, []byte("hidden"))
	v.site.Upstream.Put(everywhere.Path, []byte("hidden too"))
	v.put(HostedB, second.Path, second.Body)
	v.site.Upstream.Put(third.Path, third.Body)
	v.wantBody(v.ask(http.MethodGet, ProxyP, everywhere.Path), "in all members", everywhere.Body)
	v.wantBody(v.ask(http.MethodGet, ProxyP, second.Path), "in the second member", second.Body)
	v.wantRequests("found before the cache")
	v.wantBody(v.ask(http.MethodGet, ProxyP, third.Path), "behind the cache", third.Body)
	v.wantRequests("behind the cache", third.Path)
	v.ask(http.MethodDelete, HostedA, everywhere.Path)
	v.wantBody(v.ask(http.MethodGet, ProxyP, everywhere.Path), "in the members that are left", []byte("hidden"))
	if got := v.ask(http.MethodHead, ProxyP, second.Path); got.Err != nil || got.Status != http.StatusOK || len(got.Body) > 0 {
		v.Errorf("HEAD: %d, %v", got.Status, got.Err)
	}
	v.site.Upstream.Break(true)
	v.ask(http.MethodDelete, HostedB, second.Path)
	v.wantRefusal(v.ask(http.MethodGet, ProxyP, second.Path), "nowhere", formats.NotFound)
	v.wantRefusal(v.send(http.MethodPut, ProxyP, second.Path, sizedBytes(second.Body)), "PUT", formats.MethodNotAllowed)
	v.wantRefusal(v.ask(http.MethodDelete, ProxyP, second.Path), "DELETE", formats.MethodNotAllowed)
}

// proxyMerge compares the proxy's documents with what the format makes of the members'.
func proxyMerge(v *visit) {
	merger, ok := v.spec.Format.(formats.Merger)
	if !ok || len(v.spec.Documents) == 0 {
		v.Skip("merges nothing")
	}
	r := formats.Repository{Name: ProxyP, Kind: formats.Proxy, Settings: v.spec.Settings}
	for _, path := range slices.Sorted(maps.Keys(v.spec.Documents)) {
		v.wantRefusal(v.ask(http.MethodGet, ProxyP, path), path+" nowhere", formats.NotFound)
		v.site.Advance(Age + time.Second)
		var given [][]byte
		for i, body := range v.spec.Documents[path] {
			switch i {
			case 0:
				v.put(HostedA, path, body)
			case 1:
				v.put(HostedB, path, body)
			case 2:
				v.site.Upstream.Put(path, body)
			default:
				continue
			}
			given = append(given, body)
			want, err := merger.Merge(v.Context(), r, v.spec.Format.Classify(r, path), documentsOf(path, given))
			if err != nil {
				v.Fatalf("%s: %v", path, err)
			}
			v.site.Advance(Age + time.Second)
			v.wantBody(v.ask(http.MethodGet, ProxyP, path), path, want.Body)
			v.wantBody(v.ask(http.MethodGet, ProxyP, path), path+" again", want.Body)
		}
		v.site.Upstream.Break(true)
		v.site.Advance(Age + time.Second)
		if got := v.ask(http.MethodGet, ProxyP, path); got.Err != nil || got.Status != http.StatusOK {
			v.Errorf("%s with the upstream down: %d, %v", path, got.Status, got.Err)
		}
		v.site.Upstream.Break(false)
	}
}
