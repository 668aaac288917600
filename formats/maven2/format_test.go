package maven2

import (
	"bytes"
	"context"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"entrepot/formats"
	"entrepot/formats/formattest"
	"entrepot/storage/blob"
	"entrepot/storage/catalog"

	"github.com/google/go-cmp/cmp"
)

const examplePOM = `<project><modelVersion>4.0.0</modelVersion><groupId>g</groupId><artifactId>a</artifactId><version>1</version></project>`

func TestFormat(t *testing.T) {
	documents := map[string][][]byte{
		catalogPath: {
			renderCatalog([]archetype{{group: "g", artifact: "from-a", version: "1", description: "A"}}),
			renderCatalog([]archetype{{group: "g", artifact: "from-a", version: "1"}, {group: "g", artifact: "from-b", version: "2"}}),
			renderCatalog(nil),
		},
	}
	files, err := filepath.Glob("testdata/merge/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		g := readGolden(t, file)
		for _, doc := range g.docs {
			if m, err := parseMetadata(doc.Body); err == nil && m.at(strings.TrimSuffix(g.path, "/"+metadataName)) {
				documents[g.path] = append(documents[g.path], doc.Body)
			}
		}
	}
	app := &catalog.Coordinates{Group: "org.acme", Name: "app", Version: "1.0"}
	formattest.Run(t, formattest.Spec{
		Format: New(nil),
		Settings: []map[string]string{
			{SettingVersionPolicy: Snapshot}, {SettingVersionPolicy: Mixed, SettingLayoutPolicy: Permissive}, {SettingContentDisposition: Attachment},
		},
		Documents: documents,
		Cases: []formattest.Case{
			{Path: "/org/acme/app/1.0/app-1.0.jar", Route: formats.RouteAsset, Class: "artifact", Component: app},
			{Path: "/org/acme/app/1.0/app-1.0.jar.sha1", Route: formats.RouteAsset, Class: "checksum", Component: app},
			{Path: "/org/acme/app/1.0/app-1.0.jar.asc", Route: formats.RouteAsset, Class: "signature", Component: app},
			{Path: "/org/acme/app/1.0/app-1.0.jar.asc.sha1", Route: formats.RouteAsset, Class: "checksum", Component: app},
			{
				Path: "/org/acme/lib/1.0-SNAPSHOT/lib-1.0-20200102.030405-1.pom", Route: formats.RouteAsset, Class: "artifact",
				Component: &catalog.Coordinates{Group: "org.acme", Name: "lib", Version: "1.0-20200102.030405-1"},
			},
			{Path: "/org/acme/app/maven-metadata.xml", Route: formats.RouteDocument, Class: "metadata"},
			{Path: "/archetype-catalog.xml.md5", Route: formats.RouteDocument, Class: "catalog"},
			{Path: "/.index/nexus-maven-repository-index.gz", Route: formats.RouteDocument, Class: "index"},
			{Path: "/some/readme.txt", Route: formats.RouteAsset, Class: "other"},
			{Path: "/org/acme/", Route: formats.RouteListing, Class: "listing"},
			{Kind: formats.Proxy, Path: "/index.html", Route: formats.RouteListing, Class: "listing"},
		},
	})
}

// TestAttributes compares with what a real server showed and kept of the same paths.
func TestAttributes(t *testing.T) {
	tests := []struct {
		path, kind string
		want       map[string]string
	}{
		{"/org/acme/app/1.0/app-1.0.jar", "ARTIFACT", map[string]string{
			"extension": "jar", "groupId": "org.acme", "artifactId": "app", "version": "1.0", "baseVersion": "1.0",
		}},
		{"/org/acme/app/1.1/app-1.1-bin.tar.gz", "ARTIFACT", map[string]string{
			"extension": "tar.gz", "groupId": "org.acme", "classifier": "bin", "artifactId": "app", "version": "1.1", "baseVersion": "1.1",
		}},
		{"/org/acme/app/1.0/app-1.0.jar.asc.md5", "ARTIFACT_SUBORDINATE", map[string]string{
			"extension": "jar.asc.md5", "groupId": "org.acme", "artifactId": "app", "version": "1.0", "baseVersion": "1.0",
		}},
		{"/org/acme/app/1.0/app-1.0.jar.sha224", "ARTIFACT", map[string]string{
			"extension": "sha224", "groupId": "org.acme", "artifactId": "app", "version": "1.0", "baseVersion": "1.0",
		}},
		{"/org/acme/app/1.2/app-1.2-.jar", "ARTIFACT", map[string]string{
			"extension": "jar", "groupId": "org.acme", "classifier": "", "artifactId": "app", "version": "1.2", "baseVersion": "1.2",
		}},
		{"/org/acme/app/1.2/app-1.2.", "ARTIFACT", map[string]string{
			"extension": "", "groupId": "org.acme", "artifactId": "app", "version": "1.2", "baseVersion": "1.2",
		}},
		{"/org/acme/lib/1.0-SNAPSHOT/lib-1.0-20200102.030405-1-sources.jar.sha1", "ARTIFACT_SUBORDINATE", map[string]string{
			"extension": "jar.sha1", "groupId": "org.acme", "classifier": "sources", "artifactId": "lib",
			"version": "1.0-20200102.030405-1", "baseVersion": "1.0-SNAPSHOT",
		}},
		{"/org/acme/app/maven-metadata.xml", "REPOSITORY_METADATA", nil},
		{"/org/acme/app/maven-metadata.xml.sha1", "REPOSITORY_METADATA", nil},
		{"/.index/nexus-maven-repository-index.properties", "REPOSITORY_INDEX", nil},
		{"/readme.txt", "OTHER", nil},
	}
	hosted := formats.Repository{Name: "r", Kind: formats.Hosted}
	for _, tt := range tests {
		item := New(nil).Classify(hosted, tt.path)
		if item.AssetKind != tt.kind || !maps.Equal(item.Attributes, tt.want) {
			t.Errorf("%s: %s %v; want %s %v", tt.path, item.AssetKind, item.Attributes, tt.kind, tt.want)
		}
		if (item.Component != nil) != (tt.want != nil) {
			t.Errorf("%s: component %+v", tt.path, item.Component)
		}
	}
}

func TestClassifyFlags(t *testing.T) {
	type flags struct {
		contentType                                            string
		declared, mutable, metadata, disposition, whole, local bool
		methods                                                []string
		source                                                 string
	}
	tests := []struct {
		kind formats.Kind
		path string
		want flags
	}{
		{formats.Hosted, "/g/a/1/a-1.jar", flags{disposition: true}},
		{formats.Hosted, "/g/a/1/a-1.pom", flags{contentType: "application/xml", disposition: true}},
		{formats.Hosted, "/g/a/1/a-1.pom.sha1", flags{declared: true, mutable: true, disposition: true}},
		{formats.Hosted, "/g/a/1/a-1.jar.asc", flags{contentType: "application/pgp-signature", mutable: true, disposition: true}},
		{formats.Hosted, "/g/a/1/a-1.jar.asc.md5", flags{declared: true, mutable: true, disposition: true}},
		{formats.Hosted, "/g/a/maven-metadata.xml", flags{contentType: "application/xml", mutable: true, metadata: true, whole: true}},
		{formats.Hosted, "/g/a/maven-metadata.xml.sha1", flags{declared: true, mutable: true, metadata: true, whole: true}},
		{formats.Proxy, "/g/a/maven-metadata.xml", flags{
			contentType: "application/xml", mutable: true, metadata: true, whole: true, source: "/g/a/maven-metadata.xml",
		}},
		{formats.Proxy, "/g/a/maven-metadata.xml.sha1", flags{
			declared: true, mutable: true, metadata: true, whole: true, source: "/g/a/maven-metadata.xml",
		}},
		{formats.Hosted, "/archetype-catalog.xml", flags{
			contentType: "application/xml", mutable: true, metadata: true, methods: []string{"GET", "HEAD"},
		}},
		{formats.Cache, "/archetype-catalog.xml", flags{contentType: "application/xml", mutable: true, metadata: true}},
		{formats.Proxy, "/archetype-catalog.xml.md5", flags{declared: true, mutable: true, metadata: true, source: "/archetype-catalog.xml"}},
		{formats.Hosted, "/.index/nexus-maven-repository-index.gz", flags{mutable: true, metadata: true}},
		{formats.Proxy, "/.index/nexus-maven-repository-index.gz", flags{mutable: true, metadata: true, local: true}},
		{formats.Cache, "/.meta/prefixes.txt", flags{local: true}},
		{formats.Hosted, "/.meta/prefixes.txt", flags{disposition: true}},
		{formats.Proxy, "/.meta/x", flags{disposition: true}},
		{formats.Cache, "/a/", flags{disposition: true, local: true}},
	}
	for _, tt := range tests {
		item := New(nil).Classify(formats.Repository{Name: "r", Kind: tt.kind}, tt.path)
		got := flags{
			contentType: item.ContentType, declared: item.Declared, mutable: item.Mutable, metadata: item.Metadata,
			disposition: item.Disposition, whole: item.Whole, local: item.Local, methods: item.Methods, source: item.Source,
		}
		if diff := cmp.Diff(tt.want, got, cmp.AllowUnexported(flags{})); diff != "" {
			t.Errorf("%s in %s (-want +got):\n%s", tt.path, tt.kind, diff)
		}
		if item.Title != strings.TrimPrefix(tt.path, "/") || !item.MD5 || !item.SHA512 {
			t.Errorf("%s: title %q, MD5 %v, SHA-512 %v", tt.path, item.Title, item.MD5, item.SHA512)
		}
	}
}

func TestAdmit(t *testing.T) {
	const layout = " Invalid mavenPath for a Maven 2 repository"
	policy := func(policy, rest string) string {
		return "Repository version policy: " + policy + " does not allow " + rest
	}
	tests := []struct {
		kind           formats.Kind
		policy, layout string
		path           string
		write, read    string // message; "-" for admitted, "" for a refusal without one
	}{
		{formats.Hosted, Release, Strict, "/org/acme/app/1.0/app-1.0.jar", "-", "-"},
		{formats.Hosted, Release, Strict, "/org/acme/app/1.2-SNAPSHOT/app-1.2-SNAPSHOT.jar",
			policy(Release, "version: 1.2-SNAPSHOT"), policy(Release, "version: 1.2-SNAPSHOT")},
		{formats.Hosted, Release, Permissive, "/org/acme/app/1.2-SNAPSHOT/app-1.2-SNAPSHOT.jar",
			policy(Release, "version: 1.2-SNAPSHOT"), policy(Release, "version: 1.2-SNAPSHOT")},
		{formats.Hosted, Release, Strict, "/org/acme/app/1.2-SNAPSHOT/app-1.2-20200101.000000-1.jar",
			policy(Release, "version: 1.2-20200101.000000-1"), policy(Release, "version: 1.2-20200101.000000-1")},
		{formats.Hosted, Release, Strict, "/org/acme/app/1.2-SNAPSHOT/maven-metadata.xml",
			policy(Release, "metadata in path: org/acme/app/1.2-SNAPSHOT/maven-metadata.xml"),
			policy(Release, "metadata in path: org/acme/app/1.2-SNAPSHOT/maven-metadata.xml")},
		{formats.Hosted, Release, Strict, "/org/acme/app/LATEST/app-LATEST.jar", "-", "-"},
		{formats.Hosted, Release, Strict, "/org/acme/app/1.2/other-1.2.jar", layout, "-"},
		{formats.Hosted, Release, Strict, "/readme.txt", layout, "-"},
		{formats.Hosted, Release, Permissive, "/readme.txt", "-", "-"},
		{formats.Hosted, Release, Strict, "/org/acme/app/1.2/", layout, "-"},
		{formats.Hosted, Release, Strict, "/.index/nexus-maven-repository-index.gz", layout, "-"},
		{formats.Hosted, Release, Strict, "/.meta/prefixes.txt", layout, "-"},
		{formats.Hosted, Release, Strict, "/maven-metadata.xml", "-", "-"},
		{formats.Hosted, Snapshot, Strict, "/org/acme/lib/1.0/lib-1.0.jar", policy(Snapshot, "version: 1.0"), policy(Snapshot, "version: 1.0")},
		{formats.Hosted, Snapshot, Strict, "/org/acme/lib/1.0-snapshot/lib-1.0-snapshot.jar",
			policy(Snapshot, "version: 1.0-snapshot"), policy(Snapshot, "version: 1.0-snapshot")},
		{formats.Hosted, Snapshot, Strict, "/org/acme/lib/1.0-20200101.010101-1/lib-1.0-20200101.010101-1.jar",
			policy(Snapshot, "version: 1.0-20200101.010101-1"), policy(Snapshot, "version: 1.0-20200101.010101-1")},
		{formats.Hosted, Snapshot, Strict, "/org/acme/lib/1.0-SNAPSHOT/lib-1.1-20200101.010101-1.jar", "-", "-"},
		{formats.Hosted, Snapshot, Strict, "/org/acme/lib/SNAPSHOT/lib-SNAPSHOT.jar", "-", "-"},
		{formats.Hosted, Snapshot, Strict, "/org/acme/lib/1.0/maven-metadata.xml", "-", "-"},
		{formats.Hosted, Mixed, Strict, "/org/acme/lib/1.0-SNAPSHOT/maven-metadata.xml", "-", "-"},
		{formats.Hosted, "", "", "/org/acme/app/1.2-SNAPSHOT/app-1.2-SNAPSHOT.jar",
			policy(Release, "version: 1.2-SNAPSHOT"), policy(Release, "version: 1.2-SNAPSHOT")},

		{formats.Cache, Release, Strict, "/readme.txt", layout, ""},
		{formats.Cache, Release, Strict, "/.index/nexus-maven-repository-index.gz", "-", "-"},
		{formats.Cache, Release, Strict, "/org/x/1/x-1.jar.sha3", "-", "-"},
		{formats.Cache, Release, Strict, "/a/", layout, "-"},
		{formats.Cache, Release, Permissive, "/readme.txt", "-", "-"},
		{formats.Cache, Release, Permissive, "/org/up/core/1.2-SNAPSHOT/maven-metadata.xml",
			policy(Release, "metadata in path: org/up/core/1.2-SNAPSHOT/maven-metadata.xml"),
			policy(Release, "metadata in path: org/up/core/1.2-SNAPSHOT/maven-metadata.xml")},
		{formats.Proxy, Release, Strict, "/readme.txt", "-", "-"},
		{formats.Proxy, Release, Strict, "/a/b/1-SNAPSHOT/b-1-SNAPSHOT.jar", "-", "-"},
	}
	for _, tt := range tests {
		r := formats.Repository{Name: "r", Kind: tt.kind, Settings: map[string]string{
			SettingVersionPolicy: tt.policy, SettingLayoutPolicy: tt.layout,
		}}
		f := New(nil)
		for _, write := range []bool{true, false} {
			want, kind := tt.read, formats.NotFound
			if write {
				want, kind = tt.write, formats.Denied
			}
			err := f.Admit(r, f.Classify(r, tt.path), write)
			switch {
			case want == "-" && err != nil:
				t.Errorf("%s in %s %s %s, write %v: %v", tt.path, tt.policy, tt.layout, tt.kind, write, err)
			case want != "-" && (err == nil || err.Error() != want || formats.KindOf(err) != kind):
				t.Errorf("%s in %s %s %s, write %v: %v; want %q", tt.path, tt.policy, tt.layout, tt.kind, write, err, want)
			}
		}
	}
}

func TestVerify(t *testing.T) {
	const sha1 = "da39a3ee5e6b4b0d3255bfef95601890afd80709"
	tests := []struct {
		kind       formats.Kind
		strict     bool
		path, body string
		want       string
	}{
		{formats.Hosted, true, "/c/x/1/x-1.jar", "no jar", "Detected content type [text/plain], but expected [application/java-archive]: /c/x/1/x-1.jar"},
		{formats.Hosted, false, "/c/x/1/x-1.jar", "no jar", ""},
		{formats.Hosted, true, "/c/x/1/x-1.jar", "PK\x03\x04", ""},
		{formats.Hosted, true, "/c/x/1/x-1.pom", "no xml", ""},
		{formats.Cache, true, "/c/x/1/x-1.pom", "<html>login</html>",
			"Detected content type [text/html], but expected [application/xml, text/xml, application/x-xml]: /c/x/1/x-1.pom.xml"},
		{formats.Hosted, true, "/c/x/1/x-1.zip", "no zip",
			"Detected content type [text/plain], but expected [application/zip, application/x-zip-compressed]: /c/x/1/x-1.zip"},
		{formats.Hosted, true, "/c/x/1/x-1.aar", "PK\x03\x04", ""},
		{formats.Hosted, true, "/c/x/1/x-1.unknown", "\x00\x01", "Content type could not be determined: /c/x/1/x-1.unknown"},
		{formats.Hosted, true, "/c/x/1/x-1.jar.asc", "sig", ""},
		{formats.Hosted, true, "/c/x/1/x-1.jar.sha1", "nope", "Not a Maven2 digest: /c/x/1/x-1.jar.sha1"},
		{formats.Hosted, true, "/c/x/1/x-1.jar.sha1", "", "Not a Maven2 digest: /c/x/1/x-1.jar.sha1"},
		{formats.Hosted, true, "/c/x/1/x-1.jar.sha1", sha1[1:], "Not a Maven2 digest: /c/x/1/x-1.jar.sha1"},
		{formats.Hosted, true, "/c/x/1/x-1.jar.sha1", strings.Repeat(" ", 5000) + sha1, "Not a Maven2 digest: /c/x/1/x-1.jar.sha1"},
		{formats.Hosted, true, "/c/x/1/x-1.jar.sha1", sha1, ""},
		{formats.Hosted, true, "/c/x/1/x-1.jar.sha1", strings.ToUpper(sha1) + "  x-1.jar\n", ""},
		{formats.Hosted, true, "/c/x/1/x-1.jar.sha1", "SHA1(x-1.jar)= " + sha1, ""},
		{formats.Hosted, true, "/c/x/1/x-1.jar.asc.md5", sha1, "Not a Maven2 digest: /c/x/1/x-1.jar.asc.md5"},
		{formats.Hosted, false, "/c/x/1/x-1.jar.sha1", "nope", ""},
		{formats.Cache, true, "/org/up/core/maven-metadata.xml", "<html>login</html>",
			"Detected content type [text/html], but expected [application/xml]: /org/up/core/maven-metadata.xml"},

		{formats.Hosted, false, "/org/acme/app/maven-metadata.xml", "not xml",
			"Metadata at path org/acme/app/maven-metadata.xml is not a valid maven-metadata.xml"},
		{formats.Hosted, false, "/org/acme/app/maven-metadata.xml", strings.Repeat(" ", maxMetadata+1),
			"Metadata at path org/acme/app/maven-metadata.xml is not a valid maven-metadata.xml"},
		{formats.Cache, false, "/org/acme/app/maven-metadata.xml", "not xml", ""},
		{formats.Hosted, false, "/org/acme/app/maven-metadata.xml.sha1", "not xml", ""},
		{formats.Hosted, false, "/org/acme/app/maven-metadata.xml", "<metadata><groupId>other</groupId><artifactId>thing</artifactId></metadata>",
			"Invalid maven-metadata.xml GAV other, thing, null does not match request path org/acme/app/maven-metadata.xml"},
		{formats.Hosted, false, "/org/acme/lib/1.0/maven-metadata.xml", "<metadata><groupId>org.acme</groupId><artifactId>lib</artifactId></metadata>",
			"Invalid maven-metadata.xml GAV org.acme, lib, null does not match request path org/acme/lib/1.0/maven-metadata.xml"},
		{formats.Hosted, false, "/maven-metadata.xml", "<metadata/>", ""},
	}
	f := New(nil)
	for _, tt := range tests {
		r := formats.Repository{Name: "r", Kind: tt.kind, Strict: tt.strict}
		err := f.Verify(context.Background(), r, f.Classify(r, tt.path), strings.NewReader(tt.body), blob.Info{Size: int64(len(tt.body))})
		if tt.want == "" {
			if err != nil {
				t.Errorf("%s: %v", tt.path, err)
			}
			continue
		}
		if refusal, ok := err.(*formats.Error); !ok || refusal.Message != tt.want || refusal.Kind != formats.InvalidContent {
			t.Errorf("%s: %v; want %q", tt.path, err, tt.want)
		}
	}
	short := bytes.NewReader([]byte("short"))
	r := formats.Repository{Kind: formats.Hosted, Strict: true}
	for _, path := range []string{"/g/a/1/a-1.jar", "/g/a/1/a-1.jar.sha1", "/g/a/maven-metadata.xml"} {
		err := f.Verify(context.Background(), r, f.Classify(r, path), short, blob.Info{Size: 100})
		if err == nil || formats.KindOf(err) != formats.Internal {
			t.Errorf("%s: a body that cannot be read: %v", path, err)
		}
	}
}

func TestPromise(t *testing.T) {
	tests := map[string]string{
		"/g/a/1/a-1.jar": "/g/a/1/a-1.jar.sha1", "/g/a/1/a-1.jar.sha1": "", "/g/a/1/a-1.jar.asc": "", "/g/a/1/a-1.jar.sha224": "", "/g/a/maven-metadata.xml": "", "/x": "",
	}
	f := New(nil)
	r := formats.Repository{Kind: formats.Cache}
	for path, want := range tests {
		if got, _ := f.Promise(r, f.Classify(r, path)); got != want {
			t.Errorf("%s: %q; want %q", path, got, want)
		}
	}
}

func TestConfigure(t *testing.T) {
	got, err := New(nil).Configure(formats.Hosted, nil)
	want := map[string]string{SettingVersionPolicy: Release, SettingLayoutPolicy: Strict}
	if err != nil || !maps.Equal(got, want) {
		t.Errorf("defaults %v, %v; want %v", got, err, want)
	}
	_, err = New(nil).Configure(formats.Hosted, map[string]string{SettingVersionPolicy: "release", SettingLayoutPolicy: "x"})
	refusals, ok := err.(formats.FieldErrors)
	fields := slices.Collect(func(yield func(string) bool) {
		for _, r := range refusals {
			yield(r.Field)
		}
	})
	if !ok || !slices.Equal(fields, []string{SettingVersionPolicy, SettingLayoutPolicy}) {
		t.Errorf("bad settings: %v", err)
	}
}

func TestSortVersions(t *testing.T) {
	tests := [][]string{
		{"1.0", "1.5", "1.9", "1.10", "2.0", "2.1-SNAPSHOT", "3.0"},
		{"SNAPSHOT", "1.0-SNAPSHOT"},
		{"1.0", "1.2", "1.10", "2.0-alpha-1", "2.0-SNAPSHOT"},
		{"1.0-alpha-1", "1.0-beta-2", "1.0-beta-10", "1.0-M1", "1.0-rc1", "1.0-SNAPSHOT", "1.0", "1.0-sp1", "1.0.1"},
		{"r08", "r09", "1.2", "20040616"},
		{"1.0-SNAPSHOT", "1.0", "1.0-android", "1.0-jre"},
		{"1", "1.0", "1.0.0"}, // the same to Maven
	}
	for _, want := range tests {
		shuffled := slices.Clone(want)
		slices.Reverse(shuffled)
		shuffled = append(shuffled, want[0], want[len(want)-1])
		if got := sortVersions(shuffled); !slices.Equal(got, want) {
			t.Errorf("sortVersions = %v; want %v", got, want)
		}
	}
	long := strings.Repeat("1.", 1000)
	if got := sortVersions([]string{"1", long}); !slices.Equal(got, []string{long, "1"}) {
		t.Errorf("what is too long to be a version does not come first: %.20q", got)
	}
	if got := lastRelease([]string{"1.0", "2.0", "3.0-SNAPSHOT"}); got != "2.0" {
		t.Errorf("last release %q; want 2.0", got)
	}
}

func BenchmarkClassify(b *testing.B) {
	f, r := New(nil), formats.Repository{Name: "r", Kind: formats.Hosted}
	b.ReportAllocs()
	for b.Loop() {
		f.Classify(r, "/org/acme/application/1.0.17/application-1.0.17-sources.jar")
	}
}
