package api

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"entrepot/app/access"
	"entrepot/app/repository"
	"entrepot/app/resource"
	"entrepot/formats"
)

// put stores a file as a client does.
func (r *rig) put(name, path, text string) {
	r.t.Helper()
	subject, err := r.Access.Authenticate(r.t.Context(), access.Credentials{Kind: access.Basic, User: "admin", Secret: "admin123"})
	if err != nil {
		r.t.Fatal(err)
	}
	_, err = r.Engine.Serve(r.t.Context(), repository.Call{Repository: name, Subject: subject, Request: &formats.Request{
		Method: http.MethodPut, Path: path, Header: http.Header{}, Body: strings.NewReader(text), Size: int64(len(text)),
	}})
	if err != nil {
		r.t.Fatal(err)
	}
}

func TestContent(t *testing.T) {
	r := newRig(t)
	r.do(admin, "POST", "repositories", `{"name":"files","format":"raw","kind":"hosted"}`)
	r.do(admin, "POST", "repositories", `{"name":"all","format":"raw","kind":"proxy","members":["files"]}`)
	for _, name := range []string{"a", "b", "c", "d", "e"} {
		r.put("files", "/docs/"+name+" 1.txt", name)
	}
	var assets []Asset
	for path := "assets?repository=all&limit=2"; path != ""; {
		var page Page[Asset]
		r.do(admin, "GET", path, "").decode(t, &page)
		assets = append(assets, page.Items...)
		path = ""
		if page.Next != "" {
			path = "assets?repository=all&limit=2&cursor=" + page.Next
		}
	}
	if len(assets) != 5 || assets[0].Path != "/docs/a 1.txt" || assets[4].Path != "/docs/e 1.txt" {
		t.Fatalf("assets: %+v", assets)
	}
	a := assets[1]
	if a.Repository != "all" || a.Size != 1 || a.Checksums.SHA1 != "e9d71f5ee7c92d6dc9e92ffdad17b8bd49418f98" || !strings.HasSuffix(a.DownloadURL, "/repository/all/docs/b%201.txt") {
		t.Errorf("asset: %+v", a)
	}
	r.play([]exchange{
		{admin, "GET", "assets/" + a.ID, "", 200, []string{`"repository":"files"`}},
		{admin, "GET", "assets/x", "", 404, nil},
		{admin, "GET", "assets", "", 400, nil},
		{admin, "GET", "assets?repository=none", "", 404, nil},
		{admin, "GET", "components?repository=files&limit=1", "", 200, []string{`"next"`, `"name":"/docs/a 1.txt"`}},
		{admin, "GET", "search?sha1=" + a.Checksums.SHA1, "", 200, []string{`"/docs/b 1.txt"`}},
		{admin, "GET", "search?sha256=" + a.Checksums.SHA256 + "&repository=all", "", 200, []string{`"/docs/b 1.txt"`}},
		{admin, "GET", "search?sha256=" + a.Checksums.SHA256 + "&repository=none", "", 200, []string{`{"items":[]}`}},
		{admin, "GET", "search?md5=00", "", 200, []string{`{"items":[]}`}},
		{admin, "GET", "search?name=/docs/*&sort=name&direction=desc&limit=1", "", 200, []string{`"/docs/e 1.txt"`, `"next"`}},
		{admin, "GET", "search?nam=docs", "", 400, nil},
		{admin, "GET", "search?sort=size", "", 400, nil},
		{admin, "GET", "search?q=docs&cursor=eHg", "", 400, nil},
		{admin, "DELETE", "assets/" + a.ID, "", 204, nil},
		{admin, "DELETE", "assets/" + a.ID, "", 404, nil},
		{admin, "GET", "search?sha1=" + a.Checksums.SHA1, "", 200, []string{`{"items":[]}`}},
	})
}

func certificate(t *testing.T) string {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "mirror.example.org"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

func TestServerSettings(t *testing.T) {
	r := newRig(t)
	text := certificate(t)
	body, err := json.Marshal(map[string]string{"pem": text})
	if err != nil {
		t.Fatal(err)
	}
	made := r.do(admin, "POST", "trusted-certificates", string(body))
	var c resource.Certificate
	made.decode(t, &c)
	if made.status != http.StatusCreated || c.Subject != "CN=mirror.example.org" || c.PEM != text {
		t.Errorf("certificate: %+v", made)
	}
	r.play([]exchange{
		{admin, "POST", "trusted-certificates", string(body), 409, nil},
		{admin, "POST", "trusted-certificates", `{"pem":"x"}`, 422, []string{"#/pem"}},
		{admin, "POST", "configuration/plan", `{"trustedCertificates":[` + string(body) + `]}`, 200, []string{`"changes":[]`}},
		{admin, "DELETE", "trusted-certificates/" + url.PathEscape(c.Fingerprint), "", 204, nil},
		{admin, "GET", "trusted-certificates/" + url.PathEscape(c.Fingerprint), "", 404, nil},
		{admin, "PUT", "settings/http", `{"timeout":"30s","httpProxy":{"enabled":true,"host":"proxy.example.org","port":3128,"authInfo":{"enabled":true,"username":"u","password":"hush"}}}`, 200, []string{`"timeout":"30s"`}},
		{admin, "PATCH", "settings/http", `{"retries":3}`, 200, []string{`"retries":3`, `"username":"u"`}},
		{admin, "PUT", "settings/http", `{"timeout":"2h","httpProxy":{"host":""}}`, 422, []string{"#/timeout", "#/httpProxy/host"}},
		{admin, "POST", "configuration/plan", `{"http":{"httpProxy":{"authInfo":{"password":"hush"}}}}`, 200, []string{`"changes":[]`}},
		{admin, "DELETE", "settings/http", "", 204, nil},
		{admin, "GET", "settings/http", "", 200, []string{"{}"}},
		{admin, "PUT", "settings/outbound-guard", `{"enabled":true,"allowedIPs":["10.0.0.0/8"]}`, 200, []string{`"allowedDomains":[]`}},
		{admin, "PUT", "settings/outbound-guard", `{"enabled":true,"allowedIPs":["x"]}`, 422, []string{"#/allowedIPs"}},
		{admin, "POST", "capabilities", `{"type":"baseurl","properties":{"url":"https://repository.example.org"}}`, 201, []string{`"active":true`}},
		{admin, "POST", "capabilities", `{"type":"baseurl","properties":{"url":"https://repository.example.org"}}`, 409, nil},
		{admin, "POST", "capabilities", `{"type":"webhook.global"}`, 422, []string{"#/name"}},
		{admin, "POST", "capabilities", `{"type":"none"}`, 422, []string{"#/type"}},
		{admin, "PATCH", "capabilities/baseurl", `{"enabled":false}`, 200, []string{`"enabled":false`, `"https://repository.example.org"`}},
		{admin, "DELETE", "capabilities/baseurl", "", 204, nil},
		{admin, "POST", "ldap-servers", `{"name":"one","host":"directory.example.org","port":636,"searchBase":"dc=example,dc=org","scheme":"SIMPLE","username":"cn=reader","password":"hush"}`, 201, []string{`"timeout":"30s"`}},
		{admin, "POST", "ldap-servers", `{"name":"two","host":"directory.example.org","port":636,"searchBase":"dc","users":{"filter":"("}}`, 422, []string{"#/searchBase", "#/users/filter"}},
		{admin, "POST", "ldap-servers", `{"name":"two","host":"directory.example.org","port":636,"searchBase":"dc=example"}`, 201, nil},
		{admin, "PATCH", "ldap-servers/one", `{"users":{"id":"uid"}}`, 200, []string{`"id":"uid"`}},
		{admin, "PUT", "ldap-order", `{"servers":["two","one"]}`, 200, []string{`["two","one"]`}},
		{admin, "POST", "configuration/plan", `{"ldapServers":[{"name":"one","password":"hush"}]}`, 200, []string{`"changes":[]`}},
		{admin, "POST", "ldap-servers/none/check", "", 404, nil},
		{admin, "PATCH", "ldap-servers/two", `{"host":"127.0.0.1","port":1,"timeout":"1s"}`, 200, nil},
		{admin, "POST", "ldap-servers/two/check", "", 422, []string{"the log says why"}},
		{admin, "DELETE", "ldap-servers/two", "", 204, nil},
		{admin, "GET", "settings/saml", "", 200, []string{`"usernameAttribute":""`}},
		{admin, "PUT", "settings/saml", `{"idpMetadata":"<x/>"}`, 422, []string{"#/idpMetadata", "#/usernameAttribute"}},
		{admin, "PUT", "configuration", `{"saml":{"idpMetadata":` + idpMetadata + `,"usernameAttribute":"uid"}}`, 200, nil},
		{admin, "PATCH", "settings/saml", `{"groupsAttribute":"groups"}`, 200, []string{`"usernameAttribute":"uid"`, `"groupsAttribute":"groups"`}},
		{admin, "POST", "configuration/plan", `{"saml":{"groupsAttribute":"groups"}}`, 200, []string{`"changes":[]`}},
		{admin, "GET", "configuration", "", 200, []string{`"saml":{"idpMetadata"`}},
		{admin, "DELETE", "settings/saml", "", 204, nil},
		{admin, "POST", "trusted-certificates/retrieve", `{"host":"127.0.0.1","port":1}`, 422, []string{"the log says why"}},
		{admin, "POST", "trusted-certificates/retrieve", `{"host":"a b","port":1}`, 422, []string{"#/host"}},
		{admin, "POST", "trusted-certificates/retrieve", `{"host":"127.0.0.1","port":0}`, 422, []string{"#/port"}},
		{admin, "POST", "settings/email/test", `{"to":"a@example.org"}`, 409, nil},
		{admin, "POST", "settings/email/test", `{"to":"nobody"}`, 422, []string{"#/to"}},
		{admin, "PUT", "settings/email", `{"host":"127.0.0.1","port":1,"from":"a@example.org"}`, 200, nil},
		{admin, "POST", "settings/email/test", `{"to":"a@example.org"}`, 422, []string{"the log says why"}},
		{admin, "POST", "blob-stores", `{"name":"more","path":"more"}`, 201, nil},
		{admin, "POST", "blob-stores", `{"name":"both","type":"group","members":["more"]}`, 201, []string{`"fillPolicy":"roundRobin"`}},
	})
	if d := r.do(admin, "GET", "audit?action=http", "").body; strings.Contains(d, "hush") {
		t.Errorf("a secret in the audit: %s", d)
	}
}

// idpMetadata describes an identity provider that nobody asks here, as JSON.
const idpMetadata = `"<EntityDescriptor xmlns=\"urn:oasis:names:tc:SAML:2.0:metadata\" entityID=\"https://idp.example.org/\"> <IDPSSODescriptor protocolSupportEnumeration=\"urn:oasis:names:tc:SAML:2.0:protocol\"><KeyDescriptor use=\"signing\"><KeyInfo xmlns=\"http://www.w3.org/2000/09/xmldsig#\"><X509Data><X509Certificate> MIIBCTCBsaADAgECAgEBMAoGCCqGSM49BAMCMA4xDDAKBgNVBAMTA2lkcDAgFw0yNjAxMDEwMDAwMDBaGA8yMDk5MDEwMTAwMDAwMFowDjEMMAoGA1UEAxMDaWRwMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE N+y68f+IRYjvNPatSMWRtKbMaH9mvXMi7lgFfq2HeBUaQNnd8rpFLuvewMmeBNcHI3vGV+YSt11wJNySuxRozDAKBggqhkjOPQQDAgNHADBEAiBA4dBOb0XTX7TrgD++OEBtD8qC9VGmEqDaQm6tFctHeAIgI4TK NB9uRNuxbN/KltlJdMieyL6HmNftHvBX7HRYFjg= </X509Certificate></X509Data></KeyInfo></KeyDescriptor> <SingleSignOnService Binding=\"urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect\" Location=\"https://idp.example.org/sso\"/></IDPSSODescriptor></EntityDescriptor>"`
