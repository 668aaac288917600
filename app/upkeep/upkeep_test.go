package upkeep_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"entrepot/app/access"
	"entrepot/app/apptest"
	"entrepot/app/cleanup"
	"entrepot/app/domains"
	"entrepot/app/repository"
	"entrepot/app/tasks"
	"entrepot/app/upkeep"
	"entrepot/formats"
	"entrepot/storage/blob"
	blobmemory "entrepot/storage/blob/memory"
	"entrepot/storage/catalog"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var now = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

func must(t testing.TB, err error) {
	t.Helper()
	apptest.Must(t, err)
}

// house is a server without an edge.
type house struct {
	*apptest.Server
	t         *testing.T
	stored    time.Time // of what is put
	collected int64
	steps     int // after which work is stopped; 0 for not at all
}

func newHouse(t *testing.T) *house {
	t.Helper()
	h := &house{t: t, stored: now.AddDate(0, 0, -100)}
	disk := blobmemory.New(&blobmemory.Options{Now: func() time.Time { return h.stored }})
	h.Server = apptest.New(t, func(o *domains.Options) {
		o.Now = func() time.Time { return now }
		o.Engine.OpenBlobs = apptest.OpenBlobs(func(string) blob.Driver { return disk })
		o.Upkeep.Collected = func(blobs, _ int64) { h.collected += blobs }
	})
	h.Disk = disk
	return h
}

func (h *house) typ(id string) tasks.Type {
	h.t.Helper()
	i := slices.IndexFunc(h.Tasks.Types(), func(t tasks.Type) bool { return t.ID == id })
	if i < 0 {
		h.t.Fatalf("there is no type %s", id)
	}
	return h.Tasks.Types()[i]
}

// try does the work of a type.
func (h *house) try(id string, properties ...string) (string, error) {
	h.t.Helper()
	typ := h.typ(id)
	p := make(map[string]string)
	for i := 0; i < len(properties); i += 2 {
		p[properties[i]] = properties[i+1]
	}
	if wrong := typ.Check(p); len(wrong) > 0 {
		h.t.Fatalf("%s: %v", id, wrong)
	}
	return typ.Do(h.context(), p, nil)
}

// context is the test's, or one that ends in the middle of the work.
func (h *house) context() context.Context {
	if h.steps == 0 {
		return h.t.Context()
	}
	return &fuse{Context: h.t.Context(), left: h.steps}
}

// fuse is a context that ends when it was asked some times whether it has.
type fuse struct {
	context.Context
	left int
}

func (f *fuse) Err() error {
	if f.left--; f.left < 0 {
		return context.Canceled
	}
	return f.Context.Err()
}

func (h *house) do(id string, properties ...string) string {
	h.t.Helper()
	message, err := h.try(id, properties...)
	must(h.t, err)
	return message
}

func (h *house) repository(d repository.Definition) {
	h.t.Helper()
	d.Online, d.BlobStore = true, "default"
	if d.Kind == formats.Hosted {
		d.Write = repository.WriteAllow
	}
	if d.Format == "maven2" {
		d.Settings = map[string]string{"versionPolicy": "MIXED"}
	}
	must(h.t, h.Engine.Create(h.t.Context(), d, "admin"))
}

// put stores an artifact, or a file, of some days ago that was downloaded some days ago, never when that is negative.
func (h *house) put(repo, path string, days, downloaded int) {
	h.t.Helper()
	a := repository.Restored{Path: path, Size: int64(len(path)), BlobCreated: now.AddDate(0, 0, -days), Component: &catalog.Coordinates{Name: path}}
	if downloaded >= 0 {
		a.LastDownloaded = now.AddDate(0, 0, -downloaded)
	}
	if parts := strings.Split(strings.Trim(path, "/"), "/"); strings.HasSuffix(path, ".jar") {
		n := len(parts)
		a.Component = &catalog.Coordinates{
			Group: strings.Join(parts[:n-3], "."), Name: parts[n-3], Version: strings.TrimSuffix(strings.TrimPrefix(parts[n-1], parts[n-3]+"-"), ".jar"),
		}
		a.ComponentAttributes = map[string]string{"baseVersion": parts[n-2]}
	}
	_, err := h.Engine.Restore(h.t.Context(), repo, a, func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(path)), nil })
	must(h.t, err)
}

// loose stores a file that belongs to no component.
func (h *house) loose(repo, path string, days, downloaded int) {
	h.t.Helper()
	a := repository.Restored{Path: path, Size: int64(len(path)), BlobCreated: now.AddDate(0, 0, -days)}
	if downloaded >= 0 {
		a.LastDownloaded = now.AddDate(0, 0, -downloaded)
	}
	_, err := h.Engine.Restore(h.t.Context(), repo, a, func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(path)), nil })
	must(h.t, err)
}

// holds gives the paths of a repository, without documents and their checksums.
func (h *house) holds(repo string) string {
	h.t.Helper()
	var all []string
	for a, err := range h.Engine.HeldAll(h.t.Context(), repo) {
		must(h.t, err)
		if !strings.Contains(a.Path, "maven-metadata") {
			all = append(all, a.Path[strings.LastIndex(a.Path, "/")+1:])
		}
	}
	slices.Sort(all)
	return strings.Join(all, " ")
}

func snapshot(version string, build int) string {
	return fmt.Sprintf("/org/acme/lib/%[1]s-SNAPSHOT/lib-%[1]s-20260101.00000%[2]d-%[2]d.jar", version, build)
}

func TestRemoveSnapshots(t *testing.T) {
	tests := []struct {
		name       string
		properties []string
		want       string
	}{
		{"old builds", []string{"keep", "1", "days", "30"}, "lib-1.0-20260101.000003-3.jar lib-1.0.jar lib-2.0-20260101.000002-2.jar"},
		{"two stay", []string{"keep", "2", "days", "0"}, "lib-1.0-20260101.000002-2.jar lib-1.0-20260101.000003-3.jar lib-1.0.jar lib-2.0-20260101.000001-1.jar lib-2.0-20260101.000002-2.jar"},
		{"young ones stay", []string{"keep", "1", "days", "80"}, "lib-1.0-20260101.000002-2.jar lib-1.0-20260101.000003-3.jar lib-1.0.jar lib-2.0-20260101.000001-1.jar lib-2.0-20260101.000002-2.jar"},
		{"all stay", []string{"keep", "-1", "days", "0"}, "lib-1.0-20260101.000001-1.jar lib-1.0-20260101.000002-2.jar lib-1.0-20260101.000003-3.jar lib-1.0.jar lib-2.0-20260101.000001-1.jar lib-2.0-20260101.000002-2.jar"},
		{"what was released", []string{"keep", "-1", "days", "0", "ifReleased", "true"}, "lib-1.0.jar lib-2.0-20260101.000001-1.jar lib-2.0-20260101.000002-2.jar"},
		{"released too lately", []string{"keep", "-1", "days", "0", "ifReleased", "true", "graceDays", "50"}, "lib-1.0-20260101.000001-1.jar lib-1.0-20260101.000002-2.jar lib-1.0-20260101.000003-3.jar lib-1.0.jar lib-2.0-20260101.000001-1.jar lib-2.0-20260101.000002-2.jar"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := newHouse(t)
			h.repository(repository.Definition{Name: "libs", Format: "maven2", Kind: formats.Hosted})
			h.repository(repository.Definition{Name: "all", Format: "maven2", Kind: formats.Proxy, Members: []string{"libs"}})
			for i, days := range []int{90, 70, 60} {
				h.put("libs", snapshot("1.0", i+1), days, -1)
			}
			h.put("libs", snapshot("2.0", 1), 70, -1)
			h.put("libs", snapshot("2.0", 2), 70, -1)
			h.put("libs", "/org/acme/lib/1.0/lib-1.0.jar", 40, -1)
			h.do(upkeep.MavenRemoveSnapshots, append(tt.properties, "repository", "all")...)
			if d := cmp.Diff(strings.Fields(tt.want), strings.Fields(h.holds("libs"))); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestRemoveUnused(t *testing.T) {
	h := newHouse(t)
	for _, name := range []string{"cache", "other"} {
		h.repository(repository.Definition{Name: name, Format: "raw", Kind: formats.Cache, Upstream: &repository.Upstream{URL: "http://127.0.0.1:1/"}})
		h.put(name, "/never", 20, -1)
		h.put(name, "/lately", 20, 1)
		h.put(name, "/long ago", 20, 15)
	}
	h.repository(repository.Definition{Name: "own", Format: "raw", Kind: formats.Hosted})
	h.put("own", "/never", 20, -1)
	h.repository(repository.Definition{Name: "libs", Format: "maven2", Kind: formats.Cache, Upstream: &repository.Upstream{URL: "http://127.0.0.1:1/"}})
	h.loose("libs", "/archetype-catalog.xml", 20, -1)
	h.loose("libs", "/archetype-catalog.xml.sha1", 20, 1)
	if got := h.do(upkeep.RemoveUnused, "repository", "cache", "days", "10"); got != "2 components with 2 files (15 B) removed from 1 repository" {
		t.Error(got)
	}
	if got := h.holds("cache") + "; " + h.holds("other"); got != "lately; lately long ago never" {
		t.Error(got)
	}
	if got := h.do(upkeep.RemoveUnused, "repository", "*", "days", "10"); got != "2 components with 3 files (37 B) removed from 3 repositories" {
		t.Error(got)
	}
	if got := h.holds("libs"); got != "archetype-catalog.xml.sha1" {
		t.Error(got)
	}
	if got := h.holds("other") + "; " + h.holds("own"); got != "lately; never" {
		t.Error(got)
	}
	if wrong := h.typ(upkeep.RemoveUnused).Check(map[string]string{"repository": "own"}); len(wrong) != 1 {
		t.Errorf("a hosted repository: %v", wrong)
	}
	if _, err := h.typ(upkeep.RemoveUnused).Do(t.Context(), map[string]string{"repository": "*", "days": "0"}, nil); err == nil {
		t.Error("zero days remove everything")
	}
}

func TestCollectAndVerify(t *testing.T) {
	h := newHouse(t)
	h.repository(repository.Definition{Name: "files", Format: "raw", Kind: formats.Hosted})
	for i := range 5 {
		h.put("files", fmt.Sprint("/", i), 50, -1)
	}
	days := int64(1)
	must(t, h.Cleanup.Create(t.Context(), cleanup.Policy{Name: "some", Format: "raw", Criteria: cleanup.Criteria{AssetRegex: "/[012]", UpdatedDays: &days}}, "admin"))
	d, _ := h.Engine.Lookup("files")
	d.Cleanup = []string{"some"}
	must(t, h.Engine.Update(t.Context(), d, "admin"))
	if got := h.do(upkeep.Cleanup); got != "3 components with 3 files (6 B) removed from 1 repository" {
		t.Error(got)
	}
	if got := h.do(upkeep.CollectBlobs, "blobStore", "default", "dryRun", "true"); got != "3 blobs (6 B) of 5 would be removed" || h.collected != 0 {
		t.Error(got, h.collected)
	}
	if _, err := h.Engine.Freeze(t.Context(), repository.Freeze{}); err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{upkeep.CollectBlobs, upkeep.RebuildSearch} {
		if _, err := h.try(id, "blobStore", "default", "repository", "*"); !errors.Is(err, repository.ErrReadOnly) {
			t.Errorf("%s while the server is frozen: %v", id, err)
		}
	}
	if _, err := h.Engine.Release(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := h.do(upkeep.CollectBlobs, "blobStore", "default", "olderThanDays", "200"); got != "0 blobs (0 B) of 5 removed; 3 are too young" {
		t.Error(got)
	}
	if got := h.do(upkeep.CollectBlobs, "blobStore", "default"); got != "3 blobs (6 B) of 5 removed" || h.collected != 3 {
		t.Error(got, h.collected)
	}
	if got := h.do(upkeep.VerifyBlobs, "blobStore", "*"); got != "2 blobs (4 B) verified; all as it should be" {
		t.Error(got)
	}
	a, err := h.Engine.Held(t.Context(), "files", "/3")
	must(t, err)
	must(t, h.Disk.Delete(t.Context(), a.Blob.Hash))
	if _, err := h.try(upkeep.VerifyBlobs, "blobStore", "default"); err == nil || !strings.Contains(err.Error(), "1 problem; ") || !strings.Contains(err.Error(), "content of /3") {
		t.Errorf("a lost blob: %v", err)
	}
	if got := h.do(upkeep.CollectBlobs, "blobStore", "default"); !strings.Contains(got, "1 that are in use are missing") {
		t.Error(got)
	}
}

func TestRebuild(t *testing.T) {
	h := newHouse(t)
	h.repository(repository.Definition{Name: "libs", Format: "maven2", Kind: formats.Hosted})
	h.put("libs", snapshot("1.0", 1), 10, -1)
	h.put("libs", "/org/acme/lib/0.9/lib-0.9.jar", 10, -1)
	h.put("libs", "/org/acme/other/1.0/other-1.0.jar", 10, -1)
	if got := h.do(upkeep.MavenRebuildMetadata, "repository", "*", "group", "org.acme", "artifact", "other"); got != "1 document of 1 repository made anew" {
		t.Error(got)
	}
	if got := h.do(upkeep.MavenRebuildMetadata, "repository", "libs"); got != "3 documents of 1 repository made anew" {
		t.Error(got)
	}
	for _, path := range []string{"/org/acme/lib/maven-metadata.xml", "/org/acme/lib/1.0-SNAPSHOT/maven-metadata.xml.sha1", "/org/acme/other/maven-metadata.xml"} {
		if a, err := h.Engine.Held(t.Context(), "libs", path); err != nil || a == nil {
			t.Errorf("%s: %v %v", path, a, err)
		}
	}
	if got := h.do(upkeep.CheckBrowse, "repositories", "libs, libs"); got != "2 repositories checked; all as it should be" {
		t.Error(got)
	}
	if got := h.do(upkeep.RebuildSearch, "repository", "*"); got != "search of 1 repository made anew" {
		t.Error(got)
	}
	if got := h.do(upkeep.Checkpoint); got != "checkpoint written" {
		t.Error(got)
	}
}

func TestOrphanedTokens(t *testing.T) {
	h := newHouse(t)
	for _, user := range []string{"admin", "gone", "gone too"} {
		for range 2 {
			_, err := h.Access.CreateToken(t.Context(), access.System(), access.Token{Domain: "NpmToken", Source: access.SourceLocal, User: user})
			must(t, err)
		}
	}
	_, err := h.Access.CreateToken(t.Context(), access.System(), access.Token{Domain: "NpmToken", Source: "LDAP", User: "far"})
	must(t, err)
	if got := h.do(upkeep.RemoveOrphanedTokens); got != "4 tokens removed" {
		t.Error(got)
	}
	for user, want := range map[[2]string]int{{access.SourceLocal, "admin"}: 2, {"LDAP", "far"}: 1, {access.SourceLocal, "gone"}: 0} {
		left, err := h.Access.Tokens(t.Context(), access.TokenFilter{Source: user[0], User: user[1]})
		must(t, err)
		if len(left) != want {
			t.Errorf("%v has %d tokens", user, len(left))
		}
	}
}
