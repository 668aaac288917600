package access

import (
	"context"
	"maps"
	"slices"

	"entrepot/app/access/csel"
	"entrepot/app/audit"
	"entrepot/storage/kv"
)

// SelectorType is the type of every selector that can be made.
const SelectorType = "csel"

// Selector is a content selector: a named expression over format and path.
type Selector struct {
	Name        string
	Type        string  // SelectorType, or "jexl" for an imported one of the old kind
	Description *string // nil when never given
	Expression  string
}

// Validate finds the faults that a selector has by itself. A fault of the expression is reported as its own member "expression"
// that does not have Shape.
func (sel *Selector) Validate() error {
	var s shapes
	checkName(&s, sel.Name)
	s.add(blank(sel.Expression), "expression", mustNotBeBlank)
	if err := s.err(); err != nil {
		return err
	}
	return CheckExpression(sel.Expression)
}

// CheckExpression tells whether an expression can be stored.
func CheckExpression(expression string) error {
	if _, err := csel.Compile(expression, nil); err != nil {
		return unfit("expression", err.Error())
	}
	return nil
}

// Selectors gives all content selectors by name.
func (s *Service) Selectors(ctx context.Context) ([]Selector, error) {
	snap, err := s.current(ctx)
	if err != nil {
		return nil, err
	}
	list := []Selector{}
	for _, name := range slices.Sorted(maps.Keys(snap.selectors)) {
		list = append(list, Selector(snap.selectors[name]))
	}
	return list, nil
}

// Selector gives one content selector.
func (s *Service) Selector(ctx context.Context, name string) (Selector, error) {
	snap, err := s.current(ctx)
	if err != nil {
		return Selector{}, err
	}
	r, ok := snap.selectors[name]
	if !ok {
		return Selector{}, noSelector(name)
	}
	return Selector(r), nil
}

func noSelector(name string) error { return refuse(NotFound, "No selector found for %s", name) }

// CreateSelector stores a new content selector.
func (s *Service) CreateSelector(ctx context.Context, actor Actor, sel Selector) error {
	if err := sel.Validate(); err != nil {
		return err
	}
	sel.Type = SelectorType
	return s.change(ctx, audit.Event{Actor: actor, Action: "selector.create", Object: sel.Name}, func(snap *snapshot) ([]kv.Op, error) {
		if _, taken := snap.selectors[sel.Name]; taken {
			return nil, unfit("name", "A selector with the same name already exists. Name must be unique.")
		}
		return one(put(kv.Key{Partition: partSelectors, Sort: sel.Name}, selectorRecord(sel)))
	})
}

// UpdateSelector replaces description and expression of a content selector.
func (s *Service) UpdateSelector(ctx context.Context, actor Actor, sel Selector) error {
	var faults shapes
	faults.add(blank(sel.Expression), "expression", mustNotBeBlank)
	if err := faults.err(); err != nil {
		return err
	}
	if err := CheckExpression(sel.Expression); err != nil {
		return err
	}
	sel.Type = SelectorType
	return s.change(ctx, audit.Event{Actor: actor, Action: "selector.update", Object: sel.Name}, func(snap *snapshot) ([]kv.Op, error) {
		if _, ok := snap.selectors[sel.Name]; !ok {
			return nil, noSelector(sel.Name)
		}
		return one(put(kv.Key{Partition: partSelectors, Sort: sel.Name}, selectorRecord(sel)))
	})
}

// DeleteSelector removes a content selector that no privilege names.
func (s *Service) DeleteSelector(ctx context.Context, actor Actor, name string) error {
	return s.change(ctx, audit.Event{Actor: actor, Action: "selector.delete", Object: name}, func(snap *snapshot) ([]kv.Op, error) {
		if _, ok := snap.selectors[name]; !ok {
			return nil, noSelector(name)
		}
		for _, p := range snap.privileges {
			if p.Type == TypeSelector && p.Selector == name {
				return nil, refuse(InUse, "Content selector %s is in use and cannot be deleted", name)
			}
		}
		return []kv.Op{kv.Delete(kv.Key{Partition: partSelectors, Sort: name})}, nil
	})
}

// ImportSelector stores a content selector as another server kept it, replacing one with the same name. An expression that cannot
// be understood is kept and matches nothing.
func (s *Service) ImportSelector(ctx context.Context, actor Actor, sel Selector) error {
	if blank(sel.Name) {
		return refuse(Refused, "A selector needs a name.")
	}
	return s.change(ctx, audit.Event{Actor: actor, Action: "selector.import", Object: sel.Name}, func(*snapshot) ([]kv.Op, error) {
		return one(put(kv.Key{Partition: partSelectors, Sort: sel.Name}, selectorRecord(sel)))
	})
}
