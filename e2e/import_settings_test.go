//go:build e2e

package e2e

import (
	"cmp"
	"encoding/json"
	"net/http"
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
	{"users", "security/users?source=default", "userId"},
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
		if d := gocmp.Diff(comparable(t, recorded, l.key), comparable(t, body, l.key)); d != "" {
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
