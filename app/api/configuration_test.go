package api

import (
	"net/http"
	"strings"
	"testing"
)

const wanted = `
version: 1
routingRules:
  - {name: blocked, mode: BLOCK, matchers: ["^/secret/.*"]}
repositories:
  - name: all
    format: raw
    kind: proxy
    members: [inner, up]
  - name: inner
    format: raw
    kind: proxy
    members: [files]
  - {name: files, format: raw, kind: hosted, writePolicy: ALLOW_ONCE}
  - name: up
    format: raw
    kind: cache
    routingRule: blocked
    upstream:
      url: http://upstream.example.org/
      contentMaxAge: forever
      authentication: {type: username, username: u, password: hush}
contentSelectors:
  - {name: docs, expression: 'format == "raw" and path =^ "/docs/"'}
privileges:
  - {name: docs-read, type: repository-content-selector, selector: docs, format: "*", repository: "*", actions: [read]}
roles:
  - {id: leads, roles: [readers]}
  - {id: readers, privileges: [docs-read, nx-repository-view-raw-files-read]}
users:
  - {id: jane, firstName: Jane, lastName: Doe, email: jane@example.org, roles: [leads], password: first}
anonymous: {enabled: false}
email: {host: mail.example.org, from: a@example.org, password: hush}
`

const yamlType = "Content-Type: application/yaml"

func TestConfiguration(t *testing.T) {
	r := newRig(t)
	plan := r.do(admin, "POST", "configuration/plan", wanted, yamlType)
	if plan.status != http.StatusOK || strings.Contains(plan.body, "hush") || !strings.Contains(plan.body, `"after":"***"`) {
		t.Fatalf("plan: %+v", plan)
	}
	if got := r.do(admin, "GET", "roles/leads", ""); got.status != http.StatusNotFound {
		t.Fatal("a plan made changes")
	}
	applied := r.do(admin, "PUT", "configuration", wanted, yamlType, "If-Match: "+plan.header.Get("ETag"))
	if applied.status != http.StatusOK || applied.body != plan.body {
		t.Fatalf("applied %+v\nplanned %s", applied, plan.body)
	}
	if got := r.do(admin, "PUT", "configuration", wanted, yamlType, "If-Match: "+plan.header.Get("ETag")); got.status != http.StatusPreconditionFailed {
		t.Errorf("an old plan: %+v", got)
	}
	const nothing = `{"changes":[],`
	if got := r.do(admin, "PUT", "configuration", wanted, yamlType); !strings.HasPrefix(got.body, nothing) {
		t.Errorf("the second time: %+v", got)
	}
	d, _ := r.Engine.Lookup("up")
	if d.Upstream.Authentication.Password != "hush" || d.RoutingRule != "blocked" {
		t.Errorf("the cache is %+v", d)
	}
	export := r.do(admin, "GET", "configuration", "", "Accept: application/yaml")
	if strings.Contains(export.body, "hush") || strings.Contains(export.body, "id: nx-admin") || !strings.HasPrefix(export.body, "version: 1\n") || !strings.Contains(export.body, "\nblobStores:\n  - name: default\n") {
		t.Errorf("export: %s", export.body)
	}
	if got := r.do(admin, "PUT", "configuration?prune=true", export.body, yamlType); !strings.HasPrefix(got.body, nothing) {
		t.Errorf("what was exported changes %+v", got)
	}
	if got := r.do(admin, "PUT", "configuration?prune=true", r.do(admin, "GET", "configuration", "").body); !strings.HasPrefix(got.body, nothing) {
		t.Errorf("what was exported as JSON changes %+v", got)
	}
	if got := r.do("jane:first", "GET", "system/read-only", ""); got.status != http.StatusForbidden {
		t.Errorf("the user cannot sign in: %+v", got)
	}
}

func TestConfigurationDiffers(t *testing.T) {
	r := newRig(t)
	r.do(admin, "PUT", "configuration", wanted, yamlType)
	const less = `
repositories:
  - {name: files, format: raw, kind: hosted, writePolicy: DENY}
  - {name: up, upstream: {url: null, authentication: {password: other}}, routingRule: null}
roles: []
`
	plan := r.do(admin, "POST", "configuration/plan?prune=true", less, yamlType)
	want := `{"changes":[` +
		`{"action":"update","section":"repositories","key":"files","members":[{"path":"writePolicy","before":"ALLOW_ONCE","after":"DENY"}]},` +
		`{"action":"update","section":"repositories","key":"up","members":[{"path":"routingRule","before":"blocked"},` +
		`{"path":"upstream.authentication.password","after":"***"},{"path":"upstream.url","before":"http://upstream.example.org/"}]},` +
		`{"action":"delete","section":"roles","key":"leads",`
	if !strings.HasPrefix(plan.body, want) {
		t.Errorf("plan:\n%s\nwant\n%s", plan.body, want)
	}
	if i, j := strings.Index(plan.body, `"delete","section":"repositories","key":"all"`), strings.Index(plan.body, `"delete","section":"repositories","key":"inner"`); i < 0 || j < i {
		t.Errorf("dependents do not go first: %s", plan.body)
	}
	if got := r.do(admin, "PUT", "configuration?prune=true", less, yamlType); got.status != http.StatusOK {
		t.Errorf("%+v", got)
	}
	if got := r.do(admin, "GET", "repositories", "").body; strings.Contains(got, `"inner"`) || !strings.Contains(got, `"DENY"`) {
		t.Errorf("after pruning: %s", got)
	}
	if got := r.do(admin, "PUT", "configuration?prune=true", `{"users":[]}`); got.status != http.StatusOK || strings.Contains(got.body, `"admin"`) {
		t.Errorf("%+v", got)
	}
	for body, want := range map[string]string{
		"roles:":                    `"pointer":"#/roles"`,
		"repositories: 1":           `"pointer":"#/repositories"`,
		"reposit: []":               `"pointer":"#/reposit"`,
		"roles: [{id: a, nme: b}]":  `"pointer":"#/roles/0/nme"`,
		"roles: [{id: a}, {id: a}]": "is there twice",
		"version: 2":                `"pointer":"#/version"`,
		"a: [":                      "not YAML",
		"roles: [{name: a}]":        "has no name",
		"{? [1, 2] : 3}":            "invalid map key",
		"roles: [{id: b}, {id: a, privileges: [none]}]":          `nothing was changed","notApplied":["roles/b","roles/a"]`,
		"anonymous: {enabled: maybe}":                            `"pointer":"#/anonymous/enabled"`,
		"repositories: [{name: x, format: raw, kind: proxy}, 1]": `"pointer":"#/repositories/1"`,
	} {
		if got := r.do(admin, "PUT", "configuration", body, yamlType); got.status < 400 || got.status > 499 || !strings.Contains(got.body, want) {
			t.Errorf("%s: %d %s, want %s", body, got.status, got.body, want)
		}
	}
}
