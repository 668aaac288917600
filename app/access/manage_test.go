package access

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"entrepot/app/access/permission"
)

// says renders an error as kind and words.
func says(err error) string {
	var e *Error
	if !errors.As(err, &e) {
		return fmt.Sprint(err)
	}
	kind := map[Kind]string{Invalid: "invalid", Refused: "refused", NotFound: "not found", Exists: "exists", ReadOnly: "read-only", InUse: "in use"}[e.Kind]
	var words []string
	for _, f := range e.Fields {
		shape := ""
		if f.Shape {
			shape = "PARAMETER "
		}
		words = append(words, shape+f.Field+" "+f.Message)
	}
	slices.Sort(words)
	return kind + ": " + e.Message + strings.Join(words, "; ")
}

const badName = "Only letters, digits, underscores(_), hyphens(-), and dots(.) are allowed and may not start with underscore or dot."

var userCreations = []struct {
	edit func(*NewUser)
	want string
}{
	{func(u *NewUser) {}, "exists: User u1 already exists."},
	{func(u *NewUser) { u.ID = "" }, "invalid: PARAMETER userId must not be blank"},
	{func(u *NewUser) { u.ID = " " }, "invalid: PARAMETER userId must not be blank"},
	{func(u *NewUser) { u.ID = strings.Repeat("x", 201) }, "invalid: PARAMETER userId must be at most 200 characters long"},
	{func(u *NewUser) { u.ID = "a\x00b" }, "invalid: PARAMETER userId must not hold the character NUL"},
	{func(u *NewUser) { u.FirstName = "" }, "invalid: PARAMETER firstName must not be empty"},
	{func(u *NewUser) { u.LastName = "" }, "invalid: PARAMETER lastName must not be empty"},
	{func(u *NewUser) { u.Email = "" }, "invalid: PARAMETER emailAddress must not be empty"},
	{func(u *NewUser) { u.Email = "noat" }, "invalid: PARAMETER emailAddress must be a well-formed email address"},
	{func(u *NewUser) { u.Email = "a b@c.d" }, "invalid: PARAMETER emailAddress must be a well-formed email address"},
	{func(u *NewUser) { u.Password = "" }, "invalid: PARAMETER password must not be empty"},
	{func(u *NewUser) { u.ID, u.Password = "u2", " " }, "refused: A non-empty password is required."},
	{func(u *NewUser) { u.Status = "" }, "invalid: PARAMETER status must not be null"},
	{func(u *NewUser) { u.Status = "x" }, "invalid: PARAMETER status is not a status"},
	{func(u *NewUser) { u.Roles = nil }, "invalid: PARAMETER roles must not be empty"},
	{func(u *NewUser) { *u = NewUser{} }, "invalid: PARAMETER emailAddress must not be empty; PARAMETER firstName must not be empty; " +
		"PARAMETER lastName must not be empty; PARAMETER password must not be empty; PARAMETER roles must not be empty; " +
		"PARAMETER status must not be null; PARAMETER userId must not be blank"},
	{func(u *NewUser) { u.ID, u.Email = "U1", "a@b" }, "<nil>"},
	{func(u *NewUser) { u.ID, u.Email = "a/b ü", `"a b"@[::1]` }, "<nil>"},
}

func TestUserRules(t *testing.T) {
	s := newWorld().open(t)
	good := NewUser{ID: "u1", FirstName: "First", LastName: "Last", Email: "u1@example.org", Password: "pass", Status: StatusActive, Roles: []string{"nx-anonymous", "nope", "nope"}}
	created, err := s.CreateUser(t.Context(), System(), good)
	must(t, err)
	want := User{ID: "u1", Source: "default", FirstName: "First", LastName: "Last", Email: "u1@example.org", Status: "active", Roles: []string{"nx-anonymous", "nope"}}
	if diff := cmp.Diff(want, created); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	for _, tt := range userCreations {
		u := good
		tt.edit(&u)
		if _, err := s.CreateUser(t.Context(), System(), u); says(err) != tt.want {
			t.Errorf("create %q: %s, want %s", u.ID, says(err), tt.want)
		}
	}
	update := UserUpdate{ID: "u1", Source: "default", FirstName: "F2", LastName: "L2", Email: "u1@example.net", Status: StatusActive, Roles: []string{"nx-admin"}}
	updates := []struct {
		edit func(*UserUpdate)
		want string
	}{
		{func(u *UserUpdate) {}, "<nil>"},
		{func(u *UserUpdate) { u.ID = "nope" }, "not found: User 'nope' not found."},
		{func(u *UserUpdate) { u.Roles = []string{"nope", "nope2"} }, "invalid: roles Unable to locate roleId: nope; roles Unable to locate roleId: nope2"},
		{func(u *UserUpdate) { u.Source = "LDAP" }, "not found: Unable to locate source: LDAP"},
		{func(u *UserUpdate) { u.Source = "" }, "invalid: PARAMETER source must not be blank"},
		{func(u *UserUpdate) { u.Email = "bad" }, "invalid: PARAMETER emailAddress must be a well-formed email address"},
		{func(u *UserUpdate) { u.Roles = []string{} }, "invalid: PARAMETER roles must not be empty"},
	}
	for _, tt := range updates {
		u := update
		tt.edit(&u)
		if err := s.UpdateUser(t.Context(), System(), u); says(err) != tt.want {
			t.Errorf("update %q: %s, want %s", u.ID, says(err), tt.want)
		}
	}
	login(t, s, "u1", "pass")
	for id, want := range map[string]string{"nope": "not found: User 'nope' not found.", "anonymous": "in use: Can not delete anonymous user",
		"u1": "in use: Can not delete currently signed in user", "U1": "<nil>"} {
		if err := s.DeleteUser(t.Context(), Actor{UserID: "u1", Source: SourceLocal}, id); says(err) != want {
			t.Errorf("delete %s: %s", id, says(err))
		}
	}
	for p, want := range map[PasswordChange]string{{UserID: "u1"}: "refused: Password must be supplied.", {UserID: "u1", Password: " "}: "refused: Password must be supplied.",
		{UserID: "nope", Password: "x"}: "not found: User 'nope' not found."} {
		if err := s.ChangePassword(t.Context(), System(), p); says(err) != want {
			t.Errorf("password of %s: %s", p.UserID, says(err))
		}
	}
}

func TestUserFilter(t *testing.T) {
	s := newWorld().open(t)
	for filter, want := range map[UserFilter]string{{}: "admin anonymous", {Prefix: "adm"}: "admin", {Prefix: "ADMIN"}: "admin", {Prefix: "dmin"}: "",
		{Prefix: "*"}: "", {Prefix: "a"}: "admin anonymous", {Source: "LDAP"}: "", {Prefix: "admin", Source: "default"}: "admin"} {
		users, err := s.Users(t.Context(), filter)
		must(t, err)
		var ids []string
		for _, u := range users {
			ids = append(ids, u.ID)
		}
		if got := strings.Join(ids, " "); got != want {
			t.Errorf("%+v: %s", filter, got)
		}
	}
}

var roleCreations = []struct {
	r    RoleInput
	want string
}{
	{RoleInput{}, "invalid: PARAMETER id must not be empty; PARAMETER name must not be empty"},
	{RoleInput{ID: "r1", Name: "x"}, "exists: Role 'r1' already exists, use a unique roleId."},
	{RoleInput{ID: "nx-admin", Name: "x"}, "exists: Role 'nx-admin' already exists, use a unique roleId."},
	{RoleInput{ID: "rv", Name: "x", Privileges: []string{"nx-all", "nope", "nope2"}}, "refused: Privilege 'nope' contained in role 'rv' not found."},
	{RoleInput{ID: "rv", Name: "x", Roles: []string{"nope"}, Privileges: []string{"nope"}}, "refused: Role 'nope' contained in role 'rv' not found."},
	{RoleInput{ID: "rv", Name: "x", Roles: []string{"rv"}}, "refused: Role 'rv' contained in role 'rv' not found."},
	{RoleInput{ID: "rv", Name: "x", Privileges: []string{"nx-repository-view-raw-gone-read"}}, "refused: Privilege 'nx-repository-view-raw-gone-read' contained in role 'rv' not found."},
}

func TestRoleRules(t *testing.T) {
	s := newWorld().open(t)
	got, err := s.CreateRole(t.Context(), System(), RoleInput{ID: "r1", Name: "Name", Privileges: []string{"nx-all", "nx-all"}, Roles: []string{"nx-anonymous"}})
	must(t, err)
	if diff := cmp.Diff(Role{ID: "r1", Name: "Name", Description: "r1", Privileges: []string{"nx-all"}, Roles: []string{"nx-anonymous"}}, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	for _, r := range []RoleInput{{ID: "r2", Name: "x", Roles: []string{"r1"}}, {ID: "r3", Name: "x", Roles: []string{"r2"}, Description: text("")}, {ID: "R1", Name: "x"}, {ID: " ", Name: "x"},
		{ID: "cn=x,ou=y", Name: "x"}, {ID: "a/b", Name: "x", Privileges: []string{"nx-repository-view-raw-pv-raw-read", "nx-repository-admin-raw-Docs-*"}}} {
		_, err := s.CreateRole(t.Context(), System(), r)
		must(t, err)
	}
	for _, tt := range roleCreations {
		if _, err := s.CreateRole(t.Context(), System(), tt.r); says(err) != tt.want {
			t.Errorf("create %+v: %s", tt.r, says(err))
		}
	}
	updates := []struct {
		r    RoleInput
		want string
	}{
		{RoleInput{ID: "nope", Name: "x"}, "not found: Role 'nope' not found."},
		{RoleInput{ID: "nx-admin", Name: "x"}, "read-only: Role 'nx-admin' is internal and cannot be modified or deleted."},
		{RoleInput{ID: "r1", Name: "x", Privileges: []string{"nope"}}, "refused: Privilege 'nope' contained in role 'r1' not found."},
		{RoleInput{ID: "r1", Name: "x", Roles: []string{"nope"}}, "refused: Role 'nope' contained in role 'r1' not found."},
		{RoleInput{ID: "r1", Name: "x", Roles: []string{"r1"}}, "refused: Role 'r1' cannot contain itself either directly or indirectly through child roles."},
		{RoleInput{ID: "r1", Name: "x", Roles: []string{"r3"}}, "refused: Role 'r1' cannot contain itself either directly or indirectly through child roles."},
		{RoleInput{ID: "r1", Name: "new"}, "<nil>"},
	}
	for _, tt := range updates {
		if err := s.UpdateRole(t.Context(), System(), tt.r); says(err) != tt.want {
			t.Errorf("update %+v: %s", tt.r, says(err))
		}
	}
	for _, tt := range [][2]string{{"nope", "not found: Role 'nope' not found."}, {"nx-anonymous", "read-only: Role 'nx-anonymous' is internal and cannot be modified or deleted."}, {"r1", "<nil>"}} {
		if err := s.DeleteRole(t.Context(), System(), tt[0]); says(err) != tt[1] {
			t.Errorf("delete %s: %s", tt[0], says(err))
		}
	}
	if r2, err := s.Role(t.Context(), SourceLocal, "r2"); err != nil || len(r2.Roles) != 0 {
		t.Errorf("r2 still names the deleted role: %+v, %v", r2, err)
	}
	if r3, err := s.Role(t.Context(), SourceLocal, "r3"); err != nil || r3.Description != "" {
		t.Errorf("r3 = %+v, %v", r3, err)
	}
	if _, err := s.Role(t.Context(), SourceLocal, "NX-ADMIN"); says(err) != "not found: Role 'NX-ADMIN' not found." {
		t.Error(says(err))
	}
	if _, err := s.Roles(t.Context(), "nope"); says(err) != "refused: Source 'nope' not found." {
		t.Error(says(err))
	}
}

// A role that very many users and roles name is taken from all of them.
func TestDeleteRoleNamedByMany(t *testing.T) {
	s := newWorld().open(t)
	_, err := s.CreateRole(t.Context(), System(), RoleInput{ID: "r", Name: "r"})
	must(t, err)
	for i := range 230 {
		must(t, s.ImportUser(t.Context(), System(), ImportedUser{User: User{ID: fmt.Sprint("u", i), Source: SourceLocal, Status: StatusActive, Roles: []string{"x", "r"}}}))
	}
	for i := range 30 {
		must(t, s.ImportRole(t.Context(), System(), RoleInput{ID: fmt.Sprint("p", i), Name: "p", Roles: []string{"r"}}))
	}
	must(t, s.DeleteRole(t.Context(), System(), "r"))
	users, err := s.Users(t.Context(), UserFilter{})
	must(t, err)
	roles, err := s.Roles(t.Context(), "")
	must(t, err)
	for _, u := range users {
		if slices.Contains(u.Roles, "r") {
			t.Errorf("%s still has it", u.ID)
		}
	}
	for _, r := range roles {
		if r.ID == "r" || slices.Contains(r.Roles, "r") {
			t.Errorf("%s still has it", r.ID)
		}
	}
}

// repo is a privilege on a repository.
func repo(t PrivilegeType, format, repository string) Privilege {
	return Privilege{Name: "px", Type: t, Format: format, Repository: repository, Selector: "pv-sel", Actions: []string{"read"}}
}

var privilegeCreations = []struct {
	p    Privilege
	want string
}{
	{Privilege{Name: "px", Type: TypeWildcard, Pattern: "nexus:foo:read"}, "<nil>"},
	{Privilege{Type: TypeWildcard}, "invalid: PARAMETER name " + badName + "; PARAMETER name must not be blank; PARAMETER pattern must not be blank"},
	{Privilege{Name: "px", Type: TypeWildcard, Pattern: " "}, "invalid: PARAMETER pattern must not be blank"},
	{Privilege{Name: "px", Type: TypeApplication}, "invalid: PARAMETER actions must not be empty; PARAMETER domain must not be blank"},
	{Privilege{Name: "px", Type: TypeApplication, Domain: "nope", Actions: []string{"create", "start"}}, "<nil>"},
	{Privilege{Name: "px", Type: TypeApplication, Domain: "users", Actions: []string{"browse"}}, "refused: Privilege of type 'application' cannot use action(s) of type 'BROWSE'."},
	{Privilege{Name: "px", Type: TypeApplication, Domain: "users", Actions: []string{"run"}}, "refused: Privilege of type 'application' cannot use action(s) of type 'RUN'."},
	{Privilege{Name: "px", Type: TypeView}, "invalid: PARAMETER actions must not be empty; PARAMETER format must not be blank; PARAMETER repository must not be blank"},
	{repo(TypeView, "raw", "pv-raw"), "<nil>"},
	{repo(TypeAdmin, "*", "*"), "<nil>"},
	{repo(TypeAdmin, "*", "pv-raw"), "<nil>"},
	{repo(TypeAdmin, "raw", "*"), "<nil>"},
	{repo(TypeView, "maven2", "pv-raw"), "refused: Invalid format 'maven2' supplied for repository 'pv-raw'."},
	{repo(TypeView, "nope", "pv-raw"), "refused: Invalid format 'nope' supplied for repository 'pv-raw'."},
	{repo(TypeView, "nope", "*"), "refused: Invalid format 'nope' supplied."},
	{repo(TypeView, "raw", "nope"), "refused: Invalid repository 'nope' supplied."},
	{Privilege{Name: "px", Type: TypeView, Format: "raw", Repository: "pv-raw", Actions: []string{"start"}}, "refused: Privilege of type 'repository-view' cannot use action(s) of type 'START'."},
	{repo(TypeSelector, "raw", "pv-raw"), "<nil>"},
	{Privilege{Name: "px", Type: TypeSelector, Format: "raw", Repository: "*", Selector: "nope", Actions: []string{"read"}}, "refused: Invalid selector 'nope' supplied."},
	{Privilege{Name: "px", Type: TypeSelector}, "invalid: PARAMETER actions must not be empty; PARAMETER contentSelector must not be blank; PARAMETER format must not be blank; PARAMETER repository must not be blank"},
	{Privilege{Name: "px", Type: TypeScript}, "invalid: PARAMETER actions must not be empty; PARAMETER scriptName must not be blank"},
	{Privilege{Name: "px", Type: TypeScript, Script: "*", Actions: []string{"run"}}, "refused: Invalid script '*' supplied."},
	{Privilege{Name: "px", Type: TypeScript, Script: "hello", Actions: []string{"run"}}, "<nil>"},
	{Privilege{Name: "px", Type: "odd"}, "refused: Privilege type 'odd' is unknown."},
	{Privilege{Name: "a b", Type: TypeWildcard, Pattern: "a"}, "invalid: PARAMETER name " + badName},
	{Privilege{Name: "_x", Type: TypeWildcard, Pattern: "a"}, "invalid: PARAMETER name " + badName},
	{Privilege{Name: "-x", Type: TypeWildcard, Pattern: "a"}, "<nil>"},
	{Privilege{Name: "nx-all", Type: TypeWildcard, Pattern: "a"}, "exists: Privilege 'nx-all' already exists, use a unique name."},
}

func TestPrivilegeRules(t *testing.T) {
	s := newWorld().open(t)
	must(t, s.CreateSelector(t.Context(), System(), Selector{Name: "pv-sel", Expression: `format == "raw"`}))
	for _, tt := range privilegeCreations {
		err := s.CreatePrivilege(t.Context(), System(), tt.p)
		if says(err) != tt.want {
			t.Errorf("create %+v: %s, want %s", tt.p, says(err), tt.want)
		}
		if err == nil {
			must(t, s.DeletePrivilege(t.Context(), System(), tt.p.Name))
		}
	}
	wild := Privilege{Name: "w", Type: TypeWildcard, Pattern: "nexus:foo:read", Description: text("d"), Domain: "left out"}
	must(t, s.CreatePrivilege(t.Context(), System(), wild))
	must(t, s.UpdatePrivilege(t.Context(), System(), Privilege{Name: "w", Type: TypeWildcard, Pattern: "nexus:bar:read"}))
	got, err := s.Privilege(t.Context(), "w")
	must(t, err)
	if diff := cmp.Diff(Privilege{Name: "w", Type: TypeWildcard, Pattern: "nexus:bar:read"}, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	for name, want := range map[string]string{"nope": "not found: Privilege 'nope' not found.", "nx-all": "read-only: Privilege 'nx-all' is internal and cannot be modified or deleted.",
		"nx-repository-view-raw-pv-raw-read": "read-only: Privilege 'nx-repository-view-raw-pv-raw-read' is internal and cannot be modified or deleted."} {
		if err := s.DeletePrivilege(t.Context(), System(), name); says(err) != want {
			t.Errorf("delete: %s", says(err))
		}
		if err := s.UpdatePrivilege(t.Context(), System(), Privilege{Name: name, Type: TypeWildcard, Pattern: "x"}); name == "nope" && says(err) != want {
			t.Errorf("update: %s", says(err))
		}
	}
	_, err = s.CreateRole(t.Context(), System(), RoleInput{ID: "pr", Name: "pr", Privileges: []string{"w", "nx-all"}})
	must(t, err)
	must(t, s.DeletePrivilege(t.Context(), System(), "w"))
	if r, _ := s.Role(t.Context(), SourceLocal, "pr"); !slices.Equal(r.Privileges, []string{"nx-all"}) {
		t.Errorf("the role still names the privilege: %v", r.Privileges)
	}
}

func TestSelectorRules(t *testing.T) {
	s := newWorld().open(t)
	good := Selector{Name: "cs1", Expression: `format == "raw"`, Description: text("d"), Type: "jexl"}
	must(t, s.CreateSelector(t.Context(), System(), good))
	tests := []struct {
		sel  Selector
		want string
	}{
		{good, "invalid: name A selector with the same name already exists. Name must be unique."},
		{Selector{Name: "CS1", Expression: good.Expression}, "<nil>"},
		{Selector{}, "invalid: PARAMETER expression must not be blank; PARAMETER name " + badName + "; PARAMETER name must not be blank"},
		{Selector{Name: "ü", Expression: good.Expression}, "invalid: PARAMETER name " + badName},
		{Selector{Name: "cx", Expression: "x y"}, "invalid: expression Invalid CSEL: parsing error in 'y' at line 1 column 3"},
	}
	for _, tt := range tests {
		if err := s.CreateSelector(t.Context(), System(), tt.sel); says(err) != tt.want {
			t.Errorf("create %+v: %s", tt.sel, says(err))
		}
	}
	if err := s.UpdateSelector(t.Context(), System(), Selector{Name: "nope", Expression: "path"}); says(err) != "not found: No selector found for nope" {
		t.Error(says(err))
	}
	if err := s.UpdateSelector(t.Context(), System(), Selector{Name: "cs1"}); says(err) != "invalid: PARAMETER expression must not be blank" {
		t.Error(says(err))
	}
	must(t, s.UpdateSelector(t.Context(), System(), Selector{Name: "cs1", Expression: `path =^ "/x"`}))
	got, err := s.Selector(t.Context(), "cs1")
	must(t, err)
	if diff := cmp.Diff(Selector{Name: "cs1", Type: "csel", Expression: `path =^ "/x"`}, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	must(t, s.CreatePrivilege(t.Context(), System(), Privilege{Name: "csp", Type: TypeSelector, Format: "*", Repository: "*", Selector: "cs1", Actions: []string{"read"}}))
	if err := s.DeleteSelector(t.Context(), System(), "cs1"); says(err) != "in use: Content selector cs1 is in use and cannot be deleted" {
		t.Error(says(err))
	}
	must(t, s.DeletePrivilege(t.Context(), System(), "csp"))
	must(t, s.DeleteSelector(t.Context(), System(), "cs1"))
	if err := s.DeleteSelector(t.Context(), System(), "cs1"); says(err) != "not found: No selector found for cs1" {
		t.Error(says(err))
	}
	must(t, s.ImportSelector(t.Context(), System(), Selector{Name: "old", Type: "jexl", Expression: "format.size() > 1"}))
	list, err := s.Selectors(t.Context())
	must(t, err)
	if len(list) != 2 || list[1].Type != "jexl" {
		t.Errorf("selectors = %+v", list)
	}
}

// What users with selector privileges may do, as recorded on a real server.
func TestSelectorPrivileges(t *testing.T) {
	w := newWorld()
	w.repos = append(w.repos, RepositoryRef{"raw", "pv-grp"})
	s := w.open(t)
	give := func(user, expression, format, repository string, actions ...string) *Subject {
		must(t, s.CreateSelector(t.Context(), System(), Selector{Name: user, Expression: expression}))
		must(t, s.CreatePrivilege(t.Context(), System(), Privilege{Name: user, Type: TypeSelector, Format: format, Repository: repository, Selector: user, Actions: actions}))
		addUser(t, s, user, user)
		return login(t, s, user, user+"-pw")
	}
	a := give("a", `format == "raw" and path =^ "/pub/"`, "raw", "pv-raw", "read", "browse")
	c := give("c", `path == "/exact.txt" or path =^ "pub2/"`, "raw", "pv-raw", "read", "browse")
	e := give("e", `path != "/no.txt"`, "raw", "pv-raw", "read", "edit", "delete", "add")
	demo := give("demo", `path =^ "/org/example/"`, "maven2", "*", "browse", "read")
	views := []struct {
		who        *Subject
		repo, path string
		action     permission.Action
		want       bool
	}{
		{a, "pv-raw", "/pub/a.txt", permission.Read, true},
		{a, "pv-raw", "/PUB/a.txt", permission.Read, false},
		{a, "pv-raw", "/pub/a.txt", permission.Edit, false},
		{a, "pv-grp", "/pub/a.txt", permission.Read, false},
		{c, "pv-raw", "/exact.txt", permission.Read, true},
		{c, "pv-raw", "/pub2/a.txt", permission.Read, false},
		{e, "pv-raw", "/pub/w", permission.Edit, true},
		{e, "pv-raw", "/no.txt", permission.Edit, false},
		// The format of a selector privilege does not restrict it.
		{demo, "pv-raw", "/org/example/x", permission.Read, true},
	}
	for _, tt := range views {
		if got := tt.who.MayView("raw", tt.repo, tt.action, tt.path); got != tt.want {
			t.Errorf("%s: %b on %s%s = %v", tt.who.UserID(), tt.action, tt.repo, tt.path, got)
		}
	}
	if !a.MayEnter("raw", "pv-raw", permission.Browse) || a.MayEnter("raw", "pv-grp", permission.Browse) || e.MayEnter("raw", "pv-raw", permission.Browse) ||
		!demo.MayEnter("apt", "apt-hosted", permission.Browse) {
		t.Error("repositories are shown to the wrong users")
	}
	if a.MayAdminister("raw", "pv-raw", permission.Read) || a.Permits(permission.Everything()) {
		t.Error("a selector opens more than content")
	}
}

func TestRealmRules(t *testing.T) {
	w := newWorld()
	w.opts.Realms = []Realm{{ID: "NpmToken", Name: "npm Bearer Token Realm", Tokens: true}}
	s := w.open(t)
	var names []string
	for _, r := range s.AvailableRealms() {
		names = append(names, r.ID+"="+r.Name)
	}
	if got := strings.Join(names, ", "); got != "DefaultRole=Default Role Realm, NexusAuthenticatingRealm=Local Authenticating Realm, User-Token-Realm=User Token Realm, NpmToken=npm Bearer Token Realm" {
		t.Error(got)
	}
	for _, tt := range []struct {
		ids  []string
		want string
	}{
		{[]string{"nope", "NexusAuthenticatingRealm", "nope2"}, "refused: Unknown realmIds: [nope, nope2]"},
		{[]string{"NexusAuthenticatingRealm", "NexusAuthorizingRealm"}, "refused: Unknown realmIds: [NexusAuthorizingRealm]"},
		{[]string{"DefaultRole", "NpmToken"}, "refused: At least one active realm must authenticate users"},
		{nil, "refused: At least one active realm must authenticate users"},
		{[]string{"NpmToken", "NexusAuthenticatingRealm", "NexusAuthenticatingRealm"}, "<nil>"},
	} {
		if err := s.SetActiveRealms(t.Context(), System(), tt.ids); says(err) != tt.want {
			t.Errorf("%v: %s", tt.ids, says(err))
		}
	}
	if active, _ := s.ActiveRealms(t.Context()); !slices.Equal(active, []string{"NpmToken", "NexusAuthenticatingRealm", "NexusAuthenticatingRealm"}) {
		t.Errorf("active = %v", active)
	}
	must(t, s.ImportRealms(t.Context(), System(), []string{"DefaultRole", "LdapRealm", "NexusAuthorizingRealm"}))
	if active, _ := s.ActiveRealms(t.Context()); !slices.Equal(active, []string{"DefaultRole", "NexusAuthenticatingRealm"}) {
		t.Errorf("active = %v", active)
	}
	login(t, s, "admin", "admin123")
	for a, want := range map[Anonymous]string{
		{true, "", RealmAuthorizing}:            "invalid: PARAMETER userId must not be blank",
		{true, "", ""}:                          "invalid: PARAMETER realmName must not be blank; PARAMETER userId must not be blank",
		{true, "anonymous", "nope"}:             "invalid: realmName Realm does not exist",
		{true, "nobody-here", RealmAuthorizing}: "<nil>",
		{true, "anonymous", RealmLocal}:         "<nil>",
	} {
		if err := s.SetAnonymous(t.Context(), System(), a); says(err) != want {
			t.Errorf("%+v: %s", a, says(err))
		}
	}
	must(t, s.SetAnonymous(t.Context(), System(), Anonymous{true, "nobody-here", RealmAuthorizing}))
	nobody, err := s.Authenticate(t.Context(), Credentials{})
	must(t, err)
	if nobody.UserID() != "nobody-here" || len(nobody.Granted()) != 0 {
		t.Errorf("unknown anonymous user = %+v", nobody)
	}
	if got := s.Sources(); !slices.Equal(got, []Source{{"default", "NexusAuthenticatingRealm"}}) {
		t.Errorf("sources = %v", got)
	}
	w.opts.Realms = append(w.opts.Realms, Realm{ID: RealmLocal})
	if _, err := Open(t.Context(), w.store, &w.opts); err == nil {
		t.Error("a built-in realm was replaced")
	}
}

// A disabled anonymous user leaves callers without credentials nothing.
func TestDisabledAnonymousUser(t *testing.T) {
	s := newWorld().open(t)
	must(t, s.UpdateUser(t.Context(), System(), UserUpdate{ID: "anonymous", Source: SourceLocal, FirstName: "A", LastName: "U", Email: "a@b",
		Status: StatusDisabled, Roles: []string{"nx-anonymous"}}))
	subject, err := s.Authenticate(t.Context(), Credentials{})
	must(t, err)
	if subject.MayView("raw", "Docs", permission.Read, "/") {
		t.Error("may still read")
	}
}
