package repository

import (
	"context"
	"errors"
	"fmt"
	"time"

	"entrepot/formats"
	"entrepot/storage/kv"
)

// DefaultBlobStore is the name of the blob store that a new installation begins with.
const DefaultBlobStore = "default"

var installedKey = kv.Key{Partition: "repository/installed", Sort: "defaults"}

// CreateDefaults gives a new installation its blob store and, with repositories, the repositories that users of such a server expect,
// as far as their formats are served. It does so once: what an administrator deletes later stays deleted. After a crash it goes on.
func (e *Engine) CreateDefaults(ctx context.Context, repositories bool) error {
	_, err := e.opts.Store.Get(ctx, installedKey)
	if err == nil {
		return nil
	}
	if !errors.Is(err, kv.ErrNotFound) {
		return fmt.Errorf("repository: defaults: %w", err)
	}
	s := e.state.Load()
	if s.stores[DefaultBlobStore] == nil {
		store := BlobStore{Name: DefaultBlobStore, Type: BlobStoreFile, Path: DefaultBlobStore}
		if err := e.CreateBlobStore(ctx, store); err != nil {
			return err
		}
	}
	for _, d := range defaultRepositories() {
		if !repositories || !e.Served(d.Format) || s.find(d.Name) != nil {
			continue
		}
		d.Online, d.BlobStore = true, DefaultBlobStore
		if err := e.Create(ctx, d, "system"); err != nil {
			return err
		}
	}
	if err := e.opts.Store.Apply(ctx, kv.Put(installedKey, nil)); err != nil {
		return fmt.Errorf("repository: defaults: %w", err)
	}
	return nil
}

// defaultRepositories are the repositories of a new installation, members before their proxies. A cache has no upstream until an
// administrator names one.
func defaultRepositories() []Definition {
	maven := func(version, layout string) map[string]string {
		return map[string]string{"versionPolicy": version, "layoutPolicy": layout, "contentDisposition": "INLINE"}
	}
	return []Definition{
		{Name: "maven-releases", Format: "maven2", Kind: formats.Hosted, Write: WriteOnce, Settings: maven("RELEASE", "STRICT")},
		{Name: "maven-snapshots", Format: "maven2", Kind: formats.Hosted, Write: WriteAllow, Settings: maven("SNAPSHOT", "STRICT")},
		{
			Name: "maven-central", Format: "maven2", Kind: formats.Cache, Settings: maven("RELEASE", "PERMISSIVE"),
			Upstream:      &Upstream{ContentMaxAge: -1, MetadataMaxAge: 24 * time.Hour, Connection: &Connection{}},
			NegativeCache: NegativeCache{Enabled: true, TTL: 24 * time.Hour},
		},
		{
			Name: "maven-public", Format: "maven2", Kind: formats.Proxy, Settings: maven("MIXED", "STRICT"),
			Members: []string{"maven-releases", "maven-snapshots", "maven-central"},
		},
	}
}
