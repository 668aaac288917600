package api

import (
	"context"
	"net/http"
	"time"

	"entrepot/app/tasks"
	"entrepot/formats"
)

// TaskStatus is a task at one moment.
type TaskStatus struct {
	ID       string        `json:"id"`
	Type     string        `json:"type"`
	Name     string        `json:"name"`
	Title    string        `json:"title"` // what a run does
	Enabled  bool          `json:"enabled"`
	State    string        `json:"state" enums:"waiting,blocked,running,stopping"`
	Reason   string        `json:"reason,omitempty"`   // why it is blocked, or can never run
	Next     *time.Time    `json:"next,omitempty"`     // absent when no run is planned
	Progress *TaskProgress `json:"progress,omitempty"` // of the present run
	Runs     []TaskRun     `json:"runs"`               // that ended, the last one first
	Deleted  bool          `json:"deleted,omitempty"`  // only in events: this is the last one of the task
}

// TaskProgress is how far a run is.
type TaskProgress struct {
	Started time.Time `json:"started"`
	Done    int64     `json:"done"`
	Total   int64     `json:"total,omitempty"` // absent when not known
	Rate    float64   `json:"rate"`            // done per second
	Message string    `json:"message,omitempty"`
}

// TaskRun is a run that has ended.
type TaskRun struct {
	Started time.Time `json:"started"`
	Seconds float64   `json:"seconds"`
	Result  string    `json:"result" enums:"ok,failed,stopped,interrupted"`
	Message string    `json:"message,omitempty"` // what it did, or why it failed
	Actor   string    `json:"actor,omitempty"`   // who started it; absent for the schedule
}

func statusOf(s tasks.Status) TaskStatus {
	doc := TaskStatus{
		ID: s.ID, Type: s.Type, Name: s.Name, Title: s.Title, Enabled: s.Enabled, State: string(s.State), Reason: s.Reason, Next: moment(s.Next),
		Runs: []TaskRun{}, Deleted: s.Deleted,
	}
	if p := s.Progress; p != nil {
		doc.Progress = &TaskProgress{Started: p.Started.UTC(), Done: p.Done, Total: p.Total, Rate: p.Rate, Message: p.Message}
	}
	for _, o := range s.Runs {
		doc.Runs = append(doc.Runs, TaskRun{Started: o.Started.UTC(), Seconds: o.Duration.Seconds(), Result: string(o.Result), Message: o.Message, Actor: o.Actor})
	}
	return doc
}

// getTaskStatus tells what a task is doing.
//
//	@Summary		Tell what a task is doing
//	@Description	Needs nexus:tasks:read.
//	@Tags			tasks
//	@Param			id	path		string	true	"which"
//	@Success		200	{object}	TaskStatus
//	@Failure		401	{object}	Problem
//	@Failure		403	{object}	Problem
//	@Failure		404	{object}	Problem
//	@Router			/tasks/{id}/status [get]
func (a *API) getTaskStatus(c *call) (*formats.Response, error) {
	s, err := a.Tasks.Get(c.key())
	if err != nil {
		return nil, err
	}
	return reply(http.StatusOK, statusOf(s))
}

// listTaskStatuses tells what all tasks are doing.
//
//	@Summary		Tell what all tasks are doing
//	@Description	Needs nexus:tasks:read.
//	@Tags			tasks
//	@Param			limit	query		int		false	"how many at most"	minimum(1)	maximum(1000)	default(100)
//	@Param			cursor	query		string	false	"where to go on: next of the part before"
//	@Success		200		{object}	Page[TaskStatus]
//	@Failure		400		{object}	Problem
//	@Failure		401		{object}	Problem
//	@Failure		403		{object}	Problem
//	@Router			/task-statuses [get]
func (a *API) listTaskStatuses(c *call) (*formats.Response, error) {
	ids, err := a.tasks.List(c.Context())
	if err != nil {
		return nil, err
	}
	all := make([]TaskStatus, 0, len(ids))
	for _, t := range ids {
		if s, err := a.Tasks.Get(t.ID); err == nil { // else deleted meanwhile
			all = append(all, statusOf(s))
		}
	}
	return part(c, all, func(s *TaskStatus) string { return s.ID })
}

// startTask asks for a run.
//
//	@Summary		Start a task
//	@Description	Runs it now, or as soon as what it needs is free. Needs nexus:tasks:start.
//	@Tags			tasks
//	@Param			id	path		string	true	"which"
//	@Success		202	{object}	TaskStatus
//	@Failure		401	{object}	Problem
//	@Failure		403	{object}	Problem
//	@Failure		404	{object}	Problem
//	@Failure		409	{object}	Problem
//	@Failure		503	{object}	Problem
//	@Router			/tasks/{id}/start [post]
func (a *API) startTask(c *call) (*formats.Response, error) {
	return a.order(c, a.Tasks.Start)
}

// stopTask ends a run.
//
//	@Summary		Stop a task
//	@Description	Ends its run, or takes back that one was asked for. It does not wait for the end. Needs nexus:tasks:stop.
//	@Tags			tasks
//	@Param			id	path		string	true	"which"
//	@Success		202	{object}	TaskStatus
//	@Failure		401	{object}	Problem
//	@Failure		403	{object}	Problem
//	@Failure		404	{object}	Problem
//	@Failure		409	{object}	Problem
//	@Router			/tasks/{id}/stop [post]
func (a *API) stopTask(c *call) (*formats.Response, error) {
	return a.order(c, a.Tasks.Stop)
}

func (a *API) order(c *call, order func(ctx context.Context, id, actor string) error) (*formats.Response, error) {
	if err := order(c.Context(), c.key(), c.subject.UserID()); err != nil {
		return nil, err
	}
	s, err := a.Tasks.Get(c.key())
	if err != nil {
		return nil, err
	}
	return reply(http.StatusAccepted, statusOf(s))
}

// watchTask tells what a task is doing, as it happens.
//
//	@Summary		Watch a task
//	@Description	Server-sent events: one of type "status" now and after each change, with a TaskStatus as data, and a comment from time to time. Ends with the task. Needs nexus:tasks:read.
//	@Tags			tasks
//	@Produce		text/event-stream
//	@Param			id	path		string	true	"which"
//	@Success		200	{object}	TaskStatus
//	@Failure		401	{object}	Problem
//	@Failure		403	{object}	Problem
//	@Failure		404	{object}	Problem
//	@Router			/tasks/{id}/events [get]
func (a *API) watchTask(c *call) (*formats.Response, error) {
	if _, err := a.Tasks.Get(c.key()); err != nil {
		return nil, err
	}
	return a.watch(c, c.key()), nil
}

// watchTasks tells what all tasks are doing, as it happens.
//
//	@Summary		Watch all tasks
//	@Description	Server-sent events: one of type "status" for each task now, and one after each change, with a TaskStatus as data, and a comment from time to time. Needs nexus:tasks:read.
//	@Tags			tasks
//	@Produce		text/event-stream
//	@Success		200	{object}	TaskStatus
//	@Failure		401	{object}	Problem
//	@Failure		403	{object}	Problem
//	@Router			/task-events [get]
func (a *API) watchTasks(c *call) (*formats.Response, error) { return a.watch(c, ""), nil }

func (a *API) watch(c *call, id string) *formats.Response {
	return c.events(func(ctx context.Context, emit emitter) {
		for s := range a.Tasks.Watch(ctx, id) {
			if emit("status", statusOf(s)) != nil {
				return
			}
		}
	})
}

// TaskType is a kind of work.
type TaskType struct {
	ID     string      `json:"id"`
	Name   string      `json:"name"`
	Help   string      `json:"help,omitempty"`
	Fields []TaskField `json:"fields"` // its properties
	Single bool        `json:"single"` // the server's own: there is one task of it, which can neither be made nor deleted
}

// TaskField is a property of a kind of work. All values are texts.
type TaskField struct {
	ID       string   `json:"id"`
	Label    string   `json:"label"`
	Help     string   `json:"help,omitempty"`
	Kind     string   `json:"kind" enums:"text,number,boolean,choice,repository,repositories,blobStore"`
	Required bool     `json:"required"`
	Default  string   `json:"default,omitempty"`
	Options  []string `json:"options,omitempty"` // of a choice
	All      bool     `json:"all,omitempty"`     // "*" means all repositories or blob stores
}

// listTaskTypes gives the kinds of work that tasks can do.
//
//	@Summary		List types of tasks
//	@Description	The kinds of work that tasks can do, with their properties. Needs nexus:tasks:read.
//	@Tags			tasks
//	@Success		200	{object}	Page[TaskType]
//	@Failure		401	{object}	Problem
//	@Failure		403	{object}	Problem
//	@Router			/task-types [get]
func (a *API) listTaskTypes(c *call) (*formats.Response, error) {
	all := []TaskType{}
	for _, t := range a.Tasks.Types() {
		doc := TaskType{ID: t.ID, Name: t.Name, Help: t.Help, Fields: []TaskField{}, Single: t.Single}
		for _, f := range t.Fields {
			doc.Fields = append(doc.Fields, TaskField{
				ID: f.ID, Label: f.Label, Help: f.Help, Kind: string(f.Kind), Required: f.Required, Default: f.Default, Options: f.Options, All: f.All,
			})
		}
		all = append(all, doc)
	}
	return paged(c, all, "")
}
