package rest

import (
	"strings"
	"testing"
)

const ldapMain = `{"name":"main","protocol":"ldaps","host":"ldap.example.org","port":636,"searchBase":"dc=example,dc=org","authScheme":"simple",` +
	`"authUsername":"cn=reader","authPassword":"geheim","connectionTimeoutSeconds":5,"connectionRetryDelaySeconds":300,"maxIncidentsCount":3,` +
	`"userObjectClass":"inetOrgPerson","userIdAttribute":"uid","groupType":"STATIC","groupObjectClass":"hidden"}`

// renamed gives the settings of another server.
func renamed(name string) string { return strings.Replace(ldapMain, `"main"`, `"`+name+`"`, 1) }

func TestLDAPServers(t *testing.T) {
	const path = "v1/security/ldap"
	r := newRig(t)
	r.play(t, []exchange{
		{admin, "GET", path, "", 200, []string{"[ ]"}},
		{"", "GET", path, "", 403, nil},
		{"", "POST", path, ldapMain, 403, nil},
		{admin, "POST", path, `{}`, 400, []string{`{"id":"PARAMETER name","message":"must not be blank"}`, `{"id":"PARAMETER port","message":"must not be null"}`,
			`{"id":"PARAMETER authScheme","message":"must not be null"}`}},
		{admin, "POST", path, `{"authScheme":"kerberos"}`, 400, []string{`[{"id":"authScheme","message":"Cannot deserialize value from String \"kerberos\"`}},
		{admin, "POST", path, strings.Replace(ldapMain, `"simple"`, `"CRAM-MD5"`, 1), 400, []string{"CRAM_MD5 is not supported by this server"}},
		{admin, "POST", path, strings.Replace(ldapMain, `"geheim"`, `""`, 1), 400, []string{`"PARAMETER authPassword"`}},
		{admin, "POST", path, ldapMain, 201, nil},
		{admin, "POST", path, renamed("MAIN"), 400, []string{`[{"id":"name","message":"Name is already used, must be unique (ignoring case)"}]`}},
		{admin, "POST", path, renamed("a b/c"), 201, nil},
		{admin, "GET", path + "/main", "", 200, []string{`"protocol" : "LDAPS"`, `"authScheme" : "SIMPLE"`, `"groupType" : null`, `"groupObjectClass" : null`,
			`"ldapGroupsAsRoles" : false`, `"order" : 1`}},
		{admin, "GET", path + "/a%20b%2Fc", "", 200, []string{`"order" : 2`}},
		{admin, "GET", path + "/nope", "", 404, []string{"LDAP server 'nope' not found."}},
		{admin, "POST", path + "/change-order", `["main"]`, 400, []string{"must name all 2"}},
		{admin, "POST", path + "/change-order", `["a b/c","main"]`, 204, nil},
		{admin, "PUT", path + "/main", strings.Replace(ldapMain, `"authPassword":"geheim"`, `"authPassword":"#~NXRM~PLACEHOLDER~PASSWORD~#"`, 1), 204, nil},
		{admin, "PUT", path + "/main", strings.NewReplacer(`"authPassword":"geheim",`, "", "ldap.example.org", "evil.example.org").Replace(ldapMain), 400,
			[]string{`"authPassword","message":"must be given again when the connection changes"`}},
		{admin, "PUT", path + "/nope", ldapMain, 404, nil},
		{admin, "GET", path + "/main", "", 200, []string{`"order" : 2`, `"host" : "ldap.example.org"`}},
		{admin, "POST", path + "/verify-connection", strings.NewReplacer("ldap.example.org", "127.0.0.1", "636", "1").Replace(ldapMain), 400,
			[]string{"Failed to connect to LDAP Server: "}},
		{admin, "GET", path + "/templates", "", 200, []string{`"name" : "Active Directory"`, `"userIdAttribute" : "sAMAccountName"`}},
		{admin, "DELETE", path + "/cache", "", 204, nil},
		{admin, "DELETE", path + "/main", "", 204, nil},
		{admin, "DELETE", path + "/main", "", 404, nil},
		{admin, "GET", "beta/security/ldap", "", 404, nil},
		{admin, "GET", "v1/security/realms/available", "", 200, []string{`"id" : "LdapRealm"`, `"name" : "LDAP Realm"`}},
		{admin, "GET", "v1/security/user-sources", "", 200, []string{`"id" : "LDAP"`, `"name" : "LdapRealm"`}},
	})
	if _, text := r.do(t, admin, "GET", path, ""); strings.Contains(text, "geheim") || strings.Contains(text, "assword\" : \"") {
		t.Error("a password shows: ", text)
	}
}
