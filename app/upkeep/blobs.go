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
			Claims: claim(claimBlobStore, "blobStore"), Do: w.collect, Resumes: true,
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

// collecting is how far a collection came: through some stores, and into one.
type collecting struct {
	Through gc.Stats `json:"through"` // of the stores before Store
	Store   string   `json:"store"`
	Into    gc.Stats `json:"into"`
	Last    string   `json:"last"` // hash of the last blob that was looked at in Store
}

func (w *work) collect(ctx context.Context, p map[string]string, m *tasks.Monitor) (string, error) {
	if err := w.Engine.Writable(); err != nil {
		return "", err
	}
	stores, err := w.Engine.BlobsIn(p["blobStore"])
	if err != nil {
		return "", err
	}
	days, err := number(p, "olderThanDays", 1)
	if err != nil {
		return "", err
	}
	c := &collection{work: w, m: m, stores: stores, options: gc.Options{
		Records: guarded{w.Catalog, w.Engine.Writable}, Grace: max(time.Duration(days)*day, gc.MinGrace), DryRun: p["dryRun"] == "true",
		Emptied: p["emptied"] == "true", Now: w.Now,
	}}
	stats, err := c.run(ctx, p["blobStore"])
	verb := "removed"
	if c.options.DryRun {
		verb = "would be removed"
	}
	message := fmt.Sprintf("%s (%s) of %d %s", counted(stats.Collected, "blob"), progress.Bytes(stats.Reclaimed), stats.Blobs, verb)
	if stats.Young > 0 {
		message += fmt.Sprintf("; %d are too young", stats.Young)
	}
	if stats.Missing > 0 {
		message += fmt.Sprintf("; %d that are in use are missing: verify the store", stats.Missing)
	}
	return message + c.resumed, err
}

// collection is a run over all stores behind one name.
type collection struct {
	*work
	m       *tasks.Monitor
	stores  []*blob.Store
	options gc.Options
	at      *position[collecting]
	named   []int64 // for each store, how many blobs records name
	resumed string  // says so
}

// run collects, from where an earlier run was, and gives what all of them did.
func (c *collection) run(ctx context.Context, name string) (sum gc.Stats, err error) {
	work := "collect/"
	if c.options.DryRun {
		work = "collect-dry/"
	}
	var names []string
	for _, s := range c.stores {
		names = append(names, s.Name())
		usage, err := c.Catalog.StoreUsage(ctx, s.Name())
		if err != nil {
			return sum, err
		}
		c.named = append(c.named, usage.Blobs)
	}
	c.at, err = openPosition[collecting](ctx, c.work, work+name, []any{names, c.options.Grace, c.options.Emptied})
	if err != nil {
		return sum, err
	}
	begin := 0
	if c.at.resumed {
		c.m.Resume(c.at.At.Through.Blobs + c.at.At.Into.Blobs)
		c.resumed = "; this went on from where an earlier run had ended"
		if c.at.At.Into.Last, err = blob.ParseHash(c.at.At.Last); err != nil {
			return sum, err
		}
		begin = slices.Index(names, c.at.At.Store)
	}
	for i := begin; i < len(c.stores) && err == nil; i++ {
		err = c.store(ctx, i)
	}
	sum = c.at.At.Through
	sum.Add(c.at.At.Into)
	return sum, c.at.end(ctx, err)
}

// store collects in one store.
func (c *collection) store(ctx context.Context, i int) error {
	at := &c.at.At
	if name := c.stores[i].Name(); at.Store != name {
		at.Through.Add(at.Into)
		at.Store, at.Into, at.Last = name, gc.Stats{}, blob.Hash{}.String()
	}
	o := c.options
	o.Store, o.From = c.stores[i], at.Into
	o.Looked = func(s gc.Stats) {
		c.m.Add(s.Blobs - at.Into.Blobs)
		at.Into, at.Last = s, s.Last.String()
		c.expect(i, s.Expected())
		c.at.passed(ctx)
	}
	c.expect(i, 0)
	stats, err := gc.Collect(ctx, o)
	if !o.DryRun {
		c.Collected(stats.Collected-o.From.Collected, stats.Reclaimed-o.From.Reclaimed)
	}
	if err == nil {
		at.Into, at.Last = stats, stats.Last.String()
		c.expect(i, stats.Blobs)
	}
	return err
}

// expect tells how many blobs there are in all, while store i is looked at, in which there are n: 0 when it is too early to tell, then
// those that records name have to do, as in the stores behind it.
func (c *collection) expect(i int, n int64) {
	if n == 0 {
		n = max(c.named[i], c.at.At.Into.Blobs)
	}
	n += c.at.At.Through.Blobs
	for _, named := range c.named[i+1:] {
		n += named
	}
	c.m.Total(n)
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
