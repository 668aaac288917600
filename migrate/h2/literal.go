package h2

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"math/big"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"
	"unicode/utf8"
)

// maxScale bounds the exponent of a number literal.
const maxScale = 1 << 20

// value parses one literal of a column.
func (r *scriptReader) value(c *Column) (any, error) {
	t, err := r.lexer.peek()
	if err != nil {
		return nil, err
	}
	v, err := r.literal(c, 0)
	if err != nil {
		return nil, err
	}
	if wrong := c.check(v); wrong != "" {
		return nil, damaged(t.offset, "column %s: %s", c.Name, wrong)
	}
	return v, nil
}

// literal parses one literal: a plain token, or a keyword with what belongs to it.
func (r *scriptReader) literal(c *Column, depth int) (any, error) {
	t, err := r.lexer.next()
	if err != nil {
		return nil, err
	}
	switch t.kind {
	case tokenText:
		return c.fromText(t)
	case tokenBytes:
		return []byte(t.text), nil
	case tokenNumber:
		return c.fromNumber(t)
	case tokenWord:
		return r.keyword(c, t, depth)
	}
	return nil, damaged(t.offset, "%q where a value belongs", clip(t.text))
}

// keyword parses a literal that begins with a word.
func (r *scriptReader) keyword(c *Column, t token, depth int) (any, error) {
	switch t.text {
	case "NULL":
		return nil, nil
	case "TRUE", "FALSE":
		return t.text == "TRUE", nil
	case "ARRAY":
		return r.array(c, depth)
	case "SYSTEM_COMBINE_CLOB", "SYSTEM_COMBINE_BLOB":
		return r.combine(t)
	case "STRINGDECODE":
		return r.decoded(c)
	}
	words := []string{t.text}
	for len(words) < 5 {
		next, err := r.lexer.next()
		if err != nil {
			return nil, err
		}
		if next.kind == tokenWord {
			words = append(words, next.text)
			continue
		}
		if next.kind == tokenText {
			typed := Column{Name: c.Name, Type: strings.Join(words, " ")}
			if typed.kind = kindOf(typed.Type); typed.kind >= kindUUID && typed.kind <= kindTimestampTZ {
				return typed.fromText(next)
			}
		}
		break
	}
	if t.text == "INTERVAL" || t.text == "GEOMETRY" || t.text == "ROW" || t.text == "TIME" {
		return nil, fmt.Errorf("%w: column %s of type %s at offset %d", ErrUnsupported, c.Name, c.Type, t.offset)
	}
	return nil, damaged(t.offset, "%q where a value belongs", clip(strings.Join(words, " ")))
}

func (r *scriptReader) array(c *Column, depth int) (any, error) {
	if depth == maxArrayDepth {
		return nil, damaged(r.lexer.offset, "arrays are nested more than %d deep", maxArrayDepth)
	}
	if err := r.lexer.expect("["); err != nil {
		return nil, err
	}
	values := []any{}
	element := c.element()
	for {
		t, err := r.lexer.peek()
		if err != nil {
			return nil, err
		}
		switch {
		case t.is("]"):
			_, err := r.lexer.next()
			return values, err
		case len(values) > 0:
			if err := r.lexer.expect(","); err != nil {
				return nil, err
			}
		}
		v, err := r.literal(element, depth+1)
		if err != nil {
			return nil, err
		}
		values = append(values, v)
	}
}

// element describes the elements of an array column.
func (c *Column) element() *Column {
	name := standardName(strings.TrimSuffix(c.Type, " ARRAY"))
	return &Column{Name: c.Name, Type: name, kind: kindOf(name), Nullable: true}
}

// combine parses (id) and reads the pieces of the large object.
func (r *scriptReader) combine(t token) (any, error) {
	if err := r.lexer.expect("("); err != nil {
		return nil, err
	}
	id, err := wholeNumber(r.lexer, 1<<31)
	if err != nil {
		return nil, err
	}
	if err := r.lexer.expect(")"); err != nil {
		return nil, err
	}
	start, ok := r.lobs[id]
	if !ok {
		return nil, damaged(t.offset, "large object %d has no pieces before the row", id)
	}
	delete(r.lobs, id)
	b, err := r.pieces(id, start)
	if err != nil || t.text == "SYSTEM_COMBINE_BLOB" {
		return b, err
	}
	text, err := wholeText(string(b))
	if err != nil {
		return nil, damaged(start, "large text %d: %v", id, err)
	}
	return text, nil
}

// wholeText makes text of UTF-8 with halves of characters in it.
func wholeText(s string) (string, error) {
	if s = joinSurrogates(s); !utf8.ValidString(s) {
		return "", fmt.Errorf("it is not UTF-8")
	}
	return s, nil
}

// pieces reads the statements INSERT INTO SYSTEM_LOB_STREAM VALUES(id, part, text, bytes) from an offset on.
func (r *scriptReader) pieces(id, start int64) ([]byte, error) {
	l := newLexer(io.NewSectionReader(r.script.file, start, r.script.size-start), start, r.script.limit)
	var out bytes.Buffer
	for number := int64(0); ; number++ {
		if _, name, err := parseInto(l); err != nil {
			return nil, err
		} else if name != lobTable {
			return out.Bytes(), nil
		}
		gotID, gotNumber, err := pieceHead(l)
		if err != nil {
			return nil, err
		}
		if gotID != id {
			return out.Bytes(), nil
		}
		if gotNumber != number {
			return nil, damaged(l.offset, "piece %d of large object %d follows piece %d", gotNumber, id, number-1)
		}
		if err := pieceBytes(l, &out); err != nil {
			return nil, err
		}
		if int64(out.Len()) > r.script.limit {
			return nil, fmt.Errorf("%w: large object %d at offset %d", ErrTooLarge, id, start)
		}
	}
}

// pieceBytes parses text, NULL); or NULL, bytes); and appends what is there.
func pieceBytes(l *lexer, out *bytes.Buffer) error {
	for i := range 2 {
		t, err := l.next()
		if err != nil {
			return err
		}
		switch {
		case t.kind == tokenText, t.kind == tokenBytes:
			out.WriteString(t.text)
		case t.is("STRINGDECODE"):
			text, err := decodedText(l)
			if err != nil {
				return err
			}
			out.WriteString(text)
		case !t.is("NULL"):
			return damaged(t.offset, "%q in a piece of a large object", clip(t.text))
		}
		mark := ","
		if i == 1 {
			mark = ")"
		}
		if err := l.expect(mark); err != nil {
			return err
		}
	}
	return l.expect(";")
}

// decoded parses ('text') after STRINGDECODE.
func (r *scriptReader) decoded(c *Column) (any, error) {
	offset := r.lexer.offset
	text, err := decodedText(r.lexer)
	if err != nil {
		return nil, err
	}
	return c.fromText(token{kind: tokenText, text: text, offset: offset})
}

func decodedText(l *lexer) (string, error) {
	if err := l.expect("("); err != nil {
		return "", err
	}
	t, err := l.next()
	if err != nil {
		return "", err
	}
	text, err := unescapeJava(t.text)
	if err != nil || t.kind != tokenText {
		return "", damaged(t.offset, "STRINGDECODE: %v", err)
	}
	return text, l.expect(")")
}

// fromText turns a quoted literal into a value of the column.
func (c *Column) fromText(t token) (any, error) {
	var v any
	var err error
	switch c.kind {
	case kindUUID:
		v, err = parseUUID(t.text)
	case kindJSON:
		v, err = storedJSON(t.text)
	case kindDate:
		v, err = time.Parse("2006-01-02", t.text)
	case kindTime:
		var clock time.Time
		if clock, err = time.Parse("15:04:05.999999999", t.text); err == nil {
			v = clock.Sub(time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC))
		}
	case kindTimestamp:
		v, err = time.Parse("2006-01-02 15:04:05.999999999", t.text)
	case kindTimestampTZ:
		v, err = parseTimestampTZ(t.text)
	case kindFloat:
		v, err = strconv.ParseFloat(t.text, 64)
	default:
		v, err = wholeText(t.text)
	}
	if err != nil {
		return nil, damaged(t.offset, "%s literal %q: %v", c.Type, clip(t.text), err)
	}
	return v, nil
}

// parseTimestampTZ accepts offsets of hours, with minutes and seconds where they are not zero.
func parseTimestampTZ(s string) (time.Time, error) {
	var firstErr error
	for _, zone := range []string{"-07", "-07:00", "-07:00:00"} {
		t, err := time.Parse("2006-01-02 15:04:05.999999999"+zone, s)
		if err == nil {
			_, offset := t.Zone()
			return atOffset(t, offset), nil
		}
		if firstErr == nil {
			firstErr = err
		}
	}
	return time.Time{}, firstErr
}

func parseUUID(s string) (UUID, error) {
	var u UUID
	digits := strings.ReplaceAll(s, "-", "")
	if len(digits) != 32 {
		return u, fmt.Errorf("%d digits", len(digits))
	}
	_, err := hex.Decode(u[:], []byte(digits))
	return u, err
}

// fromNumber turns an unquoted number into a value of the column.
func (c *Column) fromNumber(t token) (any, error) {
	var v any
	var err error
	switch c.kind {
	case kindFloat:
		v, err = strconv.ParseFloat(t.text, 64)
	case kindDecimal:
		v, err = parseDecimal(t.text)
	default:
		v, err = strconv.ParseInt(t.text, 10, 64)
	}
	if err != nil {
		return nil, damaged(t.offset, "%s literal %q: %v", c.Type, clip(t.text), err)
	}
	return v, nil
}

// parseDecimal reads digits with a point and an exponent.
func parseDecimal(s string) (Decimal, error) {
	mantissa, exponent, hasExponent := strings.Cut(s, "E")
	scale := int64(0)
	if hasExponent {
		e, err := strconv.ParseInt(exponent, 10, 32)
		if err != nil {
			return Decimal{}, err
		}
		scale = -e
	}
	whole, fraction, _ := strings.Cut(mantissa, ".")
	scale += int64(len(fraction))
	if len(whole)+len(fraction) > 3*maxNumericBytes || scale > maxScale || scale < -maxScale {
		return Decimal{}, fmt.Errorf("too long")
	}
	unscaled, ok := new(big.Int).SetString(whole+fraction, 10)
	if !ok {
		return Decimal{}, fmt.Errorf("no number")
	}
	return Decimal{Unscaled: unscaled, Scale: int32(scale)}, nil
}

// storedJSON gives the JSON as H2 keeps it. The script escapes apostrophes and everything beyond ASCII; in the store only quotes,
// backslashes and control characters are escaped.
func storedJSON(s string) (json.RawMessage, error) {
	out := make([]byte, 0, len(s))
	for len(s) > 0 {
		plain, rest, escaped := strings.Cut(s, `\`)
		out = append(out, plain...)
		if !escaped {
			break
		}
		if rest == "" {
			return nil, fmt.Errorf("it ends inside an escape")
		}
		r, n := jsonUnit(rest)
		if utf16.IsSurrogate(r) && strings.HasPrefix(rest[n:], `\`) {
			if low, m := jsonUnit(rest[n+1:]); utf16.DecodeRune(r, low) != utf8.RuneError {
				r, n = utf16.DecodeRune(r, low), n+1+m
			}
		}
		if r == '\'' || r >= 0x80 && !utf16.IsSurrogate(r) {
			out = utf8.AppendRune(out, r)
			s = rest[n:]
			continue
		}
		out = append(append(out, '\\'), rest[:max(n, 1)]...)
		s = rest[max(n, 1):]
	}
	if !utf8.Valid(out) {
		return nil, fmt.Errorf("it is not UTF-8")
	}
	return out, nil
}

// jsonUnit reads uXXXX. n is 0 when s begins with another escape.
func jsonUnit(s string) (r rune, n int) {
	if len(s) < 5 || s[0] != 'u' {
		return 0, 0
	}
	v, err := strconv.ParseUint(s[1:5], 16, 16)
	if err != nil {
		return 0, 0
	}
	return rune(v), 5
}
