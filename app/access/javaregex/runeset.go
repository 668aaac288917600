package javaregex

import (
	"slices"
	"sort"
	"unicode"
)

// runeSet is a set of characters: sorted ranges that do not touch each other.
type runeSet []runeRange

type runeRange struct{ lo, hi rune }

func setOf(pairs ...rune) runeSet {
	var s runeSet
	for i := 0; i+1 < len(pairs); i += 2 {
		s = append(s, runeRange{pairs[i], pairs[i+1]})
	}
	return s.normal()
}

func single(r rune) runeSet { return runeSet{{r, r}} }

// normal sorts and joins the ranges.
func (s runeSet) normal() runeSet {
	slices.SortFunc(s, func(a, b runeRange) int { return int(a.lo) - int(b.lo) })
	out := s[:0]
	for _, r := range s {
		if n := len(out); n > 0 && r.lo <= out[n-1].hi+1 {
			out[n-1].hi = max(out[n-1].hi, r.hi)
			continue
		}
		out = append(out, r)
	}
	return out
}

func (s runeSet) union(t runeSet) runeSet { return slices.Concat(s, t).normal() }

func (s runeSet) negate() runeSet {
	var out runeSet
	next := rune(0)
	for _, r := range s {
		if r.lo > next {
			out = append(out, runeRange{next, r.lo - 1})
		}
		next = r.hi + 1
	}
	if next <= unicode.MaxRune {
		out = append(out, runeRange{next, unicode.MaxRune})
	}
	return out
}

func (s runeSet) intersect(t runeSet) runeSet { return s.negate().union(t.negate()).negate() }

func (s runeSet) has(r rune) bool {
	i := sort.Search(len(s), func(i int) bool { return s[i].hi >= r })
	return i < len(s) && s[i].lo <= r
}

// foldASCII adds the other case of every ASCII letter of the set.
func (s runeSet) foldASCII() runeSet {
	out := slices.Clone(s)
	for r := 'a'; r <= 'z'; r++ {
		upper := r - 'a' + 'A'
		if s.has(r) != s.has(upper) {
			out = append(out, runeRange{r, r}, runeRange{upper, upper})
		}
	}
	return out.normal()
}

// maxFold bounds the characters whose other cases are looked up one by one; larger sets are folded in ASCII only.
const maxFold = 4096

// foldUnicode adds all other cases of every letter of the set.
func (s runeSet) foldUnicode() runeSet {
	size := 0
	for _, r := range s {
		size += int(r.hi-r.lo) + 1
	}
	if size > maxFold {
		return s.foldASCII()
	}
	out := slices.Clone(s)
	for _, r := range s {
		for c := r.lo; c <= r.hi; c++ {
			for f := unicode.SimpleFold(c); f != c; f = unicode.SimpleFold(f) {
				out = append(out, runeRange{f, f})
			}
		}
	}
	return out.normal()
}

func fromTable(tables ...*unicode.RangeTable) runeSet {
	var s runeSet
	for _, table := range tables {
		for _, r := range table.R16 {
			s = s.stride(rune(r.Lo), rune(r.Hi), rune(r.Stride))
		}
		for _, r := range table.R32 {
			s = s.stride(rune(r.Lo), rune(r.Hi), rune(r.Stride))
		}
	}
	return s.normal()
}

func (s runeSet) stride(lo, hi, step rune) runeSet {
	if step == 1 {
		return append(s, runeRange{lo, hi})
	}
	for r := lo; r <= hi; r += step {
		s = append(s, runeRange{r, r})
	}
	return s
}
