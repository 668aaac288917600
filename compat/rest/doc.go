// Package rest is the REST API that clients of a Nexus use: /service/rest/v1 and its unversioned and beta aliases. It is a translation
// and keeps no state: every call ends in the domain calls that the native API uses too (app/repository, app/access, app/tasks).
//
// Each resource has a file of its own. A route is an operation: it names the permission it needs, decodes and checks its body before
// that permission is looked at (as the old server does), and returns a value or an error. Errors become what clients of the old server
// know: an object with id and message, an array of validation errors, or an empty body.
package rest
