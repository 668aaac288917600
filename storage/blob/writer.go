package blob

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"sync/atomic"
)

// ErrClosed reports the use of a Writer or Reader that has been closed, committed or discarded, or of a driver that has been closed.
var ErrClosed = errors.New("blob: closed")

// maxEmptyReads is how many reads without bytes and without error ReadFrom bears with.
const maxEmptyReads = 100

// Writer takes the bytes of one blob. Write, ReadFrom, Finish, Commit and Discard belong to one goroutine; ReadAt, Written and
// Reader may be called by others meanwhile, so that many can read a body that is still coming in. Every Writer ends with Discard,
// which has no effect after Commit.
type Writer struct {
	store    *Store
	spool    *sharedSpool
	hashing  hashing
	written  atomic.Int64
	info     Info
	finished bool
	closed   bool
	err      error // the first failed write; bytes may be missing, so nothing can be committed any more
}

// Write appends p. After an error the Writer can only be discarded.
func (w *Writer) Write(p []byte) (int, error) {
	if err := w.writable(); err != nil {
		return 0, err
	}
	n, err := w.spool.Write(p)
	w.hashing.add(p[:n])
	w.written.Add(int64(n))
	if err != nil {
		return n, w.fail("write", err)
	}
	return n, nil
}

// ReadFrom appends what r has. Bytes are visible to ReadAt as soon as a read delivers them. An error of r does not spoil the Writer:
// the caller may go on with another source.
func (w *Writer) ReadFrom(r io.Reader) (int64, error) {
	if err := w.writable(); err != nil {
		return 0, err
	}
	var total int64
	for empty := 0; ; {
		space := w.hashing.space()
		n, readErr := r.Read(space)
		if n > 0 {
			empty = 0
			wrote, err := w.spool.Write(space[:n])
			w.hashing.filled(wrote)
			w.written.Add(int64(wrote))
			total += int64(wrote)
			if err != nil {
				return total, w.fail("write", err)
			}
		}
		switch {
		case readErr == io.EOF:
			return total, nil
		case readErr != nil:
			return total, readErr
		case n == 0:
			if empty++; empty == maxEmptyReads {
				return total, io.ErrNoProgress
			}
		}
	}
}

// FileOptions tune TakeFile. The zero value copies, or shares the bytes where the file system can.
type FileOptions struct {
	// Link lets the file itself become the blob. The caller removes its old name once the blob is committed, and nobody may write to it.
	Link bool
	// Through, if not nil, wraps the reader through which the bytes pass that are hashed.
	Through func(io.Reader) io.Reader
}

// TakeFile makes a whole file the body of an empty Writer, without writing its bytes again where the driver and the file system can do
// that. The file stays the caller's to close. After an error the Writer can only be discarded.
func (w *Writer) TakeFile(f *os.File, opts FileOptions) (int64, error) {
	if err := w.writable(); err != nil {
		return 0, err
	}
	through := opts.Through
	if through == nil {
		through = func(r io.Reader) io.Reader { return r }
	}
	taken := false
	if taker, ok := w.spool.Spool.(Taker); ok && w.Written() == 0 {
		var err error
		if taken, err = taker.Take(f, opts.Link); err != nil {
			return 0, w.fail("take", err)
		}
	}
	if !taken {
		return w.ReadFrom(through(f))
	}
	body := through(io.NewSectionReader(w.spool, 0, math.MaxInt64))
	for {
		n, err := body.Read(w.hashing.space())
		w.hashing.filled(n)
		w.written.Add(int64(n))
		switch {
		case err == io.EOF:
			return w.Written(), nil
		case err != nil:
			return w.Written(), w.fail("take", err)
		}
	}
}

// ReadAt reads bytes already written; io.EOF means that fewer are there so far. It fails with ErrClosed once the Writer has ended:
// who wants to go on reading takes a Reader.
func (w *Writer) ReadAt(p []byte, off int64) (int, error) {
	if !w.spool.acquire() {
		return 0, ErrClosed
	}
	defer w.spool.release()
	return w.spool.ReadAt(p, off)
}

// Store is where the blob goes.
func (w *Writer) Store() *Store { return w.store }

// Written is the number of bytes written so far.
func (w *Writer) Written() int64 { return w.written.Load() }

// Reader gives a handle on the bytes written so far and on those still to come. It stays readable after Commit, Discard and
// Delete, until it is closed. ErrClosed means that the Writer has ended: a committed blob can be opened by its name.
func (w *Writer) Reader() (*Reader, error) {
	if !w.spool.acquire() {
		return nil, ErrClosed
	}
	return &Reader{writer: w}, nil
}

// Finish ends the body and gives its name, size and digests, so that they can be checked against a promise before Commit. No more
// can be written. Info.ModTime is set by Commit.
func (w *Writer) Finish() (Info, error) {
	if w.finished {
		return w.info, nil
	}
	if err := w.writable(); err != nil {
		return Info{}, err
	}
	name, digests := w.hashing.finish()
	w.info = Info{Hash: name, Size: w.written.Load(), Digests: digests}
	w.finished = true
	return w.info, nil
}

// Commit makes the blob durable and visible, and ends the Writer. Equal bytes that are there already are kept in place of these.
// When ctx is done before, or on any error, the Writer can only be discarded.
func (w *Writer) Commit(ctx context.Context) (Info, error) {
	if w.closed {
		return Info{}, ErrClosed
	}
	if _, err := w.Finish(); err != nil {
		return Info{}, err
	}
	if err := ctx.Err(); err != nil {
		return Info{}, w.fail("commit", err)
	}
	now := w.store.now()
	lock := w.store.lock(w.info.Hash)
	lock.RLock()
	err := w.spool.Commit(ctx, w.info.Hash)
	lock.RUnlock()
	if err != nil {
		return Info{}, w.fail("commit", err)
	}
	w.info.ModTime = now
	w.Discard()
	return w.info, nil
}

// CommitAll is Commit for many Writers of this store, with the cost of few where the driver can do that: for bodies whose senders do not
// wait for each. After an error none counts as committed, and the Writers can only be discarded.
func (s *Store) CommitAll(ctx context.Context, writers []*Writer) error {
	all := make([]Commitment, len(writers))
	var stripes [lockStripes]bool
	for i, w := range writers {
		if w.closed {
			return ErrClosed
		}
		info, err := w.Finish()
		if err != nil {
			return err
		}
		all[i] = Commitment{Spool: w.spool.Spool, Hash: info.Hash}
		stripes[info.Hash[0]%lockStripes] = true
	}
	for i, taken := range stripes { // in order, so that two groups never wait for each other
		if taken {
			s.locks[i].RLock()
			defer s.locks[i].RUnlock()
		}
	}
	now := s.now()
	if err := s.commitAll(ctx, all); err != nil {
		for _, w := range writers {
			_ = w.fail("commit", err)
		}
		return fmt.Errorf("blob: store %s: commit %d blobs: %w", s.name, len(writers), err)
	}
	for _, w := range writers {
		w.info.ModTime = now
		w.Discard()
	}
	return nil
}

func (s *Store) commitAll(ctx context.Context, all []Commitment) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if d, ok := s.driver.(GroupDriver); ok {
		return d.CommitAll(ctx, all)
	}
	for _, c := range all {
		if err := c.Spool.Commit(ctx, c.Hash); err != nil {
			return err
		}
	}
	return nil
}

// Info gives what Finish gave, and after a commit the time of it.
func (w *Writer) Info() Info { return w.info }

// Discard drops the bytes, unless they were committed, and ends the Writer. It may be called more than once.
func (w *Writer) Discard() {
	if w.closed {
		return
	}
	w.closed = true
	w.hashing.release()
	// What Close could fail at is forgetting bytes that nobody needs; opening the driver again removes them too.
	_ = w.spool.release()
}

// writable reports why nothing can be written, if so.
func (w *Writer) writable() error {
	switch {
	case w.err != nil:
		return w.err
	case w.closed, w.finished:
		return ErrClosed
	}
	return nil
}

// fail keeps the first error and names the store.
func (w *Writer) fail(op string, err error) error {
	w.finished = false
	w.err = fmt.Errorf("blob: store %s: %s: %w", w.store.name, op, err)
	return w.err
}

// Reader reads the bytes of a Writer while they come in and after it has ended. ReadAt and Size may be called by many goroutines.
type Reader struct {
	writer *Writer
	closed atomic.Bool
}

var _ Object = (*Reader)(nil)

// ReadAt reads bytes already written; io.EOF means that fewer are there so far.
func (r *Reader) ReadAt(p []byte, off int64) (int, error) {
	if r.closed.Load() {
		return 0, ErrClosed
	}
	return r.writer.spool.ReadAt(p, off)
}

// Size is the number of bytes written so far.
func (r *Reader) Size() int64 { return r.writer.Written() }

// Close gives the handle back. It must not run while a ReadAt of this Reader does.
func (r *Reader) Close() error {
	if r.closed.Swap(true) {
		return nil
	}
	return r.writer.spool.release()
}

// sharedSpool is a spool with several holders: the Writer and its Readers. The last one closes it.
type sharedSpool struct {
	Spool
	holders atomic.Int64
}

func newSharedSpool(s Spool) *sharedSpool {
	shared := &sharedSpool{Spool: s}
	shared.holders.Store(1)
	return shared
}

// acquire adds a holder, unless the spool is closed.
func (s *sharedSpool) acquire() bool {
	for {
		n := s.holders.Load()
		if n == 0 {
			return false
		}
		if s.holders.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

// release ends one hold; the last closes the spool.
func (s *sharedSpool) release() error {
	if s.holders.Add(-1) > 0 {
		return nil
	}
	return s.Close()
}
