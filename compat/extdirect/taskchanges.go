package extdirect

import (
	"errors"
	"slices"
	"strings"
	"time"

	"entrepot/app/tasks"
	"entrepot/compat/names"
	"entrepot/formats"
)

func (c *Calls) taskChangeMethods() []method {
	return []method{
		{"coreui_Task.create", "nexus:tasks:create", 1, c.createTask},
		{"coreui_Task.update", "nexus:tasks:update", 1, c.updateTask},
		{"coreui_Task.remove", "nexus:tasks:delete", 1, c.removeTask},
	}
}

// advanced is what a schedule by a cron expression is called.
const advanced = "advanced"

// scheduleWord gives the old word for how often a task runs.
func scheduleWord(f tasks.Frequency) string {
	if f == tasks.Cron {
		return advanced
	}
	return string(f)
}

// taskInput is a task as a client sends it.
type taskInput struct {
	ID         string            `json:"id"`
	Type       string            `json:"typeId"`
	Name       string            `json:"name"`
	Enabled    bool              `json:"enabled"`
	Email      string            `json:"alertEmail"`
	Condition  string            `json:"notificationCondition"`
	Properties map[string]string `json:"properties"`
	Schedule   string            `json:"schedule"`
	Start      time.Time         `json:"startDate"`
	Days       []int             `json:"recurringDays"`
	Cron       string            `json:"cronExpression"`
	Zone       string            `json:"timeZoneOffset"`
}

// definition translates it, over what stands now.
func (in *taskInput) definition(before tasks.Definition) tasks.Definition {
	d := before
	if in.Type != "" {
		d.Type = names.NativeTaskType(in.Type)
	}
	d.Name, d.Enabled, d.Alert = in.Name, in.Enabled, tasks.Alert{Email: in.Email, On: tasks.OnFailure}
	if in.Condition == "SUCCESS_FAILURE" {
		d.Alert.On = tasks.OnEnd
	}
	if in.Properties != nil {
		d.Properties = names.NativeTaskProperties(d.Type, in.Properties)
	}
	d.Schedule = tasks.Schedule{Frequency: tasks.Frequency(in.Schedule), Start: in.Start, Days: in.Days, Cron: in.Cron, Zone: in.Zone}
	if in.Schedule == advanced {
		d.Schedule.Frequency = tasks.Cron
	}
	return d
}

// taskID is what tells of a task that was made or changed.
type taskID struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

func (c *Calls) createTask(q *request) (any, error) {
	var in taskInput
	if err := q.argument(&in); err != nil {
		return nil, err
	}
	d := in.definition(tasks.Definition{})
	made, err := c.Tasks.Create(q.Context(), d, q.subject.UserID())
	if err != nil {
		return nil, wordTaskFields(err, d.Type)
	}
	return taskID{made.ID, made.Name}, nil
}

func (c *Calls) updateTask(q *request) (any, error) {
	var in taskInput
	if err := q.argument(&in); err != nil {
		return nil, err
	}
	before, err := c.Tasks.Get(in.ID)
	if err != nil {
		return nil, wordTask(err)
	}
	d := in.definition(before.Definition)
	if err := c.Tasks.Update(q.Context(), d, q.subject.UserID()); err != nil {
		return nil, wordTaskFields(err, d.Type)
	}
	return taskID{d.ID, d.Name}, nil
}

func (c *Calls) removeTask(q *request) (any, error) {
	var id string
	if err := q.argument(&id); err != nil {
		return nil, err
	}
	return nil, wordTask(c.Tasks.Delete(q.Context(), id, q.subject.UserID()))
}

// taskMembers are the members of a task by what the domain calls them.
var taskMembers = map[string]string{
	"type": "typeId", "alert.email": "alertEmail", "alert.on": "notificationCondition", "schedule.frequency": "schedule",
	"schedule.start": "startDate", "schedule.days": "recurringDays", "schedule.cron": "cronExpression", "schedule.zone": "timeZoneOffset",
}

// wordTaskFields gives what is wrong with a form under the names of its fields. typ is our name of the task's type.
func wordTaskFields(err error, typ string) error {
	var fields formats.FieldErrors
	if !errors.As(err, &fields) {
		return wordTask(err)
	}
	out := slices.Clone(fields)
	for i, f := range out {
		if old, ok := taskMembers[f.Field]; ok {
			out[i].Field = old
		}
		if property, ok := strings.CutPrefix(f.Field, "properties."); ok {
			out[i].Field = "property_" + names.TaskProperty(typ, property)
		}
	}
	return out
}
