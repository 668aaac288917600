package importer_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"entrepot/app/access"
	"entrepot/app/apptest"
	"entrepot/app/cleanup"
	"entrepot/app/domains"
	"entrepot/app/progress"
	"entrepot/app/repository"
	"entrepot/app/seal"
	"entrepot/app/tasks"
	"entrepot/formats"
	"entrepot/migrate/adopt"
	"entrepot/migrate/importer"
	"entrepot/migrate/inventory"
	"entrepot/migrate/verify"
	"entrepot/storage/blob"
	blobmemory "entrepot/storage/blob/memory"
	"entrepot/storage/catalog"
	"entrepot/storage/kv"
	kvmemory "entrepot/storage/kv/memory"
)

var day = time.Date(2026, 1, 2, 3, 4, 5, 678e6, time.UTC)

// old is an old server made of values.
type old struct {
	inventory.Inventory
	assets []*inventory.Asset
	bodies map[string]string // by blob
}

func (o *old) Describe(context.Context) (*inventory.Inventory, error) {
	inv := o.Inventory
	inv.Assets = int64(len(o.assets))
	return &inv, nil
}

func (o *old) Assets(context.Context) iter.Seq2[*inventory.Asset, error] {
	return func(yield func(*inventory.Asset, error) bool) {
		for _, a := range o.assets {
			if !yield(a, nil) {
				return
			}
		}
	}
}

func (o *old) Open(_ context.Context, a *inventory.Asset) (io.ReadCloser, error) {
	body, ok := o.bodies[a.Blob]
	if !ok {
		return nil, errors.New("its bytes are missing")
	}
	return io.NopCloser(strings.NewReader(body)), nil
}

// put gives the old server an asset whose blob was made on the n-th day.
func (o *old) put(repo, path, body string, n int) *inventory.Asset {
	at := day.AddDate(0, 0, n)
	a := &inventory.Asset{
		Repository: repo, Path: path, Blob: fmt.Sprintf("default@%s%s-%d", repo, path, n), Size: int64(len(body)), ContentType: "text/plain",
		Created: day, BlobCreated: at, Uploader: "ann", UploaderIP: "10.0.0.1",
	}
	a.Digests = digests(body)
	o.assets = slices.DeleteFunc(o.assets, func(have *inventory.Asset) bool { return have.Repository == repo && have.Path == path })
	o.assets = append(o.assets, a)
	o.bodies[a.Blob] = body
	return a
}

func digests(body string) blob.Digests {
	store := blob.New("x", blobmemory.New(nil), nil)
	w, err := store.Create(context.Background(), blob.WriteOptions{MD5: true, SHA512: true})
	if err != nil {
		panic(err)
	}
	defer w.Discard()
	if _, err := w.Write([]byte(body)); err != nil {
		panic(err)
	}
	info, err := w.Finish()
	if err != nil {
		panic(err)
	}
	return info.Digests
}

func newOld() *old {
	o := &old{bodies: make(map[string]string)}
	o.Origin, o.SystemID, o.Complete = "a test", "system-1", true
	o.BlobStores = []inventory.BlobStore{
		{BlobStore: repository.BlobStore{Name: "default", Type: "file", Path: "default"}},
		{BlobStore: repository.BlobStore{Name: "bucket", Type: "s3", Attributes: map[string]string{"bucket": "b"}}, Note: "in a bucket"},
	}
	o.RoutingRules = []repository.RoutingRule{{Name: "block", Mode: repository.RuleBlock, Matchers: []string{"^/x/.*"}}}
	hosted := func(name, format, store string) inventory.Repository {
		return inventory.Repository{Definition: repository.Definition{
			Name: name, Format: format, Kind: formats.Hosted, Online: true, BlobStore: store, Write: repository.WriteDeny,
		}}
	}
	upstream := &repository.Upstream{URL: "http://127.0.0.1:1/", Authentication: &repository.Credentials{Type: "username", Username: "u", Password: "p-1"}}
	o.Repositories = []inventory.Repository{
		hosted("files", "raw", "default"), hosted("images", "docker", "default"), hosted("far", "raw", "bucket"),
		{Definition: repository.Definition{
			Name: "cache", Format: "raw", Kind: formats.Cache, Online: true, BlobStore: "default", Upstream: upstream, RoutingRule: "block",
		}},
		{Definition: repository.Definition{
			Name: "all", Format: "raw", Kind: formats.Proxy, Online: true, BlobStore: "default", Members: []string{"files", "cache", "deleted"},
		}},
	}
	empty := ""
	o.Access = inventory.Access{
		Selectors:  []access.Selector{{Name: "sel", Type: "csel", Expression: `path =^ "/a"`}},
		Privileges: []access.Privilege{{Name: "priv", Type: access.TypeWildcard, Pattern: "nexus:*"}},
		Roles:      []access.RoleInput{{ID: "dev", Name: "dev", Description: &empty, Privileges: []string{"priv", "gone"}}},
		Users: []access.ImportedUser{
			{User: access.User{ID: "ann", Source: "default", Status: access.StatusActive, Roles: []string{"dev"}}, PasswordHash: "f865b53623b121fd34ee5426c792e5c33af8c227"},
			{User: access.User{ID: "bob", Source: "LDAP", Status: access.StatusActive, Roles: []string{"dev"}}},
		},
		Tokens:      []inventory.Token{{Token: access.Token{Domain: "NpmToken", Source: "default", User: "ann", Created: day}, Text: "token-1"}},
		Anonymous:   &access.Anonymous{UserID: "nobody", Realm: access.RealmAuthorizing},
		Realms:      []string{"LdapRealm", access.RealmLocal},
		DefaultRole: "dev",
	}
	o.Records = []inventory.Record{{
		Section: "table-other", Name: "1", Value: json.RawMessage(`{"host":"idp"}`), Secrets: map[string]repository.Secret{"password": "kept-secret"},
	}}
	days := int64(30)
	o.Upkeep = inventory.Upkeep{
		Policies: []cleanup.Policy{
			{Name: "old", Format: "raw", Criteria: cleanup.Criteria{DownloadedDays: &days}}, {Name: "odd", Format: "raw", Criteria: cleanup.Criteria{Retain: 1}},
		},
		Tasks: []inventory.Task{
			{
				Definition: tasks.Definition{ID: "t-1", Type: "collect-blobs", Name: "Compact", Enabled: true, Schedule: tasks.Schedule{Frequency: tasks.Cron, Cron: "0 0 1 * * ?", Zone: "Z"}},
				Last:       &tasks.Outcome{Started: day, Result: tasks.OK},
			},
			{Definition: tasks.Definition{ID: "t-2", Type: "script", Name: "Script", Enabled: true, Schedule: tasks.Schedule{Frequency: tasks.Manual}}},
		},
	}
	o.put("files", "/a.txt", "first", 1)
	o.put("files", "/same.txt", "first", 1)
	o.put("images", "/v2/-/blobs/sha256:00", "layer", 1).Kind = "BLOB"
	o.put("far", "/far.txt", "far", 1)
	o.put("cache", "/c.txt", "cached", 1).Upstream = &catalog.Upstream{ETag: `"e"`, LastModified: day, Verified: day.AddDate(0, 0, 1)}
	return o
}

// server is a server in memory.
type server struct {
	importer.Target
	rows  *kv.Store
	trees *catalog.Catalog
}

func newServer(t *testing.T) *server {
	t.Helper()
	return newServerOver(t, func() blob.Driver { return blobmemory.New(nil) })
}

// newServerOver is a server whose blob stores are made by a function.
func newServerOver(t *testing.T, driver func() blob.Driver) *server {
	t.Helper()
	sealer, err := seal.Open(t.TempDir() + "/key")
	must(t, err)
	rows := kv.New(kvmemory.New())
	adopted, err := adopt.Open(t.Context(), rows)
	must(t, err)
	d := apptest.New(t, func(o *domains.Options) {
		o.Store, o.Sealer, o.Engine.Adopted, o.Engine.OpenBlobs = rows, sealer, adopted.Blobs, apptest.OpenBlobs(func(string) blob.Driver { return driver() })
	})
	target := importer.NewTarget(d.Domains, rows, sealer)
	target.Adopted = adopt.NewCopier(d.Engine, d.Catalog, adopted, adopt.Options{})
	return &server{target, rows, d.Catalog}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (s *server) bring(t *testing.T, from inventory.Source) (*importer.Plan, *importer.Report) {
	t.Helper()
	plan, err := importer.Prepare(t.Context(), s.Target, from, importer.Options{})
	must(t, err)
	meter := progress.Start(io.Discard, progress.Options{Title: "test"})
	defer meter.Close()
	report, err := plan.Run(t.Context(), meter)
	must(t, err)
	return plan, report
}

// differences compares both sides and gives the names of what differs.
func (s *server) differences(t *testing.T, from inventory.Source) []string {
	t.Helper()
	report, err := verify.Run(t.Context(), s.Target, from, verify.Options{Read: true})
	must(t, err)
	names := []string{}
	for _, d := range report.Differences {
		names = append(names, d.What+" "+d.Name)
	}
	return names
}

func TestImportEverything(t *testing.T) {
	s, from := newServer(t), newOld()
	plan, report := s.bring(t, from)
	if report.New != 4 || report.Failed != 0 || report.Skipped != 1 || len(report.Created) != 5 || report.Settings != 17 {
		t.Errorf("report %+v", report)
	}
	var text bytes.Buffer
	must(t, plan.Print(&text))
	for _, want := range []string{"format docker is not served yet", "blob stores of type s3 are not served yet", "kept, not active yet", "Blob store bucket: in a bucket."} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("the plan does not say %q:\n%s", want, text.String())
		}
	}
	if d := cmp.Diff([]string{"asset far/far.txt"}, s.differences(t, from)); d != "" {
		t.Error(d)
	}
	if _, err := s.Access.Authenticate(t.Context(), access.Credentials{Kind: access.Basic, User: "ann", Secret: "admin123"}); err != nil {
		t.Errorf("the old password: %v", err)
	}
	layer, err := s.Engine.Held(t.Context(), "images", "/v2/-/blobs/sha256:00")
	must(t, err)
	if layer == nil || layer.Kind != "BLOB" || !layer.BlobCreated.Equal(day.AddDate(0, 0, 1)) || layer.Uploader != "ann" || !layer.Created.Equal(day) {
		t.Errorf("the layer is %+v", layer)
	}
	for e, err := range s.rows.Scan(t.Context(), "imported/saml", kv.Range{}) {
		must(t, err)
		if bytes.Contains(e.Value, []byte("kept-secret")) {
			t.Error("a secret is stored in the clear")
		}
	}
}

func TestSecondImportWritesNothing(t *testing.T) {
	s, from := newServer(t), newOld()
	s.bring(t, from)
	plan, report := s.bring(t, from)
	if plan.NewAssets != 0 || report.New+report.Replaced+report.Updated+report.Settings+int64(len(report.Created)+len(report.Changed)) != 0 || report.Kept != 4 {
		t.Errorf("report %+v", report)
	}
}

// TestDelta runs the old server on after the import, and the new one as well.
func TestDelta(t *testing.T) {
	s, from := newServer(t), newOld()
	s.bring(t, from)

	must(t, s.Access.ImportUser(t.Context(), access.System(), access.ImportedUser{User: access.User{ID: "bob", Source: "LDAP", Status: access.StatusActive, Roles: []string{"changed-here"}}}))
	from.Access.Users[0].Email = "ann@example.org"
	from.Repositories[3].Upstream.Authentication.Password = "p-2"
	from.Records[0].Secrets["password"] = "kept-secret-2"
	from.put("files", "/a.txt", "second", 2)
	from.put("files", "/new.txt", "new", 2)
	for _, a := range from.assets {
		switch a.Path {
		case "/c.txt":
			a.Upstream = &catalog.Upstream{ETag: `"e"`, LastModified: day, Verified: day.AddDate(0, 0, 3)}
		case "/same.txt":
			a.LastDownloaded = day.AddDate(0, 0, 2)
		}
	}
	plan, report := s.bring(t, from)
	if plan.NewAssets != 2 || report.New != 1 || report.Replaced != 1 || report.Updated != 2 || report.Settings != 2 || len(report.Changed) != 1 {
		t.Errorf("plan %+v\nreport %+v", plan, report)
	}
	if d := cmp.Diff([]string{"user LDAP/bob", "asset far/far.txt"}, s.differences(t, from)); d != "" {
		t.Error(d)
	}
}

// TestDamage wants what is damaged to be named and the rest to come over.
func TestDamage(t *testing.T) {
	s, from := newServer(t), newOld()
	from.bodies[from.put("files", "/flipped.txt", "hello", 1).Blob] = "hellp"
	from.bodies[from.put("files", "/short.txt", "hello", 1).Blob] = "hell"
	delete(from.bodies, from.put("files", "/gone.txt", "hello", 1).Blob)
	from.put("files", "/b\x00d.txt", "hello", 1)
	from.put("files", "/a.TXT", "case", 1)
	_, report := s.bring(t, from)
	if report.New != 5 || report.Failed != 4 {
		t.Errorf("report %+v", report)
	}
	for i, want := range []string{"/b\x00d.txt", "/flipped.txt", "/gone.txt", "/short.txt"} {
		if report.Failures[i].Path != want {
			t.Errorf("failure %v, want %s", report.Failures[i], want)
		}
	}
	for path, body := range map[string]string{"/flipped.txt": "hello", "/short.txt": "hello", "/gone.txt": "hello"} { // repaired, and run again
		from.put("files", path, body, 1)
	}
	if _, report = s.bring(t, from); report.New != 3 || report.Failed != 1 {
		t.Errorf("report %+v", report)
	}
}

// TestVerifyFinds changes one thing there after the import and wants it to be found, and nothing else.
func TestVerifyFinds(t *testing.T) {
	other := "another"
	for want, change := range map[string]func(*old){
		"blob store default":            func(o *old) { o.BlobStores[0].Quota = &repository.SoftQuota{Type: repository.QuotaUsed, Limit: 1} },
		"routing rule block":            func(o *old) { o.RoutingRules[0].Matchers = []string{"^/y/.*"} },
		"repository files":              func(o *old) { o.Repositories[0].Write = repository.WriteAllow },
		"repository cache":              func(o *old) { o.Repositories[3].Upstream.Authentication.Password = "p-2" },
		"content selector sel":          func(o *old) { o.Access.Selectors[0].Expression = `path =^ "/b"` },
		"privilege priv":                func(o *old) { o.Access.Privileges[0].Pattern = "nexus:x" },
		"role dev":                      func(o *old) { o.Access.Roles[0].Description = &other },
		"user default/ann":              func(o *old) { o.Access.Users[0].PasswordHash = "0192023a7bbd73250516f069df18b500" },
		"user LDAP/bob":                 func(o *old) { o.Access.Users[1].Roles = nil },
		"token NpmToken of default/ann": func(o *old) { o.Access.Tokens[0].Text = "token-2" },
		"setting anonymous access":      func(o *old) { o.Access.Anonymous.Enabled = true },
		"setting realms":                func(o *old) { o.Access.Realms = []string{access.RealmLocal} },
		"setting default role":          func(o *old) { o.Access.DefaultRole = "other" },
		"kept setting table-other/1":    func(o *old) { o.Records[0].Secrets["password"] = "other" },
		"asset files/new.txt":           func(o *old) { o.put("files", "/new.txt", "new", 1) },
		"asset files/a.txt":             func(o *old) { o.put("files", "/a.txt", "newer", 2) },
		"asset files/same.txt":          func(o *old) { o.put("files", "/same.txt", "FIRST", 1) },
	} {
		t.Run(want, func(t *testing.T) {
			s, from := newServer(t), newOld()
			from.assets = slices.DeleteFunc(from.assets, func(a *inventory.Asset) bool { return a.Repository == "far" })
			s.bring(t, from)
			if d := s.differences(t, from); len(d) > 0 {
				t.Fatalf("before the change: %v", d)
			}
			change(from)
			if d := cmp.Diff([]string{want}, s.differences(t, from)); d != "" {
				t.Error(d)
			}
		})
	}
}

// mover is an old server whose bytes can be taken away.
type mover struct {
	*old
	mu sync.Mutex
}

func (m *mover) Remove(_ context.Context, a *inventory.Asset) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.bodies, a.Blob)
	return nil
}

func (m *mover) Open(ctx context.Context, a *inventory.Asset) (io.ReadCloser, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.old.Open(ctx, a)
}

// TestMove wants only that taken away which is safe here.
func TestMove(t *testing.T) {
	s, from := newServer(t), &mover{old: newOld()}
	damaged := from.put("files", "/flipped.txt", "hello", 1)
	from.bodies[damaged.Blob] = "hellp"
	move := func() *importer.Report {
		plan, err := importer.Prepare(t.Context(), s.Target, from, importer.Options{Move: true})
		must(t, err)
		meter := progress.Start(io.Discard, progress.Options{Title: "test"})
		defer meter.Close()
		report, err := plan.Run(t.Context(), meter)
		must(t, err)
		return report
	}
	if report := move(); report.New != 4 || report.Moved != 4 || report.Failed != 1 {
		t.Errorf("report %+v", report)
	}
	if _, ok := from.bodies[damaged.Blob]; !ok || len(from.bodies) != 2 { // the other one lies in a bucket
		t.Errorf("left are %v", from.bodies)
	}
	from.bodies[damaged.Blob] = "hello"
	if report := move(); report.New != 1 || report.Moved != 5 || report.Failed != 0 {
		t.Errorf("report %+v", report)
	}
	if _, err := importer.Prepare(t.Context(), s.Target, newOld(), importer.Options{Move: true}); err == nil {
		t.Error("a source that is no mover is taken")
	}
}

// TestTakenNames wants a repository left alone whose name is that of another kind here.
func TestTakenNames(t *testing.T) {
	s, from := newServer(t), newOld()
	must(t, s.Engine.Create(t.Context(), repository.Definition{Name: "files", Format: "maven2", Kind: formats.Hosted, BlobStore: "default", Write: repository.WriteAllow}, "test"))
	plan, report := s.bring(t, from)
	i := slices.IndexFunc(plan.Repositories, func(r importer.Repository) bool { return r.Name == "files" })
	if r := plan.Repositories[i]; r.Action != importer.ActionSkip || r.Why != "is a maven2 hosted here" || report.Skipped != 3 || report.New != 2 {
		t.Errorf("line %+v, report %+v", r, report)
	}
}
