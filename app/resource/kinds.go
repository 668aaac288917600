package resource

import (
	"encoding/json"
	"strings"
	"time"
)

// Hidden is what stands for a secret that is stored.
const Hidden = "***"

// Secret is a string that can be written and never be read: it prints as ***, in JSON too.
type Secret string

// String hides the secret.
func (Secret) String() string { return Hidden }

// GoString hides the secret.
func (Secret) GoString() string { return Hidden }

// MarshalText hides the secret.
func (Secret) MarshalText() ([]byte, error) { return []byte(Hidden), nil }

// or gives the secret, or the stored one when there is none or only the sign of one.
func (s Secret) or(stored string) string {
	if s == "" || s == Hidden {
		return stored
	}
	return string(s)
}

// unlike gives the secret when it is another than the stored one, else nothing.
func (s Secret) unlike(stored string) Secret {
	if s.or(stored) == stored {
		return ""
	}
	return s
}

// Duration is a span of time. It is written as "90s", "24h" or, when it never ends, "forever".
type Duration time.Duration

// Forever is a span that never ends.
const Forever Duration = -1

// String writes the span as documents do.
func (d Duration) String() string {
	if d < 0 {
		return "forever"
	}
	text := time.Duration(d).String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

// MarshalText writes the span as documents do.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalJSON reads a span: a string, or a number of seconds.
func (d *Duration) UnmarshalJSON(data []byte) error {
	var seconds float64
	if err := json.Unmarshal(data, &seconds); err == nil {
		*d = Duration(seconds * float64(time.Second))
		if seconds < 0 {
			*d = Forever
		}
		return nil
	}
	var text string
	if err := json.Unmarshal(data, &text); err != nil {
		return &SyntaxError{Message: `a time span is wanted, such as "90s", "24h" or "forever"`}
	}
	if text == "forever" {
		*d = Forever
		return nil
	}
	span, err := time.ParseDuration(text)
	if err != nil || span < 0 {
		return &SyntaxError{Message: `a time span is wanted, such as "90s", "24h" or "forever", not "` + text + `"`}
	}
	*d = Duration(span)
	return nil
}

// known gives the value behind a pointer, or a default.
func known[T any](p *T, otherwise T) T {
	if p == nil {
		return otherwise
	}
	return *p
}

// listed makes sure that no list is written as null.
func listed[T any](items []T) []T { return append([]T{}, items...) }
