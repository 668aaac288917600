package configuration

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"entrepot/app/access"
	"entrepot/app/resource"
	"entrepot/formats"
	"entrepot/storage/kv"
)

// document is one thing that administrators set.
type document struct {
	key       string // "" when there is one of its kind only
	row       kv.Row // the state of its record
	value     any    // a pointer to a document of package resource
	needs     []string
	permanent bool
}

// section is all documents of one kind, as a member of the file.
type section struct {
	name   string
	single bool // the member is the document itself, not a list
	// documents gives what there is, without what came with the server.
	documents func(ctx context.Context) ([]document, error)
	// merge gives what the file's document makes of the present one, nil when there is none.
	merge func(ctx context.Context, present any, data json.RawMessage) (document, error)
	// key reads what the file's document is called.
	key    func(data json.RawMessage) (string, error)
	create func(ctx context.Context, actor access.Actor, value any) error
	update func(ctx context.Context, actor access.Actor, key string, value any) error
	remove func(ctx context.Context, actor access.Actor, key string) error
	row    func(ctx context.Context, key string) (kv.Row, error)
	// keep gives what puts a document back as it is now.
	keep func(ctx context.Context, key string) (resource.Restore, error)
}

// collection is the section of a set.
func collection[T any](s *resource.Set[T]) section {
	wrap := func(doc *T) document {
		d := document{key: s.Key(doc), value: doc}
		if s.Needs != nil {
			d.needs = s.Needs(doc)
		}
		d.permanent = s.Permanent != nil && s.Permanent(doc)
		return d
	}
	return section{
		name:      camel(s.Name),
		documents: func(ctx context.Context) ([]document, error) { return documents(ctx, s, wrap) },
		key: func(data json.RawMessage) (string, error) {
			doc, err := resource.Read(s, data)
			if err == nil && s.Key(&doc) == "" {
				err = &resource.SyntaxError{Message: "a document has no name"}
			}
			return s.Key(&doc), err
		},
		merge: func(ctx context.Context, present any, data json.RawMessage) (document, error) {
			doc, err := mergeInto(s, present, data)
			if err == nil && s.Settle != nil {
				err = s.Settle(ctx, &doc)
			}
			return wrap(&doc), err
		},
		create: func(ctx context.Context, actor access.Actor, v any) error { return s.Create(ctx, actor, *v.(*T)) },
		update: func(ctx context.Context, actor access.Actor, key string, v any) error {
			return s.Replace(ctx, actor, key, *v.(*T))
		},
		remove: s.Delete,
		row:    s.Row,
		keep:   s.Keeping,
	}
}

// documents gives what a set has with the states of the records, but for what came with the server. A document is not older than the state
// that goes with it, so the keys are listed first.
func documents[T any](ctx context.Context, s *resource.Set[T], wrap func(*T) document) ([]document, error) {
	const attempts = 10
	for range attempts {
		known, err := s.List(ctx)
		rows := make(map[string]kv.Row, len(known))
		for i := 0; i < len(known) && err == nil; i++ {
			if s.Given == nil || !s.Given(&known[i]) {
				rows[s.Key(&known[i])], err = s.Row(ctx, s.Key(&known[i]))
			}
		}
		if formats.KindOf(err) == formats.NotFound { // meanwhile
			continue
		}
		if err != nil {
			return nil, err
		}
		all, err := s.List(ctx)
		if err != nil {
			return nil, err
		}
		list, complete := make([]document, 0, len(all)), true
		for i := range all {
			if s.Given != nil && s.Given(&all[i]) {
				continue
			}
			if s.Fill != nil {
				s.Fill(&all[i]) // what the server decides is not the file's business
			}
			d, ok := wrap(&all[i]), false
			d.row, ok = rows[d.key]
			list, complete = append(list, d), complete && ok
		}
		if complete {
			return list, nil
		}
	}
	return nil, fmt.Errorf("documents change faster than they can be read: %w", kv.ErrStale)
}

func mergeInto[T any](s *resource.Set[T], present any, data json.RawMessage) (T, error) {
	if present == nil {
		merged, err := resource.MergePatch(struct{}{}, data) // nulls mean the defaults
		if err != nil {
			return s.Blank(), err
		}
		return resource.Read(s, merged)
	}
	return resource.Merge(s, present.(*T), data)
}

// value is the section of a document that there is one of.
func value[T any](v *resource.Value[T]) section {
	settle := func(ctx context.Context, doc *T) error {
		if v.Settle == nil {
			return nil
		}
		return v.Settle(ctx, doc)
	}
	return section{
		name:   camel(v.Name),
		single: true,
		documents: func(ctx context.Context) ([]document, error) {
			doc, row, err := v.Look(ctx)
			if err == nil {
				err = settle(ctx, &doc)
			}
			if err != nil || v.Unset != nil && v.Unset(&doc) {
				return nil, err
			}
			return []document{{value: &doc, row: row, permanent: true}}, nil
		},
		key: func(json.RawMessage) (string, error) { return "", nil },
		merge: func(ctx context.Context, present any, data json.RawMessage) (document, error) {
			doc := v.Blank()
			if present == nil {
				present = &doc
			}
			merged, err := resource.MergePatch(present, data)
			if err == nil {
				doc = v.Blank()
				err = resource.Decode(merged, &doc)
			}
			if err == nil {
				err = settle(ctx, &doc)
			}
			return document{value: &doc, permanent: true}, err
		},
		create: func(ctx context.Context, actor access.Actor, doc any) error { return v.Put(ctx, actor, *doc.(*T)) },
		update: func(ctx context.Context, actor access.Actor, _ string, doc any) error {
			return v.Put(ctx, actor, *doc.(*T))
		},
		row:  func(ctx context.Context, _ string) (kv.Row, error) { return v.Row(ctx) },
		keep: func(ctx context.Context, _ string) (resource.Restore, error) { return v.Keeping(ctx) },
	}
}

// camel spells a name of an address as a member: "blob-stores" is "blobStores".
func camel(name string) string {
	words := strings.Split(name, "-")
	for i, w := range words[1:] {
		first, size := utf8.DecodeRuneInString(w)
		words[i+1] = string(unicode.ToUpper(first)) + w[size:]
	}
	return strings.Join(words, "")
}
