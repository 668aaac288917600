//go:build e2e

package e2e

import (
	"cmp"
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
)

// settingsListings are REST listings that an imported server gives as the old one did, with what tells their items apart.
var settingsListings = []struct{ file, path, key string }{
	{"repositories", "repositories", "name"}, {"roles", "security/roles", "id"}, {"content-selectors", "security/content-selectors", "name"},
	{"routing-rules", "routing-rules", "name"}, {"realms-active", "security/realms/active", ""}, {"anonymous", "security/anonymous", ""},
	{"users", "security/users?source=default", "userId"}, {"truststore", "security/ssl/truststore", "id"}, {"script", "script", "name"},
	{"email", "email", ""}, {"node", "system/node", ""},
}

// checkSettings compares the listings of settings. Not compared are URLs, which name the host, and the order of lists that are sets.
func checkSettings(t *testing.T, s *server, expected, password string) {
	for _, l := range settingsListings {
		recorded, err := os.ReadFile(filepath.Join(expected, "rest", l.file+".json"))
		must(t, err)
		resp, body := get(t, client(), s.url("/service/rest/v1/"+l.path), "admin", password)
		if resp.StatusCode != http.StatusOK {
			t.Errorf("%s: %d %s", l.path, resp.StatusCode, body)
			continue
		}
		here := comparable(t, body, l.key)
		if realms, ok := here.([]any); ok && l.file == "realms-active" {
			// The recorded server had these realms in its list too, but not installed.
			here = slices.DeleteFunc(realms, func(id any) bool {
				return slices.Contains([]any{"LdapRealm", "NpmToken", "DockerToken", "NuGetApiKey"}, id)
			})
		}
		if d := gocmp.Diff(comparable(t, recorded, l.key), here); d != "" {
			t.Errorf("%s: %s", l.path, d)
		}
	}
}

// comparable decodes a listing and puts it in order.
func comparable(t *testing.T, raw []byte, key string) any {
	t.Helper()
	var v any
	must(t, json.Unmarshal(raw, &v))
	items, ok := v.([]any)
	if !ok || key == "" {
		return v
	}
	name := func(item any) string { text, _ := item.(map[string]any)[key].(string); return text }
	slices.SortFunc(items, func(a, b any) int { return strings.Compare(name(a), name(b)) })
	for _, item := range items {
		m, _ := item.(map[string]any)
		delete(m, "url")
		for _, member := range m {
			if set, ok := member.([]any); ok {
				slices.SortFunc(set, func(a, b any) int { return cmp.Compare(text(a), text(b)) })
			}
		}
	}
	return items
}

func text(v any) string { s, _ := v.(string); return s }

// checkListings compares what the listings of hosted repositories and caches show of each path: dates, uploader, checksums,
// attributes. Not compared are ids and URLs, and the last downloads where the listing was recorded after more of them.
func checkListings(t *testing.T, s *server, expected, password string) {
	var repositories []struct{ Name, Type string }
	raw, err := os.ReadFile(filepath.Join(expected, "rest", "repositories.json"))
	must(t, err)
	must(t, json.Unmarshal(raw, &repositories))
	recordedLater := !strings.Contains(expected, "small")
	same := 0
	for _, r := range repositories {
		var want []map[string]any
		raw, err := os.ReadFile(filepath.Join(expected, "rest", "assets", r.Name+".json"))
		if r.Type == "group" || os.IsNotExist(err) {
			continue
		}
		must(t, err)
		must(t, json.Unmarshal(raw, &want))
		got := listedAssets(t, s, r.Name, password)
		for _, asset := range want {
			path, _ := asset["path"].(string)
			for _, side := range []map[string]any{asset, got[path]} {
				delete(side, "id")
				delete(side, "downloadUrl")
				if recordedLater {
					delete(side, "lastDownloaded")
				}
			}
			if d := gocmp.Diff(asset, got[path]); d != "" {
				t.Errorf("listing of %s: %s: %s", r.Name, path, d)
				continue
			}
			same++
		}
	}
	t.Logf("listings: %d assets the same", same)
	if same == 0 {
		t.Error("no listing was compared")
	}
}

// listedAssets reads all pages of a listing, by path.
func listedAssets(t *testing.T, s *server, repository, password string) map[string]map[string]any {
	t.Helper()
	all := make(map[string]map[string]any)
	for token := ""; ; {
		resp, body := get(t, client(), s.url("/service/rest/v1/assets?repository="+url.QueryEscape(repository)+token), "admin", password)
		if resp.StatusCode != http.StatusOK {
			t.Errorf("assets of %s: %d %s", repository, resp.StatusCode, body)
			return all
		}
		var page struct {
			Items             []map[string]any
			ContinuationToken *string
		}
		must(t, json.Unmarshal(body, &page))
		for _, asset := range page.Items {
			path, _ := asset["path"].(string)
			all[path] = asset
		}
		if page.ContinuationToken == nil {
			return all
		}
		token = "&continuationToken=" + url.QueryEscape(*page.ContinuationToken)
	}
}
