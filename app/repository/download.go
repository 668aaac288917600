package repository

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"entrepot/app/repository/conditional"
	"entrepot/app/repository/upstream"
	"entrepot/formats"
	"entrepot/formats/contenttype"
	"entrepot/storage/blob"
	"entrepot/storage/catalog"
)

// maxPromise is how many bytes a document that promises a digest may have.
const maxPromise = 4 << 10

// download takes an upstream's body into the blob store: those who wait get it while it comes in, and it becomes an asset only
// when it is complete and has the digest that the upstream promises elsewhere.
func (e *Engine) download(ctx context.Context, f fetching, resp *upstream.Response) outcome {
	now := e.now()
	w, err := e.newBlob(ctx, f.repo, writeOptions(&f.item, max(resp.Size, 0)))
	if err != nil {
		return outcome{err: err}
	}
	defer w.Discard()
	promised := e.promised(f)
	body := &passing{engine: e, fetching: &f, resp: resp, writer: w}
	e.calm.bodies.Add(1)
	_, err = w.ReadFrom(body)
	e.calm.bodies.Add(-1)
	f.flight.advance()
	if err != nil {
		return outcome{err: fmt.Errorf("repository: download %s: %w", f.item.Path, err)}
	}
	info, err := w.Finish()
	if err != nil {
		return outcome{err: err}
	}
	if err := e.keep(ctx, f, promised, info); err != nil {
		return f.stale(err)
	}
	a, err := e.commit(ctx, w, incoming{
		repo: f.repo, item: f.item, declared: resp.Header.Get("Content-Type"), uploader: f.by.user, ip: f.by.ip,
		upstream: &catalog.Upstream{ETag: resp.ETag, LastModified: resp.LastModified, Verified: now, Token: f.def.Token},
	})
	if formats.KindOf(err) == formats.InvalidContent {
		return f.stale(err)
	}
	if err != nil {
		return outcome{err: err}
	}
	e.negative.drop(f.run.negativeKey(f.item.Path))
	return outcome{asset: a, stored: true}
}

// passing is an upstream's body as the blob's writer reads it. What was read before is in the blob by then.
type passing struct {
	engine   *Engine
	fetching *fetching
	resp     *upstream.Response
	writer   *blob.Writer
	decided  bool
}

// Read implements io.Reader.
func (p *passing) Read(b []byte) (int, error) {
	if written := p.writer.Written(); written > 0 {
		if !p.decided && written >= p.engine.opts.StreamFrom {
			p.decided = true
			p.decide(written)
		}
		p.fetching.flight.advance()
	}
	return p.resp.Body.Read(b)
}

// decide begins to pass the body on, unless its first bytes already show that it is not what its name says.
func (p *passing) decide(written int64) {
	f := p.fetching
	head, err := contenttype.ReadHead(p.writer, written)
	if err != nil {
		return
	}
	if _, err := contenttype.Check(f.item.Path, head); err != nil && f.def.Strict {
		return
	}
	rep := representation{
		Validators:  conditional.Validators{ETag: p.resp.ETag, LastModified: p.resp.LastModified},
		contentType: f.item.ContentType,
	}
	if rep.LastModified.IsZero() {
		rep.LastModified = p.engine.now()
	}
	declared := p.resp.Header.Get("Content-Type")
	switch {
	case rep.contentType != "":
	case f.item.Declared:
		rep.contentType = contenttype.Declared(declared)
	default:
		rep.contentType = contenttype.Stored(f.item.Path, head, declared)
	}
	f.flight.pass(p.writer, rep, p.resp.Size)
}

// promise is a digest that a body has to have.
type promise struct {
	path      string // of the document that says so
	algorithm string
	digest    string // lower-case hex; "" when nothing is promised
}

// promised looks, beside the download, for the document in which the upstream promises the body's digest.
func (e *Engine) promised(f fetching) <-chan promise {
	promiser, ok := f.format.(formats.Promiser)
	if !ok {
		return nil
	}
	path, algorithm := promiser.Promise(f.view, f.item)
	if path == "" {
		return nil
	}
	found := make(chan promise, 1)
	started := e.background.start(func(ctx context.Context) {
		item := f.format.Classify(f.view, path)
		p := promise{path: path, algorithm: algorithm}
		if got, err := e.obtain(ctx, f.repo, item, f.by, false); err == nil {
			p.digest = e.readPromise(ctx, got.asset, algorithm)
		}
		found <- p
	})
	if !started {
		return nil
	}
	return found
}

// readPromise finds the digest in the document that promises it; "" when it has none.
func (e *Engine) readPromise(ctx context.Context, a *catalog.Asset, algorithm string) string {
	body, err := e.readDocument(ctx, a, maxPromise)
	if err != nil {
		return ""
	}
	return findDigest(body, algorithm)
}

// findDigest gives the first word of a text that is a digest of an algorithm, in lower case. Checksum files come as the bare digest,
// with a file name behind it, or as "SHA1(file)= digest".
func findDigest(text []byte, algorithm string) string {
	want := map[string]int{"md5": 16, "sha1": 20, "sha256": 32, "sha512": 64}[algorithm]
	for _, word := range bytes.Fields(text) {
		if len(word) != 2*want {
			continue
		}
		if _, err := hex.DecodeString(string(word)); err == nil {
			return strings.ToLower(string(word))
		}
	}
	return ""
}

// keep compares a body with what was promised of it. A promise that does not fit may be an old copy, so it is asked for once more.
func (e *Engine) keep(ctx context.Context, f fetching, found <-chan promise, info blob.Info) error {
	if found == nil {
		return nil
	}
	var p promise
	select {
	case p = <-found:
	case <-ctx.Done():
		return ctx.Err()
	}
	got := digestOf(info.Digests, p.algorithm)
	if p.digest == "" || got == "" || p.digest == got {
		return nil
	}
	again, err := e.renew(ctx, f, p)
	if err != nil {
		return err
	}
	if again == "" || again == got {
		return nil
	}
	return &formats.Error{
		Kind:    formats.BadGateway,
		Message: fmt.Sprintf("The remote sent a body with the %s %s, but its %s says %s", p.algorithm, got, p.path, again),
	}
}

// renew asks the upstream again for a promise.
func (e *Engine) renew(ctx context.Context, f fetching, p promise) (string, error) {
	item := f.format.Classify(f.view, p.path)
	copy, err := f.content.Asset(ctx, item.Path)
	if err != nil && !errors.Is(err, catalog.ErrNotFound) {
		return "", err
	}
	joined := e.join(f.repo, item, copy, f.by)
	if joined == nil {
		return "", context.Canceled
	}
	got, err := joined.wait(ctx, false)
	if err != nil {
		return p.digest, nil // the upstream does not take its word back
	}
	return e.readPromise(ctx, got.asset, p.algorithm), nil
}

func digestOf(d blob.Digests, algorithm string) string {
	switch algorithm {
	case "md5":
		return d.MD5
	case "sha1":
		return d.SHA1
	case "sha256":
		return d.SHA256
	case "sha512":
		return d.SHA512
	}
	return ""
}
