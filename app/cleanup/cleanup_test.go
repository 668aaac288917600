package cleanup_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"entrepot/app/apptest"
	"entrepot/app/cleanup"
	"entrepot/app/domains"
	"entrepot/app/repository"
	"entrepot/formats"
	"entrepot/storage/catalog"
	"entrepot/storage/kv"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var now = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

func must(t testing.TB, err error) {
	t.Helper()
	apptest.Must(t, err)
}

type rig struct {
	*cleanup.Service
	t      *testing.T
	engine *repository.Engine
	store  *kv.Store
}

func newRig(t *testing.T) *rig {
	t.Helper()
	s := apptest.New(t, func(o *domains.Options) { o.Now = func() time.Time { return now } })
	return &rig{s.Cleanup, t, s.Engine, s.Store}
}

func (r *rig) repository(name, format string, policies ...string) {
	r.t.Helper()
	must(r.t, r.engine.Create(r.t.Context(), repository.Definition{
		Name: name, Format: format, Kind: formats.Hosted, Online: true, BlobStore: "default", Write: repository.WriteAllow, Cleanup: policies,
		Settings: map[string]string{"versionPolicy": "MIXED"},
	}, "admin"))
}

// put stores a file that came some days ago and was downloaded some days ago, never when that is negative.
func (r *rig) put(repo, path string, stored, downloaded int) {
	r.t.Helper()
	a := repository.Restored{Path: path, Size: 4, BlobCreated: now.AddDate(0, 0, -stored)}
	if downloaded >= 0 {
		a.LastDownloaded = now.AddDate(0, 0, -downloaded)
	}
	if parts := strings.Split(strings.Trim(path, "/"), "/"); strings.HasSuffix(path, ".jar") {
		n := len(parts)
		version := strings.TrimSuffix(strings.TrimPrefix(parts[n-1], parts[n-3]+"-"), ".jar")
		a.Component = &catalog.Coordinates{Group: strings.Join(parts[:n-3], "."), Name: parts[n-3], Version: version}
	} else {
		a.Component = &catalog.Coordinates{Group: path[:strings.LastIndex(path, "/")+1], Name: path}
	}
	_, err := r.engine.Restore(r.t.Context(), repo, a, func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader("body")), nil })
	must(r.t, err)
}

func (r *rig) paths(repo string) []string {
	r.t.Helper()
	var all []string
	for a, err := range r.engine.HeldAll(r.t.Context(), repo) {
		must(r.t, err)
		if !strings.Contains(a.Path, "maven-metadata") {
			all = append(all, a.Path)
		}
	}
	slices.Sort(all)
	return all
}

func days(n int64) *int64 { return &n }

func TestSelection(t *testing.T) {
	r := newRig(t)
	r.repository("files", "raw")
	r.put("files", "/old/never.txt", 40, -1)
	r.put("files", "/old/used.txt", 40, 1)
	r.put("files", "/old/forgotten.bin", 40, 30)
	r.put("files", "/new/never.txt", 2, -1)
	r.repository("libs", "maven2")
	for i, version := range []string{"1.0", "1.2", "1.10", "1.9", "2.0-SNAPSHOT/2.0-20260101.000000-1", "2.0-SNAPSHOT/2.0-20260301.000000-3", "2.0-SNAPSHOT/2.0-20260201.000000-2"} {
		folder, file, nested := strings.Cut(version, "/")
		if !nested {
			file = version
		}
		r.put("libs", fmt.Sprintf("/org/acme/lib/%s/lib-%s.jar", folder, file), 100+i, -1)
	}
	r.put("libs", "/org/acme/other/1.0/other-1.0.jar", 100, -1)
	lib := func(versions ...string) (all []string) {
		for _, v := range versions {
			all = append(all, "org.acme:lib:"+v)
		}
		return all
	}
	tests := []struct {
		name, repo string
		criteria   cleanup.Criteria
		want       []string
	}{
		{"no criteria", "files", cleanup.Criteria{}, nil},
		{"stored long ago", "files", cleanup.Criteria{UpdatedDays: days(39)}, []string{"/old:/old/forgotten.bin:", "/old:/old/never.txt:", "/old:/old/used.txt:"}},
		{"not used for long", "files", cleanup.Criteria{DownloadedDays: days(20)}, []string{"/old:/old/forgotten.bin:", "/old:/old/never.txt:"}},
		{"a day in the future counts as today", "files", cleanup.Criteria{DownloadedDays: days(-5), AssetRegex: "/new/.*"}, []string{"/new:/new/never.txt:"}},
		{"both", "files", cleanup.Criteria{UpdatedDays: days(1), DownloadedDays: days(35)}, []string{"/old:/old/never.txt:"}},
		{"by name", "files", cleanup.Criteria{AssetRegex: `/old/.*\.bin`}, []string{"/old:/old/forgotten.bin:"}},
		{"by name without the first slash", "files", cleanup.Criteria{AssetRegex: `old/.*\.bin`}, []string{"/old:/old/forgotten.bin:"}},
		{"a part of the name is not enough", "files", cleanup.Criteria{AssetRegex: `never`}, nil},
		{"what the format cannot tell", "files", cleanup.Criteria{Release: cleanup.Prereleases}, nil},
		{"an expression that is none", "files", cleanup.Criteria{AssetRegex: `(`}, nil},
		{"snapshots", "libs", cleanup.Criteria{Release: cleanup.Prereleases}, lib("2.0-20260101.000000-1", "2.0-20260201.000000-2", "2.0-20260301.000000-3")},
		{"newest releases stay", "libs", cleanup.Criteria{Release: cleanup.Releases, Retain: 2}, lib("1.0", "1.2")},
		{"newest by date stay", "libs", cleanup.Criteria{Release: cleanup.Releases, Retain: 2, SortBy: cleanup.ByDate}, lib("1.10", "1.9")},
		{"newest of all stay", "libs", cleanup.Criteria{Retain: 5}, lib("1.0", "1.2")},
		{"newest snapshot stays", "libs", cleanup.Criteria{Release: cleanup.Prereleases, Retain: 1}, lib("2.0-20260101.000000-1", "2.0-20260201.000000-2")},
		{"all stay", "libs", cleanup.Criteria{Retain: 10}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			found, more, err := r.Preview(t.Context(), tt.repo, tt.criteria)
			must(t, err)
			var got []string
			for _, c := range found {
				got = append(got, c.Component.Group+":"+c.Component.Name+":"+c.Component.Version)
			}
			slices.Sort(got)
			if d := cmp.Diff(tt.want, got); d != "" || more {
				t.Error(d, more)
			}
		})
	}
}

func TestClean(t *testing.T) {
	r := newRig(t)
	must(t, r.Create(t.Context(), cleanup.Policy{Name: "old", Format: "*", Criteria: cleanup.Criteria{UpdatedDays: days(30)}}, "admin"))
	must(t, r.Create(t.Context(), cleanup.Policy{Name: "few", Format: "maven2", Criteria: cleanup.Criteria{Retain: 2}}, "admin"))
	r.repository("libs", "maven2", "old", "few", "unknown")
	for _, version := range []string{"1", "2", "3", "4"} {
		stored := 10
		if version == "4" {
			stored = 50
		}
		r.put("libs", fmt.Sprintf("/org/acme/lib/%s/lib-%s.jar", version, version), stored, -1)
	}
	var looked int64
	dry, err := r.Clean(t.Context(), "libs", cleanup.Run{DryRun: true, Looked: func(n int64) { looked += n }})
	must(t, err)
	want := cleanup.Report{Looked: 4, Selected: 3, Components: 3, Assets: 3, Bytes: 12}
	if d := cmp.Diff(want, dry); d != "" || looked != 4 || len(r.paths("libs")) != 4 {
		t.Errorf("dry run: %s, looked %d", d, looked)
	}
	if _, err := r.engine.Freeze(t.Context(), repository.Freeze{}); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Clean(t.Context(), "libs", cleanup.Run{}); !errors.Is(err, repository.ErrReadOnly) || len(r.paths("libs")) != 4 {
		t.Errorf("frozen: %v", err)
	}
	if _, err := r.engine.Release(t.Context()); err != nil {
		t.Fatal(err)
	}
	done, err := r.Clean(t.Context(), "libs", cleanup.Run{})
	must(t, err)
	if d := cmp.Diff(want, done); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]string{"/org/acme/lib/3/lib-3.jar"}, r.paths("libs")); d != "" {
		t.Error(d)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := r.Clean(ctx, "libs", cleanup.Run{}); !errors.Is(err, context.Canceled) {
		t.Errorf("stopped: %v", err)
	}
}

// TestGrownMeanwhile keeps a component whole that gets another file while it is being looked at.
func TestGrownMeanwhile(t *testing.T) {
	r := newRig(t)
	must(t, r.Create(t.Context(), cleanup.Policy{Name: "old", Format: "maven2", Criteria: cleanup.Criteria{UpdatedDays: days(30)}}, "admin"))
	r.repository("libs", "maven2", "old")
	r.put("libs", "/org/acme/lib/1/lib-1.jar", 40, -1)
	report, err := r.Clean(t.Context(), "libs", cleanup.Run{Selected: func(c *cleanup.Candidate) {
		_, err := r.engine.Restore(t.Context(), "libs", repository.Restored{
			Path: "/org/acme/lib/1/lib-1.pom", Size: 4, BlobCreated: now, Component: &c.Component.Coordinates,
		}, func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader("body")), nil })
		must(t, err)
	}})
	must(t, err)
	if d := cmp.Diff([]string{"/org/acme/lib/1/lib-1.jar", "/org/acme/lib/1/lib-1.pom"}, r.paths("libs")); d != "" || report.Components != 0 {
		t.Error(d, report)
	}
}

// TestChangedMeanwhile keeps a component whose file is replaced while it is being looked at.
func TestChangedMeanwhile(t *testing.T) {
	r := newRig(t)
	must(t, r.Create(t.Context(), cleanup.Policy{Name: "old", Format: "raw", Criteria: cleanup.Criteria{UpdatedDays: days(30)}}, "admin"))
	r.repository("files", "raw", "old")
	r.put("files", "/a.txt", 40, -1)
	r.put("files", "/b.txt", 40, -1)
	report, err := r.Clean(t.Context(), "files", cleanup.Run{Selected: func(c *cleanup.Candidate) {
		if c.Component.Name == "/a.txt" {
			r.put("files", "/a.txt", 1, -1)
		}
	}})
	must(t, err)
	if d := cmp.Diff([]string{"/a.txt"}, r.paths("files")); d != "" || report.Components != 1 || report.Selected != 2 {
		t.Error(d, report)
	}
}

func TestPolicies(t *testing.T) {
	r := newRig(t)
	ctx := t.Context()
	valid := cleanup.Policy{Name: "p", Format: "raw", Criteria: cleanup.Criteria{UpdatedDays: days(5)}}
	must(t, r.Create(ctx, valid, "admin"))
	long := strings.Repeat("x", 500)
	for field, change := range map[string]func(*cleanup.Policy){
		"name":        func(p *cleanup.Policy) { p.Name = "a b" },
		"name ":       func(p *cleanup.Policy) { p.Name = "" },
		"name  ":      func(p *cleanup.Policy) { p.Name = long },
		"notes":       func(p *cleanup.Policy) { p.Notes = &long },
		"format":      func(p *cleanup.Policy) { p.Format = "nope" },
		"format ":     func(p *cleanup.Policy) { p.Format = "" },
		"updatedDays": func(p *cleanup.Policy) { p.UpdatedDays = days(1 << 40) },
		"release":     func(p *cleanup.Policy) { p.Release = "x" },
		"retain":      func(p *cleanup.Policy) { p.Retain = -1 },
		"sortBy":      func(p *cleanup.Policy) { p.SortBy = "x" },
		"assetRegex":  func(p *cleanup.Policy) { p.AssetRegex = "(" },
	} {
		p := valid
		p.Name = "q"
		change(&p)
		var wrong formats.FieldErrors
		if err := r.Create(ctx, p, "admin"); !errors.As(err, &wrong) || wrong[0].Field != strings.TrimSpace(field) {
			t.Errorf("%s: %v", field, err)
		}
	}
	p := valid
	p.Name = "P"
	if err := r.Create(ctx, p, "admin"); !errors.Is(err, cleanup.ErrExists) {
		t.Errorf("twice: %v", err)
	}
	if err := r.Update(ctx, p, "admin"); !errors.Is(err, cleanup.ErrNotFound) {
		t.Errorf("another spelling: %v", err)
	}
	p.Name, p.Retain = "q", 1
	if err := r.Create(ctx, p, "admin"); !errors.Is(err, cleanup.ErrNotOffered) {
		t.Errorf("not offered: %v", err)
	}
	r.repository("files", "raw", "p", "other")
	var wrong formats.FieldErrors
	p = valid
	p.Format = "maven2"
	if err := r.Update(ctx, p, "admin"); !errors.As(err, &wrong) || wrong[0].Field != "format" {
		t.Errorf("format of a policy in use: %v", err)
	}
	err := r.engine.Create(ctx, repository.Definition{Name: "libs", Format: "maven2", Kind: formats.Hosted, BlobStore: "default", Write: repository.WriteAllow, Cleanup: []string{"p"}}, "admin")
	if !errors.As(err, &wrong) || wrong[0].Field != "cleanup" {
		t.Errorf("policy of another format: %v", err)
	}
	again, err := cleanup.Open(ctx, r.store)
	must(t, err)
	if d := cmp.Diff([]cleanup.Policy{valid}, again.List()); d != "" {
		t.Error(d)
	}
	must(t, r.Delete(ctx, "p", "admin"))
	if d, _ := r.engine.Lookup("files"); !slices.Equal(d.Cleanup, []string{"other"}) || len(r.List()) != 0 {
		t.Errorf("after the policy was deleted: %v", d.Cleanup)
	}
	if err := r.Delete(ctx, "p", "admin"); !errors.Is(err, cleanup.ErrNotFound) {
		t.Errorf("deleted twice: %v", err)
	}
}

// TestAssetsWithoutComponent has a policy that names everything: what belongs to no component stays, in the preview as in the run.
func TestAssetsWithoutComponent(t *testing.T) {
	r := newRig(t)
	everything := cleanup.Criteria{AssetRegex: ".*"}
	must(t, r.Create(t.Context(), cleanup.Policy{Name: "all", Format: "maven2", Criteria: everything}, "admin"))
	r.repository("libs", "maven2", "all")
	loose := []string{"/archetype-catalog.xml", "/g/other/maven-metadata.xml", "/g/other/maven-metadata.xml.sha1"}
	for _, path := range loose {
		a := repository.Restored{Path: path, Size: 4, BlobCreated: now.AddDate(-1, 0, 0)}
		_, err := r.engine.Restore(t.Context(), "libs", a, func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader("body")), nil })
		must(t, err)
	}
	r.put("libs", "/g/a/1.0/a-1.0.jar", 400, -1)
	found, more, err := r.Preview(t.Context(), "libs", everything)
	if err != nil || more || len(found) != 1 || found[0].Component.Name != "a" {
		t.Fatalf("preview: %d, %v", len(found), err)
	}
	report, err := r.Clean(t.Context(), "libs", cleanup.Run{})
	must(t, err)
	if d := cmp.Diff(cleanup.Report{Looked: 1, Selected: 1, Components: 1, Assets: 1, Bytes: 4}, report); d != "" {
		t.Error(d)
	}
	var left []string
	for a, err := range r.engine.HeldAll(t.Context(), "libs") {
		must(t, err)
		left = append(left, a.Path)
	}
	slices.Sort(left)
	if d := cmp.Diff(loose, left); d != "" {
		t.Error(d)
	}
	if report, err := r.CleanLoose(t.Context(), "libs", 1, cleanup.Run{}); err != nil || report != (cleanup.Report{}) {
		t.Errorf("a hosted repository owns what it has: %+v, %v", report, err)
	}
}
