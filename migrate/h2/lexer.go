package h2

import (
	"bufio"
	"cmp"
	"encoding/hex"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// tokenKind tells tokens of SQL text apart.
type tokenKind int

const (
	tokenEnd    tokenKind = iota // of the input
	tokenWord                    // unquoted word, in upper case
	tokenName                    // "quoted name"
	tokenText                    // 'text', U&'text'
	tokenBytes                   // X'hex'
	tokenNumber                  // digits with point, exponent and sign
	tokenMark                    // one character of punctuation
)

// token is one piece of SQL text.
type token struct {
	kind   tokenKind
	text   string // unquoted and unescaped; for tokenBytes the bytes
	offset int64
}

// is reports whether the token is a word or a mark with this text.
func (t token) is(text string) bool {
	return t.text == text && (t.kind == tokenWord || t.kind == tokenMark)
}

// lexer cuts SQL text as H2 writes it into tokens, without holding more than one token in memory.
type lexer struct {
	r      *bufio.Reader
	offset int64 // of the next byte
	limit  int64 // longest token, in bytes
	ahead  *token
	// comment, if set, is given the beginning of each comment.
	comment func(text string)
}

// maxComment is how much of a comment is looked at, in bytes.
const maxComment = 512

// newLexer reads text that begins at an offset of the script.
func newLexer(r io.Reader, offset, limit int64) *lexer {
	return &lexer{r: bufio.NewReaderSize(r, 64<<10), offset: offset, limit: limit}
}

// peek gives the next token without taking it.
func (l *lexer) peek() (token, error) {
	if l.ahead == nil {
		t, err := l.scan()
		if err != nil {
			return t, err
		}
		l.ahead = &t
	}
	return *l.ahead, nil
}

// next takes the next token.
func (l *lexer) next() (token, error) {
	if t := l.ahead; t != nil {
		l.ahead = nil
		return *t, nil
	}
	return l.scan()
}

// expect takes the next token, which must be this word or mark.
func (l *lexer) expect(text string) error {
	t, err := l.next()
	if err == nil && !t.is(text) {
		err = damaged(t.offset, "%q where %q belongs", clip(t.text), text)
	}
	return err
}

// byte takes one byte; ok is false at the end.
func (l *lexer) byte() (b byte, ok bool, err error) {
	b, err = l.r.ReadByte()
	if err == io.EOF {
		return 0, false, nil
	}
	if err != nil {
		return 0, false, fmt.Errorf("h2: read script at %d: %w", l.offset, err)
	}
	l.offset++
	return b, true, nil
}

// unread gives the last byte back.
func (l *lexer) unread() {
	l.offset--
	_ = l.r.UnreadByte() // cannot fail right after ReadByte
}

// nextIs takes the next byte if it is b.
func (l *lexer) nextIs(b byte) bool {
	if p, err := l.r.Peek(1); err != nil || p[0] != b {
		return false
	}
	_, _ = l.r.Discard(1) // the byte is buffered
	l.offset++
	return true
}

// scan reads the next token.
func (l *lexer) scan() (token, error) {
	for {
		start := l.offset
		b, ok, err := l.byte()
		if err != nil || !ok {
			return token{kind: tokenEnd, offset: start}, err
		}
		switch {
		case b == ' ' || b == '\n' || b == '\r' || b == '\t':
		case b == '-' && l.nextIs('-'):
			if err := l.skipLine(); err != nil {
				return token{}, err
			}
		case b == '\'' || b == '"':
			return l.quoted(start, b)
		case b == '-' || b == '+' || isDigit(b):
			return l.word(start, tokenNumber, b)
		case isLetter(b):
			return l.prefixed(start, b)
		default:
			return token{kind: tokenMark, text: string(rune(b)), offset: start}, nil
		}
	}
}

func isDigit(b byte) bool  { return b >= '0' && b <= '9' }
func isLetter(b byte) bool { return b|0x20 >= 'a' && b|0x20 <= 'z' || b == '_' }

// skipLine takes the rest of a comment.
func (l *lexer) skipLine() error {
	if l.comment != nil {
		text, _ := l.r.Peek(maxComment) // fewer at the end of the input
		line, _, _ := strings.Cut(string(text), "\n")
		l.comment(line)
	}
	for {
		b, ok, err := l.byte()
		if err != nil || !ok || b == '\n' {
			return err
		}
	}
}

// word reads an unquoted word or a number.
func (l *lexer) word(start int64, kind tokenKind, first byte) (token, error) {
	text := []byte{first}
	for {
		b, ok, err := l.byte()
		if err != nil {
			return token{}, err
		}
		exponent := ok && kind == tokenNumber && (b == '-' || b == '+') && text[len(text)-1]|0x20 == 'e'
		if !ok || !isLetter(b) && !isDigit(b) && b != '.' && b != '$' && !exponent {
			if ok {
				l.unread()
			}
			return token{kind: kind, text: strings.ToUpper(string(text)), offset: start}, nil
		}
		if kind == tokenWord && b == '.' { // belongs to a qualified name
			l.unread()
			return token{kind: kind, text: strings.ToUpper(string(text)), offset: start}, nil
		}
		if text = append(text, b); int64(len(text)) > l.limit {
			return token{}, fmt.Errorf("%w: a word at offset %d", ErrTooLarge, start)
		}
	}
}

// prefixed reads a word, or a literal that begins with X' or U&' or U&".
func (l *lexer) prefixed(start int64, first byte) (token, error) {
	switch {
	case first|0x20 == 'x' && l.nextIs('\''):
		t, err := l.quoted(start, '\'')
		if err != nil {
			return t, err
		}
		raw, err := hex.DecodeString(t.text)
		if err != nil {
			return t, damaged(start, "binary literal: %v", err)
		}
		return token{kind: tokenBytes, text: string(raw), offset: start}, nil
	case first|0x20 == 'u' && l.nextIs('&'):
		quote, ok, err := l.byte()
		if err != nil || !ok || quote != '\'' && quote != '"' {
			return token{}, cmp.Or(err, damaged(start, "U& without a quote"))
		}
		t, err := l.quoted(start, quote)
		if err != nil {
			return t, err
		}
		if t.text, err = unescapeUnicode(t.text); err != nil {
			return t, damaged(start, "text literal: %v", err)
		}
		return t, nil
	}
	return l.word(start, tokenWord, first)
}

// quoted reads up to the closing quote; a doubled quote stands for one.
func (l *lexer) quoted(start int64, quote byte) (token, error) {
	kind := tokenText
	if quote == '"' {
		kind = tokenName
	}
	var text []byte
	for {
		piece, err := l.r.ReadSlice(quote)
		l.offset += int64(len(piece))
		text = append(text, piece...)
		switch {
		case err == bufio.ErrBufferFull:
		case err == io.EOF:
			return token{}, damaged(start, "a quote is not closed")
		case err != nil:
			return token{}, fmt.Errorf("h2: read script at %d: %w", l.offset, err)
		case !l.nextIs(quote):
			return token{kind: kind, text: string(text[:len(text)-1]), offset: start}, nil
		}
		if int64(len(text)) > 4*l.limit { // hexadecimal and escapes need more than what they mean
			return token{}, fmt.Errorf("%w: a literal at offset %d", ErrTooLarge, start)
		}
	}
}

// skipStatement takes everything up to and with the semicolon. It counts the groups in parentheses that are not inside another.
func (l *lexer) skipStatement() (groups int64, err error) {
	depth := 0
	start := l.offset
	if l.ahead != nil {
		start = l.ahead.offset
		switch t := *l.ahead; {
		case t.is(";"), t.kind == tokenEnd:
			l.ahead = nil
			return 0, nil
		case t.is("("):
			depth, groups = 1, 1
		}
		l.ahead = nil
	}
	for {
		b, ok, err := l.byte()
		if err != nil {
			return groups, err
		}
		if !ok {
			return groups, damaged(start, "a statement does not end")
		}
		switch b {
		case '\'', '"':
			err = l.skipQuoted(b)
		case '-':
			if l.nextIs('-') {
				err = l.skipLine()
			}
		case '(':
			if depth++; depth == 1 {
				groups++
			}
		case ')':
			depth--
		case ';':
			return groups, nil
		}
		if err != nil {
			return groups, err
		}
	}
}

// skipQuoted takes the rest of a quoted text.
func (l *lexer) skipQuoted(quote byte) error {
	start := l.offset - 1
	for {
		piece, err := l.r.ReadSlice(quote)
		l.offset += int64(len(piece))
		switch {
		case err == bufio.ErrBufferFull:
		case err == io.EOF:
			return damaged(start, "a quote is not closed")
		case err != nil:
			return fmt.Errorf("h2: read script at %d: %w", l.offset, err)
		case !l.nextIs(quote):
			return nil
		}
	}
}

// unescapeUnicode resolves \XXXX, \+XXXXXX and \\.
func unescapeUnicode(s string) (string, error) {
	var b strings.Builder
	for len(s) > 0 {
		plain, rest, escaped := strings.Cut(s, `\`)
		b.WriteString(plain)
		if !escaped {
			break
		}
		if strings.HasPrefix(rest, `\`) {
			b.WriteByte('\\')
			s = rest[1:]
			continue
		}
		digits, skip := 4, 0
		if strings.HasPrefix(rest, "+") {
			digits, skip = 6, 1
		}
		if len(rest) < skip+digits {
			return "", fmt.Errorf("escape is too short")
		}
		r, err := strconv.ParseUint(rest[skip:skip+digits], 16, 32)
		if err != nil || r > utf8.MaxRune {
			return "", fmt.Errorf("escape %q", rest[:skip+digits])
		}
		if utf16.IsSurrogate(rune(r)) { // half of a character: joinSurrogates looks for the other one
			b.Write([]byte{0xe0 | byte(r>>12), 0x80 | byte(r>>6&0x3f), 0x80 | byte(r&0x3f)})
		} else {
			b.WriteRune(rune(r))
		}
		s = rest[skip+digits:]
	}
	return b.String(), nil
}

// joinSurrogates makes characters of the halves that unescapeUnicode leaves, which a script has where it cuts a large text into
// pieces. A half alone becomes U+FFFD.
func joinSurrogates(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); {
		high := surrogateAt(s, i)
		if high == 0 {
			out = append(out, s[i])
			i++
			continue
		}
		i += 3
		r := utf16.DecodeRune(high, surrogateAt(s, i))
		if r != utf8.RuneError {
			i += 3
		}
		out = utf8.AppendRune(out, r)
	}
	return string(out)
}

// surrogateAt gives the half character that is coded at s[i:], or 0.
func surrogateAt(s string, i int) rune {
	if i+3 > len(s) || s[i] != 0xed || s[i+1] < 0xa0 {
		return 0
	}
	return 0xd000 | rune(s[i+1]&0x3f)<<6 | rune(s[i+2]&0x3f)
}

// unescapeJava resolves the backslash escapes of STRINGDECODE, which H2 1.4 writes.
func unescapeJava(s string) (string, error) {
	var units []uint16
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		i += n
		if r != '\\' {
			units = utf16.AppendRune(units, r)
			continue
		}
		if i == len(s) {
			return "", fmt.Errorf("escape is too short")
		}
		c := s[i]
		i++
		at := strings.IndexByte(`tnrfb`, c)
		switch {
		case at >= 0:
			units = append(units, uint16("\t\n\r\f\b"[at]))
		case c == '"' || c == '\\':
			units = append(units, uint16(c))
		case c == 'u' && len(s) >= i+4:
			u, err := strconv.ParseUint(s[i:i+4], 16, 16)
			if err != nil {
				return "", fmt.Errorf(`escape \u%s`, s[i:i+4])
			}
			units = append(units, uint16(u))
			i += 4
		default:
			return "", fmt.Errorf(`escape \%c`, c)
		}
	}
	return string(utf16.Decode(units)), nil
}
