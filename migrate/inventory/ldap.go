package inventory

import (
	"bytes"
	"cmp"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"

	"entrepot/app/access/ldap"
)

// members are the members of a row by name, wherever they lie: without what is not a letter, in lower case.
type members map[string]any

// gather adds the members of a document; those nearer to the row count.
func (m members) gather(v any) {
	var nested []any
	document, _ := v.(map[string]any)
	for _, name := range slices.Sorted(maps.Keys(document)) {
		if inner, ok := document[name].(map[string]any); ok {
			nested = append(nested, inner)
			continue
		}
		key := plainName(name)
		if _, taken := m[key]; !taken {
			m[key] = document[name]
		}
	}
	for _, inner := range nested {
		m.gather(inner)
	}
}

func plainName(name string) string {
	return strings.Map(func(c rune) rune {
		if c >= 'a' && c <= 'z' {
			return c
		}
		return -1
	}, strings.ToLower(name))
}

// text gives the first of the members that is there.
func (m members) text(names ...string) string {
	for _, name := range names {
		switch v := m[name].(type) {
		case string:
			if v != "" {
				return v
			}
		case json.Number:
			return v.String()
		case bool:
			return strconv.FormatBool(v)
		}
	}
	return ""
}

// flag tells whether a member is true, as such or as a text.
func (m members) flag(name string) bool { return strings.EqualFold(m.text(name), "true") }

// number gives the first of the members that is a number, or the fallback.
func (m members) number(fallback int, names ...string) int {
	for _, name := range names {
		if n, err := strconv.Atoi(m.text(name)); err == nil {
			return n
		}
	}
	return fallback
}

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
	m := make(members)
	m.gather(document)
	s := ldap.Server{
		Name: m.text("name"), Protocol: ldap.Protocol(strings.ToLower(m.text("protocol"))), TrustStore: m.flag("usetruststore"),
		Host: m.text("hostname", "host"), Port: m.number(0, "port"), SearchBase: m.text("searchbase"),
		Scheme:    ldap.Scheme(strings.ToUpper(strings.ReplaceAll(m.text("authscheme"), "-", "_"))),
		AuthRealm: m.text("saslrealm", "authrealm"), Username: m.text("systemusername", "authusername"),
		Password: ldap.Secret(m.text("systempassword", "authpassword")),
		Timeout:  m.number(30, "connectiontimeout", "connectiontimeoutseconds"), MaxIncidents: m.number(3, "maxincidentscount"),
		RetryDelay: m.number(300, "connectionretrydelay", "connectionretrydelayseconds"),
		Users: ldap.Users{
			BaseDN: m.text("userbasedn"), Subtree: m.flag("usersubtree"), ObjectClass: m.text("userobjectclass"),
			Filter: m.text("ldapfilter", "userldapfilter"), ID: m.text("useridattribute"), RealName: m.text("userrealnameattribute"),
			Email: m.text("emailaddressattribute", "useremailaddressattribute"), Password: m.text("userpasswordattribute"),
		},
		Groups: ldap.Groups{
			AsRoles: m.flag("ldapgroupsasroles"), Type: ldap.GroupType(strings.ToLower(m.text("grouptype"))), BaseDN: m.text("groupbasedn"),
			Subtree: m.flag("groupsubtree"), ObjectClass: m.text("groupobjectclass"), ID: m.text("groupidattribute"),
			Member: m.text("groupmemberattribute"), MemberFormat: m.text("groupmemberformat"), MemberOf: m.text("usermemberofattribute"),
		},
	}
	for path, secret := range r.Secrets {
		if name := plainName(path[strings.LastIndexByte(path, '.')+1:]); strings.HasSuffix(name, "password") {
			s.Password = ldap.Secret(secret)
		}
	}
	s.Groups.Type = cmp.Or(s.Groups.Type, groupType(&s.Groups))
	s.Name = cmp.Or(s.Name, r.Name)
	return s, m.number(0, "order", "orderno", "sortorder"), backup
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
		if strings.Contains(plainName(name), "backup") {
			found = found || v != nil && v != ""
			delete(document, name)
		} else if inner, ok := v.(map[string]any); ok {
			found = dropBackup(inner) || found
		}
	}
	return found
}
