package access

import (
	"errors"
	"fmt"
	"time"
)

// ErrBadCredentials reports credentials that nobody accepts: unknown, wrong, malformed, or of a user that may not sign in.
var ErrBadCredentials = errors.New("access: bad credentials")

// ThrottledError reports a sign-in refused unseen because too many failed before. It matches ErrBadCredentials.
type ThrottledError struct {
	RetryAfter time.Duration
}

func (e *ThrottledError) Error() string {
	return fmt.Sprintf("access: too many failed sign-ins; retry after %v", e.RetryAfter)
}

// Is makes errors.Is(err, ErrBadCredentials) true.
func (e *ThrottledError) Is(target error) bool { return target == ErrBadCredentials }

// UnavailableError reports credentials that nobody could judge, because a realm that might accept them cannot be asked.
type UnavailableError struct {
	Err error
}

func (e *UnavailableError) Error() string { return e.Err.Error() }

// Unwrap gives what went wrong.
func (e *UnavailableError) Unwrap() error { return e.Err }

// Kind says what is wrong with a request to change or read records.
type Kind uint8

// The kinds of errors.
const (
	Invalid  Kind = iota + 1 // Fields tell which members of the request are wrong
	Refused                  // the request makes no sense as a whole
	NotFound                 // what it names does not exist
	Exists                   // what it would make exists
	ReadOnly                 // what it would change is built in
	InUse                    // what it would delete is needed
	Withheld                 // the caller's credentials are not good enough for it, whatever they may do
)

// Error is a request that broke a rule. Message is the sentence for the client, in the words old clients know.
type Error struct {
	Kind    Kind
	Message string
	Fields  []FieldError // of kind Invalid
}

// FieldError is a fault of one member of a request.
type FieldError struct {
	Field   string // the member's name, such as "userId"
	Message string
	// Shape means that the value is wrong by itself (blank, misspelt); otherwise it does not fit other records.
	Shape bool
}

func (e *Error) Error() string {
	if e.Message == "" && len(e.Fields) > 0 {
		return "access: " + e.Fields[0].Field + " " + e.Fields[0].Message
	}
	return "access: " + e.Message
}

// KindOf gives the kind of an *Error in err's chain, or 0.
func KindOf(err error) Kind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return 0
}

func refuse(kind Kind, format string, args ...any) error {
	return &Error{Kind: kind, Message: fmt.Sprintf(format, args...)}
}

// unfit is an Invalid error for a member that does not fit other records.
func unfit(field, message string) error {
	return &Error{Kind: Invalid, Fields: []FieldError{{Field: field, Message: message}}}
}

// shapes gathers faults of members by themselves.
type shapes []FieldError

func (s *shapes) add(broken bool, field, message string) {
	if broken {
		*s = append(*s, FieldError{Field: field, Message: message, Shape: true})
	}
}

// err is nil when no fault was found.
func (s shapes) err() error {
	if len(s) == 0 {
		return nil
	}
	return &Error{Kind: Invalid, Fields: s}
}
