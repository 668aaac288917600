//go:build e2e

package e2e

import (
	"bytes"
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// makeCache makes a cache of an upstream that waits so many seconds for it, asks once and remembers no refusals.
func (s *server) makeCache(format, name, url string, timeout int) {
	s.t.Helper()
	more := ""
	if format == "maven" {
		more = `,"maven":{"versionPolicy":"MIXED","layoutPolicy":"PERMISSIVE"}`
	}
	s.json(http.MethodPost, "/service/rest/v1/repositories/"+format+"/proxy", fmt.Sprintf(`{"name":%q,"online":true,
"storage":{"blobStoreName":"default","strictContentTypeValidation":true},"proxy":{"remoteUrl":%q,"contentMaxAge":-1,"metadataMaxAge":0},
"negativeCache":{"enabled":false,"timeToLive":1},"httpClient":{"blocked":false,"autoBlock":false,"connection":{"timeout":%d,"retries":0}}%s}`,
		name, url, timeout, more))
}

// random gives bytes that are the same at every run.
func random(size int) []byte {
	body := make([]byte, size)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(body) // never fails
	return body
}

func sha1Of(body []byte) string {
	sum := sha1.Sum(body)
	return hex.EncodeToString(sum[:])
}

// hijacked writes bytes of its own making and ends the connection.
func hijacked(t *testing.T, w http.ResponseWriter, answer string, reset bool) {
	c, _, err := w.(http.Hijacker).Hijack()
	if err != nil {
		t.Error(err)
		return
	}
	if reset {
		_ = c.(*net.TCPConn).SetLinger(0) // makes Close send a reset
	}
	_, _ = io.WriteString(c, answer)
	c.Close()
}

// TestFaultyUpstream has caches ask an upstream that does everything wrong. What is wrong is not served and not kept, and as soon
// as the upstream is well again, its file is served.
func TestFaultyUpstream(t *testing.T) {
	large := random(4 << 20)
	var healthy atomic.Bool
	faults := map[string]struct {
		status int // what the client gets; 0 for a body that breaks off
		answer func(w http.ResponseWriter, r *http.Request)
	}{
		"promises-more": {500, func(w http.ResponseWriter, _ *http.Request) {
			hijacked(t, w, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nshort", false)
		}},
		"promises-more-of-much": {0, func(w http.ResponseWriter, _ *http.Request) {
			hijacked(t, w, "HTTP/1.1 200 OK\r\nContent-Length: 4194304\r\n\r\n"+string(large[:3<<20]), false)
		}},
		"breaks-a-chunk-off": {500, func(w http.ResponseWriter, _ *http.Request) {
			hijacked(t, w, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n100\r\nshort", false)
		}},
		"stalls-before-its-answer": {502, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }},
		"stalls-in-its-body": {500, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "1000")
			fmt.Fprint(w, "short")
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		}},
		"resets-at-once":    {502, func(w http.ResponseWriter, _ *http.Request) { hijacked(t, w, "", true) }},
		"speaks-no-http":    {502, func(w http.ResponseWriter, _ *http.Request) { hijacked(t, w, "220 smtp ready\r\n", false) }},
		"redirects-to-self": {502, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, r.URL.Path, http.StatusFound) }},
		"redirects-on-and-on": {502, func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, r.URL.Path+"?"+r.URL.RawQuery+"x", http.StatusFound)
		}},
		"sends-html": {404, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			fmt.Fprint(w, "<!DOCTYPE html><html><head><title>Please sign in</title></head><body>portal</body></html>")
		}},
		"fails":          {503, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) }},
		"wants-a-log-in": {503, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) }},
	}
	jar := "PK\x03\x04" + strings.Repeat("a good file", 100)
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
		if fault, ok := faults[name]; ok && !healthy.Load() {
			fault.answer(w, r)
			return
		}
		fmt.Fprint(w, jar)
	}))
	defer upstream.Close()
	s := start(t)
	s.makeCache("raw", "copy", upstream.URL, 1)
	t.Run("faults", func(t *testing.T) {
		for name, fault := range faults {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				resp, err := http.Get(s.url("/repository/copy/" + name + "/a-1.jar"))
				if err != nil {
					t.Fatal(err)
				}
				defer resp.Body.Close()
				_, err = io.Copy(io.Discard, resp.Body)
				switch {
				case fault.status == 0 && (resp.StatusCode != http.StatusOK || err == nil):
					t.Errorf("%d and %v; want a body that breaks off", resp.StatusCode, err)
				case fault.status != 0 && (resp.StatusCode != fault.status || err != nil):
					t.Errorf("%d and %v; want %d", resp.StatusCode, err, fault.status)
				}
			})
		}
	})
	if _, list := s.do(http.MethodGet, "/service/rest/v1/assets?repository=copy", nil); !strings.Contains(list, `"items" : [ ]`) {
		t.Errorf("something wrong was kept: %s", list)
	}
	healthy.Store(true)
	for name := range faults {
		if status, body := s.do(http.MethodGet, "/repository/copy/"+name+"/a-1.jar", nil); status != http.StatusOK || body != jar {
			t.Errorf("%s, after the upstream is well again: %d", name, status)
		}
	}
	s.stop()
	noTemporaries(t, s.data)
	verify(t, s.data)
}

// TestWrongChecksum has an upstream serve artifacts that are not what their .sha1 says: small ones are refused, and of large ones,
// which are passed on while they come in, nobody gets the end.
func TestWrongChecksum(t *testing.T) {
	bodies := map[string][]byte{
		"/a/b/1/b-1.jar": append([]byte("PK\x03\x04"), random(1000)...),
		"/a/c/1/c-1.jar": append([]byte("PK\x03\x04"), random(4<<20)...),
	}
	var sum atomic.Pointer[string]
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		artifact, isSum := strings.CutSuffix(r.URL.Path, ".sha1")
		body, ok := bodies[artifact]
		switch {
		case !ok:
			http.NotFound(w, r)
		case isSum && sum.Load() != nil:
			fmt.Fprint(w, *sum.Load())
		case isSum:
			fmt.Fprint(w, sha1Of(body))
		default:
			_, _ = w.Write(body)
		}
	}))
	defer upstream.Close()
	wrong := sha1Of([]byte("something else"))
	sum.Store(&wrong)
	s := start(t)
	s.makeCache("maven", "copy", upstream.URL, 1)
	for range 2 {
		if status, text := s.do(http.MethodGet, "/repository/copy/a/b/1/b-1.jar", nil); status != http.StatusBadGateway || !strings.Contains(text, wrong) {
			t.Errorf("a small artifact with a wrong checksum: %d %.300s", status, text)
		}
		resp, err := http.Get(s.url("/repository/copy/a/c/1/c-1.jar"))
		if err != nil {
			t.Fatal(err)
		}
		n, err := io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		if resp.StatusCode == http.StatusOK && err == nil {
			t.Errorf("a large artifact with a wrong checksum was served whole: %d bytes", n)
		}
	}
	sum.Store(nil)
	for path, body := range bodies {
		if status, got := s.do(http.MethodGet, "/repository/copy"+path, nil); status != http.StatusOK || got != string(body) {
			t.Errorf("%s, after the checksum is right: %d", path, status)
		}
	}
	s.stop()
	noTemporaries(t, s.data)
	verify(t, s.data)
}

// TestSharedFetch has many clients ask for a file that comes in slowly: the upstream is asked once, and all get bytes before it has
// sent the last one.
func TestSharedFetch(t *testing.T) {
	const clients = 20
	body := random(4 << 20)
	var asked atomic.Int32
	rest := make(chan struct{})
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		w.Header().Set("Content-Length", fmt.Sprint(len(body)))
		_, _ = w.Write(body[:len(body)/2])
		w.(http.Flusher).Flush()
		select {
		case <-rest:
		case <-r.Context().Done():
		}
		_, _ = w.Write(body[len(body)/2:])
	}))
	defer upstream.Close()
	s := start(t)
	s.makeCache("raw", "copy", upstream.URL, 30)

	var early, all sync.WaitGroup
	early.Add(clients)
	for range clients {
		all.Go(func() {
			begun := sync.OnceFunc(early.Done)
			defer begun()
			resp, err := http.Get(s.url("/repository/copy/slow.jar"))
			if err != nil {
				t.Error(err)
				return
			}
			defer resp.Body.Close()
			first := make([]byte, 1<<20)
			if _, err := io.ReadFull(resp.Body, first); err != nil {
				t.Errorf("the first bytes: %v", err)
				return
			}
			begun()
			second, err := io.ReadAll(resp.Body)
			if err != nil || !bytes.Equal(append(first, second...), body) {
				t.Errorf("%v, or other bytes", err)
			}
		})
	}
	arrived := make(chan struct{})
	go func() { early.Wait(); close(arrived) }()
	select {
	case <-arrived:
	case <-time.After(15 * time.Second):
		t.Error("clients wait for the end of the download")
	}
	close(rest)
	all.Wait()
	if status, got := s.do(http.MethodGet, "/repository/copy/slow.jar", nil); status != http.StatusOK || got != string(body) {
		t.Errorf("afterwards: %d", status)
	}
	if n := asked.Load(); n != 1 {
		t.Errorf("the upstream was asked %d times", n)
	}
}
