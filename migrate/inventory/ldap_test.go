package inventory

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"entrepot/app/access/ldap"
	"entrepot/app/repository"
)

func TestLDAPServersInAnyLayout(t *testing.T) {
	want := ldap.Server{
		Name: "corp", Protocol: ldap.TLS, TrustStore: true, Host: "ldap.example.org", Port: 636, SearchBase: "dc=example,dc=org",
		Scheme: ldap.SchemeDigestMD5, AuthRealm: "EXAMPLE", Username: "cn=reader", Password: "geheim", Timeout: 20, RetryDelay: 60, MaxIncidents: 4,
		Users: ldap.Users{BaseDN: "ou=people", Subtree: true, ObjectClass: "person", Filter: "(mail=*)", ID: "uid", RealName: "cn", Email: "mail", Password: "pw"},
		Groups: ldap.Groups{AsRoles: true, Type: ldap.StaticGroups, BaseDN: "ou=groups", ObjectClass: "groupOfNames", ID: "cn", Member: "member",
			MemberFormat: "${dn}"},
	}
	mapping := `"userBaseDn":"ou=people","userSubtree":true,"userObjectClass":"person","ldapFilter":"(mail=*)","userIdAttribute":"uid",` +
		`"userRealNameAttribute":"cn","emailAddressAttribute":"mail","userPasswordAttribute":"pw","ldapGroupsAsRoles":true,"groupBaseDn":"ou=groups",` +
		`"groupObjectClass":"groupOfNames","groupIdAttribute":"cn","groupMemberAttribute":"member","groupMemberFormat":"${dn}","userMemberOfAttribute":null`
	connection := `"searchBase":"dc=example,dc=org","systemUsername":"cn=reader","authScheme":"DIGEST-MD5","saslRealm":"EXAMPLE","connectionTimeout":20,` +
		`"connectionRetryDelay":60,"maxIncidentsCount":4,"useTrustStore":"true"`
	host := `"protocol":"ldaps","hostName":"ldap.example.org","port":636`
	tests := []struct{ what, value, secret string }{
		{"documents", `{"id":"x","name":"corp","order":2,"connection":{` + connection + `,"host":{` + host + `},"backupHost":null},"mapping":{` + mapping + `}}`,
			"connection.systemPassword"},
		{"columns", `{"name":"corp","order":2,` + connection + `,` + host + `,` + mapping + `}`, "system_password"},
		{"as REST tells it", `{"name":"corp","order":2,"useTrustStore":true,"protocol":"LDAPS","host":"ldap.example.org","port":"636","searchBase":"dc=example,dc=org",` +
			`"authScheme":"DIGEST_MD5","authRealm":"EXAMPLE","authUsername":"cn=reader","connectionTimeoutSeconds":20,"connectionRetryDelaySeconds":60,` +
			`"maxIncidentsCount":4,"groupType":"STATIC",` + strings.NewReplacer("ldapFilter", "userLdapFilter", "emailAddressAttribute", "userEmailAddressAttribute").Replace(mapping) + `}`,
			"authPassword"},
	}
	for _, tt := range tests {
		got, order, backup := ReadLDAP(Record{Name: "7", Value: json.RawMessage(tt.value), Secrets: map[string]repository.Secret{tt.secret: "geheim"}})
		if d := cmp.Diff(want, got); d != "" || order != 2 || backup {
			t.Errorf("%s: order %d, backup %v: %s", tt.what, order, backup, d)
		}
	}
	_, _, backup := ReadLDAP(Record{Name: "7", Value: json.RawMessage(`{"connection":{"host":{` + host + `},"backupHost":{"hostName":"two"}}}`)})
	if !backup {
		t.Error("a backup host goes without a word")
	}
	dynamic, _, _ := ReadLDAP(Record{Name: "7", Value: json.RawMessage(`{"ldapGroupsAsRoles":true,"userMemberOfAttribute":"memberOf"}`)})
	if dynamic.Groups.Type != ldap.DynamicGroups || dynamic.Name != "7" || dynamic.Host != "" {
		t.Errorf("%+v", dynamic)
	}
	if s, _, _ := ReadLDAP(Record{Value: json.RawMessage(`[]`)}); s != (ldap.Server{}) {
		t.Errorf("%+v", s)
	}
}
