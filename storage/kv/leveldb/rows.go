package leveldb

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"entrepot/storage/kv"
)

// The stored form of a row, in index, checkpoints and log:
//
//	key    length of the partition uvarint, partition, sort key
//	value  version<<1 uvarint, value            of a value
//	       version<<1|1 uvarint, eight bytes    of a counter
//
// So the rows of a partition are contiguous and in order of their sort keys. Keys that begin with a zero byte belong to the
// driver: no partition has an empty name.

var errBadRow = errors.New("damaged row")

func appendKey(buf []byte, k kv.Key) []byte {
	return append(appendPartition(buf, k.Partition), k.Sort...)
}

func appendPartition(buf []byte, partition string) []byte {
	return append(binary.AppendUvarint(buf, uint64(len(partition))), partition...)
}

func appendRow(buf []byte, row *kv.Entry) []byte {
	tag := row.Version << 1
	if row.IsCount {
		return append(binary.AppendUvarint(buf, tag|1), kv.EncodeCount(row.Counter)...)
	}
	return append(binary.AppendUvarint(buf, tag), row.Value...)
}

// decodeRow reads a stored row; its Value shares memory with stored.
func decodeRow(sort string, stored []byte) (kv.Entry, error) {
	tag, n := binary.Uvarint(stored)
	if n <= 0 || tag>>1 == 0 {
		return kv.Entry{}, fmt.Errorf("%w at %q", errBadRow, sort)
	}
	row := kv.Entry{Sort: sort, Version: tag >> 1}
	if tag&1 == 0 {
		row.Value = stored[n:]
		return row, nil
	}
	count, err := kv.DecodeCount(stored[n:])
	if err != nil {
		return kv.Entry{}, fmt.Errorf("%w at %q: %w", errBadRow, sort, err)
	}
	row.Counter, row.IsCount = count, true
	return row, nil
}

// bounds gives the stored keys between which the rows of a range lie: from start up to, without, limit.
func bounds(partition string, r *kv.Range) (start, limit []byte) {
	prefix := appendPartition(nil, partition)
	start = append(bytes.Clone(prefix), r.From...)
	if r.To != "" {
		return start, append(bytes.Clone(prefix), r.To...)
	}
	return start, []byte(kv.After(string(prefix)))
}
