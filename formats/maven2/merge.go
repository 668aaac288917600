package maven2

import (
	"context"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"

	"entrepot/formats"
)

// Merges implements formats.Merger: metadata and catalogs, and their checksum files.
func (f *Format) Merges(r formats.Repository, it formats.Item) bool {
	return r.Kind == formats.Proxy && it.Source != ""
}

// Merge implements formats.Merger. Documents that cannot be read, or that are about something else, are left out; with none left
// there is no such document. For a checksum file docs are the documents that it vouches for.
func (f *Format) Merge(_ context.Context, _ formats.Repository, it formats.Item, docs []*formats.Document) (*formats.Document, error) {
	l := locate(it.Path)
	var body []byte
	if l.kind == kindCatalog {
		body = mergeCatalogs(docs)
	} else {
		body = mergeMetadata(l.main, docs)
	}
	if body == nil {
		return nil, formats.Errorf(formats.NotFound, "")
	}
	if l.checksum != "" {
		return checksumOf(it.Path, l.checksum, body), nil
	}
	return &formats.Document{
		Path: it.Path, Body: body, ContentType: xmlType, ETag: `"{SHA1{` + digest("sha1", body) + `}}"`,
	}, nil
}

// mergeMetadata joins the documents that are at home at path. It returns nil when there is none.
func mergeMetadata(path string, docs []*formats.Document) []byte {
	folder, _ := cutLast(path)
	var merged *metadata
	for _, doc := range docs {
		m, err := parseMetadata(doc.Body)
		if err != nil || !m.at(folder) {
			continue
		}
		if merged == nil {
			merged = &metadata{encoded: m.encoded}
		}
		merged.join(m)
	}
	if merged == nil {
		return nil
	}
	merged.settle()
	return merged.render()
}

// checksumOf makes the checksum file of a document.
func checksumOf(path, algorithm string, body []byte) *formats.Document {
	return &formats.Document{Path: path, Body: []byte(digest(algorithm, body)), ContentType: textType}
}

// digest gives a digest in hex, by the extension of its files.
func digest(algorithm string, body []byte) string {
	switch algorithm {
	case "md5":
		sum := md5.Sum(body)
		return hex.EncodeToString(sum[:])
	case "sha1":
		sum := sha1.Sum(body)
		return hex.EncodeToString(sum[:])
	case "sha512":
		sum := sha512.Sum512(body)
		return hex.EncodeToString(sum[:])
	}
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:])
}
