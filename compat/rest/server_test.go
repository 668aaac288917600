package rest

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"encoding/pem"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// trustedPEM is the certificate of a server of the test, and where it listens.
func trustedPEM(t *testing.T) (text, host, port string) {
	t.Helper()
	s := httptest.NewTLSServer(http.NotFoundHandler())
	t.Cleanup(s.Close)
	host, port, _ = strings.Cut(s.Listener.Addr().String(), ":")
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})), host, port
}

func TestTrustStore(t *testing.T) {
	const path = "v1/security/ssl"
	text, host, port := trustedPEM(t)
	r := newRig(t)
	r.play(t, []exchange{
		{admin, "GET", path + "/truststore", "", 200, []string{"[ ]"}},
		{"", "GET", path + "/truststore", "", 403, nil},
		{"", "POST", path + "/truststore", text, 403, nil},
		{"", "POST", path + "/truststore", "x", 400, nil},
		{admin, "POST", path + "/truststore", "x", 400, []string{`[{"id":"PARAMETER arg0","message":"Invalid PEM formatted certificate"}]`}},
		{admin, "POST", path + "/truststore", text, 201, []string{`"expiresOn" : `, `"fingerprint" : "`, `"subjectOrganization" : "Acme Co"`, `"subjectCommonName" : null`}},
		{admin, "POST", path + "/truststore", text, 409, []string{"A certificate already exists with the id: '"}},
		{admin, "GET", path + "?host=" + host + "&port=" + port, "", 200, []string{`"issuerOrganization" : "Acme Co"`}},
		{admin, "GET", path + "?host=a%2Fb", "", 400, []string{`"message":"Invalid host"`}},
		{admin, "GET", path + "?host=a&port=70000", "", 400, []string{"port out of range:70000"}},
		{admin, "GET", path + "?host=127.0.0.1&port=1", "", 400, []string{"Could not retrieve an SSL certificate from '127.0.0.1:1'"}},
		{admin, "DELETE", path + "/truststore/nope", "", 404, []string{"No certificate with alias 'nope' in trust store."}},
	})
}

func TestHTTPSettings(t *testing.T) {
	const settings = `{"timeout":33,"retries":2,"userAgent":"x","nonProxyHosts":["*.local"],"httpProxy":{"enabled":true,"host":"proxy.example.org","port":"3128",` +
		`"authInfo":{"enabled":true,"username":"u","password":"geheim"}}}`
	newRig(t).play(t, []exchange{
		{admin, "GET", "v1/http", "", 200, []string{`"timeout" : null`, `"httpProxy" : null`, `"nonProxyHosts" : [ ]`}},
		{"", "GET", "v1/http", "", 403, nil},
		{admin, "PUT", "v1/http", `{"timeout":0,"retries":11,"httpProxy":{"host":"","port":0}}`, 400, []string{
			`"PARAMETER timeout"`, `"PARAMETER retries"`, `"PARAMETER httpProxy.host"`, `"PARAMETER httpProxy.port"`,
		}},
		{admin, "PUT", "v1/http", settings, 204, nil},
		{admin, "GET", "v1/http", "", 200, []string{`"timeout" : 33`, `"host" : "proxy.example.org"`, `"port" : 3128`, `"password" : null`, `"ntlmHost" : null`}},
		{admin, "PUT", "v1/http", strings.Replace(settings, "geheim", placeholder, 1), 204, nil},
		{admin, "DELETE", "v1/http", "", 204, nil},
		{admin, "GET", "v1/http", "", 200, []string{`"httpProxy" : null`}},
		{admin, "PUT", "v1/security/ssrf-protection", `{"enabled":true,"allowedIPs":["x"]}`, 400, []string{`"allowedIPs"`}},
		{admin, "PUT", "v1/security/ssrf-protection", `{"enabled":true,"allowedIPs":["10.0.0.0/8"]}`, 200, []string{`"allowedIPs" : [ "10.0.0.0/8" ]`}},
		{admin, "GET", "v1/security/ssrf-protection", "", 200, []string{`"enabled" : true`, `"allowedDomains" : [ ]`}},
	})
}

func TestPlaceholderKeepsThePassword(t *testing.T) {
	r := newRig(t)
	body := `{"httpProxy":{"host":"proxy.example.org","port":3128,"authInfo":{"username":"u","password":"PW"}}}`
	for _, password := range []string{"geheim", placeholder} {
		if status, text := r.do(t, admin, "PUT", "v1/http", strings.Replace(body, "PW", password, 1)); status != 204 {
			t.Fatalf("%d %s", status, text)
		}
	}
	if s, _ := r.api.Outbound.Settings(); s.HTTP.Auth.Password != "geheim" {
		t.Error("the placeholder took the password's place")
	}
}

func TestCapabilities(t *testing.T) {
	r := newRig(t)
	r.play(t, []exchange{
		{admin, "GET", "v1/capabilities", "", 200, []string{"[ ]"}},
		{"", "GET", "v1/capabilities", "", 403, nil},
		{admin, "GET", "v1/capabilities/types", "", 200, []string{`"id" : "baseurl"`, `"type" : "url"`, "Tells another server of events."}},
		{admin, "POST", "v1/capabilities", `{"enabled":true}`, 400, []string{`"PARAMETER type"`}},
		{admin, "POST", "v1/capabilities", `{"type":"nope"}`, 400, []string{"are not known here"}},
		{admin, "POST", "v1/capabilities", `{"type":"OutreachManagementCapability","enabled":true,"notes":"n","properties":{"alwaysRemote":"false"}}`, 200, []string{
			`"type" : "OutreachManagementCapability"`, `"enabled" : true`, `"alwaysRemote" : "false"`,
		}},
		{admin, "POST", "v1/capabilities", `{"type":"OutreachManagementCapability"}`, 400, []string{"already"}},
		{admin, "PUT", "v1/capabilities/nope", `{"id":"nope","type":"baseurl"}`, 404, []string{"There is no capability nope"}},
		{admin, "PUT", "v1/capabilities/a", `{"id":"b","type":"baseurl"}`, 400, []string{"does not match"}},
		{admin, "DELETE", "v1/capabilities/nope", "", 404, nil},
	})
	status, text := r.do(t, admin, "POST", "v1/capabilities", `{"type":"webhook.global","properties":{"names":"audit","url":"https://hook.example","secret":"geheim"}}`)
	var made struct{ ID string }
	if err := json.Unmarshal([]byte(text), &made); err != nil || status != 200 || strings.Contains(text, "geheim") {
		t.Fatalf("%d %s, %v", status, text, err)
	}
	r.play(t, []exchange{
		{admin, "PUT", "v1/capabilities/" + made.ID, `{"id":"` + made.ID + `","type":"webhook.global","properties":{"names":"audit","url":"https://other.example","secret":"` + placeholder + `"}}`, 204, nil},
		{admin, "PUT", "v1/capabilities/" + made.ID, `{"type":"webhook.global","properties":{"names":"audit","url":"https://other.example","secret":"` + secretOf(made.ID, "secret") + `"}}`, 204, nil},
		{admin, "GET", "v1/capabilities", "", 200, []string{"https://other.example", `"secret" : "_`}},
	})
	if c, err := r.api.Settings.Capability(t.Context(), made.ID); err != nil || c.Secrets["secret"] != "geheim" {
		t.Errorf("the placeholder took the secret's place: %v", err)
	}
	r.play(t, []exchange{{admin, "DELETE", "v1/capabilities/" + made.ID, "", 204, nil}})
}

func TestServersOwnState(t *testing.T) {
	newRig(t).play(t, []exchange{
		{admin, "GET", "v1/status/check", "", 200, []string{`"Available CPUs" : {`, `"Default Admin Credentials" : {`, `"Thread Deadlock Detector" : {`, `"details" : null`}},
		{"", "GET", "v1/status/check", "", 403, nil},
		{admin, "GET", "beta/status/check/cluster", "", 200, []string{`"nodeId" : "`, `"results" : {`}},
		{admin, "GET", "beta/status/check/nope", "", 404, nil},
		{admin, "GET", "internal/ui/status-check", "", 200, []string{`"Blob Stores Ready" : {`}},
		{admin, "GET", "atlas/system-information", "", 200, []string{`"nexus-status" : {`}},
		{admin, "GET", "beta/system/information", "", 200, []string{`"system-runtime" : {`}},
		{admin, "GET", "v1/system/license", "", 200, []string{`"licenseType" : "none needed"`}},
		{admin, "POST", "v1/system/license", "x", 400, []string{"needs no licence"}},
		{admin, "DELETE", "v1/system/license", "", 204, nil},
		{admin, "GET", "v1/iq", "", 200, []string{`"enabled" : false`, `"url" : null`}},
		{admin, "PUT", "v1/iq", `{"enabled":true,"url":"http://iq.example"}`, 400, []string{noIQ}},
		{admin, "PUT", "v1/iq", `{"enabled":false}`, 204, nil},
		{admin, "POST", "v1/iq/enable", "", 400, nil},
		{admin, "POST", "v1/iq/disable", "", 204, nil},
		{admin, "POST", "v1/iq/verify-connection", "", 200, []string{`"success" : false`}},
		{admin, "GET", "v1/iq/audit", "", 200, []string{"[ ]"}},
		{admin, "GET", "v1/iq/audit/nope", "", 404, nil},
		{admin, "PUT", "v1/secrets/encryption/re-encrypt", `{}`, 400, []string{`"PARAMETER secretKeyId"`}},
		{admin, "PUT", "v1/secrets/encryption/re-encrypt", `{"secretKeyId":"nope"}`, 400, []string{"Key id 'nope' not found."}},
	})
}

// TestReseal wants secrets sealed anew with the first key, and with no other.
func TestReseal(t *testing.T) {
	r := newRig(t)
	done := 0
	r.api.Reseal = func(context.Context) error {
		done++
		return nil
	}
	const path = "v1/secrets/encryption/re-encrypt"
	r.play(t, []exchange{
		{admin, "PUT", path, `{"secretKeyId":"old"}`, 400, []string{"is not the first of the key file"}},
		{"", "PUT", path, `{"secretKeyId":"new"}`, 403, nil},
		{admin, "PUT", path, `{"secretKeyId":"new"}`, 202, []string{`"status" : "done"`}},
		{admin, "POST", "v1/read-only/freeze", "", 204, nil},
		{admin, "PUT", path, `{"secretKeyId":"new"}`, 503, nil},
	})
	if done != 1 {
		t.Errorf("sealed %d times", done)
	}
}

func TestSupportZip(t *testing.T) {
	r := newRig(t)
	status, body := r.do(t, admin, "POST", "v1/support/supportzip", `{"systemInformation":true,"threadDump":true}`)
	z, err := zip.NewReader(bytes.NewReader([]byte(body)), int64(len(body)))
	if err != nil || status != 200 || len(z.File) != 3 {
		t.Fatalf("%d, %v", status, err)
	}
	f, err := z.Open("info/threads.txt")
	if err != nil {
		t.Fatal(err)
	}
	if text, err := io.ReadAll(f); err != nil || !strings.Contains(string(text), "goroutine") {
		t.Errorf("%.100s, %v", text, err)
	}
	r.play(t, []exchange{
		{"", "POST", "v1/support/supportzip", `{}`, 403, nil},
		{admin, "POST", "v1/support/supportzip", "x", 415, nil},
		{admin, "POST", "v1/support/supportzippath", `{"log":"maybe"}`, 400, nil},
		{admin, "POST", "v1/support/supportzippath", `{"threadDump":true}`, 200, []string{`"name" : "support-`, `"truncated" : false`}},
	})
}
