package repository

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"entrepot/formats"
	"entrepot/storage/catalog"
)

// Restored is an asset that comes from another server, with what that server knew about it. Times that are zero become now.
type Restored struct {
	Path           string // decoded, begins with "/"
	ContentType    string // "" is found out
	Size           int64  // bytes promised; -1 when nobody knows
	SHA1           string // lower-case hex promised; "" when nobody knows
	BlobCreated    time.Time
	LastDownloaded time.Time
	Uploader       string
	UploaderIP     string
	Upstream       *catalog.Upstream // for caches; nil makes one that was verified when the blob was made
}

// RestoreOutcome is what became of a restored asset.
type RestoreOutcome uint8

// The outcomes.
const (
	RestoreNew      RestoreOutcome = iota + 1 // the path was not there
	RestoreReplaced                           // the path held an older blob
	RestoreKept                               // the path holds this blob already, or a newer one; the body was not read
)

// ErrDigest is the cause of a refusal because a body is not what was promised.
var ErrDigest = errors.New("repository: body does not have the promised size or digest")

// Restore stores an asset of another server whatever the write policy, with its dates. Of two blobs of one path the newer one stays,
// so a second run, and any order of runs, gives the same content. open is called at most once, and not when nothing is to be done.
func (e *Engine) Restore(ctx context.Context, repository string, in Restored, open func() (io.ReadCloser, error)) (RestoreOutcome, error) {
	r := e.state.Load().find(repository)
	switch {
	case r == nil:
		return 0, errRepositoryNotFound()
	case r.def.Kind == formats.Proxy:
		return 0, formats.Errorf(formats.Denied, "%s is a proxy and holds nothing of its own", repository)
	case r.format == nil:
		return 0, formats.Errorf(formats.Unavailable, "format %s is not available", r.def.Format)
	}
	in.BlobCreated = in.BlobCreated.Truncate(time.Millisecond)
	before, err := r.content.Asset(ctx, in.Path)
	if err != nil && !errors.Is(err, catalog.ErrNotFound) {
		return 0, err
	}
	if err == nil && !before.BlobCreated.Before(in.BlobCreated) {
		return RestoreKept, nil
	}
	body, err := open()
	if err != nil {
		return 0, err
	}
	defer body.Close()
	return e.restore(ctx, r, in, before, body)
}

// restore stores the body after it was found to be newer than what is there.
func (e *Engine) restore(ctx context.Context, r *repo, in Restored, before *catalog.Asset, body io.Reader) (RestoreOutcome, error) {
	item := r.format.Classify(r.view, in.Path)
	if item.Path == "" {
		item.Path = in.Path
	}
	w, err := e.newBlob(ctx, r, item, max(in.Size, 0))
	if err != nil {
		return 0, err
	}
	defer w.Discard()
	if _, err := w.ReadFrom(body); err != nil {
		return 0, fmt.Errorf("restore %s: %w", in.Path, err)
	}
	info, err := w.Finish()
	switch {
	case err != nil:
		return 0, err
	case in.Size >= 0 && info.Size != in.Size:
		return 0, fmt.Errorf("restore %s: %w: %d bytes, promised %d", in.Path, ErrDigest, info.Size, in.Size)
	case in.SHA1 != "" && !strings.EqualFold(info.Digests.SHA1, in.SHA1):
		return 0, fmt.Errorf("restore %s: %w: SHA-1 %s, promised %s", in.Path, ErrDigest, info.Digests.SHA1, in.SHA1)
	}
	if describer, ok := r.format.(formats.Describer); ok {
		item = describer.Describe(ctx, r.view, item, w, info)
	}
	incoming := incoming{repo: r, item: item, declared: in.ContentType}
	if in.ContentType == "" {
		if in.ContentType, err = incoming.contentType(w, info.Size); err != nil {
			return 0, err
		}
	}
	if info, err = w.Commit(ctx); err != nil {
		return 0, err
	}
	a := &catalog.Asset{
		Path: item.Path, Kind: item.AssetKind, Component: item.Component, Format: item.Attributes,
		Blob: catalog.BlobRef{Store: r.store.def.Name, Hash: info.Hash}, Size: info.Size, Digests: info.Digests,
		ContentType: in.ContentType, Created: in.BlobCreated, BlobCreated: in.BlobCreated, BlobUpdated: in.BlobCreated,
		LastDownloaded: in.LastDownloaded, Uploader: in.Uploader, UploaderIP: in.UploaderIP, Upstream: in.Upstream,
	}
	if r.def.Kind == formats.Cache && a.Upstream == nil {
		a.Upstream = &catalog.Upstream{LastModified: in.BlobCreated, Verified: in.BlobCreated}
	}
	outcome, options := RestoreNew, catalog.PutOptions{
		If: catalog.PutIfAbsent, ComponentKind: item.ComponentKind, ComponentAttributes: item.ComponentAttributes,
	}
	if before != nil {
		outcome, options.If, a.Version = RestoreReplaced, catalog.PutIfVersion, before.Version
	}
	err = r.content.Put(ctx, a, options)
	if errors.Is(err, catalog.ErrConflict) { // another blob of this path was restored meanwhile
		return e.settle(ctx, r, a, options)
	}
	return outcome, err
}

// settle decides between two blobs of one path that were restored at the same moment: the newer one stays.
func (e *Engine) settle(ctx context.Context, r *repo, a *catalog.Asset, options catalog.PutOptions) (RestoreOutcome, error) {
	for {
		present, err := r.content.Asset(ctx, a.Path)
		switch {
		case errors.Is(err, catalog.ErrNotFound):
			options.If = catalog.PutIfAbsent
		case err != nil:
			return 0, err
		case !present.BlobCreated.Before(a.BlobCreated):
			return RestoreKept, nil
		default:
			options.If, a.Version = catalog.PutIfVersion, present.Version
		}
		if err := r.content.Put(ctx, a, options); !errors.Is(err, catalog.ErrConflict) {
			return RestoreReplaced, err
		}
	}
}
