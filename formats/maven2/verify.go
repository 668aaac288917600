package maven2

import (
	"cmp"
	"context"
	"errors"
	"io"
	"strings"

	"entrepot/formats"
	"entrepot/formats/contenttype"
	"entrepot/storage/blob"
)

// maxDigestFile is how large a checksum file may be, in bytes.
const maxDigestFile = 4 << 10

// digestLength is the number of hex digits of each algorithm.
var digestLength = map[string]int{"md5": 32, "sha1": 40, "sha256": 64, "sha512": 128}

// Verify implements formats.Verifier. Metadata that clients store must be such, and about what lies at its path, in every hosted
// repository; the rest is for strict ones only.
func (f *Format) Verify(_ context.Context, r formats.Repository, it formats.Item, body io.ReaderAt, info blob.Info) error {
	l := locate(it.Path)
	if r.Strict {
		if err := verifyType(it.Path, l, body, info.Size); err != nil {
			return err
		}
	}
	if r.Kind == formats.Hosted && l.kind == kindMetadata && !l.subordinate() {
		return verifyMetadata(it.Title, body, info.Size)
	}
	return nil
}

// verifyType holds the bytes against the name. Signatures are not looked at: they come in too many shapes.
func verifyType(path string, l location, body io.ReaderAt, size int64) error {
	if l.checksum != "" {
		return verifyDigest(path, l.checksum, body, size)
	}
	if l.signature {
		return nil
	}
	head, err := contenttype.ReadHead(body, size)
	if err != nil {
		return err
	}
	switch {
	case l.kind == kindMetadata, l.kind == kindCatalog:
		_, err = contenttype.CheckAgainst(path, []string{xmlType}, head)
	case l.kind == kindArtifact && l.coords.extension == "pom":
		_, err = contenttype.Check(path+".xml", head)
	default:
		_, err = contenttype.Check(path, head)
	}
	if mismatch := (*contenttype.MismatchError)(nil); errors.As(err, &mismatch) {
		return formats.Errorf(formats.InvalidContent, "%s", mismatch.Error())
	}
	return err
}

// verifyDigest accepts a bare digest, and the outputs of the usual tools: "digest  file", "digest *file", "SHA1(file)= digest".
func verifyDigest(path, algorithm string, body io.ReaderAt, size int64) error {
	refusal := formats.Errorf(formats.InvalidContent, "Not a Maven2 digest: %s", path)
	if size > maxDigestFile {
		return refusal
	}
	text := make([]byte, size)
	if n, err := body.ReadAt(text, 0); err != nil && !(errors.Is(err, io.EOF) && n == len(text)) {
		return err
	}
	words := strings.Fields(string(text))
	if len(words) == 0 {
		return refusal
	}
	if isHex(words[0], digestLength[algorithm]) || isHex(words[len(words)-1], digestLength[algorithm]) {
		return nil
	}
	return refusal
}

func isHex(s string, length int) bool {
	return len(s) == length && strings.Trim(s, "0123456789abcdefABCDEF") == ""
}

// verifyMetadata refuses what is no metadata, and metadata of something else. title is the path as messages call it.
func verifyMetadata(title string, body io.ReaderAt, size int64) error {
	invalid := formats.Errorf(formats.InvalidContent, "Metadata at path %s is not a valid maven-metadata.xml", title)
	if size > maxMetadata {
		return invalid
	}
	text := make([]byte, size)
	if n, err := body.ReadAt(text, 0); err != nil && !(errors.Is(err, io.EOF) && n == len(text)) {
		return err
	}
	m, err := parseMetadata(text)
	if err != nil {
		invalid.Err = err
		return invalid
	}
	if folder, _ := cutLast(title); !m.at(folder) {
		return formats.Errorf(formats.InvalidContent, "Invalid maven-metadata.xml GAV %s, %s, %s does not match request path %s",
			cmp.Or(m.group, "null"), cmp.Or(m.artifact, "null"), cmp.Or(m.version, "null"), title)
	}
	return nil
}
