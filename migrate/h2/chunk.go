package h2

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
)

const (
	blockSize    = 4096
	headerBlocks = 2    // the file header fills two blocks, one copy each
	chunkHeader  = 1024 // longest chunk header in bytes
	chunkFooter  = 128  // length of a chunk footer in bytes
	maxChunkID   = 1<<26 - 1
)

// chunk is one consistent write of H2: a run of blocks with pages, between a header and a checksummed footer.
type chunk struct {
	id      uint32
	block   int64 // position in the file, in blocks
	len     int64 // in blocks
	version int64
	root    pagePos // of the layout map; known from the chunk's own header only
	next    int64   // block where H2 expected to write the following chunk; 0 when unknown
	time    int64   // milliseconds since the store was created
	live    bool    // some of its pages are still in use
}

func (c *chunk) offset() int64 { return c.block * blockSize }
func (c *chunk) end() int64    { return (c.block + c.len) * blockSize }

// fields is one line of H2's "key:value,key:value" text.
type fields map[string]string

// parseFields splits the text. Values with special characters stand in double quotes with backslash escapes.
func parseFields(s string) (fields, error) {
	m := fields{}
	for len(s) > 0 {
		key, rest, ok := strings.Cut(s, ":")
		if !ok {
			return nil, fmt.Errorf("%q has no colon", clip(s))
		}
		value, rest, err := fieldValue(rest)
		if err != nil {
			return nil, err
		}
		if _, twice := m[key]; twice {
			return nil, fmt.Errorf("key %q stands twice", clip(key))
		}
		m[key], s = value, rest
	}
	return m, nil
}

// fieldValue takes one value off s and gives what follows its comma.
func fieldValue(s string) (value, rest string, err error) {
	var b strings.Builder
	quoted := false
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c == '"':
			quoted = !quoted
			continue
		case c == ',' && !quoted:
			return b.String(), s[i+1:], nil
		case c == '\\' && quoted:
			if i++; i == len(s) {
				return "", "", fmt.Errorf("%q ends inside an escape", clip(s))
			}
			c = s[i]
		}
		b.WriteByte(c)
	}
	if quoted {
		return "", "", fmt.Errorf("%q ends inside quotes", clip(s))
	}
	return b.String(), "", nil
}

// hex reads a hexadecimal number of at most bits bits; absent gives the default.
func (m fields) hex(key string, bits int, absent int64) (int64, error) {
	s, ok := m[key]
	if !ok {
		return absent, nil
	}
	v, err := strconv.ParseUint(s, 16, bits)
	if err != nil {
		return 0, fmt.Errorf("%s is %q, not a hexadecimal number of %d bits", key, clip(s), bits)
	}
	return int64(v), nil
}

// clip shortens text of unknown length for an error.
func clip(s string) string {
	if len(s) > 40 {
		return s[:40] + "…"
	}
	return s
}

// checkedFields parses a line whose last field, fletcher, is the checksum of what stands before it.
func checkedFields(block []byte) (fields, error) {
	line := bytes.Trim(block, "\x00 \n\r\t")
	i := bytes.LastIndex(line, []byte(",fletcher:"))
	if i < 0 {
		return nil, fmt.Errorf("no checksum")
	}
	sum, err := strconv.ParseUint(string(line[i+len(",fletcher:"):]), 16, 32)
	if err != nil {
		return nil, fmt.Errorf("checksum is no number")
	}
	if got := fletcher32(line[:i]); got != uint32(sum) {
		return nil, fmt.Errorf("checksum is %08x, content gives %08x", sum, got)
	}
	return parseFields(string(line[:i]))
}

// fletcher32 is the checksum of headers and footers: big-endian words of 16 bits, folded after every 360 of them.
func fletcher32(b []byte) uint32 {
	s1, s2 := uint32(0xffff), uint32(0xffff)
	fold := func() {
		s1 = s1&0xffff + s1>>16
		s2 = s2&0xffff + s2>>16
	}
	words := len(b) / 2
	for i := range words {
		s1 += uint32(b[2*i])<<8 | uint32(b[2*i+1])
		s2 += s1
		if (i+1)%360 == 0 || i == words-1 {
			fold()
		}
	}
	if len(b)%2 != 0 {
		s1 += uint32(b[len(b)-1]) << 8
		s2 += s1
	}
	fold()
	return s2<<16 | s1
}

// parseChunk reads the fields that a chunk header, a footer and a layout entry share; what one of them lacks stays zero.
func parseChunk(m fields) (*chunk, error) {
	c := &chunk{}
	var id, pages, livePages, root int64
	for _, f := range []struct {
		key    string
		bits   int
		absent int64
		to     *int64
	}{
		{"chunk", 26, -1, &id},
		{"block", 48, 0, &c.block},
		{"len", 31, 0, &c.len},
		{"version", 63, 0, &c.version},
		{"pages", 31, 0, &pages},
		{"livePages", 32, 0, &livePages},
		{"root", 64, 0, &root},
		{"next", 48, 0, &c.next},
		{"time", 63, 0, &c.time},
	} {
		v, err := m.hex(f.key, f.bits, f.absent)
		if err != nil {
			return nil, err
		}
		*f.to = v
	}
	if id < 0 || id > maxChunkID {
		return nil, fmt.Errorf("no chunk id")
	}
	c.id, c.root = uint32(id), pagePos(root)
	if _, counted := m["livePages"]; !counted {
		livePages = pages
	}
	c.live = int32(livePages) > 0 // H2 can miscount below zero when it is killed again and again
	return c, nil
}
