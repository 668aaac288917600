package repository

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"io"

	"golang.org/x/sync/errgroup"

	"entrepot/formats"
	"entrepot/storage/catalog"
)

// maxMerged is how many bytes of members' documents are merged; what does not fit is left out.
const maxMerged = 128 << 20

// memberParallel is how many members of a proxy are asked at the same time for a document to merge.
const memberParallel = 8

// readProxy answers with the first member that has the item, or with a document merged from those of all members. What members
// refuse or fail with is not shown: the answer is then that nothing was found.
func (e *Engine) readProxy(ctx context.Context, x *exchange) (*formats.Response, error) {
	if x.item.Local {
		return e.readHosted(ctx, x)
	}
	if merger, ok := x.format.(formats.Merger); ok && x.item.Route == formats.RouteDocument && merger.Merges(x.view, x.item) {
		return e.readMerged(ctx, x, merger)
	}
	for _, leaf := range x.leaves {
		y := *x
		y.repo = leaf
		y.item = leaf.format.Classify(leaf.view, x.req.Path)
		y.item.Disposition = x.item.Disposition
		resp, err := e.askMember(ctx, &y)
		var final *finalError
		if err == nil || errors.As(err, &final) {
			return resp, err
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
	}
	return nil, &formats.Error{Kind: formats.NotFound}
}

// askMember gives the answer of one member. Neither its being offline nor the subject's rights on it matter here.
func (e *Engine) askMember(ctx context.Context, y *exchange) (*formats.Response, error) {
	if y.item.Route == formats.RouteNone || y.item.Route == formats.RouteOperation {
		return nil, unmatched(&y.item)
	}
	if err := y.refuseRoute(y.req); err != nil {
		return nil, err
	}
	resp, err := e.dispatch(ctx, y)
	e.noteMember(ctx, y.repo, err)
	return resp, err
}

// noteMember logs a member's failure that the proxy's answer hides.
func (e *Engine) noteMember(ctx context.Context, r *repo, err error) {
	var refused *formats.Error
	var final *finalError
	if err != nil && ctx.Err() == nil && !errors.As(err, &refused) && !errors.As(err, &final) {
		e.log.Error("member failed", "repository", r.def.Name, "error", err)
	}
}

// readMerged answers with the document merged from the members' ones. It is made again when one of these has changed.
func (e *Engine) readMerged(ctx context.Context, x *exchange, merger formats.Merger) (*formats.Response, error) {
	parts, err := e.memberDocuments(ctx, x)
	if err != nil {
		return nil, err
	}
	if len(parts) == 0 {
		return nil, &formats.Error{Kind: formats.NotFound}
	}
	key, from := documentKey{x.def.Content, x.item.Path}, mergeTag(x.def.Token, parts)
	if made := e.documents.get(key, from); made != nil {
		rep := made.representation()
		rep.ETag = ""
		return x.respond(&rep)
	}
	made, err := e.makeOnce(ctx, key, from, func(ctx context.Context) (*madeDocument, error) {
		docs := make([]*formats.Document, 0, len(parts))
		room := int64(maxMerged)
		for _, p := range parts {
			doc, err := e.loadPart(ctx, p, room)
			if err != nil {
				e.noteMember(ctx, p.repo, err)
				continue
			}
			room -= int64(len(doc.Body))
			docs = append(docs, doc)
		}
		if len(docs) == 0 {
			return nil, &formats.Error{Kind: formats.NotFound}
		}
		doc, err := merger.Merge(ctx, x.view, x.item, docs)
		if err != nil {
			return nil, err
		}
		made := newMadeDocument(from, doc)
		made.etag = doc.ETag
		if len(docs) == len(parts) {
			e.documents.put(key, made)
		}
		return made, nil
	})
	if err != nil {
		return nil, err
	}
	rep := made.representation()
	return x.respond(&rep)
}

// part is one member's contribution to a merged document: an asset, or a document that the member generated.
type part struct {
	*repo
	asset *catalog.Asset
	made  *madeDocument
}

// memberDocuments finds the documents to merge, in the order of the members.
func (e *Engine) memberDocuments(ctx context.Context, x *exchange) ([]part, error) {
	path := x.item.Source
	if path == "" {
		path = x.item.Path
	}
	found := make([]part, len(x.leaves))
	var group errgroup.Group
	group.SetLimit(memberParallel)
	for i, leaf := range x.leaves {
		group.Go(func() error {
			p, err := e.memberDocument(ctx, x, leaf, path)
			e.noteMember(ctx, leaf, err)
			if err == nil {
				found[i] = p
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	parts := found[:0]
	for _, p := range found {
		if p.repo != nil {
			parts = append(parts, p)
		}
	}
	return parts, nil
}

func (e *Engine) memberDocument(ctx context.Context, x *exchange, leaf *repo, path string) (part, error) {
	item := leaf.format.Classify(leaf.view, path)
	if item.Route == formats.RouteNone || item.Route == formats.RouteOperation {
		return part{}, unmatched(&item)
	}
	asked := *x.req
	asked.Path = path
	if err := leaf.refuseRoute(&asked); err != nil {
		return part{}, err
	}
	if admitter, ok := leaf.format.(formats.Admitter); ok {
		if err := admitter.Admit(leaf.view, item, false); err != nil {
			return part{}, err
		}
	}
	if leaf.def.Kind == formats.Cache {
		got, err := e.obtain(ctx, leaf, item, x.starter(), false)
		return part{repo: leaf, asset: got.asset}, err
	}
	a, err := leaf.content.Asset(ctx, item.Path)
	if err == nil {
		return part{repo: leaf, asset: a}, nil
	}
	if !errors.Is(err, catalog.ErrNotFound) {
		return part{}, err
	}
	made, err := e.generated(ctx, leaf, item)
	if err == nil && made == nil {
		err = &formats.Error{Kind: formats.NotFound}
	}
	return part{repo: leaf, made: made}, err
}

// loadPart reads a contribution of at most room bytes into memory.
func (e *Engine) loadPart(ctx context.Context, p part, room int64) (*formats.Document, error) {
	if p.made != nil {
		doc := *p.made.doc
		doc.Member = p.def.Name
		return &doc, nil
	}
	body, err := e.readDocument(ctx, p.asset, room)
	if err != nil {
		return nil, err
	}
	rep := assetRepresentation(p.asset)
	return &formats.Document{Body: body, ContentType: p.asset.ContentType, LastModified: rep.LastModified, Member: p.def.Name}, nil
}

// mergeTag names what a merged document is made from: the members' documents in their order, and the proxy's cache token.
func mergeTag(token string, parts []part) string {
	h := sha256.New()
	add(h, token)
	for _, p := range parts {
		add(h, p.def.Name)
		if p.made != nil {
			add(h, p.made.sha1)
		} else {
			add(h, p.asset.Digests.SHA1)
		}
	}
	return hex.EncodeToString(h.Sum(nil))
}

func add(h hash.Hash, s string) {
	_, _ = io.WriteString(h, s) // a hash never fails
	_, _ = h.Write([]byte{0})
}
