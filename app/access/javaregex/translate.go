package javaregex

import (
	"fmt"
	"regexp"
	"strings"
)

// translate writes a node in Go's syntax, anchored at both ends. It reports false when Go's engine lacks what is needed.
func translate(root *node) (string, bool) {
	var b strings.Builder
	b.WriteString(`\A(?:`)
	if !emit(&b, root) {
		return "", false
	}
	b.WriteString(`)\z`)
	return b.String(), true
}

func emit(b *strings.Builder, n *node) bool {
	switch n.kind {
	case kClass:
		emitClass(b, n.set)
	case kConcat:
		return emitAll(b, n.kids, "")
	case kAlternate:
		return emitGroup(b, n.kids, "|", "")
	case kCapture:
		return emitGroup(b, n.kids, "", "")
	case kRepeat:
		suffix := quantifier(n)
		return n.mode != possessive && emitGroup(b, n.kids, "", suffix)
	case kBegin:
		b.WriteString(`\A`)
	case kEnd:
		b.WriteString(`\z`)
	case kBoundary:
		b.WriteString(map[bool]string{false: `\b`, true: `\B`}[n.negated])
	case kEmpty:
	default:
		return false
	}
	return true
}

func emitAll(b *strings.Builder, kids []*node, separator string) bool {
	for i, kid := range kids {
		if i > 0 {
			b.WriteString(separator)
		}
		if !emit(b, kid) {
			return false
		}
	}
	return true
}

func emitGroup(b *strings.Builder, kids []*node, separator, suffix string) bool {
	b.WriteString("(?:")
	if !emitAll(b, kids, separator) {
		return false
	}
	b.WriteString(")" + suffix)
	return true
}

func quantifier(n *node) string {
	var text string
	switch {
	case n.min == 0 && n.max == unlimited:
		text = "*"
	case n.max == unlimited:
		text = fmt.Sprintf("{%d,}", n.min)
	default:
		text = fmt.Sprintf("{%d,%d}", n.min, n.max)
	}
	if n.mode == lazy {
		text += "?"
	}
	return text
}

func emitClass(b *strings.Builder, set runeSet) {
	switch {
	case len(set) == 0:
		b.WriteString(`[^\x00-\x{10FFFF}]`)
	case len(set) == 1 && set[0].lo == set[0].hi && set[0].lo >= ' ':
		b.WriteString(regexp.QuoteMeta(string(set[0].lo)))
	default:
		b.WriteByte('[')
		for _, r := range set {
			fmt.Fprintf(b, `\x{%x}-\x{%x}`, r.lo, r.hi)
		}
		b.WriteByte(']')
	}
}
