// Package telemetry is what the server tells about itself: the log, the line a request, the metrics and the spans.
//
// Everything is a value made by the program's wiring and handed on: there is no default logger, registry or tracer. What happens on
// a request's path is an append or an atomic addition; writing is done behind it.
//
// Example:
//
//	logs, err := telemetry.NewLogs(os.Stderr, telemetry.LogOptions{Level: "info", Format: "auto", Access: true})
//	defer logs.Close()
//	registry := telemetry.NewRegistry("1.0.0")
//	requests := telemetry.NewRequests(registry)
package telemetry
