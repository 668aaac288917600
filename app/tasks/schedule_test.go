package tasks

import (
	"testing"
	"time"
)

func at(t *testing.T, text string) time.Time {
	t.Helper()
	if text == "" {
		return time.Time{}
	}
	when, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t.Fatal(err)
	}
	return when
}

func TestNext(t *testing.T) {
	start := "2027-12-26T15:19:00Z" // a Sunday
	tests := []struct {
		name     string
		schedule Schedule
		after    string
		want     []string
	}{
		{"manual", Schedule{Frequency: Manual}, start, []string{""}},
		{"once ahead", Schedule{Frequency: Once}, "2026-01-01T00:00:00Z", []string{start, ""}},
		{"hourly ahead", Schedule{Frequency: Hourly}, "2026-01-01T00:00:00Z", []string{start, "2027-12-26T16:19:00Z"}},
		{"hourly behind", Schedule{Frequency: Hourly}, "2028-03-01T00:19:00Z", []string{"2028-03-01T01:19:00Z"}},
		{"daily", Schedule{Frequency: Daily}, "2026-01-01T00:00:00Z", []string{start, "2027-12-27T15:19:00Z"}},
		{"weekly", Schedule{Frequency: Weekly, Days: []int{1, 4}}, "2026-01-01T00:00:00Z", []string{start, "2027-12-29T15:19:00Z", "2028-01-02T15:19:00Z"}},
		{"monthly", Schedule{Frequency: Monthly, Days: []int{1, 15, LastDay}}, "2026-01-01T00:00:00Z",
			[]string{"2027-12-31T15:19:00Z", "2028-01-01T15:19:00Z", "2028-01-15T15:19:00Z", "2028-01-31T15:19:00Z", "2028-02-01T15:19:00Z", "2028-02-15T15:19:00Z", "2028-02-29T15:19:00Z"}},
		{"monthly on a day that few months have", Schedule{Frequency: Monthly, Days: []int{31}}, "2028-01-31T16:00:00Z", []string{"2028-03-31T15:19:00Z"}},
		{"cron not before its start", Schedule{Frequency: Cron, Cron: "0 0 1 * * ?", Zone: "Z"}, "2026-01-01T00:00:00Z", []string{"2027-12-27T01:00:00Z"}},
		{"daily over a change of clocks", Schedule{Frequency: Daily, Zone: "Europe/Berlin"}, "2028-03-25T15:00:00Z", []string{"2028-03-25T15:19:00Z", "2028-03-26T14:19:00Z"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := tt.schedule
			s.Start = at(t, start)
			if s.Zone == "" {
				s.Zone = "+00:00"
			}
			if wrong := s.Validate(); len(wrong) > 0 {
				t.Fatal(wrong)
			}
			when := at(t, tt.after)
			for _, want := range tt.want {
				if when = s.Next(when); !when.Equal(at(t, want)) {
					t.Fatalf("got %s; want %s", when, want)
				}
			}
		})
	}
}

func TestCron(t *testing.T) {
	const from = "2026-11-21T20:12:40Z" // a Saturday
	tests := []struct {
		cron, zone, after string
		want              []string
	}{
		{"0 0 1 * * ?", "Z", from, []string{"2026-11-22T01:00:00Z", "2026-11-23T01:00:00Z"}},
		{"0 15 3 ? * MON-FRI", "Z", from, []string{"2026-11-23T03:15:00Z"}},
		{"0 */30 * * * ?", "Z", from, []string{"2026-11-21T20:30:00Z", "2026-11-21T21:00:00Z"}},
		{"0 0 4 1 1 ? 2099", "Z", from, []string{"2099-01-01T04:00:00Z", ""}},
		{"0 0 4 1 1 ? 2020", "Z", from, []string{""}},
		{"0 0 0 29 2 ?", "Z", from, []string{"2028-02-29T00:00:00Z", "2032-02-29T00:00:00Z"}},
		{"0 0 0 31 2 ?", "Z", from, []string{""}},
		{"0 0 12 L * ?", "Z", from, []string{"2026-11-30T12:00:00Z", "2026-12-31T12:00:00Z"}},
		{"0 0 12 L-3 * ?", "Z", from, []string{"2026-11-27T12:00:00Z"}},
		{"0 0 12 LW * ?", "Z", from, []string{"2026-11-30T12:00:00Z", "2026-12-31T12:00:00Z", "2027-01-29T12:00:00Z"}},
		{"0 0 12 1W * ?", "Z", from, []string{"2026-12-01T12:00:00Z", "2027-01-01T12:00:00Z", "2027-02-01T12:00:00Z"}},
		{"0 0 12 1W 5 ?", "Z", from, []string{"2027-05-03T12:00:00Z"}},
		{"0 0 12 ? * 6L", "Z", from, []string{"2026-11-27T12:00:00Z", "2026-12-25T12:00:00Z"}},
		{"0 0 12 ? * FRIL", "Z", from, []string{"2026-11-27T12:00:00Z"}},
		{"0 0 12 ? * L", "Z", from, []string{"2026-11-28T12:00:00Z"}},
		{"0 0 12 ? * MON#2", "Z", from, []string{"2026-12-14T12:00:00Z"}},
		{"0 0 12 ? * 6#5", "Z", from, []string{"2027-01-29T12:00:00Z"}},
		{"0 0 22-2 ? * FRI-SUN", "Z", from, []string{"2026-11-21T22:00:00Z", "2026-11-21T23:00:00Z", "2026-11-22T00:00:00Z"}},
		{"10,20 5/20 8-10/2 1,15 nov-jan ?", "Z", from, []string{"2026-12-01T08:05:10Z", "2026-12-01T08:05:20Z", "2026-12-01T08:25:10Z"}},
		{"0 0 1 * * ?", "+02:00", from, []string{"2026-11-21T23:00:00Z"}},
		{"0 0 1 * * ?", "-05:30", from, []string{"2026-11-22T06:30:00Z"}},
		{"0 30 2 * * ?", "Europe/Berlin", "2028-03-25T12:00:00Z", []string{"2028-03-26T01:30:00Z", "2028-03-27T00:30:00Z"}},
		{"0 30 2 29 10 ?", "Europe/Berlin", "2028-10-28T12:00:00Z", []string{"2028-10-29T01:30:00Z", "2029-10-29T01:30:00Z"}},
	}
	for _, tt := range tests {
		t.Run(tt.cron+" "+tt.zone, func(t *testing.T) {
			s := Schedule{Frequency: Cron, Cron: tt.cron, Zone: tt.zone}
			if wrong := s.Validate(); len(wrong) > 0 {
				t.Fatal(wrong)
			}
			when := at(t, tt.after)
			for _, want := range tt.want {
				if when = s.Next(when); !when.Equal(at(t, want)) {
					t.Fatalf("got %s; want %s", when, want)
				}
			}
		})
	}
}

func TestScheduleFaults(t *testing.T) {
	for _, s := range []Schedule{
		{}, {Frequency: "yearly"}, {Frequency: Once}, {Frequency: Weekly}, {Frequency: Weekly, Days: []int{8}}, {Frequency: Monthly, Days: []int{32}},
		{Frequency: Manual, Zone: "Nowhere/Land"}, {Frequency: Manual, Zone: "+19:00"}, {Frequency: Cron},
		{Frequency: Cron, Cron: "0 0 1 * *"}, {Frequency: Cron, Cron: "0 0 1 * * *"}, {Frequency: Cron, Cron: "0 0 1 ? * ?"},
		{Frequency: Cron, Cron: "60 0 1 * * ?"}, {Frequency: Cron, Cron: "0 0 24 * * ?"}, {Frequency: Cron, Cron: "0 0/0 1 * * ?"},
		{Frequency: Cron, Cron: "0 0 1 0 * ?"}, {Frequency: Cron, Cron: "0 0 1 ? * 8"}, {Frequency: Cron, Cron: "0 0 1 ? * MON#6"},
		{Frequency: Cron, Cron: "0 0 1 ? FOO MON"}, {Frequency: Cron, Cron: "0 0 1 * * ? 1969"}, {Frequency: Cron, Cron: "a b c d e f"},
		{Frequency: Cron, Cron: "0 0 1 L-31 * ?"}, {Frequency: Cron, Cron: ", 0 1 * * ?"}, {Frequency: Cron, Cron: "0 -1 1 * * ?"},
	} {
		if len(s.Validate()) == 0 {
			t.Errorf("%+v passes", s)
		}
	}
}

func FuzzCron(f *testing.F) {
	for _, seed := range []string{"0 0 1 * * ?", "0 15 3 ? * MON-FRI", "10,20 5/20 8-10/2 LW,3W nov-jan ? 2030/7", "0 0 12 ? * 6#5,2L"} {
		f.Add(seed)
	}
	from := time.Date(2026, 11, 21, 20, 12, 40, 0, time.UTC)
	f.Fuzz(func(t *testing.T, text string) {
		e, err := ParseCron(text)
		if err != nil {
			return
		}
		when := from
		for range 200 {
			next := e.Next(when)
			if next.IsZero() {
				break
			}
			if !next.After(when) {
				t.Fatalf("%q: %s does not follow %s", text, next, when)
			}
			when = next
		}
	})
}
