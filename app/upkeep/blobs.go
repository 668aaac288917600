package upkeep

import (
	"context"
	"fmt"
	"slices"
	"time"

	"entrepot/app/progress"
	"entrepot/app/tasks"
	"entrepot/storage/archive"
	"entrepot/storage/blob"
	"entrepot/storage/catalog"
	"entrepot/storage/gc"
)

const day = 24 * time.Hour

func (w *work) blobTypes() []tasks.Type {
	store := tasks.Field{ID: "blobStore", Label: "Blob store", Kind: tasks.BlobStore, Required: true}
	each := store
	each.All, each.Help = true, `"*" for all`
	return []tasks.Type{
		{
			ID: CollectBlobs, Name: "Blob store: remove blobs that nothing uses",
			Help: "Frees the space of content that was deleted or replaced. Any doubt, such as records that cannot be read, ends the run.",
			Fields: []tasks.Field{
				store,
				{
					ID: "olderThanDays", Label: "Older than, in days", Kind: tasks.Number, Default: "1", Min: least(0),
					Help: "Blobs that were stored later stay; those of the last hour always do",
				},
				{ID: "dryRun", Label: "Only count", Kind: tasks.Boolean, Default: "false"},
				{
					ID: "emptied", Label: "Also when nothing is left", Kind: tasks.Boolean, Default: "false",
					Help: "Collect although no record names any blob of the store, for one that was really emptied",
				},
			},
			Claims: claim(claimBlobStore, "blobStore"), Do: w.collect,
			Title: func(p map[string]string) string { return "Compacting " + p["blobStore"] + " blob store" },
		},
		{
			ID: VerifyBlobs, Name: "Blob store: verify every blob",
			Help:   "Reads every blob that is in use again and compares it with its name. The log lists what is missing or damaged.",
			Fields: []tasks.Field{each}, Claims: claim(claimBlobStore, "blobStore"), Do: w.verify,
			Title: func(p map[string]string) string { return "Verify blobs of " + p["blobStore"] },
		},
	}
}

// guarded are records that cannot be asked while the server is read-only, which ends a collection.
type guarded struct {
	gc.Records
	writable func() error
}

// Referenced implements gc.Records.
func (g guarded) Referenced(ctx context.Context, ref catalog.BlobRef) (bool, error) {
	if err := g.writable(); err != nil {
		return true, err
	}
	return g.Records.Referenced(ctx, ref)
}

func (w *work) collect(ctx context.Context, p map[string]string, m *tasks.Monitor) (string, error) {
	if err := w.Engine.Writable(); err != nil {
		return "", err
	}
	name := p["blobStore"]
	stores, err := w.Engine.BlobsIn(name)
	if err != nil {
		return "", err
	}
	days, err := number(p, "olderThanDays", 1)
	if err != nil {
		return "", err
	}
	status, err := w.Engine.BlobStoreStatus(ctx, name)
	if err != nil {
		return "", err
	}
	m.Total(status.Blobs) // and those that are to be found
	dry := p["dryRun"] == "true"
	var stats gc.Stats
	for _, store := range stores {
		of, failed := gc.Collect(ctx, gc.Options{
			Store: store, Records: guarded{w.Catalog, w.Engine.Writable}, Grace: max(time.Duration(days)*day, gc.MinGrace), DryRun: dry,
			Emptied: p["emptied"] == "true", Looked: func(blobs, _ int64) { m.Add(blobs) }, Now: w.Now,
		})
		stats.Add(of)
		if err = failed; err != nil {
			break
		}
	}
	if !dry {
		w.Collected(stats.Collected, stats.Reclaimed)
	}
	verb := "removed"
	if dry {
		verb = "would be removed"
	}
	message := fmt.Sprintf("%s (%s) of %d %s", counted(stats.Collected, "blob"), progress.Bytes(stats.Reclaimed), stats.Blobs, verb)
	if stats.Young > 0 {
		message += fmt.Sprintf("; %d are too young", stats.Young)
	}
	if stats.Missing > 0 {
		message += fmt.Sprintf("; %d that are in use are missing: verify the store", stats.Missing)
	}
	return message, err
}

// maxListed is how many problems of a run the message counts by name.
const maxListed = 3

func (w *work) verify(ctx context.Context, p map[string]string, m *tasks.Monitor) (string, error) {
	var stores []*blob.Store
	for _, d := range w.Engine.BlobStores() {
		if p["blobStore"] != Every && p["blobStore"] != d.Name {
			continue
		}
		parts, err := w.Engine.BlobsIn(d.Name)
		if err != nil {
			return "", err
		}
		for _, part := range parts {
			if !slices.Contains(stores, part) { // it is also in a group
				stores = append(stores, part)
			}
		}
	}
	if len(stores) == 0 {
		return "", fmt.Errorf("there is no blob store %s", p["blobStore"])
	}
	var listed []string
	result, err := archive.VerifyBlobs(ctx, archive.Verification{
		Catalog: w.Catalog, Stores: stores, Found: func(blobs, _ int64) { m.Total(blobs) }, Read: func(blobs, _ int64) { m.Add(blobs) },
		Problem: func(p archive.Problem) {
			if len(listed) < maxListed {
				listed = append(listed, p.String())
			}
			w.Log.Error("blob is not as it should be", "problem", p.String())
		},
	})
	if err != nil {
		return "", err
	}
	return problems(fmt.Sprintf("%s (%s) verified", counted(result.Blobs, "blob"), progress.Bytes(result.Bytes)), result.Problems, listed)
}

// problems makes an error of what was found to be wrong.
func problems(done string, count int64, listed []string) (string, error) {
	if count == 0 {
		return done + "; all as it should be", nil
	}
	text := fmt.Sprintf("%s; %s", done, counted(count, "problem"))
	for _, p := range listed {
		text += "; " + p
	}
	return "", fmt.Errorf("%s", text)
}
