package formattest

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"testing"

	"entrepot/formats"
)

// testMerge checks the laws of merging: what was merged stays the same when it is merged again, alone or with itself; the same
// documents give the same bytes; rubbish among the members harms nobody.
func testMerge(t *testing.T, s *suite) {
	merger, ok := s.Format.(formats.Merger)
	if !ok {
		t.Skip("merges nothing")
	}
	r := formats.Repository{Name: "proxy", Kind: formats.Proxy, Settings: configure(t, s.Format, formats.Proxy, nil)}
	for path, examples := range s.Documents {
		item := s.Format.Classify(r, path)
		if !merger.Merges(r, item) {
			t.Errorf("%s is not merged", path)
			continue
		}
		merge := func(documents ...[]byte) []byte {
			t.Helper()
			doc, err := merger.Merge(context.Background(), r, item, documentsOf(path, documents))
			if err != nil {
				t.Fatalf("%s: %v", path, err)
			}
			return doc.Body
		}
		all := merge(examples...)
		same(t, path, "merged twice", all, merge(examples...))
		same(t, path, "merged again", all, merge(all))
		same(t, path, "merged with itself", all, merge(all, all))
		for _, example := range examples {
			one := merge(example)
			same(t, path, "a single document, merged again", one, merge(one))
			same(t, path, "a document and itself", one, merge(example, example))
			same(t, path, "rubbish behind", one, merge(example, []byte("\x00rubbish")))
			same(t, path, "rubbish before", one, merge([]byte("<html>login</html>"), example))
		}
		for _, body := range bodies(s) {
			_, err := merger.Merge(context.Background(), r, item, documentsOf(path, [][]byte{body}))
			if refusal := (*formats.Error)(nil); err != nil && !errors.As(err, &refusal) {
				t.Errorf("%s: merging %.20q fails with %v; want *formats.Error", path, body, err)
			}
		}
	}
	for _, path := range s.paths {
		for _, r := range s.repositories {
			if r.Kind != formats.Proxy && merger.Merges(r, s.Format.Classify(r, path)) {
				t.Errorf("%q is merged in a %s repository", path, r.Kind)
			}
		}
	}
}

func documentsOf(path string, bodies [][]byte) []*formats.Document {
	documents := make([]*formats.Document, len(bodies))
	for i, body := range bodies {
		documents[i] = &formats.Document{Path: path, Body: slices.Clone(body), Member: string(rune('a' + i))}
	}
	return documents
}

func same(t *testing.T, path, what string, want, got []byte) {
	t.Helper()
	if !bytes.Equal(want, got) {
		t.Errorf("%s: %s gives\n%s\nwant\n%s", path, what, got, want)
	}
}

// testGenerate checks that an empty repository's documents are made, or not, without a fault, and the same each time.
func testGenerate(t *testing.T, s *suite) {
	generator, ok := s.Format.(formats.Generator)
	if !ok {
		t.Skip("generates nothing")
	}
	for _, r := range s.repositories {
		shelf := NewShelf(t, s.Format, r)
		for _, path := range s.paths {
			item := s.Format.Classify(r, path)
			if item.Route != formats.RouteDocument {
				continue
			}
			first, err := generator.Generate(context.Background(), r, item, shelf)
			if errors.Is(err, formats.ErrNotGenerated) {
				continue
			}
			if err != nil {
				t.Errorf("%q in %s: %v", path, r.Kind, err)
				continue
			}
			if r.Kind != formats.Hosted {
				t.Errorf("%q: generated in a %s repository, which has no content of its own", path, r.Kind)
			}
			second, err := generator.Generate(context.Background(), r, item, shelf)
			if err != nil || !bytes.Equal(first.Body, second.Body) {
				t.Errorf("%q in %s: not the same again: %v", path, r.Kind, err)
			}
			if first.ContentType == "" && item.ContentType == "" {
				t.Errorf("%q in %s: generated without a content type", path, r.Kind)
			}
		}
	}
}

// testRebuild checks that nothing is told of an empty repository, and that what is named can be rebuilt.
func testRebuild(t *testing.T, s *suite) {
	rebuilder, ok := s.Format.(formats.Rebuilder)
	if !ok {
		t.Skip("rebuilds nothing")
	}
	r := formats.Repository{Name: "hosted", Kind: formats.Hosted, Settings: configure(t, s.Format, formats.Hosted, nil)}
	shelf := NewShelf(t, s.Format, r)
	for _, path := range s.paths {
		docs, err := rebuilder.Rebuild(context.Background(), r, path, shelf)
		if err != nil || slices.ContainsFunc(docs, func(d *formats.Document) bool { return d.Body != nil }) {
			t.Errorf("%q of an empty repository: %d documents, %v", path, len(docs), err)
		}
	}
	for _, path := range s.paths {
		item := s.Format.Classify(r, path)
		if item.Component == nil {
			continue
		}
		for _, derived := range rebuilder.Derived(r, shelf.component(item)) {
			if s.Format.Classify(r, derived).Route != formats.RouteDocument {
				t.Errorf("%q: tells of %q, which is no document", derived, path)
			}
		}
	}
}

// testUpload checks that a form has distinct fields, and that forms of rubbish are refused, not choked on.
func testUpload(t *testing.T, s *suite) {
	uploader, ok := s.Format.(formats.Uploader)
	if !ok {
		t.Skip("takes no uploads")
	}
	spec := uploader.UploadSpec()
	names := map[string]bool{}
	for _, field := range slices.Concat(spec.Component, spec.Asset) {
		if field.Name == "" || field.Display == "" || names[field.Name] {
			t.Errorf("field %+v has no name or another's", field)
		}
		names[field.Name] = true
	}
	r := formats.Repository{Name: "hosted", Kind: formats.Hosted, Settings: configure(t, s.Format, formats.Hosted, nil)}
	for _, value := range []string{"a", "..", "a/../b", "/", "ä", "a b", "1.0-SNAPSHOT", "\x00", "pom"} {
		body := []byte("text")
		upload := &formats.Upload{Fields: map[string]string{}, Files: []formats.UploadFile{{
			Key: "1", Fields: map[string]string{}, Body: bytes.NewReader(body), Size: int64(len(body)),
		}}}
		for _, field := range spec.Component {
			upload.Fields[field.Name] = value
		}
		for _, field := range spec.Asset {
			upload.Files[0].Fields[field.Name] = value
		}
		targets, err := uploader.Plan(context.Background(), r, upload)
		var refusals formats.FieldErrors
		var refusal *formats.Error
		if err != nil && !errors.As(err, &refusals) && !errors.As(err, &refusal) {
			t.Errorf("fields of %q: refused with %T: %v", value, err, err)
		}
		for _, target := range targets {
			if !validPath(target.Path) {
				t.Errorf("fields of %q lead to %q", value, target.Path)
			}
		}
	}
}

// validPath reports whether a path has the shape that all paths have.
func validPath(path string) bool {
	if path == "" || path[0] != '/' {
		return false
	}
	for i, segment := range bytes.Split([]byte(path[1:]), []byte("/")) {
		last := i == bytes.Count([]byte(path[1:]), []byte("/"))
		if s := string(segment); s == "." || s == ".." || s == "" && !last {
			return false
		}
	}
	return true
}
