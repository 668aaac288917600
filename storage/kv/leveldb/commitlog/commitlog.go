// Package commitlog is an append-only log of numbered frames in segment files. It is the truth that the database of the leveldb
// driver is an index of.
//
// Invariants:
//
//   - A frame is durable when Append returns nil, and leaves no trace when it returns an error, unless the disk refuses even to
//     shorten the file.
//   - Numbers are contiguous from the first frame kept. Each segment names its predecessor and that file's length, so a lost
//     or shortened segment is noticed without reading it.
//   - Only the last frame can be cut by a crash; opening removes it. Any other damage is an error that names file and offset.
//
// A segment is named by the number of its first frame. It begins with a frame of that number and salt 0, whose payload is
//
//	magic, salt of the segment's frames uint64, first number and length in bytes of the predecessor uint64 (0 for none)
package commitlog

import (
	"cmp"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"

	"entrepot/storage/kv/leveldb/disk"
	"entrepot/storage/kv/leveldb/frame"
)

// aheadBytes is how much room on the disk is taken ahead of the frames.
const aheadBytes = 1 << 20

// ErrBroken reports an append to a log whose disk failed in a way that leaves the state of the file unknown. The log must be
// opened anew.
var ErrBroken = errors.New("commit log takes no more writes")

// ErrNone reports a folder without a log.
var ErrNone = errors.New("there is no commit log")

// GapError reports frames that should be in the log and are not.
type GapError struct {
	Dir      string
	From, To uint64 // numbers of the first and the last missing frame
}

func (e *GapError) Error() string {
	return fmt.Sprintf("frames %d to %d are missing from the log in %s", e.From, e.To, e.Dir)
}

// Options are the choices for a log. The zero value is ready.
type Options struct {
	FS           disk.FS       // nil: the operating system's
	SegmentBytes int64         // a segment that has grown beyond it is followed by a new one; 0: 16 MiB
	Salt         func() uint64 // nil: cryptographically random
	Create       bool          // begin a log where the folder holds none
}

func (o *Options) orDefault() Options {
	var c Options
	if o != nil {
		c = *o
	}
	if c.FS == nil {
		c.FS = disk.OS{}
	}
	if c.SegmentBytes == 0 {
		c.SegmentBytes = 16 << 20
	}
	if c.Salt == nil {
		c.Salt = randomSalt
	}
	return c
}

func randomSalt() uint64 {
	var b [8]byte
	_, _ = rand.Read(b[:]) // documented never to fail
	return binary.LittleEndian.Uint64(b[:])
}

// Log is a log open for appending. Append, Undo and Close belong to one goroutine; the other methods may be called from any.
type Log struct {
	dir    string
	opts   Options
	file   disk.File // the last segment
	length int64     // of the file: what lies behind the last frame is room taken ahead, all zeroes
	broken error
	last   int64 // length of the last frame with its header

	trimming sync.Mutex // keeps Trim and Verify apart

	mu      sync.Mutex // guards what follows; the appending goroutine, which alone changes all but older, reads it freely
	older   []segment  // those that are complete
	current segment    // the one that is written to
	next    uint64     // number of the next frame
}

// Open reads the frames numbered above after, as Read does, removes a cut last frame, and readies the log for appending.
func Open(dir string, after uint64, opts *Options, visit Visit) (*Log, Tail, error) {
	l := &Log{dir: dir, opts: opts.orDefault()}
	tail, segments, err := read(dir, after, l.opts, visit)
	if err != nil {
		return nil, tail, err
	}
	l.next = tail.Last + 1
	if err := l.openLast(segments, tail); err != nil {
		return nil, tail, fmt.Errorf("open log in %s: %w", dir, err)
	}
	return l, tail, nil
}

func (l *Log) openLast(segments []segment, tail Tail) error {
	if tail.unfinished != "" {
		if err := l.opts.FS.Remove(tail.unfinished); err != nil {
			return err
		}
	}
	if len(segments) == 0 {
		return l.begin()
	}
	last := len(segments) - 1
	l.older, l.current = segments[:last], segments[last]
	file, err := l.opts.FS.Open(l.current.path(l.dir))
	if err != nil {
		return err
	}
	l.file, l.length = file, l.current.size
	if tail.length > l.current.size {
		err = file.Truncate(l.current.size)
	}
	if err == nil {
		// The last frame may have been written, but not synced, by a process that was killed. Now it counts.
		err = file.Sync()
	}
	if err != nil {
		return errors.Join(err, file.Close())
	}
	return nil
}

// Next is the number of the frame that the next Append writes.
func (l *Log) Next() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.next
}

// Size is the length of all segments in bytes.
func (l *Log) Size() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := l.current.size
	for _, s := range l.older {
		n += s.size
	}
	return n
}

// Append makes a frame durable. buf begins with room for the header, as frame.Begin leaves it. After an error that
// disk.IsNoSpace recognises, Append may be tried again; after any other, ErrBroken is matched from then on.
func (l *Log) Append(buf []byte) error {
	if l.broken != nil {
		return l.broken
	}
	if l.current.size >= l.opts.SegmentBytes {
		if err := l.rotate(); err != nil {
			return fmt.Errorf("begin segment: %w", err)
		}
	}
	s := &l.current
	l.allocate(s.size + int64(len(buf)))
	frame.Finish(buf, l.next, s.salt)
	if _, err := l.file.WriteAt(buf, s.size); err != nil {
		err = fmt.Errorf("append to %s: %w", s.path(l.dir), err)
		if !disk.IsNoSpace(err) {
			l.breakOff(err)
		}
		l.shorten(s.size)
		return cmp.Or(l.broken, err)
	}
	if err := l.file.Sync(); err != nil {
		l.breakOff(fmt.Errorf("sync %s: %w", s.path(l.dir), err))
		l.shorten(s.size)
		return l.broken
	}
	l.last = int64(len(buf))
	l.end(s.size+l.last, l.next+1)
	l.length = max(l.length, s.size)
	return nil
}

// Undo removes the frame that the last call, an Append, has written. After an error the log is broken, and whether the frame
// is still there shows when it is opened.
func (l *Log) Undo() error {
	if l.broken != nil {
		return l.broken
	}
	l.end(l.current.size-l.last, l.next-1)
	l.shorten(l.current.size)
	if err := l.file.Sync(); err != nil {
		l.breakOff(err)
	}
	return l.broken
}

// end notes where the last sound frame ends.
func (l *Log) end(size int64, next uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.current.size, l.next = size, next
}

// allocate takes room on the disk for some of the frames to come, because that makes their syncs cheaper.
func (l *Log) allocate(size int64) {
	a, can := l.file.(disk.Allocator)
	if !can || size <= l.length {
		return
	}
	size += min(aheadBytes, l.opts.SegmentBytes)
	if a.Allocate(size) == nil {
		l.length = size
	}
}

// shorten removes what lies behind the last sound frame, so that a refused frame cannot come back at the next start.
func (l *Log) shorten(size int64) {
	if err := l.file.Truncate(size); err != nil {
		l.breakOff(err)
	}
	l.length = size
}

func (l *Log) breakOff(err error) {
	if l.broken == nil {
		l.broken = fmt.Errorf("%w: %w", ErrBroken, err)
	}
}

// rotate completes the current segment, whose length its successor will name, and begins that.
func (l *Log) rotate() error {
	old := l.file
	if l.length > l.current.size {
		if err := errors.Join(old.Truncate(l.current.size), old.Sync()); err != nil {
			return err
		}
		l.length = l.current.size
	}
	if err := l.begin(); err != nil {
		return err
	}
	return old.Close()
}

// begin makes the segment that follows the current one and directs appends to it.
func (l *Log) begin() error {
	s := segment{first: l.next, salt: l.opts.Salt(), size: int64(headerSize)}
	path := s.path(l.dir)
	file, err := l.opts.FS.Create(path)
	if err != nil {
		return err
	}
	_, err = file.WriteAt(s.header(l.current), 0)
	if err == nil {
		err = file.Sync()
	}
	if err == nil {
		err = l.opts.FS.SyncDir(l.dir)
	}
	if err != nil {
		return errors.Join(err, file.Close(), l.opts.FS.Remove(path))
	}
	l.file, l.length = file, s.size
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.current.size > 0 {
		l.older = append(l.older, l.current)
	}
	l.current = s
	return nil
}

// Trim removes the segments that hold no frame numbered above upTo, oldest first. The last segment always stays.
func (l *Log) Trim(upTo uint64) error {
	l.trimming.Lock()
	defer l.trimming.Unlock()
	for {
		l.mu.Lock()
		all := append(slices.Clip(l.older), l.current)
		if len(all) < 2 || all[1].first > upTo+1 {
			l.mu.Unlock()
			return nil
		}
		oldest := l.older[0]
		l.older = l.older[1:]
		l.mu.Unlock()
		if err := l.opts.FS.Remove(oldest.path(l.dir)); err != nil && !os.IsNotExist(err) {
			return fmt.Errorf("trim log: %w", err)
		}
	}
}

// Verify reads every frame that is in the log when it is called, while appends go on, and delivers it. It returns how many
// there were.
func (l *Log) Verify(visit Visit) (frames int64, err error) {
	l.trimming.Lock()
	defer l.trimming.Unlock()
	l.mu.Lock()
	segments := append(slices.Clip(l.older), l.current)
	l.mu.Unlock()
	r := &reading{dir: l.dir, after: segments[0].first - 1, fs: l.opts.FS, visit: func(number uint64, payload []byte) error {
		frames++
		return visit(number, payload)
	}}
	for i := range segments {
		if err := r.segment(segments, i, false); err != nil {
			return frames, fmt.Errorf("verify log: %w", err)
		}
	}
	return frames, nil
}

// Close gives room that was taken ahead back and closes the log's file.
func (l *Log) Close() error {
	var err error
	if l.length > l.current.size {
		err = l.file.Truncate(l.current.size)
	}
	if err = errors.Join(err, l.file.Close()); err != nil {
		return fmt.Errorf("close log in %s: %w", l.dir, err)
	}
	return nil
}
