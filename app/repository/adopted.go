package repository

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"strings"

	"entrepot/formats"
	"entrepot/storage/blob"
	"entrepot/storage/catalog"
)

// AdoptedPrefix begins the names of the blob stores of other servers whose blobs are served where they lie. They have no definition
// here, no repository can choose them, and records name their blobs only until these are copied.
const AdoptedPrefix = "adopted/"

// IsAdopted reports whether a blob store is one of another server.
func IsAdopted(store string) bool { return strings.HasPrefix(store, AdoptedPrefix) }

// adopted gives the bytes of an adopted blob store; nil when there is no such store.
func (e *Engine) adopted(store string) *blob.Store {
	if e.opts.Adopted == nil || !IsAdopted(store) {
		return nil
	}
	return e.opts.Adopted(store)
}

// Adopt stores an asset of another server as Restore does, but leaves its bytes where they lie: ref names them there. Size, SHA-1 and
// content type have to be known; they are believed until Settle copies the blob.
func (e *Engine) Adopt(ctx context.Context, repository string, in Restored, ref catalog.BlobRef) (RestoreOutcome, error) {
	if in.Fresh {
		outcome, err := e.adoptFresh(ctx, repository, in, ref)
		if !errors.Is(err, catalog.ErrConflict) {
			return outcome, err
		}
	}
	r, before, err := e.restorable(ctx, repository, &in)
	if err != nil {
		return 0, err
	}
	if before != nil && !before.BlobCreated.Before(in.BlobCreated) && !moved(before.Blob, ref) {
		return e.retain(ctx, r, in, before)
	}
	if before == nil {
		if stays, err := in.staysDeleted(ctx, r); err != nil || stays {
			return RestoreDeleted, err
		}
	}
	a, options, err := in.adoptable(r, before, ref)
	if err != nil {
		return 0, err
	}
	return e.record(ctx, r, a, options)
}

// adoptFresh is Adopt into a repository that holds nothing yet; catalog.ErrConflict when there is something at the path after all.
func (e *Engine) adoptFresh(ctx context.Context, repository string, in Restored, ref catalog.BlobRef) (RestoreOutcome, error) {
	r, err := e.holder(repository)
	if err != nil {
		return 0, err
	}
	in.normalise()
	a, options, err := in.adoptable(r, nil, ref)
	if err != nil {
		return 0, err
	}
	if a.Created.IsZero() {
		a.Created = a.BlobCreated
	}
	return RestoreNew, r.content.Defer(ctx, a, options.PutOptions)
}

// adoptable makes the record of an asset whose bytes lie elsewhere, and says how it takes the place of the one before.
func (in *Restored) adoptable(r *repo, before *catalog.Asset, ref catalog.BlobRef) (*catalog.Asset, putAfter, error) {
	if _, err := r.blobs(); err != nil { // where the copy goes
		return nil, putAfter{}, err
	}
	item := in.item(r)
	return in.asset(r, item, ref, blob.Info{Size: in.Size, Digests: in.Digests}), in.options(item, before), nil
}

// moved reports whether an adopted blob lies elsewhere now.
func moved(before, now catalog.BlobRef) bool { return IsAdopted(before.Store) && before != now }

// Settle copies an adopted blob into the blob stores of the repositories whose assets it is, checks it, and makes the records name the
// copy. An asset that is deleted or gets another blob meanwhile stays as it is then. The error matches ErrDigest when the bytes are not
// those that the record tells of, blob.ErrNotFound when they are missing. pace, if not nil, slows the reading of the bytes down.
func (e *Engine) Settle(ctx context.Context, ref catalog.BlobRef, pace func(io.Reader) io.Reader) error {
	blobs := e.adopted(ref.Store)
	if blobs == nil {
		return fmt.Errorf("repository: blob store %q: %w", ref.Store, blob.ErrNotFound)
	}
	for m, err := range e.opts.Catalog.References(ctx, ref) {
		if err != nil {
			return err
		}
		if r := e.state.Load().holding(m.Content); r != nil { // else its content is being removed
			if err := e.settleAsset(ctx, r, m.Asset, blobs, pace); err != nil {
				return err
			}
		}
	}
	return nil
}

// Holder names the repository that a content tree belongs to; "" when there is none any more.
func (e *Engine) Holder(content string) string {
	if r := e.state.Load().holding(content); r != nil {
		return r.def.Name
	}
	return ""
}

// holding finds the repository that a content tree belongs to; nil when there is none any more.
func (s *state) holding(content string) *repo {
	for _, r := range s.ordered {
		if r.def.Content == content {
			return r
		}
	}
	return nil
}

func (e *Engine) settleAsset(ctx context.Context, r *repo, a *catalog.Asset, blobs *blob.Store, pace func(io.Reader) io.Reader) error {
	if err := e.writable(); err != nil {
		return err
	}
	object, err := blobs.Open(ctx, a.Blob.Hash)
	if errors.Is(err, blob.ErrCorrupt) {
		return fmt.Errorf("%w: %w", ErrDigest, err)
	}
	if err != nil {
		return err
	}
	defer object.Close()
	body := taken{Reader: io.NewSectionReader(object, 0, object.Size()), through: pace}
	if f, ok := object.(interface{ File() *os.File }); ok {
		body.file = f.File()
	} else if f, ok := object.(blob.Checked); ok { // the copy is checked by all that is known of it
		body.file = f.Unchecked()
	} else if pace != nil {
		body.Reader = pace(body.Reader)
	}
	in := Restored{
		Path: a.Path, Size: a.Size, Digests: a.Digests, ContentType: a.ContentType, Kind: a.Kind, Attributes: a.Format, Component: a.Component,
	}
	w, item, err := e.take(ctx, r, &in, body)
	if err != nil {
		return err
	}
	defer w.Discard()
	info, err := w.Commit(ctx)
	if err != nil {
		return err
	}
	if err := e.described(ctx, r, a, item); err != nil {
		return err
	}
	to := r.store.ref(w.Store(), info.Hash)
	err = r.content.Relocate(ctx, a.Path, catalog.Move{From: a.Blob, To: to, Digests: info.Digests})
	if errors.Is(err, catalog.ErrNotFound) || errors.Is(err, catalog.ErrConflict) {
		return nil // changed here meanwhile
	}
	return err
}

// described takes over what the format found in the bytes, which it did not see when they were adopted.
func (e *Engine) described(ctx context.Context, r *repo, a *catalog.Asset, item formats.Item) error {
	if _, ok := r.format.(formats.Describer); !ok {
		return nil
	}
	for {
		present, err := r.content.Asset(ctx, a.Path)
		if errors.Is(err, catalog.ErrNotFound) {
			return nil
		}
		if err != nil || present.Blob != a.Blob {
			return err
		}
		next := *present
		next.Format = merged(present.Format, item.Attributes)
		options, news, err := tellsMore(ctx, r, item)
		if err != nil || !news && maps.Equal(next.Format, present.Format) {
			return err
		}
		err = r.content.Put(ctx, &next, options)
		if !errors.Is(err, catalog.ErrConflict) {
			return err
		}
	}
}

// tellsMore reports whether an item knows more of its component than the component's record, and how a put takes that over.
func tellsMore(ctx context.Context, r *repo, item formats.Item) (options catalog.PutOptions, news bool, err error) {
	options = catalog.PutOptions{If: catalog.PutIfVersion, ComponentAttributes: item.ComponentAttributes}
	if item.Component == nil {
		return options, false, nil
	}
	c, err := r.content.Component(ctx, *item.Component)
	if errors.Is(err, catalog.ErrNotFound) {
		return options, false, nil
	}
	if err != nil {
		return options, false, err
	}
	options.ComponentCreated, options.ComponentUpdated = c.Created, c.Updated
	for key, value := range item.ComponentAttributes {
		news = news || c.Attributes[key] != value
	}
	return options, news, nil
}
