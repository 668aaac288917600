package search

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"entrepot/formats"
	"entrepot/storage/catalog"
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

// Query says what to find.
type Query struct {
	Places     []Place
	Criteria   []Criterion
	Sort       Sort
	Descending bool
	After      string // Next of the page before; "" for the first one. Only good for the same query
	Skip       int    // hits to pass over before the page; After is the cheaper way on
	Limit      int    // at least 1
	// See reports whether a component may be shown; nil shows all.
	See func(Place, *catalog.Component) bool
}

// Hit is a component that was found.
type Hit struct {
	Place     Place
	Component *catalog.Component
}

// Page is a part of what was found.
type Page struct {
	Hits []Hit
	Next string // where the next page begins; "" when there is none
}

// ErrTooBroad is the cause of a refusal of a search that would have to look at too many components.
var ErrTooBroad = errors.New("search: too broad")

// ErrBadCursor is the cause of a refusal of a Query.After that no page gave.
var ErrBadCursor = errors.New("search: bad cursor")

// limits are those of one search.
type limits struct {
	examined int // components that are read
	sorted   int // components that are read to be sorted in memory; more are read in the order of rows
	members  int // components that are sorted in memory without being read, or that the rows of an order are cut down to
	set      int // IDs of one content tree that a pattern may stand for; a pattern that stands for more is checked on each component
	words    int // words that a pattern for the inside of words may stand for
}

func defaultLimits() limits {
	return limits{examined: 200_000, sorted: 3_000, members: 20_000, set: 10_000, words: 5_000}
}

// searching is a search under way.
type searching struct {
	*Index
	Query
	ctx      context.Context
	ways     [][]lookup
	digests  []map[string]set // by content, one for each checksum asked for
	after    position
	told     []map[uint64]string // coordinates that the lists told, by place
	page     Page
	last     position // of the last hit of the page
	examined int
}

// Search finds the components that meet all criteria, a page at a time. The pages of a query show every component once that was there
// from the first page to the last.
func (x *Index) Search(ctx context.Context, q Query) (Page, error) {
	if slices.ContainsFunc(q.Criteria, func(c Criterion) bool { return c.Field == Nothing }) {
		return Page{}, nil
	}
	s := &searching{Index: x, Query: q, ctx: ctx, ways: q.lookups()}
	s.Places = slices.Clone(q.Places)
	slices.SortFunc(s.Places, func(a, b Place) int { return strings.Compare(a.Repository, b.Repository) })
	if q.After != "" {
		var ok bool
		if s.after, ok = parseCursor(q.After); !ok {
			return Page{}, &formats.Error{Kind: formats.Invalid, Message: "Invalid continuation token", Err: ErrBadCursor}
		}
	}
	for _, p := range s.Places {
		if _, err := x.catchUp(ctx, p.Content, false); err != nil {
			return Page{}, err
		}
	}
	if err := s.readDigests(); err != nil {
		return Page{}, err
	}
	var err error
	if q.Sort == Unsorted {
		err = s.unsorted()
	} else {
		err = s.sorted()
	}
	return s.page, err
}

// unsorted reads place by place in the order of IDs.
func (s *searching) unsorted() error {
	for _, p := range s.Places {
		from := uint64(0)
		switch strings.Compare(p.Repository, s.after.repository) {
		case -1:
			continue
		case 0:
			from = s.after.id + 1
		}
		if full, err := s.unsortedIn(p, from); err != nil || full {
			return err
		}
	}
	return nil
}

func (s *searching) unsortedIn(p Place, from uint64) (full bool, err error) {
	lists, err := s.listsIn(p.Content)
	if err != nil {
		return false, err
	}
	if len(lists) == 0 {
		for c, err := range s.catalog.Content(p.Content).ComponentsAfterID(s.ctx, max(from, 1)-1) {
			if err != nil {
				return false, fmt.Errorf("search: %w", err)
			}
			if full, err := s.offer(Hit{p, c}, position{"", p.Repository, c.ID}); err != nil || full {
				return full, err
			}
		}
		return false, nil
	}
	cutLists(lists, from, func(id uint64, e error) bool {
		if err = e; err == nil {
			full, err = s.offerID(p, position{"", p.Repository, id})
		}
		return err == nil && !full
	})
	return full, err
}

// listsIn gives the lists of the query in a content tree, those of checksums too.
func (s *searching) listsIn(content string) ([]list, error) {
	for _, ids := range s.digests {
		if len(ids[content]) == 0 {
			return []list{set(nil)}, nil
		}
	}
	lists, err := s.lists(s.ctx, content, s.ways)
	for _, ids := range s.digests {
		lists = append(lists, ids[content])
	}
	return lists, err
}

// offerID reads a component and offers it. What is gone leaves the index.
func (s *searching) offerID(p Place, at position) (full bool, err error) {
	c, err := s.catalog.Content(p.Content).ComponentByID(s.ctx, at.id)
	if errors.Is(err, catalog.ErrNotFound) {
		return false, s.forget(s.ctx, p.Content, at.id)
	}
	if err != nil {
		return false, fmt.Errorf("search: %w", err)
	}
	return s.offer(Hit{p, c}, at)
}

// offer puts a hit on the page, if it matches and may be seen. The page is full when there is one more than it holds.
func (s *searching) offer(h Hit, at position) (full bool, err error) {
	ok, err := s.shows(h)
	if err != nil || !ok {
		return false, err
	}
	if s.Skip > 0 {
		s.Skip--
		return false, nil
	}
	if len(s.page.Hits) == s.Limit {
		s.page.Next = s.last.cursor()
		return true, nil
	}
	s.page.Hits, s.last = append(s.page.Hits, h), at
	return false, nil
}

// shows reports whether a component matches and may be seen.
func (s *searching) shows(h Hit) (bool, error) {
	if s.examined++; s.examined > s.limits.examined {
		return false, &formats.Error{
			Kind: formats.Invalid, Err: ErrTooBroad,
			Message: "The search would have to look at too many components: please name a repository, a group or a name, or begin patterns with letters",
		}
	}
	ok, err := s.matches(s.ctx, &s.Query, h)
	return ok && (s.See == nil || s.See(h.Place, h.Component)), err
}

var digestAlgorithms = map[Field]string{SHA1: "sha1", SHA256: "sha256", SHA512: "sha512", MD5: "md5"}

// readDigests finds the components that have the checksums asked for.
func (s *searching) readDigests() error {
	contents := make([]string, len(s.Places))
	for i, p := range s.Places {
		contents[i] = p.Content
	}
	for _, c := range s.Criteria {
		algorithm := digestAlgorithms[c.Field]
		if algorithm == "" || wild(c.Value) {
			continue
		}
		found := make(map[string]set)
		for match, err := range s.catalog.ByChecksumIn(s.ctx, contents, algorithm, c.Value) {
			if errors.Is(err, catalog.ErrInvalid) { // nothing can have such a digest
				break
			}
			if err != nil {
				return fmt.Errorf("search: %w", err)
			}
			if match.Asset.Component == nil {
				continue
			}
			c, err := s.catalog.Content(match.Content).Component(s.ctx, *match.Asset.Component)
			if errors.Is(err, catalog.ErrNotFound) {
				continue
			}
			if err != nil {
				return fmt.Errorf("search: %w", err)
			}
			found[match.Content] = append(found[match.Content], c.ID)
		}
		for content, ids := range found {
			slices.Sort(ids)
			found[content] = slices.Compact(ids)
		}
		s.digests = append(s.digests, found)
	}
	return nil
}
