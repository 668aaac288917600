package catalog

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"

	"entrepot/storage/kv"
)

// Component reads a component. ErrNotFound when it has no assets.
func (t *Content) Component(ctx context.Context, at Coordinates) (*Component, error) {
	if err := t.Complete(ctx, nil); err != nil {
		return nil, err
	}
	sort, _ := coordSort(&at)
	e, err := t.catalog.get(ctx, t.parts.components, sort)
	if err != nil {
		return nil, fmt.Errorf("component %v: %w", at, err)
	}
	return componentOfRow(&e)
}

// ComponentByID reads the component behind a number. ErrNotFound when there is none.
func (t *Content) ComponentByID(ctx context.Context, id uint64) (*Component, error) {
	e, err := t.catalog.get(ctx, t.parts.ids, numberSort(componentLetter, id))
	if err != nil {
		return nil, fmt.Errorf("component %d: %w", id, err)
	}
	return t.componentOfNumber(ctx, &e)
}

// CoordinatesByID reads only the coordinates of the component behind a number, with one read instead of two. ErrNotFound when there is
// none.
func (t *Content) CoordinatesByID(ctx context.Context, id uint64) (Coordinates, error) {
	e, err := t.catalog.get(ctx, t.parts.ids, numberSort(componentLetter, id))
	if err != nil {
		return Coordinates{}, fmt.Errorf("component %d: %w", id, err)
	}
	at, ok := parseCoordinates(string(e.Value))
	if !ok {
		return at, fmt.Errorf("component number %x: %w", e.Sort, errRecord)
	}
	return at, nil
}

func (t *Content) componentOfNumber(ctx context.Context, e *kv.Entry) (*Component, error) {
	at, ok := parseCoordinates(string(e.Value))
	if !ok {
		return nil, fmt.Errorf("component number %x: %w", e.Sort, errRecord)
	}
	return t.Component(ctx, at)
}

// ComponentsAfterID is AssetsAfterID for components.
func (t *Content) ComponentsAfterID(ctx context.Context, id uint64) iter.Seq2[*Component, error] {
	return whenWhole(ctx, t, func(yield func(*Component, error) bool) {
		for e, err := range t.catalog.store.Scan(ctx, t.parts.ids, numbersAfter(componentLetter, id)) {
			if err != nil {
				yield(nil, wrap(err, "scan components"))
				return
			}
			c, err := t.componentOfNumber(ctx, &e)
			if errors.Is(err, ErrNotFound) {
				continue // removed since the scan began
			}
			if !yield(c, err) || err != nil {
				return
			}
		}
	})
}

func componentOfRow(e *kv.Entry) (*Component, error) {
	c, err := decodeComponent(string(e.Value))
	if err != nil {
		return nil, fmt.Errorf("component row %q: %w", e.Sort, err)
	}
	c.RecordVersion = e.Version
	return c, nil
}

// Components delivers the components that a query selects.
func (t *Content) Components(ctx context.Context, q ComponentQuery) iter.Seq2[*Component, error] {
	return whenWhole(ctx, t, func(yield func(*Component, error) bool) {
		r, err := q.keys()
		if err != nil {
			yield(nil, err)
			return
		}
		for e, err := range t.catalog.store.Scan(ctx, t.parts.components, r) {
			if err != nil {
				yield(nil, wrap(err, "scan components"))
				return
			}
			c, err := componentOfRow(&e)
			if err == nil && !q.selects(c) {
				continue
			}
			if !yield(c, err) || err != nil {
				return
			}
		}
	})
}

// keys gives the rows that may hold what the query selects.
func (q *ComponentQuery) keys() (kv.Range, error) {
	prefix := ""
	switch {
	case q.Group != nil && q.Name != nil:
		prefix = *q.Group + "\x00" + *q.Name + "\x00"
	case q.Group != nil:
		prefix = *q.Group + "\x00"
	case q.Name != nil:
		return kv.Range{}, fmt.Errorf("%w: components by name need a group", ErrInvalid)
	}
	r := kv.Prefix(prefix[:min(len(prefix), maxCoordKey-32)])
	if q.After != nil {
		sort, _ := coordSort(q.After)
		r.From = max(r.From, sort+"\x00")
	}
	return r, nil
}

// selects tells whether a component that a shortened key's range delivered is really wanted.
func (q *ComponentQuery) selects(c *Component) bool {
	return (q.Group == nil || c.Group == *q.Group) && (q.Name == nil || c.Name == *q.Name)
}

// ComponentAssets delivers the assets of a component in the order of their paths.
func (t *Content) ComponentAssets(ctx context.Context, at Coordinates) iter.Seq2[*Asset, error] {
	return whenWhole(ctx, t, func(yield func(*Asset, error) bool) {
		sort, _ := coordSort(&at)
		prefix := sort + "\x00"
		for e, err := range t.catalog.store.Scan(ctx, t.parts.members, kv.Prefix(prefix)) {
			if err != nil {
				yield(nil, wrap(err, "scan component"))
				return
			}
			a, err := t.load(ctx, memberPath(&e, len(prefix)))
			if errors.Is(err, ErrNotFound) || err == nil && (a.Component == nil || *a.Component != at) {
				continue // removed or moved since the scan began
			}
			if err != nil {
				yield(nil, err)
				return
			}
			if !yield(t.withDownload(a), nil) {
				return
			}
		}
	})
}

// memberPath is the asset's path in a row of the members partition.
func memberPath(e *kv.Entry, prefix int) string {
	if len(e.Value) > 0 {
		return string(e.Value)
	}
	return strings.Clone(e.Sort[prefix:])
}
