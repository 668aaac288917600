package rest

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"golang.org/x/time/rate"

	"entrepot/migrate/inventory"
	"entrepot/storage/blob"
	"entrepot/storage/catalog"
)

// listedAsset is an asset as the API lists it.
type listedAsset struct {
	Path                 string
	ContentType          string
	FileSize             *int64
	Checksum             struct{ SHA1, SHA256, SHA512, MD5 string }
	LastModified         *string
	LastDownloaded       *string
	BlobCreated          *string
	Uploader, UploaderIP string
}

// listedComponent is a component as the API lists it.
type listedComponent struct {
	Group, Name, Version string
	Assets               []listedAsset
}

// page is one reply of a listing.
type page[T any] struct {
	Items             []T
	ContinuationToken string
}

func (s *Server) newListing() (*bufio.Writer, error) {
	f, err := os.CreateTemp(s.opts.TempDir, "entrepot-listing-*")
	if err != nil {
		return nil, fmt.Errorf("rest: listing: %w", err)
	}
	s.listing = f
	return bufio.NewWriterSize(f, 1<<20), nil
}

// listRepository writes the assets of a repository to the listing, with their components first: what is listed twice is known then.
func (s *Server) listRepository(ctx context.Context, w io.Writer, name string, h held) (assets, bytes int64, err error) {
	lines := json.NewEncoder(w)
	put := func(a listedAsset, component *catalog.Coordinates) error {
		if a.Path == "" {
			return fmt.Errorf("rest: repository %s lists an asset without a path", name)
		}
		out := a.asset(name, component)
		assets++
		bytes += max(out.Size, 0)
		return lines.Encode(out)
	}
	if h.format == "maven2" || h.format == "raw" { // their paths tell the component
		err = pages(ctx, s, "assets", name, func(a listedAsset) error { return put(a, nil) })
		return assets, bytes, err
	}
	err = pages(ctx, s, "components", name, func(c listedComponent) error {
		for _, a := range c.Assets {
			if err := put(a, &catalog.Coordinates{Group: c.Group, Name: c.Name, Version: c.Version}); err != nil {
				return err
			}
		}
		return nil
	})
	return assets, bytes, err
}

// pages reads all pages of a listing.
func pages[T any](ctx context.Context, s *Server, resource, repository string, each func(T) error) error {
	seen := make(map[string]bool)
	for token := ""; ; {
		var reply page[T]
		found, err := s.read(ctx, &reply, resource, ofRepository(repository, token))
		if err == nil && !found {
			err = fmt.Errorf("rest: repository %s cannot be listed", repository)
		}
		if err != nil {
			return err
		}
		for _, item := range reply.Items {
			if err := each(item); err != nil {
				return err
			}
		}
		if token = reply.ContinuationToken; token == "" {
			return nil
		}
		if len(seen) < 1000 && seen[token] {
			return fmt.Errorf("rest: the listing of repository %s goes round in a circle", repository)
		}
		seen[token] = len(seen) < 1000
	}
}

func (a *listedAsset) asset(repository string, component *catalog.Coordinates) *inventory.Asset {
	out := &inventory.Asset{
		Repository: repository, Path: "/" + strings.TrimPrefix(a.Path, "/"), Size: -1, ContentType: a.ContentType, Component: component,
		Digests:  blob.Digests{SHA1: a.Checksum.SHA1, SHA256: a.Checksum.SHA256, SHA512: a.Checksum.SHA512, MD5: a.Checksum.MD5},
		Uploader: a.Uploader, UploaderIP: a.UploaderIP, Created: instant(a.BlobCreated), BlobCreated: instant(a.LastModified),
		LastDownloaded: instant(a.LastDownloaded),
	}
	if a.FileSize != nil {
		out.Size = *a.FileSize
	}
	out.Blob = out.Repository + out.Path
	return out
}

// instant reads a time as releases have written it; zero when there is none.
func instant(text *string) time.Time {
	if text == nil {
		return time.Time{}
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.000Z0700"} {
		if at, err := time.Parse(layout, *text); err == nil {
			return at.UTC()
		}
	}
	return time.Time{}
}

// Assets delivers what was listed.
func (s *Server) Assets(context.Context) iter.Seq2[*inventory.Asset, error] {
	return func(yield func(*inventory.Asset, error) bool) {
		if s.listing == nil {
			yield(nil, errors.New("rest: the server was not described yet"))
			return
		}
		f, err := os.Open(s.listing.Name())
		if err != nil {
			yield(nil, fmt.Errorf("rest: listing: %w", err))
			return
		}
		defer f.Close()
		for lines := json.NewDecoder(bufio.NewReaderSize(f, 1<<20)); ; {
			a := new(inventory.Asset)
			err := lines.Decode(a)
			if errors.Is(err, io.EOF) {
				return
			}
			if err != nil {
				yield(nil, fmt.Errorf("rest: listing: %w", err))
				return
			}
			if !yield(a, nil) {
				return
			}
		}
	}
}

// Open downloads an asset as clients do.
func (s *Server) Open(ctx context.Context, a *inventory.Asset) (io.ReadCloser, error) {
	target := s.base.String() + "/repository/" + url.PathEscape(a.Repository) + (&url.URL{Path: a.Path}).EscapedPath()
	resp, err := s.send(ctx, target)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		resp.Body.Close()
		return nil, refusal(target, resp)
	}
	if s.bytes == nil {
		return resp.Body, nil
	}
	return &slow{resp.Body, ctx, s.bytes}, nil
}

// bandwidthBurst is how many bytes may come at once when a bandwidth is set.
const bandwidthBurst = 1 << 20

// slow reads no faster than a limit allows.
type slow struct {
	io.ReadCloser
	ctx   context.Context
	limit *rate.Limiter
}

// Read reads a piece and waits until it is paid for.
func (r *slow) Read(p []byte) (int, error) {
	n, err := r.ReadCloser.Read(p[:min(len(p), bandwidthBurst)])
	if wait := r.limit.WaitN(r.ctx, n); wait != nil {
		return n, wait
	}
	return n, err
}
