package resource

import (
	"context"
	"strings"

	"entrepot/app/access"
	"entrepot/app/repository"
	"entrepot/formats"
)

// BlobStore is a place for blobs.
type BlobStore struct {
	Name       string            `json:"name" example:"default"`
	Type       string            `json:"type" enums:"file,group,s3" default:"file"`
	Path       string            `json:"path,omitempty"`                                       // file: absolute, or below the folder "blobs" of the server's data
	Members    []string          `json:"members,omitempty"`                                    // group: names of blob stores
	FillPolicy string            `json:"fillPolicy,omitempty" enums:"roundRobin,writeToFirst"` // group: which member takes a new blob
	Quota      *Quota            `json:"quota,omitempty"`
	Attributes map[string]string `json:"attributes,omitempty"` // settings of other types; secrets among them are never shown
}

// Quota is a limit that is reported and not enforced.
type Quota struct {
	Type  string `json:"type" enums:"spaceRemainingQuota,spaceUsedQuota"`
	Limit int64  `json:"limit"` // bytes
}

// BlobStores gives the blob stores.
func (r *Resources) BlobStores() *Set[BlobStore] {
	return &Set[BlobStore]{
		Name:  "blob-stores",
		Key:   func(b *BlobStore) string { return b.Name },
		Blank: func() BlobStore { return BlobStore{Type: repository.BlobStoreFile} },
		Fill: func(b *BlobStore) {
			if b.Path == "" && b.Type == repository.BlobStoreFile {
				b.Path = b.Name
			}
			if b.FillPolicy == "" && b.Type == repository.BlobStoreGroup {
				b.FillPolicy = string(repository.FillRoundRobin)
			}
		},
		List: func(context.Context) ([]BlobStore, error) {
			list := []BlobStore{}
			for _, b := range r.Engine.BlobStores() {
				list = append(list, blobStoreOf(b))
			}
			return list, nil
		},
		Get: func(_ context.Context, name string) (BlobStore, error) {
			b, err := r.blobStore(name)
			return blobStoreOf(b), err
		},
		Row: held(r.Engine.BlobStoreRow),
		Create: func(ctx context.Context, _ access.Actor, b BlobStore) error {
			if wrong := b.faults(); len(wrong) > 0 {
				return wrong
			}
			return r.Engine.CreateBlobStore(ctx, b.definition(repository.BlobStore{}))
		},
		Replace: func(ctx context.Context, _ access.Actor, name string, b BlobStore) error {
			before, err := r.blobStore(name)
			if err != nil {
				return err
			}
			if b.Name != name {
				return renamed("name")
			}
			if wrong := b.faults(); len(wrong) > 0 {
				return wrong
			}
			return r.Engine.UpdateBlobStore(ctx, b.definition(before))
		},
		Delete: func(ctx context.Context, _ access.Actor, name string) error {
			return r.Engine.DeleteBlobStore(ctx, name)
		},
		Keep:  r.keepBlobStore,
		Needs: func(b *BlobStore) []string { return b.Members },
		Settle: func(_ context.Context, b *BlobStore) error {
			stored, err := r.Engine.BlobStore(b.Name)
			for name, value := range b.Attributes {
				if SecretAttribute(name) && (value == Hidden || err == nil && value == stored.Attributes[name]) {
					delete(b.Attributes, name)
				}
			}
			return nil
		},
	}
}

func (r *Resources) keepBlobStore(_ context.Context, name string) (Restore, error) {
	before, err := r.blobStore(name)
	return func(ctx context.Context, _ access.Actor) error { return r.Engine.UpdateBlobStore(ctx, before) }, err
}

// faults finds members that have no meaning for the blob store: the engine keeps what it does not know.
func (b *BlobStore) faults() formats.FieldErrors {
	var wrong formats.FieldErrors
	add := func(broken bool, field, message string) {
		if broken {
			wrong = append(wrong, formats.FieldError{Field: field, Message: message})
		}
	}
	add(b.Type != repository.BlobStoreFile && b.Type != repository.BlobStoreGroup && b.Type != "s3", "type", "must be one of file, group, s3")
	add(b.Type != repository.BlobStoreFile && b.Path != "", "path", "belongs to blob stores of type file")
	add(b.Type != repository.BlobStoreGroup && len(b.Members) > 0, "members", "belongs to blob stores of type group")
	add(b.Type != repository.BlobStoreGroup && b.FillPolicy != "", "fillPolicy", "belongs to blob stores of type group")
	add(b.Quota != nil && b.Quota.Type == "", "quota.type", "must be one of spaceRemainingQuota, spaceUsedQuota")
	return wrong
}

// blobStore looks a blob store up.
func (r *Resources) blobStore(name string) (repository.BlobStore, error) {
	b, err := r.Engine.BlobStore(name)
	if err != nil {
		return b, formats.Errorf(formats.NotFound, "There is no blob store %s", name)
	}
	return b, nil
}

// SecretAttribute reports whether a free setting, such as an attribute of a blob store, is a secret, by its name.
func SecretAttribute(name string) bool {
	name = strings.ToLower(name)
	return strings.Contains(name, "secret") || strings.Contains(name, "password") || strings.Contains(name, "token")
}

func blobStoreOf(b repository.BlobStore) BlobStore {
	doc := BlobStore{Name: b.Name, Type: b.Type, Path: b.Path, Members: b.Members, FillPolicy: string(b.FillPolicy)}
	if b.Quota != nil {
		doc.Quota = &Quota{b.Quota.Type, b.Quota.Limit}
	}
	for name, value := range b.Attributes {
		if SecretAttribute(name) {
			continue
		}
		if doc.Attributes == nil {
			doc.Attributes = make(map[string]string, len(b.Attributes))
		}
		doc.Attributes[name] = value
	}
	return doc
}

// definition gives what the engine is to keep in the place of before.
func (b *BlobStore) definition(before repository.BlobStore) repository.BlobStore {
	next := repository.BlobStore{
		Name: b.Name, Type: b.Type, Path: b.Path, Members: b.Members, FillPolicy: repository.FillPolicy(b.FillPolicy), Label: before.Label,
	}
	if b.Quota != nil {
		next.Quota = &repository.SoftQuota{Type: b.Quota.Type, Limit: b.Quota.Limit}
	}
	put := func(name, value string) {
		if next.Attributes == nil {
			next.Attributes = map[string]string{}
		}
		next.Attributes[name] = value
	}
	for name, value := range b.Attributes {
		if value != Hidden || !SecretAttribute(name) {
			put(name, value)
		}
	}
	for name, value := range before.Attributes {
		if _, given := next.Attributes[name]; !given && SecretAttribute(name) {
			put(name, value)
		}
	}
	return next
}

// RoutingRule decides which paths may be asked for.
type RoutingRule struct {
	Name        string   `json:"name" example:"no-snapshots"`
	Description string   `json:"description"`
	Mode        string   `json:"mode" enums:"BLOCK,ALLOW"` // BLOCK: any match refuses; ALLOW: no match refuses
	Matchers    []string `json:"matchers"`                 // regular expressions on the whole path
}

// RoutingRules gives the routing rules.
func (r *Resources) RoutingRules() *Set[RoutingRule] {
	return &Set[RoutingRule]{
		Name:  "routing-rules",
		Key:   func(d *RoutingRule) string { return d.Name },
		Blank: func() RoutingRule { return RoutingRule{} },
		List: func(context.Context) ([]RoutingRule, error) {
			list := []RoutingRule{}
			for _, d := range r.Engine.RoutingRules() {
				list = append(list, ruleOf(d))
			}
			return list, nil
		},
		Get: func(_ context.Context, name string) (RoutingRule, error) {
			d, err := r.Engine.RoutingRule(name)
			return ruleOf(d), err
		},
		Row: held(r.Engine.RoutingRuleRow),
		Create: func(ctx context.Context, _ access.Actor, d RoutingRule) error {
			return r.Engine.CreateRoutingRule(ctx, d.definition())
		},
		Replace: func(ctx context.Context, _ access.Actor, name string, d RoutingRule) error {
			return r.Engine.UpdateRoutingRule(ctx, name, d.definition())
		},
		Delete: func(ctx context.Context, _ access.Actor, name string) error {
			return r.Engine.DeleteRoutingRule(ctx, name)
		},
	}
}

func ruleOf(d repository.RoutingRule) RoutingRule {
	return RoutingRule{Name: d.Name, Description: d.Description, Mode: string(d.Mode), Matchers: listed(d.Matchers)}
}

func (d *RoutingRule) definition() repository.RoutingRule {
	return repository.RoutingRule{Name: d.Name, Description: d.Description, Mode: repository.RuleMode(d.Mode), Matchers: d.Matchers}
}
