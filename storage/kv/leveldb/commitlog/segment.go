package commitlog

import (
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"entrepot/storage/kv/leveldb/frame"
)

const (
	magic      = "entrepot log 1\n\x00"
	headerSize = frame.HeaderSize + len(magic) + 24
	suffix     = ".log"
)

// segment is a file of the log.
type segment struct {
	first uint64 // number of its first frame
	size  int64  // bytes up to the end of its last sound frame
	salt  uint64
}

func (s segment) path(dir string) string {
	return filepath.Join(dir, fmt.Sprintf("%020d%s", s.first, suffix))
}

// header encodes the frame that a segment begins with.
func (s segment) header(previous segment) []byte {
	buf := append(frame.Begin(nil), magic...)
	buf = binary.LittleEndian.AppendUint64(buf, s.salt)
	buf = binary.LittleEndian.AppendUint64(buf, previous.first)
	buf = binary.LittleEndian.AppendUint64(buf, uint64(previous.size))
	frame.Finish(buf, s.first, 0)
	return buf
}

// link is what a segment's header says about its predecessor.
type link struct {
	first uint64
	size  int64
}

// readHeader reads the salt and the predecessor from a segment's first frame.
func (s *segment) readHeader(src frame.Source) (link, error) {
	src.Salt = 0
	number, payload, err := frame.NewReader(src, 0).Next()
	if err != nil && err != io.EOF {
		return link{}, err
	}
	if number != s.first || len(payload) != headerSize-frame.HeaderSize || !strings.HasPrefix(string(payload), magic) {
		return link{}, &frame.DamageError{File: src.Name, Reason: "no header of a commit log segment"}
	}
	payload = payload[len(magic):]
	s.salt = binary.LittleEndian.Uint64(payload)
	return link{first: binary.LittleEndian.Uint64(payload[8:]), size: int64(binary.LittleEndian.Uint64(payload[16:]))}, nil
}

// list finds the segments in a folder, in order. Files of other names are passed over.
func list(dir string) ([]segment, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var segments []segment
	for _, e := range entries {
		digits, isSegment := strings.CutSuffix(e.Name(), suffix)
		first, err := strconv.ParseUint(digits, 10, 64)
		if !isSegment || len(digits) != 20 || err != nil {
			continue
		}
		info, err := e.Info()
		if err != nil {
			return nil, err
		}
		segments = append(segments, segment{first: first, size: info.Size()})
	}
	slices.SortFunc(segments, func(a, b segment) int {
		if a.first < b.first {
			return -1
		}
		return 1
	})
	return segments, nil
}
