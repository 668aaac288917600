//go:build e2e

package e2e

import (
	"crypto/sha1"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// sharingDisk mounts a file system that can share bytes between files, until the test ends.
func sharingDisk(t *testing.T) string {
	t.Helper()
	image, dir := filepath.Join(t.TempDir(), "image"), filepath.Join(t.TempDir(), "disk")
	must(t, os.Mkdir(dir, 0o755))
	must(t, os.WriteFile(image, nil, 0o600))
	must(t, os.Truncate(image, 600<<20))
	for _, args := range [][]string{{"mkfs.xfs", "-q", "-m", "reflink=1", image}, {"mount", "-o", "loop", image, dir}} {
		if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
			t.Skipf("SKIPPED: cannot make a file system here: %v %s", err, out)
		}
	}
	t.Cleanup(func() { _ = exec.Command("umount", dir).Run() })
	return dir
}

func usedBytes(t *testing.T, dir string) int64 {
	t.Helper()
	syscall.Sync()
	var s syscall.Statfs_t
	must(t, syscall.Statfs(dir, &s))
	return int64(s.Blocks-s.Bfree) * s.Bsize
}

// largeStore makes a blob store of the old kind with two blobs of 64 MiB.
func largeStore(t *testing.T, dir string) (size int64) {
	t.Helper()
	folder := filepath.Join(dir, "content", "vol-01", "chap-01")
	must(t, os.MkdirAll(folder, 0o755))
	must(t, os.WriteFile(filepath.Join(dir, "metadata.properties"), []byte("type=file/1\n"), 0o644))
	for i := range 2 {
		body := make([]byte, 64<<20)
		for at := range body {
			body[at] = byte(at>>12) ^ byte(at*(i+7))
		}
		name := filepath.Join(folder, fmt.Sprintf("0c89ccf4-ec5b-44a8-83b2-d08df259900%d", i))
		must(t, os.WriteFile(name+".bytes", body, 0o644))
		must(t, os.WriteFile(name+".properties", fmt.Appendf(nil, "@BlobStore.blob-name=/large/%d.bin\n@Bucket.repo-name=files\n"+
			"@BlobStore.content-type=application/octet-stream\nsha1=%x\nsize=%d\ncreationTime=1700000000000\n", i, sha1.Sum(body), len(body)), 0o644))
		size += int64(len(body))
	}
	return size
}

// TestImportSharesBytes imports on a file system that can share bytes between files, and wants them not to be written again.
func TestImportSharesBytes(t *testing.T) {
	disk := sharingDisk(t)
	store, data := filepath.Join(disk, "old"), filepath.Join(disk, "data")
	size := largeStore(t, store)
	before, used := snapshot(t, store), usedBytes(t, disk)
	run(t, "", binary(t), "import", "blobs", "--data", data, store)
	if more := usedBytes(t, disk) - used; more > size/2 {
		t.Errorf("the import of %d bytes took %d on the disk", size, more)
	}
	if d := cmp.Diff(before, snapshot(t, store)); d != "" {
		t.Errorf("the source changed: %s", d)
	}
	must(t, os.RemoveAll(store))
	verify(t, data)
}

// TestImportMoves takes the blobs away from the old server, killed again and again meanwhile, and compares with a copy of it.
func TestImportMoves(t *testing.T) {
	t.Parallel()
	archive := fixtures(t, "datadirs", "nexus-3.77-small.tar.gz")
	source, original := unpack(t, archive), unpack(t, archive)
	data := filepath.Join(t.TempDir(), "data")
	for round := range 6 {
		cmd := exec.Command(binary(t), "import", "nexus", "--data", data, "--move", source)
		must(t, cmd.Start())
		done := make(chan error, 1)
		go func() { done <- cmd.Wait() }()
		select {
		case <-done:
		case <-time.After(time.Duration(60+40*round) * time.Millisecond):
			_ = cmd.Process.Kill() // it may have ended meanwhile
			<-done
		}
	}
	run(t, "", binary(t), "import", "nexus", "--data", data, "--move", source)
	run(t, "", binary(t), "import", "nexus", "--data", data, "--verify", "--read", original)
	must(t, os.RemoveAll(source))
	verify(t, data)
}
