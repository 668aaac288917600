package access

import (
	"context"
	"maps"
	"slices"
	"strings"

	"entrepot/app/audit"
	"entrepot/storage/kv"
)

// Role is a named set of privileges and other roles. Ids are case-sensitive and may hold any characters.
type Role struct {
	ID          string
	Source      string // "" for a role of this server, else where it is a group
	Name        string
	Description string
	ReadOnly    bool // built in
	Privileges  []string
	Roles       []string
}

// RoleInput is what it takes to make or replace a role.
type RoleInput struct {
	ID          string
	Name        string
	Description *string // nil: the id
	Privileges  []string
	Roles       []string
}

// Validate finds the faults that the request has by itself.
func (r *RoleInput) Validate() error {
	var s shapes
	s.add(r.ID == "", "id", mustNotBeEmpty)
	s.add(tooLong(r.ID), "id", mustBeShort)
	s.add(r.Name == "", "name", mustNotBeEmpty)
	s.add(tooLong(r.Name), "name", mustBeShort)
	return s.err()
}

func (r Role) clone() Role {
	r.Privileges, r.Roles = unique(r.Privileges), unique(r.Roles)
	return r
}

// Roles gives the roles of a source, "" for the local one, by id.
func (s *Service) Roles(ctx context.Context, source string) ([]Role, error) {
	snap, err := s.current(ctx)
	if err != nil {
		return nil, err
	}
	list := []Role{}
	switch {
	case source == "" || source == SourceLocal:
		for _, id := range slices.Sorted(maps.Keys(snap.roles)) {
			list = append(list, snap.roles[id].clone())
		}
	case !s.hasSource(source):
		return nil, refuse(Refused, "Source '%s' not found.", source)
	default:
		return s.externalRoles(ctx, source)
	}
	return list, nil
}

// Role gives one role of a source, "" for the local one.
func (s *Service) Role(ctx context.Context, source, id string) (Role, error) {
	if source != "" && source != SourceLocal {
		return s.externalRole(ctx, source, id)
	}
	snap, err := s.current(ctx)
	if err != nil {
		return Role{}, err
	}
	role, ok := snap.roles[id]
	if !ok {
		return Role{}, noRole(id)
	}
	return role.clone(), nil
}

func (s *Service) externalRole(ctx context.Context, source, id string) (Role, error) {
	list, err := s.Roles(ctx, source)
	if err != nil {
		return Role{}, err
	}
	i := slices.IndexFunc(list, func(r Role) bool { return r.ID == id })
	if i < 0 {
		return Role{}, noRole(id)
	}
	return list[i], nil
}

func noRole(id string) error { return refuse(NotFound, "Role '%s' not found.", id) }

func (r *RoleInput) record() roleRecord {
	record := roleRecord{ID: r.ID, Name: r.Name, Description: r.ID, Privileges: unique(r.Privileges), Roles: unique(r.Roles)}
	if r.Description != nil {
		record.Description = *r.Description
	}
	return record
}

// CreateRole makes a role. The roles and privileges in it must exist.
func (s *Service) CreateRole(ctx context.Context, actor Actor, r RoleInput) (Role, error) {
	if err := r.Validate(); err != nil {
		return Role{}, err
	}
	record := r.record()
	err := s.change(ctx, audit.Event{Actor: actor, Action: "role.create", Object: r.ID}, func(snap *snapshot) ([]kv.Op, error) {
		if _, taken := snap.roles[r.ID]; taken {
			return nil, refuse(Exists, "Role '%s' already exists, use a unique roleId.", r.ID)
		}
		if err := s.checkRole(snap, record); err != nil {
			return nil, err
		}
		return one(put(kv.Key{Partition: partRoles, Sort: r.ID}, record))
	})
	return Role{ID: record.ID, Name: record.Name, Description: record.Description, Privileges: record.Privileges, Roles: record.Roles}, err
}

// UpdateRole replaces a role.
func (s *Service) UpdateRole(ctx context.Context, actor Actor, r RoleInput) error {
	if err := r.Validate(); err != nil {
		return err
	}
	record := r.record()
	return s.change(ctx, audit.Event{Actor: actor, Action: "role.update", Object: r.ID}, func(snap *snapshot) ([]kv.Op, error) {
		if err := snap.changeableRole(r.ID); err != nil {
			return nil, err
		}
		if err := s.checkRole(snap, record); err != nil {
			return nil, err
		}
		if snap.reaches(record.Roles, r.ID) {
			return nil, refuse(Refused, "Role '%s' cannot contain itself either directly or indirectly through child roles.", r.ID)
		}
		return one(put(kv.Key{Partition: partRoles, Sort: r.ID}, record))
	})
}

func (snap *snapshot) changeableRole(id string) error {
	switch role, ok := snap.roles[id]; {
	case !ok:
		return noRole(id)
	case role.ReadOnly:
		return refuse(ReadOnly, "Role '%s' is internal and cannot be modified or deleted.", id)
	}
	return nil
}

// checkRole demands that what a role contains exists.
func (s *Service) checkRole(snap *snapshot, r roleRecord) error {
	for _, id := range r.Roles {
		if _, ok := snap.roles[id]; !ok {
			return refuse(Refused, "Role '%s' contained in role '%s' not found.", id, r.ID)
		}
	}
	derived := s.derivedPrivileges()
	for _, name := range r.Privileges {
		if _, ok := snap.privileges[name]; ok {
			continue
		}
		if _, ok := derived.find(name); !ok {
			return refuse(Refused, "Privilege '%s' contained in role '%s' not found.", name, r.ID)
		}
	}
	return nil
}

// reaches tells whether one of the roles is the wanted one or contains it.
func (snap *snapshot) reaches(roles []string, wanted string) bool {
	seen := map[string]bool{}
	for queue := slices.Clone(roles); len(queue) > 0; queue = queue[1:] {
		id := queue[0]
		if id == wanted {
			return true
		}
		if !seen[id] {
			seen[id] = true
			queue = append(queue, snap.roles[id].Roles...)
		}
	}
	return false
}

// DeleteRole removes a role and its mention in other roles and users. With very many users that mention it they lose it in several
// steps before it goes.
func (s *Service) DeleteRole(ctx context.Context, actor Actor, id string) error {
	event := audit.Event{Actor: actor, Action: "role.delete", Object: id}
	for {
		complete := false
		err := s.change(ctx, event, func(snap *snapshot) ([]kv.Op, error) {
			if err := snap.changeableRole(id); err != nil {
				return nil, err
			}
			ops, err := snap.rolesWith(func(r *roleRecord) (held bool) {
				r.Roles, held = without(r.Roles, id)
				return held
			})
			if err != nil {
				return nil, err
			}
			users, err := s.usersWithRole(ctx, id)
			ops = append(ops, users...)
			if complete = len(ops) < maxOps; complete {
				ops = append(ops, kv.Delete(kv.Key{Partition: partRoles, Sort: id}))
			}
			return ops[:min(len(ops), maxOps)], err
		})
		if err != nil || complete {
			return err
		}
	}
}

// maxOps is how many operations a plan may have, so that the change row still fits.
const maxOps = kv.MaxBatch - 1

// rolesWith gives the operations that store every own role that edit says it changed.
func (snap *snapshot) rolesWith(edit func(*roleRecord) bool) ([]kv.Op, error) {
	var ops []kv.Op
	for _, id := range slices.Sorted(maps.Keys(snap.roles)) {
		role := snap.roles[id]
		r := roleRecord{ID: role.ID, Name: role.Name, Description: role.Description, Privileges: role.Privileges, Roles: role.Roles}
		if role.ReadOnly || !edit(&r) {
			continue
		}
		op, err := put(kv.Key{Partition: partRoles, Sort: id}, r)
		if err != nil {
			return nil, err
		}
		ops = append(ops, op)
	}
	return ops, nil
}

// derivedPrivileges are those of the repositories that exist now.
type derivedPrivileges []RepositoryRef

func (s *Service) derivedPrivileges() derivedPrivileges { return s.opts.Repositories() }

// find gives a derived privilege by its name.
func (d derivedPrivileges) find(name string) (Privilege, bool) {
	if !strings.HasPrefix(name, viewPrefix) && !strings.HasPrefix(name, adminPrefix) {
		return Privilege{}, false
	}
	for _, ref := range d {
		middle := "-" + ref.Format + "-" + ref.Name + "-"
		if !strings.Contains(name, middle) {
			continue
		}
		for _, p := range repositoryPrivileges(ref) {
			if p.Name == name {
				return p, true
			}
		}
	}
	return Privilege{}, false
}
