package javaregex

import (
	"strings"
	"unicode/utf8"
)

const (
	maxSteps = 200_000
	maxDepth = 20_000
)

// matcher is one run of the backtracking engine over a string. Each matching function calls next with the place it got to and
// tries another way when next says no.
type matcher struct {
	text      string
	caps      []int // start and end of each group, -1 when it took no part
	steps     int
	depth     int
	exhausted bool // the budget ran out: the whole match fails, whatever the pieces say
}

type next func(pos int) bool

func backtrack(re *Regexp, s string) (matched, decided bool) {
	m := &matcher{text: s, caps: make([]int, 2*(re.groups+1))}
	for i := range m.caps {
		m.caps[i] = -1
	}
	matched = m.match(re.root, 0, func(pos int) bool { return pos == len(s) })
	return matched && !m.exhausted, !m.exhausted
}

// spend takes one step from the budget.
func (m *matcher) spend() bool {
	m.steps++
	if m.steps > maxSteps || m.depth > maxDepth {
		m.exhausted = true
	}
	return !m.exhausted
}

func (m *matcher) match(n *node, pos int, then next) bool {
	if !m.spend() {
		return false
	}
	m.depth++
	defer func() { m.depth-- }()
	switch n.kind {
	case kClass:
		end, ok := m.one(n, pos)
		return ok && then(end)
	case kConcat:
		return m.sequence(n.kids, pos, then)
	case kAlternate:
		for _, kid := range n.kids {
			if m.match(kid, pos, then) {
				return true
			}
		}
		return false
	case kCapture:
		return m.capture(n, pos, then)
	case kRepeat:
		return m.repeat(n, pos, then)
	case kAtomic:
		end, ok := m.first(n.kids[0], pos)
		return ok && then(end)
	case kLook:
		return m.look(n, pos) && then(pos)
	case kBackref:
		end, ok := m.again(n, pos)
		return ok && then(end)
	}
	return m.here(n, pos) && then(pos)
}

// one matches a single character.
func (m *matcher) one(n *node, pos int) (int, bool) {
	if pos >= len(m.text) {
		return 0, false
	}
	r, size := utf8.DecodeRuneInString(m.text[pos:])
	return pos + size, n.set.has(r)
}

func (m *matcher) sequence(kids []*node, pos int, then next) bool {
	if len(kids) == 0 {
		return then(pos)
	}
	return m.match(kids[0], pos, func(end int) bool { return m.sequence(kids[1:], end, then) })
}

func (m *matcher) capture(n *node, pos int, then next) bool {
	start, end := m.caps[2*n.group], m.caps[2*n.group+1]
	if m.match(n.kids[0], pos, func(stop int) bool {
		innerStart, innerEnd := m.caps[2*n.group], m.caps[2*n.group+1]
		m.caps[2*n.group], m.caps[2*n.group+1] = pos, stop
		if then(stop) {
			return true
		}
		m.caps[2*n.group], m.caps[2*n.group+1] = innerStart, innerEnd
		return false
	}) {
		return true
	}
	m.caps[2*n.group], m.caps[2*n.group+1] = start, end
	return false
}

// first gives the end of the first way in which n matches.
func (m *matcher) first(n *node, pos int) (int, bool) {
	end := 0
	ok := m.match(n, pos, func(stop int) bool {
		end = stop
		return true
	})
	return end, ok
}

func (m *matcher) repeat(n *node, pos int, then next) bool {
	if n.mode == possessive {
		again := *n
		again.mode = greedy
		end, ok := m.first(&again, pos)
		return ok && then(end)
	}
	if n.kids[0].kind == kClass {
		return m.repeatClass(n, pos, then)
	}
	return m.round(n, 0, pos, then)
}

// round tries one more time of a repeated piece, or what follows it.
func (m *matcher) round(n *node, count, pos int, then next) bool {
	if !m.spend() {
		return false
	}
	more := func() bool {
		if n.max != unlimited && count >= n.max {
			return false
		}
		return m.match(n.kids[0], pos, func(end int) bool {
			if end == pos { // an empty round changes nothing: all that are still due would be empty too
				return then(pos)
			}
			return m.round(n, count+1, end, then)
		})
	}
	enough := func() bool { return count >= n.min && then(pos) }
	if n.mode == lazy {
		return enough() || more()
	}
	return more() || enough()
}

// repeatClass is repeat for a single character, without recursion.
func (m *matcher) repeatClass(n *node, pos int, then next) bool {
	ends := []int{pos}
	for n.max == unlimited || len(ends) <= n.max {
		if n.mode == lazy && len(ends) > n.min && then(ends[len(ends)-1]) {
			return true
		}
		end, ok := m.one(n.kids[0], ends[len(ends)-1])
		if !ok || !m.spend() {
			break
		}
		ends = append(ends, end)
	}
	if n.mode == lazy {
		full := n.max != unlimited && len(ends) == n.max+1
		return full && !m.exhausted && then(ends[len(ends)-1])
	}
	for count := len(ends) - 1; count >= n.min; count-- {
		if m.exhausted {
			return false
		}
		if then(ends[count]) {
			return true
		}
	}
	return false
}

func (m *matcher) look(n *node, pos int) bool {
	if !n.behind {
		_, ok := m.first(n.kids[0], pos)
		return ok != n.negated
	}
	found := false
	for start, width := pos, n.kids[0].width(); ; width-- {
		if m.match(n.kids[0], start, func(end int) bool { return end == pos }) {
			found = true
			break
		}
		if start == 0 || width == 0 {
			break
		}
		_, size := utf8.DecodeLastRuneInString(m.text[:start])
		start -= size
	}
	return found != n.negated
}

// again matches what a group matched before.
func (m *matcher) again(n *node, pos int) (int, bool) {
	if 2*n.group+1 >= len(m.caps) || m.caps[2*n.group] < 0 {
		return 0, false
	}
	taken := m.text[m.caps[2*n.group]:m.caps[2*n.group+1]]
	end := pos + len(taken)
	if end > len(m.text) {
		return 0, false
	}
	got := m.text[pos:end]
	if n.fold {
		return end, strings.EqualFold(got, taken)
	}
	return end, got == taken
}

// here tells whether a piece without width holds at a place.
func (m *matcher) here(n *node, pos int) bool {
	switch n.kind {
	case kEmpty:
		return true
	case kBegin:
		return pos == 0
	case kEnd:
		return pos == len(m.text)
	case kLineBegin:
		return pos == 0 || m.text[pos-1] == '\n'
	case kLineEnd:
		return pos == len(m.text) || m.text[pos] == '\n'
	case kBoundary:
		return (m.word(pos-1) != m.word(pos)) != n.negated
	}
	return false
}

func (m *matcher) word(i int) bool {
	return i >= 0 && i < len(m.text) && (m.text[i] == '_' || isAlnum(rune(m.text[i])))
}
