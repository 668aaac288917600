package rest

import (
	"strings"
	"testing"
)

func TestRealmsAndAnonymousAccess(t *testing.T) {
	const path = "internal/ui/anonymous-settings"
	newRig(t).play(t, []exchange{
		{admin, "PUT", "v1/security/realms/active", `[null]`, 400, []string{`Unknown realmIds: [null]`}},
		{admin, "PUT", "v1/security/realms/active", `["NpmToken"]`, 400, []string{"must authenticate users"}},
		{admin, "PUT", "v1/security/realms/active", `["DockerToken","NexusAuthenticatingRealm","NpmToken"]`, 204, nil},
		{admin, "GET", "v1/security/realms/active", "", 200, []string{`[ "DockerToken", "NexusAuthenticatingRealm", "NpmToken" ]`}},
		{admin, "PUT", "v1/security/anonymous", `{"enabled":true,"userId":null,"realmName":null}`, 400, []string{
			`"PARAMETER userId","message":"must not be blank"`, `"PARAMETER realmName","message":"must not be blank"`}},
		{admin, "PUT", path, `{"userId":"","realmName":"nope"}`, 400, []string{"PARAMETER userId"}},
		{admin, "PUT", path, `{"enabled":true}`, 204, nil},
		{admin, "GET", path, "", 200, []string{`"enabled" : true`, `"userId" : "anonymous"`, `"realmName" : "NexusAuthorizingRealm"`}},
		{"", "GET", path, "", 403, nil},
		{admin, "GET", "internal/ui/realms/types", "", 200, []string{`"id" : "NexusAuthorizingRealm"`}},
	})
}

// Who signs in as the user that callers without credentials act as is nobody.
func TestAnonymousUserCountsAsNobody(t *testing.T) {
	const user = `{"userId":"guest","firstName":"g","lastName":"g","emailAddress":"g@example.org","password":"admin123","status":"active","roles":["nx-admin"]}`
	newRig(t).play(t, []exchange{
		{admin, "POST", "v1/security/users", user, 200, nil},
		{"guest:admin123", "DELETE", "v1/security/roles/nope", "", 404, nil},
		{admin, "PUT", "v1/security/anonymous", `{"enabled":true,"userId":"guest"}`, 200, nil},
		{"guest:admin123", "DELETE", "v1/security/roles/nope", "", 403, nil},
		{"guest:admin123", "GET", "v1/security/users", "", 200, nil},
		{admin, "PUT", "v1/security/anonymous", `{"enabled":false,"userId":"guest"}`, 200, nil},
		{"guest:admin123", "DELETE", "v1/security/roles/nope", "", 404, nil},
	})
}

func TestPreviewOfContentSelectors(t *testing.T) {
	const path = "internal/ui/content-selectors/preview"
	r := newRig(t)
	exchanges := []exchange{
		{admin, "POST", "v1/repositories/raw/hosted", rawHosted, 201, nil},
		{"", "POST", path, `{"expression":"path =^ \"/d\""}`, 403, nil},
		{admin, "POST", path, `{"repository":"*"}`, 400, []string{`[{"id":"HelperBean.expression","message":"Invalid CSEL: null"}]`}},
		{admin, "POST", path, `{"expression":"bad bad"}`, 400, []string{"Invalid CSEL: parsing error in 'bad'"}},
		{admin, "POST", path, `{"expression":"path =^ \"/d\"","repository":"nope"}`, 400, []string{"Repository not found"}},
		{admin, "POST", path, `{"expression":"path =^ \"/d\"","repository":"*"}`, 200, []string{`"total" : 0`, `"results" : [ ]`}},
	}
	r.play(t, exchanges)
	for _, name := range []string{"a", "b", "c"} {
		r.upload(t, "r", "/d", name, "body")
	}
	for _, scope := range []string{"*", "*-raw", "r", ""} {
		body := `{"expression":"path =~ \"/d/[ab]\"","repository":"` + scope + `"}`
		status, text := r.do(t, admin, "POST", path, body)
		if status != 200 || !strings.Contains(text, `"total" : 2`) || !strings.Contains(text, `"name" : "/d/b"`) {
			t.Errorf("%q: %d %s", scope, status, text)
		}
	}
	if _, text := r.do(t, admin, "POST", path, `{"expression":"path =^ \"/d\"","repository":"*-maven2"}`); !strings.Contains(text, `"total" : 0`) {
		t.Error(text)
	}
}
