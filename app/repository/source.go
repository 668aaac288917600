package repository

import (
	"context"
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"io"
	"strconv"
	"time"

	"entrepot/app/repository/conditional"
	"entrepot/formats"
	"entrepot/storage/blob"
	"entrepot/storage/catalog"
)

// maxDocument is how many bytes of a stored document are read into memory.
const maxDocument = 32 << 20

// source is what a format sees of one repository's content.
type source struct {
	engine  *Engine
	content *catalog.Content
}

var _ formats.Source = source{}

func (e *Engine) source(r *repo) source { return source{e, r.content} }

// Content implements formats.Source.
func (s source) Content() *catalog.Content { return s.content }

// Open implements formats.Source.
func (s source) Open(ctx context.Context, a *catalog.Asset) (blob.Object, error) {
	return s.engine.OpenBlob(ctx, a.Blob)
}

// readDocument reads a stored document of at most room bytes whole.
func (e *Engine) readDocument(ctx context.Context, a *catalog.Asset, room int64) ([]byte, error) {
	if room = min(room, maxDocument); a.Size > room {
		return nil, fmt.Errorf("repository: document %s has %d bytes; at most %d are read", a.Path, a.Size, room)
	}
	object, err := e.OpenBlob(ctx, a.Blob)
	if err != nil {
		return nil, err
	}
	defer object.Close()
	body := make([]byte, a.Size)
	if _, err := io.ReadFull(io.NewSectionReader(object, 0, a.Size), body); err != nil {
		return nil, fmt.Errorf("repository: read %s: %w", a.Path, err)
	}
	return body, nil
}

// madeDocument is a document that was generated or merged, with what it was made from.
type madeDocument struct {
	from     string // what has to be unchanged for the document to be valid
	doc      *formats.Document
	sha1     string    // of the body, in hex
	etag     string    // of the answer, "" for none
	modified time.Time // of the answer, zero for none
}

func newMadeDocument(from string, doc *formats.Document) *madeDocument {
	sum := sha1.Sum(doc.Body)
	return &madeDocument{from: from, doc: doc, sha1: hex.EncodeToString(sum[:])}
}

func (m *madeDocument) representation() representation {
	return representation{
		Validators:  conditional.Validators{ETag: m.etag, LastModified: m.modified},
		contentType: m.doc.ContentType,
		body:        formats.Body{Bytes: m.doc.Body, Size: int64(len(m.doc.Body))},
	}
}

func revisionTag(revision uint64) string { return strconv.FormatUint(revision, 36) }
