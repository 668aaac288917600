package maven2

import (
	"context"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"strings"

	"entrepot/formats"
)

// Fields of the upload form beyond the names of attributes.
const (
	fieldGeneratePOM = "generate-pom"
	fieldPackaging   = "packaging"
)

// UploadSpec implements formats.Uploader.
func (f *Format) UploadSpec() formats.UploadSpec {
	const group = "Component coordinates"
	return formats.UploadSpec{
		Multiple: true,
		Derived:  true,
		Component: []formats.UploadField{
			{Name: attrGroup, Display: "Group ID", Group: group},
			{Name: attrArtifact, Display: "Artifact ID", Group: group},
			{Name: attrVersion, Display: "Version", Group: group},
			{Name: fieldGeneratePOM, Display: "Generate a POM file with these coordinates", Group: group, Boolean: true, Optional: true},
			{Name: fieldPackaging, Display: "Packaging", Group: group, Optional: true},
		},
		Asset: []formats.UploadField{
			{Name: attrClassifier, Display: "Classifier", Optional: true},
			{Name: attrExtension, Display: "Extension"},
		},
	}
}

// Plan implements formats.Uploader. Coordinates come from the POM when there is one among the files; every file gets its checksum
// files. To compute them each file is read once.
func (f *Format) Plan(ctx context.Context, r formats.Repository, u *formats.Upload) ([]formats.UploadTarget, error) {
	if r.Settings[SettingVersionPolicy] == Snapshot {
		return nil, refuse("Upload to snapshot repositories not supported, use the maven client.")
	}
	c, err := f.uploadCoordinates(u)
	if err != nil {
		return nil, err
	}
	stem := folderOf(c.group, c.artifact, c.version) + c.artifact + "-" + c.version
	var targets []formats.UploadTarget
	first := map[string]string{} // path to the key of the file that goes there
	for i, file := range u.Files {
		path := stem + suffix(file.Fields[attrClassifier], file.Fields[attrExtension])
		if other, taken := first[path]; taken {
			return nil, refuse(fmt.Sprintf("The assets %s and %s have identical coordinates", other, file.Key))
		}
		first[path] = file.Key
		if err := checkUploadPath(r, path); err != nil {
			return nil, err
		}
		targets = append(targets, formats.UploadTarget{Path: path, File: i})
		sums, err := checksumTargets(ctx, path, io.NewSectionReader(file.Body, 0, file.Size))
		if err != nil {
			return nil, fmt.Errorf("maven2: read upload %s: %w", file.Key, err)
		}
		targets = append(targets, sums...)
	}
	if isTrue(u.Fields[fieldGeneratePOM]) {
		pomTargets, err := generatedPOM(ctx, r, stem+".pom", c, u.Fields[fieldPackaging])
		if err != nil {
			return nil, err
		}
		targets = append(targets, pomTargets...)
	}
	return targets, nil
}

// uploadCoordinates takes the coordinates of an upload from its POM, else from its fields.
func (f *Format) uploadCoordinates(u *formats.Upload) (coordinates, error) {
	for _, file := range u.Files {
		if file.Fields[attrClassifier] != "" || strings.TrimLeft(file.Fields[attrExtension], ".") != "pom" {
			continue
		}
		p, err := parsePOM(io.NewSectionReader(file.Body, 0, file.Size))
		if err != nil || p.group == "" || p.artifact == "" || p.version == "" {
			return coordinates{}, refuse("The provided POM file is invalid.")
		}
		return coordinates{group: p.group, artifact: p.artifact, version: p.version}, nil
	}
	var missing formats.FieldErrors
	for _, field := range f.UploadSpec().Component {
		if !field.Optional && u.Fields[field.Name] == "" {
			missing = append(missing, field.Missing())
		}
	}
	if len(missing) > 0 {
		return coordinates{}, missing
	}
	return coordinates{group: u.Fields[attrGroup], artifact: u.Fields[attrArtifact], version: u.Fields[attrVersion]}, nil
}

// checkUploadPath refuses paths that the fields should not have led to.
func checkUploadPath(r formats.Repository, path string) error {
	if strings.Contains(path, "/./") || strings.Contains(path, "/../") {
		return refuse("Path is not allowed to have '.' or '..' segments: '" + path + "'")
	}
	title := strings.TrimPrefix(path, "/")
	c, ok := parseCoordinates(path)
	if !ok {
		return refuse("Cannot generate maven coordinate from assembled path '" + title + "'")
	}
	if policy := r.Settings[SettingVersionPolicy]; policy != Mixed && isSnapshot(c.base) {
		return refuse("Version policy mismatch, cannot upload SNAPSHOT content to RELEASE repositories for file '" + title + "'")
	}
	return nil
}

// suffix is what a file name has behind the version.
func suffix(classifier, extension string) string {
	extension = strings.TrimLeft(extension, ".")
	if classifier == "" {
		return "." + extension
	}
	return "-" + classifier + "." + extension
}

// checksumTargets makes the checksum files of one file.
func checksumTargets(ctx context.Context, path string, body io.Reader) ([]formats.UploadTarget, error) {
	hashes := map[string]hash.Hash{"md5": md5.New(), "sha1": sha1.New(), "sha256": sha256.New(), "sha512": sha512.New()}
	var all []io.Writer
	for _, algorithm := range checksums {
		all = append(all, hashes[algorithm])
	}
	sink, buffer := io.MultiWriter(all...), make([]byte, 64<<10)
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		n, err := body.Read(buffer)
		sink.Write(buffer[:n]) // hashes never fail
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, err
		}
	}
	var targets []formats.UploadTarget
	for _, algorithm := range checksums {
		sum := hex.EncodeToString(hashes[algorithm].Sum(nil))
		targets = append(targets, formats.UploadTarget{Path: path + "." + algorithm, File: -1, Body: []byte(sum), Type: textType})
	}
	return targets, nil
}

// generatedPOM makes a POM that says the coordinates, and its checksum files.
func generatedPOM(ctx context.Context, r formats.Repository, path string, c coordinates, packaging string) ([]formats.UploadTarget, error) {
	if err := checkUploadPath(r, path); err != nil {
		return nil, err
	}
	if packaging == "" {
		packaging = "jar"
	}
	body := `<project xmlns="http://maven.apache.org/POM/4.0.0" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"
         xsi:schemaLocation="http://maven.apache.org/POM/4.0.0 https://maven.apache.org/xsd/maven-4.0.0.xsd">

  <modelVersion>4.0.0</modelVersion>

  <groupId>` + escapeText(c.group) + `</groupId>
  <artifactId>` + escapeText(c.artifact) + `</artifactId>
  <version>` + escapeText(c.version) + `</version>
  <packaging>` + escapeText(packaging) + `</packaging>
</project>
`
	sums, err := checksumTargets(ctx, path, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	return append([]formats.UploadTarget{{Path: path, File: -1, Body: []byte(body), Type: xmlType}}, sums...), nil
}

// isTrue reads the value of a check box.
func isTrue(value string) bool {
	return strings.EqualFold(value, "true") || strings.EqualFold(value, "on")
}

func refuse(message string) error { return formats.FieldErrors{{Message: message}} }
