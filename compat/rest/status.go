package rest

import (
	"net/http"

	"entrepot/app/server"
	"entrepot/formats"
)

func (a *API) statusOperations() []operation {
	return []operation{
		{method: http.MethodGet, path: "v1/status", access: server.Public(), run: a.readable},
		{method: http.MethodGet, path: "v1/status/writable", access: server.Public(), run: a.writable},
		{method: http.MethodGet, path: "v1/status/check", access: server.Permission("nexus:metrics:read"), run: a.check},
		{method: http.MethodGet, path: "internal/ui/status-check", access: server.Permission("nexus:metrics:read"), run: a.check},
	}
}

// readable answers whether the server can serve reads.
func (a *API) readable(*call) (any, error) {
	if a.Health() != nil {
		return unavailable(), nil
	}
	return statusOK(), nil
}

// writable answers whether the server can take writes.
func (a *API) writable(*call) (any, error) {
	if a.Health() != nil || a.engine.Frozen() != nil {
		return unavailable(), nil
	}
	return statusOK(), nil
}

func statusOK() any { return &formats.Response{Status: http.StatusOK} }

func unavailable() any { return &formats.Response{Status: http.StatusServiceUnavailable} }

// check gives the result of each of the server's own checks, under the names that clients look for.
func (a *API) check(c *call) (any, error) {
	var out object
	for _, one := range a.Diagnostics.Checks(c.Context()) {
		out = append(out, member{one.Name, object{
			{"healthy", one.Healthy}, {"message", orNull(one.Message)}, {"error", nil}, {"details", nil},
			{"time", one.At.UnixMilli()}, {"duration", one.Duration.Milliseconds()}, {"timestamp", one.At.UTC().Format("2006-01-02T15:04:05.000Z")},
		}})
	}
	return out, nil
}
