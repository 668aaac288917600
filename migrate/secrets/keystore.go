package secrets

import (
	"bytes"
	"crypto/sha1"
	"crypto/subtle"
	"encoding/asn1"
	"encoding/binary"
	"fmt"
	"time"
	"unicode/utf16"
)

// Passwords of keystores, which are constants of the old server.
const (
	TrustStorePassword       = "xfWHLzWxDF14OUW6" // trusted.ks of the table key_store_data
	IdentityStorePassword    = "QePgCbrDbQiNdT6X" // private.ks of the table key_store_data
	IdentityKeyPassword      = "Xw5JCuS5aDZ14oZG"
	NodeTrustStorePassword   = "1bmcqcHV3sp6fVKD" // keystores/node/trusted.ks
	NodePrivateStorePassword = "uuPWrk3UEQRaolpd" // keystores/node/private.ks
	NodePrivateKeyPassword   = "CyQM8zCFeorarTA8"
)

const (
	keystoreMagic   = 0xfeedfeed
	entryPrivateKey = 1
	entryTrusted    = 2
	// signedTail is what the checksum at the end mixes in after the password.
	signedTail = "Mighty Aphrodite"
)

// Certificate is an X.509 certificate.
type Certificate struct {
	Alias   string
	Created time.Time
	DER     []byte
}

// PrivateKey is a private key with the certificates that vouch for it.
type PrivateKey struct {
	Alias   string
	Created time.Time
	Chain   []Certificate // the key's own first
	sealed  []byte
}

// Keystore is a parsed JKS keystore.
type Keystore struct {
	Trusted []Certificate
	Keys    []PrivateKey
}

// ParseKeystore reads a JKS keystore. A checksum that does not fit is ErrKey: either the password is wrong or bytes changed. An empty
// password leaves the checksum aside: certificates can be read without it.
func ParseKeystore(data []byte, password string) (*Keystore, error) {
	if len(data) < 12+sha1.Size {
		return nil, fmt.Errorf("%w: a keystore of %d bytes", ErrForm, len(data))
	}
	body, sum := data[:len(data)-sha1.Size], data[len(data)-sha1.Size:]
	r := keystoreReader{buf: body}
	if r.uint32() != keystoreMagic {
		return nil, fmt.Errorf("%w: not a JKS keystore", ErrForm)
	}
	version := r.uint32()
	if version != 1 && version != 2 {
		return nil, fmt.Errorf("%w: a JKS keystore of version %d", ErrForm, version)
	}
	if password != "" {
		h := sha1.New()
		h.Write(utf16Bytes(password))
		h.Write([]byte(signedTail))
		h.Write(body)
		if subtle.ConstantTimeCompare(h.Sum(nil), sum) != 1 {
			return nil, fmt.Errorf("%w: the keystore's checksum does not fit", ErrKey)
		}
	}
	r.typed = version == 2
	ks := &Keystore{}
	for n := r.count(); n > 0 && r.err == nil; n-- {
		r.entry(ks)
	}
	if r.err == nil && len(r.buf) != 0 {
		r.err = fmt.Errorf("%w: %d bytes after the last entry of a keystore", ErrForm, len(r.buf))
	}
	if r.err != nil {
		return nil, r.err
	}
	return ks, nil
}

// keystoreReader reads what is left of a keystore. The first error sticks.
type keystoreReader struct {
	buf   []byte
	typed bool // certificates name their type
	err   error
}

func (r *keystoreReader) bytes(n int) []byte {
	if r.err != nil {
		return nil
	}
	if n < 0 || n > len(r.buf) {
		r.err = fmt.Errorf("%w: a keystore that ends too early", ErrForm)
		return nil
	}
	b := r.buf[:n]
	r.buf = r.buf[n:]
	return b
}

func (r *keystoreReader) uint32() uint32 {
	if b := r.bytes(4); b != nil {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}

// count reads a number of things that take at least a byte each, or of bytes.
func (r *keystoreReader) count() int {
	n := r.uint32()
	if r.err == nil && uint64(n) > uint64(len(r.buf)) {
		r.err = fmt.Errorf("%w: a keystore that ends too early", ErrForm)
	}
	if r.err != nil {
		return 0
	}
	return int(n)
}

func (r *keystoreReader) text() string {
	if b := r.bytes(2); b != nil {
		return string(r.bytes(int(binary.BigEndian.Uint16(b))))
	}
	return ""
}

func (r *keystoreReader) time() time.Time {
	if b := r.bytes(8); b != nil {
		return time.UnixMilli(int64(binary.BigEndian.Uint64(b))).UTC()
	}
	return time.Time{}
}

func (r *keystoreReader) entry(ks *Keystore) {
	tag := r.uint32()
	alias, created := r.text(), r.time()
	switch tag {
	case entryTrusted:
		ks.Trusted = append(ks.Trusted, r.certificate(alias, created))
	case entryPrivateKey:
		k := PrivateKey{Alias: alias, Created: created, sealed: bytes.Clone(r.bytes(r.count()))}
		for n := r.count(); n > 0 && r.err == nil; n-- {
			k.Chain = append(k.Chain, r.certificate(alias, created))
		}
		ks.Keys = append(ks.Keys, k)
	default:
		if r.err == nil {
			r.err = fmt.Errorf("%w: a keystore entry of type %d", ErrForm, tag)
		}
	}
}

func (r *keystoreReader) certificate(alias string, created time.Time) Certificate {
	if r.typed {
		if kind := r.text(); r.err == nil && kind != "X.509" {
			r.err = fmt.Errorf("%w: a certificate that is not X.509", ErrForm)
		}
	}
	return Certificate{Alias: alias, Created: created, DER: bytes.Clone(r.bytes(r.count()))}
}

// sealedKey is the outer form of a private key in a keystore.
type sealedKey struct {
	Algorithm struct {
		ID         asn1.ObjectIdentifier
		Parameters asn1.RawValue `asn1:"optional"`
	}
	Data []byte
}

// Open gives the private key in PKCS#8. The keystore's own cipher is used: a stream of SHA-1 over password and what went before.
func (k *PrivateKey) Open(password string) ([]byte, error) {
	var sealed sealedKey
	if rest, err := asn1.Unmarshal(k.sealed, &sealed); err != nil || len(rest) != 0 {
		return nil, fmt.Errorf("%w: the private key %q", ErrForm, k.Alias)
	}
	if own := (asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 42, 2, 17, 1, 1}); !sealed.Algorithm.ID.Equal(own) {
		return nil, fmt.Errorf("%w: the private key %q is sealed with algorithm %v", ErrForm, k.Alias, sealed.Algorithm.ID)
	}
	n := len(sealed.Data) - 2*sha1.Size
	if n < 1 {
		return nil, fmt.Errorf("%w: the private key %q is too short", ErrForm, k.Alias)
	}
	pass := utf16Bytes(password)
	plain := make([]byte, n)
	state := sealed.Data[:sha1.Size] // the salt, then each digest
	for i := 0; i < n; i += sha1.Size {
		digest := sha1.Sum(append(bytes.Clone(pass), state...))
		subtle.XORBytes(plain[i:], sealed.Data[sha1.Size+i:sha1.Size+n], digest[:])
		state = digest[:]
	}
	if check := sha1.Sum(append(bytes.Clone(pass), plain...)); subtle.ConstantTimeCompare(check[:], sealed.Data[sha1.Size+n:]) != 1 {
		return nil, fmt.Errorf("%w: the private key %q", ErrKey, k.Alias)
	}
	return plain, nil
}

// utf16Bytes gives text as big-endian UTF-16.
func utf16Bytes(s string) []byte {
	var b []byte
	for _, u := range utf16.Encode([]rune(s)) {
		b = binary.BigEndian.AppendUint16(b, u)
	}
	return b
}
