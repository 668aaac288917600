package tasks

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Limits of a cron expression.
const (
	maxCron   = 512 // bytes
	firstYear = 1970
	lastYear  = 2099
)

// Expression is a parsed cron expression.
type Expression struct {
	seconds, minutes, hours, months bits
	years                           [lastYear - firstYear + 1]bool
	days                            monthDays
	weekdays                        weekDays
}

// bits is a set of small numbers.
type bits uint64

func (b bits) has(n int) bool { return b&(1<<n) != 0 }

// next gives the first member from n on; -1 when there is none.
func (b bits) next(n int) int {
	for ; n < 64; n++ {
		if b.has(n) {
			return n
		}
	}
	return -1
}

// monthDays selects days by their place in the month.
type monthDays struct {
	unused bool // "?"
	set    bits
	last   []lastDay
	near   []int // the working day nearest to this one
}

type lastDay struct {
	back    int  // days before the last one
	working bool // the working day nearest to it
}

// weekDays selects days by their name. Sunday is 1.
type weekDays struct {
	unused bool // "?"
	set    bits
	last   []int // the last such day of the month
	nth    []nthDay
}

type nthDay struct{ day, n int }

var (
	monthNames = []string{"JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"}
	dayNames   = []string{"SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"}
)

// unit is one part of an expression.
type unit struct {
	name     string
	from, to int
	names    []string // of the numbers from 1 on
}

// ParseCron reads a Quartz cron expression: second, minute, hour, day of month, month, day of week, and maybe year, with the signs
// * ? , - / L W #. One of the two kinds of days is "?". A range may go over the end, like FRI-MON.
func ParseCron(text string) (*Expression, error) {
	if len(text) > maxCron {
		return nil, fmt.Errorf("cron expression is longer than %d characters", maxCron)
	}
	parts := strings.Fields(strings.ToUpper(text))
	if len(parts) != 6 && len(parts) != 7 {
		return nil, fmt.Errorf("cron expression has %d parts; wanted are 6 or 7", len(parts))
	}
	var e Expression
	var err error
	for _, p := range []struct {
		to *bits
		unit
		text string
	}{
		{&e.seconds, unit{"second", 0, 59, nil}, parts[0]}, {&e.minutes, unit{"minute", 0, 59, nil}, parts[1]},
		{&e.hours, unit{"hour", 0, 23, nil}, parts[2]}, {&e.months, unit{"month", 1, 12, monthNames}, parts[4]},
	} {
		if *p.to, err = p.set(p.text); err != nil {
			return nil, err
		}
	}
	if err := e.days.parse(parts[3]); err != nil {
		return nil, err
	}
	if err := e.weekdays.parse(parts[5]); err != nil {
		return nil, err
	}
	if e.days.unused == e.weekdays.unused {
		return nil, fmt.Errorf("cron expression must have ? as either its day of month or its day of week")
	}
	if len(parts) == 6 {
		parts = append(parts, "*")
	}
	return &e, e.parseYears(parts[6])
}

// set reads a list of ranges.
func (u unit) set(text string) (bits, error) {
	var set bits
	for _, item := range strings.Split(text, ",") {
		err := u.each(item, func(n int) { set |= 1 << n })
		if err != nil {
			return 0, err
		}
	}
	return set, nil
}

// each reads one item, *, n, n-m, n/step or n-m/step, and visits its numbers.
func (u unit) each(item string, visit func(int)) error {
	span, step, stepped := strings.Cut(item, "/")
	by := 1
	if stepped {
		var err error
		if by, err = strconv.Atoi(step); err != nil || by < 1 || by > u.to {
			return u.bad(item)
		}
	}
	from, to := u.from, u.to
	if span != "*" && (span != "" || !stepped) {
		first, second, ranged := strings.Cut(span, "-")
		var ok bool
		if from, ok = u.number(first); !ok {
			return u.bad(item)
		}
		switch {
		case ranged:
			if to, ok = u.number(second); !ok {
				return u.bad(item)
			}
		case !stepped:
			to = from
		}
	}
	count := u.to - u.from + 1
	if to < from {
		to += count
	}
	for n := from; n <= to; n += by {
		visit((n-u.from)%count + u.from)
	}
	return nil
}

// number reads a number or a name.
func (u unit) number(text string) (int, bool) {
	for i, name := range u.names {
		if name == text {
			return i + 1, true
		}
	}
	n, err := strconv.Atoi(text)
	return n, err == nil && n >= u.from && n <= u.to && text[0] != '+' && text[0] != '-'
}

func (u unit) bad(item string) error { return fmt.Errorf("cron expression: %q is no %s", item, u.name) }

func (e *Expression) parseYears(text string) error {
	u := unit{"year", firstYear, lastYear, nil}
	for _, item := range strings.Split(text, ",") {
		if err := u.each(item, func(n int) { e.years[n-firstYear] = true }); err != nil {
			return err
		}
	}
	return nil
}

func (d *monthDays) parse(text string) error {
	u := unit{"day of month", 1, 31, nil}
	if d.unused = text == "?"; d.unused {
		return nil
	}
	for _, item := range strings.Split(text, ",") {
		if rest, ok := strings.CutPrefix(item, "L"); ok {
			rest, working := strings.CutSuffix(rest, "W")
			last := lastDay{working: working}
			if rest != "" {
				back, ok := strings.CutPrefix(rest, "-")
				n, valid := u.number(back)
				if !ok || !valid || n > 30 {
					return u.bad(item)
				}
				last.back = n
			}
			d.last = append(d.last, last)
			continue
		}
		if day, ok := strings.CutSuffix(item, "W"); ok {
			n, valid := u.number(day)
			if !valid {
				return u.bad(item)
			}
			d.near = append(d.near, n)
			continue
		}
		if err := u.each(item, func(n int) { d.set |= 1 << n }); err != nil {
			return err
		}
	}
	return nil
}

func (d *weekDays) parse(text string) error {
	u := unit{"day of week", 1, 7, dayNames}
	if d.unused = text == "?"; d.unused {
		return nil
	}
	for _, item := range strings.Split(text, ",") {
		if item == "L" {
			item = "SAT"
		}
		if day, ok := strings.CutSuffix(item, "L"); ok {
			n, valid := u.number(day)
			if !valid {
				return u.bad(item)
			}
			d.last = append(d.last, n)
			continue
		}
		if day, count, ok := strings.Cut(item, "#"); ok {
			n, valid := u.number(day)
			nth, err := strconv.Atoi(count)
			if !valid || err != nil || nth < 1 || nth > 5 {
				return u.bad(item)
			}
			d.nth = append(d.nth, nthDay{n, nth})
			continue
		}
		if err := u.each(item, func(n int) { d.set |= 1 << n }); err != nil {
			return err
		}
	}
	return nil
}

// Next gives the first time behind a moment, in the moment's time zone; zero when there is none before the year 2100. A time of day
// that a change of clocks leaves out comes as much later; one that comes twice counts once.
func (e *Expression) Next(after time.Time) time.Time {
	from := after.Truncate(time.Second).Add(time.Second)
	year, month, day := from.Date()
	clock, inDay := [3]int{from.Hour(), from.Minute(), from.Second()}, true
	for ; year <= lastYear; year, month, day, inDay = year+1, time.January, 1, false {
		if year < firstYear || !e.years[year-firstYear] {
			continue
		}
		for ; month <= time.December; month, day, inDay = month+1, 1, false {
			if !e.months.has(int(month)) {
				continue
			}
			days := e.daysOf(year, month)
			for ; day <= 31; day, inDay = day+1, false {
				if !days.has(day) {
					continue
				}
				if !inDay {
					clock = [3]int{}
				}
				if t := e.inDay(after, [3]int{year, int(month), day}, clock); !t.IsZero() {
					return t
				}
			}
		}
	}
	return time.Time{}
}

// inDay gives the first time of a day that is not before a clock, nor before after; zero when there is none.
func (e *Expression) inDay(after time.Time, day, clock [3]int) time.Time {
	for hour := e.hours.next(clock[0]); hour >= 0; hour = e.hours.next(hour + 1) {
		if hour > clock[0] {
			clock[1], clock[2] = 0, 0
		}
		for minute := e.minutes.next(clock[1]); minute >= 0; minute = e.minutes.next(minute + 1) {
			if minute > clock[1] {
				clock[2] = 0
			}
			for second := e.seconds.next(clock[2]); second >= 0; second = e.seconds.next(second + 1) {
				t := time.Date(day[0], time.Month(day[1]), day[2], hour, minute, second, 0, after.Location())
				if t.After(after) {
					return t
				}
			}
		}
	}
	return time.Time{}
}

// daysOf gives the days of a month that are wanted.
func (e *Expression) daysOf(year int, month time.Month) bits {
	length := time.Date(year, month+1, 0, 0, 0, 0, 0, time.UTC).Day()
	first := int(time.Date(year, month, 1, 0, 0, 0, 0, time.UTC).Weekday()) // of day 1, Sunday is 0
	weekday := func(day int) int { return (first+day-1)%7 + 1 }
	var days bits
	if !e.days.unused {
		days = e.days.in(length, weekday)
	} else {
		days = e.weekdays.in(length, weekday)
	}
	return days & (1<<(length+1) - 1)
}

func (d *monthDays) in(length int, weekday func(int) int) bits {
	days := d.set
	for _, n := range d.near {
		if n <= length {
			days |= 1 << working(n, length, weekday)
		}
	}
	for _, l := range d.last {
		day := length - l.back
		if day < 1 {
			continue
		}
		if l.working {
			day = working(day, length, weekday)
		}
		days |= 1 << day
	}
	return days
}

// working gives the day from Monday to Friday in the same month that is nearest.
func working(day, length int, weekday func(int) int) int {
	switch weekday(day) {
	case 7: // Saturday
		if day == 1 {
			return 3
		}
		return day - 1
	case 1: // Sunday
		if day == length {
			return day - 2
		}
		return day + 1
	}
	return day
}

func (d *weekDays) in(length int, weekday func(int) int) bits {
	var days bits
	for day := 1; day <= length; day++ {
		at := weekday(day)
		wanted := d.set.has(at)
		for _, last := range d.last {
			wanted = wanted || last == at && day+7 > length
		}
		for _, nth := range d.nth {
			wanted = wanted || nth.day == at && (day-1)/7+1 == nth.n
		}
		if wanted {
			days |= 1 << day
		}
	}
	return days
}
