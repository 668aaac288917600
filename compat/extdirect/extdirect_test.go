package extdirect

import (
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"entrepot/app/apptest"
	"entrepot/app/domains"
	"entrepot/app/server"
	"entrepot/app/settings"
	"entrepot/formats"
)

// plain is a face that answers with a status and the error's text.
type plain struct{}

func (plain) Lines(*server.Request, int) []server.Line { return nil }

func (plain) Error(_ *server.Request, err error) *formats.Response {
	status := http.StatusInternalServerError
	if formats.KindOf(err) == formats.Invalid {
		status = http.StatusBadRequest
	}
	return &formats.Response{Status: status, Body: formats.Body{Bytes: []byte(err.Error())}}
}

// rig is a server with nothing but the calls, over memory. It gives the URL of the endpoint.
func rig(t *testing.T) string {
	t.Helper()
	s := apptest.New(t, func(o *domains.Options) { o.Repositories = true })
	apptest.Must(t, s.Settings.Import(t.Context(), settings.Capability{ID: "7", Type: "something.else", Enabled: true}))
	calls := New(Options{Domains: s.Domains, Version: "3.77.0-08", Edition: "OSS"})
	base, _, _ := s.Listen(t, func(edge *server.Server) error { return calls.Mount(edge, plain{}, s.Authenticator()) })
	return base + path
}

// post sends a body and gives the answer's status and text. admin says whether credentials come with it.
func post(t *testing.T, url, body string, admin bool) (status int, text string) {
	t.Helper()
	method := http.MethodPost
	if body == "" {
		method = http.MethodGet
	}
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	if admin {
		req.SetBasicAuth("admin", "admin123")
	}
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(data)
}

// rpc writes a call. data is its arguments as JSON.
func rpc(name, data string) string {
	action, method, _ := strings.Cut(name, ".")
	return `{"action":"` + action + `","method":"` + method + `","data":` + data + `,"type":"rpc","tid":7}`
}

// callTest is a call and what is wanted of its answer.
type callTest struct {
	name, data string
	anonymous  bool
	want       string // in the answer
}

var securityCalls = []callTest{
	{name: "rapture_Security.getUser", want: `"data":{"id":"admin","authenticated":true,"administrator":true`},
	{name: "rapture_Security.getUser", anonymous: true, want: `"result":{"success":true,"data":null}`},
	{name: "rapture_Security.getPermissions", want: `{"id":"nexus:*"}`},
	{name: "coreui_User.read", want: `"userId":"admin","version":"0","realm":"default"`},
	{name: "coreui_User.read", anonymous: true, want: `{"message":"User is not permitted: nexus:users:read","authenticationRequired":false,"success":false,"data":[]}`},
	{name: "coreui_User.readSources", want: `"id":"default"`},
	{name: "coreui_Role.read", want: `"id":"nx-admin"`},
	{name: "coreui_Role.readReferences", want: `{"id":"nx-admin","name":"nx-admin"}`},
	{name: "coreui_Privilege.read", want: `"permission":"nexus:*"`},
	{name: "coreui_Privilege.readReferences", want: `{"id":"nx-all","name":"nx-all"}`},
	{name: "coreui_Privilege.readTypes", want: `"storeApi":"coreui_Selector.readReferences"`},
	{name: "coreui_Selector.read", want: `"data":[]`},
	{name: "coreui_Selector.readReferences", want: `"data":[]`},
	{name: "coreui_RealmSettings.read", want: `"data":{"realms":["NexusAuthenticatingRealm"]}`},
	{name: "coreui_RealmSettings.update", data: `[{"realms":["nope"]}]`, want: `"success":false`},
	{name: "coreui_AnonymousSettings.update", data: `[{"enabled":true,"userId":"anonymous","realmName":"NexusAuthorizingRealm"}]`, want: `"success":true`},
	{name: "coreui_AnonymousSettings.update", data: `[]`, want: `takes one argument`},
	{name: "coreui_AnonymousSettings.read", want: `{"enabled":true,"userId":"anonymous","realmName":"NexusAuthorizingRealm"}`},
}

var otherCalls = []callTest{
	{name: "coreui_Repository.readReferences", anonymous: true, want: `"id":"maven-releases","name":"maven-releases","type":"hosted","format":"maven2","versionPolicy":"RELEASE"`},
	{name: "coreui_Repository.readReferencesAddingEntryForAll", want: `"name":"(All Repositories)"`},
	{name: "coreui_Repository.readReferencesAddingEntriesForAllFormats", want: `"id":"*-maven2"`},
	{name: "coreui_Repository.readRecipes", want: `{"id":"raw-hosted","name":"raw (hosted)"}`},
	{name: "coreui_Repository.getBrowseableFormats", want: `"data":[{"id":"maven2"}]`},
	{name: "coreui_Browse.read", data: `[{"repositoryName":"maven-releases","node":"/"}]`, want: `"data":[]`},
	{name: "coreui_Browse.read", data: `[{"repositoryName":"nope","node":"/"}]`, want: `"message":"Repository not found"`},
	{name: "coreui_Upload.getUploadDefinitions", want: `"displayName":"Artifact ID"`},
	{name: "coreui_Blobstore.read", want: `"name":"default","type":"File"`},
	{name: "coreui_Blobstore.readNames", want: `{"name":"default"}`},
	{name: "coreui_Email.read", want: `"host":"localhost","port":25`},
	{name: "capability_Capability.create", data: `[{"typeId":"baseurl","enabled":true,"properties":{"url":"nonsense"}}]`, want: `"errors":{"url":`},
	{name: "capability_Capability.create", data: `[{"typeId":"baseurl","enabled":true,"properties":{"url":"https://nexus.example"}}]`, want: `"typeId":"baseurl"`},
	{name: "capability_Capability.read", want: `https://nexus.example`},
	{name: "capability_Capability.readTypes", want: `{"id":"url","type":"url","label":"URL"`},
	{name: "capability_Capability.create", data: `[{"typeId":"nope"}]`, want: `"typeId":"Capabilities of type nope are not known here"`},
	{
		name: "capability_Capability.create", data: `[{"typeId":"webhook.global","enabled":true,"properties":{"names":"audit","url":"https://hook.example","secret":"geheim"}}]`,
		want: `"secret":"#~NXRM~PLACEHOLDER~PASSWORD~#","url":"https://hook.example"},"active":true`,
	},
	{name: "capability_Capability.read", want: `"stateDescription":"Active"`},
	{name: "capability_Capability.read", want: `"state":"disabled","stateDescription":"Disabled. Capabilities of type something.else are not known here"`},
	{name: "capability_Capability.disable", data: `["7"]`, want: `"id":"7","typeId":"something.else","enabled":false`},
	{name: "capability_Capability.enable", data: `["nope"]`, want: `There is no capability nope`},
	{name: "capability_Capability.updateNotes", data: `[{"id":"7","notes":"old"}]`, want: `"enabled":false,"notes":"old"`},
	{name: "capability_Capability.update", data: `[{"id":"7","enabled":true,"notes":"new"}]`, want: `"enabled":true,"notes":"new"`},
	{name: "capability_Capability.remove", data: `["7"]`, want: `"success":true`},
	{name: "capability_Capability.remove", data: `["7"]`, want: `"success":false`},
	{name: "capability_Capability.read", anonymous: true, want: `User is not permitted: nexus:capabilities:read`},
	{name: "coreui_HttpSettings.read", want: `"userAgentSuffix":null,"timeout":null`},
	{name: "coreui_HttpSettings.update", data: `[{"timeout":0,"httpEnabled":true,"httpHost":"","httpPort":1}]`, want: `"errors":{"httpProxy.host":`},
	{
		name: "coreui_HttpSettings.update", want: `"httpAuthPassword":"#~NXRM~PLACEHOLDER~PASSWORD~#"`,
		data: `[{"timeout":5,"httpEnabled":true,"httpHost":"proxy.example","httpPort":3128,"httpAuthEnabled":true,"httpAuthUsername":"u","httpAuthPassword":"geheim"}]`,
	},
	{name: "ssl_TrustStore.read", want: `"data":[]`},
	{name: "ssl_TrustStore.read", anonymous: true, want: `User is not permitted: nexus:ssl-truststore:read`},
	{name: "ssl_TrustStore.create", data: `[{"pem":"x"}]`, want: `not a certificate in PEM form`},
	{name: "ssl_TrustStore.remove", data: `["x"]`, want: `no such certificate`},
	{name: "ssl_Certificate.retrieveFromHost", data: `["a/b",443,null]`, want: `Could not retrieve a certificate from a/b`},
	{name: "coreui_Task.read", want: `"name":"Cleanup service","typeId":"repository.cleanup","typeName":"Repositories: clean up by policies","status":"WAITING"`},
	{name: "coreui_Task.read", anonymous: true, want: `not permitted: nexus:tasks:read`},
	{name: "coreui_Task.readTypes", want: `"storeApi":"coreui_Repository.readReferencesAddingEntryForAll"`},
	{name: "coreui_Task.run", data: `["nope"]`, want: `"success":false`},
	{name: "coreui_Task.stop", data: `["nope"]`, want: `"success":false`},
	{name: "coreui_User.nope", want: `No method registered as 'nope' in action 'coreui_User'`},
	{name: "nope.read", want: `No action registered as 'nope'`},
}

func TestCalls(t *testing.T) {
	url := rig(t)
	for _, tt := range slices.Concat(securityCalls, otherCalls) {
		if tt.data == "" {
			tt.data = "null"
		}
		status, text := post(t, url, rpc(tt.name, tt.data), !tt.anonymous)
		if status != http.StatusOK || !strings.HasPrefix(text, `{"tid":7,"action":"`) || !strings.Contains(text, tt.want) {
			t.Errorf("%s %s: %d %s, want %s", tt.name, tt.data, status, text, tt.want)
		}
	}
}

func TestManyCalls(t *testing.T) {
	url := rig(t)
	one := rpc("coreui_RealmSettings.read", "null")
	if status, text := post(t, url, "["+one+","+one+"]", true); status != http.StatusOK || strings.Count(text, "NexusAuthenticatingRealm") != 2 {
		t.Errorf("two calls: %d %s", status, text)
	}
	for _, body := range []string{"{", `{"a":1}`, "[" + strings.Repeat(one+",", maxCalls) + one + "]", "[1]"} {
		if status, text := post(t, url, body, true); status != http.StatusBadRequest {
			t.Errorf("%.40s: %d %s", body, status, text)
		}
	}
}

func TestState(t *testing.T) {
	url := rig(t)
	for _, admin := range []bool{false, true} {
		status, text := post(t, url+"/poll/rapture_State_get", "", admin)
		if status != http.StatusOK || !strings.Contains(text, `"version":"3.77.0-08"`) || strings.Contains(text, `"user":`) != admin {
			t.Errorf("state, signed in %v: %d %s", admin, status, text)
		}
	}
	if status, text := post(t, url+"/api.js", "", false); status != http.StatusOK || !strings.Contains(text, `"coreui_Selector":[{"name":"read","len":0}`) {
		t.Errorf("description: %d %s", status, text)
	}
}
