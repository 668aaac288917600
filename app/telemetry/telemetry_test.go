package telemetry

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestLogs(t *testing.T) {
	var out bytes.Buffer
	logs, err := NewLogs(&out, LogOptions{Level: "warn", Format: "json", Access: true})
	if err != nil {
		t.Fatal(err)
	}
	logs.Logger.Info("hidden")
	logs.Logger.Warn("shown")
	logs.Close()
	logs.Close()
	if text := out.String(); strings.Contains(text, "hidden") || !strings.Contains(text, `"msg":"shown"`) {
		t.Errorf("logged %q", text)
	}
	for _, bad := range []LogOptions{{Level: "loud"}, {Format: "xml"}} {
		if _, err := NewLogs(io.Discard, bad); err == nil {
			t.Errorf("%+v passes", bad)
		}
	}
	if logs, err := NewLogs(io.Discard, LogOptions{}); err != nil || logs.Access != nil {
		t.Errorf("defaults: %v, access log %v", err, logs.Access)
	}
}

func TestAccessLog(t *testing.T) {
	var out bytes.Buffer
	l := NewAccessLog(&out, JSONLines, slog.New(slog.DiscardHandler))
	var adding sync.WaitGroup
	for g := range 4 {
		adding.Go(func() {
			for i := range 250 {
				l.Add(Access{Time: time.Unix(1, 0), ID: uint64(g*250 + i), Method: "GET", Path: "/x", Status: 200, Bytes: 5, Duration: time.Millisecond})
			}
		})
	}
	adding.Wait()
	l.Close()
	l.Add(Access{}) // after the end it is counted, not kept
	seen := map[float64]bool{}
	for line := range strings.Lines(out.String()) {
		var m map[string]any
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			t.Fatal(err)
		}
		if m["status"] != 200.0 || m["path"] != "/x" || m["repository"] != nil {
			t.Fatalf("line %s", line)
		}
		seen[m["id"].(float64)] = true
	}
	if len(seen) != 1000 {
		t.Errorf("%d lines; want 1000", len(seen))
	}
}

// stuck is a writer that waits.
type stuck struct {
	release chan struct{}
	bytes   int
}

func (s *stuck) Write(p []byte) (int, error) {
	<-s.release
	s.bytes += len(p)
	return len(p), nil
}

// TestStuckLog states that a log that cannot be written does not stop the server, and says afterwards that lines are missing.
func TestStuckLog(t *testing.T) {
	out := &stuck{release: make(chan struct{})}
	var warned bytes.Buffer
	l := NewAccessLog(out, JSONLines, slog.New(slog.NewTextHandler(&warned, nil)))
	path := strings.Repeat("x", 1000)
	for range 3 * accessLimit / len(path) {
		l.Add(Access{Method: "GET", Path: path})
	}
	close(out.release)
	l.Close()
	if out.bytes < accessLimit || out.bytes > 2*accessLimit+2*accessBatch || !strings.Contains(warned.String(), "requests not logged") {
		t.Errorf("%d bytes were kept, logged %q", out.bytes, warned.String())
	}
}

func TestTextLines(t *testing.T) {
	var out bytes.Buffer
	logs, err := NewLogs(&out, LogOptions{Format: "text", Access: true})
	if err != nil {
		t.Fatal(err)
	}
	logs.Access.Add(Access{Time: time.Unix(1, 0).UTC(), ID: 7, Method: "GET", Path: "/a b", Status: 200, Duration: time.Second, Format: "raw"})
	logs.Access.Add(Access{ID: 8})
	logs.Close()
	want := `time=1970-01-01T00:00:01.000Z level=INFO msg=request method=GET path="/a b" status=200 bytes=0 duration=1s remote="" id=7 format=raw` + "\n"
	if text := out.String(); !strings.HasPrefix(text, want) || strings.Count(text, "\n") != 2 {
		t.Errorf("logged %q", text)
	}
}

func TestRequests(t *testing.T) {
	registry := NewRegistry("1.2.3")
	m := NewRequests(registry)
	m.Begin()
	var last Series
	m.Begin()
	m.Observe(Observation{Method: "GET", Format: "raw", Class: "artifact", Status: 200, Bytes: 10, Duration: time.Millisecond}, &last)
	for i := range 3 * maxSeries { // a label from outside must not fill the memory
		m.Begin()
		m.Observe(Observation{Method: fmt.Sprint("M", i), Format: fmt.Sprint(i), Class: "x", Status: 404}, &last)
	}
	text, contentType, err := Exposition(registry)
	if err != nil || !strings.HasPrefix(contentType, "text/plain") {
		t.Fatal(contentType, err)
	}
	for _, line := range []string{
		`entrepot_http_requests_total{class="artifact",code="200",format="raw",method="GET"} 1`,
		`entrepot_http_response_bytes_total{class="artifact",format="raw"} 10`,
		`entrepot_http_requests_in_flight 1`,
		`entrepot_build_info{version="1.2.3"} 1`,
		`entrepot_http_requests_total{class="other",code="404",format="other",method="OTHER"}`,
	} {
		if !strings.Contains(string(text), line) {
			t.Errorf("no line %s", line)
		}
	}
	if n := strings.Count(string(text), "entrepot_http_requests_total{"); n > maxSeries+1 {
		t.Errorf("%d series", n)
	}
}

func TestExpositionFails(t *testing.T) {
	registry := prometheus.NewRegistry()
	registry.MustRegister(failing{prometheus.NewDesc("x", "x", nil, nil)})
	if _, _, err := Exposition(registry); err == nil {
		t.Error("a broken figure passes")
	}
}

type failing struct{ desc *prometheus.Desc }

func (f failing) Describe(c chan<- *prometheus.Desc) { c <- f.desc }

func (f failing) Collect(c chan<- prometheus.Metric) {
	c <- prometheus.NewInvalidMetric(f.desc, errors.New("broken"))
}

func TestTracing(t *testing.T) {
	none, err := NewTracing(t.Context(), "", "1")
	if err != nil || none.Tracer != nil || none.Close(t.Context()) != nil {
		t.Errorf("without an endpoint: %v, %v", none, err)
	}
	var got atomic.Int64
	collector := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v1/traces" {
			got.Add(1)
		}
		_, _ = io.Copy(io.Discard, r.Body)
	}))
	defer collector.Close()
	tracing, err := NewTracing(t.Context(), collector.URL, "1")
	if err != nil {
		t.Fatal(err)
	}
	_, span := tracing.Tracer.Start(t.Context(), "test")
	span.End()
	if err := tracing.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got.Load() == 0 {
		t.Error("no span arrived")
	}
	if _, err := NewTracing(t.Context(), "::", "1"); err == nil {
		t.Error("a broken endpoint passes")
	}
}

func BenchmarkAccessLog(b *testing.B) {
	l := NewAccessLog(io.Discard, JSONLines, slog.New(slog.DiscardHandler))
	defer l.Close()
	for b.Loop() {
		l.Add(Access{Method: "GET", Path: "/repository/maven-public/org/acme/lib/1.0/lib-1.0.jar", Status: 200, Bytes: 1024, Remote: "127.0.0.1"})
	}
}

func BenchmarkObserve(b *testing.B) {
	m := NewRequests(prometheus.NewRegistry())
	var last Series
	for b.Loop() {
		m.Begin()
		m.Observe(Observation{Method: "GET", Format: "maven2", Class: "artifact", Status: 200, Bytes: 1024, Duration: time.Millisecond}, &last)
	}
}
