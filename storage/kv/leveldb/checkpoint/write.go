package checkpoint

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"entrepot/storage/kv/leveldb/disk"
	"entrepot/storage/kv/leveldb/frame"

	"github.com/klauspost/compress/zstd"
)

// Writer writes a checkpoint. It is used by one goroutine and ends with Commit or Discard.
type Writer struct {
	fs       disk.FS
	path     string
	file     disk.File
	sequence uint64

	zip    *zstd.Encoder
	rows   []byte // of the block being gathered
	frame  []byte
	offset int64
	frames uint64
	count  uint64
}

// Create begins the checkpoint of a sequence number in a folder.
func Create(dir string, sequence uint64, fs disk.FS) (*Writer, error) {
	w := &Writer{fs: fs, path: filepath.Join(dir, fmt.Sprintf("%020d%s", sequence, suffix)), sequence: sequence}
	var err error
	if w.zip, err = zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedFastest),
		zstd.WithWindowSize(blockBytes), zstd.WithLowerEncoderMem(true), zstd.WithEncoderCRC(false)); err != nil {
		return nil, fmt.Errorf("create checkpoint: %w", err)
	}
	if w.file, err = fs.Create(w.path + tempSuffix); err != nil {
		return nil, fmt.Errorf("create checkpoint: %w", err)
	}
	head := append(frame.Begin(nil), kindHead)
	head = append(head, magic...)
	head = binary.LittleEndian.AppendUint64(head, sequence)
	if err := w.write(head); err != nil {
		return nil, errors.Join(err, w.Discard())
	}
	return w, nil
}

// Add appends a row. Keys must ascend.
func (w *Writer) Add(key, value []byte) error {
	w.rows = binary.AppendUvarint(w.rows, uint64(len(key)))
	w.rows = append(w.rows, key...)
	w.rows = binary.AppendUvarint(w.rows, uint64(len(value)))
	w.rows = append(w.rows, value...)
	w.count++
	if len(w.rows) < blockBytes {
		return nil
	}
	return w.flush()
}

func (w *Writer) flush() error {
	if len(w.rows) == 0 {
		return nil
	}
	w.frame = append(frame.Begin(w.frame[:0]), kindBlock)
	w.frame = w.zip.EncodeAll(w.rows, w.frame)
	w.rows = w.rows[:0]
	return w.write(w.frame)
}

func (w *Writer) write(buf []byte) error {
	frame.Finish(buf, w.frames, w.sequence)
	if _, err := w.file.WriteAt(buf, w.offset); err != nil {
		return fmt.Errorf("write checkpoint: %w", err)
	}
	w.offset += int64(len(buf))
	w.frames++
	return nil
}

// Commit makes the checkpoint durable and gives it its name.
func (w *Writer) Commit() (Info, error) {
	if err := w.finish(); err != nil {
		return Info{}, errors.Join(err, w.Discard())
	}
	if err := w.file.Close(); err != nil {
		return Info{}, errors.Join(fmt.Errorf("close checkpoint: %w", err), w.fs.Remove(w.path+tempSuffix))
	}
	if err := w.fs.Rename(w.path+tempSuffix, w.path); err != nil {
		return Info{}, errors.Join(fmt.Errorf("name checkpoint: %w", err), w.fs.Remove(w.path+tempSuffix))
	}
	if err := w.fs.SyncDir(filepath.Dir(w.path)); err != nil {
		return Info{}, err
	}
	stat, err := os.Stat(w.path)
	if err != nil {
		return Info{}, fmt.Errorf("commit checkpoint: %w", err)
	}
	return Info{Path: w.path, Sequence: w.sequence, Bytes: stat.Size(), Made: stat.ModTime()}, nil
}

func (w *Writer) finish() error {
	if err := w.flush(); err != nil {
		return err
	}
	if err := w.write(binary.LittleEndian.AppendUint64(append(frame.Begin(nil), kindEnd), w.count)); err != nil {
		return err
	}
	if err := w.file.Sync(); err != nil {
		return fmt.Errorf("sync checkpoint: %w", err)
	}
	return nil
}

// Discard removes what was written.
func (w *Writer) Discard() error {
	return errors.Join(w.file.Close(), w.fs.Remove(w.path+tempSuffix))
}
