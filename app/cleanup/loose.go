package cleanup

import (
	"context"
	"fmt"

	"entrepot/formats"
	"entrepot/storage/catalog"
)

// CleanLoose removes from a cache the assets that belong to no component, such as indexes and version lists, and that nobody has asked for
// since so many days. They are fetched again when they are. Policies never select them, neither here nor on the old server, whose task
// for unused components does this too. run.Policies and run.Selected do not count.
func (s *Service) CleanLoose(ctx context.Context, repository string, days int64, run Run) (Report, error) {
	report := run.From.Report
	d, ok := s.engine.Lookup(repository)
	tree := s.engine.ContentOf(repository)
	if !ok || tree == nil || d.Kind != formats.Cache || days < 1 {
		return report, nil
	}
	m := &matcher{now: s.now()}
	pruner := s.engine.Pruner(repository)
	for a, err := range tree.Assets(ctx, run.From.Path) {
		if err == nil {
			err = ctx.Err()
		}
		if err == nil && a.Component == nil && m.older((&Candidate{Assets: []*catalog.Asset{a}}).used(), days) {
			gone := run.DryRun
			if !run.DryRun {
				gone, err = pruner.RemoveAsset(ctx, a)
			}
			if gone {
				report.Assets++
				report.Bytes += a.Size
			}
		}
		if err != nil {
			return report, fmt.Errorf("cleanup of %s: %w", repository, err)
		}
		if run.Passed != nil {
			run.Passed(Mark{After: run.From.After, Path: a.Path, Report: report})
		}
	}
	return report, nil
}
