package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"entrepot/app/access"
	"entrepot/app/access/ldap"
	"entrepot/app/access/oidc"
	"entrepot/app/access/saml"
	"entrepot/app/audit"
	"entrepot/app/cleanup"
	"entrepot/app/config"
	"entrepot/app/mail"
	"entrepot/app/node"
	"entrepot/app/outbound"
	"entrepot/app/repository"
	"entrepot/app/scripts"
	"entrepot/app/seal"
	"entrepot/app/search"
	"entrepot/app/settings"
	"entrepot/app/tasks"
	"entrepot/app/trust"
	"entrepot/formats"
	"entrepot/formats/maven2"
	"entrepot/formats/raw"
	"entrepot/migrate/adopt"
	"entrepot/storage/blob"
	"entrepot/storage/blob/file"
	"entrepot/storage/catalog"
	"entrepot/storage/kv"
	"entrepot/storage/kv/leveldb"
)

// Names inside the data folder.
const (
	recordsDir        = "records"        // log, checkpoints and index of all records
	blobsDir          = "blobs"          // blob stores with a relative path
	keyFile           = "secret.key"     // seals secrets at rest
	adminPasswordFile = "admin.password" // the first password, until it is changed
)

// allFormats are the formats that this build serves.
func allFormats() []formats.Format { return []formats.Format{maven2.New(nil), raw.New()} }

// appliance is everything below the HTTP edge, opened on one data folder.
type appliance struct {
	cfg      config.Config
	log      *slog.Logger
	records  *leveldb.Driver
	store    *kv.Store
	catalog  *catalog.Catalog
	engine   *repository.Engine
	access   *access.Service
	ldap     *ldap.Service
	oauth2   *oidc.Service
	saml     *saml.Service
	sealer   *seal.Sealer
	audit    *audit.Log
	scripts  *scripts.Store
	mail     *mail.Service
	node     *node.Node
	trust    *trust.Store
	out      *outbound.Service
	settings *settings.Settings
	search   *search.Index
	adopted  *adopt.Copier

	policies *cleanup.Policies
	cleanup  *cleanup.Service
	tasks    *tasks.Service
	figures  figures

	mu    sync.Mutex
	blobs map[string]openBlobStore // by folder
}

type openBlobStore struct {
	driver *file.Driver
	store  *blob.Store
}

// openAppliance opens the data folder, which no other process may have open.
func openAppliance(ctx context.Context, cfg config.Config, log *slog.Logger) (_ *appliance, err error) {
	if err := os.MkdirAll(cfg.Data, 0o750); err != nil {
		return nil, fmt.Errorf("data folder: %w", err)
	}
	a := &appliance{cfg: cfg, log: log, blobs: make(map[string]openBlobStore)}
	defer func() {
		if err != nil {
			err = errors.Join(err, a.close())
		}
	}()
	if a.records, err = leveldb.Open(a.path(recordsDir), &leveldb.Options{Logger: log}); err != nil {
		return nil, err
	}
	a.store = kv.New(a.records)
	if a.sealer, err = seal.Open(a.path(keyFile)); err != nil {
		return nil, err
	}
	if err := a.openAudit(ctx); err != nil {
		return nil, err
	}
	a.catalog = catalog.New(a.store, &catalog.Options{Logger: log})
	stores, err := adopt.Open(ctx, a.store)
	if err != nil {
		return nil, err
	}
	if a.policies, err = cleanup.Open(ctx, a.store); err != nil {
		return nil, err
	}
	a.engine, err = repository.Open(ctx, repository.Options{
		Store: a.store, Catalog: a.catalog, Formats: allFormats(), Sealer: a.sealer, OpenBlobs: a.openBlobs, FreeSpace: a.freeSpace,
		Adopted: stores.Blobs, Audit: a.audit, CleanupFormat: a.policies.Format, Logger: log,
	})
	if err != nil {
		return nil, err
	}
	a.adopted = adopt.NewCopier(a.engine, a.catalog, stores, adopt.Options{
		BytesPerSecond: int64(cfg.Adoption.BytesPerSecond), BlobsPerSecond: int64(cfg.Adoption.BlobsPerSecond), Log: log,
	})
	if err := a.engine.CreateDefaults(ctx, !cfg.SkipDefaultRepositories); err != nil {
		return nil, err
	}
	a.scripts = scripts.New(a.store, scripts.Options{AllowCreation: cfg.ScriptCreation, Writable: a.engine.Writable, Audit: a.audit})
	if err := a.openOutbound(ctx); err != nil {
		return nil, err
	}
	a.mail = mail.New(a.store, mail.Options{Sealer: a.sealer, Writable: a.engine.Writable, Audit: a.audit, Roots: a.trust.Roots, BaseURL: a.baseURL})
	if a.node, err = node.Open(ctx, a.store, node.Options{Writable: a.engine.Writable, Audit: a.audit}); err != nil {
		return nil, err
	}
	a.search = search.New(a.store, a.catalog, &search.Options{Log: log})
	if a.access, err = a.openAccess(ctx); err != nil {
		return nil, err
	}
	if err := a.openSettings(ctx); err != nil {
		return nil, err
	}
	return a, a.openUpkeep(ctx)
}

// followChanges keeps the search index up to date until what it returns is called.
func (a *appliance) followChanges(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		a.search.Run(ctx, a.contents)
	}()
	return func() {
		cancel()
		<-done
	}
}

// contents gives the content trees of all repositories.
func (a *appliance) contents() []string {
	var all []string
	for _, d := range a.engine.List() {
		all = append(all, d.Content)
	}
	return all
}

func (a *appliance) path(elem ...string) string {
	return filepath.Join(append([]string{a.cfg.Data}, elem...)...)
}

// openBlobs opens a file blob store, once. It stays open until the appliance closes.
func (a *appliance) openBlobs(_ context.Context, d repository.BlobStore) (*blob.Store, error) {
	dir := a.blobsFolder(d)
	a.mu.Lock()
	defer a.mu.Unlock()
	open, ok := a.blobs[dir]
	if !ok {
		driver, err := file.Open(dir, &file.Options{Logger: a.log})
		if err != nil {
			return nil, err
		}
		open.driver = driver
	}
	if open.store == nil || open.store.Name() != d.Ref() { // a new definition on the folder of one that was deleted
		open.store = blob.New(d.Ref(), open.driver, nil)
	}
	a.blobs[dir] = open
	return open.store, nil
}

// freeSpace gives the bytes that are free for a file blob store.
func (a *appliance) freeSpace(d repository.BlobStore) (int64, error) {
	a.mu.Lock()
	open, ok := a.blobs[a.blobsFolder(d)]
	a.mu.Unlock()
	if !ok {
		return 0, fmt.Errorf("blob store %s is not open", d.Name)
	}
	return open.driver.Free()
}

// blobsFolder gives the folder of a file blob store.
func (a *appliance) blobsFolder(d repository.BlobStore) string {
	dir := d.Path
	if dir == "" {
		dir = d.Name
	}
	if filepath.IsAbs(dir) {
		return dir
	}
	return a.path(blobsDir, dir)
}

func (a *appliance) openAccess(ctx context.Context) (*access.Service, error) {
	change := func(ctx context.Context, event audit.Event, plan func() ([]kv.Op, error)) error {
		return a.access.Change(ctx, event, plan)
	}
	a.ldap = ldap.New(a.store, ldap.Options{Sealer: a.sealer, Roots: a.trust.Roots, Change: change})
	a.oauth2 = a.newOAuth2(change)
	a.saml = saml.New(a.store, saml.Options{Sealer: a.sealer, Change: change, Log: a.log, Active: func(ctx context.Context) (bool, error) {
		active, err := a.access.ActiveRealms(ctx)
		return slices.Contains(active, saml.RealmID), err
	}})
	return access.Open(ctx, a.store, &access.Options{
		Formats: repository.KnownFormats(),
		Repositories: func() []access.RepositoryRef {
			definitions := a.engine.List()
			refs := make([]access.RepositoryRef, len(definitions))
			for i, d := range definitions {
				refs[i] = access.RepositoryRef{Format: d.Format, Name: d.Name}
			}
			return refs
		},
		ScriptExists: func(name string) bool {
			_, err := a.scripts.Get(ctx, name)
			return err == nil
		},
		InitialPassword:      os.Getenv("ENTREPOT_ADMIN_PASSWORD"),
		NewAdminPassword:     a.writeAdminPassword,
		AdminPasswordChanged: a.removeFirstPassword,
		NoAnonymous:          !a.cfg.Anonymous,
		Writable:             a.engine.Writable,
		Realms:               []access.Realm{a.ldap.Realm(), a.oauth2.Realm(), a.saml.Realm()},
		Audit:                a.audit,
		Log:                  a.log,
	})
}

// writeAdminPassword keeps the first password where only the server's user can read it, before it becomes valid.
func (a *appliance) writeAdminPassword(password string) error {
	path := a.path(adminPasswordFile)
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) { // its mode may be another
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString(password + "\n")
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	a.log.Info("user admin got a random first password", "file", path)
	return nil
}

func (a *appliance) removeFirstPassword() {
	if err := os.Remove(a.path(adminPasswordFile)); err != nil && !errors.Is(err, os.ErrNotExist) {
		a.log.Error("the first password's file could not be removed", "error", err)
	}
}

// close ends everything in the reverse order of opening. What was acknowledged is kept.
func (a *appliance) close() error {
	var errs []error
	if a.ldap != nil {
		a.ldap.Close()
	}
	if a.engine != nil {
		errs = append(errs, a.engine.Close())
	}
	if a.catalog != nil {
		errs = append(errs, a.catalog.Close())
	}
	for _, open := range a.blobs {
		errs = append(errs, open.driver.Close())
	}
	if a.audit != nil {
		errs = append(errs, a.audit.Close())
	}
	if a.records != nil {
		errs = append(errs, a.records.Close())
	}
	return errors.Join(errs...)
}
