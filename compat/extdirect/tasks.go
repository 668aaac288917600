package extdirect

import (
	"errors"
	"strings"
	"time"

	"entrepot/app/settings"
	"entrepot/app/tasks"
	"entrepot/compat/names"
	"entrepot/formats"
)

func (c *Calls) taskMethods() []method {
	return []method{
		{"coreui_Task.read", "nexus:tasks:read", 0, c.tasks},
		{"coreui_Task.readTypes", "nexus:tasks:read", 0, c.taskTypes},
		{"coreui_Task.run", "nexus:tasks:start", 1, c.runTask},
		{"coreui_Task.stop", "nexus:tasks:stop", 1, c.stopTask},
	}
}

// taskWords are what a task does, in the old words: a constant and how people read it.
var taskWords = map[tasks.State][2]string{
	tasks.Waiting: {"WAITING", "Waiting"}, tasks.Blocked: {"RUNNING_BLOCKED", "Blocked"}, tasks.Running: {"RUNNING", "Running"},
	tasks.Stopping: {"RUNNING_CANCELED", "Cancelling"},
}

func (c *Calls) tasks(*request) (any, error) {
	type shown struct {
		ID         string            `json:"id"`
		Enabled    bool              `json:"enabled"`
		Name       string            `json:"name"`
		Type       string            `json:"typeId"`
		TypeName   string            `json:"typeName"`
		Status     string            `json:"status"`
		StatusText string            `json:"statusDescription"`
		Next       *time.Time        `json:"nextRun"`
		Last       *time.Time        `json:"lastRun"`
		Result     string            `json:"lastRunResult"`
		Runnable   bool              `json:"runnable"`
		Stoppable  bool              `json:"stoppable"`
		Zone       *string           `json:"timeZoneOffset"`
		Alert      *string           `json:"alertEmail"`
		Condition  string            `json:"notificationCondition"`
		Properties map[string]string `json:"properties"`
		Schedule   string            `json:"schedule"`
		Start      *time.Time        `json:"startDate"`
		Days       []int             `json:"recurringDays"`
		Cron       *string           `json:"cronExpression"`
	}
	out := []shown{}
	for _, s := range c.Tasks.List() {
		words := taskWords[s.State]
		one := shown{
			ID: s.ID, Enabled: s.Enabled, Name: s.Name, Type: names.TaskType(s.Type), TypeName: s.Type, Status: words[0], StatusText: words[1],
			Runnable: s.State == tasks.Waiting, Stoppable: s.State == tasks.Running || s.State == tasks.Blocked, Zone: some(s.Schedule.Zone),
			Alert: some(s.Alert.Email), Condition: "FAILURE", Properties: names.TaskProperties(s.Type, s.Properties), Schedule: scheduleWord(s.Schedule.Frequency),
			Days: s.Schedule.Days, Cron: some(s.Schedule.Cron), Next: moment(s.Next), Start: moment(s.Schedule.Start),
		}
		if s.Alert.On == tasks.OnEnd {
			one.Condition = "SUCCESS_FAILURE"
		}
		if t, ok := c.Tasks.Type(s.Type); ok {
			one.TypeName = t.Name
		}
		if last, ran := s.Last(); ran {
			one.Last, one.Result = moment(last.Started), string(last.Result)
		}
		out = append(out, one)
	}
	return out, nil
}

// moment is nothing for a time that is not known.
func moment(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

// taskKinds are the kinds of fields of tasks in the old words.
var taskKinds = map[tasks.FieldKind]settings.Kind{
	tasks.Text: settings.Text, tasks.Number: settings.Number, tasks.Boolean: settings.Checkbox, tasks.Choice: settings.Choice,
	tasks.Repository: settings.Choice, tasks.Several: settings.Several, tasks.BlobStore: settings.Choice,
}

func (c *Calls) taskTypes(*request) (any, error) {
	type shown struct {
		ID         string      `json:"id"`
		Name       string      `json:"name"`
		Exposed    bool        `json:"exposed"` // users can make tasks of it
		Concurrent bool        `json:"concurrentRun"`
		Fields     []formField `json:"formFields"`
	}
	out := []shown{}
	for _, t := range c.Tasks.Types() {
		one := shown{ID: names.TaskType(t.ID), Name: t.Name, Exposed: !t.Single, Concurrent: true, Fields: []formField{}}
		for _, f := range t.Fields {
			field := formField{
				ID: names.TaskProperty(t.ID, f.ID), Type: string(taskKinds[f.Kind]), Label: f.Label, Help: f.Help, Required: f.Required, Initial: some(f.Default), Attributes: map[string]any{},
			}
			switch f.Kind {
			case tasks.Repository, tasks.Several:
				field.Choices = some("coreui_Repository.readReferences")
				if f.All {
					field.Choices = some("coreui_Repository.readReferencesAddingEntryForAll")
				}
			case tasks.BlobStore:
				field.Choices = some("coreui_Blobstore.readNames")
			case tasks.Choice:
				field.Attributes["options"] = f.Options
			}
			one.Fields = append(one.Fields, field)
		}
		out = append(out, one)
	}
	return out, nil
}

func (c *Calls) runTask(q *request) (any, error) {
	var id string
	if err := q.argument(&id); err != nil {
		return nil, err
	}
	return nil, wordTask(c.Tasks.Start(q.Context(), id, q.subject.UserID()))
}

func (c *Calls) stopTask(q *request) (any, error) {
	var id string
	if err := q.argument(&id); err != nil {
		return nil, err
	}
	return nil, wordTask(c.Tasks.Stop(q.Context(), id, q.subject.UserID()))
}

// wordTask gives the refusals of tasks a message for the client.
func wordTask(err error) error {
	for _, known := range []error{tasks.ErrNotFound, tasks.ErrDisabled, tasks.ErrUnsupported, tasks.ErrNotRunning} {
		if errors.Is(err, known) {
			return &formats.Error{Kind: formats.Denied, Message: strings.TrimPrefix(known.Error(), "tasks: "), Err: err}
		}
	}
	return err
}
