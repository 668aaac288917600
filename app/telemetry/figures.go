package telemetry

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
)

// figuresVersion is the version of the layout, as clients of the old server know it.
const figuresVersion = "4.0.0"

// Figures gives all figures as one JSON object: gauges, counters and histograms by their names with their labels, in the layout of the
// metrics library of the old server. What is no number is null.
func Figures(g prometheus.Gatherer, indented bool) ([]byte, error) {
	families, err := g.Gather()
	if err != nil {
		return nil, fmt.Errorf("telemetry: gather: %w", err)
	}
	out := struct {
		Version    string                    `json:"version"`
		Gauges     map[string]map[string]any `json:"gauges"`
		Counters   map[string]map[string]any `json:"counters"`
		Histograms map[string]map[string]any `json:"histograms"`
		Meters     map[string]map[string]any `json:"meters"`
		Timers     map[string]map[string]any `json:"timers"`
	}{figuresVersion, map[string]map[string]any{}, map[string]map[string]any{}, map[string]map[string]any{}, map[string]map[string]any{}, map[string]map[string]any{}}
	for _, family := range families {
		for _, m := range family.GetMetric() {
			name := figureName(family.GetName(), m)
			switch family.GetType() {
			case dto.MetricType_COUNTER:
				out.Counters[name] = map[string]any{"count": finite(m.GetCounter().GetValue())}
			case dto.MetricType_GAUGE:
				out.Gauges[name] = map[string]any{"value": finite(m.GetGauge().GetValue())}
			case dto.MetricType_UNTYPED:
				out.Gauges[name] = map[string]any{"value": finite(m.GetUntyped().GetValue())}
			case dto.MetricType_HISTOGRAM:
				h := m.GetHistogram()
				out.Histograms[name] = map[string]any{"count": h.GetSampleCount(), "mean": finite(h.GetSampleSum() / max(1, float64(h.GetSampleCount())))}
			case dto.MetricType_SUMMARY:
				out.Histograms[name] = summary(m.GetSummary())
			}
		}
	}
	encode := json.Marshal
	if indented {
		encode = func(v any) ([]byte, error) { return json.MarshalIndent(v, "", "  ") }
	}
	body, err := encode(out)
	if err != nil {
		return nil, fmt.Errorf("telemetry: encode figures: %w", err)
	}
	return body, nil
}

func summary(s *dto.Summary) map[string]any {
	out := map[string]any{"count": s.GetSampleCount(), "mean": finite(s.GetSampleSum() / max(1, float64(s.GetSampleCount())))}
	for _, q := range s.GetQuantile() {
		out["p"+strconv.FormatFloat(100*q.GetQuantile(), 'f', -1, 64)] = finite(q.GetValue())
	}
	return out
}

// figureName gives a metric's name with its labels as Prometheus writes them.
func figureName(name string, m *dto.Metric) string {
	if len(m.GetLabel()) == 0 {
		return name
	}
	labels := make([]string, 0, len(m.GetLabel()))
	for _, l := range m.GetLabel() {
		labels = append(labels, l.GetName()+"="+strconv.Quote(l.GetValue()))
	}
	return name + "{" + strings.Join(labels, ",") + "}"
}

// finite is a number that JSON can say; nothing for others.
func finite(v float64) any {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return nil
	}
	return v
}
