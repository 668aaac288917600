package file

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"

	"entrepot/storage/blob"
)

// replay restores what both journal files hold, the older first, and empties them. Files that are there are written again without a
// look at them: after a failed sync the system may show bytes that are not on the disk.
func (j *journal) replay(restore func(blob.Hash, []byte) error) error {
	var epochs [2]uint64
	for i, seg := range j.segments {
		_, epoch, err := readFrame(seg.file, 0, nil)
		if err != nil {
			return err
		}
		epochs[i] = epoch
	}
	older := 0
	if epochs[1] < epochs[0] {
		older = 1
	}
	j.epoch = max(epochs[0], epochs[1]) + 1
	var full []int
	for _, i := range []int{older, 1 - older} {
		some, err := readSegment(j.segments[i].file, restore)
		if err != nil {
			return err
		}
		if some {
			full = append(full, i)
		}
	}
	if len(full) == 0 {
		return nil
	}
	if err := j.segments[0].file.SyncAll(); err != nil {
		return err
	}
	for _, i := range full {
		if err := j.segments[i].markEmpty(epochs[i]); err != nil {
			return err
		}
	}
	return nil
}

// readSegment hands the bodies of one journal file to restore and reports whether there were any. A frame that is not whole ends the
// file: its sync was never acknowledged.
func readSegment(f io.ReaderAt, restore func(blob.Hash, []byte) error) (some bool, err error) {
	var frame []byte
	var first uint64
	for off := int64(0); ; off += alignUp(int64(len(frame))) {
		var epoch uint64
		frame, epoch, err = readFrame(f, off, frame)
		if off == 0 {
			first = epoch
		}
		if err != nil || len(frame) <= frameHeader || epoch != first {
			return some, err
		}
		some = true
		if err := readRecords(frame[frameHeader:], restore); err != nil {
			return some, fmt.Errorf("frame at %d: %w", off, err)
		}
	}
}

// readFrame reads the frame at off into buf, which may grow. Where there is no whole frame it gives no bytes.
func readFrame(f io.ReaderAt, off int64, buf []byte) (frame []byte, epoch uint64, err error) {
	var header [frameHeader]byte
	if n, err := f.ReadAt(header[:], off); n < frameHeader {
		if errors.Is(err, io.EOF) {
			err = nil
		}
		return buf[:0], 0, err
	}
	length := binary.LittleEndian.Uint32(header[16:])
	if binary.LittleEndian.Uint32(header[:]) != frameMagic || length > maxFrame {
		return buf[:0], 0, nil
	}
	total := frameHeader + int(length)
	if cap(buf) < total {
		buf = make([]byte, total)
	}
	buf = buf[:total]
	if n, err := f.ReadAt(buf, off); n < total {
		if errors.Is(err, io.EOF) {
			err = nil
		}
		return buf[:0], 0, err
	}
	if crc32.Checksum(buf[8:], crc32.MakeTable(crc32.Castagnoli)) != binary.LittleEndian.Uint32(buf[4:]) {
		return buf[:0], 0, nil
	}
	return buf, binary.LittleEndian.Uint64(buf[8:]), nil
}

// readRecords hands the bodies of one whole frame to restore.
func readRecords(records []byte, restore func(blob.Hash, []byte) error) error {
	for len(records) > 0 {
		if len(records) < recordHeader {
			return errors.New("half a record")
		}
		size := binary.LittleEndian.Uint32(records[blob.HashSize:])
		if uint64(size) > uint64(len(records)-recordHeader) {
			return fmt.Errorf("record of %d bytes in %d", size, len(records)-recordHeader)
		}
		body := records[recordHeader:][:size]
		if err := restore(blob.Hash(records[:blob.HashSize]), body); err != nil {
			return err
		}
		records = records[recordHeader+int(size):]
	}
	return nil
}
