// Package server is the HTTP edge: listeners, TLS, limits, the body guard, the access log, metrics, and the one place that writes
// answers to connections. What a request means is said by the packages that mount routes on it; their handlers take a *Request and
// return a *formats.Response, so nothing but this package knows the HTTP framework.
//
// Steps of a request, in this order: recover, body guard, target and origin, surface and route, caller, permission, handler, answer,
// drain, log line and metrics.
//
// Invariants:
//
//   - No byte of a request's body is ever taken for the next request: a body that was not read to its end ends the connection.
//   - A route cannot be mounted without saying who may use it; what no route claims is refused.
//   - A body shorter than its Content-Length is an error to its reader, never a short success.
//   - Memory does not grow with the size of a body. Blobs leave by sendfile where the connection is plain.
//   - Deadlines bound every silence, not the length of a transfer.
//
// Example:
//
//	srv := server.New(server.Options{Log: logger, Blobs: engine})
//	err := srv.Mount(server.Surface{Prefix: "/", Face: face}, server.Route{
//		Methods: []string{"GET"}, Pattern: "/hello/{name}", Access: server.Public(), Handler: hello,
//	})
//	addr, err := srv.Listen(server.Listener{Address: "127.0.0.1:8081"})
//	…
//	err = srv.Shutdown(ctx) // requests in flight finish, new ones are refused
package server
