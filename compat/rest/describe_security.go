package rest

import (
	"net/http"

	"entrepot/app/access"
	"entrepot/app/access/ldap"
	"entrepot/app/outbound"
)

// Tags group the operations, under the names that clients generate code for.
const (
	tagAnonymous    = "Security Management: Anonymous Access"
	tagSecurity     = "Security management"
	tagUsers        = "Security management: users"
	tagPrivileges   = "Security management: privileges"
	tagRealms       = "Security management: realms"
	tagRoles        = "Security management: roles"
	tagCertificates = "Security: certificates"
	tagSelectors    = "Content selectors"
	tagLDAP         = "Security management: LDAP"
	tagOAuth2       = "Security OAuth2/OIDC"
	tagSAML         = "Security management: SAML"
	tagUserTokens   = "Security management: user tokens"
	tagHTTP         = "HTTP"
)

func query(name, about string) parameter { return parameter{Name: name, About: about, Type: "string"} }

func (a *API) securityDescriptions() map[string]description {
	anonymousModel := given("AnonymousAccessSettingsXO", anonymous)
	statuses := func(m model) model {
		return choices(m, "status", string(access.StatusActive), string(access.StatusLocked), string(access.StatusDisabled), string(access.StatusChangePassword))
	}
	userModel := statuses(given("ApiUser", a.user))
	roleModel := given("RoleXOResponse", role)
	roleInput := taken[roleBody]("RoleXORequest")
	source := []parameter{query("source", "only those of this user source")}
	named := func(m model) map[string]description {
		return map[string]description{
			"GET v1/security/content-selectors/{name}":    {tag: tagSelectors, summary: "Read a content selector", reply: m},
			"PUT v1/security/content-selectors/{name}":    {tag: tagSelectors, summary: "Change a content selector", body: taken[selectorBody]("ContentSelectorApiUpdateRequest", "name")},
			"DELETE v1/security/content-selectors/{name}": {tag: tagSelectors, summary: "Delete a content selector"},
			"GET v1/security/content-selectors":           {tag: tagSelectors, summary: "List content selectors", reply: arrayOf(m)},
			"POST v1/security/content-selectors":          {tag: tagSelectors, summary: "Create a content selector", body: taken[selectorBody]("ContentSelectorApiCreateRequest")},
		}
	}
	all := named(given("ContentSelectorApiResponse", selector))
	for key, d := range map[string]description{
		"GET v1/security/anonymous":        {tag: tagAnonymous, summary: "Read as whom callers without credentials come in", reply: anonymousModel},
		"PUT v1/security/anonymous":        {tag: tagAnonymous, summary: "Set as whom callers without credentials come in", body: anonymousModel, reply: anonymousModel},
		"GET v1/security/user-sources":     {tag: tagSecurity, summary: "List user sources", reply: arrayOf(literal("ApiUserSource", object{{"id", ""}, {"name", ""}}))},
		"GET v1/security/realms/available": {tag: tagRealms, summary: "List realms", reply: arrayOf(literal("RealmApiXO", object{{"id", ""}, {"name", ""}}))},
		"GET v1/security/realms/active":    {tag: tagRealms, summary: "List the realms that are asked, in order", reply: arrayOf(textual)},
		"PUT v1/security/realms/active":    {tag: tagRealms, summary: "Set the realms that are asked, in order", body: arrayOf(textual)},

		"GET v1/security/users": {tag: tagUsers, summary: "List users", reply: arrayOf(userModel), query: []parameter{
			query("userId", "only those whose id begins so"), source[0],
		}},
		"POST v1/security/users":                     {tag: tagUsers, summary: "Create a user", body: statuses(taken[userBody]("ApiCreateUser", "source", "externalRoles")), reply: userModel},
		"PUT v1/security/users/{id}":                 {tag: tagUsers, summary: "Change a user", body: userModel},
		"DELETE v1/security/users/{id}":              {tag: tagUsers, summary: "Delete a user", query: []parameter{query("realm", "of the user")}},
		"PUT v1/security/users/{id}/change-password": {tag: tagUsers, summary: "Set a user's password", body: textual},

		"GET v1/security/roles":         {tag: tagRoles, summary: "List roles", reply: arrayOf(roleModel), query: source},
		"POST v1/security/roles":        {tag: tagRoles, summary: "Create a role", body: roleInput, reply: roleModel},
		"GET v1/security/roles/{id}":    {tag: tagRoles, summary: "Read a role", reply: roleModel, query: source},
		"PUT v1/security/roles/{id}":    {tag: tagRoles, summary: "Change a role", body: roleInput, refuses: []int{http.StatusConflict}},
		"DELETE v1/security/roles/{id}": {tag: tagRoles, summary: "Delete a role"},
	} {
		all[key] = d
	}
	a.describeConnections(all)
	describeLDAP(all)
	describeOAuth2(all)
	describeSAML(all)
	describeUserTokens(all)
	return all
}

// describeConnections adds what is about connections to other servers.
func (a *API) describeConnections(all map[string]description) {
	certificateModel := nullable(literal("ApiCertificate", object{
		{"expiresOn", int64(0)}, {"fingerprint", ""}, {"id", ""}, {"issuedOn", int64(0)}, {"issuerCommonName", ""}, {"issuerOrganization", ""},
		{"issuerOrganizationalUnit", ""}, {"pem", ""}, {"serialNumber", ""}, {"subjectCommonName", ""}, {"subjectOrganization", ""},
		{"subjectOrganizationalUnit", ""},
	}), "issuerCommonName", "issuerOrganization", "issuerOrganizationalUnit", "subjectCommonName", "subjectOrganization", "subjectOrganizationalUnit")
	guard := given("SsrfProtectionXO", func(g outbound.Guard) object { return showGuard(g) })
	const ssl = "v1/security/ssl"
	all["GET "+ssl] = description{tag: tagCertificates, summary: "Ask a server for its certificate", reply: certificateModel, refuses: []int{http.StatusNotFound}, query: []parameter{
		{Name: "host", About: "name of the server", Required: true, Type: "string"}, {Name: "port", About: "its port", Type: "integer"},
		query("protocolHint", "how to begin, for example https"),
	}}
	all["GET "+ssl+"/truststore"] = description{tag: tagCertificates, summary: "List trusted certificates", reply: arrayOf(certificateModel)}
	all["POST "+ssl+"/truststore"] = description{
		tag: tagCertificates, summary: "Trust a certificate, sent as PEM", body: textual, reply: certificateModel, refuses: []int{http.StatusConflict},
	}
	all["DELETE "+ssl+"/truststore/{id}"] = description{tag: tagCertificates, summary: "Trust a certificate no more"}
	all["GET v1/security/ssrf-protection"] = description{tag: tagHTTP, summary: "Read where caches must not connect to", reply: guard}
	all["PUT v1/security/ssrf-protection"] = description{tag: tagHTTP, summary: "Set where caches must not connect to", body: taken[guardBody]("SsrfProtectionRequest"), reply: guard}
	all["GET v1/http"] = description{tag: tagHTTP, summary: "Read how caches connect", reply: mapOf(anything)}
	all["PUT v1/http"] = description{tag: tagHTTP, summary: "Set how caches connect", body: taken[httpBody]("HttpSettingsXo")}
	all["DELETE v1/http"] = description{tag: tagHTTP, summary: "Forget how caches connect"}
}

// describeLDAP adds what is about LDAP servers.
func describeLDAP(all map[string]description) {
	enums := func(m model) model {
		m = choices(m, "protocol", "LDAP", "LDAPS", "ldap", "ldaps")
		m = choices(m, "authScheme", string(ldap.SchemeNone), string(ldap.SchemeSimple), string(ldap.SchemeDigestMD5), string(ldap.SchemeCramMD5))
		return choices(m, "groupType", "STATIC", "DYNAMIC", "static", "dynamic")
	}
	read := enums(given("ReadLdapServerXo", func(s ldap.Server) object { return ldapServer(s, 1) }))
	body := enums(taken[ldapBody]("CreateLdapServerXo"))
	trial := enums(taken[ldapTrial]("LdapServerTrialXo"))
	user := given("LdapUserXo", ldapUser)
	for key, d := range map[string]description{
		"GET " + ldapPath:                           {summary: "List LDAP servers, in the order in which they are asked", reply: arrayOf(read)},
		"POST " + ldapPath:                          {summary: "Add an LDAP server", body: body},
		"GET " + ldapPath + "/{name}":               {summary: "Read an LDAP server", reply: read},
		"PUT " + ldapPath + "/{name}":               {summary: "Change an LDAP server", body: body},
		"DELETE " + ldapPath + "/{name}":            {summary: "Remove an LDAP server"},
		"POST " + ldapPath + "/change-order":        {summary: "Set the order in which LDAP servers are asked", body: arrayOf(textual)},
		"DELETE " + ldapPath + "/cache":             {summary: "Forget what LDAP servers answered"},
		"GET " + ldapPath + "/templates":            {summary: "List settings for common directories", reply: arrayOf(given("LdapTemplateXo", ldapTemplate))},
		"POST " + ldapPath + "/verify-connection":   {summary: "Try to connect with settings", body: trial},
		"POST " + ldapPath + "/verify-login":        {summary: "Try to sign in with settings", body: trial},
		"POST " + ldapPath + "/verify-user-mapping": {summary: "Show whom settings find", body: trial, reply: arrayOf(user)},
	} {
		d.tag = tagLDAP
		all[key] = d
	}
}

// privilegeMembers are the members of bodies of each type of privileges.
var privilegeMembers = map[access.PrivilegeType]struct {
	model   string
	without []string
}{
	access.TypeApplication: {"ApiPrivilegeApplicationRequest", []string{"pattern", "format", "repository", "contentSelector", "scriptName"}},
	access.TypeWildcard:    {"ApiPrivilegeWildcardRequest", []string{"actions", "domain", "format", "repository", "contentSelector", "scriptName"}},
	access.TypeSelector:    {"ApiPrivilegeRepositoryContentSelectorRequest", []string{"pattern", "domain", "scriptName"}},
	access.TypeAdmin:       {"ApiPrivilegeRepositoryAdminRequest", []string{"pattern", "domain", "contentSelector", "scriptName"}},
	access.TypeView:        {"ApiPrivilegeRepositoryViewRequest", []string{"pattern", "domain", "contentSelector", "scriptName"}},
	access.TypeScript:      {"ApiPrivilegeScriptRequest", []string{"pattern", "domain", "format", "repository", "contentSelector"}},
}

func (a *API) privilegeDescriptions() map[string]description {
	const path = "v1/security/privileges"
	// What all types have; the further members depend on the type.
	reply := literal("ApiPrivilege", object{{"type", ""}, {"name", ""}, {"description", ""}, {"readOnly", false}})
	reply = nullable(reply, "description")
	all := map[string]description{
		"GET " + path:                {tag: tagPrivileges, summary: "List privileges", reply: arrayOf(reply)},
		"GET " + path + "/{name}":    {tag: tagPrivileges, summary: "Read a privilege", reply: reply},
		"DELETE " + path + "/{name}": {tag: tagPrivileges, summary: "Delete a privilege"},
	}
	for _, t := range access.PrivilegeTypes() {
		body := taken[privilegeBody](privilegeMembers[t].model, privilegeMembers[t].without...)
		all["POST "+path+"/"+string(t)] = description{tag: tagPrivileges, summary: "Create a privilege of type " + string(t), body: body}
		all["PUT "+path+"/"+string(t)+"/{name}"] = description{
			tag: tagPrivileges, summary: "Change a privilege of type " + string(t), body: body, refuses: []int{http.StatusConflict},
		}
		all["GET "+path+"/"+string(t)] = description{hidden: true} // a privilege that has the name of a type
		all["DELETE "+path+"/"+string(t)] = description{hidden: true}
	}
	return all
}
