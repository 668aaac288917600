package blob

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"sync"
	"time"
)

// defaultParallelFrom is the size from which hashing on several goroutines pays.
const defaultParallelFrom = 1 << 20

// lockStripes is the number of locks that keep Collect and Commit of one name apart.
const lockStripes = 64

// Options tune a Store; nil and zero values mean the defaults.
type Options struct {
	// ParallelFrom is the number of bytes from which a body is hashed on several goroutines. Default 1 MiB.
	ParallelFrom int64
	// Now is the clock. Default time.Now.
	Now func() time.Time
}

// Store is a named blob store over a driver. Its methods may be called from many goroutines.
type Store struct {
	name         string
	driver       Driver
	now          func() time.Time
	parallelFrom int64
	pools        hashPools
	locks        [lockStripes]sync.RWMutex
}

// New gives a store called name over d.
func New(name string, d Driver, opts *Options) *Store {
	s := &Store{name: name, driver: d, now: time.Now, parallelFrom: defaultParallelFrom}
	if opts != nil && opts.Now != nil {
		s.now = opts.Now
	}
	if opts != nil && opts.ParallelFrom > 0 {
		s.parallelFrom = opts.ParallelFrom
	}
	return s
}

// Name is the name given to New.
func (s *Store) Name() string { return s.name }

// Create starts a blob. The caller must end the Writer with Discard, also after Commit.
func (s *Store) Create(ctx context.Context, opts WriteOptions) (*Writer, error) {
	spool, err := s.driver.Create(ctx, opts.Size)
	if err != nil {
		return nil, fmt.Errorf("blob: store %s: create: %w", s.name, err)
	}
	w := &Writer{store: s, spool: newSharedSpool(spool)}
	w.hashing.start(&s.pools, opts, s.parallelFrom)
	return w, nil
}

// Open opens a blob for reading; the caller closes it. ErrNotFound when absent. The bytes are not checked: see Verify.
func (s *Store) Open(ctx context.Context, h Hash) (Object, error) {
	o, err := s.driver.Open(ctx, h)
	if err != nil {
		return nil, s.wrap("open", h, err)
	}
	return o, nil
}

// Stat describes a blob without its digests. ErrNotFound when absent.
func (s *Store) Stat(ctx context.Context, h Hash) (Info, error) {
	info, err := s.driver.Stat(ctx, h)
	if err != nil {
		return Info{}, s.wrap("stat", h, err)
	}
	return info, nil
}

// Delete removes a blob at once, whoever may just be committing equal bytes. ErrNotFound when absent. Open objects stay readable.
func (s *Store) Delete(ctx context.Context, h Hash) error {
	if err := s.driver.Delete(ctx, h); err != nil {
		return s.wrap("delete", h, err)
	}
	return nil
}

// Collect removes a blob that last came into the store before the given time, and reports whether it did. It excludes a Commit of
// equal bytes that runs meanwhile in this process: either that one comes first and the blob is young and stays, or its bytes are
// stored anew. A missing blob is no error.
func (s *Store) Collect(ctx context.Context, h Hash, before time.Time) (bool, error) {
	lock := s.lock(h)
	lock.Lock()
	defer lock.Unlock()
	info, err := s.driver.Stat(ctx, h)
	if errors.Is(err, ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, s.wrap("collect", h, err)
	}
	if !info.ModTime.Before(before) {
		return false, nil
	}
	if err := s.driver.Delete(ctx, h); err != nil {
		return false, s.wrap("collect", h, err)
	}
	return true, nil
}

// List delivers all blobs whose names come after the given one, in order of their names. It ends after the first error.
func (s *Store) List(ctx context.Context, after Hash) iter.Seq2[Info, error] {
	return func(yield func(Info, error) bool) {
		for info, err := range s.driver.List(ctx, after) {
			if err != nil {
				yield(Info{}, fmt.Errorf("blob: store %s: list: %w", s.name, err))
				return
			}
			if !yield(info, nil) {
				return
			}
		}
	}
}

// Verify reads a blob and compares its BLAKE3 with its name. ErrCorrupt when they differ, ErrNotFound when absent.
func (s *Store) Verify(ctx context.Context, h Hash) (Info, error) {
	if f, ok := s.driver.(Foreign); ok {
		info, err := f.Verify(ctx, h)
		if err != nil {
			return Info{}, s.wrap("verify", h, err)
		}
		return info, nil
	}
	info, err := s.driver.Stat(ctx, h)
	if err != nil {
		return Info{}, s.wrap("verify", h, err)
	}
	o, err := s.driver.Open(ctx, h)
	if err != nil {
		return Info{}, s.wrap("verify", h, err)
	}
	defer o.Close()
	got, err := s.rehash(ctx, o)
	if err != nil {
		return Info{}, s.wrap("verify", h, err)
	}
	if got != h {
		return Info{}, s.wrap("verify", h, fmt.Errorf("%w: %d bytes with the name %s", ErrCorrupt, o.Size(), got))
	}
	return info, nil
}

// rehash gives the BLAKE3 of all bytes of o.
func (s *Store) rehash(ctx context.Context, o Object) (Hash, error) {
	set := s.pools.set(WriteOptions{})
	defer s.pools.sets.Put(set)
	c := s.pools.chunk()
	defer s.pools.chunks.Put(c)
	body := io.NewSectionReader(o, 0, o.Size())
	for {
		if err := ctx.Err(); err != nil {
			return Hash{}, err
		}
		n, err := body.Read(c.buf[:])
		set.blake3.Write(c.buf[:n])
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return Hash{}, err
		}
	}
	var name Hash
	set.blake3.Sum(name[:0])
	return name, nil
}

func (s *Store) lock(h Hash) *sync.RWMutex { return &s.locks[h[0]%lockStripes] }

func (s *Store) wrap(op string, h Hash, err error) error {
	return fmt.Errorf("blob: store %s: %s %s: %w", s.name, op, h, err)
}
