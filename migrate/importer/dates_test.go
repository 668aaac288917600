package importer_test

import (
	"testing"
	"time"

	"entrepot/migrate/inventory"
	"entrepot/storage/catalog"
)

// dated is an old server with one asset of a format that is not served, whose record and component say everything.
func dated() (*old, *inventory.Asset) {
	o := newOld()
	a := o.put("images", "/v2/app/manifests/1", "manifest", 1)
	a.Updated, a.BlobUpdated, a.LastDownloaded = day.AddDate(0, 0, 5), day.AddDate(0, 0, 2), day.AddDate(0, 0, 4)
	a.Attributes = map[string]string{"content_digest": "sha256:1"}
	a.Component, a.ComponentKind = &catalog.Coordinates{Name: "app", Version: "1"}, "image"
	a.ComponentAttributes = map[string]string{"os": "linux"}
	a.ComponentCreated, a.ComponentUpdated = day.AddDate(0, 0, -1), day.AddDate(0, 0, 3)
	return o, a
}

// TestDatesAndAttributes wants what the old server knew of an asset and its component, and later what changed there beside the bytes.
func TestDatesAndAttributes(t *testing.T) {
	s := newServer(t)
	from, a := dated()
	check := func(updated, componentUpdated time.Time, attribute, componentAttribute string) {
		t.Helper()
		held, err := s.Engine.Held(t.Context(), a.Repository, a.Path)
		must(t, err)
		c, err := s.Engine.HeldComponent(t.Context(), a.Repository, *a.Component)
		must(t, err)
		if !held.Created.Equal(day) || !held.BlobUpdated.Equal(day.AddDate(0, 0, 2)) || !held.Updated.Equal(updated) || held.Format["content_digest"] != attribute {
			t.Errorf("asset %+v", held)
		}
		if c == nil || !c.Created.Equal(day.AddDate(0, 0, -1)) || !c.Updated.Equal(componentUpdated) || c.Kind != "image" || c.Attributes["os"] != componentAttribute {
			t.Errorf("component %+v", c)
		}
	}
	s.bring(t, from)
	check(day.AddDate(0, 0, 5), day.AddDate(0, 0, 3), "sha256:1", "linux")

	a.Attributes = map[string]string{"content_digest": "sha256:2"}
	a.Updated, a.LastDownloaded = day.AddDate(0, 0, 6), day.AddDate(0, 0, 6)
	a.ComponentAttributes, a.ComponentUpdated = map[string]string{"os": "plan9"}, day.AddDate(0, 0, 6)
	if _, report := s.bring(t, from); report.Updated != 1 || report.New+report.Replaced != 0 {
		t.Errorf("report %+v", report)
	}
	check(day.AddDate(0, 0, 6), day.AddDate(0, 0, 6), "sha256:2", "plan9")
	if _, report := s.bring(t, from); report.Updated != 0 {
		t.Errorf("the third import wrote something: %+v", report)
	}
}

// TestVerifyFindsDates changes one fact there after the import and wants it to be found.
func TestVerifyFindsDates(t *testing.T) {
	for name, change := range map[string]func(*inventory.Asset){
		"created":             func(a *inventory.Asset) { a.Created = a.Created.Add(time.Hour) },
		"updated":             func(a *inventory.Asset) { a.Updated = a.Updated.Add(time.Hour) },
		"stored":              func(a *inventory.Asset) { a.BlobUpdated = a.BlobUpdated.Add(time.Hour) },
		"downloaded":          func(a *inventory.Asset) { a.LastDownloaded = a.LastDownloaded.Add(time.Hour) },
		"address":             func(a *inventory.Asset) { a.UploaderIP = "10.0.0.2" },
		"attribute":           func(a *inventory.Asset) { a.Attributes = map[string]string{"content_digest": "sha256:2"} },
		"component created":   func(a *inventory.Asset) { a.ComponentCreated = a.ComponentCreated.Add(time.Hour) },
		"component updated":   func(a *inventory.Asset) { a.ComponentUpdated = a.ComponentUpdated.Add(time.Hour) },
		"component attribute": func(a *inventory.Asset) { a.ComponentAttributes = map[string]string{"os": "plan9"} },
	} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t)
			from, a := dated()
			s.bring(t, from)
			before := len(s.differences(t, from))
			change(a)
			if after := len(s.differences(t, from)); after != before+1 {
				t.Errorf("%d differences, before the change %d", after, before)
			}
		})
	}
}
