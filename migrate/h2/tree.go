package h2

import (
	"cmp"
	"iter"
)

// maxDepth bounds the height of a tree. A tree of this height would have more pages than a file can hold.
const maxDepth = 48

// tree is one map of the store: a B-tree with ordered keys.
type tree[K cmp.Ordered, V any] struct {
	store *store
	mapID uint32
	root  pagePos // 0 for an empty map
	key   func(*decoder) K
	value func(*decoder) V
}

// leaf is a leaf page whose keys are read; body stands at the first value.
type leaf[K cmp.Ordered] struct {
	keys []K
	body decoder
}

// entry is one key with its value.
type entry[K cmp.Ordered, V any] struct {
	key   K
	value V
}

// span is the range that the keys below a child must lie in: from lo on, and before hi. A nil end is open.
type span[K cmp.Ordered] struct{ lo, hi *K }

// count is the number of entries, read off the root page.
func (t tree[K, V]) count() (int64, error) {
	if t.root == 0 {
		return 0, nil
	}
	p, err := t.store.readPage(t.root, t.mapID)
	if err != nil {
		return 0, err
	}
	return p.total(), nil
}

// leaves delivers the leaf pages in order of their keys. A page out of place, or one that holds more or fewer entries than its
// parents say, ends the sequence with an error.
func (t tree[K, V]) leaves() iter.Seq2[leaf[K], error] {
	return func(yield func(leaf[K], error) bool) {
		if t.root == 0 {
			return
		}
		if _, err := t.walk(t.root, -1, 0, span[K]{}, yield); err != nil {
			yield(leaf[K]{}, err)
		}
	}
}

// walk delivers the leaves below pos, which must hold want entries (-1: unknown). It reports whether to go on.
func (t tree[K, V]) walk(pos pagePos, want int64, depth int, in span[K], yield func(leaf[K], error) bool) (bool, error) {
	p, keys, err := t.read(pos, in)
	if err != nil {
		return false, err
	}
	if got := p.total(); want >= 0 && got != want {
		return false, damaged(p.offset, "page holds %d entries, its parent counts %d", got, want)
	}
	if p.leaf() {
		return yield(leaf[K]{keys: keys, body: p.body}, nil), nil
	}
	if depth == maxDepth || p.total() == 0 {
		return false, damaged(p.offset, "node of %d entries at depth %d", p.total(), depth)
	}
	for i, child := range p.children {
		if child == 0 {
			continue
		}
		if p.counts[i] == 0 && child.isNode() {
			return false, damaged(p.offset, "child %d is an empty node", i)
		}
		if more, err := t.walk(child, p.counts[i], depth+1, in.child(keys, i), yield); !more || err != nil {
			return false, err
		}
	}
	return true, nil
}

// read reads a page and its keys, which must ascend and lie within the range.
func (t tree[K, V]) read(pos pagePos, in span[K]) (*page, []K, error) {
	p, err := t.store.readPage(pos, t.mapID)
	if err != nil {
		return nil, nil, err
	}
	if p.keys > p.body.remaining() {
		return nil, nil, damaged(p.offset, "%d keys cannot be in %d bytes", p.keys, p.body.remaining())
	}
	keys := make([]K, p.keys)
	for i := range keys {
		keys[i] = t.key(&p.body)
		outside := in.lo != nil && keys[i] < *in.lo || in.hi != nil && keys[i] >= *in.hi
		if outside || i > 0 && keys[i] <= keys[i-1] {
			p.body.fail("key %d of the page is out of order", i)
		}
		if p.body.err != nil {
			return nil, nil, p.body.err
		}
	}
	if !p.leaf() && p.body.remaining() != 0 {
		return nil, nil, damaged(p.body.offset(), "%d bytes too many in a node", p.body.remaining())
	}
	return p, keys, nil
}

// child narrows the range to that of child i.
func (in span[K]) child(keys []K, i int) span[K] {
	if i > 0 {
		in.lo = &keys[i-1]
	}
	if i < len(keys) {
		in.hi = &keys[i]
	}
	return in
}

// all delivers every entry in order of the keys.
func (t tree[K, V]) all() iter.Seq2[entry[K, V], error] {
	return func(yield func(entry[K, V], error) bool) {
		for l, err := range t.leaves() {
			if err != nil {
				yield(entry[K, V]{}, err)
				return
			}
			for _, k := range l.keys {
				v := t.value(&l.body)
				if l.body.err != nil {
					yield(entry[K, V]{}, l.body.err)
					return
				}
				if !yield(entry[K, V]{k, v}, nil) {
					return
				}
			}
			if err := l.end(); err != nil {
				yield(entry[K, V]{}, err)
				return
			}
		}
	}
}

// end checks that all bytes of the page were used.
func (l *leaf[K]) end() error {
	if l.body.err == nil && l.body.remaining() != 0 {
		l.body.fail("%d bytes too many in a page", l.body.remaining())
	}
	return l.body.err
}

// get looks one key up.
func (t tree[K, V]) get(key K) (value V, found bool, err error) {
	pos, in := t.root, span[K]{}
	for depth := 0; pos != 0; depth++ {
		p, keys, err := t.read(pos, in)
		if err != nil {
			return value, false, err
		}
		if p.leaf() {
			return t.in(leaf[K]{keys: keys, body: p.body}, key)
		}
		if depth == maxDepth {
			return value, false, damaged(p.offset, "node at depth %d", depth)
		}
		i := 0
		for i < len(keys) && key >= keys[i] {
			i++
		}
		pos, in = p.children[i], in.child(keys, i)
	}
	return value, false, nil
}

// in looks the key up in a leaf. The values before it have to be read, because they have no fixed length.
func (t tree[K, V]) in(l leaf[K], key K) (value V, found bool, err error) {
	for _, k := range l.keys {
		v := t.value(&l.body)
		if l.body.err != nil {
			return value, false, l.body.err
		}
		if k == key {
			return v, true, nil
		}
	}
	return value, false, nil
}

// last gives the greatest key.
func (t tree[K, V]) last() (key K, found bool, err error) {
	pos, in := t.root, span[K]{}
	for depth := 0; pos != 0; depth++ {
		p, keys, err := t.read(pos, in)
		if err != nil {
			return key, false, err
		}
		if p.total() == 0 {
			return key, false, nil
		}
		if p.leaf() {
			return keys[len(keys)-1], true, nil
		}
		if depth == maxDepth {
			return key, false, damaged(p.offset, "node at depth %d", depth)
		}
		i := len(keys)
		for p.counts[i] == 0 {
			i--
		}
		pos, in = p.children[i], in.child(keys, i)
	}
	return key, false, nil
}
