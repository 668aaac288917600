// Package audit keeps who changed what, when and from where, with what was there before and after. Domains tell a Recorder about each
// change after it was stored; who makes it travels in the context. A Log keeps the events in the database, where they can be asked for,
// and in a file of JSON lines, which other programs can follow.
//
// Invariants:
//
//   - No secret is recorded: members of a document that are named like one are replaced by "***", whatever the domain gave.
//   - Reads are not recorded and cost nothing. A change stands even if it cannot be recorded; that is an error in the server's log.
//   - Failed sign-ins are recorded up to a rate: those beyond it are counted, so that nobody can fill the disk with them.
//   - Events end after a number of days; the file is rotated by size, and is readable by the server's user only.
//
// Example:
//
//	ctx = audit.WithActor(ctx, audit.Actor{UserID: "jane", Address: "192.0.2.1"})
//	audit.Record(ctx, s.opts.Audit, audit.Event{Action: "role.update", Object: "dev", Before: before, After: after})
package audit

import (
	"context"
	"time"
)

// Actor is who makes a change.
type Actor struct {
	UserID  string `json:"userId"`
	Source  string `json:"source,omitempty"`  // of the user
	Address string `json:"address,omitempty"` // of the client, "" for the server itself
	Token   string `json:"token,omitempty"`   // id of the API token that was shown
}

// System is the server itself as actor.
func System() Actor { return Actor{UserID: "*SYSTEM"} }

// Event is a change that was stored, or a sign-in that failed.
type Event struct {
	Time   time.Time // zero means now
	Actor  Actor     // zero means the one in the context, else the server itself
	Action string    // what was done to which kind of thing, such as "user.create"
	Object string    // what was changed, such as the user's id
	// Before and After are what was there, as JSON can be made of them; nil for nothing, or nothing that can be shown.
	Before, After any
}

// Recorder is told about changes. It does not fail: a change stands, whether or not somebody writes it down.
type Recorder interface {
	Record(ctx context.Context, e Event)
}

// Record tells a recorder, nil for none, about a change, and who made it when the event does not say.
func Record(ctx context.Context, r Recorder, e Event) {
	if r == nil {
		return
	}
	if e.Actor == (Actor{}) {
		e.Actor = ActorOf(ctx)
	}
	r.Record(ctx, e)
}

type actorKey struct{}

// WithActor gives a context in which an actor makes changes.
func WithActor(ctx context.Context, a Actor) context.Context {
	return context.WithValue(ctx, actorKey{}, a)
}

// ActorOf gives who makes changes in a context: the server itself when it does not say.
func ActorOf(ctx context.Context) Actor {
	if a, ok := ctx.Value(actorKey{}).(Actor); ok {
		return a
	}
	return System()
}
