package resource

import (
	"cmp"
	"context"
	"maps"
	"slices"

	"entrepot/app/access"
	"entrepot/app/settings"
	"entrepot/formats"
	"entrepot/storage/kv"
)

// Capability is a switch with properties. There is one of a type; those types of which there can be several are not found here.
type Capability struct {
	Type       string            `json:"type" example:"baseurl"`
	Enabled    bool              `json:"enabled" default:"true"`
	Notes      string            `json:"notes,omitempty"`
	Properties map[string]string `json:"properties,omitempty"` // secrets among them are written only
	// Active and Reason tell whether it is in force, and if not, why; decided by the server.
	Active bool   `json:"active,omitempty"`
	Reason string `json:"reason,omitempty"`
}

// Capabilities gives the capabilities.
func (r *Resources) Capabilities() *Set[Capability] {
	return &Set[Capability]{
		Name:  "capabilities",
		Key:   func(d *Capability) string { return d.Type },
		Blank: func() Capability { return Capability{Enabled: true} },
		Fill:  func(d *Capability) { d.Active, d.Reason = false, "" },
		List:  r.capabilities,
		Get: func(ctx context.Context, name string) (Capability, error) {
			c, err := r.capability(ctx, name)
			return capabilityOf(c), err
		},
		Row: func(ctx context.Context, name string) (kv.Row, error) {
			c, err := r.capability(ctx, name)
			if err != nil {
				return kv.Row{}, err
			}
			return r.Settings.Row(ctx, c.ID)
		},
		Create: func(ctx context.Context, _ access.Actor, d Capability) error {
			if t, ok := settings.TypeOf(d.Type); ok && t.Many {
				return formats.FieldErrors{{Field: "type", Message: "there can be several of this type, which have no place here"}}
			}
			_, err := r.Settings.Create(ctx, settings.Capability{Type: d.Type, Enabled: d.Enabled, Notes: d.Notes, Properties: d.properties()})
			return err
		},
		Replace: func(ctx context.Context, _ access.Actor, name string, d Capability) error {
			before, err := r.capability(ctx, name)
			if err != nil {
				return err
			}
			if d.Type != name {
				return renamed("type")
			}
			_, err = r.Settings.Update(ctx, settings.Capability{ID: before.ID, Type: d.Type, Enabled: d.Enabled, Notes: d.Notes, Properties: d.properties()})
			return err
		},
		Delete: func(ctx context.Context, _ access.Actor, name string) error {
			before, err := r.capability(ctx, name)
			if err != nil {
				return err
			}
			return r.Settings.Delete(ctx, before.ID)
		},
		Keep: r.keepCapability,
		Settle: func(ctx context.Context, d *Capability) error {
			stored, err := r.capability(ctx, d.Type)
			if formats.KindOf(err) == formats.NotFound {
				err = nil
			}
			maps.DeleteFunc(d.Properties, func(name, value string) bool {
				secret, ok := stored.Secrets[name]
				return ok && (value == Hidden || value == string(secret))
			})
			return err
		},
	}
}

func (r *Resources) keepCapability(ctx context.Context, name string) (Restore, error) {
	before, err := r.capability(ctx, name)
	return func(ctx context.Context, _ access.Actor) error {
		_, err := r.Settings.Update(ctx, before)
		return err
	}, err
}

// properties are those that are given: a secret that is only hinted at stays as it is.
func (d *Capability) properties() map[string]string {
	given := maps.Clone(d.Properties)
	t, _ := settings.TypeOf(d.Type)
	for _, f := range t.Fields {
		if f.Kind == settings.Password && given[f.ID] == Hidden {
			delete(given, f.ID)
		}
	}
	return given
}

func (r *Resources) capabilities(ctx context.Context) ([]Capability, error) {
	all, err := r.Settings.Capabilities(ctx)
	list := []Capability{}
	for _, c := range all {
		if t, known := settings.TypeOf(c.Type); known && !t.Many {
			list = append(list, capabilityOf(c))
		}
	}
	slices.SortFunc(list, func(a, b Capability) int { return cmp.Compare(a.Type, b.Type) })
	return list, err
}

// capability finds the capability of a type.
func (r *Resources) capability(ctx context.Context, name string) (settings.Capability, error) {
	all, err := r.Settings.Capabilities(ctx)
	if err != nil {
		return settings.Capability{}, err
	}
	i := slices.IndexFunc(all, func(c settings.Capability) bool {
		t, known := settings.TypeOf(c.Type)
		return c.Type == name && known && !t.Many
	})
	if i < 0 {
		return settings.Capability{}, formats.Errorf(formats.NotFound, "There is no capability of type %s", name)
	}
	return all[i], nil
}

func capabilityOf(c settings.Capability) Capability {
	active, reason := settings.Standing(c)
	return Capability{Type: c.Type, Enabled: c.Enabled, Notes: c.Notes, Properties: c.Properties, Active: active, Reason: reason}
}
