package api

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"entrepot/app/apptest"
	"entrepot/app/domains"
	"entrepot/app/server"
	"entrepot/app/tasks"
)

// rig is a server with nothing but the native API, over memory.
type rig struct {
	*apptest.Server
	t        *testing.T
	base     string
	edge     *server.Server
	shutdown func() error
	job      chan struct{} // lets the task "count" go on by one
	clock    *atomic.Int64 // what the clock is ahead, in nanoseconds
}

func newRig(t *testing.T) *rig {
	t.Helper()
	r := &rig{t: t, job: make(chan struct{}), clock: new(atomic.Int64)}
	r.Server = apptest.New(t, func(o *domains.Options) {
		o.Now = func() time.Time { return time.Now().Add(time.Duration(r.clock.Load())) }
		o.ScriptCreation = true
		o.Audit.Path = filepath.Join(t.TempDir(), "audit.log")
		o.Tasks.Types = []tasks.Type{{
			ID: "count", Name: "Count", Fields: []tasks.Field{{ID: "to", Label: "To", Kind: tasks.Number, Required: true}}, Do: countOn(r.job),
		}}
	})
	r.RunTasks(t)
	r.base, r.edge, r.shutdown = r.Listen(t, func(edge *server.Server) error {
		return New(Options{Domains: r.Domains, Version: "test"}).Mount(edge, r.Authenticator())
	})
	return r
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

const admin = apptest.Admin

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
