package datadir

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
)

// spool keeps records by their number on disk, so that two tables of any size can be joined in little memory: the records one after
// the other in one file, where each begins and how long it is at its number's place in another.
type spool struct {
	data, index *os.File
	writer      *bufio.Writer
	end         int64
	at          []byte // of one index entry
	buffer      []byte
}

// entrySize is the length of an index entry: 8 bytes of offset plus one, 4 of length.
const entrySize = 12

// newSpool makes a spool whose files have no name any more, so that nothing stays behind.
func newSpool(dir string) (*spool, error) {
	s := &spool{at: make([]byte, entrySize)}
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
	encoded := s.buffer
	_, err := s.writer.Write(encoded)
	if err == nil {
		binary.BigEndian.PutUint64(s.at, uint64(s.end)+1)
		binary.BigEndian.PutUint32(s.at[8:], uint32(len(encoded)))
		_, err = s.index.WriteAt(s.at, number*entrySize)
	}
	if err != nil {
		return fmt.Errorf("datadir: index of content: %w", err)
	}
	s.end += int64(len(encoded))
	return nil
}

// flush makes what was put readable.
func (s *spool) flush() error { return s.writer.Flush() }

// get reads a record; false when there is none of that number.
func (s *spool) get(number int64, to packed) (bool, error) {
	if n, _ := s.index.ReadAt(s.at, number*entrySize); n < entrySize {
		return false, nil
	}
	offset, length := binary.BigEndian.Uint64(s.at), int(binary.BigEndian.Uint32(s.at[8:]))
	if offset == 0 {
		return false, nil
	}
	if cap(s.buffer) < length {
		s.buffer = make([]byte, length)
	}
	b := s.buffer[:length]
	if _, err := s.data.ReadAt(b, int64(offset)-1); err != nil {
		return false, fmt.Errorf("datadir: index of content: %w", err)
	}
	return true, to.unpack(string(b))
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
