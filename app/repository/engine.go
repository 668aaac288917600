package repository

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/singleflight"

	"entrepot/app/audit"
	"entrepot/app/repository/upstream"
	"entrepot/formats"
	"entrepot/storage/blob"
	"entrepot/storage/catalog"
	"entrepot/storage/kv"
)

// Sealer keeps secrets unreadable at rest. *seal.Sealer is one.
type Sealer interface {
	Seal(secret string) (string, error)
	Unseal(sealed string) (string, error)
}

// Options are what an Engine stands on. Store, Catalog, Formats, Sealer and OpenBlobs are required; of the others the zero value
// means the documented default.
type Options struct {
	Store   *kv.Store        // keeps the definitions; stays the caller's to close
	Catalog *catalog.Catalog // keeps the content; stays the caller's to close
	Formats []formats.Format // those that can be served
	Sealer  Sealer
	// OpenBlobs opens the blob store of a definition whose Type is "file". What it returns serves as long as the engine lives.
	OpenBlobs func(ctx context.Context, d BlobStore) (*blob.Store, error)
	// Adopted gives the bytes of an adopted blob store (AdoptedPrefix); nil when there is no such store. Without it there are none.
	Adopted func(store string) *blob.Store
	// Asked is told which blob of an adopted store somebody wants to read; default nobody.
	Asked func(ref catalog.BlobRef)
	// FreeSpace tells how many bytes are free for an open blob store; nil means that nobody knows.
	FreeSpace func(d BlobStore) (int64, error)

	Audit audit.Recorder // is told about changes of definitions; default nobody
	// CleanupFormat gives the format that a cleanup policy is made for, AnyFormat for all; false for a policy that there is not. Nil
	// means that there are no policies.
	CleanupFormat func(policy string) (format string, known bool)

	Upstream *upstream.Options // for the HTTP clients of caches; its Now is replaced by the engine's
	Now      func() time.Time  // default time.Now
	Logger   *slog.Logger      // default discards
	// NegativeBytes bounds the memory in which 404s of upstreams are remembered. Default 8 MiB.
	NegativeBytes int64
	// DocumentBytes bounds the memory for generated and merged documents. Default 32 MiB.
	DocumentBytes int64
	// StreamFrom is the number of bytes from which a download is passed on while it is still coming in. Smaller bodies are checked
	// whole before their first byte goes out. Default 256 KiB.
	StreamFrom int64
	// Still begins no work in the background, for an engine on which changes of definitions are tried.
	Still bool
}

// Engine serves repositories and keeps their definitions. All methods may be called from many goroutines.
type Engine struct {
	opts    Options
	formats map[string]formats.Format
	log     *slog.Logger
	now     func() time.Time

	negative    *negativeCache
	generations generations
	documents   *documentCache
	answers     *answerCache
	making      singleflight.Group
	state       atomic.Pointer[state]
	frozen      atomic.Pointer[Freeze]
	upstream    atomic.Pointer[upstream.Options]

	mu         sync.Mutex // held by changes of definitions and of the freeze
	background background
	drops      idSet // content trees being removed

	renewal       renewal
	calm          calm
	digestsWanted chan struct{}
}

// Open reads the definitions and takes up what an earlier run left unfinished.
func Open(ctx context.Context, opts Options) (*Engine, error) {
	switch {
	case opts.Store == nil, opts.Catalog == nil, opts.Sealer == nil, opts.OpenBlobs == nil:
		return nil, errors.New("repository: Options lack Store, Catalog, Sealer or OpenBlobs")
	}
	e := &Engine{opts: opts, formats: make(map[string]formats.Format, len(opts.Formats)), log: opts.Logger, now: opts.Now}
	if e.log == nil {
		e.log = slog.New(slog.DiscardHandler)
	}
	if e.now == nil {
		e.now = time.Now
	}
	if e.opts.StreamFrom <= 0 {
		e.opts.StreamFrom = 256 << 10
	}
	e.shareUpstream(opts.Upstream)
	for _, f := range opts.Formats {
		e.formats[f.Name()] = f
	}
	e.negative = newNegativeCache(opts.NegativeBytes, e.now)
	e.documents = newDocumentCache(opts.DocumentBytes)
	e.answers = newAnswerCache()
	e.digestsWanted = make(chan struct{}, 1)
	e.renewal.open()
	e.background.open()
	e.background.closed = opts.Still
	if err := e.load(ctx); err != nil {
		e.background.close()
		return nil, err
	}
	e.wakeDigests()
	e.background.start(e.followDigests)
	e.background.start(e.keepRenewing)
	return e, nil
}

// load reads everything that Open promises.
func (e *Engine) load(ctx context.Context) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	next, err := e.readState(ctx)
	if err != nil {
		return fmt.Errorf("repository: open: %w", err)
	}
	e.install(next)
	if err := e.readFreeze(ctx); err != nil {
		return fmt.Errorf("repository: open: %w", err)
	}
	return e.resumeDrops(ctx)
}

// Reload reads the definitions again, for changes that another instance made.
func (e *Engine) Reload(ctx context.Context) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	next, err := e.readState(ctx)
	if err != nil {
		return fmt.Errorf("repository: reload: %w", err)
	}
	e.install(next)
	return nil
}

// Close ends downloads and other work in the background and waits for it. Requests must have ended before.
func (e *Engine) Close() error {
	e.background.close()
	for _, r := range e.state.Load().ordered {
		r.close()
	}
	return nil
}

// OpenBlob opens the bytes that a Response refers to. The caller closes them.
func (e *Engine) OpenBlob(ctx context.Context, ref catalog.BlobRef) (blob.Object, error) {
	if blobs := e.adopted(ref.Store); blobs != nil {
		if e.opts.Asked != nil {
			e.opts.Asked(ref)
		}
		return blobs.Open(ctx, ref.Hash)
	}
	s := e.state.Load().labels[ref.Store]
	if s == nil {
		return nil, fmt.Errorf("repository: blob store %q: %w", ref.Store, blob.ErrNotFound)
	}
	if s.blobs == nil {
		return nil, s.unavailable()
	}
	return s.blobs.Open(ctx, ref.Hash)
}
