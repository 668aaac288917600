package server

import (
	"net/http"
	"strings"
	"unicode/utf8"
)

// maxTarget is the longest request target that is looked at, in bytes, as on the old server.
const maxTarget = 8192

// target is a request target taken apart. fasthttp's own parts are not used: they are cut wrongly when a path or query holds "://".
type target struct {
	raw       string // path as sent
	path      string // raw, percent-decoded; always valid UTF-8
	canonical string // path with its "." and ".." segments resolved; decides which surface answers
	query     string // as sent, without "?"
}

func parseTarget(uri string) (target, error) {
	if len(uri) > maxTarget {
		return target{}, &StatusError{Status: http.StatusRequestURITooLong, Message: "URI Too Long"}
	}
	uri, _, _ = strings.Cut(uri, "#")
	raw, query, _ := strings.Cut(uri, "?")
	if !strings.HasPrefix(raw, "/") {
		_, rest, absolute := strings.Cut(raw, "://")
		switch {
		case raw == "*":
			return target{raw: raw, path: raw, canonical: raw, query: query}, nil
		case !absolute:
			return target{}, &StatusError{Status: http.StatusBadRequest}
		}
		raw = "/"
		if i := strings.IndexByte(rest, '/'); i >= 0 {
			raw = rest[i:]
		}
	}
	path, ok := unescape(raw)
	if !ok {
		return target{}, &StatusError{Status: http.StatusBadRequest}
	}
	return target{raw: raw, path: path, canonical: canonical(path), query: query}, nil
}

// unescape decodes percent escapes once. "+" is a plus. Bytes that are no UTF-8 become U+FFFD; a broken escape and NUL are refused.
func unescape(s string) (string, bool) {
	i := strings.IndexByte(s, '%')
	if i < 0 {
		if utf8.ValidString(s) {
			return s, true
		}
		return strings.ToValidUTF8(s, "\uFFFD"), true
	}
	b := make([]byte, i, len(s))
	copy(b, s)
	for ; i < len(s); i++ {
		c := s[i]
		if c == '%' {
			if i+2 >= len(s) {
				return "", false
			}
			high, low := unhex(s[i+1]), unhex(s[i+2])
			if high > 15 || low > 15 {
				return "", false
			}
			c = high<<4 | low
			i += 2
		}
		if c == 0 {
			return "", false
		}
		b = append(b, c)
	}
	return strings.ToValidUTF8(string(b), "\uFFFD"), true
}

func unhex(c byte) byte {
	switch {
	case '0' <= c && c <= '9':
		return c - '0'
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10
	case 'A' <= c && c <= 'F':
		return c - 'A' + 10
	}
	return 255
}

// canonical resolves "." and ".." segments. Empty segments stay: "//x" is not "/x". What would climb above the root stays below it.
func canonical(path string) string {
	if !strings.Contains(path, "/.") {
		return path
	}
	segments := strings.Split(path[1:], "/")
	kept := segments[:0]
	for i, s := range segments {
		last := i == len(segments)-1
		switch s {
		case ".":
			if last {
				kept = append(kept, "")
			}
		case "..":
			kept = kept[:max(len(kept)-1, 0)]
			if last {
				kept = append(kept, "")
			}
		default:
			kept = append(kept, s)
		}
	}
	return "/" + strings.Join(kept, "/")
}
