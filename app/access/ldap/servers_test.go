package ldap

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"github.com/go-ldap/ldap/v3"

	"entrepot/app/access"
)

// says renders an error as its fields or message.
func says(err error) string {
	var e *access.Error
	if !errors.As(err, &e) {
		return fmt.Sprint(err)
	}
	words := []string{}
	for _, f := range e.Fields {
		words = append(words, f.Field+" "+f.Message)
	}
	slices.Sort(words)
	return strings.TrimSpace(e.Message + " " + strings.Join(words, "; "))
}

func valid() Server {
	return Server{Name: "a", Protocol: Plain, Host: "h", Port: 389, SearchBase: baseDN, Scheme: SchemeSimple, Username: "cn=x", Password: "pw", Timeout: 1}
}

func TestValidate(t *testing.T) {
	tests := []struct {
		edit func(*Server)
		want string
	}{
		{func(*Server) {}, "<nil>"},
		{func(s *Server) { *s = Server{} }, "authScheme must be NONE, SIMPLE, DIGEST_MD5 or CRAM_MD5; connectionTimeoutSeconds must be between 1 and 3600; " +
			"host must not be blank; name must not be blank; port must be between 1 and 65535; protocol must be ldap or ldaps; searchBase must not be blank"},
		{func(s *Server) { s.Host = "a/b" }, "host must be the name or address of a host"},
		{func(s *Server) { s.Name = strings.Repeat("x", 1001) }, "name must be a text of at most 1000 characters"},
		{func(s *Server) { s.SearchBase = "no dn" }, "searchBase must be a distinguished name"},
		{func(s *Server) { s.Users.BaseDN = "ou=people,x" }, "userBaseDn must be a distinguished name"},
		{func(s *Server) { s.Scheme = SchemeCramMD5 }, "authScheme CRAM_MD5 is not supported by this server; use SIMPLE over ldaps"},
		{func(s *Server) { s.Scheme, s.Username = SchemeDigestMD5, "" }, "authUsername must not be blank"},
		{func(s *Server) { s.Scheme, s.Username = SchemeNone, "" }, "<nil>"},
		{func(s *Server) { s.Users.Filter = "(mail=*" }, "userLdapFilter must be an LDAP filter"},
		{func(s *Server) { s.Users.Filter = "mail=*" }, "<nil>"},
		{func(s *Server) { s.Users.ID = "uid)(x" }, "userIdAttribute must be the name of an attribute"},
		{func(s *Server) { s.Users.Password = "userPassword;binary" }, "<nil>"},
		{func(s *Server) { s.Groups.Type = "x" }, "groupType must be static or dynamic"},
		{func(s *Server) { s.Groups.AsRoles = true }, "groupType must not be null"},
		{func(s *Server) { s.Groups = Groups{AsRoles: true, Type: DynamicGroups} }, "userMemberOfAttribute must not be blank"},
		{func(s *Server) { s.Groups = Groups{AsRoles: true, Type: StaticGroups} }, "groupIdAttribute must not be blank; groupMemberAttribute must not be blank; " +
			"groupMemberFormat must not be blank; groupObjectClass must not be blank"},
		{func(s *Server) {
			s.Groups = Groups{AsRoles: true, Type: StaticGroups, ObjectClass: "g", ID: "cn", Member: "m", MemberFormat: "x"}
		}, "groupMemberFormat must hold ${username} or ${dn}"},
		{func(s *Server) { s.RetryDelay, s.MaxIncidents = -1, -1 }, "connectionRetryDelaySeconds must be greater than or equal to 0; " +
			"maxIncidentsCount must be greater than or equal to 0"},
	}
	for i, tt := range tests {
		s := valid()
		tt.edit(&s)
		if got := says(s.Validate()); got != tt.want {
			t.Errorf("%d: %s, want %s", i, got, tt.want)
		}
	}
}

// change is something done to the servers a, b and c, and what comes of it.
type change struct {
	what string
	do   func() error
	want string
}

// changes are those of a life, in order.
func changes(t *testing.T, w *world) []change {
	me := access.System()
	update := func(name string, edit func(*Server)) error {
		s := valid()
		s.Password = ""
		edit(&s)
		return w.Update(t.Context(), me, name, s)
	}
	none := valid()
	none.Name, none.Password = "d", ""
	return []change{
		{"a name twice", func() error {
			_, err := w.Create(t.Context(), me, func() Server { s := valid(); s.Name = "A"; return s }())
			return err
		},
			"name Name is already used, must be unique (ignoring case)"},
		{"no password", func() error { _, err := w.Create(t.Context(), me, none); return err }, "authPassword must not be blank"},
		{"unknown", func() error { return update("x", func(*Server) {}) }, "LDAP server 'x' not found."},
		{"a name of another", func() error { return update("a", func(s *Server) { s.Name = "B" }) }, "name Name is already used, must be unique (ignoring case)"},
		{"another host", func() error { return update("a", func(s *Server) { s.Host = "evil" }) }, "authPassword must be given again when the connection changes"},
		{"less safe", func() error { return update("a", func(s *Server) { s.TrustStore = true }) }, "authPassword must be given again when the connection changes"},
		{"renamed", func() error { return update("a", func(s *Server) { s.Name, s.SearchBase = "A2", "dc=x" }) }, "<nil>"},
		{"another host and password", func() error { return update("b", func(s *Server) { s.Name, s.Host, s.Password = "b", "h2", "new" }) }, "<nil>"},
		{"order of some", func() error { return w.Reorder(t.Context(), me, []string{"c"}) }, "The order must name all 3 LDAP servers."},
		{"order with one twice", func() error { return w.Reorder(t.Context(), me, []string{"c", "b", "c"}) }, "LDAP server 'c' is unknown or named twice."},
		{"order", func() error { return w.Reorder(t.Context(), me, []string{"c", "A2", "b"}) }, "<nil>"},
		{"delete", func() error { return w.Delete(t.Context(), me, "b") }, "<nil>"},
		{"delete again", func() error { return w.Delete(t.Context(), me, "b") }, "LDAP server 'b' not found."},
		{"import", func() error {
			return w.Import(t.Context(), me, Server{Name: "old", Scheme: SchemeCramMD5, Password: "x"})
		}, "<nil>"},
		{"import again", func() error { return w.Import(t.Context(), me, Server{Name: "c", Password: "imported"}) }, "<nil>"},
		{"import of nothing", func() error { return w.Import(t.Context(), me, Server{}) }, "An LDAP server needs a name."},
	}
}

func TestLifeOfServers(t *testing.T) {
	w, me := newWorld(t, nil), access.System()
	empty, err := w.Epoch(t.Context())
	must(t, err)
	for _, name := range []string{"a", "b", "c"} {
		s := valid()
		s.Name, s.Password = name, Secret("pw-"+name)
		w.add(t, s)
	}
	for _, tt := range changes(t, w) {
		if got := says(tt.do()); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.what, got, tt.want)
		}
	}
	servers, err := w.Servers(t.Context())
	must(t, err)
	var got []string
	for _, s := range servers {
		if s.ID == "" {
			t.Errorf("%s has no id", s.Name)
		}
		got = append(got, s.Name+" "+string(s.Password))
	}
	if want := []string{"c imported", "A2 pw-a", "old x"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	before, err := w.Epoch(t.Context())
	must(t, err)
	must(t, w.Clear(t.Context(), me))
	if after, err := w.Epoch(t.Context()); err != nil || after == before || before == empty {
		t.Errorf("epochs %s, %s, %s; %v", empty, before, after, err)
	}
	if text := fmt.Sprintf("%v %+v %#v %s", servers, servers, servers, slog.AnyValue(servers[0].Password)); strings.Contains(text, "pw-a") {
		t.Error("a password prints: ", text)
	}
}

func TestKeptPasswordOfTrials(t *testing.T) {
	w, s := newWorld(t, nil), valid()
	w.add(t, s)
	s.Password = ""
	if got, err := w.WithKeptPassword(t.Context(), s); err != nil || got.Password != "pw" {
		t.Error(err)
	}
	other := s
	other.Host = "evil"
	if got, err := w.WithKeptPassword(t.Context(), other); err == nil || got.Password != "" {
		t.Error("shown to another host")
	}
	if s.Name = "new"; w.check(t, s) == "<nil>" {
		t.Error("without a password")
	}
}

func (w *world) check(t *testing.T, s Server) string {
	_, err := w.WithKeptPassword(t.Context(), s)
	return says(err)
}

func TestMatches(t *testing.T) {
	tests := []struct {
		value, secret string
		want          bool
	}{
		{"clear", "clear", true}, {"clear", "Clear", false}, {"", "", false}, {"{SSHA}", "x", false}, {"{SHA", "x", false}, {"{CRYPT}x", "x", false},
		{"{SHA}jyyGlFw0+OjGE6rGHFhNyV6PYBo=", "geheim", false}, {"{SHA}" + "AAAA", "geheim", false},
		{"{SSHA}l++8AwbPCGM1T7xaphj30U28SQUwMDAw", "geheim", true}, {"{ssha}l++8AwbPCGM1T7xaphj30U28SQUwMDAw", "geheim", true},
		{"{SHA}l++8AwbPCGM1T7xaphj30U28SQUwMDAw", "geheim", false}, {"{SSHA}l++8AwbPCGM1T7xaphj30U28SQUwMDAw", "", false},
	}
	for _, tt := range tests {
		if got := matches([]byte(tt.value), tt.secret); got != tt.want {
			t.Errorf("%s with %q: %v", tt.value, tt.secret, got)
		}
	}
}

// Whatever people type, the filter asks for an id that equals it, and for nothing else.
func FuzzFilters(f *testing.F) {
	for _, id := range []string{"ada", "*", "a)(b=c", "a\\2a", "\x00\xff", "ü,=+<>#; "} {
		f.Add(id)
	}
	c := newClient(Server{SearchBase: baseDN, Users: Users{ObjectClass: "p", ID: "uid"}, Groups: Groups{Member: "m", MemberFormat: "uid=${username},ou=p"}}, nil)
	f.Fuzz(func(t *testing.T, id string) {
		filter, err := ldap.CompileFilter(c.userSearch(ldap.EscapeFilter(id), 1).Filter)
		if err != nil {
			t.Fatal(err)
		}
		last := filter.Children[len(filter.Children)-1]
		if len(filter.Children) != 2 || last.Tag != ldap.FilterEqualityMatch || last.Children[1].Data.String() != id {
			t.Errorf("%q asks for something else", id)
		}
		member, err := ldap.CompileFilter("(m=" + c.server.Groups.memberValue(&person{id: id}) + ")")
		if err != nil || member.Tag != ldap.FilterEqualityMatch {
			t.Fatalf("%q: %v", id, err)
		}
		if id == "" || strings.ContainsAny(id, "\x00") {
			return
		}
		dn, err := ldap.ParseDN(member.Children[1].Data.String())
		if err == nil && (len(dn.RDNs) != 2 || len(dn.RDNs[0].Attributes) != 1) {
			t.Errorf("%q makes another DN", id)
		}
	})
}
