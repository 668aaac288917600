package checkpoint

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"

	"entrepot/storage/kv/leveldb/disk"
	"entrepot/storage/kv/leveldb/frame"

	"github.com/klauspost/compress/zstd"
)

// maxBlock bounds the rows of one block: a full one plus the largest row.
const maxBlock = blockBytes + 1<<20

// Read delivers the rows of a checkpoint in order; key and value are valid until visit returns. A file that is damaged or
// incomplete gives a *frame.DamageError, possibly after rows have been delivered.
func Read(ctx context.Context, info Info, fs disk.FS, visit func(key, value []byte) error) (rows int64, err error) {
	file, err := fs.Open(info.Path)
	if err != nil {
		return 0, fmt.Errorf("open checkpoint: %w", err)
	}
	defer file.Close() // nothing was written
	zip, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxMemory(maxBlock))
	if err != nil {
		return 0, fmt.Errorf("open checkpoint: %w", err)
	}
	defer zip.Close()
	r := &reader{info: info, zip: zip, visit: visit,
		in: frame.NewReader(frame.Source{Name: info.Path, At: file, Size: info.Bytes, Salt: info.Sequence}, 0)}
	for !r.ended {
		if err := ctx.Err(); err != nil {
			return r.rows, err
		}
		if err := r.frame(); err != nil {
			return r.rows, fmt.Errorf("read checkpoint: %w", err)
		}
	}
	return r.rows, nil
}

type reader struct {
	info  Info
	in    *frame.Reader
	zip   *zstd.Decoder
	visit func(key, value []byte) error

	frames uint64
	rows   int64
	last   []byte // key
	block  []byte
	ended  bool
}

func (r *reader) frame() error {
	at := r.in.Offset()
	damaged := func(reason string) error {
		return &frame.DamageError{File: r.info.Path, Offset: at, Reason: reason}
	}
	number, payload, err := r.in.Next()
	switch {
	case errors.Is(err, io.EOF):
		return damaged("the checkpoint is incomplete")
	case err != nil:
		return err
	case number != r.frames:
		return damaged(fmt.Sprintf("block %d where %d belongs", number, r.frames))
	case len(payload) == 0 || (payload[0] == kindHead) != (r.frames == 0):
		return damaged("unexpected kind of block")
	}
	r.frames++
	switch kind, body := payload[0], payload[1:]; kind {
	case kindHead:
		sequence, isCheckpoint := strings.CutPrefix(string(body), magic)
		if !isCheckpoint || len(sequence) != 8 || binary.LittleEndian.Uint64([]byte(sequence)) != r.info.Sequence {
			return damaged("no header of this checkpoint")
		}
	case kindBlock:
		if r.block, err = r.zip.DecodeAll(body, r.block[:0]); err != nil {
			return damaged(err.Error())
		}
		return r.deliver(r.block, damaged)
	case kindEnd:
		if len(body) != 8 || binary.LittleEndian.Uint64(body) != uint64(r.rows) || r.in.Offset() != r.info.Bytes {
			return damaged("wrong number of rows")
		}
		r.ended = true
	default:
		return damaged("unknown kind of block")
	}
	return nil
}

func (r *reader) deliver(block []byte, damaged func(string) error) error {
	for len(block) > 0 {
		var key, value []byte
		var ok bool
		if key, block, ok = cutBytes(block); ok {
			value, block, ok = cutBytes(block)
		}
		if !ok {
			return damaged("cut row")
		}
		if r.rows > 0 && bytes.Compare(key, r.last) <= 0 {
			return damaged("keys out of order")
		}
		r.last = append(r.last[:0], key...)
		r.rows++
		if err := r.visit(key, value); err != nil {
			return err
		}
	}
	return nil
}

// cutBytes splits off a byte string that is preceded by its length.
func cutBytes(b []byte) (s, rest []byte, ok bool) {
	n, width := binary.Uvarint(b)
	if width <= 0 || n > uint64(len(b)-width) {
		return nil, nil, false
	}
	b = b[width:]
	return b[:n], b[n:], true
}
