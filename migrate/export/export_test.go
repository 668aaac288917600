package export_test

import (
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"entrepot/app/access"
	"entrepot/app/access/ldap"
	"entrepot/app/access/oidc"
	"entrepot/app/apptest"
	"entrepot/app/cleanup"
	"entrepot/app/domains"
	"entrepot/app/kept"
	"entrepot/app/mail"
	"entrepot/app/outbound"
	"entrepot/app/progress"
	"entrepot/app/repository"
	"entrepot/app/scripts"
	"entrepot/app/seal"
	"entrepot/app/settings"
	"entrepot/app/tasks"
	"entrepot/formats"
	"entrepot/migrate/blobs"
	"entrepot/migrate/export"
	"entrepot/migrate/importer"
	"entrepot/migrate/inventory"
	"entrepot/migrate/verify"
	"entrepot/storage/catalog"
)

var day = time.Date(2026, 1, 2, 3, 4, 5, 678e6, time.UTC)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func newTarget(t *testing.T) importer.Target {
	t.Helper()
	sealer, err := seal.Open(filepath.Join(t.TempDir(), "key"))
	must(t, err)
	d := apptest.New(t, func(o *domains.Options) { o.Sealer = sealer })
	return importer.NewTarget(d.Domains, d.Store, sealer)
}

// fill gives a server one of everything.
func fill(t *testing.T, s importer.Target) {
	t.Helper()
	ctx := t.Context()
	must(t, s.Engine.Import(ctx, repository.Definition{Name: "files", Format: "raw", Kind: formats.Hosted, Online: true, BlobStore: "default", Write: repository.WriteAllow}, "test"))
	must(t, s.Engine.Import(ctx, repository.Definition{Name: "images", Format: "docker", Kind: formats.Hosted, Online: true, BlobStore: "default", Write: repository.WriteAllow}, "test"))
	must(t, s.Engine.Import(ctx, repository.Definition{
		Name: "cache", Format: "raw", Kind: formats.Cache, Online: true, BlobStore: "default",
		Upstream: &repository.Upstream{URL: "http://127.0.0.1:1/", Authentication: &repository.Credentials{Type: "username", Username: "u", Password: "secret-1"}},
	}, "test"))
	must(t, s.Engine.Import(ctx, repository.Definition{Name: "all", Format: "raw", Kind: formats.Proxy, Online: true, BlobStore: "default", Members: []string{"files"}}, "test"))
	must(t, s.Access.ImportUser(ctx, access.System(), access.ImportedUser{
		User: access.User{ID: "ann", Source: "default", Status: access.StatusActive, Roles: []string{"dev"}}, PasswordHash: "0192023a7bbd73250516f069df18b500",
	}))
	must(t, s.Access.ImportRole(ctx, access.System(), access.RoleInput{ID: "dev", Name: "dev"}))
	must(t, s.Records.Put(ctx, kept.Record{Section: "email", Name: "1", Value: json.RawMessage(`{"host":"mail"}`), Secrets: map[string]string{"password": "secret-2"}}))
	fillSystem(t, s.System)
	must(t, s.Upkeep.Cleanup.Create(ctx, cleanup.Policy{Name: "old", Format: "raw", Criteria: cleanup.Criteria{AssetRegex: ".*"}}, "test"))
	for _, typ := range []string{"collect-blobs", "script"} {
		must(t, s.Upkeep.Tasks.Import(ctx, tasks.Definition{
			ID: "t-" + typ, Type: typ, Name: "Nightly", Enabled: true, Alert: tasks.Alert{Email: "a@example.org"}, Properties: map[string]string{"x": "y"},
			Schedule: tasks.Schedule{Frequency: tasks.Weekly, Start: day, Days: []int{1, 4}, Zone: "+02:00"},
		}, &tasks.Outcome{Started: day, Result: tasks.Failed, Message: "no luck"}))
	}
	for _, a := range []repository.Restored{
		{Path: "/größe + 1:2.txt", ContentType: "text/plain", Uploader: "ann", UploaderIP: "10.0.0.1", LastDownloaded: day.AddDate(0, 1, 0)},
		{Path: "/same.txt", ContentType: "text/plain", Uploader: "ann"},
	} {
		restore(t, s, "files", a)
	}
	restore(t, s, "images", repository.Restored{Path: "/v2/a/manifests/1", Kind: "MANIFEST", Component: &catalog.Coordinates{Name: "a", Version: "1"}, ComponentAttributes: map[string]string{"x": "y"}})
	restore(t, s, "cache", repository.Restored{Path: "/c.txt", Upstream: &catalog.Upstream{ETag: `"e"`, Verified: day}})
}

// fillSystem sets everything that is set for a whole server.
func fillSystem(t *testing.T, s importer.System) {
	must(t, s.Node.Adopt(t.Context(), "11111111-22222222-33333333-44444444-55555555"))
	_, err := s.Trust.Add(t.Context(), certificate)
	must(t, err)
	must(t, s.Outbound.Set(t.Context(), outbound.Settings{HTTPS: &outbound.Proxy{
		Enabled: true, Host: "proxy.example.org", Port: 3128, Auth: &outbound.ProxyAuth{Enabled: true, Username: "u", Password: "secret-3"},
	}}))
	must(t, s.Mail.Set(t.Context(), mail.Settings{Enabled: true, Host: "mail.example.org", Port: 25, From: "a@example.org", Password: "secret-4"}))
	must(t, s.Settings.Import(t.Context(), settings.Capability{ID: "1", Type: "webhook.global", Secrets: map[string]settings.Secret{"secret": "secret-5"}}))
	for _, name := range []string{"second", "first"} {
		must(t, s.LDAP.Import(t.Context(), access.System(), ldap.Server{Name: name, Host: "ldap.example.org", Scheme: ldap.SchemeSimple, Password: ldap.Secret("pw of " + name)}))
	}
	must(t, s.OAuth2.Set(t.Context(), access.System(), oidc.Settings{
		ClientID: "entrepot", ClientSecret: "secret-6", AuthorizationURL: "https://idp.example.org/auth", TokenURL: "https://idp.example.org/token",
		Algorithm: "RS256", Claims: oidc.Claims{Username: "sub"},
	}))
	must(t, s.Scripts.Import(t.Context(), scripts.Script{Name: "hello", Type: "groovy", Content: "return 1"}))
}

func restore(t *testing.T, s importer.Target, repo string, a repository.Restored) {
	t.Helper()
	a.Size, a.BlobCreated, a.Created = 4, day, day.AddDate(0, 0, -1)
	_, err := s.Engine.Restore(t.Context(), repo, a, func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader("body")), nil })
	must(t, err)
}

func write(t *testing.T, s importer.Target, dir string) *export.Report {
	t.Helper()
	meter := progress.Start(io.Discard, progress.Options{Title: "test"})
	defer meter.Close()
	report, err := export.Run(t.Context(), s, dir, meter)
	must(t, err)
	return report
}

func bring(t *testing.T, s importer.Target, from inventory.Source) *importer.Report {
	t.Helper()
	plan, err := importer.Prepare(t.Context(), s, from, importer.Options{})
	must(t, err)
	meter := progress.Start(io.Discard, progress.Options{Title: "test"})
	defer meter.Close()
	report, err := plan.Run(t.Context(), meter)
	must(t, err)
	return report
}

// TestThereAndBack exports a server, imports the export into another one, and compares them.
func TestThereAndBack(t *testing.T) {
	one, two, dir := newTarget(t), newTarget(t), t.TempDir()
	fill(t, one)
	if r := write(t, one, dir); r.Assets != 4 || r.Bytes != 16 || r.Present != 0 {
		t.Errorf("first export %+v", r)
	}
	if r := write(t, one, dir); r.Assets != 4 || r.Present != 4 {
		t.Errorf("second export %+v", r)
	}
	info, err := os.Stat(filepath.Join(dir, "inventory.json"))
	must(t, err)
	if info.Mode().Perm() != 0o600 {
		t.Errorf("secrets lie open: %v", info.Mode())
	}
	from, err := export.Open(dir)
	must(t, err)
	if r := bring(t, two, from); r.New != 4 || r.Failed != 0 {
		t.Errorf("import %+v", r)
	}
	for _, s := range []importer.Target{one, two} {
		report, err := verify.Run(t.Context(), s, from, verify.Options{Read: true})
		must(t, err)
		if d := cmp.Diff([]verify.Difference(nil), report.Differences); d != "" {
			t.Error(d)
		}
	}
	for _, at := range [][2]string{{"files", "/größe + 1:2.txt"}, {"images", "/v2/a/manifests/1"}, {"cache", "/c.txt"}} {
		a, err := one.Engine.Held(t.Context(), at[0], at[1])
		must(t, err)
		b, err := two.Engine.Held(t.Context(), at[0], at[1])
		must(t, err)
		a2, b2 := *a, *b
		a2.ID, a2.Version, b2.ID, b2.Version = 0, 0, 0, 0
		if b2.Origin == "" {
			t.Errorf("%v has no origin", at)
		}
		a2.Origin, b2.Origin = "", ""
		if d := cmp.Diff(a2, b2); d != "" {
			t.Errorf("%v: %s", at, d)
		}
	}
}

// TestOldServerReadsIt reads the exported blob store as that of an old server.
func TestOldServerReadsIt(t *testing.T) {
	one, dir := newTarget(t), t.TempDir()
	fill(t, one)
	write(t, one, dir)
	store, err := blobs.Open(filepath.Join(dir, "blobs", "default"))
	must(t, err)
	var got []string
	for a, err := range store.Assets(t.Context()) {
		must(t, err)
		if a.Size != 4 || !a.BlobCreated.Equal(day) || a.Digests.SHA1 == "" {
			t.Errorf("asset %+v", a)
		}
		got = append(got, a.Repository+a.Path)
	}
	if len(got) != 4 || !strings.Contains(strings.Join(got, "\n"), "files/größe + 1:2.txt") {
		t.Errorf("got %q", got)
	}
}

func TestOpenRefuses(t *testing.T) {
	if _, err := export.Open(t.TempDir()); err == nil {
		t.Error("an empty folder is taken for an export")
	}
}

// certificate is one that signed itself.
const certificate = `-----BEGIN CERTIFICATE-----
MIIBLTCB06ADAgECAgEBMAoGCCqGSM49BAMCMB8xHTAbBgNVBAMTFHVwc3RyZWFt
LmV4YW1wbGUub3JnMCAXDTI2MDEwMTAwMDAwMFoYDzIxMjYwMTAxMDAwMDAwWjAf
MR0wGwYDVQQDExR1cHN0cmVhbS5leGFtcGxlLm9yZzBZMBMGByqGSM49AgEGCCqG
SM49AwEHA0IABDuxsZoUXsqNqbJ2Y5XTy4hnUYEyBYwYhOEijhymf6inMWN3szap
zKtObRTLNrOSfgwvyLyzy3hh7dztoRQMrZ8wCgYIKoZIzj0EAwIDSQAwRgIhAOG6
bFlM22rwpAMs7YsqNs3JNSYn74aPsVhWGPODAFxTAiEAnkCkqy1t8JvZHtPfY8va
TZFdB8ngdR4niXR3DgEp5aw=
-----END CERTIFICATE-----
`
