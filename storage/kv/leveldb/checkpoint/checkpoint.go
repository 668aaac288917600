// Package checkpoint is the file format of a complete copy of the records at one sequence number. With the commit log from that
// number on, it is all that the database can be rebuilt from.
//
// A checkpoint is a file of frames (package frame), numbered from 0, whose payload begins with a letter:
//
//	H  magic, sequence uint64 little-endian: the first frame
//	B  zstd of rows, each: length uvarint, key, length uvarint, value; keys ascend throughout the file
//	E  number of rows uint64 little-endian: the last frame; without it the checkpoint is incomplete
//
// It appears under its name only when it is complete and synced. Writing and reading take memory for one block, whatever the
// number of rows.
package checkpoint

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"entrepot/storage/kv/leveldb/disk"
)

const (
	magic      = "entrepot checkpoint 1\n"
	suffix     = ".checkpoint"
	tempSuffix = ".tmp"

	blockBytes = 256 << 10 // rows are gathered up to this many bytes before they are compressed
)

// Kinds of frames.
const (
	kindHead  = 'H'
	kindBlock = 'B'
	kindEnd   = 'E'
)

// Info describes a checkpoint.
type Info struct {
	Path     string
	Sequence uint64    // of the last change it holds
	Bytes    int64     // length of the file
	Made     time.Time // when the file was finished
}

// List finds the checkpoints in a folder, newest first, without reading them.
func List(dir string) ([]Info, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("list checkpoints: %w", err)
	}
	var found []Info
	for _, e := range entries {
		digits, isCheckpoint := strings.CutSuffix(e.Name(), suffix)
		sequence, err := strconv.ParseUint(digits, 10, 64)
		if !isCheckpoint || len(digits) != 20 || err != nil {
			continue
		}
		stat, err := e.Info()
		if err != nil {
			return nil, fmt.Errorf("list checkpoints: %w", err)
		}
		found = append(found, Info{Path: filepath.Join(dir, e.Name()), Sequence: sequence, Bytes: stat.Size(), Made: stat.ModTime()})
	}
	slices.SortFunc(found, func(a, b Info) int { return cmp.Compare(b.Sequence, a.Sequence) })
	return found, nil
}

// RemoveUnfinished removes what interrupted writers have left in a folder.
func RemoveUnfinished(dir string, fs disk.FS) error {
	names, err := filepath.Glob(filepath.Join(dir, "*"+suffix+tempSuffix))
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := fs.Remove(name); err != nil {
			return fmt.Errorf("remove unfinished checkpoint: %w", err)
		}
	}
	return nil
}
