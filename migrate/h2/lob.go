package h2

import (
	"bytes"
	"fmt"
	"unicode/utf8"
)

// Instructions of the byte strings that say where the bytes of a large object are.
const (
	lobInline   = 0 // length, bytes
	lobBlock    = 1 // length, key of a block
	lobIndirect = 2 // length, key of a block that holds more instructions
)

// maxLobDepth bounds how often instructions can lie in another block: each level multiplies the size by tens of thousands.
const maxLobDepth = 6

// lobStore resolves large objects that lie outside of their rows.
type lobStore struct {
	index tree[int64, []byte] // instructions by object id
	data  tree[int64, []byte] // blocks by key
	limit int64               // longest value in bytes
	// absent is set while a row is read only to get past it: its objects are taken to be empty.
	absent bool
}

// openLobs finds the maps of large objects; a database without any lacks them.
func (s *store) openLobs() *lobStore {
	open := func(name string, value func(*decoder) []byte) tree[int64, []byte] {
		id, ok := s.maps[name]
		if !ok {
			return tree[int64, []byte]{}
		}
		return tree[int64, []byte]{store: s, mapID: id, root: s.roots[id], key: (*decoder).varlong, value: value}
	}
	return &lobStore{index: open("lobMap", (*decoder).lobMeta), data: open("lobData", (*decoder).block), limit: s.opts.MaxValue}
}

// block reads bytes that their length precedes.
func (d *decoder) block() []byte { return d.bytes(int(d.varint())) }

// lobMeta reads an entry of lobMap, of which only the instructions matter.
func (d *decoder) lobMeta() []byte {
	instructions := d.block()
	d.varint()  // table
	d.varlong() // bytes or characters
	d.uint64()  // hash
	return instructions
}

// lob reads a large object: string for a CLOB, bytes for a BLOB.
func (d *decoder) lob(tag byte, lobs *lobStore) any {
	n := int(d.varint())
	var b []byte
	if n >= 0 {
		b = d.copied(n, lobs.limit)
	} else {
		if n != -3 {
			d.fail("large object of kind %d", n)
		}
		d.varint() // table
		id, size := d.varlong(), d.varlong()
		if d.err != nil {
			return nil
		}
		var err error
		if b, err = lobs.read(id, size, d.offset()); err != nil {
			d.reject(err)
			return nil
		}
	}
	if tag == tagBlob {
		return b
	}
	d.varlong() // characters
	if d.err == nil && !utf8.Valid(b) {
		d.fail("large text of %d bytes is not UTF-8", len(b))
	}
	return string(b)
}

// read collects the bytes of an object, which must be exactly size.
func (l *lobStore) read(id, size, offset int64) ([]byte, error) {
	if l.absent {
		return nil, nil
	}
	if size < 0 {
		return nil, damaged(offset, "large object %d of %d bytes", id, size)
	}
	if size > l.limit {
		return nil, fmt.Errorf("%w: large object %d of %d bytes", ErrTooLarge, id, size)
	}
	instructions, found, err := l.index.get(id)
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, damaged(offset, "there is no large object %d", id)
	}
	// Every instruction but the indirect ones gives at least a byte, and there are fewer of those than of the others.
	r := lobReader{lobStore: l, size: size, steps: 2*size + 16}
	if err := r.follow(instructions, 0); err != nil {
		return nil, fmt.Errorf("large object %d: %w", id, err)
	}
	if int64(r.out.Len()) != size {
		return nil, damaged(offset, "large object %d has %d bytes, want %d", id, r.out.Len(), size)
	}
	return r.out.Bytes(), nil
}

// lobReader collects one object.
type lobReader struct {
	*lobStore
	out   bytes.Buffer
	size  int64
	steps int64 // instructions that may still be followed
}

// follow carries out instructions.
func (r *lobReader) follow(instructions []byte, depth int) error {
	d := decoder{buf: instructions, base: r.index.store.newest.offset(), fixed: true}
	for d.remaining() > 0 && d.err == nil {
		if r.steps--; r.steps < 0 || int64(r.out.Len()) > r.size {
			d.fail("more than the %d bytes that the row says", r.size)
			break
		}
		switch op := d.byte(); op {
		case lobInline:
			r.out.Write(d.block())
		case lobBlock, lobIndirect:
			n, key := d.varlong(), d.varlong()
			if d.err != nil {
				break
			}
			block, found, err := r.data.get(key)
			switch {
			case err != nil:
				return err
			case !found || op == lobBlock && int64(len(block)) != n:
				d.fail("block %d of %d bytes is missing or has %d", key, n, len(block))
			case op == lobBlock:
				r.out.Write(block)
			case depth == maxLobDepth:
				d.fail("block %d nests too deep", key)
			default:
				if err := r.follow(block, depth+1); err != nil {
					return err
				}
			}
		default:
			d.fail("instruction %d", op)
		}
	}
	return d.err
}
