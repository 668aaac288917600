package telemetry

import (
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

// NewRegistry gives a registry of its own with the process, the Go runtime and the build in it.
func NewRegistry(version string) *prometheus.Registry {
	r := prometheus.NewRegistry()
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "entrepot_build_info", Help: "The running build; always 1.", ConstLabels: prometheus.Labels{"version": version},
	})
	build.Set(1)
	r.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), build)
	return r
}

// maxSeries bounds the memory of the request metrics, should a label ever come from outside.
const maxSeries = 2000

// Observation is one answered request for the metrics.
type Observation struct {
	Method   string // other than the common ones counts as OTHER
	Format   string // from a closed set; "" is none
	Class    string // route class, from a small closed set
	Status   int
	Bytes    int64 // of the answer's body
	Duration time.Duration
}

// Requests counts requests by format and route class.
type Requests struct {
	total    *prometheus.CounterVec
	bytes    *prometheus.CounterVec
	duration *prometheus.HistogramVec
	inFlight atomic.Int64

	mu     sync.RWMutex
	series map[seriesKey]*series
}

type seriesKey struct {
	method, format, class string
	status                int
}

type series struct {
	total    prometheus.Counter
	bytes    prometheus.Counter
	duration prometheus.Observer
}

// NewRequests registers the request metrics.
func NewRequests(r prometheus.Registerer) *Requests {
	m := &Requests{
		total: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "entrepot_http_requests_total", Help: "Answered requests.",
		}, []string{"format", "class", "method", "code"}),
		bytes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "entrepot_http_response_bytes_total", Help: "Bytes of answers' bodies.",
		}, []string{"format", "class"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "entrepot_http_request_duration_seconds", Help: "Time from a request's head to the end of its answer.",
			Buckets: []float64{.0001, .0005, .001, .005, .01, .05, .1, .5, 1, 5, 10, 60},
		}, []string{"format", "class"}),
		series: make(map[seriesKey]*series),
	}
	r.MustRegister(m.total, m.bytes, m.duration, prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "entrepot_http_requests_in_flight", Help: "Requests being answered.",
	}, func() float64 { return float64(m.inFlight.Load()) }))
	return m
}

// Begin counts a request that is being answered; Observe ends it.
func (m *Requests) Begin() { m.inFlight.Add(1) }

// Series is where a request was counted, of one Requests. Connections keep theirs: to find it again takes longer than to count.
type Series struct {
	key   seriesKey
	found *series
}

// Observe counts an answered request. last is where the one before was counted, and becomes where this one is.
func (m *Requests) Observe(o Observation, last *Series) {
	m.inFlight.Add(-1)
	key := seriesKey{method: commonMethod(o.Method), format: o.Format, class: o.Class, status: o.Status}
	if last.found == nil || last.key != key {
		*last = Series{key: key, found: m.lookup(key)}
	}
	s := last.found
	s.total.Inc()
	s.bytes.Add(float64(o.Bytes))
	s.duration.Observe(o.Duration.Seconds())
}

func (m *Requests) lookup(k seriesKey) *series {
	m.mu.RLock()
	s := m.series[k]
	m.mu.RUnlock()
	if s != nil {
		return s
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if s := m.series[k]; s != nil {
		return s
	}
	if len(m.series) >= maxSeries {
		k.format, k.class = "other", "other"
	}
	s = &series{
		total:    m.total.WithLabelValues(k.format, k.class, k.method, strconv.Itoa(k.status)),
		bytes:    m.bytes.WithLabelValues(k.format, k.class),
		duration: m.duration.WithLabelValues(k.format, k.class),
	}
	if len(m.series) < 2*maxSeries {
		m.series[k] = s
	}
	return s
}

func commonMethod(m string) string {
	switch m {
	case "GET", "HEAD", "PUT", "POST", "DELETE", "PATCH", "OPTIONS":
		return m
	}
	return "OTHER"
}
