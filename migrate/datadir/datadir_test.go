package datadir_test

import (
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"entrepot/app/repository"
	"entrepot/formats"
	"entrepot/migrate/datadir"
	"entrepot/migrate/inventory"
	"entrepot/migrate/secrets"
)

// TestRealServers compares what is read of each directory with what the real server and the real H2 said about it.
func TestRealServers(t *testing.T) {
	for _, name := range directories {
		t.Run(name, func(t *testing.T) {
			d := open(t, unpack(t, name), nil)
			inv, err := d.Describe(t.Context())
			must(t, err)
			t.Run("assets", func(t *testing.T) { testAssets(t, name, d, inv) })
			t.Run("rows", func(t *testing.T) { testRows(t, name, inv) })
			t.Run("secrets", func(t *testing.T) { testSecrets(t, name, inv) })
		})
	}
}

// testAssets compares every asset that is delivered with the rows that the real H2 read, and its bytes with the checksums there.
func testAssets(t *testing.T, name string, d *datadir.Directory, inv *inventory.Inventory) {
	want := wantedAssets(t, recorded(t, name))
	var bytes int64
	got := make(map[string]*inventory.Asset)
	for a, err := range d.Assets(t.Context()) {
		must(t, err)
		got[a.Repository+a.Path] = a
		bytes += a.Size
		checkBody(t, d, a)
	}
	if int64(len(got)) != inv.Assets || bytes != inv.Bytes || len(got) != len(want) {
		t.Errorf("%d assets with %d bytes, announced are %d with %d, H2 knows %d", len(got), bytes, inv.Assets, inv.Bytes, len(want))
	}
	for path, w := range want {
		a := got[path]
		if a == nil {
			t.Errorf("%s is not delivered", path)
			continue
		}
		if d := cmp.Diff(w, wanted{
			Blob: a.Blob, Type: a.ContentType, Size: a.Size, SHA1: a.Digests.SHA1, By: a.Uploader, IP: a.UploaderIP, Kind: a.Kind,
			Created: a.Created, BlobCreated: a.BlobCreated, Downloaded: a.LastDownloaded, HasComponent: a.Component != nil, Cached: a.Upstream != nil,
		}); d != "" {
			t.Errorf("%s: %s", path, d)
		}
	}
}

func checkBody(t *testing.T, d *datadir.Directory, a *inventory.Asset) {
	t.Helper()
	f, err := d.Open(t.Context(), a)
	must(t, err)
	defer f.Close()
	one, two := sha1.New(), sha256.New()
	n, err := io.Copy(io.MultiWriter(one, two), f)
	must(t, err)
	if n != a.Size || hex.EncodeToString(one.Sum(nil)) != a.Digests.SHA1 || hex.EncodeToString(two.Sum(nil)) != a.Digests.SHA256 {
		t.Errorf("%s%s: its bytes are not those of the database", a.Repository, a.Path)
	}
}

// wanted is what the rows say of an asset.
type wanted struct {
	Blob, Type, SHA1, By, IP, Kind   string
	Size                             int64
	Created, BlobCreated, Downloaded time.Time
	HasComponent, Cached             bool
}

func wantedAssets(t *testing.T, tables map[string][]map[string]any) map[string]wanted {
	t.Helper()
	all := make(map[string]wanted)
	names := make(map[any]string)
	for _, r := range tables["repository"] {
		if recipe := r["RECIPE_NAME"].(string); !strings.HasSuffix(recipe, "-group") {
			names[r["ID"]] = r["NAME"].(string)
		}
	}
	at := func(v any) time.Time {
		if v == nil {
			return time.Time{}
		}
		parsed, err := time.Parse(time.RFC3339Nano, v.(string))
		must(t, err)
		return parsed.UTC()
	}
	text := func(v any) string { s, _ := v.(string); return s }
	for table := range tables {
		format, ok := strings.CutSuffix(table, "_content_repository")
		if !ok {
			continue
		}
		repos, blobs := make(map[any]string), make(map[any]map[string]any)
		for _, r := range tables[table] {
			repos[r["REPOSITORY_ID"]] = names[r["CONFIG_REPOSITORY_ID"]]
		}
		for _, r := range tables[format+"_asset_blob"] {
			blobs[r["ASSET_BLOB_ID"]] = r
		}
		for _, r := range tables[format+"_asset"] {
			repo, b := repos[r["REPOSITORY_ID"]], blobs[r["ASSET_BLOB_ID"]]
			if repo == "" || b == nil {
				continue
			}
			_, cached := object(t, r, "ATTRIBUTES")["cache"]
			all[repo+r["PATH"].(string)] = wanted{
				Blob: text(b["BLOB_REF"]), Type: text(b["CONTENT_TYPE"]), SHA1: text(object(t, b, "CHECKSUMS")["sha1"]), By: text(b["CREATED_BY"]),
				IP: text(b["CREATED_BY_IP"]), Kind: text(r["KIND"]), Size: int64(b["BLOB_SIZE"].(float64)), Created: at(r["CREATED"]),
				BlobCreated: at(b["BLOB_CREATED"]), Downloaded: at(r["LAST_DOWNLOADED"]), HasComponent: r["COMPONENT_ID"] != nil, Cached: cached,
			}
		}
	}
	return all
}

// testRows counts what an inventory holds against the rows of the tables.
func testRows(t *testing.T, name string, inv *inventory.Inventory) {
	rows := recorded(t, name)
	external := 0
	for _, r := range rows["user_role_mapping"] {
		if r["SOURCE"] != "default" {
			external++
		}
	}
	sections := make(map[string]int)
	for _, r := range inv.Records {
		sections[r.Section]++
		if strings.HasPrefix(r.Section, "table-") {
			t.Errorf("table %s is not known", r.Section)
		}
	}
	for what, counts := range map[string][2]int{
		"blob stores": {len(inv.BlobStores), len(rows["blob_store_configuration"])}, "rules": {len(inv.RoutingRules), len(rows["repository_routing_rule"])},
		"repositories": {len(inv.Repositories), len(rows["repository"])}, "selectors": {len(inv.Access.Selectors), len(rows["selector_configuration"])},
		"privileges": {len(inv.Access.Privileges), len(rows["privilege"])}, "roles": {len(inv.Access.Roles), len(rows["role"])},
		"users":        {len(inv.Access.Users), len(rows["security_user"]) + external},
		"tokens":       {len(inv.Access.Tokens), len(rows["api_key"]) + len(rows["api_key_v2"])},
		"tasks":        {len(inv.Upkeep.Tasks) + 1, len(rows["qrtz_job_details"])}, // one is hidden
		"capabilities": {len(inv.System.Capabilities), len(rows["capability_storage_item"])},
		"policies":     {len(inv.Upkeep.Policies), len(rows["cleanup_policy"])}, "scripts": {len(inv.System.Scripts), len(rows["script"])},
		"email": {present(inv.System.Mail), len(rows["email_configuration"])}, "http": {present(inv.System.HTTP), len(rows["http_client_configuration"])},
	} {
		if counts[0] != counts[1] {
			t.Errorf("%d %s, the tables have %d", counts[0], what, counts[1])
		}
	}
	for _, u := range inv.Access.Users {
		i := slices.IndexFunc(rows["security_user"], func(r map[string]any) bool { return r["ID"] == u.ID })
		if u.Source == "default" && (i < 0 || rows["security_user"][i]["PASSWORD"] != u.PasswordHash) {
			t.Errorf("user %s does not have the password of the table", u.ID)
		}
	}
}

// present counts what there is at most one of.
func present[T any](v *T) int {
	if v == nil {
		return 0
	}
	return 1
}

// testSecrets looks for every secret that was recorded at its place in the inventory.
func testSecrets(t *testing.T, name string, inv *inventory.Inventory) {
	raw, err := os.ReadFile(fixtures(t, name+".expected", "secrets.json"))
	must(t, err)
	var want struct {
		References []struct{ Where, Member, Plain string }
		APIKeys    []struct {
			Domain, DOMAIN, Username, Token, Plain string
		} `json:"api_keys"`
	}
	must(t, json.Unmarshal(raw, &want))
	for _, r := range want.References {
		if !slices.Contains(secretsAt(inv, r.Where), r.Plain) {
			t.Errorf("%s %s is not there", r.Where, r.Member)
		}
	}
	var tokens []string
	for _, token := range inv.Access.Tokens {
		tokens = append(tokens, token.Domain+"."+string(token.Text))
	}
	for _, k := range want.APIKeys { // the older recording spells its members otherwise
		if !slices.Contains(tokens, k.Domain+k.DOMAIN+"."+k.Token) && !slices.Contains(tokens, k.Domain+k.DOMAIN+"."+k.Plain) {
			t.Errorf("token %s of %s is not there", k.Domain+k.DOMAIN, k.Username)
		}
	}
	if len(want.APIKeys) != len(tokens) {
		t.Errorf("%d tokens, want %d", len(tokens), len(want.APIKeys))
	}
	encoded, err := json.Marshal(inv)
	must(t, err)
	for _, r := range want.References {
		if strings.Contains(string(encoded), `"`+r.Plain+`"`) {
			t.Errorf("%s %s shows in the inventory's JSON", r.Where, r.Member)
		}
	}
}

// secretsAt gives the secrets at a place that is named as in the recordings: a table, and a row.
func secretsAt(inv *inventory.Inventory, where string) []string {
	table, row, _ := strings.Cut(where, " ")
	var found []string
	for _, r := range inv.Repositories {
		if table == "REPOSITORY" && r.Name == row && r.Upstream != nil && r.Upstream.Authentication != nil {
			found = append(found, string(r.Upstream.Authentication.Password), string(r.Upstream.Authentication.Bearer))
		}
		if table == "REPOSITORY" && r.Name == row {
			for _, secret := range r.Secrets {
				found = append(found, string(secret))
			}
		}
	}
	switch table {
	case "CAPABILITY_STORAGE_ITEM":
		for _, c := range inv.System.Capabilities {
			for _, secret := range c.Secrets {
				found = append(found, string(secret))
			}
		}
	case "EMAIL_CONFIGURATION", "HTTP_CLIENT_CONFIGURATION":
		for _, secret := range inv.System.Secrets() {
			found = append(found, secret.Get())
		}
	}
	return found
}

// TestMissingKey wants the names of what would be lost, and none of the secrets.
func TestMissingKey(t *testing.T) {
	dir := unpack(t, "nexus-3.77-customkey")
	must(t, os.Remove(filepath.Join(dir, "etc", "nexus-secret-keys.json")))
	_, err := open(t, dir, nil).Describe(t.Context())
	var lost *secrets.LostError
	if !errors.As(err, &lost) || !errors.Is(err, secrets.ErrKey) {
		t.Fatalf("got %v", err)
	}
	for _, place := range []string{"maven-auth", "raw-auth", "email_configuration", "webhook.repository", "NpmToken of admin", "DockerToken of admin"} {
		if !strings.Contains(err.Error(), place) {
			t.Errorf("%s is not named in: %v", place, err)
		}
	}
	if strings.Contains(err.Error(), "repo-secret") {
		t.Error("the error shows a secret")
	}
}

// TestKeyElsewhere opens the secrets with a key file that was given.
func TestKeyElsewhere(t *testing.T) {
	dir, key := unpack(t, "nexus-3.77-customkey"), filepath.Join(t.TempDir(), "keys.json")
	must(t, os.Rename(filepath.Join(dir, "etc", "nexus-secret-keys.json"), key))
	inv, err := open(t, dir, &datadir.Options{SecretsFile: key}).Describe(t.Context())
	must(t, err)
	if len(inv.Access.Tokens) != 3 {
		t.Errorf("%d tokens", len(inv.Access.Tokens))
	}
}

// TestRepositories looks at what is special in one definition of each kind.
func TestRepositories(t *testing.T) {
	inv, err := open(t, unpack(t, "nexus-3.77-small"), nil).Describe(t.Context())
	must(t, err)
	by := make(map[string]repository.Definition)
	for _, r := range inv.Repositories {
		by[r.Name] = r.Definition
	}
	releases := repository.Definition{
		Name: "maven-releases", Format: "maven2", Kind: formats.Hosted, Online: true, BlobStore: "default", Strict: true, Write: repository.WriteOnce,
		Proprietary: true, Cleanup: []string{"maven-releases-only", "everything-old"},
		Settings: map[string]string{"versionPolicy": "RELEASE", "layoutPolicy": "STRICT", "contentDisposition": "INLINE"},
	}
	if d := cmp.Diff(releases, by["maven-releases"]); d != "" {
		t.Error(d)
	}
	if m := by["maven-public"].Members; !slices.Equal(m, []string{"maven-releases", "maven-snapshots", "maven-central"}) {
		t.Errorf("members %v", m)
	}
	if r := by["maven-central"]; r.RoutingRule == "" || r.Upstream.ContentMaxAge != 24*time.Hour || !r.Upstream.AutoBlock || r.NegativeCache.TTL != 24*time.Hour {
		t.Errorf("maven-central is %+v", r)
	}
	ntlm := repository.Credentials{Type: "ntlm", Username: "nt-user", Password: "nt-päss wörd", NTLMHost: "WKS1", NTLMDomain: "CORP", Preemptive: new(true)}
	if d := cmp.Diff(ntlm, *by["maven-blocked"].Upstream.Authentication); d != "" {
		t.Error("maven-blocked has other credentials")
	}
	if r := by["maven-bearer"].Upstream.Authentication; r.Type != "bearerToken" || r.Bearer != "bearer-token-value-1" {
		t.Error("maven-bearer has another token")
	}
	if by["raw-offline"].Online {
		t.Error("raw-offline is online")
	}
}

// TestNoSource wants every directory refused that cannot be read, with a word on what to do.
func TestNoSource(t *testing.T) {
	small := unpack(t, "nexus-3.71-tiny")
	for name, c := range map[string]struct {
		prepare func(dir string)
		want    error
		says    string
	}{
		"empty": {func(string) {}, datadir.ErrEra, "has no db/nexus.mv.db"},
		"orient": {func(dir string) {
			must(t, os.MkdirAll(filepath.Join(dir, "db", "config"), 0o755))
			must(t, os.WriteFile(filepath.Join(dir, "db", "config", "database.ocf"), nil, 0o644))
		}, datadir.ErrEra, "database migrator"},
		"postgresql": {func(dir string) {
			must(t, os.MkdirAll(filepath.Join(dir, "etc", "fabric"), 0o755))
			must(t, os.WriteFile(filepath.Join(dir, "etc", "fabric", "nexus-store.properties"), []byte("jdbcUrl=jdbc\\:postgresql\\://db/nexus\n"), 0o644))
		}, datadir.ErrEra, "PostgreSQL"},
		"other version": {func(dir string) {
			must(t, os.MkdirAll(filepath.Join(dir, "db"), 0o755))
			script := "CREATE CACHED TABLE \"PUBLIC\".\"flyway_schema_history\"( \"version\" CHARACTER VARYING(50) );\n" +
				"INSERT INTO \"PUBLIC\".\"flyway_schema_history\" VALUES ('2.0'), ('3.1');\n"
			must(t, os.WriteFile(filepath.Join(dir, "db", "nexus.mv.db"), []byte("-- H2 2.3.232;\n;\n"+script), 0o644))
		}, datadir.ErrVersion, "--force-version"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			c.prepare(dir)
			_, err := datadir.Open(t.Context(), dir, nil)
			if !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %v", err)
			}
		})
	}
	open(t, small, &datadir.Options{ForceVersion: true})
}

// TestMissingBytes wants an asset whose bytes are gone to be told, and the rest to be delivered.
func TestMissingBytes(t *testing.T) {
	dir := unpack(t, "nexus-3.71-tiny")
	d := open(t, dir, nil)
	_, err := d.Describe(t.Context())
	must(t, err)
	must(t, os.RemoveAll(filepath.Join(dir, "blobs", "default", "content")))
	for a, err := range d.Assets(t.Context()) {
		must(t, err)
		if _, err := d.Open(t.Context(), a); err == nil || !strings.Contains(err.Error(), "its bytes are missing") {
			t.Errorf("%s: %v", a.Path, err)
		}
	}
}
