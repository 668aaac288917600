package datadir_test

import (
	"archive/tar"
	"bufio"
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"entrepot/migrate/datadir"
)

// directories are those of real servers: one that was stopped, one that was killed inside a transaction, one with other keys and
// blobs in the date layout, and one of an older release.
var directories = []string{"nexus-3.77-small", "nexus-3.77-unclean", "nexus-3.77-customkey", "nexus-3.71-tiny"}

// fixtures finds the recordings beside the repository.
func fixtures(t testing.TB, elem ...string) string {
	t.Helper()
	dir := filepath.Join("..", "..", "..", "shared", "fixtures", "datadirs")
	if _, err := os.Stat(dir); errors.Is(err, os.ErrNotExist) {
		t.Skip("NOT TESTED AGAINST REAL SERVERS: the folder shared/fixtures/datadirs is not beside the repository")
	}
	return filepath.Join(append([]string{dir}, elem...)...)
}

// unpack unpacks a data directory into a folder of the test.
func unpack(t testing.TB, name string) string {
	t.Helper()
	f, err := os.Open(fixtures(t, name+".tar.gz"))
	must(t, err)
	defer f.Close()
	z, err := gzip.NewReader(f)
	must(t, err)
	dir := t.TempDir()
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if err == io.EOF {
			return filepath.Join(dir, name)
		}
		must(t, err)
		path := filepath.Join(dir, filepath.FromSlash(h.Name))
		if h.Typeflag == tar.TypeDir {
			must(t, os.MkdirAll(path, 0o755))
			continue
		}
		must(t, os.MkdirAll(filepath.Dir(path), 0o755))
		body, err := io.ReadAll(r)
		must(t, err)
		must(t, os.WriteFile(path, body, 0o644))
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func open(t testing.TB, dir string, opts *datadir.Options) *datadir.Directory {
	t.Helper()
	d, err := datadir.Open(t.Context(), dir, opts)
	must(t, err)
	t.Cleanup(func() { must(t, d.Close()) })
	return d
}

// recorded gives the rows of tables as the real H2 read them.
func recorded(t testing.TB, name string) map[string][]map[string]any {
	t.Helper()
	f, err := os.Open(fixtures(t, name+".expected", "tables.jsonl.gz"))
	must(t, err)
	defer f.Close()
	z, err := gzip.NewReader(f)
	must(t, err)
	tables := make(map[string][]map[string]any)
	lines := bufio.NewScanner(z)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var line struct {
			Table string
			Row   map[string]any
		}
		must(t, json.Unmarshal(lines.Bytes(), &line))
		if line.Row != nil {
			table := strings.ToLower(line.Table)
			tables[table] = append(tables[table], line.Row)
		}
	}
	must(t, lines.Err())
	return tables
}

// object reads a column that holds JSON.
func object(t testing.TB, row map[string]any, column string) map[string]any {
	t.Helper()
	var o map[string]any
	text, _ := row[column].(string)
	must(t, json.Unmarshal([]byte(text), &o))
	return o
}
