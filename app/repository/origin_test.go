package repository

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
)

// origin is an upstream whose answers a test scripts. It notes what it is asked.
type origin struct {
	*httptest.Server
	mu    sync.Mutex
	paths map[string]http.HandlerFunc
	asked []string
}

func newOrigin(t testing.TB) *origin {
	o := &origin{paths: make(map[string]http.HandlerFunc)}
	o.Server = httptest.NewServer(o)
	t.Cleanup(func() {
		o.CloseClientConnections()
		o.Close()
	})
	return o
}

// ServeHTTP implements http.Handler.
func (o *origin) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	o.mu.Lock()
	note := r.Method + " " + r.URL.Path
	if tag := r.Header.Get("If-None-Match"); tag != "" {
		note += " " + tag
	}
	o.asked = append(o.asked, note)
	handler := o.paths[r.URL.Path]
	o.mu.Unlock()
	if handler == nil {
		handler = http.NotFound
	}
	handler(w, r)
}

// on scripts the answer to a path.
func (o *origin) on(path string, handler http.HandlerFunc) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.paths[path] = handler
}

// log gives what was asked since the last call.
func (o *origin) log() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	asked := o.asked
	o.asked = nil
	return asked
}

func (o *origin) wantLog(t testing.TB, want ...string) {
	t.Helper()
	if got := o.log(); !slices.Equal(got, want) {
		t.Errorf("upstream was asked %q; want %q", got, want)
	}
}

// text answers 200 with a body. headers are names and values in turn.
func text(body string, headers ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		for i := 0; i < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		fmt.Fprint(w, body)
	}
}

// tagged answers with an entity tag, and 304 when the client has it.
func tagged(tag, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", tag)
		if r.Header.Get("If-None-Match") == tag {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		text(body)(w, r)
	}
}

func status(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
}

// hangUp closes the connection without an answer.
func hangUp(w http.ResponseWriter, _ *http.Request) { panic(http.ErrAbortHandler) }
