package access

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash"
	"io"
	"sync"
	"time"
)

const (
	cacheShards   = 16
	shardCapacity = 512
)

// digest names credentials without telling them.
type digest [sha256.Size]byte

// signedIn is an identity that was verified, with what it may do according to one snapshot.
type signedIn struct {
	identity Identity
	subject  *Subject
	snap     *snapshot
	expires  time.Time // when the credentials must be verified again
}

// credentialCache remembers verified credentials under a digest keyed with a random number of this process, so that memory holds no
// passwords. Wrong credentials are never remembered, so nobody can push others out without an account.
type credentialCache struct {
	pool   sync.Pool // of *digester
	shards [cacheShards]cacheShard
}

type cacheShard struct {
	mu      sync.RWMutex
	entries map[digest]*signedIn
}

type digester struct {
	mac hash.Hash
	buf []byte
}

func newCredentialCache(random io.Reader) (*credentialCache, error) {
	key := make([]byte, sha256.Size)
	if _, err := io.ReadFull(random, key); err != nil {
		return nil, fmt.Errorf("access: make a key: %w", err)
	}
	c := &credentialCache{}
	c.pool.New = func() any { return &digester{mac: hmac.New(sha256.New, key)} }
	for i := range c.shards {
		c.shards[i].entries = map[digest]*signedIn{}
	}
	return c, nil
}

// key gives the digest of credentials.
func (c *credentialCache) key(cred *Credentials) digest {
	d := c.pool.Get().(*digester)
	defer c.pool.Put(d)
	d.mac.Reset()
	d.buf = append(d.buf[:0], byte(cred.Kind))
	d.buf = binary.AppendUvarint(d.buf, uint64(len(cred.Domain)))
	d.buf = append(d.buf, cred.Domain...)
	d.buf = binary.AppendUvarint(d.buf, uint64(len(cred.User)))
	d.buf = append(d.buf, cred.User...)
	d.buf = append(d.buf, cred.Secret...)
	d.mac.Write(d.buf)
	used := len(d.buf)
	var sum digest
	d.buf = d.mac.Sum(d.buf)
	copy(sum[:], d.buf[used:])
	clear(d.buf)
	return sum
}

func (c *credentialCache) shard(key digest) *cacheShard { return &c.shards[key[0]%cacheShards] }

// get gives what is remembered and still holds at now, or nil.
func (c *credentialCache) get(key digest, now time.Time) *signedIn {
	shard := c.shard(key)
	shard.mu.RLock()
	e := shard.entries[key]
	shard.mu.RUnlock()
	if e == nil || !now.Before(e.expires) {
		return nil
	}
	return e
}

// put remembers an entry, in place of an expired or else any other one when there is no room.
func (c *credentialCache) put(key digest, e *signedIn, now time.Time) {
	shard := c.shard(key)
	shard.mu.Lock()
	defer shard.mu.Unlock()
	if _, known := shard.entries[key]; !known && len(shard.entries) >= shardCapacity {
		shard.makeRoom(now)
	}
	shard.entries[key] = e
}

func (s *cacheShard) makeRoom(now time.Time) {
	for key, e := range s.entries {
		if !now.Before(e.expires) {
			delete(s.entries, key)
		}
	}
	for key := range s.entries {
		if len(s.entries) < shardCapacity {
			return
		}
		delete(s.entries, key)
	}
}
