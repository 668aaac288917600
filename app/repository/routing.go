package repository

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"entrepot/app/access/javaregex"
	"entrepot/app/audit"
	"entrepot/formats"
	"entrepot/storage/kv"
)

// rule is a routing rule with its expressions compiled.
type rule struct {
	def      RoutingRule
	version  uint64
	matchers []*javaregex.Regexp
	broken   bool // an expression is not understood: everything is refused
}

func buildRule(old *state, rec stored[RoutingRule]) *rule {
	if r := old.rules[rec.value.Name]; r != nil && r.version == rec.version {
		return r
	}
	r := &rule{def: rec.value, version: rec.version}
	for _, expression := range rec.value.Matchers {
		m, err := javaregex.Compile(expression)
		if err != nil {
			r.broken = true
			break
		}
		r.matchers = append(r.matchers, m)
	}
	return r
}

// refuses decides on a path, with "?" and the parameters behind it when the request has any. An
// expression that is not understood refuses everything, and one that cannot be decided in its bounds refuses this request.
func (r *rule) refuses(target string) bool {
	if r.broken {
		return true
	}
	for _, m := range r.matchers {
		matched, decided := m.Decide(target)
		switch {
		case !decided:
			return true
		case matched:
			return r.def.Mode == RuleBlock
		}
	}
	return r.def.Mode == RuleAllow
}

// Allows decides on a path as a repository with this rule would, whose name does not matter; a rule without matchers matches nothing. It
// returns FieldErrors when an expression is none.
func (r RoutingRule) Allows(target string) (bool, error) {
	if problems := checkMatchers(r.Matchers); len(problems) > 0 {
		return false, problems
	}
	return !buildRule(&state{}, stored[RoutingRule]{value: r}).refuses(target), nil
}

// refuseRoute is nil when the repository's routing rule, if any, lets the request pass.
func (r *repo) refuseRoute(req *formats.Request) error {
	if r.rule == nil {
		return nil
	}
	target := req.Path
	if req.RawQuery != "" {
		target += "?" + req.RawQuery
	}
	if !r.rule.refuses(target) {
		return nil
	}
	return &formats.Error{Kind: formats.Forbidden, Message: "Routing rules block the requested item from this repository"}
}

// RoutingRules gives all routing rules by name.
func (e *Engine) RoutingRules() []RoutingRule {
	s := e.state.Load()
	rules := make([]RoutingRule, 0, len(s.rules))
	for _, r := range s.rules {
		rules = append(rules, r.def)
	}
	slices.SortFunc(rules, func(a, b RoutingRule) int { return cmp.Compare(a.Name, b.Name) })
	return rules
}

// RoutingRule gives a routing rule. The cause of its refusal is ErrNotFound.
func (e *Engine) RoutingRule(name string) (RoutingRule, error) {
	r := e.state.Load().rules[name]
	if r == nil {
		return RoutingRule{}, errRuleNotFound(name)
	}
	return r.def, nil
}

// RoutingRuleUsers gives the names of the repositories that a rule is assigned to.
func (e *Engine) RoutingRuleUsers(name string) []string {
	var users []string
	for _, r := range e.state.Load().ordered {
		if r.def.RoutingRule == name {
			users = append(users, r.def.Name)
		}
	}
	return users
}

// CheckRoutingRule reports what is wrong with a rule that is to take the place of the one called before; "" when it is new.
func (e *Engine) CheckRoutingRule(before string, r RoutingRule) formats.FieldErrors {
	return checkRule(e.state.Load(), before, r)
}

// CreateRoutingRule adds a routing rule. It returns FieldErrors when the definition is wrong.
func (e *Engine) CreateRoutingRule(ctx context.Context, r RoutingRule) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if problems := checkRule(e.state.Load(), "", r); len(problems) > 0 {
		return problems
	}
	if err := e.writable(); err != nil {
		return err
	}
	value, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("repository: encode routing rule: %w", err)
	}
	if err := e.apply(ctx, kv.PutNew(ruleKey(r.Name), value)); err != nil {
		return err
	}
	e.tell(ctx, "", audit.Event{Action: "routing-rule.create", Object: r.Name, After: r})
	return nil
}

// UpdateRoutingRule replaces the routing rule called name. With another name in r it is renamed, in all repositories that use it.
func (e *Engine) UpdateRoutingRule(ctx context.Context, name string, r RoutingRule) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	s := e.state.Load()
	if problems := checkRule(s, name, r); len(problems) > 0 {
		return problems
	}
	before := s.rules[name]
	if before == nil {
		return errRuleNotFound(name)
	}
	if err := e.writable(); err != nil {
		return err
	}
	value, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("repository: encode routing rule: %w", err)
	}
	ops := []kv.Op{kv.PutIf(ruleKey(name), value, before.version)}
	if name != r.Name {
		if ops, err = e.renameRule(s, before, r.Name, value); err != nil {
			return err
		}
	}
	if err := e.apply(ctx, ops...); err != nil {
		return err
	}
	e.tell(ctx, "", audit.Event{Action: "routing-rule.update", Object: name, Before: before.def, After: r})
	return nil
}

// renameRule gives the operations that store a rule under another name, also in the repositories that use it.
func (e *Engine) renameRule(s *state, before *rule, name string, value []byte) ([]kv.Op, error) {
	ops := []kv.Op{kv.PutNew(ruleKey(name), value), kv.DeleteIf(ruleKey(before.def.Name), before.version)}
	for _, user := range s.ordered {
		if user.def.RoutingRule != before.def.Name {
			continue
		}
		d := user.def
		d.RoutingRule = name
		value, err := e.encodeRepository(d)
		if err != nil {
			return nil, err
		}
		ops = append(ops, kv.PutIf(repositoryKey(d.Name), value, user.version))
	}
	if len(ops) > kv.MaxBatch {
		return nil, formats.Errorf(formats.Denied, "The rule is used by more than %d repositories and cannot be renamed", kv.MaxBatch-2)
	}
	return ops, nil
}

// DeleteRoutingRule removes a routing rule that no repository uses.
func (e *Engine) DeleteRoutingRule(ctx context.Context, name string) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	r := e.state.Load().rules[name]
	if r == nil {
		return errRuleNotFound(name)
	}
	if err := e.writable(); err != nil {
		return err
	}
	if n := len(e.RoutingRuleUsers(name)); n > 0 {
		return &formats.Error{Kind: formats.Denied, Message: "Routing rule is still in use by " + strconv.Itoa(n) + " repositories.", Err: ErrInUse}
	}
	if err := e.apply(ctx, kv.DeleteIf(ruleKey(name), r.version)); err != nil {
		return err
	}
	e.tell(ctx, "", audit.Event{Action: "routing-rule.delete", Object: name, Before: r.def})
	return nil
}

// checkRule checks a rule that is to take the place of the one called before; "" when it is new.
func checkRule(s *state, before string, r RoutingRule) formats.FieldErrors {
	var problems formats.FieldErrors
	add := func(field, message string) {
		problems = append(problems, formats.FieldError{Field: field, Message: message})
	}
	switch {
	case r.Name == "":
		add("name", "A non-empty value must be specified")
	case r.Name != before && s.rules[r.Name] != nil:
		add("name", "A rule with the same name already exists. Name must be unique.")
	case !validName(r.Name):
		add("name", nameRule)
	}
	if r.Mode != RuleBlock && r.Mode != RuleAllow {
		add("mode", "A non-empty value must be specified")
	}
	if len(r.Matchers) == 0 {
		add("matchers", "At least one rule must be specified")
	}
	return append(problems, checkMatchers(r.Matchers)...)
}

func checkMatchers(matchers []string) formats.FieldErrors {
	var problems formats.FieldErrors
	for i, expression := range matchers {
		field := "matchers[" + strconv.Itoa(i) + "]"
		if strings.TrimSpace(expression) == "" {
			problems = append(problems, formats.FieldError{Field: field, Message: "Empty matchers are not allowed"})
		} else if _, err := javaregex.Compile(expression); err != nil {
			problems = append(problems, formats.FieldError{Field: field, Message: "Invalid regex: " + syntaxMessage(expression, err)})
		}
	}
	return problems
}

// syntaxMessage says what is wrong with an expression and where, as rule authors are used to: a caret below the place.
func syntaxMessage(expression string, err error) string {
	var syntax *javaregex.SyntaxError
	if !errors.As(err, &syntax) {
		return err.Error()
	}
	message := syntax.Description + " near index " + strconv.Itoa(syntax.Index) + "\n" + expression
	if syntax.Index < utf8.RuneCountInString(expression) {
		message += "\n" + strings.Repeat(" ", syntax.Index) + "^"
	}
	return message
}

func errRuleNotFound(name string) error {
	return &formats.Error{Kind: formats.NotFound, Message: "Did not find a routing rule with the name '" + name + "'", Err: ErrNotFound}
}
