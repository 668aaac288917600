package conditional

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// ErrUnsatisfiable reports a range outside the body: the answer is 416.
var ErrUnsatisfiable = errors.New("conditional: range not satisfiable")

// Range is a part of a body: Length bytes from Offset.
type Range struct {
	Offset, Length int64
}

// ContentRange is the header's value for a part of a body of size bytes.
func (r Range) ContentRange(size int64) string {
	b := make([]byte, 0, len("bytes ")+3*19+2)
	b = append(b, "bytes "...)
	b = strconv.AppendInt(b, r.Offset, 10)
	b = append(b, '-')
	b = strconv.AppendInt(b, r.Offset+r.Length-1, 10)
	b = append(b, '/')
	b = strconv.AppendInt(b, size, 10)
	return string(b)
}

// Select reads the Range and If-Range headers of a GET. partial is false when the whole body of size bytes is to be sent: no range
// was asked for, or it is one of those that are ignored. It returns ErrUnsatisfiable for a range outside the body.
func Select(h http.Header, v Validators, size int64) (r Range, partial bool, err error) {
	header, ok := first(h, "Range")
	if !ok || size == 0 || !v.current(h) {
		return Range{}, false, nil
	}
	return parse(header, size)
}

// current reports whether the part that a client has belongs to this state of the resource (If-Range).
func (v Validators) current(h http.Header) bool {
	value, ok := first(h, "If-Range")
	if !ok {
		return true
	}
	if strings.HasPrefix(value, `"`) {
		return value == v.ETag
	}
	t, err := http.ParseTime(value)
	return err == nil && !v.LastModified.IsZero() && v.LastModified.Truncate(time.Second).Equal(t)
}

func parse(header string, size int64) (Range, bool, error) {
	spec, ok := strings.CutPrefix(strings.TrimRight(header, " \t"), "bytes=")
	if !ok {
		return Range{}, false, nil
	}
	from, to, ok := strings.Cut(spec, "-")
	if !ok {
		return Range{}, false, nil
	}
	if from == "" {
		return parseSuffix(to, size)
	}
	start, ok := number(from)
	if !ok {
		return Range{}, false, nil
	}
	end := size - 1
	if to != "" {
		if end, ok = number(to); !ok || end < start {
			return Range{}, false, nil
		}
	}
	if start >= size {
		return Range{}, false, ErrUnsatisfiable
	}
	return Range{Offset: start, Length: min(end, size-1) - start + 1}, true, nil
}

// parseSuffix reads the n of "bytes=-n", the last n bytes. "--n" is a range before the start.
func parseSuffix(s string, size int64) (Range, bool, error) {
	negative := false
	if rest, ok := strings.CutPrefix(s, "-"); ok {
		s, negative = rest, true
	}
	n, ok := number(s)
	if !ok {
		return Range{}, false, nil
	}
	if negative || n == 0 || n > size {
		return Range{}, false, ErrUnsatisfiable
	}
	return Range{Offset: size - n, Length: n}, true, nil
}

// number reads decimal digits only.
func number(s string) (int64, bool) {
	for i := 0; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
	}
	n, err := strconv.ParseInt(s, 10, 64)
	return n, err == nil
}
