package datadir

import (
	"context"
	"encoding/json"
	"fmt"

	"entrepot/migrate/inventory"
)

// Describe reads everything but the assets, which it counts; once, later calls give the same. A secret that cannot be opened is an
// error that names all such.
func (d *Directory) Describe(ctx context.Context) (*inventory.Inventory, error) {
	if d.inventory != nil {
		return d.inventory, nil
	}
	if err := d.closeContent(); err != nil { // of an attempt that failed
		return nil, err
	}
	inv := &inventory.Inventory{Origin: "data directory " + d.dir, Complete: true}
	for _, read := range []func(context.Context, *inventory.Inventory) error{
		func(ctx context.Context, _ *inventory.Inventory) error { return d.readSecrets(ctx) },
		d.readBlobStores, d.readRepositories, d.readAccounts, d.countContent, d.readSystem, d.readUserTokens, d.readSAML, d.readUpkeep, d.readRecords,
	} {
		if err := read(ctx, inv); err != nil {
			return nil, err
		}
	}
	inv.Warnings = warnings(d.db.Info())
	d.inventory = inv
	return inv, nil
}

// countContent makes the indexes of the content tables and counts what comes over.
func (d *Directory) countContent(ctx context.Context, inv *inventory.Inventory) error {
	if err := d.openContent(ctx); err != nil {
		return err
	}
	byName, byStore := make(map[string]*inventory.Repository), make(map[string]*inventory.BlobStore)
	for i := range inv.Repositories {
		byName[inv.Repositories[i].Name] = &inv.Repositories[i]
	}
	for i := range inv.BlobStores {
		byStore[inv.BlobStores[i].Name] = &inv.BlobStores[i]
	}
	for _, c := range d.content {
		if len(c.repos) == 0 {
			continue
		}
		empty := 0
		for r, err := range d.rows(ctx, c.format+"_asset") {
			if err != nil {
				return err
			}
			repo := byName[c.repos[r.number("repository_id")]]
			if repo == nil {
				continue
			}
			id, ok := get[int64](r, "asset_blob_id")
			var size int64
			if ok {
				if size, ok, err = c.sizeOf(r, id); err != nil {
					return err
				}
			}
			if r.err != nil {
				return r.err
			}
			if !ok {
				empty++
				continue
			}
			repo.Assets++
			repo.Bytes += size
			inv.Assets++
			inv.Bytes += size
			if s := byStore[repo.BlobStore]; s != nil {
				s.Bytes += size
			}
		}
		if empty > 0 {
			inv.Notes = append(inv.Notes, fmt.Sprintf("%d assets of format %s have no content and stay behind.", empty, c.format))
		}
	}
	return nil
}

// sizeOf gives the size of an asset's blob; false when its record is missing. The asset's row mostly has it as well.
func (c *contentTables) sizeOf(r *row, blob int64) (size int64, found bool, err error) {
	if size, there := get[int64](r, "asset_blob_size"); there {
		_, _, found, err = c.blobs.find(blob)
		return size, found, err
	}
	var b blobRow
	found, err = c.blobs.get(blob, &b)
	return b.Size, found, err
}

// plainText gives a member as text: single values as they are, others as JSON.
func plainText(o object, key string) string {
	switch o[key].(type) {
	case map[string]any, []any:
		encoded, err := json.Marshal(o[key])
		if err != nil {
			return ""
		}
		return string(encoded)
	}
	return o.text(key)
}
