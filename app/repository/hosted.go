package repository

import (
	"context"
	"errors"
	"strings"

	"entrepot/formats"
	"entrepot/storage/catalog"
)

// readHosted answers from the catalog, or with a document that the format generates.
func (e *Engine) readHosted(ctx context.Context, x *exchange) (*formats.Response, error) {
	if x.item.Route == formats.RouteListing && x.get {
		return e.readIndex(ctx, x)
	}
	e.renewRead(ctx, x)
	a, err := x.content.Asset(ctx, x.item.Path)
	if err == nil {
		return e.respondAsset(x, a)
	}
	if !errors.Is(err, catalog.ErrNotFound) {
		return nil, err
	}
	made, err := e.generated(ctx, x.repo, x.item)
	if err != nil {
		return nil, err
	}
	if made == nil {
		return nil, x.notFound()
	}
	rep := made.representation()
	return x.respond(&rep)
}

// readIndex answers a folder's URL with the first index page that lies in the folder.
func (e *Engine) readIndex(ctx context.Context, x *exchange) (*formats.Response, error) {
	for _, name := range x.item.Indexes {
		a, err := x.content.Asset(ctx, x.item.Path+name)
		if err == nil {
			return e.respondAsset(x, a)
		}
		if !errors.Is(err, catalog.ErrNotFound) {
			return nil, err
		}
	}
	return nil, errNoListing()
}

// errNoListing refuses a folder that has no index page. It bears no Content-Disposition.
func errNoListing() error {
	return &formats.Error{Kind: formats.NotFound, Message: "You can’t browse this way", Header: map[string][]string{}}
}

// generated gives the document that a hosted repository's format makes for an item; nil when it makes none. A document is made
// again when the repository's content has changed.
func (e *Engine) generated(ctx context.Context, r *repo, it formats.Item) (*madeDocument, error) {
	generator, ok := r.format.(formats.Generator)
	if !ok || it.Route != formats.RouteDocument {
		return nil, nil
	}
	revision, err := r.content.Revision(ctx)
	if err != nil {
		return nil, err
	}
	key, from := documentKey{r.def.Content, it.Path}, revisionTag(revision)
	if made := e.documents.get(key, from); made != nil {
		return made, nil
	}
	return e.makeOnce(ctx, key, from, func(ctx context.Context) (*madeDocument, error) {
		doc, err := generator.Generate(ctx, r.view, it, e.source(r))
		if errors.Is(err, formats.ErrNotGenerated) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		if doc.LastModified.IsZero() {
			doc.LastModified = e.now()
		}
		made := newMadeDocument(from, doc)
		made.etag, made.modified = `"`+made.sha1+`"`, doc.LastModified
		e.documents.put(key, made)
		return made, nil
	})
}

// makeOnce runs make for a document, or waits for one that is running already for the same one.
func (e *Engine) makeOnce(ctx context.Context, key documentKey, from string, make func(context.Context) (*madeDocument, error)) (*madeDocument, error) {
	name := strings.Join([]string{key.content, key.path, from}, "\x00")
	made, err, _ := e.making.Do(name, func() (any, error) {
		return make(context.WithoutCancel(ctx)) // others may wait for it
	})
	if err != nil {
		return nil, err
	}
	return made.(*madeDocument), nil
}
