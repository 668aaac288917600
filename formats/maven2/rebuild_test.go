package maven2

import (
	"archive/zip"
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"entrepot/formats"
	"entrepot/formats/formattest"
	"entrepot/storage/catalog"

	"github.com/google/go-cmp/cmp"
)

var mixedRepository = formats.Repository{Name: "mixed", Kind: formats.Hosted, Settings: map[string]string{SettingVersionPolicy: Mixed}}

// clockFormat is the format at the moment at which the recorded server rebuilt.
func clockFormat(stamp string) *Format {
	at, err := time.Parse("20060102150405", stamp)
	if err != nil {
		panic(err)
	}
	return New(&Options{Now: func() time.Time { return at }})
}

// pomOf makes a POM.
func pomOf(packaging, name string) []byte {
	return fmt.Appendf(nil, "<project><packaging>%s</packaging><name>%s</name></project>", packaging, name)
}

func rebuild(t *testing.T, f *Format, path string, shelf *formattest.Shelf) string {
	t.Helper()
	docs, err := f.Rebuild(context.Background(), mixedRepository, path, shelf)
	if err != nil {
		t.Fatal(err)
	}
	var paths []string
	for _, doc := range docs {
		paths = append(paths, doc.Path)
	}
	slices.Sort(paths)
	if want := []string{path, path + ".md5", path + ".sha1", path + ".sha256", path + ".sha512"}; !slices.Equal(paths, want) {
		t.Errorf("documents %v; want %v", paths, want)
	}
	if docs[0].Body == nil {
		if slices.ContainsFunc(docs, func(d *formats.Document) bool { return d.Body != nil }) {
			t.Errorf("checksums of nothing: %+v", docs)
		}
		return ""
	}
	for _, doc := range docs[1:] {
		algorithm := doc.Path[strings.LastIndexByte(doc.Path, '.')+1:]
		if string(doc.Body) != digest(algorithm, docs[0].Body) || doc.ContentType != "text/plain" {
			t.Errorf("%s: %q of type %s", doc.Path, doc.Body, doc.ContentType)
		}
	}
	if docs[0].Path != path || docs[0].ContentType != "application/xml" {
		t.Errorf("document %s of type %s", docs[0].Path, docs[0].ContentType)
	}
	return string(docs[0].Body)
}

// TestRebuildVersions has the sequence of a recording and its bytes.
func TestRebuildVersions(t *testing.T) {
	f := clockFormat("20261121154333")
	shelf := formattest.NewShelf(t, f, mixedRepository)
	for _, version := range []string{"1.0", "1.10", "1.2", "2.0-alpha-1", "2.0-SNAPSHOT"} {
		shelf.Put("/org/acme/tool/"+version+"/tool-"+version+".pom", pomOf("jar", ""))
	}
	got := rebuild(t, f, "/org/acme/tool/maven-metadata.xml", shelf)
	if sum := digest("sha1", []byte(got)); sum != "1f8279c56eeb99330ae6f76ebacb2e1183c554bb" {
		t.Errorf("SHA-1 %s of\n%s", sum, got)
	}
}

func TestRebuildBuilds(t *testing.T) {
	f := clockFormat("20261121154339")
	shelf := formattest.NewShelf(t, f, mixedRepository)
	for _, file := range []string{
		"lib-1.0-20200103.040506-2.pom", "lib-1.0-20200103.040506-2-sources.jar", "lib-1.0-SNAPSHOT.jar", "lib-1.1-20200101.010101-1.jar",
		"lib-1.0-20200104.050607-3.jar",
	} {
		shelf.Put("/org/acme/lib/1.0-SNAPSHOT/"+file, nil)
		shelf.Put("/org/acme/lib/1.0-SNAPSHOT/"+file+".sha1", nil)
	}
	shelf.Put("/org/acme/lib/SNAPSHOT/lib-SNAPSHOT.jar", nil)
	got := rebuild(t, f, "/org/acme/lib/1.0-SNAPSHOT/maven-metadata.xml", shelf)
	if sum := digest("sha1", []byte(got)); sum != "e78cbe1d374418b371afa870a9ccddbb19e87fa1" {
		t.Errorf("SHA-1 %s of\n%s", sum, got)
	}
	got = rebuild(t, f, "/org/acme/lib/maven-metadata.xml", shelf)
	if sum := digest("sha1", []byte(got)); sum != "b6c7fb33b8bcde2efec16cbf3ee3f63481811078" {
		t.Errorf("SHA-1 %s of\n%s", sum, got)
	}
	if got := rebuild(t, f, "/org/acme/lib/SNAPSHOT/maven-metadata.xml", shelf); got != "" {
		t.Errorf("a file called SNAPSHOT is no build:\n%s", got)
	}
}

func TestRebuildSeveralFiles(t *testing.T) {
	f := clockFormat("20200105000000")
	shelf := formattest.NewShelf(t, f, mixedRepository)
	for _, stamp := range []string{"20200104.050607-9", "20200104.050607-10"} {
		for _, tail := range []string{".jar", ".pom", "-sources.jar", "-sources.jar.asc"} {
			shelf.Put("/g/a/1-SNAPSHOT/a-1-"+stamp+tail, nil)
		}
	}
	m, err := parseMetadata([]byte(rebuild(t, f, "/g/a/1-SNAPSHOT/maven-metadata.xml", shelf)))
	if err != nil {
		t.Fatal(err)
	}
	want := []build{
		{"", "jar", "1-20200104.050607-10", "20200104050607"},
		{"", "pom", "1-20200104.050607-10", "20200104050607"},
		{"sources", "jar", "1-20200104.050607-10", "20200104050607"},
	}
	slices.SortFunc(m.builds, func(a, b build) int {
		return strings.Compare(a.classifier+" "+a.extension, b.classifier+" "+b.extension)
	})
	if diff := cmp.Diff(want, m.builds, cmp.AllowUnexported(build{})); diff != "" || m.buildNumber != "10" {
		t.Errorf("build %s (-want +got):\n%s", m.buildNumber, diff)
	}
}

// pluginJar makes a plugin's archive with a descriptor.
func pluginJar(t *testing.T, descriptor string) []byte {
	t.Helper()
	var buffer bytes.Buffer
	archive := zip.NewWriter(&buffer)
	entry, err := archive.Create(pluginDescriptor)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := entry.Write([]byte(descriptor)); err != nil {
		t.Fatal(err)
	}
	if err := archive.Close(); err != nil {
		t.Fatal(err)
	}
	return buffer.Bytes()
}

func TestRebuildPlugins(t *testing.T) {
	f := clockFormat("20200105000000")
	shelf := formattest.NewShelf(t, f, mixedRepository)
	plugins := []struct {
		artifact, version, name string
		jar                     []byte
	}{
		{"one-maven-plugin", "1.0", "One", pluginJar(t, "<plugin><goalPrefix>uno</goalPrefix></plugin>")},
		{"one-maven-plugin", "1.10", "One newer", pluginJar(t, "<plugin><goalPrefix>eins</goalPrefix></plugin>")},
		{"one-maven-plugin", "1.9", "One older", pluginJar(t, "<plugin><goalPrefix>un</goalPrefix></plugin>")},
		{"maven-two-plugin", "1", "", []byte("no archive")},
		{"three-maven-plugin", "1", "Three", pluginJar(t, "<plugin><goalPrefix>")},
	}
	for _, p := range plugins {
		stem := "/org/acme/" + p.artifact + "/" + p.version + "/" + p.artifact + "-" + p.version
		shelf.Put(stem+".pom", pomOf("maven-plugin", p.name))
		shelf.Put(stem+".jar", p.jar)
		shelf.Put(stem+"-sources.jar", pluginJar(t, "<plugin><goalPrefix>no</goalPrefix></plugin>"))
	}
	shelf.Put("/org/acme/lib/1.0/lib-1.0.pom", pomOf("jar", "no plugin"))
	m, err := parseMetadata([]byte(rebuild(t, f, "/org/acme/maven-metadata.xml", shelf)))
	if err != nil {
		t.Fatal(err)
	}
	want := []plugin{{"One newer", "eins", "one-maven-plugin"}, {"Three", "three", "three-maven-plugin"}, {"maven-two-plugin", "two", "maven-two-plugin"}}
	if diff := cmp.Diff(want, m.plugins, cmp.AllowUnexported(plugin{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if m.group != "" || m.lastUpdated != "" || len(m.versions) > 0 {
		t.Errorf("a list of plugins tells of %s %s %v", m.group, m.lastUpdated, m.versions)
	}
}

func TestDerived(t *testing.T) {
	tests := []struct {
		kind      formats.Kind
		component catalog.Component
		want      []string
	}{
		{formats.Hosted, catalog.Component{Coordinates: catalog.Coordinates{Group: "org.acme", Name: "app", Version: "1.0"}},
			[]string{"/org/acme/app/maven-metadata.xml"}},
		{formats.Hosted, catalog.Component{Coordinates: catalog.Coordinates{Group: "org.acme", Name: "app", Version: "1.0-20200102.030405-1"}},
			[]string{"/org/acme/app/maven-metadata.xml", "/org/acme/app/1.0-SNAPSHOT/maven-metadata.xml"}},
		{formats.Hosted, catalog.Component{Coordinates: catalog.Coordinates{Group: "g", Name: "p", Version: "1"}, Kind: "maven-plugin"},
			[]string{"/g/p/maven-metadata.xml", "/g/maven-metadata.xml"}},
		{formats.Hosted, catalog.Component{
			Coordinates: catalog.Coordinates{Group: "g", Name: "p", Version: "odd"}, Attributes: map[string]string{"baseVersion": "1-SNAPSHOT"},
		}, []string{"/g/p/maven-metadata.xml", "/g/p/1-SNAPSHOT/maven-metadata.xml"}},
		{formats.Cache, catalog.Component{Coordinates: catalog.Coordinates{Group: "g", Name: "p", Version: "1"}}, nil},
	}
	for _, tt := range tests {
		if got := New(nil).Derived(formats.Repository{Kind: tt.kind}, tt.component); !slices.Equal(got, tt.want) {
			t.Errorf("%+v: %v; want %v", tt.component, got, tt.want)
		}
	}
}

func TestImpliedPrefix(t *testing.T) {
	tests := map[string]string{
		"demo-maven-plugin": "demo", "maven-demo-plugin": "demo", "maven-plugin-plugin": "plugin", "plug": "plug", "a-b-maven-plugin": "a-b",
	}
	for artifact, want := range tests {
		if got := impliedPrefix(artifact); got != want {
			t.Errorf("%s: %q; want %q", artifact, got, want)
		}
	}
}

func TestArchetypeCatalog(t *testing.T) {
	f := New(nil)
	shelf := formattest.NewShelf(t, f, mixedRepository)
	item := f.Classify(mixedRepository, "/archetype-catalog.xml")
	doc, err := f.Generate(context.Background(), mixedRepository, item, shelf)
	if err != nil || digest("sha1", doc.Body) != "24066efd66933e4cb0b0aa58ad4519aca749fedd" {
		t.Fatalf("empty catalog: %v\n%s", err, doc.Body)
	}
	sum, err := f.Generate(context.Background(), mixedRepository, f.Classify(mixedRepository, "/archetype-catalog.xml.md5"), shelf)
	if err != nil || string(sum.Body) != "ca63d2b52a27ea022095536b32e82bad" || sum.ContentType != "text/plain" {
		t.Errorf("its checksum: %v, %+v", err, sum)
	}
	shelf.Put("/g/b-archetype/1.0/b-archetype-1.0.pom", pomOf("maven-archetype", "B &lt;&amp;&gt; b"))
	shelf.Put("/g/a-archetype/1.0-SNAPSHOT/a-archetype-1.0-20200102.030405-1.pom", pomOf("maven-archetype", ""))
	shelf.Put("/g/a-archetype/1.0-SNAPSHOT/a-archetype-1.0-20200102.030405-2.pom", pomOf("maven-archetype", ""))
	shelf.Put("/g/lib/1.0/lib-1.0.pom", pomOf("jar", "no archetype"))
	doc, err = f.Generate(context.Background(), mixedRepository, item, shelf)
	if err != nil {
		t.Fatal(err)
	}
	got, err := parseCatalog(doc.Body)
	want := []archetype{{group: "g", artifact: "a-archetype", version: "1.0-SNAPSHOT"}, {group: "g", artifact: "b-archetype", version: "1.0", description: "B <&> b"}}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(archetype{})); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}

func TestMergeCatalogs(t *testing.T) {
	proxy := formats.Repository{Name: "all", Kind: formats.Proxy}
	f := New(nil)
	item := f.Classify(proxy, "/archetype-catalog.xml")
	docs := []*formats.Document{
		{Body: renderCatalog([]archetype{{group: "g", artifact: "b", version: "1", description: "mine"}})},
		{Body: []byte("<html/>")},
		{Body: renderCatalog([]archetype{{group: "g", artifact: "b", version: "1", description: "theirs"}, {group: "a", artifact: "a", version: "1"}})},
	}
	doc, err := f.Merge(context.Background(), proxy, item, docs)
	if err != nil {
		t.Fatal(err)
	}
	got, err := parseCatalog(doc.Body)
	want := []archetype{{group: "a", artifact: "a", version: "1"}, {group: "g", artifact: "b", version: "1", description: "mine"}}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(archetype{})); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	empty, err := f.Merge(context.Background(), proxy, item, []*formats.Document{{Body: renderCatalog(nil)}})
	if err != nil || empty.ETag != `"{SHA1{24066efd66933e4cb0b0aa58ad4519aca749fedd}}"` {
		t.Errorf("empty catalogs: %v, %+v", err, empty)
	}
}
