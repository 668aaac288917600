package search

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"

	"entrepot/storage/catalog"
	"entrepot/storage/kv"
)

// Field is what a criterion looks at.
type Field uint8

// The fields. The whole ones count letter by letter, and * and ? in a value stand for others.
const (
	Nothing    Field = iota // what no component has: matches none
	Text                    // words of the coordinates, in any letter case; one of several is enough, a phrase in double quotes whole
	Group                   // whole
	Name                    // whole
	Version                 // whole
	Base                    // whole base version of a Maven component
	MavenGroup              // whole group of a Maven component
	MavenName               // whole name of a Maven component
	Prerelease              // "true" or "false"
	Extension               // file ending of an asset; "" is an asset without one
	Classifier              // classifier of an asset; "" is an asset without one
	SHA1                    // of an asset, in hex
	SHA256
	SHA512
	MD5
)

// Criterion is one condition; all of a query must hold.
type Criterion struct {
	Field Field
	Value string
}

// Place is a repository that is looked in.
type Place struct {
	Repository string
	Format     string
	Content    string // id of its content tree
}

// Query says what to find. The zero Sort is the order of storing.
type Query struct {
	Places     []Place
	Criteria   []Criterion
	Sort       Sort
	Descending bool
	Offset     int
	Limit      int
	// See reports whether a component may be shown; nil shows all.
	See func(Place, *catalog.Component) bool
}

// Hit is a component that was found.
type Hit struct {
	Place     Place
	Component *catalog.Component
}

// Limits of one search.
const (
	// Window is how many hits can be paged through, and the most that are sorted.
	Window = 10_000
	// maxExamined bounds the components that are read for one search.
	maxExamined = 50_000
)

// Search finds at most Limit components behind Offset; more tells that others follow.
func (x *Index) Search(ctx context.Context, q Query) (hits []Hit, more bool, err error) {
	if slices.ContainsFunc(q.Criteria, func(c Criterion) bool { return c.Field == Nothing }) {
		return nil, false, nil
	}
	for _, p := range q.Places {
		if _, err := x.catchUp(ctx, p.Content); err != nil {
			return nil, false, err
		}
	}
	enough := q.Offset + q.Limit + 1
	if q.Sort != Unsorted || enough > Window {
		enough = Window
	}
	examined := 0
	for hit, err := range x.candidates(ctx, &q) {
		if err != nil {
			return nil, false, err
		}
		if examined++; examined > maxExamined {
			break
		}
		ok, err := x.matches(ctx, &q, hit)
		if err != nil {
			return nil, false, err
		}
		if !ok || q.See != nil && !q.See(hit.Place, hit.Component) {
			continue
		}
		if hits = append(hits, hit); len(hits) == enough {
			break
		}
	}
	q.Sort.order(hits, q.Descending)
	if q.Offset >= len(hits) {
		return nil, false, nil
	}
	hits = hits[q.Offset:]
	return hits[:min(q.Limit, len(hits))], len(hits) > q.Limit, nil
}

// candidates delivers components among which all that match are, by the criterion that promises the fewest.
func (x *Index) candidates(ctx context.Context, q *Query) iter.Seq2[Hit, error] {
	for _, c := range q.Criteria {
		if algorithm := digests[c.Field]; algorithm != "" && !wild(c.Value) {
			return x.byDigest(ctx, q.Places, algorithm, c.Value)
		}
	}
	for _, field := range []Field{Name, MavenName, Text, Version, Base, Group, MavenGroup} {
		for _, c := range q.Criteria {
			if c.Field != field {
				continue
			}
			if terms, ok := c.terms(); ok {
				return x.byTerms(ctx, q.Places, terms)
			}
		}
	}
	return x.all(ctx, q.Places)
}

var digests = map[Field]string{SHA1: "sha1", SHA256: "sha256", SHA512: "sha512", MD5: "md5"}

// lookup is a range of terms: one whole, or all with a prefix.
type lookup struct {
	term   term
	prefix bool
}

// terms gives the terms by which a criterion can be looked up; false when it cannot.
func (c Criterion) terms() ([]lookup, bool) {
	letter := map[Field]string{
		Name: termName, MavenName: termName, Version: termVersion, Base: termBase, Group: termGroup, MavenGroup: termGroup,
	}[c.Field]
	if c.Field != Text {
		prefix := literalPrefix(c.Value)
		return []lookup{{term{letter, prefix}, wild(c.Value)}}, prefix != ""
	}
	parsed := parseText(c.Value)
	var lookups []lookup
	for _, word := range parsed.words {
		prefix := literalPrefix(word)
		if prefix == "" {
			return nil, false
		}
		lookups = append(lookups, lookup{term{termWord, prefix}, wild(word)})
	}
	return lookups, len(lookups) > 0
}

// byTerms delivers the components that have one of some terms, each once.
func (x *Index) byTerms(ctx context.Context, places []Place, lookups []lookup) iter.Seq2[Hit, error] {
	byContent := placesByContent(places)
	return func(yield func(Hit, error) bool) {
		seen := make(map[string]bool)
		for _, l := range lookups {
			for _, r := range l.ranges(places) {
				for e, err := range x.store.Scan(ctx, termsPartition, r) {
					if err != nil {
						yield(Hit{}, fmt.Errorf("search: %w", err))
						return
					}
					content, id, ok := posting(e.Sort)
					if !ok || byContent[content] == nil || seen[documentSort(content, id)] {
						continue
					}
					if len(seen) >= maxExamined {
						return
					}
					seen[documentSort(content, id)] = true
					if !x.deliver(ctx, byContent[content], id, yield) {
						return
					}
				}
			}
		}
	}
}

// ranges gives the rows of a lookup: those of each place for a whole term, those of all for a prefix.
func (l lookup) ranges(places []Place) []kv.Range {
	if l.prefix {
		return []kv.Range{kv.Prefix(l.term.String())}
	}
	var all []kv.Range
	for content := range placesByContent(places) {
		all = append(all, kv.Prefix(l.term.String()+"\x00"+content+"\x00"))
	}
	slices.SortFunc(all, func(a, b kv.Range) int { return strings.Compare(a.From, b.From) })
	return all
}

// deliver reads a component and hands it on for each place that shows it.
func (x *Index) deliver(ctx context.Context, places []Place, id uint64, yield func(Hit, error) bool) bool {
	content := places[0].Content
	c, err := x.catalog.Content(content).ComponentByID(ctx, id)
	if errors.Is(err, catalog.ErrNotFound) {
		if err := x.forget(ctx, content, id); err != nil {
			return yield(Hit{}, err) && false
		}
		return true
	}
	if err != nil {
		return yield(Hit{}, fmt.Errorf("search: %w", err)) && false
	}
	for _, p := range places {
		if !yield(Hit{p, c}, nil) {
			return false
		}
	}
	return true
}

// byDigest delivers the components that have an asset with a digest.
func (x *Index) byDigest(ctx context.Context, places []Place, algorithm, digest string) iter.Seq2[Hit, error] {
	byContent := placesByContent(places)
	return func(yield func(Hit, error) bool) {
		seen := make(map[string]bool)
		for match, err := range x.catalog.ByChecksum(ctx, algorithm, digest) {
			if errors.Is(err, catalog.ErrInvalid) { // nothing can have such a digest
				return
			}
			if err != nil {
				yield(Hit{}, fmt.Errorf("search: %w", err))
				return
			}
			at := match.Asset.Component
			if byContent[match.Content] == nil || at == nil {
				continue
			}
			c, err := x.catalog.Content(match.Content).Component(ctx, *at)
			if errors.Is(err, catalog.ErrNotFound) || err == nil && seen[documentSort(match.Content, c.ID)] {
				continue
			}
			if err != nil {
				yield(Hit{}, fmt.Errorf("search: %w", err))
				return
			}
			seen[documentSort(match.Content, c.ID)] = true
			for _, p := range byContent[match.Content] {
				if !yield(Hit{p, c}, nil) {
					return
				}
			}
		}
	}
}

// all delivers the components of some places.
func (x *Index) all(ctx context.Context, places []Place) iter.Seq2[Hit, error] {
	return func(yield func(Hit, error) bool) {
		for _, p := range places {
			for c, err := range x.catalog.Content(p.Content).ComponentsAfterID(ctx, 0) {
				if !yield(Hit{p, c}, err) || err != nil {
					return
				}
			}
		}
	}
}

func placesByContent(places []Place) map[string][]Place {
	byContent := make(map[string][]Place)
	for _, p := range places {
		byContent[p.Content] = append(byContent[p.Content], p)
	}
	return byContent
}
