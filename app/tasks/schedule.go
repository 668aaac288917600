package tasks

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"time"
	_ "time/tzdata" // names of time zones mean the same on every machine

	"entrepot/formats"
)

// Frequency says how often a task runs.
type Frequency string

// The frequencies.
const (
	Manual  Frequency = "manual"
	Once    Frequency = "once"
	Hourly  Frequency = "hourly"
	Daily   Frequency = "daily"
	Weekly  Frequency = "weekly"
	Monthly Frequency = "monthly"
	Cron    Frequency = "cron"
)

// LastDay stands for the last day of a month among Schedule.Days.
const LastDay = 999

// Schedule says when a task runs.
type Schedule struct {
	Frequency Frequency `json:"frequency"`
	// Start is the first time. Daily, weekly and monthly runs have its time of day, hourly ones its minute and second.
	Start time.Time `json:"start,omitzero"`
	Days  []int     `json:"days,omitempty"` // weekly: 1 (Sunday) to 7; monthly: 1 to 31, LastDay
	Cron  string    `json:"cron,omitempty"` // see ParseCron
	// Zone is the time zone that times of day are in: an offset like "+02:00", or a name like "Europe/Berlin"; "" means the server's.
	Zone string `json:"zone,omitempty"`
}

var offset = regexp.MustCompile(`^(?:GMT|UTC)?([+-])(\d{1,2}):?(\d{2})?$`)

// location finds the time zone.
func (s *Schedule) location() (*time.Location, error) {
	switch s.Zone {
	case "":
		return time.Local, nil
	case "Z", "UTC", "GMT":
		return time.UTC, nil
	}
	m := offset.FindStringSubmatch(s.Zone)
	if m == nil {
		loc, err := time.LoadLocation(s.Zone)
		if err != nil {
			return nil, fmt.Errorf("tasks: no time zone %q", s.Zone)
		}
		return loc, nil
	}
	hours, _ := strconv.Atoi(m[2]) // digits only, and few
	minutes, _ := strconv.Atoi(m[3])
	if hours > 18 || minutes > 59 {
		return nil, fmt.Errorf("tasks: no time zone %q", s.Zone)
	}
	seconds := hours*3600 + minutes*60
	if m[1] == "-" {
		seconds = -seconds
	}
	return time.FixedZone(s.Zone, seconds), nil
}

// Validate finds the faults of a schedule.
func (s *Schedule) Validate() formats.FieldErrors {
	var wrong formats.FieldErrors
	add := func(field, message string) { wrong = append(wrong, formats.FieldError{Field: field, Message: message}) }
	if _, err := s.location(); err != nil {
		add("schedule.zone", "must be an offset like +02:00 or the name of a time zone")
	}
	switch s.Frequency {
	case Manual, Hourly, Daily:
	case Once:
		if s.Start.IsZero() {
			add("schedule.start", "must not be empty")
		}
	case Weekly:
		if len(s.Days) == 0 || slices.ContainsFunc(s.Days, func(d int) bool { return d < 1 || d > 7 }) {
			add("schedule.days", "must be days from 1 (Sunday) to 7 (Saturday)")
		}
	case Monthly:
		if len(s.Days) == 0 || slices.ContainsFunc(s.Days, func(d int) bool { return (d < 1 || d > 31) && d != LastDay }) {
			add("schedule.days", "must be days from 1 to 31, or 999 for the last day")
		}
	case Cron:
		if _, err := ParseCron(s.Cron); err != nil {
			add("schedule.cron", err.Error())
		}
	default:
		add("schedule.frequency", "must be one of manual, once, hourly, daily, weekly, monthly, cron")
	}
	return wrong
}

// Next gives the first time behind a moment; zero when there is none, also when the schedule is not valid.
func (s *Schedule) Next(after time.Time) time.Time {
	loc, err := s.location()
	if err != nil {
		return time.Time{}
	}
	switch s.Frequency {
	case Once:
		if s.Start.After(after) {
			return s.Start
		}
	case Hourly:
		if s.Start.After(after) {
			return s.Start
		}
		return s.Start.Add((after.Sub(s.Start)/time.Hour + 1) * time.Hour)
	case Daily, Weekly, Monthly:
		return s.nextDay(after, loc)
	case Cron:
		cron, err := ParseCron(s.Cron)
		if err != nil {
			return time.Time{}
		}
		if before := s.Start.Add(-time.Nanosecond); before.After(after) {
			after = before
		}
		return cron.Next(after.In(loc))
	}
	return time.Time{}
}

// maxDays is how far ahead a day is looked for: every weekly or monthly schedule has one in that time.
const maxDays = 366

func (s *Schedule) nextDay(after time.Time, loc *time.Location) time.Time {
	start, from := s.Start.In(loc), after.In(loc)
	if start.After(from) {
		from = start
	}
	hour, minute, second := start.Clock()
	year, month, day := from.Date()
	for i := range maxDays {
		t := time.Date(year, month, day+i, hour, minute, second, start.Nanosecond(), loc)
		if t.After(after) && !t.Before(start) && s.onDay(t) {
			return t
		}
	}
	return time.Time{}
}

func (s *Schedule) onDay(t time.Time) bool {
	switch s.Frequency {
	case Weekly:
		return slices.Contains(s.Days, int(t.Weekday())+1)
	case Monthly:
		return slices.Contains(s.Days, t.Day()) || slices.Contains(s.Days, LastDay) && t.AddDate(0, 0, 1).Day() == 1
	}
	return true
}
