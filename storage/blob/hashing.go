package blob

import (
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"hash"
	"sync"
	"sync/atomic"

	"github.com/zeebo/blake3"
)

const (
	// chunkSize is how much is hashed at a time: small enough to stay in a core's cache, large enough that handing a chunk to
	// another goroutine costs nothing by comparison.
	chunkSize = 64 << 10
	// laneDepth bounds how far a body runs ahead of its slowest hash, in chunks.
	laneDepth = 4
)

// chunk is a piece of a body that several hashes read. The last of its users gives it back.
type chunk struct {
	buf   [chunkSize]byte
	n     int // bytes filled
	users atomic.Int32
}

// hashSet holds one hash of each kind, kept for the next write because a fresh set costs 9 KiB. MD5 and SHA-1 are among them
// because formats publish them and clients ask for them; nothing is trusted because of them.
type hashSet struct {
	blake3       *blake3.Hasher
	sha1, sha256 hash.Hash
	md5, sha512  hash.Hash // made when first asked for
	active       []hash.Hash
}

// basicHashes is the number of hashes that every body gets; they are the first of the active ones.
const basicHashes = 3

// reset readies the set for one body.
func (s *hashSet) reset(opts WriteOptions) {
	s.active = append(s.active[:0], s.sha256, s.sha1, s.blake3)
	if opts.MD5 {
		if s.md5 == nil {
			s.md5 = md5.New()
		}
		s.active = append(s.active, s.md5)
	}
	if opts.SHA512 {
		if s.sha512 == nil {
			s.sha512 = sha512.New()
		}
		s.active = append(s.active, s.sha512)
	}
	for _, h := range s.active {
		h.Reset()
	}
}

// hashPools keeps hash sets and chunks between writes.
type hashPools struct {
	sets, chunks sync.Pool
}

func (p *hashPools) set(opts WriteOptions) *hashSet {
	s, ok := p.sets.Get().(*hashSet)
	if !ok {
		s = &hashSet{blake3: blake3.New(), sha1: sha1.New(), sha256: sha256.New()}
	}
	s.reset(opts)
	return s
}

func (p *hashPools) chunk() *chunk {
	c, ok := p.chunks.Get().(*chunk)
	if !ok {
		c = new(chunk)
	}
	c.n = 0
	return c
}

// hashing takes all digests of one body in one pass. A small body is hashed by the caller's goroutine; from parallelFrom bytes on
// each hash has a goroutine of its own (a lane), which reads the same chunks behind the caller.
type hashing struct {
	pools        *hashPools
	opts         WriteOptions
	set          *hashSet
	cur          *chunk // being filled; nil between chunks
	left         int64  // bytes until lanes are started
	extra        int64  // bytes until the body is too long for MD5 and SHA-512
	lanes        []chan *chunk
	lanesRunning sync.WaitGroup
}

func (h *hashing) start(pools *hashPools, opts WriteOptions, parallelFrom int64) {
	if opts.ExtraUpTo > 0 && opts.Size > opts.ExtraUpTo {
		opts.MD5, opts.SHA512 = false, false
	}
	h.pools, h.opts, h.left, h.extra = pools, opts, parallelFrom, opts.ExtraUpTo
	h.set = pools.set(opts)
	if opts.Size > parallelFrom {
		h.left = 0
	}
}

// space gives the free part of the chunk that is being filled. It is never empty.
func (h *hashing) space() []byte {
	if h.cur == nil {
		h.cur = h.pools.chunk()
	}
	return h.cur.buf[h.cur.n:]
}

// filled says that n bytes were put into space.
func (h *hashing) filled(n int) {
	h.cur.n += n
	if h.cur.n == chunkSize {
		h.flush()
	}
}

// add hashes a copy of p.
func (h *hashing) add(p []byte) {
	for len(p) > 0 {
		n := copy(h.space(), p)
		h.filled(n)
		p = p[n:]
	}
}

// flush hashes the chunk that is being filled, or hands it to the lanes.
func (h *hashing) flush() {
	c := h.cur
	if c == nil {
		return
	}
	h.cur = nil
	if c.n == 0 {
		h.pools.chunks.Put(c)
		return
	}
	if h.extra -= int64(c.n); h.extra < 0 && h.opts.ExtraUpTo > 0 {
		h.dropExtras()
	}
	if h.lanes == nil && h.left <= 0 {
		h.startLanes()
	}
	if h.lanes != nil {
		c.users.Store(int32(len(h.lanes)))
		for _, lane := range h.lanes {
			lane <- c
		}
		return
	}
	for _, d := range h.set.active {
		d.Write(c.buf[:c.n]) // a hash never fails
	}
	h.left -= int64(c.n)
	h.pools.chunks.Put(c)
}

// dropExtras gives up the digests that are not taken of long bodies.
func (h *hashing) dropExtras() {
	h.opts.MD5, h.opts.SHA512 = false, false
	h.set.active = h.set.active[:basicHashes]
	if h.lanes != nil {
		for _, lane := range h.lanes[basicHashes:] {
			close(lane)
		}
		h.lanes = h.lanes[:basicHashes]
	}
}

func (h *hashing) startLanes() {
	h.lanes = make([]chan *chunk, len(h.set.active))
	for i, d := range h.set.active {
		lane := make(chan *chunk, laneDepth)
		h.lanes[i] = lane
		h.lanesRunning.Go(func() {
			for c := range lane {
				d.Write(c.buf[:c.n]) // a hash never fails
				if c.users.Add(-1) == 0 {
					h.pools.chunks.Put(c)
				}
			}
		})
	}
}

// finish ends the pass and gives the digests.
func (h *hashing) finish() (Hash, Digests) {
	h.flush()
	h.stopLanes()
	var name Hash
	h.set.blake3.Sum(name[:0])
	var buf [sha512.Size]byte
	sum := func(d hash.Hash) string { return hexString(d.Sum(buf[:0])) }
	digests := Digests{SHA1: sum(h.set.sha1), SHA256: sum(h.set.sha256)}
	if h.opts.MD5 {
		digests.MD5 = sum(h.set.md5)
	}
	if h.opts.SHA512 {
		digests.SHA512 = sum(h.set.sha512)
	}
	h.release()
	return name, digests
}

// release gives everything back to the pools. It is safe after finish and twice.
func (h *hashing) release() {
	if h.set == nil {
		return
	}
	h.stopLanes()
	if h.cur != nil {
		h.pools.chunks.Put(h.cur)
		h.cur = nil
	}
	h.pools.sets.Put(h.set)
	h.set = nil
}

func (h *hashing) stopLanes() {
	for _, lane := range h.lanes {
		close(lane)
	}
	h.lanesRunning.Wait()
	h.lanes = nil
}
