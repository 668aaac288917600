package server

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"entrepot/formats"
	"entrepot/storage/blob"
	"entrepot/storage/catalog"
)

// shelf opens files of a folder as blobs; a blob is named by its store.
type shelf struct {
	dir            string
	opened, closed atomic.Int64
}

type shelved struct {
	*os.File
	shelf *shelf
	size  int64
	twice atomic.Bool
}

func (s *shelved) Size() int64 { return s.size }

func (s *shelved) Close() error {
	if s.twice.Swap(true) {
		return errors.New("closed twice")
	}
	s.shelf.closed.Add(1)
	return s.File.Close()
}

// asFile gives the file away, so that it leaves by sendfile.
type asFile struct{ *shelved }

func (f asFile) File() *os.File { return f.shelved.File }

func (s *shelf) OpenBlob(_ context.Context, ref catalog.BlobRef) (blob.Object, error) {
	name, plainFile := strings.CutPrefix(ref.Store, "file:")
	f, err := os.Open(filepath.Join(s.dir, name))
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	s.opened.Add(1)
	object := &shelved{File: f, shelf: s, size: info.Size()}
	if plainFile {
		return asFile{object}, nil
	}
	return object, nil
}

func (s *shelf) balanced(t *testing.T) {
	t.Helper()
	for end := time.Now().Add(5 * time.Second); s.opened.Load() != s.closed.Load(); <-time.After(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d blobs opened, %d closed", s.opened.Load(), s.closed.Load())
		}
	}
}

func newShelf(t *testing.T, files map[string][]byte) *shelf {
	t.Helper()
	s := &shelf{dir: t.TempDir()}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(s.dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func randomBytes(n int) []byte {
	b := make([]byte, n)
	r := rand.NewChaCha8([32]byte{1})
	_, _ = r.Read(b)
	return b
}

// blobRoute answers /b/STORE/OFFSET/SIZE with that part of a blob.
func blobRoute() Route {
	return Route{Methods: []string{"GET"}, Pattern: "/b/{store}/{offset}/{size}", Access: Public(), Handler: func(r *Request) (*formats.Response, error) {
		body := formats.Body{Blob: &catalog.BlobRef{Store: r.Param("store")}}
		_, err := fmt.Sscan(r.Param("offset")+" "+r.Param("size"), &body.Offset, &body.Size)
		return &formats.Response{Status: 200, Header: http.Header{"Etag": {`"x"`}}, Body: body}, err
	}}
}

func TestBlobs(t *testing.T) {
	big := randomBytes(3<<20 + 17)
	small := randomBytes(1000)
	s := newShelf(t, map[string][]byte{"big": big, "small": small, "empty": nil})
	_, addr := start(t, Options{Blobs: s}, blobRoute())
	tests := []struct {
		store        string
		offset, size int
		want         []byte
	}{
		{"big", 0, len(big), big},
		{"file:big", 0, len(big), big},
		{"big", 5, 100000, big[5:100005]},
		{"file:big", 5, 100000, big[5:100005]},
		{"file:big", 100, 2 << 20, big[100 : 2<<20+100]},
		{"file:big", len(big) - 3, 3, big[len(big)-3:]},
		{"big", 100, 7, big[100:107]},
		{"small", 0, 1000, small},
		{"small", 0, 1000, small}, // from memory
		{"small", 990, 10, small[990:]},
		{"file:small", 1, 998, small[1:999]},
		{"empty", 0, 0, nil},
	}
	for _, tt := range tests {
		path := fmt.Sprintf("/b/%s/%d/%d", tt.store, tt.offset, tt.size)
		c := dial(t, addr)
		c.send("GET %s HTTP/1.1\r\nHost: h\r\n\r\nGET %s HTTP/1.1\r\nHost: h\r\n\r\n", path, path)
		for range 2 {
			resp, body := c.reply("GET")
			if resp.StatusCode != 200 || !bytes.Equal([]byte(body), tt.want) || resp.ContentLength != int64(tt.size) {
				t.Errorf("%s: got %d, %d bytes, length %d", path, resp.StatusCode, len(body), resp.ContentLength)
			}
		}
	}
	s.balanced(t)
	before := s.opened.Load()
	c := dial(t, addr)
	c.send("HEAD /b/big/0/%d HTTP/1.1\r\nHost: h\r\n\r\nHEAD /b/big/0/%d HTTP/1.1\r\nHost: h\r\n\r\n", len(big), len(big))
	for range 2 {
		if resp, _ := c.reply("HEAD"); resp.StatusCode != 200 || resp.ContentLength != int64(len(big)) {
			t.Errorf("HEAD: got %d, length %d", resp.StatusCode, resp.ContentLength)
		}
	}
	c.send("GET /b/small/0/1000 HTTP/1.1\r\nHost: h\r\n\r\n")
	c.reply("GET")
	if after := s.opened.Load(); after != before {
		t.Errorf("%d blobs were opened for HEAD and for one in memory", after-before)
	}
}

func TestMissingAndShortBlobs(t *testing.T) {
	s := newShelf(t, map[string][]byte{"short": randomBytes(20000)})
	_, addr := start(t, Options{Blobs: s}, blobRoute())
	for _, path := range []string{"/b/none/0/5", "/b/short/0/30000", "/b/short/19999/2"} {
		c := dial(t, addr)
		c.send("GET %s HTTP/1.1\r\nHost: h\r\n\r\n", path)
		if resp, _ := c.reply("GET"); resp.StatusCode != http.StatusInternalServerError {
			t.Errorf("%s: got %d", path, resp.StatusCode)
		}
	}
	s.balanced(t)
}

// TestClientGone states that what a vanished client was sent is let go.
func TestClientGone(t *testing.T) {
	s := newShelf(t, map[string][]byte{"big": make([]byte, 64<<20)})
	_, addr := start(t, Options{Blobs: s}, blobRoute())
	for _, store := range []string{"big", "file:big"} {
		c := dial(t, addr)
		c.send("GET /b/%s/0/%d HTTP/1.1\r\nHost: h\r\n\r\n", store, 64<<20)
		if _, err := io.ReadFull(c.in, make([]byte, 1000)); err != nil {
			t.Fatal(err)
		}
		c.Close()
	}
	s.balanced(t)
}

// TestIdleClient states that a client that takes nothing is let go after a while.
func TestIdleClient(t *testing.T) {
	s := newShelf(t, map[string][]byte{"big": make([]byte, 64<<20)})
	_, addr := start(t, Options{Blobs: s, WriteTimeout: 100 * time.Millisecond}, blobRoute())
	c := dial(t, addr)
	c.send("GET /b/file:big/0/%d HTTP/1.1\r\nHost: h\r\n\r\n", 64<<20)
	if _, err := io.ReadFull(c.in, make([]byte, 1000)); err != nil {
		t.Fatal(err)
	}
	s.balanced(t)
}

// source is a stream that counts its closings.
type source struct {
	io.Reader
	closed *atomic.Int64
}

func (s source) Close() error { s.closed.Add(1); return nil }

func TestStreams(t *testing.T) {
	var closed atomic.Int64
	content := randomBytes(300000)
	broken := errors.New("upstream went away")
	stream := func(open func() io.Reader, size int64) Handler {
		return func(*Request) (*formats.Response, error) {
			return &formats.Response{Status: 200, Body: formats.Body{Stream: source{open(), &closed}, Size: size}}, nil
		}
	}
	whole := func() io.Reader { return bytes.NewReader(content) }
	cut := func() io.Reader { return io.MultiReader(bytes.NewReader(content[:100000]), failing{broken}) }
	_, addr := start(t, Options{},
		Route{Methods: []string{"GET"}, Pattern: "/known", Access: Public(), Handler: stream(whole, int64(len(content)))},
		Route{Methods: []string{"GET"}, Pattern: "/unknown", Access: Public(), Handler: stream(whole, -1)},
		Route{Methods: []string{"GET"}, Pattern: "/broken", Access: Public(), Handler: stream(cut, 300000)},
		Route{Methods: []string{"GET"}, Pattern: "/brokenchunks", Access: Public(), Handler: stream(cut, -1)},
	)
	c := dial(t, addr)
	for _, path := range []string{"/known", "/unknown", "/known"} {
		c.send("GET %s HTTP/1.1\r\nHost: h\r\n\r\n", path)
		if _, body := c.reply("GET"); body != string(content) {
			t.Errorf("%s: %d bytes", path, len(body))
		}
	}
	c.send("HEAD /unknown HTTP/1.1\r\nHost: h\r\n\r\n")
	if resp, _ := c.reply("HEAD"); resp.StatusCode != 200 || resp.ContentLength != -1 {
		t.Errorf("HEAD: %d, length %d", resp.StatusCode, resp.ContentLength)
	}
	for _, path := range []string{"/broken", "/brokenchunks"} {
		c := dial(t, addr)
		c.send("GET %s HTTP/1.1\r\nHost: h\r\n\r\n", path)
		resp, err := http.ReadResponse(c.in, nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadAll(resp.Body); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%s: the client sees %v; want a broken body", path, err)
		}
	}
	old := dial(t, addr)
	old.send("GET /unknown HTTP/1.0\r\n\r\n")
	resp, err := http.ReadResponse(old.in, nil)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil || !bytes.Equal(body, content) || len(resp.TransferEncoding) > 0 {
		t.Errorf("HTTP/1.0: %d bytes, %v, encoding %v", len(body), err, resp.TransferEncoding)
	}
	for end := time.Now().Add(5 * time.Second); closed.Load() != 7; <-time.After(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d streams closed; want 7", closed.Load())
		}
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

func TestEmptyAnswers(t *testing.T) {
	_, addr := start(t, Options{}, Route{Pattern: "/{status}", Access: Public(), Handler: func(r *Request) (*formats.Response, error) {
		resp := &formats.Response{}
		_, err := fmt.Sscan(r.Param("status"), &resp.Status)
		return resp, err
	}})
	tests := []struct {
		method, status string
		closing        bool
		length         string // "-" for no header
	}{
		{"PUT", "201", false, "0"},
		{"PUT", "201", true, "-"},
		{"GET", "204", false, "-"},
		{"GET", "204", true, "-"},
		{"GET", "304", false, "-"},
		{"HEAD", "200", false, "-"},
		{"GET", "401", false, "0"},
		{"GET", "401", true, "-"},
	}
	for _, tt := range tests {
		c := dial(t, addr)
		end := ""
		if tt.closing {
			end = "Connection: Close\r\n"
		}
		c.send("%s /%s HTTP/1.1\r\nHost: h\r\n%s\r\n", tt.method, tt.status, end)
		resp, body := c.reply(tt.method)
		length := "-"
		if v := resp.Header.Values("Content-Length"); len(v) > 0 {
			length = v[0]
		}
		if resp.Close != tt.closing || length != tt.length || body != "" || resp.Header.Get("Content-Type") != "" {
			t.Errorf("%+v: closes %v, length %s, %q, %v", tt, resp.Close, length, body, resp.Header)
		}
	}
}

func TestReasonPhrase(t *testing.T) {
	_, addr := start(t, Options{}, Route{Pattern: "/", Access: Public(), Handler: func(r *Request) (*formats.Response, error) {
		return &formats.Response{Status: 404, Reason: r.Query().Get("r")}, nil
	}})
	for in, want := range map[string]string{
		"":                    "404 Not Found",
		"/none.txt":           "404 /none.txt",
		"caf%C3%A9":           "404 caf\xe9",
		"You%20can%E2%80%99t": "404 You can?t",
		"%F0%9F%98%80":        "404 ?",
		"a%0D%0AX-Evil:%201":  "404 aX-Evil: 1",
		"a%09b%00c":           "404 a b c",
	} {
		c := dial(t, addr)
		c.send("GET /?r=%s HTTP/1.1\r\nHost: h\r\n\r\n", in)
		line, err := c.in.ReadString('\n')
		if err != nil || line != "HTTP/1.1 "+want+"\r\n" {
			t.Errorf("%s: got %q; want %q", in, line, want)
		}
	}
}

func TestHeaders(t *testing.T) {
	s := New(Options{Name: "Nexus/3.77.0-08 (OSS)"})
	surface := Surface{Prefix: "/", Face: face{lines: []Line{{"X-Content-Type-Options", "nosniff"}}}}
	err := s.Mount(surface, Route{Pattern: "/", Access: Public(), Handler: func(*Request) (*formats.Response, error) {
		return &formats.Response{Status: 200, Header: http.Header{
			"Etag": {`"1"`}, "Www-Authenticate": {"BASIC"}, "Set-Cookie": {"a=1", "b=2"}, "Vary": {"Accept", "Origin"}, "X-Split": {"a\r\nX-Evil: 1"},
		}, Body: formats.Body{Bytes: []byte("x")}}, nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	addr, err := s.Listen(Listener{Address: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Shutdown(t.Context()) }()
	c := dial(t, addr.String())
	c.send("GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
	raw := c.rest()
	for _, line := range []string{
		"Server: Nexus/3.77.0-08 (OSS)", "X-Content-Type-Options: nosniff", `ETag: "1"`, "WWW-Authenticate: BASIC", "Set-Cookie: a=1", "Set-Cookie: b=2",
		"Vary: Accept", "Vary: Origin", "Date: ", "Content-Length: 1",
	} {
		if !strings.Contains(raw, "\r\n"+line) {
			t.Errorf("no line %q in\n%s", line, raw)
		}
	}
	if resp, err := http.ReadResponse(bufio.NewReader(strings.NewReader(raw)), nil); err != nil || resp.Header.Get("X-Evil") != "" {
		t.Errorf("a value made a header of its own: %v\n%s", err, raw)
	}
}

func TestHot(t *testing.T) {
	h := newHot(hotShards * 3 * (100 + hotOverhead))
	ref := func(i int) catalog.BlobRef { return catalog.BlobRef{Store: "s", Hash: blob.Hash{0, byte(i)}} } // all in one shard
	for i := range 3 {
		h.put(ref(i), make([]byte, 100))
	}
	if h.get(ref(0)) == nil {
		t.Fatal("0 is not there")
	}
	h.put(ref(3), make([]byte, 100))
	for i, want := range []bool{true, false, true, true} {
		if got := h.get(ref(i)) != nil; got != want {
			t.Errorf("%d there: %v; want %v", i, got, want)
		}
	}
	h.put(ref(4), make([]byte, 10000))
	if s := &h[0]; h.get(ref(4)) != nil || s.size != 3*(100+hotOverhead) || len(s.blobs) != 3 {
		t.Errorf("a blob larger than the cache counts: %d bytes, %d blobs", s.size, len(s.blobs))
	}
}
