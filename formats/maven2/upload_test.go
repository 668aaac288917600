package maven2

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"entrepot/formats"
)

// upload makes a form of fields "name=value" and files "extension classifier".
func upload(fields []string, files ...string) *formats.Upload {
	u := &formats.Upload{Fields: map[string]string{}}
	for _, field := range fields {
		name, value, _ := strings.Cut(field, "=")
		u.Fields[name] = value
	}
	for i, file := range files {
		extension, classifier, _ := strings.Cut(file, " ")
		body := []byte("x")
		if extension == "pom" {
			body = []byte(strings.ReplaceAll(examplePOM, "<groupId>g<", "<groupId>from.pom<"))
		}
		part := formats.UploadFile{
			Key: fmt.Sprint(i + 1), Fields: map[string]string{"extension": extension}, Body: bytes.NewReader(body), Size: int64(len(body)),
		}
		if classifier != "" {
			part.Fields["classifier"] = classifier
		}
		u.Files = append(u.Files, part)
	}
	return u
}

func TestPlan(t *testing.T) {
	gav := []string{"groupId=org.x", "artifactId=a", "version=1.0"}
	tests := []struct {
		name, policy string
		upload       *formats.Upload
		want         []string // paths, without those of checksums
		refusal      string
	}{
		{"jar", Release, upload(gav, "jar"), []string{"/org/x/a/1.0/a-1.0.jar"}, ""},
		{"classifier", Release, upload(gav, "jar", "jar sources"), []string{"/org/x/a/1.0/a-1.0.jar", "/org/x/a/1.0/a-1.0-sources.jar"}, ""},
		{"double extension", Release, upload(gav, "tar.gz"), []string{"/org/x/a/1.0/a-1.0.tar.gz"}, ""},
		{"dot", Release, upload(gav, ".jar"), []string{"/org/x/a/1.0/a-1.0.jar"}, ""},
		{"pom tells", Release, upload(nil, "jar", "pom"), []string{"/from/pom/a/1/a-1.jar", "/from/pom/a/1/a-1.pom"}, ""},
		{"generated pom", Release, upload(append(gav, "generate-pom=on"), "jar"), []string{"/org/x/a/1.0/a-1.0.jar", "/org/x/a/1.0/a-1.0.pom"}, ""},
		{"no pom wanted", Release, upload(append(gav, "generate-pom=false"), "jar"), []string{"/org/x/a/1.0/a-1.0.jar"}, ""},
		{"snapshot", Mixed, upload([]string{"groupId=g", "artifactId=a", "version=1-SNAPSHOT"}, "jar"), []string{"/g/a/1-SNAPSHOT/a-1-SNAPSHOT.jar"}, ""},
		{"slash in group", Release, upload([]string{"groupId=a/b", "artifactId=m", "version=1"}, "jar"), []string{"/a/b/m/1/m-1.jar"}, ""},

		{"nothing told", Release, upload(nil, "jar"), nil, "Missing required component field 'Group ID'; " +
			"Missing required component field 'Artifact ID'; Missing required component field 'Version'"},
		{"same place", Release, upload(gav, "jar", "jar"), nil, "The assets 1 and 2 have identical coordinates"},
		{"snapshots", Snapshot, upload(gav, "jar"), nil, "Upload to snapshot repositories not supported, use the maven client."},
		{"snapshot among releases", Release, upload([]string{"groupId=org.x", "artifactId=a", "version=1.0-SNAPSHOT"}, "jar"), nil,
			"Version policy mismatch, cannot upload SNAPSHOT content to RELEASE repositories for file 'org/x/a/1.0-SNAPSHOT/a-1.0-SNAPSHOT.jar'"},
		{"dots", Release, upload([]string{"groupId=org.x", "artifactId=..", "version=1.0"}, "jar"), nil,
			"Path is not allowed to have '.' or '..' segments: '/org/x/../1.0/..-1.0.jar'"},
		{"slash in version", Release, upload([]string{"groupId=org.x", "artifactId=m", "version=1/0"}, "jar"), nil,
			"Cannot generate maven coordinate from assembled path 'org/x/m/1/0/m-1/0.jar'"},
	}
	for _, tt := range tests {
		r := formats.Repository{Name: "r", Kind: formats.Hosted, Settings: map[string]string{SettingVersionPolicy: tt.policy}}
		targets, err := New(nil).Plan(context.Background(), r, tt.upload)
		if tt.refusal != "" {
			if refusals := (formats.FieldErrors)(nil); !errors.As(err, &refusals) || err.Error() != tt.refusal {
				t.Errorf("%s: %v; want %q", tt.name, err, tt.refusal)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		var paths []string
		for _, target := range targets {
			if locate(target.Path).checksum == "" {
				paths = append(paths, target.Path)
			} else if target.Type != "text/plain" || target.File != -1 {
				t.Errorf("%s: %s of type %q, file %d", tt.name, target.Path, target.Type, target.File)
			}
		}
		if !slices.Equal(paths, tt.want) || len(targets) != 5*len(paths) {
			t.Errorf("%s: %v and %d checksum files; want %v", tt.name, paths, len(targets)-len(paths), tt.want)
		}
	}
}

func TestPlanBrokenPOM(t *testing.T) {
	u := upload(nil, "pom")
	u.Files[0].Body = strings.NewReader(strings.Repeat(" ", int(u.Files[0].Size)))
	_, err := New(nil).Plan(context.Background(), formats.Repository{}, u)
	if err == nil || err.Error() != "The provided POM file is invalid." {
		t.Errorf("%v", err)
	}
}

// TestGeneratedPOM has the bytes of a recording.
func TestGeneratedPOM(t *testing.T) {
	u := upload([]string{"groupId=org.example.um", "artifactId=b", "version=2.0", "generate-pom=true", "packaging=jar"}, "jar")
	targets, err := New(nil).Plan(context.Background(), formats.Repository{}, u)
	if err != nil {
		t.Fatal(err)
	}
	for _, target := range targets {
		switch target.Path {
		case "/org/example/um/b/2.0/b-2.0.pom":
			if sum := digest("sha1", target.Body); sum != "a42c778ccaa0892660ec3eef9c32992f1ce63d93" {
				t.Errorf("SHA-1 %s of\n%s", sum, target.Body)
			}
		case "/org/example/um/b/2.0/b-2.0.pom.sha1":
			if string(target.Body) != "a42c778ccaa0892660ec3eef9c32992f1ce63d93" {
				t.Errorf("checksum file %s", target.Body)
			}
		}
	}
	_, err = New(nil).Plan(context.Background(), formats.Repository{}, upload([]string{"groupId=g", "artifactId=a", "version=1", "generate-pom=true"}, "pom"))
	if err != nil {
		t.Errorf("a POM beside a generated one is left to the write policy: %v", err)
	}
}
