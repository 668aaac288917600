package repository

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"entrepot/app/access/permission"
	"entrepot/formats"
)

// formPart is a part of a form: a file when file is set.
type formPart struct{ name, value, file string }

// upload sends a form and gives what is wrong with it.
func (b *bench) upload(s Subject, repository string, parts ...formPart) []string {
	b.t.Helper()
	u, err := b.NewUpload(s, repository, "192.0.2.1")
	if err != nil {
		return wrong(err)
	}
	defer u.Close()
	for _, p := range parts {
		if p.file != "" {
			err = u.File(b.t.Context(), p.name, strings.NewReader(p.file))
		} else {
			err = u.Field(p.name, p.value)
		}
		must(b.t, err)
	}
	return wrong(u.Store(b.t.Context()))
}

func TestUploadRaw(t *testing.T) {
	b := newBench(t)
	once := rawHosted("once")
	once.Write, once.Strict = WriteOnce, true
	b.create(rawHosted("files"), once, rawProxy("all", "files"), rawCache("copy", ""))
	dir := func(v string) formPart { return formPart{name: "raw.directory", value: v} }
	file := func(n, text string) formPart { return formPart{name: "raw.asset" + n, file: text} }
	named := func(n, v string) formPart { return formPart{name: "raw.asset" + n + ".filename", value: v} }
	tests := []struct {
		repository string
		parts      []formPart
		want       []string
	}{
		{"files", []formPart{dir("/dir"), file("1", "one"), named("1", "a.txt")}, nil},
		{"files", []formPart{file("1", "one"), named("2", " b.txt "), file("2", "two"), named("1", "c.txt"), dir("d//e/")}, nil},
		{"files", []formPart{{name: "directory", value: "np"}, {name: "asset", file: "x"}, {name: "asset.filename", value: "n.txt"}}, nil},
		{"files", []formPart{dir(""), file("1", "x"), named("1", "a.txt")}, []string{"directory: Missing required component field 'Directory'"}},
		{"files", []formPart{dir("d"), file("1", "x")}, []string{"filename: Missing required asset field 'Filename' on '1'"}},
		{"files", []formPart{dir("d")}, []string{": No assets found in upload"}},
		{"files", []formPart{{name: "x", value: "y"}}, []string{": No assets found in upload", "x: Unknown component field 'x'",
			"directory: Missing required component field 'Directory'"}},
		{"files", []formPart{dir("d"), file("1", "x"), named("1", "a"), {name: "raw.nope", value: "x"}}, []string{"nope: Unknown component field 'nope'"}},
		{"files", []formPart{dir("d"), file("1", "x"), named("1", "a"), {name: "raw.asset1.nope", value: "x"}}, []string{"nope: Unknown field 'nope' on asset '1'"}},
		{"files", []formPart{dir("d"), file("1", "x"), named("1", "a"), named("9", "b")}, []string{"asset9.filename: Unknown component field 'asset9.filename'"}},
		{"files", []formPart{dir("d"), file("1", "x"), named("1", "a"), file("2", "y"), named("2", "a")}, []string{": The assets 1 and 2 have identical coordinates"}},
		{"files", []formPart{dir("d/../up"), file("1", "x"), named("1", "a")}, []string{": Path is not allowed to have '.' or '..' segments: '/d/../up/a'"}},
		{"once", []formPart{dir("d"), file("1", "text"), named("1", "p.png")}, []string{"Detected content type [text/plain], but expected [image/png]: /d/p.png"}},
		{"once", []formPart{dir("d"), file("1", "text"), named("1", "p.txt")}, nil},
		{"once", []formPart{dir("d"), file("1", "text"), named("1", "p.txt")}, []string{"once/d/p.txt cannot be updated"}},
		{"all", nil, []string{"Components can be uploaded to hosted repositories only"}},
		{"copy", nil, []string{"Components can be uploaded to hosted repositories only"}},
		{"none", nil, []string{"Repository not found"}},
	}
	for _, test := range tests {
		if got := b.upload(admin, test.repository, test.parts...); !slices.Equal(got, test.want) {
			t.Errorf("%s %v: %q; want %q", test.repository, test.parts, got, test.want)
		}
	}
	b.steps([]step{
		{"GET", "files", "/dir/a.txt", "", 200, "one"}, {"GET", "files", "/d/e/c.txt", "", 200, "one"},
		{"GET", "files", "/d/e/b.txt", "", 200, "two"}, {"GET", "files", "/np/n.txt", "", 200, "x"},
	})
	page, err := b.Assets(t.Context(), admin, "once", "")
	must(t, err)
	if a := page.Items[0]; a.Uploader != "admin" || a.UploaderIP != "192.0.2.1" || a.Digests.MD5 == "" {
		t.Errorf("record: %+v", a.Asset)
	}
	writer := &user{id: "ann", may: func(_, _ string, actions permission.Action, path string) bool {
		return actions != permission.Edit || strings.HasPrefix(path, "/mine/")
	}}
	if got := b.upload(writer, "files", dir("d"), file("1", "x"), named("1", "a.txt")); !slices.Equal(got, []string{": Not authorized for requested path '/d/a.txt'"}) {
		t.Errorf("without permission: %q", got)
	}
	if got := b.upload(writer, "files", dir("mine"), file("1", "x"), named("1", "a.txt")); got != nil {
		t.Errorf("with permission: %q", got)
	}
	if _, err := b.NewUpload(admin, "all", ""); !errors.Is(err, ErrNotHosted) {
		t.Errorf("upload to a proxy: %v", err)
	}
	offline := rawHosted("files")
	offline.Online = false
	must(t, b.Update(t.Context(), offline, "admin"))
	if got := b.upload(admin, "files"); !slices.Equal(got, []string{": Repository offline"}) {
		t.Errorf("offline: %q", got)
	}
}

func TestUploadMaven(t *testing.T) {
	b := newBench(t)
	b.create(mavenHosted("releases"))
	field := func(name, v string) formPart { return formPart{name: "maven2." + name, value: v} }
	coordinates := []formPart{field("groupId", "org.ex"), field("artifactId", "lib"), field("version", "1.0")}
	jar := []formPart{{name: "maven2.asset1", file: "jar"}, field("asset1.extension", "jar")}
	if got := b.upload(admin, "releases", slices.Concat(coordinates, jar, []formPart{field("generate-pom", "true"), field("packaging", "jar")})...); got != nil {
		t.Errorf("jar with a generated POM: %q", got)
	}
	b.want(b.do("GET", "releases", "/org/ex/lib/1.0/lib-1.0.jar", ""), 200, "jar")
	if got := b.do("GET", "releases", "/org/ex/lib/1.0/lib-1.0.pom", ""); got.status != 200 || !strings.Contains(got.body, "<artifactId>lib</artifactId>") {
		t.Errorf("generated POM: %s", got)
	}
	metadata := b.do("GET", "releases", "/org/ex/lib/maven-metadata.xml", "")
	if metadata.status != 200 || !strings.Contains(metadata.body, "<version>1.0</version>") {
		t.Errorf("metadata after the upload: %s", metadata)
	}
	sum := b.do("GET", "releases", "/org/ex/lib/1.0/lib-1.0.jar.sha1", "")
	if b.want(sum, 200, digest("jar")); sum.header.Get("Content-Type") != "text/plain" {
		t.Errorf("checksum that the server made: %v", sum.header)
	}
	want := []string{"groupId: Missing required component field 'Group ID'", "artifactId: Missing required component field 'Artifact ID'",
		"version: Missing required component field 'Version'"}
	if got := b.upload(admin, "releases", jar...); !slices.Equal(got, want) {
		t.Errorf("without coordinates: %q; want %q", got, want)
	}
	pom := `<project><modelVersion>4.0.0</modelVersion><groupId>org.ex</groupId><artifactId>told</artifactId><version>2</version></project>`
	if got := b.upload(admin, "releases", formPart{name: "maven2.asset1", file: pom}, field("asset1.extension", "pom")); got != nil {
		t.Errorf("coordinates from the POM: %q", got)
	}
	b.want(b.do("GET", "releases", "/org/ex/told/2/told-2.pom", ""), 200, pom)
}

func TestUploadSpecs(t *testing.T) {
	b := newBench(t)
	if got := b.UploadFormats(); !slices.Equal(got, []string{"maven2", "raw"}) {
		t.Errorf("formats: %q", got)
	}
	spec, err := b.UploadSpec("raw")
	if err != nil || len(spec.Component) != 1 || spec.Component[0].Name != "directory" {
		t.Errorf("spec of raw: %+v, %v", spec, err)
	}
	if _, err := b.UploadSpec("none"); formats.KindOf(err) != formats.NotFound {
		t.Errorf("spec of an unknown format: %v", err)
	}
}

func TestUploadThatIsGivenUpLeavesNothing(t *testing.T) {
	b := newBench(t)
	b.create(rawHosted("files"))
	u, err := b.NewUpload(admin, "files", "")
	must(t, err)
	must(t, u.File(t.Context(), "asset1", strings.NewReader("x")))
	u.Close()
	for info, err := range b.stores[DefaultBlobStore].List(t.Context(), [32]byte{}) {
		t.Errorf("a blob is left: %v, %v", info, err)
	}
	u, err = b.NewUpload(admin, "files", "")
	must(t, err)
	defer u.Close()
	for range maxUploadParts {
		must(t, u.Field("directory", "d"))
	}
	if err := u.Field("directory", "d"); err == nil {
		t.Error("any number of fields is taken")
	}
}
