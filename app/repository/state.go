package repository

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"

	"entrepot/formats"
	"entrepot/storage/blob"
	"entrepot/storage/catalog"
)

// state is all definitions at one moment, ready for use. It is never changed: a change makes a new one.
type state struct {
	byName  map[string]*repo // as spelled, and in lower case
	ordered []*repo          // by name
	rules   map[string]*rule
	stores  map[string]*store
	labels  map[string]*store // by what records of blobs call them; groups have no blobs of their own
}

// repo is one repository with what its definition refers to.
type repo struct {
	def     Definition
	version uint64         // of the record
	format  formats.Format // nil when this build does not serve it
	view    formats.Repository
	content *catalog.Content
	store   *store // nil when the definition names one that is not there
	rule    *rule  // nil for none
	leaves  []*repo
	run     *runtime // survives changes of the definition

	disposition string      // Content-Disposition of routes that have one
	bearing     http.Header // the same, for refusals; shared
}

// store is one blob store.
type store struct {
	def     BlobStore
	version uint64
	blobs   *blob.Store // nil for a group, and when it cannot be used
	err     error       // why not
	members []*store    // of a group
	turns   *atomic.Uint64
}

// forWriting gives the bytes that take a new blob.
func (s *store) forWriting() (*blob.Store, error) {
	if s.def.Type != BlobStoreGroup {
		if s.blobs == nil {
			return nil, s.unavailable()
		}
		return s.blobs, nil
	}
	first := 0
	if s.def.FillPolicy == FillRoundRobin && len(s.members) > 0 {
		first = int(s.turns.Add(1) % uint64(len(s.members)))
	}
	for i := range s.members {
		if m := s.members[(first+i)%len(s.members)]; m.blobs != nil {
			return m.blobs, nil
		}
	}
	return nil, s.unavailable()
}

// ref names a blob in what forWriting gave.
func (s *store) ref(blobs *blob.Store, hash blob.Hash) catalog.BlobRef {
	for _, m := range s.members {
		if m.blobs == blobs {
			return catalog.BlobRef{Store: m.def.Ref(), Hash: hash}
		}
	}
	return catalog.BlobRef{Store: s.def.Ref(), Hash: hash}
}

func (s *store) unavailable() error {
	return &formats.Error{Kind: formats.Unavailable, Message: fmt.Sprintf("Blob store %s is not available", s.def.Name), Err: s.err}
}

// find looks a repository up, ignoring the case of its name; nil when there is none.
func (s *state) find(name string) *repo {
	if r := s.byName[name]; r != nil {
		return r
	}
	return s.byName[strings.ToLower(name)]
}

// close ends what a repository runs by itself.
func (r *repo) close() {
	if r.run != nil {
		r.run.setClient(nil)
	}
}

// blobs gives the blob store for writing.
func (r *repo) blobs() (*blob.Store, error) {
	switch {
	case r.store == nil:
		return nil, formats.Errorf(formats.Unavailable, "Blob store %s is not there", r.def.BlobStore)
	}
	return r.store.forWriting()
}

// stored is a definition with the version of its record.
type stored[T any] struct {
	value   T
	version uint64
}

// records are all definitions as they are kept.
type records struct {
	repositories []stored[Definition]
	rules        []stored[RoutingRule]
	stores       []stored[BlobStore]
}

// readState reads all records and makes the state of them.
func (e *Engine) readState(ctx context.Context) (*state, error) {
	var recs records
	var err error
	if recs.repositories, err = readAll(ctx, e.opts.Store, repositoryPartition, e.decodeRepository); err != nil {
		return nil, err
	}
	if recs.rules, err = readAll(ctx, e.opts.Store, rulePartition, decodeJSON[RoutingRule]); err != nil {
		return nil, err
	}
	if recs.stores, err = readAll(ctx, e.opts.Store, storePartition, decodeJSON[BlobStore]); err != nil {
		return nil, err
	}
	return e.build(ctx, recs), nil
}

// build makes a state. What runs by itself is taken over from the present state.
func (e *Engine) build(ctx context.Context, recs records) *state {
	old := e.state.Load()
	if old == nil {
		old = &state{}
	}
	next := &state{
		byName: make(map[string]*repo, 2*len(recs.repositories)), rules: make(map[string]*rule),
		stores: make(map[string]*store), labels: make(map[string]*store),
	}
	e.buildStores(ctx, old, next, recs.stores)
	for _, rec := range recs.rules {
		next.rules[rec.value.Name] = buildRule(old, rec)
	}
	for _, rec := range recs.repositories {
		r := e.buildRepo(old, next, rec)
		next.ordered = append(next.ordered, r)
		next.byName[strings.ToLower(r.def.Name)] = r
		next.byName[r.def.Name] = r
	}
	slices.SortFunc(next.ordered, func(a, b *repo) int { return cmp.Compare(a.def.Name, b.def.Name) })
	for _, r := range next.ordered {
		if r.def.Kind == formats.Proxy {
			r.leaves = next.expand(r)
		}
	}
	return next
}

func (e *Engine) buildStores(ctx context.Context, old, next *state, recs []stored[BlobStore]) {
	for _, rec := range recs {
		s := e.buildStore(ctx, old, rec)
		next.stores[rec.value.Name] = s
		if rec.value.Type != BlobStoreGroup {
			next.labels[rec.value.Ref()] = s
		}
	}
	for _, s := range next.stores {
		for _, name := range s.def.Members {
			if m := next.stores[name]; m != nil && m.def.Type != BlobStoreGroup {
				s.members = append(s.members, m)
			}
		}
		if s.def.Type == BlobStoreGroup && !slices.ContainsFunc(s.members, func(m *store) bool { return m.blobs != nil }) {
			s.err = errors.New("repository: no member of the group can be used")
		}
	}
}

func (e *Engine) buildStore(ctx context.Context, old *state, rec stored[BlobStore]) *store {
	if s := old.stores[rec.value.Name]; s != nil && s.version == rec.version && s.blobs != nil {
		return s
	}
	s := &store{def: rec.value, version: rec.version}
	if s.def.Type == BlobStoreGroup {
		s.turns = &atomic.Uint64{}
		if before := old.stores[s.def.Name]; before != nil && before.turns != nil {
			s.turns = before.turns
		}
		return s
	}
	if s.def.Type != BlobStoreFile {
		s.err = fmt.Errorf("repository: blob stores of type %q are not served", s.def.Type)
		return s
	}
	if s.blobs, s.err = e.opts.OpenBlobs(ctx, s.def); s.err != nil {
		s.blobs = nil
		e.log.Error("blob store cannot be used", "store", s.def.Name, "error", s.err)
	}
	return s
}

func (e *Engine) buildRepo(old, next *state, rec stored[Definition]) *repo {
	d := rec.value
	r := &repo{
		def: d, version: rec.version,
		format:  e.formats[d.Format],
		view:    formats.Repository{Name: d.Name, Kind: d.Kind, Settings: d.Settings, Strict: d.Strict},
		content: e.opts.Catalog.Content(d.Content),
		store:   next.stores[d.BlobStore],
		rule:    next.rules[d.RoutingRule],

		disposition: disposition(d.Settings),
		bearing:     http.Header{headerDisposition: {disposition(d.Settings)}},
	}
	if before := old.byName[strings.ToLower(d.Name)]; before != nil && before.def.Content == d.Content {
		r.run = before.run
		e.adapt(r, before)
	} else {
		r.run = e.newRuntime()
		r.run.setClient(e.newClient(&r.def))
	}
	return r
}

// install makes a state the present one and ends what only the former one had.
func (e *Engine) install(next *state) {
	old := e.state.Swap(next)
	if old == nil {
		return
	}
	kept := make(map[*runtime]bool, len(next.ordered))
	for _, r := range next.ordered {
		kept[r.run] = true
	}
	for _, r := range old.ordered {
		if !kept[r.run] {
			r.close()
		}
	}
}

// expand gives the hosted repositories and caches behind a proxy, in order, each once.
func (s *state) expand(proxy *repo) []*repo {
	var leaves []*repo
	seen := map[*repo]bool{proxy: true}
	var add func(r *repo)
	add = func(r *repo) {
		for _, name := range r.def.Members {
			m := s.find(name)
			if m == nil || seen[m] || m.def.Format != proxy.def.Format {
				continue
			}
			seen[m] = true
			if m.def.Kind == formats.Proxy {
				add(m)
			} else {
				leaves = append(leaves, m)
			}
		}
	}
	add(proxy)
	return leaves
}

// errRepositoryNotFound is the refusal for a name that no repository has.
func errRepositoryNotFound() error {
	return &formats.Error{Kind: formats.NotFound, Message: "Repository not found", Err: ErrNotFound}
}

var (
	// ErrNotFound is the cause of a refusal because a definition does not exist.
	ErrNotFound = errors.New("repository: no such definition")
	// ErrExists is the cause of a refusal because the name of a definition is taken.
	ErrExists = errors.New("repository: name is taken")
	// ErrInUse is the cause of a refusal because other definitions refer to this one.
	ErrInUse = errors.New("repository: definition is in use")
	// ErrNoBlobStore is the cause of a refusal because a repository's blob store does not exist.
	ErrNoBlobStore = errors.New("repository: no such blob store")
	// ErrFixed is the cause of a refusal because a member of a definition cannot be changed.
	ErrFixed = errors.New("repository: cannot be changed")
	// ErrChanged reports that another instance changed the definitions meanwhile. They have been read again.
	ErrChanged = errors.New("repository: definitions changed meanwhile")
)
