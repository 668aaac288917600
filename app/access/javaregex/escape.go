package javaregex

import (
	"unicode"
)

// escape reads what begins with a backslash outside a class.
func (p *parser) escape() *node {
	r := p.at(1)
	switch {
	case r == 'R':
		p.pos += 2
		return lineBreak()
	case r == 'k':
		p.pos += 2
		return p.namedReference()
	case '1' <= r && r <= '9':
		p.pos++
		return p.reference()
	}
	if n := anchor(r); n != nil {
		p.pos += 2
		return n
	}
	return &node{kind: kClass, set: p.classEscape()}
}

func anchor(r rune) *node {
	switch r {
	case 'A', 'G': // nothing was matched before, so \G is the start
		return &node{kind: kBegin}
	case 'z', 'Z':
		return &node{kind: kEnd}
	case 'b':
		return &node{kind: kBoundary}
	case 'B':
		return &node{kind: kBoundary, negated: true}
	}
	return nil
}

// lineBreak is \R: a carriage return with its line feed, or one vertical space.
func lineBreak() *node {
	vertical, _ := predefined('v', false)
	return &node{kind: kAlternate, kids: []*node{
		{kind: kConcat, kids: []*node{{kind: kClass, set: single('\r')}, {kind: kClass, set: single('\n')}}},
		{kind: kClass, set: vertical},
	}}
}

func (p *parser) namedReference() *node {
	if !p.accept("<") {
		p.fail("\\k is not followed by '<' for named capturing group")
	}
	name := p.groupName()
	group, known := p.names[name]
	if !known {
		p.fail("named capturing group <" + name + "> does not exist")
	}
	return &node{kind: kBackref, group: group, fold: p.flags.fold}
}

// reference reads \1: digits are taken as long as such a group exists.
func (p *parser) reference() *node {
	group := int(p.peek() - '0')
	p.pos++
	for isDigit(p.peek()) {
		next := group*10 + int(p.peek()-'0')
		if next > p.groups {
			break
		}
		group = next
		p.pos++
	}
	return &node{kind: kBackref, group: group, fold: p.flags.fold}
}

// classEscape reads an escape that stands for a set of characters, inside or outside a class.
func (p *parser) classEscape() runeSet {
	p.pos++
	r := p.peek()
	if r == eof {
		p.fail("Unescaped trailing backslash")
	}
	if set, ok := predefined(r, p.flags.unicodeClasses); ok {
		p.pos++
		return set
	}
	if r == 'p' || r == 'P' {
		p.pos++
		return p.property(r == 'P')
	}
	return p.folded(single(p.character()))
}

func (p *parser) property(negated bool) runeSet {
	name := string(p.peek())
	if p.peek() == eof {
		p.fail("Unclosed character family")
	}
	p.pos++
	if name == "{" {
		start := p.pos
		for p.peek() != '}' {
			if p.peek() == eof {
				p.fail("Unclosed character family")
			}
			p.pos++
		}
		name = string(p.text[start:p.pos])
		p.pos++
	}
	set, failure := property(name)
	if failure != "" {
		p.fail(failure)
	}
	set = p.folded(set)
	if negated {
		return set.negate()
	}
	return set
}

// character reads the part after a backslash that means a single character.
func (p *parser) character() rune {
	r := p.peek()
	p.pos++
	switch r {
	case 't':
		return '\t'
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	case 'f':
		return '\f'
	case 'a':
		return 0x07
	case 'e':
		return 0x1b
	case '0':
		return p.octal()
	case 'x':
		return p.hexadecimal()
	case 'u':
		return p.utf16()
	case 'c':
		if p.peek() == eof {
			p.fail("Illegal control escape sequence")
		}
		p.pos++
		return p.text[p.pos-1] ^ 64&0x7f
	}
	if isAlnum(r) {
		p.fail("Illegal/unsupported escape sequence")
	}
	return r
}

func (p *parser) octal() rune {
	value, digits := rune(0), 0
	for digits < 3 && '0' <= p.peek() && p.peek() <= '7' && value*8+p.peek()-'0' <= 0o377 {
		value = value*8 + p.peek() - '0'
		p.pos++
		digits++
	}
	if digits == 0 {
		p.fail("Illegal octal escape sequence")
	}
	return value
}

func (p *parser) hexadecimal() rune {
	if !p.accept("{") {
		return p.hexDigits(2, "Illegal hexadecimal escape sequence")
	}
	value, digits := rune(0), 0
	for ; p.peek() != '}'; digits++ {
		value = value<<4 | p.hexDigits(1, "Unclosed hexadecimal escape sequence")
		if value > unicode.MaxRune {
			p.fail("Hexadecimal codepoint is too big")
		}
	}
	if digits == 0 {
		p.fail("Illegal hexadecimal escape sequence")
	}
	p.pos++
	return value
}

func (p *parser) utf16() rune {
	const failure = "Illegal Unicode escape sequence"
	high := p.hexDigits(4, failure)
	if high&0xfc00 != 0xd800 || p.at(0) != '\\' || p.at(1) != 'u' {
		return high
	}
	p.pos += 2
	low := p.hexDigits(4, failure)
	if low&0xfc00 != 0xdc00 {
		p.fail(failure)
	}
	return 0x10000 + (high&0x3ff)<<10 + low&0x3ff
}

func (p *parser) hexDigits(count int, failure string) rune {
	value := rune(0)
	for range count {
		r := p.peek()
		switch {
		case isDigit(r):
			r -= '0'
		case 'a' <= r && r <= 'f':
			r -= 'a' - 10
		case 'A' <= r && r <= 'F':
			r -= 'A' - 10
		default:
			p.fail(failure)
		}
		value = value<<4 | r
		p.pos++
	}
	return value
}

// class reads a bracket expression after its "[": unions, ranges, nested classes and intersections.
func (p *parser) class() runeSet {
	p.enter()
	defer func() { p.depth-- }()
	negated := p.accept("^")
	var result, union runeSet
	intersected, empty := false, true
	for {
		p.skip()
		switch {
		case p.peek() == eof:
			p.fail("Unclosed character class")
		case p.peek() == ']' && !empty:
			p.pos++
			if intersected {
				union = result.intersect(union)
			}
			if negated {
				return union.negate()
			}
			return union
		case p.peek() == '&' && p.at(1) == '&':
			p.pos += 2
			if intersected {
				union = result.intersect(union)
			}
			if empty {
				p.fail("Bad class syntax")
			}
			result, union, intersected, empty = union, nil, true, true
			continue
		case p.accept("["):
			union = union.union(p.class())
		default:
			union = union.union(p.classItem())
		}
		empty = false
	}
}

// classItem reads a character, a range or an escape inside a class.
func (p *parser) classItem() runeSet {
	if p.peek() == '\\' && !p.escapesCharacter() {
		return p.classEscape()
	}
	lo := p.classCharacter()
	if p.peek() != '-' || p.at(1) == ']' || p.at(1) == '[' || p.at(1) == eof {
		return p.folded(single(lo))
	}
	p.pos++
	if p.peek() == '\\' && !p.escapesCharacter() {
		p.fail("Illegal character range")
	}
	hi := p.classCharacter()
	if hi < lo {
		p.fail("Illegal character range")
	}
	return p.folded(setOf(lo, hi))
}

// escapesCharacter tells whether the escape that comes next means a single character.
func (p *parser) escapesCharacter() bool {
	r := p.at(1)
	_, set := predefined(r, false)
	return !set && r != 'p' && r != 'P' && r != eof
}

func (p *parser) classCharacter() rune {
	r := p.peek()
	p.pos++
	if r == '\\' {
		return p.character()
	}
	if r == eof {
		p.pos--
		p.fail("Unclosed character class")
	}
	return r
}
