package search

import (
	"slices"
	"strconv"
	"strings"
	"unicode"

	"entrepot/storage/catalog"
)

// The letters of fields in keys.
const (
	termGroup      = "g"
	termName       = "n"
	termVersion    = "v"
	termBase       = "b"
	termPrerelease = "p"
	termWord       = "w"
	termExtension  = "e"
	termClassifier = "c"
)

// Limits of terms. Longer ones are cut: a match is always checked against the component itself.
const (
	maxTerm  = 200 // bytes
	maxWords = 60  // of one component
	maxTerms = 80  // of one component and its assets, so that they fit one batch
)

// baseVersion is the attribute of a component that tells the version clients ask for where it differs from the stored one.
const baseVersion = "baseVersion"

// The attributes of an asset that components are found by.
const (
	extension  = "extension"
	classifier = "classifier"
)

// term is one way to find a component.
type term struct{ field, value string }

func (t term) String() string { return t.field + "\x00" + t.value }

// termsOf gives the terms of a component, each once.
func termsOf(c *catalog.Component) []string {
	var all []string
	add := func(field, value string) {
		key := term{field, cut(value)}.String()
		if value != "" && strings.IndexByte(value, 0) < 0 && len(all) < maxWords && !slices.Contains(all, key) {
			all = append(all, key)
		}
	}
	add(termGroup, c.Group)
	add(termName, c.Name)
	add(termVersion, c.Version)
	add(termBase, c.Attributes[baseVersion])
	add(termPrerelease, strconv.FormatBool(snapshot(c)))
	for _, text := range keywords(c) {
		for _, word := range words(text) {
			add(termWord, word)
		}
	}
	return all
}

// snapshot reports whether clients see a Maven component as not released.
func snapshot(c *catalog.Component) bool {
	return strings.HasSuffix(c.Attributes[baseVersion], "-SNAPSHOT")
}

// assetTerms gives what a component is found by for one of its assets. Having no classifier is a term too.
func assetTerms(a *catalog.Asset) []string {
	return []string{
		term{termExtension, cut(a.Format[extension])}.String(), term{termClassifier, cut(a.Format[classifier])}.String(),
	}
}

// keywords are the texts of a component that free text is looked for in.
func keywords(c *catalog.Component) []string {
	return []string{c.Group, c.Name, c.Version, c.Attributes[baseVersion]}
}

// words splits a text into words in lower case. A dot between two letters or two digits belongs to its word.
func words(text string) []string {
	return split(text, func(rune) bool { return false })
}

// patternWords is words for a text in which * and ? stand for others.
func patternWords(text string) []string {
	return split(text, func(r rune) bool { return r == '*' || r == '?' })
}

func split(text string, also func(rune) bool) []string {
	runes := []rune(strings.ToLower(text))
	inWord := func(i int) bool {
		if i < 0 || i >= len(runes) {
			return false
		}
		return unicode.IsLetter(runes[i]) || unicode.IsDigit(runes[i]) || runes[i] == '_' || also(runes[i])
	}
	var all []string
	start := -1
	for i := 0; i <= len(runes); i++ {
		joined := i < len(runes) && runes[i] == '.' && inWord(i-1) && inWord(i+1)
		switch {
		case inWord(i) || joined:
			if start < 0 {
				start = i
			}
		case start >= 0:
			all = append(all, string(runes[start:i]))
			start = -1
		}
	}
	return all
}

func cut(value string) string {
	if len(value) <= maxTerm {
		return value
	}
	return value[:maxTerm]
}

// tells reports whether the rows of a term tell coordinates too: those whose lists are long enough for sorting to cost reads.
func tells(term string) bool {
	return strings.HasPrefix(term, termGroup+"\x00") || strings.HasPrefix(term, termName+"\x00") || strings.HasPrefix(term, termVersion+"\x00") ||
		strings.HasPrefix(term, termBase+"\x00")
}

// told gives coordinates as rows tell them, good for keys of orders.
func told(c catalog.Coordinates) string {
	return clean(c.Group) + "\x00" + clean(c.Name) + "\x00" + clean(c.Version)
}

func parseTold(text string) (c catalog.Coordinates, ok bool) {
	parts := strings.Split(text, "\x00")
	if len(parts) != 3 {
		return c, false
	}
	return catalog.Coordinates{Group: parts[0], Name: parts[1], Version: parts[2]}, true
}

// orderKeys gives the keys of a component in each order.
func orderKeys(c *catalog.Component) []string {
	return []string{ByGroup.key(c.Coordinates), ByName.key(c.Coordinates), ByVersion.key(c.Coordinates)}
}

// wild reports whether a value holds * or ?.
func wild(value string) bool { return strings.ContainsAny(value, "*?") }

// literalPrefix is what every match of a pattern begins with.
func literalPrefix(pattern string) string {
	if i := strings.IndexAny(pattern, "*?"); i >= 0 {
		pattern = pattern[:i]
	}
	return cut(pattern)
}

// Like reports whether a text matches a pattern, in which * stands for any characters and ? for one.
func Like(text, pattern string) bool {
	star, mark := -1, 0
	i, j := 0, 0
	for i < len(text) {
		switch {
		case j < len(pattern) && pattern[j] == '*':
			star, mark = j, i
			j++
		case j < len(pattern) && (pattern[j] == '?' || pattern[j] == text[i]):
			i++
			j++
		case star >= 0:
			mark++
			i, j = mark, star+1
		default:
			return false
		}
	}
	return strings.Trim(pattern[j:], "*") == ""
}
