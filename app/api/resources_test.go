package api

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"entrepot/app/resource"
)

func TestRepositories(t *testing.T) {
	r := newRig(t)
	r.play([]exchange{
		{admin, "GET", "repositories", "", 200, []string{`{"items":[]}`}},
		{admin, "POST", "repositories", `{"name":"files","format":"raw","kind":"hosted"}`, 201, []string{`"writePolicy":"ALLOW"`, `"online":true`, `"blobStore":"default"`}},
		{admin, "POST", "repositories", `{"name":"FILES","format":"raw","kind":"hosted"}`, 409, []string{"already used"}},
		{admin, "POST", "repositories", `{"name":"x","format":"raw","kind":"group"}`, 422, []string{`"pointer":"#/kind"`}},
		{admin, "POST", "repositories", `{"name":"x","format":"raw","kind":"hosted","onlin":true}`, 400, []string{`"pointer":"#/onlin"`}},
		{admin, "POST", "repositories", `{"name":"x","online":"yes"}`, 400, []string{`"pointer":"#/online"`, "true or false"}},
		{admin, "POST", "repositories", `{"name":"x"`, 400, []string{"not JSON"}},
		{admin, "POST", "repositories", `{"name":"x","format":"raw","kind":"hosted"} {}`, 400, []string{"behind the end"}},
		{admin, "POST", "repositories", ``, 400, nil},
		{admin, "POST", "repositories", `{"name":"up","format":"raw","kind":"cache","upstream":{"url":"http://upstream.example.org/","contentMaxAge":"forever",
			"authentication":{"type":"username","username":"u","password":"hush"}}}`, 201, []string{`"contentMaxAge":"forever"`, `"metadataMaxAge":"24h"`, `"timeToLive":"24h"`}},
		{admin, "PATCH", "repositories/up", `{"upstream":{"blocked":true,"connection":{"retries":3,"timeout":"90s"}}}`, 200, []string{`"blocked":true`, `"timeout":"1m30s"`, `"username":"u"`}},
		{admin, "POST", "repositories", `{"name":"all","format":"raw","kind":"proxy","members":["files","up"]}`, 201, []string{`"members":["files","up"]`}},
		{admin, "PUT", "repositories/all", `{"name":"files","format":"raw","kind":"hosted"}`, 400, []string{`"#/name"`}},
		{admin, "PUT", "repositories/none", `{"name":"none"}`, 404, nil},
		{admin, "POST", "repositories/up/invalidate-cache", "", 204, nil},
		{admin, "POST", "repositories/files/invalidate-cache", "", 422, nil},
		{"", "GET", "repositories/files", "", 401, nil},
		{"admin:wrong", "GET", "repositories", "", 401, nil},
		{"", "GET", "repositories", "", 401, nil},
		{admin, "GET", "nothing", "", 404, nil},
		{admin, "POST", "repositories/files", "", 405, nil},
	})
	d, _ := r.Engine.Lookup("up")
	if got := string(d.Upstream.Authentication.Password); got != "hush" {
		t.Errorf("the stored password is %q after a patch without it", got)
	}
	if got := r.do(admin, "GET", "repositories/up", ""); strings.Contains(got.body, "hush") || strings.Contains(got.body, `"password"`) {
		t.Errorf("a secret is shown: %s", got.body)
	}
	if got := r.do(admin, "POST", "repositories", "name=x", "Content-Type: application/x-www-form-urlencoded"); got.status != 415 {
		t.Errorf("a form: %d", got.status)
	}
}

func TestTags(t *testing.T) {
	r := newRig(t)
	made := r.do(admin, "POST", "roles", `{"id":"dev","privileges":["nx-search-read"]}`)
	tag := made.header.Get("ETag")
	if made.status != http.StatusCreated || made.header.Get("Location") != "/api/v1/roles/dev" || tag == "" {
		t.Fatalf("made: %+v", made)
	}
	if got := r.do(admin, "GET", "roles/dev", "", "If-None-Match: "+tag); got.status != http.StatusNotModified || got.body != "" {
		t.Errorf("unchanged: %+v", got)
	}
	changed := r.do(admin, "PATCH", "roles/dev", `{"description":"builders"}`, "If-Match: "+tag, "Content-Type: application/merge-patch+json")
	if changed.status != http.StatusOK || !strings.Contains(changed.body, `"privileges":["nx-search-read"]`) || changed.header.Get("ETag") == tag {
		t.Errorf("changed: %+v", changed)
	}
	for _, method := range []string{"PUT", "PATCH", "DELETE"} {
		if got := r.do(admin, method, "roles/dev", `{"id":"dev","name":"dev"}`, "If-Match: "+tag); got.status != http.StatusPreconditionFailed {
			t.Errorf("%s over another's change: %+v", method, got)
		}
	}
	if got := r.do(admin, "DELETE", "roles/dev", "", "If-Match: "+changed.header.Get("ETag")); got.status != http.StatusNoContent {
		t.Errorf("deleted: %+v", got)
	}
	anonymous := r.do(admin, "GET", "anonymous", "")
	r.do(admin, "PATCH", "anonymous", `{"enabled":false}`)
	if got := r.do(admin, "PUT", "anonymous", `{"enabled":true}`, "If-Match: "+anonymous.header.Get("ETag")); got.status != http.StatusPreconditionFailed {
		t.Errorf("a value: %+v", got)
	}
}

func TestParts(t *testing.T) {
	r := newRig(t)
	for _, name := range []string{"a", "b", "c", "d", "e"} {
		r.do(admin, "POST", "content-selectors", `{"name":"`+name+`","expression":"format == \"raw\""}`)
	}
	var names []string
	for path := "content-selectors?limit=2"; path != ""; {
		got := r.do(admin, "GET", path, "")
		var page struct {
			Items []struct{ Name string }
			Next  string
		}
		got.decode(t, &page)
		for _, item := range page.Items {
			names = append(names, item.Name)
		}
		path = ""
		if page.Next != "" {
			link := got.header.Get("Link")
			if !strings.HasSuffix(link, `>; rel="next"`) || !strings.Contains(link, "cursor="+page.Next) {
				t.Fatalf("link %s", link)
			}
			_, rest, _ := strings.Cut(link, prefix)
			path, _, _ = strings.Cut(rest, ">")
		}
	}
	if got := strings.Join(names, ""); got != "abcde" {
		t.Errorf("parts give %q", got)
	}
	r.play([]exchange{
		{admin, "GET", "roles?limit=0", "", 400, nil},
		{admin, "GET", "roles?limit=x", "", 400, nil},
		{admin, "GET", "roles?cursor=!!", "", 400, nil},
	})
}

func TestSecurityResources(t *testing.T) {
	r := newRig(t)
	r.play([]exchange{
		{admin, "POST", "privileges", `{"name":"p","type":"application","domain":"search","actions":["read"]}`, 201, nil},
		{admin, "POST", "privileges", `{"name":"q","type":"application"}`, 422, []string{"#/domain", "#/actions"}},
		{admin, "DELETE", "privileges/nx-all", ``, 409, nil},
		{admin, "POST", "roles", `{"id":"dev","privileges":["p"]}`, 201, []string{`"name":"dev"`}},
		{admin, "POST", "roles", `{"id":"bad","privileges":["none"]}`, 422, nil},
		{admin, "POST", "users", `{"id":"jane","firstName":"Jane","lastName":"Doe","email":"jane@example.org","roles":["dev"],"password":"first"}`, 201, []string{`"status":"active"`}},
		{admin, "POST", "users", `{"id":"joe","firstName":"J","lastName":"D","email":"nobody","roles":["dev"],"password":"first"}`, 422, []string{"#/email"}},
		{"jane:first", "GET", "users", "", 403, nil},
		{"jane:first", "PUT", "users/jane/password", `{"password":"second"}`, 403, nil},
		{admin, "PUT", "users/jane", `{"id":"jane","firstName":"Jane","lastName":"Roe","email":"jane@example.org","roles":["nx-admin"]}`, 200, []string{"Roe"}},
		{"jane:first", "PUT", "users/jane/password", `{"password":"second"}`, 204, nil},
		{"jane:first", "GET", "users", "", 401, nil},
		{"jane:second", "GET", "users/jane", "", 200, []string{`"source":"default"`}},
		{"jane:second", "DELETE", "users/jane", "", 409, nil},
		{admin, "DELETE", "users/jane", "", 204, nil},
		{admin, "GET", "users/jane", "", 404, nil},
		{admin, "GET", "realms", "", 200, []string{`"active":["NexusAuthenticatingRealm"]`}},
		{admin, "PUT", "realms", `{"active":["none"]}`, 422, nil},
		{admin, "PUT", "settings/email", `{"host":"mail.example.org","from":"a@example.org","username":"u","password":"hush"}`, 200, []string{`"port":25`}},
		{admin, "PUT", "settings/email", `{"host":"","from":"a"}`, 422, []string{"#/host", "#/from"}},
		{admin, "POST", "routing-rules", `{"name":"rule","mode":"BLOCK","matchers":["(","^/a"]}`, 422, []string{"#/matchers/0"}},
		{admin, "POST", "routing-rules", `{"name":"rule","mode":"BLOCK","matchers":["^/a"]}`, 201, nil},
		{admin, "PATCH", "routing-rules/rule", `{"name":"other"}`, 200, []string{`"other"`}},
		{admin, "GET", "blob-stores/default/status", "", 200, []string{`"available":true`}},
		{admin, "DELETE", "blob-stores/none", "", 404, nil},
		{admin, "PUT", "system/read-only", `{"readOnly":true}`, 200, []string{`"actor":"admin"`}},
		{admin, "DELETE", "routing-rules/other", "", 503, nil},
		{"", "GET", "system/health", "", 200, []string{`"writable":false`}},
		{admin, "PUT", "system/read-only", `{"readOnly":false}`, 200, nil},
		{"", "GET", "system/version", "", 200, []string{`"version":"test"`}},
		{"", "DELETE", "routing-rules/other", "", 401, nil},
	})
}

// TestEveryRouteIsDescribed walks the router: a route without a privilege cannot be mounted, one without a description fails here, and
// so does a description of nothing.
func TestEveryRouteIsDescribed(t *testing.T) {
	var described struct {
		BasePath string
		Paths    map[string]map[string]struct {
			Summary, Description string
			Responses            map[string]any
		}
	}
	if err := json.Unmarshal(document, &described); err != nil {
		t.Fatal(err)
	}
	r := newRig(t)
	routes := r.edge.Routes(prefix)
	mounted := map[string]bool{}
	for _, route := range routes {
		if len(route.Methods) != 1 {
			t.Fatalf("%s answers %v", route.Pattern, route.Methods)
		}
		path, method := strings.TrimPrefix(route.Pattern, described.BasePath), strings.ToLower(route.Methods[0])
		mounted[method+" "+path] = true
		op, ok := described.Paths[path][method]
		switch {
		case !ok:
			t.Errorf("%s %s is not described", method, route.Pattern)
		case op.Summary == "" || op.Description == "":
			t.Errorf("%s %s is described without words", method, route.Pattern)
		case route.Access.String() == "public" && !strings.Contains(op.Description, "For everybody"):
			t.Errorf("%s %s is for everybody and does not say so", method, route.Pattern)
		case strings.HasPrefix(route.Access.String(), "nexus:") && !strings.Contains(op.Description, "Needs "+route.Access.String()+"."):
			t.Errorf("%s %s needs %s and does not say so", method, route.Pattern, route.Access)
		case op.Responses["401"] == nil:
			t.Errorf("%s %s: wrong credentials are not described", method, route.Pattern)
		}
	}
	for path, methods := range described.Paths {
		for method := range methods {
			if !mounted[method+" "+path] {
				t.Errorf("%s %s is described and not there", method, path)
			}
		}
	}
}

// TestCallersWhoMayDoNothing asks every route as somebody without a privilege.
func TestCallersWhoMayDoNothing(t *testing.T) {
	r := newRig(t)
	r.do(admin, "POST", "roles", `{"id":"none"}`)
	r.do(admin, "POST", "users", `{"id":"low","firstName":"L","lastName":"W","email":"l@example.org","roles":["none"],"password":"low"}`)
	for _, route := range r.edge.Routes(prefix) {
		if route.Access.String() == "public" || strings.HasPrefix(route.Pattern, prefix+"tokens") {
			continue
		}
		path := strings.NewReplacer("{name}", "default", "{id}", "admin").Replace(strings.TrimPrefix(route.Pattern, prefix))
		got := r.do("low:low", route.Methods[0], path, `{"name":"n","format":"raw","kind":"hosted"}`)
		switch {
		case got.status == http.StatusForbidden, got.status == http.StatusNotFound, got.status == http.StatusBadRequest:
		case (path == "repositories" || path == "scripts") && got.status == http.StatusOK && got.body == `{"items":[]}`+"\n":
		default:
			t.Errorf("%s %s: %d %s", route.Methods[0], path, got.status, got.body)
		}
	}
}

func TestAudit(t *testing.T) {
	r := newRig(t)
	r.do(admin, "POST", "repositories", `{"name":"up","format":"raw","kind":"cache","upstream":{"url":"http://upstream.example.org/","authentication":{"type":"username","username":"u","password":"hush"}}}`)
	r.do(admin, "PATCH", "repositories/up", `{"upstream":{"url":"http://other.example.org/"}}`)
	r.do(admin, "POST", "users", `{"id":"jane","firstName":"J","lastName":"D","email":"j@example.org","roles":["nx-admin"],"password":"hush"}`)
	r.do(admin, "PUT", "settings/email", `{"host":"mail.example.org","from":"a@example.org","password":"hush"}`)
	r.do("jane:wrong", "GET", "roles", "")
	all := r.do(admin, "GET", "audit", "").body
	if strings.Contains(all, "hush") || strings.Contains(all, "argon2") {
		t.Errorf("a secret in the audit: %s", all)
	}
	var page Page[struct {
		Actor          map[string]string
		Action, Object string
		Before, After  resource.Repository
	}]
	r.do(admin, "GET", "audit?action=repository&object=up&limit=1", "").decode(t, &page)
	if len(page.Items) != 1 || page.Next == "" {
		t.Fatalf("first part: %+v", page)
	}
	e := page.Items[0]
	if e.Action != "repository.update" || e.Actor["userId"] != "admin" || e.Actor["address"] != "127.0.0.1" ||
		e.Before.Upstream.URL != "http://upstream.example.org/" || e.After.Upstream.URL != "http://other.example.org/" {
		t.Errorf("event: %+v", e)
	}
	r.play([]exchange{
		{admin, "GET", "audit?action=repository&object=up&limit=1&cursor=" + page.Next, "", 200, []string{`"repository.create"`}},
		{admin, "GET", "audit?action=signin", "", 200, []string{`"object":"jane"`, `"signin.failure"`}},
		{admin, "GET", "audit?user=nobody", "", 200, []string{`{"items":[]}`}},
		{admin, "GET", "audit?from=yesterday", "", 400, nil},
		{admin, "PUT", "settings/audit", `{"enabled":true,"retentionDays":0}`, 422, []string{"#/retentionDays"}},
		{admin, "PATCH", "settings/audit", `{"enabled":false}`, 200, []string{`"enabled":false`}},
		{admin, "POST", "roles", `{"id":"quiet"}`, 201, nil},
		{admin, "GET", "audit?object=quiet", "", 200, []string{`{"items":[]}`}},
		{admin, "GET", "audit?limit=1", "", 200, []string{`"audit.update"`}},
	})
}
