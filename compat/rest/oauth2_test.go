package rest

import (
	"strings"
	"testing"
)

const oauth2Full = `{"clientId":"depot","clientSecret":"geheim","idpAuthorizationUrl":"https://id.example.org/authorize","idpTokenUrl":"https://id.example.org/token",` +
	`"idpJwksUrl":"https://id.example.org/jwks","idpJwsAlgorithm":"RS256","usernameClaim":"preferred_username","groupsClaim":"groups","idpLogoutUrl":"",` +
	`"exactMatchClaims":{"iss":"https://id.example.org"},"authorizationCustomParams":null}`

func TestOAuth2(t *testing.T) {
	const path = "v1/security/oauth2"
	r := newRig(t)
	r.play(t, []exchange{
		{admin, "GET", path, "", 404, nil},
		{admin, "DELETE", path, "", 204, nil},
		{"", "GET", path, "", 403, nil},
		{"", "PUT", path, oauth2Full, 403, nil},
		{admin, "PUT", path, `{}`, 400, []string{`{"id":"PARAMETER idpJwsAlgorithm","message":"must not be blank"}`, `{"id":"PARAMETER usernameClaim","message":"must not be blank"}`}},
		{admin, "PUT", path, `{"idpJwsAlgorithm":"RS256","usernameClaim":"sub"}`, 204, nil},
		{admin, "GET", path, "", 200, []string{`"clientId" : ""`, `"clientSecret" : ""`, `"idpJwks" : ""`, `"useTrustStore" : false`, `"exactMatchClaims" : { }`}},
		{admin, "PUT", path, oauth2Full, 204, nil},
		{admin, "GET", path, "", 200, []string{`"clientSecret" : "#~NXRM~PLACEHOLDER~PASSWORD~#"`, `"iss" : "https://id.example.org"`, `"idpTokenUrl" : "https://id.example.org/token"`}},
		{admin, "PUT", path, strings.Replace(oauth2Full, `"geheim"`, `"#~NXRM~PLACEHOLDER~PASSWORD~#"`, 1), 204, nil},
		{admin, "PUT", path, strings.NewReplacer(`"clientSecret":"geheim",`, "", "id.example.org/token", "evil.example.org").Replace(oauth2Full), 400,
			[]string{`"id":"clientSecret","message":"must be given again when idpTokenUrl, clientId or useTrustStore changes"`}},
		{admin, "PUT", path, strings.Replace(oauth2Full, "RS256", "HS256", 1), 400, []string{`"PARAMETER idpJwsAlgorithm"`, "shared secret"}},
		{admin, "PUT", path, strings.Replace(oauth2Full, `"preferred_username"`, `{}`, 1), 400, nil},
		{admin, "GET", "v1/security/realms/available", "", 200, []string{`"id" : "OAuth2Realm"`, `"name" : "OAuth2 Realm"`}},
		{admin, "PUT", "v1/security/realms/active", `["NexusAuthenticatingRealm","OAuth2Realm"]`, 204, nil},
		{admin, "GET", "v1/security/user-sources", "", 200, []string{`"id" : "OAuth2"`, `"name" : "OAuth2Realm"`}},
	})
	if _, text := r.do(t, admin, "GET", path, ""); strings.Contains(text, "geheim") {
		t.Error("the secret shows: ", text)
	}
	r.play(t, []exchange{{admin, "DELETE", path, "", 204, nil}, {admin, "GET", path, "", 404, nil}})
}
