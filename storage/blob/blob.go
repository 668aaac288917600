// Package blob stores immutable bytes under the BLAKE3-256 of those bytes. A Store is a concrete type over a small Driver (a
// folder, a bucket, memory); the Store hashes and checks, a Driver only keeps bytes. Package blobtest is the suite that every
// driver passes.
//
// Invariants:
//
//   - The name of a blob is the BLAKE3-256 of its bytes, always; equal bytes are stored once in a Store. The one exception is a
//     Foreign driver, over what another program wrote: it is only read, and its names are checked by itself.
//   - Commit returns nil only after the bytes survive power loss: spool, hash in one pass, sync, move into place, sync the folder.
//   - Bytes without their final name are never visible, and what a crash leaves behind is removed when the driver is opened again.
//   - A visible blob is whole. A Commit that fails at the very end may leave one behind that nobody refers to: collection takes it.
//   - Memory does not grow with the size of a blob.
//
// Example:
//
//	w, err := store.Create(ctx, blob.WriteOptions{})
//	if err != nil { … }
//	defer w.Discard() // no effect after Commit
//	if _, err := io.Copy(w, body); err != nil { … }
//	info, err := w.Commit(ctx) // info.Hash names the blob; info.SHA1 is the ETag clients know
package blob

import (
	"context"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"time"
)

// HashSize is the length of a Hash in bytes.
const HashSize = 32

var (
	// ErrNotFound reports that the store has no such blob.
	ErrNotFound = errors.New("blob: not found")
	// ErrCorrupt reports that stored bytes do not have the name they are stored under.
	ErrCorrupt = errors.New("blob: corrupt")
	// ErrNoSpace reports that the device behind the store is full.
	ErrNoSpace = errors.New("blob: no space left")
	// ErrReadOnly reports that the store or its device refuses writes.
	ErrReadOnly = errors.New("blob: read-only")
)

// Hash is the BLAKE3-256 of a blob's bytes: its name.
type Hash [HashSize]byte

// String gives the hash as 64 lower-case hex digits.
func (h Hash) String() string { return hexString(h[:]) }

// hexString is hex.EncodeToString with one allocation in place of two, for sums of up to 64 bytes.
func hexString(sum []byte) string {
	var digits [2 * sha512.Size]byte
	return string(digits[:hex.Encode(digits[:], sum)])
}

// IsZero reports whether h names nothing.
func (h Hash) IsZero() bool { return h == Hash{} }

// ParseHash reads 64 hex digits.
func ParseHash(s string) (Hash, error) {
	var h Hash
	if len(s) != 2*HashSize {
		return Hash{}, fmt.Errorf("blob: hash of %d characters; want %d", len(s), 2*HashSize)
	}
	if _, err := hex.Decode(h[:], []byte(s)); err != nil {
		return Hash{}, fmt.Errorf("blob: hash %q: %w", s, err)
	}
	return h, nil
}

// Info describes a blob. The digests beyond Hash are known to the writer only; Stat, List and Verify leave them empty.
type Info struct {
	Hash    Hash
	Size    int64     // bytes
	ModTime time.Time // when the blob came into the store, for the first time or again
	Digests Digests
}

// Digests are the checksums taken in the one pass of writing. SHA-1 and SHA-256 are always there; MD5 and SHA-512 when asked for.
// All are lower-case hex, empty when not taken.
type Digests struct {
	SHA1   string `json:"sha1,omitempty"`
	SHA256 string `json:"sha256,omitempty"`
	MD5    string `json:"md5,omitempty"`
	SHA512 string `json:"sha512,omitempty"`
}

// WriteOptions tune one write; the zero value is a good default.
type WriteOptions struct {
	Size   int64 // bytes to come, when known; 0 means unknown. Only a hint
	MD5    bool  // take MD5 as well
	SHA512 bool  // take SHA-512 as well
	// ExtraUpTo is the size in bytes of the largest body of which MD5 and SHA-512 are taken; 0 means any. They cost as much as all
	// the rest of a large write.
	ExtraUpTo int64
}

// Spool is where a driver gathers the bytes of one blob before it has a name. It is used by one goroutine, except that ReadAt may
// be called by others for bytes already written.
type Spool interface {
	io.Writer
	// ReadAt reads bytes already written. It works until Close, also after Commit.
	io.ReaderAt
	// Commit makes the bytes durable and visible as h. When a blob h of the same size is there already, that one is kept, made
	// as durable and given a new ModTime; one of another size is damaged and is replaced. Commit is called at most once.
	Commit(ctx context.Context, h Hash) error
	// Close releases the spool. The bytes are dropped unless they were committed.
	Close() error
}

// Taker is a Spool that can take a whole file without writing its bytes again.
type Taker interface {
	Spool
	// Take makes the bytes of a file those of the spool, which is empty, by sharing them on the disk until either is written to; with
	// link the file itself may become the blob, so nobody may write to it any more. False means that it has to be copied instead.
	Take(f *os.File, link bool) (bool, error)
}

// Object is an open blob. It stays readable when the blob is deleted meanwhile. An Object that is a file also has
// a method File() *os.File, so that the edge can use sendfile; the Object owns the file.
type Object interface {
	io.ReaderAt
	io.Closer
	// Size is the length in bytes.
	Size() int64
}

// Checked is an Object of a Foreign driver that nobody has checked yet. Who reads it once from the first byte to the last gets ErrCorrupt in
// the place of the last ones when the whole is not what its name says.
type Checked interface {
	Object
	// Check reads the whole, unless it was read before. Who gives a part away calls it before. ErrCorrupt when it is damaged.
	Check(ctx context.Context) error
	// Unchecked is the open file, for who checks the bytes on their way. The object owns it.
	Unchecked() *os.File
}

// Commitment is a spool that is to become a blob.
type Commitment struct {
	Spool Spool // of the driver that commits it
	Hash  Hash
}

// GroupDriver is a Driver that makes many spools durable for little more than one.
type GroupDriver interface {
	// CommitAll does for each what Spool.Commit does. After an error it is unknown which of them are visible.
	CommitAll(ctx context.Context, all []Commitment) error
}

// Driver keeps bytes under names. It does not hash and does not check.
type Driver interface {
	// Create starts a spool. It returns an error that wraps ErrNoSpace or ErrReadOnly where that is the cause.
	Create(ctx context.Context, size int64) (Spool, error)
	// Open opens a blob. ErrNotFound when absent.
	Open(ctx context.Context, h Hash) (Object, error)
	// Stat describes a blob. ErrNotFound when absent.
	Stat(ctx context.Context, h Hash) (Info, error)
	// Delete removes a blob. ErrNotFound when absent.
	Delete(ctx context.Context, h Hash) error
	// List delivers all blobs after the given name, in order of their names. It stops after the first error.
	List(ctx context.Context, after Hash) iter.Seq2[Info, error]
}

// Foreign is a read-only Driver over bytes that another program keeps. A Hash names them in some other way than by their BLAKE3, which
// nobody knows before they were read.
type Foreign interface {
	Driver
	// Verify reads a blob and checks it as far as its name allows. ErrCorrupt when it is not what its name says, ErrNotFound when absent.
	Verify(ctx context.Context, h Hash) (Info, error)
}
