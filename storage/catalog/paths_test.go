package catalog

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"entrepot/storage/kv"
	"entrepot/storage/kv/memory"

	gocmp "github.com/google/go-cmp/cmp"
)

func collect[T any](t testing.TB, seq func(func(T, error) bool)) []T {
	t.Helper()
	var all []T
	for v, err := range seq {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, v)
	}
	return all
}

func mustCheck(t testing.TB, c *Catalog) {
	t.Helper()
	for p, err := range c.Check(t.Context()) {
		t.Errorf("check: %v %v", p, err)
	}
}

func paths(assets []*Asset) []string {
	var p []string
	for _, a := range assets {
		p = append(p, a.Path)
	}
	return p
}

func TestSplit(t *testing.T) {
	deep := strings.Repeat("/d", treeDepth)
	wide := "/" + strings.Repeat("w", treeBytes)
	tests := []struct{ path, dir, name string }{
		{"/", "", ""},
		{"/a", "", "a"},
		{"/a/", "", "a/"},
		{"/a/b", "/a", "b"},
		{"/a/b/", "/a", "b/"},
		{"//a", "/", "a"},
		{deep + "/x", deep, "x"},
		{deep + "/x/y/z", deep, "x/y/z"},
		{"/a" + wide + "/x", "/a", wide[1:] + "/x"},
	}
	for _, tt := range tests {
		dir, name := split(tt.path)
		if dir != tt.dir || name != tt.name {
			t.Errorf("split(%q) = %q, %q; want %q, %q", tt.path, dir, name, tt.dir, tt.name)
		}
		if dir+"/"+name != tt.path {
			t.Errorf("split(%q) loses bytes", tt.path)
		}
	}
}

// TestAwkwardPaths stores paths that strain the keys, and finds each of them in every way there is.
func TestAwkwardPaths(t *testing.T) {
	long := strings.Repeat("l", 5000)
	all := []string{
		"/a", "/a/", "/a/b", "/a//b", "/a-b", "/a b", "/a\x01", "/a\xff", "/ä/ö", "/..", "/./x", "/a/b/c", "/" + long, "/" + long + "/x",
		"/a/" + long + "1", "/a/" + long + "2", "/" + strings.Repeat("d/", 300) + "x", "/" + strings.Repeat("d/", 300) + "y/z",
		"/" + strings.Repeat("n", 600) + "/a/b", "/" + strings.Repeat("seg/", 2500) + "end",
		"/" + strings.Repeat("k", maxPathKey-2), "/" + strings.Repeat("k", maxPathKey-3), "/" + strings.Repeat("k", maxPathKey-1),
	}
	driver := watch(memory.New())
	c := New(kv.New(driver), nil)
	defer c.Close()
	tree := c.Content("raw")
	for i, path := range all {
		a := testAsset(path, i+1)
		a.Digests.MD5, a.Digests.SHA512 = strings.Repeat("ab", 16), strings.Repeat("cd", 64)
		a.Component = &Coordinates{Group: path[:len(path)/2], Name: path, Version: long[:i*20]}
		if err := tree.Put(t.Context(), a, PutOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	mustCheck(t, c)
	for i, path := range all {
		a, err := tree.Asset(t.Context(), path)
		if err != nil || a.Path != path || a.Size != int64(i+1)*100 {
			t.Fatalf("%.20q: %v %v", path, a, err)
		}
		if got := collect(t, tree.ComponentAssets(t.Context(), *a.Component)); len(got) != 1 || got[0].Path != path {
			t.Errorf("%.20q: component has %v", path, got)
		}
		q := ComponentQuery{Group: &a.Component.Group, Name: &a.Component.Name}
		if got := collect(t, tree.Components(t.Context(), q)); len(got) != 1 || got[0].Coordinates != *a.Component {
			t.Errorf("%.20q: %d components of this name", path, len(got))
		}
	}
	sorted := slices.Sorted(slices.Values(all))
	got := paths(collect(t, tree.Assets(t.Context(), "")))
	if diff := gocmp.Diff(sorted, slices.Sorted(slices.Values(got))); diff != "" {
		t.Error(diff)
	}
	for i, path := range got { // every path is a place to go on from
		rest := paths(collect(t, tree.Assets(t.Context(), path)))
		if !slices.Equal(rest, got[i+1:]) {
			t.Errorf("after %.20q come %d, want %d", path, len(rest), len(got)-i-1)
		}
	}
	if driver.largest > kv.MaxBatch {
		t.Errorf("a batch of %d operations", driver.largest)
	}
	for _, path := range all {
		if err := tree.Delete(t.Context(), path); err != nil {
			t.Fatal(err)
		}
	}
	mustCheck(t, c)
	if usage, err := tree.Usage(t.Context()); err != nil || usage != (Usage{}) {
		t.Errorf("usage of the empty tree: %+v, %v", usage, err)
	}
}

func TestAssetsUnderAwkwardFolders(t *testing.T) {
	c := newCatalog(t, nil)
	tree := c.Content("raw")
	deep := strings.Repeat("/d", treeDepth)
	long := deep + "/" + strings.Repeat("l", 2000)
	stored := []string{"/a", "/a/", "/a/b", "/a/b/c", "/a-b/c", deep + "/x", deep + "/x/y", deep + "/xy", long + "/1", long + "2/2"}
	for i, path := range stored {
		if err := tree.Put(t.Context(), testAsset(path, i+1), PutOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	tests := []struct {
		dir  string
		want []string
	}{
		{"/a", []string{"/a/b", "/a/b/c"}},
		{"/a/", []string{"/a/b", "/a/b/c"}},
		{"/a/b", []string{"/a/b/c"}},
		{"/absent", nil},
		{deep, []string{deep + "/" + strings.Repeat("l", 2000) + "/1", deep + "/" + strings.Repeat("l", 2000) + "2/2", deep + "/x", deep + "/x/y", deep + "/xy"}},
		{deep + "/x", []string{deep + "/x/y"}},
		{long, []string{long + "/1"}},
		{long + "/1", nil},
		{"/", slices.Sorted(slices.Values(stored))},
	}
	for _, tt := range tests {
		got := slices.Sorted(slices.Values(paths(collect(t, tree.AssetsUnder(t.Context(), tt.dir)))))
		if diff := gocmp.Diff(tt.want, got); diff != "" {
			t.Errorf("under %.20q: %s", tt.dir, diff)
		}
	}
}

func TestPathsOutsideTheRules(t *testing.T) {
	c := newCatalog(t, nil)
	tree := c.Content("raw")
	if err := tree.Put(t.Context(), testAsset("/bc", 1), PutOptions{}); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"", "xbc", "bc", "/bc\x00", "\x00\x00\x00", "/" + strings.Repeat("x", MaxPath)} {
		if _, err := tree.Asset(t.Context(), path); !errors.Is(err, ErrNotFound) {
			t.Errorf("Asset(%.20q) = %v", path, err)
		}
		if err := tree.Delete(t.Context(), path); !errors.Is(err, ErrNotFound) {
			t.Errorf("Delete(%.20q) = %v", path, err)
		}
		if err := tree.Put(t.Context(), testAsset(path, 1), PutOptions{}); !errors.Is(err, ErrInvalid) {
			t.Errorf("Put(%.20q) = %v", path, err)
		}
	}
	for _, dir := range []string{"bc", "x/bc", "/b\x00", "/" + strings.Repeat("x", 2000), strings.Repeat("/d", treeDepth+1)} {
		for _, err := range tree.Browse(t.Context(), dir, "", 0) {
			if !errors.Is(err, ErrNotFound) {
				t.Errorf("Browse(%.20q) = %v", dir, err)
			}
		}
		if _, err := tree.Generation(t.Context(), dir); !errors.Is(err, ErrInvalid) {
			t.Errorf("Generation(%.20q) = %v", dir, err)
		}
		if got := collect(t, tree.AssetsUnder(t.Context(), dir)); len(got) != 0 {
			t.Errorf("AssetsUnder(%.20q) = %v", dir, paths(got))
		}
	}
}

// TestShortenedKeysCannotBeForged stores a path that looks like the shortened key of another.
func TestShortenedKeysCannotBeForged(t *testing.T) {
	long := strings.Repeat("v", 3000)
	sort, shortened := leafSort("/" + long)
	if !shortened {
		t.Fatal("key was not shortened")
	}
	forged := "/" + sort[1:]
	if strings.ContainsRune(forged, 0) {
		t.Skip("this hash has a NUL")
	}
	if other, _ := leafSort(forged); other == sort {
		t.Error("two paths share a key")
	}
}

func TestBrowseDeepTree(t *testing.T) {
	c := newCatalog(t, nil)
	tree := c.Content("raw")
	dir := ""
	for i := range treeDepth + 5 {
		dir += fmt.Sprintf("/d%d", i)
	}
	if err := tree.Put(t.Context(), testAsset(dir+"/file", 1), PutOptions{}); err != nil {
		t.Fatal(err)
	}
	at := ""
	for depth := 0; ; depth++ {
		nodes := collect(t, tree.Browse(t.Context(), at, "", 0))
		if len(nodes) != 1 {
			t.Fatalf("%d entries in %s", len(nodes), at)
		}
		if nodes[0].Folder {
			at = nodes[0].Path
			continue
		}
		if depth != treeDepth || nodes[0].Name != "d32/d33/d34/d35/d36/file" || nodes[0].Asset.Path != dir+"/file" {
			t.Errorf("depth %d: %+v", depth, nodes[0])
		}
		return
	}
}

// TestLargestBatch moves an asset of an import between two deep browse paths, two components, two blobs in two stores, with all digests
// changed, and makes it one of this server.
func TestLargestBatch(t *testing.T) {
	driver := watch(memory.New())
	c := New(kv.New(driver), nil)
	defer c.Close()
	tree := c.Content("raw")
	for round, letter := range []string{"a", "b"} {
		a := testAsset("/x", round+1)
		a.Browse = strings.Repeat("/"+letter, treeDepth+3)
		a.Blob.Store = letter
		a.Component = &Coordinates{Name: letter}
		if round == 0 {
			a.Origin = "old"
		}
		a.Digests.MD5, a.Digests.SHA512 = strings.Repeat(letter, 32), strings.Repeat(letter, 128)
		put(t, tree, a, PutOptions{})
	}
	if driver.largest < 90 || driver.largest > kv.MaxBatch {
		t.Errorf("the largest batch has %d operations", driver.largest)
	}
	mustCheck(t, c)
}
