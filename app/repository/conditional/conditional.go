// Package conditional decides about preconditions (RFC 9110, section 13) and single byte ranges (section 14) of a request. It is
// pure: no clock, no I/O.
//
// Where clients of the server whose place we take see something else than the RFC says, it follows that server:
//
//   - An entity tag matches when the current one, quotes and W/ included, occurs anywhere in the header.
//   - Of several headers of one name only the first counts; an unreadable date is as if it were absent; an empty If-Match never
//     matches.
//   - A range is served only when there is exactly one, in lower case and without blanks; a suffix longer than the body is not
//     satisfiable.
//
// Example:
//
//	v := conditional.Validators{ETag: `"abc"`, LastModified: modified}
//	if conditional.Check(http.MethodGet, header, v) == conditional.NotModified { … }
package conditional

import (
	"net/http"
	"strings"
	"time"
)

// Validators tell one state of a resource from others.
type Validators struct {
	ETag         string    // as sent, quotes and W/ included; "" for none
	LastModified time.Time // zero for none; compared by the second
}

// Outcome is what the preconditions of a request come to.
type Outcome uint8

// The outcomes.
const (
	Proceed            Outcome = iota // go on as if there were no preconditions
	NotModified                       // answer 304
	PreconditionFailed                // answer 412
)

// Check evaluates the preconditions of a request for an existing resource.
func Check(method string, h http.Header, v Validators) Outcome {
	if match, ok := first(h, "If-Match"); ok {
		if !v.matches(match) {
			return PreconditionFailed
		}
	} else if since, ok := date(h, "If-Unmodified-Since"); ok && v.modifiedAfter(since) {
		return PreconditionFailed
	}
	read := method == http.MethodGet || method == http.MethodHead
	if match, ok := first(h, "If-None-Match"); ok {
		switch {
		case !v.matches(match):
			return Proceed
		case read:
			return NotModified
		default:
			return PreconditionFailed
		}
	}
	if !read || v.LastModified.IsZero() {
		return Proceed
	}
	if since, ok := date(h, "If-Modified-Since"); ok && !v.modifiedAfter(since) {
		return NotModified
	}
	return Proceed
}

// Any reports whether the request has a precondition at all.
func Any(h http.Header) bool {
	return len(h["If-Match"])|len(h["If-None-Match"])|len(h["If-Modified-Since"])|len(h["If-Unmodified-Since"]) != 0
}

func (v Validators) matches(header string) bool {
	if strings.TrimSpace(header) == "*" {
		return true
	}
	return v.ETag != "" && strings.Contains(header, v.ETag)
}

func (v Validators) modifiedAfter(t time.Time) bool {
	return !v.LastModified.IsZero() && v.LastModified.Truncate(time.Second).After(t)
}

// first gives the first header of a canonical name.
func first(h http.Header, name string) (string, bool) {
	values := h[name]
	if len(values) == 0 {
		return "", false
	}
	return values[0], true
}

func date(h http.Header, name string) (time.Time, bool) {
	value, ok := first(h, name)
	if !ok {
		return time.Time{}, false
	}
	t, err := http.ParseTime(value)
	return t, err == nil
}
