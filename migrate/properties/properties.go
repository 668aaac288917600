// Package properties reads Java property files: ISO-8859-1 text with "key=value" lines, comments, continuation lines and backslash
// escapes, as java.util.Properties reads them. Old servers keep the description of each blob, and their own settings, in this form.
package properties

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf16"
)

// MaxSize is the largest file that is read, in bytes.
const MaxSize = 1 << 20

// ErrTooLarge reports a file of more than MaxSize bytes.
var ErrTooLarge = errors.New("properties: file too large")

// Read gives the properties of a file. Of a key that stands twice the last value counts.
func Read(r io.Reader) (map[string]string, error) {
	data, err := io.ReadAll(io.LimitReader(r, MaxSize+1))
	if err != nil {
		return nil, fmt.Errorf("properties: %w", err)
	}
	if len(data) > MaxSize {
		return nil, ErrTooLarge
	}
	props := make(map[string]string)
	for line := range logicalLines(data) {
		key, value, err := split(line)
		if err != nil {
			return nil, err
		}
		props[key] = value
	}
	return props, nil
}

const blanks = " \t\f"

// logicalLines joins continued lines and leaves out blank lines and comments.
func logicalLines(data []byte) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		var joined strings.Builder
		continued := false
		for _, line := range strings.FieldsFunc(latin1(data), func(r rune) bool { return r == '\n' || r == '\r' }) {
			line = strings.TrimLeft(line, blanks)
			if !continued && (line == "" || line[0] == '#' || line[0] == '!') {
				continue
			}
			if continued = endsInOddBackslashes(line); continued {
				joined.WriteString(line[:len(line)-1])
				continue
			}
			joined.WriteString(line)
			if !yield(joined.String()) {
				return
			}
			joined.Reset()
		}
		if continued {
			yield(joined.String())
		}
	}
}

// latin1 decodes ISO-8859-1: each byte is the code point of its number.
func latin1(data []byte) string {
	var b strings.Builder
	b.Grow(len(data))
	for _, c := range data {
		b.WriteRune(rune(c))
	}
	return b.String()
}

func endsInOddBackslashes(line string) bool {
	return (len(line)-len(strings.TrimRight(line, `\`)))%2 == 1
}

// split cuts a line at the first separator that is not escaped: "=", ":", or blanks.
func split(line string) (key, value string, err error) {
	end := 0
	for end < len(line) && !strings.ContainsRune(blanks+"=:", rune(line[end])) {
		if line[end] == '\\' {
			end++
		}
		end++
	}
	end = min(end, len(line))
	rest := strings.TrimLeft(line[end:], blanks)
	if rest != "" && (rest[0] == '=' || rest[0] == ':') {
		rest = strings.TrimLeft(rest[1:], blanks)
	}
	if key, err = unescape(line[:end]); err != nil {
		return "", "", err
	}
	value, err = unescape(rest)
	return key, value, err
}

func unescape(s string) (string, error) {
	if !strings.Contains(s, `\`) {
		return s, nil
	}
	var units []uint16
	for i := 0; i < len(s); {
		if s[i] != '\\' {
			r, size := decode(s[i:])
			units = append(units, r)
			i += size
			continue
		}
		i++
		switch {
		case i == len(s):
		case s[i] == 'u':
			if len(s) < i+5 {
				return "", fmt.Errorf("properties: cut short: %q", s)
			}
			n, err := strconv.ParseUint(s[i+1:i+5], 16, 16)
			if err != nil {
				return "", fmt.Errorf("properties: bad escape in %q", s)
			}
			units = append(units, uint16(n))
			i += 5
		case strings.IndexByte("tnrf", s[i]) >= 0:
			units = append(units, uint16("\t\n\r\f"[strings.IndexByte("tnrf", s[i])]))
			i++
		default:
			r, size := decode(s[i:])
			units = append(units, r)
			i += size
		}
	}
	return string(utf16.Decode(units)), nil
}

// decode reads one code point; latin1 made all of them smaller than U+0100.
func decode(s string) (unit uint16, size int) {
	for _, r := range s {
		return uint16(r), len(string(r))
	}
	return 0, 0
}
