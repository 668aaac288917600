// Package kv is the ordered key-value contract that all records stand on. It is small enough for an embedded log-structured
// database and for a DynamoDB-compatible table: rows live in partitions, are ordered by their sort key inside a partition, and
// change only in atomic batches with conditions.
//
// Invariants every driver keeps (package kvtest is the suite that checks them):
//
//   - Apply is all or nothing, serialisable, and durable when it returns nil: the batch survives power loss.
//   - A batch whose condition fails changes nothing and returns an error that wraps ErrConflict.
//   - There is no order and no atomic scan across partitions.
//   - A scan that could not read everything ends with an error; it never ends early in silence.
//   - A counter at zero is absent: Get answers ErrNotFound, Scan passes it over, and conditions see no row.
//   - Versions of one row never repeat, not even after the row was deleted and made again.
//
// Example:
//
//	err := store.Apply(ctx,
//		kv.PutNew(kv.Key{Partition: "users", Sort: "ann"}, data),
//		kv.Add(kv.Key{Partition: "usage", Sort: "users"}, 1))
package kv

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
)

// Limits that hold for every driver; they are those of a DynamoDB-compatible table.
const (
	MaxBatch      = 100       // operations in one Apply
	MaxBatchBytes = 3 << 20   // bytes of all keys and values in one Apply
	MaxPartition  = 1024      // bytes of a partition name
	MaxSort       = 1024      // bytes of a sort key
	MaxValue      = 350 << 10 // bytes of a value
)

var (
	// ErrNotFound reports that a row does not exist.
	ErrNotFound = errors.New("kv: not found")
	// ErrConflict reports that a condition of a batch did not hold; nothing was changed.
	ErrConflict = errors.New("kv: conflict")
	// ErrClosed reports use after Close.
	ErrClosed = errors.New("kv: closed")
	// ErrReadOnly reports a write to a store whose disk or database refuses writes; reads go on. Unless ErrNoSpace matches
	// too, the store must be reopened.
	ErrReadOnly = errors.New("kv: read-only")
	// ErrNoSpace reports a write that found no room on the disk. Nothing was changed; the same write succeeds once there is room.
	ErrNoSpace = errors.New("kv: no space left")
	// ErrNotCounter reports an Add to a row that holds a value; nothing was changed.
	ErrNotCounter = errors.New("kv: row is no counter")
	// ErrOverflow reports an Add whose sum does not fit 64 bits; nothing was changed.
	ErrOverflow = errors.New("kv: counter overflow")
)

// Key names a row. Both parts hold arbitrary bytes; Partition is never empty.
type Key struct {
	Partition string
	Sort      string
}

// Entry is one row as read.
type Entry struct {
	Sort    string
	Value   []byte // owned by the caller
	Counter int64  // the number, when the row is a counter
	IsCount bool   // the row was made by Add and has no Value
	Version uint64 // changes with every write of the row; never 0
}

// OpKind says what an Op does.
type OpKind uint8

// The kinds of operations in a batch.
const (
	OpPut    OpKind = iota + 1 // set the value
	OpDelete                   // remove the row; removing an absent row is no error
	OpAdd                      // add Delta to a counter, making it when absent
	OpCheck                    // only check the condition
)

// Condition restricts an Op.
type Condition uint8

// The conditions.
const (
	Always    Condition = iota // no condition
	IfAbsent                   // the row does not exist
	IfVersion                  // the row exists with exactly Version
	IfExists                   // the row exists
)

// Op is one operation of a batch. A batch holds at most one Op for a key, except that several Adds to a key are summed by Store.
type Op struct {
	Kind    OpKind
	Key     Key
	Value   []byte // must not change until Apply returns
	Delta   int64
	If      Condition
	Version uint64
}

// Put sets a row whatever it holds.
func Put(k Key, v []byte) Op { return Op{Kind: OpPut, Key: k, Value: v} }

// PutNew makes a row that must not exist.
func PutNew(k Key, v []byte) Op { return Op{Kind: OpPut, Key: k, Value: v, If: IfAbsent} }

// PutIf replaces a row that must still have the given version.
func PutIf(k Key, v []byte, version uint64) Op {
	return Op{Kind: OpPut, Key: k, Value: v, If: IfVersion, Version: version}
}

// Delete removes a row.
func Delete(k Key) Op { return Op{Kind: OpDelete, Key: k} }

// DeleteIf removes a row that must still have the given version.
func DeleteIf(k Key, version uint64) Op {
	return Op{Kind: OpDelete, Key: k, If: IfVersion, Version: version}
}

// Add adds delta to a counter.
func Add(k Key, delta int64) Op { return Op{Kind: OpAdd, Key: k, Delta: delta} }

// Check makes the batch fail unless the row still has the given version.
func Check(k Key, version uint64) Op {
	return Op{Kind: OpCheck, Key: k, If: IfVersion, Version: version}
}

// CheckAbsent makes the batch fail when the row exists.
func CheckAbsent(k Key) Op { return Op{Kind: OpCheck, Key: k, If: IfAbsent} }

// ConflictError names the first row of a batch whose condition failed. It matches ErrConflict.
type ConflictError struct {
	Key Key
}

func (e *ConflictError) Error() string {
	return fmt.Sprintf("kv: conflict on %q/%q", e.Key.Partition, e.Key.Sort)
}

// Is makes errors.Is(err, ErrConflict) true.
func (e *ConflictError) Is(target error) bool { return target == ErrConflict }

// Range selects rows of one partition by sort key.
type Range struct {
	From    string // first key wanted; "" means from the start
	To      string // first key not wanted any more; "" means to the end
	Reverse bool   // deliver from the end
	Limit   int    // at most so many rows; 0 means all
}

// Prefix is the range of all sort keys that begin with p.
func Prefix(p string) Range { return Range{From: p, To: After(p)} }

// After gives the smallest string greater than every string with prefix p, or "" when there is none.
func After(p string) string {
	b := []byte(p)
	for len(b) > 0 {
		if b[len(b)-1] < 0xff {
			b[len(b)-1]++
			return string(b)
		}
		b = b[:len(b)-1]
	}
	return ""
}

// Driver is what a database must do. Store validates arguments before a driver sees them.
type Driver interface {
	// Get reads a row, strongly consistent. ErrNotFound when absent.
	Get(ctx context.Context, k Key) (Entry, error)
	// Scan delivers the rows of a range in order: the rows as they were at one moment after the call where the database can
	// do that, else each page as it was when read. Zero counters may be delivered. The sequence stops after the first error.
	Scan(ctx context.Context, partition string, r Range) iter.Seq2[Entry, error]
	// Apply commits 1..MaxBatch operations on distinct keys. When it returns the error of a cancelled ctx, nothing was changed
	// if the driver is embedded; over a network the outcome may be unknown.
	Apply(ctx context.Context, ops []Op) error
	// Close ends all work; later calls return ErrClosed, another Close nil. Rows acknowledged before are kept.
	Close() error
}

// EncodeCount and DecodeCount are the stored form of a counter, for drivers: eight bytes, big-endian two's complement.
func EncodeCount(n int64) []byte { return binary.BigEndian.AppendUint64(nil, uint64(n)) }

// DecodeCount reverses EncodeCount.
func DecodeCount(b []byte) (int64, error) {
	if len(b) != 8 {
		return 0, fmt.Errorf("kv: counter of %d bytes", len(b))
	}
	return int64(binary.BigEndian.Uint64(b)), nil
}
