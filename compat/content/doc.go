// Package content is what the clients of a Nexus meet outside of its REST API: /repository/R/…, the older /content/… and
// /service/local/… URLs, the HTML index pages, signing in and out of the browser's session, the error and landing pages, and the few
// files at the root.
//
// It is a translation. A request becomes a repository name and a decoded path by the old server's rules; the engine answers; errors
// become status, reason phrase and page in one place (errors.go). The pages carry our own name; what a client could depend on, the
// visible texts, link targets, headers and statuses, is that of the old server.
//
// Example:
//
//	c := content.New(content.Options{Engine: engine, Access: service, Catalog: catalog})
//	err := c.Mount(srv)
package content
