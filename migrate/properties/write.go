package properties

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"unicode/utf16"
)

// Write writes properties as java.util.Properties does, sorted by key and without comments.
func Write(w io.Writer, props map[string]string) error {
	var b strings.Builder
	for _, key := range slices.Sorted(maps.Keys(props)) {
		escape(&b, key, true)
		b.WriteByte('=')
		escape(&b, props[key], false)
		b.WriteByte('\n')
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// escape writes a key or value so that Read gives it back. Blanks are escaped in all of a key, and before a value.
func escape(b *strings.Builder, s string, key bool) {
	leading := true
	for _, unit := range utf16.Encode([]rune(s)) {
		switch c := rune(unit); {
		case c == ' ' && (key || leading):
			b.WriteString(`\ `)
		case c == '\t':
			b.WriteString(`\t`)
		case c == '\n':
			b.WriteString(`\n`)
		case c == '\r':
			b.WriteString(`\r`)
		case c == '\f':
			b.WriteString(`\f`)
		case strings.ContainsRune(`\=:#!`, c):
			b.WriteByte('\\')
			b.WriteRune(c)
		case c < ' ' || c > '~':
			fmt.Fprintf(b, `\u%04X`, c)
		default:
			b.WriteRune(c)
		}
		leading = leading && unit == ' '
	}
}
