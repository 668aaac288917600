//go:build e2e

package e2e

import (
	"bytes"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"entrepot/bench/nexusdir"
)

// largeBlobs makes an old server with files of some MiB, and gives a way to find the file of an asset.
func largeBlobs(t *testing.T) (source string, fileOf func(path string) string) {
	t.Helper()
	source = filepath.Join(t.TempDir(), "nexus")
	must(t, nexusdir.Make(t.Context(), source, nexusdir.Options{Assets: 45, Bytes: 48 << 20}))
	return source, func(asset string) (file string) {
		must(t, filepath.WalkDir(filepath.Join(source, "blobs"), func(path string, e fs.DirEntry, err error) error {
			if err == nil && strings.HasSuffix(path, ".properties") && strings.Contains(readFile(t, path), "blob-name="+asset+"\n") {
				file = strings.TrimSuffix(path, ".properties") + ".bytes"
			}
			return err
		}))
		if file == "" {
			t.Fatalf("no blob of %s", asset)
		}
		return file
	}
}

// fetch gets a path, or a part of it, and gives what came.
func (s *server) fetch(path, part string) (status int, body []byte, err error) {
	s.t.Helper()
	req, err := http.NewRequest(http.MethodGet, s.url("/repository/"+nexusdir.Repository+path), nil)
	if err != nil {
		s.t.Fatal(err)
	}
	req.SetBasicAuth("admin", adminPassword)
	if part != "" {
		req.Header.Set("Range", part)
	}
	resp, err := client().Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	body, err = io.ReadAll(resp.Body)
	return resp.StatusCode, body, err
}

// TestAdoptedLargeFlipped reads large blobs that lie in the old folders, of which two are damaged, before any copy was made: nobody gets a
// complete answer of wrong bytes, and the damage is known from then on, also after a kill.
func TestAdoptedLargeFlipped(t *testing.T) {
	t.Parallel()
	source, fileOf := largeBlobs(t)
	good, whole, part := nexusdir.PathOf(9), nexusdir.PathOf(18), nexusdir.PathOf(27)
	kept := make(map[string][]byte)
	for _, path := range []string{good, whole, part} {
		raw, err := os.ReadFile(fileOf(path))
		must(t, err)
		if kept[path] = raw; len(raw) <= 256<<10 {
			t.Fatalf("%s has %d bytes", path, len(raw))
		}
	}
	for _, path := range []string{whole, part} {
		flipped := bytes.Clone(kept[path])
		flipped[len(flipped)-1] ^= 1
		must(t, os.WriteFile(fileOf(path), flipped, 0o644))
	}
	data := filepath.Join(t.TempDir(), "data")
	run(t, "", binary(t), "import", "nexus", "--data", data, "--adopt", source)
	s := &server{t: t, data: data, env: []string{"ENTREPOT_ADOPTION_BYTES_PER_SECOND=1000"}} // so that nothing is copied meanwhile
	s.start()
	for _, part := range []string{"bytes=10-19", "", ""} {
		want := kept[good]
		if part != "" {
			want = want[10:20]
		}
		if _, body, err := s.fetch(good, part); err != nil || !bytes.Equal(body, want) {
			t.Errorf("a good one, %q: %d bytes, %v", part, len(body), err)
		}
	}
	if status, body, err := s.fetch(whole, ""); err == nil && status == http.StatusOK || len(body) >= len(kept[whole]) {
		t.Errorf("a flipped one: %d, %d of %d bytes, %v", status, len(body), len(kept[whole]), err)
	}
	if status, body, err := s.fetch(part, "bytes=0-99"); err != nil || status < 500 || bytes.Contains(body, kept[part][:100]) {
		t.Errorf("a part of a flipped one: %d, %d bytes, %v", status, len(body), err)
	}
	if n := s.gauge("entrepot_adopted_failures"); n != 2 {
		t.Errorf("%d failures are counted", n)
	}
	for _, path := range []string{whole, part} {
		if log := s.log.String(); !strings.Contains(log, nexusdir.Repository+path) || !strings.Contains(log, "its bytes are damaged") {
			t.Errorf("%s is not named: %s", path, log)
		}
	}
	s.kill()
	s.start()
	for _, path := range []string{whole, part} {
		if status, _, err := s.fetch(path, ""); err != nil || status < 500 {
			t.Errorf("%s after a restart: %d, %v", path, status, err)
		}
		must(t, os.WriteFile(fileOf(path), kept[path], 0o644))
	}
	s.stop()
	finishCopying(t, data)
	s = startIn(t, data)
	for path, want := range kept {
		if status, body, err := s.fetch(path, ""); err != nil || status != http.StatusOK || !bytes.Equal(body, want) {
			t.Errorf("%s after the copy: %d, %d bytes, %v", path, status, len(body), err)
		}
	}
	s.stop()
	verify(t, data)
}
