package javaregex

import (
	"strings"
	"unicode"
)

const (
	maxNesting = 200
	eof        = rune(-1)
)

// flags are the modes that (?idmsux) switches.
type flags struct {
	fold, unixLines, multiline, dotAll, unicodeFold, comments, unicodeClasses bool
}

// parser turns an expression into nodes. Errors travel as panics of *SyntaxError up to parse.
type parser struct {
	text   []rune
	pos    int
	flags  flags
	groups int
	names  map[string]int
	depth  int
}

func newParser(pattern string) *parser {
	return &parser{text: unquote([]rune(pattern)), names: map[string]int{}}
}

// unquote replaces what stands between \Q and \E by escapes.
func unquote(text []rune) []rune {
	out := make([]rune, 0, len(text))
	for i := 0; i < len(text); i++ {
		if text[i] != '\\' || i+1 == len(text) {
			out = append(out, text[i])
			continue
		}
		if text[i+1] != 'Q' {
			out = append(out, text[i], text[i+1])
			i++
			continue
		}
		for i += 2; i < len(text); i++ {
			if text[i] == '\\' && i+1 < len(text) && text[i+1] == 'E' {
				i++
				break
			}
			if text[i] < unicode.MaxASCII && !isAlnum(text[i]) {
				out = append(out, '\\')
			}
			out = append(out, text[i])
		}
	}
	return out
}

func isAlnum(r rune) bool {
	return '0' <= r && r <= '9' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z'
}

func (p *parser) parse() (root *node, err error) {
	defer func() {
		if failure := recover(); failure != nil {
			syntax, ok := failure.(*SyntaxError)
			if !ok {
				panic(failure)
			}
			root, err = nil, syntax
		}
	}()
	root = p.alternatives()
	if p.peek() == ')' {
		p.fail("Unmatched closing ')'")
	}
	return root, nil
}

func (p *parser) fail(description string) {
	panic(&SyntaxError{Description: description, Index: p.pos})
}

func (p *parser) peek() rune { return p.at(0) }

func (p *parser) at(offset int) rune {
	if p.pos+offset >= len(p.text) {
		return eof
	}
	return p.text[p.pos+offset]
}

func (p *parser) accept(text string) bool {
	for i, r := range []rune(text) {
		if p.at(i) != r {
			return false
		}
	}
	p.pos += len([]rune(text))
	return true
}

// skip passes over blanks and comments when they are switched on.
func (p *parser) skip() {
	if !p.flags.comments {
		return
	}
	for {
		switch r := p.peek(); {
		case r == '#':
			for p.peek() != eof && p.peek() != '\n' {
				p.pos++
			}
		case r == ' ' || '\t' <= r && r <= '\r':
			p.pos++
		default:
			return
		}
	}
}

func (p *parser) enter() {
	if p.depth++; p.depth > maxNesting {
		p.fail("Expression is nested too deeply")
	}
}

// alternatives reads branches up to a closing bracket or the end. Flags set inside end with it.
func (p *parser) alternatives() *node {
	p.enter()
	saved := p.flags
	defer func() { p.depth, p.flags = p.depth-1, saved }()
	branches := []*node{p.sequence()}
	for p.accept("|") {
		branches = append(branches, p.sequence())
	}
	if len(branches) == 1 {
		return branches[0]
	}
	return &node{kind: kAlternate, kids: branches}
}

func (p *parser) sequence() *node {
	seq := &node{kind: kConcat}
	for {
		p.skip()
		switch p.peek() {
		case eof, '|', ')':
			return seq
		}
		if atom := p.atom(); atom != nil {
			seq.kids = append(seq.kids, p.quantified(atom))
		}
	}
}

// atom reads one piece; nil for one that only changes flags.
func (p *parser) atom() *node {
	r := p.peek()
	switch r {
	case '(':
		return p.group()
	case '[':
		p.pos++
		return &node{kind: kClass, set: p.class()}
	case '\\':
		return p.escape()
	case '*', '+', '?':
		p.fail("Dangling meta character '" + string(r) + "'")
	case '{':
		p.fail("Illegal repetition")
	}
	p.pos++
	switch r {
	case '^':
		if p.flags.multiline {
			return &node{kind: kLineBegin}
		}
		return &node{kind: kBegin}
	case '$':
		if p.flags.multiline {
			return &node{kind: kLineEnd}
		}
		return &node{kind: kEnd}
	case '.':
		if p.flags.dotAll {
			return &node{kind: kClass, set: setOf(0, unicode.MaxRune)}
		}
		return &node{kind: kClass, set: lineEnds(p.flags.unixLines).negate()}
	}
	return p.literal(r)
}

func (p *parser) literal(r rune) *node { return &node{kind: kClass, set: p.folded(single(r))} }

func (p *parser) folded(set runeSet) runeSet {
	switch {
	case p.flags.fold && p.flags.unicodeFold:
		return set.foldUnicode()
	case p.flags.fold:
		return set.foldASCII()
	}
	return set
}

// quantified wraps an atom into the quantifiers that follow it.
func (p *parser) quantified(atom *node) *node {
	p.skip()
	rep := &node{kind: kRepeat, kids: []*node{atom}, max: unlimited}
	switch p.peek() {
	case '*':
		p.pos++
	case '+':
		p.pos++
		rep.min = 1
	case '?':
		p.pos++
		rep.max = 1
	case '{':
		p.counts(rep)
	default:
		return atom
	}
	switch {
	case p.accept("?"):
		rep.mode = lazy
	case p.accept("+"):
		rep.mode = possessive
	}
	return rep
}

func (p *parser) counts(rep *node) {
	p.pos++
	if !isDigit(p.peek()) {
		p.fail("Illegal repetition")
	}
	rep.min = p.number()
	rep.max = rep.min
	if p.accept(",") {
		rep.max = unlimited
		if p.peek() != '}' {
			rep.max = p.number()
		}
	}
	if !p.accept("}") {
		p.fail("Unclosed counted closure")
	}
	if rep.max != unlimited && rep.max < rep.min {
		p.fail("Illegal repetition range")
	}
}

func isDigit(r rune) bool { return '0' <= r && r <= '9' }

func (p *parser) number() int {
	n := 0
	for isDigit(p.peek()) {
		n = n*10 + int(p.peek()-'0')
		if n > 1<<30 {
			p.fail("Illegal repetition range")
		}
		p.pos++
	}
	return n
}

// group reads what begins with "(".
func (p *parser) group() *node {
	p.pos++
	if !p.accept("?") {
		p.groups++
		return p.closed(&node{kind: kCapture, group: p.groups})
	}
	switch {
	case p.accept(":"):
		return p.closed(nil)
	case p.accept("="):
		return p.closed(&node{kind: kLook})
	case p.accept("!"):
		return p.closed(&node{kind: kLook, negated: true})
	case p.accept(">"):
		return p.closed(&node{kind: kAtomic})
	case p.accept("<="):
		return p.lookBehind(false)
	case p.accept("<!"):
		return p.lookBehind(true)
	case p.accept("<"):
		return p.named()
	}
	return p.inlineFlags()
}

// closed reads the inside of a group and its closing bracket into wrapper, which may be nil.
func (p *parser) closed(wrapper *node) *node {
	inside := p.alternatives()
	if !p.accept(")") {
		p.fail("Unclosed group")
	}
	if wrapper == nil {
		return inside
	}
	wrapper.kids = []*node{inside}
	return wrapper
}

func (p *parser) lookBehind(negated bool) *node {
	n := p.closed(&node{kind: kLook, behind: true, negated: negated})
	if n.kids[0].width() == unlimited {
		p.fail("Look-behind group does not have an obvious maximum length")
	}
	return n
}

func (p *parser) named() *node {
	name := p.groupName()
	if _, taken := p.names[name]; taken {
		p.fail("Named capturing group <" + name + "> is already defined")
	}
	p.groups++
	p.names[name] = p.groups
	return p.closed(&node{kind: kCapture, group: p.groups})
}

func (p *parser) groupName() string {
	if !isAlnum(p.peek()) || isDigit(p.peek()) {
		p.fail("capturing group name does not start with a Latin letter")
	}
	var name strings.Builder
	for isAlnum(p.peek()) {
		name.WriteRune(p.peek())
		p.pos++
	}
	if !p.accept(">") {
		p.fail("named capturing group is missing trailing '>'")
	}
	return name.String()
}

// inlineFlags reads (?i) or (?i:...).
func (p *parser) inlineFlags() *node {
	outer, set := p.flags, true
	for {
		r := p.peek()
		p.pos++
		switch r {
		case 'i':
			p.flags.fold = set
		case 'd':
			p.flags.unixLines = set
		case 'm':
			p.flags.multiline = set
		case 's':
			p.flags.dotAll = set
		case 'u':
			p.flags.unicodeFold = set
		case 'x':
			p.flags.comments = set
		case 'U':
			p.flags.unicodeClasses, p.flags.unicodeFold = set, set
		case '-':
			set = false
		case ')':
			return nil
		case ':':
			inside := p.closed(nil)
			p.flags = outer
			return inside
		default:
			p.pos--
			p.fail("Unknown inline modifier")
		}
	}
}
