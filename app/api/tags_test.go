package api

import (
	"cmp"
	"net/http"
	"strings"
	"sync"
	"testing"
)

// tagged routes have a document each, that a body replaces. A patch changes nothing of it but secrets, "" when it has none.
var taggedRoutes = []struct{ path, list, made, put, secret string }{
	{path: "repositories/up", list: "repositories", made: `{"name":"up","format":"raw","kind":"cache","upstream":{"url":"http://upstream.example.org/","authentication":{"type":"username","username":"u","password":"a"}}}`,
		secret: `{"upstream":{"authentication":{"password":"b"}}}`},
	{path: "blob-stores/cloud", list: "blob-stores", made: `{"name":"cloud","type":"s3","attributes":{"bucket":"b","secretAccessKey":"a"}}`, secret: `{"attributes":{"secretAccessKey":"b"}}`},
	{path: "routing-rules/block", list: "routing-rules", made: `{"name":"block","mode":"BLOCK","matchers":["x"]}`},
	{path: "cleanup-policies/old", list: "cleanup-policies", made: `{"name":"old","format":"raw","updatedDays":3}`},
	{path: "users/jane", list: "users", made: `{"id":"jane","firstName":"J","lastName":"D","email":"j@example.org","roles":["nx-anonymous"],"password":"a"}`,
		put: `{"id":"jane","firstName":"J","lastName":"D","email":"j@example.org","roles":["nx-anonymous"]}`},
	{path: "roles/dev", list: "roles", made: `{"id":"dev","privileges":["nx-search-read"]}`},
	{path: "privileges/p", list: "privileges", made: `{"name":"p","type":"wildcard","pattern":"nexus:x:*"}`},
	{path: "content-selectors/s", list: "content-selectors", made: `{"name":"s","expression":"format == \"raw\""}`},
	{path: "capabilities/baseurl", list: "capabilities", made: `{"type":"baseurl","properties":{"url":"https://a.example.org"}}`},
	{path: "capabilities/hook", list: "capabilities", made: `{"name":"hook","type":"webhook.global","properties":{"names":"audit","url":"https://a.example.org","secret":"a"}}`,
		secret: `{"properties":{"secret":"b"}}`},
	{path: "scripts/s", list: "scripts", made: `{"name":"s","content":"x"}`},
	{path: "ldap-servers/one", list: "ldap-servers", made: `{"name":"one","protocol":"ldap","host":"h.example.org","port":389,"searchBase":"dc=x","scheme":"SIMPLE","username":"u","password":"a",
		"users":{"objectClass":"person","id":"uid","realName":"cn","email":"mail"}}`, secret: `{"password":"b"}`},
	{path: "ldap-order", put: `{"servers":["one"]}`},
	{path: "tasks/{id}", list: "tasks", made: `{"type":"count","name":"c","properties":{"to":"1"}}`},
	{path: "realms", put: `{"active":["NexusAuthenticatingRealm"]}`},
	{path: "anonymous", put: `{"enabled":false}`},
	{path: "settings/email", put: `{"host":"h.example.org","from":"a@example.org","password":"a"}`, secret: `{"password":"b"}`},
	{path: "settings/http", put: `{"httpProxy":{"enabled":true,"host":"h.example.org","port":1,"authInfo":{"enabled":true,"username":"u","password":"a"}}}`,
		secret: `{"httpProxy":{"authInfo":{"password":"b"}}}`},
	{path: "settings/outbound-guard", put: `{"enabled":true}`},
	{path: "settings/audit", put: `{"retentionDays":10}`},
	{path: "oauth2", put: `{"clientId":"c","clientSecret":"a","idpAuthorizationUrl":"https://id.example.org/a","idpTokenUrl":"https://id.example.org/t","idpJwksUrl":"https://id.example.org/k"}`,
		secret: `{"clientSecret":"b"}`},
	{path: "settings/saml", put: `{"usernameAttribute":"uid","idpMetadata":` + idpMetadata + `}`},
	{path: "system/read-only", put: `{"readOnly":true}`},
}

// TestTagsOfAll changes each document in two ways at once: one is refused. A tag tells of a change of secrets and not what they are.
func TestTagsOfAll(t *testing.T) {
	r := newRig(t)
	r.do(admin, "PUT", "settings/saml", `{"usernameAttribute":"name","idpMetadata":`+idpMetadata+`}`)
	for _, route := range taggedRoutes {
		path, put := route.path, cmp.Or(route.put, route.made)
		if route.made != "" {
			made := r.do(admin, "POST", route.list, route.made)
			if made.status != http.StatusCreated {
				t.Fatalf("%s: %+v", path, made)
			}
			path = strings.TrimPrefix(made.header.Get("Location"), prefix)
		}
		old := r.do(admin, "GET", path, "")
		tag := old.header.Get("ETag")
		if old.status != http.StatusOK || tag == "" || r.do(admin, "GET", path, "").header.Get("ETag") != tag {
			t.Errorf("%s: no tag that stays: %+v", path, old)
		}
		var writers sync.WaitGroup
		answers := make([]answer, 4)
		for i := range answers {
			writers.Go(func() { answers[i] = r.do(admin, "PUT", path, put, "If-Match: "+tag) })
		}
		writers.Wait()
		count := map[int]int{}
		for _, a := range answers {
			count[a.status]++
		}
		if count[http.StatusOK] != 1 || count[http.StatusPreconditionFailed] != len(answers)-1 {
			t.Errorf("%s: of writers that saw the same: %+v", path, answers)
		}
		if route.secret == "" {
			continue
		}
		before := r.do(admin, "GET", path, "")
		after := r.do(admin, "PATCH", path, route.secret, "If-Match: "+before.header.Get("ETag"))
		if after.status != http.StatusOK || after.body != before.body || after.header.Get("ETag") == before.header.Get("ETag") {
			t.Errorf("%s: another secret: %+v, before %+v", path, after, before)
		}
	}
	r.do(admin, "PUT", "system/read-only", `{"readOnly":false}`)
	before := r.do(admin, "GET", "users/jane", "").header.Get("ETag")
	r.do(admin, "PUT", "users/jane/password", `{"password":"b"}`)
	if r.do(admin, "GET", "users/jane", "").header.Get("ETag") == before {
		t.Error("a password does not change the tag of its user")
	}
}

// TestPatchesMeet sends patches of different members at the same time without conditions: none undoes another.
func TestPatchesMeet(t *testing.T) {
	r := newRig(t)
	r.do(admin, "POST", "routing-rules", `{"name":"r","mode":"BLOCK","matchers":["x"]}`)
	var writers sync.WaitGroup
	for _, patch := range []string{`{"description":"d"}`, `{"mode":"ALLOW"}`, `{"matchers":["y"]}`} {
		writers.Go(func() {
			if got := r.do(admin, "PATCH", "routing-rules/r", patch); got.status != http.StatusOK {
				t.Errorf("%s: %+v", patch, got)
			}
		})
	}
	writers.Wait()
	if got := r.do(admin, "GET", "routing-rules/r", ""); !strings.HasPrefix(got.body, `{"name":"r","description":"d","mode":"ALLOW","matchers":["y"]}`) {
		t.Errorf("after all: %s", got.body)
	}
}
