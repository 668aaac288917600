package rest

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"entrepot/app/api"
	"entrepot/app/domains"
	"entrepot/app/server"
)

// changedBoth are documents that the native API and this one keep: the bodies that make them and replace them there, and a change here.
var changedBoth = []struct{ path, list, made, put, method, rest, body string }{
	{"repositories/r", "repositories", `{"name":"r","format":"raw","kind":"hosted"}`, "", "PUT", "v1/repositories/raw/hosted/r", strings.Replace(rawHosted, `"ALLOW"`, `"DENY"`, 1)},
	{"blob-stores/b", "blob-stores", `{"name":"b"}`, "", "PUT", "v1/blobstores/file/b", `{"path":"b","softQuota":{"type":"spaceUsedQuota","limit":1000000}}`},
	{"routing-rules/block", "routing-rules", `{"name":"block","mode":"BLOCK","matchers":["x"]}`, "", "PUT", "v1/routing-rules/block", `{"name":"block","description":"d","mode":"ALLOW","matchers":["y"]}`},
	{"cleanup-policies/old", "cleanup-policies", `{"name":"old","format":"raw","updatedDays":3}`, "", "PUT", "v1/cleanup-policies/old", `{"name":"old","format":"raw","criteriaLastBlobUpdated":9}`},
	{"users/jane", "users", `{"id":"jane","firstName":"J","lastName":"D","email":"j@example.org","roles":["nx-anonymous"],"password":"a"}`,
		`{"id":"jane","firstName":"J","lastName":"D","email":"j@example.org","roles":["nx-anonymous"]}`, "PUT", "v1/security/users/jane/change-password", "other"},
	{"roles/dev", "roles", `{"id":"dev"}`, "", "PUT", "v1/security/roles/dev", `{"id":"dev","name":"other","description":"","privileges":[],"roles":[]}`},
	{"privileges/p", "privileges", `{"name":"p","type":"wildcard","pattern":"nexus:x:*"}`, "", "PUT", "v1/security/privileges/wildcard/p", `{"name":"p","description":"","pattern":"nexus:y:*"}`},
	{"content-selectors/s", "content-selectors", `{"name":"s","expression":"format == \"raw\""}`, "", "PUT", "v1/security/content-selectors/s", `{"description":"d","expression":"format == \"maven2\""}`},
	{"capabilities/baseurl", "capabilities", `{"type":"baseurl","properties":{"url":"https://a.example.org"}}`, "", "PUT", "v1/capabilities/{id}", `{"type":"baseurl","enabled":false,"notes":"n","properties":{"url":"https://b.example.org"}}`},
	{"ldap-servers/one", "ldap-servers", `{"name":"one","protocol":"ldap","host":"h.example.org","port":389,"searchBase":"dc=x","users":{"objectClass":"person","id":"uid","realName":"cn","email":"mail"}}`, "",
		"POST", "v1/security/ldap/change-order", `["one"]`},
	{"ldap-order", "", "", `{"servers":["one"]}`, "POST", "v1/security/ldap/change-order", `["one"]`},
	{"scripts/x", "scripts", `{"name":"x","content":"1"}`, "", "PUT", "v1/script/x", `{"name":"x","type":"groovy","content":"2"}`},
	{"tasks/{id}", "tasks", `{"type":"collect-blobs","name":"c","properties":{"blobStore":"default"}}`, "", "PUT", "v1/tasks/{id}",
		`{"type":"blobstore.compact","name":"d","enabled":true,"notificationCondition":"FAILURE","frequency":{"schedule":"manual"},"properties":{"blobstoreName":"default"}}`},
	{"realms", "", "", `{"active":["NexusAuthenticatingRealm"]}`, "PUT", "v1/security/realms/active", `["NexusAuthenticatingRealm","NpmToken"]`},
	{"anonymous", "", "", `{"enabled":false}`, "PUT", "v1/security/anonymous", `{"enabled":true,"userId":"anonymous","realmName":"NexusAuthorizingRealm"}`},
	{"settings/email", "", "", `{"host":"h.example.org","from":"a@example.org"}`, "PUT", "v1/email", `{"enabled":true,"host":"h.example.org","port":25,"fromAddress":"a@example.org","password":"x"}`},
	{"settings/http", "", "", `{"retries":3}`, "PUT", "v1/http", `{"retries":4}`},
	{"system/read-only", "", "", `{"readOnly":true}`, "POST", "v1/read-only/freeze", ""},
}

// TestNativeTags reads documents by the native API, changes them by this one, and writes them there with the old tag: it is too late.
func TestNativeTags(t *testing.T) {
	r := openRig(t, func(o *domains.Options) { o.ScriptCreation = true })
	base, _, _ := r.Listen(t, func(edge *server.Server) error {
		return api.New(api.Options{Domains: r.Domains, Version: "test"}).Mount(edge, r.Authenticator())
	})
	native := func(method, path, body, tag string) *http.Response {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), method, base+"/api/v1/"+path, strings.NewReader(body))
		noError(t, err)
		req.Header.Set("Content-Type", "application/json")
		if tag != "" {
			req.Header.Set("If-Match", tag)
		}
		name, secret, _ := strings.Cut(admin, ":")
		req.SetBasicAuth(name, secret)
		resp, err := http.DefaultTransport.RoundTrip(req)
		noError(t, err)
		text, err := io.ReadAll(resp.Body)
		noError(t, err)
		noError(t, resp.Body.Close())
		resp.Body = io.NopCloser(strings.NewReader(string(text)))
		return resp
	}
	for _, c := range changedBoth {
		path, put, rest := c.path, c.put, c.rest
		if put == "" {
			put = c.made
		}
		if c.made != "" {
			made := native("POST", c.list, c.made, "")
			if made.StatusCode != http.StatusCreated {
				text, _ := io.ReadAll(made.Body)
				t.Errorf("%s: made: %d %s", c.path, made.StatusCode, text)
				continue
			}
			path = strings.TrimPrefix(made.Header.Get("Location"), "/api/v1/")
			rest = strings.Replace(rest, "{id}", r.idOf(t, path), 1)
		}
		tag := native("GET", path, "", "").Header.Get("ETag")
		if status, text := r.do(t, admin, c.method, rest, c.body); status/100 != 2 {
			t.Errorf("%s %s: %d %s", c.method, rest, status, text)
		}
		if resp := native("PUT", path, put, tag); tag == "" || resp.StatusCode != http.StatusPreconditionFailed {
			t.Errorf("%s after a change by the REST API: %d", path, resp.StatusCode)
		}
		if now := native("GET", path, "", "").Header.Get("ETag"); now == tag {
			t.Errorf("%s has the tag that it had before", path)
		}
	}
}

// idOf gives what stands for {id} in an address here.
func (r *rig) idOf(t *testing.T, path string) string {
	t.Helper()
	if name, ok := strings.CutPrefix(path, "capabilities/"); ok {
		all, err := r.Settings.Capabilities(t.Context())
		noError(t, err)
		for _, c := range all {
			if c.Key() == name {
				return c.ID
			}
		}
	}
	return path[strings.LastIndexByte(path, '/')+1:]
}
