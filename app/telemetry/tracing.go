package telemetry

import (
	"context"
	"fmt"
	"net/url"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	"go.opentelemetry.io/otel/sdk/trace"
	api "go.opentelemetry.io/otel/trace"
)

// Tracing sends spans. Its zero value sends none.
type Tracing struct {
	Tracer   api.Tracer // nil when no endpoint was given
	provider *trace.TracerProvider
}

// NewTracing sends spans to an OTLP endpoint over HTTP, for example http://127.0.0.1:4318, at /v1/traces unless it has a path of its
// own; "" sends none.
func NewTracing(ctx context.Context, endpoint, version string) (*Tracing, error) {
	if endpoint == "" {
		return &Tracing{}, nil
	}
	u, err := url.Parse(endpoint)
	if err != nil || u.Host == "" {
		return nil, fmt.Errorf("telemetry: tracing to %q: want a URL like http://127.0.0.1:4318", endpoint)
	}
	if u.Path == "" || u.Path == "/" {
		u.Path = "/v1/traces"
	}
	exporter, err := otlptracehttp.New(ctx, otlptracehttp.WithEndpointURL(u.String()))
	if err != nil {
		return nil, fmt.Errorf("telemetry: tracing to %s: %w", endpoint, err)
	}
	about := resource.NewSchemaless(attribute.String("service.name", "entrepot"), attribute.String("service.version", version))
	provider := trace.NewTracerProvider(trace.WithBatcher(exporter), trace.WithResource(about))
	return &Tracing{Tracer: provider.Tracer("entrepot"), provider: provider}, nil
}

// Close sends what is waiting.
func (t *Tracing) Close(ctx context.Context) error {
	if t.provider == nil {
		return nil
	}
	return t.provider.Shutdown(ctx)
}
