package telemetry

import (
	"bytes"
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/expfmt"
)

// Exposition gives all figures in Prometheus' text format, with its content type.
func Exposition(g prometheus.Gatherer) (text []byte, contentType string, err error) {
	families, err := g.Gather()
	if err != nil {
		return nil, "", fmt.Errorf("telemetry: gather: %w", err)
	}
	format := expfmt.NewFormat(expfmt.TypeTextPlain)
	var b bytes.Buffer
	encoder := expfmt.NewEncoder(&b, format)
	for _, family := range families {
		if err := encoder.Encode(family); err != nil {
			return nil, "", fmt.Errorf("telemetry: write figures: %w", err)
		}
	}
	return b.Bytes(), string(format), nil
}
