package nexusdir

import (
	"io"
	"os"
	"path/filepath"
	"testing"

	"entrepot/migrate/datadir"
)

// TestImportReadsIt makes a small directory and wants the importer's source to find every asset of it, whole.
func TestImportReadsIt(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "old")
	const assets, size = 1000, 16 << 20
	if err := Make(t.Context(), dir, Options{Assets: assets, Bytes: size}); err != nil {
		t.Fatal(err)
	}
	source, err := datadir.Open(t.Context(), dir, &datadir.Options{TempDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer source.Close()
	inv, err := source.Describe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if inv.Assets != assets || inv.Bytes < size*9/10 || inv.Bytes > size*11/10 || inv.SystemID == "" || len(inv.Repositories) != 1 {
		t.Errorf("%d assets of %d bytes in %+v", inv.Assets, inv.Bytes, inv.Repositories)
	}
	n := 0
	for a, err := range source.Assets(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		if a.Path != PathOf(n) || a.Component == nil || a.Digests.SHA256 == "" {
			t.Fatalf("asset %d is %+v, want %s", n, a, PathOf(n))
		}
		n++
		body, err := source.Open(t.Context(), a)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.Copy(io.Discard, body)
		if err != nil || got != a.Size {
			t.Errorf("%s: %d bytes, %v, want %d", a.Path, got, err, a.Size)
		}
		body.Close()
	}
	if n != assets {
		t.Errorf("%d assets, want %d", n, assets)
	}
	if _, err := os.Stat(filepath.Join(dir, "blobs", "default", "metadata.properties")); err != nil {
		t.Error(err)
	}
}
