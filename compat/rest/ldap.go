package rest

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"entrepot/app/access"
	"entrepot/app/access/ldap"
	"entrepot/app/server"
)

const ldapPath = "v1/security/ldap"

func (a *API) ldapOperations() []operation {
	read, update := server.Permission("nexus:ldap:read"), server.PermissionAfterBody("nexus:ldap:update")
	return []operation{
		{method: http.MethodGet, path: ldapPath, access: read, run: a.listLDAP},
		{method: http.MethodPost, path: ldapPath, access: server.PermissionAfterBody("nexus:ldap:create"), consumes: mediaJSON, status: http.StatusCreated, run: a.createLDAP},
		{method: http.MethodGet, path: ldapPath + "/{name}", access: read, run: a.getLDAP},
		{method: http.MethodPut, path: ldapPath + "/{name}", access: update, consumes: mediaJSON, run: a.updateLDAP},
		{method: http.MethodDelete, path: ldapPath + "/{name}", access: server.Permission("nexus:ldap:delete"), run: a.deleteLDAP},
		{method: http.MethodPost, path: ldapPath + "/change-order", access: update, consumes: mediaJSON, run: a.orderLDAP},
		{method: http.MethodDelete, path: ldapPath + "/cache", access: server.Permission("nexus:ldap:delete"), run: a.clearLDAP},
		{method: http.MethodGet, path: ldapPath + "/templates", access: read, run: a.listLDAPTemplates},
		{method: http.MethodPost, path: ldapPath + "/verify-connection", access: update, consumes: mediaJSON, run: a.verifyLDAPConnection},
		{method: http.MethodPost, path: ldapPath + "/verify-login", access: update, consumes: mediaJSON, run: a.verifyLDAPLogin},
		{method: http.MethodPost, path: ldapPath + "/verify-user-mapping", access: update, consumes: mediaJSON, run: a.verifyLDAPMapping},
	}
}

// ldapBody is a server with its connection; what says where people and groups are found is in the second part.
type ldapBody struct {
	Name         string  `json:"name"`
	Protocol     *string `json:"protocol"`
	TrustStore   bool    `json:"useTrustStore"`
	Host         string  `json:"host"`
	Port         *int    `json:"port"`
	SearchBase   string  `json:"searchBase"`
	Scheme       *string `json:"authScheme"`
	AuthRealm    string  `json:"authRealm"`
	Username     string  `json:"authUsername"`
	Password     string  `json:"authPassword"`
	Timeout      *int    `json:"connectionTimeoutSeconds"`
	RetryDelay   *int    `json:"connectionRetryDelaySeconds"`
	MaxIncidents *int    `json:"maxIncidentsCount"`
	ldapMapping
}

type ldapMapping struct {
	UserBaseDN        string  `json:"userBaseDn"`
	UserSubtree       bool    `json:"userSubtree"`
	UserObjectClass   string  `json:"userObjectClass"`
	UserFilter        string  `json:"userLdapFilter"`
	UserID            string  `json:"userIdAttribute"`
	UserRealName      string  `json:"userRealNameAttribute"`
	UserEmail         string  `json:"userEmailAddressAttribute"`
	UserPassword      string  `json:"userPasswordAttribute"`
	GroupsAsRoles     bool    `json:"ldapGroupsAsRoles"`
	GroupType         *string `json:"groupType"`
	GroupBaseDN       string  `json:"groupBaseDn"`
	GroupSubtree      bool    `json:"groupSubtree"`
	GroupObjectClass  string  `json:"groupObjectClass"`
	GroupID           string  `json:"groupIdAttribute"`
	GroupMember       string  `json:"groupMemberAttribute"`
	GroupMemberFormat string  `json:"groupMemberFormat"`
	UserMemberOf      string  `json:"userMemberOfAttribute"`
}

// ldapTrial is a body of settings that are to be tried, with a login.
type ldapTrial struct {
	ldapBody
	LoginName   string `json:"username"`
	LoginSecret string `json:"password"`
}

// choice reads one of the values of an enumeration in any letter case; "" when none was given.
func choice(field string, text *string, values ...string) (string, error) {
	if text == nil || *text == "" {
		return "", nil
	}
	have := strings.ReplaceAll(*text, "-", "_")
	for _, value := range values {
		if strings.EqualFold(have, value) {
			return value, nil
		}
	}
	return "", &errShape{[]string{field}, fmt.Sprintf("Cannot deserialize value from String %q: not one of the values accepted: [%s]", *text, strings.Join(values, ", "))}
}

// server gives the settings, or what in the body has the wrong shape.
func (b *ldapBody) server() (ldap.Server, error) {
	protocol, err := choice("protocol", b.Protocol, string(ldap.Plain), string(ldap.TLS))
	if err != nil {
		return ldap.Server{}, err
	}
	scheme, err := choice("authScheme", b.Scheme, string(ldap.SchemeNone), string(ldap.SchemeSimple), string(ldap.SchemeDigestMD5), string(ldap.SchemeCramMD5))
	if err != nil {
		return ldap.Server{}, err
	}
	groupType, err := choice("groupType", b.GroupType, string(ldap.StaticGroups), string(ldap.DynamicGroups))
	if err != nil {
		return ldap.Server{}, err
	}
	secret := b.Password
	if secret == placeholder {
		secret = ""
	}
	return ldap.Server{
		Name: b.Name, Protocol: ldap.Protocol(protocol), TrustStore: b.TrustStore, Host: b.Host, Port: deref(b.Port), SearchBase: b.SearchBase,
		Scheme: ldap.Scheme(scheme), AuthRealm: b.AuthRealm, Username: b.Username, Password: ldap.Secret(secret),
		Timeout: deref(b.Timeout), RetryDelay: deref(b.RetryDelay), MaxIncidents: deref(b.MaxIncidents),
		Users: ldap.Users{
			BaseDN: b.UserBaseDN, Subtree: b.UserSubtree, ObjectClass: b.UserObjectClass, Filter: b.UserFilter, ID: b.UserID,
			RealName: b.UserRealName, Email: b.UserEmail, Password: b.UserPassword,
		},
		Groups: ldap.Groups{
			AsRoles: b.GroupsAsRoles, Type: ldap.GroupType(groupType), BaseDN: b.GroupBaseDN, Subtree: b.GroupSubtree, ObjectClass: b.GroupObjectClass,
			ID: b.GroupID, Member: b.GroupMember, MemberFormat: b.GroupMemberFormat, MemberOf: b.UserMemberOf,
		},
	}, nil
}

// check finds the faults of the settings; of members that were not given, that they were not.
func (b *ldapBody) check(s *ldap.Server) error {
	missing := map[string]bool{
		"protocol": b.Protocol == nil, "port": b.Port == nil, "authScheme": b.Scheme == nil, "connectionTimeoutSeconds": b.Timeout == nil,
		"connectionRetryDelaySeconds": b.RetryDelay == nil, "maxIncidentsCount": b.MaxIncidents == nil,
	}
	var v violations
	var refused *access.Error
	if err := s.Validate(); errors.As(err, &refused) {
		for _, f := range refused.Fields {
			if !missing[f.Field] {
				v.parameter(f.Field, f.Message)
			}
		}
	} else if err != nil {
		return err
	}
	for field, absent := range missing {
		if absent {
			v.parameter(field, mustNotBeNull)
		}
	}
	if len(v) == 0 {
		return nil
	}
	return v
}

// ldapInput reads and checks a body, then the caller's right.
func (c *call) ldapInput() (ldap.Server, error) {
	var b ldapBody
	if err := c.decode(&b); err != nil {
		return ldap.Server{}, err
	}
	return c.ldapSettings(&b)
}

func (c *call) ldapSettings(b *ldapBody) (ldap.Server, error) {
	s, err := b.server()
	if err == nil {
		err = b.check(&s)
	}
	if err == nil {
		err = c.authorize()
	}
	return s, err
}

// ldapServer is a server as clients see it, without its password. What concerns groups shows only where groups are roles.
func ldapServer(s ldap.Server, order int) object {
	groups := ldap.Groups{}
	if s.Groups.AsRoles {
		groups = s.Groups
	}
	return object{
		{"id", s.ID}, {"order", order}, {"name", s.Name}, {"protocol", strings.ToUpper(string(s.Protocol))}, {"useTrustStore", s.TrustStore},
		{"host", s.Host}, {"port", s.Port}, {"searchBase", s.SearchBase}, {"authScheme", s.Scheme}, {"authRealm", emptyAsNull(s.AuthRealm)},
		{"authUsername", emptyAsNull(s.Username)}, {"connectionTimeoutSeconds", s.Timeout}, {"connectionRetryDelaySeconds", s.RetryDelay},
		{"maxIncidentsCount", s.MaxIncidents}, {"userBaseDn", emptyAsNull(s.Users.BaseDN)}, {"userSubtree", s.Users.Subtree},
		{"userObjectClass", emptyAsNull(s.Users.ObjectClass)}, {"userLdapFilter", emptyAsNull(s.Users.Filter)}, {"userIdAttribute", emptyAsNull(s.Users.ID)},
		{"userRealNameAttribute", emptyAsNull(s.Users.RealName)}, {"userEmailAddressAttribute", emptyAsNull(s.Users.Email)},
		{"userPasswordAttribute", emptyAsNull(s.Users.Password)}, {"ldapGroupsAsRoles", groups.AsRoles},
		{"groupType", emptyAsNull(strings.ToUpper(string(groups.Type)))}, {"groupBaseDn", emptyAsNull(groups.BaseDN)}, {"groupSubtree", groups.Subtree},
		{"groupObjectClass", emptyAsNull(groups.ObjectClass)}, {"groupIdAttribute", emptyAsNull(groups.ID)},
		{"groupMemberAttribute", emptyAsNull(groups.Member)}, {"groupMemberFormat", emptyAsNull(groups.MemberFormat)},
		{"userMemberOfAttribute", emptyAsNull(groups.MemberOf)},
	}
}

func (a *API) listLDAP(c *call) (any, error) {
	servers, err := a.LDAP.Servers(c.Context())
	if err != nil {
		return nil, err
	}
	out := []object{}
	for i, s := range servers {
		out = append(out, ldapServer(s, i+1))
	}
	return out, nil
}

func (a *API) getLDAP(c *call) (any, error) {
	s, err := a.LDAP.Server(c.Context(), c.Param("name"))
	if err != nil {
		return nil, err
	}
	servers, err := a.LDAP.Servers(c.Context())
	if err != nil {
		return nil, err
	}
	order := 1
	for i := range servers {
		if servers[i].ID == s.ID {
			order = i + 1
		}
	}
	return ldapServer(s, order), nil
}

func (a *API) createLDAP(c *call) (any, error) {
	s, err := c.ldapInput()
	if err == nil {
		_, err = a.LDAP.Create(c.Context(), c.actor(), s)
	}
	return nil, err
}

func (a *API) updateLDAP(c *call) (any, error) {
	s, err := c.ldapInput()
	if err == nil {
		err = a.LDAP.Update(c.Context(), c.actor(), c.Param("name"), s)
	}
	return nil, err
}

func (a *API) deleteLDAP(c *call) (any, error) {
	if err := c.signedIn(); err != nil {
		return nil, err
	}
	return nil, a.LDAP.Delete(c.Context(), c.actor(), c.Param("name"))
}

func (a *API) orderLDAP(c *call) (any, error) {
	var names []string
	if err := c.decode(&names); err != nil {
		return nil, err
	}
	if err := c.authorize(); err != nil {
		return nil, err
	}
	return nil, a.LDAP.Reorder(c.Context(), c.actor(), names)
}

func (a *API) clearLDAP(c *call) (any, error) {
	if err := c.signedIn(); err != nil {
		return nil, err
	}
	return nil, a.LDAP.Clear(c.Context(), c.actor())
}

// ldapTrial reads settings to be tried, with the password that is kept for them when none came.
func (a *API) ldapTrial(c *call) (ldapTrial, ldap.Server, error) {
	var b ldapTrial
	if err := c.decode(&b); err != nil {
		return b, ldap.Server{}, err
	}
	s, err := c.ldapSettings(&b.ldapBody)
	if err == nil {
		s, err = a.LDAP.WithKeptPassword(c.Context(), s)
	}
	return b, s, err
}

func (a *API) verifyLDAPConnection(c *call) (any, error) {
	_, s, err := a.ldapTrial(c)
	if err != nil {
		return nil, err
	}
	if err := a.LDAP.Check(c.Context(), s); err != nil {
		return nil, quotedf(http.StatusBadRequest, "Failed to connect to LDAP Server: %v", err)
	}
	return nil, nil
}

func (a *API) verifyLDAPLogin(c *call) (any, error) {
	b, s, err := a.ldapTrial(c)
	if err != nil {
		return nil, err
	}
	_, err = a.LDAP.CheckLogin(c.Context(), s, b.LoginName, b.LoginSecret)
	switch {
	case errors.Is(err, access.ErrNoUser):
		return nil, quotedf(http.StatusBadRequest, "User '%s' not found.", b.LoginName)
	case errors.Is(err, access.ErrBadCredentials):
		return nil, quotedf(http.StatusBadRequest, "The password of user '%s' is wrong.", b.LoginName)
	case err != nil:
		return nil, quotedf(http.StatusBadRequest, "Failed to connect to LDAP Server: %v", err)
	}
	return nil, nil
}

// mappingShown is how many users a trial of a mapping shows.
const mappingShown = 20

func ldapUser(u access.DirectoryUser) object {
	return object{
		{"username", u.ID}, {"realName", strings.TrimSpace(u.FirstName + " " + u.LastName)}, {"email", emptyAsNull(u.Email)}, {"membership", list(u.Groups)},
	}
}

func (a *API) verifyLDAPMapping(c *call) (any, error) {
	_, s, err := a.ldapTrial(c)
	if err != nil {
		return nil, err
	}
	users, err := a.LDAP.CheckMapping(c.Context(), s, mappingShown)
	if err != nil {
		return nil, quotedf(http.StatusBadRequest, "Failed to connect to LDAP Server: %v", err)
	}
	out := []object{}
	for _, u := range users {
		out = append(out, ldapUser(u))
	}
	return out, nil
}
