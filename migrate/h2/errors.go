package h2

import (
	"errors"
	"fmt"
)

var (
	// ErrDamaged reports bytes that contradict the format. Every error of this kind is a *DamageError.
	ErrDamaged = errors.New("h2: damaged")
	// ErrEncrypted reports a database, script or zip that somebody encrypted. Nexus never does.
	ErrEncrypted = errors.New("h2: encrypted")
	// ErrLocked reports that a running process, most likely the old server, has the database open.
	ErrLocked = errors.New("h2: in use by a running process")
	// ErrFormat reports a file that is no H2 database of a readable version, and no script either.
	ErrFormat = errors.New("h2: unsupported file")
	// ErrUnsupported reports a column type that Nexus does not use and this package does not read.
	ErrUnsupported = errors.New("h2: unsupported type")
	// ErrNotFound reports that the database has no such table or column.
	ErrNotFound = errors.New("h2: not found")
	// ErrType reports that a column holds another Go type than the one asked for.
	ErrType = errors.New("h2: wrong type")
	// ErrTooLarge reports a value beyond Options.MaxValue.
	ErrTooLarge = errors.New("h2: value too large")
)

// DamageError says where a file contradicts its format. It matches ErrDamaged.
type DamageError struct {
	// Offset is the byte position in the file, or in the unpacked script. For something inside a compressed page it is the
	// position of the page.
	Offset int64
	// What tells what was found there.
	What string
}

// Error names the offset and the contradiction.
func (e *DamageError) Error() string {
	return fmt.Sprintf("h2: damaged at offset %d (0x%x): %s", e.Offset, e.Offset, e.What)
}

// Is makes errors.Is(err, ErrDamaged) true.
func (e *DamageError) Is(target error) bool { return target == ErrDamaged }

// damaged builds a *DamageError.
func damaged(offset int64, format string, args ...any) error {
	return &DamageError{Offset: offset, What: fmt.Sprintf(format, args...)}
}
