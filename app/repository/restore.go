package repository

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"strings"
	"time"

	"entrepot/formats"
	"entrepot/storage/blob"
	"entrepot/storage/catalog"
)

// Restored is an asset that comes from another server, with what that server knew about it. Times that are zero become now.
type Restored struct {
	Path        string // decoded, begins with "/"
	ContentType string // "" is found out
	Size        int64  // bytes promised; -1 when nobody knows
	// Digests are those promised, in hex. The strong ones among them are checked; the others are believed once those fit.
	Digests        blob.Digests
	Created        time.Time // of the path; zero: as it was, or as BlobCreated
	BlobCreated    time.Time
	BlobUpdated    time.Time // zero: as BlobCreated
	Updated        time.Time // of the record; zero: as BlobUpdated
	LastDownloaded time.Time
	Uploader       string
	UploaderIP     string
	// Link lets a body that is a file become the blob itself: the caller removes the file once it is restored.
	Link bool
	// Fresh says that the repository held nothing when the import began, for Adopt and Restore to be quick. It may be wrong.
	Fresh bool
	// Again brings an asset also when it was deleted here since it came.
	Again    bool
	Origin   string            // identity of the other server, by which RemoveRestored knows what came from it
	Upstream *catalog.Upstream // for caches; nil makes one that was verified when the blob was made

	// What the other server made of the path. Of a format that is served the format's own classification goes first, and these fill
	// in what it does not say.
	Kind                string
	Attributes          map[string]string
	Component           *catalog.Coordinates
	ComponentKind       string
	ComponentAttributes map[string]string
	ComponentCreated    time.Time // zero: as BlobCreated
	ComponentUpdated    time.Time // zero: as BlobCreated
}

// normalise brings the dates into the precision of records and fills in those that are not known.
func (in *Restored) normalise() {
	in.BlobUpdated = orTime(in.BlobUpdated, in.BlobCreated)
	in.Updated = orTime(in.Updated, in.BlobUpdated)
	in.ComponentCreated, in.ComponentUpdated = orTime(in.ComponentCreated, in.BlobCreated), orTime(in.ComponentUpdated, in.BlobCreated)
	for _, at := range []*time.Time{&in.Created, &in.BlobCreated, &in.BlobUpdated, &in.Updated, &in.LastDownloaded, &in.ComponentCreated, &in.ComponentUpdated} {
		*at = at.UTC().Truncate(time.Millisecond)
	}
}

func orTime(at, fallback time.Time) time.Time {
	if at.IsZero() {
		return fallback
	}
	return at
}

// RestoreOutcome is what became of a restored asset.
type RestoreOutcome uint8

// The outcomes.
const (
	RestoreNew      RestoreOutcome = iota + 1 // the path was not there
	RestoreReplaced                           // the path held an older blob
	RestoreKept                               // the path holds this blob already, or a newer one; the body was not read
	RestoreUpdated                            // the path holds this blob; what is known about it changed; the body was not read
	RestoreDeleted                            // the path held this blob and was deleted here; the body was not read
)

// ErrDigest is the cause of a refusal because a body is not what was promised.
var ErrDigest = errors.New("repository: body does not have the promised size or digest")

// Restore stores an asset of another server whatever the write policy, with its dates. Of two blobs of one path the newer one stays,
// so a second run, and any order of runs, gives the same content. What came from a server and was deleted here since stays deleted while
// it is the same there. A repository whose format is not served takes assets as the other
// server classified them. open is called at most once, and not when nothing is to be done.
func (e *Engine) Restore(ctx context.Context, repository string, in Restored, open func() (io.ReadCloser, error)) (RestoreOutcome, error) {
	p, outcome, err := e.BeginRestore(ctx, repository, in, open)
	if p == nil {
		return outcome, err
	}
	defer p.Discard()
	info, err := p.body.Commit(ctx)
	if err != nil {
		return 0, err
	}
	return e.record(ctx, p.repo, p.asset(info), p.in.options(p.item, p.before))
}

// restorable finds the repository of a restored asset, and what it holds at its path; nil for nothing.
func (e *Engine) restorable(ctx context.Context, repository string, in *Restored) (*repo, *catalog.Asset, error) {
	r, err := e.holder(repository)
	if err != nil {
		return nil, nil, err
	}
	in.normalise()
	before, err := r.content.Asset(ctx, in.Path)
	if errors.Is(err, catalog.ErrNotFound) {
		return r, nil, nil
	}
	return r, before, err
}

// holder finds a repository that holds assets of its own.
func (e *Engine) holder(repository string) (*repo, error) {
	r := e.state.Load().find(repository)
	switch {
	case r == nil:
		return nil, errRepositoryNotFound()
	case r.def.Kind == formats.Proxy:
		return nil, formats.Errorf(formats.Denied, "%s is a proxy and holds nothing of its own", repository)
	}
	return r, nil
}

// retain leaves a blob that is not older in its place.
func (e *Engine) retain(ctx context.Context, r *repo, in Restored, before *catalog.Asset) (RestoreOutcome, error) {
	if before.BlobCreated.After(in.BlobCreated) {
		return RestoreKept, nil
	}
	return in.refresh(ctx, r, before)
}

// refresh takes over what changed on the other server beside the blob: attributes, downloads and what the upstream said.
func (in *Restored) refresh(ctx context.Context, r *repo, before *catalog.Asset) (RestoreOutcome, error) {
	a := *before
	if in.Updated.After(a.Updated) {
		a.Updated = in.Updated
		a.Format = merged(merged(a.Format, in.Attributes), in.item(r).Attributes)
	}
	if in.LastDownloaded.After(a.LastDownloaded) {
		a.LastDownloaded = in.LastDownloaded
	}
	if in.Upstream != nil && (a.Upstream == nil || in.Upstream.Verified.Truncate(time.Millisecond).After(a.Upstream.Verified)) {
		a.Upstream = in.Upstream
	}
	options := catalog.PutOptions{If: catalog.PutIfVersion}
	news, err := in.componentNews(ctx, r, before, &options)
	if err != nil {
		return 0, err
	}
	if !news && a.Updated.Equal(before.Updated) && a.LastDownloaded.Equal(before.LastDownloaded) && a.Upstream == before.Upstream {
		return RestoreKept, nil
	}
	err = r.content.Put(ctx, &a, options)
	if errors.Is(err, catalog.ErrConflict) { // somebody else changed the path meanwhile: that is newer
		return RestoreKept, nil
	}
	return RestoreUpdated, err
}

// componentNews reports whether the component changed on the other server, and makes a put take that over.
func (in *Restored) componentNews(ctx context.Context, r *repo, before *catalog.Asset, options *catalog.PutOptions) (bool, error) {
	if before.Component == nil {
		return false, nil
	}
	c, err := r.content.Component(ctx, *before.Component)
	if errors.Is(err, catalog.ErrNotFound) || err == nil && !in.ComponentUpdated.After(c.Updated) {
		return false, nil
	}
	options.ComponentCreated, options.ComponentUpdated = in.ComponentCreated, in.ComponentUpdated
	options.ComponentKind, options.ComponentAttributes = in.ComponentKind, in.ComponentAttributes
	return true, err
}

// item is what the path is: as the repository's format says, or as the other server did when the format is not served.
func (in *Restored) item(r *repo) formats.Item {
	item := formats.Item{Path: in.Path, AssetKind: in.Kind, Component: in.Component}
	if r.format != nil {
		item = r.format.Classify(r.view, in.Path)
	}
	if item.Path == "" {
		item.Path = in.Path
	}
	return item
}

// take spools a body, checks it against what was promised and describes it. The caller commits or discards what it returns.
func (e *Engine) take(ctx context.Context, r *repo, in *Restored, body io.Reader) (_ *blob.Writer, item formats.Item, err error) {
	item = in.item(r)
	opts := writeOptions(&item, max(in.Size, 0))
	if in.Link { // needs no room, if all goes well
		opts.Size = 0
	}
	if in.Digests.SHA256 == "" && in.Digests.SHA1 == "" {
		opts.MD5, opts.SHA512, opts.ExtraUpTo = opts.MD5 || in.Digests.MD5 != "", opts.SHA512 || in.Digests.SHA512 != "", 0
	} else { // those are enough, and the others are taken over
		opts.MD5, opts.SHA512 = opts.MD5 && in.Digests.MD5 == "", opts.SHA512 && in.Digests.SHA512 == ""
	}
	w, err := e.newBlob(ctx, r, opts)
	if err != nil {
		return nil, item, err
	}
	defer func() {
		if err != nil {
			w.Discard()
		}
	}()
	e.calm.requests.Add(1)
	e.calm.bodies.Add(1)
	err = in.read(w, body)
	e.calm.bodies.Add(-1)
	if err != nil {
		return nil, item, fmt.Errorf("restore %s: %w", in.Path, err)
	}
	info, err := w.Finish()
	if err == nil {
		err = in.check(info)
	}
	if err != nil {
		return nil, item, err
	}
	if describer, ok := r.format.(formats.Describer); ok {
		item = describer.Describe(ctx, r.view, item, w, info)
	}
	incoming := incoming{repo: r, item: item, declared: in.ContentType}
	if in.ContentType == "" {
		in.ContentType, err = incoming.contentType(w, info.Size)
	}
	return w, item, err
}

// read takes a body into a blob. Where a file's bytes can be shared on the disk, they are not written again.
func (in *Restored) read(w *blob.Writer, body io.Reader) error {
	source := taken{Reader: body}
	switch b := body.(type) {
	case *os.File:
		source.file = b
	case taken:
		source = b
	}
	var err error
	if source.file != nil {
		_, err = w.TakeFile(source.file, blob.FileOptions{Link: in.Link, Through: source.through})
	} else {
		_, err = w.ReadFrom(source.Reader)
	}
	return err
}

// taken is a body that may be a file, whose bytes pass through something.
type taken struct {
	io.Reader
	file    *os.File // nil when it is none
	through func(io.Reader) io.Reader
}

// check compares a body with what was promised, as far as its digests were taken.
func (in *Restored) check(info blob.Info) error {
	if in.Size >= 0 && info.Size != in.Size {
		return fmt.Errorf("restore %s: %w: %d bytes, promised %d", in.Path, ErrDigest, info.Size, in.Size)
	}
	for _, d := range []struct{ name, promised, found string }{
		{"SHA-1", in.Digests.SHA1, info.Digests.SHA1}, {"SHA-256", in.Digests.SHA256, info.Digests.SHA256},
		{"SHA-512", in.Digests.SHA512, info.Digests.SHA512}, {"MD5", in.Digests.MD5, info.Digests.MD5},
	} {
		if d.promised != "" && d.found != "" && !strings.EqualFold(d.promised, d.found) {
			return fmt.Errorf("restore %s: %w: %s %s, promised %s", in.Path, ErrDigest, d.name, d.found, d.promised)
		}
	}
	return nil
}

// asset makes the record.
func (in *Restored) asset(r *repo, item formats.Item, at catalog.BlobRef, info blob.Info) *catalog.Asset {
	a := &catalog.Asset{
		Path: item.Path, Kind: item.AssetKind, Component: item.Component, Format: merged(in.Attributes, item.Attributes),
		Blob: at, Size: info.Size, Digests: info.Digests,
		ContentType: in.ContentType, Created: in.Created, BlobCreated: in.BlobCreated, BlobUpdated: in.BlobUpdated, Updated: in.Updated,
		LastDownloaded: in.LastDownloaded, Uploader: in.Uploader, UploaderIP: in.UploaderIP, Origin: in.Origin, Upstream: in.Upstream,
	}
	if a.Digests.MD5 == "" {
		a.Digests.MD5 = in.Digests.MD5
	}
	if a.Digests.SHA512 == "" {
		a.Digests.SHA512 = in.Digests.SHA512
	}
	if r.def.Kind == formats.Cache && a.Upstream == nil {
		a.Upstream = &catalog.Upstream{LastModified: in.BlobCreated, Verified: in.BlobCreated}
	}
	return a
}

// options says how the record takes the place of the one before, nil when there is none.
func (in *Restored) options(item formats.Item, before *catalog.Asset) putAfter {
	options := catalog.PutOptions{
		If: catalog.PutIfAbsent, ComponentKind: item.ComponentKind, ComponentAttributes: merged(in.ComponentAttributes, item.ComponentAttributes),
		ComponentCreated: in.ComponentCreated, ComponentUpdated: in.ComponentUpdated,
	}
	if in.ComponentKind != "" {
		options.ComponentKind = in.ComponentKind
	}
	if before == nil {
		options.Fresh = in.Fresh
		return putAfter{PutOptions: options}
	}
	options.If = catalog.PutIfVersion
	return putAfter{options, before.Version}
}

// putAfter is how a record is put: with which options, and after which version.
type putAfter struct {
	catalog.PutOptions
	version uint64
}

// merged gives what is in either map; of a key in both what the second says.
func merged[V any](first, second map[string]V) map[string]V {
	if len(first) == 0 {
		return second
	}
	all := maps.Clone(first)
	maps.Copy(all, second)
	return all
}

// record stores the record of a restored asset.
func (e *Engine) record(ctx context.Context, r *repo, a *catalog.Asset, options putAfter) (RestoreOutcome, error) {
	outcome := RestoreNew
	if a.Created.IsZero() && options.If == catalog.PutIfAbsent {
		a.Created = a.BlobCreated
	}
	if options.If == catalog.PutIfVersion {
		outcome, a.Version = RestoreReplaced, options.version
	}
	err := r.content.Put(ctx, a, options.PutOptions)
	if errors.Is(err, catalog.ErrConflict) { // another blob of this path was restored meanwhile, or it was not fresh
		options.Fresh = false
		return e.settle(ctx, r, a, options.PutOptions)
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
