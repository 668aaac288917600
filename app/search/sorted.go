package search

import (
	"container/heap"
	"errors"
	"fmt"
	"iter"
	"slices"

	"entrepot/storage/catalog"
	"entrepot/storage/kv"
)

// sorted finds a page of an order: of few candidates by sorting them, of many by reading the rows of the order.
func (s *searching) sorted() error {
	candidates, known, err := s.gather()
	if err != nil {
		return err
	}
	total := 0
	for _, ids := range candidates {
		total += len(ids)
	}
	if known && (total <= s.limits.sorted || s.allTold(candidates)) {
		return s.sortedInMemory(candidates)
	}
	if !known {
		candidates = nil
	}
	return s.readOrder(candidates)
}

// gather gives the candidates of each place, as far as the lists tell; false when they are too many or all there are.
func (s *searching) gather() ([]set, bool, error) {
	candidates := make([]set, len(s.Places))
	total := 0
	for i, p := range s.Places {
		lists, err := s.listsIn(p.Content)
		if err != nil || len(lists) == 0 {
			return nil, false, err
		}
		s.listen(i, lists)
		cutLists(lists, 0, func(id uint64, e error) bool {
			if err = e; err == nil {
				candidates[i] = append(candidates[i], id)
				total++
			}
			return err == nil && total <= s.limits.members
		})
		if err != nil || total > s.limits.members {
			return nil, false, err
		}
	}
	return candidates, true, nil
}

// listen has the first list that can tell them collect the coordinates of a place's candidates.
func (s *searching) listen(place int, lists []list) {
	if s.told == nil {
		s.told = make([]map[uint64]string, len(s.Places))
	}
	for _, l := range lists {
		if p, ok := l.(*posting); ok {
			p.told = make(map[uint64]string)
			s.told[place] = p.told
			return
		}
	}
}

// allTold reports whether the lists told the coordinates of all candidates, so that none has to be read to be sorted.
func (s *searching) allTold(candidates []set) bool {
	for place, ids := range candidates {
		if len(ids) > 0 && len(s.told[place]) == 0 {
			return false
		}
	}
	return true
}

// coordinates gives those of a candidate; a read only when no list told them.
func (s *searching) coordinates(place int, id uint64) (catalog.Coordinates, error) {
	if c, ok := parseTold(s.told[place][id]); ok {
		return c, nil
	}
	return s.catalog.Content(s.Places[place].Content).CoordinatesByID(s.ctx, id)
}

// behind reports whether a position is behind what the page before showed.
func (s *searching) behind(at position) bool { return s.After == "" || s.compare(at, s.after) > 0 }

// compare is the order with its direction.
func (s *searching) compare(a, b position) int {
	n := s.Sort.compare(a, b)
	if s.Descending {
		return -n
	}
	return n
}

// sortedInMemory sorts by coordinates alone, and reads only the components that come to the page.
func (s *searching) sortedInMemory(candidates []set) error {
	type found struct {
		place Place
		at    position
	}
	var all []found
	for i, p := range s.Places {
		for _, id := range candidates[i] {
			c, err := s.coordinates(i, id)
			if errors.Is(err, catalog.ErrNotFound) {
				if err := s.forget(s.ctx, p.Content, id); err != nil {
					return err
				}
				continue
			}
			if err != nil {
				return fmt.Errorf("search: %w", err)
			}
			if at := (position{s.Sort.key(c), p.Repository, id}); s.behind(at) {
				all = append(all, found{p, at})
			}
		}
	}
	slices.SortFunc(all, func(a, b found) int { return s.compare(a.at, b.at) })
	for _, f := range all {
		if full, err := s.offerID(f.place, f.at); err != nil || full {
			return err
		}
	}
	return nil
}

// readOrder reads the rows of all places in their order. Candidates are those to be read; nil means all.
func (s *searching) readOrder(candidates []set) error {
	rows := &sources{search: s}
	defer rows.stop()
	for i, p := range s.Places {
		if s.passed(p) {
			continue
		}
		next, stop := iter.Pull2(s.rows(p))
		rows.open = append(rows.open, &source{place: i, next: next, stop: stop})
	}
	if err := rows.start(); err != nil {
		return err
	}
	for rows.Len() > 0 {
		top := rows.open[0]
		if s.behind(top.at) && (candidates == nil || member(candidates[top.place], top.at.id)) {
			if full, err := s.offerID(s.Places[top.place], top.at); err != nil || full {
				return err
			}
		}
		if err := rows.advance(); err != nil {
			return err
		}
	}
	return nil
}

// passed reports whether a place is one whose hits were all shown.
func (s *searching) passed(p Place) bool {
	if s.After == "" || s.Sort != ByRepository {
		return false
	}
	return p.Repository != s.after.repository && (p.Repository < s.after.repository) != s.Descending
}

func member(ids set, id uint64) bool {
	_, ok := slices.BinarySearch(ids, id)
	return ok
}

// rows delivers the positions of a place in the order, from about where the page before ended.
func (s *searching) rows(p Place) iter.Seq2[position, error] {
	return func(yield func(position, error) bool) {
		r := kv.Prefix(s.rowPrefix())
		r.Reverse = s.Descending
		if s.After != "" && (s.Sort != ByRepository || p.Repository == s.after.repository) {
			if s.Descending {
				r.To = s.after.key + "\x01"
			} else {
				r.From = s.after.key
			}
		}
		for e, err := range s.store.Scan(s.ctx, partitionsOf(p.Content).order, r) {
			if err != nil {
				yield(position{}, fmt.Errorf("search: %w", err))
				return
			}
			key, id, ok := splitID(e.Sort)
			if ok && !yield(position{key, p.Repository, id}, nil) {
				return
			}
		}
	}
}

// rowPrefix is what the rows of all that match begin with.
func (s *searching) rowPrefix() string {
	of := map[Sort][]Field{ByGroup: {Group, MavenGroup}, ByRepository: {Group, MavenGroup}, ByName: {Name, MavenName}}
	longest := ""
	for _, c := range s.Criteria {
		if !slices.Contains(of[s.Sort], c.Field) {
			continue
		}
		if prefix := clean(literalPrefix(c.Value)); len(prefix) > len(longest) {
			longest = prefix
		}
	}
	return s.Sort.letter() + "\x00" + longest
}

// source is the rows of one place.
type source struct {
	place int
	at    position // of its first row that was not used
	next  func() (position, error, bool)
	stop  func()
}

// sources are the rows of all places, the one with the first row on top.
type sources struct {
	search *searching
	open   []*source
}

func (o *sources) Len() int           { return len(o.open) }
func (o *sources) Less(i, j int) bool { return o.search.compare(o.open[i].at, o.open[j].at) < 0 }
func (o *sources) Swap(i, j int)      { o.open[i], o.open[j] = o.open[j], o.open[i] }
func (o *sources) Push(s any)         { o.open = append(o.open, s.(*source)) }

// Pop is part of heap.Interface.
func (o *sources) Pop() any {
	last := o.open[len(o.open)-1]
	o.open = o.open[:len(o.open)-1]
	return last
}

// start reads the first row of each source.
func (o *sources) start() error {
	all := o.open
	o.open = nil
	for i, s := range all {
		ok, err := s.advance()
		if err != nil {
			o.open = append(o.open, all[i:]...)
			return err
		}
		if ok {
			o.open = append(o.open, s)
		}
	}
	heap.Init(o)
	return nil
}

// advance goes on to the next row.
func (o *sources) advance() error {
	ok, err := o.open[0].advance()
	switch {
	case err != nil:
		return err
	case ok:
		heap.Fix(o, 0)
	default:
		heap.Pop(o)
	}
	return nil
}

// advance reads a row; false at the end.
func (s *source) advance() (bool, error) {
	at, err, ok := s.next()
	if err != nil || !ok {
		s.stop()
		return false, err
	}
	s.at = at
	return true, nil
}

func (o *sources) stop() {
	for _, s := range o.open {
		s.stop()
	}
}
