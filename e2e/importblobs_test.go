//go:build e2e

package e2e

import (
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// recorded is one line of what the old server answered.
type recorded struct{ repository, path, status, size, sha1, contentType, modified, etag string }

func recordedContent(t *testing.T, name string) []recorded {
	t.Helper()
	data, err := os.ReadFile(fixtures(t, "datadirs", name+".expected", "content.tsv"))
	if err != nil {
		t.Fatal(err)
	}
	var list []recorded
	for _, line := range strings.Split(strings.TrimSpace(string(data)), "\n")[1:] {
		f := strings.Split(line, "\t")
		list = append(list, recorded{f[0], f[1], f[2], f[3], f[4], f[7], f[8], f[9]})
	}
	return list
}

// TestImportBlobs pours a real blob store in, without its database, killed in the middle first.
func TestImportBlobs(t *testing.T) {
	const name = "nexus-3.77-small"
	old := unpack(t, fixtures(t, "datadirs", name+".tar.gz"))
	before := snapshot(t, old)
	store, data := filepath.Join(old, "blobs", "default"), filepath.Join(t.TempDir(), "data")

	plan := run(t, t.TempDir(), binary(t), "import", "blobs", "--data", data, "--plan", store)
	if !strings.Contains(plan, "maven-releases") || !strings.Contains(plan, "format apt is not available") {
		t.Errorf("plan:\n%s", plan)
	}
	for range 3 {
		cmd := exec.Command(binary(t), "import", "blobs", "--data", data, store)
		cmd.Env = append(os.Environ(), "ENTREPOT_ADMIN_PASSWORD="+adminPassword)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(20+rand.IntN(150)) * time.Millisecond)
		_ = cmd.Process.Kill() // it may be done already
		_ = cmd.Wait()
	}
	run(t, t.TempDir(), binary(t), "import", "blobs", "--data", data, store)
	again := run(t, t.TempDir(), binary(t), "import", "blobs", "--data", data, store)
	if !strings.Contains(again, "imported 0 new and 0 newer assets") {
		t.Errorf("a second run adds something:\n%s", again)
	}
	if d := cmp.Diff(before, snapshot(t, old)); d != "" {
		t.Errorf("the source changed: %s", d)
	}
	verify(t, data)

	s := startIn(t, data)
	checked := 0
	for _, want := range recordedContent(t, name) {
		if want.repository != "maven-releases" && want.repository != "maven-snapshots" && want.repository != "raw-hosted" || want.status != "200" {
			continue
		}
		checked++
		s.checkRecorded(want)
	}
	if checked < 300 {
		t.Errorf("only %d answers were compared", checked)
	}
}

func (s *server) checkRecorded(want recorded) {
	s.t.Helper()
	path := (&url.URL{Path: want.path}).EscapedPath()
	req, err := http.NewRequest(http.MethodGet, s.url("/repository/"+want.repository+path), nil)
	if err != nil {
		s.t.Fatal(err)
	}
	req.SetBasicAuth("admin", adminPassword)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	sum := sha1.New()
	if _, err := io.Copy(sum, resp.Body); err != nil {
		s.t.Fatal(err)
	}
	got := recorded{
		want.repository, want.path, fmt.Sprint(resp.StatusCode), fmt.Sprint(resp.ContentLength), hex.EncodeToString(sum.Sum(nil)),
		resp.Header.Get("Content-Type"), resp.Header.Get("Last-Modified"), resp.Header.Get("ETag"),
	}
	if got != want {
		s.t.Errorf("got  %+v\nwant %+v", got, want)
	}
}
