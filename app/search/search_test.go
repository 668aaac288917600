package search

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"entrepot/storage/blob"
	"entrepot/storage/catalog"
	"entrepot/storage/kv"
	"entrepot/storage/kv/memory"
)

// fixture is a store with one Maven and one raw repository.
type fixture struct {
	catalog *catalog.Catalog
	index   *Index
	places  []Place
	stored  int
}

func newFixture(t *testing.T) *fixture {
	store := kv.New(memory.New())
	c := catalog.New(store, nil)
	t.Cleanup(func() { _ = c.Close() })
	f := &fixture{catalog: c, index: New(store, c, nil), places: []Place{
		{Repository: "m", Format: "maven2", Content: "m-1"}, {Repository: "r", Format: "raw", Content: "r-1"},
	}}
	for _, v := range []string{"1.0", "1.2", "1.10", "2.0-beta"} {
		f.maven(t, "core", v, v, "jar", "")
	}
	f.maven(t, "core", "1.0", "1.0", "jar", "sources")
	f.maven(t, "core", "1.0", "1.0", "pom", "")
	f.maven(t, "util", "1.0", "1.0", "jar", "")
	f.maven(t, "core", "1.3-20200101.010101-1", "1.3-SNAPSHOT", "jar", "")
	for _, path := range []string{"/docs/a/Guide One.txt", "/docs/a/index.html", "/docs/b/core-notes.txt"} {
		f.put(t, "r-1", &catalog.Asset{Path: path, Component: &catalog.Coordinates{Group: path[:strings.LastIndex(path, "/")], Name: path}}, nil)
	}
	return f
}

func (f *fixture) maven(t *testing.T, name, version, base, extension, classifier string) {
	t.Helper()
	format := map[string]string{"extension": extension}
	if classifier != "" {
		format["classifier"] = classifier
	}
	f.put(t, "m-1", &catalog.Asset{
		Path: "/com/se/" + name + "/" + base + "/" + name + "-" + version + classifier + "." + extension, Format: format,
		Component: &catalog.Coordinates{Group: "com.se", Name: name, Version: version},
	}, map[string]string{baseVersion: base})
}

func (f *fixture) put(t *testing.T, content string, a *catalog.Asset, attributes map[string]string) {
	t.Helper()
	f.stored++
	a.Size = 1
	a.Blob = catalog.BlobRef{Store: "default", Hash: blob.Hash{0: byte(f.stored), 1: 1}}
	a.Digests = blob.Digests{SHA1: fmt.Sprintf("%040x", f.stored), SHA256: fmt.Sprintf("%064x", f.stored)}
	if err := f.catalog.Content(content).Put(t.Context(), a, catalog.PutOptions{ComponentAttributes: attributes}); err != nil {
		t.Fatal(err)
	}
}

func (f *fixture) find(t *testing.T, q Query) []string {
	t.Helper()
	if q.Places == nil {
		q.Places = f.places
	}
	if q.Limit == 0 {
		q.Limit = 50
	}
	page, err := f.index.Search(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, h := range page.Hits {
		found = append(found, strings.TrimSuffix(h.Component.Name+" "+h.Component.Version, " "))
	}
	if q.Sort == Unsorted {
		slices.Sort(found)
	}
	return found
}

const dated = "core 1.3-20200101.010101-1"

func TestSearch(t *testing.T) {
	f := newFixture(t)
	cores := []string{"core 1.0", "core 1.10", "core 1.2", dated, "core 2.0-beta"}
	maven := append(slices.Clone(cores), "util 1.0")
	raw := []string{"/docs/a/Guide One.txt", "/docs/a/index.html", "/docs/b/core-notes.txt"}
	tests := []struct {
		name     string
		criteria []Criterion
		want     []string
	}{
		{"everything", nil, append(slices.Clone(raw), maven...)},
		{"a word", []Criterion{{Text, "core"}}, append([]string{raw[2]}, cores...)},
		{"a word in capitals", []Criterion{{Text, "CORE"}}, append([]string{raw[2]}, cores...)},
		{"part of a word", []Criterion{{Text, "cor"}}, nil},
		{"beginning of a word", []Criterion{{Text, "cor*"}}, append([]string{raw[2]}, cores...)},
		{"end of a word", []Criterion{{Text, "*til"}}, []string{"util 1.0"}},
		{"one letter of a word", []Criterion{{Text, "u?il"}}, []string{"util 1.0"}},
		{"one of two words", []Criterion{{Text, "guide util"}}, []string{raw[0], "util 1.0"}},
		{"a phrase", []Criterion{{Text, `"docs/a"`}}, raw[:2]},
		{"coordinates", []Criterion{{Text, "com.se:core:1.2"}}, []string{"core 1.2"}},
		{"a version as a word", []Criterion{{Text, "1.10"}}, []string{"core 1.10"}},
		{"blank text", []Criterion{{Text, ""}}, append(slices.Clone(raw), maven...)},
		{"name", []Criterion{{Name, "core"}}, cores},
		{"name in capitals", []Criterion{{Name, "CORE"}}, nil},
		{"no name", []Criterion{{Name, ""}}, nil},
		{"end of a name", []Criterion{{Name, "*re"}}, cores},
		{"group and name", []Criterion{{Group, "com*"}, {Name, "util"}}, []string{"util 1.0"}},
		{"group of raw", []Criterion{{Group, "/docs/a"}}, raw[:2]},
		{"Maven group", []Criterion{{MavenGroup, "com.se"}}, maven},
		{"Maven name of raw", []Criterion{{MavenName, raw[0]}}, nil},
		{"version", []Criterion{{Version, "1.0"}}, []string{"core 1.0", "util 1.0"}},
		{"versions", []Criterion{{Version, "1.1*"}}, []string{"core 1.10"}},
		{"snapshot by its version", []Criterion{{Version, "1.3-SNAPSHOT"}}, nil},
		{"snapshot by its base", []Criterion{{Base, "1.3-SNAPSHOT"}}, []string{dated}},
		{"snapshots", []Criterion{{Prerelease, "true"}}, []string{dated}},
		{"no snapshots", []Criterion{{Prerelease, "false"}, {Name, "core"}}, []string{"core 1.0", "core 1.10", "core 1.2", "core 2.0-beta"}},
		{"ending", []Criterion{{Extension, "pom"}}, []string{"core 1.0"}},
		{"classifier", []Criterion{{Classifier, "sources"}}, []string{"core 1.0"}},
		{"ending and classifier of different assets", []Criterion{{Extension, "pom"}, {Classifier, "sources"}}, []string{"core 1.0"}},
		{"no classifier", []Criterion{{Classifier, ""}, {Name, "util"}}, []string{"util 1.0"}},
		{"digest", []Criterion{{SHA1, fmt.Sprintf("%040x", 7)}}, []string{"util 1.0"}},
		{"beginning of a digest", []Criterion{{SHA1, "0000*7"}}, []string{"util 1.0"}},
		{"what is no digest", []Criterion{{SHA1, "xyz"}}, nil},
		{"unknown", []Criterion{{Nothing, "1"}}, nil},
	}
	for _, tt := range tests {
		slices.Sort(tt.want)
		if got := f.find(t, Query{Criteria: tt.criteria}); !slices.Equal(got, tt.want) {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestSearchOrders(t *testing.T) {
	f := newFixture(t)
	core := []Criterion{{Name, "core"}}
	tests := []struct {
		sort       Sort
		descending bool
		want       []string
	}{
		{ByVersion, false, []string{"core 1.0", "core 1.2", dated, "core 1.10", "core 2.0-beta"}},
		{ByVersion, true, []string{"core 2.0-beta", "core 1.10", dated, "core 1.2", "core 1.0"}},
		{ByName, true, []string{"core 2.0-beta", "core 1.10", dated, "core 1.2", "core 1.0"}},
		{ByGroup, false, []string{"core 1.0", "core 1.2", dated, "core 1.10", "core 2.0-beta"}},
		{ByRepository, false, []string{"core 1.0", "core 1.2", dated, "core 1.10", "core 2.0-beta"}},
	}
	for _, tt := range tests {
		if got := f.find(t, Query{Criteria: core, Sort: tt.sort, Descending: tt.descending}); !slices.Equal(got, tt.want) {
			t.Errorf("%v: %q, want %q", tt.sort, got, tt.want)
		}
	}
	page, err := f.index.Search(t.Context(), Query{Places: f.places, Criteria: core, Sort: ByVersion, Skip: 3, Limit: 1})
	if err != nil || page.Next == "" || len(page.Hits) != 1 || page.Hits[0].Component.Version != "1.10" {
		t.Errorf("second page: %v, %v", page, err)
	}
}

func TestSearchFollowsChanges(t *testing.T) {
	f := newFixture(t)
	name := []Criterion{{Name, "late"}}
	if got := f.find(t, Query{Criteria: name}); got != nil {
		t.Fatalf("found %q before it was stored", got)
	}
	f.maven(t, "late", "1", "1", "jar", "")
	if got := f.find(t, Query{Criteria: name}); !slices.Equal(got, []string{"late 1"}) {
		t.Fatalf("found %q", got)
	}
	if got := f.find(t, Query{Criteria: name, See: func(Place, *catalog.Component) bool { return false }}); got != nil {
		t.Errorf("found %q that may not be seen", got)
	}
	if got := f.find(t, Query{Criteria: name, Places: f.places[1:]}); got != nil {
		t.Errorf("found %q elsewhere", got)
	}
	if err := f.catalog.Content("m-1").Delete(t.Context(), "/com/se/late/1/late-1.jar"); err != nil {
		t.Fatal(err)
	}
	if got := f.find(t, Query{Criteria: name}); got != nil {
		t.Errorf("found %q after it was deleted", got)
	}
	if n := f.rows(t, "m-1", "n\x00late\x00"); n != 0 {
		t.Errorf("%d terms are left of what was deleted", n)
	}
}

func (f *fixture) rows(t *testing.T, content, prefix string) (n int) {
	t.Helper()
	for _, err := range f.index.store.Scan(t.Context(), partitionsOf(content).terms, kv.Prefix(prefix)) {
		if err != nil {
			t.Fatal(err)
		}
		n++
	}
	return n
}

func TestSweepRemovesWhatIsServedNoMore(t *testing.T) {
	f := newFixture(t)
	f.find(t, Query{})
	if err := f.index.sweep(t.Context(), []string{"r-1"}); err != nil {
		t.Fatal(err)
	}
	if n := f.rows(t, "m-1", "n\x00core\x00"); n != 0 {
		t.Errorf("%d terms are left of a repository that is gone", n)
	}
	if n := f.rows(t, "r-1", "w\x00core\x00"); n != 1 {
		t.Errorf("%d terms are left of the other repository, want 1", n)
	}
}

func TestRunEndsWithItsContext(t *testing.T) {
	f := newFixture(t)
	ctx, cancel := context.WithCancel(t.Context())
	looked := make(chan struct{}, 1)
	done := make(chan struct{})
	go func() {
		defer close(done)
		f.index.Run(ctx, func() []string {
			select {
			case looked <- struct{}{}:
			default:
			}
			return []string{"m-1", "r-1"}
		})
	}()
	<-looked
	cancel()
	<-done
}

func FuzzLike(f *testing.F) {
	f.Add("core", "c?r*")
	f.Fuzz(func(t *testing.T, text, pattern string) {
		if !strings.ContainsAny(text, "*?") && !Like(text, text) {
			t.Errorf("%q does not match itself", text)
		}
		if !Like(text, "*") {
			t.Errorf("%q does not match everything", text)
		}
		if Like(text, pattern) && !strings.HasPrefix(text, literalPrefixWhole(pattern)) {
			t.Errorf("%q matches %q without its beginning", text, pattern)
		}
		for _, word := range words(text) {
			if word == "" {
				t.Errorf("an empty word in %q", text)
			}
		}
	})
}

func literalPrefixWhole(pattern string) string {
	if i := strings.IndexAny(pattern, "*?"); i >= 0 {
		return pattern[:i]
	}
	return pattern
}

func TestSearchRefusals(t *testing.T) {
	f := newFixture(t)
	f.index.limits.examined = 3
	tests := []struct {
		name  string
		query Query
		want  error
	}{
		{"two letters inside of words", Query{Criteria: []Criterion{{Name, "*zz*"}}}, ErrTooBroad},
		{"cursor of nobody", Query{After: "x"}, ErrBadCursor},
		{"cursor without a number", Query{After: "m\x00x", Sort: ByName}, ErrBadCursor},
	}
	for _, tt := range tests {
		tt.query.Places, tt.query.Limit = f.places, 50
		if _, err := f.index.Search(t.Context(), tt.query); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
		}
	}
}
