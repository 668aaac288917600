// Package domains opens the parts of a server that keep content and what administrators set, each with those that it needs, over one
// store of records: below it are drivers, above it APIs. A server, its tests and a Rehearsal are put together here and nowhere else.
//
// Invariant: what a Rehearsal is made to do is refused or done as on the server itself, and changes nothing there.
//
//	d, err := domains.Open(ctx, domains.Options{Store: store, Sealer: sealer, Engine: repository.Options{Formats: all, OpenBlobs: open}})
//	defer d.Close()
package domains

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"entrepot/app/access"
	"entrepot/app/access/ldap"
	"entrepot/app/access/oidc"
	"entrepot/app/access/saml"
	"entrepot/app/audit"
	"entrepot/app/cleanup"
	"entrepot/app/mail"
	"entrepot/app/node"
	"entrepot/app/outbound"
	"entrepot/app/repository"
	"entrepot/app/repository/upstream"
	"entrepot/app/resource"
	"entrepot/app/scripts"
	"entrepot/app/search"
	"entrepot/app/settings"
	"entrepot/app/tasks"
	"entrepot/app/trust"
	"entrepot/app/upkeep"
	"entrepot/app/webhooks"
	"entrepot/storage/catalog"
	"entrepot/storage/kv"
)

// Options of the domains. Store, Sealer and what Engine requires beside these and Catalog are required. Of the options of single domains
// those that come from other domains are set here, and so are Log and Now where they are zero.
type Options struct {
	Store  *kv.Store // stays the caller's to close
	Sealer repository.Sealer

	Catalog  catalog.Options
	Engine   repository.Options
	Access   access.Options // Formats default to all that are known
	Audit    audit.Options
	Mail     mail.Options
	Upkeep   upkeep.Options
	Tasks    tasks.Options // Types are added to those of upkeep
	Webhooks webhooks.Options
	Outbound outbound.Settings // in force while nothing is set

	BaseURL        string // of the server for what is written outside of a request, in the place of what administrators set
	Repositories   bool   // makes the repositories that a fresh server has
	ScriptCreation bool
	UserAgent      string           // to upstreams
	Log            *slog.Logger     // default discards
	Now            func() time.Time // default time.Now
}

// Domains are the parts of a server.
type Domains struct {
	Catalog  *catalog.Catalog
	Engine   *repository.Engine
	Access   *access.Service
	LDAP     *ldap.Service
	OAuth2   *oidc.Service
	SAML     *saml.Service
	Audit    *audit.Log
	Scripts  *scripts.Store
	Mail     *mail.Service
	Node     *node.Node
	Trust    *trust.Store
	Outbound *outbound.Service
	Settings *settings.Settings
	Webhooks *webhooks.Service // nothing is sent before its Run
	Search   *search.Index
	Cleanup  *cleanup.Service
	Tasks    *tasks.Service // nothing runs before its Serve

	opts Options
}

// Open opens all domains, and makes what every server has when the store is new.
func Open(ctx context.Context, o Options) (_ *Domains, err error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	d := &Domains{opts: o}
	defer func() {
		if err != nil {
			err = errors.Join(err, d.Close())
		}
	}()
	for _, open := range []func(context.Context) error{d.openContent, d.openOutbound, d.openAccess, d.openSettings, d.openWebhooks, d.openUpkeep} {
		if err := open(ctx); err != nil {
			return nil, err
		}
	}
	return d, nil
}

// openContent opens the audit and what keeps repositories.
func (d *Domains) openContent(ctx context.Context) (err error) {
	o := d.opts
	o.Audit.Present, o.Audit.Logger, o.Audit.Now = resource.Shown, o.Log, o.Now
	o.Audit.Writable = func() error { return d.Engine.Writable() } // which is opened later
	o.Audit.Told = func(ctx context.Context, e audit.Entry, kept bool) {
		if d.Webhooks != nil { // opened later too
			d.Webhooks.Told(ctx, e, kept)
		}
	}
	if d.Audit, err = audit.Open(ctx, o.Store, o.Audit); err != nil {
		return err
	}
	o.Catalog.Logger, o.Catalog.Now = o.Log, o.Now
	o.Catalog.Actor = func(ctx context.Context) string { return webhooks.Initiator(audit.ActorOf(ctx)) }
	d.Catalog = catalog.New(o.Store, &o.Catalog)
	policies, err := cleanup.Open(ctx, o.Store)
	if err != nil {
		return err
	}
	e := o.Engine
	e.Store, e.Catalog, e.Sealer, e.Audit, e.CleanupFormat, e.Logger, e.Now = o.Store, d.Catalog, o.Sealer, d.Audit, policies.Format, o.Log, o.Now
	if d.Engine, err = repository.Open(ctx, e); err != nil {
		return err
	}
	d.Cleanup = cleanup.New(policies, d.Engine, cleanup.Options{Audit: d.Audit, Log: o.Log, Now: o.Now})
	d.Search = search.New(o.Store, d.Catalog, &search.Options{Log: o.Log})
	d.Scripts = scripts.New(o.Store, scripts.Options{AllowCreation: o.ScriptCreation, Writable: d.Engine.Writable, Audit: d.Audit})
	if e.Still {
		return nil
	}
	return d.Engine.CreateDefaults(ctx, o.Repositories)
}

// openOutbound opens what the server's connections to others depend on, and has the caches follow it.
func (d *Domains) openOutbound(ctx context.Context) (err error) {
	o := d.opts
	refresh := func() {
		s := d.Outbound.InForce()
		d.Engine.SetUpstream(&upstream.Options{
			UserAgent: o.UserAgent, Suffix: s.UserAgentSuffix, Timeout: s.Timeout, Retries: s.Retries, Proxy: d.Outbound.Proxy, Dial: d.Outbound.Dial, Roots: d.Trust.Roots,
		})
	}
	d.Outbound, err = outbound.Open(ctx, o.Store, outbound.Options{
		Sealer: o.Sealer, Defaults: o.Outbound, Writable: d.Engine.Writable, Audit: d.Audit, Changed: refresh,
	})
	if err != nil {
		return err
	}
	d.Trust, err = trust.Open(ctx, o.Store, trust.Options{Writable: d.Engine.Writable, Audit: d.Audit, Changed: refresh, Dial: d.Outbound.Tunnel, Now: o.Now})
	if err != nil {
		return err
	}
	refresh()
	o.Mail.Sealer, o.Mail.Writable, o.Mail.Audit, o.Mail.Roots, o.Mail.BaseURL = o.Sealer, d.Engine.Writable, d.Audit, d.Trust.Roots, d.BaseURL
	d.Mail = mail.New(o.Store, o.Mail)
	d.Node, err = node.Open(ctx, o.Store, node.Options{Writable: d.Engine.Writable, Audit: d.Audit})
	return err
}

func (d *Domains) openAccess(ctx context.Context) (err error) {
	o := d.opts
	change := func(ctx context.Context, event audit.Event, plan func() ([]kv.Op, error)) error {
		return d.Access.Change(ctx, event, plan)
	}
	d.LDAP = ldap.New(o.Store, ldap.Options{Sealer: o.Sealer, Roots: d.Trust.Roots, Change: change})
	d.OAuth2 = d.newOAuth2(change)
	d.SAML = saml.New(o.Store, saml.Options{Sealer: o.Sealer, Change: change, Log: o.Log, Active: d.active(saml.RealmID)})
	a := o.Access
	if a.Formats == nil {
		a.Formats = repository.KnownFormats()
	}
	a.Repositories = func() []access.RepositoryRef {
		definitions := d.Engine.List()
		refs := make([]access.RepositoryRef, len(definitions))
		for i, def := range definitions {
			refs[i] = access.RepositoryRef{Format: def.Format, Name: def.Name}
		}
		return refs
	}
	a.ScriptExists = func(name string) bool {
		_, err := d.Scripts.Get(ctx, name)
		return err == nil
	}
	a.Realms = append(a.Realms, d.LDAP.Realm(), d.OAuth2.Realm(), d.SAML.Realm())
	a.Writable, a.Audit, a.Log, a.Now = d.Engine.Writable, d.Audit, o.Log, o.Now
	d.Access, err = access.Open(ctx, o.Store, &a)
	return err
}

// active tells whether a realm is active.
func (d *Domains) active(realm string) func(context.Context) (bool, error) {
	return func(ctx context.Context) (bool, error) {
		active, err := d.Access.ActiveRealms(ctx)
		return slices.Contains(active, realm), err
	}
}

// openSettings opens the capabilities and puts in force what they say.
func (d *Domains) openSettings(ctx context.Context) (err error) {
	d.Settings, err = settings.Open(ctx, d.opts.Store, settings.Options{
		Sealer: d.opts.Sealer, Writable: d.Engine.Writable, Audit: d.Audit, Changed: d.settingsChanged,
		Edited: func(ctx context.Context) error {
			if d.Webhooks == nil { // opened later
				return nil
			}
			return d.Webhooks.Refresh(context.WithoutCancel(ctx)) // the change is made
		},
		Report: func(id string) string { return d.Webhooks.Describe(id) },
	})
	if err == nil {
		d.recordDownloads(d.Settings.Effect())
	}
	return err
}

// openWebhooks opens what tells other servers of changes.
func (d *Domains) openWebhooks(ctx context.Context) (err error) {
	o := d.opts.Webhooks
	o.Capabilities, o.Repositories, o.Content, o.NodeID = d.Settings.Capabilities, d.Engine.List, d.Engine.ContentOf, d.Node.ID
	o.Writable, o.Proxy, o.Dial, o.Roots = d.Engine.Writable, d.Outbound.Proxy, d.Outbound.Dial, d.Trust.Roots
	o.UserAgent, o.Log, o.Now = d.opts.UserAgent, d.opts.Log, d.opts.Now
	d.Webhooks, err = webhooks.Open(ctx, d.opts.Store, o)
	return err
}

// settingsChanged has the other domains follow a change.
func (d *Domains) settingsChanged(ctx context.Context, before, now settings.Effect) error {
	d.recordDownloads(now)
	if before.DefaultRole == now.DefaultRole {
		return nil
	}
	return d.Access.SetDefaultRole(ctx, access.System(), now.DefaultRole)
}

func (d *Domains) recordDownloads(e settings.Effect) {
	d.Catalog.SetDownloadInterval(cmp.Or(e.DownloadInterval, catalog.DefaultDownloadInterval))
}

// BaseURL is the external URL of the server for what is written outside of a request; "" when nobody set it.
func (d *Domains) BaseURL() string { return cmp.Or(d.opts.BaseURL, d.Settings.Effect().BaseURL) }

// openUpkeep opens what looks after content by itself.
func (d *Domains) openUpkeep(ctx context.Context) (err error) {
	o := d.opts
	u := o.Upkeep
	u.Engine, u.Catalog, u.Store, u.Cleanup, u.Search, u.Access, u.Log, u.Now = d.Engine, d.Catalog, o.Store, d.Cleanup, d.Search, d.Access, o.Log, o.Now
	t := o.Tasks
	t.Types = append(upkeep.Types(u), t.Types...)
	t.Writable, t.Audit, t.Mail, t.Log, t.Now = d.Engine.Writable, d.Audit, d.Mail, o.Log, o.Now
	if d.Tasks, err = tasks.Open(ctx, o.Store, t); err != nil {
		return err
	}
	return d.Tasks.Ensure(ctx, upkeep.DefaultCleanup())
}

// Resources gives what administrators set as documents.
func (d *Domains) Resources() *resource.Resources {
	return resource.New(resource.Options{
		Engine: d.Engine, Access: d.Access, Mail: d.Mail, Audit: d.Audit, Outbound: d.Outbound, Trust: d.Trust, Settings: d.Settings, Scripts: d.Scripts, LDAP: d.LDAP,
		OAuth2: d.OAuth2, SAML: d.SAML, Cleanup: d.Cleanup, Upkeep: d.Tasks,
	})
}

// Close ends what goes on in the background, in the reverse order of opening. Requests and tasks must have ended before.
func (d *Domains) Close() error {
	var errs []error
	if d.LDAP != nil {
		d.LDAP.Close()
	}
	if d.Engine != nil {
		errs = append(errs, d.Engine.Close())
	}
	if d.Catalog != nil {
		errs = append(errs, d.Catalog.Close())
	}
	if d.Audit != nil {
		errs = append(errs, d.Audit.Close())
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("domains: close: %w", err)
	}
	return nil
}
