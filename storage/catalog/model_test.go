package catalog

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"entrepot/storage/blob"
	"entrepot/storage/kv"
	"entrepot/storage/kv/memory"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// model is the catalog as plain maps: content -> path -> asset, content -> component -> attributes.
type model struct {
	assets     map[string]map[string]*Asset
	attributes map[string]map[Coordinates]map[string]string
	changes    map[string][]Change
	notes      map[string]map[string]Deletion
}

func newModel() *model {
	return &model{
		assets: map[string]map[string]*Asset{}, attributes: map[string]map[Coordinates]map[string]string{},
		changes: map[string][]Change{}, notes: map[string]map[string]Deletion{},
	}
}

// note remembers that an asset of an import goes, or takes that back.
func (m *model) note(content string, went *Asset, forget bool) {
	if went == nil || went.Origin == "" {
		return
	}
	if m.notes[content] == nil {
		m.notes[content] = map[string]Deletion{}
	}
	m.notes[content][went.Path] = Deletion{went.BlobCreated, went.Updated, went.Digests.SHA1}
	if forget {
		delete(m.notes[content], went.Path)
	}
}

func (m *model) put(content string, a *Asset, attributes map[string]string) {
	if m.assets[content] == nil {
		m.assets[content] = map[string]*Asset{}
		m.attributes[content] = map[Coordinates]map[string]string{}
	}
	if a.Origin == "" {
		m.note(content, m.assets[content][a.Path], false)
	}
	m.assets[content][a.Path] = a
	if a.Component != nil {
		merged := maps.Clone(m.attributes[content][*a.Component])
		if merged == nil {
			merged = map[string]string{}
		}
		maps.Copy(merged, attributes)
		m.attributes[content][*a.Component] = merged
	}
	m.sweep(content)
}

func (m *model) remove(content, path string, forget bool) {
	m.note(content, m.assets[content][path], forget)
	delete(m.assets[content], path)
	m.sweep(content)
}

// sweep forgets components without assets.
func (m *model) sweep(content string) {
	used := map[Coordinates]bool{}
	for _, a := range m.assets[content] {
		if a.Component != nil {
			used[*a.Component] = true
		}
	}
	maps.DeleteFunc(m.attributes[content], func(c Coordinates, _ map[string]string) bool { return !used[c] })
}

func (m *model) usage(content string) Usage {
	u := Usage{Assets: int64(len(m.assets[content])), Components: int64(len(m.attributes[content]))}
	for _, a := range m.assets[content] {
		u.Bytes += a.Size
	}
	return u
}

func (m *model) storeUsage(store string) StoreUsage {
	sizes := map[blob.Hash]int64{}
	for _, assets := range m.assets {
		for _, a := range assets {
			if a.Blob.Store == store {
				sizes[a.Blob.Hash] = a.Size
			}
		}
	}
	u := StoreUsage{Blobs: int64(len(sizes))}
	for _, size := range sizes {
		u.Bytes += size
	}
	return u
}

// names gives the entries of a folder: name -> "asset path|number of assets beneath".
func (m *model) names(content, dir string) map[string]string {
	type entry struct {
		asset string
		count int
	}
	entries := map[string]*entry{}
	for _, a := range m.assets[content] {
		rest, ok := strings.CutPrefix(cmp.Or(a.Browse, a.Path), strings.TrimSuffix(dir, "/")+"/")
		if !ok || rest == "" {
			continue
		}
		name, _, deeper := strings.Cut(strings.TrimSuffix(rest, "/"), "/")
		if !deeper {
			name = rest
		}
		if entries[name] == nil {
			entries[name] = &entry{}
		}
		if deeper {
			entries[name].count++
		} else {
			entries[name].asset = a.Path
		}
	}
	named := map[string]string{}
	for name, e := range entries {
		named[name] = fmt.Sprintf("%s|%d", e.asset, e.count)
	}
	return named
}

var testTime = time.Date(2025, 3, 1, 12, 0, 0, 0, time.UTC)

// fakeClock moves only when told.
type fakeClock struct{ now time.Time }

func (c *fakeClock) Now() time.Time { return c.now }

func drawAsset(t *rapid.T) *Asset {
	segment := rapid.SampledFrom([]string{"a", "b", "a b", "ä", "a-", "x"})
	path := "/" + strings.Join(rapid.SliceOfN(segment, 1, 4).Draw(t, "segments"), "/")
	if rapid.IntRange(0, 9).Draw(t, "slash") == 0 {
		path += "/"
	}
	body := rapid.IntRange(1, 6).Draw(t, "body")
	a := testAsset(path, body)
	a.Blob.Store = rapid.SampledFrom([]string{"default", "other"}).Draw(t, "store")
	if rapid.Bool().Draw(t, "member") {
		a.Component = &Coordinates{
			Group: rapid.SampledFrom([]string{"", "g"}).Draw(t, "group"), Name: rapid.SampledFrom([]string{"n", "m"}).Draw(t, "name"), Version: "1",
		}
	}
	if rapid.IntRange(0, 4).Draw(t, "hang") == 0 {
		a.Browse = "/hung"
	}
	if rapid.IntRange(0, 3).Draw(t, "digests") == 0 {
		a.Digests.MD5 = fmt.Sprintf("%032x", body)
	}
	a.Origin = rapid.SampledFrom([]string{"", "old", "older"}).Draw(t, "origin")
	return a
}

// testAsset makes a valid asset whose blob is one of a few numbered bodies.
func testAsset(path string, body int) *Asset {
	a := &Asset{Path: path, Size: int64(body * 100), ContentType: "text/plain", Uploader: "admin", UploaderIP: "127.0.0.1"}
	a.Blob = BlobRef{Store: "default", Hash: blob.Hash{0: byte(body), 31: byte(body >> 8), 1: 1}}
	a.Digests = blob.Digests{SHA1: fmt.Sprintf("%040x", body), SHA256: fmt.Sprintf("%064x", body)}
	return a
}

func newCatalog(t testing.TB, opts *Options) *Catalog {
	store := kv.New(memory.New())
	c := New(store, opts)
	t.Cleanup(func() {
		if err := errors.Join(c.Close(), store.Close()); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return c
}

func TestModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		clock := &fakeClock{now: testTime}
		store := kv.New(memory.New())
		c := New(store, &Options{Now: clock.Now, CacheBytes: rapid.SampledFrom([]int64{-1, 32 << 10, 1 << 20}).Draw(t, "cache")})
		defer store.Close()
		defer c.Close()
		s := &machine{c: c, clock: clock, model: newModel()}
		t.Repeat(map[string]func(*rapid.T){
			"put":    s.put,
			"delete": s.remove,
			"drop":   s.drop,
			"touch":  s.touch,
			"":       s.check,
		})
	})
}

type machine struct {
	c     *Catalog
	clock *fakeClock
	model *model
}

var testContents = []string{"one", "two"}

func drawContent(t *rapid.T) string { return rapid.SampledFrom(testContents).Draw(t, "content") }

// drawPath is mostly a path that exists.
func (s *machine) drawPath(t *rapid.T, content string) string {
	paths := append(slices.Sorted(maps.Keys(s.model.assets[content])), "/a")
	return rapid.SampledFrom(paths).Draw(t, "path")
}

func (s *machine) put(t *rapid.T) {
	s.clock.now = s.clock.now.Add(time.Second)
	content := drawContent(t)
	a := drawAsset(t)
	if rapid.Bool().Draw(t, "replace") {
		a.Path = s.drawPath(t, content)
	}
	if a.Browse != "" {
		a.Browse = "/hung" + a.Path
	}
	tree := s.c.Content(content)
	old := s.model.assets[content][a.Path]
	if old != nil && old.Blob == a.Blob {
		a.Size = old.Size
	}
	opts := PutOptions{
		If:                  PutCondition(rapid.IntRange(0, 2).Draw(t, "condition")),
		ComponentAttributes: map[string]string{rapid.SampledFrom([]string{"k", "l"}).Draw(t, "key"): rapid.SampledFrom([]string{"v", "w"}).Draw(t, "value")},
	}
	stale := rapid.Bool().Draw(t, "stale")
	if present, err := tree.Asset(t.Context(), a.Path); err == nil && !stale {
		a.Version = present.Version
	}
	wantConflict := opts.If == PutIfAbsent && old != nil || opts.If == PutIfVersion && (old == nil || stale)
	err := tree.Put(t.Context(), a, opts)
	if wantConflict {
		if !errors.Is(err, ErrConflict) {
			t.Fatalf("Put = %v, want a conflict", err)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	s.model.put(content, a, opts.ComponentAttributes)
	s.model.changes[content] = append(s.model.changes[content], Change{Kind: ChangePut, Path: a.Path})
}

func (s *machine) remove(t *rapid.T) {
	content := drawContent(t)
	path := s.drawPath(t, content)
	_, there := s.model.assets[content][path]
	forget := rapid.IntRange(0, 3).Draw(t, "forget") == 0
	err := s.c.Content(content).Remove(t.Context(), path, RemoveOptions{Forget: forget})
	if !there {
		if !errors.Is(err, ErrNotFound) {
			t.Fatalf("Delete = %v, want not found", err)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	s.model.remove(content, path, forget)
	s.model.changes[content] = append(s.model.changes[content], Change{Kind: ChangeDelete, Path: path})
}

func (s *machine) drop(t *rapid.T) {
	if rapid.IntRange(0, 5).Draw(t, "rarely") != 0 {
		t.Skip()
	}
	content := drawContent(t)
	if err := s.c.Content(content).Drop(t.Context()); err != nil {
		t.Fatal(err)
	}
	delete(s.model.assets, content)
	delete(s.model.attributes, content)
	delete(s.model.changes, content)
	delete(s.model.notes, content)
}

func (s *machine) touch(t *rapid.T) {
	content := drawContent(t)
	path := s.drawPath(t, content)
	s.clock.now = s.clock.now.Add(time.Duration(rapid.IntRange(1, 24).Draw(t, "hours")) * time.Hour)
	s.c.Content(content).Touch(path, s.clock.now)
	if err := s.c.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	a := s.model.assets[content][path]
	if a != nil && (a.LastDownloaded.IsZero() || s.clock.now.Sub(a.LastDownloaded) >= 12*time.Hour) {
		touched := *a
		touched.LastDownloaded = s.clock.now
		s.model.assets[content][path] = &touched
	}
}

func (s *machine) check(t *rapid.T) {
	for p, err := range s.c.Check(t.Context()) {
		t.Fatalf("check: %v %v", p, err)
	}
	for _, content := range testContents {
		s.checkContent(t, content)
	}
	for _, store := range []string{"default", "other"} {
		got, err := s.c.StoreUsage(t.Context(), store)
		if err != nil || got != s.model.storeUsage(store) {
			t.Fatalf("StoreUsage(%s) = %+v, %v; want %+v", store, got, err, s.model.storeUsage(store))
		}
	}
	for body := range 7 {
		s.checkBody(t, body)
	}
	s.checkBlobs(t)
}

func (s *machine) checkBlobs(t *rapid.T) {
	want := map[blob.Hash]ReferencedBlob{}
	for _, assets := range s.model.assets {
		for _, a := range assets {
			if a.Blob.Store == "default" {
				want[a.Blob.Hash] = ReferencedBlob{a.Blob.Hash, a.Size, want[a.Blob.Hash].Assets + 1}
			}
		}
	}
	got, after := map[blob.Hash]ReferencedBlob{}, blob.Hash{}
	for more := true; more; { // one at a time
		more = false
		for b, err := range s.c.Blobs(t.Context(), "default", after) {
			if err != nil {
				t.Fatal(err)
			}
			got[b.Hash], after, more = b, b.Hash, true
			break
		}
	}
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Fatal(diff)
	}
}

func (s *machine) checkContent(t *rapid.T, content string) {
	tree := s.c.Content(content)
	got := map[string]*Asset{}
	for a, err := range tree.Assets(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
		got[a.Path] = a
	}
	want := s.model.assets[content]
	if diff := diffAssets(want, got); diff != "" {
		t.Fatal(diff)
	}
	for path := range want {
		one, err := tree.Asset(t.Context(), path)
		if err != nil || gocmp.Diff(got[path], one) != "" {
			t.Fatalf("Asset(%q) = %+v, %v; want %+v", path, one, err, got[path])
		}
		byID, err := tree.AssetByID(t.Context(), one.ID)
		if err != nil || byID.Path != path {
			t.Fatalf("AssetByID(%d) = %+v, %v; want %q", one.ID, byID, err, path)
		}
	}
	if usage, err := tree.Usage(t.Context()); err != nil || usage != s.model.usage(content) {
		t.Fatalf("Usage = %+v, %v; want %+v", usage, err, s.model.usage(content))
	}
	s.checkComponents(t, content)
	s.checkChanges(t, content)
	s.checkNotes(t, content)
	for _, dir := range []string{"/", "/a", "/a b/", "/hung", "/hung/a"} {
		s.checkFolder(t, content, dir)
	}
}

func diffAssets(want, got map[string]*Asset) string {
	if len(want) == 0 && len(got) == 0 {
		return ""
	}
	plain := map[string]*Asset{}
	for path, a := range got {
		c := *a
		c.Version = 0
		plain[path] = &c
	}
	return gocmp.Diff(want, plain)
}

func (s *machine) checkComponents(t *rapid.T, content string) {
	tree := s.c.Content(content)
	got := map[Coordinates]map[string]string{}
	for component, err := range tree.Components(t.Context(), ComponentQuery{}) {
		if err != nil {
			t.Fatal(err)
		}
		got[component.Coordinates] = component.Attributes
		byID, err := tree.ComponentByID(t.Context(), component.ID)
		if err != nil || gocmp.Diff(component, byID) != "" {
			t.Fatalf("ComponentByID = %+v, %v; want %+v", byID, err, component)
		}
		var paths, wantPaths []string
		for a, err := range tree.ComponentAssets(t.Context(), component.Coordinates) {
			if err != nil {
				t.Fatal(err)
			}
			paths = append(paths, a.Path)
		}
		for path, a := range s.model.assets[content] {
			if a.Component != nil && *a.Component == component.Coordinates {
				wantPaths = append(wantPaths, path)
			}
		}
		slices.Sort(wantPaths)
		if diff := gocmp.Diff(wantPaths, paths); diff != "" {
			t.Fatal(diff)
		}
	}
	if want := s.model.attributes[content]; len(want)+len(got) > 0 && gocmp.Diff(want, got) != "" {
		t.Fatal(gocmp.Diff(want, got))
	}
}

// checkNotes wants the notes of the model, and no others.
func (s *machine) checkNotes(t *rapid.T, content string) {
	tree, rows := s.c.Content(content), 0
	for _, err := range s.c.store.Scan(t.Context(), tree.parts.deletions, kv.Range{}) {
		if err != nil {
			t.Fatal(err)
		}
		rows++
	}
	if has, err := tree.HasDeletions(t.Context()); err != nil || has != (rows > 0) || rows != len(s.model.notes[content]) {
		t.Fatalf("%d notes, want %d; HasDeletions = %v, %v", rows, len(s.model.notes[content]), has, err)
	}
	for path, want := range s.model.notes[content] {
		if got, err := tree.Deletion(t.Context(), path); err != nil || gocmp.Diff(&want, got) != "" {
			t.Fatalf("Deletion(%q) = %+v, %v; want %+v", path, got, err, want)
		}
	}
}

func (s *machine) checkChanges(t *rapid.T, content string) {
	var got []Change
	last := ""
	for change, err := range s.c.Content(content).Changes(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
		if change.Sequence <= last {
			t.Fatalf("sequence %s after %s", change.Sequence, last)
		}
		last = change.Sequence
		got = append(got, Change{Kind: change.Kind, Path: change.Path})
	}
	if diff := gocmp.Diff(s.model.changes[content], got); diff != "" {
		t.Fatal(diff)
	}
}

func (s *machine) checkFolder(t *rapid.T, content, dir string) {
	got, after := map[string]string{}, ""
	for more := true; more; { // in pages of two
		more = false
		for n, err := range s.c.Content(content).Browse(t.Context(), dir, after, 2) {
			if errors.Is(err, ErrNotFound) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			asset := ""
			if n.Asset != nil {
				asset = n.Asset.Path
			}
			if n.Folder != (n.Count > 0) || got[n.Name] != "" || n.Path != strings.TrimSuffix(dir, "/")+"/"+n.Name {
				t.Fatalf("odd node %+v", n)
			}
			got[n.Name] = fmt.Sprintf("%s|%d", asset, n.Count)
			after, more = n.Name, true
		}
	}
	if diff := gocmp.Diff(s.model.names(content, dir), got); diff != "" {
		t.Fatalf("folder %s: %s", dir, diff)
	}
	var under, wantUnder []string
	for a, err := range s.c.Content(content).AssetsUnder(t.Context(), dir) {
		if err != nil {
			t.Fatal(err)
		}
		under = append(under, a.Path)
	}
	for path := range s.model.assets[content] {
		if rest, ok := strings.CutPrefix(path, strings.TrimSuffix(dir, "/")+"/"); ok && rest != "" {
			wantUnder = append(wantUnder, path)
		}
	}
	slices.Sort(under)
	slices.Sort(wantUnder)
	if diff := gocmp.Diff(wantUnder, under); diff != "" {
		t.Fatal(diff)
	}
}

func (s *machine) checkBody(t *rapid.T, body int) {
	var want, got []string
	referenced := map[BlobRef]bool{}
	for content, assets := range s.model.assets {
		for path, a := range assets {
			if a.Digests.SHA1 == fmt.Sprintf("%040x", body) {
				want = append(want, content+path)
				referenced[a.Blob] = true
			}
		}
	}
	for m, err := range s.c.ByChecksum(t.Context(), "sha1", fmt.Sprintf("%040x", body)) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, m.Content+m.Asset.Path)
	}
	slices.Sort(want)
	slices.Sort(got)
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Fatal(diff)
	}
	for _, store := range []string{"default", "other"} {
		ref := testAsset("/x", body).Blob
		ref.Store = store
		if is, err := s.c.Referenced(t.Context(), ref); err != nil || is != referenced[ref] {
			t.Fatalf("Referenced(%v) = %v, %v; want %v", ref, is, err, referenced[ref])
		}
	}
}
