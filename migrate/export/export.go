// Package export writes what a server holds the way a Nexus keeps it, so that a move can be undone: blob stores in the old layout,
// from whose properties an old server rebuilds its records, and beside them a description of settings and assets that this program
// imports again whole.
//
//	DIR/blobs/STORE/metadata.properties, content/vol-NN/chap-NN/ID.bytes and .properties
//	DIR/inventory.json   settings, with passwords and secrets in the clear: mode 0600
//	DIR/assets.jsonl     one line for each asset
//
// Invariants: an id follows from repository, path and blob, so that an export that was killed goes on where it was; a blob's
// properties appear last, whole or not at all. Tokens are known here by their digests only and stay behind.
package export

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"entrepot/app/progress"
	"entrepot/app/repository"
	"entrepot/formats"
	"entrepot/migrate/blobs"
	"entrepot/migrate/importer"
	"entrepot/migrate/inventory"
	"entrepot/migrate/properties"
	"entrepot/storage/catalog"
)

// Names in an export.
const (
	inventoryFile = "inventory.json"
	assetsFile    = "assets.jsonl"
	blobsFolder   = "blobs"
)

// Report is what an export did.
type Report struct {
	Assets  int64    `json:"assets"`
	Bytes   int64    `json:"bytes"`
	Present int64    `json:"present"` // assets that an earlier run had written
	Notes   []string `json:"notes,omitempty"`
}

type writer struct {
	dir    string
	from   importer.Target
	meter  *progress.Meter
	report Report
}

// Run writes everything that a server holds into dir, which may hold an earlier export of the same server.
func Run(ctx context.Context, from importer.Target, dir string, meter *progress.Meter) (*Report, error) {
	w := &writer{dir: dir, from: from, meter: meter}
	if err := w.run(ctx); err != nil {
		return &w.report, fmt.Errorf("export: %w", err)
	}
	return &w.report, nil
}

func (w *writer) run(ctx context.Context) error {
	if err := os.MkdirAll(w.dir, 0o755); err != nil {
		return err
	}
	inv, err := w.describe(ctx)
	if err != nil {
		return err
	}
	w.meter.Total(inv.Assets, inv.Bytes)
	list, err := os.Create(filepath.Join(w.dir, assetsFile))
	if err != nil {
		return err
	}
	buffered := bufio.NewWriter(list)
	encoder := json.NewEncoder(buffered)
	encoder.SetEscapeHTML(false)
	for _, r := range inv.Repositories {
		if r.Kind != formats.Proxy {
			err = errors.Join(err, w.repository(ctx, r.Definition, encoder))
		}
	}
	if err = errors.Join(err, buffered.Flush(), list.Close()); err != nil {
		return err
	}
	return w.saveInventory(inv)
}

// repository writes the assets of one repository.
func (w *writer) repository(ctx context.Context, d repository.Definition, list *json.Encoder) error {
	for a, err := range w.from.Engine.HeldAll(ctx, d.Name) {
		if err != nil {
			return err
		}
		out, err := w.asset(ctx, d, a)
		if err == nil {
			err = list.Encode(out)
		}
		if err != nil {
			return fmt.Errorf("%s%s: %w", d.Name, a.Path, err)
		}
		w.report.Assets++
		w.report.Bytes += a.Size
		w.meter.Add(1, a.Size)
	}
	return nil
}

// asset writes the blob of one asset and gives its line of the list.
func (w *writer) asset(ctx context.Context, d repository.Definition, a *catalog.Asset) (*inventory.Asset, error) {
	id, store := blobID(d.Name, a), a.Blob.Store
	if repository.IsAdopted(store) { // where the copy will be
		store = d.BlobStore
	}
	out := &inventory.Asset{
		Repository: d.Name, Path: a.Path, Blob: store + "@" + id, Size: a.Size, Digests: a.Digests, ContentType: a.ContentType,
		Created: a.Created, Updated: a.Updated, BlobCreated: a.BlobCreated, BlobUpdated: a.BlobUpdated, LastDownloaded: a.LastDownloaded, Uploader: a.Uploader, UploaderIP: a.UploaderIP,
		Kind: a.Kind, Attributes: a.Format, Component: a.Component, Upstream: a.Upstream,
	}
	if a.Component != nil {
		c, err := w.from.Engine.HeldComponent(ctx, d.Name, *a.Component)
		if err != nil {
			return nil, err
		}
		if c != nil {
			out.ComponentKind, out.ComponentAttributes = c.Kind, c.Attributes
			out.ComponentCreated, out.ComponentUpdated = c.Created, c.Updated
		}
	}
	base := filepath.Join(w.dir, blobsFolder, store, "content", filepath.FromSlash(blobs.Location(id, time.Time{})))
	if _, err := os.Stat(base + ".properties"); err == nil {
		w.report.Present++
		return out, nil
	}
	if err := w.openStore(store, filepath.Dir(base)); err != nil {
		return nil, err
	}
	if err := w.copy(ctx, a, base+".bytes"); err != nil {
		return nil, err
	}
	return out, writeWhole(base+".properties", 0o644, func(f io.Writer) error { return writeProperties(f, d.Name, a) })
}

// openStore makes a folder of a blob store, and the mark that makes it one.
func (w *writer) openStore(store, folder string) error {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	mark := filepath.Join(w.dir, blobsFolder, store, "metadata.properties")
	if _, err := os.Stat(mark); err == nil {
		return nil
	}
	return writeWhole(mark, 0o644, func(f io.Writer) error { return properties.Write(f, map[string]string{"type": "file/1"}) })
}

// copy writes the bytes of an asset.
func (w *writer) copy(ctx context.Context, a *catalog.Asset, name string) error {
	body, err := w.from.Engine.OpenBlob(ctx, a.Blob)
	if err != nil {
		return err
	}
	defer body.Close()
	return writeWhole(name, 0o644, func(f io.Writer) error {
		_, err := io.Copy(f, io.NewSectionReader(body, 0, body.Size()))
		return err
	})
}

// blobID gives a blob the id that it has in every export: of the form of a random UUID, as the old server makes them.
func blobID(repository string, a *catalog.Asset) string {
	sum := sha256.Sum256([]byte(repository + "\x00" + a.Path + "\x00" + a.Blob.Hash.String() + "\x00" + a.BlobCreated.UTC().String()))
	sum[6], sum[8] = sum[6]&0x0f|0x40, sum[8]&0x3f|0x80
	text := hex.EncodeToString(sum[:16])
	return strings.Join([]string{text[:8], text[8:12], text[12:16], text[16:20], text[20:]}, "-")
}

// writeProperties writes what the old server keeps beside a blob.
func writeProperties(w io.Writer, repository string, a *catalog.Asset) error {
	by, ip := a.Uploader, a.UploaderIP
	if by == "" {
		by = "system"
	}
	if ip == "" {
		ip = "system"
	}
	p := map[string]string{
		"@BlobStore.blob-name": a.Path, "@BlobStore.content-type": a.ContentType, "@BlobStore.created-by": by, "@BlobStore.created-by-ip": ip,
		"@Bucket.repo-name": repository, "sha1": a.Digests.SHA1, "size": strconv.FormatInt(a.Size, 10),
		"creationTime": strconv.FormatInt(a.BlobCreated.UnixMilli(), 10),
	}
	if !a.LastDownloaded.IsZero() {
		p["lastDownloaded"] = a.LastDownloaded.UTC().Format("2006-01-02T15:04:05.000Z07:00")
	}
	return properties.Write(w, p)
}

// writeWhole writes a file so that it appears whole or not at all.
func writeWhole(name string, mode os.FileMode, write func(io.Writer) error) error {
	f, err := os.OpenFile(name+".part", os.O_CREATE|os.O_TRUNC|os.O_WRONLY, mode)
	if err != nil {
		return err
	}
	buffered := bufio.NewWriterSize(f, 1<<16)
	err = write(buffered)
	if err == nil {
		err = buffered.Flush()
	}
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return errors.Join(err, os.Remove(name+".part"))
	}
	return os.Rename(name+".part", name)
}
