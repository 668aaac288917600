package h2

import (
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"math/bits"
	"time"
	"unicode/utf8"
)

// Tags that stand before values in a row. Small values are part of the tag itself.
const (
	tagNull        = 0
	tagTinyint     = 2
	tagSmallint    = 3
	tagInteger     = 4
	tagBigint      = 5
	tagNumeric     = 6
	tagDouble      = 7
	tagReal        = 8
	tagTime        = 9
	tagDate        = 10
	tagTimestamp   = 11
	tagVarbinary   = 12
	tagVarchar     = 13
	tagIgnoreCase  = 14
	tagBlob        = 15
	tagClob        = 16
	tagArray       = 17
	tagJavaObject  = 19
	tagUUID        = 20
	tagChar        = 21
	tagEnum        = 25
	tagInt0        = 32 // to 47: integer 0 to 15
	tagBigint0     = 48 // to 55: bigint 0 to 7
	tagNumeric0    = 56
	tagNumeric1    = 57
	tagNumericLong = 58
	tagNumericFrac = 59
	tagDouble0     = 60
	tagDouble1     = 61
	tagReal0       = 62
	tagReal1       = 63
	tagFalse       = 64
	tagTrue        = 65
	tagIntNeg      = 66
	tagBigintNeg   = 67
	tagVarchar0    = 68  // to 99: text of 0 to 31 units
	tagVarbinary0  = 100 // to 131: 0 to 31 bytes
	tagJSON        = 134
	tagTimestampTZ = 135
	tagBinary      = 137
	tagDecfloat    = 138
)

const (
	maxArrayDepth    = 8
	maxNumericBytes  = 1 << 16 // H2 allows 100,000 digits
	daySeconds       = 24 * 60 * 60
	maxOffsetSeconds = 18 * 60 * 60
)

// value reads one value of the column. lobs resolves large objects that lie outside of the row.
func (d *decoder) value(c *Column, lobs *lobStore) any {
	v := d.tagged(c, lobs, 0)
	if d.err == nil {
		if wrong := c.check(v); wrong != "" {
			d.fail("column %s: %s", c.Name, wrong)
		}
	}
	return v
}

// tagged reads a tag and its value.
func (d *decoder) tagged(c *Column, lobs *lobStore, depth int) any {
	tag := d.byte()
	switch tag {
	case tagNull:
		return nil
	case tagFalse, tagTrue:
		return tag == tagTrue
	case tagNumeric, tagNumeric0, tagNumeric1, tagNumericLong, tagNumericFrac, tagDecfloat:
		return d.decimal(tag)
	case tagDouble, tagReal, tagDouble0, tagDouble1, tagReal0, tagReal1:
		return d.float(tag)
	case tagTime, tagDate, tagTimestamp, tagTimestampTZ:
		return d.time(tag)
	case tagVarbinary, tagBinary, tagJavaObject:
		return d.copied(int(d.varint()), lobs.limit)
	case tagVarchar, tagIgnoreCase, tagChar:
		return d.limitedText(int(d.varint()), lobs.limit)
	case tagJSON:
		return json.RawMessage(d.utf8(int(d.varint()), lobs.limit))
	case tagBlob, tagClob:
		return d.lob(tag, lobs)
	case tagArray:
		return d.array(c, lobs, depth)
	case tagUUID:
		return UUID(d.fixed16())
	case tagEnum:
		return d.label(c, d.varint())
	}
	return d.small(tag, c)
}

// small reads whole numbers, short texts and short bytes.
func (d *decoder) small(tag byte, c *Column) any {
	switch {
	case tag == tagTinyint:
		return int64(int8(d.byte()))
	case tag == tagSmallint:
		return int64(int16(d.uint16()))
	case tag == tagInteger:
		return int64(d.varint())
	case tag == tagBigint:
		return d.varlong()
	case tag == tagIntNeg:
		return int64(-d.varint())
	case tag == tagBigintNeg:
		return -d.varlong()
	case tag >= tagInt0 && tag < tagInt0+16 && c.kind == kindEnum:
		return d.label(c, int32(tag-tagInt0))
	case tag >= tagInt0 && tag < tagInt0+16:
		return int64(tag - tagInt0)
	case tag >= tagBigint0 && tag < tagBigint0+8:
		return int64(tag - tagBigint0)
	case tag >= tagVarchar0 && tag < tagVarchar0+32:
		return d.text(int(tag - tagVarchar0))
	case tag >= tagVarbinary0 && tag < tagVarbinary0+32:
		return d.copied(int(tag-tagVarbinary0), 32)
	}
	d.pos--
	if unsupportedTag(tag) {
		d.reject(fmt.Errorf("%w: column %s of type %s at offset %d", ErrUnsupported, c.Name, c.Type, d.offset()))
	}
	d.fail("value of unknown type %d in column %s", tag, c.Name)
	return nil
}

// unsupportedTag reports tags of types that Nexus has no use for: geometry, old timestamps, interval, row, time with zone.
func unsupportedTag(tag byte) bool {
	return tag == 22 || tag == 24 || tag == 26 || tag == 27 || tag == 136
}

// limited takes n bytes without copying, if that is not more than allowed.
func (d *decoder) limited(n int, limit int64) []byte {
	if int64(n) > limit && n <= d.remaining() {
		d.reject(fmt.Errorf("%w: %d bytes at offset %d", ErrTooLarge, n, d.offset()))
	}
	return d.bytes(n)
}

func (d *decoder) copied(n int, limit int64) []byte {
	return append([]byte{}, d.limited(n, limit)...)
}

func (d *decoder) utf8(n int, limit int64) []byte {
	b := d.copied(n, limit)
	if !utf8.Valid(b) {
		d.fail("%d bytes before here are not UTF-8", n)
	}
	return b
}

func (d *decoder) limitedText(n int, limit int64) string {
	if int64(n) > limit && n <= d.remaining() {
		d.reject(fmt.Errorf("%w: text of %d characters at offset %d", ErrTooLarge, n, d.offset()))
	}
	return d.text(n)
}

func (d *decoder) fixed16() (b [16]byte) {
	copy(b[:], d.bytes(16))
	return b
}

// label gives the text of an enumeration's value, which is stored as its number from 1 on.
func (d *decoder) label(c *Column, ordinal int32) string {
	if d.err == nil && (ordinal < 1 || int(ordinal) > len(c.labels)) {
		d.fail("column %s has no label %d", c.Name, ordinal)
	}
	if d.err != nil {
		return ""
	}
	return c.labels[ordinal-1]
}

func (d *decoder) array(c *Column, lobs *lobStore, depth int) []any {
	n := d.count(1)
	if depth == maxArrayDepth {
		d.fail("arrays are nested more than %d deep", maxArrayDepth)
	}
	if d.err != nil {
		return nil
	}
	values := make([]any, n)
	for i := range values {
		values[i] = d.tagged(c, lobs, depth+1)
	}
	return values
}

func (d *decoder) decimal(tag byte) Decimal {
	switch tag {
	case tagNumeric0, tagNumeric1:
		return Decimal{Unscaled: big.NewInt(int64(tag - tagNumeric0))}
	case tagNumericLong:
		return Decimal{Unscaled: big.NewInt(d.varlong())}
	}
	scale := d.varint()
	if tag == tagNumericFrac {
		return Decimal{Unscaled: big.NewInt(d.varlong()), Scale: scale}
	}
	n := int(d.varint())
	if tag == tagDecfloat && n < 0 && n >= -3 {
		d.reject(fmt.Errorf("%w: infinity or no number at offset %d", ErrUnsupported, d.offset()))
	}
	if n == 0 || n > maxNumericBytes {
		d.fail("a number of %d bytes", n)
	}
	return Decimal{Unscaled: twosComplement(d.bytes(n)), Scale: scale}
}

// twosComplement reads a big-endian signed number.
func twosComplement(b []byte) *big.Int {
	v := new(big.Int).SetBytes(b)
	if len(b) > 0 && b[0] >= 0x80 {
		v.Sub(v, new(big.Int).Lsh(big.NewInt(1), uint(8*len(b))))
	}
	return v
}

// float reads a number whose bits are stored in reverse, so that round numbers are short.
func (d *decoder) float(tag byte) float64 {
	switch tag {
	case tagDouble:
		return math.Float64frombits(bits.Reverse64(uint64(d.varlong())))
	case tagReal:
		return float64(math.Float32frombits(bits.Reverse32(uint32(d.varint()))))
	case tagDouble1, tagReal1:
		return 1
	}
	return 0
}

// time reads the types of date and time.
func (d *decoder) time(tag byte) any {
	var day time.Time
	if tag != tagTime {
		day = d.date()
	}
	if tag == tagDate {
		return day
	}
	ms, ns := d.varlong(), int64(d.varint())
	if d.err == nil && (ms < 0 || ms >= daySeconds*1000 || ns < 0 || ns >= int64(time.Millisecond)) {
		d.fail("a time of %d ms and %d ns", ms, ns)
	}
	clock := time.Duration(ms)*time.Millisecond + time.Duration(ns)
	switch tag {
	case tagTime:
		return clock
	case tagTimestamp:
		return day.Add(clock)
	}
	offset := d.zone()
	return atOffset(day.Add(clock-time.Duration(offset)*time.Second), offset)
}

// atOffset shows an instant in an offset from UTC in seconds.
func atOffset(t time.Time, offset int) time.Time {
	if offset == 0 {
		return t.UTC()
	}
	return t.In(time.FixedZone("", offset))
}

// date reads a day: year times 512, month times 32 and day of month.
func (d *decoder) date() time.Time {
	v := d.varlong()
	year, month, day := v>>9, v>>5&15, v&31
	t := time.Date(int(year), time.Month(month), int(day), 0, 0, 0, 0, time.UTC)
	if d.err == nil && (year < -1e9 || year > 1e9 || month < 1 || month > 12 || day < 1 || t.Day() != int(day)) {
		d.fail("a date of year %d, month %d, day %d", year, month, day)
	}
	return t
}

// zone reads an offset from UTC in seconds.
func (d *decoder) zone() int {
	quarters := int8(d.byte())
	offset := int(quarters) * 15 * 60
	switch quarters {
	case math.MaxInt8:
		offset = int(d.varint())
	case math.MinInt8:
		offset = -int(d.varint())
	}
	if d.err == nil && (offset < -maxOffsetSeconds || offset > maxOffsetSeconds) {
		d.fail("an offset of %d seconds", offset)
	}
	return offset
}
