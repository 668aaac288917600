package repository

import (
	"context"
	"io"
	"sync"

	"entrepot/formats"
	"entrepot/storage/blob"
	"entrepot/storage/catalog"
)

// Restoring is an asset whose body was taken and checked, and is not visible yet.
type Restoring struct {
	repo   *repo
	in     Restored
	item   formats.Item
	before *catalog.Asset
	body   *blob.Writer
}

// Size is the length of the body in bytes.
func (p *Restoring) Size() int64 { return p.body.Info().Size }

// Discard drops the body, unless it was committed.
func (p *Restoring) Discard() { p.body.Discard() }

// asset makes the record.
func (p *Restoring) asset(info blob.Info) *catalog.Asset {
	return p.in.asset(p.repo, p.item, p.repo.store.ref(p.body.Store(), info.Hash), info)
}

// BeginRestore takes the body of an asset of another server, as Restore does, for FinishRestores to store it with others. It gives nil
// and the outcome when there is nothing to store. The caller ends what it gets with Discard, also after FinishRestores.
func (e *Engine) BeginRestore(ctx context.Context, repository string, in Restored, open func() (io.ReadCloser, error)) (*Restoring, RestoreOutcome, error) {
	r, before, err := e.beginning(ctx, repository, &in)
	if err != nil {
		return nil, 0, err
	}
	if before != nil && !before.BlobCreated.Before(in.BlobCreated) {
		outcome, err := e.retain(ctx, r, in, before)
		return nil, outcome, err
	}
	if before == nil && !in.Fresh {
		if stays, err := in.staysDeleted(ctx, r); err != nil || stays {
			return nil, RestoreDeleted, err
		}
	}
	body, err := open()
	if err != nil {
		return nil, 0, err
	}
	defer body.Close()
	w, item, err := e.take(ctx, r, &in, body)
	if err != nil {
		return nil, 0, err
	}
	return &Restoring{repo: r, in: in, item: item, before: before, body: w}, 0, nil
}

// beginning is restorable, but looks at what is there only when there may be something.
func (e *Engine) beginning(ctx context.Context, repository string, in *Restored) (*repo, *catalog.Asset, error) {
	if !in.Fresh {
		return e.restorable(ctx, repository, in)
	}
	r, err := e.holder(repository)
	in.normalise()
	return r, nil, err
}

// RestoreResult is what became of one asset of a group.
type RestoreResult struct {
	Outcome RestoreOutcome
	Err     error
}

// FinishRestores makes the bodies of a group durable, and then their records. One asset's failure is in its result and does not keep
// the others back, unless the bodies cannot be made durable.
func (e *Engine) FinishRestores(ctx context.Context, group []*Restoring) []RestoreResult {
	results := make([]RestoreResult, len(group))
	byStore := make(map[*blob.Store][]int)
	for i, p := range group {
		byStore[p.body.Store()] = append(byStore[p.body.Store()], i)
	}
	for blobs, members := range byStore {
		e.finishIn(ctx, blobs, group, members, results)
	}
	return results
}

// finishIn stores those members of a group whose bodies are in one blob store.
func (e *Engine) finishIn(ctx context.Context, blobs *blob.Store, group []*Restoring, members []int, results []RestoreResult) {
	writers := make([]*blob.Writer, len(members))
	for i, member := range members {
		writers[i] = group[member].body
	}
	if err := blobs.CommitAll(ctx, writers); err != nil {
		for _, member := range members {
			results[member].Err = err
		}
		return
	}
	var wg sync.WaitGroup
	for _, member := range members { // at once, so that their records share the syncs of the log
		p, result := group[member], &results[member]
		wg.Go(func() {
			result.Outcome, result.Err = e.record(ctx, p.repo, p.asset(p.body.Info()), p.in.options(p.item, p.before))
		})
	}
	wg.Wait()
}
