package repository

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"entrepot/app/audit"
	"entrepot/formats"
	"entrepot/storage/blob"
	"entrepot/storage/catalog"
	"entrepot/storage/kv"
)

// The types of soft quotas.
const (
	QuotaRemaining = "spaceRemainingQuota"
	QuotaUsed      = "spaceUsedQuota"
)

// BlobStores gives all blob stores by name.
func (e *Engine) BlobStores() []BlobStore {
	s := e.state.Load()
	all := make([]BlobStore, 0, len(s.stores))
	for _, b := range s.stores {
		all = append(all, b.def)
	}
	slices.SortFunc(all, func(a, b BlobStore) int { return cmp.Compare(a.Name, b.Name) })
	return all
}

// BlobStore gives a blob store's definition. The cause of its refusal is ErrNotFound.
func (e *Engine) BlobStore(name string) (BlobStore, error) {
	b := e.state.Load().stores[name]
	if b == nil {
		return BlobStore{}, errStoreNotFound(name)
	}
	return b.def, nil
}

// Blobs gives the bytes of the blob store that records of blobs call ref (see BlobStore.Ref), or of an adopted store, or why they cannot be
// used.
func (e *Engine) Blobs(ref string) (*blob.Store, error) {
	if blobs := e.adopted(ref); blobs != nil {
		return blobs, nil
	}
	b := e.state.Load().labels[ref]
	switch {
	case b == nil:
		return nil, errStoreNotFound(ref)
	case b.blobs == nil:
		return nil, b.unavailable()
	}
	return b.blobs, nil
}

// BlobsIn gives the bytes behind a blob store by its name: its own, or those of all members of a group, or why some cannot be used.
func (e *Engine) BlobsIn(name string) ([]*blob.Store, error) {
	s := e.state.Load().stores[name]
	if s == nil {
		return nil, errStoreNotFound(name)
	}
	parts := s.members
	if s.def.Type != BlobStoreGroup {
		parts = []*store{s}
	}
	blobs := make([]*blob.Store, len(parts))
	for i, part := range parts {
		if part.blobs == nil {
			return nil, part.unavailable()
		}
		blobs[i] = part.blobs
	}
	return blobs, nil
}

// BlobStoreUsers gives the names of the repositories that keep their content in a blob store.
func (e *Engine) BlobStoreUsers(name string) []string {
	var users []string
	for _, r := range e.state.Load().ordered {
		if r.def.BlobStore == name {
			users = append(users, r.def.Name)
		}
	}
	return users
}

// CreateBlobStore adds a blob store. One in a folder must open, and the members of a group must be there; others are kept for the day they
// can be served.
func (e *Engine) CreateBlobStore(ctx context.Context, b BlobStore) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	s := e.state.Load()
	if problems := checkStore(s, b, true); len(problems) > 0 {
		return problems
	}
	if err := e.writable(); err != nil {
		return err
	}
	if err := e.tryStore(ctx, b); err != nil {
		return err
	}
	b.Label = ""
	if s.labels[b.Name] != nil { // a store that has another name now was called so
		b.Label = "store-" + newContentID()
	}
	value, err := encodeStore(b)
	if err != nil {
		return err
	}
	if err := e.apply(ctx, kv.PutNew(storeKey(b.Name), value)); err != nil {
		return err
	}
	e.tell(ctx, "", audit.Event{Action: "blob-store.create", Object: b.Name, After: b})
	return nil
}

func encodeStore(b BlobStore) ([]byte, error) {
	value, err := json.Marshal(b)
	if err != nil {
		return nil, fmt.Errorf("repository: encode blob store: %w", err)
	}
	return value, nil
}

// UpdateBlobStore replaces the definition of the blob store with the same name. A new path takes effect at once: the blobs must be there.
func (e *Engine) UpdateBlobStore(ctx context.Context, b BlobStore) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	s := e.state.Load()
	before := s.stores[b.Name]
	if before == nil {
		return errStoreNotFound(b.Name)
	}
	if problems := checkStore(s, b, false); len(problems) > 0 {
		return problems
	}
	if err := e.writable(); err != nil {
		return err
	}
	if before.def.Type != b.Type {
		return &formats.Error{Kind: formats.Denied, Message: "The type of a blob store cannot be changed", Err: ErrFixed}
	}
	if before.def.Path != b.Path {
		if err := e.tryStore(ctx, b); err != nil {
			return err
		}
	}
	if err := e.checkTakenOut(ctx, before, b); err != nil {
		return err
	}
	b.Label = before.def.Label
	value, err := encodeStore(b)
	if err != nil {
		return err
	}
	if err := e.apply(ctx, kv.PutIf(storeKey(b.Name), value, before.version)); err != nil {
		return err
	}
	e.tell(ctx, "", audit.Event{Action: "blob-store.update", Object: b.Name, Before: before.def, After: b})
	return nil
}

// DeleteBlobStore forgets a blob store that no repository and no group uses. Its bytes stay where they are.
func (e *Engine) DeleteBlobStore(ctx context.Context, name string) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	b := e.state.Load().stores[name]
	if b == nil {
		return errStoreNotFound(name)
	}
	if err := e.writable(); err != nil {
		return err
	}
	if len(e.BlobStoreUsers(name)) > 0 || len(e.BlobStoreGroups(name)) > 0 {
		return &formats.Error{Kind: formats.Denied, Message: "BlobStore " + name + " is in use and cannot be deleted", Err: ErrInUse}
	}
	if err := e.apply(ctx, kv.DeleteIf(storeKey(name), b.version)); err != nil {
		return err
	}
	e.tell(ctx, "", audit.Event{Action: "blob-store.delete", Object: name, Before: b.def})
	return nil
}

// tryStore opens a store of a served type once, to refuse a path that cannot be written.
func (e *Engine) tryStore(ctx context.Context, b BlobStore) error {
	if b.Type != BlobStoreFile {
		return nil
	}
	if _, err := e.opts.OpenBlobs(ctx, b); err != nil {
		return &formats.Error{
			Kind:    formats.Invalid,
			Message: "Blob store could not be written because the path " + b.Path + " could not be written to",
			Err:     err,
		}
	}
	return nil
}

func checkStore(s *state, b BlobStore, create bool) formats.FieldErrors {
	var p problems
	if create {
		p.checkStoreName(s, b.Name)
	}
	if b.Type == "" {
		p.add("type", "Type is required")
	}
	switch b.Type {
	case BlobStoreFile:
		p.checkPath(s, b)
	case BlobStoreGroup:
		p.checkGroup(s, b)
	}
	p.checkQuota(b.Quota)
	return p.list
}

// CheckQuota reports what is wrong with a quota, nil for none.
func CheckQuota(q *SoftQuota) formats.FieldErrors {
	var p problems
	p.checkQuota(q)
	return p.list
}

func (p *problems) checkQuota(q *SoftQuota) {
	switch {
	case q == nil || q.Type == "":
	case q.Type != QuotaRemaining && q.Type != QuotaUsed:
		p.add("", "To enable Soft Quota, you must select a Type of Quota")
	case q.Type == QuotaUsed && q.Limit <= 0:
		p.add("", "Space Used quotas must have a Quota Limit greater than 0")
	case q.Type == QuotaRemaining && q.Limit <= 0:
		p.add("", "Space Remaining quotas must have a Quota Limit greater than 0")
	}
}

// checkStoreName refuses what cannot be the name of a new blob store.
func (p *problems) checkStoreName(s *state, name string) {
	switch {
	case name == "":
		p.add("name", "Name is required")
	case len(name) > catalog.MaxStoreName:
		p.add("name", fmt.Sprintf("must not be longer than %d bytes", catalog.MaxStoreName))
	case IsAdopted(name):
		p.add("name", "must not begin with "+AdoptedPrefix)
	case s.hasStore(name):
		p.add("name", "Name is already used, must be unique (ignoring case)")
	}
}

func (p *problems) checkPath(s *state, b BlobStore) {
	if b.Path == "" {
		p.add("path", "Path is required")
		return
	}
	var others []string
	for name, o := range s.stores {
		if !strings.EqualFold(name, b.Name) && o.def.Type == BlobStoreFile && nested(o.def.Path, b.Path) {
			others = append(others, name)
		}
	}
	if len(others) > 0 {
		slices.Sort(others)
		p.add("", "A file blob store must have a unique path, and may not be contained in a sub directory of another blob store. "+
			"Blob stores with violations: "+strings.Join(others, ", "))
	}
}

// nested reports whether one of two paths is the other or lies inside it.
func nested(a, b string) bool {
	a, b = strings.TrimRight(a, "/")+"/", strings.TrimRight(b, "/")+"/"
	return strings.HasPrefix(a, b) || strings.HasPrefix(b, a)
}

func (s *state) hasStore(name string) bool {
	for n := range s.stores {
		if strings.EqualFold(n, name) {
			return true
		}
	}
	return false
}

func errStoreNotFound(name string) error {
	return &formats.Error{Kind: formats.NotFound, Message: "Unable to find  '" + name + "' blobstore", Err: ErrNotFound}
}
