package content

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"strconv"

	"entrepot/app/diagnostics"
	"entrepot/app/server"
	"entrepot/formats"
)

// Metrics is what /service/metrics/* shows. *diagnostics.Diagnostics is one.
type Metrics interface {
	Prometheus() (text []byte, contentType string, err error)
	Figures(indented bool) ([]byte, error)
	Threads() []byte
	Checks(ctx context.Context) []diagnostics.Result
}

// metricsFace refuses callers who lack the permission with a page, not with a challenge. Wrong credentials are challenged as everywhere.
type metricsFace struct{ *Face }

// Lines implements server.Face.
func (f metricsFace) Lines(r *server.Request, status int) []server.Line {
	if status == http.StatusUnauthorized && r.Caller != nil && hasPage(r.Method) {
		return f.lines[setPage]
	}
	return f.Face.Lines(r, status)
}

// Error implements server.Face.
func (f metricsFace) Error(r *server.Request, err error) *formats.Response {
	if formats.KindOf(err) != formats.Forbidden {
		return f.Face.Error(r, err)
	}
	status := http.StatusUnauthorized
	resp := &formats.Response{Status: status}
	if hasPage(r.Method) {
		resp.Body.Bytes = f.brand.errorPage(r.Target, status, http.StatusText(status), http.StatusText(status))
	}
	return resp
}

// notCached is what answers carry that are out of date at once.
const notCached = "must-revalidate,no-cache,no-store"

func (c *Content) metricsRoutes() []server.Route {
	route := func(name string, h server.Handler) server.Route {
		return server.Route{Methods: []string{http.MethodGet}, Pattern: "/service/metrics/" + name, Access: server.Permission("nexus:metrics:read"), Class: "metrics", Handler: h}
	}
	refuse := func(pattern string, methods ...string) server.Route {
		return server.Route{Methods: methods, Pattern: pattern, Access: server.Permission("nexus:metrics:read"), Class: "metrics", Handler: noMetrics}
	}
	routes := []server.Route{
		route("ping", ping), refuse("/service/metrics/ping", http.MethodPost, http.MethodPut, http.MethodDelete), refuse("/service/metrics/"), refuse("/service/metrics/**"),
	}
	if m := c.opts.Metrics; m != nil {
		routes = append(routes, route("prometheus", prometheus(m)), route("data", figures(m)), route("threads", threads(m)), route("healthcheck", healthcheck(m)))
	}
	return routes
}

// noMetrics answers what is not there.
func noMetrics(r *server.Request) (*formats.Response, error) {
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		return nil, &formats.Error{Kind: formats.NotFound}
	}
	return nil, &formats.Error{Kind: formats.MethodNotAllowed, Message: "HTTP method " + r.Method + " is not supported by this URL"}
}

// ping answers clients that only want an answer. To HEAD the original does not say the encoding.
func ping(r *server.Request) (*formats.Response, error) {
	contentType := "text/plain;charset=iso-8859-1"
	if r.Method == http.MethodHead {
		contentType = "text/plain"
	}
	return measured(http.StatusOK, contentType, []byte("pong\n")), nil
}

func measured(status int, contentType string, body []byte) *formats.Response {
	return &formats.Response{
		Status: status, Header: http.Header{"Content-Type": {contentType}, "Cache-Control": {notCached}}, Body: formats.Body{Bytes: body, Size: int64(len(body))},
	}
}

func prometheus(m Metrics) server.Handler {
	return func(*server.Request) (*formats.Response, error) {
		text, contentType, err := m.Prometheus()
		if err != nil {
			return nil, err
		}
		resp := measured(http.StatusOK, contentType, text)
		resp.Header.Del("Cache-Control")
		return resp, nil
	}
}

func figures(m Metrics) server.Handler {
	return func(r *server.Request) (*formats.Response, error) {
		body, err := m.Figures(r.Query().Get("pretty") == "true")
		if err != nil {
			return nil, err
		}
		return measured(http.StatusOK, "application/json", body), nil
	}
}

func threads(m Metrics) server.Handler {
	return func(*server.Request) (*formats.Response, error) {
		return measured(http.StatusOK, "text/plain", m.Threads()), nil
	}
}

// healthcheck answers 500 when a check found a fault, for clients that look at nothing else.
func healthcheck(m Metrics) server.Handler {
	return func(r *server.Request) (*formats.Response, error) {
		status, body := http.StatusOK, bytes.NewBufferString("{")
		for i, one := range m.Checks(r.Context()) {
			if !one.Healthy {
				status = http.StatusInternalServerError
			}
			if i > 0 {
				body.WriteByte(',')
			}
			var message *string
			if one.Message != "" {
				message = &one.Message
			}
			shown, err := json.Marshal(struct {
				Healthy   bool    `json:"healthy"`
				Message   *string `json:"message,omitempty"`
				Duration  int64   `json:"duration"` // milliseconds
				Timestamp string  `json:"timestamp"`
			}{one.Healthy, message, one.Duration.Milliseconds(), one.At.UTC().Format("2006-01-02T15:04:05.000Z")})
			if err != nil {
				return nil, err
			}
			body.WriteString(strconv.Quote(one.Name) + ":")
			body.Write(shown)
		}
		body.WriteByte('}')
		resp := measured(status, "application/json", body.Bytes())
		if status != http.StatusOK {
			resp.Reason = "Server Error"
		}
		return resp, nil
	}
}
