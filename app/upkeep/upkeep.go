// Package upkeep has the kinds of work that tasks of this server do: cleaning up by policies, collecting and verifying blobs, cloning
// repositories, rebuilding what is derived from content. It gives them to package tasks, which runs them.
//
// Invariants: nothing is changed while the server is read-only; work ends soon after its context does, and can then be begun again, where
// removal and collection go on from where they were (docs/design/resuming.md); two runs that would get in each other's way claim the
// same thing.
//
//	service, err := tasks.Open(ctx, store, tasks.Options{Types: upkeep.Types(upkeep.Options{Engine: engine, …})})
//	err = service.Ensure(ctx, upkeep.DefaultCleanup())
package upkeep

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"time"

	"entrepot/app/access"
	"entrepot/app/cleanup"
	"entrepot/app/progress"
	"entrepot/app/repository"
	"entrepot/app/search"
	"entrepot/app/tasks"
	"entrepot/formats"
	"entrepot/storage/catalog"
	"entrepot/storage/kv"
)

// The ids of the types.
const (
	Cleanup               = "cleanup"
	CollectBlobs          = "collect-blobs"
	VerifyBlobs           = "verify-blobs"
	RebuildSearch         = "rebuild-search"
	CheckBrowse           = "check-browse"
	Checkpoint            = "checkpoint"
	RemoveUnused          = "remove-unused"
	RemoveOrphanedTokens  = "remove-orphaned-tokens"
	MavenRebuildMetadata  = "maven-rebuild-metadata"
	MavenRemoveSnapshots  = "maven-remove-snapshots"
	MavenRemoveUnusedSnap = "maven-remove-unused-snapshots"
	CloneRepository       = "clone-repository"
)

// Every stands for all repositories or blob stores in a property.
const Every = "*"

// Options are what the work is done on. Those without a default are required.
type Options struct {
	Engine     *repository.Engine
	Catalog    *catalog.Catalog
	Cleanup    *cleanup.Service
	Search     *search.Index
	Access     *access.Service
	Store      *kv.Store                       // keeps how far long work came; default nothing does, and it begins anew
	Checkpoint func(ctx context.Context) error // writes a checkpoint of the records
	Collected  func(blobs, bytes int64)        // hears of blobs that were removed; default nobody
	Log        *slog.Logger                    // default discards
	Now        func() time.Time                // default time.Now
}

// work does what the types promise.
type work struct{ Options }

// Types gives all types.
func Types(o Options) []tasks.Type {
	if o.Collected == nil {
		o.Collected = func(int64, int64) {}
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	w := &work{o}
	all := []tasks.Type{w.cleanupType(), w.checkpointType(), w.tokensType(), w.cloneType()}
	all = append(all, w.blobTypes()...)
	all = append(all, w.rebuildTypes()...)
	all = append(all, w.removeTypes()...)
	for i := range all {
		if all[i].Check == nil {
			all[i].Check = w.checkNames(all[i].Fields)
		}
	}
	return all
}

// DefaultCleanup is the task that every server has.
func DefaultCleanup() tasks.Definition {
	return tasks.Definition{
		Type: Cleanup, Name: "Cleanup service", Enabled: true, Alert: tasks.Alert{On: tasks.OnFailure},
		Schedule: tasks.Schedule{Frequency: tasks.Cron, Cron: "0 0 1 * * ?"},
	}
}

// The kinds of things that runs claim.
const (
	claimRepository = "repository"
	claimBlobStore  = "blob store"
)

// claim gives the claim on what a property names.
func claim(kind, property string) func(map[string]string) []tasks.Claim {
	return func(p map[string]string) []tasks.Claim {
		name := p[property]
		if name == Every {
			name = ""
		}
		return []tasks.Claim{{Kind: kind, Name: name}}
	}
}

func claimAll(kind string) func(map[string]string) []tasks.Claim {
	return func(map[string]string) []tasks.Claim { return []tasks.Claim{{Kind: kind}} }
}

// checkNames finds names of repositories and blob stores that do not exist, or that the type is not for.
func (w *work) checkNames(fields []tasks.Field) func(map[string]string) formats.FieldErrors {
	return func(p map[string]string) formats.FieldErrors {
		var wrong formats.FieldErrors
		for _, f := range fields {
			value := p[f.ID]
			if value == "" || value == Every && f.All {
				continue
			}
			if message := w.checkName(&f, value); message != "" {
				wrong = append(wrong, formats.FieldError{Field: f.ID, Message: message})
			}
		}
		return wrong
	}
}

func (w *work) checkName(f *tasks.Field, value string) string {
	switch f.Kind {
	case tasks.BlobStore:
		if _, err := w.Engine.BlobStore(value); err != nil {
			return "There is no blob store " + value
		}
	case tasks.Repository:
		return w.checkRepository(f, value)
	case tasks.Several:
		for _, name := range split(value) {
			if message := w.checkRepository(f, name); message != "" {
				return message
			}
		}
	}
	return ""
}

func (w *work) checkRepository(f *tasks.Field, name string) string {
	d, ok := w.Engine.Lookup(name)
	switch {
	case !ok:
		return "There is no repository " + name
	case f.Formats != nil && !slices.Contains(f.Formats, d.Format):
		return fmt.Sprintf("Repository %s is of format %s, which this task is not for", name, d.Format)
	case f.Kinds != nil && !slices.Contains(f.Kinds, d.Kind):
		return fmt.Sprintf("Repository %s is of kind %s, which this task is not for", name, d.Kind)
	}
	return ""
}

func split(names string) []string {
	var all []string
	for _, name := range strings.Split(names, ",") {
		if name = strings.TrimSpace(name); name != "" {
			all = append(all, name)
		}
	}
	return all
}

// repositories gives what a property of a field names: all that fit for "*", with commas between for several.
func (w *work) repositories(f tasks.Field, value string) ([]repository.Definition, error) {
	var found []repository.Definition
	if value == Every {
		for _, d := range w.Engine.List() {
			if w.checkRepository(&f, d.Name) == "" && w.Engine.Served(d.Format) {
				found = append(found, d)
			}
		}
		return found, nil
	}
	for _, name := range split(value) {
		if message := w.checkRepository(&f, name); message != "" {
			return nil, fmt.Errorf("%s", message)
		}
		d, _ := w.Engine.Lookup(name)
		found = append(found, d)
	}
	return found, nil
}

// number reads a property that the service checked; fallback when it is not set.
func number(p map[string]string, property string, fallback int64) (int64, error) {
	text := p[property]
	if text == "" {
		return fallback, nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("property %s: %q is no number", property, text)
	}
	return n, nil
}

func least(n int64) *int64 { return &n }

// amounts words what was removed.
func amounts(components, assets, bytes int64, dry bool) string {
	verb := "removed"
	if dry {
		verb = "would be removed"
	}
	return fmt.Sprintf("%s with %s (%s) %s", counted(components, "component"), counted(assets, "file"), progress.Bytes(bytes), verb)
}

func counted(n int64, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// total counts the components of repositories, for progress.
func (w *work) total(ctx context.Context, m *tasks.Monitor, list []repository.Definition) error {
	n, err := w.components(ctx, list)
	m.Total(n)
	return err
}

func (w *work) components(ctx context.Context, list []repository.Definition) (n int64, err error) {
	for _, d := range list {
		usage, err := w.Engine.HeldUsage(ctx, d.Name)
		if err != nil {
			return 0, err
		}
		n += usage.Components
	}
	return n, nil
}
