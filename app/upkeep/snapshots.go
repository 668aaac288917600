package upkeep

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"entrepot/app/cleanup"
	"entrepot/app/repository"
	"entrepot/app/tasks"
	"entrepot/formats"
	"entrepot/storage/catalog"
)

func (w *work) snapshotsType() tasks.Type {
	repo := tasks.Field{
		ID: "repository", Label: "Repository", Help: `"*" for all, a proxy for its members`, Kind: tasks.Repository, Required: true, All: true, Formats: mavenFormat,
	}
	return tasks.Type{
		ID: MavenRemoveSnapshots, Name: "Maven: remove old snapshots",
		Help: "Removes old builds of snapshots from hosted repositories, or all builds of what has been released since.",
		Fields: []tasks.Field{
			repo,
			{
				ID: "keep", Label: "Builds to keep", Kind: tasks.Number, Required: true, Default: "1", Min: least(-1),
				Help: "So many builds of each version stay whatever their age; -1 for all",
			},
			{ID: "days", Label: "Older than, in days", Kind: tasks.Number, Required: true, Default: "30", Min: least(0)},
			{ID: "ifReleased", Label: "Remove what was released", Kind: tasks.Boolean, Default: "false", Help: "In any hosted Maven repository"},
			{ID: "graceDays", Label: "Days after the release", Kind: tasks.Number, Min: least(0), Help: "So long they stay after the release"},
		},
		Claims: claimAll(claimRepository), Resumes: true,
		Title: func(p map[string]string) string { return "Remove old snapshots of " + p["repository"] },
		Do: func(ctx context.Context, p map[string]string, m *tasks.Monitor) (string, error) {
			return w.removeSnapshots(ctx, repo, p, m)
		},
	}
}

// snapshotRules are the properties of a run.
type snapshotRules struct {
	keep     int64
	before   time.Time // builds of then and earlier are old
	released bool
	releases time.Time // releases of then and earlier have had their grace
}

func (w *work) snapshotRules(p map[string]string) (snapshotRules, error) {
	r := snapshotRules{released: p["ifReleased"] == "true"}
	days, err := number(p, "days", 30)
	if err != nil {
		return r, err
	}
	grace, err := number(p, "graceDays", 0)
	if err != nil {
		return r, err
	}
	r.before, r.releases = w.Now().Add(-time.Duration(days)*day), w.Now().Add(-time.Duration(grace)*day)
	r.keep, err = number(p, "keep", 1)
	return r, err
}

func (w *work) removeSnapshots(ctx context.Context, f tasks.Field, p map[string]string, m *tasks.Monitor) (string, error) {
	rules, err := w.snapshotRules(p)
	if err != nil {
		return "", err
	}
	named, err := w.repositories(f, p["repository"])
	if err != nil {
		return "", err
	}
	list := w.hosted(named)
	asked := []any{p}
	for _, d := range list {
		asked = append(asked, d.Content)
	}
	return w.removeFrom(ctx, removal{
		name: removalName(MavenRemoveSnapshots, p), asked: asked, list: list,
		from: func(d repository.Definition, run cleanup.Run) (cleanup.Report, error) {
			s := &snapshots{work: w, rules: rules, looked: run.Looked, mark: run.From, passed: run.Passed}
			err := s.run(ctx, d)
			if err != nil {
				err = fmt.Errorf("snapshots of %s: %w", d.Name, err)
			}
			return s.mark.Report, err
		},
	}, m)
}

// hosted gives the hosted repositories among, and behind, some.
func (w *work) hosted(list []repository.Definition) []repository.Definition {
	seen := make(map[string]bool)
	var found []repository.Definition
	var add func(d repository.Definition)
	add = func(d repository.Definition) {
		if seen[d.Name] {
			return
		}
		seen[d.Name] = true
		if d.Kind == formats.Hosted {
			found = append(found, d)
		}
		for _, name := range d.Members {
			if member, ok := w.Engine.Lookup(name); ok {
				add(member)
			}
		}
	}
	for _, d := range list {
		add(d)
	}
	return found
}

// build is one component of a snapshot version.
type build struct {
	at     catalog.Coordinates
	stored time.Time
}

// snapshots is the removal of builds from one repository. It remembers the builds of one version at a time.
type snapshots struct {
	*work
	rules   snapshotRules
	looked  func(int64)
	mark    cleanup.Mark // behind a version whose builds have been decided on
	passed  func(cleanup.Mark)
	tree    *catalog.Content
	pruner  *repository.Pruner
	orderer formats.VersionOrderer
	at      catalog.Coordinates // group, name and base version of builds
	builds  []build
}

// run goes through the components by their names.
func (s *snapshots) run(ctx context.Context, d repository.Definition) (err error) {
	f := s.Engine.Abilities(d.Format)
	releaser, canTell := f.(formats.Releaser)
	orderer, canOrder := f.(formats.VersionOrderer)
	if !canTell || !canOrder {
		return fmt.Errorf("format %s has no snapshots", d.Format)
	}
	s.tree, s.pruner, s.orderer = s.Engine.ContentOf(d.Name), s.Engine.Pruner(d.Name), orderer
	defer func() { // documents are made anew also when the run was stopped
		if flushErr := s.pruner.Flush(context.WithoutCancel(ctx)); err == nil {
			err = flushErr
		}
	}()
	query := catalog.ComponentQuery{}
	if s.mark.Report.Looked > 0 {
		query.After = &s.mark.After
	}
	looked, last := int64(0), s.mark.After // since the mark
	for c, err := range s.tree.Components(ctx, query) {
		if err == nil {
			err = ctx.Err()
		}
		if err == nil && releaser.Prerelease(c) {
			if len(s.builds) > 0 && baseOf(c) != s.at {
				if err = s.decide(ctx); err == nil {
					s.mark.After, s.mark.Report.Looked, looked = last, s.mark.Report.Looked+looked, 0
					s.passed(s.mark)
				}
			}
			if err == nil {
				err = s.add(ctx, c)
			}
		}
		if err != nil {
			return err
		}
		s.looked(1)
		looked, last = looked+1, c.Coordinates
	}
	s.mark.Report.Looked += looked
	return s.decide(ctx)
}

// baseOf gives the version that a build is of.
func baseOf(c *catalog.Component) catalog.Coordinates {
	return catalog.Coordinates{Group: c.Group, Name: c.Name, Version: cmp.Or(c.Attributes["baseVersion"], c.Version)}
}

// add remembers a build.
func (s *snapshots) add(ctx context.Context, c *catalog.Component) error {
	stored, err := storedAt(ctx, s.tree, c.Coordinates)
	s.at, s.builds = baseOf(c), append(s.builds, build{c.Coordinates, stored})
	return err
}

// decide removes those of the remembered builds that are to go, and forgets all.
func (s *snapshots) decide(ctx context.Context) error {
	slices.SortFunc(s.builds, func(a, b build) int { return -s.orderer.CompareVersions(a.at.Version, b.at.Version) }) // newest first
	old, err := s.oldBuilds(ctx, s.at, s.builds, s.rules)
	for _, b := range old {
		if err == nil {
			err = s.remove(ctx, b)
		}
	}
	s.builds = s.builds[:0]
	return err
}

// oldBuilds gives those builds of a version that are to go. builds has the newest first.
func (w *work) oldBuilds(ctx context.Context, at catalog.Coordinates, builds []build, rules snapshotRules) ([]build, error) {
	if len(builds) == 0 {
		return nil, nil
	}
	if rules.released {
		released, err := w.releasedBefore(ctx, at, rules.releases)
		if released || err != nil {
			return builds, err
		}
	}
	if rules.keep < 0 || int64(len(builds)) <= rules.keep {
		return nil, nil
	}
	var old []build
	for _, b := range builds[rules.keep:] {
		if !b.stored.After(rules.before) {
			old = append(old, b)
		}
	}
	return old, nil
}

// releasedBefore reports whether any hosted repository has the release of a snapshot since then.
func (w *work) releasedBefore(ctx context.Context, at catalog.Coordinates, then time.Time) (bool, error) {
	version, ok := strings.CutSuffix(at.Version, "-SNAPSHOT")
	if !ok {
		return false, nil
	}
	at.Version = version
	for _, d := range w.Engine.List() {
		if d.Format != mavenFormat[0] || d.Kind != formats.Hosted {
			continue
		}
		c, err := w.Engine.HeldComponent(ctx, d.Name, at)
		if err != nil {
			return false, err
		}
		if c == nil {
			continue
		}
		stored, err := storedAt(ctx, w.Engine.ContentOf(d.Name), at)
		if err != nil || !stored.After(then) {
			return err == nil, err
		}
	}
	return false, nil
}

// storedAt gives when the youngest asset of a component was stored.
func storedAt(ctx context.Context, tree *catalog.Content, at catalog.Coordinates) (latest time.Time, err error) {
	for a, err := range tree.ComponentAssets(ctx, at) {
		if err != nil {
			return latest, err
		}
		if a.BlobCreated.After(latest) {
			latest = a.BlobCreated
		}
	}
	return latest, nil
}

func (s *snapshots) remove(ctx context.Context, b build) error {
	candidate, err := cleanup.Look(ctx, s.tree, b.at)
	if err != nil || candidate == nil {
		return err
	}
	gone, err := s.pruner.Remove(ctx, candidate.Component, candidate.Assets)
	if gone {
		s.mark.Report.Count(candidate)
		s.passed(s.mark)
	}
	return err
}
