package rest

import (
	"encoding/json"
	"strings"
	"testing"
)

// idpMetadata describes a provider that nobody asks here.
const idpMetadata = `<EntityDescriptor xmlns="urn:oasis:names:tc:SAML:2.0:metadata" entityID="https://idp.example.org/">
<IDPSSODescriptor protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol"><KeyDescriptor use="signing"><KeyInfo xmlns="http://www.w3.org/2000/09/xmldsig#"><X509Data><X509Certificate>
MIIBCTCBsaADAgECAgEBMAoGCCqGSM49BAMCMA4xDDAKBgNVBAMTA2lkcDAgFw0yNjAxMDEwMDAwMDBaGA8yMDk5MDEwMTAwMDAwMFowDjEMMAoGA1UEAxMDaWRwMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE
N+y68f+IRYjvNPatSMWRtKbMaH9mvXMi7lgFfq2HeBUaQNnd8rpFLuvewMmeBNcHI3vGV+YSt11wJNySuxRozDAKBggqhkjOPQQDAgNHADBEAiBA4dBOb0XTX7TrgD++OEBtD8qC9VGmEqDaQm6tFctHeAIgI4TK
NB9uRNuxbN/KltlJdMieyL6HmNftHvBX7HRYFjg=
</X509Certificate></X509Data></KeyInfo></KeyDescriptor>
<SingleSignOnService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect" Location="https://idp.example.org/sso"/></IDPSSODescriptor></EntityDescriptor>`

// samlWith gives settings with some more members.
func samlWith(more string) string {
	text, err := json.Marshal(idpMetadata)
	if err != nil {
		panic(err)
	}
	return `{"idpMetadata":` + string(text) + `,"usernameAttribute":"uid"` + more + `}`
}

func TestSAMLSettings(t *testing.T) {
	const path = "v1/security/saml"
	r := newRig(t)
	r.play(t, []exchange{
		{admin, "GET", path, "", 404, []string{"SAML is not configured."}},
		{admin, "GET", path + "/metadata", "", 404, nil},
		{admin, "GET", path + "/pem?type=signing", "", 404, nil},
		{admin, "DELETE", path, "", 404, nil},
		{"", "PUT", path, samlWith(""), 403, nil},
		{admin, "PUT", path, `{}`, 400, []string{`{"id":"PARAMETER idpMetadata","message":"must not be blank"}`, `{"id":"PARAMETER usernameAttribute","message":"must not be blank"}`}},
		{admin, "PUT", path, `{"idpMetadata":"<x/>","usernameAttribute":"uid"}`, 400, []string{`"PARAMETER idpMetadata","message":"is not the metadata of an identity provider: `}},
		{admin, "PUT", path, samlWith(`,"validateResponseSignature":true`), 201, nil},
		{admin, "GET", path, "", 200, []string{`"entityId" : "` + r.base + `/service/rest/v1/security/saml/metadata"`, `"validateResponseSignature" : true`,
			`"validateAssertionSignature" : null`, `"groupsAttribute" : null`}},
		{admin, "PUT", path, samlWith(`,"entityId":"urn:mine","groupsAttribute":"groups","validateAssertionSignature":false`), 204, nil},
		{admin, "GET", path, "", 200, []string{`"entityId" : "urn:mine"`, `"groupsAttribute" : "groups"`, `"validateResponseSignature" : null`, `"validateAssertionSignature" : false`}},
		{admin, "GET", path + "/metadata", "", 200, []string{`entityID="urn:mine"`, `Location="` + r.base + `/saml"`, `use="encryption"`, `use="signing"`}},
		{admin, "GET", path + "/pem", "", 200, []string{"-----BEGIN CERTIFICATE-----"}},
		{admin, "GET", path + "/pem?type=decryption", "", 200, []string{"-----BEGIN CERTIFICATE-----"}},
		{admin, "GET", path + "/pem?type=private", "", 400, nil},
		{"", "GET", path + "/metadata", "", 403, nil},
		{admin, "GET", "beta/security/saml", "", 404, nil},
		{admin, "GET", "v1/security/realms/available", "", 200, []string{`"id" : "SamlRealm"`, `"name" : "SAML Realm"`}},
		{admin, "GET", "v1/security/user-sources", "", 200, []string{`"id" : "SAML"`, `"name" : "SamlRealm"`}},
		{admin, "DELETE", path, "", 204, nil},
		{admin, "GET", path, "", 404, nil},
	})
}

func TestSAMLUsers(t *testing.T) {
	const path = "v1/security/saml/users"
	r := newRig(t)
	sam := `{"userId":"sam","firstName":"Sam","lastName":"","emailAddress":"sam@example.org","status":"active","roles":["nx-anonymous"]}`
	r.play(t, []exchange{
		{admin, "GET", path, "", 200, []string{"[ ]"}},
		{"", "POST", path, sam, 403, nil},
		{admin, "POST", path, `{}`, 400, []string{`"PARAMETER userId","message":"must not be blank"`, `"PARAMETER status","message":"must not be null"`}},
		{admin, "POST", path, strings.Replace(sam, "nx-anonymous", "nope", 1), 400, []string{"Unable to locate roleId: nope"}},
		{admin, "POST", path, sam, 201, []string{`"userId" : "sam"`}},
		{admin, "POST", path, sam, 400, []string{"User sam already exists."}},
		{admin, "GET", path + "/sam", "", 200, []string{`"status" : "active"`, `"roles" : [ "nx-anonymous" ]`}},
		{admin, "GET", "v1/security/users?source=SAML", "", 200, []string{`"userId" : "sam"`, `"source" : "SAML"`, `"readOnly" : true`}},
		{admin, "PUT", path + "/sam", strings.Replace(sam, "active", "disabled", 1), 204, nil},
		{admin, "PUT", path + "/max", sam, 400, nil},
		{admin, "PUT", path + "/max", strings.Replace(sam, `"sam"`, `"max"`, 1), 404, []string{"User 'max' not found."}},
		{admin, "GET", path, "", 200, []string{`"status" : "disabled"`}},
		{admin, "DELETE", "v1/security/users/sam", "", 400, []string{"Non-local user cannot be deleted."}},
		{admin, "DELETE", path + "/sam", "", 204, nil},
		{admin, "DELETE", path + "/sam", "", 404, nil},
		{admin, "GET", path + "/sam", "", 404, nil},
	})
}
