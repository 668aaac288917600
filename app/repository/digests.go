package repository

import (
	"context"
	"crypto/md5"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"sync/atomic"
	"time"

	"entrepot/formats"
	"entrepot/storage/blob"
	"entrepot/storage/catalog"
	"entrepot/storage/kv"
)

// MD5 and SHA-512 are only shown in listings, and of a large body they cost more than all the rest of its write. So they are taken
// at once only of bodies of up to extraUpTo bytes. Of the others they are added later, when the server has little else to do, by one
// goroutine that follows the change feeds of all repositories and remembers how far it came.
const (
	extraUpTo        = 256 << 10
	digestsPartition = "repository/digests" // where the follower is in the feed of a content tree
	digestsStride    = 1000                 // changes that are looked at at once
)

func digestsKey(content string) kv.Key { return kv.Key{Partition: digestsPartition, Sort: content} }

// lacks reports which of the digests that an item wants are not there.
func lacks(it *formats.Item, d *blob.Digests) (md5, sha512 bool) {
	return it.MD5 && d.MD5 == "", it.SHA512 && d.SHA512 == ""
}

// wakeDigests makes the follower look at the feeds.
func (e *Engine) wakeDigests() {
	select {
	case e.digestsWanted <- struct{}{}:
	default:
	}
}

// followDigests adds digests until ctx ends.
func (e *Engine) followDigests(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-e.digestsWanted:
		}
		e.calm.reset(e.now())
		for _, r := range e.state.Load().ordered {
			if r.format == nil || r.def.Kind == formats.Proxy {
				continue
			}
			if err := e.completeRepository(ctx, r); err != nil && ctx.Err() == nil {
				e.log.Warn("digests of large files are not complete", "repository", r.def.Name, "error", err)
			}
		}
	}
}

// completeRepository goes on in the feed of one repository up to its end.
func (e *Engine) completeRepository(ctx context.Context, r *repo) error {
	key := digestsKey(r.def.Content)
	entry, err := e.opts.Store.Get(ctx, key)
	if err != nil && !errors.Is(err, kv.ErrNotFound) {
		return err
	}
	for after := string(entry.Value); ; {
		if err := e.awaitCalm(ctx); err != nil {
			return err
		}
		changes, err := someChanges(ctx, r.content, after)
		if errors.Is(err, catalog.ErrTrimmed) { // from the oldest that is kept
			changes, err = someChanges(ctx, r.content, "")
		}
		if err != nil || len(changes) == 0 || e.writable() != nil {
			return err
		}
		for _, change := range changes {
			if change.Kind != catalog.ChangePut {
				continue
			}
			if err := e.completeAsset(ctx, r, change.Path); err != nil {
				return err
			}
		}
		after = changes[len(changes)-1].Sequence
		if err := e.opts.Store.Apply(ctx, kv.Put(key, []byte(after))); err != nil {
			return fmt.Errorf("remember how far it came: %w", err)
		}
	}
}

// someChanges reads the next piece of a feed.
func someChanges(ctx context.Context, content *catalog.Content, after string) ([]catalog.Change, error) {
	var changes []catalog.Change
	for change, err := range content.Changes(ctx, after) {
		if err != nil {
			return nil, err
		}
		if changes = append(changes, change); len(changes) == digestsStride {
			break
		}
	}
	return changes, nil
}

// completeAsset adds the digests that one asset lacks. A blob that cannot be read is left: it is for verification to tell of.
func (e *Engine) completeAsset(ctx context.Context, r *repo, path string) error {
	a, err := r.content.Asset(ctx, path)
	if errors.Is(err, catalog.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	item := r.format.Classify(r.view, path)
	wantMD5, wantSHA512 := lacks(&item, &a.Digests)
	if !wantMD5 && !wantSHA512 {
		return nil
	}
	digests, err := e.readDigests(ctx, a, wantMD5, wantSHA512)
	if err != nil {
		if ctx.Err() == nil {
			e.log.Warn("digests of a file cannot be taken", "repository", r.def.Name, "path", path, "error", err)
		}
		return ctx.Err()
	}
	err = r.content.AddDigests(ctx, path, a.Blob, digests)
	if errors.Is(err, catalog.ErrNotFound) || errors.Is(err, catalog.ErrConflict) {
		return nil // the path has changed, which is in the feed
	}
	return err
}

// readDigests reads a blob once, and waits whenever the server has other things to do.
func (e *Engine) readDigests(ctx context.Context, a *catalog.Asset, wantMD5, wantSHA512 bool) (digests blob.Digests, err error) {
	object, err := e.OpenBlob(ctx, a.Blob)
	if err != nil {
		return digests, err
	}
	defer object.Close()
	var writers []io.Writer
	sums := map[*string]hash.Hash{}
	if wantMD5 {
		sums[&digests.MD5] = md5.New()
	}
	if wantSHA512 {
		sums[&digests.SHA512] = sha512.New()
	}
	for _, sum := range sums {
		writers = append(writers, sum)
	}
	to, body, buf := io.MultiWriter(writers...), io.NewSectionReader(object, 0, a.Size), make([]byte, extraUpTo)
	for {
		if err := e.awaitCalm(ctx); err != nil {
			return digests, err
		}
		n, err := io.ReadFull(body, buf)
		_, _ = to.Write(buf[:n]) // a hash never fails
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			break
		}
		if err != nil {
			return digests, err
		}
	}
	if at, _ := body.Seek(0, io.SeekCurrent); at != a.Size {
		return digests, io.ErrUnexpectedEOF
	}
	for digest, sum := range sums {
		*digest = hex.EncodeToString(sum.Sum(nil))
	}
	return digests, nil
}

const (
	calmTime = 500 * time.Millisecond // over which requests are counted
	calmRate = 20                     // requests a second that leave the server calm
	calmPoll = 100 * time.Millisecond
)

// calm tells whether the server has little to do: no body comes in, and few requests do. Only the follower asks.
type calm struct {
	requests atomic.Uint64
	bodies   atomic.Int64 // coming in now

	at      time.Time // of the last look
	seen    uint64    // requests then
	verdict bool
}

func (c *calm) reset(now time.Time) { c.at, c.seen, c.verdict = now, c.requests.Load(), false }

func (c *calm) is(now time.Time) bool {
	if c.bodies.Load() > 0 {
		c.reset(now)
		return false
	}
	if elapsed := now.Sub(c.at); elapsed >= calmTime {
		n := c.requests.Load()
		c.verdict = float64(n-c.seen) <= calmRate*elapsed.Seconds()
		c.at, c.seen = now, n
	}
	return c.verdict
}

// awaitCalm returns when the server is calm, or the error of ctx.
func (e *Engine) awaitCalm(ctx context.Context) error {
	for !e.calm.is(e.now()) {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(calmPoll):
		}
	}
	return ctx.Err()
}
