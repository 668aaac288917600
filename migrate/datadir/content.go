package datadir

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"strings"
	"time"

	"entrepot/migrate/inventory"
	"entrepot/storage/blob"
	"entrepot/storage/catalog"
)

// contentTables are the tables of one format. The assets are read in order; their blobs and components are looked up in spools.
type contentTables struct {
	format     string
	repos      map[int64]string // names of the repositories whose assets come over, by the number that the tables use
	blobs      *spool
	components *spool

	last       componentRow // the assets of a component mostly follow each other
	lastNumber int64
	hasLast    bool
}

// blobRow is a row of a table of blobs.
type blobRow struct {
	Ref            string
	Size           int64
	ContentType    string
	Digests        blob.Digests
	Created, Added time.Time
	By, IP         string
}

// componentRow is a row of a table of components.
type componentRow struct {
	catalog.Coordinates
	Kind             string
	Attributes       map[string]string
	Created, Updated time.Time
}

const repositorySuffix = "_content_repository"

// openContent finds the formats and makes the indexes of their tables.
func (d *Directory) openContent(ctx context.Context) error {
	for _, t := range d.db.Tables() {
		format, ok := strings.CutSuffix(strings.ToLower(t.Name), repositorySuffix)
		if !ok {
			continue
		}
		c := &contentTables{format: format, repos: make(map[int64]string)}
		d.content = append(d.content, c)
		for r, err := range d.rows(ctx, t.Name) {
			if err != nil {
				return err
			}
			if name, ok := d.repos[r.uuid("config_repository_id")]; ok {
				c.repos[r.number("repository_id")] = name
			}
			if r.err != nil {
				return r.err
			}
		}
		if len(c.repos) == 0 {
			continue
		}
		if err := d.index(ctx, c); err != nil {
			return err
		}
	}
	return nil
}

// index reads the blobs and components of a format into spools.
func (d *Directory) index(ctx context.Context, c *contentTables) (err error) {
	if c.blobs, err = newSpool(d.opts.TempDir); err != nil {
		return err
	}
	if c.components, err = newSpool(d.opts.TempDir); err != nil {
		return err
	}
	for r, err := range d.rows(ctx, c.format+"_asset_blob") {
		if err != nil {
			return err
		}
		b := blobRow{
			Ref: r.text("blob_ref"), Size: r.number("blob_size"), ContentType: r.text("content_type"), Created: r.time("blob_created"),
			Added: r.time("added_to_repository"), By: r.text("created_by"), IP: r.text("created_by_ip"),
		}
		r.json("checksums", &b.Digests) // whose members are called as there
		if err := c.blobs.put(r.number("asset_blob_id"), &b); err != nil || r.err != nil {
			return errors.Join(err, r.err)
		}
	}
	for r, err := range d.rows(ctx, c.format+"_component") {
		if err != nil {
			return err
		}
		k := componentRow{
			Coordinates: catalog.Coordinates{Group: r.text("namespace"), Name: r.text("name"), Version: r.text("version")},
			Kind:        r.text("kind"), Attributes: flatten(c.format, r.object("attributes")),
			Created: r.time("created"), Updated: r.time("last_updated"),
		}
		if err := c.components.put(r.number("component_id"), &k); err != nil || r.err != nil {
			return errors.Join(err, r.err)
		}
	}
	return errors.Join(c.blobs.flush(), c.components.flush())
}

func (c *contentTables) close() error {
	var errs []error
	for _, s := range []*spool{c.blobs, c.components} {
		if s != nil {
			errs = append(errs, s.close())
		}
	}
	return errors.Join(errs...)
}

// flatten gives attributes by their names: those of the format as they are, of other groups with the group before.
func flatten(format string, attributes object) map[string]string {
	flat := make(map[string]string)
	for group, value := range attributes {
		members, ok := value.(map[string]any)
		if !ok || group == "content" || group == "cache" {
			continue
		}
		prefix := ""
		if group != format {
			prefix = group + "."
		}
		for key, member := range members {
			if member != nil {
				flat[prefix+key] = plainText(object(members), key)
			}
		}
	}
	if len(flat) == 0 {
		return nil
	}
	return flat
}

// Assets delivers the assets of hosted repositories and caches. What a proxy (group) holds is derived and stays behind.
func (d *Directory) Assets(ctx context.Context) iter.Seq2[*inventory.Asset, error] {
	return func(yield func(*inventory.Asset, error) bool) {
		for _, c := range d.content {
			if len(c.repos) > 0 && !d.assetsOf(ctx, c, yield) {
				return
			}
		}
	}
}

func (d *Directory) assetsOf(ctx context.Context, c *contentTables, yield func(*inventory.Asset, error) bool) bool {
	for r, err := range d.rows(ctx, c.format+"_asset") {
		if err != nil {
			yield(nil, err)
			return false
		}
		name, ok := c.repos[r.number("repository_id")]
		if !ok {
			continue
		}
		a, err := d.asset(r, c, name)
		if a == nil && err == nil {
			continue
		}
		if !yield(a, err) {
			return false
		}
		var problem *inventory.Problem
		if err != nil && !errors.As(err, &problem) {
			return false
		}
	}
	return true
}

// asset joins a row with its blob and component; nil for a row without content.
func (d *Directory) asset(r *row, c *contentTables, repository string) (*inventory.Asset, error) {
	path, attributes := r.text("path"), r.object("attributes")
	blobID, hasBlob := get[int64](r, "asset_blob_id")
	componentID, hasComponent := get[int64](r, "component_id")
	if r.err != nil {
		return nil, r.err
	}
	if !hasBlob {
		return nil, nil
	}
	var b blobRow
	found, err := c.blobs.get(blobID, &b)
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, &inventory.Problem{Repository: repository, Path: path, Reason: fmt.Sprintf("the record %d of its blob is missing", blobID)}
	}
	if !strings.HasPrefix(path, "/") {
		path = "/" + path
	}
	a := &inventory.Asset{
		Repository: repository, Path: path, Blob: b.Ref, Size: b.Size, Digests: b.Digests, ContentType: b.ContentType,
		Created: r.time("created"), Updated: r.time("last_updated"), BlobCreated: b.Created, BlobUpdated: b.Added, LastDownloaded: r.time("last_downloaded"), Uploader: b.By, UploaderIP: b.IP,
		Kind: r.text("kind"), Attributes: flatten(c.format, attributes), Upstream: upstream(attributes),
	}
	if !hasComponent {
		return a, r.err
	}
	if !c.hasLast || c.lastNumber != componentID {
		var k componentRow
		if found, err = c.components.get(componentID, &k); err != nil {
			return nil, err
		}
		c.last, c.lastNumber, c.hasLast = k, componentID, found
	}
	if k := c.last; c.hasLast {
		a.Component, a.ComponentKind, a.ComponentAttributes = &k.Coordinates, k.Kind, k.Attributes
		a.ComponentCreated, a.ComponentUpdated = k.Created, k.Updated
	}
	return a, r.err
}

// upstream gives what a cache knows of where an asset came from; nil when it came from nowhere.
func upstream(attributes object) *catalog.Upstream {
	content, cache := attributes.object("content"), attributes.object("cache")
	verified, ok := instant(cache, "last_verified")
	if !ok {
		return nil
	}
	u := &catalog.Upstream{Verified: verified}
	u.LastModified, _ = instant(content, "last_modified")
	if etag := content.text("etag"); etag != "" {
		u.ETag = quoteTag(etag)
	}
	if cache.text("cache_token") == invalidated { // other tokens were forgotten when the old server stopped
		u.Token = invalidated
	}
	return u
}

// invalidated is the cache token of an asset that is to be asked for again.
const invalidated = "invalidated"

// quoteTag gives back the quotes that the old server took off.
func quoteTag(etag string) string {
	if weak, ok := strings.CutPrefix(etag, "W/"); ok {
		return "W/" + quoteTag(weak)
	}
	if strings.HasPrefix(etag, `"`) {
		return etag
	}
	return `"` + etag + `"`
}

// instant reads a time that is written in ISO form or as milliseconds.
func instant(o object, key string) (time.Time, bool) {
	if at, err := time.Parse(time.RFC3339Nano, o.text(key)); err == nil {
		return at.UTC(), true
	}
	if ms, ok := o.number(key); ok {
		return time.UnixMilli(ms).UTC(), true
	}
	return time.Time{}, false
}

// Open opens the bytes of an asset.
func (d *Directory) Open(_ context.Context, a *inventory.Asset) (io.ReadCloser, error) {
	ref, err := parseBlobRef(a.Blob)
	if err != nil {
		return nil, err
	}
	name, err := d.find(ref)
	if err != nil {
		return nil, err
	}
	return os.Open(name)
}

// Remove removes the bytes of an asset and their properties. It is the only thing that changes a data directory, and only done for
// an operator who asked to move.
func (d *Directory) Remove(_ context.Context, a *inventory.Asset) error {
	ref, err := parseBlobRef(a.Blob)
	if err != nil {
		return err
	}
	name, err := d.find(ref)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := os.Remove(strings.TrimSuffix(name, ".bytes") + ".properties"); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return os.Remove(name)
}
