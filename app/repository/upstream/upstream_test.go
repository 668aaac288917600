package upstream

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func intp(n int) *int { return &n }

// serve starts an upstream and a client for it.
func serve(t *testing.T, s Settings, o *Options, h http.HandlerFunc) *Client {
	t.Helper()
	srv := httptest.NewServer(h)
	s.URL = srv.URL + "/base" + s.URL
	c, err := New(s, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close(); srv.Close() })
	return c
}

func body(t *testing.T, r *Response) string {
	t.Helper()
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatalf("body: %v", err)
	}
	return string(b)
}

func TestFetch(t *testing.T) {
	c := serve(t, Settings{URL: "?k=v", UserAgentSuffix: "site/1"}, &Options{UserAgent: "Agent/1"}, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", "abc")
		w.Header().Set("Last-Modified", "Wed, 01 Jan 2020 00:00:00 GMT")
		fmt.Fprintf(w, "%s %s %s", r.Method, r.RequestURI, r.Header.Get("User-Agent"))
	})
	tests := []struct{ path, want string }{
		{"/a/b.txt", "GET /base/a/b.txt Agent/1 site/1"},
		{"a b+c;d=e", "GET /base/a%20b+c;d=e Agent/1 site/1"},
		{"100%/#?[x]^", "GET /base/100%25/%23%3F%5Bx%5D%5E Agent/1 site/1"},
		{"ü", "GET /base/%C3%BC Agent/1 site/1"},
	}
	for _, tt := range tests {
		r, err := c.Fetch(t.Context(), Request{Path: tt.path})
		if err != nil {
			t.Fatal(err)
		}
		if got := body(t, r); got != tt.want {
			t.Errorf("%q: got %q, want %q", tt.path, got, tt.want)
		}
		if r.ETag != `"abc"` || !r.LastModified.Equal(time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)) {
			t.Errorf("%q: validators %q %v", tt.path, r.ETag, r.LastModified)
		}
	}
	if _, err := c.Fetch(t.Context(), Request{Path: "a\x00"}); !errors.Is(err, ErrInvalidPath) {
		t.Errorf("NUL in path: %v", err)
	}
}

func TestRedirects(t *testing.T) {
	var hits atomic.Int32
	handler := func(w http.ResponseWriter, r *http.Request) {
		hits.Add(1)
		switch r.URL.Path {
		case "/base/rel":
			w.Header().Set("Location", "../other?x=1")
			w.WriteHeader(http.StatusFound)
		case "/base/loop":
			http.Redirect(w, r, "/base/loop", http.StatusMovedPermanently)
		case "/base/endless":
			http.Redirect(w, r, fmt.Sprintf("/base/endless?n=%d", hits.Load()), http.StatusTemporaryRedirect)
		case "/base/nowhere":
			w.WriteHeader(http.StatusFound)
		case "/base/bad":
			w.Header().Set("Location", "http://[bad")
			w.WriteHeader(http.StatusFound)
		case "/base/file":
			w.Header().Set("Location", "file:///etc/passwd")
			w.WriteHeader(http.StatusFound)
		default:
			fmt.Fprint(w, r.RequestURI)
		}
	}
	c := serve(t, Settings{Retries: intp(0)}, nil, handler)
	tests := []struct {
		path     string
		status   int
		body     string
		requests int32
	}{
		{"rel", 200, "/other?x=1", 2},
		{"loop", 0, "", 2},
		{"endless", 0, "", maxRedirects + 1},
		{"nowhere", 302, "", 1},
		{"bad", 0, "", 1},
		{"file", 0, "", 1},
	}
	for _, tt := range tests {
		hits.Store(0)
		r, err := c.Fetch(t.Context(), Request{Path: tt.path})
		var te *TransportError
		switch {
		case tt.status == 0 && !errors.As(err, &te):
			t.Errorf("%s: got %v, want a transport error", tt.path, err)
		case tt.status != 0 && err != nil:
			t.Errorf("%s: %v", tt.path, err)
		case tt.status != 0:
			if got := body(t, r); r.Status != tt.status || got != tt.body {
				t.Errorf("%s: got %d %q, want %d %q", tt.path, r.Status, got, tt.status, tt.body)
			}
		}
		if hits.Load() != tt.requests {
			t.Errorf("%s: %d requests, want %d", tt.path, hits.Load(), tt.requests)
		}
	}
}

func TestRetriesOnlyBeforeAnAnswer(t *testing.T) {
	var hits atomic.Int32
	c := serve(t, Settings{Retries: intp(2)}, nil, func(w http.ResponseWriter, r *http.Request) {
		if n := hits.Add(1); r.URL.Path == "/base/flaky" && n < 3 {
			conn, _, err := w.(http.Hijacker).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			conn.Close()
			return
		}
		w.WriteHeader(http.StatusInternalServerError)
	})
	for _, tt := range []struct {
		path string
		hits int32
	}{{"flaky", 3}, {"broken", 1}} {
		hits.Store(0)
		r, err := c.Fetch(t.Context(), Request{Path: tt.path})
		if err != nil {
			t.Fatalf("%s: %v", tt.path, err)
		}
		if body(t, r); r.Status != 500 || hits.Load() != tt.hits {
			t.Errorf("%s: status %d after %d requests, want 500 after %d", tt.path, r.Status, hits.Load(), tt.hits)
		}
	}
}

func TestBrokenBodies(t *testing.T) {
	release := make(chan struct{})
	c := serve(t, Settings{Retries: intp(0), Timeout: 100 * time.Millisecond}, nil, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/base/short":
			w.Header().Set("Content-Length", "100")
			fmt.Fprint(w, "short")
		case "/base/stall":
			w.Header().Set("Content-Length", "100")
			fmt.Fprint(w, "stall")
			w.(http.Flusher).Flush()
			<-release
		case "/base/silent":
			<-release
		case "/base/nogzip":
			w.Header().Set("Content-Encoding", "gzip")
			fmt.Fprint(w, "this is not gzip at all")
		case "/base/gzip":
			w.Header().Set("Content-Encoding", "gzip")
			z := gzip.NewWriter(w)
			fmt.Fprint(z, "unpacked")
			z.Close()
		}
	})
	t.Cleanup(func() { close(release) })
	for _, path := range []string{"short", "stall", "nogzip"} {
		r, err := c.Fetch(t.Context(), Request{Path: path})
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		if _, err := io.ReadAll(r.Body); err == nil {
			t.Errorf("%s: body was read without an error", path)
		}
		r.Body.Close()
	}
	var te *TransportError
	if _, err := c.Fetch(t.Context(), Request{Path: "silent"}); !errors.As(err, &te) {
		t.Errorf("silent: got %v, want a transport error", err)
	}
	r, err := c.Fetch(t.Context(), Request{Path: "gzip"})
	if err != nil {
		t.Fatal(err)
	}
	if got := body(t, r); got != "unpacked" || r.Size != -1 {
		t.Errorf("gzip: got %q, size %d", got, r.Size)
	}
}

func TestAuthentication(t *testing.T) {
	var seen []string
	handler := func(w http.ResponseWriter, r *http.Request) {
		authorization := r.Header.Get("Authorization")
		seen = append(seen, authorization)
		switch {
		case strings.HasSuffix(r.URL.Path, "/away"):
			http.Redirect(w, r, strings.Replace("http://"+r.Host, "127.0.0.1", "localhost", 1)+"/stranger", http.StatusFound)
		case strings.HasSuffix(r.URL.Path, "/stranger"):
		case strings.HasSuffix(r.URL.Path, "/digest") && !strings.HasPrefix(authorization, "Digest "):
			w.Header().Set("WWW-Authenticate", `Digest realm="r", qop="auth,auth-int", nonce="n", opaque="o"`)
			w.WriteHeader(http.StatusUnauthorized)
		case authorization == "" || strings.HasSuffix(r.URL.Path, "/never"):
			w.Header().Set("WWW-Authenticate", `Basic realm="r"`)
			w.WriteHeader(http.StatusUnauthorized)
		}
	}
	const up = "Basic dXA6c2VjcmV0"
	user := &Auth{Type: AuthUsername, Username: "up", Password: "secret"}
	tests := []struct {
		name, path string
		auth       *Auth
		status     int
		want       []string // prefixes of the Authorization headers seen
	}{
		{"none", "a", nil, 401, []string{""}},
		{"basic after challenge", "a", user, 200, []string{"", up}},
		{"refused", "never", user, 401, []string{"", up}},
		{"preemptive", "a", &Auth{Type: AuthUsername, Username: "up", Password: "secret", Preemptive: true}, 200, []string{up}},
		{"bearer", "a", &Auth{Type: AuthBearer, Bearer: "tok"}, 200, []string{"Bearer tok"}},
		{"digest", "digest", user, 200, []string{"", `Digest username="up"`}},
		{"not to strangers", "away", &Auth{Type: AuthBearer, Bearer: "tok"}, 200, []string{"Bearer tok", ""}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			seen = nil
			c := serve(t, Settings{Auth: tt.auth, Retries: intp(0)}, &Options{Dial: dialLoopback}, handler)
			r, err := c.Fetch(t.Context(), Request{Path: tt.path})
			if err != nil {
				t.Fatal(err)
			}
			body(t, r)
			if r.Status != tt.status || len(seen) != len(tt.want) {
				t.Fatalf("status %d, %d requests; want %d, %d", r.Status, len(seen), tt.status, len(tt.want))
			}
			for i, want := range tt.want {
				if !strings.HasPrefix(seen[i], want) || want == "" && seen[i] != "" {
					t.Errorf("request %d sent %q, want %q", i, seen[i], want)
				}
			}
		})
	}
	if got := fmt.Sprintf("%v %+v %#v", *user, *user, *user); strings.Contains(got, "secret") {
		t.Errorf("credentials print: %s", got)
	}
}

// dialLoopback resolves every name to the loopback address.
func dialLoopback(ctx context.Context, network, addr string) (net.Conn, error) {
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	return (&net.Dialer{}).DialContext(ctx, network, net.JoinHostPort("127.0.0.1", port))
}

// TestDigestVector is the example of RFC 2617, section 3.5, without its client nonce: the form that old servers use.
func TestDigestResponseMatchesServer(t *testing.T) {
	c := serve(t, Settings{Auth: &Auth{Type: AuthUsername, Username: "Mufasa", Password: "Circle Of Life"}}, nil, func(http.ResponseWriter, *http.Request) {})
	target := *c.base
	target.Path = "/dir/index.html"
	got := c.auth.digest(&target, "GET", parseChallenge(`realm="testrealm@host.com", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093"`))
	if want := `response="670fd8c2df070c60b045671b8b24ff02"`; !strings.Contains(got, want) {
		t.Errorf("got %s, want %s in it", got, want)
	}
}

func TestAutoBlock(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	var due func()
	var wait time.Duration
	status := http.StatusInternalServerError
	c := serve(t, Settings{AutoBlock: true, Retries: intp(0)}, &Options{
		Now:       func() time.Time { return now },
		AfterFunc: func(d time.Duration, f func()) func() bool { wait, due = d, f; return func() bool { return true } },
	}, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) })

	fetch := func() error {
		r, err := c.Fetch(t.Context(), Request{Path: "a"})
		if err == nil {
			body(t, r)
		}
		return err
	}
	if err := fetch(); err != nil {
		t.Fatalf("first failure is passed on as an answer, got %v", err)
	}
	if err := fetch(); err == nil || err.Error() != "Remote Auto Blocked until 2026-01-01T00:00:40.000Z" {
		t.Fatalf("blocked: %v", err)
	}
	for _, want := range []time.Duration{40, 80, 120, 200} {
		due() // probe fails again
		if wait != want*time.Second {
			t.Fatalf("block of %v, want %v", wait, want*time.Second)
		}
	}
	status = http.StatusOK
	due()
	if err := fetch(); err != nil {
		t.Errorf("after a good probe: %v", err)
	}
	if s, _ := c.State(); s != StateAvailable {
		t.Errorf("state %s", s)
	}
}

func TestManualBlock(t *testing.T) {
	c := serve(t, Settings{Blocked: true}, nil, func(http.ResponseWriter, *http.Request) { t.Error("upstream was asked") })
	if _, err := c.Fetch(t.Context(), Request{Path: "a"}); err == nil || err.Error() != "Remote Manually Blocked" {
		t.Errorf("got %v", err)
	}
}

func TestBadURL(t *testing.T) {
	for _, u := range []string{"", "ftp://x/", "http://", "://", "/path"} {
		if _, err := New(Settings{URL: u}, nil); err == nil {
			t.Errorf("%q: accepted", u)
		}
	}
}

func FuzzParseChallenge(f *testing.F) {
	f.Add(`realm="a", nonce="b", qop="auth"`)
	f.Add(`realm=a,=,"`)
	f.Fuzz(func(_ *testing.T, s string) { parseChallenge(s) })
}
