package maven2

import (
	"strings"
	"testing"
)

func TestLocate(t *testing.T) {
	type want struct {
		kind                                            kind
		group, artifact, version, base, classifier, ext string
		checksum                                        string
		signature, hasClassifier                        bool
	}
	app := func(version, ext string) want {
		return want{kind: kindArtifact, group: "org.acme", artifact: "app", version: version, base: version, ext: ext}
	}
	lib := func(version, ext string) want {
		return want{kind: kindArtifact, group: "org.acme", artifact: "lib", version: version, base: "1.0-SNAPSHOT", ext: ext}
	}
	with := func(w want, change func(*want)) want {
		change(&w)
		return w
	}
	tests := map[string]want{
		"/org/acme/app/1.0/app-1.0.jar":        app("1.0", "jar"),
		"/org/acme/app/1.0/app-1.0.JAR":        app("1.0", "JAR"),
		"/org/acme/app/1.0/app-1.0.":           app("1.0", ""),
		"/org/acme/app/1.0/app-1.0.jar.sha1":   with(app("1.0", "jar"), func(w *want) { w.checksum = "sha1" }),
		"/org/acme/app/1.0/app-1.0.jar.sha224": app("1.0", "sha224"),
		"/org/acme/app/1.0/app-1.0.jar.asc":    with(app("1.0", "jar"), func(w *want) { w.signature = true }),
		"/org/acme/app/1.0/app-1.0.jar.asc.md5": with(app("1.0", "jar"), func(w *want) {
			w.signature, w.checksum = true, "md5"
		}),
		"/org/acme/app/1.0/app-1.0-sources.jar": with(app("1.0", "jar"), func(w *want) {
			w.classifier, w.hasClassifier = "sources", true
		}),
		"/org/acme/app/1.0/app-1.0-.jar":                                    with(app("1.0", "jar"), func(w *want) { w.hasClassifier = true }),
		"/org/acme/app/1.0/app-1.0-bin.tar.gz":                              with(app("1.0", "tar.gz"), func(w *want) { w.classifier, w.hasClassifier = "bin", true }),
		"/org/acme/app/1.0/app-1.0.tar.bz2":                                 app("1.0", "tar.bz2"),
		"/org/acme/app/1.0/app-1.0.tar.xz":                                  app("1.0", "xz"),
		"/org/acme/app/1.0/app-1.0-a.b.jar":                                 with(app("1.0", "jar"), func(w *want) { w.classifier, w.hasClassifier = "a.b", true }),
		"/org/acme/app/LATEST/app-LATEST.jar":                               app("LATEST", "jar"),
		"/a/b/1/b-1.jar":                                                    {kind: kindArtifact, group: "a", artifact: "b", version: "1", base: "1", ext: "jar"},
		"/org/acme/app/1.0-snapshot/app-1.0-snapshot.jar":                   app("1.0-snapshot", "jar"),
		"/org/acme/app/1.0-20200101.010101-1/app-1.0-20200101.010101-1.jar": app("1.0-20200101.010101-1", "jar"),

		"/org/acme/lib/1.0-SNAPSHOT/lib-1.0-SNAPSHOT.jar":          lib("1.0-SNAPSHOT", "jar"),
		"/org/acme/lib/1.0-SNAPSHOT/lib-1.0-20200102.030405-1.jar": lib("1.0-20200102.030405-1", "jar"),
		"/org/acme/lib/1.0-SNAPSHOT/lib-1.0-20200102.030405-12-sources.jar.sha512": with(lib("1.0-20200102.030405-12", "jar"),
			func(w *want) { w.classifier, w.hasClassifier, w.checksum = "sources", true, "sha512" }),
		"/org/acme/lib/1.0-SNAPSHOT/lib-1.1-20200101.010101-1.jar": lib("1.0-20200101.010101-1", "jar"),
		"/org/acme/lib/SNAPSHOT/lib-SNAPSHOT.jar": {
			kind: kindArtifact, group: "org.acme", artifact: "lib", version: "SNAPSHOT", base: "SNAPSHOT", ext: "jar",
		},
		"/org/acme/lib/SNAPSHOT/lib-20200101.010101-1.jar": {
			kind: kindArtifact, group: "org.acme", artifact: "lib", version: "20200101.010101-1", base: "SNAPSHOT", ext: "jar",
		},

		"/maven-metadata.xml":                                  {kind: kindMetadata},
		"/org/acme/app/maven-metadata.xml":                     {kind: kindMetadata},
		"/org/acme/app/maven-metadata.xml.sha256":              {kind: kindMetadata, checksum: "sha256"},
		"/org/acme/app/maven-metadata.xml.asc.sha1":            {kind: kindMetadata, checksum: "sha1", signature: true},
		"/archetype-catalog.xml":                               {kind: kindCatalog},
		"/archetype-catalog.xml.md5":                           {kind: kindCatalog, checksum: "md5"},
		"/.index/nexus-maven-repository-index.gz":              {kind: kindIndex},
		"/.index/nexus-maven-repository-index.17.gz":           {kind: kindIndex},
		"/.index/nexus-maven-repository-index.properties.sha1": {kind: kindIndex, checksum: "sha1"},
		"/":                    {kind: kindListing},
		"/org/acme/":           {kind: kindListing},
		"/org/acme/index.html": {kind: kindListing},
		"/index.htm":           {kind: kindListing},
	}
	for _, path := range []string{
		"/x.jar", "/readme.txt", "/a/b/c.jar", "/.index/x", "/.index/nexus-maven-repository-index.x.gz", "/.meta/prefixes.txt", "/.nexus/x",
		"/org/acme/app/1.2/other-1.2.jar", "/org/acme/app/1.2/app-1.3.jar", "/org/acme/app/1.2/app-1.2", "/org/acme/app/1.2/readme.txt",
		"/org/acme/app/1.2/.hidden", "/org/acme/app/x.jar", "/org/acme/app/1.2/sub/app-1.2.jar", "/org/acme/app/1.2/app_1.2.jar",
		"/org/acme/app/1.2/app-1.2-sources", "/org/acme/app/1.2/app-1.20.jar",
		"/org/acme/lib/1.0-SNAPSHOT/lib-1.0-20200101-1.jar", "/org/acme/lib/1.0-SNAPSHOT/lib-1.0.jar",
		"/org/acme/lib/1.0-SNAPSHOT/lib-1.0-20200101.010101-.jar", "/org/acme/lib/1.0-SNAPSHOT/lib-", "/robots.txt", "", "x",
	} {
		tests[path] = want{kind: kindOther}
	}
	for path, w := range tests {
		l := locate(path)
		got := want{
			kind: l.kind, group: l.coords.group, artifact: l.coords.artifact, version: l.coords.version, base: l.coords.base,
			classifier: l.coords.classifier, ext: l.coords.extension, checksum: l.checksum, signature: l.signature,
			hasClassifier: l.coords.hasClassifier,
		}
		if got != w {
			t.Errorf("locate(%q) = %+v; want %+v", path, got, w)
		}
	}
}

func TestBaseVersion(t *testing.T) {
	tests := map[string]string{
		"1.0": "1.0", "1.0-SNAPSHOT": "1.0-SNAPSHOT", "1.0-20200102.030405-1": "1.0-SNAPSHOT",
		"2.1.0-rc-20261121.153107-12": "2.1.0-rc-SNAPSHOT", "20200102.030405-1": "SNAPSHOT", "1.0-20200102.030405-": "1.0-20200102.030405-",
		"1.0.20200102.030405-1": "1.0.20200102.030405-1", "1.0-2020010.030405-1": "1.0-2020010.030405-1", "": "", "-": "-",
	}
	for version, want := range tests {
		if got := baseVersion(version); got != want {
			t.Errorf("baseVersion(%q) = %q; want %q", version, got, want)
		}
	}
}

// FuzzLocate checks that what a path is taken apart into makes the path again.
func FuzzLocate(f *testing.F) {
	for _, path := range []string{
		"/org/acme/app/1.0/app-1.0-sources.tar.gz.asc.sha1", "/g/a/1-SNAPSHOT/a-1-20200102.030405-1.jar", "/g/maven-metadata.xml", "/a/SNAPSHOT/",
	} {
		f.Add(path)
	}
	f.Fuzz(func(t *testing.T, path string) {
		l := locate(path)
		suffix := ""
		if l.signature {
			suffix = ".asc"
		}
		if l.checksum != "" {
			suffix += "." + l.checksum
		}
		if l.main+suffix != path {
			t.Fatalf("%q: %q and %q are not all of it", path, l.main, suffix)
		}
		if l.kind != kindArtifact {
			return
		}
		c := l.coords
		if c.group == "" || c.artifact == "" || c.version == "" || c.base == "" {
			t.Fatalf("%q: incomplete coordinates %+v", path, c)
		}
		tail := "." + c.extension
		if c.hasClassifier {
			tail = "-" + c.classifier + tail
		}
		if !strings.HasSuffix(l.main, tail) {
			t.Fatalf("%q: does not end with %q", path, tail)
		}
		// A build below another version's name comes back under the right name, and of .a.jar only .jar is kept.
		again := folderOf(c.group, c.artifact, c.base) + c.artifact + "-" + c.version + tail
		if len(again) > len(l.main) || c.hasClassifier && len(again) != len(l.main) {
			t.Fatalf("%q: coordinates %+v make %q", path, c, again)
		}
	})
}
