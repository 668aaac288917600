//go:build e2e

package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// TestBlobStoreGroup makes a group of a blob store that is in use, fills another member, kills the server and wants everything where it
// was, to the byte.
func TestBlobStoreGroup(t *testing.T) {
	t.Parallel()
	s := start(t, "--skip-default-repositories")
	const stores, hosted = "/service/rest/v1/blobstores", "/service/rest/v1/repositories/raw/hosted"
	put := func(repository string, from, to int) {
		t.Helper()
		for i := from; i < to; i++ {
			if status, text := s.do(http.MethodPut, fmt.Sprintf("/repository/%s/%d.txt", repository, i), strings.NewReader(fmt.Sprint("body ", i))); status != http.StatusCreated {
				t.Fatalf("PUT %d: %d %s", i, status, text)
			}
		}
	}
	get := func(repository string, to int) {
		t.Helper()
		for i := range to {
			if status, text := s.do(http.MethodGet, fmt.Sprintf("/repository/%s/%d.txt", repository, i), nil); status != http.StatusOK || text != fmt.Sprint("body ", i) {
				t.Errorf("GET %d: %d %q", i, status, text)
			}
		}
	}
	counted := func(store, want string) {
		t.Helper()
		if _, text := s.do(http.MethodGet, "/service/rest/internal/ui/blobstores", nil, "Accept", "application/json"); !strings.Contains(strings.Join(strings.Fields(text), ""), want) {
			t.Errorf("%s: no %s in %s", store, want, text)
		}
	}
	repository := func(name, store string) string {
		return fmt.Sprintf(`{"name":%q,"online":true,"storage":{"blobStoreName":%q,"strictContentTypeValidation":false,"writePolicy":"ALLOW"}}`, name, store)
	}
	s.json(http.MethodPost, stores+"/file", `{"name":"full","path":"full"}`)
	s.json(http.MethodPost, stores+"/file", `{"name":"roomy","path":"roomy"}`)
	s.json(http.MethodPost, hosted, repository("files", "full"))
	put("files", 0, 3)
	s.json(http.MethodPost, stores+"/group/convert/full/first", "")
	s.json(http.MethodPut, stores+"/group/full", `{"members":["roomy","first"],"fillPolicy":"writeToFirst"}`)
	put("files", 3, 7)
	get("files", 7)
	counted("roomy", `"name":"roomy","typeId":"file","typeName":"File","path":"roomy","unavailable":false,"blobCount":4`)
	counted("first", `"name":"first","typeId":"file","typeName":"File","path":"full","unavailable":false,"blobCount":3`)
	s.kill()
	s.run()
	get("files", 7)
	if status, text := s.do(http.MethodDelete, stores+"/roomy", nil); status != http.StatusBadRequest {
		t.Errorf("a member was deleted: %d %s", status, text)
	}

	// A store that takes the folder of one that was deleted has its blobs under its own name.
	s.json(http.MethodPost, stores+"/file", `{"name":"gone","path":"shared"}`)
	s.json(http.MethodDelete, stores+"/gone", "")
	s.json(http.MethodPost, stores+"/file", `{"name":"taken","path":"shared"}`)
	s.json(http.MethodPost, hosted, repository("more", "taken"))
	put("more", 0, 2)
	get("more", 2)
	s.stop()
	if out := run(t, "", binary(t), "verify", "--data", s.data); !strings.Contains(out, ": 0 differences") {
		t.Errorf("verify: %s", out)
	}
	s.run()
	get("files", 7)
	get("more", 2)
}
