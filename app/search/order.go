package search

import (
	"cmp"
	"slices"
	"strings"
)

// Sort is an order of hits.
type Sort uint8

// The orders. Hits that are equal follow each other by group, name and version.
const (
	Unsorted Sort = iota
	ByGroup
	ByName
	ByVersion // as people count: 1.10 is behind 1.9
	ByRepository
)

func (s Sort) order(hits []Hit, descending bool) {
	if s == Unsorted {
		return
	}
	slices.SortStableFunc(hits, func(a, b Hit) int {
		n := s.compare(a, b)
		if descending {
			n = -n
		}
		return cmp.Or(n, strings.Compare(a.Component.Group, b.Component.Group), strings.Compare(a.Component.Name, b.Component.Name),
			strings.Compare(a.Component.Version, b.Component.Version), strings.Compare(a.Place.Repository, b.Place.Repository))
	})
}

func (s Sort) compare(a, b Hit) int {
	switch s {
	case ByGroup:
		return strings.Compare(a.Component.Group, b.Component.Group)
	case ByName:
		return strings.Compare(a.Component.Name, b.Component.Name)
	case ByVersion:
		return compareVersions(a.Component.Version, b.Component.Version)
	}
	return strings.Compare(a.Place.Repository, b.Place.Repository)
}

// compareVersions compares numbers in versions by their value and all else letter by letter.
func compareVersions(a, b string) int {
	for a != "" && b != "" {
		var x, y string
		x, a = leading(a)
		y, b = leading(b)
		if n := comparePart(x, y); n != 0 {
			return n
		}
	}
	return cmp.Compare(len(a), len(b))
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

func comparePart(x, y string) int {
	if !digit(x[0]) || !digit(y[0]) {
		return strings.Compare(x, y)
	}
	x, y = strings.TrimLeft(x, "0"), strings.TrimLeft(y, "0")
	return cmp.Or(cmp.Compare(len(x), len(y)), strings.Compare(x, y))
}
