package catalog

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"entrepot/storage/blob"
)

// recordFormat is the first byte of every record. A record with another first byte was written by a newer program.
const recordFormat = 1

// pointerFormat is the first byte of a row that hangs an asset at a browse path; the asset's path follows.
const pointerFormat = 2

// Flags say which optional fields follow in an asset's record.
const (
	hasPath uint64 = 1 << iota
	hasBrowse
	hasKind
	hasComponent
	hasContentType
	hasSHA1
	hasSHA256
	hasMD5
	hasSHA512
	hasCreated
	hasBlobCreated
	hasBlobUpdated
	hasLastDownloaded
	hasUploader
	hasUploaderIP
	hasFormat
	hasUpstream
	hasUpdated // else it is BlobUpdated
	hasOrigin
	allFlags = hasOrigin<<1 - 1
)

var errRecord = errors.New("catalog: damaged record")

// digestSet lists the digests of an asset in the order of the record: name, index letter, raw length, flag.
var digestSet = [...]digestKind{
	{"sha1", '1', 20, hasSHA1, func(d *blob.Digests) *string { return &d.SHA1 }},
	{"sha256", '2', 32, hasSHA256, func(d *blob.Digests) *string { return &d.SHA256 }},
	{"md5", 'm', 16, hasMD5, func(d *blob.Digests) *string { return &d.MD5 }},
	{"sha512", '5', 64, hasSHA512, func(d *blob.Digests) *string { return &d.SHA512 }},
}

type digestKind struct {
	name   string
	letter byte
	size   int
	flag   uint64
	field  func(*blob.Digests) *string
}

// encodeAsset writes everything but the version. The path is written only when the row's key does not hold it.
func encodeAsset(a *Asset, withPath bool) ([]byte, error) {
	flags := assetFlags(a, withPath)
	b := make([]byte, 0, 256+len(a.Browse))
	b = append(b, recordFormat)
	b = binary.AppendUvarint(b, flags)
	b = append(b, a.Blob.Hash[:]...)
	b = appendString(b, a.Blob.Store)
	b = binary.AppendUvarint(b, uint64(a.Size))
	b = binary.BigEndian.AppendUint64(b, a.ID)
	b = appendTimes(b, a)
	for _, f := range []struct {
		flag  uint64
		value string
	}{
		{hasPath, a.Path}, {hasBrowse, a.Browse}, {hasKind, a.Kind}, {hasContentType, a.ContentType},
		{hasUploader, a.Uploader}, {hasUploaderIP, a.UploaderIP}, {hasOrigin, a.Origin},
	} {
		if flags&f.flag != 0 {
			b = appendString(b, f.value)
		}
	}
	if c := a.Component; c != nil {
		b = appendString(appendString(appendString(b, c.Group), c.Name), c.Version)
	}
	for _, d := range digestSet {
		if flags&d.flag == 0 {
			continue
		}
		raw, err := rawDigest(&d, *d.field(&a.Digests))
		if err != nil {
			return nil, err
		}
		b = append(b, raw...)
	}
	if flags&hasFormat != 0 {
		b = appendMap(b, a.Format)
	}
	if u := a.Upstream; u != nil {
		b = appendString(appendString(b, u.ETag), u.Token)
		b = appendTime(appendTime(b, u.LastModified), u.Verified)
	}
	return b, nil
}

func assetFlags(a *Asset, withPath bool) uint64 {
	var flags uint64
	set := func(flag uint64, is bool) {
		if is {
			flags |= flag
		}
	}
	set(hasPath, withPath)
	set(hasBrowse, a.Browse != "")
	set(hasKind, a.Kind != "")
	set(hasComponent, a.Component != nil)
	set(hasContentType, a.ContentType != "")
	for _, d := range digestSet {
		set(d.flag, *d.field(&a.Digests) != "")
	}
	set(hasCreated, !a.Created.IsZero())
	set(hasBlobCreated, !a.BlobCreated.IsZero())
	set(hasBlobUpdated, !a.BlobUpdated.IsZero())
	set(hasLastDownloaded, !a.LastDownloaded.IsZero())
	set(hasUploader, a.Uploader != "")
	set(hasUploaderIP, a.UploaderIP != "")
	set(hasFormat, len(a.Format) > 0)
	set(hasUpstream, a.Upstream != nil)
	set(hasOrigin, a.Origin != "")
	set(hasUpdated, !a.Updated.IsZero() && !a.Updated.Equal(a.BlobUpdated))
	return flags
}

// appendTimes writes the times that are set, each as the difference to the one before it.
func appendTimes(b []byte, a *Asset) []byte {
	base := int64(0)
	for _, t := range []time.Time{a.Created, a.BlobCreated, a.BlobUpdated, a.LastDownloaded} {
		if !t.IsZero() {
			b = binary.AppendVarint(b, t.UnixMilli()-base)
			base = t.UnixMilli()
		}
	}
	if !a.Updated.IsZero() && !a.Updated.Equal(a.BlobUpdated) {
		b = binary.AppendVarint(b, a.Updated.UnixMilli()-base)
	}
	return b
}

func appendString(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// appendTime writes a time that may be zero.
func appendTime(b []byte, t time.Time) []byte {
	if t.IsZero() {
		return append(b, 0)
	}
	return binary.AppendVarint(append(b, 1), t.UnixMilli())
}

func appendMap(b []byte, m map[string]string) []byte {
	b = binary.AppendUvarint(b, uint64(len(m)))
	for _, k := range slices.Sorted(maps.Keys(m)) {
		b = appendString(appendString(b, k), m[k])
	}
	return b
}

func rawDigest(d *digestKind, text string) (string, error) {
	raw, err := hex.DecodeString(text)
	if err != nil || len(raw) != d.size {
		return "", fmt.Errorf("%w: %s %q", ErrInvalid, d.name, text)
	}
	return string(raw), nil
}

// decodeAsset reads a record. Strings of the asset share the record's memory. The path is left to the caller unless the record
// holds it.
func decodeAsset(record string) (*Asset, error) {
	r := reader{rest: record}
	if f := r.byte(); f != recordFormat {
		return nil, fmt.Errorf("%w: format %d", errRecord, f)
	}
	a := new(Asset)
	flags := r.uvarint()
	if flags&^allFlags != 0 {
		return nil, fmt.Errorf("%w: flags %x", errRecord, flags)
	}
	copy(a.Blob.Hash[:], r.take(blob.HashSize))
	a.Blob.Store = r.string()
	a.Size = int64(r.uvarint())
	a.ID = r.uint64()
	r.times(a, flags)
	a.Path = r.stringIf(flags & hasPath)
	a.Browse = r.stringIf(flags & hasBrowse)
	a.Kind = r.stringIf(flags & hasKind)
	a.ContentType = r.stringIf(flags & hasContentType)
	a.Uploader = r.stringIf(flags & hasUploader)
	a.UploaderIP = r.stringIf(flags & hasUploaderIP)
	a.Origin = r.stringIf(flags & hasOrigin)
	if flags&hasComponent != 0 {
		a.Component = &Coordinates{Group: r.string(), Name: r.string(), Version: r.string()}
	}
	r.digests(&a.Digests, flags)
	if flags&hasFormat != 0 {
		a.Format = r.stringMap()
	}
	if flags&hasUpstream != 0 {
		a.Upstream = &Upstream{ETag: r.string(), Token: r.string(), LastModified: r.time(), Verified: r.time()}
	}
	if r.bad || r.rest != "" || a.Size < 0 {
		return nil, fmt.Errorf("%w: asset of %d bytes", errRecord, len(record))
	}
	return a, nil
}

// encodeComponent writes everything but the record's version.
func encodeComponent(c *Component) []byte {
	b := make([]byte, 0, 96)
	b = append(b, recordFormat)
	b = appendString(appendString(appendString(b, c.Group), c.Name), c.Version)
	b = appendString(b, c.Kind)
	b = appendTime(appendTime(b, c.Created), c.Updated)
	b = binary.BigEndian.AppendUint64(b, c.ID)
	return appendMap(b, c.Attributes)
}

func decodeComponent(record string) (*Component, error) {
	r := reader{rest: record}
	if f := r.byte(); f != recordFormat {
		return nil, fmt.Errorf("%w: format %d", errRecord, f)
	}
	c := new(Component)
	c.Group, c.Name, c.Version, c.Kind = r.string(), r.string(), r.string(), r.string()
	c.Created, c.Updated = r.time(), r.time()
	c.ID = r.uint64()
	c.Attributes = r.stringMap()
	if r.bad || r.rest != "" {
		return nil, fmt.Errorf("%w: component of %d bytes", errRecord, len(record))
	}
	return c, nil
}

// reader takes a record apart. After the first fault every read gives a zero value and bad is set.
type reader struct {
	rest string
	bad  bool
}

func (r *reader) take(n int) string {
	if r.bad || n < 0 || n > len(r.rest) {
		r.bad = true
		return ""
	}
	s := r.rest[:n]
	r.rest = r.rest[n:]
	return s
}

func (r *reader) byte() byte {
	if s := r.take(1); s != "" {
		return s[0]
	}
	return 0
}

func (r *reader) uint64() uint64 {
	s := r.take(8)
	if r.bad {
		return 0
	}
	n := uint64(0)
	for i := range 8 {
		n = n<<8 | uint64(s[i])
	}
	return n
}

func (r *reader) uvarint() uint64 {
	n := uint64(0)
	for shift := 0; shift < 64; shift += 7 {
		c := r.byte()
		n |= uint64(c&0x7f) << shift
		if c < 0x80 {
			if shift == 63 && c > 1 {
				r.bad = true
			}
			return n
		}
	}
	r.bad = true
	return 0
}

func (r *reader) varint() int64 {
	n := r.uvarint()
	return int64(n>>1) ^ -int64(n&1)
}

func (r *reader) string() string {
	n := r.uvarint()
	if n > math.MaxInt32 {
		r.bad = true
		return ""
	}
	return r.take(int(n))
}

func (r *reader) stringIf(present uint64) string {
	if present == 0 {
		return ""
	}
	return r.string()
}

func (r *reader) time() time.Time {
	if r.byte() == 0 {
		return time.Time{}
	}
	return time.UnixMilli(r.varint()).UTC()
}

func (r *reader) times(a *Asset, flags uint64) {
	base := int64(0)
	for _, f := range [...]struct {
		flag uint64
		to   *time.Time
	}{
		{hasCreated, &a.Created}, {hasBlobCreated, &a.BlobCreated},
		{hasBlobUpdated, &a.BlobUpdated}, {hasLastDownloaded, &a.LastDownloaded}, {hasUpdated, &a.Updated},
	} {
		if flags&f.flag != 0 {
			base += r.varint()
			*f.to = time.UnixMilli(base).UTC()
		}
	}
	if flags&hasUpdated == 0 {
		a.Updated = a.BlobUpdated
	}
}

// digests reads the raw digests and gives their hex, which shares one string.
func (r *reader) digests(to *blob.Digests, flags uint64) {
	total := 0
	for i := range digestSet {
		if flags&digestSet[i].flag != 0 {
			total += digestSet[i].size
		}
	}
	raw := r.take(total)
	if r.bad || total == 0 {
		return
	}
	const digits = "0123456789abcdef"
	var b strings.Builder
	b.Grow(2 * total)
	for i := range total {
		b.WriteByte(digits[raw[i]>>4])
		b.WriteByte(digits[raw[i]&15])
	}
	text := b.String()
	for i := range digestSet {
		if flags&digestSet[i].flag != 0 {
			*digestSet[i].field(to) = text[:2*digestSet[i].size]
			text = text[2*digestSet[i].size:]
		}
	}
}

func (r *reader) stringMap() map[string]string {
	n := r.uvarint()
	if n == 0 || n > uint64(len(r.rest)/2) { // a pair takes two bytes at least
		r.bad = r.bad || n != 0
		return nil
	}
	m := make(map[string]string, n)
	for range n {
		k := r.string()
		m[k] = r.string()
	}
	return m
}
