package upkeep

import (
	"context"
	"fmt"
	"strings"
	"time"

	"entrepot/app/repository"
	"entrepot/app/tasks"
	"entrepot/formats"
)

// timePlaceholder stands for the time of a run in the name of a clone, so that a task can take snapshots again and again.
const timePlaceholder = "{time}"

func (w *work) cloneType() tasks.Type {
	return tasks.Type{
		ID: CloneRepository, Name: "Repository: clone, take a snapshot",
		Help: "Makes a repository with the settings and content of another one. Records are copied, files are shared.",
		Fields: []tasks.Field{
			{ID: "repository", Label: "Repository", Kind: tasks.Repository, Required: true},
			{ID: "name", Label: "Name of the clone", Help: `"{time}" in it stands for the time of the run`, Kind: tasks.Text, Required: true},
			{ID: "snapshot", Label: "Snapshot", Help: "a hosted repository that takes no writes", Kind: tasks.Boolean, Default: "false"},
		},
		Claims: claim(claimRepository, "repository"),
		Title: func(p map[string]string) string {
			if p["snapshot"] == "true" {
				return "Take a snapshot of " + p["repository"]
			}
			return "Clone " + p["repository"]
		},
		Check: w.checkClone,
		Do:    w.clone,
	}
}

// cloning reads the properties of a clone.
func (w *work) cloning(p map[string]string) repository.Cloning {
	name := strings.ReplaceAll(p["name"], timePlaceholder, w.Now().UTC().Format("20060102-150405"))
	return repository.Cloning{Source: p["repository"], Name: name, Snapshot: p["snapshot"] == "true"}
}

// checkClone finds out what would be refused, as far as that does not pass by itself: a name may become free.
func (w *work) checkClone(p map[string]string) formats.FieldErrors {
	if message := w.checkName(&tasks.Field{Kind: tasks.Repository}, p["repository"]); message != "" {
		return formats.FieldErrors{{Field: "repository", Message: message}}
	}
	return nil
}

func (w *work) clone(ctx context.Context, p map[string]string, m *tasks.Monitor) (string, error) {
	c := w.cloning(p)
	counted := int64(0)
	c.Progress = func(done, total int64) {
		m.Total(total)
		m.Add(done - counted)
		counted = done
	}
	begin := w.Now()
	if err := w.Engine.Clone(ctx, c, "system"); err != nil {
		return "", err
	}
	return fmt.Sprintf("%s is a copy of %s with %d assets, made in %s", c.Name, c.Source, counted, w.Now().Sub(begin).Round(time.Second)), nil
}
