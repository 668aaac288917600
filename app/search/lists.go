package search

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"strings"

	"entrepot/storage/kv"
)

// list gives IDs in ascending order.
type list interface {
	// next gives the smallest ID that is not below from; false when there is none.
	next(from uint64) (id uint64, ok bool, err error)
}

// posting is the list of one term, read piece by piece.
type posting struct {
	ctx       context.Context
	store     *kv.Store
	partition string
	prefix    string // of the term's rows, up to the ID
	ids       []uint64
	room      int
	last      bool // ids ends where the list ends
	// told are the coordinates beside the IDs, as rows hold them; nil when nobody wants them.
	told map[uint64]string
}

const (
	firstRoom = 32
	mostRoom  = 1024
)

func (l *posting) next(from uint64) (uint64, bool, error) {
	for {
		at, _ := slices.BinarySearch(l.ids, from)
		if l.ids = l.ids[at:]; len(l.ids) > 0 {
			return l.ids[0], true, nil
		}
		if l.last {
			return 0, false, nil
		}
		if err := l.read(from); err != nil {
			return 0, false, err
		}
	}
}

func (l *posting) read(from uint64) error {
	l.room = min(max(firstRoom, 2*l.room), mostRoom)
	l.ids = make([]uint64, 0, l.room)
	r := kv.Range{From: l.prefix + idSort(from), To: kv.After(l.prefix), Limit: l.room}
	for e, err := range l.store.Scan(l.ctx, l.partition, r) {
		if err != nil {
			return fmt.Errorf("search: %w", err)
		}
		if _, id, ok := splitID(e.Sort); ok {
			l.ids = append(l.ids, id)
			if l.told != nil && len(e.Value) > 0 {
				l.told[id] = string(e.Value)
			}
		}
	}
	l.last = len(l.ids) < l.room
	return nil
}

// set is a list in memory, in order.
type set []uint64

func (s set) next(from uint64) (uint64, bool, error) {
	at, _ := slices.BinarySearch(s, from)
	if at == len(s) {
		return 0, false, nil
	}
	return s[at], true, nil
}

// cutLists delivers, from a given ID on, the IDs that are in all of some lists.
func cutLists(lists []list, from uint64, yield func(uint64, error) bool) {
	for {
		id, common := from, 0
		for i := 0; common < len(lists); i = (i + 1) % len(lists) {
			next, ok, err := lists[i].next(id)
			if err != nil {
				yield(0, err)
				return
			}
			if !ok {
				return
			}
			if next != id {
				id, common = next, 0
			}
			common++
		}
		if !yield(id, nil) || id == ^uint64(0) {
			return
		}
		from = id + 1
	}
}

// lookup is how the rows of a criterion are found. Several stand for each other.
type lookup struct {
	field string
	value string
	kind  lookupKind
}

type lookupKind uint8

const (
	wholeTerm  lookupKind = iota
	termPrefix            // terms that begin with value
	insideWord            // words that hold value
)

// lookups gives the ways to look a query up: for each one of them, all components that match are among those found by any of its
// lookups.
func (q *Query) lookups() [][]lookup {
	var all [][]lookup
	for _, c := range q.Criteria {
		all = append(all, c.lookups()...)
	}
	return all
}

var termFields = map[Field]string{
	Name: termName, MavenName: termName, Version: termVersion, Base: termBase, Group: termGroup, MavenGroup: termGroup,
	Prerelease: termPrerelease, Extension: termExtension, Classifier: termClassifier,
}

func (c Criterion) lookups() [][]lookup {
	if field := termFields[c.Field]; field != "" {
		return fieldLookups(field, c.Value, !c.ofAsset())
	}
	if c.Field != Text {
		return nil
	}
	parsed := parseText(c.Value)
	var all [][]lookup
	switch {
	case parsed.coordinates != nil:
		for i, field := range []string{termGroup, termName, termVersion} {
			if i < len(parsed.coordinates) {
				all = append(all, fieldLookups(field, parsed.coordinates[i], true)...)
			}
		}
		return all
	case parsed.phrase != "":
		for _, word := range parsed.words {
			all = append(all, []lookup{{termWord, cut(word), wholeTerm}})
		}
		return all
	}
	var anyOf []lookup
	for _, word := range parsed.words {
		l, ok := wordLookup(word)
		if !ok {
			return nil
		}
		anyOf = append(anyOf, l)
	}
	if len(anyOf) == 0 {
		return nil
	}
	return [][]lookup{anyOf}
}

// fieldLookups gives how a pattern for a whole field is looked up. inWords tells that the field's words are terms too.
func fieldLookups(field, pattern string, inWords bool) [][]lookup {
	if !wild(pattern) {
		return [][]lookup{{{field, cut(pattern), wholeTerm}}}
	}
	prefix := literalPrefix(pattern)
	var all [][]lookup
	if prefix != "" {
		all = append(all, []lookup{{field, prefix, termPrefix}})
	}
	if !inWords || len(prefix) >= gramLength {
		return all
	}
	for _, piece := range strings.FieldsFunc(pattern, isWild) {
		for _, l := range piecesOfWords(piece) {
			all = append(all, []lookup{l})
		}
	}
	return all
}

// piecesOfWords gives how the words are looked up that a piece of a text is made of. Those at its ends may go on outside of it, also
// behind a dot.
func piecesOfWords(piece string) []lookup {
	var all []lookup
	text := strings.ToLower(piece)
	at := 0
	for _, word := range words(piece) {
		at += strings.Index(text[at:], word)
		begins := at > 0 && text[at-1] != '.'
		at += len(word)
		ends := at < len(text) && text[at] != '.'
		switch {
		case begins && ends:
			all = append(all, lookup{termWord, cut(word), wholeTerm})
		case begins:
			all = append(all, lookup{termWord, cut(word), termPrefix})
		case len([]rune(word)) >= gramLength:
			all = append(all, lookup{termWord, cut(word), insideWord})
		}
	}
	return all
}

func isWild(r rune) bool { return r == '*' || r == '?' }

// wordLookup gives how a pattern for a word is looked up; false when it cannot be.
func wordLookup(pattern string) (lookup, bool) {
	if !wild(pattern) {
		return lookup{termWord, cut(pattern), wholeTerm}, true
	}
	prefix, longest := literalPrefix(pattern), ""
	for _, piece := range strings.FieldsFunc(pattern, isWild) {
		if len(piece) > len(longest) {
			longest = piece
		}
	}
	if len(prefix) < gramLength && len([]rune(longest)) >= gramLength {
		return lookup{termWord, cut(longest), insideWord}, true
	}
	return lookup{termWord, prefix, termPrefix}, prefix != ""
}

// lists gives the lists of a query in one content tree. When there is none, every component is to be checked.
func (x *Index) lists(ctx context.Context, content string, lookups [][]lookup) ([]list, error) {
	p := partitionsOf(content)
	var all []list
	for _, anyOf := range lookups {
		if len(anyOf) == 1 && anyOf[0].kind == wholeTerm {
			all = append(all, &posting{ctx: ctx, store: x.store, partition: p.terms, prefix: anyOf[0].term() + "\x00"})
			continue
		}
		ids, ok, err := x.collect(ctx, p, anyOf)
		if err != nil {
			return nil, err
		}
		if ok {
			all = append(all, ids)
		}
	}
	slices.SortStableFunc(all, func(a, b list) int { return cmp.Compare(weight(a), weight(b)) })
	return all, nil
}

// weight puts sets in front, the shortest first.
func weight(l list) int {
	if s, ok := l.(set); ok {
		return len(s)
	}
	return math.MaxInt
}

func (l lookup) term() string { return term{l.field, l.value}.String() }

// collect gathers the IDs of some lookups; false when they are too many.
func (x *Index) collect(ctx context.Context, p partitions, anyOf []lookup) (set, bool, error) {
	var ranges []kv.Range
	for _, l := range anyOf {
		switch l.kind {
		case wholeTerm:
			ranges = append(ranges, kv.Prefix(l.term()+"\x00"))
		case termPrefix:
			ranges = append(ranges, kv.Prefix(l.term()))
		case insideWord:
			found, ok, err := x.wordsWith(ctx, p, l.value)
			if err != nil || !ok {
				return nil, false, err
			}
			for _, word := range found {
				ranges = append(ranges, kv.Prefix(term{termWord, word}.String()+"\x00"))
			}
		}
	}
	var ids set
	for _, r := range ranges {
		r.Limit = x.limits.set + 1 - len(ids)
		for e, err := range x.store.Scan(ctx, p.terms, r) {
			if err != nil {
				return nil, false, fmt.Errorf("search: %w", err)
			}
			if _, id, ok := splitID(e.Sort); ok {
				ids = append(ids, id)
			}
		}
		if len(ids) > x.limits.set {
			return nil, false, nil
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids), true, nil
}

// wordsWith gives the words that hold some letters, at least three; false when they are too many.
func (x *Index) wordsWith(ctx context.Context, p partitions, inside string) ([]string, bool, error) {
	var found []string
	gram := string([]rune(inside)[:gramLength]) + "\x00"
	r := kv.Prefix(gram)
	r.Limit = x.limits.words + 1
	read := 0
	for e, err := range x.store.Scan(ctx, p.grams, r) {
		if err != nil {
			return nil, false, fmt.Errorf("search: %w", err)
		}
		if read++; read > x.limits.words {
			return nil, false, nil
		}
		if word := e.Sort[len(gram):]; strings.Contains(word, inside) {
			found = append(found, strings.Clone(word))
		}
	}
	return found, true, nil
}
