package h2

import (
	"bytes"
	"compress/zlib"
	"fmt"
	"io"
)

// pagePos is H2's address of a page: chunk id, offset inside the chunk, a code for its length, and whether it is a node. 0 means
// that there is no page.
type pagePos uint64

func (p pagePos) chunk() uint32 { return uint32(p >> 38) }
func (p pagePos) offset() int64 { return int64(p >> 6 & 0xffffffff) }
func (p pagePos) isNode() bool  { return p&1 != 0 }

// maxLen is the longest that the page can be, in bytes, or 0 when the code only says that it is very long.
func (p pagePos) maxLen() int64 {
	code := uint(p >> 1 & 31)
	if code == 31 {
		return 0
	}
	return int64(2+code&1) << (code>>1 + 4)
}

// Bits of a page's type byte.
const (
	pageNode       = 1
	pageCompressed = 2
	pageDeflate    = 4 // together with pageCompressed; without it the page is LZF
)

// page is a parsed page header with the expanded keys, and values for a leaf.
type page struct {
	pos      pagePos
	offset   int64 // in the file
	mapID    uint32
	keys     int
	children []pagePos
	counts   []int64 // entries below each child
	body     decoder // at the first key
}

func (p *page) leaf() bool { return !p.pos.isNode() }

// total is the number of entries in and below the page.
func (p *page) total() int64 {
	if p.leaf() {
		return int64(p.keys)
	}
	var n int64
	for _, c := range p.counts {
		n += c
	}
	return n
}

// anyMap tells readPage not to compare the page's map; real ids have 31 bits.
const anyMap = 1<<32 - 1

// readPage reads the page at pos, which must belong to the map.
func (s *store) readPage(pos pagePos, mapID uint32) (*page, error) {
	c, err := s.chunk(pos.chunk())
	if err != nil {
		return nil, err
	}
	offset := c.offset() + pos.offset()
	raw, err := s.pageBytes(pos, c, offset)
	if err != nil {
		return nil, err
	}
	p := &page{pos: pos, offset: offset}
	d := decoder{buf: raw, base: offset}
	length := d.uint32()
	check := uint32(d.uint16())
	if want := checkValue(pos.chunk()) ^ checkValue(uint32(pos.offset())) ^ checkValue(length); check != want&0xffff {
		return nil, damaged(offset, "page of chunk %d has check value %04x, want %04x", pos.chunk(), check, want&0xffff)
	}
	d.varint() // the page's number inside the chunk
	p.mapID = uint32(d.varint())
	if d.err == nil && mapID != anyMap && p.mapID != mapID {
		d.fail("page belongs to map %x, not %x", p.mapID, mapID)
	}
	p.keys = d.count(1)
	kind := d.byte()
	if d.err == nil && (kind&pageNode != 0) != pos.isNode() || kind > pageNode|pageCompressed|pageDeflate {
		d.fail("page has type %d", kind)
	}
	if !p.leaf() {
		p.readChildren(&d)
	}
	if d.err != nil {
		return nil, d.err
	}
	p.body = d
	if kind&pageCompressed != 0 {
		return p, p.expand(kind&pageDeflate != 0, s.opts.MaxValue)
	}
	return p, nil
}

// pageBytes reads the raw page, whose length must fit the position's code and the chunk.
func (s *store) pageBytes(pos pagePos, c *chunk, offset int64) ([]byte, error) {
	room := min(c.end()-chunkFooter, s.size) - offset
	first := min(room, max(pos.maxLen(), 16)) // 16: enough to learn the length
	if first < 8 {
		return nil, damaged(offset, "page of chunk %d would begin %d bytes before its end", c.id, room)
	}
	raw := make([]byte, first)
	if err := s.readAt(raw, offset); err != nil {
		return nil, err
	}
	d := decoder{buf: raw}
	length := int64(d.uint32())
	switch {
	case length < 8 || length > room:
		return nil, damaged(offset, "page has length %d, the chunk has %d left", length, room)
	case length <= first:
		return raw[:length], nil
	case pos.maxLen() != 0:
		return nil, damaged(offset, "page has length %d, its address allows %d", length, pos.maxLen())
	}
	whole := make([]byte, length)
	copy(whole, raw)
	return whole, s.readAt(whole[first:], offset+first)
}

func checkValue(x uint32) uint32 { return x>>16 ^ x }

// readChildren reads the addresses and entry counts of a node's children.
func (p *page) readChildren(d *decoder) {
	if p.keys >= d.remaining()/9 {
		d.fail("%d children cannot be in %d bytes", p.keys+1, d.remaining())
		return
	}
	p.children = make([]pagePos, p.keys+1)
	p.counts = make([]int64, p.keys+1)
	for i := range p.children {
		p.children[i] = pagePos(d.uint64())
	}
	var total int64
	for i := range p.counts {
		n := d.varlong()
		if n < 0 || p.children[i] == 0 && n != 0 || total+n < total {
			d.fail("child %d counts %d entries", i, n)
			return
		}
		p.counts[i], total = n, total+n
	}
}

// expand replaces the compressed body.
func (p *page) expand(deflate bool, limit int64) error {
	more := p.body.varint()
	if p.body.err != nil {
		return p.body.err
	}
	packed := p.body.buf[p.body.pos:]
	size := int64(len(packed)) + int64(more)
	// No stream of either kind grows by more than a factor of about a thousand.
	if more <= 0 || size > int64(len(packed))*1100+1024 {
		return damaged(p.offset, "compressed page would expand from %d to %d bytes", len(packed), size)
	}
	if size > limit {
		return fmt.Errorf("%w: page at offset %d expands to %d bytes", ErrTooLarge, p.offset, size)
	}
	var out []byte
	var err error
	if deflate {
		out, err = inflate(packed, int(size))
	} else {
		out, err = expandLZF(packed, int(size))
	}
	if err != nil {
		return damaged(p.offset, "compressed page: %v", err)
	}
	p.body = decoder{buf: out, base: p.offset, fixed: true}
	return nil
}

// inflate expands a zlib stream to exactly size bytes.
func inflate(packed []byte, size int) ([]byte, error) {
	r, err := zlib.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, err
	}
	out := make([]byte, size)
	if _, err := io.ReadFull(r, out); err != nil {
		return nil, err
	}
	if n, err := r.Read(make([]byte, 1)); n != 0 || err != io.EOF {
		return nil, fmt.Errorf("more than %d bytes, or no proper end: %v", size, err)
	}
	return out, nil
}

// expandLZF expands LZF data to exactly size bytes. A control byte below 32 says how many literal bytes less one follow; any other
// holds length and distance of an earlier piece.
func expandLZF(packed []byte, size int) ([]byte, error) {
	out := make([]byte, 0, size)
	for i := 0; i < len(packed); {
		ctrl := int(packed[i])
		i++
		if ctrl < 32 {
			if ctrl+1 > len(packed)-i || ctrl+1 > size-len(out) {
				return nil, fmt.Errorf("literal run of %d bytes at byte %d", ctrl+1, i)
			}
			out = append(out, packed[i:i+ctrl+1]...)
			i += ctrl + 1
			continue
		}
		n := ctrl >> 5
		if n == 7 && i < len(packed) {
			n += int(packed[i])
			i++
		}
		n += 2
		if i >= len(packed) {
			return nil, fmt.Errorf("ends inside a back reference")
		}
		from := len(out) - (ctrl&31<<8 | int(packed[i])) - 1
		i++
		if from < 0 || n > size-len(out) {
			return nil, fmt.Errorf("back reference of %d bytes to %d at byte %d", n, from, i)
		}
		for ; n > 0; n-- { // piece may overlap what it produces
			out = append(out, out[from])
			from++
		}
	}
	if len(out) != size {
		return nil, fmt.Errorf("expands to %d bytes, want %d", len(out), size)
	}
	return out, nil
}
