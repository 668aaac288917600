package configuration

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"entrepot/app/access"
	"entrepot/app/domains"
	"entrepot/app/resource"
	"entrepot/storage/kv"
)

// Action is what a change does.
type Action string

// The actions.
const (
	Create Action = "create"
	Update Action = "update"
	Delete Action = "delete"
)

// Plan is what has to change for the server to be what a file says, in the order in which it is done.
type Plan struct {
	Changes  []Change `json:"changes"`
	Revision string   `json:"revision"` // of the configuration that the plan was made for
}

// Change is about one document.
type Change struct {
	Action  Action   `json:"action" enums:"create,update,delete"`
	Section string   `json:"section" example:"repositories"`
	Key     string   `json:"key,omitempty"` // absent when there is one of its kind only
	Members []Member `json:"members,omitempty"`

	section *section
	value   any
	row     kv.Row // of what is changed, as it was compared
}

// Member is a member of a document that changes. Secrets are "***".
type Member struct {
	Path   string `json:"path" example:"upstream.url"`
	Before any    `json:"before,omitempty"` // what JSON says; absent when it was not there
	After  any    `json:"after,omitempty"`  // absent when it goes
}

// Name calls a change by its section and key.
func (c *Change) Name() string {
	if c.Key == "" {
		return c.Section
	}
	return c.Section + "/" + c.Key
}

// Configuration is all that administrators set on a server. Its methods may be called from many goroutines.
type Configuration struct {
	domains  *domains.Domains
	sections []section
}

// New gives the configuration of a server. The order is that of dependency.
func New(d *domains.Domains) *Configuration {
	r := d.Resources()
	return &Configuration{d, []section{
		value(r.OutboundGuard()), value(r.HTTP()), collection(r.Certificates()), collection(r.BlobStores()), collection(r.RoutingRules()), collection(r.CleanupPolicies()), collection(r.Repositories()), collection(r.Selectors()), collection(r.Scripts()), collection(r.Privileges()),
		collection(r.Roles()), collection(r.Users()), collection(r.LDAPServers()), value(r.LDAPOrder()), value(r.OAuth2()), value(r.SAML()), value(r.Realms()), value(r.Anonymous()), value(r.Email()), collection(r.Capabilities()), value(r.AuditSettings()), collection(r.NamedTasks()),
	}}
}

// present is all that there is, by section, and a name for this state of it.
type present struct {
	sections map[string][]document
	revision string
}

func (c *Configuration) read(ctx context.Context) (*present, error) {
	p, sum := &present{sections: make(map[string][]document, len(c.sections))}, sha256.New()
	for _, s := range c.sections {
		documents, err := s.documents(ctx)
		if err != nil {
			return nil, fmt.Errorf("configuration: read %s: %w", s.name, err)
		}
		for _, d := range documents {
			tag, err := resource.Tag(d.value, d.row)
			if err != nil {
				return nil, err
			}
			fmt.Fprintf(sum, "%s %q %s\n", s.name, d.key, tag)
		}
		p.sections[s.name] = documents
	}
	p.revision = base64.RawURLEncoding.EncodeToString(sum.Sum(nil)[:16])
	return p, nil
}

// Export gives the whole configuration.
func (c *Configuration) Export(ctx context.Context) (*Export, error) {
	all, err := c.read(ctx)
	if err != nil {
		return nil, err
	}
	e := &Export{Revision: all.revision, values: make(map[string]any)}
	for _, s := range c.sections {
		documents := all.sections[s.name]
		if s.single && len(documents) == 0 {
			continue
		}
		e.names = append(e.names, s.name)
		if s.single {
			e.values[s.name] = documents[0].value
			continue
		}
		list := make([]any, len(documents))
		for i, d := range documents {
			list[i] = d.value
		}
		e.values[s.name] = list
	}
	return e, nil
}

// section gives the section of a name, nil when there is none.
func (c *Configuration) section(name string) *section {
	i := slices.IndexFunc(c.sections, func(s section) bool { return s.name == name })
	if i < 0 {
		return nil
	}
	return &c.sections[i]
}

// Plan compares a file with what there is. With prune, what the file's sections do not name is to be deleted. What Apply would refuse is
// refused here already, with an *ApplyError.
func (c *Configuration) Plan(ctx context.Context, actor access.Actor, f File, prune bool) (*Plan, error) {
	all, err := c.read(ctx)
	if err != nil {
		return nil, err
	}
	plan := &Plan{Revision: all.revision, Changes: []Change{}}
	var deletions []Change
	for i := range c.sections {
		s := &c.sections[i]
		data, named := f[s.name]
		if !named {
			continue
		}
		made, gone, err := s.compare(ctx, all.sections[s.name], data, prune)
		if err != nil {
			return nil, inSection(s.name, err)
		}
		plan.Changes = append(plan.Changes, made...)
		deletions = append(gone, deletions...)
	}
	for name := range f {
		if c.section(name) == nil {
			return nil, &resource.SyntaxError{Field: name, Message: "there is no such section"}
		}
	}
	plan.Changes = append(plan.Changes, deletions...)
	if len(plan.Changes) > 0 {
		err = c.rehearse(ctx, actor, plan)
	}
	return plan, err
}

// inSection says where in the file something is wrong.
func inSection(name string, err error) error {
	if syntax, ok := err.(*resource.SyntaxError); ok {
		field := name
		if syntax.Field != "" {
			field += "." + syntax.Field
		}
		return &resource.SyntaxError{Field: field, Message: syntax.Message}
	}
	return fmt.Errorf("configuration: %s: %w", name, err)
}

// items gives the documents that a file has for the section.
func (s *section) items(data json.RawMessage) ([]json.RawMessage, error) {
	if s.single {
		return []json.RawMessage{data}, nil
	}
	var list []json.RawMessage
	if err := json.Unmarshal(data, &list); err != nil || list == nil {
		return nil, &resource.SyntaxError{Message: "must be a list"}
	}
	return list, nil
}

// compare gives what has to be made or changed, and what is to be deleted.
func (s *section) compare(ctx context.Context, present []document, data json.RawMessage, prune bool) (made, gone []Change, err error) {
	items, err := s.items(data)
	if err != nil {
		return nil, nil, err
	}
	byKey := make(map[string]document, len(present))
	for _, d := range present {
		byKey[d.key] = d
	}
	var fresh, changed []Change
	needs := map[string][]string{}
	seen := map[string]bool{}
	for i, item := range items {
		change, wanted, err := s.comparison(ctx, byKey, item)
		if err == nil && seen[wanted.key] {
			err = &resource.SyntaxError{Message: "is there twice: " + wanted.key}
		}
		if err != nil {
			return nil, nil, s.at(i, err)
		}
		seen[wanted.key], needs[wanted.key] = true, wanted.needs
		switch {
		case change.Action == Create:
			fresh = append(fresh, change)
		case len(change.Members) > 0:
			changed = append(changed, change)
		}
	}
	if prune {
		gone = s.deletions(present, seen)
	}
	return append(ordered(fresh, needs), changed...), gone, nil
}

// at says which item of a list is wrong.
func (s *section) at(i int, err error) error {
	if s.single {
		return err
	}
	if syntax, ok := err.(*resource.SyntaxError); ok {
		field := fmt.Sprint(i)
		if syntax.Field != "" {
			field += "." + syntax.Field
		}
		return &resource.SyntaxError{Field: field, Message: syntax.Message}
	}
	return fmt.Errorf("item %d: %w", i, err)
}

// comparison compares one document of the file with the present one.
func (s *section) comparison(ctx context.Context, present map[string]document, data json.RawMessage) (Change, document, error) {
	key, err := s.key(data)
	if err != nil {
		return Change{}, document{}, err
	}
	change := Change{Action: Create, Section: s.name, Key: key, section: s}
	var before any
	if d, ok := present[key]; ok {
		before, change.Action, change.row = d.value, Update, d.row
	}
	wanted, err := s.merge(ctx, before, data)
	if err != nil {
		return change, wanted, err
	}
	change.value = wanted.value
	change.Members, err = difference(before, wanted.value)
	return change, wanted, err
}

// deletions gives what a file does not name, dependents first.
func (s *section) deletions(present []document, named map[string]bool) []Change {
	var gone []Change
	needs := map[string][]string{}
	for _, d := range present {
		if named[d.key] || d.permanent {
			continue
		}
		members, err := difference(d.value, nil)
		if err != nil {
			members = nil // it is only for people to read
		}
		needs[d.key] = d.needs
		gone = append(gone, Change{Action: Delete, Section: s.name, Key: d.key, Members: members, section: s, row: d.row})
	}
	gone = ordered(gone, needs)
	slices.Reverse(gone)
	return gone
}

// ordered puts what is needed first. Those that need each other in a circle stay as they are.
func ordered(changes []Change, needs map[string][]string) []Change {
	index := make(map[string]int, len(changes))
	for i, c := range changes {
		index[c.Key] = i
	}
	out := make([]Change, 0, len(changes))
	visited := make([]bool, len(changes))
	var visit func(i int)
	visit = func(i int) {
		if visited[i] {
			return
		}
		visited[i] = true
		for _, key := range needs[changes[i].Key] {
			if j, ok := index[key]; ok {
				visit(j)
			}
		}
		out = append(out, changes[i])
	}
	for i := range changes {
		visit(i)
	}
	return out
}

// difference gives the members that two documents do not have in common; nil is no document.
func difference(before, after any) ([]Member, error) {
	old, err := leaves(before)
	if err != nil {
		return nil, err
	}
	fresh, err := leaves(after)
	if err != nil {
		return nil, err
	}
	var members []Member
	for path, value := range fresh {
		if !bytes.Equal(value, old[path]) {
			members = append(members, Member{Path: path, Before: shown(path, old[path]), After: shown(path, value)})
		}
	}
	for path, value := range old {
		if fresh[path] == nil {
			members = append(members, Member{Path: path, Before: shown(path, value)})
		}
	}
	slices.SortFunc(members, func(a, b Member) int { return cmp.Compare(a.Path, b.Path) })
	return members, nil
}

// shown hides what is a secret by its name.
func shown(path string, value json.RawMessage) any {
	name := path[strings.LastIndexByte(path, '.')+1:]
	switch {
	case value == nil:
		return nil
	case value[0] == '"' && resource.SecretAttribute(name):
		return resource.Hidden
	}
	return value
}

// leaves gives the members of a document that are no objects, by their paths.
func leaves(doc any) (map[string]json.RawMessage, error) {
	all := map[string]json.RawMessage{}
	if doc == nil {
		return all, nil
	}
	data, err := resource.Encode(doc)
	if err != nil {
		return nil, err
	}
	return all, spread(all, "", data)
}

func spread(into map[string]json.RawMessage, path string, data json.RawMessage) error {
	if data[0] != '{' {
		into[path] = data
		return nil
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(data, &members); err != nil {
		return fmt.Errorf("configuration: compare: %w", err)
	}
	for _, name := range slices.Sorted(maps.Keys(members)) {
		below := name
		if path != "" {
			below = path + "." + name
		}
		if err := spread(into, below, members[name]); err != nil {
			return err
		}
	}
	return nil
}
