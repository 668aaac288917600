package rest

import (
	"errors"
	"net/http"

	"entrepot/app/server"
	"entrepot/formats"
)

func (a *API) statusOperations() []operation {
	return []operation{
		{method: http.MethodGet, path: "v1/status", access: server.Public(), run: a.readable},
		{method: http.MethodGet, path: "v1/status/writable", access: server.Public(), run: a.writable},
		{method: http.MethodGet, path: "v1/status/check", access: server.Permission("nexus:metrics:read"), run: a.check},
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
	now := a.Now()
	result := func(err error, message string) object {
		if err != nil {
			message = err.Error()
		}
		return object{
			{"healthy", err == nil}, {"message", message}, {"error", nil}, {"details", nil},
			{"time", now.UnixMilli()}, {"duration", 0}, {"timestamp", now.UTC().Format("2006-01-02T15:04:05.000Z")},
		}
	}
	var frozen error
	if a.engine.Frozen() != nil {
		frozen = errors.New("the server is in read-only mode")
	}
	health := a.Health()
	return object{
		{"Blob Stores Quota", result(a.unhealthyStores(c.Context()), "No blob stores violating their quota")},
		{"Blob Stores Ready", result(health, "")},
		{"Read-Only Detector", result(frozen, "")},
		{"Lifecycle Phase", result(nil, "")},
	}, nil
}
