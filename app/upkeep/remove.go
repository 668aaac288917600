package upkeep

import (
	"context"
	"fmt"
	"slices"

	"entrepot/app/access"
	"entrepot/app/cleanup"
	"entrepot/app/repository"
	"entrepot/app/tasks"
	"entrepot/formats"
)

func (w *work) cleanupType() tasks.Type {
	return tasks.Type{
		ID: Cleanup, Name: "Repositories: clean up by policies", Single: true, Claims: claimAll(claimRepository), Do: w.cleanUp, Resumes: true,
		Help:  "Removes from every repository what its cleanup policies select. The space is freed when blobs are collected.",
		Title: func(map[string]string) string { return "Run repository cleanup" },
	}
}

func (w *work) cleanUp(ctx context.Context, _ map[string]string, m *tasks.Monitor) (string, error) {
	var list []repository.Definition
	for _, d := range w.Engine.List() {
		if len(w.Cleanup.Assigned(d.Name)) > 0 {
			list = append(list, d)
		}
	}
	var asked []any
	for _, d := range list {
		asked = append(asked, d.Content, w.Cleanup.Assigned(d.Name))
	}
	return w.removeFrom(ctx, removal{
		name: Cleanup, asked: asked, list: list,
		from: func(d repository.Definition, run cleanup.Run) (cleanup.Report, error) {
			return w.Cleanup.Clean(ctx, d.Name, run)
		},
	}, m)
}

// removal is the removal of components from repositories, one after the other.
type removal struct {
	name  string // under which its position is kept
	asked any    // what it depends on
	list  []repository.Definition
	// from removes from one repository behind the mark of a run, and tells how far it is.
	from func(d repository.Definition, run cleanup.Run) (cleanup.Report, error)
}

// removing is how far a removal came.
type removing struct {
	Through    []string       `json:"through"` // repositories
	Sum        cleanup.Report `json:"sum"`     // of these
	Repository string         `json:"repository"`
	Mark       cleanup.Mark   `json:"mark"`
}

// removeFrom goes through the repositories, from where an earlier run was, and words what all of them removed.
func (w *work) removeFrom(ctx context.Context, r removal, m *tasks.Monitor) (string, error) {
	p, err := openPosition[removing](ctx, w, r.name, r.asked)
	if err != nil {
		return "", err
	}
	n, err := w.components(ctx, r.list)
	if err != nil {
		return "", err
	}
	suffix := ""
	if p.resumed {
		before := p.At.Sum
		before.Add(p.At.Mark.Report)
		n += before.Components // these are gone
		m.Resume(before.Looked)
		suffix = "; this went on from where an earlier run had ended"
	}
	m.Total(n)
	for _, d := range r.list {
		if err == nil && !slices.Contains(p.At.Through, d.Name) {
			m.Say("%s", d.Name)
			err = w.removeFromOne(ctx, r, d, p, m)
		}
	}
	sum := p.At.Sum
	sum.Add(p.At.Mark.Report)
	if err = p.end(ctx, err); err == nil {
		suffix = " from " + repositories(len(r.list)) + suffix
	}
	return amounts(sum.Components, sum.Assets, sum.Bytes, false) + suffix, err
}

func (w *work) removeFromOne(ctx context.Context, r removal, d repository.Definition, p *position[removing], m *tasks.Monitor) error {
	if p.At.Repository != d.Name {
		p.At.Repository, p.At.Mark = d.Name, cleanup.Mark{}
	}
	report, err := r.from(d, cleanup.Run{From: p.At.Mark, Looked: m.Add, Passed: func(mark cleanup.Mark) {
		p.At.Mark = mark
		p.passed(ctx)
	}})
	if err != nil {
		return err
	}
	p.At.Sum.Add(report)
	p.At.Through = append(p.At.Through, d.Name)
	p.At.Repository, p.At.Mark = "", cleanup.Mark{}
	p.passed(ctx)
	return nil
}

func (w *work) removeTypes() []tasks.Type {
	days := tasks.Field{ID: "days", Label: "Not used for, in days", Kind: tasks.Number, Required: true, Default: "1", Min: least(1)}
	cache := tasks.Field{
		ID: "repository", Label: "Repository", Help: `"*" for all caches`, Kind: tasks.Repository, Required: true, All: true,
		Kinds: []formats.Kind{formats.Cache},
	}
	maven := cache
	maven.Help, maven.Kinds, maven.Formats = `"*" for all`, contentKinds, mavenFormat
	return []tasks.Type{
		{
			ID: RemoveUnused, Name: "Repository: remove unused components of caches", Fields: []tasks.Field{cache, days},
			Help:   "Removes from caches what nobody has downloaded for some days, files without a component as well. It is fetched again when it is asked for.",
			Claims: claim(claimRepository, "repository"), Resumes: true,
			Title: func(p map[string]string) string { return "Remove unused components of " + p["repository"] },
			Do: func(ctx context.Context, p map[string]string, m *tasks.Monitor) (string, error) {
				return w.removeUnused(ctx, cache, p, "", m)
			},
		},
		{
			ID: MavenRemoveUnusedSnap, Name: "Maven: remove unused snapshots", Fields: []tasks.Field{maven, days},
			Help:   "Removes snapshots that nobody has downloaded for some days.",
			Claims: claim(claimRepository, "repository"), Resumes: true,
			Title: func(p map[string]string) string { return "Remove unused snapshots of " + p["repository"] },
			Do: func(ctx context.Context, p map[string]string, m *tasks.Monitor) (string, error) {
				return w.removeUnused(ctx, maven, p, cleanup.Prereleases, m)
			},
		},
		w.snapshotsType(),
	}
}

func (w *work) removeUnused(ctx context.Context, f tasks.Field, p map[string]string, release cleanup.Release, m *tasks.Monitor) (string, error) {
	list, err := w.repositories(f, p["repository"])
	if err != nil {
		return "", err
	}
	days, err := number(p, "days", 0)
	if err != nil {
		return "", err
	}
	if days < 1 {
		return "", fmt.Errorf("property days must be at least 1")
	}
	unused := cleanup.Policy{Criteria: cleanup.Criteria{DownloadedDays: &days, Release: release}}
	asked := []any{p}
	for _, d := range list {
		asked = append(asked, d.Content)
	}
	return w.removeFrom(ctx, removal{
		name: removalName(RemoveUnused+string(release), p), asked: asked, list: list,
		from: func(d repository.Definition, run cleanup.Run) (cleanup.Report, error) {
			run.Policies = []cleanup.Policy{unused}
			var err error
			if run.From.Path == "" { // no earlier run was through with the components
				if run.From.Report, err = w.Cleanup.Clean(ctx, d.Name, run); err != nil || release != "" {
					return run.From.Report, err
				}
			}
			return w.Cleanup.CleanLoose(ctx, d.Name, days, run)
		},
	}, m)
}

// removalName names the position of a task's work on what its property names.
func removalName(typ string, p map[string]string) string { return typ + "/" + p["repository"] }

func (w *work) tokensType() tasks.Type {
	return tasks.Type{
		ID: RemoveOrphanedTokens, Name: "Security: remove tokens of users who are gone", Claims: claimAll("tokens"),
		Help:  "Tokens of local users that no longer exist are removed. Those of users from outside stay, because only their source knows them.",
		Title: func(map[string]string) string { return "Remove tokens of users who are gone" },
		Do: func(ctx context.Context, _ map[string]string, _ *tasks.Monitor) (string, error) {
			n, err := w.Access.RemoveOrphanedTokens(ctx, access.System())
			return counted(int64(n), "token") + " removed", err
		},
	}
}
