// Package h2test gives tests the data directories of real servers, which are recorded beside the repository, and compressed files of
// testdata. A test that needs a recording is skipped, loudly, where there are none.
//
// Example:
//
//	dir := h2test.Unpack(t, "nexus-3.77-small", "db", "etc")
//	db, err := h2.Open(filepath.Join(dir, "db", "nexus.mv.db"), nil)
package h2test

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Fixtures names the recordings: a server that was stopped, one that was killed inside a transaction, one with keys of its own, and
// one of an older release with H2 2.2.224.
func Fixtures() []string {
	return []string{"nexus-3.77-small", "nexus-3.77-unclean", "nexus-3.77-customkey", "nexus-3.71-tiny"}
}

// Dir finds the folder of recordings beside the repository, or skips the test.
func Dir(t testing.TB) string {
	t.Helper()
	root, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(root, "go.mod")); err == nil {
			break
		}
		if root == filepath.Dir(root) {
			t.Fatal("the test does not run inside of a module")
		}
		root = filepath.Dir(root)
	}
	dir := filepath.Join(filepath.Dir(root), "shared", "fixtures", "datadirs")
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		t.Skip("NOT TESTED AGAINST REAL SERVERS: the folder shared/fixtures/datadirs is not beside the repository")
	}
	return dir
}

// Unpack writes the named folders of a recorded data directory into a folder of the test, and gives that.
func Unpack(t testing.TB, fixture string, folders ...string) string {
	t.Helper()
	f, err := os.Open(filepath.Join(Dir(t), fixture+".tar.gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if err == io.EOF {
			return filepath.Join(dir, fixture)
		}
		if err != nil {
			t.Fatal(err)
		}
		parts := strings.Split(filepath.ToSlash(filepath.Clean(h.Name)), "/")
		if h.Typeflag == tar.TypeReg && len(parts) > 2 && slices.Contains(folders, parts[1]) {
			write(t, filepath.Join(dir, filepath.FromSlash(h.Name)), r)
		}
	}
}

// write makes a file that cannot be written to.
func write(t testing.TB, name string, content io.Reader) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(content)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, data, 0o400); err != nil {
		t.Fatal(err)
	}
}

// Expected reads what the real server, or another program, said about a recording. Files whose names end in .gz are unpacked.
func Expected(t testing.TB, fixture, name string) []byte {
	t.Helper()
	return Read(t, filepath.Join(Dir(t), fixture+".expected", name))
}

// Read reads a whole file, unpacked when its name ends in .gz.
func Read(t testing.TB, name string) []byte {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var r io.Reader = f
	if strings.HasSuffix(name, ".gz") {
		if r, err = gzip.NewReader(f); err != nil {
			t.Fatal(err)
		}
	}
	data, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return data
}
