package server

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"time"

	"entrepot/formats"
)

const (
	// drainLimit is how much of an unread body is thrown away to keep a connection. More, and the connection ends instead.
	drainLimit = 256 << 10
	// drainTime bounds that.
	drainTime = 5 * time.Second
	// deadlineStep is how stale a read deadline may be before it is moved, at most: setting it for each read would cost more than
	// reading.
	deadlineStep = time.Second
)

// body is a request's body as handlers read it. It remembers its end, because the stream below must not be read after it; it tells
// a body that was cut off from a complete one; it keeps to the route's limit; and it moves the read deadline before each read, so
// that only silence ends a transfer.
type body struct {
	src      io.Reader
	conn     net.Conn
	timeout  time.Duration
	declared int64 // Content-Length; -1 when chunked
	limit    int64 // most bytes that a handler gets; 0 means any
	read     int64
	pushed   time.Time // when the deadline was last moved
	until    time.Time // no deadline beyond this; zero means none
	err      error     // what every further Read returns: io.EOF after a complete body
}

// Read implements io.Reader.
func (b *body) Read(p []byte) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	if len(p) == 0 {
		return 0, nil
	}
	if b.limit > 0 && int64(len(p)) > b.limit-b.read+1 {
		p = p[:b.limit-b.read+1]
	}
	if err := b.push(); err != nil {
		b.err = fmt.Errorf("server: body: %w", err)
		return 0, b.err
	}
	n, err := b.src.Read(p)
	b.read += int64(n)
	if err != nil {
		b.err = b.explain(err)
	}
	if b.limit > 0 && b.read > b.limit {
		b.err = &StatusError{Status: http.StatusRequestEntityTooLarge, Message: fmt.Sprintf("The body is longer than %d bytes", b.limit)}
		return 0, b.err
	}
	return n, b.err
}

// explain turns the stream's error into one that says what happened to the body.
func (b *body) explain(err error) error {
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF) && b.declared >= 0 && b.read < b.declared:
		return &StatusError{Status: http.StatusBadRequest, Message: "The body ended early", Err: io.ErrUnexpectedEOF}
	case errors.Is(err, io.EOF):
		return io.EOF
	case errors.Is(err, os.ErrDeadlineExceeded):
		return &StatusError{Status: http.StatusRequestTimeout, Message: "The body stopped arriving", Err: err}
	}
	return &StatusError{Status: http.StatusBadRequest, Message: "The body cannot be read", Err: err}
}

func (b *body) push() error {
	now := time.Now()
	if now.Sub(b.pushed) < min(deadlineStep, b.timeout/4) {
		return nil
	}
	b.pushed = now
	deadline := now.Add(b.timeout)
	if !b.until.IsZero() && deadline.After(b.until) {
		deadline = b.until
	}
	return b.conn.SetReadDeadline(deadline)
}

// failed gives the error that broke the body, nil when it is complete or merely not read.
func (b *body) failed() error {
	if b == nil || b.err == nil || errors.Is(b.err, io.EOF) {
		return nil
	}
	return b.err
}

// exhaust reads the body to its end and throws it away, whatever its length, for clients that do not look at an answer before they
// have sent everything.
func (b *body) exhaust() {
	b.limit = 0
	_, _ = io.Copy(io.Discard, readerOnly{b})
}

// finish throws away what a handler left of the body and reports whether the connection can carry another request.
func (b *body) finish() bool {
	if b.err != nil {
		return errors.Is(b.err, io.EOF)
	}
	if b.declared >= 0 && b.declared-b.read > drainLimit {
		return false
	}
	b.limit = 0
	b.until = time.Now().Add(drainTime)
	b.pushed = time.Time{}
	_, _ = io.CopyN(io.Discard, readerOnly{b}, drainLimit)
	if b.err == nil { // the last byte may have come without the end
		_, _ = b.Read(make([]byte, 1))
	}
	return errors.Is(b.err, io.EOF)
}

// readerOnly hides everything but Read.
type readerOnly struct{ io.Reader }

// StatusError is a refusal by the edge itself, with the status it stands for.
type StatusError struct {
	Status  int
	Message string      // for the client; "" means the status' own words
	Bare    bool        // the answer has no body
	Header  http.Header // further headers of the answer; may be nil
	Err     error       // the cause, for the log; may be nil
}

func (e *StatusError) Error() string {
	if e.Err != nil {
		return fmt.Sprintf("server: %d %s: %v", e.Status, e.Message, e.Err)
	}
	return fmt.Sprintf("server: %d %s", e.Status, e.Message)
}

func (e *StatusError) Unwrap() error { return e.Err }

// AnsweredError is an error that brings its answer along: it is the same on every surface.
type AnsweredError struct {
	Response *formats.Response
	Err      error // for the log
}

func (e *AnsweredError) Error() string { return e.Err.Error() }

func (e *AnsweredError) Unwrap() error { return e.Err }
