package javastream

import (
	"encoding/binary"
	"fmt"
	"math"
	"unicode/utf16"
)

// Tags of the stream.
const (
	tagNull       = 0x70
	tagReference  = 0x71
	tagClassDesc  = 0x72
	tagObject     = 0x73
	tagString     = 0x74
	tagArray      = 0x75
	tagBlock      = 0x77
	tagEnd        = 0x78
	tagBlockLong  = 0x7a
	tagLongString = 0x7c
	tagEnum       = 0x7e
)

// Flags of a class.
const (
	flagWriteMethod    = 0x01
	flagSerializable   = 0x02
	flagExternalizable = 0x04
	flagBlockData      = 0x08
)

const (
	magic      = 0xaced0005
	firstRef   = 0x7e0000
	maxDepth   = 64
	maxHandles = 1 << 20
)

// classDesc describes a class in the stream.
type classDesc struct {
	name   string
	flags  byte
	fields []field
	parent *classDesc
}

type field struct {
	kind byte // the type's first letter
	name string
}

// endOfBlock is what content gives for the tag that ends custom data.
type endOfBlock struct{}

// parser reads a stream. The first error sticks, and everything read after it is zero.
type parser struct {
	buf     []byte
	pos     int
	depth   int
	handles []any
	err     error
}

// Parse reads a stream with one value. Serialized classes, exceptions, proxies and resets are refused.
func Parse(data []byte) (any, error) {
	p := &parser{buf: data}
	if m := p.uint(4); m != magic {
		p.fail("not a stream of serialized objects")
	}
	v := p.content()
	if _, end := v.(endOfBlock); end {
		p.fail("an end without a beginning")
	}
	if p.err == nil && p.pos != len(p.buf) {
		p.fail("%d bytes after the object", len(p.buf)-p.pos)
	}
	if p.err != nil {
		return nil, p.err
	}
	return v, nil
}

func (p *parser) fail(format string, args ...any) {
	if p.err == nil {
		p.err = &Error{Offset: p.pos, What: fmt.Sprintf(format, args...)}
	}
}

func (p *parser) bytes(n int) []byte {
	if p.err != nil {
		return nil
	}
	if n < 0 || n > len(p.buf)-p.pos {
		p.fail("%d bytes wanted, %d left", n, len(p.buf)-p.pos)
		return nil
	}
	b := p.buf[p.pos : p.pos+n]
	p.pos += n
	return b
}

// uint reads a big-endian number of n bytes.
func (p *parser) uint(n int) uint64 {
	var buf [8]byte
	copy(buf[8-n:], p.bytes(n))
	return binary.BigEndian.Uint64(buf[:])
}

// count reads a number of items that take at least a byte each.
func (p *parser) count(n int) int {
	c := p.uint(n)
	if c > uint64(len(p.buf)-p.pos) {
		p.fail("%d items in %d bytes", c, len(p.buf)-p.pos)
		return 0
	}
	return int(c)
}

// enter and leave bound the recursion.
func (p *parser) enter() bool {
	if p.depth++; p.depth > maxDepth {
		p.fail("nested more than %d deep", maxDepth)
	}
	return p.err == nil
}

func (p *parser) leave() { p.depth-- }

// remember gives the next handle to a value and returns its index.
func (p *parser) remember(v any) int {
	if len(p.handles) == maxHandles {
		p.fail("more than %d objects", maxHandles)
		return 0
	}
	p.handles = append(p.handles, v)
	return len(p.handles) - 1
}

func (p *parser) reference() any {
	i := int64(p.uint(4)) - firstRef
	if i < 0 || i >= int64(len(p.handles)) {
		p.fail("reference %d to one of %d objects", i, len(p.handles))
		return nil
	}
	return p.handles[i]
}

// content reads anything that can stand in custom data or in a field of an object type.
func (p *parser) content() any {
	if !p.enter() {
		return nil
	}
	defer p.leave()
	switch tag := byte(p.uint(1)); {
	case p.err != nil:
		return nil
	case tag == tagNull:
		return nil
	case tag == tagReference:
		v := p.reference()
		if _, class := v.(*classDesc); class {
			p.fail("reference to a class where an object belongs")
		}
		return v
	case tag == tagString, tag == tagLongString:
		return p.stringObject(tag)
	case tag == tagObject:
		return p.object()
	case tag == tagArray:
		return p.array()
	case tag == tagEnum:
		return p.enum()
	case tag == tagBlock:
		return append([]byte{}, p.bytes(int(p.uint(1)))...)
	case tag == tagBlockLong:
		return append([]byte{}, p.bytes(p.count(4))...)
	case tag == tagEnd:
		return endOfBlock{}
	default:
		p.pos--
		p.fail("tag %02x is not read", tag)
		return nil
	}
}

func (p *parser) stringObject(tag byte) string {
	size := 2
	if tag == tagLongString {
		size = 8
	}
	s := p.utf(p.count(size))
	p.remember(s)
	return s
}

// utf reads n bytes of Java's variant of UTF-8, where NUL takes two bytes and surrogates stand for themselves.
func (p *parser) utf(n int) string {
	b := p.bytes(n)
	units := make([]uint16, 0, len(b))
	for i := 0; i < len(b); {
		c := b[i]
		size, value := 1, uint16(c)
		switch {
		case c >= 0xe0 && c < 0xf0:
			size, value = 3, uint16(c&0x0f)
		case c >= 0xc0 && c < 0xe0:
			size, value = 2, uint16(c&0x1f)
		case c >= 0x80:
			p.fail("byte %02x in a text", c)
			return ""
		}
		if i+size > len(b) {
			p.fail("a text ends inside a character")
			return ""
		}
		for _, tail := range b[i+1 : i+size] {
			if tail&0xc0 != 0x80 {
				p.fail("byte %02x inside a character", tail)
				return ""
			}
			value = value<<6 | uint16(tail&0x3f)
		}
		units = append(units, value)
		i += size
	}
	return string(utf16.Decode(units))
}

// class reads a class description, which can be a reference to an earlier one, or nil.
func (p *parser) class() *classDesc {
	if !p.enter() {
		return nil
	}
	defer p.leave()
	switch tag := byte(p.uint(1)); tag {
	case tagNull:
		return nil
	case tagReference:
		c, ok := p.reference().(*classDesc)
		if !ok {
			p.fail("reference to something that is no class")
		}
		return c
	case tagClassDesc:
		return p.newClass()
	default:
		p.fail("tag %02x where a class belongs", tag)
		return nil
	}
}

func (p *parser) newClass() *classDesc {
	c := &classDesc{name: p.utf(p.count(2))}
	p.uint(8) // the class's version
	p.remember(c)
	c.flags = byte(p.uint(1))
	c.fields = make([]field, p.count(2))
	for i := range c.fields {
		c.fields[i].kind = byte(p.uint(1))
		c.fields[i].name = p.utf(p.count(2))
		if k := c.fields[i].kind; k == 'L' || k == '[' {
			if _, ok := p.content().(string); !ok {
				p.fail("a field of class %s has no type", c.name)
			}
		}
	}
	p.custom() // what a class loader wrote; nothing, usually
	c.parent = p.class()
	return c
}

func (p *parser) object() *Object {
	c := p.class()
	if c == nil {
		p.fail("an object without a class")
		return nil
	}
	o := &Object{Class: c.name}
	p.remember(o)
	var chain []*classDesc
	for at := c; at != nil; at = at.parent {
		if chain = append(chain, at); len(chain) > maxDepth {
			p.fail("class %s has too many ancestors", c.name)
			return nil
		}
	}
	for i := len(chain) - 1; i >= 0 && p.err == nil; i-- {
		o.Levels = append(o.Levels, p.level(chain[i]))
	}
	return o
}

// level reads what one class wrote.
func (p *parser) level(c *classDesc) Level {
	l := Level{Class: c.name, Fields: map[string]any{}}
	switch {
	case c.flags&flagSerializable != 0:
		for _, f := range c.fields {
			l.Fields[f.name] = p.value(f.kind)
		}
		if c.flags&flagWriteMethod != 0 {
			l.Custom = p.custom()
		}
	case c.flags&flagExternalizable != 0 && c.flags&flagBlockData != 0:
		l.Custom = p.custom()
	default:
		p.fail("class %s has flags %02x, which are not read", c.name, c.flags)
	}
	return l
}

// custom reads up to the end of custom data.
func (p *parser) custom() []any {
	var items []any
	for p.err == nil {
		v := p.content()
		if _, end := v.(endOfBlock); end {
			return items
		}
		items = append(items, v)
	}
	return nil
}

// value reads a field or an array's element of a type.
func (p *parser) value(kind byte) any {
	switch kind {
	case 'B':
		return int64(int8(p.uint(1)))
	case 'C':
		return int64(p.uint(2))
	case 'S':
		return int64(int16(p.uint(2)))
	case 'I':
		return int64(int32(p.uint(4)))
	case 'J':
		return int64(p.uint(8))
	case 'F':
		return float64(math.Float32frombits(uint32(p.uint(4))))
	case 'D':
		return math.Float64frombits(p.uint(8))
	case 'Z':
		return p.uint(1) != 0
	case 'L', '[':
		v := p.content()
		switch v.(type) {
		case []byte, endOfBlock:
			p.fail("plain data where an object belongs")
			return nil
		}
		return v
	}
	p.fail("a field of type %02x", kind)
	return nil
}

func (p *parser) array() *Array {
	c := p.class()
	if c == nil || len(c.name) < 2 || c.name[0] != '[' {
		p.fail("an array of no class")
		return nil
	}
	a := &Array{Class: c.name}
	p.remember(a)
	n := p.count(4)
	for range n {
		if p.err != nil {
			return nil
		}
		a.Elements = append(a.Elements, p.value(c.name[1]))
	}
	return a
}

func (p *parser) enum() Enum {
	c := p.class()
	if c == nil {
		p.fail("a constant without a class")
		return Enum{}
	}
	at := p.remember(nil)
	name, ok := p.content().(string)
	if !ok {
		p.fail("a constant without a name")
		return Enum{}
	}
	e := Enum{Class: c.name, Name: name}
	p.handles[at] = e
	return e
}
