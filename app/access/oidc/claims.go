package oidc

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"entrepot/app/access"
)

const (
	maxID     = 512  // bytes of a user's or group's name
	maxGroups = 1000 // of one user that are read
)

// find gives a claim. A name that is no claim by itself is a path through objects, with dots between the names.
func find(claims map[string]any, name string) (any, bool) {
	for name != "" {
		if value, ok := claims[name]; ok {
			return value, true
		}
		first, rest, deeper := strings.Cut(name, ".")
		below, ok := claims[first].(map[string]any)
		if !deeper || !ok {
			return nil, false
		}
		claims, name = below, rest
	}
	return nil, false
}

// user gives who the claims of a token tell of.
func (c *Claims) user(claims map[string]any) (access.DirectoryUser, error) {
	value, _ := find(claims, c.Username)
	id, ok := value.(string)
	if !ok || !fit(id) {
		return access.DirectoryUser{}, refuse("the token has no claim %s with the name of a user", c.Username)
	}
	return access.DirectoryUser{
		ID: id, FirstName: named(claims, c.FirstName), LastName: named(claims, c.LastName), Email: named(claims, c.Email), Groups: groups(claims, c.Groups),
	}, nil
}

// fit tells whether a text can name a user or group.
func fit(text string) bool {
	return text != "" && strings.TrimSpace(text) == text && len(text) <= maxID && utf8.ValidString(text) && !strings.ContainsFunc(text, unicode.IsControl)
}

// named gives a claim for people to read; "" when there is none that fits.
func named(claims map[string]any, name string) string {
	value, _ := find(claims, name)
	text, _ := value.(string)
	if !fit(text) {
		return ""
	}
	return text
}

// groups gives a claim that is a list of strings, or one.
func groups(claims map[string]any, name string) []string {
	value, _ := find(claims, name)
	list, several := value.([]any)
	if !several {
		list = []any{value}
	}
	var all []string
	for _, item := range list {
		if text, _ := item.(string); fit(text) && len(all) < maxGroups {
			all = append(all, text)
		}
	}
	return all
}
