// Package archive looks after stored data as a whole: it verifies records and blobs against each other. It stands on the contracts of
// storage/blob and storage/catalog and works beside a running server.
//
// Invariants: it changes nothing; whatever it cannot read is a problem that it reports, never something it passes over.
package archive

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"entrepot/storage/blob"
	"entrepot/storage/catalog"
)

// Verification says what to verify. Catalog and Stores are required.
type Verification struct {
	Catalog *catalog.Catalog
	Stores  []*blob.Store
	Workers int                      // blobs read at once; default 4
	Problem func(Problem)            // hears of each problem; called by one goroutine at a time
	Found   func(blobs, bytes int64) // hears once how many blobs there are to read
	Read    func(blobs, bytes int64) // hears of blobs that were read
}

const defaultWorkers = 4

// Problem is a difference between what is recorded and what is stored.
type Problem struct {
	Where string // a blob store and blob, or a place in the catalog
	Text  string
}

// String gives the problem as one line.
func (p Problem) String() string { return p.Where + ": " + p.Text }

// Result counts what was verified.
type Result struct {
	Blobs    int64 // read and hashed
	Bytes    int64 // of them
	Problems int64
}

// Verify cross-checks the catalog's records, reads every blob that they name again and hashes it. Its error is about what ended it early;
// problems are counted and handed to v.Problem.
func Verify(ctx context.Context, v Verification) (Result, error) {
	if v.Workers <= 0 {
		v.Workers = defaultWorkers
	}
	r := &verifier{Verification: v}
	if err := r.records(ctx); err != nil {
		return r.result, err
	}
	if err := r.strayStores(ctx); err != nil {
		return r.result, err
	}
	err := r.blobs(ctx)
	return r.result, err
}

// VerifyBlobs is Verify for the blobs of the given stores only: that records agree with each other is not looked at.
func VerifyBlobs(ctx context.Context, v Verification) (Result, error) {
	r := &verifier{Verification: v}
	if r.Workers <= 0 {
		r.Workers = defaultWorkers
	}
	err := r.blobs(ctx)
	return r.result, err
}

func (v *verifier) blobs(ctx context.Context) error {
	if err := v.count(ctx); err != nil {
		return err
	}
	for _, s := range v.Stores {
		if err := v.store(ctx, s); err != nil {
			return err
		}
	}
	return nil
}

type verifier struct {
	Verification
	mu     sync.Mutex // guards result and the callbacks
	result Result
}

func (v *verifier) problem(where, format string, args ...any) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.result.Problems++
	if v.Problem != nil {
		v.Problem(Problem{where, fmt.Sprintf(format, args...)})
	}
}

func (v *verifier) records(ctx context.Context) error {
	for p, err := range v.Catalog.Check(ctx) {
		if err != nil {
			return fmt.Errorf("verify catalog: %w", err)
		}
		v.problem("catalog", "%s", p)
	}
	return nil
}

// strayStores finds records of blobs in stores that there are not.
func (v *verifier) strayStores(ctx context.Context) error {
	for name, err := range v.Catalog.BlobStores(ctx) {
		if err != nil {
			return fmt.Errorf("verify: %w", err)
		}
		if slices.ContainsFunc(v.Stores, func(s *blob.Store) bool { return s.Name() == name }) {
			continue
		}
		usage, err := v.Catalog.StoreUsage(ctx, name)
		if err != nil {
			return fmt.Errorf("verify: usage of %s: %w", name, err)
		}
		if usage.Blobs > 0 {
			v.problem("blob store "+name, "does not exist, but %d blobs are recorded to be in it", usage.Blobs)
		}
	}
	return nil
}

// count finds out how much there is to read.
func (v *verifier) count(ctx context.Context) error {
	var blobs, bytes int64
	for _, s := range v.Stores {
		usage, err := v.Catalog.StoreUsage(ctx, s.Name())
		if err != nil {
			return fmt.Errorf("verify: usage of %s: %w", s.Name(), err)
		}
		blobs += usage.Blobs
		bytes += usage.Bytes
	}
	if v.Found != nil {
		v.Found(blobs, bytes)
	}
	return nil
}

// store reads every blob of a store that a record refers to.
func (v *verifier) store(ctx context.Context, s *blob.Store) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(v.Workers)
	for b, err := range v.Catalog.Blobs(ctx, s.Name(), blob.Hash{}) {
		if err != nil {
			return errors.Join(fmt.Errorf("verify: blobs of %s: %w", s.Name(), err), g.Wait())
		}
		g.Go(func() error { return v.blob(ctx, s, b) })
	}
	return g.Wait()
}

func (v *verifier) blob(ctx context.Context, s *blob.Store, b catalog.ReferencedBlob) error {
	where := "blob store " + s.Name() + ", blob " + b.Hash.String()
	info, err := s.Verify(ctx, b.Hash)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, blob.ErrNotFound):
		v.problem(where, "is missing, but recorded%s", v.user(ctx, s, b))
	case err != nil:
		v.problem(where, "%v%s", err, v.user(ctx, s, b))
	case info.Size != b.Size:
		v.problem(where, "has %d bytes, recorded are %d%s", info.Size, b.Size, v.user(ctx, s, b))
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.result.Blobs++
	v.result.Bytes += b.Size
	if v.Read != nil {
		v.Read(1, b.Size)
	}
	return nil
}

// user names one path that a blob belongs to.
func (v *verifier) user(ctx context.Context, s *blob.Store, b catalog.ReferencedBlob) string {
	for m, err := range v.Catalog.References(ctx, catalog.BlobRef{Store: s.Name(), Hash: b.Hash}) {
		if err == nil {
			return " (content of " + m.Asset.Path + ")"
		}
	}
	return ""
}
