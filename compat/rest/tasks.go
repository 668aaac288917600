package rest

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"entrepot/app/server"
	"entrepot/app/tasks"
	"entrepot/compat/names"
	"entrepot/formats"
)

func (a *API) taskOperations() []operation {
	const path, one = "v1/tasks", "v1/tasks/{id}"
	may := func(action string) server.Access { return server.Permission("nexus:tasks:" + action) }
	return []operation{
		{method: http.MethodGet, path: path, access: may("read"), run: a.listTasks},
		{
			method: http.MethodPost, path: path, access: server.PermissionAfterBody("nexus:tasks:create"), consumes: mediaJSON, status: http.StatusCreated,
			run: a.createTask,
		},
		{method: http.MethodGet, path: path + "/templates", access: may("read"), run: a.listTemplates},
		{method: http.MethodGet, path: path + "/templates/{type}", access: may("read"), run: a.getTemplate},
		{method: http.MethodGet, path: one, access: may("read"), run: a.getTask},
		{method: http.MethodPut, path: one, access: server.PermissionAfterBody("nexus:tasks:update"), consumes: mediaJSON, run: a.updateTask},
		{method: http.MethodDelete, path: one, access: may("delete"), run: a.deleteTask},
		{method: http.MethodPost, path: one + "/run", access: may("start"), run: a.runTask},
		{method: http.MethodPost, path: one + "/stop", access: may("stop"), run: a.stopTask},
	}
}

// taskState gives what a task does in the old words.
var taskState = map[tasks.State]string{
	tasks.Waiting: "WAITING", tasks.Blocked: "RUNNING_BLOCKED", tasks.Running: "RUNNING", tasks.Stopping: "RUNNING_CANCELED",
}

// taskResult gives how a run ended in the old words.
var taskResult = map[tasks.Result]string{
	tasks.OK: "OK", tasks.Failed: "FAILED", tasks.Stopped: "CANCELED", tasks.Interrupted: "INTERRUPTED",
}

// taskStatus is a task as lists show it. It has a message once it ran, or when it cannot.
func taskStatus(s tasks.Status) object {
	var message, result, last any
	o, ran := s.Last()
	if ran || s.Progress != nil {
		message = s.Title
	}
	if ran {
		result, last = taskResult[o.Result], instant(o.Started)
	}
	if s.Title == "" { // of a type that is not here
		message = s.Reason
	}
	if s.Progress != nil {
		last = instant(s.Progress.Started)
	}
	return object{
		{"id", s.ID}, {"name", s.Name}, {"type", names.TaskType(s.Type)}, {"message", message}, {"currentState", taskState[s.State]},
		{"lastRunResult", result}, {"nextRun", instant(s.Next)}, {"lastRun", last},
	}
}

func (a *API) listTasks(c *call) (any, error) {
	wanted := c.Query().Get("type")
	items := []object{}
	for _, s := range a.Tasks.List() {
		if wanted == "" || names.TaskType(s.Type) == wanted {
			items = append(items, taskStatus(s))
		}
	}
	return object{{"items", items}, {"continuationToken", nil}}, nil
}

func (a *API) getTask(c *call) (any, error) {
	s, err := a.Tasks.Get(c.Param("id"))
	if err != nil {
		return nil, wordTask(err, "")
	}
	return taskStatus(s), nil
}

func (a *API) runTask(c *call) (any, error) {
	return nil, wordTask(a.Tasks.Start(c.Context(), c.Param("id"), c.subject.UserID()), "")
}

func (a *API) stopTask(c *call) (any, error) {
	return nil, wordTask(a.Tasks.Stop(c.Context(), c.Param("id"), c.subject.UserID()), "")
}

func (a *API) deleteTask(c *call) (any, error) {
	if err := c.signedIn(); err != nil {
		return nil, err
	}
	return nil, wordTask(a.Tasks.Delete(c.Context(), c.Param("id"), c.subject.UserID()), "")
}

type taskBody struct {
	Type       *string           `json:"type"`
	Name       *string           `json:"name"`
	Enabled    *bool             `json:"enabled"`
	AlertEmail *string           `json:"alertEmail"`
	Condition  *string           `json:"notificationCondition"`
	Frequency  *frequencyBody    `json:"frequency"`
	Properties map[string]string `json:"properties"`
}

type frequencyBody struct {
	Schedule *string `json:"schedule"`
	Start    *int64  `json:"startDate"` // since 1970
	Zone     *string `json:"timeZoneOffset"`
	Days     []int   `json:"recurringDays"`
	Cron     *string `json:"cronExpression"`
}

// schedule gives the schedule in the domain's words.
func (f *frequencyBody) schedule() tasks.Schedule {
	if f == nil {
		return tasks.Schedule{Frequency: tasks.Manual}
	}
	s := tasks.Schedule{Frequency: tasks.Frequency(strings.ToLower(deref(f.Schedule))), Zone: deref(f.Zone), Days: f.Days, Cron: deref(f.Cron)}
	if s.Frequency == "advanced" { // as forms call it
		s.Frequency = tasks.Cron
	}
	if start := deref(f.Start); start > 0 {
		s.Start = sinceEpoch(start)
	}
	return s
}

// sinceEpoch reads a moment since 1970 in seconds, or in milliseconds, which clients send too.
func sinceEpoch(n int64) time.Time {
	const farSeconds = 100_000_000_000 // the year 5138
	if n < farSeconds {
		return time.Unix(n, 0)
	}
	return time.UnixMilli(n)
}

// taskConditions are the conditions of alerts in the old words.
var taskConditions = map[string]tasks.Condition{"": tasks.OnFailure, "FAILURE": tasks.OnFailure, "SUCCESS_FAILURE": tasks.OnEnd}

// taskDefinition reads a body over what stands now, and then checks the caller's right.
func (c *call) taskDefinition(before tasks.Definition) (tasks.Definition, error) {
	var b taskBody
	if err := c.decode(&b); err != nil {
		return before, err
	}
	var v violations
	if before.ID == "" {
		needText(&v, "type", b.Type)
	}
	needText(&v, "name", b.Name)
	need(&v, "enabled", b.Enabled)
	if need(&v, "frequency", b.Frequency) {
		needText(&v, "schedule", b.Frequency.Schedule)
	}
	condition, known := taskConditions[strings.ToUpper(deref(b.Condition))]
	if !known {
		v.parameter("notificationCondition", "must be one of FAILURE, SUCCESS_FAILURE")
	}
	if len(v) > 0 {
		return before, v
	}
	d := before
	if b.Type != nil {
		d.Type = names.NativeTaskType(*b.Type)
	}
	d.Name, d.Enabled, d.Schedule = *b.Name, *b.Enabled, b.Frequency.schedule()
	d.Alert = tasks.Alert{Email: deref(b.AlertEmail), On: condition}
	if b.Properties != nil {
		d.Properties = names.NativeTaskProperties(d.Type, b.Properties)
	}
	return d, c.authorize()
}

func (a *API) createTask(c *call) (any, error) {
	d, err := c.taskDefinition(tasks.Definition{})
	if err != nil {
		return nil, err
	}
	made, err := a.Tasks.Create(c.Context(), d, c.subject.UserID())
	if err != nil {
		return nil, wordTask(err, d.Type)
	}
	return append(taskStatus(made), taskDefinition(made.Definition)...), nil
}

func (a *API) updateTask(c *call) (any, error) {
	before, err := a.Tasks.Get(c.Param("id"))
	unknown := errors.Is(err, tasks.ErrNotFound)
	if err != nil && !unknown {
		return nil, err
	}
	if unknown {
		before.ID = c.Param("id")
	}
	d, err := c.taskDefinition(before.Definition)
	if err != nil {
		return nil, err
	}
	return nil, wordTask(a.Tasks.Update(c.Context(), d, c.subject.UserID()), d.Type)
}

// taskDefinition gives the members of a definition as clients send them, without those that a list shows.
func taskDefinition(d tasks.Definition) object {
	condition := "FAILURE"
	if d.Alert.On == tasks.OnEnd {
		condition = "SUCCESS_FAILURE"
	}
	var email, start, zone, cron any
	if d.Alert.Email != "" {
		email = d.Alert.Email
	}
	if !d.Schedule.Start.IsZero() {
		start = d.Schedule.Start.Unix()
	}
	if d.Schedule.Zone != "" {
		zone = d.Schedule.Zone
	}
	if d.Schedule.Cron != "" {
		cron = d.Schedule.Cron
	}
	return object{
		{"enabled", d.Enabled}, {"alertEmail", email}, {"notificationCondition", condition},
		{"frequency", object{
			{"schedule", d.Schedule.Frequency}, {"startDate", start}, {"timeZoneOffset", zone}, {"recurringDays", append([]int{}, d.Schedule.Days...)},
			{"cronExpression", cron},
		}},
		{"properties", names.TaskProperties(d.Type, d.Properties)},
	}
}

// offered gives the types that users can make tasks of, by their old names.
func (a *API) offered() []tasks.Type {
	all := slices.DeleteFunc(a.Tasks.Types(), func(t tasks.Type) bool { return t.Single })
	slices.SortFunc(all, func(a, b tasks.Type) int { return strings.Compare(names.TaskType(a.ID), names.TaskType(b.ID)) })
	return all
}

func taskTemplate(t tasks.Type) object {
	d := t.Template()
	return append(object{{"type", names.TaskType(t.ID)}, {"name", t.Name}}, taskDefinition(d)...)
}

func (a *API) listTemplates(*call) (any, error) {
	all := []object{}
	for _, t := range a.offered() {
		all = append(all, taskTemplate(t))
	}
	return all, nil
}

func (a *API) getTemplate(c *call) (any, error) {
	for _, t := range a.offered() {
		if names.TaskType(t.ID) == c.Param("type") {
			return taskTemplate(t), nil
		}
	}
	return nil, statusOnly(http.StatusNotFound)
}

// taskFields are the members of a body by what the domain calls them.
var taskFields = map[string]string{
	"alert.email": "alertEmail", "alert.on": "notificationCondition", "schedule.frequency": "frequency.schedule",
	"schedule.start": "frequency.startDate", "schedule.days": "frequency.recurringDays", "schedule.cron": "frequency.cronExpression",
	"schedule.zone": "frequency.timeZoneOffset",
}

// wordTask gives a refusal in the words that clients know. typ is our name of the task's type, "" when properties were not looked at.
func wordTask(err error, typ string) error {
	var fields formats.FieldErrors
	switch {
	case errors.Is(err, tasks.ErrNotFound):
		return statusOnly(http.StatusNotFound)
	case errors.Is(err, tasks.ErrDisabled), errors.Is(err, tasks.ErrUnsupported):
		return statusOnly(http.StatusMethodNotAllowed)
	case errors.Is(err, tasks.ErrNotRunning):
		return statusOnly(http.StatusConflict)
	case errors.As(err, &fields):
		var v violations
		for _, f := range fields {
			id := f.Field
			if old, ok := taskFields[id]; ok {
				id = old
			}
			if property, ok := strings.CutPrefix(id, "properties."); ok {
				id = "properties." + names.TaskProperty(typ, property)
			}
			v.add(id, f.Message)
		}
		return v
	}
	return err
}
