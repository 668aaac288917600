// Package inventory is the neutral description of what an old server holds. Every source (a blob store alone, a stopped data
// directory, a living server) produces it; one importer writes it. It uses the project's own words: hosted, cache, proxy.
//
// The small things (repositories and what hangs on them) are one value; the assets, which may be millions, are a stream.
package inventory

import (
	"context"
	"fmt"
	"io"
	"iter"
	"time"

	"entrepot/app/repository"
	"entrepot/storage/blob"
)

// Source is an old server, opened for reading only.
type Source interface {
	// Describe reads everything but the assets.
	Describe(ctx context.Context) (*Inventory, error)
	// Assets delivers every asset that is to come over, in any order. An error that is a *Problem concerns one asset and does not
	// end the stream; any other does.
	Assets(ctx context.Context) iter.Seq2[*Asset, error]
	// Open opens an asset's bytes. The caller closes it.
	Open(ctx context.Context, a *Asset) (io.ReadCloser, error)
}

// Inventory is what a source holds beside assets.
type Inventory struct {
	Origin       string // what was read, for people
	Repositories []Repository
	Assets       int64 // how many the stream will deliver
	Bytes        int64 // and their size together
	Notes        []string
}

// Repository is a repository of the old server.
type Repository struct {
	repository.Definition
	Guessed bool   // the source knows only its name; format and kind were guessed from the content
	Skip    string // why it cannot come over; "" when it can
	Assets  int64
	Bytes   int64
}

// Asset is a path of the old server with where its bytes lie.
type Asset struct {
	Repository  string
	Path        string // decoded, begins with "/"
	Blob        string // the source's own name of the bytes, for Open and for reports
	Size        int64  // bytes; -1 when the source does not say
	Digests     blob.Digests
	ContentType string

	BlobCreated    time.Time
	LastDownloaded time.Time
	Uploader       string
	UploaderIP     string
}

// Problem is why one asset does not come over.
type Problem struct {
	Repository string
	Path       string
	Blob       string
	Reason     string
}

func (p *Problem) Error() string {
	if p.Path == "" {
		return fmt.Sprintf("blob %s: %s", p.Blob, p.Reason)
	}
	return fmt.Sprintf("%s%s (blob %s): %s", p.Repository, p.Path, p.Blob, p.Reason)
}
