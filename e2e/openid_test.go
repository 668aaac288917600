//go:build e2e

package e2e

import (
	"bytes"
	"encoding/json"
	"encoding/pem"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// openID is a real OpenID Connect provider. It lets everybody in under any name, as a member of developers.
type openID struct {
	t        *testing.T
	dir      string
	addr     string
	redirect string
	key      string // name of the key that it signs with
	cmd      *exec.Cmd
	log      *tail
}

func startOpenID(t *testing.T, redirect string) *openID {
	t.Helper()
	p := &openID{t: t, dir: t.TempDir(), addr: freeAddress(t), redirect: redirect, key: "first"}
	p.run()
	t.Cleanup(p.stop)
	return p
}

func (p *openID) run() {
	p.t.Helper()
	modules := filepath.Join(root(p.t), ".cache", "oidc-provider", "node_modules")
	if _, err := os.Stat(modules); err != nil {
		p.t.Fatalf("%v: run make setup first", err)
	}
	_, port, _ := strings.Cut(p.addr, ":")
	p.cmd = exec.Command("node", filepath.Join(root(p.t), "e2e", "testdata", "openid", "provider.mjs"), port, p.redirect, filepath.Join(p.dir, p.key))
	p.cmd.Env = append(os.Environ(), "OPENID_MODULES="+modules)
	out, in, err := os.Pipe()
	must(p.t, err)
	p.cmd.Stdout, p.cmd.Stderr = in, in
	must(p.t, p.cmd.Start())
	in.Close()
	p.log = &tail{}
	go func() { p.log.follow(out); out.Close() }()
	eventually(p.t, "the provider answers", func() bool {
		resp, err := http.Get(p.url("/jwks"))
		if err == nil {
			resp.Body.Close()
		}
		return err == nil
	})
}

func (p *openID) stop() {
	if p.cmd != nil {
		_ = p.cmd.Process.Kill()
		_ = p.cmd.Wait()
		p.cmd = nil
	}
}

func (p *openID) url(path string) string { return "http://" + p.addr + path }

// settings are the body of a request; more are members that replace some.
func (p *openID) settings(more map[string]any) string {
	p.t.Helper()
	body := map[string]any{
		"clientId": "depot", "clientSecret": "a secret & more", "idpAuthorizationUrl": p.url("/auth"), "idpTokenUrl": p.url("/token"),
		"idpJwksUrl": p.url("/jwks"), "idpLogoutUrl": p.url("/session/end"), "idpJwsAlgorithm": "RS256", "usernameClaim": "preferred_username",
		"groupsClaim": "groups", "firstNameClaim": "given_name", "lastNameClaim": "family_name", "emailClaim": "email",
		"exactMatchClaims": map[string]string{"iss": p.url("")},
	}
	for name, value := range more {
		body[name] = value
	}
	text, err := json.Marshal(body)
	must(p.t, err)
	return string(text)
}

// machineToken is a token that the provider gives to a machine.
func (p *openID) machineToken() string {
	p.t.Helper()
	req, err := http.NewRequest(http.MethodPost, p.url("/token"), strings.NewReader("grant_type=client_credentials&scope=publish"))
	must(p.t, err)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.SetBasicAuth("ci", "ci")
	resp, err := http.DefaultClient.Do(req)
	must(p.t, err)
	defer resp.Body.Close()
	var answer struct {
		Token string `json:"access_token"`
	}
	must(p.t, json.NewDecoder(resp.Body).Decode(&answer))
	if strings.Count(answer.Token, ".") != 2 {
		p.t.Fatalf("no token: %s\n%s", resp.Status, p.log)
	}
	return answer.Token
}

// visitor is a client that keeps cookies and follows redirects by hand.
type visitor struct {
	t      *testing.T
	client *http.Client
}

func newVisitor(t *testing.T) *visitor {
	t.Helper()
	jar, err := cookiejar.New(nil)
	must(t, err)
	return &visitor{t, &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

// open gets a page, or posts a form, and gives status, target of a redirect and body.
func (b *visitor) open(target string, form url.Values) (status int, next, body string) {
	b.t.Helper()
	var resp *http.Response
	var err error
	if form == nil {
		resp, err = b.client.Get(target)
	} else {
		resp, err = b.client.PostForm(target, form)
	}
	must(b.t, err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	must(b.t, err)
	if location, err := resp.Location(); err == nil {
		next = location.String()
	}
	return resp.StatusCode, next, string(text)
}

var visitorForm = regexp.MustCompile(`<form[^>]* action="([^"]+)"`)

// signIn goes to the provider and comes back to where the server sent it with an answer, which it does not open.
func (b *visitor) signIn(start, name, callback string) string {
	b.t.Helper()
	next := start
	for range 20 {
		_, to, body := b.open(next, nil)
		if to == "" {
			action := visitorForm.FindStringSubmatch(body)
			if action == nil {
				b.t.Fatalf("%s shows no form:\n%s", next, body)
			}
			form := url.Values{"prompt": {"consent"}}
			if strings.Contains(body, `name="login"`) {
				form = url.Values{"prompt": {"login"}, "login": {name}, "password": {"x"}}
			}
			_, to, body = b.open(html.UnescapeString(action[1]), form)
			if to == "" {
				b.t.Fatalf("the provider does not go on:\n%s", body)
			}
		}
		if next = to; strings.HasPrefix(next, callback) {
			return next
		}
	}
	b.t.Fatal("the provider leads in a circle")
	return ""
}

// wantStatus opens an address of the server.
func (b *visitor) wantStatus(what, target string, want int) string {
	b.t.Helper()
	status, _, body := b.open(target, nil)
	if status != want {
		b.t.Errorf("%s: %d, want %d\n%s", what, status, want, body)
	}
	return body
}

const oauth2API = "/service/rest/v1/security/oauth2"

// startWithOpenID starts a server and its provider. Members of developers may read and write content; nobody may without credentials.
func startWithOpenID(t *testing.T) (*server, *openID) {
	t.Helper()
	s := start(t)
	p := startOpenID(t, s.url("/oidc/callback"))
	s.makeRaw()
	if status, text := s.do(http.MethodPut, "/repository/files/a.txt", strings.NewReader("a")); status != http.StatusCreated {
		t.Fatal(status, text)
	}
	s.json(http.MethodPost, "/service/rest/v1/security/roles", `{"id":"developers","name":"d","privileges":["nx-repository-view-*-*-*","nx-usertoken-current"],"roles":[]}`)
	s.json(http.MethodPut, "/service/rest/v1/security/anonymous", `{"enabled":false}`)
	s.json(http.MethodPut, oauth2API, p.settings(nil))
	s.json(http.MethodPut, "/service/rest/v1/security/realms/active", `["NexusAuthenticatingRealm","OAuth2Realm","User-Token-Realm"]`)
	s.json(http.MethodPut, "/service/rest/v1/security/user-tokens", `{"enabled":true,"protectContent":false,"expirationEnabled":false,"expirationDays":30}`)
	return s, p
}

const openIDFile = "/repository/files/a.txt"

// TestOpenIDSignIn signs a person in with the redirects that a browser follows.
func TestOpenIDSignIn(t *testing.T) {
	t.Parallel()
	s, p := startWithOpenID(t)
	ada := newVisitor(t)
	ada.wantStatus("before", s.url(openIDFile), 401)
	callback := ada.signIn(s.url("/oidc/login?hash=%23browse%2Fwelcome"), "ada", s.url("/oidc/callback"))

	newVisitor(t).wantStatus("the answer in another browser", callback, 400)
	// The answer of that browser is used up; hers is gone with it.
	ada.wantStatus("an answer that was shown before", callback, 400)

	callback = ada.signIn(s.url("/oidc/login?hash=%23browse%2Fwelcome"), "ada", s.url("/oidc/callback"))
	ada.wantStatus("another state", strings.Replace(callback, "state=", "state=x", 1), 400)
	status, to, body := ada.open(callback, nil)
	if status != http.StatusSeeOther || to != s.url("/#browse/welcome") {
		t.Fatalf("%d to %q: %s\n%s", status, to, body, s.log)
	}
	ada.wantStatus("content", s.url(openIDFile), 200)
	ada.wantStatus("what only administrators may", s.url(oauth2API), 403)
	if status, text := s.do(http.MethodGet, "/service/rest/v1/security/users?source=OAuth2", nil); status != 200 || !strings.Contains(text, `"userId" : "ada"`) ||
		!strings.Contains(text, `"emailAddress" : "ada@example.org"`) || !strings.Contains(text, `"externalRoles" : [ "ada", "developers" ]`) {
		t.Errorf("%d %s", status, text)
	}

	status, text := s.do(http.MethodPost, "/service/rest/v1/security/users/ada/OAuth2Realm/user-token", nil)
	var token struct{ NameCode, PassCode string }
	if err := json.Unmarshal([]byte(text), &token); err != nil || status != http.StatusCreated {
		t.Fatal(status, text, err)
	}
	s.wants("a user token", [][4]string{{token.NameCode, token.PassCode, openIDFile, "200"}, {token.NameCode, "x", openIDFile, "401"}})

	bob := newVisitor(t)
	bob.open(bob.signIn(s.url("/oidc/login"), "bob", s.url("/oidc/callback")), nil)
	bob.wantStatus("another person", s.url(openIDFile), 200)
	s.json(http.MethodPost, "/api/v1/users", `{"id":"bob","source":"OAuth2","firstName":"","lastName":"","email":"","status":"disabled","roles":[]}`)
	bob.wantStatus("a person who was disabled", s.url(openIDFile), 401)

	status, to, _ = ada.open(s.url("/oidc/logout"), url.Values{})
	if status != http.StatusSeeOther || !strings.HasPrefix(to, p.url("/session/end?")) {
		t.Errorf("signing out leads to %d %q", status, to)
	}
	ada.wantStatus("the provider's page", to, 200)
	ada.wantStatus("after signing out", s.url(openIDFile), 401)
}

// TestOpenIDOutage takes the provider away, gives it another key, and takes the settings away.
func TestOpenIDOutage(t *testing.T) {
	t.Parallel()
	s, p := startWithOpenID(t)
	ada := newVisitor(t)
	ada.open(ada.signIn(s.url("/oidc/login"), "ada", s.url("/oidc/callback")), nil)
	waiting := newVisitor(t)
	callback := waiting.signIn(s.url("/oidc/login"), "bob", s.url("/oidc/callback"))
	token := p.machineToken()
	p.stop()
	ada.wantStatus("a session while the provider is down", s.url(openIDFile), 200)
	s.wantBearer("the provider is down, its keys are known", token, 200)
	waiting.wantStatus("an answer while the provider is down", callback, 502)

	p.key = "second"
	p.run()
	s.wantBearer("a token of the key before", token, 200)
	rotated := p.machineToken()
	deadline := time.Now().Add(30 * time.Second) // the provider is not asked for unknown keys all the time
	for s.bearer(rotated) != 200 && time.Now().Before(deadline) {
		time.Sleep(200 * time.Millisecond)
	}
	s.wantBearer("a token of the new key", rotated, 200)
	bob := newVisitor(t)
	bob.open(bob.signIn(s.url("/oidc/login"), "bob", s.url("/oidc/callback")), nil)
	bob.wantStatus("a sign-in with the new key", s.url(openIDFile), 200)

	if status, text := s.do(http.MethodDelete, oauth2API, nil); status != http.StatusNoContent {
		t.Fatal(status, text)
	}
	bob.wantStatus("a session without settings", s.url(openIDFile), 401)
	bob.wantStatus("a sign-in without settings", s.url("/oidc/login"), 404)
	s.wantBearer("a token without settings", rotated, 401)
}

func (s *server) bearer(token string) int {
	s.t.Helper()
	req, err := http.NewRequest(http.MethodGet, s.url(openIDFile), nil)
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	resp.Body.Close()
	return resp.StatusCode
}

func (s *server) wantBearer(what, token string, want int) {
	s.t.Helper()
	if got := s.bearer(token); got != want {
		s.t.Errorf("%s: %d, want %d\n%s", what, got, want, s.log)
	}
}

// TestOpenIDMachines shows tokens that a provider gave to machines: with curl, and with Maven.
func TestOpenIDMachines(t *testing.T) {
	t.Parallel()
	s, p := startWithOpenID(t)
	token := p.machineToken()
	header, body, signature := cutToken(t, token)
	for what, tt := range map[string]struct {
		token string
		want  int
	}{
		"the token":             {token, 200},
		"other claims":          {header + "." + body[:len(body)-4] + "AAAA." + signature, 401},
		"another algorithm":     {"eyJhbGciOiJub25lIn0." + body + ".", 401},
		"another signature":     {header + "." + body + "." + strings.ToLower(signature), 401},
		"a token of npm's kind": {"NpmToken.00000000-0000-0000-0000-000000000000", 401},
	} {
		s.wantBearer(what, tt.token, tt.want)
	}
	if out := run(t, t.TempDir(), "curl", "-sS", "-H", "Authorization: Bearer "+token, "-T", filepath.Join(root(t), "go.mod"), "-o", "/dev/null", "-w", "%{http_code}", s.url("/repository/files/go.mod")); out != "201" {
		t.Errorf("curl: %s", out)
	}

	m := newMachine(t, s.url("/repository/maven-public/"))
	settings, err := os.ReadFile(m.settings)
	must(t, err)
	credentials := regexp.MustCompile(`<username>.*</password>`)
	write(t, m.settings, credentials.ReplaceAllString(string(settings), "<configuration><httpHeaders><property><name>Authorization</name><value>Bearer "+token+
		"</value></property></httpHeaders></configuration>"))
	s.setUpstream("maven-central", publicMaven(t), "RELEASE")
	m.mvn(t.TempDir(), "org.apache.maven.plugins:maven-deploy-plugin:2.8.2:deploy-file", "-Dfile="+filepath.Join(root(t), "go.mod"), "-DgroupId=org.acme", "-DartifactId=lib",
		"-Dversion=1.0", "-Dpackaging=txt", "-DrepositoryId=nexus", "-Durl="+s.url("/repository/maven-releases/"))
	if status, text := s.do(http.MethodGet, "/service/rest/v1/search?name=lib", nil); status != 200 || !strings.Contains(text, `"uploader" : "robot"`) {
		t.Errorf("%d %s", status, text)
	}

	s.json(http.MethodPut, oauth2API, p.settings(map[string]any{"exactMatchClaims": map[string]string{"iss": p.url("/other")}}))
	s.wantBearer("another issuer", token, 401)
	s.json(http.MethodPut, oauth2API, p.settings(map[string]any{"exactMatchClaims": map[string]string{"aud": "ci"}}))
	s.wantBearer("another audience", token, 401)
	s.json(http.MethodPut, oauth2API, p.settings(map[string]any{"exactMatchClaims": map[string]string{"client_id": "ci"}}))
	s.wantBearer("the client that has to be", token, 200)
}

// TestOpenIDConnection asks a provider over TLS, with a certificate that nobody signed, and from behind the guard.
func TestOpenIDConnection(t *testing.T) {
	t.Parallel()
	s, p := startWithOpenID(t)
	token := p.machineToken()
	secure := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		resp, err := http.Get(p.url(r.URL.Path))
		if err != nil {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		defer resp.Body.Close()
		_, _ = io.Copy(w, resp.Body)
	}))
	defer secure.Close()
	set := func(more map[string]any) {
		t.Helper()
		more["idpJwksUrl"] = secure.URL + "/jwks"
		s.json(http.MethodPut, oauth2API, p.settings(more))
	}
	set(map[string]any{})
	s.wantBearer("a certificate that nobody trusts", token, 503)
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: secure.Certificate().Raw})
	if status, text := s.do(http.MethodPost, "/service/rest/v1/security/ssl/truststore", bytes.NewReader(certificate), "Content-Type", "text/plain"); status != http.StatusCreated {
		t.Fatal(status, text)
	}
	set(map[string]any{"emailClaim": ""})
	s.wantBearer("a certificate of the trust store, which is not used", token, 503)
	set(map[string]any{"useTrustStore": true})
	s.wantBearer("a certificate of the trust store", token, 200)
	s.json(http.MethodPut, "/service/rest/v1/security/ssrf-protection", `{"enabled":true,"allowedIPs":[],"allowedDomains":[]}`)
	set(map[string]any{"useTrustStore": true, "emailClaim": ""})
	s.wantBearer("the guard", token, 503)
	s.json(http.MethodPut, "/service/rest/v1/security/ssrf-protection", `{"enabled":true,"allowedIPs":["127.0.0.1"],"allowedDomains":[]}`)
	set(map[string]any{"useTrustStore": true})
	s.wantBearer("the guard with an exception", token, 200)
}

func cutToken(t *testing.T, token string) (header, body, signature string) {
	t.Helper()
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		t.Fatal(token)
	}
	return parts[0], parts[1], parts[2]
}
