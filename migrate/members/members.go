// Package members finds what a row of an unpublished table says by the names of its columns and of the members of its documents, wherever
// they lie: tables of closed parts of an old server are read by what is in them.
//
// Example:
//
//	m := make(members.Set)
//	m.Gather(map[string]any{"NAME_CODE": "AbCd", "token": map[string]any{"passCode": "x"}})
//	m.Text("namecode", "passcode")
package members

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Set holds single values by their names as Name makes them.
type Set map[string]any

// Gather adds the members of a document; those nearer to its top count, and those that are there already.
func (s Set) Gather(document map[string]any) {
	var nested []map[string]any
	for _, name := range slices.Sorted(maps.Keys(document)) {
		if inner, ok := document[name].(map[string]any); ok {
			nested = append(nested, inner)
			continue
		}
		key := Name(name)
		if _, taken := s[key]; !taken && document[name] != nil {
			s[key] = document[name]
		}
	}
	for _, inner := range nested {
		s.Gather(inner)
	}
}

// Name leaves of a name its letters, in lower case, so that NAME_CODE and nameCode are one.
func Name(name string) string {
	return strings.Map(func(c rune) rune {
		if c >= 'a' && c <= 'z' {
			return c
		}
		return -1
	}, strings.ToLower(name))
}

// Text gives the first of the members that is a text, a number or a truth value, as text; "" when none is.
func (s Set) Text(names ...string) string {
	for _, name := range names {
		switch v := s[name].(type) {
		case string:
			if v != "" {
				return v
			}
		case json.Number:
			return v.String()
		case int64:
			return strconv.FormatInt(v, 10)
		case bool:
			return strconv.FormatBool(v)
		}
	}
	return ""
}

// Flag tells whether the first of the members that is there is true, as such or as a text.
func (s Set) Flag(names ...string) bool { return strings.EqualFold(s.Text(names...), "true") }

// Number gives the first of the members that is a whole number, or the fallback.
func (s Set) Number(fallback int, names ...string) int {
	for _, name := range names {
		if n, err := strconv.Atoi(s.Text(name)); err == nil {
			return n
		}
	}
	return fallback
}
