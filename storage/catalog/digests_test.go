package catalog

import (
	"errors"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
)

func TestAddDigests(t *testing.T) {
	c := newCatalog(t, nil)
	tree := c.Content("raw")
	a := testAsset("/a", 1)
	a.Digests.MD5, a.Digests.SHA512 = "", ""
	a.Component = &Coordinates{Name: "n"}
	put(t, tree, a, PutOptions{})
	before, err := tree.Asset(t.Context(), "/a")
	if err != nil {
		t.Fatal(err)
	}
	revision, err := tree.Revision(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	digests := before.Digests
	digests.MD5, digests.SHA1 = strings.Repeat("AB", 16), strings.Repeat("00", 20) // SHA-1 is there already
	other := before.Blob
	other.Store = "other"
	for _, tt := range []struct {
		path string
		ref  BlobRef
		want error
	}{{"/none", before.Blob, ErrNotFound}, {"/a", other, ErrConflict}, {"/a", before.Blob, nil}, {"/a", before.Blob, nil}} {
		if err := tree.AddDigests(t.Context(), tt.path, tt.ref, digests); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v; want %v", tt.path, err, tt.want)
		}
	}
	after, err := tree.Asset(t.Context(), "/a")
	if err != nil {
		t.Fatal(err)
	}
	want := *before
	want.Version, want.Digests.MD5 = after.Version, strings.Repeat("ab", 16)
	if diff := gocmp.Diff(&want, after); diff != "" {
		t.Errorf("the asset changed otherwise:\n%s", diff)
	}
	if now, err := tree.Revision(t.Context()); err != nil || now != revision {
		t.Errorf("revision %d, %v; want %d", now, err, revision)
	}
	if found := collect(t, tree.ByChecksum(t.Context(), "md5", after.Digests.MD5)); len(found) != 1 {
		t.Errorf("found by MD5: %d", len(found))
	}
	if changes := collect(t, tree.Changes(t.Context(), "")); len(changes) != 1 {
		t.Errorf("changes %+v", changes)
	}
	mustCheck(t, c)
}
