package access

import (
	"strings"

	"entrepot/app/access/permission"
)

// The ids of what exists on every server.
const (
	RoleAdmin     = "nx-admin"
	RoleAnonymous = "nx-anonymous"
	UserAdmin     = "admin"
	UserAnonymous = "anonymous"
)

// viewPrefix and adminPrefix begin the names of the privileges derived from formats and repositories.
const (
	viewPrefix  = "nx-repository-view-"
	adminPrefix = "nx-repository-admin-"
)

// scopedActions are the actions of derived privileges, as their names end.
var scopedActions = []string{permission.Any, "add", "browse", "delete", "edit", "read"}

// builtinRoles gives the roles that exist on every server.
func builtinRoles() []Role {
	return []Role{
		{ID: RoleAdmin, Name: RoleAdmin, Description: "Administrator Role", ReadOnly: true, Privileges: []string{"nx-all"}, Roles: []string{}},
		{ID: RoleAnonymous, Name: RoleAnonymous, Description: "Anonymous Role", ReadOnly: true, Roles: []string{}, Privileges: []string{
			"nx-healthcheck-read", "nx-search-read", "nx-repository-view-*-*-read", "nx-repository-view-*-*-browse"}},
	}
}

// applicationDomain describes the built-in privileges of one domain: nx-DOMAIN-VERB for each verb.
type applicationDomain struct {
	domain, label string
	verbs         []string
}

func applicationDomains() []applicationDomain {
	all, crud := []string{"all"}, []string{"all", "create", "delete", "read", "update"}
	return []applicationDomain{
		{"analytics", "Analytics", all},
		{"apikey", "APIKey", all},
		{"atlas", "Support Tools", all},
		{"blobstores", "Blobstores", crud},
		{"bundles", "Bundles", []string{"all", "read"}},
		{"capabilities", "Capabilities", crud},
		{"datastores", "Datastores", crud},
		{"ldap", "LDAP", crud},
		{"logging", "Logging", []string{"all", "read", "update"}},
		{"metrics", "Metrics", all},
		{"privileges", "Privileges", crud},
		{"roles", "Roles", crud},
		{"search", "Search", []string{"read"}},
		{"selectors", "Selectors", crud},
		{"settings", "Settings", []string{"all", "read", "update"}},
		{"ssl-truststore", "Ssl-truststore", crud},
		{"tasks", "Tasks", crud},
		{"users", "Users", crud},
		{"wonderland", "Wonderland", all},
	}
}

// builtinPrivileges gives the privileges that do not depend on repositories: the application's own and, for each format, those over
// all repositories of it.
func builtinPrivileges(formats []string) []Privilege {
	list := []Privilege{
		{Name: "nx-all", Type: TypeWildcard, Pattern: "nexus:*", Description: text("All permissions")},
		application("nx-component-upload", "component", "Upload component permission", "create"),
		application("nx-logging-mark", "logging", "Mark permission for Logging", "create"),
		application("nx-tasks-run", "tasks", "Run permission for Scheduled Tasks", "start", "stop"),
		application("nx-usertoken-current", "usertoken-current", "All permissions for one's own user token", permission.Any),
		application("nx-usertoken-settings", "usertoken-settings", "Read and update permission for settings of user tokens", "read", "update"),
		application("nx-usertoken-user", "usertoken-user", "Delete permission for user tokens of others", "delete"),
		application("nx-userschangepw", "userschangepw", "Change password permission", "create", "read"),
	}
	for _, d := range applicationDomains() {
		for _, verb := range d.verbs {
			list = append(list, application("nx-"+d.domain+"-"+verb, d.domain, verbTitle(verb)+" "+d.label, verbActions(verb)...))
		}
	}
	for _, action := range append([]string{"run"}, scopedActions...) {
		actions := []string{action}
		switch action {
		case "add", "browse", "delete", "edit":
			actions = append(actions, "read")
		}
		list = append(list, Privilege{Name: "nx-script-*-" + action, Type: TypeScript, Script: permission.Any, Actions: actions,
			Description: text(actionTitle(action) + " permissions for Scripts")})
	}
	for _, action := range scopedActions {
		list = append(list,
			scoped(TypeView, permission.Any, permission.Any, action, " permissions for all repository views"),
			scoped(TypeAdmin, permission.Any, permission.Any, action, " "+noun(action)+" for all repository administration"))
		for _, format := range formats {
			list = append(list,
				scoped(TypeView, format, permission.Any, action, " "+noun(action)+" for all '"+format+"'-format repository views"))
		}
	}
	for i := range list {
		list[i].ReadOnly = true
	}
	return list
}

// repositoryPrivileges gives the privileges that exist as long as a repository does.
func repositoryPrivileges(ref RepositoryRef) []Privilege {
	var list []Privilege
	for _, action := range scopedActions {
		list = append(list, scoped(TypeView, ref.Format, ref.Name, action, " "+noun(action)+" for "+ref.Name+" repository views"))
		if action != "add" {
			list = append(list,
				scoped(TypeAdmin, ref.Format, ref.Name, action, " "+noun(action)+" for "+ref.Name+" repository administration"))
		}
	}
	for i := range list {
		list[i].ReadOnly = true
	}
	return list
}

func text(s string) *string { return &s }

func application(name, domain, description string, actions ...string) Privilege {
	return Privilege{Name: name, Type: TypeApplication, Domain: domain, Description: text(description), Actions: actions}
}

func scoped(t PrivilegeType, format, repository, action, description string) Privilege {
	prefix := viewPrefix
	if t == TypeAdmin {
		prefix = adminPrefix
	}
	return Privilege{Name: prefix + format + "-" + repository + "-" + action, Type: t, Format: format, Repository: repository,
		Actions: []string{action}, Description: text(actionTitle(action) + description)}
}

func verbTitle(verb string) string {
	if verb == "all" {
		return "All permissions for"
	}
	return strings.ToUpper(verb[:1]) + verb[1:] + " permission for"
}

func verbActions(verb string) []string {
	switch verb {
	case "all":
		return []string{permission.Any}
	case "read":
		return []string{"read"}
	}
	return []string{verb, "read"}
}

func actionTitle(action string) string {
	if action == permission.Any {
		return "All"
	}
	return strings.ToUpper(action[:1]) + action[1:]
}

func noun(action string) string {
	if action == permission.Any {
		return "privileges"
	}
	return "privilege"
}

// derivedPermission gives what the name of a derived privilege grants. It needs no list of repositories: a permission on one that
// does not exist opens nothing. A format that is not installed is taken to end at the first hyphen.
func derivedPermission(name string, formats []string) (permission.Permission, bool) {
	build, rest := permission.RepositoryView, ""
	if after, found := strings.CutPrefix(name, viewPrefix); found {
		rest = after
	} else if after, found := strings.CutPrefix(name, adminPrefix); found {
		build, rest = permission.RepositoryAdmin, after
	} else {
		return permission.Permission{}, false
	}
	cut := strings.LastIndexByte(rest, '-')
	if cut < 0 {
		return permission.Permission{}, false
	}
	scope, action := rest[:cut], rest[cut+1:]
	if action != permission.Any && permission.ParseAction(action) == 0 {
		return permission.Permission{}, false
	}
	format, repository, found := strings.Cut(scope, "-")
	for _, known := range formats {
		if after, ok := strings.CutPrefix(scope, known+"-"); ok && len(known) > len(format) {
			format, repository = known, after
		}
	}
	if !found || format == "" || repository == "" {
		return permission.Permission{}, false
	}
	return build(format, repository, action), true
}
