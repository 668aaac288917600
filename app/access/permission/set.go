package permission

import (
	"slices"
	"strings"
)

// Action is a set of the five things one can do with a repository's content or settings.
type Action uint8

// The actions.
const (
	Browse Action = 1 << iota
	Read
	Edit
	Add
	Delete

	allActions = Browse | Read | Edit | Add | Delete
)

// Selector is a named rule over paths that selector permissions refer to.
type Selector struct {
	Name  string
	Match func(format, path string) bool // path begins with "/"
}

// Set is everything that one subject was granted. It is immutable and safe for many goroutines; the zero value permits nothing.
type Set struct {
	granted []Permission
	byKey   map[string][]Permission // permissions whose first two parts are literals
	broad   []Permission            // the others

	view  index
	admin index
	rules []rule
}

// index tells the actions granted in a scope.
type index struct {
	everywhere Action
	scopes     map[scope]Action
}

// scope is a format and a repository, in lower case; each may be Any.
type scope struct{ format, repository string }

// rule grants actions on the paths that a selector matches.
type rule struct {
	scope
	actions Action
	match   func(format, path string) bool
}

// NewSet indexes granted permissions. Selector permissions work only for the selectors given.
func NewSet(granted []Permission, selectors []Selector) *Set {
	s := &Set{granted: granted, byKey: map[string][]Permission{}}
	for _, p := range granted {
		if p.key == "" {
			s.broad = append(s.broad, p)
		} else {
			s.byKey[p.key] = append(s.byKey[p.key], p)
		}
		s.view.add(p.resolve(domainView, 0))
		s.admin.add(p.resolve(domainAdmin, 0))
	}
	for _, p := range granted {
		s.addRules(p, selectors)
	}
	return s
}

func (s *Set) addRules(p Permission, selectors []Selector) {
	for _, sel := range selectors {
		if !p.covers(2, strings.ToLower(sel.Name)) {
			continue
		}
		scopes, actions := p.resolve(domainSelector, 1)
		if (actions|Browse)&^s.view.everywhere == 0 { // nothing to add, not even for Browse
			continue
		}
		for _, sc := range scopes {
			s.rules = append(s.rules, rule{scope: sc, actions: actions, match: sel.Match})
		}
	}
}

// covers tells whether part i of p allows the literal value; a missing part allows all.
func (p Permission) covers(i int, value string) bool {
	return i >= len(p.parts) || slices.Contains(p.parts[i], Any) || slices.Contains(p.parts[i], value)
}

// resolve gives the scopes and actions that p grants in a repository domain, whose format part comes skip parts after the domain.
func (p Permission) resolve(domain string, skip int) ([]scope, Action) {
	at := 2 + skip
	if len(p.parts) == 0 || !p.covers(0, namespace) || !p.covers(1, domain) {
		return nil, 0
	}
	for i := at + 3; i < len(p.parts); i++ {
		if !slices.Contains(p.parts[i], Any) {
			return nil, 0
		}
	}
	actions := p.actions(at + 2)
	if actions == 0 {
		return nil, 0
	}
	var scopes []scope
	for _, format := range p.alternatives(at) {
		for _, repository := range p.alternatives(at + 1) {
			scopes = append(scopes, scope{format, repository})
		}
	}
	return scopes, actions
}

func (p Permission) alternatives(i int) []string {
	if p.covers(i, Any) {
		return []string{Any}
	}
	return p.parts[i]
}

func (p Permission) actions(i int) Action {
	if p.covers(i, Any) {
		return allActions
	}
	var set Action
	for _, name := range p.parts[i] {
		set |= ParseAction(name)
	}
	return set
}

// ParseAction gives the action of a lower-case name, or 0 when the name means none of the five.
func ParseAction(name string) Action {
	switch name {
	case "browse":
		return Browse
	case "read":
		return Read
	case "edit":
		return Edit
	case "add":
		return Add
	case "delete":
		return Delete
	}
	return 0
}

func (x *index) add(scopes []scope, actions Action) {
	for _, sc := range scopes {
		if sc == (scope{Any, Any}) {
			x.everywhere |= actions
			continue
		}
		if x.scopes == nil {
			x.scopes = map[scope]Action{}
		}
		x.scopes[sc] |= actions
	}
}

// find gives the actions held on a repository. Both names are in lower case.
func (x *index) find(format, repository string) Action {
	if x.everywhere == allActions || len(x.scopes) == 0 {
		return x.everywhere
	}
	return x.everywhere | x.scopes[scope{format, repository}] | x.scopes[scope{Any, repository}] | x.scopes[scope{format, Any}]
}

// Permits tells whether one of the granted permissions implies want.
func (s *Set) Permits(want Permission) bool {
	if want.key == "" {
		return implied(s.granted, want)
	}
	return implied(s.byKey[want.key], want) || implied(s.broad, want)
}

func implied(granted []Permission, want Permission) bool {
	for i := range granted {
		if granted[i].Implies(want) {
			return true
		}
	}
	return false
}

// View tells whether all the actions are allowed on a path of a repository's content, by a view permission or through a selector.
// The path may come with or without its leading slash.
func (s *Set) View(format, repository string, actions Action, path string) bool {
	format, repository = strings.ToLower(format), strings.ToLower(repository)
	missing := actions &^ s.view.find(format, repository)
	if missing == 0 {
		return actions != 0
	}
	if len(s.rules) == 0 {
		return false
	}
	if !strings.HasPrefix(path, "/") {
		path = "/" + path
	}
	for i := range s.rules {
		r := &s.rules[i]
		if r.actions&missing == 0 || !r.within(format, repository) || !r.match(format, path) {
			continue
		}
		if missing &^= r.actions; missing == 0 {
			return true
		}
	}
	return false
}

// Browse tells whether an entry of a folder may be shown: with the permission to browse the repository, or when a selector that was
// granted for it, whatever for, matches the path. The path of a folder ends in a slash.
func (s *Set) Browse(format, repository, path string) bool {
	format, repository = strings.ToLower(format), strings.ToLower(repository)
	if s.view.find(format, repository)&Browse != 0 {
		return true
	}
	for i := range s.rules {
		if r := &s.rules[i]; r.within(format, repository) && r.match(format, path) {
			return true
		}
	}
	return false
}

// Enter tells whether one of the actions is allowed on at least some path of a repository, so that the repository may be shown.
// A selector counts whatever its expression.
func (s *Set) Enter(format, repository string, anyOf Action) bool {
	format, repository = strings.ToLower(format), strings.ToLower(repository)
	if s.view.find(format, repository)&anyOf != 0 {
		return true
	}
	for i := range s.rules {
		if s.rules[i].actions&anyOf != 0 && s.rules[i].within(format, repository) {
			return true
		}
	}
	return false
}

// Admin tells whether all the actions are allowed on a repository's settings.
func (s *Set) Admin(format, repository string, actions Action) bool {
	return actions != 0 && actions&^s.admin.find(strings.ToLower(format), strings.ToLower(repository)) == 0
}

// Granted gives the text of every permission of the set, each once, sorted.
func (s *Set) Granted() []string {
	texts := make([]string, len(s.granted))
	for i, p := range s.granted {
		texts[i] = p.String()
	}
	slices.Sort(texts)
	return slices.Compact(texts)
}

// Common gives the texts of the permissions of either set that the other implies, each once, sorted.
func (s *Set) Common(other *Set) []string {
	var texts []string
	for _, pair := range [][2]*Set{{s, other}, {other, s}} {
		for _, p := range pair[0].granted {
			if pair[1].Permits(p) {
				texts = append(texts, p.String())
			}
		}
	}
	slices.Sort(texts)
	return slices.Compact(texts)
}

func (r *rule) within(format, repository string) bool {
	return (r.format == Any || r.format == format) && (r.repository == Any || r.repository == repository)
}
