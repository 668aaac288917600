package maven2

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"entrepot/formats"

	"github.com/rogpeppe/go-internal/txtar"
)

// golden is a file of testdata/merge: members' documents, and what a real server merged of them, at least its SHA-1.
type golden struct {
	path, sha1 string
	docs       []*formats.Document
	want       []byte // nil when only the SHA-1 is known
}

func readGolden(t *testing.T, file string) golden {
	t.Helper()
	archive, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var g golden
	for line := range strings.Lines(string(archive.Comment)) {
		if path, ok := strings.CutPrefix(line, "path: "); ok {
			g.path = strings.TrimSpace(path)
		}
		if sum, ok := strings.CutPrefix(line, "sha1: "); ok {
			g.sha1 = strings.TrimSpace(sum)
		}
	}
	for _, f := range archive.Files {
		if f.Name == "want.xml" {
			g.want = f.Data
		} else {
			g.docs = append(g.docs, &formats.Document{Body: f.Data, Member: f.Name})
		}
	}
	return g
}

// TestMerge compares bytes, because clients compare checksums of them.
func TestMerge(t *testing.T) {
	files, err := filepath.Glob("testdata/merge/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no test data: %v", err)
	}
	proxy := formats.Repository{Name: "all", Kind: formats.Proxy}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			g := readGolden(t, file)
			f := New(nil)
			it := f.Classify(proxy, g.path)
			if !f.Merges(proxy, it) {
				t.Fatalf("%s is not merged", g.path)
			}
			doc, err := f.Merge(context.Background(), proxy, it, g.docs)
			if err != nil {
				t.Fatal(err)
			}
			if g.want != nil && !bytes.Equal(doc.Body, g.want) {
				t.Errorf("merged:\n%s\nwant:\n%s", doc.Body, g.want)
			}
			if sum := digest("sha1", doc.Body); sum != g.sha1 {
				t.Errorf("SHA-1 %s; want %s of\n%s", sum, g.sha1, doc.Body)
			}
			if doc.ETag != `"{SHA1{`+g.sha1+`}}"` || doc.ContentType != "application/xml" {
				t.Errorf("ETag %s, type %s", doc.ETag, doc.ContentType)
			}
			sum, err := f.Merge(context.Background(), proxy, f.Classify(proxy, g.path+".sha1"), g.docs)
			if err != nil || string(sum.Body) != g.sha1 || sum.ContentType != "text/plain" || sum.ETag != "" {
				t.Errorf("checksum file: %+v, %v", sum, err)
			}
			again, err := f.Merge(context.Background(), proxy, it, []*formats.Document{doc, doc})
			if err != nil || !bytes.Equal(again.Body, doc.Body) {
				t.Errorf("merging what was merged changes it: %v\n%s", err, again.Body)
			}
		})
	}
}

func TestMergeNothing(t *testing.T) {
	proxy := formats.Repository{Name: "all", Kind: formats.Proxy}
	f := New(nil)
	for _, path := range []string{"/g/a/maven-metadata.xml", "/archetype-catalog.xml", "/g/a/maven-metadata.xml.sha1"} {
		docs := []*formats.Document{{Body: []byte("<html>login</html>")}, {Body: nil}, {Body: []byte("\x1f\x8b")}}
		if doc, err := f.Merge(context.Background(), proxy, f.Classify(proxy, path), docs); formats.KindOf(err) != formats.NotFound {
			t.Errorf("%s: %v, %v; want NotFound", path, doc, err)
		}
	}
	hosted := formats.Repository{Name: "h", Kind: formats.Hosted}
	if f.Merges(hosted, f.Classify(hosted, "/g/a/maven-metadata.xml")) {
		t.Error("a hosted repository merges")
	}
	if f.Merges(proxy, f.Classify(proxy, "/g/a/1/a-1.jar")) || f.Merges(proxy, f.Classify(proxy, "/g/maven-metadata.xml.asc")) {
		t.Error("files are merged")
	}
}

func TestParseMetadataRefuses(t *testing.T) {
	tests := map[string]string{
		"empty":            "",
		"text":             "not xml",
		"other document":   "<html>login</html>",
		"cut":              "<metadata><groupId>g</groupId>",
		"crossed tags":     "<metadata><a></metadata></a>",
		"two roots":        "<metadata/><metadata/>",
		"text behind":      "<metadata/>tail",
		"text before":      "head<metadata/>",
		"too deep":         strings.Repeat("<metadata>", 100) + strings.Repeat("</metadata>", 100),
		"entity":           `<!DOCTYPE m [<!ENTITY e SYSTEM "file:///etc/passwd">]><metadata><groupId>&e;</groupId></metadata>`,
		"billion laughs":   `<!DOCTYPE m [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><metadata><groupId>&b;</groupId></metadata>`,
		"odd encoding":     `<?xml version="1.0" encoding="EBCDIC"?><metadata/>`,
		"control":          "<metadata><groupId>\x01</groupId></metadata>",
		"name without end": "<" + strings.Repeat("m", 1000) + "/>",
		"too large":        "<metadata>" + strings.Repeat(" ", maxMetadata) + "</metadata>",
	}
	for name, body := range tests {
		if m, err := parseMetadata([]byte(body)); err == nil {
			t.Errorf("%s: read as %+v", name, m)
		}
	}
}

func TestParseMetadataAccepts(t *testing.T) {
	tests := map[string]struct{ body, group string }{
		"byte order mark":  {"\ufeff<?xml version='1.0'?><metadata><groupId>g</groupId></metadata>", "g"},
		"blanks and notes": {"\n<!-- x --><metadata>\n<groupId>\n g \n</groupId></metadata>\n<!-- y -->", "g"},
		"name space":       {`<m:metadata xmlns:m="urn:x"><m:groupId>g</m:groupId></m:metadata>`, "g"},
		"latin 1":          {"<?xml version='1.0' encoding='ISO-8859-1'?><metadata><groupId>gr\xfc</groupId></metadata>", "grü"},
		"entity":           {"<metadata><groupId>a&amp;b&uuml;</groupId></metadata>", "a&bü"},
		"character data":   {"<metadata><groupId><![CDATA[<g>]]></groupId></metadata>", "<g>"},
		"document type":    {"<!DOCTYPE metadata><metadata><groupId>g</groupId></metadata>", "g"},
		"unknown elements": {"<metadata><new><groupId>x</groupId></new><groupId>g</groupId></metadata>", "g"},
	}
	for name, tt := range tests {
		m, err := parseMetadata([]byte(tt.body))
		if err != nil || m.group != tt.group {
			t.Errorf("%s: %+v, %v; want group %q", name, m, err, tt.group)
		}
	}
}

func TestMetadataAt(t *testing.T) {
	tests := []struct {
		group, artifact, version, folder string
		want                             bool
	}{
		{"org.acme", "app", "", "/org/acme/app", true},
		{"org.acme", "app", "1.0-SNAPSHOT", "/org/acme/app/1.0-SNAPSHOT", true},
		{"org.acme", "app", "1.0", "org/acme/app", true}, // as old clients wrote it
		{"org.acme", "", "", "/org/acme", true},
		{"", "", "", "/anything", true},
		{"", "", "", "", true},
		{"other", "thing", "", "/org/acme/app", false},
		{"org.acme", "lib", "", "/org/acme/lib/1.0", false},
		{"org.acme", "lib", "2.0", "/org/acme/lib/1.0", false},
		{"", "app", "", "/app", false},
	}
	for _, tt := range tests {
		m := metadata{group: tt.group, artifact: tt.artifact, version: tt.version}
		if got := m.at(tt.folder); got != tt.want {
			t.Errorf("%s:%s:%s at %s: %v; want %v", tt.group, tt.artifact, tt.version, tt.folder, got, tt.want)
		}
	}
}

func TestRenderEscapes(t *testing.T) {
	m := &metadata{encoded: true, group: "a<b>&c\x00\r\ufffe", plugins: []plugin{{name: "größe", prefix: "p", artifact: "a"}}}
	want := "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<metadata modelVersion=\"1.1.0\">\n  <groupId>a&lt;b&gt;&amp;c&#xD;</groupId>\n" +
		"  <plugins>\n    <plugin>\n      <name>größe</name>\n      <prefix>p</prefix>\n      <artifactId>a</artifactId>\n    </plugin>\n" +
		"  </plugins>\n</metadata>\n"
	if got := string(m.render()); got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
	if got := string((&metadata{}).render()); got != "<?xml version=\"1.0\"?>\n<metadata modelVersion=\"1.1.0\" />\n" {
		t.Errorf("empty: %s", got)
	}
}

// FuzzMetadata checks the laws of merging on whatever can be read.
func FuzzMetadata(f *testing.F) {
	files, _ := filepath.Glob("testdata/merge/*.txtar")
	for _, file := range files {
		if data, err := os.ReadFile(file); err == nil {
			for _, doc := range txtar.Parse(data).Files {
				f.Add(doc.Data, doc.Data)
			}
		}
	}
	f.Add([]byte("<metadata><versioning><versions><version>1</version><version>1.0</version></versions></versioning></metadata>"), []byte("<metadata/>"))
	f.Fuzz(func(t *testing.T, a, b []byte) {
		docs := []*formats.Document{{Body: a}, {Body: b}}
		once := mergeMetadata("/maven-metadata.xml", docs)
		if once == nil {
			return
		}
		if _, err := parseMetadata(once); err != nil {
			t.Fatalf("cannot read what was written: %v\n%s", err, once)
		}
		twice := mergeMetadata("/maven-metadata.xml", []*formats.Document{{Body: once}, {Body: once}})
		if !bytes.Equal(once, twice) {
			t.Fatalf("not the same again:\n%s\nthen\n%s", once, twice)
		}
	})
}
