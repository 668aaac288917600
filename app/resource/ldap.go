package resource

import (
	"cmp"
	"context"
	"slices"
	"time"

	"entrepot/app/access"
	"entrepot/app/access/ldap"
	"entrepot/storage/kv"
)

// LDAPServer is an LDAP server, and how people and groups are found in it.
type LDAPServer struct {
	Name          string     `json:"name"` // unique ignoring case
	Protocol      string     `json:"protocol" enums:"ldap,ldaps" default:"ldaps"`
	UseTrustStore bool       `json:"useTrustStore"`
	Host          string     `json:"host" example:"directory.example.org"`
	Port          int        `json:"port" example:"636"`
	SearchBase    string     `json:"searchBase" example:"dc=example,dc=org"`
	Scheme        string     `json:"scheme" enums:"NONE,SIMPLE,DIGEST_MD5,CRAM_MD5" default:"NONE"`
	AuthRealm     string     `json:"authRealm,omitempty"`
	Username      string     `json:"username,omitempty"`
	Password      Secret     `json:"password,omitempty" swaggertype:"string" format:"password"`
	Timeout       Duration   `json:"timeout" swaggertype:"string" default:"30s"`   // to connect, and for each answer
	RetryDelay    Duration   `json:"retryDelay" swaggertype:"string" default:"5m"` // for which a failing server is left alone
	MaxIncidents  int        `json:"maxIncidents" default:"3"`                     // failures in a row before it is
	Users         LDAPUsers  `json:"users"`
	Groups        LDAPGroups `json:"groups"`
}

// LDAPUsers says how people are found and read.
type LDAPUsers struct {
	BaseDN            string `json:"baseDN,omitempty"` // relative to the search base
	Subtree           bool   `json:"subtree"`
	ObjectClass       string `json:"objectClass,omitempty" example:"inetOrgPerson"`
	Filter            string `json:"filter,omitempty"` // narrows who may sign in
	ID                string `json:"id,omitempty" example:"uid"`
	RealName          string `json:"realName,omitempty" example:"cn"`
	Email             string `json:"email,omitempty" example:"mail"`
	PasswordAttribute string `json:"passwordAttribute,omitempty"` // to compare passwords with; absent proves them by a bind
}

// LDAPGroups says how the groups of people are found.
type LDAPGroups struct {
	AsRoles      bool   `json:"asRoles"` // the rest matters only then
	Type         string `json:"type,omitempty" enums:"static,dynamic"`
	BaseDN       string `json:"baseDN,omitempty"` // relative to the search base
	Subtree      bool   `json:"subtree"`
	ObjectClass  string `json:"objectClass,omitempty"`
	ID           string `json:"id,omitempty" example:"cn"`
	Member       string `json:"member,omitempty" example:"member"`
	MemberFormat string `json:"memberFormat,omitempty" example:"${dn}"`
	MemberOf     string `json:"memberOf,omitempty"` // dynamic: attribute of the user with the groups
}

// LDAPServers gives the LDAP servers by name.
func (r *Resources) LDAPServers() *Set[LDAPServer] {
	return &Set[LDAPServer]{
		Name: "ldap-servers",
		Key:  func(d *LDAPServer) string { return d.Name },
		Blank: func() LDAPServer {
			return LDAPServer{
				Protocol: string(ldap.TLS), Scheme: string(ldap.SchemeNone), Timeout: Duration(30 * time.Second), RetryDelay: Duration(5 * time.Minute), MaxIncidents: 3,
			}
		},
		List: func(ctx context.Context) ([]LDAPServer, error) {
			servers, err := r.LDAP.Servers(ctx)
			list := []LDAPServer{}
			for _, s := range servers {
				list = append(list, ldapOf(s))
			}
			slices.SortFunc(list, func(a, b LDAPServer) int { return cmp.Compare(a.Name, b.Name) })
			return list, err
		},
		Get: func(ctx context.Context, name string) (LDAPServer, error) {
			s, err := r.LDAP.Server(ctx, name)
			return ldapOf(s), err
		},
		Row: func(ctx context.Context, _ string) (kv.Row, error) { return r.LDAP.Row(ctx) }, // one record has them all
		Create: func(ctx context.Context, actor access.Actor, d LDAPServer) error {
			_, err := r.LDAP.Create(ctx, actor, d.server())
			return err
		},
		Replace: func(ctx context.Context, actor access.Actor, name string, d LDAPServer) error {
			return r.LDAP.Update(ctx, actor, name, d.server())
		},
		Delete: r.LDAP.Delete,
		Keep: func(ctx context.Context, name string) (Restore, error) {
			before, err := r.LDAP.Server(ctx, name)
			return func(ctx context.Context, actor access.Actor) error { return r.LDAP.Update(ctx, actor, name, before) }, err
		},
		Settle: func(ctx context.Context, d *LDAPServer) error {
			stored, err := r.LDAP.Server(ctx, d.Name)
			if access.KindOf(err) == access.NotFound {
				return nil
			}
			d.Password = d.Password.unlike(string(stored.Password))
			return err
		},
	}
}

func ldapOf(s ldap.Server) LDAPServer {
	u, g := s.Users, s.Groups
	return LDAPServer{
		Name: s.Name, Protocol: string(s.Protocol), UseTrustStore: s.TrustStore, Host: s.Host, Port: s.Port, SearchBase: s.SearchBase, Scheme: string(s.Scheme),
		AuthRealm: s.AuthRealm, Username: s.Username, Timeout: Duration(s.Timeout) * Duration(time.Second), RetryDelay: Duration(s.RetryDelay) * Duration(time.Second),
		MaxIncidents: s.MaxIncidents,
		Users: LDAPUsers{
			BaseDN: u.BaseDN, Subtree: u.Subtree, ObjectClass: u.ObjectClass, Filter: u.Filter, ID: u.ID, RealName: u.RealName, Email: u.Email, PasswordAttribute: u.Password,
		},
		Groups: LDAPGroups{
			AsRoles: g.AsRoles, Type: string(g.Type), BaseDN: g.BaseDN, Subtree: g.Subtree, ObjectClass: g.ObjectClass, ID: g.ID, Member: g.Member,
			MemberFormat: g.MemberFormat, MemberOf: g.MemberOf,
		},
	}
}

func (d *LDAPServer) server() ldap.Server {
	u, g := d.Users, d.Groups
	return ldap.Server{
		Name: d.Name, Protocol: ldap.Protocol(d.Protocol), TrustStore: d.UseTrustStore, Host: d.Host, Port: d.Port, SearchBase: d.SearchBase, Scheme: ldap.Scheme(d.Scheme),
		AuthRealm: d.AuthRealm, Username: d.Username, Password: ldap.Secret(d.Password.or("")), Timeout: seconds(d.Timeout), RetryDelay: seconds(d.RetryDelay),
		MaxIncidents: d.MaxIncidents,
		Users: ldap.Users{
			BaseDN: u.BaseDN, Subtree: u.Subtree, ObjectClass: u.ObjectClass, Filter: u.Filter, ID: u.ID, RealName: u.RealName, Email: u.Email, Password: u.PasswordAttribute,
		},
		Groups: ldap.Groups{
			AsRoles: g.AsRoles, Type: ldap.GroupType(g.Type), BaseDN: g.BaseDN, Subtree: g.Subtree, ObjectClass: g.ObjectClass, ID: g.ID, Member: g.Member,
			MemberFormat: g.MemberFormat, MemberOf: g.MemberOf,
		},
	}
}

// seconds rounds a span down.
func seconds(d Duration) int { return int(time.Duration(d) / time.Second) }

// LDAPOrder is the order in which LDAP servers are asked.
type LDAPOrder struct {
	Servers []string `json:"servers"` // names of all of them
}

// LDAPOrder gives the order in which LDAP servers are asked.
func (r *Resources) LDAPOrder() *Value[LDAPOrder] {
	return &Value[LDAPOrder]{
		Name:  "ldap-order",
		Blank: func() LDAPOrder { return LDAPOrder{Servers: []string{}} },
		Get: func(ctx context.Context) (LDAPOrder, error) {
			servers, err := r.LDAP.Servers(ctx)
			doc := LDAPOrder{Servers: []string{}}
			for _, s := range servers {
				doc.Servers = append(doc.Servers, s.Name)
			}
			return doc, err
		},
		Row: r.LDAP.Row,
		Put: func(ctx context.Context, actor access.Actor, doc LDAPOrder) error {
			return r.LDAP.Reorder(ctx, actor, doc.Servers)
		},
		Unset: func(doc *LDAPOrder) bool { return len(doc.Servers) == 0 },
	}
}
