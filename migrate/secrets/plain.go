package secrets

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
)

// ErrKey reports that a key is missing or wrong.
var ErrKey = errors.New("secrets: missing or wrong key")

// ErrForm reports text or bytes that are not of the form they should have.
var ErrForm = errors.New("secrets: not of the expected form")

// Plain is a secret in the clear. However it is printed, logged or marshalled, it shows as "***".
type Plain struct{ text string }

// NewPlain wraps a secret.
func NewPlain(text string) Plain { return Plain{text} }

// Reveal gives the secret itself.
func (p Plain) Reveal() string { return p.text }

// Format hides the secret from every verb of fmt.
func (p Plain) Format(w fmt.State, _ rune) { _, _ = io.WriteString(w, hidden) }

// MarshalText hides the secret from encoders.
func (p Plain) MarshalText() ([]byte, error) { return []byte(hidden), nil }

// LogValue hides the secret from logs.
func (p Plain) LogValue() slog.Value { return slog.StringValue(hidden) }

const hidden = "***"

// Place says where a secret is used.
type Place struct {
	Table  string // in lower case; with its schema when that is not PUBLIC
	Row    string // name, type or id of the row, for people
	Number int64  // of the row among those of its table, from 1; 0 where it does not matter
	Member string // column, and for JSON the path inside of it: "attributes.httpclient.authentication.password"
}

// String gives the place as one line.
func (p Place) String() string {
	s := p.Table
	if p.Row != "" {
		s += " " + p.Row
	} else if p.Number > 0 {
		s += fmt.Sprintf(" row %d", p.Number)
	}
	if p.Member != "" {
		s += " " + p.Member
	}
	return s
}

// Lost is a secret that cannot be opened.
type Lost struct {
	Place  Place
	Reason string
}

// LostError names every secret that cannot be opened. It matches ErrKey.
type LostError struct{ Lost []Lost }

// Error lists all of them.
func (e *LostError) Error() string {
	lines := make([]string, 0, len(e.Lost)+1)
	lines = append(lines, fmt.Sprintf("secrets: %d cannot be opened:", len(e.Lost)))
	for _, l := range e.Lost {
		lines = append(lines, l.Place.String()+": "+l.Reason)
	}
	return strings.Join(lines, "\n\t")
}

// Is makes errors.Is(err, ErrKey) true.
func (e *LostError) Is(target error) bool { return target == ErrKey }
