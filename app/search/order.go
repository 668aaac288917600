package search

import (
	"cmp"
	"strings"

	"entrepot/storage/catalog"
)

// Sort is an order of hits.
type Sort uint8

// The orders. Hits that are equal in it follow each other by the rest of their coordinates, and then by repository.
const (
	Unsorted     Sort = iota // by repository, and in it as the catalog numbers components
	ByGroup                  // group, name, version
	ByName                   // name, group, version
	ByVersion                // as people count: 1.10 is behind 1.9
	ByRepository             // repository, then as ByGroup
)

// letter is that of the order's rows.
func (s Sort) letter() string {
	switch s {
	case ByName:
		return termName
	case ByVersion:
		return termVersion
	}
	return termGroup
}

// key gives what a component's place in an order follows from: texts compare as components do.
func (s Sort) key(c catalog.Coordinates) string {
	group, name, version := clean(c.Group), clean(c.Name), versionKey(c.Version)
	parts := []string{group, name, version}
	switch s {
	case ByName:
		parts = []string{name, group, version}
	case ByVersion:
		parts = []string{version, group, name}
	}
	return s.letter() + "\x00" + strings.Join(parts, "\x00")
}

// clean makes a text fit for keys, in which a zero byte ends a part.
func clean(text string) string { return cut(strings.ReplaceAll(text, "\x00", "")) }

// versionKey gives a text that compares as versions do: numbers in them by their value, all else letter by letter.
func versionKey(version string) string {
	var b strings.Builder
	for rest := clean(version); rest != ""; {
		var part string
		part, rest = leading(rest)
		if digit(part[0]) {
			part = strings.TrimLeft(part, "0")
			b.WriteByte('0')
			b.WriteByte(byte(len(part) + 1))
		}
		b.WriteString(part)
	}
	return b.String()
}

// leading takes the digits, or all but digits, from the front of a text.
func leading(text string) (part, rest string) {
	number := digit(text[0])
	i := 1
	for i < len(text) && digit(text[i]) == number {
		i++
	}
	return text[:i], text[i:]
}

func digit(c byte) bool { return '0' <= c && c <= '9' }

// position is the place of a hit in an order.
type position struct {
	key        string // "" when unsorted
	repository string
	id         uint64
}

func (s Sort) compare(a, b position) int {
	if s == ByRepository || s == Unsorted {
		return cmp.Or(strings.Compare(a.repository, b.repository), strings.Compare(a.key, b.key), cmp.Compare(a.id, b.id))
	}
	return cmp.Or(strings.Compare(a.key, b.key), strings.Compare(a.repository, b.repository), cmp.Compare(a.id, b.id))
}

// cursor gives a position as text for the next page.
func (p position) cursor() string { return p.repository + "\x00" + idSort(p.id) + p.key }

func parseCursor(text string) (position, bool) {
	repository, rest, ok := strings.Cut(text, "\x00")
	if !ok || len(rest) < idLength {
		return position{}, false
	}
	_, id, ok := splitID("\x00" + rest[:idLength])
	return position{rest[idLength:], repository, id}, ok
}
