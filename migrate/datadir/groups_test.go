package datadir

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"entrepot/migrate/blobs"
	"entrepot/migrate/inventory"
)

// TestGroup looks for blobs in all members of groups, and of groups in groups.
func TestGroup(t *testing.T) {
	dir := t.TempDir()
	first, second := filepath.Join(dir, "first"), filepath.Join(dir, "second")
	d := &Directory{stores: map[string]blobStore{
		"first": {kind: typeFile, dir: first, here: "first"}, "second": {kind: typeFile, dir: second, here: "second"}, "bucket": {kind: "S3", here: "bucket"},
		"group": {kind: typeGroup, members: []string{"first", "second", "group"}, here: "group"},
		"third": {kind: typeFile, dir: filepath.Join(dir, "third"), here: "third"}, "pair": {kind: typeGroup, members: []string{"third"}, here: "pair"},
		"outer":  {kind: typeGroup, members: []string{"bucket", "group", "gone"}, here: "outer"},
		"clouds": {kind: typeGroup, members: []string{"bucket"}, here: "clouds"}, "empty": {kind: typeGroup, here: "empty"},
	}}
	d.resolveGroups()
	id := "0e2f9b9e-5a3c-4b6e-8f3a-2f4e6d8c1a2b"
	name := filepath.Join(second, "content", filepath.FromSlash(blobs.Location(id, inventory.Place{}.Created))+".bytes")
	if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o755), os.WriteFile(name, []byte("x"), 0o644)); err != nil {
		t.Fatal(err)
	}
	for _, store := range []string{"second", "group", "outer"} {
		if found, err := d.find(blobRef{store: store, id: id}); err != nil || found != name {
			t.Errorf("in %s: %q, %v", store, found, err)
		}
	}
	for store, want := range map[string]string{
		"first": "are missing", "clouds": "of type S3", "bucket": "of type S3", "empty": "without members", "none": "does not exist",
	} {
		if found, err := d.find(blobRef{store: store, id: id}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("in %s: %q, %v; want %s", store, found, err, want)
		}
	}
	if err := os.Remove(name); err != nil {
		t.Fatal(err)
	}
	if _, err := d.find(blobRef{store: "outer", id: id}); !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), "member of type S3") {
		t.Errorf("in a group with a bucket: %v", err)
	}
	for name, want := range map[string]string{"group": "first", "outer": "first", "clouds": "", "empty": "", "pair": "pair", "third": "third"} {
		if got := d.stores[name].here; got != want {
			t.Errorf("blobs of %s go to %q; want %q", name, got, want)
		}
	}
	if folders := d.Folders(); !slices.Equal(folders["outer"], []string{first, second}) || len(folders["clouds"]) != 0 || len(folders["second"]) != 1 {
		t.Errorf("folders %v", folders)
	}
}
