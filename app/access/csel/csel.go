// Package csel reads and evaluates content selector expressions, such as
//
//	format == "maven2" and path =^ "/org/example/"
//
// An expression compares the identifiers format and path and string literals with == (eq), != (ne), =~ (a Java regular expression
// that the whole value matches) and =^ (starts with), joined by and (&&), or (||) and parentheses. The language is a small part of
// JEXL; expressions that use more of it are understood well enough to be refused with the message Nexus gives, place included.
//
// A path is compared with its leading slash. By default a literal without one therefore matches no path, as on a server of the
// 3.7x line; Options.OptionalSlash accepts expressions that were written for releases whose paths had none.
//
// Invariants: an expression that is no condition (a bare identifier or string) is false; a regular expression that exceeds its
// budget does not match; there is no negation besides !=, so giving up never grants anything.
//
//	sel, err := csel.Compile(`path =~ "/(docs|public)/.*"`, nil)
//	ok := err == nil && sel.Match("raw", "/docs/a.txt")
package csel

import (
	"fmt"
	"strings"

	"entrepot/app/access/javaregex"
)

// MaxExpression is the longest accepted expression in bytes.
const MaxExpression = 32 << 10

// maxNesting bounds brackets and operators within each other.
const maxNesting = 200

// Error tells why an expression was refused.
type Error struct {
	Detail string // what is wrong and where, without a prefix
}

func (e *Error) Error() string { return "Invalid CSEL: " + e.Detail }

// Options change how an expression is evaluated; nil is the documented default.
type Options struct {
	// OptionalSlash makes literals compared with path match with and without a leading slash.
	OptionalSlash bool
}

// Selector is a compiled expression. It is immutable and safe for many goroutines.
type Selector struct {
	root *node
}

// Compile reads and checks an expression. The error is an *Error.
func Compile(expression string, opts *Options) (*Selector, error) {
	if opts == nil {
		opts = &Options{}
	}
	if len(expression) > MaxExpression {
		return nil, &Error{Detail: fmt.Sprintf("expression is longer than %d bytes", MaxExpression)}
	}
	list, err := newLexer(expression).tokens()
	if err != nil {
		return nil, err
	}
	root, err := (&parser{tokens: list}).parse()
	if err != nil {
		return nil, err
	}
	if err := (&checker{root: root, optionalSlash: opts.OptionalSlash}).check(root); err != nil {
		return nil, err
	}
	return &Selector{root: root}, nil
}

// Match tells whether the expression is true for an asset. The path may come with or without its leading slash.
func (s *Selector) Match(format, path string) bool {
	if !strings.HasPrefix(path, "/") {
		path = "/" + path
	}
	return s.root.truth(format, path)
}

// truth evaluates a condition; what is none is false.
func (n *node) truth(format, path string) bool {
	switch n.kind {
	case nParen:
		return n.kids[0].truth(format, path)
	case nAnd:
		return n.kids[0].truth(format, path) && n.kids[1].truth(format, path)
	case nOr:
		return n.kids[0].truth(format, path) || n.kids[1].truth(format, path)
	case nEqual, nUnequal, nMatch, nPrefix:
		return n.compare(format, path)
	}
	return false
}

func (n *node) compare(format, path string) bool {
	left, okLeft := n.kids[0].value(format, path)
	right, okRight := n.kids[1].value(format, path)
	if !okLeft || !okRight {
		return false // a condition is no string to compare with
	}
	switch n.kind {
	case nEqual:
		return left == right
	case nUnequal:
		return left != right
	case nPrefix:
		return strings.HasPrefix(left, right)
	}
	if n.regex == nil { // the pattern is the other identifier's value, which is taken literally
		return left == right
	}
	return n.regex.Match(left) || n.optionalSlash && n.regex.Match(strings.TrimPrefix(left, "/"))
}

// value gives the string that an operand stands for.
func (n *node) value(format, path string) (string, bool) {
	switch n.kind {
	case nParen:
		return n.kids[0].value(format, path)
	case nString:
		return n.text, true
	case nIdent:
		if n.text == "path" {
			return path, true
		}
		return format, true
	}
	return "", false
}

// checker refuses what is JEXL but no content selector, and prepares comparisons.
type checker struct {
	root          *node
	optionalSlash bool
}

func (c *checker) check(n *node) error {
	switch n.kind {
	case nIdent:
		if n.text != "format" && n.text != "path" {
			return c.refuse(n, "Invalid identifier "+n.text+", expected one of [format, path]")
		}
	case nString:
		if strings.ContainsAny(n.text, `"'`) {
			return c.refuse(n, "String literal '"+n.text+`' should not contain embedded string (" or ')`)
		}
	case nParen, nAnd, nOr, nEqual, nUnequal, nMatch, nPrefix:
		for _, kid := range n.kids {
			if err := c.check(kid); err != nil {
				return err
			}
		}
		return c.prepare(n)
	default:
		return c.refuse(n, "Expression not supported in CSEL selector")
	}
	return nil
}

// prepare compiles the regular expression of a comparison and applies the optional slash.
func (c *checker) prepare(n *node) error {
	if len(n.kids) != 2 {
		return nil
	}
	left, right := n.kids[0].bare(), n.kids[1].bare()
	if n.kind == nMatch && right.kind == nString {
		regex, err := javaregex.Compile(right.text)
		if err != nil {
			return c.refuse(right, err.Error())
		}
		n.regex, n.optionalSlash = regex, c.optionalSlash && left.is("path")
		return nil
	}
	if !c.optionalSlash || n.kind == nAnd || n.kind == nOr {
		return nil
	}
	if left.is("path") {
		right.addSlash()
	}
	if right.is("path") {
		left.addSlash()
	}
	return nil
}

func (n *node) bare() *node {
	for n.kind == nParen {
		n = n.kids[0]
	}
	return n
}

func (n *node) is(identifier string) bool { return n.kind == nIdent && n.text == identifier }

func (n *node) addSlash() {
	if n.kind == nString && n.text != "" && n.text[0] != '/' {
		n.text = "/" + n.text
	}
}

func (c *checker) refuse(n *node, what string) error {
	if c.root.kind != nIdent {
		what += " in '" + c.root.String() + "'"
	}
	return &Error{Detail: what + " " + place(n.line, n.col)}
}

func place(line, col int) string { return fmt.Sprintf("at line %d column %d", line, col) }
