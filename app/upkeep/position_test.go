package upkeep_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"entrepot/app/cleanup"
	"entrepot/app/repository"
	"entrepot/app/upkeep"
	"entrepot/formats"
	"entrepot/storage/kv"
)

// manyBuilds is a house with builds of snapshots and releases in two repositories, all old.
func manyBuilds(t *testing.T) *house {
	h := newHouse(t)
	days := int64(1)
	must(t, h.Cleanup.Create(t.Context(), cleanup.Policy{Name: "one", Format: "maven2", Criteria: cleanup.Criteria{AssetRegex: ".*-[13]\\.jar", UpdatedDays: &days}}, "admin"))
	h.repository(repository.Definition{Name: "copy", Format: "maven2", Kind: formats.Cache, Upstream: &repository.Upstream{URL: "http://127.0.0.1:1/"}})
	for i := range 5 {
		h.put("copy", fmt.Sprintf("/g/a/%[1]d/a-%[1]d.jar", i), 20, -1)
		h.loose("copy", fmt.Sprintf("/g/a/%d-SNAPSHOT/maven-metadata.xml", i), 20, -1)
	}
	for _, name := range []string{"libs", "more"} {
		h.repository(repository.Definition{Name: name, Format: "maven2", Kind: formats.Hosted, Cleanup: []string{"one"}})
		for _, version := range []string{"1.0", "2.0", "3.0"} {
			for build := 1; build <= 4; build++ {
				h.put(name, snapshot(version, build), 90, -1)
			}
			h.put(name, fmt.Sprintf("/org/acme/lib/%[1]s/lib-%[1]s.jar", version), 90, -1)
		}
	}
	return h
}

func (h *house) positions() (n int) {
	h.t.Helper()
	for _, err := range h.Store.Scan(h.t.Context(), "upkeep/positions", kv.Range{}) {
		must(h.t, err)
		n++
	}
	return n
}

// TestWorkGoesOn stops each kind of work at every step there is. What is done in the end, and what is said of it, is as if it had run
// through.
func TestWorkGoesOn(t *testing.T) {
	for _, tt := range []struct {
		id         string
		properties []string
	}{
		{upkeep.Cleanup, nil},
		{upkeep.MavenRemoveSnapshots, []string{"repository", "*", "keep", "1", "days", "0"}},
		{upkeep.MavenRemoveUnusedSnap, []string{"repository", "*", "days", "10"}},
		{upkeep.RemoveUnused, []string{"repository", "*", "days", "10"}},
		{upkeep.CollectBlobs, []string{"blobStore", "default"}},
	} {
		t.Run(tt.id, func(t *testing.T) {
			run := func(steps int) (message, left string, stops, resumed int) {
				h := manyBuilds(t)
				if tt.id == upkeep.CollectBlobs {
					h.do(upkeep.Cleanup)
				}
				for h.steps = steps; ; h.steps += 3 { // it takes some steps to get to where the last run was
					text, err := h.try(tt.id, tt.properties...)
					if strings.Contains(text, "went on from where") {
						resumed++
					}
					if err == nil {
						message, _, _ = strings.Cut(text, "; this")
						break
					}
					if stops++; !errors.Is(err, context.Canceled) {
						t.Fatal(err)
					}
				}
				if n := h.positions(); n != 0 {
					t.Errorf("%d positions are left", n)
				}
				return message, fmt.Sprintln(h.holds("libs"), h.holds("more"), h.holds("copy"), h.collected), stops, resumed
			}
			message, left, _, _ := run(0)
			once, again := 0, 0
			for steps := 1; steps <= 40; steps += 7 {
				got, there, stops, resumed := run(steps)
				once, again = once+stops, again+resumed
				if d := cmp.Diff(message, got) + cmp.Diff(left, there); d != "" {
					t.Errorf("stopped %d times from step %d on: %s", stops, steps, d)
				}
			}
			if once == 0 || again == 0 {
				t.Errorf("stopped %d times, went on %d times", once, again)
			}
		})
	}
}

// TestOtherWorkBeginsAnew changes what is asked for between two runs.
func TestOtherWorkBeginsAnew(t *testing.T) {
	h := manyBuilds(t)
	h.steps = 60
	if _, err := h.try(upkeep.MavenRemoveSnapshots, "repository", "*", "keep", "3", "days", "0"); !errors.Is(err, context.Canceled) || h.positions() != 1 {
		t.Fatalf("%v, %d positions", err, h.positions())
	}
	h.steps = 0
	got := h.do(upkeep.MavenRemoveSnapshots, "repository", "*", "keep", "1", "days", "0")
	if strings.Contains(got, "went on") || strings.Contains(h.holds("libs"), "-1.jar") || h.positions() != 0 {
		t.Errorf("%s; left %s", got, h.holds("libs"))
	}
}
