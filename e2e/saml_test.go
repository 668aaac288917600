//go:build e2e

package e2e

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"html"
	"io"
	"log"
	"math/big"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/crewjam/saml"
	"github.com/crewjam/saml/samlidp"
	dsig "github.com/russellhaering/goxmldsig"
	"golang.org/x/crypto/bcrypt"
)

const samlAPI = "/service/rest/v1/security/saml"

// identityProvider is a real provider of SAML on this machine, with the person sam in the group developers.
type identityProvider struct {
	t   *testing.T
	url string
}

func startIdentityProvider(t *testing.T) *identityProvider {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	must(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "idp"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	must(t, err)
	certificate, err := x509.ParseCertificate(der)
	must(t, err)
	var handler http.Handler
	listening := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { handler.ServeHTTP(w, r) }))
	t.Cleanup(listening.Close)
	address, err := url.Parse(listening.URL)
	must(t, err)
	store := &samlidp.MemoryStore{}
	hash, err := bcrypt.GenerateFromPassword([]byte("sam-pw"), bcrypt.MinCost)
	must(t, err)
	must(t, store.Put("/users/sam", samlidp.User{Name: "sam", HashedPassword: hash, Groups: []string{"developers"}, Email: "sam@example.org", GivenName: "Sam", Surname: "Example"}))
	idp, err := samlidp.New(samlidp.Options{URL: *address, Key: key, Certificate: certificate, Store: store, Logger: log.New(io.Discard, "", 0)})
	must(t, err)
	idp.IDP.SignatureMethod, idp.IDP.LoginURL = dsig.RSASHA256SignatureMethod, idp.IDP.SSOURL // so that its form goes on with the request
	handler = idp
	return &identityProvider{t, listening.URL}
}

// metadata describes the provider, with or without the binding of forms.
func (p *identityProvider) metadata(redirectOnly bool) string {
	p.t.Helper()
	resp, err := http.Get(p.url + "/metadata")
	must(p.t, err)
	defer resp.Body.Close()
	var m saml.EntityDescriptor
	must(p.t, xml.NewDecoder(resp.Body).Decode(&m))
	services := &m.IDPSSODescriptors[0].SingleSignOnServices
	if redirectOnly {
		*services = []saml.Endpoint{{Binding: saml.HTTPRedirectBinding, Location: (*services)[0].Location}}
	}
	text, err := xml.Marshal(m)
	must(p.t, err)
	return string(text)
}

// learn tells the provider of a server.
func (p *identityProvider) learn(s *server) {
	p.t.Helper()
	status, metadata := s.do(http.MethodGet, samlAPI+"/metadata", nil)
	if status != http.StatusOK {
		p.t.Fatalf("metadata: %d %s", status, metadata)
	}
	req, err := http.NewRequest(http.MethodPut, p.url+"/services/entrepot", strings.NewReader(metadata))
	must(p.t, err)
	resp, err := http.DefaultClient.Do(req)
	must(p.t, err)
	resp.Body.Close()
	if resp.StatusCode >= 300 {
		p.t.Fatalf("the provider takes no metadata: %s", resp.Status)
	}
}

// withSAML sets a server up for a provider.
func withSAML(t *testing.T, p *identityProvider, redirectOnly bool) *server {
	t.Helper()
	s := start(t)
	settings, err := json.Marshal(map[string]any{
		"idpMetadata": p.metadata(redirectOnly), "usernameAttribute": "uid", "firstNameAttribute": "givenName", "lastNameAttribute": "sn", "groupsAttribute": "eduPersonAffiliation",
		"validateResponseSignature": true, "validateAssertionSignature": true,
	})
	must(t, err)
	if status, text := s.do(http.MethodPut, samlAPI, bytes.NewReader(settings), "Content-Type", "application/json"); status != http.StatusCreated {
		t.Fatalf("settings: %d %s", status, text)
	}
	p.learn(s)
	s.json(http.MethodPut, "/service/rest/v1/security/anonymous", `{"enabled":false,"userId":"anonymous","realmName":"NexusAuthorizingRealm"}`)
	s.json(http.MethodPut, "/service/rest/v1/security/realms/active", `["NexusAuthenticatingRealm","SamlRealm","User-Token-Realm"]`)
	s.json(http.MethodPut, "/service/rest/v1/security/user-tokens", `{"enabled":true}`)
	s.json(http.MethodPost, "/service/rest/v1/security/roles", `{"id":"developers","name":"d","privileges":["nx-repository-view-maven2-*-*","nx-usertoken-current"],"roles":[]}`)
	if status, text := s.do(http.MethodPut, "/repository/maven-releases/org/acme/a/1/a-1.txt", strings.NewReader("content")); status != http.StatusCreated {
		t.Fatalf("upload: %d %s", status, text)
	}
	return s
}

// browser goes through a sign-in as a browser does. It shows a server no cookies with a form that another site made it send.
type browser struct {
	*http.Client
	t      *testing.T
	answer url.Values // what the provider sent last
}

func newBrowser(t *testing.T) *browser {
	jar, err := cookiejar.New(nil)
	must(t, err)
	return &browser{Client: &http.Client{Jar: jar}, t: t}
}

var (
	formAction = regexp.MustCompile(`<form method="post" action="([^"]*)"`)
	formInput  = regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)"`)
)

// page reads an answer.
func (b *browser) page(resp *http.Response, err error) (*http.Response, string) {
	b.t.Helper()
	must(b.t, err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	must(b.t, err)
	return resp, string(text)
}

// form gives where the form of a page goes, and what is in it.
func (b *browser) form(page string) (string, url.Values) {
	b.t.Helper()
	action := formAction.FindStringSubmatch(page)
	if action == nil {
		b.t.Fatalf("no form in %.500s", page)
	}
	values := url.Values{}
	for _, input := range formInput.FindAllStringSubmatch(page, -1) {
		values.Set(html.UnescapeString(input[1]), html.UnescapeString(input[2]))
	}
	return html.UnescapeString(action[1]), values
}

// toAnswer begins a sign-in and goes as far as the provider's answer.
func (b *browser) toAnswer(s *server, hash string) (consumer string) {
	b.t.Helper()
	resp, page := b.page(b.Get(s.url("/saml?hash=" + url.QueryEscape(hash))))
	if resp.StatusCode != http.StatusOK {
		b.t.Fatalf("sign-in: %s %s", resp.Status, page)
	}
	for range 3 {
		action, values := b.form(page)
		if values.Has("SAMLResponse") {
			b.answer = values
			return action
		}
		if strings.Contains(page, `name="password"`) {
			values.Set("user", "sam")
			values.Set("password", "sam-pw")
		}
		_, page = b.page(b.PostForm(action, values))
	}
	b.t.Fatalf("the provider gives no answer: %s", page)
	return ""
}

// consume sends the provider's answer, and gives the status and where that leads.
func (b *browser) consume(address string) (int, string) {
	b.t.Helper()
	resp, err := client().PostForm(address, b.answer)
	must(b.t, err)
	resp.Body.Close()
	return resp.StatusCode, resp.Header.Get("Location")
}

// TestSAMLSignIn signs a person in at a real provider, with both bindings, and goes on as that person.
func TestSAMLSignIn(t *testing.T) {
	t.Parallel()
	p := startIdentityProvider(t)
	for _, redirect := range []bool{false, true} {
		s := withSAML(t, p, redirect)
		b := newBrowser(t)
		status, next := b.consume(b.toAnswer(s, "#browse/welcome"))
		if status != http.StatusSeeOther {
			t.Fatalf("answer: %d\n%s", status, s.log)
		}
		resp, _ := b.page(b.Get(next))
		if at := resp.Request.URL; resp.StatusCode != http.StatusOK || at.Path != "/" || at.Fragment != "browse/welcome" {
			t.Fatalf("after the sign-in: %s at %s", resp.Status, at)
		}
		if resp, text := b.page(b.Get(s.url(samlContent))); resp.StatusCode != http.StatusOK || text != "content" {
			t.Errorf("content: %s", resp.Status)
		}
		if redirect {
			return
		}
		b.asUser(s)
	}
}

const samlContent = "/repository/maven-releases/org/acme/a/1/a-1.txt"

// asUser makes a user token in the session, uses it, and sees both end when the user is disabled.
func (b *browser) asUser(s *server) {
	t := b.t
	t.Helper()
	status, text := s.do(http.MethodGet, "/service/rest/v1/security/users?source=SAML", nil)
	if status != http.StatusOK || !strings.Contains(text, `"userId" : "sam"`) || !strings.Contains(text, `"externalRoles" : [ "developers" ]`) || !strings.Contains(text, `"lastName" : "Example"`) {
		t.Errorf("users: %d %s", status, text)
	}
	req, err := http.NewRequest(http.MethodPost, s.url("/service/rest/v1/security/users/sam/SamlRealm/user-token"), nil)
	must(t, err)
	req.Header.Set("NX-ANTI-CSRF-TOKEN", "0.1")
	req.AddCookie(&http.Cookie{Name: "NX-ANTI-CSRF-TOKEN", Value: "0.1"})
	resp, text := b.page(b.Do(req))
	var token struct{ NameCode, PassCode string }
	if resp.StatusCode != http.StatusCreated || json.Unmarshal([]byte(text), &token) != nil {
		t.Fatalf("user token: %s %s", resp.Status, text)
	}
	withToken := func() int {
		resp, _ := get(t, client(), s.url(samlContent), token.NameCode, token.PassCode)
		return resp.StatusCode
	}
	if status := withToken(); status != http.StatusOK {
		t.Errorf("content with the user token: %d", status)
	}
	s.json(http.MethodPut, samlAPI+"/users/sam", `{"userId":"sam","status":"disabled"}`)
	if status := withToken(); status != http.StatusUnauthorized {
		t.Errorf("the user token of a disabled user: %d", status)
	}
	if resp, _ := b.page(b.Get(s.url(samlContent))); resp.StatusCode != http.StatusUnauthorized && resp.StatusCode != http.StatusForbidden {
		t.Errorf("the session of a disabled user: %s", resp.Status)
	}
	status, next := b.consume(b.toAnswer(s, ""))
	if status != http.StatusSeeOther {
		t.Fatalf("answer: %d", status)
	}
	if resp, _ := b.page(b.Get(next)); resp.StatusCode != http.StatusForbidden {
		t.Errorf("a disabled user signs in: %s", resp.Status)
	}
}

// TestSAMLRefusals shows a server answers that prove nothing.
func TestSAMLRefusals(t *testing.T) {
	t.Parallel()
	p := startIdentityProvider(t)
	s := withSAML(t, p, false)
	sent := 0
	refused := func(what string, b *browser, address string) {
		t.Helper()
		sent++
		if status, next := b.consume(address); status != http.StatusForbidden || next != "" {
			t.Errorf("%s: %d %s", what, status, next)
		}
	}
	b := newBrowser(t)
	address := b.toAnswer(s, "")
	if status, next := b.consume(address); status != http.StatusSeeOther {
		t.Fatalf("answer: %d\n%s", status, s.log)
	} else if resp, _ := b.page(newBrowser(t).Get(next)); resp.StatusCode != http.StatusForbidden {
		t.Errorf("in another browser: %s", resp.Status)
	}
	refused("replayed", b, address)

	b.toAnswer(s, "")
	document, err := base64.StdEncoding.DecodeString(b.answer.Get("SAMLResponse"))
	must(t, err)
	b.answer.Set("SAMLResponse", base64.StdEncoding.EncodeToString(bytes.Replace(document, []byte("StatusCode"), []byte("StatusCode X=\"\""), 1)))
	refused("changed", b, address)

	unsigned := regexp.MustCompile(`(?s)<ds:Signature .*?</ds:Signature>`)
	b.toAnswer(s, "")
	document, err = base64.StdEncoding.DecodeString(b.answer.Get("SAMLResponse"))
	must(t, err)
	b.answer.Set("SAMLResponse", base64.StdEncoding.EncodeToString(unsigned.ReplaceAll(document, nil)))
	refused("not signed as a whole", b, address)

	b.toAnswer(s, "")
	request := b.answer
	b.answer = url.Values{"SAMLResponse": {base64.StdEncoding.EncodeToString([]byte("<!DOCTYPE x><x/>"))}}
	refused("document type", b, address)
	b.answer = url.Values{"SAMLResponse": {"%"}}
	refused("no base64", b, address)
	b.answer = request
	if status, _ := b.consume(address); status != http.StatusSeeOther {
		t.Errorf("a good answer after bad ones: %d", status)
	}
	_, entries := s.do(http.MethodGet, "/api/v1/audit?action=signin", nil)
	if got := strings.Count(entries, `"signin.failure"`); got == 0 {
		t.Errorf("the audit tells of none of %d failed sign-ins: %s", sent, entries)
	}
	s.json(http.MethodPut, "/service/rest/v1/security/realms/active", `["NexusAuthenticatingRealm"]`)
	if resp, _ := b.page(b.Get(s.url("/saml"))); resp.StatusCode != http.StatusNotFound {
		t.Errorf("while the realm is not active: %s", resp.Status)
	}
	if resp, _ := b.page(b.Get(s.url("/saml/finish?ticket=" + fmt.Sprint(1)))); resp.StatusCode != http.StatusForbidden {
		t.Errorf("a ticket out of nothing: %s", resp.Status)
	}
}
