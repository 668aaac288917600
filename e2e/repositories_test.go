//go:build e2e

package e2e

import (
	"bytes"
	"fmt"
	"html"
	"mime/multipart"
	"net/http"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

func group(name, member string) string {
	return fmt.Sprintf(`{"name":%q,"online":true,"storage":{"blobStoreName":"default","strictContentTypeValidation":true},"group":{"memberNames":[%q]}}`, name, member)
}

// TestCircularAndDeepProxies tries to make proxies of which each request would take for ever, or nearly so.
func TestCircularAndDeepProxies(t *testing.T) {
	s := start(t)
	s.makeRaw()
	if status, _ := s.do(http.MethodPut, "/repository/files/a.txt", strings.NewReader("a")); status != http.StatusCreated {
		t.Fatal(status)
	}
	const groups = "/service/rest/v1/repositories/raw/group"
	send := func(method, path, body string) (int, string) {
		return s.do(method, path, strings.NewReader(body), "Content-Type", "application/json")
	}
	member, depth := "files", 0
	for ; depth < 10_000; depth++ {
		name := fmt.Sprint("g", depth)
		status, text := send(http.MethodPost, groups, group(name, member))
		if status == http.StatusBadRequest && strings.Contains(text, "memberNames") && strings.Contains(text, "deep") {
			break
		}
		if status != http.StatusCreated {
			t.Fatalf("%s: %d %s", name, status, text)
		}
		member = name
	}
	if depth < 10 || depth > 100 {
		t.Errorf("proxies nest %d deep", depth)
	}
	if status, body := s.do(http.MethodGet, "/repository/"+member+"/a.txt", nil); status != http.StatusOK || body != "a" {
		t.Errorf("through %d proxies: %d %q", depth, status, body)
	}
	for _, members := range [][2]string{{"g0", "g0"}, {"g0", "g1"}, {"g0", member}} {
		if status, text := send(http.MethodPut, groups+"/"+members[0], group(members[0], members[1])); status != http.StatusBadRequest || !strings.Contains(text, members[1]) {
			t.Errorf("%s with member %s: %d %s", members[0], members[1], status, text)
		}
	}
	if status, text := send(http.MethodPost, groups, group("own", "own")); status != http.StatusBadRequest {
		t.Errorf("a proxy of itself: %d %s", status, text)
	}
}

// TestUploadsBelongToHosted tries to write where nothing is written by clients.
func TestUploadsBelongToHosted(t *testing.T) {
	s := start(t)
	for _, name := range []string{"maven-central", "maven-public"} {
		for _, method := range []string{http.MethodPut, http.MethodDelete, http.MethodPost} {
			path := "/repository/" + name + "/a/b/1/b-1.jar"
			if status, text := s.do(method, path, strings.NewReader("x")); status != http.StatusMethodNotAllowed {
				t.Errorf("%s %s: %d %.200s", method, path, status, text)
			}
		}
		body, contentType := component(t)
		status, text := s.do(http.MethodPost, "/service/rest/v1/components?repository="+name, body, "Content-Type", contentType)
		if status != http.StatusBadRequest || !strings.Contains(text, "hosted") {
			t.Errorf("a component into %s: %d %s", name, status, text)
		}
	}
	body, contentType := component(t)
	if status, text := s.do(http.MethodPost, "/service/rest/v1/components?repository=maven-releases", body, "Content-Type", contentType); status != http.StatusNoContent {
		t.Errorf("a component into a hosted repository: %d %s", status, text)
	}
	if status, text := s.do(http.MethodGet, "/repository/maven-public/a/b/1/b-1.jar", nil); status != http.StatusOK || text != "PK\x03\x04" {
		t.Errorf("the component: %d %q", status, text)
	}
}

// component is a form that uploads a jar.
func component(t *testing.T) (body *bytes.Buffer, contentType string) {
	t.Helper()
	body = &bytes.Buffer{}
	form := multipart.NewWriter(body)
	for _, field := range [][2]string{
		{"maven2.groupId", "a"}, {"maven2.artifactId", "b"}, {"maven2.version", "1"}, {"maven2.asset1.extension", "jar"},
	} {
		must(t, form.WriteField(field[0], field[1]))
	}
	part, err := form.CreateFormFile("maven2.asset1", "b.jar")
	must(t, err)
	_, err = part.Write([]byte("PK\x03\x04"))
	must(t, err)
	must(t, form.Close())
	return body, form.FormDataContentType()
}

// TestMissingUpstream asks the cache that every server has from the start for something.
func TestMissingUpstream(t *testing.T) {
	s := start(t)
	status, text := s.do(http.MethodGet, "/repository/maven-central/a/b/1/b-1.jar", nil)
	if status != http.StatusBadGateway || !strings.Contains(text, "/service/rest/v1/repositories/maven/proxy/maven-central") {
		t.Errorf("%d %s; want 502 and how to set the upstream", status, text)
	}
}

var link = regexp.MustCompile(`<a href="([^"]+)">`)

// TestBrowseImportedContent walks the folders of an imported repository as a browser does, down to every file.
func TestBrowseImportedContent(t *testing.T) {
	const name, repository = "nexus-3.77-small", "maven-releases"
	data := filepath.Join(t.TempDir(), "data")
	store := filepath.Join(unpack(t, fixtures(t, "datadirs", name+".tar.gz")), "blobs", "default")
	run(t, t.TempDir(), binary(t), "import", "blobs", "--data", data, store)
	s := startIn(t, data)

	top, err := url.Parse(s.url("/service/rest/repository/browse/" + repository + "/"))
	must(t, err)
	files, seen := map[string]bool{}, map[string]bool{}
	for folders := []*url.URL{top}; len(folders) > 0; folders = folders[1:] {
		resp, page := get(t, http.DefaultClient, folders[0].String(), "", "")
		if resp.StatusCode != http.StatusOK {
			t.Fatalf("%s: %d", folders[0], resp.StatusCode)
		}
		for _, match := range link.FindAllStringSubmatch(string(page), -1) {
			target, err := folders[0].Parse(html.UnescapeString(match[1]))
			must(t, err)
			switch {
			case strings.HasPrefix(target.Path, "/repository/"):
				files[strings.TrimPrefix(target.Path, "/repository/"+repository)] = true
			case strings.HasPrefix(target.Path, folders[0].Path) && !seen[target.Path]:
				seen[target.Path] = true
				folders = append(folders, target)
			}
		}
	}
	wanted := 0
	for _, asset := range recordedContent(t, name) {
		if asset.repository != repository || asset.status != "200" {
			continue
		}
		wanted++
		if !files[asset.path] {
			t.Errorf("no page shows %s", asset.path)
		}
	}
	if wanted < 10 || len(files) < wanted {
		t.Errorf("%d files in %d folders; want %d", len(files), len(seen), wanted)
	}
	for path := range files {
		resp, _ := get(t, http.DefaultClient, contentURL(s, repository, path), "", "")
		if resp.StatusCode != http.StatusOK {
			t.Errorf("%s is shown and answers %d", path, resp.StatusCode)
		}
	}
}
