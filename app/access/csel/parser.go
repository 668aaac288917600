package csel

import (
	"fmt"
	"strings"

	"entrepot/app/access/javaregex"
)

type nodeKind uint8

const (
	nIdent  nodeKind = iota + 1 // text
	nString                     // text
	nParen                      // ( kid )
	nAnd
	nOr
	nEqual
	nUnequal
	nMatch
	nPrefix
	nOther // everything a selector may not hold; text is a format for the rendered kids
)

// node is a piece of an expression. Its place is where JEXL reports a fault in it: an operator's is that of its right operand.
type node struct {
	kind      nodeKind
	text      string
	kids      []*node
	line, col int

	regex         *javaregex.Regexp // of nMatch, when the pattern is a literal
	optionalSlash bool              // of nMatch: try the value without its leading slash too
}

var supported = map[string]nodeKind{"&&": nAnd, "||": nOr, "==": nEqual, "!=": nUnequal, "=~": nMatch, "=^": nPrefix}

// String renders an expression in JEXL's canonical spelling.
func (n *node) String() string {
	rendered := make([]any, len(n.kids))
	for i, kid := range n.kids {
		rendered[i] = kid.String()
	}
	switch n.kind {
	case nIdent:
		return n.text
	case nString:
		return "'" + strings.ReplaceAll(n.text, "'", `\'`) + "'"
	case nParen:
		return fmt.Sprintf("(%s)", rendered...)
	case nOther:
		return fmt.Sprintf(n.text, rendered...)
	}
	return fmt.Sprintf("%s "+n.text+" %s", rendered...)
}

// levels are the binary operators by rising precedence. Those of the last two repeat; comparisons do not.
var levels = []struct {
	operators []string
	repeat    bool
}{
	{[]string{"||"}, true},
	{[]string{"&&"}, true},
	{[]string{"==", "!="}, false},
	{[]string{"<", ">", "<=", ">=", "=~", "!~", "=^", "!^", "=$", "!$"}, false},
	{[]string{"+", "-"}, true},
	{[]string{"*", "/", "%"}, true},
}

// parser turns tokens into nodes, by recursive descent.
type parser struct {
	tokens []token
	pos    int
	depth  int
}

func (p *parser) parse() (*node, error) {
	if p.peek().kind == tEnd {
		return nil, p.unexpected()
	}
	n, err := p.assignment()
	if err != nil {
		return nil, err
	}
	if p.peek().kind != tEnd {
		return nil, p.unexpected()
	}
	return n, nil
}

func (p *parser) peek() token { return p.tokens[p.pos] }

// accept takes the next token when it is one of the symbols.
func (p *parser) accept(symbols ...string) (string, bool) {
	tok := p.peek()
	if tok.kind != tSymbol {
		return "", false
	}
	for _, s := range symbols {
		if tok.text == s {
			p.pos++
			return s, true
		}
	}
	return "", false
}

func (p *parser) unexpected() error {
	tok := p.peek()
	return &Error{Detail: "parsing error in '" + tok.raw + "' " + place(tok.line, tok.col)}
}

func (p *parser) enter() error {
	if p.depth++; p.depth > maxNesting {
		return &Error{Detail: "expression is nested too deeply " + place(p.peek().line, p.peek().col)}
	}
	return nil
}

func (p *parser) assignment() (*node, error) {
	if err := p.enter(); err != nil {
		return nil, err
	}
	defer func() { p.depth-- }()
	left, err := p.binary(0)
	if err != nil || left.kind != nIdent {
		return left, err
	}
	if _, ok := p.accept("="); !ok {
		return left, nil
	}
	start := p.peek()
	right, err := p.assignment()
	if err != nil {
		return nil, err
	}
	return other("%s = %s", start, left, right), nil
}

// other makes a node that no selector may hold.
func other(format string, at token, kids ...*node) *node {
	return &node{kind: nOther, text: format, kids: kids, line: at.line, col: at.col}
}

func (p *parser) binary(level int) (*node, error) {
	if level == len(levels) {
		return p.unary()
	}
	left, err := p.binary(level + 1)
	if err != nil {
		return nil, err
	}
	for count := 0; ; count++ {
		if count > 0 && !levels[level].repeat {
			return left, nil
		}
		op, ok := p.accept(levels[level].operators...)
		if !ok {
			return left, nil
		}
		start := p.peek()
		right, err := p.binary(level + 1)
		if err != nil {
			return nil, err
		}
		if left, err = p.joined(op, start, left, right); err != nil {
			return nil, err
		}
	}
}

func (p *parser) joined(op string, start token, left, right *node) (*node, error) {
	if kind, ok := supported[op]; ok {
		n := &node{kind: kind, text: op, kids: []*node{left, right}, line: start.line, col: start.col}
		return n, p.tooLong(n)
	}
	n := other("%s "+strings.ReplaceAll(op, "%", "%%")+" %s", start, left, right)
	return n, p.tooLong(n)
}

// tooLong bounds chains such as a or b or c, which become nodes within nodes.
func (p *parser) tooLong(n *node) error {
	const maxChain = 2000
	count := 0
	for ; len(n.kids) == 2; n = n.kids[0] {
		count++
	}
	if count > maxChain {
		return &Error{Detail: "expression has too many conditions " + place(p.peek().line, p.peek().col)}
	}
	return nil
}

func (p *parser) unary() (*node, error) {
	op, ok := p.accept("!", "-", "+")
	if !ok {
		return p.primary()
	}
	if err := p.enter(); err != nil {
		return nil, err
	}
	defer func() { p.depth-- }()
	start := p.peek()
	operand, err := p.unary()
	if err != nil {
		return nil, err
	}
	return other(op+"%s", start, operand), nil
}

func (p *parser) primary() (*node, error) {
	start := p.peek()
	n, err := p.operand(start)
	if err != nil {
		return nil, err
	}
	return p.suffixes(start, n)
}

func (p *parser) operand(start token) (*node, error) {
	switch start.kind {
	case tString:
		p.pos++
		return &node{kind: nString, text: start.text, line: start.line, col: start.col}, nil
	case tNumber:
		p.pos++
		return other(start.text, start), nil
	case tIdent:
		p.pos++
		if p.peek().kind == tSymbol && p.peek().text == "(" {
			return p.call(start, start.text)
		}
		return &node{kind: nIdent, text: start.text, line: start.line, col: start.col}, nil
	case tSymbol:
		return p.symbolOperand(start)
	}
	return nil, p.unexpected()
}

func (p *parser) symbolOperand(start token) (*node, error) {
	switch start.text {
	case "true", "false", "null":
		p.pos++
		return other(start.text, start), nil
	case "empty", "size":
		p.pos++
		at := p.peek()
		n, err := p.unary()
		if err != nil {
			return nil, err
		}
		return other(start.text+" %s", at, n), nil
	case "(":
		p.pos++
		inside, err := p.assignment()
		if err != nil {
			return nil, err
		}
		if _, ok := p.accept(")"); !ok {
			return nil, p.unexpected()
		}
		return &node{kind: nParen, kids: []*node{inside}, line: start.line, col: start.col}, nil
	case "[":
		p.pos++
		items, err := p.list("]")
		if err != nil {
			return nil, err
		}
		return other("[ "+places(len(items))+" ]", start, items...), nil
	}
	return nil, p.unexpected()
}

// suffixes reads members, calls and indexes after an operand.
func (p *parser) suffixes(start token, n *node) (*node, error) {
	for count := 0; ; count++ {
		op, ok := p.accept(".", "[")
		if !ok {
			return n, nil
		}
		if count > maxNesting {
			return nil, p.unexpected()
		}
		if op == "[" {
			items, err := p.list("]")
			if err != nil {
				return nil, err
			}
			n = other("%s["+places(len(items))+"]", start, append([]*node{n}, items...)...)
			continue
		}
		member := p.peek()
		if member.kind != tIdent {
			return nil, p.unexpected()
		}
		p.pos++
		if _, isCall := p.accept("("); !isCall {
			n = other("%s."+member.text, start, n)
			continue
		}
		items, err := p.list(")")
		if err != nil {
			return nil, err
		}
		n = other("%s."+member.text+"("+places(len(items))+")", start, append([]*node{n}, items...)...)
	}
}

func (p *parser) call(start token, name string) (*node, error) {
	p.pos++
	items, err := p.list(")")
	if err != nil {
		return nil, err
	}
	return other(name+"("+places(len(items))+")", start, items...), nil
}

// list reads expressions separated by commas up to the closing bracket.
func (p *parser) list(closing string) ([]*node, error) {
	var items []*node
	if _, ok := p.accept(closing); ok {
		return nil, nil
	}
	for {
		item, err := p.assignment()
		if err != nil {
			return nil, err
		}
		items = append(items, item)
		if _, ok := p.accept(closing); ok {
			return items, nil
		}
		if _, ok := p.accept(","); !ok {
			return nil, p.unexpected()
		}
	}
}

func places(count int) string { return strings.TrimSuffix(strings.Repeat("%s, ", count), ", ") }
