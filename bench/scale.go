package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"entrepot/storage/blob"
	"entrepot/storage/blob/file"
	"entrepot/storage/catalog"
	"entrepot/storage/kv"
	"entrepot/storage/kv/leveldb"
)

const (
	scaleFolder = 100 // assets of one folder
	smallScale  = 1_000
)

// scale measures a server with many assets: memory and start, and whether reading one asset and browsing one folder cost more than
// with few.
func (b *bench) scale(ctx context.Context) error {
	few, err := b.grown(ctx, "few", smallScale)
	if err != nil {
		return err
	}
	defer few.stop()
	many, err := b.grown(ctx, "many", b.assets)
	if err != nil {
		return err
	}
	defer many.stop()
	rss, err := many.memory("VmRSS")
	if err != nil {
		return err
	}
	label := fmt.Sprintf("with %d assets", b.assets)
	b.bound("memory idle, "+label, "MiB", rss, 96)
	b.bound("start to first 200, "+label, "s", many.started.Seconds(), 0.5)
	for _, m := range []struct{ name, path string }{
		{"read one asset", "/repository/bench" + scalePath(smallScale/2)},
		{"browse one folder", "/service/rest/repository/browse/bench/g/0/0/"},
	} {
		o, p, err := b.pair(ctx, side{many, m.path, load{connections: 8}}, side{few, m.path, load{connections: 8}})
		if err != nil {
			return err
		}
		b.ratio(m.name+", "+label+" against 1,000", "/s", o.perSecond, p.perSecond, 0.8)
	}
	return nil
}

func scalePath(i int) string {
	folder := i / scaleFolder
	return fmt.Sprintf("/g/%d/%d/asset-%d.bin", folder/100, folder%100, i)
}

// grown makes a server with n assets, written by the storage layer itself, and starts it.
func (b *bench) grown(ctx context.Context, name string, n int) (*process, error) {
	data := filepath.Join(b.dir, name)
	first, err := b.entrepot(data)
	if err != nil {
		return nil, err
	}
	err = first.rawRepository(ctx, "bench")
	if err == nil {
		err = first.request(ctx, http.MethodPut, "/repository/bench/seed.bin", bytes.NewReader(small(0)), "")
	}
	if err = errors.Join(err, first.stop()); err != nil {
		return nil, err
	}
	begin := time.Now()
	if err := grow(ctx, data, n); err != nil {
		return nil, err
	}
	fmt.Printf("wrote %d assets in %s\n", n, time.Since(begin).Round(time.Millisecond))
	return b.entrepot(data)
}

func grow(ctx context.Context, data string, n int) error {
	return withStorage(data, func(records *catalog.Catalog, blobs *blob.Store) error { return growRaw(ctx, records, blobs, n) })
}

// withStorage opens the records and the default blobs of a server that does not run.
func withStorage(data string, work func(records *catalog.Catalog, blobs *blob.Store) error) (err error) {
	driver, err := leveldb.Open(filepath.Join(data, "records"), nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, driver.Close()) }()
	bodies, err := file.Open(filepath.Join(data, "blobs", "default"), nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, bodies.Close()) }()
	records := catalog.New(kv.New(driver), nil)
	defer func() { err = errors.Join(err, records.Close()) }()
	return work(records, blob.New("default", bodies, nil))
}

func growRaw(ctx context.Context, records *catalog.Catalog, blobs *blob.Store, n int) error {
	tree, err := contentOf(ctx, records)
	if err != nil {
		return err
	}
	w, err := blobs.Create(ctx, blob.WriteOptions{})
	if err != nil {
		return err
	}
	defer w.Discard()
	if _, err := w.Write(small(1)); err != nil {
		return err
	}
	info, err := w.Commit(ctx)
	if err != nil {
		return err
	}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(64)
	for i := range n {
		g.Go(func() error {
			path := scalePath(i)
			return tree.Put(ctx, &catalog.Asset{
				Path: path, Component: &catalog.Coordinates{Group: path[:strings.LastIndexByte(path, '/')], Name: path},
				Blob: catalog.BlobRef{Store: "default", Hash: info.Hash}, Size: info.Size, Digests: info.Digests,
				ContentType: "application/octet-stream", Uploader: "bench",
			}, catalog.PutOptions{})
		})
	}
	return g.Wait()
}

// contentOf finds the one tree that holds the seed.
func contentOf(ctx context.Context, records *catalog.Catalog) (*catalog.Content, error) {
	for id, err := range records.Contents(ctx) {
		if err != nil {
			return nil, err
		}
		if _, err := records.Content(id).Asset(ctx, "/seed.bin"); err == nil {
			return records.Content(id), nil
		}
	}
	return nil, errors.New("no tree holds the seed")
}
