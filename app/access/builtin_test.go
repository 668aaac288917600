package access

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"entrepot/app/access/permission"
)

// wirePrivilege is a privilege as clients see it.
type wirePrivilege struct {
	Type, Name, Description     string
	ReadOnly                    bool
	Pattern, Domain             string
	Format, Repository          string
	ContentSelector, ScriptName string
	Actions                     []string
}

func wire(p Privilege) wirePrivilege {
	out := wirePrivilege{Type: string(p.Type), Name: p.Name, ReadOnly: p.ReadOnly, Pattern: p.Pattern, Domain: p.Domain, Format: p.Format,
		Repository: p.Repository, ContentSelector: p.Selector, ScriptName: p.Script}
	if p.Description != nil {
		out.Description = *p.Description
	}
	for _, action := range p.Actions {
		out.Actions = append(out.Actions, ActionLabel(p.Type, action))
	}
	return out
}

// The built-in privileges are those of a real server without repositories, byte for byte.
func TestBuiltinPrivilegesAsRecorded(t *testing.T) {
	data, err := os.ReadFile("../../../shared/fixtures/corpus/rest/reference/privileges.json")
	if err != nil {
		t.Skip("the reference is not here: ", err)
	}
	var want []wirePrivilege
	must(t, json.Unmarshal(data, &want))
	w := newWorld()
	w.repos = nil
	list, err := w.open(t).Privileges(t.Context())
	must(t, err)
	var got []wirePrivilege
	for _, p := range list {
		if p.Domain == "ldap" || strings.HasPrefix(p.Domain, "usertoken-") {
			continue // of what the recorded build lacked
		}
		got = append(got, wire(p))
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestBuiltinPrivileges(t *testing.T) {
	s := newWorld().open(t)
	tests := []wirePrivilege{
		{Type: "wildcard", Name: "nx-all", Description: "All permissions", Pattern: "nexus:*"},
		{Type: "application", Name: "nx-settings-update", Description: "Update permission for Settings", Domain: "settings", Actions: []string{"EDIT", "READ"}},
		{Type: "application", Name: "nx-users-create", Description: "Create permission for Users", Domain: "users", Actions: []string{"ADD", "READ"}},
		{Type: "application", Name: "nx-tasks-run", Description: "Run permission for Scheduled Tasks", Domain: "tasks", Actions: []string{"START", "STOP"}},
		{Type: "application", Name: "nx-atlas-all", Description: "All permissions for Support Tools", Domain: "atlas", Actions: []string{"ALL"}},
		{Type: "application", Name: "nx-apikey-all", Description: "All permissions for APIKey", Domain: "apikey", Actions: []string{"ALL"}},
		{Type: "application", Name: "nx-wonderland-all", Description: "All permissions for Wonderland", Domain: "wonderland", Actions: []string{"ALL"}},
		{Type: "script", Name: "nx-script-*-add", Description: "Add permissions for Scripts", ScriptName: "*", Actions: []string{"ADD", "READ"}},
		{Type: "script", Name: "nx-script-*-run", Description: "Run permissions for Scripts", ScriptName: "*", Actions: []string{"RUN"}},
		{Type: "repository-view", Name: "nx-repository-view-*-*-*", Description: "All permissions for all repository views", Format: "*", Repository: "*", Actions: []string{"ALL"}},
		{Type: "repository-view", Name: "nx-repository-view-raw-*-browse", Description: "Browse privilege for all 'raw'-format repository views", Format: "raw", Repository: "*", Actions: []string{"BROWSE"}},
		{Type: "repository-admin", Name: "nx-repository-admin-*-*-edit", Description: "Edit privilege for all repository administration", Format: "*", Repository: "*", Actions: []string{"EDIT"}},
		{Type: "repository-view", Name: "nx-repository-view-raw-pv-raw-*", Description: "All privileges for pv-raw repository views", Format: "raw", Repository: "pv-raw", Actions: []string{"ALL"}},
		{Type: "repository-view", Name: "nx-repository-view-raw-pv-raw-add", Description: "Add privilege for pv-raw repository views", Format: "raw", Repository: "pv-raw", Actions: []string{"ADD"}},
		{Type: "repository-admin", Name: "nx-repository-admin-raw-pv-raw-read", Description: "Read privilege for pv-raw repository administration", Format: "raw", Repository: "pv-raw", Actions: []string{"READ"}},
	}
	for _, want := range tests {
		want.ReadOnly = true
		p, err := s.Privilege(t.Context(), want.Name)
		must(t, err)
		if diff := cmp.Diff(want, wire(p)); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	}
	for _, name := range []string{"nx-repository-admin-raw-pv-raw-add", "nx-repository-view-raw-gone-read", "nx-repository-view-yum-*-browse",
		"nx-healthcheck-read", "NX-ALL", "nope", ""} {
		_, err := s.Privilege(t.Context(), name)
		if KindOf(err) != NotFound {
			t.Errorf("%q: %v", name, err)
		}
	}
}

// The privileges of a repository are there as long as it is.
func TestPrivilegesFollowRepositories(t *testing.T) {
	w := newWorld()
	s := w.open(t)
	before, err := s.Privileges(t.Context())
	must(t, err)
	w.repos = append(w.repos, RepositoryRef{"apt", "a-b-read"})
	after, err := s.Privileges(t.Context())
	must(t, err)
	if len(after) != len(before)+11 {
		t.Errorf("%d privileges after, %d before", len(after), len(before))
	}
	addUser(t, s, "u", "nx-repository-view-apt-a-b-read-read")
	subject := login(t, s, "u", "u-pw")
	if !subject.MayView("apt", "a-b-read", permission.Read, "/x") || subject.MayView("apt", "a", permission.Read, "/x") {
		t.Error("the privilege does not mean its repository")
	}
	w.repos = w.repos[:len(w.repos)-1]
	if _, err := s.Privilege(t.Context(), "nx-repository-view-apt-a-b-read-read"); KindOf(err) != NotFound {
		t.Errorf("still there: %v", err)
	}
}

func TestDerivedPermission(t *testing.T) {
	formats := []string{"raw", "raw-x"}
	tests := []struct{ name, want string }{
		{"nx-repository-view-raw-docs-read", "nexus:repository-view:raw:docs:read"},
		{"nx-repository-view-raw-a-b-c-*", "nexus:repository-view:raw:a-b-c:*"},
		{"nx-repository-view-raw-x-docs-read", "nexus:repository-view:raw-x:docs:read"},
		{"nx-repository-admin-npm-Lib-edit", "nexus:repository-admin:npm:lib:edit"},
		{"nx-repository-view-npm-*-read", "nexus:repository-view:npm:*:read"},
		{"nx-repository-view-raw-read", ""},
		{"nx-repository-view-raw--read", ""},
		{"nx-repository-view--docs-read", ""},
		{"nx-repository-view-raw-docs-run", ""},
		{"nx-repository-view-", ""},
		{"nx-repository-view-read", ""},
		{"docs", ""},
	}
	for _, tt := range tests {
		p, ok := derivedPermission(tt.name, formats)
		if ok != (tt.want != "") || p.String() != tt.want {
			t.Errorf("%q grants %q, want %q", tt.name, p, tt.want)
		}
	}
}

func TestActions(t *testing.T) {
	tests := []struct {
		t             PrivilegeType
		label, stored string
	}{
		{TypeApplication, "ADD", "create"}, {TypeApplication, "EDIT", "update"}, {TypeApplication, "ALL", "*"}, {TypeApplication, "READ", "read"},
		{TypeApplication, "BROWSE", "browse"}, {TypeView, "ADD", "add"}, {TypeView, "EDIT", "edit"}, {TypeScript, "RUN", "run"}, {TypeView, "ALL", "*"},
	}
	for _, tt := range tests {
		if got, ok := ParseAction(tt.t, tt.label); !ok || got != tt.stored {
			t.Errorf("ParseAction(%s, %s) = %q, %v", tt.t, tt.label, got, ok)
		}
		if got := ActionLabel(tt.t, tt.stored); got != tt.label {
			t.Errorf("ActionLabel(%s, %s) = %q", tt.t, tt.stored, got)
		}
	}
	for _, label := range []string{"CREATE", "UPDATE", "*", "", "NOPE"} {
		if got, ok := ParseAction(TypeApplication, label); ok {
			t.Errorf("ParseAction(%q) = %q", label, got)
		}
	}
	if got, _ := ParseAction(TypeView, "read"); got != "read" {
		t.Errorf("lower case: %q", got)
	}
}

func TestBuiltinRoles(t *testing.T) {
	s := newWorld().open(t)
	roles, err := s.Roles(t.Context(), SourceLocal)
	must(t, err)
	want := []Role{
		{ID: "nx-admin", Name: "nx-admin", Description: "Administrator Role", ReadOnly: true, Privileges: []string{"nx-all"}, Roles: []string{}},
		{ID: "nx-anonymous", Name: "nx-anonymous", Description: "Anonymous Role", ReadOnly: true, Roles: []string{},
			Privileges: []string{"nx-healthcheck-read", "nx-search-read", "nx-repository-view-*-*-read", "nx-repository-view-*-*-browse"}},
	}
	if diff := cmp.Diff(want, roles); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	anonymous, err := s.Authenticate(t.Context(), Credentials{})
	must(t, err)
	if !anonymous.MayView("raw", "docs", permission.Read|permission.Browse, "/x") || anonymous.MayView("raw", "docs", permission.Edit, "/x") ||
		!anonymous.Permits(permission.Application("search", "read")) || anonymous.Permits(permission.Application("settings", "read")) {
		t.Errorf("anonymous holds %v", anonymous.Granted())
	}
	if !slices.Equal(anonymous.Roles(), []string{"nx-anonymous"}) || anonymous.UserID() != "anonymous" || !anonymous.Anonymous() {
		t.Errorf("anonymous = %+v", anonymous)
	}
}
