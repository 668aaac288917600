package commitlog

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"entrepot/storage/kv/leveldb/disk"
	"entrepot/storage/kv/leveldb/frame"
)

// Visit receives a frame. The payload is valid until it returns; an error ends the reading.
type Visit func(number uint64, payload []byte) error

// Tail is how a log ends.
type Tail struct {
	Last   uint64 // number of the last sound frame
	File   string // the segment it is in
	Offset int64  // where it ends
	Cut    int64  // bytes behind it, of a frame that was being written when the process or the machine died

	length     int64  // of the file
	unfinished string // a segment whose making was interrupted
}

// Read delivers the frames numbered above after, in order. It changes nothing on the disk. It fails with a *frame.DamageError
// or a *GapError when frames are damaged or missing, or when the log ends before after.
//
// Segments without wanted frames are not read, only their presence and length are checked.
func Read(dir string, after uint64, opts *Options, visit Visit) (Tail, error) {
	tail, _, err := read(dir, after, opts.orDefault(), visit)
	return tail, err
}

// Empty tells whether a folder holds no log, or only the beginning of a first segment whose making was interrupted.
func Empty(dir string, opts *Options) (bool, error) {
	segments, err := list(dir)
	if err == nil {
		r := &reading{dir: dir, fs: opts.orDefault().FS}
		segments, err = r.dropUnfinished(segments)
	}
	if err != nil {
		return false, fmt.Errorf("look for a log: %w", err)
	}
	return len(segments) == 0, nil
}

func read(dir string, after uint64, opts Options, visit Visit) (Tail, []segment, error) {
	segments, err := list(dir)
	if err != nil {
		return Tail{}, nil, fmt.Errorf("list log: %w", err)
	}
	r := &reading{dir: dir, after: after, fs: opts.FS, visit: visit, tail: Tail{Last: after}}
	if segments, err = r.dropUnfinished(segments); err != nil {
		return r.tail, nil, fmt.Errorf("read log: %w", err)
	}
	for i := range segments {
		if err := r.segment(segments, i, i == len(segments)-1); err != nil {
			return r.tail, nil, fmt.Errorf("read log: %w", err)
		}
	}
	if len(segments) == 0 && !opts.Create {
		return r.tail, nil, fmt.Errorf("%w in %s", ErrNone, dir)
	}
	if r.tail.Last < after {
		return r.tail, nil, fmt.Errorf("read log: %w", &GapError{Dir: dir, From: r.tail.Last + 1, To: after})
	}
	return r.tail, segments, nil
}

// reading is the state of one pass over a log.
type reading struct {
	dir   string
	after uint64
	fs    disk.FS
	visit Visit
	tail  Tail
}

// dropUnfinished leaves out a last segment whose making was interrupted: it is no longer than a header, and frames are written
// only after the header was synced.
func (r *reading) dropUnfinished(segments []segment) ([]segment, error) {
	if len(segments) == 0 {
		return segments, nil
	}
	last := segments[len(segments)-1]
	if last.size > int64(headerSize) {
		return segments, nil
	}
	var damage *frame.DamageError
	err := r.withSegment(&last, func(frame.Source, link) error { return nil })
	switch {
	case errors.As(err, &damage):
		r.tail.unfinished = last.path(r.dir)
		return segments[:len(segments)-1], nil
	case err != nil:
		return nil, err
	}
	return segments, nil
}

// segment reads segment i. Unless mayBeCut, every frame up to its size must be sound.
func (r *reading) segment(segments []segment, i int, mayBeCut bool) error {
	s := &segments[i]
	return r.withSegment(s, func(src frame.Source, previous link) error {
		switch {
		case i == 0 && s.first > r.after+1:
			return &GapError{Dir: r.dir, From: r.after + 1, To: s.first - 1}
		case i > 0 && previous != link{segments[i-1].first, segments[i-1].size}:
			return r.brokenLink(segments[i-1], previous, s.first)
		case i+1 < len(segments) && segments[i+1].first <= r.after+1:
			return nil // all its frames are known
		}
		return r.frames(src, s, mayBeCut)
	})
}

// withSegment opens a segment, reads its header and calls use.
func (r *reading) withSegment(s *segment, use func(frame.Source, link) error) error {
	path := s.path(r.dir)
	file, err := r.fs.Open(path)
	if err != nil {
		return err
	}
	defer file.Close() // nothing was written
	src := frame.Source{Name: path, At: file, Size: s.size}
	previous, err := s.readHeader(src)
	if err != nil {
		return err
	}
	src.Salt = s.salt
	return use(src, previous)
}

// brokenLink explains why a segment does not follow the one before it in the folder.
func (r *reading) brokenLink(before segment, wanted link, first uint64) error {
	if wanted.first != before.first {
		return &GapError{Dir: r.dir, From: max(wanted.first, before.first+1), To: first - 1}
	}
	return &frame.DamageError{File: before.path(r.dir), Offset: min(before.size, wanted.size),
		Reason: fmt.Sprintf("it has %d bytes and its successor says %d", before.size, wanted.size)}
}

// frames reads the frames of a segment. Where the last one may be cut by a crash, it tells that from damage.
func (r *reading) frames(src frame.Source, s *segment, mayBeCut bool) error {
	in := frame.NewReader(src, int64(headerSize))
	next := s.first
	for ; ; next++ {
		number, payload, err := in.Next()
		var damage *frame.DamageError
		if err == io.EOF {
			break
		}
		if errors.As(err, &damage) && mayBeCut {
			err = r.cut(src, in.Offset(), next, damage)
			if err == nil {
				break // what lies here does not count
			}
		}
		if err != nil {
			return err
		}
		if number != next {
			return &frame.DamageError{File: src.Name, Offset: in.Offset() - frame.HeaderSize - int64(len(payload)),
				Reason: fmt.Sprintf("frame %d where %d belongs", number, next)}
		}
		if number > r.after {
			if err := r.visit(number, payload); err != nil {
				return fmt.Errorf("frame %d of %s: %w", number, src.Name, err)
			}
		}
	}
	r.tail.Last, r.tail.File, r.tail.Offset, r.tail.length = next-1, src.Name, in.Offset(), src.Size
	s.size = in.Offset()
	return nil
}

// cut returns nil when what lies at the offset is no damage: room taken ahead, or a frame that was never acknowledged. That is one
// whose number nobody has seen yet and that no sound frame follows. It notes the length of a cut frame.
func (r *reading) cut(src frame.Source, offset int64, number uint64, damage *frame.DamageError) (err error) {
	if r.tail.Cut, err = usedBytes(src, offset); err != nil || r.tail.Cut == 0 {
		return err
	}
	if number <= r.after {
		return damage
	}
	follows, err := frame.Find(src, offset+1, number)
	if err != nil {
		return err
	}
	if follows >= 0 {
		return damage
	}
	return nil
}

// usedBytes is the length of what lies behind an offset without the zeroes at the end.
func usedBytes(src frame.Source, offset int64) (n int64, err error) {
	buf := make([]byte, 64<<10)
	for at := offset; at < src.Size; at += int64(len(buf)) {
		buf = buf[:min(int64(len(buf)), src.Size-at)]
		if _, err := src.At.ReadAt(buf, at); err != nil {
			return 0, fmt.Errorf("read %s at offset %d: %w", src.Name, at, err)
		}
		if used := len(bytes.TrimRight(buf, "\x00")); used > 0 {
			n = at - offset + int64(used)
		}
	}
	return n, nil
}
