package access

import (
	"context"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"entrepot/app/access/permission"
)

// model is the plain meaning of roles and privileges.
type model struct {
	patterns map[string]string   // privilege -> permission
	holds    map[string][]string // role -> privileges
	within   map[string][]string // role -> roles
	user     []string            // the user's roles
}

func (m *model) reach(role string, seen map[string]bool) {
	if _, exists := m.holds[role]; !exists || seen[role] {
		return
	}
	seen[role] = true
	for _, inner := range m.within[role] {
		m.reach(inner, seen)
	}
}

func (m *model) permits(t *rapid.T, wanted permission.Permission) bool {
	roles := map[string]bool{}
	for _, role := range m.user {
		m.reach(role, roles)
	}
	for role := range roles {
		for _, privilege := range m.holds[role] {
			if pattern, exists := m.patterns[privilege]; exists {
				p, err := permission.Parse(pattern)
				if err != nil {
					t.Fatal(err)
				}
				if p.Implies(wanted) {
					return true
				}
			}
		}
	}
	return false
}

// valid tells what storing a role must answer.
func (m *model) valid(role string, roles, privileges []string, create bool) Kind {
	if _, exists := m.holds[role]; exists == create {
		if create {
			return Exists
		}
		return NotFound
	}
	for _, r := range roles {
		if _, exists := m.holds[r]; !exists {
			return Refused
		}
	}
	for _, p := range privileges {
		if _, exists := m.patterns[p]; !exists {
			return Refused
		}
	}
	seen := map[string]bool{}
	for _, r := range roles {
		m.reach(r, seen)
	}
	if seen[role] {
		return Refused
	}
	return 0
}

// instances are two services over one store with the model that they must agree with.
type instances struct {
	*model
	world *world
	s     *Service // makes the changes
	other *Service
}

var (
	someName    = rapid.SampledFrom([]string{"a", "b", "c", "d"})
	someNames   = rapid.SliceOfNDistinct(someName, 0, 3, rapid.ID[string])
	somePattern = rapid.SampledFrom([]string{"nexus:settings:read", "nexus:settings:*", "nexus:repository-view:raw:*:read", "nexus:*:read",
		"nexus:repository-view:*:x:*"})
)

func openInstances(t *rapid.T) *instances {
	w := newWorld()
	w.opts.Repositories = nil
	i := &instances{world: w, model: &model{patterns: map[string]string{}, holds: map[string][]string{}, within: map[string][]string{}}}
	for _, s := range []**Service{&i.s, &i.other} {
		var err error
		if *s, err = Open(context.Background(), w.store, &w.opts); err != nil {
			t.Fatal(err)
		}
	}
	err := i.s.ImportUser(context.Background(), System(), ImportedUser{User: User{ID: "u", Source: SourceLocal, Status: StatusActive},
		PasswordHash: "0192023a7bbd73250516f069df18b500"})
	expect(t, "import", err, 0)
	return i
}

func expect(t *rapid.T, what string, err error, want Kind) {
	if (err == nil) != (want == 0) || KindOf(err) != want {
		t.Fatalf("%s: %v, want kind %d", what, err, want)
	}
}

func (i *instances) storeRole(t *rapid.T, create bool) {
	id, roles, privileges := someName.Draw(t, "role"), someNames.Draw(t, "roles"), someNames.Draw(t, "privileges")
	want := i.valid(id, roles, privileges, create)
	input := RoleInput{ID: id, Name: id, Roles: roles, Privileges: privileges}
	if create {
		_, err := i.s.CreateRole(context.Background(), System(), input)
		expect(t, "create role", err, want)
	} else {
		expect(t, "update role", i.s.UpdateRole(context.Background(), System(), input), want)
	}
	if want == 0 {
		i.within[id], i.holds[id] = roles, privileges
	}
}

func (i *instances) deleteRole(t *rapid.T) {
	id := someName.Draw(t, "role")
	want := NotFound
	if _, exists := i.holds[id]; exists {
		want = 0
	}
	expect(t, "delete role", i.s.DeleteRole(context.Background(), System(), id), want)
	delete(i.holds, id)
	delete(i.within, id)
	for role, roles := range i.within {
		i.within[role], _ = without(roles, id)
	}
	i.user, _ = without(i.user, id)
}

func (i *instances) storePrivilege(t *rapid.T, create bool) {
	p := Privilege{Name: someName.Draw(t, "privilege"), Type: TypeWildcard, Pattern: somePattern.Draw(t, "pattern")}
	_, exists := i.patterns[p.Name]
	store, want := i.s.UpdatePrivilege, NotFound
	if create {
		store, want = i.s.CreatePrivilege, Exists
	}
	if create != exists {
		i.patterns[p.Name], want = p.Pattern, 0
	}
	expect(t, "store privilege", store(context.Background(), System(), p), want)
}

func (i *instances) deletePrivilege(t *rapid.T) {
	name := someName.Draw(t, "privilege")
	want := NotFound
	if _, exists := i.patterns[name]; exists {
		want = 0
	}
	expect(t, "delete privilege", i.s.DeletePrivilege(context.Background(), System(), name), want)
	delete(i.patterns, name)
	for role, list := range i.holds {
		i.holds[role], _ = without(list, name)
	}
}

func (i *instances) giveRoles(t *rapid.T) {
	roles := someNames.Draw(t, "roles")
	err := i.s.UpdateUser(context.Background(), System(), UserUpdate{ID: "u", Source: SourceLocal, FirstName: "F", LastName: "L", Email: "a@b",
		Status: StatusActive, Roles: roles})
	unknown := slices.ContainsFunc(roles, func(r string) bool { _, ok := i.holds[r]; return !ok })
	if unknown || len(roles) == 0 {
		expect(t, "give roles", err, Invalid)
		return
	}
	expect(t, "give roles", err, 0)
	i.user = roles
}

func (i *instances) check(t *rapid.T) {
	i.world.clock.advance(2 * defaultRefresh)
	for _, instance := range []*Service{i.s, i.other} {
		subject, err := instance.Authenticate(context.Background(), basic("u", "admin123"))
		if err != nil {
			t.Fatal(err)
		}
		for _, wanted := range []permission.Permission{permission.Application("settings", "read"), permission.Application("settings", "update"),
			permission.RepositoryView("raw", "x", "read"), permission.RepositoryView("apt", "x", "edit"), permission.Everything()} {
			if got, want := subject.Permits(wanted), i.permits(t, wanted); got != want {
				t.Fatalf("%v: %v, model says %v", wanted, got, want)
			}
		}
		want := i.permits(t, permission.RepositoryView("raw", "x", "read"))
		if got := subject.MayView("raw", "x", permission.Read, "/a"); got != want {
			t.Fatalf("MayView = %v, model says %v", got, want)
		}
	}
}

// Random changes of roles, privileges and a user must leave the service and the model of one mind, seen from the instance that
// makes the changes and from another one.
func TestRolesAgainstModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		i := openInstances(t)
		t.Repeat(map[string]func(*rapid.T){
			"create role":      func(t *rapid.T) { i.storeRole(t, true) },
			"update role":      func(t *rapid.T) { i.storeRole(t, false) },
			"delete role":      i.deleteRole,
			"create privilege": func(t *rapid.T) { i.storePrivilege(t, true) },
			"update privilege": func(t *rapid.T) { i.storePrivilege(t, false) },
			"delete privilege": i.deletePrivilege,
			"give roles":       i.giveRoles,
			"":                 i.check,
		})
	})
}
