package maven2

import (
	"bytes"
	"context"
	"maps"
	"strings"
	"testing"

	"entrepot/formats"
	"entrepot/storage/blob"
)

func TestDescribe(t *testing.T) {
	coordinates := map[string]string{"groupId": "g", "artifactId": "a", "version": "1", "baseVersion": "1"}
	with := func(extra map[string]string) map[string]string {
		all := maps.Clone(coordinates)
		maps.Copy(all, extra)
		return all
	}
	tests := []struct {
		path, body, kind string
		want             map[string]string
	}{
		{"/g/a/1/a-1.pom", `<?xml version="1.0" encoding="UTF-8"?>
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <parent><groupId>p</groupId><artifactId>p</artifactId><version>2</version></parent>
  <artifactId>a</artifactId><packaging>maven-plugin</packaging>
  <name> Demo
  Plugin </name><description>ünïcode ✓ &amp; more</description>
  <build><plugins><plugin><name>inner</name></plugin></plugins></build>
</project>`, "maven-plugin", with(map[string]string{
			"packaging": "maven-plugin", "pom_name": "Demo\n  Plugin", "pom_description": "ünïcode ✓ & more",
		})},
		{"/g/a/1/a-1.pom", "<project/>", "jar", with(map[string]string{"packaging": "jar"})},
		{"/g/a/1/a-1.pom", "not xml", "", coordinates},
		{"/g/a/1/a-1.pom", "<html/>", "", coordinates},
		{"/g/a/1/a-1.pom", "<project><packaging>war</packaging>", "", coordinates},
		{"/g/a/1/a-1.pom", "<project><packaging>war</packaging></project>" + strings.Repeat(" ", maxPOM), "", coordinates},
		{"/g/a/1/a-1.pom", "<project><name>" + strings.Repeat("ä", maxPOMText) + "</name></project>", "jar", with(map[string]string{
			"packaging": "jar", "pom_name": strings.Repeat("ä", maxPOMText/2),
		})},
		{"/g/a/1/a-1-sources.pom", "<project/>", "", coordinates},
		{"/g/a/1/a-1.pom.asc", "<project/>", "", coordinates},
		{"/g/a/1/a-1.jar", "<project/>", "", coordinates},
	}
	f, r := New(nil), formats.Repository{Kind: formats.Hosted}
	for _, tt := range tests {
		item := f.Describe(context.Background(), r, f.Classify(r, tt.path), strings.NewReader(tt.body), blob.Info{Size: int64(len(tt.body))})
		if item.ComponentKind != tt.kind || !maps.Equal(item.ComponentAttributes, tt.want) {
			t.Errorf("%s %.40q: %q %.300v; want %q %.300v", tt.path, tt.body, item.ComponentKind, item.ComponentAttributes, tt.kind, tt.want)
		}
	}
}

func TestParsePOMCoordinates(t *testing.T) {
	p, err := parsePOM(strings.NewReader(`<project><parent><groupId>pg</groupId><version>pv</version></parent><artifactId>a</artifactId></project>`))
	if err != nil || p.group != "pg" || p.artifact != "a" || p.version != "pv" {
		t.Errorf("%+v, %v", p, err)
	}
}

func FuzzPOM(f *testing.F) {
	f.Add([]byte(examplePOM))
	f.Add([]byte("<project><name>a&eacute;</name></project>"))
	f.Add([]byte("<?xml version='1.0' encoding='latin1'?><project/>"))
	f.Fuzz(func(t *testing.T, body []byte) {
		p, err := parsePOM(bytes.NewReader(body))
		if err == nil && p.packaging == "" {
			t.Errorf("no packaging: %+v", p)
		}
		list, err := parseCatalog(body)
		if err != nil {
			return
		}
		again, err := parseCatalog(renderCatalog(list))
		if err != nil || len(again) != len(list) {
			t.Errorf("%d entries, written and read again %d: %v", len(list), len(again), err)
		}
	})
}
