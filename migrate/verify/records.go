package verify

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"entrepot/migrate/inventory"
	"entrepot/storage/catalog"
)

// precision is that of dates in records.
const precision = time.Millisecond

// date is one date of both sides. What happened here later makes the one here later.
type date struct {
	name        string
	there, here time.Time
	grows       bool
}

// different compares dates that the other side knows.
func different(dates ...date) string {
	for _, d := range dates {
		there := d.there.Truncate(precision)
		if d.there.IsZero() || d.here.Equal(there) || d.grows && d.here.After(there) {
			continue
		}
		return fmt.Sprintf("was %s at %s here, and at %s there", d.name, d.here.UTC().Format(time.RFC3339Nano), there.UTC().Format(time.RFC3339Nano))
	}
	return ""
}

// dates compares those of an asset.
func (c *comparison) dates(a *inventory.Asset, held *catalog.Asset) string {
	downloaded := a.LastDownloaded
	if c.living {
		downloaded = time.Time{} // the import itself downloaded, and so does everybody
	}
	return different(
		date{"created", a.Created, held.Created, false}, date{"updated", a.Updated, held.Updated, true},
		date{"stored", a.BlobUpdated, held.BlobUpdated, false}, date{"last downloaded", downloaded, held.LastDownloaded, true},
	)
}

// lacking tells which attribute of the other side is missing here or has another value; what is known here beyond does not count.
func lacking(what string, there, here map[string]string) string {
	for _, name := range slices.Sorted(maps.Keys(there)) {
		if value, ok := here[name]; !ok || value != there[name] {
			return fmt.Sprintf("has %s %s %q here, and %q there", what, name, value, there[name])
		}
	}
	return ""
}

// component compares an asset's component.
func (c *comparison) component(a *inventory.Asset, at catalog.Coordinates) (string, error) {
	held, err := c.target.Engine.HeldComponent(c.ctx, a.Repository, at)
	switch {
	case err != nil:
		return "", err
	case held == nil:
		return "has no component here", nil
	}
	why := different(date{"made, as a component,", a.ComponentCreated, held.Created, false}, date{"updated, as a component,", a.ComponentUpdated, held.Updated, true})
	if why == "" && !held.Updated.After(a.ComponentUpdated) {
		why = lacking("component attribute", a.ComponentAttributes, held.Attributes)
	}
	return why, nil
}
