package blobs

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"entrepot/migrate/inventory"
)

// TestLocation has the worked examples of the reference page.
func TestLocation(t *testing.T) {
	tests := []struct {
		id      string
		created time.Time
		want    string
	}{
		{"0c89ccf4-ec5b-44a8-83b2-d08df2599c6e", time.Time{}, "vol-18/chap-20/0c89ccf4-ec5b-44a8-83b2-d08df2599c6e"},
		{"00000000-0000-0000-0000-000000000000", time.Time{}, "vol-03/chap-28/00000000-0000-0000-0000-000000000000"},
		{"ffffffff-ffff-4fff-bfff-ffffffffffff", time.Time{}, "vol-23/chap-46/ffffffff-ffff-4fff-bfff-ffffffffffff"},
		{"123e4567-e89b-12d3-a456-426614174000", time.Time{}, "vol-28/chap-43/123e4567-e89b-12d3-a456-426614174000"},
		{"f0f5a4ea-2ad2-4de7-8d6c-44b5a5f7a8b1", time.Time{}, "vol-32/chap-20/f0f5a4ea-2ad2-4de7-8d6c-44b5a5f7a8b1"},
		{"x", time.Date(2025, 9, 14, 8, 31, 59, 0, time.UTC), "2025/09/14/08/31/x"},
	}
	for _, tt := range tests {
		if got := Location(tt.id, tt.created); got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.id, got, tt.want)
		}
	}
}

// write makes a store of files below its root.
func write(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func props(lines ...string) string { return "#head\n" + strings.Join(lines, "\n") + "\n" }

func TestAssets(t *testing.T) {
	live := []string{"@Bucket.repo-name=releases", "creationTime=1700000000000", "@BlobStore.content-type=text/plain",
		"@BlobStore.created-by=ann", "@BlobStore.created-by-ip=10.0.0.1", "sha1=ABCD", "size=5"}
	with := func(name string, more ...string) string {
		return props(append(append([]string{"@BlobStore.blob-name=" + name}, live...), more...)...)
	}
	dir := write(t, map[string]string{
		"metadata.properties":                       "type=file/1\n",
		"content/vol-01/chap-01/a.properties":       with("/org/a.txt", "lastDownloaded=2024-05-02T10:11:12.345Z"),
		"content/vol-01/chap-01/a.bytes":            "hello",
		"content/vol-01/chap-01/old.properties":     with("no/slash.txt"),
		"content/vol-01/chap-01/old.bytes":          "hello",
		"content/vol-01/chap-02/del.properties":     with("/del", "deleted=true"),
		"content/vol-01/chap-02/del.bytes":          "hello",
		"content/vol-01/chap-02/tmp.properties":     with("/tmp", "@BlobStore.temporary-blob="),
		"content/vol-01/chap-02/tmp.bytes":          "hello",
		"content/vol-01/chap-02/gone.properties":    with("/gone"),
		"content/vol-01/chap-02/short.properties":   with("/short"),
		"content/vol-01/chap-02/short.bytes":        "hell",
		"content/vol-01/chap-02/empty.properties":   "",
		"content/vol-01/chap-02/empty.bytes":        "hello",
		"content/vol-01/chap-02/half.bytes":         "an interrupted write",
		"content/2025/01/02/03/04/dated.properties": with("/dated"),
		"content/2025/01/02/03/04/dated.bytes":      "hello",
		"content/2025/01/02/03/05/copy.properties":  with("/copy"),
		"content/tmp/x.properties":                  with("/x"),
		"content/tmp/x.bytes":                       "hello",
		"content/directpath/r.properties":           with("/r"),
		"content/directpath/r.bytes":                "hello",
	})
	s, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	var got, problems []string
	for a, err := range s.Assets(t.Context()) {
		var p *inventory.Problem
		switch {
		case errors.As(err, &p):
			problems = append(problems, p.Error())
		case err != nil:
			t.Fatal(err)
		default:
			got = append(got, a.Path)
			if a.Path == "/org/a.txt" {
				checkAsset(t, s, a)
			}
		}
	}
	if d := cmp.Diff([]string{"/dated", "/org/a.txt", "/no/slash.txt"}, got); d != "" {
		t.Errorf("assets: %s", d)
	}
	want := []string{
		"blob vol-01/chap-02/empty: its properties are empty",
		"blob vol-01/chap-02/gone: cannot read its bytes: stat",
		"releases/short (blob vol-01/chap-02/short): has 4 bytes, its properties say 5",
	}
	if len(problems) != len(want) {
		t.Fatalf("problems: %q", problems)
	}
	for i := range want {
		if !strings.HasPrefix(problems[i], want[i]) {
			t.Errorf("problem %q, want %q", problems[i], want[i])
		}
	}
}

func checkAsset(t *testing.T, s *Store, a *inventory.Asset) {
	t.Helper()
	if a.Repository != "releases" || a.Size != 5 || a.Digests.SHA1 != "abcd" || a.ContentType != "text/plain" || a.Uploader != "ann" ||
		a.UploaderIP != "10.0.0.1" || a.BlobCreated.UnixMilli() != 1700000000000 ||
		!a.LastDownloaded.Equal(time.Date(2024, 5, 2, 10, 11, 12, 345e6, time.UTC)) {
		t.Errorf("asset %+v", a)
	}
	f, err := s.Open(t.Context(), a)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if b, err := io.ReadAll(f); err != nil || string(b) != "hello" {
		t.Errorf("bytes %q, %v", b, err)
	}
}

func TestDescribeGuesses(t *testing.T) {
	files := map[string]string{"metadata.properties": "type=file/1\n"}
	for repo, paths := range map[string][]string{
		"releases": {"/org/acme/a/1.0/a-1.0.jar", "/org/acme/a/1.0/a-1.0.pom", "/org/acme/a/maven-metadata.xml"},
		"public":   {"/org/acme/a/maven-metadata.xml", "/org/acme/a/maven-metadata.xml.sha1"},
		"files":    {"/a.txt", "/b.txt", "/dir/c.txt"},
		"js":       {"/left-pad", "/left-pad/-/left-pad-1.0.0.tgz"},
		"images":   {"/v2/-/blobs/sha256:00", "/v2/img/manifests/1"},
	} {
		for i, p := range paths {
			base := "content/vol-01/chap-01/" + repo + string(rune('0'+i))
			files[base+".bytes"] = "x"
			files[base+".properties"] = props("@Bucket.repo-name="+repo, "@BlobStore.blob-name="+strings.ReplaceAll(p, ":", `\:`), "size=1", "creationTime=1")
		}
	}
	s, err := Open(write(t, files))
	if err != nil {
		t.Fatal(err)
	}
	inv, err := s.Describe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	got := make(map[string]string)
	for _, r := range inv.Repositories {
		got[r.Name] = r.Format
		if (r.Skip != "") != (r.Name == "public") {
			t.Errorf("%s: skip %q", r.Name, r.Skip)
		}
	}
	want := map[string]string{"releases": "maven2", "public": "maven2", "files": "raw", "js": "npm", "images": "docker"}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if inv.Assets != 12 || inv.Bytes != 12 {
		t.Errorf("%d assets, %d bytes", inv.Assets, inv.Bytes)
	}
}

func TestOpenRefuses(t *testing.T) {
	for name, files := range map[string]map[string]string{
		"no blob store": {"a": "b"},
		`type "s3/1"`:   {"metadata.properties": "type=s3/1"},
		"no such file":  {"metadata.properties": "type=file/1"},
	} {
		if _, err := Open(write(t, files)); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}
