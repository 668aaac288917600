package importer

import (
	"context"
	"errors"
	"fmt"
	"io"

	"golang.org/x/sync/errgroup"

	"entrepot/app/repository"
	"entrepot/migrate/inventory"
)

// Bounds of a group of assets whose bodies are made durable together. The bytes of one wait in the page cache, and few in memory.
const (
	maxGroup      = 256
	maxGroupBytes = 256 << 20
)

// taken is an asset whose body was read and checked.
type taken struct {
	asset *inventory.Asset
	body  *repository.Restoring
}

// assets brings all assets over: workers read and check bodies, and what they have taken is made durable in groups meanwhile, as many
// as came while the group before was. Adopted assets have nothing to read.
func (r *run) assets(ctx context.Context) error {
	parent, stop := context.WithCancel(ctx)
	defer stop()
	workers, working := errgroup.WithContext(parent) // working ends with the first failure: nothing more is begun, what was begun is ended
	queue := make(chan *inventory.Asset, r.plan.opts.Workers)
	ready := make(chan taken, maxGroup)
	for range r.plan.opts.Workers {
		workers.Go(func() error {
			for a := range queue {
				if working.Err() != nil {
					return nil
				}
				if err := r.take(parent, a, ready); err != nil {
					return err
				}
			}
			return nil
		})
	}
	workers.Go(func() error {
		defer close(queue)
		return r.feed(working, queue)
	})
	ended := make(chan error, 1)
	go func() {
		ended <- workers.Wait()
		close(ready)
	}()
	err := r.store(ctx, ready) // also what was taken before a worker failed
	stop()
	for left := range ready {
		left.body.Discard()
	}
	if err != nil {
		return err
	}
	return <-ended
}

// feed delivers the assets that come over.
func (r *run) feed(ctx context.Context, queue chan<- *inventory.Asset) (err error) {
	var paths *pathSet
	if r.plan.complete {
		if paths, err = newPathSet(r.plan.Assets); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, paths.close()) }()
	}
	for a, err := range r.plan.source.Assets(ctx) {
		var problem *inventory.Problem
		switch {
		case errors.As(err, &problem):
			r.fail(Failure{Repository: problem.Repository, Path: problem.Path, Blob: problem.Blob, Reason: problem.Reason})
			continue
		case err != nil:
			return err
		case !r.plan.wanted[a.Repository]:
			r.count(func(rep *Report) { rep.Skipped++ })
			continue
		}
		if err := r.noteTwice(paths, a); err != nil {
			return err
		}
		select {
		case queue <- a:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// noteTwice warns of a path that a source has twice: only the newer of its blobs can come over.
func (r *run) noteTwice(paths *pathSet, a *inventory.Asset) error {
	if paths == nil {
		return nil
	}
	fresh, err := paths.add(a.Repository, a.Path)
	if err == nil && !fresh {
		r.count(func(rep *Report) {
			if len(rep.Warnings) < maxListed {
				rep.Warnings = append(rep.Warnings, fmt.Sprintf("%s%s is there twice: the newer blob came over", a.Repository, a.Path))
			}
		})
	}
	return err
}

// take reads the body of one asset, if it is to be stored. Its error is not nil only when nothing more can be brought over.
func (r *run) take(ctx context.Context, a *inventory.Asset, ready chan<- taken) error {
	restored := a.Restored()
	restored.Origin, restored.Link, restored.Fresh, restored.Again = r.plan.mark, r.plan.opts.Move, r.plan.fresh[a.Repository], r.plan.opts.Again
	outcome, adopted, err := r.adopt(ctx, a, restored)
	if adopted {
		return r.settled(ctx, a, outcome, err, true)
	}
	body, outcome, err := r.plan.target.Engine.BeginRestore(ctx, a.Repository, restored, func() (io.ReadCloser, error) { return r.plan.source.Open(ctx, a) })
	if body == nil {
		return r.settled(ctx, a, outcome, err, false)
	}
	select {
	case ready <- taken{a, body}:
		return nil
	case <-ctx.Done():
		body.Discard()
		return ctx.Err()
	}
}

// store stores what was taken, in groups.
func (r *run) store(ctx context.Context, ready <-chan taken) error {
	for first := range ready {
		group, bytes := []taken{first}, first.body.Size()
	gather:
		for len(group) < maxGroup && bytes < maxGroupBytes {
			select {
			case next, ok := <-ready:
				if !ok {
					break gather
				}
				group, bytes = append(group, next), bytes+next.body.Size()
			default:
				break gather
			}
		}
		if err := r.storeGroup(ctx, group); err != nil {
			return err
		}
	}
	return nil
}

func (r *run) storeGroup(ctx context.Context, group []taken) error {
	bodies := make([]*repository.Restoring, len(group))
	for i, t := range group {
		bodies[i] = t.body
		defer t.body.Discard()
	}
	var ended error
	for i, result := range r.plan.target.Engine.FinishRestores(ctx, bodies) {
		if err := r.settled(ctx, group[i].asset, result.Outcome, result.Err, false); err != nil {
			ended = err
		}
	}
	return ended
}

// settled notes what became of one asset. Its error is not nil only when nothing more can be brought over.
func (r *run) settled(ctx context.Context, a *inventory.Asset, outcome repository.RestoreOutcome, err error, adopted bool) error {
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case ends(err):
		return err
	case err != nil:
		r.fail(Failure{Repository: a.Repository, Path: a.Path, Blob: a.Blob, Reason: reason(err)})
	default:
		r.count(func(rep *Report) { rep.add(outcome, a.Size, adopted) })
		r.moved(ctx, a)
	}
	r.meter.Add(1, max(a.Size, 0))
	return nil
}
