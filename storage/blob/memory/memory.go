// Package memory keeps blobs in memory. It is a whole driver, for tests of the layers above and for servers that are meant to
// forget; nothing survives the process.
//
//	store := blob.New("default", memory.New(nil), nil)
package memory

import (
	"bytes"
	"context"
	"io"
	"iter"
	"slices"
	"sync"
	"time"

	"entrepot/storage/blob"
)

// Options tune a Driver; nil and zero values mean the defaults.
type Options struct {
	// Limit is how many bytes fit, spools included; a write beyond fails with blob.ErrNoSpace. Default no limit.
	Limit int64
	// Now is the clock. Default time.Now.
	Now func() time.Time
}

// Driver is a blob.Driver in memory.
type Driver struct {
	limit int64
	now   func() time.Time

	mu    sync.RWMutex
	used  int64 // bytes in blobs and spools
	blobs map[blob.Hash]entry
}

// entry is a committed blob. Its bytes never change.
type entry struct {
	body    []byte
	modTime time.Time
}

var _ blob.Driver = (*Driver)(nil)

// New gives an empty driver.
func New(opts *Options) *Driver {
	d := &Driver{now: time.Now, blobs: make(map[blob.Hash]entry)}
	if opts != nil {
		d.limit = opts.Limit
		if opts.Now != nil {
			d.now = opts.Now
		}
	}
	return d
}

// Create starts a spool.
func (d *Driver) Create(ctx context.Context, _ int64) (blob.Spool, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return &spool{driver: d}, nil
}

// Open opens a blob.
func (d *Driver) Open(_ context.Context, h blob.Hash) (blob.Object, error) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	e, ok := d.blobs[h]
	if !ok {
		return nil, blob.ErrNotFound
	}
	return object{bytes.NewReader(e.body)}, nil
}

// Stat describes a blob.
func (d *Driver) Stat(_ context.Context, h blob.Hash) (blob.Info, error) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	e, ok := d.blobs[h]
	if !ok {
		return blob.Info{}, blob.ErrNotFound
	}
	return e.info(h), nil
}

// Delete removes a blob.
func (d *Driver) Delete(_ context.Context, h blob.Hash) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	e, ok := d.blobs[h]
	if !ok {
		return blob.ErrNotFound
	}
	delete(d.blobs, h)
	d.used -= int64(len(e.body))
	return nil
}

// List delivers the blobs that are there when it begins.
func (d *Driver) List(ctx context.Context, after blob.Hash) iter.Seq2[blob.Info, error] {
	return func(yield func(blob.Info, error) bool) {
		for _, info := range d.snapshot(after) {
			if err := ctx.Err(); err != nil {
				yield(blob.Info{}, err)
				return
			}
			if !yield(info, nil) {
				return
			}
		}
	}
}

func (d *Driver) snapshot(after blob.Hash) []blob.Info {
	d.mu.RLock()
	defer d.mu.RUnlock()
	var infos []blob.Info
	for h, e := range d.blobs {
		if bytes.Compare(h[:], after[:]) > 0 {
			infos = append(infos, e.info(h))
		}
	}
	slices.SortFunc(infos, func(a, b blob.Info) int { return bytes.Compare(a.Hash[:], b.Hash[:]) })
	return infos
}

func (e entry) info(h blob.Hash) blob.Info {
	return blob.Info{Hash: h, Size: int64(len(e.body)), ModTime: e.modTime}
}

// object is an open blob: its bytes stay alive while it does.
type object struct{ *bytes.Reader }

func (object) Close() error { return nil }

// spool gathers bytes.
type spool struct {
	driver *Driver

	mu        sync.RWMutex
	body      []byte
	committed bool // the bytes are now counted by the blob, or dropped
}

// Write appends p, whole or not at all.
func (s *spool) Write(p []byte) (int, error) {
	if !s.driver.reserve(int64(len(p))) {
		return 0, blob.ErrNoSpace
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.body = append(s.body, p...)
	return len(p), nil
}

// ReadAt reads bytes already written.
func (s *spool) ReadAt(p []byte, off int64) (int, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if off >= int64(len(s.body)) {
		return 0, io.EOF
	}
	n := copy(p, s.body[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// Commit makes the bytes visible.
func (s *spool) Commit(_ context.Context, h blob.Hash) error {
	d := s.driver
	d.mu.Lock()
	defer d.mu.Unlock()
	s.committed = true
	e, exists := d.blobs[h]
	switch {
	case exists && len(e.body) == len(s.body):
		d.used -= int64(len(s.body))
	case exists:
		d.used -= int64(len(e.body))
		e.body = s.body
	default:
		e.body = s.body
	}
	e.modTime = d.now()
	d.blobs[h] = e
	return nil
}

// Close drops the bytes unless they were committed.
func (s *spool) Close() error {
	if !s.committed {
		s.driver.reserve(-int64(len(s.body)))
		s.committed = true
	}
	return nil
}

// reserve counts n more bytes, unless they do not fit.
func (d *Driver) reserve(n int64) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if n > 0 && d.limit > 0 && d.used+n > d.limit {
		return false
	}
	d.used += n
	return true
}
