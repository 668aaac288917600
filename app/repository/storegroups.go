package repository

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"entrepot/app/audit"
	"entrepot/formats"
	"entrepot/storage/kv"
)

// BlobStoreGroups gives the names of the groups that have a blob store among their members.
func (e *Engine) BlobStoreGroups(name string) []string {
	var groups []string
	for _, s := range e.state.Load().stores {
		if slices.Contains(s.def.Members, name) {
			groups = append(groups, s.def.Name)
		}
	}
	slices.Sort(groups)
	return groups
}

// checkGroup refuses members that are not there, that are groups themselves or that others use: what lies in a member is the group's.
func (p *problems) checkGroup(s *state, b BlobStore) {
	if b.FillPolicy != FillRoundRobin && b.FillPolicy != FillFirst {
		p.add("fillPolicy", "must be one of "+string(FillRoundRobin)+", "+string(FillFirst))
	}
	if len(b.Members) == 0 {
		p.add("members", "A group of blob stores needs at least one member")
	}
	before := s.stores[b.Name]
	for i, name := range b.Members {
		m := s.stores[name]
		switch {
		case slices.Contains(b.Members[:i], name):
			p.add("members", "Blob store "+name+" is named twice")
		case m == nil:
			p.add("members", "Blob store "+name+" does not exist")
		case m.def.Type == BlobStoreGroup:
			p.add("members", "Blob store "+name+" is a group and cannot be a member of another")
		case before != nil && slices.Contains(before.def.Members, name):
		default:
			p.checkFree(s, b.Name, name)
		}
	}
}

// checkFree refuses a new member of a group that something else uses.
func (p *problems) checkFree(s *state, group, member string) {
	for _, other := range s.stores {
		if other.def.Name != group && slices.Contains(other.def.Members, member) {
			p.add("members", "Blob store "+member+" is a member of group "+other.def.Name)
			return
		}
	}
	used := func(r *repo) bool { return r.def.BlobStore == member }
	if i := slices.IndexFunc(s.ordered, used); i >= 0 {
		p.add("members", "Blob store "+member+" is used by repository "+s.ordered[i].def.Name+"; make it a group instead")
	}
}

// checkTakenOut refuses to take a member out of a group while records reach blobs in it.
func (e *Engine) checkTakenOut(ctx context.Context, before *store, b BlobStore) error {
	for _, m := range before.members {
		if slices.Contains(b.Members, m.def.Name) {
			continue
		}
		usage, err := e.opts.Catalog.StoreUsage(ctx, m.def.Ref())
		if err != nil {
			return fmt.Errorf("repository: usage of blob store %s: %w", m.def.Name, err)
		}
		if usage.Blobs > 0 {
			message := fmt.Sprintf("Blob store %s holds %d blobs and cannot be taken out of the group", m.def.Name, usage.Blobs)
			return formats.FieldErrors{{Field: "members", Message: message}}
		}
	}
	return nil
}

// ConvertBlobStore makes a group of a blob store: it gets another name and becomes the group's only member, and the group takes its old name, so
// that the repositories that use it use the group. It gives the group.
func (e *Engine) ConvertBlobStore(ctx context.Context, name, original string) (BlobStore, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	s := e.state.Load()
	b := s.stores[name]
	if b == nil {
		return BlobStore{}, errStoreNotFound(name)
	}
	member := b.def
	member.Name, member.Label = original, b.def.Ref()
	if member.Path == "" && member.Type == BlobStoreFile {
		member.Path = name // where it lies by default
	}
	var p problems
	switch groups := e.BlobStoreGroups(name); {
	case member.Type == BlobStoreGroup:
		p.add("name", "Blob store "+name+" is a group already")
	case len(groups) > 0:
		p.add("name", "Blob store "+name+" is a member of group "+strings.Join(groups, ", "))
	}
	p.checkStoreName(s, original)
	if len(p.list) > 0 {
		return BlobStore{}, p.list
	}
	if err := e.writable(); err != nil {
		return BlobStore{}, err
	}
	group := BlobStore{Name: name, Type: BlobStoreGroup, Members: []string{original}, FillPolicy: FillFirst}
	ops := make([]kv.Op, 0, 2)
	for _, def := range []BlobStore{group, member} {
		value, err := encodeStore(def)
		if err != nil {
			return BlobStore{}, err
		}
		if def.Name == name {
			ops = append(ops, kv.PutIf(storeKey(name), value, b.version))
		} else {
			ops = append(ops, kv.PutNew(storeKey(def.Name), value))
		}
	}
	if err := e.apply(ctx, ops...); err != nil {
		return BlobStore{}, err
	}
	e.tell(ctx, "", audit.Event{Action: "blob-store.convert", Object: name, Before: b.def, After: group})
	return group, nil
}
