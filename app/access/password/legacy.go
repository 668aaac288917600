package password

import (
	"crypto/md5"
	"crypto/pbkdf2"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"hash"
	"strconv"
	"strings"
)

// shiroHash is Apache Shiro's first format: a digest of salt and password, digested again iterations-1 times.
type shiroHash struct {
	digest     func() hash.Hash
	iterations int
	salt       []byte
	key        []byte
}

// digests are the algorithms by the names that Java gives them.
var digests = map[string]func() hash.Hash{
	"MD5": md5.New, "SHA-1": sha1.New, "SHA-256": sha256.New, "SHA-384": sha512.New384, "SHA-512": sha512.New,
}

// parseShiro reads $shiro1$ALGORITHM$ITERATIONS$SALT$HASH with padded Base64.
func parseShiro(stored string) (verifier, error) {
	fields := strings.Split(stored, "$")
	if len(fields) != 6 {
		return nil, ErrUnknownFormat
	}
	s := shiroHash{digest: digests[fields[2]]}
	var err error
	s.iterations, err = strconv.Atoi(fields[3])
	if err != nil || s.digest == nil || s.iterations < 1 || s.iterations > maxIterations {
		return nil, ErrUnknownFormat
	}
	if s.salt, err = base64.StdEncoding.DecodeString(fields[4]); err != nil {
		return nil, ErrUnknownFormat
	}
	if s.key, err = base64.StdEncoding.DecodeString(fields[5]); err != nil || len(s.key) != s.digest().Size() {
		return nil, ErrUnknownFormat
	}
	return s, nil
}

func (s shiroHash) verify(password string) bool {
	d := s.digest()
	d.Write(s.salt)
	d.Write([]byte(password))
	sum := d.Sum(nil)
	for range s.iterations - 1 {
		d.Reset()
		d.Write(sum)
		sum = d.Sum(sum[:0])
	}
	return subtle.ConstantTimeCompare(sum, s.key) == 1
}

// pbkdf2Hash is the form $PBKDF2WithHmacSHA256$key_iteration=N,key_len=BITS$SALT$HASH with padded Base64.
type pbkdf2Hash struct {
	digest     func() hash.Hash
	iterations int
	salt       []byte
	key        []byte
}

var hmacs = map[string]func() hash.Hash{
	"PBKDF2WithHmacSHA1": sha1.New, "PBKDF2WithHmacSHA256": sha256.New, "PBKDF2WithHmacSHA512": sha512.New,
}

func parsePBKDF2(stored string) (verifier, error) {
	fields := strings.Split(stored, "$")
	if len(fields) != 5 {
		return nil, ErrUnknownFormat
	}
	p := pbkdf2Hash{digest: hmacs[fields[1]]}
	bits := 0
	n, err := fmt.Sscanf(fields[2]+" ", "key_iteration=%d,key_len=%d ", &p.iterations, &bits)
	if err != nil || n != 2 || p.digest == nil || p.iterations < 1 || p.iterations > maxIterations {
		return nil, ErrUnknownFormat
	}
	if p.salt, err = base64.StdEncoding.DecodeString(fields[3]); err != nil {
		return nil, ErrUnknownFormat
	}
	p.key, err = base64.StdEncoding.DecodeString(fields[4])
	if err != nil || len(p.key)*8 != bits || len(p.key) < 16 || len(p.key) > maxKey {
		return nil, ErrUnknownFormat
	}
	return p, nil
}

func (p pbkdf2Hash) verify(password string) bool {
	sum, err := pbkdf2.Key(p.digest, password, p.salt, p.iterations, len(p.key))
	return err == nil && subtle.ConstantTimeCompare(sum, p.key) == 1
}

// hexHash is an unsalted digest: SHA-1 from Nexus 2, MD5 from before.
type hexHash struct {
	digest func() hash.Hash
	key    []byte
}

func parseHex(stored string) (verifier, error) {
	key, err := hex.DecodeString(stored)
	if err != nil {
		return nil, ErrUnknownFormat
	}
	switch len(key) {
	case sha1.Size:
		return hexHash{sha1.New, key}, nil
	case md5.Size:
		return hexHash{md5.New, key}, nil
	}
	return nil, ErrUnknownFormat
}

func (h hexHash) verify(password string) bool {
	d := h.digest()
	d.Write([]byte(password))
	return subtle.ConstantTimeCompare(d.Sum(nil), h.key) == 1
}
