package importer

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"entrepot/app/access"
	"entrepot/app/kept"
	"entrepot/app/repository"
	"entrepot/formats"
	"entrepot/migrate/inventory"
)

// Sections of settings that have a place in the server.
const (
	sectionBlobStores   = "blob-stores"
	sectionRules        = "routing-rules"
	sectionRepositories = "repositories"
	sectionSelectors    = "content-selectors"
	sectionPrivileges   = "privileges"
	sectionRoles        = "roles"
	sectionUsers        = "users"
	sectionTokens       = "tokens"
	sectionSecurity     = "security"
)

// Settings of the section security.
const (
	settingAnonymous   = "anonymous"
	settingRealms      = "realms"
	settingDefaultRole = "default-role"
	settingUserTokens  = "user-tokens"
)

// setting is one thing to be written beside the assets.
type setting struct {
	section string
	name    string // unique in its section
	kept    bool   // stored, and nothing uses it yet
	why     string // it is only kept; "" when the section says it all
	content any
	secrets []repository.Secret // that are part of content
	write   func(ctx context.Context) error

	known, same bool // imported before; unchanged in the source since
	gone        bool // deleted here since, and not to come again
}

// settings lists what is to be written, in an order in which nothing is named before it is there.
func (p *Plan) settings(inv *inventory.Inventory) []*setting {
	var all []*setting
	all = append(all, p.blobStores(inv)...)
	for _, r := range inv.RoutingRules {
		all = append(all, &setting{section: sectionRules, name: r.Name, content: r, write: func(ctx context.Context) error { return p.writeRule(ctx, r) }})
	}
	all = append(all, p.accounts(&inv.Access)...)
	all = append(all, p.system(&inv.System)...)
	all = append(all, p.upkeep(&inv.Upkeep)...)
	for _, r := range inv.Records {
		all = append(all, p.record(r))
	}
	return all
}

func (p *Plan) blobStores(inv *inventory.Inventory) []*setting {
	var all []*setting
	for _, b := range inv.BlobStores {
		all = append(all, &setting{
			section: sectionBlobStores, name: b.Name, content: b.BlobStore, kept: b.Type != repository.BlobStoreFile && b.Type != repository.BlobStoreGroup,
			write: func(ctx context.Context) error { return p.writeBlobStore(ctx, b.BlobStore) },
		})
	}
	return all
}

// writeBlobStore makes a blob store. The folder of one that is there stays: it is in use.
func (p *Plan) writeBlobStore(ctx context.Context, b repository.BlobStore) error {
	if b.Quota != nil && b.Quota.Limit <= 0 {
		b.Quota = nil
	}
	present, err := p.target.Engine.BlobStore(b.Name)
	if errors.Is(err, repository.ErrNotFound) {
		return p.target.Engine.CreateBlobStore(ctx, b)
	}
	if err != nil {
		return err
	}
	if present.Type != b.Type {
		return fmt.Errorf("is a blob store of type %s here, and %s there", present.Type, b.Type)
	}
	present.Quota, present.Attributes, present.Members, present.FillPolicy = b.Quota, b.Attributes, b.Members, b.FillPolicy
	return p.target.Engine.UpdateBlobStore(ctx, present)
}

func (p *Plan) writeRule(ctx context.Context, r repository.RoutingRule) error {
	_, err := p.target.Engine.RoutingRule(r.Name)
	if errors.Is(err, repository.ErrNotFound) {
		return p.target.Engine.CreateRoutingRule(ctx, r)
	}
	if err != nil {
		return err
	}
	return p.target.Engine.UpdateRoutingRule(ctx, r.Name, r)
}

// repositorySetting is a definition as a setting.
func (p *Plan) repositorySetting(d repository.Definition) *setting {
	s := &setting{
		section: sectionRepositories, name: d.Name, content: d,
		write: func(ctx context.Context) error { return p.target.Engine.Import(ctx, d, p.opts.Actor) },
	}
	s.secrets = secretsOf(d)
	return s
}

// secretsOf gives the secrets of a definition, in an order of their own.
func secretsOf(d repository.Definition) []repository.Secret {
	var secrets []repository.Secret
	if d.Upstream != nil && d.Upstream.Authentication != nil {
		secrets = append(secrets, d.Upstream.Authentication.Password, d.Upstream.Authentication.Bearer)
	}
	for _, name := range slices.Sorted(maps.Keys(d.Secrets)) {
		secrets = append(secrets, d.Secrets[name])
	}
	return secrets
}

// accounts lists who may do what.
func (p *Plan) accounts(a *inventory.Access) []*setting {
	var all []*setting
	service, actor := p.target.Access, access.Actor{UserID: p.opts.Actor, Source: access.SourceLocal}
	add := func(section, name string, content any, write func(ctx context.Context) error) {
		all = append(all, &setting{section: section, name: name, content: content, write: write})
	}
	for _, s := range a.Selectors {
		add(sectionSelectors, s.Name, s, func(ctx context.Context) error { return service.ImportSelector(ctx, actor, s) })
	}
	for _, v := range a.Privileges {
		add(sectionPrivileges, v.Name, v, func(ctx context.Context) error { return service.ImportPrivilege(ctx, actor, v) })
	}
	for _, r := range a.Roles {
		add(sectionRoles, r.ID, r, func(ctx context.Context) error { return service.ImportRole(ctx, actor, r) })
	}
	for _, u := range a.Users {
		add(sectionUsers, u.Source+"/"+u.ID, u, func(ctx context.Context) error { return service.ImportUser(ctx, actor, u) })
	}
	for _, t := range a.Tokens {
		if t.Domain == access.RealmUserToken {
			all = append(all, p.userToken(t))
			continue
		}
		add(sectionTokens, tokenName(t.Token), t.Token,
			func(ctx context.Context) error {
				return errors.Join(service.Recognise(ctx, t.Source, t.User), service.ImportToken(ctx, t.Token, string(t.Text)))
			})
		all[len(all)-1].secrets = []repository.Secret{t.Text}
	}
	if a.Anonymous != nil {
		add(sectionSecurity, settingAnonymous, *a.Anonymous, func(ctx context.Context) error { return service.ImportAnonymous(ctx, actor, *a.Anonymous) })
	}
	if a.Realms != nil {
		add(sectionSecurity, settingRealms, a.Realms, func(ctx context.Context) error { return service.ImportRealms(ctx, actor, a.Realms) })
	}
	if a.UserTokens != nil {
		add(sectionSecurity, settingUserTokens, *a.UserTokens,
			func(ctx context.Context) error { return service.SetUserTokenSettings(ctx, actor, *a.UserTokens) })
	}
	if a.DefaultRole != "" {
		add(sectionSecurity, settingDefaultRole, a.DefaultRole, func(ctx context.Context) error { return service.SetDefaultRole(ctx, actor, a.DefaultRole) })
	}
	return all
}

// idle says of sections why what they hold is only kept.
var idle = map[string]string{
	"tls-identity": "this server's own certificate is named in its configuration",
	"logging":      "they are levels of parts of the old server; here there is one log, whose level the configuration sets",
}

func (p *Plan) record(r inventory.Record) *setting {
	s := &setting{section: r.Section, name: r.Name, kept: true, why: idle[r.Section], content: r}
	out := kept.Record{Section: r.Section, Name: r.Name, Value: r.Value, Secrets: make(map[string]string, len(r.Secrets))}
	for _, path := range slices.Sorted(maps.Keys(r.Secrets)) {
		s.secrets = append(s.secrets, r.Secrets[path])
		out.Secrets[path] = string(r.Secrets[path])
	}
	s.write = func(ctx context.Context) error { return p.target.Records.Put(ctx, out) }
	return s
}

// Section is what a plan says of one kind of setting.
type Section struct {
	Name    string `json:"name"`
	Total   int    `json:"total"`
	New     int    `json:"new"`
	Changed int    `json:"changed"` // in the source since the last import
	Kept    bool   `json:"keptNotActiveYet,omitempty"`
	Why     string `json:"why,omitempty"` // it is only kept
}

// sections counts settings by section, in the order of their first appearance.
func sections(all []*setting) []Section {
	var list []Section
	for _, s := range all {
		i := slices.IndexFunc(list, func(have Section) bool { return have.Name == s.section && have.Kept == s.kept && have.Why == s.why })
		if i < 0 {
			list = append(list, Section{Name: s.section, Kept: s.kept, Why: s.why})
			i = len(list) - 1
		}
		list[i].Total++
		switch {
		case !s.known:
			list[i].New++
		case !s.same:
			list[i].Changed++
		}
	}
	return list
}

// usable tells whether a blob store can hold content here.
func (p *Plan) usable(inv *inventory.Inventory, name string) error {
	if p.staysDeleted(sectionBlobStores, name) {
		return fmt.Errorf("its blob store %s was deleted here: its content stays where it is", name)
	}
	for _, b := range inv.BlobStores {
		if b.Name == name && b.Type == repository.BlobStoreGroup {
			is := func(member string) bool { return p.usable(inv, member) == nil }
			if slices.ContainsFunc(b.Members, is) {
				return nil
			}
			return fmt.Errorf("no member of the group of blob stores %s can be used: its content stays where it is", name)
		}
		if b.Name == name && b.Type != repository.BlobStoreFile {
			return fmt.Errorf("blob stores of type %s are not served yet: its content stays where it is", b.Type)
		}
		if b.Name == name {
			return nil
		}
	}
	if _, err := p.target.Engine.BlobStore(name); err != nil {
		return fmt.Errorf("its blob store %s does not exist: its content stays behind", name)
	}
	return nil
}

// holdsContent tells whether assets of a repository come over: what a proxy (group) has is derived from its members.
func holdsContent(d repository.Definition) bool { return d.Kind != formats.Proxy }
