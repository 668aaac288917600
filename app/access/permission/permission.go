// Package permission is the algebra of permissions: strings such as "nexus:repository-view:maven2:releases:read,browse" whose parts
// are split by ":", whose alternatives inside a part are split by ",", and in which "*" stands for any value of its part. A granted
// permission with fewer parts covers every longer one, so "nexus:*" covers everything. Letter case never matters.
//
// A Set is what one subject was granted, indexed so that a check on a request path needs no parsing and no allocation.
//
// Invariants: nothing is permitted that no granted permission implies; a pattern that cannot be parsed grants nothing.
//
//	want := permission.Application("settings", "read")
//	set := permission.NewSet(granted, nil)
//	ok := set.Permits(want) && set.View("raw", "docs", permission.Read, "/a.txt")
package permission

import (
	"errors"
	"slices"
	"strings"
)

// Any is the alternative that stands for every value of its part.
const Any = "*"

const (
	domainView     = "repository-view"
	domainAdmin    = "repository-admin"
	domainSelector = "repository-content-selector"
	namespace      = "nexus"
)

// Permission is a parsed permission. It is immutable; the zero value implies nothing and is implied by nothing.
type Permission struct {
	parts [][]string // lower case; every part has at least one alternative
	key   string     // the first two parts when each is one literal, for the index of Set
}

var errEmpty = errors.New("permission: empty pattern")

// Parse reads a permission. Trailing empty parts are dropped, as in "nexus:tasks:", which covers all of tasks.
func Parse(pattern string) (Permission, error) {
	pattern = strings.TrimRight(strings.ToLower(strings.TrimSpace(pattern)), ":")
	if pattern == "" {
		return Permission{}, errEmpty
	}
	texts := strings.Split(pattern, ":")
	parts := make([][]string, len(texts))
	for i, text := range texts {
		parts[i] = strings.Split(text, ",")
	}
	return fromParts(parts), nil
}

func fromParts(parts [][]string) Permission {
	p := Permission{parts: parts}
	if len(parts) >= 2 && literal(parts[0]) && literal(parts[1]) {
		p.key = parts[0][0] + ":" + parts[1][0]
	}
	return p
}

func literal(part []string) bool { return len(part) == 1 && part[0] != Any }

// Application is the permission for actions in a domain of the application, such as "settings" or "blobstores". A domain that
// holds ":" makes several parts.
func Application(domain string, actions ...string) Permission {
	return build(append(strings.Split(domain, ":"), strings.Join(actions, ",")))
}

// RepositoryView is the permission to act on the content of a repository.
func RepositoryView(format, repository string, actions ...string) Permission {
	return build([]string{domainView, format, repository, strings.Join(actions, ",")})
}

// RepositoryAdmin is the permission to act on the settings of a repository.
func RepositoryAdmin(format, repository string, actions ...string) Permission {
	return build([]string{domainAdmin, format, repository, strings.Join(actions, ",")})
}

// ContentSelector is the permission to act on what a content selector matches in a repository.
func ContentSelector(selector, format, repository string, actions ...string) Permission {
	return build([]string{domainSelector, selector, format, repository, strings.Join(actions, ",")})
}

// Script is the permission to act on a script.
func Script(name string, actions ...string) Permission {
	return build([]string{"script", name, strings.Join(actions, ",")})
}

// Everything is the permission that only a grant of "nexus:*" (or wider) implies.
func Everything() Permission { return fromParts([][]string{{namespace}, {Any}}) }

// build makes a permission in the common namespace. A part that is empty becomes one that nothing but "*" implies.
func build(texts []string) Permission {
	parts := make([][]string, 0, len(texts)+1)
	parts = append(parts, []string{namespace})
	for _, text := range texts {
		parts = append(parts, strings.Split(strings.ToLower(text), ","))
	}
	return fromParts(parts)
}

// Implies tells whether holding p is enough for want.
func (p Permission) Implies(want Permission) bool {
	if len(p.parts) == 0 || len(want.parts) == 0 {
		return false
	}
	for i, wanted := range want.parts {
		if i >= len(p.parts) {
			return true
		}
		if !covers(p.parts[i], wanted) {
			return false
		}
	}
	for _, surplus := range p.parts[min(len(want.parts), len(p.parts)):] {
		if !slices.Contains(surplus, Any) {
			return false
		}
	}
	return true
}

func covers(granted, wanted []string) bool {
	if slices.Contains(granted, Any) {
		return true
	}
	for _, w := range wanted {
		if !slices.Contains(granted, w) {
			return false
		}
	}
	return true
}

// String gives the permission's text, in lower case.
func (p Permission) String() string {
	texts := make([]string, len(p.parts))
	for i, part := range p.parts {
		texts[i] = strings.Join(part, ",")
	}
	return strings.Join(texts, ":")
}
