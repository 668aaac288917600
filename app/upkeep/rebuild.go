package upkeep

import (
	"context"
	"fmt"

	"entrepot/app/tasks"
	"entrepot/formats"
	"entrepot/storage/catalog"
)

var (
	contentKinds = []formats.Kind{formats.Hosted, formats.Cache}
	mavenFormat  = []string{"maven2"}
)

func (w *work) rebuildTypes() []tasks.Type {
	repo := tasks.Field{ID: "repository", Label: "Repository", Help: `"*" for all`, Kind: tasks.Repository, Required: true, All: true, Kinds: contentKinds}
	several := repo
	several.ID, several.Kind, several.Label = "repositories", tasks.Several, "Repositories"
	maven := repo
	maven.Formats, maven.Kinds = mavenFormat, []formats.Kind{formats.Hosted}
	return []tasks.Type{
		{
			ID: RebuildSearch, Name: "Repository: rebuild search", Help: "Makes the search index of repositories anew.",
			Fields: []tasks.Field{repo}, Claims: claimAll("search index"),
			Title: func(p map[string]string) string { return "Rebuild search of " + p["repository"] },
			Do: func(ctx context.Context, p map[string]string, m *tasks.Monitor) (string, error) {
				return w.rebuildSearch(ctx, repo, p["repository"], m)
			},
		},
		{
			ID: CheckBrowse, Name: "Repository: check the browse tree",
			Help:   "The browse tree is written together with the content and cannot fall behind. This compares both and tells what does not agree.",
			Fields: []tasks.Field{several}, Claims: claimAll(claimRepository),
			Title: func(p map[string]string) string { return "Check browse tree of " + p["repositories"] },
			Do: func(ctx context.Context, p map[string]string, m *tasks.Monitor) (string, error) {
				return w.checkBrowse(ctx, several, p["repositories"], m)
			},
		},
		{
			ID: MavenRebuildMetadata, Name: "Maven: rebuild metadata (maven-metadata.xml)",
			Help: "Makes the metadata of groups, artifacts and snapshots of hosted repositories anew from what is stored, with their checksums.",
			Fields: []tasks.Field{
				maven, {ID: "group", Label: "Group", Help: "Only this group", Kind: tasks.Text},
				{ID: "artifact", Label: "Artifact", Help: "Only this artifact of the group", Kind: tasks.Text},
				{ID: "version", Label: "Base version", Help: "Only this version of the artifact", Kind: tasks.Text},
			},
			Claims: claim(claimRepository, "repository"),
			Title:  func(p map[string]string) string { return "Rebuilding Maven Metadata of " + p["repository"] },
			Do: func(ctx context.Context, p map[string]string, m *tasks.Monitor) (string, error) {
				return w.rebuildMaven(ctx, maven, p, m)
			},
		},
	}
}

func (w *work) checkpointType() tasks.Type {
	return tasks.Type{
		ID: Checkpoint, Name: "Records: write a checkpoint",
		Help:   "Copies the records to the folder of checkpoints, from which the database can be made anew. The server does this by itself, too.",
		Claims: claimAll("records"), Title: func(map[string]string) string { return "Write a checkpoint of the records" },
		Do: func(ctx context.Context, _ map[string]string, _ *tasks.Monitor) (string, error) {
			return "checkpoint written", w.Checkpoint(ctx)
		},
	}
}

func (w *work) rebuildSearch(ctx context.Context, f tasks.Field, names string, m *tasks.Monitor) (string, error) {
	if err := w.Engine.Writable(); err != nil {
		return "", err
	}
	list, err := w.repositories(f, names)
	if err != nil {
		return "", err
	}
	if err := w.total(ctx, m, list); err != nil {
		return "", err
	}
	for _, d := range list {
		m.Say("%s", d.Name)
		if err := w.Search.Rebuild(ctx, d.Content, m.Add); err != nil {
			return "", err
		}
		if err := w.Engine.RebuildIndex(ctx, d.Name); err != nil {
			return "", err
		}
	}
	return fmt.Sprintf("search of %s made anew", repositories(len(list))), nil
}

func repositories(n int) string {
	if n == 1 {
		return "1 repository"
	}
	return fmt.Sprintf("%d repositories", n)
}

func (w *work) checkBrowse(ctx context.Context, f tasks.Field, names string, m *tasks.Monitor) (string, error) {
	list, err := w.repositories(f, names)
	if err != nil {
		return "", err
	}
	m.Total(int64(len(list)))
	var count int64
	var listed []string
	for _, d := range list {
		m.Say("%s", d.Name)
		for p, err := range w.Catalog.Content(d.Content).Check(ctx) {
			if err != nil {
				return "", fmt.Errorf("check %s: %w", d.Name, err)
			}
			if count++; len(listed) < maxListed {
				listed = append(listed, d.Name+": "+p.Text+" at "+p.Where)
			}
			w.Log.Error("records do not agree", "repository", d.Name, "where", p.Where, "problem", p.Text)
		}
		m.Add(1)
	}
	return problems(repositories(len(list))+" checked", count, listed)
}

func (w *work) rebuildMaven(ctx context.Context, f tasks.Field, p map[string]string, m *tasks.Monitor) (string, error) {
	list, err := w.repositories(f, p["repository"])
	if err != nil {
		return "", err
	}
	if err := w.total(ctx, m, list); err != nil {
		return "", err
	}
	var q catalog.ComponentQuery
	if group := p["group"]; group != "" {
		q.Group = &group
	}
	if artifact := p["artifact"]; artifact != "" && q.Group != nil {
		q.Name = &artifact
	}
	documents := int64(0)
	for _, d := range list {
		m.Say("%s", d.Name)
		version := ""
		if q.Name != nil {
			version = p["version"]
		}
		n, err := w.Engine.RebuildDocuments(ctx, d.Name, q, func(c *catalog.Component) bool {
			m.Add(1)
			return version == "" || c.Version == version || c.Attributes["baseVersion"] == version
		})
		documents += n
		if err != nil {
			return "", fmt.Errorf("rebuild metadata of %s: %w", d.Name, err)
		}
	}
	return fmt.Sprintf("%s of %s made anew", counted(documents, "document"), repositories(len(list))), nil
}
