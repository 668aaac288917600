package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"entrepot/storage/blob"
	"entrepot/storage/catalog"
)

// The shape of what is searched in: as many groups, names and versions as a company's repositories have of each.
const (
	searchRepositories = 100
	searchGroups       = 40  // of a repository
	searchVersions     = 20  // of a name
	searchSamples      = 300 // requests of each kind
	searchSeed         = "/org/seed/seed/1/seed-1.jar"
)

// search measures the 99th percentile of searches and listings among many components.
func (b *bench) search(ctx context.Context) (err error) {
	data := filepath.Join(b.dir, "search")
	p, err := b.searchServer(ctx, data)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.stop()) }()
	begin := time.Now()
	if err := b.awaitIndex(ctx, p); err != nil {
		return err
	}
	fmt.Printf("indexed %d components in %s\n", b.components, time.Since(begin).Round(time.Second))
	random := rand.New(rand.NewPCG(1, 2))
	for _, kind := range []struct {
		name   string
		atMost float64
		query  func(at component) string
	}{
		{"one word", 50, func(at component) string { return "search?q=" + at.name }},
		{"beginning of a word", 50, func(at component) string { return "search?q=" + at.name[:5] + "*" }},
		{"inside of a word", 50, func(at component) string { return "search?q=*" + at.name[2:] + "*" }},
		{"group, name, version", 50, func(at component) string {
			return "search?group=" + at.group + "&name=" + at.name + "&version=" + at.version
		}},
		{"group, newest first", 50, func(at component) string { return "search?sort=version&group=" + at.group }},
		{"a version of all, by name", 50, func(at component) string { return "search?sort=name&version=" + at.version }},
		{"all by name", 50, func(component) string { return "search?sort=name" }},
		{"ending that few have", 50, func(component) string { return "search?maven.extension=war" }},
		{"one repository, inside of a name", 50, func(at component) string { return "search?repository=" + at.repository + "&name=*" + at.name[3:] }},
		{"assets of one name", 50, func(at component) string { return "search/assets?name=" + at.name + "&maven.extension=jar" }},
		{"nothing to find", 50, func(component) string { return "search?q=nowhere-to-be-found" }},
		{"page of components", 20, func(at component) string { return "components?repository=" + at.repository }},
		{"page of assets", 20, func(at component) string { return "assets?repository=" + at.repository }},
	} {
		times := make([]time.Duration, searchSamples)
		for i := range times {
			at := componentAt(random.IntN(b.components))
			begin := time.Now()
			if _, err := p.get(ctx, "/service/rest/v1/"+kind.query(at)); err != nil {
				return err
			}
			times[i] = time.Since(begin)
		}
		slices.Sort(times)
		b.bound("p99 of "+kind.name, "ms", float64(times[searchSamples*99/100].Microseconds())/1000, kind.atMost)
	}
	rss, err := p.memory("VmHWM")
	b.bound("peak memory of searches", "MiB", rss, 256)
	return err
}

// component says where one of the components is.
type component struct{ repository, group, name, version string }

func repositoryName(i int) string { return fmt.Sprintf("maven-%02d", i) }

// componentAt gives the i-th component. Names are spread over all repositories.
func componentAt(i int) component {
	repository, n := i%searchRepositories, i/searchRepositories
	name := n / searchVersions
	return component{
		repository: repositoryName(repository), group: fmt.Sprintf("org.acme.team%d", (repository*7+name)%(searchGroups*10)),
		name: fmt.Sprintf("%s-%d", searchWords[(repository+name)%len(searchWords)], name), version: fmt.Sprintf("%d.%d.%d", n%3, n%searchVersions, name%5),
	}
}

var searchWords = []string{
	"service", "gateway", "inventory", "billing", "adapter", "scheduler", "payments", "reporting", "identity", "catalogue", "messaging",
	"storage", "analytics", "telemetry", "workflow", "frontend", "backend", "commons", "toolkit", "connector",
}

// searchServer starts a server with all components in its records.
func (b *bench) searchServer(ctx context.Context, data string) (*process, error) {
	first, err := b.entrepot(data)
	if err != nil {
		return nil, err
	}
	for i := range searchRepositories {
		name := repositoryName(i)
		body := fmt.Sprintf(`{"name":%q,"online":true,"storage":{"blobStoreName":"default","strictContentTypeValidation":false,"writePolicy":"ALLOW"},`+
			`"maven":{"versionPolicy":"MIXED","layoutPolicy":"STRICT"}}`, name)
		if err = first.request(ctx, http.MethodPost, "/service/rest/v1/repositories/maven/hosted", strings.NewReader(body), "application/json"); err == nil {
			err = first.request(ctx, http.MethodPut, "/repository/"+name+searchSeed, strings.NewReader(name), "")
		}
		if err != nil {
			return nil, errors.Join(err, first.stop())
		}
	}
	if err := first.stop(); err != nil {
		return nil, err
	}
	begin := time.Now()
	if err := withStorage(data, func(records *catalog.Catalog, blobs *blob.Store) error {
		return growSearch(ctx, records, blobs, b.components)
	}); err != nil {
		return nil, err
	}
	fmt.Printf("wrote %d components in %s\n", b.components, time.Since(begin).Round(time.Second))
	return b.entrepot(data)
}

// growSearch writes the components by the storage layer itself.
func growSearch(ctx context.Context, records *catalog.Catalog, blobs *blob.Store, n int) error {
	trees, err := searchTrees(ctx, records, blobs)
	if err != nil {
		return err
	}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(64)
	for i := range n {
		g.Go(func() error {
			at := componentAt(i)
			tree := trees[at.repository]
			extension := "jar"
			if i%10_000 == 0 {
				extension = "war"
			}
			seed := tree.seed
			seed.Path = "/" + strings.ReplaceAll(at.group, ".", "/") + "/" + at.name + "/" + at.version + "/" + at.name + "-" + at.version + "." + extension
			seed.Component = &catalog.Coordinates{Group: at.group, Name: at.name, Version: at.version}
			seed.Format = map[string]string{"extension": extension}
			return tree.content.Put(ctx, &seed, catalog.PutOptions{ComponentAttributes: map[string]string{"baseVersion": at.version}})
		})
	}
	return g.Wait()
}

// searchTree is the content of a repository, with an asset to make others like.
type searchTree struct {
	content *catalog.Content
	seed    catalog.Asset
}

// searchTrees finds the content of each repository by what its seed says.
func searchTrees(ctx context.Context, records *catalog.Catalog, blobs *blob.Store) (map[string]searchTree, error) {
	trees := make(map[string]searchTree)
	for id, err := range records.Contents(ctx) {
		if err != nil {
			return nil, err
		}
		a, err := records.Content(id).Asset(ctx, searchSeed)
		if errors.Is(err, catalog.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		body, err := blobs.Open(ctx, a.Blob.Hash)
		if err != nil {
			return nil, err
		}
		name, err := io.ReadAll(io.NewSectionReader(body, 0, a.Size))
		if err = errors.Join(err, body.Close()); err != nil {
			return nil, err
		}
		seed := *a
		seed.ID = 0
		trees[string(name)] = searchTree{records.Content(id), seed}
	}
	return trees, nil
}

// awaitIndex waits until the last component of each repository is found.
func (b *bench) awaitIndex(ctx context.Context, p *process) error {
	for i := range searchRepositories {
		for _, at := range []component{componentAt(i), componentAt(b.components - searchRepositories + i)} {
			query := url.Values{"repository": {at.repository}, "group": {at.group}, "name": {at.name}, "version": {at.version}}
			for {
				body, err := p.get(ctx, "/service/rest/v1/search?"+query.Encode())
				if err != nil {
					return err
				}
				var page struct{ Items []json.RawMessage }
				if err := json.Unmarshal(body, &page); err != nil {
					return err
				}
				if len(page.Items) > 0 {
					break
				}
			}
		}
	}
	return nil
}

// get reads an answer as admin.
func (p *process) get(ctx context.Context, path string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.url(path), nil)
	if err != nil {
		return nil, err
	}
	req.SetBasicAuth("admin", password)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s %s", path, resp.Status, bytes.TrimSpace(body[:min(len(body), 300)]))
	}
	return body, err
}
