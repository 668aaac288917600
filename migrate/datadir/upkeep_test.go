package datadir_test

import (
	"encoding/json"
	"os"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"entrepot/app/cleanup"
	"entrepot/app/tasks"
	"entrepot/compat/names"
)

// TestUpkeep compares tasks and cleanup policies with what the real servers told of them.
func TestUpkeep(t *testing.T) {
	for _, name := range []string{"nexus-3.77-small", "nexus-3.71-tiny", "nexus-3.77-customkey"} {
		t.Run(name, func(t *testing.T) {
			inv, err := open(t, unpack(t, name), nil).Describe(t.Context())
			must(t, err)
			type task struct {
				ID, Name, Type         string
				NextRun, LastRun       *time.Time
				LastRunResult, Message *string
			}
			var list struct{ Items []task }
			read(t, name, "tasks.json", &list)
			want := make(map[string]task)
			for _, item := range list.Items {
				item.Message = nil
				want[item.ID] = item
			}
			got := make(map[string]task)
			for _, have := range inv.Upkeep.Tasks {
				item := task{ID: have.ID, Name: have.Name, Type: names.TaskType(have.Type)}
				if have.Last != nil {
					result := map[tasks.Result]string{tasks.OK: "OK"}[have.Last.Result]
					item.LastRun, item.LastRunResult = &have.Last.Started, &result
				}
				// The lists were taken between two half hours.
				if next := have.Schedule.Next(time.Date(2026, 11, 21, 15, 55, 0, 0, time.UTC)); have.Enabled && !next.IsZero() {
					next = next.UTC()
					item.NextRun = &next
				}
				got[item.ID] = item
			}
			if d := cmp.Diff(want, got); d != "" {
				t.Error(d)
			}
			checkPolicies(t, name, inv.Upkeep.Policies)
		})
	}
}

func read(t *testing.T, name, file string, into any) {
	t.Helper()
	raw, err := os.ReadFile(fixtures(t, name+".expected", "rest", file))
	must(t, err)
	must(t, json.Unmarshal(raw, into))
}

func checkPolicies(t *testing.T, name string, policies []cleanup.Policy) {
	type policy struct {
		Name, Format                                            string
		Notes                                                   *string
		CriteriaLastBlobUpdated, CriteriaLastDownloaded, Retain *int64
		SortBy, CriteriaReleaseType, CriteriaAssetRegex         *string
	}
	var want []policy
	read(t, name, "cleanup-policies.json", &want)
	text := func(s string) *string {
		if s == "" {
			return nil
		}
		return &s
	}
	known := make(map[string]policy)
	for _, p := range want {
		known[p.Name] = p
	}
	got := make(map[string]policy)
	for _, p := range policies {
		have := policy{
			Name: p.Name, Format: p.Format, Notes: p.Notes, CriteriaLastBlobUpdated: p.UpdatedDays, CriteriaLastDownloaded: p.DownloadedDays,
			SortBy: text(string(p.SortBy)), CriteriaAssetRegex: text(p.AssetRegex),
			CriteriaReleaseType: text(map[cleanup.Release]string{cleanup.Releases: "RELEASES", cleanup.Prereleases: "PRERELEASES"}[p.Release]),
		}
		if p.Retain > 0 {
			retain := int64(p.Retain)
			have.Retain = &retain
		}
		got[p.Name] = have
	}
	if d := cmp.Diff(known, got); d != "" {
		t.Error(d)
	}
}
