package repository

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"

	"entrepot/app/repository/conditional"
	"entrepot/formats"
	"entrepot/formats/contenttype"
	"entrepot/storage/blob"
	"entrepot/storage/catalog"
)

// put stores a client's body: spool, verify, commit, record.
func (e *Engine) put(ctx context.Context, x *exchange) (*formats.Response, error) {
	if x.req.Method != http.MethodPut {
		return nil, unmatched(&x.item)
	}
	before, err := e.writeTarget(ctx, x)
	if err != nil {
		return nil, err
	}
	if err := x.allowPut(x.title(), before != nil, x.item.Mutable); err != nil {
		return nil, err
	}
	w, err := e.spool(ctx, x.repo, x.item, x.req)
	if err != nil {
		return nil, err
	}
	defer w.Discard()
	in := incoming{
		repo: x.repo, item: x.item, declared: x.req.Header.Get("Content-Type"),
		uploader: x.call.Subject.UserID(), ip: x.call.RemoteIP, condition: x.putCondition(before),
	}
	if before != nil {
		in.version = before.Version
	}
	if _, err := e.commit(ctx, w, in); err != nil {
		return nil, x.conflict(err)
	}
	return &formats.Response{Status: http.StatusCreated}, nil
}

// conflict tells a client that another one wrote the path while its body came in.
func (x *exchange) conflict(err error) error {
	switch {
	case !errors.Is(err, catalog.ErrConflict):
		return err
	case conditional.Any(x.req.Header):
		return &formats.Error{Kind: formats.PreconditionFailed, Err: err}
	default:
		return x.cannotUpdate(x.title())
	}
}

// writeTarget gives what a write would replace or delete, nil when there is nothing, after checking the request's preconditions
// against it.
func (e *Engine) writeTarget(ctx context.Context, x *exchange) (*catalog.Asset, error) {
	a, err := x.content.Asset(ctx, x.item.Path)
	if errors.Is(err, catalog.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	rep := assetRepresentation(a)
	if conditional.Check(x.req.Method, x.req.Header, rep.Validators) == conditional.PreconditionFailed {
		return nil, &formats.Error{Kind: formats.PreconditionFailed}
	}
	return a, nil
}

// putCondition makes what was checked before the body came in hold until the record is written.
func (x *exchange) putCondition(before *catalog.Asset) catalog.PutCondition {
	switch {
	case before == nil && (conditional.Any(x.req.Header) || x.def.Write == WriteOnce && !x.item.Mutable):
		return catalog.PutIfAbsent
	case before != nil && conditional.Any(x.req.Header):
		return catalog.PutIfVersion
	default:
		return catalog.PutAlways
	}
}

// allowPut applies the write policy. title is what the refusal calls the item.
func (r *repo) allowPut(title string, exists, mutable bool) error {
	switch {
	case r.def.Write == WriteAllow, r.def.Write == WriteOnce && (!exists || mutable):
		return nil
	case exists:
		return r.cannotUpdate(title)
	default:
		return &formats.Error{Kind: formats.Denied, Message: r.pathMessage(title) + " is read-only"}
	}
}

func (r *repo) cannotUpdate(title string) error {
	return &formats.Error{Kind: formats.Denied, Message: r.pathMessage(title) + " cannot be updated"}
}

// pathMessage names a path with its repository, for messages that Maven and others show to their users.
func (r *repo) pathMessage(title string) string {
	if title != "" && title[0] == '/' {
		return r.def.Name + title
	}
	return r.def.Name + "/" + title
}

// delete removes one asset.
func (e *Engine) delete(ctx context.Context, x *exchange) (*formats.Response, error) {
	if x.req.Method != http.MethodDelete {
		return nil, unmatched(&x.item)
	}
	before, err := e.writeTarget(ctx, x)
	if err != nil {
		return nil, err
	}
	if before == nil {
		return nil, x.notFound()
	}
	if x.def.Write == WriteDeny {
		return nil, &formats.Error{Kind: formats.Denied, Message: x.pathMessage(x.title()) + " cannot be deleted"}
	}
	version := uint64(0)
	if conditional.Any(x.req.Header) {
		version = before.Version
	}
	err = x.content.DeleteIf(ctx, x.item.Path, version)
	switch {
	case errors.Is(err, catalog.ErrNotFound):
		return nil, x.notFound()
	case errors.Is(err, catalog.ErrConflict):
		return nil, &formats.Error{Kind: formats.PreconditionFailed}
	case err != nil:
		return nil, err
	}
	return &formats.Response{Status: http.StatusNoContent}, nil
}

// spool takes a request's body into a blob that is not visible yet. The caller discards it.
func (e *Engine) spool(ctx context.Context, r *repo, it formats.Item, req *formats.Request) (*blob.Writer, error) {
	size := max(req.Size, 0)
	w, err := e.newBlob(ctx, r, writeOptions(&it, size))
	if err != nil {
		return nil, err
	}
	if req.Body == nil {
		return w, nil
	}
	n, err := e.readInto(w, req.Body)
	if err == nil && req.Size >= 0 && n != req.Size {
		err = &formats.Error{Kind: formats.Invalid, Message: fmt.Sprintf("Body has %d bytes, but Content-Length says %d", n, req.Size)}
	}
	if err != nil {
		w.Discard()
		return nil, err
	}
	return w, nil
}

// writeOptions asks for the digests that an item wants, as far as they are taken at once. size is 0 when it is not known.
func writeOptions(it *formats.Item, size int64) blob.WriteOptions {
	return blob.WriteOptions{Size: size, MD5: it.MD5, SHA512: it.SHA512, ExtraUpTo: extraUpTo}
}

// newBlob starts a blob.
func (e *Engine) newBlob(ctx context.Context, r *repo, opts blob.WriteOptions) (*blob.Writer, error) {
	store, err := r.blobs()
	if err != nil {
		return nil, err
	}
	return store.Create(ctx, opts)
}

// readInto copies a client's body. What the body fails with is the client's doing, what the blob fails with is not.
func (e *Engine) readInto(w *blob.Writer, body io.Reader) (int64, error) {
	e.calm.bodies.Add(1)
	defer e.calm.bodies.Add(-1)
	source := &blamed{reader: body}
	n, err := w.ReadFrom(source)
	if err != nil && source.err != nil {
		var refused *formats.Error
		if errors.As(source.err, &refused) {
			return n, refused
		}
		return n, &formats.Error{Kind: formats.Invalid, Message: "The request body could not be read", Err: source.err}
	}
	return n, err
}

// blamed remembers that a reader failed.
type blamed struct {
	reader io.Reader
	err    error
}

func (b *blamed) Read(p []byte) (int, error) {
	n, err := b.reader.Read(p)
	if err != nil && err != io.EOF {
		b.err = err
	}
	return n, err
}

// incoming is a spooled body on its way to becoming an asset.
type incoming struct {
	*repo
	item      formats.Item
	declared  string // Content-Type of who sent it
	uploader  string
	ip        string
	upstream  *catalog.Upstream
	condition catalog.PutCondition
	version   uint64 // with catalog.PutIfVersion
	settles   catalog.Stale
}

// commit verifies a spooled body, makes it durable and records it. The error matches catalog.ErrConflict when the condition does
// not hold any more; the blob is then left to collection.
func (e *Engine) commit(ctx context.Context, w *blob.Writer, in incoming) (*catalog.Asset, error) {
	info, err := w.Finish()
	if err != nil {
		return nil, err
	}
	if verifier, ok := in.format.(formats.Verifier); ok {
		if err := verifier.Verify(ctx, in.view, in.item, w, info); err != nil {
			return nil, err
		}
	}
	if describer, ok := in.format.(formats.Describer); ok {
		in.item = describer.Describe(ctx, in.view, in.item, w, info)
	}
	contentType, err := in.contentType(w, info.Size)
	if err != nil {
		return nil, err
	}
	if info, err = w.Commit(ctx); err != nil {
		return nil, err
	}
	a := &catalog.Asset{
		Path:        in.item.Path,
		Kind:        in.item.AssetKind,
		Component:   in.item.Component,
		Blob:        in.store.ref(w.Store(), info.Hash),
		Size:        info.Size,
		Digests:     info.Digests,
		ContentType: contentType,
		Uploader:    in.uploader,
		UploaderIP:  in.ip,
		Format:      in.item.Attributes,
		Upstream:    in.upstream,
		Version:     in.version,
	}
	options := catalog.PutOptions{
		If: in.condition, ComponentKind: in.item.ComponentKind, ComponentAttributes: in.item.ComponentAttributes,
		Settles: in.settles,
	}
	if err := in.content.Put(ctx, a, options); err != nil {
		return nil, err
	}
	if md5, sha512 := lacks(&in.item, &a.Digests); md5 || sha512 {
		e.wakeDigests()
	}
	return a, nil
}

// contentType decides under which type a body is stored.
func (in *incoming) contentType(body io.ReaderAt, size int64) (string, error) {
	switch {
	case in.item.ContentType != "":
		return in.item.ContentType, nil
	case in.item.Declared:
		return contenttype.Declared(in.declared), nil
	}
	if byName := contenttype.ByName(in.item.Path); len(byName) > 0 {
		return byName[0], nil
	}
	head, err := contenttype.ReadHead(body, size)
	if err != nil {
		return "", fmt.Errorf("repository: read %s: %w", in.item.Path, err)
	}
	return contenttype.Stored(in.item.Path, head, in.declared), nil
}
