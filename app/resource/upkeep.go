package resource

import (
	"cmp"
	"context"
	"slices"
	"time"

	"entrepot/app/access"
	"entrepot/app/cleanup"
	"entrepot/app/tasks"
	"entrepot/formats"
	"entrepot/storage/kv"
)

// CleanupPolicy says which components are old: those that meet all criteria that are there.
type CleanupPolicy struct {
	Name           string  `json:"name"`
	Format         string  `json:"format" example:"maven2"` // or "*" for all
	Notes          *string `json:"notes,omitempty"`
	UpdatedDays    *int64  `json:"updatedDays,omitempty"`    // all its assets were stored more than so many days ago
	DownloadedDays *int64  `json:"downloadedDays,omitempty"` // nothing of it was downloaded for so many days
	Release        string  `json:"release,omitempty" enums:"releases,prereleases"`
	AssetRegex     string  `json:"assetRegex,omitempty"` // matches the path of one of its assets
	Retain         int     `json:"retain,omitempty"`     // it is not one of so many newest versions of its name
	SortBy         string  `json:"sortBy,omitempty" enums:"version,date"`
}

// CleanupPolicies gives the cleanup policies.
func (r *Resources) CleanupPolicies() *Set[CleanupPolicy] {
	return &Set[CleanupPolicy]{
		Name:  "cleanup-policies",
		Key:   func(d *CleanupPolicy) string { return d.Name },
		Blank: func() CleanupPolicy { return CleanupPolicy{} },
		List: func(context.Context) ([]CleanupPolicy, error) {
			list := []CleanupPolicy{}
			for _, p := range r.Cleanup.List() {
				list = append(list, policyOf(p))
			}
			return list, nil
		},
		Get: func(_ context.Context, name string) (CleanupPolicy, error) {
			p, ok := r.Cleanup.Get(name)
			if !ok {
				return CleanupPolicy{}, cleanup.ErrNotFound
			}
			return policyOf(p), nil
		},
		Row: held(r.Cleanup.Row),
		Create: func(ctx context.Context, actor access.Actor, d CleanupPolicy) error {
			return r.Cleanup.Create(ctx, d.policy(), actor.UserID)
		},
		Replace: func(ctx context.Context, actor access.Actor, name string, d CleanupPolicy) error {
			if d.Name != name {
				return renamed("name")
			}
			return r.Cleanup.Update(ctx, d.policy(), actor.UserID)
		},
		Delete: func(ctx context.Context, actor access.Actor, name string) error {
			return r.Cleanup.Delete(ctx, name, actor.UserID)
		},
	}
}

func policyOf(p cleanup.Policy) CleanupPolicy {
	return CleanupPolicy{
		Name: p.Name, Format: p.Format, Notes: p.Notes, UpdatedDays: p.UpdatedDays, DownloadedDays: p.DownloadedDays, Release: string(p.Release),
		AssetRegex: p.AssetRegex, Retain: p.Retain, SortBy: string(p.SortBy),
	}
}

func (d *CleanupPolicy) policy() cleanup.Policy {
	return cleanup.Policy{Name: d.Name, Format: d.Format, Notes: d.Notes, Criteria: cleanup.Criteria{
		UpdatedDays: d.UpdatedDays, DownloadedDays: d.DownloadedDays, Release: cleanup.Release(d.Release), AssetRegex: d.AssetRegex, Retain: d.Retain,
		SortBy: cleanup.SortBy(d.SortBy),
	}}
}

// Task is work that is done at set times. Its type stays.
type Task struct {
	ID         string            `json:"id,omitempty"` // decided by the server
	Type       string            `json:"type" example:"repository.cleanup"`
	Name       string            `json:"name"`
	Enabled    bool              `json:"enabled" default:"true"`
	Alert      *TaskAlert        `json:"alert,omitempty"`
	Schedule   TaskSchedule      `json:"schedule"`
	Properties map[string]string `json:"properties,omitempty"` // those of the type
}

// TaskAlert says who hears by mail how runs ended.
type TaskAlert struct {
	Email string `json:"email"`
	On    string `json:"on,omitempty" enums:"failure,end" default:"failure"`
}

// TaskSchedule says when a task runs.
type TaskSchedule struct {
	Frequency string     `json:"frequency" enums:"manual,once,hourly,daily,weekly,monthly,cron" default:"manual"`
	Start     *time.Time `json:"start,omitempty"` // the first time, and the time of day of later ones
	Days      []int      `json:"days,omitempty"`  // weekly: 1 (Sunday) to 7; monthly: 1 to 31, 999 is the last day
	Cron      string     `json:"cron,omitempty" example:"0 0 3 * * ?"`
	Zone      string     `json:"zone,omitempty" example:"Europe/Berlin"`
}

// Tasks gives the tasks by id.
func (r *Resources) Tasks() *Set[Task] {
	return &Set[Task]{
		Name:  "tasks",
		Key:   func(d *Task) string { return d.ID },
		Blank: func() Task { return Task{Enabled: true, Schedule: TaskSchedule{Frequency: string(tasks.Manual)}} },
		List: func(context.Context) ([]Task, error) {
			list := r.listTasks()
			slices.SortFunc(list, func(a, b Task) int { return cmp.Compare(a.ID, b.ID) })
			return list, nil
		},
		Get: func(_ context.Context, id string) (Task, error) {
			s, err := r.Upkeep.Get(id)
			return taskOf(s.Definition), err
		},
		Row: held(r.Upkeep.Row),
		Create: func(ctx context.Context, actor access.Actor, d Task) error {
			_, err := r.CreateTask(ctx, actor, d)
			return err
		},
		Replace: func(ctx context.Context, actor access.Actor, id string, d Task) error {
			return r.replaceTask(ctx, actor, id, d)
		},
		Delete: func(ctx context.Context, actor access.Actor, id string) error {
			return r.Upkeep.Delete(ctx, id, actor.UserID)
		},
	}
}

// CreateTask makes a task and gives it with its id.
func (r *Resources) CreateTask(ctx context.Context, actor access.Actor, d Task) (Task, error) {
	s, err := r.Upkeep.Create(ctx, d.definition(""), actor.UserID)
	return taskOf(s.Definition), err
}

func (r *Resources) replaceTask(ctx context.Context, actor access.Actor, id string, d Task) error {
	before, err := r.Upkeep.Get(id)
	if err != nil {
		return err
	}
	if d.Type != before.Type {
		return renamed("type")
	}
	return r.Upkeep.Update(ctx, d.definition(id), actor.UserID)
}

func (r *Resources) listTasks() []Task {
	list := []Task{}
	for _, s := range r.Upkeep.List() {
		list = append(list, taskOf(s.Definition))
	}
	return list
}

// NamedTasks gives the tasks by name, for files that are used on several servers, where ids differ. Of tasks that have the same name
// only one can be in a file.
func (r *Resources) NamedTasks() *Set[Task] {
	named := r.Tasks()
	find := func(ctx context.Context, name string) (Task, error) {
		all, err := named.List(ctx)
		i := slices.IndexFunc(all, func(d Task) bool { return d.Name == name })
		switch {
		case err != nil:
			return Task{}, err
		case i < 0:
			return Task{}, formats.Errorf(formats.NotFound, "There is no task %s", name)
		}
		return all[i], nil
	}
	set := *named
	set.Key = func(d *Task) string { return d.Name }
	set.List = func(ctx context.Context) ([]Task, error) {
		all, err := named.List(ctx)
		slices.SortStableFunc(all, func(a, b Task) int { return cmp.Compare(a.Name, b.Name) })
		all = slices.CompactFunc(all, func(a, b Task) bool { return a.Name == b.Name })
		for i := range all {
			all[i].ID = ""
		}
		return all, err
	}
	set.Get = find
	set.Row = func(ctx context.Context, name string) (kv.Row, error) {
		d, err := find(ctx, name)
		if err != nil {
			return kv.Row{}, err
		}
		return named.Row(ctx, d.ID)
	}
	set.Replace = func(ctx context.Context, actor access.Actor, name string, d Task) error {
		before, err := find(ctx, name)
		if err != nil {
			return err
		}
		return named.Replace(ctx, actor, before.ID, d)
	}
	set.Delete = func(ctx context.Context, actor access.Actor, name string) error {
		before, err := find(ctx, name)
		if err != nil {
			return err
		}
		return named.Delete(ctx, actor, before.ID)
	}
	set.Permanent = func(d *Task) bool {
		t, known := r.Upkeep.Type(d.Type)
		return known && t.Single
	}
	return &set
}

func taskOf(d tasks.Definition) Task {
	doc := Task{ID: d.ID, Type: d.Type, Name: d.Name, Enabled: d.Enabled, Properties: d.Properties, Schedule: TaskSchedule{
		Frequency: string(d.Schedule.Frequency), Days: d.Schedule.Days, Cron: d.Schedule.Cron, Zone: d.Schedule.Zone,
	}}
	if !d.Schedule.Start.IsZero() {
		start := d.Schedule.Start.UTC()
		doc.Schedule.Start = &start
	}
	if d.Alert.Email != "" {
		doc.Alert = &TaskAlert{Email: d.Alert.Email, On: string(cmp.Or(d.Alert.On, tasks.OnFailure))}
	}
	return doc
}

func (d *Task) definition(id string) tasks.Definition {
	s := d.Schedule
	next := tasks.Definition{ID: id, Type: d.Type, Name: d.Name, Enabled: d.Enabled, Properties: d.Properties, Schedule: tasks.Schedule{
		Frequency: tasks.Frequency(s.Frequency), Start: known(s.Start, time.Time{}), Days: s.Days, Cron: s.Cron, Zone: s.Zone,
	}}
	if d.Alert != nil {
		next.Alert = tasks.Alert{Email: d.Alert.Email, On: tasks.Condition(d.Alert.On)}
	}
	return next
}
