package cleanup

import (
	"context"
	"fmt"
	"iter"
	"time"

	"entrepot/formats"
	"entrepot/storage/catalog"
)

// Run tunes one run over a repository. The zero value removes and tells nobody.
type Run struct {
	DryRun   bool             // only count
	Looked   func(n int64)    // hears of components that were looked at; nil for nobody
	Selected func(*Candidate) // hears of each component before it goes; nil for nobody
	Policies []Policy         // instead of those that the repository names
	From     Mark             // of a run that ended early: this one goes on behind it and counts on
	Passed   func(Mark)       // hears after each component from where another run could go on; nil for nobody
}

// Mark is how far a run came in the order of the components. The zero value is the beginning.
type Mark struct {
	After  catalog.Coordinates `json:"after"` // the component that was the last to be looked at
	Path   string              `json:"path"`  // the asset that was, by CleanLoose
	Report Report              `json:"report"`
}

func (m *Mark) after() *catalog.Coordinates {
	if m.Report.Looked == 0 {
		return nil
	}
	return &m.After
}

// Report is what a run did.
type Report struct {
	Looked     int64
	Selected   int64 // by a policy
	Components int64 // removed
	Assets     int64 // of these
	Bytes      int64 // of these
}

// Add sums reports.
func (r *Report) Add(o Report) {
	r.Looked += o.Looked
	r.Selected += o.Selected
	r.Components += o.Components
	r.Assets += o.Assets
	r.Bytes += o.Bytes
}

// Assigned gives the policies that a repository names and that fit its format.
func (s *Service) Assigned(repository string) []Policy {
	d, ok := s.engine.Lookup(repository)
	if !ok || d.Kind == formats.Proxy {
		return nil
	}
	var all []Policy
	for _, name := range d.Cleanup {
		if p, known := s.Get(name); known && (p.Format == d.Format || p.Format == anyFormat) {
			all = append(all, p)
		}
	}
	return all
}

// Clean removes from a repository what its policies select. What was removed before an error stays removed; the report counts it.
func (s *Service) Clean(ctx context.Context, repository string, run Run) (Report, error) {
	report := run.From.Report
	if run.Policies == nil {
		run.Policies = s.Assigned(repository)
	}
	pruner := s.engine.Pruner(repository)
	err := s.clean(ctx, repository, run, func(c *Candidate) error {
		if run.DryRun {
			report.Count(c)
			return nil
		}
		gone, err := pruner.Remove(ctx, c.Component, c.Assets)
		if gone {
			report.Count(c)
		}
		return err
	}, &report)
	// Documents are made anew also when the run was stopped: they tell of what is gone.
	if flushErr := pruner.Flush(context.WithoutCancel(ctx)); err == nil {
		err = flushErr
	}
	if err != nil {
		return report, fmt.Errorf("cleanup of %s: %w", repository, err)
	}
	return report, nil
}

// Count counts a component that was removed.
func (r *Report) Count(c *Candidate) {
	r.Components++
	for _, a := range c.Assets {
		r.Assets++
		r.Bytes += a.Size
	}
}

// clean hands all selected components to remove.
func (s *Service) clean(ctx context.Context, repository string, run Run, remove func(*Candidate) error, report *Report) error {
	for l, err := range s.selection(ctx, repository, run.Policies, run.From.after()) {
		if err != nil {
			return err
		}
		report.Looked++
		if l.selected != nil {
			report.Selected++
			if run.Selected != nil {
				run.Selected(l.selected)
			}
			if err := remove(l.selected); err != nil {
				return err
			}
		}
		if run.Looked != nil {
			run.Looked(1)
		}
		if run.Passed != nil {
			run.Passed(Mark{After: l.at, Report: *report})
		}
	}
	return ctx.Err()
}

// look is a component that was looked at.
type look struct {
	at       catalog.Coordinates
	selected *Candidate // nil when no policy selects it
}

// selection looks at the components of a repository in their order, behind one of them.
func (s *Service) selection(ctx context.Context, repository string, policies []Policy, after *catalog.Coordinates) iter.Seq2[look, error] {
	return func(yield func(look, error) bool) {
		d, ok := s.engine.Lookup(repository)
		tree := s.engine.ContentOf(repository)
		if !ok || tree == nil || d.Kind == formats.Proxy || len(policies) == 0 {
			return
		}
		walk := newWalk(ctx, tree, policies, s.engine.Abilities(d.Format), s.now())
		for c, err := range tree.Components(ctx, catalog.ComponentQuery{After: after}) {
			if err == nil {
				err = ctx.Err()
			}
			if err != nil {
				yield(look{}, err)
				return
			}
			selected, err := walk.decide(c)
			if !yield(look{c.Coordinates, selected}, err) || err != nil {
				return
			}
		}
	}
}

// walk goes through the components of a tree. It remembers what is retained of the name it is at.
type walk struct {
	ctx      context.Context
	tree     *catalog.Content
	matchers []*matcher
	at       catalog.Coordinates // group and name
	retained []map[string]bool   // by matcher
}

func newWalk(ctx context.Context, tree *catalog.Content, policies []Policy, f formats.Format, now time.Time) *walk {
	w := &walk{ctx: ctx, tree: tree}
	for _, p := range policies {
		w.matchers = append(w.matchers, newMatcher(p.Criteria, f, now))
	}
	w.retained = make([]map[string]bool, len(w.matchers))
	return w
}

// decide gives the component with its assets when a policy selects it, else nil.
func (w *walk) decide(c *catalog.Component) (*Candidate, error) {
	if at := (catalog.Coordinates{Group: c.Group, Name: c.Name}); at != w.at {
		w.at = at
		clear(w.retained)
	}
	candidate, err := candidateOf(w.ctx, w.tree, c)
	if err != nil {
		return nil, err
	}
	for i, m := range w.matchers {
		if !m.matches(candidate) {
			continue
		}
		if m.Retain == 0 {
			return candidate, nil
		}
		if w.retained[i] == nil {
			if w.retained[i], err = m.retained(w.ctx, w.tree, w.at); err != nil {
				return nil, err
			}
		}
		if !w.retained[i][c.Version] {
			return candidate, nil
		}
	}
	return nil, nil
}

// Limits of a preview.
const (
	previewLooks  = 20_000
	previewLength = 100
)

// Preview shows the first components of a repository that a policy would remove now. more tells that it did not look at all.
func (s *Service) Preview(ctx context.Context, repository string, c Criteria) (found []*Candidate, more bool, err error) {
	looked := 0
	for l, err := range s.selection(ctx, repository, []Policy{{Criteria: c}}, nil) {
		if err != nil {
			return nil, false, fmt.Errorf("cleanup: preview of %s: %w", repository, err)
		}
		if l.selected != nil {
			found = append(found, l.selected)
		}
		if looked++; len(found) == previewLength || looked == previewLooks {
			return found, true, nil
		}
	}
	return found, false, nil
}
