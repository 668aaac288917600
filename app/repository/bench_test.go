package repository

import (
	"net/http"
	"testing"

	"entrepot/formats"
)

// BenchmarkServe measures what the engine adds to a request for a stored file: no storage is read but the catalog's hot assets.
func BenchmarkServe(b *testing.B) {
	e := newBench(b)
	maven := rawHosted("releases")
	maven.Format, maven.Settings = "maven2", map[string]string{"versionPolicy": "RELEASE", "layoutPolicy": "STRICT"}
	group := maven
	group.Name, group.Kind, group.Members, group.Write = "public", formats.Proxy, []string{"releases"}, ""
	e.create(rawHosted("files"), maven, group)
	e.want(e.do("PUT", "files", "/dir/a.txt", "hello"), 201, "")
	e.want(e.do("PUT", "releases", "/org/acme/lib/1.0/lib-1.0.jar", "jar"), 201, "")
	tag := e.do("GET", "files", "/dir/a.txt", "").header.Get("ETag")
	cases := []struct {
		name, method, repository, path string
		header                         http.Header
	}{
		{"raw", "GET", "files", "/dir/a.txt", http.Header{}},
		{"head", "HEAD", "files", "/dir/a.txt", http.Header{}},
		{"range", "GET", "files", "/dir/a.txt", http.Header{"Range": {"bytes=1-2"}}},
		{"notModified", "GET", "files", "/dir/a.txt", http.Header{"If-None-Match": {tag}}},
		{"missing", "GET", "files", "/dir/b.txt", http.Header{}},
		{"maven2", "GET", "releases", "/org/acme/lib/1.0/lib-1.0.jar", http.Header{}},
		{"proxy", "GET", "public", "/org/acme/lib/1.0/lib-1.0.jar", http.Header{}},
	}
	for _, c := range cases {
		b.Run(c.name, func(b *testing.B) {
			req := &formats.Request{Method: c.method, Path: c.path, Header: c.header}
			call := Call{Repository: c.repository, Subject: admin, Request: req, RemoteIP: "192.0.2.1"}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := e.Serve(b.Context(), call); err != nil && c.name != "missing" {
					b.Fatal(err)
				}
			}
		})
	}
}
