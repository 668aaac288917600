// Package javaregex matches strings against regular expressions written for Java, whose syntax is what rules kept by a Nexus server
// use. Only the question "does the whole string match" is answered.
//
// An expression that needs no more than Go's engine can do is translated for it and matches in linear time. Look-around, atomic
// groups, possessive quantifiers and back references are matched by a backtracking engine with a budget of steps and depth.
//
// Invariants: an expression is never accepted and then matched by other rules than Java's (differences, all narrower: "$" is only
// the very end, canonical equivalence and named blocks are refused); a match whose budget runs out is no match, even inside a
// negative look-ahead, and Decide says that it was not decided.
//
//	re, err := javaregex.Compile(`/(docs|public)/.*[.](txt|md)`)
//	ok := err == nil && re.Match("/docs/a.txt")
package javaregex

import (
	"fmt"
	"regexp"
	"unicode/utf8"
)

// MaxPattern is the longest accepted expression in bytes.
const MaxPattern = 16 << 10

// SyntaxError tells why an expression was refused.
type SyntaxError struct {
	Description string // in the words of Java's parser where it has some
	Index       int    // place in the expression, in characters
}

func (e *SyntaxError) Error() string { return e.Description }

// Regexp is a compiled expression. It is immutable and safe for many goroutines.
type Regexp struct {
	linear *regexp.Regexp // nil when the backtracking engine is needed
	root   *node
	groups int
}

// Compile reads an expression. The error is a *SyntaxError.
func Compile(pattern string) (*Regexp, error) {
	if len(pattern) > MaxPattern {
		return nil, &SyntaxError{Description: fmt.Sprintf("Expression is longer than %d bytes", MaxPattern)}
	}
	if !utf8.ValidString(pattern) {
		return nil, &SyntaxError{Description: "Expression is not valid UTF-8"}
	}
	p := newParser(pattern)
	root, err := p.parse()
	if err != nil {
		return nil, err
	}
	re := &Regexp{root: root, groups: p.groups}
	if text, ok := translate(root); ok {
		// A translation that Go refuses, such as a count above 1,000, is left to the other engine.
		if linear, err := regexp.Compile(text); err == nil {
			re.linear = linear
		}
	}
	return re, nil
}

// Match tells whether the whole of s matches. It is false when the budget ran out: right where a match grants something. Where a match
// refuses something, ask Decide.
func (re *Regexp) Match(s string) bool {
	matched, _ := re.Decide(s)
	return matched
}

// Decide is Match, and tells with decided false that the budget ran out before there was an answer.
func (re *Regexp) Decide(s string) (matched, decided bool) {
	if re.linear != nil {
		return re.linear.MatchString(s), true
	}
	return backtrack(re, s)
}
