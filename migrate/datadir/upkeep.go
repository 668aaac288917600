package datadir

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"entrepot/app/cleanup"
	"entrepot/app/repository"
	"entrepot/app/tasks"
	"entrepot/compat/names"
	"entrepot/migrate/inventory"
	"entrepot/migrate/secrets/javastream"
)

// readUpkeep reads cleanup policies and scheduled tasks.
func (d *Directory) readUpkeep(ctx context.Context, inv *inventory.Inventory) error {
	for r, err := range d.rows(ctx, "cleanup_policy") {
		if err != nil {
			return err
		}
		if readPolicy(inv, r); r.err != nil {
			return r.err
		}
	}
	return d.readTasks(ctx, inv)
}

// allFormats is the format of a policy for all formats, as the old server keeps it.
const allFormats = "ALL_FORMATS"

func readPolicy(inv *inventory.Inventory, r *row) {
	p := cleanup.Policy{Name: r.text("name"), Format: r.text("format"), Notes: r.optional("notes")}
	if p.Format == allFormats {
		p.Format = repository.AnyFormat
	}
	criteria := r.object("criteria")
	for key := range criteria {
		if fault := readCriterion(&p.Criteria, key, plainText(criteria, key)); fault != "" {
			inv.Notes = append(inv.Notes, fmt.Sprintf("Cleanup policy %s: %s.", p.Name, fault))
		}
	}
	inv.Upkeep.Policies = append(inv.Upkeep.Policies, p)
}

const secondsADay = 24 * 60 * 60

// readCriterion adds one criterion of a policy. It tells what could not be taken as it is.
func readCriterion(c *cleanup.Criteria, key, text string) (fault string) {
	number, err := strconv.ParseInt(text, 10, 64)
	switch key {
	case "regex":
		c.AssetRegex = text
		return ""
	case "sortBy":
		c.SortBy = cleanup.SortBy(strings.ToLower(text))
		return ""
	case "isPrerelease":
		if c.Release = cleanup.Releases; text == "true" {
			c.Release = cleanup.Prereleases
		}
		return ""
	case "retain":
		if c.Retain = int(number); err == nil {
			return ""
		}
	case "lastBlobUpdated", "lastDownloaded":
		days := number / secondsADay
		if key == "lastBlobUpdated" {
			c.UpdatedDays = &days
		} else {
			c.DownloadedDays = &days
		}
		if err == nil && number%secondsADay != 0 {
			return fmt.Sprintf("its criterion %s of %d seconds becomes %d whole days", key, number, days)
		}
		if err == nil {
			return ""
		}
	}
	return fmt.Sprintf("its criterion %s=%q means nothing here and stays behind", key, text)
}

// readTasks reads scheduled tasks: what is to be done, and when. Both are serialised maps.
func (d *Directory) readTasks(ctx context.Context, inv *inventory.Inventory) error {
	triggers := make(map[string]map[string]string)
	for r, err := range d.rows(ctx, "qrtz_triggers") {
		if err != nil {
			return err
		}
		data, err := jobData(r)
		if err != nil {
			return err
		}
		triggers[r.text("job_name")] = data
	}
	for r, err := range d.rows(ctx, "qrtz_job_details") {
		if err != nil {
			return err
		}
		data, err := jobData(r)
		if err != nil {
			return err
		}
		job := r.text("job_name")
		if data[".visible"] == "false" {
			inv.Notes = append(inv.Notes, fmt.Sprintf("Task %q of type %s is the old server's own affair, which it shows nobody, and stays behind.", data[".name"], data[".typeId"]))
			continue
		}
		t, fault := taskOf(data, triggers[job])
		if t.ID == "" {
			t.ID = job
		}
		if t.Name == "" {
			t.Name = r.text("description")
		}
		if fault != "" {
			inv.Notes = append(inv.Notes, fmt.Sprintf("Task %s: %s.", t.Name, fault))
		}
		inv.Upkeep.Tasks = append(inv.Upkeep.Tasks, t)
	}
	slices.SortFunc(inv.Upkeep.Tasks, func(a, b inventory.Task) int { return strings.Compare(a.ID, b.ID) })
	return nil
}

// The keys of a job's map that are not properties of its task begin with one of these.
const (
	ownKey     = "."
	lastRunKey = "lastRunState."
)

// taskOf makes a task of a job's map and its trigger's. It tells what could not be taken as it is.
func taskOf(job, trigger map[string]string) (t inventory.Task, fault string) {
	properties := make(map[string]string)
	for key, value := range job {
		if !strings.HasPrefix(key, ownKey) && !strings.HasPrefix(key, lastRunKey) {
			properties[key] = value
		}
	}
	t.Type = names.NativeTaskType(job[".typeId"])
	t.ID, t.Name, t.Enabled, t.Properties = job[".id"], job[".name"], job[".enabled"] != "false", names.NativeTaskProperties(t.Type, properties)
	t.Alert = tasks.Alert{Email: job[".alertEmail"], On: tasks.OnFailure}
	if job[".notificationCondition"] == "SUCCESS_FAILURE" {
		t.Alert.On = tasks.OnEnd
	}
	t.Created, _ = time.Parse(time.RFC3339, job[".created"]) // absent in old jobs: then it is made now
	t.Last = lastRun(job)
	t.Schedule, fault = scheduleOf(trigger)
	return t, fault
}

var results = map[string]tasks.Result{"OK": tasks.OK, "FAILED": tasks.Failed, "CANCELED": tasks.Stopped, "INTERRUPTED": tasks.Interrupted}

func lastRun(job map[string]string) *tasks.Outcome {
	started, err := strconv.ParseInt(job[lastRunKey+"runStarted"], 10, 64)
	result, known := results[job[lastRunKey+"endState"]]
	if err != nil || !known {
		return nil
	}
	duration, err := strconv.ParseInt(job[lastRunKey+"runDuration"], 10, 64)
	if err != nil {
		duration = 0
	}
	return &tasks.Outcome{Started: time.UnixMilli(started).UTC(), Duration: time.Duration(duration) * time.Millisecond, Result: result}
}

var weekdays = []string{"SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"}

// scheduleOf makes a schedule of a trigger's map. One that cannot be kept becomes manual.
func scheduleOf(trigger map[string]string) (s tasks.Schedule, fault string) {
	s = tasks.Schedule{
		Frequency: tasks.Frequency(trigger["schedule.type"]), Cron: trigger["schedule.cronExpression"], Zone: trigger["schedule.clientTimeZone"],
	}
	if s.Frequency == "now" || s.Frequency == "" {
		s.Frequency = tasks.Manual
	}
	if start, err := time.Parse(time.RFC3339, trigger["schedule.startAt"]); err == nil {
		s.Start = start.UTC()
	}
	for _, text := range strings.Split(trigger["schedule.daysToRun"], ",") {
		text = strings.TrimSpace(text)
		day, err := strconv.Atoi(text)
		if i := slices.Index(weekdays, text); i >= 0 {
			day, err = i+1, nil
		}
		if err == nil {
			s.Days = append(s.Days, day)
		}
	}
	if wrong := s.Validate(); len(wrong) > 0 {
		return tasks.Schedule{Frequency: tasks.Manual}, fmt.Sprintf("its schedule %v cannot be kept (%v); it only runs when it is started", trigger, wrong)
	}
	return s, ""
}

// jobData reads the map of a task or of its schedule.
func jobData(r *row) (map[string]string, error) {
	raw, ok := get[[]byte](r, "job_data")
	if r.err != nil {
		return nil, r.err
	}
	data := make(map[string]string)
	if !ok || len(raw) == 0 {
		return data, nil
	}
	v, err := javastream.Parse(raw)
	if err != nil {
		return nil, fmt.Errorf("datadir: table %s, row %d: %w", r.Table.Name, r.ID, err)
	}
	o, ok := v.(*javastream.Object)
	if !ok {
		return nil, fmt.Errorf("datadir: table %s, row %d: no map of job data", r.Table.Name, r.ID)
	}
	entries, _ := o.Field("map")
	for key, value := range javastream.Entries(entries) {
		if value != nil {
			data[text(key)] = text(value)
		}
	}
	return data, nil
}

// text gives a serialised value as text; boxed numbers and truth values hold theirs in a field of their own.
func text(v any) string {
	if o, ok := v.(*javastream.Object); ok {
		inner, _ := o.Field("value")
		return fmt.Sprint(inner)
	}
	return fmt.Sprint(v)
}
