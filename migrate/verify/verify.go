// Package verify compares a server with the old one that was imported into it: every asset by presence, size, checksum, dates and
// attributes, and every setting and account. Nothing is changed on either side.
//
// What was changed here after the import shows as a difference in a setting; an asset that is newer here than there, or was deleted here
// and is the same there as it was, does not, nor does a password hash that was replaced at a sign-in.
//
//	report, err := verify.Run(ctx, target, source, verify.Options{})
//	if report.Differences != nil { report.Markdown(os.Stdout) }
package verify

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"entrepot/app/progress"
	"entrepot/migrate/importer"
	"entrepot/migrate/inventory"
	"entrepot/storage/blob"
	"entrepot/storage/catalog"
)

// maxListed is how many differences a report lists one by one; the rest are counted.
const maxListed = 10_000

// Options tune a comparison. The zero value is a good default.
type Options struct {
	// Read reads every blob again and compares it with its name. Without it a blob is believed to hold what was written.
	Read  bool
	Meter *progress.Meter // hears of assets; nil for nobody
}

// Report is what a comparison found.
type Report struct {
	Origin      string        `json:"origin"`
	Compared    []Count       `json:"compared"`
	Bytes       int64         `json:"bytes"`       // of the assets
	NewerHere   int64         `json:"newerHere"`   // assets that were changed here after they were imported
	DeletedHere int64         `json:"deletedHere"` // assets that were deleted here after they were imported
	Found       int64         `json:"found"`       // differences
	Differences []Difference  `json:"differences,omitempty"`
	Duration    time.Duration `json:"durationNanoseconds"`
}

// Count is how many things of one kind were compared.
type Count struct {
	Name  string `json:"name"`
	Count int64  `json:"count"`
}

// Difference is something that is not here as it is there.
type Difference struct {
	What string `json:"what"` // kind of thing
	Name string `json:"name"`
	Why  string `json:"why"`
}

type comparison struct {
	ctx    context.Context
	target importer.Target
	source inventory.Source
	opts   Options
	report *Report
	living bool // see inventory.Inventory
}

// Run compares. The report is never nil; the error is about what ended the comparison early.
func Run(ctx context.Context, target importer.Target, source inventory.Source, opts Options) (*Report, error) {
	begin := time.Now()
	c := &comparison{ctx: ctx, target: target, source: source, opts: opts, report: &Report{}}
	inv, err := source.Describe(ctx)
	if err == nil {
		c.report.Origin, c.living = inv.Origin, inv.Living
		if err = c.settings(inv); err == nil {
			err = c.assets(inv)
		}
	}
	c.report.Duration = time.Since(begin)
	if err != nil {
		return c.report, fmt.Errorf("verify: %w", err)
	}
	return c.report, nil
}

func (c *comparison) differ(what, name, why string) {
	c.report.Found++
	if len(c.report.Differences) < maxListed {
		c.report.Differences = append(c.report.Differences, Difference{what, name, why})
	}
}

func (c *comparison) assets(inv *inventory.Inventory) error {
	if c.opts.Meter != nil {
		c.opts.Meter.Total(inv.Assets, inv.Bytes)
	}
	var count int64
	for a, err := range c.source.Assets(c.ctx) {
		var problem *inventory.Problem
		if errors.As(err, &problem) {
			c.differ("asset", problem.Repository+problem.Path, problem.Reason)
			continue
		}
		if err != nil {
			return err
		}
		why, err := c.asset(a)
		if err != nil {
			return err
		}
		if why != "" {
			c.differ("asset", a.Repository+a.Path, why)
		}
		count++
		c.report.Bytes += max(a.Size, 0)
		if c.opts.Meter != nil {
			c.opts.Meter.Add(1, max(a.Size, 0))
		}
	}
	c.report.Compared = append(c.report.Compared, Count{"assets", count})
	return nil
}

// asset gives the difference of one asset, "" for none.
func (c *comparison) asset(a *inventory.Asset) (string, error) {
	held, err := c.target.Engine.Held(c.ctx, a.Repository, a.Path)
	switch {
	case err != nil:
		return "", err
	case held == nil:
		deleted, changed, err := c.target.Engine.DeletedHere(c.ctx, a.Repository, a.Restored())
		if err != nil {
			return "", err
		}
		if deleted && !changed {
			c.report.DeletedHere++
			return "", nil
		}
		return c.missing(a), nil
	case held.BlobCreated.After(a.BlobCreated):
		c.report.NewerHere++
		return c.blob(held)
	case held.BlobCreated.Before(a.BlobCreated.Truncate(time.Millisecond)):
		return "is older here: " + held.BlobCreated.String(), nil
	case a.Size >= 0 && a.Size != held.Size:
		return fmt.Sprintf("has %d bytes here, and %d there", held.Size, a.Size), nil
	case !sameDigests(a.Digests, held.Digests):
		return "has another checksum here", nil
	case a.ContentType != "" && a.ContentType != held.ContentType:
		return fmt.Sprintf("is of type %s here, and %s there", held.ContentType, a.ContentType), nil
	case a.Uploader != held.Uploader || a.UploaderIP != held.UploaderIP:
		return fmt.Sprintf("was uploaded by %q from %q here, and by %q from %q there", held.Uploader, held.UploaderIP, a.Uploader, a.UploaderIP), nil
	}
	why := c.dates(a, held)
	if why == "" && !held.Updated.After(a.Updated) { // else something was changed here
		why = lacking("attribute", a.Attributes, held.Format)
	}
	if why == "" && held.Component != nil {
		why, err = c.component(a, *held.Component)
	}
	if why != "" || err != nil {
		return why, err
	}
	return c.blob(held)
}

// missing says why an asset is not here: perhaps its bytes are not there either.
func (c *comparison) missing(a *inventory.Asset) string {
	body, err := c.source.Open(c.ctx, a)
	if err != nil {
		return "is not here: " + err.Error()
	}
	body.Close()
	return "is not here"
}

// sameDigests compares those that both sides know.
func sameDigests(there, here blob.Digests) bool {
	for _, pair := range [][2]string{{there.SHA1, here.SHA1}, {there.SHA256, here.SHA256}, {there.SHA512, here.SHA512}, {there.MD5, here.MD5}} {
		if pair[0] != "" && pair[1] != "" && !strings.EqualFold(pair[0], pair[1]) {
			return false
		}
	}
	return true
}

// blob checks that the bytes behind a record are there.
func (c *comparison) blob(a *catalog.Asset) (string, error) {
	store, err := c.target.Engine.Blobs(a.Blob.Store)
	if err != nil {
		return err.Error(), nil
	}
	look := store.Stat
	if c.opts.Read {
		look = store.Verify
	}
	info, err := look(c.ctx, a.Blob.Hash)
	switch {
	case errors.Is(err, blob.ErrNotFound), errors.Is(err, blob.ErrCorrupt):
		return err.Error(), nil
	case err != nil:
		return "", err
	case info.Size != a.Size:
		return fmt.Sprintf("its blob has %d bytes, its record says %d", info.Size, a.Size), nil
	}
	return "", nil
}
