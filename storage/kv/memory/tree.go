package memory

import (
	"entrepot/storage/kv"
)

// node is an immutable treap ordered by sort key: changes copy the path from the root, so a root is a snapshot. Priorities are
// a hash of the key, which makes the shape a function of the keys alone and its depth logarithmic.
type node struct {
	row         kv.Entry
	priority    uint64
	left, right *node
}

func (n *node) find(sort string) *node {
	for n != nil && n.row.Sort != sort {
		if sort < n.row.Sort {
			n = n.left
		} else {
			n = n.right
		}
	}
	return n
}

// with returns the tree with a row added; its key must be absent.
func (n *node) with(row kv.Entry) *node {
	return n.insert(&node{row: row, priority: priority(row.Sort)})
}

func (n *node) insert(fresh *node) *node {
	if n == nil {
		return fresh
	}
	if fresh.priority > n.priority {
		fresh.left, fresh.right = n.split(fresh.row.Sort)
		return fresh
	}
	c := *n
	if fresh.row.Sort < n.row.Sort {
		c.left = n.left.insert(fresh)
	} else {
		c.right = n.right.insert(fresh)
	}
	return &c
}

// without returns the tree without a key, and the tree itself when the key is absent.
func (n *node) without(sort string) *node {
	if n == nil {
		return nil
	}
	if n.row.Sort == sort {
		return merge(n.left, n.right)
	}
	c := *n
	if sort < n.row.Sort {
		c.left = n.left.without(sort)
	} else {
		c.right = n.right.without(sort)
	}
	if c.left == n.left && c.right == n.right {
		return n
	}
	return &c
}

// split divides the tree into the keys below sort and those above.
func (n *node) split(sort string) (below, above *node) {
	if n == nil {
		return nil, nil
	}
	c := *n
	if n.row.Sort < sort {
		c.right, above = n.right.split(sort)
		return &c, above
	}
	below, c.left = n.left.split(sort)
	return below, &c
}

// merge joins two trees; all keys of a are below those of b.
func merge(a, b *node) *node {
	switch {
	case a == nil:
		return b
	case b == nil:
		return a
	case a.priority > b.priority:
		c := *a
		c.right = merge(a.right, b)
		return &c
	default:
		c := *b
		c.left = merge(a, b.left)
		return &c
	}
}

// walk calls visit for the rows of r in order until visit returns false.
func (n *node) walk(r *kv.Range, visit func(kv.Entry) bool) bool {
	if n == nil {
		return true
	}
	fromHere := n.row.Sort >= r.From
	toHere := r.To == "" || n.row.Sort < r.To
	first, second := n.left, n.right
	firstWanted, secondWanted := fromHere, toHere
	if r.Reverse {
		first, second = second, first
		firstWanted, secondWanted = secondWanted, firstWanted
	}
	if firstWanted && !first.walk(r, visit) {
		return false
	}
	if fromHere && toHere && !visit(n.row) {
		return false
	}
	return !secondWanted || second.walk(r, visit)
}

// priority is FNV-1a with a final mix, because the order of priorities is decided by their high bits.
func priority(sort string) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(sort) {
		h = (h ^ uint64(sort[i])) * 1099511628211
	}
	h ^= h >> 33
	h *= 0xff51afd7ed558ccd
	return h ^ h>>33
}
