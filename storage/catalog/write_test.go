package catalog

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
)

func put(t testing.TB, tree *Content, a *Asset, opts PutOptions) {
	t.Helper()
	if err := tree.Put(t.Context(), a, opts); err != nil {
		t.Fatal(err)
	}
}

func TestPutRefusesInvalidAssets(t *testing.T) {
	tests := map[string]func(a *Asset){
		"no path":             func(a *Asset) { a.Path = "" },
		"relative":            func(a *Asset) { a.Path = "a" },
		"NUL":                 func(a *Asset) { a.Path = "/a\x00b" },
		"long path":           func(a *Asset) { a.Path = "/" + strings.Repeat("a", MaxPath) },
		"relative browse":     func(a *Asset) { a.Browse = "a" },
		"NUL in coordinates":  func(a *Asset) { a.Component = &Coordinates{Name: "a\x00"} },
		"long coordinates":    func(a *Asset) { a.Component = &Coordinates{Name: strings.Repeat("n", MaxCoordinates+1)} },
		"no store":            func(a *Asset) { a.Blob.Store = "" },
		"no blob":             func(a *Asset) { a.Blob = BlobRef{Store: "default"} },
		"negative size":       func(a *Asset) { a.Size = -1 },
		"short digest":        func(a *Asset) { a.Digests.SHA1 = "abcd" },
		"digest of no hex":    func(a *Asset) { a.Digests.MD5 = strings.Repeat("x", 32) },
		"enormous attributes": func(a *Asset) { a.Format = map[string]string{"k": strings.Repeat("v", 400<<10)} },
	}
	c := newCatalog(t, nil)
	for name, spoil := range tests {
		t.Run(name, func(t *testing.T) {
			a := testAsset("/a", 1)
			spoil(a)
			if err := c.Content("raw").Put(t.Context(), a, PutOptions{}); !errors.Is(err, ErrInvalid) {
				t.Errorf("Put = %v, want ErrInvalid", err)
			}
		})
	}
	a := testAsset("/a", 1)
	a.Component = &Coordinates{Name: "n"}
	huge := PutOptions{ComponentAttributes: map[string]string{"k": strings.Repeat("v", 400<<10)}}
	for _, id := range []string{"", "a\x00b", strings.Repeat("i", MaxContentID+1)} {
		if err := c.Content(id).Put(t.Context(), testAsset("/a", 1), PutOptions{}); !errors.Is(err, ErrInvalid) {
			t.Errorf("Put into tree %.10q = %v, want ErrInvalid", id, err)
		}
	}
	if err := c.Content("raw").Put(t.Context(), a, huge); !errors.Is(err, ErrInvalid) {
		t.Errorf("Put with enormous component = %v, want ErrInvalid", err)
	}
	mustCheck(t, c)
}

func TestReplaceKeepsWhatThePathIs(t *testing.T) {
	clock := &fakeClock{now: testTime.Add(1234567 * time.Nanosecond)}
	c := newCatalog(t, &Options{Now: clock.Now})
	tree := c.Content("raw")
	first := testAsset("/a", 1)
	first.Digests.SHA1 = strings.ToUpper(fmt.Sprintf("%040x", 0xabcdef))
	first.LastDownloaded = testTime.Add(-time.Hour)
	put(t, tree, first, PutOptions{})
	clock.now = clock.now.Add(time.Hour)
	second := testAsset("/a", 2)
	put(t, tree, second, PutOptions{})

	got, err := tree.Asset(t.Context(), "/a")
	if err != nil {
		t.Fatal(err)
	}
	want := testAsset("/a", 2)
	want.ID = first.ID
	want.Created, want.LastDownloaded = testTime.Add(time.Millisecond), testTime.Add(-time.Hour)
	want.BlobCreated = testTime.Add(time.Hour + time.Millisecond)
	want.BlobUpdated, want.Updated = want.BlobCreated, want.BlobCreated
	want.Version = got.Version
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if first.Digests.SHA1 != fmt.Sprintf("%040x", 0xabcdef) {
		t.Errorf("digest kept as %s", first.Digests.SHA1)
	}
	if n := len(collect(t, tree.ByChecksum(t.Context(), "sha1", first.Digests.SHA1))); n != 0 {
		t.Errorf("%d assets have the replaced digest", n)
	}
	wrong := testAsset("/a", 2)
	wrong.Size++
	if err := tree.Put(t.Context(), wrong, PutOptions{}); !errors.Is(err, ErrInvalid) {
		t.Errorf("Put of a blob with another size = %v", err)
	}
	mustCheck(t, c)
}

func TestConditions(t *testing.T) {
	c := newCatalog(t, nil)
	tree := c.Content("raw")
	ctx := t.Context()
	if err := tree.Put(ctx, testAsset("/a", 1), PutOptions{If: PutIfVersion}); !errors.Is(err, ErrConflict) {
		t.Errorf("Put of an absent path with a version = %v", err)
	}
	put(t, tree, testAsset("/a", 1), PutOptions{If: PutIfAbsent})
	if err := tree.Put(ctx, testAsset("/a", 2), PutOptions{If: PutIfAbsent}); !errors.Is(err, ErrConflict) {
		t.Errorf("second Put that must be first = %v", err)
	}
	old, err := tree.Asset(ctx, "/a")
	if err != nil {
		t.Fatal(err)
	}
	next := *old
	next.ContentType = "text/html"
	put(t, tree, &next, PutOptions{If: PutIfVersion})
	if err := tree.DeleteIf(ctx, "/a", old.Version); !errors.Is(err, ErrConflict) {
		t.Errorf("Delete of a replaced version = %v", err)
	}
	fresh, err := tree.Asset(ctx, "/a")
	if err != nil || fresh.ContentType != "text/html" {
		t.Fatalf("%+v, %v", fresh, err)
	}
	if err := tree.DeleteIf(ctx, "/a", fresh.Version); err != nil {
		t.Error(err)
	}
	if err := tree.Delete(ctx, "/a"); !errors.Is(err, ErrNotFound) {
		t.Errorf("second Delete = %v", err)
	}
}

func TestSharedBrowsePath(t *testing.T) {
	c := newCatalog(t, nil)
	tree := c.Content("pypi")
	for i, path := range []string{"/packages/1/x.whl", "/packages/2/x.whl", "/x"} {
		a := testAsset(path, i+1)
		if i < 2 {
			a.Browse = "/x/1.0/x.whl"
		}
		put(t, tree, a, PutOptions{})
	}
	mustCheck(t, c)
	nodes := collect(t, tree.Browse(t.Context(), "/", "", 0))
	if len(nodes) != 1 || nodes[0].Name != "x" || !nodes[0].Folder || nodes[0].Count != 2 || nodes[0].Asset.Path != "/x" {
		t.Errorf("root: %+v", nodes)
	}
	nodes = collect(t, tree.Browse(t.Context(), "/x/1.0", "", 0))
	if len(nodes) != 1 || nodes[0].Path != "/x/1.0/x.whl" || nodes[0].Asset.Path != "/packages/1/x.whl" {
		t.Errorf("folder: %+v", nodes)
	}
	for _, err := range tree.Browse(t.Context(), "/packages", "", 0) {
		if !errors.Is(err, ErrNotFound) {
			t.Errorf("folder of asset paths: %v", err)
		}
	}
}

func TestReferences(t *testing.T) {
	c := newCatalog(t, nil)
	put(t, c.Content("one"), testAsset("/a", 1), PutOptions{})
	put(t, c.Content("two"), testAsset("/b", 1), PutOptions{})
	put(t, c.Content("two"), testAsset("/c", 2), PutOptions{})
	var got []string
	for _, m := range collect(t, c.References(t.Context(), testAsset("/", 1).Blob)) {
		got = append(got, m.Content+m.Asset.Path)
	}
	if diff := gocmp.Diff([]string{"one/a", "two/b"}, got); diff != "" {
		t.Error(diff)
	}
	inOne := collect(t, c.Content("one").ByChecksum(t.Context(), "sha256", testAsset("/", 1).Digests.SHA256))
	if len(inOne) != 1 || inOne[0].Path != "/a" {
		t.Errorf("by checksum in one tree: %+v", inOne)
	}
	for _, err := range c.ByChecksum(t.Context(), "crc32", "00") {
		if !errors.Is(err, ErrInvalid) {
			t.Errorf("by an unknown checksum: %v", err)
		}
	}
}

// TestSharedBlobIsHandedOn removes the assets of one blob in any order; whoever is left keeps the blob referenced.
func TestSharedBlobIsHandedOn(t *testing.T) {
	for _, order := range []string{"abc", "acb", "bac", "bca", "cab", "cba"} {
		c := newCatalog(t, nil)
		tree := c.Content("raw")
		for _, name := range "abc" {
			put(t, tree, testAsset("/"+string(name), 1), PutOptions{})
		}
		for i, name := range order {
			if err := tree.Delete(t.Context(), "/"+string(name)); err != nil {
				t.Fatal(err)
			}
			mustCheck(t, c)
			is, err := c.Referenced(t.Context(), testAsset("/", 1).Blob)
			if left := i < 2; err != nil || is != left || len(collect(t, c.References(t.Context(), testAsset("/", 1).Blob))) != 2-i {
				t.Errorf("%s: after %c: referenced %v, %v", order, name, is, err)
			}
		}
	}
}

func TestGeneration(t *testing.T) {
	c := newCatalog(t, nil)
	tree := c.Content("raw")
	generations := func() (g [4]uint64) {
		for i, dir := range []string{"/", "/a", "/a/b/", "/c"} {
			var err error
			if g[i], err = tree.Generation(t.Context(), dir); err != nil {
				t.Fatal(err)
			}
		}
		return g
	}
	changed := func(before, after [4]uint64) (which string) {
		for i := range before {
			if before[i] != after[i] {
				which += []string{"/", "a", "b", "c"}[i]
			}
		}
		return which
	}
	step := func(name, want string, do func()) {
		t.Helper()
		before := generations()
		do()
		if got := changed(before, generations()); got != want {
			t.Errorf("%s changed %q, want %q", name, got, want)
		}
	}
	step("put", "/ab", func() { put(t, tree, testAsset("/a/b/x", 1), PutOptions{}) })
	step("put elsewhere", "/c", func() { put(t, tree, testAsset("/c/x", 1), PutOptions{}) })
	step("replace", "/ab", func() { put(t, tree, testAsset("/a/b/x", 2), PutOptions{}) })
	step("revalidate", "", func() {
		a, _ := tree.Asset(t.Context(), "/a/b/x")
		next := *a
		next.Upstream = &Upstream{Verified: testTime}
		next.LastDownloaded = testTime
		put(t, tree, &next, PutOptions{If: PutIfVersion})
	})
	step("touch", "", func() {
		tree.Touch("/c/x", testTime)
		if err := c.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
	})
	step("delete", "/ab", func() {
		if err := tree.Delete(t.Context(), "/a/b/x"); err != nil {
			t.Fatal(err)
		}
	})
	if n := len(collect(t, tree.Changes(t.Context(), ""))); n != 4 {
		t.Errorf("%d changes, want 4", n)
	}
	if _, err := tree.Generation(t.Context(), strings.Repeat("/d", treeDepth+1)); !errors.Is(err, ErrInvalid) {
		t.Errorf("generation of a folder too deep: %v", err)
	}
	revision, err := tree.Revision(t.Context())
	if err != nil || revision != generations()[0] {
		t.Errorf("Revision = %d, %v", revision, err)
	}
}

func TestComponentAttributesMerge(t *testing.T) {
	clock := &fakeClock{now: testTime}
	c := newCatalog(t, &Options{Now: clock.Now})
	tree := c.Content("npm")
	at := Coordinates{Name: "n", Version: "1"}
	add := func(path string, opts PutOptions) {
		clock.now = clock.now.Add(time.Minute)
		a := testAsset(path, 1)
		a.Component = &at
		put(t, tree, a, opts)
	}
	add("/1", PutOptions{ComponentKind: "package", ComponentAttributes: map[string]string{"a": "1", "b": "1"}})
	add("/2", PutOptions{})
	add("/3", PutOptions{ComponentAttributes: map[string]string{"b": "2"}})
	add("/3", PutOptions{ComponentAttributes: map[string]string{"b": "2"}})
	got, err := tree.Component(t.Context(), at)
	if err != nil {
		t.Fatal(err)
	}
	want := &Component{
		Coordinates: at, Kind: "package", Created: testTime.Add(time.Minute), Updated: testTime.Add(3 * time.Minute),
		Attributes: map[string]string{"a": "1", "b": "2"}, ID: got.ID, RecordVersion: got.RecordVersion,
	}
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	mustCheck(t, c)
}

func TestComponentQueries(t *testing.T) {
	c := newCatalog(t, nil)
	tree := c.Content("maven")
	all := []Coordinates{{"", "n", "1"}, {"g", "m", ""}, {"g", "n", "1"}, {"g", "n", "2"}, {"g", "n2", "1"}, {"gg", "n", "1"}}
	for i := range all {
		a := testAsset(fmt.Sprintf("/%d", i), 1)
		a.Component = &all[len(all)-1-i]
		put(t, tree, a, PutOptions{})
	}
	word := func(s string) *string { return &s }
	tests := []struct {
		name  string
		query ComponentQuery
		want  []Coordinates
	}{
		{"all", ComponentQuery{}, all},
		{"group", ComponentQuery{Group: word("g")}, all[1:5]},
		{"no group", ComponentQuery{Group: word("")}, all[:1]},
		{"name", ComponentQuery{Group: word("g"), Name: word("n")}, all[2:4]},
		{"after", ComponentQuery{After: &all[2]}, all[3:]},
		{"after an absent one", ComponentQuery{Group: word("g"), After: &Coordinates{"g", "n", "1.5"}}, all[3:5]},
		{"absent", ComponentQuery{Group: word("x")}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got []Coordinates
			for _, component := range collect(t, tree.Components(t.Context(), tt.query)) {
				got = append(got, component.Coordinates)
			}
			if diff := gocmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
	for _, err := range tree.Components(t.Context(), ComponentQuery{Name: word("n")}) {
		if !errors.Is(err, ErrInvalid) {
			t.Errorf("name without group: %v", err)
		}
	}
}

// TestPagingByNumber removes every page before it asks for the next, as clean-up scripts do.
func TestPagingByNumber(t *testing.T) {
	c := newCatalog(t, nil)
	tree := c.Content("maven")
	for i := range 25 {
		a := testAsset(fmt.Sprintf("/%d", 25-i), 1)
		a.Component = &Coordinates{Name: a.Path}
		put(t, tree, a, PutOptions{})
	}
	want, lastAsset, lastComponent := 25, uint64(0), uint64(0)
	for want > 0 {
		page := 0
		for component, err := range tree.ComponentsAfterID(t.Context(), lastComponent) {
			if err != nil || component.Name != fmt.Sprintf("/%d", want-page) {
				t.Fatalf("component %+v, %v; want %d", component, err, want-page)
			}
			lastComponent = component.ID
			if page++; page == 10 {
				break
			}
		}
		page = 0
		for a, err := range tree.AssetsAfterID(t.Context(), lastAsset) {
			if err != nil || a.Path != fmt.Sprintf("/%d", want) {
				t.Fatalf("asset %+v, %v; want %d", a, err, want)
			}
			lastAsset = a.ID
			if err := tree.Delete(t.Context(), a.Path); err != nil {
				t.Fatal(err)
			}
			want--
			if page++; page == 10 {
				break
			}
		}
	}
	mustCheck(t, c)
}

// TestConcurrentWrites has many writers work on few paths, components and blobs.
func TestConcurrentWrites(t *testing.T) {
	c := newCatalog(t, nil)
	var wg sync.WaitGroup
	for worker := range 16 {
		wg.Go(func() {
			tree := c.Content(testContents[worker%2])
			for i := range 60 {
				a := testAsset(fmt.Sprintf("/d%d/f%d", i%2, (i*7+worker)%5), 1+(i+worker)%3)
				a.Component = &Coordinates{Name: fmt.Sprint(i % 2)}
				err := tree.Put(t.Context(), a, PutOptions{ComponentAttributes: map[string]string{"last": fmt.Sprint(worker % 3)}})
				if err != nil {
					t.Error(err)
				}
				if i%3 == 0 {
					if err := tree.Delete(t.Context(), a.Path); err != nil && !errors.Is(err, ErrNotFound) {
						t.Error(err)
					}
				}
				if _, err := tree.Asset(t.Context(), a.Path); err != nil && !errors.Is(err, ErrNotFound) {
					t.Error(err)
				}
				tree.Touch(a.Path, testTime)
			}
		})
	}
	wg.Go(func() {
		for range 50 {
			if err := c.Flush(t.Context()); err != nil {
				t.Error(err)
			}
		}
	})
	wg.Wait()
	mustCheck(t, c)
	for _, content := range testContents {
		tree := c.Content(content)
		for a, err := range tree.Assets(t.Context(), "") {
			if err != nil {
				t.Fatal(err)
			}
			cached, err := tree.Asset(t.Context(), a.Path)
			if err != nil || cached.Version != a.Version {
				t.Errorf("%s: the cache has version %v, %v; stored is %d", a.Path, cached, err, a.Version)
			}
		}
	}
}
