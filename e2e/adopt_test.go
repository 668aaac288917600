//go:build e2e

package e2e

import (
	"bytes"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// gauge reads one figure of the server; -1 when it is not there.
func (s *server) gauge(name string) int {
	s.t.Helper()
	found := regexp.MustCompile(`(?m)^` + name + ` (\d+)$`).FindStringSubmatch(s.metrics())
	if found == nil {
		return -1
	}
	n, err := strconv.Atoi(found[1])
	if err != nil {
		s.t.Fatal(err)
	}
	return n
}

// blobFiles counts the files of blobs in a data folder.
func blobFiles(t *testing.T, data string) int {
	t.Helper()
	n := 0
	must(t, filepath.WalkDir(filepath.Join(data, "blobs"), func(path string, e fs.DirEntry, err error) error {
		if err == nil && e.Type().IsRegular() && strings.Contains(path, "/content/") {
			n++
		}
		return err
	}))
	return n
}

// startAt runs a server that copies at most so many blobs a second; 0 means no limit.
func startAt(t *testing.T, data string, rate int) *server {
	t.Helper()
	return (&server{t: t, data: data, env: []string{fmt.Sprintf("ENTREPOT_ADOPTION_BLOBS_PER_SECOND=%d", rate)}}).start()
}

// TestAdopt answers everything from the old folders before anything is copied, and is killed again and again while it copies behind.
func TestAdopt(t *testing.T) {
	for _, name := range []string{"nexus-3.77-small", "nexus-3.77-unclean", "nexus-3.71-tiny"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			source := unpack(t, fixtures(t, "datadirs", name+".tar.gz"))
			before := snapshot(t, source)
			data := filepath.Join(t.TempDir(), "data")
			run(t, "", binary(t), "import", "nexus", "--data", data, "--adopt", source)
			if n := blobFiles(t, data); n != 0 {
				t.Errorf("%d blobs were copied by an import with --adopt", n)
			}
			s := startAt(t, data, 1)
			checkContent(t, s, fixtures(t, "datadirs", name+".expected"), dataDirectories[name])
			if left, copied := s.gauge("entrepot_adopted_blobs"), blobFiles(t, data); left <= copied && name != "nexus-3.71-tiny" {
				t.Errorf("at one a second %d blobs were copied, and %d are left", copied, left)
			}
			s.stop()
			verify(t, data)
			run(t, "", binary(t), "import", "nexus", "--data", data, "--verify", "--read", source)
			killCopying(t, data)
			finishCopying(t, data)
			if d := cmp.Diff(before, snapshot(t, source)); d != "" {
				t.Errorf("the source changed: %s", d)
			}
			verify(t, data)
			run(t, "", binary(t), "import", "nexus", "--data", data, "--verify", "--read", source)
			must(t, os.RemoveAll(filepath.Join(source, "blobs")))
			checkContent(t, startIn(t, data), fixtures(t, "datadirs", name+".expected"), dataDirectories[name])
		})
	}
}

// awaitCopying waits until the records are whole, after which copying begins.
func awaitCopying(t *testing.T, s *server) {
	t.Helper()
	eventually(t, "copying to begin", func() bool { return strings.Contains(s.log.String(), "copying adopted blobs") })
}

// killCopying kills servers while they copy.
func killCopying(t *testing.T, data string) {
	t.Helper()
	for round := range 6 {
		s := startAt(t, data, 60)
		time.Sleep(time.Duration(20+90*round) * time.Millisecond)
		s.kill()
	}
}

// finishCopying runs a server until nothing is left to copy, and wants it to say so.
func finishCopying(t *testing.T, data string) {
	t.Helper()
	s := startAt(t, data, 200)
	some := s.gauge("entrepot_adopted_stores") > 0
	eventually(t, "all blobs to be copied", func() bool { return s.gauge("entrepot_adopted_stores") == 0 })
	if n := s.gauge("entrepot_adopted_blobs"); n != 0 || some && !strings.Contains(s.log.String(), "no longer needed") {
		t.Errorf("%d blobs are left, or the server does not say that the old folders are not needed: %s", n, s.log)
	}
	s.stop()
}

// TestAdoptEndsAsImport compares what an adoption ends in with what an import does.
func TestAdoptEndsAsImport(t *testing.T) {
	t.Parallel()
	source := unpack(t, fixtures(t, "datadirs", "nexus-3.77-small.tar.gz"))
	imported, adopted, mixed := filepath.Join(t.TempDir(), "data"), filepath.Join(t.TempDir(), "data"), filepath.Join(t.TempDir(), "data")
	importNexus(t, imported, source)
	for round := range 5 {
		cmd := exec.Command(binary(t), "import", "nexus", "--data", adopted, "--adopt", source)
		must(t, cmd.Start())
		time.Sleep(time.Duration(40+30*round) * time.Millisecond)
		_ = cmd.Process.Kill() // it may have ended meanwhile
		_ = cmd.Wait()
	}
	run(t, "", binary(t), "import", "nexus", "--data", adopted, "--adopt", source)
	finishCopying(t, adopted)
	run(t, "", binary(t), "import", "nexus", "--data", mixed, "--adopt", source)
	killCopying(t, mixed)
	run(t, "", binary(t), "import", "nexus", "--data", mixed, "--adopt", source)
	if report := importNexus(t, mixed, source); report.New+report.Replaced+report.Updated != 0 || report.Settled == 0 {
		t.Errorf("an import after a partial adoption: %+v", report)
	}
	var want []string
	for _, data := range []string{imported, adopted, mixed} {
		out := filepath.Join(t.TempDir(), "export")
		run(t, "", binary(t), "export", "nexus", "--data", data, out)
		raw, err := os.ReadFile(filepath.Join(out, "assets.jsonl"))
		must(t, err)
		lines := slices.Sorted(strings.Lines(string(raw)))
		if want == nil {
			want = lines
		}
		if d := cmp.Diff(want, lines); d != "" {
			t.Errorf("not as an import: %s", d)
		}
		verify(t, data)
	}
}

// TestAdoptDamaged adopts a store in which a blob is missing, one is cut off and one is flipped.
func TestAdoptDamaged(t *testing.T) {
	t.Parallel()
	source := unpack(t, fixtures(t, "datadirs", "nexus-3.77-small.tar.gz"))
	var files []string
	must(t, filepath.WalkDir(filepath.Join(source, "blobs", "default", "content"), func(path string, e fs.DirEntry, err error) error {
		if raw, _ := os.ReadFile(strings.TrimSuffix(path, ".bytes") + ".properties"); strings.HasSuffix(path, ".bytes") &&
			bytes.Contains(raw, []byte("@Bucket.repo-name=maven-releases")) && !bytes.Contains(raw, []byte("deleted=")) {
			files = append(files, path)
		}
		return err
	}))
	if len(files) < 3 {
		t.Fatal("too few blobs")
	}
	good := make(map[string][]byte)
	for i, path := range files[:3] {
		body, err := os.ReadFile(path)
		must(t, err)
		good[path] = body
		switch i {
		case 0:
			must(t, os.Remove(path))
		case 1:
			must(t, os.WriteFile(path, body[:len(body)/2], 0o644))
		case 2:
			flipped := bytes.Clone(body)
			flipped[len(flipped)/2] ^= 1
			must(t, os.WriteFile(path, flipped, 0o644))
		}
	}
	data := filepath.Join(t.TempDir(), "data")
	run(t, "", binary(t), "import", "nexus", "--data", data, "--adopt", source)
	s := startIn(t, data)
	eventually(t, "the rest to be copied", func() bool {
		return s.gauge("entrepot_adopted_blobs") == 3 && s.gauge("entrepot_adopted_failures") == 3
	})
	bad := regexp.MustCompile(`"paths":\["maven-releases(/[^"]+)"\]`).FindAllStringSubmatch(s.log.String(), -1)
	if len(bad) != 3 {
		t.Fatalf("not all three are named: %s", s.log)
	}
	for _, path := range bad {
		if resp, _ := get(t, client(), contentURL(s, "maven-releases", path[1]), "admin", dataDirectories["nexus-3.77-small"]); resp.StatusCode < 500 {
			t.Errorf("%s: %d", path[1], resp.StatusCode)
		}
	}
	s.stop()
	if out, err := command(t, "", binary(t), "verify", "--data", data); err == nil || strings.Count(out, "maven-releases")+strings.Count(out, "content of") < 3 {
		t.Errorf("verify finds nothing: %s", out)
	}
	for path, body := range good {
		must(t, os.WriteFile(path, body, 0o644))
	}
	finishCopying(t, data)
	verify(t, data)
}

// TestAdoptedChanges deletes and overwrites assets that are adopted.
func TestAdoptedChanges(t *testing.T) {
	t.Parallel()
	source := unpack(t, fixtures(t, "datadirs", "nexus-3.77-small.tar.gz"))
	before := snapshot(t, source)
	data := filepath.Join(t.TempDir(), "data")
	run(t, "", binary(t), "import", "nexus", "--data", data, "--adopt", source)
	s := startAt(t, data, 1)
	password := dataDirectories["nexus-3.77-small"]
	awaitCopying(t, s)
	left := s.gauge("entrepot_adopted_blobs")
	var paths []string
	for line := range strings.Lines(readFile(t, filepath.Join(fixtures(t, "datadirs", "nexus-3.77-small.expected"), "content.tsv"))) {
		if fields := strings.Split(line, "\t"); fields[0] == "raw-hosted" && fields[2] == "200" && regexp.MustCompile(`^/[a-z0-9./-]+$`).MatchString(fields[1]) {
			paths = append(paths, "/repository/raw-hosted"+fields[1])
		}
	}
	if len(paths) < 2 {
		t.Fatal("too few paths")
	}
	if status := s.as("admin", password, http.MethodDelete, paths[0], ""); status != http.StatusNoContent {
		t.Errorf("delete %s: %d", paths[0], status)
	}
	if status := s.as("admin", password, http.MethodPut, paths[1], "new"); status != http.StatusCreated {
		t.Errorf("overwrite %s: %d", paths[1], status)
	}
	if now := s.gauge("entrepot_adopted_blobs"); now > left-2 {
		t.Errorf("%d adopted blobs before, %d after", left, now)
	}
	s.stop()
	finishCopying(t, data)
	s = startIn(t, data)
	if status := s.as("admin", password, http.MethodGet, paths[0], ""); status != http.StatusNotFound {
		t.Errorf("the deleted asset: %d", status)
	}
	if resp, body := get(t, client(), s.url(paths[1]), "admin", password); resp.StatusCode != http.StatusOK || string(body) != "new" {
		t.Errorf("the overwritten asset: %d %q", resp.StatusCode, body)
	}
	s.stop()
	verify(t, data)
	if d := cmp.Diff(before, snapshot(t, source)); d != "" {
		t.Errorf("the source changed: %s", d)
	}
}

func readFile(t *testing.T, name string) string {
	t.Helper()
	raw, err := os.ReadFile(name)
	must(t, err)
	return string(raw)
}
