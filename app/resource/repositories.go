package resource

import (
	"context"
	"maps"
	"time"

	"entrepot/app/access"
	"entrepot/app/repository"
	"entrepot/formats"
)

// Repository is a repository. Its format, kind and blob store stay as they are once it is made.
type Repository struct {
	Name                        string            `json:"name" example:"maven-releases"` // unique ignoring case
	Format                      string            `json:"format" example:"maven2"`
	Kind                        string            `json:"kind" enums:"hosted,cache,proxy"` // hosted: own content; cache: copy of an upstream; proxy: members behind one URL
	Online                      bool              `json:"online" default:"true"`
	BlobStore                   string            `json:"blobStore" default:"default"`
	StrictContentTypeValidation bool              `json:"strictContentTypeValidation" default:"true"`
	Settings                    map[string]string `json:"settings,omitempty"` // the format's own, for example versionPolicy
	Secrets                     map[string]Secret `json:"secrets,omitempty"`  // those of the format's settings that are never shown, for example a signing key

	WritePolicy           string   `json:"writePolicy,omitempty" enums:"ALLOW,ALLOW_ONCE,DENY" default:"ALLOW"` // hosted
	LatestPolicy          bool     `json:"latestPolicy,omitempty"`                                              // docker: "latest" may be overwritten under ALLOW_ONCE
	ProprietaryComponents bool     `json:"proprietaryComponents,omitempty"`                                     // hosted
	CleanupPolicies       []string `json:"cleanupPolicies,omitempty"`

	Upstream      *Upstream      `json:"upstream,omitempty"`      // cache
	NegativeCache *NegativeCache `json:"negativeCache,omitempty"` // cache
	RoutingRule   string         `json:"routingRule,omitempty"`   // name of a routing rule
	Replication   *Replication   `json:"replication,omitempty"`   // cache

	Members     []string `json:"members,omitempty"`     // proxy: names, in the order in which they are asked
	WriteMember string   `json:"writeMember,omitempty"` // proxy: the member that takes writes
}

// Upstream is where a cache gets its content from, and how.
type Upstream struct {
	URL            string          `json:"url,omitempty" example:"https://repository.example.org/"`
	ContentMaxAge  *Duration       `json:"contentMaxAge,omitempty" swaggertype:"string" default:"24h" example:"forever"`
	MetadataMaxAge *Duration       `json:"metadataMaxAge,omitempty" swaggertype:"string" default:"24h"`
	Blocked        bool            `json:"blocked"`                            // never ask
	AutoBlock      *bool           `json:"autoBlock,omitempty" default:"true"` // stop asking for a while after failures
	Connection     *Connection     `json:"connection,omitempty"`
	Authentication *Authentication `json:"authentication,omitempty"`
}

// Connection tunes the HTTP client of a cache; absent members mean the server's default.
type Connection struct {
	Retries                 *int     `json:"retries,omitempty" minimum:"0" maximum:"10"`
	UserAgentSuffix         *string  `json:"userAgentSuffix,omitempty"`
	Timeout                 Duration `json:"timeout,omitempty" swaggertype:"string" example:"30s"` // for connecting and for each silence
	EnableCircularRedirects bool     `json:"enableCircularRedirects"`
	EnableCookies           bool     `json:"enableCookies"`
	UseTrustStore           bool     `json:"useTrustStore"`
}

// Authentication is what a cache shows its upstream. Secrets are written only: without them the stored ones stay.
type Authentication struct {
	Type        string `json:"type" enums:"username,ntlm,bearerToken"`
	Username    string `json:"username,omitempty"`
	Password    Secret `json:"password,omitempty" swaggertype:"string" format:"password"`
	NTLMHost    string `json:"ntlmHost,omitempty"`
	NTLMDomain  string `json:"ntlmDomain,omitempty"`
	BearerToken Secret `json:"bearerToken,omitempty" swaggertype:"string" format:"password"`
	Preemptive  *bool  `json:"preemptive,omitempty"`
}

// NegativeCache remembers what an upstream does not have.
type NegativeCache struct {
	Enabled    bool     `json:"enabled"`
	TimeToLive Duration `json:"timeToLive" swaggertype:"string" example:"24h"`
}

// Replication is kept for clients that read it back.
type Replication struct {
	PreemptivePullEnabled bool   `json:"preemptivePullEnabled"`
	AssetPathRegex        string `json:"assetPathRegex,omitempty"`
}

// day is the default age after which a cache asks its upstream again.
const day = Duration(24 * time.Hour)

// Repositories gives the repositories.
func (r *Resources) Repositories() *Set[Repository] {
	return &Set[Repository]{
		Name: "repositories",
		Key:  func(d *Repository) string { return d.Name },
		Blank: func() Repository {
			return Repository{Online: true, BlobStore: repository.DefaultBlobStore, StrictContentTypeValidation: true}
		},
		Fill: (*Repository).fill,
		List: func(context.Context) ([]Repository, error) {
			list := []Repository{}
			for _, d := range r.Engine.List() {
				list = append(list, repositoryOf(d))
			}
			return list, nil
		},
		Get: func(_ context.Context, name string) (Repository, error) {
			d, err := r.definition(name)
			return repositoryOf(d), err
		},
		Row: held(r.Engine.RepositoryRow),
		Create: func(ctx context.Context, actor access.Actor, d Repository) error {
			return r.Engine.Create(ctx, d.definition(repository.Definition{}), actor.UserID)
		},
		Replace: func(ctx context.Context, actor access.Actor, name string, d Repository) error {
			before, err := r.definition(name)
			if err != nil {
				return err
			}
			if d.Name != before.Name {
				return renamed("name")
			}
			return r.Engine.Update(ctx, d.definition(before), actor.UserID)
		},
		Delete: func(ctx context.Context, actor access.Actor, name string) error {
			return r.Engine.Delete(ctx, name, actor.UserID)
		},
		Keep: func(_ context.Context, name string) (Restore, error) {
			before, err := r.definition(name)
			return func(ctx context.Context, actor access.Actor) error { return r.Engine.Update(ctx, before, actor.UserID) }, err
		},
		Needs: func(d *Repository) []string { return d.Members },
		Settle: func(_ context.Context, d *Repository) error {
			before, _ := r.Engine.Lookup(d.Name)
			if d.Upstream != nil && d.Upstream.Authentication != nil {
				stored, a := credentials(before), d.Upstream.Authentication
				a.Password, a.BearerToken = a.Password.unlike(string(stored.Password)), a.BearerToken.unlike(string(stored.Bearer))
			}
			maps.DeleteFunc(d.Secrets, func(name string, secret Secret) bool { return secret.unlike(string(before.Secrets[name])) == "" })
			return nil
		},
	}
}

// definition looks a repository up.
func (r *Resources) definition(name string) (repository.Definition, error) {
	d, ok := r.Engine.Lookup(name)
	if !ok {
		return d, formats.Errorf(formats.NotFound, "There is no repository %s", name)
	}
	return d, nil
}

// credentials gives what a repository shows its upstream, empty when that is nothing.
func credentials(d repository.Definition) repository.Credentials {
	if d.Upstream == nil || d.Upstream.Authentication == nil {
		return repository.Credentials{}
	}
	return *d.Upstream.Authentication
}

// fill gives the defaults that depend on the kind.
func (d *Repository) fill() {
	switch formats.Kind(d.Kind) {
	case formats.Hosted:
		if d.WritePolicy == "" {
			d.WritePolicy = string(repository.WriteAllow)
		}
	case formats.Cache:
		if d.NegativeCache == nil {
			d.NegativeCache = &NegativeCache{Enabled: true, TimeToLive: day}
		}
		if u := d.Upstream; u != nil {
			age, old, block := known(u.ContentMaxAge, day), known(u.MetadataMaxAge, day), known(u.AutoBlock, true)
			u.ContentMaxAge, u.MetadataMaxAge, u.AutoBlock = &age, &old, &block
		}
	}
}

// repositoryOf gives the document of a definition.
func repositoryOf(d repository.Definition) Repository {
	doc := Repository{
		Name: d.Name, Format: d.Format, Kind: string(d.Kind), Online: d.Online, BlobStore: d.BlobStore, StrictContentTypeValidation: d.Strict,
		Settings: d.Settings, WritePolicy: string(d.Write), LatestPolicy: d.LatestTag, ProprietaryComponents: d.Proprietary,
		CleanupPolicies: d.Cleanup, RoutingRule: d.RoutingRule, Members: d.Members, WriteMember: d.WriteMember,
	}
	if u := d.Upstream; u != nil {
		age, old, block := Duration(u.ContentMaxAge), Duration(u.MetadataMaxAge), u.AutoBlock
		doc.Upstream = &Upstream{URL: u.URL, ContentMaxAge: &age, MetadataMaxAge: &old, Blocked: u.Blocked, AutoBlock: &block}
		if c := u.Connection; c != nil {
			doc.Upstream.Connection = &Connection{
				Retries: c.Retries, UserAgentSuffix: c.UserAgentSuffix, Timeout: Duration(c.Timeout), EnableCircularRedirects: c.CircularRedirects,
				EnableCookies: c.Cookies, UseTrustStore: c.UseTrustStore,
			}
		}
		if a := u.Authentication; a != nil {
			doc.Upstream.Authentication = &Authentication{
				Type: a.Type, Username: a.Username, NTLMHost: a.NTLMHost, NTLMDomain: a.NTLMDomain, Preemptive: a.Preemptive,
			}
		}
	}
	if d.Kind == formats.Cache {
		doc.NegativeCache = &NegativeCache{Enabled: d.NegativeCache.Enabled, TimeToLive: Duration(d.NegativeCache.TTL)}
	}
	if d.Replication != nil {
		doc.Replication = &Replication{PreemptivePullEnabled: d.Replication.PreemptivePull, AssetPathRegex: d.Replication.AssetPathRegex}
	}
	return doc
}

// definition gives what the engine is to keep in the place of before.
func (d *Repository) definition(before repository.Definition) repository.Definition {
	next := repository.Definition{
		Name: d.Name, Format: d.Format, Kind: formats.Kind(d.Kind), Online: d.Online, BlobStore: d.BlobStore, Strict: d.StrictContentTypeValidation,
		Settings: d.Settings, Write: repository.WritePolicy(d.WritePolicy), LatestTag: d.LatestPolicy, Proprietary: d.ProprietaryComponents,
		Cleanup: d.CleanupPolicies, RoutingRule: d.RoutingRule, Members: d.Members, WriteMember: d.WriteMember,
	}
	if u := d.Upstream; u != nil {
		next.Upstream = &repository.Upstream{
			URL: u.URL, ContentMaxAge: time.Duration(known(u.ContentMaxAge, day)), MetadataMaxAge: time.Duration(known(u.MetadataMaxAge, day)),
			Blocked: u.Blocked, AutoBlock: known(u.AutoBlock, true), Connection: u.Connection.definition(), Authentication: u.Authentication.definition(credentials(before)),
		}
	}
	next.Secrets = maps.Clone(before.Secrets)
	for name, secret := range d.Secrets {
		if next.Secrets == nil {
			next.Secrets = make(map[string]repository.Secret, len(d.Secrets))
		}
		next.Secrets[name] = repository.Secret(secret.or(string(before.Secrets[name])))
	}
	if n := d.NegativeCache; n != nil {
		next.NegativeCache = repository.NegativeCache{Enabled: n.Enabled, TTL: time.Duration(n.TimeToLive)}
	}
	if d.Replication != nil {
		next.Replication = &repository.Replication{PreemptivePull: d.Replication.PreemptivePullEnabled, AssetPathRegex: d.Replication.AssetPathRegex}
	}
	return next
}

func (c *Connection) definition() *repository.Connection {
	if c == nil {
		return nil
	}
	return &repository.Connection{
		Retries: c.Retries, UserAgentSuffix: c.UserAgentSuffix, Timeout: time.Duration(c.Timeout), CircularRedirects: c.EnableCircularRedirects,
		Cookies: c.EnableCookies, UseTrustStore: c.UseTrustStore,
	}
}

func (a *Authentication) definition(stored repository.Credentials) *repository.Credentials {
	if a == nil {
		return nil
	}
	return &repository.Credentials{
		Type: a.Type, Username: a.Username, Password: repository.Secret(a.Password.or(string(stored.Password))), NTLMHost: a.NTLMHost,
		NTLMDomain: a.NTLMDomain, Bearer: repository.Secret(a.BearerToken.or(string(stored.Bearer))), Preemptive: a.Preemptive,
	}
}
