package importer

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/maphash"
	"os"
)

// pathSet remembers which paths the source has, so that those that are here and not there are found: a fingerprint of 64 bits each, in
// a table on disk, because there may be more of them than memory has room for. Two paths of one fingerprint are one to it: then
// something stays that could go, once in billions of assets.
type pathSet struct {
	file  *os.File
	slots uint64
	used  uint64
	seed  maphash.Seed
	slot  [slotSize]byte
}

const slotSize = 8

// newPathSet makes a set with room for so many paths.
func newPathSet(count int64) (*pathSet, error) {
	f, err := os.CreateTemp("", "entrepot-import-*")
	if err == nil {
		err = os.Remove(f.Name()) // nothing stays behind
	}
	if err != nil {
		return nil, fmt.Errorf("paths of the source: %w", err)
	}
	s := &pathSet{file: f, slots: 2*uint64(max(count, 0)) + 1024, seed: maphash.MakeSeed()}
	if err := f.Truncate(int64(s.slots * slotSize)); err != nil {
		return nil, errors.Join(fmt.Errorf("paths of the source: %w", err), f.Close())
	}
	return s, nil
}

func (s *pathSet) fingerprint(repository, path string) uint64 {
	var h maphash.Hash
	h.SetSeed(s.seed)
	h.WriteString(repository)
	h.WriteByte(0)
	h.WriteString(path)
	return max(h.Sum64(), 1) // 0 is an empty slot
}

// find gives the slot of a fingerprint, or the empty one where it belongs.
func (s *pathSet) find(print uint64) (at int64, there bool, err error) {
	for i := print % s.slots; ; i = (i + 1) % s.slots {
		at = int64(i * slotSize)
		if _, err := s.file.ReadAt(s.slot[:], at); err != nil {
			return 0, false, fmt.Errorf("paths of the source: %w", err)
		}
		switch binary.LittleEndian.Uint64(s.slot[:]) {
		case print:
			return at, true, nil
		case 0:
			return at, false, nil
		}
	}
}

// errMorePaths reports a source that has far more paths than it said.
var errMorePaths = errors.New("the source has more assets than it says")

// add remembers a path, and reports whether it is new.
func (s *pathSet) add(repository, path string) (bool, error) {
	print := s.fingerprint(repository, path)
	at, there, err := s.find(print)
	if err != nil || there {
		return false, err
	}
	if s.used++; s.used > s.slots*3/4 {
		return false, errMorePaths
	}
	binary.LittleEndian.PutUint64(s.slot[:], print)
	_, err = s.file.WriteAt(s.slot[:], at)
	return true, err
}

func (s *pathSet) has(repository, path string) (bool, error) {
	_, there, err := s.find(s.fingerprint(repository, path))
	return there, err
}

func (s *pathSet) close() error { return s.file.Close() }
