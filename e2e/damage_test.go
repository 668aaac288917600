//go:build e2e

package e2e

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// filled makes a data folder with files 0.txt, 1.txt … whose server was killed.
func filled(t *testing.T, files int) *server {
	t.Helper()
	s := start(t)
	s.makeRaw()
	for i := range files {
		if status, text := s.do(http.MethodPut, fmt.Sprintf("/repository/files/%d.txt", i), strings.NewReader(fmt.Sprint("body ", i))); status != http.StatusCreated {
			t.Fatal(status, text)
		}
	}
	s.kill()
	return s
}

// wantFiles asks for the first files that filled made.
func (s *server) wantFiles(files int) {
	s.t.Helper()
	for i := range files {
		status, body := s.do(http.MethodGet, fmt.Sprintf("/repository/files/%d.txt", i), nil)
		if status != http.StatusOK || body != fmt.Sprint("body ", i) {
			s.t.Fatalf("%d.txt: %d %q", i, status, body)
		}
	}
}

// lastSegment gives the newest file of the commit log and what is written in it; behind that there may be room taken ahead.
func lastSegment(t *testing.T, data string) (name string, content, written []byte) {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(data, "records", "log", "*.log"))
	if err != nil || len(names) == 0 {
		t.Fatalf("no log: %v", err)
	}
	name = slices.Max(names)
	if content, err = os.ReadFile(name); err != nil {
		t.Fatal(err)
	}
	return name, content, bytes.TrimRight(content, "\x00")
}

// TestTornLog cuts the end of the log off, as a crash in the middle of a write does: what was acknowledged before is there.
func TestTornLog(t *testing.T) {
	const files = 20
	s := filled(t, files)
	name, _, written := lastSegment(t, s.data)
	must(t, os.WriteFile(name, written[:len(written)-7], 0o600))
	s.run()
	s.wantFiles(files - 1)
	if !strings.Contains(s.log.String(), name) {
		t.Errorf("the log does not tell of the unfinished write:\n%s", s.log)
	}
	s.stop()
	verify(t, s.data)
}

// TestFlippedLog flips a bit in the middle of the log: the server refuses to start, names file and remedy, and changes nothing.
func TestFlippedLog(t *testing.T) {
	const files = 20
	s := filled(t, files)
	name, content, written := lastSegment(t, s.data)
	damaged := bytes.Clone(content)
	damaged[len(written)*3/4] ^= 1
	must(t, os.WriteFile(name, damaged, 0o600))
	must(t, os.RemoveAll(filepath.Join(s.data, "records", "db")))
	for _, args := range [][]string{{"serve", "--listen", freeAddress(t)}, {"verify"}, {"rebuild"}} {
		out, err := command(t, t.TempDir(), binary(t), append(args, "--data", s.data)...)
		if last := lastLine(out); err == nil || !strings.Contains(last, name) || !strings.Contains(last, "entrepot rebuild") {
			t.Errorf("%s: %v\n%s\nwant an error that names %s and the remedy", args[0], err, out, name)
		}
		if now, err := os.ReadFile(name); err != nil || !bytes.Equal(now, damaged) {
			t.Fatalf("%s changed the damaged log: %v", args[0], err)
		}
	}

	must(t, os.WriteFile(name, content, 0o600)) // from a backup
	s.run()
	s.wantFiles(files)
	s.stop()
	verify(t, s.data)

	name, content, written = lastSegment(t, s.data)
	content[len(written)*3/4] ^= 1
	must(t, os.WriteFile(name, content, 0o600))
	must(t, os.RemoveAll(filepath.Join(s.data, "records", "db")))
	out := run(t, t.TempDir(), binary(t), "rebuild", "--salvage", "--data", s.data)
	if !strings.Contains(out, "later changes are lost") || !strings.Contains(out, name) {
		t.Errorf("salvage does not say what is lost: %s", out)
	}
	s.run()
	s.wantFiles(files / 4)
	s.json(http.MethodPut, "/service/rest/v1/repositories/raw/hosted/files", rawRepository)
	s.stop()
	verify(t, s.data)
}

// TestReadOnlyDisk takes the right to write away from a running server, and from one that starts.
func TestReadOnlyDisk(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	must(t, os.Mkdir(data, 0o755))
	if out, err := mount("-t", "tmpfs", "-o", "size=64m", "tmpfs", data); err != nil {
		t.Skipf("SKIPPED: cannot mount a file system here: %v %s", err, out)
	}
	t.Cleanup(func() { _ = exec.Command("umount", "-R", data).Run() })
	s := startIn(t, data)
	s.makeRaw()
	small, large := "small", strings.Repeat("large", 1<<20)
	put := func(path, body string) (int, string) {
		return s.do(http.MethodPut, "/repository/files/"+path, strings.NewReader(body))
	}
	for path, body := range map[string]string{"small": small, "large": large} {
		if status, text := put(path, body); status != http.StatusCreated {
			t.Fatal(status, text)
		}
	}

	// The blobs' folder becomes read-only for everything that is opened from now on.
	blobs := filepath.Join(data, "blobs")
	for _, args := range [][]string{{"--bind", blobs, blobs}, {"-o", "remount,bind,ro", blobs}} {
		if out, err := mount(args...); err != nil {
			t.Fatalf("%v %s", err, out)
		}
	}
	for path, body := range map[string]string{"more/small": small + "!", "more/large": large + "!"} {
		if status, text := put(path, body); status/100 != 5 || strings.Contains(text, data) {
			t.Errorf("%s: %d %.300s; want a refusal that tells nothing of the machine", path, status, text)
		}
		if status, _ := s.do(http.MethodGet, "/repository/files/"+path, nil); status != http.StatusNotFound {
			t.Errorf("%s was refused and is there: %d", path, status)
		}
	}
	for path, body := range map[string]string{"small": small, "large": large} {
		if status, got := s.do(http.MethodGet, "/repository/files/"+path, nil); status != http.StatusOK || got != body {
			t.Errorf("reading %s: %d", path, status)
		}
	}
	if out, err := exec.Command("umount", blobs).CombinedOutput(); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	if status, text := put("again", small); status != http.StatusCreated {
		t.Errorf("after the disk can be written again: %d %.300s", status, text)
	}
	s.stop()
	verify(t, data)

	if out, err := mount("-o", "remount,ro", data); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	out, err := command(t, t.TempDir(), binary(t), "serve", "--data", data, "--listen", freeAddress(t))
	if last := lastLine(out); err == nil || !strings.Contains(last, data) || !strings.Contains(last, "read-only") {
		t.Errorf("start on a read-only disk: %v\n%s", err, out)
	}
}

func mount(args ...string) ([]byte, error) { return exec.Command("mount", args...).CombinedOutput() }
