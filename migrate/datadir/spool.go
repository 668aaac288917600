package datadir

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
)

// spool keeps records by their number on disk, so that two tables of any size can be joined in little memory: the records one after
// the other in one file, where each begins and how long it is at its number's place in another. Both tables mostly come in the same
// order, so neighbours are written and read together.
type spool struct {
	data, index *os.File
	writer      *bufio.Writer
	end         int64
	entries     []byte // index entries that follow each other and are not written yet
	entriesAt   int64
	buffer      []byte

	dataWindow, indexWindow window
}

// Sizes of what is read and written at once.
const (
	// entrySize is the length of an index entry: 8 bytes of offset plus one, 4 of length.
	entrySize   = 12
	maxEntries  = 64 << 10
	dataWindow  = 16 << 10
	indexWindow = 4 << 10
)

// window is a piece of a file that was read because what follows is mostly wanted next.
type window struct {
	file *os.File
	size int
	from int64
	buf  []byte
}

// read gives n bytes from an offset on, which are valid until the next read; fewer at the end of the file.
func (w *window) read(offset int64, n int) ([]byte, error) {
	if offset < w.from || offset+int64(n) > w.from+int64(len(w.buf)) {
		if cap(w.buf) < max(n, w.size) {
			w.buf = make([]byte, max(n, w.size))
		}
		got, err := w.file.ReadAt(w.buf[:max(n, w.size)], offset)
		if w.from, w.buf = offset, w.buf[:got]; err != nil && err != io.EOF {
			return nil, fmt.Errorf("datadir: index of content: %w", err)
		}
	}
	start := offset - w.from
	return w.buf[start:min(start+int64(n), int64(len(w.buf)))], nil
}

// newSpool makes a spool whose files have no name any more, so that nothing stays behind.
func newSpool(dir string) (*spool, error) {
	s := &spool{}
	var err error
	if s.data, err = unnamed(dir); err == nil {
		s.index, err = unnamed(dir)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("datadir: index of content: %w", err), s.close())
	}
	s.writer = bufio.NewWriterSize(s.data, 1<<16)
	return s, nil
}

func unnamed(dir string) (*os.File, error) {
	f, err := os.CreateTemp(dir, "entrepot-import-*")
	if err != nil {
		return nil, err
	}
	if err := os.Remove(f.Name()); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// packed is a record that a spool keeps.
type packed interface {
	pack(b []byte) []byte
	unpack(record string) error
}

// put adds a record. Its number is not negative.
func (s *spool) put(number int64, v packed) error {
	s.buffer = v.pack(s.buffer[:0])
	if _, err := s.writer.Write(s.buffer); err != nil {
		return fmt.Errorf("datadir: index of content: %w", err)
	}
	at := number * entrySize
	if at != s.entriesAt+int64(len(s.entries)) || len(s.entries) >= maxEntries {
		if err := s.flushEntries(); err != nil {
			return err
		}
		s.entriesAt = at
	}
	s.entries = binary.BigEndian.AppendUint64(s.entries, uint64(s.end)+1)
	s.entries = binary.BigEndian.AppendUint32(s.entries, uint32(len(s.buffer)))
	s.end += int64(len(s.buffer))
	return nil
}

func (s *spool) flushEntries() error {
	if _, err := s.index.WriteAt(s.entries, s.entriesAt); err != nil {
		return fmt.Errorf("datadir: index of content: %w", err)
	}
	s.entries = s.entries[:0]
	return nil
}

// flush makes what was put readable.
func (s *spool) flush() error {
	s.dataWindow, s.indexWindow = window{file: s.data, size: dataWindow}, window{file: s.index, size: indexWindow}
	return errors.Join(s.writer.Flush(), s.flushEntries())
}

// find gives where a record is; false when there is none of that number.
func (s *spool) find(number int64) (offset int64, length int, found bool, err error) {
	entry, err := s.indexWindow.read(number*entrySize, entrySize)
	if err != nil || len(entry) < entrySize {
		return 0, 0, false, err
	}
	at := binary.BigEndian.Uint64(entry)
	return int64(at) - 1, int(binary.BigEndian.Uint32(entry[8:])), at != 0, nil
}

// get reads a record; false when there is none of that number.
func (s *spool) get(number int64, to packed) (bool, error) {
	offset, length, found, err := s.find(number)
	if err != nil || !found {
		return false, err
	}
	record, err := s.dataWindow.read(offset, length)
	if err != nil {
		return false, err
	}
	return true, to.unpack(string(record))
}

func (s *spool) close() error {
	var errs []error
	for _, f := range []*os.File{s.data, s.index} {
		if f != nil {
			errs = append(errs, f.Close())
		}
	}
	return errors.Join(errs...)
}
