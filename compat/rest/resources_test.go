package rest

import (
	"net/http"
	"strings"
	"testing"

	"entrepot/app/node"
)

func TestBlobStores(t *testing.T) {
	newRig(t).play(t, []exchange{
		{admin, "GET", "v1/blobstores", "", 200, []string{`"name" : "default"`, `"type" : "File"`, `"unavailable" : false`, `"availableSpaceInBytes" : 69270000000`}},
		{admin, "POST", "v1/blobstores/file", `{}`, 400, []string{`{"id":"PARAMETER name","message":"Name is required"}`, `{"id":"PARAMETER path","message":"Path is required"}`}},
		{admin, "POST", "v1/blobstores/file", `{"name":"b","path":"b","softQuota":{"type":"nope","limit":1}}`, 400, []string{"you must select a Type of Quota"}},
		{admin, "POST", "v1/blobstores/file", `{"name":"b","path":"b","softQuota":{"type":"spaceUsedQuota","limit":1000000}}`, 204, nil},
		{admin, "POST", "v1/blobstores/file", `{"name":"B","path":"c"}`, 400, []string{`[{"id":"name","message":"Name is already used, must be unique (ignoring case)"}]`}},
		{admin, "GET", "v1/blobstores/file/b", "", 200, []string{`"limit" : 1000000`, `"path" : "b"`}},
		{admin, "GET", "v1/blobstores/b/quota-status", "", 200, []string{`"isViolation" : false`, "Blob store b is using 0.00 B space and has a limit of 1.00 MB"}},
		{admin, "PUT", "v1/blobstores/file/b", `{"path":"b","softQuota":{"type":"spaceRemainingQuota","limit":70000000000}}`, 204, nil},
		{admin, "GET", "v1/blobstores/b/quota-status", "", 200, []string{`"isViolation" : true`, "limited to having 70.00 GB available space, and has 69.27 GB space remaining"}},
		{admin, "PUT", "v1/blobstores/file/nope", `{"path":"x"}`, 404, []string{`"Unable to find File 'nope' blobstore"`}},
		{admin, "POST", "v1/repositories/raw/hosted", strings.Replace(rawHosted, `"default"`, `"b"`, 1), 201, nil},
		{admin, "DELETE", "v1/blobstores/b", "", 400, []string{`BlobStore b is in use and cannot be deleted`}},
		{admin, "DELETE", "v1/repositories/r", "", 204, nil},
		{admin, "DELETE", "v1/blobstores/b", "", 204, nil},
		{admin, "DELETE", "v1/blobstores/b", "", 404, []string{`"Unable to find  'b' blobstore"`}},
	})
}

func TestReadOnly(t *testing.T) {
	newRig(t).play(t, []exchange{
		{"", "GET", "v1/read-only", "", 200, []string{`"summaryReason" : ""`, `"frozen" : false`}},
		{admin, "POST", "v1/read-only/release", "", 404, nil},
		{admin, "POST", "v1/read-only/freeze", "", 204, nil},
		{admin, "POST", "v1/read-only/freeze", "", 404, nil},
		{admin, "GET", "v1/read-only", "", 200, []string{"Requested by an administrator at ", `"frozen" : true`}},
		{"", "GET", "v1/read-only", "", 200, []string{`"summaryReason" : ""`, `"frozen" : true`}},
		{"", "GET", "v1/status/writable", "", 503, nil},
		{admin, "POST", "v1/repositories/raw/hosted", rawHosted, 400, []string{"INSERT is not allowed while the application is frozen"}},
		{admin, "POST", "v1/security/roles", `{"id":"a","name":"a","privileges":[],"roles":[]}`, 503, []string{"Nexus Repository Manager is in read-only mode: (ID "}},
		{admin, "DELETE", "v1/security/roles/nope", "", 404, nil},
		{admin, "PUT", "v1/email", `{"enabled":false,"host":"h","port":25,"fromAddress":"a@b.org"}`, 503, nil},
		{admin, "POST", "v1/read-only/force-release", "", 204, nil},
		{"", "GET", "v1/status/writable", "", 200, nil},
	})
}

func TestEmail(t *testing.T) {
	newRig(t).play(t, []exchange{
		{admin, "GET", "v1/email", "", 200, []string{`"host" : "localhost"`, `"port" : 25`, `"username" : null`}},
		{admin, "POST", "v1/email/verify", "a@example.org", 400, nil},
		{admin, "PUT", "v1/email", `{"host":"","fromAddress":"x"}`, 400, []string{
			`{"id":"PARAMETER host","message":"must not be blank"}`, `{"id":"PARAMETER port","message":"must not be null"}`,
			`{"id":"PARAMETER fromAddress","message":"must be a well-formed email address"}`,
		}},
		{admin, "PUT", "v1/email", `{"host":"127.0.0.1","port":"x","fromAddress":"a@b.org"}`, 400, []string{`[{"id":"port","message":"Cannot deserialize`}},
		{admin, "PUT", "v1/email", `{"enabled":true,"host":"127.0.0.1","port":1,"username":"u","password":"geheim","fromAddress":"a@b.org"}`, 204, nil},
		{admin, "GET", "v1/email", "", 200, []string{`"username" : "u"`, `"password" : null`, `"subjectPrefix" : null`}},
		{admin, "POST", "v1/email/verify", "nope", 400, []string{"Missing final '@domain'"}},
		{admin, "POST", "v1/email/verify", "a@example.org", 200, []string{`"success" : false`, "Sending the email to the following server failed : 127.0.0.1:1"}},
		{admin, "DELETE", "v1/email", "", 204, nil},
		{admin, "GET", "beta/email", "", 200, []string{`"host" : "localhost"`}},
	})
}

func TestScriptsAreOff(t *testing.T) {
	newRig(t).play(t, []exchange{
		{admin, "GET", "v1/script", "", 200, []string{"[ ]"}},
		{admin, "POST", "v1/script", `{"type":"groovy","content":"1"}`, 400, []string{`[{"id":"PARAMETER name","message":"must not be empty"}]`}},
		{admin, "POST", "v1/script", `{"name":"s","type":"groovy","content":"1"}`, 410, []string{`"result" : "Creating and updating scripts is disable"`}},
		{admin, "GET", "v1/script/s", "", 404, nil},
		{admin, "POST", "v1/script/s/run", "x", 404, nil},
		{admin, "POST", "v1/script/s/run", "", 415, nil},
	})
}

func TestSystem(t *testing.T) {
	newRig(t).play(t, []exchange{
		{admin, "GET", "v1/system/node", "", 200, []string{`"nodeId" : "`}},
		{admin, "GET", "v1/system/eula", "", 200, []string{`"accepted" : false`}},
		{admin, "POST", "v1/system/eula", `{"accepted":true,"disclaimer":"x"}`, 400, nil},
		{admin, "POST", "v1/system/eula", `{"accepted":true,"disclaimer":"` + node.Agreement + `"}`, 204, nil},
		{admin, "GET", "v1/system/eula", "", 200, []string{`"accepted" : true`}},
		{"", "GET", "v1/lifecycle/phase/", "", 200, []string{"TASKS"}},
		{admin, "PUT", "v1/lifecycle/phase", "TASKS", 204, nil},
		{admin, "PUT", "v1/lifecycle/phase", "BOGUS", 400, []string{"Problem moving to phase BOGUS"}},
		{"", "GET", "v1/formats/raw/upload-specs", "", 200, []string{`"multipleUpload" : true`, `"type" : "FILE"`}},
		{"", "GET", "v1/formats/nope/upload-specs", "", 404, nil},
	})
}

func TestSettingsOfRepositories(t *testing.T) {
	const proxy = `{"name":"p","online":true,"storage":{"blobStoreName":"default","strictContentTypeValidation":true},` +
		`"proxy":{"remoteUrl":"http://127.0.0.1:9/","contentMaxAge":1440,"metadataMaxAge":1440},` +
		`"negativeCache":{"enabled":true,"timeToLive":1440},"httpClient":{"blocked":false,"autoBlock":true,"authentication":AUTH}}`
	newRig(t).play(t, []exchange{
		{admin, "POST", "v1/repositories/raw/hosted", `{"name":"_x"}`, 400, []string{"may not start with underscore or dot", `{"id":"PARAMETER online","message":"must not be null"}`}},
		{"", "POST", "v1/repositories/raw/hosted", `{"name":"x"}`, 400, nil},
		{"", "POST", "v1/repositories/raw/hosted", rawHosted, 403, nil},
		{admin, "POST", "v1/repositories/raw/hosted", strings.Replace(rawHosted, "ALLOW", "NOPE", 1), 400, []string{"Failed to validate facets; 1 failure"}},
		{admin, "POST", "v1/repositories/raw/hosted", rawHosted, 201, nil},
		{admin, "POST", "v1/repositories/raw/hosted", rawHosted, 400, []string{`\"Duplicate key\"`}},
		{admin, "PUT", "v1/repositories/raw/hosted/R", strings.Replace(rawHosted, `"r"`, `"R"`, 1), 204, nil},
		{admin, "GET", "v1/repositories/raw/hosted/r/", "", 200, []string{`"cleanup" : null`, `"contentDisposition" : "ATTACHMENT"`}},
		{admin, "GET", "v1/repositories/maven/hosted/r", "", 404, []string{`\"Repository not found\"`}},
		{admin, "GET", "v1/repositories/r/hosted", "", 405, nil},
		{admin, "POST", "v1/repositories/raw/proxy", strings.Replace(proxy, "AUTH", `{"type":"username","username":"u"}`, 1), 400, []string{
			`"UsernameAuthenticationConfiguration.attributes[httpclient].authentication.password","message":"must not be null"`,
		}},
		{admin, "POST", "v1/repositories/raw/proxy", strings.Replace(proxy, "AUTH", `{"type":"username","username":"u","password":"geheim"}`, 1), 201, nil},
		{admin, "GET", "v1/repositories/raw/proxy/p", "", 200, []string{`"username" : "u"`}},
		{admin, "DELETE", "v1/repositories/nope", "", 404, nil},
	})
}

func TestSearchAndDownload(t *testing.T) {
	r := newRig(t)
	r.play(t, []exchange{{admin, "POST", "v1/repositories/raw/hosted", rawHosted, 201, nil}})
	r.upload(t, "r", "docs", "one.txt", "one")
	r.upload(t, "r", "docs", "two.txt", "two")
	r.play(t, []exchange{
		{admin, "GET", "v1/search?q=one.txt", "", 200, []string{`"name" : "/docs/one.txt"`, `"continuationToken" : null`, `"blobCreated" : null`, `"raw" : { }`}},
		{admin, "GET", "v1/search?q=nothing", "", 200, []string{`"items" : [ ]`}},
		{admin, "GET", "v1/search?unknown=1", "", 200, []string{`"items" : [ ]`}},
		{admin, "GET", "v1/search?sort=nope", "", 400, nil},
		{admin, "GET", "v1/search?continuationToken=zz", "", 406, nil},
		{admin, "GET", "v1/search/assets?group=/docs&repository=r", "", 200, []string{`/docs/one.txt`, `/docs/two.txt`}},
		{admin, "GET", "v1/search/assets/download?group=/docs", "", 400, []string{"Search returned multiple assets"}},
		{admin, "GET", "v1/search/assets/download?group=/docs&sort=name", "", 302, nil},
		{admin, "GET", "v1/search/assets/download?sha1=fe05bcdcdc4928012781a5f1a2a77cbb5398e106", "", 302, nil},
		{admin, "GET", "v1/search/assets/download?q=nothing", "", 404, []string{"Asset search returned no results"}},
		{admin, "GET", "v1/components?repository=r", "", 200, []string{`"version" : ""`, `"group" : "/docs"`}},
		{admin, "GET", "v1/assets?repository=r&continuationToken=1", "", 200, []string{`"items" : [`}},
		{admin, "GET", "v1/assets?repository=r&continuationToken=nope", "", 406, nil},
		{admin, "GET", "v1/assets", "", 422, nil},
	})
}

// TestRoutesAndCallers asks for every route without a body, with credentials that may do nothing and without any. No route does or
// shows anything to them that is not public, and none fails.
func TestRoutesAndCallers(t *testing.T) {
	r := newRig(t)
	r.play(t, []exchange{
		{admin, "POST", "v1/security/roles", `{"id":"none","name":"none","privileges":[],"roles":[]}`, 200, nil},
		{admin, "POST", "v1/security/users", `{"userId":"none","firstName":"N","lastName":"N","emailAddress":"n@example.org","password":"none","status":"active","roles":["none"]}`, 200, nil},
		{admin, "PUT", "v1/security/anonymous", `{"enabled":false,"userId":"anonymous","realmName":"NexusAuthorizingRealm"}`, 200, nil},
	})
	parameters := strings.NewReplacer("{name}", "x", "{id}", "eDox", "{format}", "raw")
	for _, route := range r.edge.Routes(prefix) {
		path := parameters.Replace(strings.TrimPrefix(route.Pattern, prefix))
		for _, method := range route.Methods {
			for _, user := range []string{"", "none:none"} {
				status, text := r.do(t, user, method, path, "")
				if status >= 500 {
					t.Errorf("%s %s as %q: %d %s", method, path, user, status, text)
				}
				open := route.Access.String() == "public" || route.Access.String() == "content"
				if !open && status < 400 {
					t.Errorf("%s %s as %q: %d without the permission %s", method, path, user, status, route.Access)
				}
			}
			if status, _ := r.do(t, "admin:wrong", method, path, ""); status != http.StatusUnauthorized {
				t.Errorf("%s %s with a wrong password: %d", method, path, status)
			}
		}
	}
}
