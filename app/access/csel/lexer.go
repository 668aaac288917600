package csel

import (
	"strconv"
	"strings"
	"unicode"
)

type tokenKind uint8

const (
	tEnd tokenKind = iota
	tIdent
	tString
	tNumber
	tSymbol // operator, bracket or word operator; text holds its canonical spelling
	tOther  // a word or sign that no expression may hold
)

// token is a lexical unit with the place where it starts.
type token struct {
	kind tokenKind
	text string // canonical operator, identifier, number, or the value of a string
	raw  string // as written
	line int
	col  int
}

// words are the operators and literals spelt as words, and what they stand for.
var words = map[string]string{
	"and": "&&", "or": "||", "not": "!", "eq": "==", "ne": "!=", "lt": "<", "gt": ">", "le": "<=", "ge": ">=", "div": "/", "mod": "%",
	"true": "true", "false": "false", "null": "null", "empty": "empty", "size": "size",
}

// statements are words that start statements of the full language.
var statements = map[string]bool{
	"if": true, "else": true, "for": true, "foreach": true, "while": true, "do": true, "var": true, "let": true, "const": true,
	"return": true, "function": true, "new": true, "break": true, "continue": true, "instanceof": true, "in": true,
}

// symbols are the operators and brackets, longest first.
var symbols = []string{"==", "!=", "=~", "!~", "=^", "!^", "=$", "!$", "<=", ">=", "&&", "||", "=", "!", "<", ">", "+", "-", "*", "/", "%",
	"(", ")", "[", "]", ",", "."}

// lexer cuts an expression into tokens.
type lexer struct {
	text []rune
	pos  int
	line int
	col  int
}

func newLexer(text string) *lexer { return &lexer{text: []rune(text), line: 1, col: 1} }

func (l *lexer) at(offset int) rune {
	if l.pos+offset >= len(l.text) {
		return -1
	}
	return l.text[l.pos+offset]
}

func (l *lexer) advance() {
	if l.text[l.pos] == '\n' {
		l.line, l.col = l.line+1, 0
	}
	l.pos++
	l.col++
}

// tokens reads all of the text. The last token is tEnd, which carries the place of the last character.
func (l *lexer) tokens() ([]token, error) {
	var list []token
	for {
		if err := l.blanks(); err != nil {
			return nil, err
		}
		if l.pos == len(l.text) {
			return append(list, token{kind: tEnd, line: l.line, col: max(1, l.col-1)}), nil
		}
		tok, err := l.next()
		if err != nil {
			return nil, err
		}
		list = append(list, tok)
	}
}

// blanks passes over white space and comments.
func (l *lexer) blanks() error {
	for {
		switch r := l.at(0); {
		case r == ' ' || r == '\t' || r == '\n' || r == '\r' || r == '\f':
			l.advance()
		case r == '/' && l.at(1) == '/', r == '#' && l.at(1) == '#':
			for l.at(0) != -1 && l.at(0) != '\n' {
				l.advance()
			}
		case r == '/' && l.at(1) == '*':
			start := l.pos
			for l.at(0) != '*' || l.at(1) != '/' || l.pos < start+2 {
				if l.at(0) == -1 {
					return l.fail(start)
				}
				l.advance()
			}
			l.advance()
			l.advance()
		default:
			return nil
		}
	}
}

// fail reports that no token can be read; start is where the unfinished one began.
func (l *lexer) fail(start int) error {
	return &Error{Detail: "tokenization error in '" + string(l.text[start:l.pos]) + "' " + place(l.line, l.col)}
}

func (l *lexer) next() (token, error) {
	tok := token{line: l.line, col: l.col}
	start := l.pos
	switch r := l.at(0); {
	case r == '"' || r == '\'':
		return l.quoted(tok)
	case isLetter(r):
		for isLetter(l.at(0)) || unicode.IsDigit(l.at(0)) {
			l.advance()
		}
		tok.raw = string(l.text[start:l.pos])
		tok.kind, tok.text = word(tok.raw)
		return tok, nil
	case '0' <= r && r <= '9':
		for l.at(0) == '.' && '0' <= l.at(1) && l.at(1) <= '9' || isLetter(l.at(0)) || '0' <= l.at(0) && l.at(0) <= '9' {
			l.advance()
		}
		tok.kind, tok.raw = tNumber, string(l.text[start:l.pos])
		tok.text = tok.raw
		return tok, nil
	case r == '#':
		l.advance()
		return token{}, l.fail(start)
	}
	return l.symbol(tok)
}

func word(raw string) (tokenKind, string) {
	if op, ok := words[raw]; ok {
		return tSymbol, op
	}
	if statements[raw] {
		return tOther, raw
	}
	return tIdent, raw
}

func (l *lexer) symbol(tok token) (token, error) {
	rest := string(l.text[l.pos:min(len(l.text), l.pos+2)])
	for _, s := range symbols {
		if strings.HasPrefix(rest, s) {
			for range s {
				l.advance()
			}
			tok.kind, tok.text, tok.raw = tSymbol, s, s
			return tok, nil
		}
	}
	if strings.ContainsRune(";{}?:|&^~", l.at(0)) {
		tok.kind, tok.text = tOther, string(l.at(0))
		tok.raw = tok.text
		l.advance()
		return tok, nil
	}
	return token{}, l.fail(l.pos)
}

// quoted reads a string literal. A backslash keeps the quote or backslash after it; before anything else it stands for itself; \\u and
// four hexadecimal digits are a character.
func (l *lexer) quoted(tok token) (token, error) {
	quote, start := l.at(0), l.pos
	l.advance()
	var value strings.Builder
	for l.at(0) != quote {
		switch r := l.at(0); {
		case r == -1 || r == '\n' || r == '\r':
			return token{}, l.fail(start)
		case r == '\\' && (l.at(1) == '\\' || l.at(1) == '"' || l.at(1) == '\''):
			l.advance()
		case r == '\\' && l.at(1) == 'u' && l.pos+6 <= len(l.text):
			if code, err := strconv.ParseUint(string(l.text[l.pos+2:l.pos+6]), 16, 32); err == nil {
				value.WriteRune(rune(code))
				for range 6 {
					l.advance()
				}
				continue
			}
		}
		value.WriteRune(l.at(0))
		l.advance()
	}
	l.advance()
	tok.kind, tok.text, tok.raw = tString, value.String(), string(l.text[start:l.pos])
	return tok, nil
}

func isLetter(r rune) bool { return r == '_' || r == '$' || r == '@' || unicode.IsLetter(r) }
