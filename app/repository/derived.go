package repository

import (
	"context"
	"errors"
	"hash/maphash"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"entrepot/formats"
	"entrepot/storage/catalog"
)

// Documents of a hosted repository that tell of its components, such as Maven's version lists, are stored files that are made anew when
// components go. Every removal says in its own batch which ones that are (catalog.RemoveOptions), so that what a failure or the end of
// the process leaves undone is found and done: by renewing at the next start or a minute later, or by the first who reads the document.

// renewEvery is how long after a failure it is tried again.
const renewEvery = time.Minute

// renewal is the state of documents that are to be made anew.
type renewal struct {
	wanted chan struct{}
	asked  atomic.Int64 // how often it was asked for, and how much of that is done
	done   atomic.Int64
	seed   maphash.Seed
	making [64]sync.Mutex // each held while a document of its share is made
}

func (n *renewal) open() {
	n.wanted, n.seed = make(chan struct{}, 1), maphash.MakeSeed()
	n.wake()
}

// wake has all repositories looked through.
func (n *renewal) wake() {
	n.asked.Add(1)
	select {
	case n.wanted <- struct{}{}:
	default:
	}
}

// pending reports whether there may be documents that nobody is at work on.
func (n *renewal) pending() bool { return n.asked.Load() != n.done.Load() }

// lock keeps others from making the same document.
func (n *renewal) lock(content, path string) *sync.Mutex {
	m := &n.making[maphash.String(n.seed, content+path)%uint64(len(n.making))]
	m.Lock()
	return m
}

// derived are the paths of documents of a hosted repository that tell of components.
type derived []string

// add adds the documents that tell of a component, and gives them.
func (d *derived) add(r *repo, c *catalog.Component) []string {
	rebuilder, ok := r.format.(formats.Rebuilder)
	if !ok || r.def.Kind != formats.Hosted {
		return nil
	}
	paths := rebuilder.Derived(r.view, *c)
	*d = append(*d, paths...)
	return paths
}

// each gives every path once.
func (d derived) each() derived {
	slices.Sort(d)
	return slices.Compact(d)
}

// renewDocuments makes those documents anew that are still to be, each once.
func (e *Engine) renewDocuments(ctx context.Context, r *repo, paths derived) error {
	for _, path := range paths.each() {
		if err := e.makeDocument(ctx, r, path, false); err != nil {
			e.renewal.wake()
			return err
		}
	}
	return nil
}

// makeDocuments makes documents anew, each once, also those that are not stored.
func (e *Engine) makeDocuments(ctx context.Context, r *repo, paths derived) error {
	for _, path := range paths.each() {
		if err := e.makeDocument(ctx, r, path, true); err != nil {
			e.renewal.wake()
			return err
		}
	}
	return nil
}

// makeDocument makes one document and its checksum files anew, or removes it when there is nothing left to tell of. Without always it does
// so only if that is still to be done.
func (e *Engine) makeDocument(ctx context.Context, r *repo, path string, always bool) error {
	rebuilder, ok := r.format.(formats.Rebuilder)
	if !ok {
		return nil
	}
	defer e.renewal.lock(r.def.Content, path).Unlock()
	stale, err := r.content.Stale(ctx, path) // before anything is read that the document is made of
	if err != nil || stale.Mark == 0 && !always {
		return err
	}
	if !always && !stale.Create {
		if _, err := r.content.Asset(ctx, path); errors.Is(err, catalog.ErrNotFound) {
			return r.content.Settle(ctx, stale)
		} else if err != nil {
			return err
		}
	}
	docs, err := rebuilder.Rebuild(ctx, r.view, path, e.source(r))
	if err != nil {
		return err
	}
	if len(docs) == 0 {
		docs = []*formats.Document{{Path: path}}
	}
	settled := false
	for i, doc := range docs {
		if doc.Body == nil {
			err = r.content.Delete(ctx, doc.Path)
		} else {
			var settles catalog.Stale
			if settled = i == len(docs)-1; settled {
				settles = stale
			}
			err = e.storeDocument(ctx, r, doc, settles)
		}
		if err != nil && !errors.Is(err, catalog.ErrNotFound) {
			return err
		}
	}
	if settled {
		return nil
	}
	return r.content.Settle(ctx, stale)
}

// storeDocument stores what the server made itself, past the write policy.
func (e *Engine) storeDocument(ctx context.Context, r *repo, doc *formats.Document, settles catalog.Stale) error {
	item := r.format.Classify(r.view, doc.Path)
	if doc.ContentType != "" {
		item.ContentType = doc.ContentType
	}
	w, err := e.newBlob(ctx, r, writeOptions(&item, int64(len(doc.Body))))
	if err != nil {
		return err
	}
	defer w.Discard()
	if _, err := w.Write(doc.Body); err != nil {
		return err
	}
	_, err = e.commit(ctx, w, incoming{repo: r, item: item, uploader: "system", settles: settles})
	return err
}

// keepRenewing makes documents anew that a failure or an earlier process left, until ctx ends.
func (e *Engine) keepRenewing(ctx context.Context) {
	retry := time.NewTimer(renewEvery)
	defer retry.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-e.renewal.wanted:
		case <-retry.C:
		}
		if !e.renewal.pending() || e.writable() != nil {
			continue // Release asks again
		}
		asked := e.renewal.asked.Load()
		if err := e.renewEverything(ctx); err == nil {
			e.renewal.done.Store(asked)
		} else if ctx.Err() == nil {
			retry.Reset(renewEvery)
			e.log.Error("documents of removed components are not made anew yet", "error", err)
		}
	}
}

// renewEverything goes through all repositories. One that fails does not keep the others from it.
func (e *Engine) renewEverything(ctx context.Context) error {
	var failed error
	for _, r := range e.state.Load().ordered {
		if r.format == nil || r.def.Kind != formats.Hosted {
			continue
		}
		for stale, err := range r.content.AllStale(ctx) {
			if err == nil {
				if err = e.makeDocument(ctx, r, stale.Path, false); err == nil {
					continue
				}
			}
			failed = errors.Join(failed, err)
			break
		}
	}
	return failed
}

// renewRead makes the document anew that a client is about to read, or whose checksum file it is, when an earlier process left it.
func (e *Engine) renewRead(ctx context.Context, x *exchange) {
	if !e.renewal.pending() || x.def.Kind != formats.Hosted || x.item.Route != formats.RouteDocument || e.writable() != nil {
		return
	}
	paths := []string{x.item.Path}
	if dot := strings.LastIndexByte(x.item.Path, '.'); dot > strings.LastIndexByte(x.item.Path, '/')+1 {
		paths = append(paths, x.item.Path[:dot])
	}
	for _, path := range paths {
		if err := e.makeDocument(ctx, x.repo, path, false); err != nil && ctx.Err() == nil {
			// That it is stale is logged as an error by who renews everything; this may be asked for often.
			e.log.Debug("document is not made anew before it is read", "repository", x.def.Name, "path", path, "error", err)
		}
	}
}
