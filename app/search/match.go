package search

import (
	"context"
	"fmt"
	"strings"

	"entrepot/storage/catalog"
)

const maven2 = "maven2"

// matches reports whether a component meets all criteria. Conditions on assets may be met by different ones.
func (x *Index) matches(ctx context.Context, q *Query, h Hit) (bool, error) {
	var onAssets []Criterion
	for _, c := range q.Criteria {
		switch {
		case c.ofAsset():
			onAssets = append(onAssets, c)
		case !c.matches(h):
			return false, nil
		}
	}
	if len(onAssets) == 0 {
		return true, nil
	}
	met := make([]bool, len(onAssets))
	open := len(onAssets)
	for a, err := range x.catalog.Content(h.Place.Content).ComponentAssets(ctx, h.Component.Coordinates) {
		if err != nil {
			return false, fmt.Errorf("search: %w", err)
		}
		for i, c := range onAssets {
			if have, ok := c.assetValue(a); !met[i] && (c.Value == "" && c.mayLack() && !ok || ok && whole(have, c.Value)) {
				met[i] = true
				open--
			}
		}
		if open == 0 {
			return true, nil
		}
	}
	return false, nil
}

// ofAsset reports whether a criterion looks at assets.
func (c Criterion) ofAsset() bool { return c.Field >= Extension }

// mayLack reports whether an empty value means assets that do not have the field.
func (c Criterion) mayLack() bool { return c.Field == Extension || c.Field == Classifier }

// assetValue gives what an asset has in the field; false when it has nothing.
func (c Criterion) assetValue(a *catalog.Asset) (string, bool) {
	value := ""
	switch c.Field {
	case Extension:
		value = a.Format[extension]
	case Classifier:
		value = a.Format[classifier]
	case SHA1:
		value = a.Digests.SHA1
	case SHA256:
		value = a.Digests.SHA256
	case SHA512:
		value = a.Digests.SHA512
	case MD5:
		value = a.Digests.MD5
	}
	return value, value != ""
}

// MatchesAsset reports whether an asset of a component that was found is meant itself: it meets all criteria on assets, in which no
// character stands for others.
func (q *Query) MatchesAsset(a *catalog.Asset) bool {
	for _, c := range q.Criteria {
		if !c.ofAsset() {
			continue
		}
		have, ok := c.assetValue(a)
		if c.Value == "" && c.mayLack() && !ok {
			continue
		}
		if !ok || have != c.Value {
			return false
		}
	}
	return true
}

// matches is for criteria on the component itself.
func (c Criterion) matches(h Hit) bool {
	at := h.Component
	maven := h.Place.Format == maven2
	switch c.Field {
	case Text:
		return parseText(c.Value).matches(at)
	case Group:
		return whole(at.Group, c.Value)
	case Name:
		return whole(at.Name, c.Value)
	case Version:
		return whole(at.Version, c.Value)
	case Base:
		return maven && whole(at.Attributes[baseVersion], c.Value)
	case MavenGroup:
		return maven && whole(at.Group, c.Value)
	case MavenName:
		return maven && whole(at.Name, c.Value)
	case Prerelease:
		pre := maven && strings.HasSuffix(at.Attributes[baseVersion], "-SNAPSHOT")
		return pre == (c.Value == "true")
	}
	return false
}

// whole compares a value with a pattern. What is empty matches nothing.
func whole(have, pattern string) bool { return have != "" && pattern != "" && Like(have, pattern) }

// text is a criterion of free text.
type text struct {
	words       []string // one of them is enough
	phrase      string   // must be there as it is; in lower case
	coordinates []string // group, name, version: each in its place
	empty       bool
}

// parseText reads free text: words, a phrase in double quotes, or coordinates between colons.
func parseText(value string) text {
	value = strings.TrimSpace(value)
	if phrase, ok := strings.CutPrefix(value, `"`); ok {
		phrase = strings.ToLower(strings.TrimSuffix(phrase, `"`))
		return text{phrase: phrase, words: words(phrase)}
	}
	if parts := strings.Split(value, ":"); len(parts) > 1 && parts[0] != "" && parts[1] != "" && !strings.ContainsAny(value, " \t") {
		return text{coordinates: parts, words: patternWords(parts[1])}
	}
	t := text{words: patternWords(value)}
	t.empty = len(t.words) == 0
	return t
}

func (t text) matches(c *catalog.Component) bool {
	if t.empty {
		return true
	}
	if t.coordinates != nil {
		for i, have := range []string{c.Group, c.Name, c.Version} {
			if i < len(t.coordinates) && !whole(have, t.coordinates[i]) {
				return false
			}
		}
		return true
	}
	for _, field := range keywords(c) {
		if t.phrase != "" {
			if contains(words(field), words(t.phrase)) {
				return true
			}
			continue
		}
		for _, have := range words(field) {
			for _, want := range t.words {
				if Like(have, want) {
					return true
				}
			}
		}
	}
	return false
}

// contains reports whether some words follow each other in a text.
func contains(all, part []string) bool {
	for i := 0; i+len(part) <= len(all); i++ {
		found := true
		for j, word := range part {
			found = found && all[i+j] == word
		}
		if found {
			return true
		}
	}
	return false
}
