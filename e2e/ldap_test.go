//go:build e2e

package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// slapd is a real LDAP server, plain and with TLS, under a certificate of its own.
type slapd struct {
	t           *testing.T
	dir         string
	plain, tls  string // addresses
	certificate string // PEM
	cmd         *exec.Cmd
}

const slapdConf = `
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/nis.schema
include /etc/ldap/schema/inetorgperson.schema
modulepath /usr/lib/ldap
moduleload back_mdb
moduleload memberof
pidfile DIR/pid
TLSCertificateFile DIR/tls.pem
TLSCertificateKeyFile DIR/tls.key
authz-regexp uid=([^,]*),cn=.*,cn=auth cn=$1,dc=example,dc=org
database mdb
suffix "dc=example,dc=org"
rootdn "cn=root,dc=example,dc=org"
rootpw root-pw
directory DIR/db
overlay memberof
access to attrs=userPassword by anonymous auth by * none
access to * by users read by anonymous auth
`

const slapdPeople = `
dn: dc=example,dc=org
objectClass: dcObject
objectClass: organization
dc: example
o: Example

dn: ou=people,dc=example,dc=org
objectClass: organizationalUnit
ou: people

dn: ou=groups,dc=example,dc=org
objectClass: organizationalUnit
ou: groups

dn: cn=reader,dc=example,dc=org
objectClass: organizationalRole
objectClass: simpleSecurityObject
cn: reader
userPassword: reader-pw

dn: uid=ada,ou=people,dc=example,dc=org
objectClass: inetOrgPerson
uid: ada
cn: Ada King
sn: King
mail: ada@example.org
userPassword: ada-pw

dn: uid=bob,ou=people,dc=example,dc=org
objectClass: inetOrgPerson
uid: bob
cn: Bob
sn: Bob
userPassword: bob-pw

dn: cn=developers,ou=groups,dc=example,dc=org
objectClass: groupOfNames
cn: developers
member: uid=ada,ou=people,dc=example,dc=org
`

func startSlapd(t *testing.T) *slapd {
	t.Helper()
	if _, err := exec.LookPath("slapd"); err != nil {
		t.Fatalf("%v: run make setup first", err)
	}
	d := &slapd{t: t, dir: t.TempDir(), plain: freeAddress(t), tls: freeAddress(t)}
	must(t, os.Mkdir(filepath.Join(d.dir, "db"), 0o700))
	d.certify()
	write(t, filepath.Join(d.dir, "slapd.conf"), strings.ReplaceAll(slapdConf, "DIR", d.dir))
	d.run()
	t.Cleanup(d.stop)
	write(t, filepath.Join(d.dir, "people.ldif"), slapdPeople)
	d.modify("ldapadd", "people.ldif")
	return d
}

func (d *slapd) run() {
	d.t.Helper()
	d.cmd = exec.Command("slapd", "-d", "0", "-f", filepath.Join(d.dir, "slapd.conf"), "-h", "ldap://"+d.plain+" ldaps://"+d.tls)
	must(d.t, d.cmd.Start())
	eventually(d.t, "slapd answers", func() bool {
		conn, err := net.Dial("tcp", d.tls)
		if err == nil {
			conn.Close()
		}
		return err == nil
	})
}

func (d *slapd) stop() {
	if d.cmd != nil {
		_ = d.cmd.Process.Kill()
		_ = d.cmd.Wait()
		d.cmd = nil
	}
}

// modify applies a file of changes.
func (d *slapd) modify(tool, file string) {
	d.t.Helper()
	run(d.t, d.dir, tool, "-x", "-H", "ldap://"+d.plain, "-D", "cn=root,dc=example,dc=org", "-w", "root-pw", "-f", file)
}

// certify makes a certificate for the loopback address.
func (d *slapd) certify() {
	d.t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(d.t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(7), Subject: pkix.Name{CommonName: "directory"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	must(d.t, err)
	key, err := x509.MarshalPKCS8PrivateKey(private)
	must(d.t, err)
	d.certificate = string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	write(d.t, filepath.Join(d.dir, "tls.pem"), d.certificate)
	write(d.t, filepath.Join(d.dir, "tls.key"), string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})))
}

// settings are the body of a server; more are members that replace some.
func (d *slapd) settings(more map[string]any) string {
	d.t.Helper()
	host, port, err := net.SplitHostPort(d.plain)
	must(d.t, err)
	body := map[string]any{
		"name": "main", "protocol": "LDAP", "host": host, "port": port, "searchBase": "dc=example,dc=org", "authScheme": "SIMPLE",
		"authUsername": "cn=reader,dc=example,dc=org", "authPassword": "reader-pw", "connectionTimeoutSeconds": 5, "connectionRetryDelaySeconds": 1,
		"maxIncidentsCount": 1, "userBaseDn": "ou=people", "userObjectClass": "inetOrgPerson", "userIdAttribute": "uid", "userRealNameAttribute": "cn",
		"userEmailAddressAttribute": "mail", "ldapGroupsAsRoles": true, "groupType": "STATIC", "groupBaseDn": "ou=groups",
		"groupObjectClass": "groupOfNames", "groupIdAttribute": "cn", "groupMemberAttribute": "member", "groupMemberFormat": "${dn}",
	}
	for name, value := range more {
		body[name] = value
	}
	text, err := json.Marshal(body)
	must(d.t, err)
	return string(text)
}

// overTLS are the settings for the port with TLS.
func (d *slapd) overTLS() string {
	_, port, err := net.SplitHostPort(d.tls)
	must(d.t, err)
	return d.settings(map[string]any{"protocol": "ldaps", "port": port, "useTrustStore": true})
}

const ldapAPI = "/service/rest/v1/security/ldap"

// startWithDirectory starts a server that lets people of a directory in, and nobody without credentials.
func startWithDirectory(t *testing.T, d *slapd) *server {
	t.Helper()
	s := start(t)
	s.makeRaw()
	if status, text := s.do(http.MethodPut, "/repository/files/a.txt", strings.NewReader("a")); status != http.StatusCreated {
		t.Fatal(status, text)
	}
	s.json(http.MethodPost, "/service/rest/v1/security/roles", `{"id":"developers","name":"d","privileges":["nx-repository-view-*-*-read"],"roles":[]}`)
	s.json(http.MethodPost, "/service/rest/v1/security/roles", `{"id":"watchers","name":"w","privileges":["nx-users-read"],"roles":[]}`)
	s.json(http.MethodPut, "/service/rest/v1/security/anonymous", `{"enabled":false}`)
	s.json(http.MethodPost, ldapAPI, d.settings(nil))
	return s
}

// wants compares statuses of reads.
func (s *server) wants(what string, rows [][4]string) {
	s.t.Helper()
	for _, r := range rows {
		if status := fmt.Sprint(s.as(r[0], r[1], http.MethodGet, r[2], "")); status != r[3] {
			s.t.Errorf("%s: %s with %q reads %s: %s, want %s", what, r[0], r[1], r[2], status, r[3])
		}
	}
}

// TestLDAPSignIn signs people of a real directory in, by password and group.
func TestLDAPSignIn(t *testing.T) {
	d := startSlapd(t)
	s := startWithDirectory(t, d)
	const file, users = "/repository/files/a.txt", "/service/rest/v1/security/users"
	s.wants("realm not active", [][4]string{{"ada", "ada-pw", file, "401"}})
	s.json(http.MethodPut, "/service/rest/v1/security/realms/active", `["NexusAuthenticatingRealm","LdapRealm"]`)
	s.wants("by group", [][4]string{
		{"ada", "ada-pw", file, "200"}, {"ADA", "ada-pw", file, "200"}, {"ada", "wrong", file, "401"}, {"ada", "", file, "401"}, {"ada", "*", file, "401"},
		{"bob", "bob-pw", file, "403"}, {"*", "ada-pw", file, "401"}, {"nobody", "x", file, "401"}, {"admin", adminPassword, file, "200"},
		{"ada", "ada-pw", users, "403"},
	})
	wantUser := func(query, want string) {
		t.Helper()
		if status, text := s.do(http.MethodGet, users+query, nil); status != http.StatusOK || !strings.Contains(text, want) {
			t.Errorf("users%s: %d %s, want %s", query, status, text, want)
		}
	}
	wantUser("?source=LDAP&userId=AD", `"externalRoles" : [ "developers" ]`)
	wantUser("?userId=ada", `"emailAddress" : "ada@example.org"`)
	s.json(http.MethodPut, users+"/bob", `{"userId":"bob","firstName":"B","lastName":"B","emailAddress":"b@example.org","source":"LDAP","status":"active","roles":["watchers"]}`)
	wantUser("?source=LDAP&userId=bob", `"roles" : [ "watchers" ]`)
	s.wants("by role given here", [][4]string{{"bob", "bob-pw", users, "200"}, {"BOB", "bob-pw", users, "200"}})
	if status, text := s.do(http.MethodGet, "/service/rest/v1/security/roles?source=LDAP", nil); status != http.StatusOK || !strings.Contains(text, `"id" : "developers"`) {
		t.Errorf("roles: %d %s", status, text)
	}
	if status, text := s.do(http.MethodDelete, users+"/bob", nil); status != http.StatusBadRequest || !strings.Contains(text, "Non-local user cannot be deleted.") {
		t.Errorf("delete: %d %s", status, text)
	}
	session(t, s, "ada", "ada-pw")

	write(t, filepath.Join(d.dir, "moved.ldif"), "dn: cn=developers,ou=groups,dc=example,dc=org\nchangetype: modify\nreplace: member\nmember: uid=bob,ou=people,dc=example,dc=org\n")
	d.modify("ldapmodify", "moved.ldif")
	s.wants("remembered", [][4]string{{"ada", "ada-pw", file, "200"}})
	if status, text := s.do(http.MethodDelete, ldapAPI+"/cache", nil); status != http.StatusNoContent {
		t.Fatal(status, text)
	}
	s.wants("moved to another group", [][4]string{{"ada", "ada-pw", file, "403"}, {"bob", "bob-pw", file, "200"}})
	s.json(http.MethodPut, ldapAPI+"/main", d.settings(map[string]any{"groupType": "DYNAMIC", "userMemberOfAttribute": "memberOf"}))
	s.wants("groups told by the user", [][4]string{{"ada", "ada-pw", file, "403"}, {"bob", "bob-pw", file, "200"}})
}

// session signs a user in as the web interface does.
func session(t *testing.T, s *server, user, secret string) {
	t.Helper()
	resp, err := http.PostForm(s.url("/service/rapture/session"), url.Values{"username": {base64.StdEncoding.EncodeToString([]byte(user))}, "password": {base64.StdEncoding.EncodeToString([]byte(secret))}})
	must(t, err)
	resp.Body.Close()
	if resp.StatusCode != http.StatusNoContent || len(resp.Cookies()) == 0 {
		t.Errorf("session of %s: %d", user, resp.StatusCode)
	}
}

// TestLDAPOutage takes the directory away and gives it back, and then encrypts the way to it.
func TestLDAPOutage(t *testing.T) {
	d := startSlapd(t)
	s := startWithDirectory(t, d)
	s.json(http.MethodPut, "/service/rest/v1/security/realms/active", `["LdapRealm","NexusAuthenticatingRealm"]`)
	const file = "/repository/files/a.txt"
	s.wants("up", [][4]string{{"ada", "ada-pw", file, "200"}})
	d.stop()
	s.wants("down", [][4]string{
		{"ada", "ada-pw", file, "200"}, // for a while
		{"bob", "bob-pw", file, "503"}, {"ada", "wrong", file, "503"}, {"admin", adminPassword, file, "200"},
	})
	if status, _ := s.do(http.MethodGet, "/service/rest/v1/security/users?source=LDAP", nil); status != http.StatusServiceUnavailable {
		t.Errorf("users of a directory that is down: %d", status)
	}
	if status, text := s.do(http.MethodGet, "/service/rest/v1/security/users", nil); status != http.StatusOK || !strings.Contains(text, `"admin"`) {
		t.Errorf("all users: %d %s", status, text)
	}
	d.run()
	eventually(t, "bob is let in again", func() bool { return s.as("bob", "bob-pw", http.MethodGet, file, "") == http.StatusForbidden })

	try := func(body string, want int) {
		t.Helper()
		status, text := s.do(http.MethodPost, ldapAPI+"/verify-connection", strings.NewReader(body), "Content-Type", "application/json")
		if status != want {
			t.Errorf("verify %s: %d %s, want %d", body, status, text, want)
		}
	}
	try(d.overTLS(), http.StatusBadRequest)
	if status, text := s.do(http.MethodPost, "/service/rest/v1/security/ssl/truststore", strings.NewReader(d.certificate), "Content-Type", "application/json"); status != http.StatusCreated {
		t.Fatal(status, text)
	}
	try(d.overTLS(), http.StatusNoContent)
	try(d.settings(map[string]any{"authPassword": "wrong"}), http.StatusBadRequest)
	try(d.settings(map[string]any{"authScheme": "DIGEST-MD5", "authUsername": "reader"}), http.StatusNoContent)
	try(d.settings(map[string]any{"authScheme": "DIGEST-MD5", "authUsername": "reader", "authPassword": "wrong"}), http.StatusBadRequest)
	s.json(http.MethodPut, ldapAPI+"/main", d.overTLS())
	s.wants("encrypted", [][4]string{{"ada", "ada-pw", file, "200"}, {"ada", "wrong", file, "401"}})
	login := d.settings(map[string]any{"username": "ada", "password": "ada-pw"})
	if status, text := s.do(http.MethodPost, ldapAPI+"/verify-login", strings.NewReader(login), "Content-Type", "application/json"); status != http.StatusNoContent {
		t.Errorf("verify login: %d %s", status, text)
	}
	status, text := s.do(http.MethodPost, ldapAPI+"/verify-user-mapping", strings.NewReader(d.settings(nil)), "Content-Type", "application/json")
	if status != http.StatusOK || !strings.Contains(text, `"membership" : [ "developers" ]`) {
		t.Errorf("verify mapping: %d %s", status, text)
	}
}
