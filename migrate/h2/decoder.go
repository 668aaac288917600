package h2

import (
	"encoding/binary"
	"fmt"
	"unicode/utf16"
	"unicode/utf8"
)

// decoder reads the primitive encodings of an expanded page. The first error sticks: afterwards every read gives zero values, so
// that callers check err once per value or page.
type decoder struct {
	buf []byte
	pos int
	// base is the file offset of buf[0]; fixed says that buf was compressed, so that base alone is reported.
	base  int64
	fixed bool
	err   error
}

// offset is the file position that an error at the current position names.
func (d *decoder) offset() int64 {
	if d.fixed {
		return d.base
	}
	return d.base + int64(d.pos)
}

func (d *decoder) fail(format string, args ...any) {
	if d.err != nil {
		return
	}
	what := fmt.Sprintf(format, args...)
	if d.fixed {
		what = fmt.Sprintf("%s (byte %d of the expanded page)", what, d.pos)
	}
	d.err = &DamageError{Offset: d.offset(), What: what}
}

// reject records an error that is not damage.
func (d *decoder) reject(err error) {
	if d.err == nil {
		d.err = err
	}
}

func (d *decoder) remaining() int { return len(d.buf) - d.pos }

// bytes gives the next n bytes without copying them.
func (d *decoder) bytes(n int) []byte {
	if d.err != nil {
		return nil
	}
	if n < 0 || n > d.remaining() {
		d.fail("%d bytes wanted, %d left", n, d.remaining())
		return nil
	}
	b := d.buf[d.pos : d.pos+n : d.pos+n]
	d.pos += n
	return b
}

func (d *decoder) byte() byte {
	if d.err != nil || d.pos >= len(d.buf) {
		d.fail("the page ends too early")
		return 0
	}
	d.pos++
	return d.buf[d.pos-1]
}

func (d *decoder) uint16() uint16 {
	if b := d.bytes(2); b != nil {
		return binary.BigEndian.Uint16(b)
	}
	return 0
}

func (d *decoder) uint32() uint32 {
	if b := d.bytes(4); b != nil {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}

func (d *decoder) uint64() uint64 {
	if b := d.bytes(8); b != nil {
		return binary.BigEndian.Uint64(b)
	}
	return 0
}

// varint reads a 32-bit number in groups of 7 bits, least significant first. Negative numbers take five bytes.
func (d *decoder) varint() int32 {
	v := d.group(5)
	if v>>32 != 0 {
		d.fail("a number has more than 32 bits")
		return 0
	}
	return int32(uint32(v))
}

// varlong reads a 64-bit number in groups of 7 bits.
func (d *decoder) varlong() int64 { return int64(d.group(10)) }

func (d *decoder) group(max int) uint64 {
	var v uint64
	for i := range max {
		b := d.byte()
		if d.err != nil {
			return 0
		}
		if i == 9 && b > 1 {
			break
		}
		v |= uint64(b&0x7f) << (7 * i)
		if b < 0x80 {
			return v
		}
	}
	d.fail("a number does not end")
	return 0
}

// count reads a varint that says how many items of at least size bytes follow.
func (d *decoder) count(size int) int {
	n := int(d.varint())
	if d.err == nil && (n < 0 || n > d.remaining()/size) {
		d.fail("%d items cannot be in %d bytes", n, d.remaining())
		return 0
	}
	return n
}

// text reads a string of n UTF-16 units, each coded like a UTF-8 character of at most three bytes, except that the bytes after the
// first lack their top bit. Surrogate pairs become the character they mean; a lone surrogate, which UTF-8 cannot express, becomes
// U+FFFD.
func (d *decoder) text(n int) string {
	if d.err != nil {
		return ""
	}
	if n < 0 || n > d.remaining() {
		d.fail("a text of %d characters cannot be in %d bytes", n, d.remaining())
		return ""
	}
	if plain := d.buf[d.pos : d.pos+n]; isASCII(plain) {
		d.pos += n
		return string(plain)
	}
	out := make([]byte, 0, n+n/2)
	var high rune // a surrogate that waits for its second half
	for range n {
		unit := d.unit()
		if d.err != nil {
			return ""
		}
		if high != 0 {
			pair := utf16.DecodeRune(high, unit)
			high = 0
			out = utf8.AppendRune(out, pair)
			if pair != utf8.RuneError {
				continue
			}
		}
		if unit >= 0xd800 && unit < 0xdc00 {
			high = unit
			continue
		}
		out = utf8.AppendRune(out, unit) // a lone low surrogate becomes U+FFFD here
	}
	if high != 0 {
		out = utf8.AppendRune(out, utf8.RuneError)
	}
	return string(out)
}

// unit reads one UTF-16 unit.
func (d *decoder) unit() rune {
	b := d.byte()
	switch {
	case b < 0x80:
		return rune(b)
	case b >= 0xf0 || b < 0xc0:
		d.pos--
		d.fail("a text has byte 0x%02x where a character begins", b)
		return 0
	case b >= 0xe0:
		return d.shortest(rune(b&0x0f)<<12|d.tail()<<6|d.tail(), 0x800)
	}
	return d.shortest(rune(b&0x1f)<<6|d.tail(), 0x80)
}

// shortest refuses a character in more bytes than it needs, which H2 never writes.
func (d *decoder) shortest(unit, least rune) rune {
	if d.err == nil && unit < least {
		d.fail("character %d is coded in too many bytes", unit)
	}
	return unit
}

func (d *decoder) tail() rune {
	b := d.byte()
	if d.err == nil && b >= 0x40 {
		d.pos--
		d.fail("a text has byte 0x%02x inside a character", b)
	}
	return rune(b & 0x3f)
}

func isASCII(b []byte) bool {
	for _, c := range b {
		if c >= 0x80 {
			return false
		}
	}
	return true
}

// string reads a text that its length precedes.
func (d *decoder) string() string { return d.text(int(d.varint())) }
