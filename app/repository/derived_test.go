package repository

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"entrepot/formats"
	"entrepot/formats/maven2"
	"entrepot/formats/raw"
	"entrepot/storage/catalog"
)

const toolMetadata = "/g/a/maven-metadata.xml"

// deployed makes a hosted repository with versions of one artifact and their metadata.
func deployed(b *bench, name string, list ...string) {
	b.t.Helper()
	b.create(mavenHosted(name))
	for _, v := range list {
		b.want(b.do("PUT", name, fmt.Sprintf("/g/a/%s/a-%s.jar", v, v), "x"), 201, "")
	}
	b.want(b.do("PUT", name, toolMetadata, versions(list...)), 201, "")
	b.want(b.do("PUT", name, toolMetadata+".sha1", digest(versions(list...))), 201, "")
}

// cutOff removes a version as a process does that ends before it makes the metadata anew.
func cutOff(b *bench, name, version string) {
	b.t.Helper()
	at := catalog.Coordinates{Group: "g", Name: "a", Version: version}
	tree := b.ContentOf(name)
	c, err := tree.Component(b.t.Context(), at)
	must(b.t, err)
	var assets []*catalog.Asset
	for a, err := range tree.ComponentAssets(b.t.Context(), at) {
		must(b.t, err)
		assets = append(assets, a)
	}
	gone, err := b.Pruner(name).Remove(b.t.Context(), c, assets)
	if err != nil || !gone {
		b.t.Fatalf("%s is not removed: %v", version, err)
	}
}

func stale(b *bench, name string) (left []string) {
	b.t.Helper()
	for s, err := range b.ContentOf(name).AllStale(b.t.Context()) {
		must(b.t, err)
		left = append(left, s.Path)
	}
	return left
}

// settled waits until nothing is stale.
func settled(b *bench, name string) {
	b.t.Helper()
	for deadline := time.Now().Add(10 * time.Second); len(stale(b, name)) > 0; {
		if time.Now().After(deadline) {
			b.t.Fatalf("%s: still stale: %q", name, stale(b, name))
		}
	}
}

func wantVersions(b *bench, name string, want ...string) {
	b.t.Helper()
	got := b.do("GET", name, toolMetadata, "")
	var named []string
	for _, part := range strings.Split(got.body, "<version>")[1:] {
		named = append(named, part[:strings.IndexByte(part, '<')])
	}
	if !slices.Equal(named, want) {
		b.t.Errorf("%s names %q; want %q", name, named, want)
	}
	if len(want) > 0 {
		b.want(b.do("GET", name, toolMetadata+".sha1", ""), 200, digest(got.body))
	} else if sum := b.do("GET", name, toolMetadata+".sha1", ""); got.status != 404 || sum.status != 404 {
		b.t.Errorf("metadata of nothing: %s, its checksum: %s", got, sum)
	}
}

func TestStartMakesDocumentsAnew(t *testing.T) {
	b := newBench(t)
	deployed(b, "one", "1.0", "1.1", "1.2")
	deployed(b, "two", "1.0")
	cutOff(b, "one", "1.1")
	cutOff(b, "two", "1.0")
	if got := stale(b, "one"); !slices.Equal(got, []string{toolMetadata}) {
		t.Fatalf("stale: %q", got)
	}
	b.open()
	settled(b, "one")
	settled(b, "two")
	wantVersions(b, "one", "1.0", "1.2")
	wantVersions(b, "two")
}

// TestReadMakesDocumentAnew reads before the start is through: the checksum first, as clients may.
func TestReadMakesDocumentAnew(t *testing.T) {
	b := newBench(t)
	deployed(b, "one", "1.0", "1.1")
	must(t, b.Engine.Close()) // nothing goes on in the background
	cutOff(b, "one", "1.0")
	b.renewal.wake()
	sum := b.do("GET", "one", toolMetadata+".sha1", "")
	b.want(sum, 200, digest(b.do("GET", "one", toolMetadata, "").body))
	wantVersions(b, "one", "1.1")
}

func TestFrozenServerMakesDocumentsAnewLater(t *testing.T) {
	b := newBench(t)
	deployed(b, "one", "1.0", "1.1")
	cutOff(b, "one", "1.0")
	_, err := b.Freeze(t.Context(), Freeze{Actor: "admin"})
	must(t, err)
	b.open()
	b.want(b.do("GET", "one", toolMetadata, ""), 200, versions("1.0", "1.1"))
	if len(stale(b, "one")) != 1 {
		t.Error("written while the server is read-only")
	}
	_, err = b.Release(t.Context())
	must(t, err)
	settled(b, "one")
	wantVersions(b, "one", "1.1")
}

func TestCloneTakesStaleDocumentsAlong(t *testing.T) {
	b := newBench(t)
	deployed(b, "one", "1.0", "1.1")
	cutOff(b, "one", "1.0")
	must(t, b.Clone(t.Context(), Cloning{Source: "one", Name: "two"}, "admin"))
	settled(b, "two")
	wantVersions(b, "two", "1.1")
}

// TestUploadIsToldOfAfterAKill has files of an upload, and no metadata yet.
func TestUploadIsToldOfAfterAKill(t *testing.T) {
	b := newBench(t)
	b.create(mavenHosted("one"))
	must(t, b.ContentOf("one").MarkStale(t.Context(), []string{toolMetadata}, true))
	b.want(b.do("PUT", "one", "/g/a/1.0/a-1.0.jar", "x"), 201, "")
	b.open()
	settled(b, "one")
	wantVersions(b, "one", "1.0")
}

// stubborn is the maven format whose documents cannot be made as long as broken is set.
type stubborn struct {
	*maven2.Format
	broken bool
}

func (f *stubborn) Rebuild(ctx context.Context, r formats.Repository, path string, src formats.Source) ([]*formats.Document, error) {
	if f.broken {
		return nil, fmt.Errorf("broken")
	}
	return f.Format.Rebuild(ctx, r, path, src)
}

func TestFailureIsMadeGood(t *testing.T) {
	f := &stubborn{Format: maven2.New(nil)}
	b := newBench(t, func(o *Options) { o.Formats = []formats.Format{f, raw.New()} })
	deployed(b, "one", "1.0", "1.1")
	must(t, b.Engine.Close())
	page, err := b.Components(t.Context(), admin, "one", "")
	must(t, err)
	f.broken = true
	if err := b.DeleteComponent(t.Context(), admin, Locator{Repository: "one", ID: page.Items[0].ID}); err == nil {
		t.Fatal("no error")
	}
	b.want(b.do("GET", "one", toolMetadata, ""), 200, versions("1.0", "1.1"))
	f.broken = false
	wantVersions(b, "one", "1.1")
}
