package inventory

import (
	"bytes"
	"cmp"
	"encoding/json"
	"strings"

	"entrepot/app/access/ldap"
	"entrepot/migrate/members"
)

// ReadLDAP reads an LDAP server as an old server keeps or tells it, with its place in the order, and whether it has a backup host. Members
// are found by their names, wherever in the document they are. One without a host is not laid out as this program knows it.
func ReadLDAP(r Record) (server ldap.Server, order int, backup bool) {
	var document map[string]any
	decoder := json.NewDecoder(bytes.NewReader(r.Value))
	decoder.UseNumber()
	if decoder.Decode(&document) != nil {
		return server, 0, false
	}
	backup = dropBackup(document)
	m := make(members.Set)
	m.Gather(document)
	s := ldap.Server{
		Name: m.Text("name"), Protocol: ldap.Protocol(strings.ToLower(m.Text("protocol"))), TrustStore: m.Flag("usetruststore"),
		Host: m.Text("hostname", "host"), Port: m.Number(0, "port"), SearchBase: m.Text("searchbase"),
		Scheme:    ldap.Scheme(strings.ToUpper(strings.ReplaceAll(m.Text("authscheme"), "-", "_"))),
		AuthRealm: m.Text("saslrealm", "authrealm"), Username: m.Text("systemusername", "authusername"),
		Password: ldap.Secret(m.Text("systempassword", "authpassword")),
		Timeout:  m.Number(30, "connectiontimeout", "connectiontimeoutseconds"), MaxIncidents: m.Number(3, "maxincidentscount"),
		RetryDelay: m.Number(300, "connectionretrydelay", "connectionretrydelayseconds"),
		Users: ldap.Users{
			BaseDN: m.Text("userbasedn"), Subtree: m.Flag("usersubtree"), ObjectClass: m.Text("userobjectclass"),
			Filter: m.Text("ldapfilter", "userldapfilter"), ID: m.Text("useridattribute"), RealName: m.Text("userrealnameattribute"),
			Email: m.Text("emailaddressattribute", "useremailaddressattribute"), Password: m.Text("userpasswordattribute"),
		},
		Groups: ldap.Groups{
			AsRoles: m.Flag("ldapgroupsasroles"), Type: ldap.GroupType(strings.ToLower(m.Text("grouptype"))), BaseDN: m.Text("groupbasedn"),
			Subtree: m.Flag("groupsubtree"), ObjectClass: m.Text("groupobjectclass"), ID: m.Text("groupidattribute"),
			Member: m.Text("groupmemberattribute"), MemberFormat: m.Text("groupmemberformat"), MemberOf: m.Text("usermemberofattribute"),
		},
	}
	for path, secret := range r.Secrets {
		if name := members.Name(path[strings.LastIndexByte(path, '.')+1:]); strings.HasSuffix(name, "password") {
			s.Password = ldap.Secret(secret)
		}
	}
	s.Groups.Type = cmp.Or(s.Groups.Type, groupType(&s.Groups))
	s.Name = cmp.Or(s.Name, r.Name)
	return s, m.Number(0, "order", "orderno", "sortorder"), backup
}

// groupType tells from the members that are set how groups were found.
func groupType(g *ldap.Groups) ldap.GroupType {
	switch {
	case !g.AsRoles:
		return ""
	case g.MemberOf != "":
		return ldap.DynamicGroups
	}
	return ldap.StaticGroups
}

// dropBackup takes descriptions of a backup host out of a document, and tells whether one is set.
func dropBackup(document map[string]any) (found bool) {
	for name, v := range document {
		if strings.Contains(members.Name(name), "backup") {
			found = found || v != nil && v != ""
			delete(document, name)
		} else if inner, ok := v.(map[string]any); ok {
			found = dropBackup(inner) || found
		}
	}
	return found
}
