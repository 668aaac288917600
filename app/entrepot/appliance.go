package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"sync"

	"entrepot/app/access"
	"entrepot/app/audit"
	"entrepot/app/config"
	"entrepot/app/domains"
	"entrepot/app/repository"
	"entrepot/app/seal"
	"entrepot/app/tasks"
	"entrepot/app/upkeep"
	"entrepot/app/webhooks"
	"entrepot/compat/names"
	"entrepot/compat/rest"
	"entrepot/formats"
	"entrepot/formats/maven2"
	"entrepot/formats/raw"
	"entrepot/migrate/adopt"
	"entrepot/storage/blob"
	"entrepot/storage/blob/file"
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
	*domains.Domains

	cfg     config.Config
	log     *slog.Logger
	records *leveldb.Driver
	store   *kv.Store
	sealer  *seal.Sealer
	adopted *adopt.Copier
	figures figures

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
	if a.records, err = leveldb.Open(a.path(recordsDir), &leveldb.Options{Logger: log, CacheBytes: cfg.Records.CacheBytes}); err != nil {
		return nil, err
	}
	a.store = kv.New(a.records)
	if a.sealer, err = seal.Open(a.path(keyFile)); err != nil {
		return nil, err
	}
	stores, err := adopt.Open(ctx, a.store)
	if err != nil {
		return nil, err
	}
	if a.Domains, err = domains.Open(ctx, a.options(stores)); err != nil {
		return nil, err
	}
	a.adopted = adopt.NewCopier(a.Engine, a.Catalog, stores, adopt.Options{
		BytesPerSecond: int64(cfg.Adoption.BytesPerSecond), BlobsPerSecond: int64(cfg.Adoption.BlobsPerSecond), Log: log,
	})
	return a, nil
}

// options are what the domains stand on.
func (a *appliance) options(stores *adopt.Stores) domains.Options {
	a.figures = newFigures()
	claim := a.cfg.Claim
	return domains.Options{
		Store: a.store, Sealer: a.sealer, Log: a.log,
		Engine: repository.Options{Formats: allFormats(), OpenBlobs: a.openBlobs, FreeSpace: a.freeSpace, Adopted: stores.Blobs, Asked: stores.Asked},
		Access: access.Options{
			InitialPassword: os.Getenv("ENTREPOT_ADMIN_PASSWORD"), NewAdminPassword: a.writeAdminPassword, AdminPasswordChanged: a.removeFirstPassword,
			NoAnonymous: !a.cfg.Anonymous,
		},
		Audit:  audit.Options{Path: a.path(auditFile)},
		Upkeep: upkeep.Options{Checkpoint: a.records.Checkpoint, Collected: a.figures.count},
		Tasks:  tasks.Options{Types: a.adoptionTypes(stores), Needless: names.Needless, Ended: a.figures.ended},
		Webhooks: webhooks.Options{
			KindName: func(kind string) string { return names.Type(formats.Kind(kind)) }, AssetID: rest.AssetID, ComponentID: rest.ComponentID,
			Counted: a.figures.attempted,
		},
		Outbound: proxyDefaults(a.cfg.Proxy), BaseURL: a.cfg.BaseURL, Repositories: !a.cfg.SkipDefaultRepositories, ScriptCreation: a.cfg.ScriptCreation,
		UserAgent: fmt.Sprintf("Nexus/%s (%s; %s; %s)", claim.Version, claim.Edition, runtime.GOOS, runtime.GOARCH),
	}
}

// followChanges keeps the search index up to date until what it returns is called.
func (a *appliance) followChanges(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		a.Search.Run(ctx, a.contents)
	}()
	return func() {
		cancel()
		<-done
	}
}

// contents gives the content trees of all repositories.
func (a *appliance) contents() []string {
	var all []string
	for _, d := range a.Engine.List() {
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
	if a.Domains != nil {
		errs = append(errs, a.Domains.Close())
	}
	for _, open := range a.blobs {
		errs = append(errs, open.driver.Close())
	}
	if a.records != nil {
		errs = append(errs, a.records.Close())
	}
	return errors.Join(errs...)
}
