package ldap

import (
	"bytes"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/base64"
	"hash"
	"strings"
)

// matches compares a password with a value of a password attribute as RFC 2307 writes it: {SCHEME} and the Base64 form of a digest,
// which in the salted schemes is followed by its salt, or the password itself. Of the schemes, those of the MD5, SHA-1 and SHA-2
// families are known; any other matches nothing.
func matches(value []byte, secret string) bool {
	if secret == "" || len(value) == 0 {
		return false
	}
	if value[0] != '{' {
		return subtle.ConstantTimeCompare(value, []byte(secret)) == 1
	}
	end := bytes.IndexByte(value, '}')
	if end < 0 {
		return false
	}
	digest, salted := digestOf(strings.ToUpper(string(value[1:end])))
	raw, err := base64.StdEncoding.DecodeString(string(value[end+1:]))
	if digest == nil || err != nil || len(raw) < digest.Size() || !salted && len(raw) != digest.Size() {
		return false
	}
	digest.Write([]byte(secret))
	digest.Write(raw[digest.Size():])
	return subtle.ConstantTimeCompare(digest.Sum(nil), raw[:digest.Size()]) == 1
}

func digestOf(scheme string) (digest hash.Hash, salted bool) {
	switch scheme {
	case "MD5", "SMD5":
		return md5.New(), scheme == "SMD5"
	case "SHA", "SSHA":
		return sha1.New(), scheme == "SSHA"
	case "SHA256", "SSHA256":
		return sha256.New(), scheme == "SSHA256"
	case "SHA384", "SSHA384":
		return sha512.New384(), scheme == "SSHA384"
	case "SHA512", "SSHA512":
		return sha512.New(), scheme == "SSHA512"
	}
	return nil, false
}
