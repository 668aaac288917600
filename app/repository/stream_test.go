package repository

import (
	"context"
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"entrepot/formats"
)

const streamFrom = 1000

// streaming is an option of the bench: bodies are passed on early.
func streaming(o *Options) { o.StreamFrom = streamFrom }

// gate is a body that an upstream sends in two halves, the second when it is opened.
type gate struct {
	body   string
	half   int
	opened chan struct{}
	sent   chan struct{} // the first half is out
	once   sync.Once
}

func newGate(size int) *gate {
	return &gate{body: strings.Repeat("0123456789", size/10), half: size / 2, opened: make(chan struct{}), sent: make(chan struct{})}
}

func (g *gate) open() { g.once.Do(func() { close(g.opened) }) }

func (g *gate) serve(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Length", fmt.Sprint(len(g.body)))
	w.Header().Set("ETag", `"gate"`)
	io.WriteString(w, g.body[:g.half])
	w.(http.Flusher).Flush()
	close(g.sent)
	select {
	case <-g.opened:
		io.WriteString(w, g.body[g.half:])
	case <-r.Context().Done():
	}
}

// ask sends a GET and gives the answer with its body unread.
func (b *bench) ask(ctx context.Context, repository, path string, headers ...string) (*formats.Response, error) {
	req := &formats.Request{Method: http.MethodGet, Path: path, Header: http.Header{}}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Add(headers[i], headers[i+1])
	}
	return b.Serve(ctx, Call{Repository: repository, Subject: admin, Request: req, RemoteIP: "192.0.2.1"})
}

func (b *bench) stream(repository, path string, headers ...string) *formats.Response {
	b.t.Helper()
	resp, err := b.ask(b.t.Context(), repository, path, headers...)
	must(b.t, err)
	if resp.Body.Stream == nil {
		b.t.Fatalf("GET %s%s: no stream", repository, path)
	}
	b.t.Cleanup(func() { resp.Body.Stream.Close() })
	return resp
}

func TestDownloadIsSharedWhileItComesIn(t *testing.T) {
	b, o := newBench(t, streaming), newOrigin(t)
	g := newGate(100_000)
	defer g.open()
	o.on("/big.bin", g.serve)
	b.create(rawCache("copy", o.URL))
	responses := make([]*formats.Response, 5)
	for i := range responses {
		responses[i] = b.stream("copy", "/big.bin")
		if responses[i].Body.Size != int64(len(g.body)) || responses[i].Header.Get("ETag") != `"gate"` {
			t.Errorf("answer: size %d, headers %v", responses[i].Body.Size, responses[i].Header)
		}
		first := make([]byte, g.half-1)
		if _, err := io.ReadFull(responses[i].Body.Stream, first); err != nil || string(first) != g.body[:g.half-1] {
			t.Fatalf("first half: %v", err)
		}
	}
	if resp, err := b.ask(t.Context(), "copy", "/big.bin", "If-None-Match", `"gate"`); err != nil || resp.Status != 304 {
		t.Errorf("conditional: %v %v; want 304", resp, err)
	}
	b.want(b.do("HEAD", "copy", "/big.bin", ""), 200, "")
	g.open()
	for _, resp := range responses {
		rest, err := io.ReadAll(resp.Body.Stream)
		if err != nil || string(rest) != g.body[g.half-1:] {
			t.Errorf("rest: %d bytes, %v; want %d", len(rest), err, len(g.body)-g.half+1)
		}
	}
	b.want(b.do("GET", "copy", "/big.bin", ""), 200, g.body)
	o.wantLog(t, "GET /big.bin")
}

func TestPartOfAStreamWaitsForItsLastByte(t *testing.T) {
	b, o := newBench(t, streaming), newOrigin(t)
	g := newGate(100_000)
	defer g.open()
	o.on("/big.bin", g.serve)
	b.create(rawCache("copy", o.URL))
	part := b.stream("copy", "/big.bin", "Range", "bytes=100-199")
	read := make(chan string, 1)
	go func() {
		text, err := io.ReadAll(part.Body.Stream)
		read <- fmt.Sprint(len(text), err)
	}()
	<-g.sent
	select {
	case got := <-read:
		t.Errorf("the part was complete before the body was verified: %s", got)
	default:
	}
	g.open()
	if part.Status != 206 || part.Body.Size != 100 {
		t.Errorf("part: status %d, size %d", part.Status, part.Body.Size)
	}
	if got := <-read; got != "100 <nil>" {
		t.Errorf("part: %s; want 100 bytes", got)
	}
}

func TestStreamBreaksOffWhenTheUpstreamDoes(t *testing.T) {
	b, o := newBench(t, streaming), newOrigin(t)
	g := newGate(100_000)
	o.on("/big.bin", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", fmt.Sprint(len(g.body)))
		io.WriteString(w, g.body[:g.half])
		w.(http.Flusher).Flush()
		<-g.opened
		hangUp(w, r)
	})
	b.create(rawCache("copy", o.URL))
	resp := b.stream("copy", "/big.bin")
	g.open()
	body, err := io.ReadAll(resp.Body.Stream)
	if !errors.Is(err, errBrokenOff) || len(body) >= len(g.body) {
		t.Errorf("body: %d bytes, %v; want it broken off", len(body), err)
	}
	if _, err := b.Asset(t.Context(), admin, Locator{Repository: "copy", ID: 1}); err == nil {
		t.Error("the broken body was kept")
	}
	o.on("/big.bin", text(g.body))
	b.want(b.do("GET", "copy", "/big.bin", ""), 200, g.body)
}

func TestReaderGivesUpWithoutHarm(t *testing.T) {
	b, o := newBench(t, streaming), newOrigin(t)
	g := newGate(100_000)
	defer g.open()
	o.on("/big.bin", g.serve)
	b.create(rawCache("copy", o.URL))
	ctx, cancel := context.WithCancel(t.Context())
	resp, err := b.ask(ctx, "copy", "/big.bin")
	must(t, err)
	cancel()
	if _, err := io.ReadAll(resp.Body.Stream); !errors.Is(err, context.Canceled) {
		t.Errorf("reader whose client is gone: %v", err)
	}
	must(t, resp.Body.Stream.Close())
	g.open()
	b.want(b.do("GET", "copy", "/big.bin", ""), 200, g.body)
	o.wantLog(t, "GET /big.bin")
}

func TestCloseEndsDownloads(t *testing.T) {
	b, o := newBench(t, streaming), newOrigin(t)
	g := newGate(100_000)
	defer g.open()
	o.on("/big.bin", g.serve)
	b.create(rawCache("copy", o.URL))
	resp := b.stream("copy", "/big.bin")
	must(t, b.Engine.Close())
	if _, err := io.ReadAll(resp.Body.Stream); !errors.Is(err, errBrokenOff) {
		t.Errorf("body after Close: %v; want it broken off", err)
	}
	if got := b.do("GET", "copy", "/other", ""); got.status != 503 {
		t.Errorf("request after Close: %s; want 503", got)
	}
}

func TestManyReadersOneSmallDownload(t *testing.T) {
	b, o := newBench(t), newOrigin(t)
	release := make(chan struct{})
	o.on("/a.txt", func(w http.ResponseWriter, r *http.Request) {
		<-release
		text("hello")(w, r)
	})
	b.create(rawCache("copy", o.URL))
	var group sync.WaitGroup
	for range 32 {
		group.Go(func() {
			if got := b.do("GET", "copy", "/a.txt", ""); got.status != 200 || got.body != "hello" {
				t.Errorf("got %s", got)
			}
		})
	}
	r := b.state.Load().find("copy")
	for waiting := false; !waiting; {
		r.run.mu.Lock()
		waiting = len(r.run.flights) == 1
		r.run.mu.Unlock()
	}
	close(release)
	group.Wait()
	if n := len(o.log()); n > 2 { // one who comes after the end starts none: the copy is fresh
		t.Errorf("upstream was asked %d times", n)
	}
}

func mavenCache(name, url string) Definition {
	d := rawCache(name, url)
	d.Format, d.Settings = "maven2", map[string]string{"versionPolicy": "RELEASE", "layoutPolicy": "PERMISSIVE"}
	return d
}

func digest(body string) string {
	sum := sha1.Sum([]byte(body))
	return hex.EncodeToString(sum[:])
}

func TestPromisedDigest(t *testing.T) {
	const path = "/g/a/1/a-1.jar"
	tests := []struct {
		name    string
		promise http.HandlerFunc
		status  int
	}{
		{"fits", text(digest("jar")), 200},
		{"fits, with a name", text(strings.ToUpper(digest("jar")) + "  a-1.jar\n"), 200},
		{"fits, as openssl says it", text("SHA1(a-1.jar)= " + digest("jar")), 200},
		{"is not there", status(404), 200},
		{"cannot be had", status(500), 200},
		{"is no digest", text("<html>login</html>"), 200},
		{"is of other bytes", text(digest("other")), 502},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			b, o := newBench(t), newOrigin(t)
			o.on(path, text("jar"))
			o.on(path+".sha1", test.promise)
			b.create(mavenCache("copy", o.URL))
			got := b.do("GET", "copy", path, "")
			if got.status != test.status || test.status == 502 && !strings.Contains(got.body, digest("other")) {
				t.Errorf("got %s; want %d", got, test.status)
			}
			if got.status != 200 {
				if again := b.do("GET", "copy", path, ""); again.status != test.status {
					t.Errorf("again: %s; bytes that are not what was promised must not be kept", again)
				}
			}
		})
	}
}

func TestBrokenPromiseServesTheCopy(t *testing.T) {
	const path = "/g/a/1/a-1.jar"
	b, o := newBench(t), newOrigin(t)
	def := mavenCache("copy", o.URL)
	def.Upstream.ContentMaxAge = 0
	b.create(def)
	o.on(path, text("good"))
	o.on(path+".sha1", text(digest("good")))
	b.want(b.do("GET", "copy", path, ""), 200, "good")
	o.on(path, text("evil"))
	b.want(b.do("GET", "copy", path, ""), 200, "good")
}

func TestOldPromiseIsAskedForAgain(t *testing.T) {
	const path = "/g/a/1/a-1.jar"
	b, o := newBench(t), newOrigin(t)
	def := mavenCache("copy", o.URL)
	b.create(def)
	o.on(path, text("one"))
	o.on(path+".sha1", text(digest("one")))
	b.want(b.do("GET", "copy", path+".sha1", ""), 200, digest("one"))
	o.on(path, text("two"))
	o.on(path+".sha1", text(digest("two")))
	b.want(b.do("GET", "copy", path, ""), 200, "two")
	b.want(b.do("GET", "copy", path+".sha1", ""), 200, digest("two"))
}

func TestStreamWithABrokenPromiseIsNeverComplete(t *testing.T) {
	const path = "/g/a/1/a-1.jar"
	b, o := newBench(t, streaming), newOrigin(t)
	g := newGate(100_000)
	defer g.open()
	o.on(path, g.serve)
	o.on(path+".sha1", text(digest("other")))
	b.create(mavenCache("copy", o.URL))
	resp := b.stream("copy", path)
	g.open()
	body, err := io.ReadAll(resp.Body.Stream)
	if !errors.Is(err, errBrokenOff) || len(body) >= len(g.body) {
		t.Errorf("body: %d of %d bytes, %v; want it broken off", len(body), len(g.body), err)
	}
}

func TestFindDigest(t *testing.T) {
	sum := digest("x")
	tests := map[string]string{
		sum: sum, sum + "\n": sum, strings.ToUpper(sum) + "  file.jar": sum, "file.jar: " + sum: sum,
		"": "", "nothing here": "", sum[1:]: "", "zz" + sum[2:]: "",
	}
	for text, want := range tests {
		if got := findDigest([]byte(text), "sha1"); got != want {
			t.Errorf("findDigest(%q) = %q; want %q", text, got, want)
		}
	}
}

func FuzzFindDigest(f *testing.F) {
	f.Add([]byte(digest("x")), "sha1")
	f.Add([]byte("MD5(a)= d41d8cd98f00b204e9800998ecf8427e"), "md5")
	f.Fuzz(func(t *testing.T, text []byte, algorithm string) {
		got := findDigest(text, algorithm)
		if _, err := hex.DecodeString(got); err != nil || got != strings.ToLower(got) {
			t.Errorf("findDigest(%q, %q) = %q", text, algorithm, got)
		}
	})
}

func TestStrictStreamThatShowsItselfLate(t *testing.T) {
	b, o := newBench(t, streaming), newOrigin(t)
	def := rawCache("copy", o.URL)
	def.Strict = true
	b.create(def)
	o.on("/big.zip", text("<html>"+strings.Repeat("sorry ", 2000)+"</html>"))
	got := b.do("GET", "copy", "/big.zip", "")
	if got.status != 404 || !strings.HasPrefix(got.body, "Detected content type [text/html]") {
		t.Errorf("got %.60s; want the refusal, not a stream", got)
	}
}
