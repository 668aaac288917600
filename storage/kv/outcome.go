package kv

import "fmt"

// Outcome is the meaning of an operation, for drivers that read a row, decide and write it back: given the row as it is, it
// returns the row as it must become if the batch commits as version. A row with Version 0 is an absent one, in both
// directions. OpCheck returns the row unchanged; the result of OpPut shares op.Value.
// It fails with a *ConflictError, ErrNotCounter or ErrOverflow, and then the whole batch must change nothing.
func Outcome(op *Op, row Entry, version uint64) (Entry, error) {
	if row.IsCount && row.Counter == 0 {
		row = Entry{}
	}
	if !holds(op, row) {
		return Entry{}, &ConflictError{Key: op.Key}
	}
	switch op.Kind {
	case OpPut:
		return Entry{Sort: op.Key.Sort, Value: op.Value, Version: version}, nil
	case OpDelete:
		return Entry{}, nil
	case OpAdd:
		return added(op, row, version)
	default:
		return row, nil
	}
}

func holds(op *Op, row Entry) bool {
	switch op.If {
	case IfAbsent:
		return row.Version == 0
	case IfExists:
		return row.Version != 0
	case IfVersion:
		return row.Version != 0 && row.Version == op.Version
	default:
		return true
	}
}

func added(op *Op, row Entry, version uint64) (Entry, error) {
	if row.Version != 0 && !row.IsCount {
		return Entry{}, fmt.Errorf("%w: %q/%q", ErrNotCounter, op.Key.Partition, op.Key.Sort)
	}
	sum := row.Counter + op.Delta
	if (sum > row.Counter) != (op.Delta > 0) && op.Delta != 0 {
		return Entry{}, fmt.Errorf("%w: %q/%q", ErrOverflow, op.Key.Partition, op.Key.Sort)
	}
	if sum == 0 {
		return Entry{}, nil
	}
	return Entry{Sort: op.Key.Sort, Counter: sum, IsCount: true, Version: version}, nil
}
