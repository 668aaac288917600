// Package names translates between this program's words and those of a Nexus, both ways. It is the one place that knows that what
// is called a cache here is a proxy there, and a proxy here a group there. Everything else that clients or imported data spell in
// the old words goes through it.
//
//	kind here   type there
//	hosted      hosted
//	cache       proxy
//	proxy       group
package names

import (
	"strings"

	"entrepot/formats"
)

// Type gives the old word for a kind: "hosted", "proxy" or "group". It is "" for what is no kind.
func Type(k formats.Kind) string {
	switch k {
	case formats.Hosted:
		return "hosted"
	case formats.Cache:
		return "proxy"
	case formats.Proxy:
		return "group"
	}
	return ""
}

// Kind gives the kind for an old type. The second result is false for an unknown word.
func Kind(oldType string) (formats.Kind, bool) {
	switch oldType {
	case "hosted":
		return formats.Hosted, true
	case "proxy":
		return formats.Cache, true
	case "group":
		return formats.Proxy, true
	}
	return "", false
}

// Recipe gives the old name of a format and kind together, for example "maven2-proxy" for a cache of Maven content.
func Recipe(format string, k formats.Kind) string { return format + "-" + Type(k) }

// ParseRecipe takes a recipe apart. The second result is false when it does not end in a type.
func ParseRecipe(recipe string) (format string, k formats.Kind, ok bool) {
	i := strings.LastIndexByte(recipe, '-')
	if i <= 0 {
		return "", "", false
	}
	k, ok = Kind(recipe[i+1:])
	return recipe[:i], k, ok
}

// Segment gives the word for a format in paths of the REST API, which calls maven2 "maven".
func Segment(format string) string {
	if format == "maven2" {
		return "maven"
	}
	return format
}

// FormatOf gives the format for a word in a path of the REST API.
func FormatOf(segment string) string {
	if segment == "maven" {
		return "maven2"
	}
	return segment
}
