package upkeep

import (
	"context"
	"fmt"

	"entrepot/app/access"
	"entrepot/app/cleanup"
	"entrepot/app/repository"
	"entrepot/app/tasks"
	"entrepot/formats"
)

func (w *work) cleanupType() tasks.Type {
	return tasks.Type{
		ID: Cleanup, Name: "Repositories: clean up by policies", Single: true, Claims: claimAll(claimRepository), Do: w.cleanUp,
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
	return w.clean(ctx, list, cleanup.Run{}, m)
}

// clean runs over repositories and words what was removed.
func (w *work) clean(ctx context.Context, list []repository.Definition, run cleanup.Run, m *tasks.Monitor) (string, error) {
	if err := w.total(ctx, m, list); err != nil {
		return "", err
	}
	run.Looked = m.Add
	var sum cleanup.Report
	for _, d := range list {
		m.Say("%s", d.Name)
		report, err := w.Cleanup.Clean(ctx, d.Name, run)
		sum.Add(report)
		if err != nil {
			return amounts(sum.Components, sum.Assets, sum.Bytes, run.DryRun), err
		}
	}
	return amounts(sum.Components, sum.Assets, sum.Bytes, run.DryRun) + " from " + repositories(len(list)), nil
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
			Help:   "Removes from caches what nobody has downloaded for some days. It is fetched again when it is asked for.",
			Claims: claim(claimRepository, "repository"),
			Title:  func(p map[string]string) string { return "Remove unused components of " + p["repository"] },
			Do: func(ctx context.Context, p map[string]string, m *tasks.Monitor) (string, error) {
				return w.removeUnused(ctx, cache, p, "", m)
			},
		},
		{
			ID: MavenRemoveUnusedSnap, Name: "Maven: remove unused snapshots", Fields: []tasks.Field{maven, days},
			Help:   "Removes snapshots that nobody has downloaded for some days.",
			Claims: claim(claimRepository, "repository"),
			Title:  func(p map[string]string) string { return "Remove unused snapshots of " + p["repository"] },
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
	return w.clean(ctx, list, cleanup.Run{Policies: []cleanup.Policy{unused}}, m)
}

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
