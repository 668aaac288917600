package access

import (
	"context"
	"slices"
	"strings"

	"entrepot/app/access/permission"
	"entrepot/app/audit"
	"entrepot/storage/kv"
)

// Privileges gives all privileges by name: built-in ones, those of repositories, and stored ones.
func (s *Service) Privileges(ctx context.Context) ([]Privilege, error) {
	snap, err := s.current(ctx)
	if err != nil {
		return nil, err
	}
	list := make([]Privilege, 0, len(snap.privileges))
	for _, p := range snap.privileges {
		list = append(list, p.clone())
	}
	for _, ref := range s.derivedPrivileges() {
		for _, p := range repositoryPrivileges(ref) {
			if _, taken := snap.privileges[p.Name]; !taken {
				list = append(list, p)
			}
		}
	}
	slices.SortFunc(list, func(a, b Privilege) int { return strings.Compare(a.Name, b.Name) })
	return list, nil
}

// Privilege gives one privilege.
func (s *Service) Privilege(ctx context.Context, name string) (Privilege, error) {
	snap, err := s.current(ctx)
	if err != nil {
		return Privilege{}, err
	}
	p, ok := s.findPrivilege(snap, name)
	if !ok {
		return Privilege{}, noPrivilege(name)
	}
	return p.clone(), nil
}

func (s *Service) findPrivilege(snap *snapshot, name string) (Privilege, bool) {
	if p, ok := snap.privileges[name]; ok {
		return p, true
	}
	return s.derivedPrivileges().find(name)
}

func noPrivilege(name string) error { return refuse(NotFound, "Privilege '%s' not found.", name) }

// Validate finds the faults that a privilege to be stored has by itself.
func (p *Privilege) Validate() error { return p.validate() }

// CreatePrivilege stores a new privilege.
func (s *Service) CreatePrivilege(ctx context.Context, actor Actor, p Privilege) error {
	return s.storePrivilege(ctx, audit.Event{Actor: actor, Action: "privilege.create", Object: p.Name}, p, func(snap *snapshot) error {
		if _, taken := s.findPrivilege(snap, p.Name); taken {
			return refuse(Exists, "Privilege '%s' already exists, use a unique name.", p.Name)
		}
		return nil
	})
}

// UpdatePrivilege replaces a stored privilege.
func (s *Service) UpdatePrivilege(ctx context.Context, actor Actor, p Privilege) error {
	return s.storePrivilege(ctx, audit.Event{Actor: actor, Action: "privilege.update", Object: p.Name}, p, func(snap *snapshot) error {
		return s.changeablePrivilege(snap, p.Name)
	})
}

func (s *Service) storePrivilege(ctx context.Context, event audit.Event, p Privilege, allowed func(*snapshot) error) error {
	if err := p.validate(); err != nil {
		return err
	}
	return s.change(ctx, event, func(snap *snapshot) ([]kv.Op, error) {
		if err := s.checkPrivilege(snap, &p); err != nil {
			return nil, err
		}
		if err := allowed(snap); err != nil {
			return nil, err
		}
		return one(put(kv.Key{Partition: partPrivileges, Sort: p.Name}, p.record()))
	})
}

// record gives the stored form: only the members that the type uses.
func (p *Privilege) record() privilegeRecord {
	r := privilegeRecord{Name: p.Name, Type: p.Type, Description: p.Description}
	switch p.Type {
	case TypeWildcard:
		r.Pattern = p.Pattern
		return r
	case TypeApplication:
		r.Domain = p.Domain
	case TypeScript:
		r.Script = p.Script
	case TypeSelector:
		r.Selector = p.Selector
		fallthrough
	default:
		r.Format, r.Repository = p.Format, p.Repository
	}
	r.Actions = slices.Clone(p.Actions)
	return r
}

func (s *Service) changeablePrivilege(snap *snapshot, name string) error {
	switch p, ok := s.findPrivilege(snap, name); {
	case !ok:
		return noPrivilege(name)
	case p.ReadOnly:
		return refuse(ReadOnly, "Privilege '%s' is internal and cannot be modified or deleted.", name)
	}
	return nil
}

// checkPrivilege demands that actions fit the type and that what the privilege names exists.
func (s *Service) checkPrivilege(snap *snapshot, p *Privilege) error {
	if err := p.checkActions(); err != nil {
		return err
	}
	switch p.Type {
	case TypeScript:
		if !s.opts.ScriptExists(p.Script) {
			return refuse(Refused, "Invalid script '%s' supplied.", p.Script)
		}
	case TypeSelector:
		if _, ok := snap.selectors[p.Selector]; !ok {
			return refuse(Refused, "Invalid selector '%s' supplied.", p.Selector)
		}
		return s.checkRepository(p.Format, p.Repository)
	case TypeView, TypeAdmin:
		return s.checkRepository(p.Format, p.Repository)
	}
	return nil
}

func (s *Service) checkRepository(format, repository string) error {
	known := func(format string) bool { return format == permission.Any || slices.Contains(s.opts.Formats, format) }
	if repository == permission.Any {
		if !known(format) {
			return refuse(Refused, "Invalid format '%s' supplied.", format)
		}
		return nil
	}
	for _, ref := range s.opts.Repositories() {
		if !strings.EqualFold(ref.Name, repository) {
			continue
		}
		if format != permission.Any && format != ref.Format {
			return refuse(Refused, "Invalid format '%s' supplied for repository '%s'.", format, repository)
		}
		return nil
	}
	return refuse(Refused, "Invalid repository '%s' supplied.", repository)
}

// DeletePrivilege removes a stored privilege, also from the roles that name it.
func (s *Service) DeletePrivilege(ctx context.Context, actor Actor, name string) error {
	event := audit.Event{Actor: actor, Action: "privilege.delete", Object: name}
	for {
		complete := false
		err := s.change(ctx, event, func(snap *snapshot) ([]kv.Op, error) {
			if err := s.changeablePrivilege(snap, name); err != nil {
				return nil, err
			}
			ops, err := snap.rolesWith(func(r *roleRecord) (held bool) {
				r.Privileges, held = without(r.Privileges, name)
				return held
			})
			if complete = len(ops) < maxOps; complete {
				ops = append(ops, kv.Delete(kv.Key{Partition: partPrivileges, Sort: name}))
			}
			return ops[:min(len(ops), maxOps)], err
		})
		if err != nil || complete {
			return err
		}
	}
}

// ImportPrivilege stores a privilege as another server kept it, replacing one with the same name, without asking whether what it
// names exists here.
func (s *Service) ImportPrivilege(ctx context.Context, actor Actor, p Privilege) error {
	if blank(p.Name) {
		return refuse(Refused, "A privilege needs a name.")
	}
	return s.change(ctx, audit.Event{Actor: actor, Action: "privilege.import", Object: p.Name}, func(*snapshot) ([]kv.Op, error) {
		return one(put(kv.Key{Partition: partPrivileges, Sort: p.Name}, p.record()))
	})
}

// ImportRole stores a role as another server kept it, replacing one with the same id, without asking whether what it contains
// exists here. A built-in role is left as it is.
func (s *Service) ImportRole(ctx context.Context, actor Actor, r RoleInput) error {
	if r.ID == "" {
		return refuse(Refused, "A role needs an id.")
	}
	record := r.record()
	return s.change(ctx, audit.Event{Actor: actor, Action: "role.import", Object: r.ID}, func(snap *snapshot) ([]kv.Op, error) {
		if snap.roles[r.ID].ReadOnly {
			return nil, nil
		}
		return one(put(kv.Key{Partition: partRoles, Sort: r.ID}, record))
	})
}
