package tasks

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"entrepot/formats"
)

var (
	// ErrNotFound reports that there is no such task.
	ErrNotFound = errors.New("tasks: no such task")
	// ErrDisabled reports that a task may not run.
	ErrDisabled = errors.New("tasks: task is disabled")
	// ErrUnsupported reports that this program does not have the type of a task.
	ErrUnsupported = errors.New("tasks: this server does not have tasks of this type")
	// ErrNotRunning reports that there is no run to stop.
	ErrNotRunning = errors.New("tasks: task is not running")
	// ErrClosed reports that tasks are not served at the moment.
	ErrClosed = errors.New("tasks: not served")
)

// Definition is a task as its administrator describes it.
type Definition struct {
	ID         string            `json:"id"`
	Type       string            `json:"type"`
	Name       string            `json:"name"`
	Enabled    bool              `json:"enabled"`
	Alert      Alert             `json:"alert,omitzero"`
	Schedule   Schedule          `json:"schedule"`
	Properties map[string]string `json:"properties,omitempty"` // those of the type, and others that are kept as they came
	Created    time.Time         `json:"created"`              // set by the service
	Updated    time.Time         `json:"updated"`              // set by the service
}

// Alert says who hears by mail how runs ended.
type Alert struct {
	Email string    `json:"email,omitempty"` // "" for nobody
	On    Condition `json:"on,omitempty"`    // default OnFailure
}

// Condition says of which runs an alert tells.
type Condition string

// The conditions.
const (
	OnFailure Condition = "failure" // failed and interrupted runs
	OnEnd     Condition = "end"     // all runs but those that were stopped
)

// Type is a kind of work.
type Type struct {
	ID     string
	Name   string // for people
	Help   string // a sentence or two
	Fields []Field
	// Resumes says that a run goes on from where an earlier one was cut off. The end of the process then is no reason to wait for the next
	// time: it goes on when tasks are served again.
	Resumes bool
	Single  bool // there is at most one task of it, and users can neither make nor remove it
	// Check finds what is wrong with properties beyond what Fields say, for example names of things that do not exist. May be nil.
	Check func(properties map[string]string) formats.FieldErrors
	// Claims gives what a run needs for itself. May be nil.
	Claims func(properties map[string]string) []Claim
	// Title says what a run with these properties does, for example "Collect blobs of default".
	Title func(properties map[string]string) string
	// Do does the work. It returns what it did as a sentence. It ends soon after ctx does.
	Do func(ctx context.Context, properties map[string]string, m *Monitor) (string, error)
}

// Claim names something that a run needs for itself.
type Claim struct {
	Kind string // for example "blob store"
	Name string // "" means all of the kind
}

// String gives the claim for people.
func (c Claim) String() string {
	if c.Name == "" {
		return "every " + c.Kind
	}
	return c.Kind + " " + c.Name
}

func (c Claim) meets(o Claim) bool {
	return c.Kind == o.Kind && (c.Name == o.Name || c.Name == "" || o.Name == "")
}

// Field is one property of a type.
type Field struct {
	ID       string
	Label    string
	Help     string
	Kind     FieldKind
	Required bool
	Default  string
	Min      *int64         // of a number
	Options  []string       // of a choice
	Formats  []string       // of a repository: only these; nil means any
	Kinds    []formats.Kind // of a repository: only these; nil means any
	All      bool           // of a repository or blob store: "*" means all
}

// FieldKind says what values a property takes. All values are texts.
type FieldKind string

// The kinds of fields.
const (
	Text       FieldKind = "text"
	Number     FieldKind = "number"
	Boolean    FieldKind = "boolean" // "true" or "false"
	Choice     FieldKind = "choice"
	Repository FieldKind = "repository"
	Several    FieldKind = "repositories" // names with commas between
	BlobStore  FieldKind = "blobStore"
)

// State is what a task is doing.
type State string

// The states.
const (
	Waiting  State = "waiting"  // for its time, or for somebody to start it
	Blocked  State = "blocked"  // it is to run as soon as other runs have ended
	Running  State = "running"  //
	Stopping State = "stopping" // it was told to end and has not yet
)

// Result is how a run ended.
type Result string

// The results.
const (
	OK          Result = "ok"
	Failed      Result = "failed"
	Stopped     Result = "stopped"     // by a user
	Interrupted Result = "interrupted" // by the end of the process
)

// Outcome is a run that has ended.
type Outcome struct {
	Started  time.Time     `json:"started"`
	Duration time.Duration `json:"duration"`
	Result   Result        `json:"result"`
	Message  string        `json:"message,omitempty"` // what it did, or why it failed
	Actor    string        `json:"actor,omitempty"`   // who started it, "" for the schedule
}

// Progress is how far a run is.
type Progress struct {
	Started time.Time
	Done    int64
	Resumed int64   // of Done, what earlier runs did from which this one goes on
	Total   int64   // 0 when not known
	Rate    float64 // done per second since the start
	Message string  // what it is at, may be empty
}

// Status is a task at one moment.
type Status struct {
	Definition
	Title    string // what a run does
	State    State
	Reason   string    // why it is blocked, or why it can never run; else ""
	Next     time.Time // zero when no run is planned
	Progress *Progress // of the present run
	Runs     []Outcome // that ended, the last one first
	Revision uint64    // grows with each change
	Deleted  bool      // only from Watch: the task is gone, this is its last status
}

// Last gives the last run that ended; false when there was none.
func (s *Status) Last() (Outcome, bool) {
	if len(s.Runs) == 0 {
		return Outcome{}, false
	}
	return s.Runs[0], true
}

// clone makes the parts of a definition that can be changed its own.
func (d Definition) clone() Definition {
	d.Properties = maps.Clone(d.Properties)
	d.Schedule.Days = slices.Clone(d.Schedule.Days)
	return d
}
