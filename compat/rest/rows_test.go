package rest

import (
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"entrepot/app/access"
)

// The reasons why a row of testdata/endpoints.tsv is not answered.
const (
	paid    = "only with a licence; an open-source server answers 404"
	younger = "newer than the claimed version"
	bucket  = "blob stores of this kind are not built"
	away    = "recorded: 404 on the open-source server"
	unbuilt = "the format is not built"
	vague   = "nobody knows what is sent or answered; only the old user interface asked for it"
	flagged = "behind a switch that is off in the claimed version; v1/capabilities does it"
	edge    = "answered by compat/content, at this address or below /service/metrics"
)

// unanswered are the rows that are not answered: patterns of their methods and paths, and why.
var unanswered = map[string]string{
	`v1/(tags|staging)(/.*)?`:                            paid,
	`v1/security/atlassian-crowd.*`:                      paid,
	`v1/security/ip-allowlist.*`:                         paid,
	`v1/(configuration|plan|recovery-mode)(/.*)?`:        paid,
	`v1/clustered/.*`:                                    paid,
	`v1/nodes/supportzips`:                               paid,
	`v1/(monthly-metrics|usage-history)`:                 paid,
	`v1/malicious-risk/.*`:                               paid,
	`beta/data-store`:                                    paid,
	`v1/cleanup/run.*`:                                   younger,
	`v1/iq/(capabilities|test-new-connection).*`:         younger,
	`v1/repositories/\{repositoryName\}/browse`:          younger,
	`v1/search/suggest`:                                  younger,
	`v1/apikeys/encryption/re-encrypt`:                   younger,
	`PUT v1/security/jwt`:                                "sessions are no JWT here",
	`v1/(azureblobstore/.*|blobstores/(azure|google).*)`: bucket,
	`beta/status/check`:                                  away,
	`internal/ui/security/access-check`:                  away,
	`internal/nuget-api-key`:                             unbuilt,
	`internal/capabilities.*`:                            flagged,
	`POST internal/proprietary-content`:                  vague,
	`internal/ui/api/permissions`:                        vague,
	`metrics/prometheus`:                                 edge,
	`repository/browse/.*`:                               edge,
}

// answered are the methods and patterns of all that is mounted.
func (r *rig) answered() map[string]bool {
	all := map[string]bool{}
	for _, route := range r.edge.Routes(prefix) {
		for _, method := range route.Methods {
			all[method+" "+strings.TrimPrefix(route.Pattern, prefix)] = true
			if method == http.MethodGet {
				all[http.MethodHead+" "+strings.TrimPrefix(route.Pattern, prefix)] = true
			}
		}
	}
	return all
}

// TestEveryRowIsAnswered wants every row answered, or a reason why it is not.
func TestEveryRowIsAnswered(t *testing.T) {
	patterns := newRig(t).answered()
	used := map[string]bool{}
	for _, e := range endpoints(t) {
		row, reasons := e.method+" "+e.path, []string{}
		for pattern := range unanswered {
			if regexp.MustCompile(`^([A-Z]+ )?` + pattern + `$`).MatchString(row) {
				reasons, used[pattern] = append(reasons, pattern), true
			}
		}
		switch mounted := mountedAt(patterns, e); {
		case mounted && len(reasons) > 0:
			t.Errorf("%s is answered, but %q says why not", row, reasons)
		case !mounted && len(reasons) == 0:
			t.Errorf("%s is not answered, and nothing says why", row)
		case len(reasons) > 1:
			t.Errorf("%s has more than one reason: %q", row, reasons)
		}
	}
	for pattern := range unanswered {
		if !used[pattern] {
			t.Errorf("no row is %s", pattern)
		}
	}
}

// TestLastRows plays what no recording has.
func TestLastRows(t *testing.T) {
	r := newRig(t)
	const cache = `{"name":"c","online":true,"storage":{"blobStoreName":"default","strictContentTypeValidation":false},"proxy":{"remoteUrl":"http://upstream.example/",` +
		`"contentMaxAge":1440,"metadataMaxAge":1440},"negativeCache":{"enabled":true,"timeToLive":1440},"httpClient":{"blocked":false,"autoBlock":true}}`
	r.play(t, []exchange{
		{admin, "POST", "v1/repositories/raw/hosted", rawHosted, 201, nil},
		{admin, "POST", "v1/repositories/raw/proxy", cache, 201, nil},
		{admin, "POST", "v1/repositories/nope/health-check", "", 404, nil},
		{admin, "POST", "v1/repositories/r/health-check", "", 404, nil},
		{admin, "POST", "v1/repositories/c/health-check", "", 409, []string{"is not enabled"}},
		{admin, "POST", "v1/capabilities", `{"type":"healthcheck","enabled":true,"properties":{"configuredForAll":"false"}}`, 200, nil},
		{"", "POST", "v1/repositories/c/health-check", "", 403, nil},
		{admin, "POST", "beta/repositories/C/health-check", "", 204, nil},
		{admin, "PUT", "v1/repositories/raw/proxy/c", cache, 204, nil},
	})
	if d, _ := r.Engine.Lookup("c"); !d.HealthCheck {
		t.Error("a change of its settings undid what was said about a cache's examination")
	}
	r.play(t, []exchange{
		{admin, "DELETE", "v1/repositories/c/health-check", "", 204, nil},
		{admin, "POST", "beta/repositories/c/invalidate-cache", "", 204, nil},
		{admin, "POST", "beta/repositories/r/rebuild-index", "", 204, nil},
		{admin, "DELETE", "beta/repositories/r", "", 204, nil},
		{admin, "GET", "beta/repositories/c", "", 405, nil},
		{admin, "GET", "atlas/security-diagnostic/user/nobody", "", 404, nil},
		{"", "GET", "atlas/security-diagnostic/user/admin", "", 403, nil},
		{admin, "GET", "atlas/security-diagnostic/user/admin", "", 200, []string{`"userId" : "admin"`, `"nx-admin" : {`, `"permission" : "nexus:*"`, `"NexusAuthenticatingRealm"`}},
		{"", "GET", "wonderland/download/x", "", 403, nil},
		{admin, "GET", "wonderland/download/..%2Fx", "", 404, nil},
	})
	if d, _ := r.Engine.Lookup("c"); d.HealthCheck {
		t.Error("a cache is still to be examined")
	}
	_, text := r.do(t, admin, "POST", "v1/support/supportzippath", `{"systemInformation":true}`)
	var saved struct{ Name string }
	if err := json.Unmarshal([]byte(text), &saved); err != nil {
		t.Fatal(err, text)
	}
	if status, archive := r.do(t, admin, "GET", "wonderland/download/"+saved.Name, ""); status != http.StatusOK || !strings.HasPrefix(archive, "PK") {
		t.Errorf("archive: %d %.20q", status, archive)
	}
}

// TestDiagnosticOfRolesInCircles shows each role once, and names what is not there.
func TestDiagnosticOfRolesInCircles(t *testing.T) {
	r := newRig(t)
	r.play(t, []exchange{
		{admin, "POST", "v1/security/roles", `{"id":"low","name":"low","privileges":["nx-search-read"],"roles":[]}`, 200, nil},
		{admin, "POST", "v1/security/roles", `{"id":"left","name":"left","privileges":[],"roles":["low"]}`, 200, nil},
		{admin, "POST", "v1/security/roles", `{"id":"right","name":"right","privileges":[],"roles":["low"]}`, 200, nil},
		{admin, "POST", "v1/security/users", newUser("ann", "left", "right"), 200, nil},
		{admin, "GET", "atlas/security-diagnostic/user/ann", "", 200, []string{`"permission" : "nexus:search:read"`, `"low" : "shown above"`}},
	})
}

// newUser describes a user with the password admin123.
func newUser(id string, roles ...string) string {
	return `{"userId":"` + id + `","firstName":"x","lastName":"x","emailAddress":"x@example.org","password":"admin123","status":"active","roles":["` + strings.Join(roles, `","`) + `"]}`
}

// ticket gives a ticket in base64, as it stands in an address.
func (r *rig) ticket(t *testing.T, user, password string) string {
	t.Helper()
	text := func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
	status, answer := r.do(t, user+":"+password, "POST", "wonderland/authenticate", `{"u":"`+text(user)+`","p":"`+text(password)+`"}`)
	_, ticket, _ := strings.Cut(answer, "<t>")
	ticket, _, ok := strings.Cut(ticket, "</t>")
	if !ok {
		t.Fatalf("ticket: %d %s", status, answer)
	}
	return "?authToken=" + url.QueryEscape(text(ticket))
}

func TestOwnUserToken(t *testing.T) {
	r := newRig(t)
	const ann, bob = "ann:admin123", "bob:admin123"
	r.play(t, []exchange{
		{admin, "POST", "v1/security/roles", `{"id":"own","name":"own","privileges":["nx-usertoken-current"],"roles":[]}`, 200, nil},
		{admin, "POST", "v1/security/users", newUser("ann", "own"), 200, nil},
		{admin, "POST", "v1/security/users", newUser("bob", "nx-anonymous"), 200, nil},
		{admin, "PUT", "v1/security/user-tokens", `{"enabled":true}`, 200, nil},
		{admin, "PUT", "v1/security/realms/active", `["NexusAuthenticatingRealm","User-Token-Realm"]`, 204, nil},
		{ann, "GET", ownTokenPath, "", 404, nil},
		{ann, "GET", ownTokenPath + "?authToken=eA==", "", 403, []string{"Invalid authentication ticket"}},
		{"", "GET", ownTokenPath + "?authToken=eA==", "", 403, nil},
	})
	r.play(t, []exchange{{bob, "GET", ownTokenPath + r.ticket(t, "bob", "admin123"), "", 403, nil}})
	ticket := r.ticket(t, "ann", "admin123")
	_, text := r.do(t, ann, "GET", ownTokenPath+ticket, "")
	var made struct{ NameCode, PassCode, Created string }
	if err := json.Unmarshal([]byte(text), &made); err != nil || made.PassCode == "" || made.Created == "" {
		t.Fatal(err, text)
	}
	token := made.NameCode + ":" + made.PassCode
	r.play(t, []exchange{
		{token, "GET", "internal/ui/user", "", 200, []string{`"userId" : "ann"`}},
		{ann, "GET", ownTokenPath + ticket, "", 403, nil},
		{ann, "GET", ownTokenPath + r.ticket(t, "ann", "admin123"), "", 409, nil},
		{ann, "DELETE", ownTokenPath, "", 404, nil},
		{ann, "DELETE", ownTokenPath + r.ticket(t, "ann", "admin123"), "", 204, nil},
		{token, "GET", "internal/ui/user", "", 401, nil},
	})
}

// TestTokensGetNoCredentials tries everything that gives a password, a token or a ticket with an API token in the password's place.
func TestTokensGetNoCredentials(t *testing.T) {
	r := newRig(t)
	ctx := t.Context()
	subject, err := r.api.access.Authenticate(ctx, access.Credentials{Kind: access.Basic, User: "admin", Secret: "admin123"})
	if err != nil {
		t.Fatal(err)
	}
	_, text, err := r.api.access.CreateAPIToken(ctx, subject, subject.Actor(""), access.APIToken{Name: "all"})
	if err != nil {
		t.Fatal(err)
	}
	const withheld = "cannot get other credentials"
	encoded := func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
	token := "admin:" + text
	r.play(t, []exchange{
		{admin, "PUT", "v1/security/user-tokens", `{"enabled":true}`, 200, nil},
		{token, "GET", "v1/security/users", "", 200, nil},
		{token, "PUT", "v1/security/users/admin/change-password", "taken", 403, []string{withheld}},
		{token, "PUT", "v1/security/users/anonymous/change-password", "taken", 403, []string{withheld}},
		{token, "PUT", "beta/security/users/admin/change-password", "taken", 403, []string{withheld}},
		{token, "PUT", "internal/ui/onboarding/change-admin-password", "taken", 403, []string{withheld}},
		{token, "POST", "v1/security/users/admin/NexusAuthenticatingRealm/user-token", "", 403, []string{withheld}},
		{token, "POST", "wonderland/authenticate", `{"u":"` + encoded("admin") + `","p":"` + encoded("admin123") + `"}`, 403, nil},
		{token, "POST", "wonderland/authenticate", `{"u":"` + encoded("admin") + `","p":"` + encoded(text) + `"}`, 403, nil},
		{admin, "POST", "wonderland/authenticate", `{"u":"` + encoded("admin") + `","p":"` + encoded(text) + `"}`, 403, nil},
		{token, "PUT", "internal/ui/user/admin/password", `{"authToken":"x","password":"taken"}`, 403, nil},
		{admin, "GET", "v1/security/users", "", 200, nil},
	})
	if _, _, err := r.api.access.Login(ctx, access.Credentials{Kind: access.Basic, User: "admin", Secret: text}); err == nil {
		t.Error("an API token began a session")
	}
}

// TestHeadIsGetWithoutBody asks for every row that has GET with both methods.
func TestHeadIsGetWithoutBody(t *testing.T) {
	r := newRig(t)
	r.play(t, []exchange{
		{admin, "POST", "v1/repositories/raw/hosted", strings.Replace(rawHosted, `"r"`, `"x"`, 1), 201, nil},
	})
	patterns, asked := r.answered(), 0
	// What these tell changes from one request to the next.
	moving := []string{"status/check", "status-check", "system-information", "system/information", "logs"}
	for _, e := range endpoints(t) {
		if e.method != http.MethodGet || !mountedAt(patterns, e) {
			continue
		}
		path := regexp.MustCompile(`\{[^}]*\}`).ReplaceAllStringFunc(e.path, url.PathEscape)
		path = regexp.MustCompile(`%7B[^%]*%7D`).ReplaceAllString(path, "x")
		get, text := r.headers(t, http.MethodGet, path)
		head, nothing := r.headers(t, http.MethodHead, path)
		asked++
		same := get.StatusCode == head.StatusCode && get.Header.Get("Content-Type") == head.Header.Get("Content-Type") && nothing == ""
		if length := head.ContentLength; !slices.ContainsFunc(moving, func(s string) bool { return strings.Contains(path, s) }) {
			same = same && (length == int64(len(text)) || length < 0 && (text == "" || get.ContentLength < 0))
		}
		if !same {
			t.Errorf("%s: GET %d, %d bytes, %v; HEAD %d, Content-Length %d, %v, body %q", path, get.StatusCode, len(text), get.Header, head.StatusCode, head.ContentLength, head.Header, nothing)
		}
	}
	if asked < 100 {
		t.Errorf("asked for %d rows only", asked)
	}
}

func (r *rig) headers(t *testing.T, method, path string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, r.base+prefix+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.SetBasicAuth("admin", "admin123")
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(body)
}
