package search

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"entrepot/storage/catalog"
	"entrepot/storage/kv"
)

// Limits of the work that one search does for the index.
const (
	catchUpChanges = 2000 // changes of a repository that a search takes in; the rest is for Run
	addersAtOnce   = 32   // of these changes, taken in at the same time
	sweepEvery     = 300  // rounds of Run between two sweeps
)

// Options tune an Index; nil and zero members mean the documented default.
type Options struct {
	Interval time.Duration // how often Run looks for changes; default 2 s
	Log      *slog.Logger  // default discards
}

// Index is the index of all components. Its methods may be called from many goroutines.
type Index struct {
	store   *kv.Store
	catalog *catalog.Catalog
	opts    Options

	limits limits
	words  knownWords
	mu     sync.Mutex
	states map[string]*state // by content
}

// state is how far one content tree was followed.
type state struct {
	mu sync.Mutex // held while changes are taken in
	progress
	loaded bool
	// current tells that all changes up to this revision of the tree are in.
	current  bool
	revision uint64
}

// progress is a row.
type progress struct {
	Built    bool   `json:"built"`         // components that were there before the feed's oldest entry are in
	ID       uint64 `json:"id,omitempty"`  // while building: the last component taken in
	Sequence string `json:"seq,omitempty"` // of the feed
}

// New makes an Index over the server's records.
func New(store *kv.Store, c *catalog.Catalog, opts *Options) *Index {
	x := &Index{store: store, catalog: c, states: make(map[string]*state), limits: defaultLimits()}
	if opts != nil {
		x.opts = *opts
	}
	if x.opts.Interval <= 0 {
		x.opts.Interval = 2 * time.Second
	}
	if x.opts.Log == nil {
		x.opts.Log = slog.New(slog.DiscardHandler)
	}
	return x
}

// Run follows the changes of all repositories until the context ends. contents gives the content trees that are served.
func (x *Index) Run(ctx context.Context, contents func() []string) {
	tick := time.NewTicker(x.opts.Interval)
	defer tick.Stop()
	ctx = catalog.Patient(ctx)
	for round := 0; ; round++ {
		served := contents()
		for _, content := range x.ready(ctx, served) {
			if err := x.catchUpAll(ctx, content); err != nil && ctx.Err() == nil {
				x.opts.Log.Warn("search index was not brought up to date", "content", content, "error", err)
			}
		}
		if round%sweepEvery == 0 {
			if err := x.sweep(ctx, served); err != nil && ctx.Err() == nil {
				x.opts.Log.Warn("search index was not swept", "error", err)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// ready leaves out content trees that have to be made whole first, but for one.
func (x *Index) ready(ctx context.Context, served []string) []string {
	var ready, behind []string
	for _, content := range served {
		if whole, err := x.catalog.Content(content).IsWhole(ctx); err == nil && !whole {
			behind = append(behind, content)
		} else {
			ready = append(ready, content)
		}
	}
	return append(ready, behind[:min(len(behind), 1)]...)
}

func (x *Index) catchUpAll(ctx context.Context, content string) error {
	for {
		if more, err := x.catchUp(ctx, content, true); err != nil || !more {
			return err
		}
	}
}

// sweep removes what is left of content trees that are served no more.
func (x *Index) sweep(ctx context.Context, served []string) error {
	for e, err := range x.store.Scan(ctx, followedPartition, kv.Range{}) {
		if err != nil {
			return fmt.Errorf("search: %w", err)
		}
		content := strings.Clone(e.Sort)
		if slices.Contains(served, content) {
			continue
		}
		if err := x.clear(ctx, content); err != nil {
			return err
		}
		if err := x.store.Apply(ctx, kv.Delete(kv.Key{Partition: followedPartition, Sort: content})); err != nil {
			return fmt.Errorf("search: %w", err)
		}
		x.mu.Lock()
		delete(x.states, content)
		x.mu.Unlock()
	}
	return nil
}

func (x *Index) state(content string) *state {
	x.mu.Lock()
	defer x.mu.Unlock()
	s := x.states[content]
	if s == nil {
		s = &state{}
		x.states[content] = s
	}
	return s
}

// catchUp takes in what is new in a content tree, as much as one search may wait for; true when there is more. It passes over a tree
// that has not changed since, unless it is told to look always: a change that was stored while an earlier one was under way comes late.
func (x *Index) catchUp(ctx context.Context, content string, always bool) (more bool, err error) {
	tree := x.catalog.Content(content)
	if err := tree.Complete(ctx, nil); err != nil { // before the lock, which a search must not wait for behind one that is patient
		return false, fmt.Errorf("search: %w", err)
	}
	s := x.state(content)
	s.mu.Lock()
	defer s.mu.Unlock()
	revision, err := tree.Revision(ctx)
	if err != nil {
		return false, fmt.Errorf("search: %w", err)
	}
	if !always && s.current && s.revision == revision {
		return false, nil
	}
	if err := x.load(ctx, content, s); err != nil {
		return false, err
	}
	if !s.Built {
		if more, err := x.build(ctx, content, s); more || err != nil {
			return more, err
		}
	}
	more, err = x.follow(ctx, content, s)
	s.current, s.revision = !more && err == nil, revision
	return more, err
}

func (x *Index) load(ctx context.Context, content string, s *state) error {
	if s.loaded {
		return nil
	}
	e, err := x.store.Get(ctx, kv.Key{Partition: followedPartition, Sort: content})
	switch {
	case errors.Is(err, kv.ErrNotFound):
	case err != nil:
		return fmt.Errorf("search: read progress: %w", err)
	default:
		if err := json.Unmarshal(e.Value, &s.progress); err != nil {
			return fmt.Errorf("search: read progress: %w", err)
		}
	}
	s.loaded = true
	return nil
}

func (x *Index) save(ctx context.Context, content string, s *state) error {
	value, err := json.Marshal(s.progress)
	if err == nil {
		err = x.store.Apply(ctx, kv.Put(kv.Key{Partition: followedPartition, Sort: content}, value))
	}
	if err != nil {
		return fmt.Errorf("search: write progress: %w", err)
	}
	return nil
}

// build takes in the components that are there already.
func (x *Index) build(ctx context.Context, content string, s *state) (more bool, err error) {
	n, last := 0, s.ID
	work, workCtx := x.group(ctx)
	for c, err := range x.catalog.Content(content).ComponentsAfterID(ctx, s.ID) {
		if err != nil {
			return false, errors.Join(fmt.Errorf("search: %w", err), work.Wait())
		}
		work.Go(func() error { return x.addWhole(workCtx, content, c) })
		last = c.ID
		if n++; n == catchUpChanges {
			break
		}
	}
	if err := work.Wait(); err != nil {
		return false, err
	}
	s.ID = last
	s.Built = n < catchUpChanges
	return !s.Built, x.save(ctx, content, s)
}

// group gives room for several additions at a time, because most of their time is spent waiting for the disk.
func (x *Index) group(ctx context.Context) (*errgroup.Group, context.Context) {
	work, ctx := errgroup.WithContext(ctx)
	work.SetLimit(addersAtOnce)
	return work, ctx
}

// follow takes in the change feed behind the last sequence.
func (x *Index) follow(ctx context.Context, content string, s *state) (more bool, err error) {
	tree := x.catalog.Content(content)
	n, last := 0, s.Sequence
	work, workCtx := x.group(ctx)
	for change, err := range tree.Changes(ctx, s.Sequence) {
		if err != nil {
			if err := work.Wait(); err != nil {
				return false, err
			}
			if errors.Is(err, catalog.ErrTrimmed) { // nobody searched for long: start over
				s.progress = progress{}
				return true, x.save(ctx, content, s)
			}
			return false, fmt.Errorf("search: %w", err)
		}
		if change.Kind == catalog.ChangePut {
			work.Go(func() error { return x.addOf(workCtx, tree, change.Path) })
		}
		last = change.Sequence
		if n++; n == catchUpChanges {
			break
		}
	}
	if err := work.Wait(); err != nil || n == 0 {
		return false, err
	}
	s.Sequence = last
	return n == catchUpChanges, x.save(ctx, content, s)
}

// addOf takes in the component of an asset, if both are still there.
func (x *Index) addOf(ctx context.Context, tree *catalog.Content, path string) error {
	a, err := tree.Asset(ctx, path)
	if errors.Is(err, catalog.ErrNotFound) || err == nil && a.Component == nil {
		return nil
	}
	if err != nil {
		return fmt.Errorf("search: %w", err)
	}
	c, err := tree.Component(ctx, *a.Component)
	if errors.Is(err, catalog.ErrNotFound) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("search: %w", err)
	}
	return x.add(ctx, tree.ID(), c, a)
}

// addWhole takes in a component with all its assets.
func (x *Index) addWhole(ctx context.Context, content string, c *catalog.Component) error {
	var assets []*catalog.Asset
	for a, err := range x.catalog.Content(content).ComponentAssets(ctx, c.Coordinates) {
		if err != nil {
			return fmt.Errorf("search: %w", err)
		}
		if assets = append(assets, a); len(assets) == maxTerms {
			break
		}
	}
	return x.add(ctx, content, c, assets...)
}
