package secrets

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"hash"
	"strconv"
	"strings"
	"unicode/utf8"
)

// DefaultPhrase seals "{…}" strings unless the operator named a file with another phrase.
const DefaultPhrase = "CMMDwoV"

// maxIterations bounds the work that a damaged or hostile cipher string can ask for.
const maxIterations = 10_000_000

// decryptCBC undoes AES-CBC with PKCS#5 padding. Padding that does not fit means a wrong key: ErrKey.
func decryptCBC(key, iv, sealed []byte) ([]byte, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("%w: %v", ErrForm, err)
	}
	if len(iv) != aes.BlockSize || len(sealed) == 0 || len(sealed)%aes.BlockSize != 0 {
		return nil, fmt.Errorf("%w: %d bytes with %d bytes of initialization are not AES-CBC", ErrForm, len(sealed), len(iv))
	}
	plain := make([]byte, len(sealed))
	cipher.NewCBCDecrypter(block, iv).CryptBlocks(plain, sealed)
	pad := int(plain[len(plain)-1])
	if pad == 0 || pad > aes.BlockSize || !bytes.Equal(plain[len(plain)-pad:], bytes.Repeat([]byte{byte(pad)}, pad)) {
		return nil, ErrKey
	}
	return plain[:len(plain)-pad], nil
}

// decryptText is decryptCBC for text, which is UTF-8.
func decryptText(key, iv, sealed []byte) (Plain, error) {
	plain, err := decryptCBC(key, iv, sealed)
	if err != nil {
		return Plain{}, err
	}
	if !utf8.Valid(plain) {
		return Plain{}, ErrKey
	}
	return NewPlain(string(plain)), nil
}

// IsMaven reports whether text has the form of DecryptMaven's input, possibly marked with "~" for the operator's own phrase.
func IsMaven(text string) bool {
	_, err := mavenBytes(text)
	return err == nil
}

// mavenBytes gives salt, padding length, sealed bytes and padding.
func mavenBytes(text string) ([]byte, error) {
	from, to := strings.IndexByte(text, '{'), strings.LastIndexByte(text, '}')
	if from < 0 || to < from || strings.Trim(text[:from]+text[to+1:], "~") != "" {
		return nil, fmt.Errorf("%w: no braces", ErrForm)
	}
	raw, err := base64.StdEncoding.DecodeString(text[from+1 : to])
	const head = 8 + 1
	if err != nil || len(raw) < head+aes.BlockSize || len(raw)-head-int(raw[8]) < aes.BlockSize {
		return nil, fmt.Errorf("%w: no sealed text in the braces", ErrForm)
	}
	return raw, nil
}

// DecryptMaven opens a "{…}" string: Base64 of 8 bytes of salt, the length of the filling, the sealed bytes, and the filling. Key and
// initialization are the halves of one SHA-256 over phrase and salt.
func DecryptMaven(text, phrase string) (Plain, error) {
	raw, err := mavenBytes(text)
	if err != nil {
		return Plain{}, err
	}
	digest := sha256.Sum256(append([]byte(phrase), raw[:8]...))
	return decryptText(digest[:16], digest[16:], raw[9:len(raw)-int(raw[8])])
}

// FixedCipher is the cipher with one key and one initialization for all values of an installation.
type FixedCipher struct {
	key, iv []byte
}

// FixedParameters are what the key of a FixedCipher comes from. Zero values mean what a Nexus has unless it was changed.
type FixedParameters struct {
	Password   Plain  // "changeme"
	Salt       string // "changeme"
	IV         string // "0123456789ABCDEF"
	Iterations int    // 1024
	SHA256     bool   // derive 256 bits with HMAC-SHA256 rather than 128 bits with HMAC-SHA1
}

// NewFixedCipher derives the key.
func NewFixedCipher(p FixedParameters) (*FixedCipher, error) {
	password, salt, iv, iterations := p.Password.Reveal(), p.Salt, p.IV, p.Iterations
	if password == "" {
		password = defaultPassword
	}
	if salt == "" {
		salt = defaultSalt
	}
	if iv == "" {
		iv = defaultIV
	}
	if iterations == 0 {
		iterations = 1024
	}
	d := derivation{hash: sha1.New, bits: 128, iterations: iterations}
	if p.SHA256 {
		d.hash, d.bits = sha256.New, 256
	}
	key, err := d.key(password, []byte(salt))
	if err != nil {
		return nil, err
	}
	if len(iv) != aes.BlockSize {
		return nil, fmt.Errorf("%w: the initialization of the fixed cipher has %d bytes, not %d", ErrForm, len(iv), aes.BlockSize)
	}
	return &FixedCipher{key: key, iv: []byte(iv)}, nil
}

// Decrypt opens a binary column.
func (c *FixedCipher) Decrypt(sealed []byte) ([]byte, error) { return decryptCBC(c.key, c.iv, sealed) }

// DecryptText opens a text column, which holds Base64.
func (c *FixedCipher) DecryptText(text string) (Plain, error) {
	sealed, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return Plain{}, fmt.Errorf("%w: not Base64", ErrForm)
	}
	return decryptText(c.key, c.iv, sealed)
}

// looksFixed reports whether text could come from a FixedCipher.
func looksFixed(text string) bool {
	sealed, err := base64.StdEncoding.DecodeString(text)
	return err == nil && len(sealed) > 0 && len(sealed)%aes.BlockSize == 0
}

// derivation is how a key is made of a password.
type derivation struct {
	hash       func() hash.Hash
	bits       int
	iterations int
}

func (d derivation) key(password string, salt []byte) ([]byte, error) {
	if d.iterations < 1 || d.iterations > maxIterations || d.bits != 128 && d.bits != 192 && d.bits != 256 {
		return nil, fmt.Errorf("%w: a key of %d bits from %d iterations", ErrForm, d.bits, d.iterations)
	}
	key, err := pbkdf2.Key(d.hash, password, salt, d.iterations, d.bits/8)
	if err != nil {
		return nil, fmt.Errorf("secrets: derive a key: %w", err)
	}
	return key, nil
}

// cipherString is a parsed "$algorithm$attributes$salt$sealed" string.
type cipherString struct {
	derivation
	iv, mac, salt, sealed []byte
}

// IsCipherString reports whether text has the form of DecryptString's input.
func IsCipherString(text string) bool {
	_, err := parseCipherString(text)
	return err == nil
}

// DecryptString opens a string of the table of secrets with the text of its key. A message authentication code, which newer releases
// add, is checked; without one a wrong key can go unnoticed once in some hundred times.
func DecryptString(text string, key Plain) (Plain, error) {
	c, err := parseCipherString(text)
	if err != nil {
		return Plain{}, err
	}
	k, err := c.key(key.Reveal(), c.salt)
	if err != nil {
		return Plain{}, err
	}
	if c.mac != nil {
		m := hmac.New(sha256.New, k)
		m.Write(c.iv)
		m.Write(c.sealed)
		if !hmac.Equal(m.Sum(nil), c.mac) {
			return Plain{}, ErrKey
		}
	}
	return decryptText(k, c.iv, c.sealed)
}

func parseCipherString(text string) (*cipherString, error) {
	parts := strings.Split(text, "$")
	if len(parts) != 5 || parts[0] != "" {
		return nil, fmt.Errorf("%w: not a cipher string", ErrForm)
	}
	c := &cipherString{derivation: derivation{hash: sha1.New, bits: 128, iterations: 1024}}
	switch parts[1] {
	case "AES/CBC/PKCS5Padding", "PBKDF2WithHmacSHA1":
	case "PBKDF2WithHmacSHA256":
		c.derivation = derivation{hash: sha256.New, bits: 256, iterations: 10000}
	default:
		return nil, fmt.Errorf("%w: unknown algorithm in a cipher string", ErrForm)
	}
	for _, attribute := range strings.Split(parts[2], ",") {
		if err := c.attribute(attribute); err != nil {
			return nil, err
		}
	}
	var err error
	if c.salt, err = base64.StdEncoding.DecodeString(parts[3]); err != nil {
		return nil, fmt.Errorf("%w: the salt of a cipher string is not Base64", ErrForm)
	}
	if c.sealed, err = base64.StdEncoding.DecodeString(parts[4]); err != nil || len(c.sealed) == 0 || c.iv == nil {
		return nil, fmt.Errorf("%w: a cipher string without content or initialization", ErrForm)
	}
	return c, nil
}

// attribute takes one "name=value". Unknown names are left alone.
func (c *cipherString) attribute(attribute string) error {
	name, value, _ := strings.Cut(attribute, "=")
	var err error
	switch name {
	case "iv":
		c.iv, err = hex.DecodeString(value)
	case "hmac":
		c.mac, err = hex.DecodeString(value)
	case "key_iteration":
		c.iterations, err = strconv.Atoi(value)
	case "key_len":
		c.bits, err = strconv.Atoi(value)
	}
	if err != nil {
		return fmt.Errorf("%w: attribute %s of a cipher string", ErrForm, name)
	}
	return nil
}
