package search

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"entrepot/storage/blob"
	"entrepot/storage/catalog"
	"entrepot/storage/kv"
	"entrepot/storage/kv/memory"
)

// TestSearchAgainstModel compares searches, page by page and in every order, with a look at every component there is. The limits are
// so low that each way of searching is taken.
func TestSearchAgainstModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := newModel(t)
		defer m.catalog.Close()
		for range 6 {
			q := m.query(t)
			got, err := m.pages(t, q)
			if err != nil {
				t.Fatalf("%+v: %v", q, err)
			}
			want := m.look(t, q)
			if q.Sort == Unsorted {
				slices.Sort(got)
				slices.Sort(want)
			}
			if !slices.Equal(got, want) {
				t.Fatalf("%+v\ngot  %q\nwant %q", q, got, want)
			}
		}
	})
}

type model struct {
	catalog *catalog.Catalog
	index   *Index
	places  []Place
}

func newModel(t *rapid.T) *model {
	store := kv.New(memory.New())
	m := &model{catalog: catalog.New(store, nil)}
	m.index = New(store, m.catalog, nil)
	m.index.limits = limits{
		examined: 1000, sorted: rapid.IntRange(0, 12).Draw(t, "sorted"), members: rapid.IntRange(0, 12).Draw(t, "members"),
		set: rapid.IntRange(0, 12).Draw(t, "set"), words: rapid.IntRange(0, 6).Draw(t, "words"),
	}
	part := rapid.SampledFrom([]string{"core", "co-re", "score", "util", "org.acme", "ab", "CoreX", "core_x", "-re.x", ".acme"})
	version := rapid.SampledFrom([]string{"1.0", "1.2", "1.10", "01.2", "2-rc1", "1.0-SNAPSHOT", "10", ""})
	stored := 0
	for i := range 3 {
		place := Place{Repository: fmt.Sprintf("r%d", i), Format: maven2, Content: fmt.Sprintf("c%d", i)}
		m.places = append(m.places, place)
		for range rapid.IntRange(0, 15).Draw(t, "components") {
			stored++
			at := catalog.Coordinates{Group: part.Draw(t, "group"), Name: part.Draw(t, "name") + part.Draw(t, "end"), Version: version.Draw(t, "version")}
			path := fmt.Sprintf("/%d", stored)
			a := &catalog.Asset{
				Path: path, Component: &at, Size: 1, Blob: catalog.BlobRef{Store: "default", Hash: blob.Hash{0: byte(stored), 1: 1}},
				Digests: blob.Digests{SHA1: fmt.Sprintf("%040x", stored), SHA256: fmt.Sprintf("%064x", stored)},
				Format:  map[string]string{extension: rapid.SampledFrom([]string{"jar", "pom", ""}).Draw(t, "extension")},
			}
			if err := m.catalog.Content(place.Content).Put(t.Context(), a, catalog.PutOptions{ComponentAttributes: map[string]string{baseVersion: at.Version}}); err != nil {
				t.Fatal(err)
			}
			if rapid.IntRange(0, 9).Draw(t, "gone") == 0 {
				if _, err := m.index.Search(t.Context(), Query{Places: m.places, Limit: 1}); err != nil {
					t.Fatal(err)
				}
				if err := m.catalog.Content(place.Content).Delete(t.Context(), path); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	return m
}

func (m *model) query(t *rapid.T) Query {
	field := rapid.SampledFrom([]Field{Text, Group, Name, Version, Base, MavenGroup, MavenName, Prerelease, Extension, Classifier})
	pattern := rapid.SampledFrom([]string{
		"core", "co*", "*ore", "*ore*", "c?re", "*", "*o*", "org.acme", "*acme*", "1.0", "1.*", "util core", `"co re"`, "org.acme:*ore*", "", "jar", "j*", "*re-*", "*-re*", "*e.a*", "*.acme*", "*acme.*", "?o-re?*", "*ore.x", "*-ab?*",
	})
	q := Query{
		Places: m.places[:rapid.IntRange(1, len(m.places)).Draw(t, "places")],
		Sort:   Sort(rapid.IntRange(int(Unsorted), int(ByRepository)).Draw(t, "sort")), Descending: rapid.Bool().Draw(t, "descending"),
	}
	for range rapid.IntRange(0, 3).Draw(t, "criteria") {
		c := Criterion{field.Draw(t, "field"), pattern.Draw(t, "pattern")}
		if c.Field == Prerelease {
			c.Value = fmt.Sprint(rapid.Bool().Draw(t, "prerelease"))
		}
		q.Criteria = append(q.Criteria, c)
	}
	return q
}

// pages reads all pages of a query.
func (m *model) pages(t *rapid.T, q Query) ([]string, error) {
	q.Limit = rapid.IntRange(1, 7).Draw(t, "limit")
	var all []string
	for {
		page, err := m.index.Search(t.Context(), q)
		if err != nil || len(page.Hits) > q.Limit {
			return all, fmt.Errorf("%d hits of %d: %w", len(page.Hits), q.Limit, err)
		}
		for _, h := range page.Hits {
			all = append(all, show(h))
		}
		if page.Next == "" {
			return all, nil
		}
		q.After = page.Next
	}
}

func show(h Hit) string {
	return fmt.Sprintf("%s %s %s %s %d", h.Place.Repository, h.Component.Group, h.Component.Name, h.Component.Version, h.Component.ID)
}

// look does the same without an index.
func (m *model) look(t *rapid.T, q Query) []string {
	type found struct {
		at   position
		text string
	}
	var all []found
	for _, p := range q.Places {
		for c, err := range m.catalog.Content(p.Content).ComponentsAfterID(t.Context(), 0) {
			if err != nil {
				t.Fatal(err)
			}
			if ok, err := m.index.matches(t.Context(), &q, Hit{p, c}); err != nil {
				t.Fatal(err)
			} else if ok {
				all = append(all, found{position{q.Sort.key(c.Coordinates), p.Repository, c.ID}, show(Hit{p, c})})
			}
		}
	}
	slices.SortFunc(all, func(a, b found) int {
		n := q.Sort.compare(a.at, b.at)
		if q.Descending {
			n = -n
		}
		return n
	})
	var texts []string
	for _, f := range all {
		texts = append(texts, f.text)
	}
	return texts
}

// TestVersionKey checks that keys compare as people count versions.
func TestVersionKey(t *testing.T) {
	ordered := []string{"", "0.9", "1", "1-rc", "1.0", "1.0-SNAPSHOT", "1.2", "1.10", "1.10.1", "2-beta", "10", "v1"}
	for i := range ordered[1:] {
		if a, b := versionKey(ordered[i]), versionKey(ordered[i+1]); strings.Compare(a, b) >= 0 {
			t.Errorf("%s (%q) is not before %s (%q)", ordered[i], a, ordered[i+1], b)
		}
	}
}
