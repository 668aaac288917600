package rest

import (
	"strings"

	"entrepot/app/access/ldap"
)

// ldapTemplates are settings to begin with, for common directories.
func ldapTemplates() []ldap.Server {
	person := ldap.Users{BaseDN: "ou=people", ObjectClass: "inetOrgPerson", ID: "uid", RealName: "cn", Email: "mail"}
	return []ldap.Server{
		{
			Name:   "Active Directory",
			Users:  ldap.Users{BaseDN: "cn=users", ObjectClass: "user", ID: "sAMAccountName", RealName: "cn", Email: "mail"},
			Groups: ldap.Groups{AsRoles: true, Type: ldap.DynamicGroups, MemberOf: "memberOf"},
		},
		{
			Name: "Generic Ldap Server", Users: person,
			Groups: ldap.Groups{AsRoles: true, Type: ldap.StaticGroups, BaseDN: "ou=groups", ObjectClass: "groupOfUniqueNames", ID: "cn", Member: "uniqueMember", MemberFormat: "${dn}"},
		},
		{Name: "Posix with Dynamic Groups", Users: person, Groups: ldap.Groups{AsRoles: true, Type: ldap.DynamicGroups, MemberOf: "memberOf"}},
		{
			Name: "Posix with Static Groups", Users: person,
			Groups: ldap.Groups{AsRoles: true, Type: ldap.StaticGroups, BaseDN: "ou=groups", ObjectClass: "posixGroup", ID: "cn", Member: "memberUid", MemberFormat: "${username}"},
		},
	}
}

// ldapTemplate shows what a template says of people and groups.
func ldapTemplate(s ldap.Server) object {
	out := object{{"name", s.Name}}
	for _, m := range ldapServer(s, 0) {
		if strings.HasPrefix(m.name, "user") || strings.HasPrefix(m.name, "group") || m.name == "ldapGroupsAsRoles" {
			out = append(out, m)
		}
	}
	return out
}

func (a *API) listLDAPTemplates(*call) (any, error) {
	out := []object{}
	for _, s := range ldapTemplates() {
		out = append(out, ldapTemplate(s))
	}
	return out, nil
}
