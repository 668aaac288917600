package formattest

import (
	"bytes"
	"cmp"
	"context"
	"testing"

	"entrepot/formats"
	"entrepot/formats/contenttype"
	"entrepot/storage/blob"
	blobmemory "entrepot/storage/blob/memory"
	"entrepot/storage/catalog"
	"entrepot/storage/kv"
	kvmemory "entrepot/storage/kv/memory"
)

// Shelf is the content of one repository, in memory, filled the way the engine fills it. It is a formats.Source.
type Shelf struct {
	t          *testing.T
	format     formats.Format
	repository formats.Repository
	content    *catalog.Content
	blobs      *blob.Store
}

var _ formats.Source = (*Shelf)(nil)

// NewShelf makes an empty one. It ends with the test.
func NewShelf(t *testing.T, f formats.Format, r formats.Repository) *Shelf {
	t.Helper()
	records := catalog.New(kv.New(kvmemory.New()), nil)
	t.Cleanup(func() {
		if err := records.Close(); err != nil {
			t.Errorf("close the catalog: %v", err)
		}
	})
	return &Shelf{
		t: t, format: f, repository: r, content: records.Content("content"), blobs: blob.New("store", blobmemory.New(nil), nil),
	}
}

// Content implements formats.Source.
func (s *Shelf) Content() *catalog.Content { return s.content }

// Open implements formats.Source.
func (s *Shelf) Open(ctx context.Context, a *catalog.Asset) (blob.Object, error) {
	return s.blobs.Open(ctx, a.Blob.Hash)
}

// Put stores a body under a path, after the format has verified and described it.
func (s *Shelf) Put(path string, body []byte) {
	s.t.Helper()
	ctx := context.Background()
	item := s.format.Classify(s.repository, path)
	w, err := s.blobs.Create(ctx, blob.WriteOptions{MD5: item.MD5, SHA512: item.SHA512})
	if err != nil {
		s.t.Fatal(err)
	}
	defer w.Discard()
	if _, err := w.Write(body); err != nil {
		s.t.Fatal(err)
	}
	info, err := w.Commit(ctx)
	if err != nil {
		s.t.Fatal(err)
	}
	content := bytes.NewReader(body)
	if verifier, ok := s.format.(formats.Verifier); ok {
		if err := verifier.Verify(ctx, s.repository, item, content, info); err != nil {
			s.t.Fatalf("put %s: %v", path, err)
		}
	}
	if describer, ok := s.format.(formats.Describer); ok {
		item = describer.Describe(ctx, s.repository, item, content, info)
	}
	err = s.content.Put(ctx, &catalog.Asset{
		Path: item.Path, Kind: item.AssetKind, Component: item.Component, Blob: catalog.BlobRef{Store: "store", Hash: info.Hash},
		Size: info.Size, Digests: info.Digests, Format: item.Attributes,
		ContentType: cmp.Or(item.ContentType, contenttype.Stored(path, body, "")),
	}, catalog.PutOptions{ComponentKind: item.ComponentKind, ComponentAttributes: item.ComponentAttributes})
	if err != nil {
		s.t.Fatalf("put %s: %v", path, err)
	}
}

// Delete removes a path.
func (s *Shelf) Delete(path string) {
	s.t.Helper()
	if err := s.content.Delete(context.Background(), path); err != nil {
		s.t.Fatalf("delete %s: %v", path, err)
	}
}

// component is an item's component as the catalog would give it.
func (s *Shelf) component(item formats.Item) catalog.Component {
	return catalog.Component{Coordinates: *item.Component, Kind: item.ComponentKind, Attributes: item.ComponentAttributes}
}
