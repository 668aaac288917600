// Package gc collects blobs that no record names any more.
//
// Invariants:
//
//   - A blob that a record names is never removed, whatever error occurs: any doubt ends the pass.
//   - A dry run and a run follow one plan; a dry run only does not remove.
//   - A pass can end anywhere, and another one goes on behind Stats.Last, whenever that is, or starts over; both are safe. No list of what
//     to remove is kept from one to the other: see docs/design/resuming.md.
//   - Memory does not grow with the number of blobs.
//
// Why it is safe: the store and the records of it are listed side by side in the order of hashes; what only the store has is a
// candidate. For each candidate the records are asked again, and then the store removes it only if it came in before the grace time
// began, which it checks under the lock that committing equal bytes takes. Who is about to name a blob in a record has committed its
// bytes a short while ago, which makes the blob young, also when its bytes were there before. So whoever names a blob in a new record
// must have committed it, within the grace time.
//
//	stats, err := gc.Collect(ctx, gc.Options{Store: store, Records: catalog, Grace: 24 * time.Hour})
package gc

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"time"

	"entrepot/storage/blob"
	"entrepot/storage/catalog"
)

const (
	// DefaultGrace is how young blobs are left alone unless it is said.
	DefaultGrace = 24 * time.Hour
	// MinGrace is the least: time enough to write a record after its blob.
	MinGrace = time.Hour
)

// ErrNothingNamed reports that records name no blob at all of a store that has some: more likely the records or the store are not the
// ones they should be than that everything was deleted.
var ErrNothingNamed = errors.New("gc: no record names any blob of the store")

// Records tell which blobs are named. *catalog.Catalog are some.
type Records interface {
	// Blobs delivers the blobs of a store that are named, behind a hash, in the order of their hashes.
	Blobs(ctx context.Context, store string, after blob.Hash) iter.Seq2[catalog.ReferencedBlob, error]
	// Referenced reports whether a blob is named now.
	Referenced(ctx context.Context, ref catalog.BlobRef) (bool, error)
}

// Options say what to collect. Store and Records are required.
type Options struct {
	Store   *blob.Store
	Records Records
	Grace   time.Duration // blobs that came in since are left alone; default DefaultGrace, at least MinGrace
	DryRun  bool          // only count
	From    Stats         // of a pass that ended early: this one goes on behind its Last and counts on
	// Emptied allows a pass over a store of which no record names a blob.
	Emptied bool
	Looked  func(Stats)      // hears after each blob from where another pass could go on; nil for nobody
	Now     func() time.Time // default time.Now
}

// Stats count what a pass did.
type Stats struct {
	Blobs, Bytes         int64     // looked at
	Named                int64     // of these, by records
	Young                int64     // of these, not named and left alone because they are young
	Collected, Reclaimed int64     // blobs and bytes that were removed, or would be in a dry run
	Missing              int64     // blobs that records name and the store does not have: verify tells which
	Last                 blob.Hash `json:"-"` // that was looked at
}

// Add adds what a run over another store did.
func (s *Stats) Add(o Stats) {
	s.Blobs += o.Blobs
	s.Bytes += o.Bytes
	s.Named += o.Named
	s.Young += o.Young
	s.Collected += o.Collected
	s.Reclaimed += o.Reclaimed
	s.Missing += o.Missing
	s.Last = o.Last
}

// expectAt is how many blobs say how far among all of them the last one is.
const expectAt = 1000

// Expected estimates how many blobs the store has, from where Last is among all hashes, which are spread evenly; 0 while it is too early
// to tell.
func (s *Stats) Expected() int64 {
	if s.Blobs < expectAt {
		return 0
	}
	share := (float64(binary.BigEndian.Uint64(s.Last[:8])) + 1) / (1 << 64)
	return max(s.Blobs, int64(float64(s.Blobs)/share))
}

// Collect removes what nothing names. On an error the stats tell what was done before.
func Collect(ctx context.Context, o Options) (Stats, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Grace == 0 {
		o.Grace = DefaultGrace
	}
	c := &collection{Options: o, before: o.Now().Add(-max(o.Grace, MinGrace)), stats: o.From}
	if err := c.run(ctx); err != nil {
		return c.stats, fmt.Errorf("gc: store %s: %w", o.Store.Name(), err)
	}
	return c.stats, nil
}

type collection struct {
	Options
	before time.Time
	stats  Stats
}

func (c *collection) run(ctx context.Context) error {
	if err := c.doubt(ctx); err != nil {
		return err
	}
	for found, err := range c.plan(ctx) {
		if err == nil {
			err = ctx.Err()
		}
		if err == nil && found.candidate {
			err = c.collect(ctx, found.Info)
		}
		if err != nil {
			return err
		}
		c.stats.Blobs++
		c.stats.Bytes += found.Size
		c.stats.Last = found.Hash
		if c.Looked != nil {
			c.Looked(c.stats)
		}
	}
	return nil
}

// doubt ends a pass over a store that has blobs of which none is named.
func (c *collection) doubt(ctx context.Context) error {
	if c.Emptied {
		return nil
	}
	for _, err := range c.Records.Blobs(ctx, c.Store.Name(), blob.Hash{}) {
		return err
	}
	for _, err := range c.Store.List(ctx, blob.Hash{}) {
		if err != nil {
			return err
		}
		return ErrNothingNamed
	}
	return nil
}

// found is a blob of the store. It is a candidate when no record named it when the plan came by.
type found struct {
	blob.Info
	candidate bool
}

// plan delivers all blobs of the store behind those of From, in order.
func (c *collection) plan(ctx context.Context) iter.Seq2[found, error] {
	return func(yield func(found, error) bool) {
		next, stop := iter.Pull2(c.Records.Blobs(ctx, c.Store.Name(), c.From.Last))
		defer stop()
		named, err, more := next()
		if err != nil {
			yield(found{}, err)
			return
		}
		for info, err := range c.Store.List(ctx, c.From.Last) {
			for err == nil && more && bytes.Compare(named.Hash[:], info.Hash[:]) < 0 {
				if err = c.missing(ctx, named.Hash); err == nil {
					named, err, more = next()
				}
			}
			if err != nil {
				yield(found{}, err)
				return
			}
			if !yield(found{info, !more || named.Hash != info.Hash}, nil) {
				return
			}
			if more && named.Hash == info.Hash {
				c.stats.Named++
				if named, err, more = next(); err != nil {
					yield(found{}, err)
					return
				}
			}
		}
		for more {
			if err = c.missing(ctx, named.Hash); err == nil {
				named, err, more = next()
			}
			if err != nil {
				yield(found{}, err)
				return
			}
		}
	}
}

// missing counts a blob that is named and was not listed, unless it came in meanwhile.
func (c *collection) missing(ctx context.Context, h blob.Hash) error {
	_, err := c.Store.Stat(ctx, h)
	if errors.Is(err, blob.ErrNotFound) {
		c.stats.Missing++
		return nil
	}
	return err
}

// collect removes a candidate that is not named now either, and old.
func (c *collection) collect(ctx context.Context, info blob.Info) error {
	if !info.ModTime.Before(c.before) {
		c.stats.Young++
		return nil
	}
	named, err := c.Records.Referenced(ctx, catalog.BlobRef{Store: c.Store.Name(), Hash: info.Hash})
	if err != nil {
		return err
	}
	if named {
		c.stats.Named++
		return nil
	}
	gone := true
	if !c.DryRun {
		if gone, err = c.Store.Collect(ctx, info.Hash, c.before); err != nil {
			return err
		}
	}
	if gone {
		c.stats.Collected++
		c.stats.Reclaimed += info.Size
	}
	return nil
}
