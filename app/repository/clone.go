package repository

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sync/errgroup"

	"entrepot/app/audit"
	"entrepot/formats"
	"entrepot/storage/catalog"
	"entrepot/storage/kv"
)

// copiersAtOnce is how many records a clone writes at a time, because most of their time is spent waiting for the disk.
const copiersAtOnce = 32

// followRounds is how often a clone looks for what changed meanwhile. Each round is shorter than the one before; a source that never
// rests must not keep it for ever.
const followRounds = 10

// Cloning says what to clone.
type Cloning struct {
	Source   string
	Name     string // of the repository that is made
	Snapshot bool   // make a hosted repository that takes no writes, whatever the source is
	// Progress is told how many of about how many assets are there; nil tells nobody.
	Progress func(done, total int64)
}

// CheckClone reports why a clone would be refused, as Clone does, without making it.
func (e *Engine) CheckClone(c Cloning) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	_, _, err := e.planClone(c)
	return err
}

// Clone makes a repository with the settings and the content of another one. No bytes are copied: both name the same blobs. It appears
// when it is complete, with everything the source had by then; what a crash cuts off is removed at the next start. actor is the user
// id of who asks for it.
func (e *Engine) Clone(ctx context.Context, c Cloning, actor string) error {
	e.mu.Lock()
	source, d, err := e.planClone(c)
	e.mu.Unlock()
	if err != nil {
		return err
	}
	if d.Kind == formats.Proxy {
		return e.Create(ctx, d, actor)
	}
	d.Content = newContentID()
	unfinished := kv.Key{Partition: dropPartition, Sort: d.Content}
	e.drops.begin(d.Content)
	err = e.opts.Store.Apply(ctx, kv.PutNew(unfinished, []byte(d.Name)))
	if err == nil {
		copying := copying{source.content, e.opts.Catalog.Content(d.Content), d.Kind == formats.Hosted}
		err = copying.run(ctx, c.Progress)
	}
	if err == nil {
		err = e.publishClone(ctx, d, unfinished, actor)
	}
	e.drops.end(d.Content)
	if err != nil {
		err = fmt.Errorf("repository: clone %s: %w", c.Source, err)
		return errors.Join(err, e.resumeDrops(context.WithoutCancel(ctx)))
	}
	e.log.Info("repository cloned", "repository", d.Name, "source", c.Source, "snapshot", c.Snapshot, "user", actor)
	return nil
}

// planClone gives the source and the definition of its clone. The caller holds the lock.
func (e *Engine) planClone(c Cloning) (*repo, Definition, error) {
	s := e.state.Load()
	source := s.find(c.Source)
	if source == nil {
		return nil, Definition{}, errRepositoryNotFound()
	}
	d := source.def
	d.Name, d.Content, d.Token, d.HealthCheck = c.Name, "", "", false
	if c.Snapshot {
		if d.Kind == formats.Proxy {
			return nil, d, formats.Errorf(formats.Invalid, "%s is a proxy without content of its own: take snapshots of its members", source.def.Name)
		}
		d.Kind, d.Write = formats.Hosted, WriteDeny
		d.Upstream, d.NegativeCache, d.RoutingRule, d.Replication, d.Cleanup = nil, NegativeCache{}, "", nil, nil
	}
	if err := e.check(s, nil, &d); err != nil {
		return nil, d, err
	}
	return source, d, e.writable()
}

// publishClone makes a filled tree a repository.
func (e *Engine) publishClone(ctx context.Context, d Definition, unfinished kv.Key, actor string) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if err := e.check(e.state.Load(), nil, &d); err != nil { // meanwhile the name may be taken
		return err
	}
	if err := e.writable(); err != nil {
		return err
	}
	value, err := e.encodeRepository(d)
	if err != nil {
		return err
	}
	if err := e.apply(ctx, kv.PutNew(repositoryKey(d.Name), value), kv.Delete(unfinished)); err != nil {
		return err
	}
	e.renewal.wake()
	e.tell(ctx, actor, audit.Event{Action: "repository.clone", Object: d.Name, After: d})
	return nil
}

// copying is a clone of content under way.
type copying struct {
	from, to *catalog.Content
	hosted   bool // the copy has no upstream
}

// run fills a tree with the assets of another one, and then with what changed there meanwhile.
func (c *copying) run(ctx context.Context, progress func(done, total int64)) error {
	position, err := c.from.Position(ctx)
	if err != nil {
		return err
	}
	usage, err := c.from.Usage(ctx)
	if err != nil {
		return err
	}
	work, workCtx := errgroup.WithContext(ctx)
	work.SetLimit(copiersAtOnce)
	done := int64(0)
	for a, err := range c.from.Assets(ctx, "") {
		if err != nil || workCtx.Err() != nil {
			return errors.Join(err, work.Wait())
		}
		work.Go(func() error { return c.asset(workCtx, a.Path) })
		if done++; progress != nil {
			progress(done, max(done, usage.Assets))
		}
	}
	if err := work.Wait(); err != nil {
		return err
	}
	for range followRounds {
		changed := false
		for change, err := range c.from.Changes(ctx, position) {
			if err != nil {
				return err
			}
			if err := c.asset(ctx, change.Path); err != nil {
				return err
			}
			position, changed = change.Sequence, true
		}
		if !changed {
			break
		}
	}
	return c.stale(ctx)
}

// stale takes along what is still to be made anew.
func (c *copying) stale(ctx context.Context) error {
	for s, err := range c.from.AllStale(ctx) {
		if err == nil {
			err = c.to.MarkStale(ctx, []string{s.Path}, s.Create)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// asset makes a path of one tree what it is in another one. It looks at the source again afterwards: as long as the source names the
// blob too, no collection can have taken it away in between.
func (c *copying) asset(ctx context.Context, path string) error {
	for {
		a, err := c.from.Asset(ctx, path)
		if errors.Is(err, catalog.ErrNotFound) {
			if err = c.to.Delete(ctx, path); errors.Is(err, catalog.ErrNotFound) {
				err = nil
			}
			return err
		}
		if err != nil {
			return err
		}
		options, err := componentOptions(ctx, c.from, a)
		if err != nil {
			return err
		}
		made := *a
		made.ID, made.Version = 0, 0
		if c.hosted {
			made.Upstream = nil
		}
		if err := c.to.Put(ctx, &made, options); err != nil {
			return err
		}
		if now, err := c.from.Asset(ctx, path); err == nil && now.Blob == a.Blob {
			return nil
		} else if err != nil && !errors.Is(err, catalog.ErrNotFound) {
			return err
		}
	}
}

// componentOptions gives what a copy of an asset brings along for its component.
func componentOptions(ctx context.Context, from *catalog.Content, a *catalog.Asset) (options catalog.PutOptions, err error) {
	if a.Component == nil {
		return options, nil
	}
	c, err := from.Component(ctx, *a.Component)
	if errors.Is(err, catalog.ErrNotFound) {
		return options, nil
	}
	if err == nil {
		options = catalog.PutOptions{ComponentKind: c.Kind, ComponentAttributes: c.Attributes, ComponentCreated: c.Created, ComponentUpdated: c.Updated}
	}
	return options, err
}
