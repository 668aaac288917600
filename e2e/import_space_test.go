//go:build e2e

package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// smallDisk mounts a file system of its own until the test ends.
func smallDisk(t *testing.T, options string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "disk")
	must(t, os.Mkdir(dir, 0o755))
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", options, "tmpfs", dir).CombinedOutput(); err != nil {
		t.Skipf("SKIPPED: cannot mount a small file system here: %v %s", err, out)
	}
	t.Cleanup(func() { _ = exec.Command("umount", dir).Run() })
	return dir
}

// TestImportWithoutRoom wants an import refused that does not fit, before it writes any asset.
func TestImportWithoutRoom(t *testing.T) {
	source := unpack(t, fixtures(t, "datadirs", "nexus-3.77-small.tar.gz"))
	data := filepath.Join(smallDisk(t, "size=60m"), "data")
	for _, way := range []string{"--adopt", "--workers=8"} {
		out, err := command(t, "", binary(t), "import", "nexus", "--data", data, way, source)
		if err == nil || !regexp.MustCompile(`not enough space: needed are up to .* for blobs, .* free are [0-9.]+ MiB`).MatchString(out) {
			t.Errorf("%s: %v\n%s", way, err, out)
		}
	}
	if n := blobFiles(t, data); n != 0 {
		t.Errorf("%d blobs were written", n)
	}
}

// TestImportFillsDisk lets the disk fill half way: it has room for fewer files than there are blobs. Nothing half done is to be seen,
// and once there is room another import ends as one in one go would.
func TestImportFillsDisk(t *testing.T) {
	source := unpack(t, fixtures(t, "datadirs", "nexus-3.77-small.tar.gz"))
	before := snapshot(t, source)
	disk := smallDisk(t, "size=400m,nr_inodes=450")
	data := filepath.Join(disk, "data")
	out, err := command(t, "", binary(t), "import", "nexus", "--data", data, source)
	if err == nil || !strings.Contains(out, "no space left") {
		t.Fatalf("on a full disk: %v\n%s", err, out)
	}
	if n := blobFiles(t, data); n == 0 {
		t.Error("the disk was full before the first blob")
	}
	if strings.Count(out, "no space left") > 2 {
		t.Errorf("the same error again and again: %s", out)
	}
	run(t, "", "mount", "-o", "remount,nr_inodes=100000", disk)
	verify(t, data)
	importNexus(t, data, source)
	run(t, "", binary(t), "import", "nexus", "--data", data, "--verify", "--read", source)
	verify(t, data)
	if d := cmp.Diff(before, snapshot(t, source)); d != "" {
		t.Errorf("the source changed: %s", d)
	}
}

// TestCopyBehindFillsDisk lets the disk fill while adopted blobs are copied: the server serves on, and goes on copying later.
func TestCopyBehindFillsDisk(t *testing.T) {
	source := unpack(t, fixtures(t, "datadirs", "nexus-3.77-small.tar.gz"))
	disk := smallDisk(t, "size=400m,nr_inodes=450")
	data := filepath.Join(disk, "data")
	run(t, "", binary(t), "import", "nexus", "--data", data, "--adopt", source)
	s := startIn(t, data)
	eventually(t, "the disk to be full", func() bool { return strings.Contains(s.log.String(), "not copied for now") })
	if left := s.gauge("entrepot_adopted_blobs"); left <= 0 || s.gauge("entrepot_adopted_failures") != 0 {
		t.Errorf("%d blobs are left, %d failed", left, s.gauge("entrepot_adopted_failures"))
	}
	checkContent(t, s, fixtures(t, "datadirs", "nexus-3.77-small.expected"), dataDirectories["nexus-3.77-small"])
	s.stop()
	run(t, "", "mount", "-o", "remount,nr_inodes=100000", disk)
	finishCopying(t, data)
	verify(t, data)
	run(t, "", binary(t), "import", "nexus", "--data", data, "--verify", "--read", source)
}
