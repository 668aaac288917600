package ldap

import (
	"log/slog"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/go-ldap/ldap/v3"

	"entrepot/app/access"
)

// Protocol is how a server is spoken to.
type Protocol string

// The protocols.
const (
	Plain Protocol = "ldap"
	TLS   Protocol = "ldaps"
)

// Scheme is how the service account proves itself.
type Scheme string

// The schemes, spelled as clients know them.
const (
	SchemeNone      Scheme = "NONE"
	SchemeSimple    Scheme = "SIMPLE"
	SchemeDigestMD5 Scheme = "DIGEST_MD5"
	SchemeCramMD5   Scheme = "CRAM_MD5" // kept, not spoken
)

// GroupType says where it is written who is in a group.
type GroupType string

// The types.
const (
	StaticGroups  GroupType = "static"  // the group lists its members
	DynamicGroups GroupType = "dynamic" // the user lists the groups
)

// Secret is a string that prints as ***.
type Secret string

// String hides the secret.
func (Secret) String() string { return "***" }

// GoString hides the secret.
func (Secret) GoString() string { return "***" }

// LogValue hides the secret.
func (Secret) LogValue() slog.Value { return slog.StringValue("***") }

// Server is an LDAP server, and how people and groups are found in it.
type Server struct {
	ID         string   `json:"id"`   // set by Create
	Name       string   `json:"name"` // unique ignoring case
	Protocol   Protocol `json:"protocol"`
	TrustStore bool     `json:"trustStore,omitempty"` // with TLS: certificates of the trust store are believed too
	Host       string   `json:"host"`
	Port       int      `json:"port"`
	SearchBase string   `json:"searchBase"` // DN below which everything lies

	Scheme    Scheme `json:"scheme"`
	AuthRealm string `json:"authRealm,omitempty"` // kept for the settings' sake: the server names the realm of DIGEST-MD5
	Username  string `json:"username,omitempty"`  // a DN with SchemeSimple
	Password  Secret `json:"-"`

	Timeout      int `json:"timeout"`      // seconds to connect and to wait for each answer, 1 to 3600
	RetryDelay   int `json:"retryDelay"`   // seconds for which a failing server is left alone
	MaxIncidents int `json:"maxIncidents"` // failures in a row before it is; 0 is 1

	Users  Users  `json:"users"`
	Groups Groups `json:"groups"`
}

// Users says how people are found and read. BaseDN is relative to the search base.
type Users struct {
	BaseDN      string `json:"baseDN,omitempty"`
	Subtree     bool   `json:"subtree,omitempty"`
	ObjectClass string `json:"objectClass,omitempty"` // "" for any
	Filter      string `json:"filter,omitempty"`      // narrows who may sign in
	ID          string `json:"id,omitempty"`          // attribute; "" is uid
	RealName    string `json:"realName,omitempty"`    // attribute
	Email       string `json:"email,omitempty"`       // attribute
	Password    string `json:"password,omitempty"`    // attribute to compare passwords with; "" proves them by a bind
}

// Groups says how the groups of people are found.
type Groups struct {
	AsRoles      bool      `json:"asRoles,omitempty"` // the rest matters only then
	Type         GroupType `json:"type,omitempty"`
	BaseDN       string    `json:"baseDN,omitempty"` // relative to the search base
	Subtree      bool      `json:"subtree,omitempty"`
	ObjectClass  string    `json:"objectClass,omitempty"`
	ID           string    `json:"id,omitempty"`           // attribute with the name of the role
	Member       string    `json:"member,omitempty"`       // attribute with the members
	MemberFormat string    `json:"memberFormat,omitempty"` // what Member holds: ${username}, ${dn}, or a text around one of them
	MemberOf     string    `json:"memberOf,omitempty"`     // DynamicGroups: attribute of the user with the groups
}

// What a MemberFormat is made of.
const (
	usernamePlace = "${username}"
	dnPlace       = "${dn}"
)

const (
	mustNotBeBlank   = "must not be blank"
	maxText          = 1000 // characters
	maxServers       = 50
	maxTimeout       = 3600
	defaultAttribute = "uid"
)

// attributePattern is an attribute's name or number with options.
var attributePattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9.-]*(;[A-Za-z0-9-]+)*$`)

// faults gathers what is wrong with members, under the names that clients give them.
type faults []access.FieldError

func (f *faults) add(broken bool, field, message string) {
	if broken {
		*f = append(*f, access.FieldError{Field: field, Message: message, Shape: true})
	}
}

// Validate finds the faults that settings have by themselves. A password that is kept is not one of them.
func (s *Server) Validate() error {
	var f faults
	for _, m := range []struct{ field, text string }{{"name", s.Name}, {"host", s.Host}, {"searchBase", s.SearchBase}} {
		f.add(strings.TrimSpace(m.text) == "", m.field, mustNotBeBlank)
	}
	for field, text := range s.texts() {
		f.add(utf8.RuneCountInString(text) > maxText || !utf8.ValidString(text) || strings.ContainsRune(text, 0), field, "must be a text of at most 1000 characters")
	}
	f.add(s.Protocol != Plain && s.Protocol != TLS, "protocol", "must be ldap or ldaps")
	f.add(strings.ContainsAny(s.Host, "/ \t\r\n"), "host", "must be the name or address of a host")
	f.add(s.Port < 1 || s.Port > 65535, "port", "must be between 1 and 65535")
	f.add(s.Timeout < 1 || s.Timeout > maxTimeout, "connectionTimeoutSeconds", "must be between 1 and 3600")
	f.add(s.RetryDelay < 0, "connectionRetryDelaySeconds", "must be greater than or equal to 0")
	f.add(s.MaxIncidents < 0, "maxIncidentsCount", "must be greater than or equal to 0")
	s.checkScheme(&f)
	s.checkUsers(&f)
	s.checkGroups(&f)
	if len(f) == 0 {
		return nil
	}
	return &access.Error{Kind: access.Invalid, Fields: f}
}

// texts gives the members that are free texts.
func (s *Server) texts() map[string]string {
	return map[string]string{
		"name": s.Name, "host": s.Host, "searchBase": s.SearchBase, "authRealm": s.AuthRealm, "authUsername": s.Username, "authPassword": string(s.Password),
		"userBaseDn": s.Users.BaseDN, "userObjectClass": s.Users.ObjectClass, "userLdapFilter": s.Users.Filter, "groupBaseDn": s.Groups.BaseDN,
		"groupObjectClass": s.Groups.ObjectClass, "groupMemberFormat": s.Groups.MemberFormat,
	}
}

func (s *Server) checkScheme(f *faults) {
	switch s.Scheme {
	case SchemeNone:
	case SchemeSimple, SchemeDigestMD5:
		f.add(strings.TrimSpace(s.Username) == "", "authUsername", mustNotBeBlank)
	case SchemeCramMD5:
		f.add(true, "authScheme", "CRAM_MD5 is not supported by this server; use SIMPLE over ldaps")
	default:
		f.add(true, "authScheme", "must be NONE, SIMPLE, DIGEST_MD5 or CRAM_MD5")
	}
}

func (s *Server) checkUsers(f *faults) {
	u := &s.Users
	f.addAttributes(map[string]string{
		"userIdAttribute": u.ID, "userRealNameAttribute": u.RealName, "userEmailAddressAttribute": u.Email, "userPasswordAttribute": u.Password,
	})
	if filter := inBrackets(u.Filter); filter != "" {
		_, err := ldap.CompileFilter(filter)
		f.add(err != nil, "userLdapFilter", "must be an LDAP filter")
	}
	for field, base := range map[string]string{"searchBase": s.SearchBase, "userBaseDn": u.BaseDN, "groupBaseDn": s.Groups.BaseDN} {
		_, err := ldap.ParseDN(base)
		f.add(err != nil, field, "must be a distinguished name")
	}
}

func (s *Server) checkGroups(f *faults) {
	g := &s.Groups
	f.addAttributes(map[string]string{"groupIdAttribute": g.ID, "groupMemberAttribute": g.Member, "userMemberOfAttribute": g.MemberOf})
	f.add(g.Type != "" && g.Type != StaticGroups && g.Type != DynamicGroups, "groupType", "must be static or dynamic")
	if !g.AsRoles {
		return
	}
	f.add(g.Type == "", "groupType", "must not be null")
	f.add(g.Type == DynamicGroups && g.MemberOf == "", "userMemberOfAttribute", mustNotBeBlank)
	if g.Type != StaticGroups {
		return
	}
	for field, text := range map[string]string{
		"groupObjectClass": g.ObjectClass, "groupIdAttribute": g.ID, "groupMemberAttribute": g.Member, "groupMemberFormat": g.MemberFormat,
	} {
		f.add(strings.TrimSpace(text) == "", field, mustNotBeBlank)
	}
	f.add(g.MemberFormat != "" && !strings.Contains(g.MemberFormat, usernamePlace) && !strings.Contains(g.MemberFormat, dnPlace), "groupMemberFormat",
		"must hold "+usernamePlace+" or "+dnPlace)
}

func (f *faults) addAttributes(attributes map[string]string) {
	for field, name := range attributes {
		f.add(name != "" && !attributePattern.MatchString(name), field, "must be the name of an attribute")
	}
}

// inBrackets gives a filter with the brackets that some leave away.
func inBrackets(filter string) string {
	filter = strings.TrimSpace(filter)
	if filter == "" || strings.HasPrefix(filter, "(") {
		return filter
	}
	return "(" + filter + ")"
}

// below gives the DN of a base that is relative to the search base.
func (s *Server) below(base string) string {
	if strings.TrimSpace(base) == "" {
		return s.SearchBase
	}
	return base + "," + s.SearchBase
}

// idAttribute gives the attribute that names people.
func (u *Users) idAttribute() string {
	if u.ID == "" {
		return defaultAttribute
	}
	return u.ID
}
