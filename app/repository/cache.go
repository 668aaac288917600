package repository

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"entrepot/app/repository/upstream"
	"entrepot/formats"
	"entrepot/storage/catalog"
)

// readCache answers from a fresh copy, or from what one download brings that all who ask for the same path share.
func (e *Engine) readCache(ctx context.Context, x *exchange) (*formats.Response, error) {
	if x.item.Route == formats.RouteListing && x.get {
		return e.readCacheFolder(ctx, x)
	}
	return e.readCachePath(ctx, x, x.item)
}

// readCacheFolder asks for a folder's URL itself, then for the index pages in it.
func (e *Engine) readCacheFolder(ctx context.Context, x *exchange) (*formats.Response, error) {
	resp, err := e.readCachePath(ctx, x, x.item)
	for _, name := range x.item.Indexes {
		if err == nil || formats.KindOf(err) != formats.NotFound {
			return resp, err
		}
		resp, err = e.readCachePath(ctx, x, x.format.Classify(x.view, x.item.Path+name))
	}
	if err != nil && formats.KindOf(err) == formats.NotFound {
		return nil, errNoListing()
	}
	return resp, err
}

func (e *Engine) readCachePath(ctx context.Context, x *exchange, it formats.Item) (*formats.Response, error) {
	got, err := e.obtain(ctx, x.repo, it, x.starter(), true)
	if err != nil {
		return nil, err
	}
	if got.asset != nil {
		return e.respondAsset(x, got.asset)
	}
	return e.respondStream(ctx, x, got.incoming)
}

// obtained is what a cache has for a path: a stored asset, or one that is still coming in.
type obtained struct {
	asset    *catalog.Asset
	incoming *flight
}

// obtain gives the copy of a path, asking the upstream when there is none or it is stale. With stream it may give a download that
// is still coming in, else it waits for its end.
func (e *Engine) obtain(ctx context.Context, r *repo, it formats.Item, by starter, stream bool) (obtained, error) {
	a, err := r.content.Asset(ctx, it.Path)
	switch {
	case errors.Is(err, catalog.ErrNotFound):
		a = nil
	case err != nil:
		return obtained{}, err
	case it.Local || r.fresh(a, it.Metadata, e.now()):
		return obtained{asset: a}, nil
	}
	if a == nil && (it.Local || r.def.NegativeCache.Enabled && e.negative.has(r.run.negativeKey(it.Path))) {
		return obtained{}, &formats.Error{Kind: formats.NotFound}
	}
	if err := e.writable(); err != nil {
		if a != nil {
			return obtained{asset: a}, nil
		}
		return obtained{}, err
	}
	f := e.join(r, it, a, by)
	if f == nil {
		return obtained{}, &formats.Error{Kind: formats.Unavailable, Message: "The server is shutting down"}
	}
	return f.wait(ctx, stream)
}

// fresh reports whether a copy may be served without asking the upstream.
func (r *repo) fresh(a *catalog.Asset, metadata bool, now time.Time) bool {
	up := r.def.Upstream
	if up == nil || a.Upstream == nil || a.Upstream.Token != r.def.Token {
		return false
	}
	age := up.ContentMaxAge
	if metadata {
		age = up.MetadataMaxAge
	}
	return age < 0 || now.Sub(a.Upstream.Verified) < age
}

// starter is on whose behalf a download of this exchange is started.
func (x *exchange) starter() starter { return starter{x.call.Subject.UserID(), x.call.RemoteIP} }

// fetching is what a download needs to know.
type fetching struct {
	*repo
	item   formats.Item
	copy   *catalog.Asset // the copy that there is, nil when there is none
	by     starter
	flight *flight // told as soon as the body can be passed on
}

// outcome is how a download ended.
type outcome struct {
	asset  *catalog.Asset // what to serve
	err    error          // why there is nothing to serve
	stored bool           // asset is what has just come in
}

// stale serves the copy that there is in place of a failure.
func (f *fetching) stale(err error) outcome {
	if f.copy != nil {
		return outcome{asset: f.copy}
	}
	return outcome{err: err}
}

// fetch asks the upstream for a path and stores what it sends.
func (e *Engine) fetch(ctx context.Context, f fetching) outcome {
	client := f.run.client.Load()
	if client == nil {
		return f.stale(errNoUpstream(f.repo))
	}
	resp, err := client.Fetch(ctx, upstream.Request{Path: f.item.Path, Header: conditionsOf(f.copy)})
	if err != nil {
		return f.stale(fetchRefusal(err))
	}
	defer resp.Body.Close()
	switch {
	case resp.Status == http.StatusOK:
		return e.download(ctx, f, resp)
	case resp.Status == http.StatusNotModified && f.copy != nil:
		return e.confirm(ctx, f)
	case resp.Status >= http.StatusBadRequest && strings.EqualFold(resp.Header.Get(finalHeader), "true"):
		return outcome{err: newFinalError(resp)}
	case resp.Status == http.StatusNotModified:
		return outcome{err: errors.New("repository: upstream answered 304 to an unconditional request")}
	case resp.Status >= 500, resp.Status == http.StatusUnauthorized, resp.Status == http.StatusPaymentRequired,
		resp.Status == http.StatusProxyAuthRequired:
		return f.stale(&formats.Error{Kind: formats.Unavailable, Err: statusError(resp.Status)})
	}
	if f.copy == nil && f.def.NegativeCache.Enabled {
		e.negative.add(f.run.negativeKey(f.item.Path), f.def.NegativeCache.TTL)
	}
	return f.stale(&formats.Error{Kind: formats.NotFound, Err: statusError(resp.Status)})
}

// statusError is the cause of a refusal that an upstream's status led to.
type statusError int

func (s statusError) Error() string { return "repository: upstream answered " + strconv.Itoa(int(s)) }

// finalHeader marks an upstream's refusal that clients are to see as it is, whatever the cache has and other members of a proxy say.
// Servers that quarantine packages send it.
const finalHeader = "BYPASS_HTTP_ERRORS"

// finalError is such a refusal.
type finalError struct {
	status int
	reason string
	header http.Header
}

func newFinalError(resp *upstream.Response) *finalError {
	header := resp.Header.Clone()
	for _, name := range []string{
		"Connection", "Keep-Alive", "Proxy-Connection", "Transfer-Encoding", "Trailer", "Upgrade",
		"Content-Length", "Content-Encoding", "Date", "Server", "Set-Cookie", "Www-Authenticate", "Proxy-Authenticate",
	} {
		header.Del(name)
	}
	return &finalError{resp.Status, resp.Reason, header}
}

func (f *finalError) Error() string {
	return "repository: upstream's final answer is " + strconv.Itoa(f.status)
}

func (f *finalError) response() *formats.Response {
	return &formats.Response{Status: f.status, Reason: f.reason, Header: f.header.Clone()}
}

// fetchRefusal tells clients why the upstream gave no answer.
func fetchRefusal(err error) error {
	var blocked *upstream.BlockedError
	var transport *upstream.TransportError
	switch {
	case errors.As(err, &blocked):
		return &formats.Error{Kind: formats.NotFound, Message: blocked.Error(), Err: err}
	case errors.Is(err, upstream.ErrInvalidPath):
		return &formats.Error{Kind: formats.Invalid, Message: "Invalid repository path", Err: err}
	case errors.As(err, &transport):
		return &formats.Error{Kind: formats.BadGateway, Err: err}
	}
	return err
}

// NoUpstreamError is the cause of the refusal of a cache that was not told its upstream yet.
type NoUpstreamError struct {
	Repository, Format string
}

func (e *NoUpstreamError) Error() string {
	return "repository: cache " + e.Repository + " has no upstream"
}

func errNoUpstream(r *repo) error {
	err := formats.Errorf(formats.BadGateway, "Repository %s has no remote URL yet: set one in its settings", r.def.Name)
	err.Err = &NoUpstreamError{Repository: r.def.Name, Format: r.def.Format}
	return err
}

// conditionsOf makes the request of a copy's validators.
func conditionsOf(a *catalog.Asset) http.Header {
	if a == nil {
		return nil
	}
	rep := assetRepresentation(a)
	h := make(http.Header, 2)
	h["If-None-Match"] = []string{rep.ETag}
	h["If-Modified-Since"] = []string{httpTime(rep.LastModified)}
	return h
}

// confirm remembers that the upstream still has what the copy is of.
func (e *Engine) confirm(ctx context.Context, f fetching) outcome {
	confirmed := *f.copy
	state := catalog.Upstream{}
	if f.copy.Upstream != nil {
		state = *f.copy.Upstream
	}
	state.Verified, state.Token = e.now(), f.def.Token
	confirmed.Upstream = &state
	err := f.content.Put(ctx, &confirmed, catalog.PutOptions{If: catalog.PutIfVersion})
	switch {
	case errors.Is(err, catalog.ErrConflict): // it was changed meanwhile and is asked for again next time
		return outcome{asset: f.copy}
	case err != nil:
		return outcome{err: err}
	}
	return outcome{asset: &confirmed}
}
