// Package frame is the unit of which the commit log and the checkpoints are made: a numbered, checksummed piece of a file.
//
//	offset 0  length    uint32, little-endian: bytes of the payload
//	       4  checksum  uint32, little-endian: CRC-32C of salt, number, length and payload
//	       8  number    uint64, little-endian
//	      16  payload
//
// The salt belongs to the file and is not stored in the frame. It keeps frames of other files, and bytes that a client chose,
// from passing for frames of this one.
//
//	buf := frame.Begin(buf[:0])
//	buf = append(buf, "payload"...)
//	frame.Finish(buf, number, salt)
package frame

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
)

const (
	// HeaderSize is the length of a frame without its payload.
	HeaderSize = 16
	// MaxPayload is the largest payload that readers accept.
	MaxPayload = 16 << 20
)

// Begin appends room for a header. The payload is what the caller appends after it.
func Begin(buf []byte) []byte { return append(buf, make([]byte, HeaderSize)...) }

// Finish fills in the header of buf, which holds one frame begun by Begin.
func Finish(buf []byte, number, salt uint64) {
	binary.LittleEndian.PutUint32(buf, uint32(len(buf)-HeaderSize))
	binary.LittleEndian.PutUint64(buf[8:], number)
	binary.LittleEndian.PutUint32(buf[4:], checksum(buf, salt))
}

func checksum(buf []byte, salt uint64) uint32 {
	var head [20]byte
	binary.LittleEndian.PutUint64(head[:], salt)
	copy(head[8:], buf[8:16])
	copy(head[16:], buf[:4])
	table := crc32.MakeTable(crc32.Castagnoli) // shared by the library, not made anew
	return crc32.Update(crc32.Checksum(head[:], table), table, buf[HeaderSize:])
}

// DamageError tells where a file is damaged.
type DamageError struct {
	File   string
	Offset int64 // of the first byte that cannot be used
	Reason string
}

func (e *DamageError) Error() string {
	return fmt.Sprintf("%s is damaged at offset %d: %s", e.File, e.Offset, e.Reason)
}

// Source is a file to read frames from.
type Source struct {
	Name string // for errors
	At   io.ReaderAt
	Size int64 // bytes in the file
	Salt uint64
}

// Reader reads frames one after the other. Its memory is bounded by MaxPayload.
type Reader struct {
	src    Source
	offset int64
	in     *bufio.Reader
	buf    []byte
}

// NewReader reads the frames of src from an offset.
func NewReader(src Source, offset int64) *Reader {
	section := io.NewSectionReader(src.At, offset, max(0, src.Size-offset))
	return &Reader{src: src, offset: offset, in: bufio.NewReaderSize(section, 64<<10)}
}

// Offset is where the next frame begins.
func (r *Reader) Offset() int64 { return r.offset }

// Next reads a frame. The payload is valid until the next call. It returns io.EOF where the file ends between frames and a
// *DamageError for a frame that is cut or does not match its checksum; the offset then stays where that frame begins.
func (r *Reader) Next() (number uint64, payload []byte, err error) {
	left := r.src.Size - r.offset
	if left <= 0 {
		return 0, nil, io.EOF
	}
	if left < HeaderSize {
		return 0, nil, r.damage("cut header")
	}
	r.buf = append(r.buf[:0], make([]byte, HeaderSize)...)
	if _, err := io.ReadFull(r.in, r.buf); err != nil {
		return 0, nil, r.failed(err)
	}
	length := int64(binary.LittleEndian.Uint32(r.buf))
	if length > MaxPayload {
		return 0, nil, r.damage("impossible length")
	}
	if length > left-HeaderSize {
		return 0, nil, r.damage("cut payload")
	}
	r.buf = grow(r.buf, int(length))
	if _, err := io.ReadFull(r.in, r.buf[HeaderSize:]); err != nil {
		return 0, nil, r.failed(err)
	}
	if checksum(r.buf, r.src.Salt) != binary.LittleEndian.Uint32(r.buf[4:]) {
		return 0, nil, r.damage("wrong checksum")
	}
	r.offset += HeaderSize + length
	return binary.LittleEndian.Uint64(r.buf[8:]), r.buf[HeaderSize:], nil
}

func grow(buf []byte, n int) []byte {
	if cap(buf)-len(buf) < n {
		buf = append(make([]byte, 0, len(buf)+n+n/4), buf...)
	}
	return buf[:len(buf)+n]
}

func (r *Reader) damage(reason string) error {
	return &DamageError{File: r.src.Name, Offset: r.offset, Reason: reason}
}

func (r *Reader) failed(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return r.damage("file shrank while it was read")
	}
	return fmt.Errorf("read %s at offset %d: %w", r.src.Name, r.offset, err)
}

// Find looks for a sound frame with a number not below least that begins at or after an offset, at any byte. It returns -1 when
// there is none. This tells a frame that was cut when the power failed, after which nothing follows, from damage amid frames.
func Find(src Source, offset int64, least uint64) (int64, error) {
	const window = 256 << 10
	// Every frame takes at least a header, which bounds the numbers that can be in the rest of the file.
	most := least + uint64(max(0, src.Size-offset))/HeaderSize
	chunk := make([]byte, window+HeaderSize-1)
	var candidate []byte
	for ; offset+HeaderSize <= src.Size; offset += window {
		chunk = chunk[:min(int64(cap(chunk)), src.Size-offset)]
		if _, err := src.At.ReadAt(chunk, offset); err != nil {
			return -1, fmt.Errorf("read %s at offset %d: %w", src.Name, offset, err)
		}
		for i := 0; i+HeaderSize <= len(chunk); i++ {
			number := binary.LittleEndian.Uint64(chunk[i+8:])
			length := int64(binary.LittleEndian.Uint32(chunk[i:]))
			at := offset + int64(i)
			if number < least || number > most || length > min(MaxPayload, src.Size-at-HeaderSize) {
				continue
			}
			candidate = grow(candidate[:0], HeaderSize+int(length))
			if _, err := src.At.ReadAt(candidate, at); err != nil {
				return -1, fmt.Errorf("read %s at offset %d: %w", src.Name, at, err)
			}
			if checksum(candidate, src.Salt) == binary.LittleEndian.Uint32(candidate[4:]) {
				return at, nil
			}
		}
	}
	return -1, nil
}
