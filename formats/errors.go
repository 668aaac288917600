package formats

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
)

// ErrNotGenerated is returned by a Generator for an item it does not make.
var ErrNotGenerated = errors.New("formats: not generated")

// ErrorKind is the reason of a refusal. The edge maps kinds to HTTP in one place.
type ErrorKind uint8

// The kinds of errors.
const (
	Internal            ErrorKind = iota
	Invalid                       // the request makes no sense: bad path, bad body
	NotFound                      // no such thing
	Unauthenticated               // credentials missing or wrong
	Forbidden                     // known caller, not allowed
	MethodNotAllowed              // Allow lists what is
	Denied                        // a policy of the repository refuses: write policy, layout, version
	InvalidContent                // the body is not what its name promises
	PreconditionFailed            // If-Match and its kin
	Unavailable                   // try again later: offline, read-only, upstream refused
	BadGateway                    // the upstream could not be talked to
	NoSpace                       // the disk is full
	RangeNotSatisfiable           // the range asked for lies outside the body
)

// Error is a refusal with a message for the client.
type Error struct {
	Kind    ErrorKind
	Message string      // shown to the client: names the thing and, where there is one, the remedy; "" means the status' own words
	Allow   []string    // with MethodNotAllowed
	Header  http.Header // further headers of the answer; may be nil
	Err     error       // the cause, for the log; may be nil
}

func (e *Error) Error() string {
	if e.Err != nil {
		return fmt.Sprintf("%s: %v", e.Message, e.Err)
	}
	return e.Message
}

func (e *Error) Unwrap() error { return e.Err }

// FieldError is what is wrong with one field of a form or a definition.
type FieldError struct {
	Field   string // "" means the whole
	Message string
}

// FieldErrors are all that is wrong with a form or a definition.
type FieldErrors []FieldError

func (e FieldErrors) Error() string {
	messages := make([]string, len(e))
	for i, f := range e {
		messages[i] = f.Message
	}
	return strings.Join(messages, "; ")
}

// Errorf makes an *Error of a kind.
func Errorf(kind ErrorKind, format string, args ...any) *Error {
	return &Error{Kind: kind, Message: fmt.Sprintf(format, args...)}
}

// KindOf gives the kind of an error, Internal when it is no *Error.
func KindOf(err error) ErrorKind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return Internal
}

// IsPlain reports whether an error is an *Error and nothing else, neither around it nor in it: what looks for other errors can save
// itself the search, which costs as much as the rest of a refusal.
func IsPlain(err error) bool {
	e, ok := err.(*Error)
	return ok && e.Err == nil
}
