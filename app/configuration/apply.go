package configuration

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"entrepot/app/access"
	"entrepot/storage/kv"
)

// ApplyError tells which change was refused and what became of the others.
type ApplyError struct {
	Change *Change
	Err    error    // why
	Stays  []string // names of changes that were made and stay, because they cannot be put back
	Open   []string // names of those that were not made, or were put back
}

func (e *ApplyError) Error() string {
	return fmt.Sprintf("%s %s: %v; %s", e.Change.Action, e.Change.Name(), e.Err, e.Outcome())
}

// Outcome says in what state the server is, for people.
func (e *ApplyError) Outcome() string {
	if len(e.Stays) == 0 {
		return "nothing was changed"
	}
	return fmt.Sprintf("what was changed before and stays: %s; when the cause is gone, applying the file again makes the rest", strings.Join(e.Stays, ", "))
}

func (e *ApplyError) Unwrap() error { return e.Err }

// rehearse does what a plan says where it has no effect. The error is that of Apply.
func (c *Configuration) rehearse(ctx context.Context, actor access.Actor, plan *Plan) (err error) {
	try, err := c.domains.Rehearsal(ctx)
	if err != nil {
		return fmt.Errorf("configuration: rehearse: %w", err)
	}
	defer func() { err = errors.Join(err, try.Close()) }()
	stage := New(try.Domains)
	for i := range plan.Changes {
		change := plan.Changes[i]
		change.section = stage.section(change.Section)
		if err := change.make(ctx, actor); err != nil {
			return &ApplyError{Change: &plan.Changes[i], Err: err, Open: names(plan.Changes)}
		}
	}
	return nil
}

func names(changes []Change) []string {
	all := make([]string, len(changes))
	for i := range changes {
		all[i] = changes[i].Name()
	}
	return all
}

// make makes a change.
func (c *Change) make(ctx context.Context, actor access.Actor) error {
	switch c.Action {
	case Create:
		return c.section.create(ctx, actor, c.value)
	case Update:
		return c.section.update(ctx, actor, c.Key, c.value)
	default:
		return c.section.remove(ctx, actor, c.Key)
	}
}

// Apply does what a plan says, in order, each change only if its document is still the one that was planned for. When one is refused the
// error is an *ApplyError, and those before it are put back. Deletions, which come last, are not: once one was made, all stays, and the
// same file applied again goes on from there.
func (c *Configuration) Apply(ctx context.Context, actor access.Actor, plan *Plan) error {
	r := run{actor: actor, written: make(map[kv.Key]uint64)}
	for i := range plan.Changes {
		if err := r.do(ctx, &plan.Changes[i]); err != nil {
			failed := &ApplyError{Change: &plan.Changes[i], Err: err, Stays: r.putBack(ctx)}
			failed.Open = slices.DeleteFunc(names(plan.Changes), func(name string) bool { return slices.Contains(failed.Stays, name) })
			return failed
		}
	}
	return nil
}

// run is a plan that is being carried out.
type run struct {
	actor   access.Actor
	written map[kv.Key]uint64 // the versions of rows that were written: some documents share one
	made    []step
	final   bool // a deletion was made
}

// step is a change that was made.
type step struct {
	change *Change
	row    kv.Key                                              // of the document; without one the change cannot be put back safely
	back   func(ctx context.Context, actor access.Actor) error // undoes it; nil for a deletion
}

func (r *run) do(ctx context.Context, change *Change) (err error) {
	s, back := change.section, (func(context.Context, access.Actor) error)(nil)
	switch {
	case change.Action == Create && !s.single:
		back = func(ctx context.Context, actor access.Actor) error { return s.remove(ctx, actor, change.Key) }
	case change.Action != Delete:
		if back, err = s.keep(ctx, change.Key); err != nil {
			return err
		}
	}
	if err := change.make(r.expect(ctx, change.row), r.actor); err != nil {
		return err
	}
	r.made = append(r.made, step{change: change, row: r.wrote(ctx, change), back: back})
	r.final = r.final || back == nil
	return nil
}

// expect demands that a row is as it was planned for, or as this run wrote it.
func (r *run) expect(ctx context.Context, row kv.Row) context.Context {
	if version, ok := r.written[row.Key]; ok {
		row.Version = version
	}
	if row.Key == (kv.Key{}) {
		return ctx
	}
	return kv.Expect(ctx, row)
}

// wrote notes which version of its row a change made. The key is zero when that is not known.
func (r *run) wrote(ctx context.Context, change *Change) kv.Key {
	row, err := change.section.row(ctx, change.Key)
	if err != nil {
		return kv.Key{}
	}
	r.written[row.Key] = row.Version
	return row.Key
}

// putBackFor bounds how long changes are put back, also when the client has gone.
const putBackFor = time.Minute

// putBack undoes what was made, the last one first, and gives the names of what stays: all of it after a deletion, and what somebody else
// changed meanwhile or what the store does not take.
func (r *run) putBack(ctx context.Context) (stays []string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), putBackFor)
	defer cancel()
	for _, s := range slices.Backward(r.made) {
		if r.final || s.row == (kv.Key{}) || s.back(r.expect(ctx, kv.Row{Key: s.row}), r.actor) != nil {
			stays = append(stays, s.change.Name())
			continue
		}
		r.wrote(ctx, s.change)
	}
	slices.Reverse(stays)
	return stays
}
