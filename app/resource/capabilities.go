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

// Capability is a switch with properties. Of most types there is one; of others there can be several.
type Capability struct {
	// Name is what the capability is called, and stays: the type, where there is one of it; else what tells it from others. One that was made
	// without a name is called by its id.
	Name       string            `json:"name" example:"baseurl"`
	Type       string            `json:"type" example:"baseurl"`
	Enabled    bool              `json:"enabled" default:"true"`
	Notes      string            `json:"notes,omitempty"`
	Properties map[string]string `json:"properties,omitempty"` // secrets among them are written only
	// Active and Reason tell whether it is in force, and if not, why; Report tells how it does, of a webhook what was delivered and given up.
	// They are decided by the server.
	Active bool   `json:"active,omitempty"`
	Reason string `json:"reason,omitempty"`
	Report string `json:"report,omitempty"`
}

// Capabilities gives the capabilities.
func (r *Resources) Capabilities() *Set[Capability] {
	return &Set[Capability]{
		Name:  "capabilities",
		Key:   func(d *Capability) string { return d.Name },
		Blank: func() Capability { return Capability{Enabled: true} },
		Fill:  (*Capability).fill,
		List:  r.capabilities,
		Get: func(ctx context.Context, name string) (Capability, error) {
			c, err := r.capability(ctx, name)
			return r.shownCapability(c), err
		},
		Row: func(ctx context.Context, name string) (kv.Row, error) {
			c, err := r.capability(ctx, name)
			if err != nil {
				return kv.Row{}, err
			}
			return r.Settings.Row(ctx, c.ID)
		},
		Create: r.createCapability,
		Replace: func(ctx context.Context, _ access.Actor, name string, d Capability) error {
			before, err := r.capability(ctx, name)
			if err != nil {
				return err
			}
			if d.Name != name {
				return renamed("name")
			}
			if d.Type != before.Type {
				return &SyntaxError{Field: "type", Message: "stays as it is"}
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
			stored, err := r.capability(ctx, d.Name)
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

func (r *Resources) createCapability(ctx context.Context, _ access.Actor, d Capability) error {
	t, _ := settings.TypeOf(d.Type)
	if t.Many && d.Name == "" {
		return formats.FieldErrors{{Field: "name", Message: "must not be empty: there can be several of this type"}}
	}
	name := d.Name
	if !t.Many && name == d.Type {
		name = ""
	}
	_, err := r.Settings.Create(ctx, settings.Capability{Type: d.Type, Name: name, Enabled: d.Enabled, Notes: d.Notes, Properties: d.properties()})
	return err
}

func (r *Resources) keepCapability(ctx context.Context, name string) (Restore, error) {
	before, err := r.capability(ctx, name)
	return func(ctx context.Context, _ access.Actor) error {
		_, err := r.Settings.Update(ctx, before)
		return err
	}, err
}

// fill gives a capability of a type that there is one of its name, and takes away what the server decides.
func (d *Capability) fill() {
	d.Active, d.Reason, d.Report = false, "", ""
	if t, known := settings.TypeOf(d.Type); known && !t.Many && d.Name == "" {
		d.Name = d.Type
	}
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
		if _, known := settings.TypeOf(c.Type); known {
			list = append(list, r.shownCapability(c))
		}
	}
	slices.SortFunc(list, func(a, b Capability) int { return cmp.Compare(a.Name, b.Name) })
	return list, err
}

// capability finds the capability of a name.
func (r *Resources) capability(ctx context.Context, name string) (settings.Capability, error) {
	all, err := r.Settings.Capabilities(ctx)
	if err != nil {
		return settings.Capability{}, err
	}
	i := slices.IndexFunc(all, func(c settings.Capability) bool {
		_, known := settings.TypeOf(c.Type)
		return known && c.Key() == name
	})
	if i < 0 {
		return settings.Capability{}, formats.Errorf(formats.NotFound, "There is no capability %s", name)
	}
	return all[i], nil
}

func (r *Resources) shownCapability(c settings.Capability) Capability {
	active, reason := settings.Standing(c)
	return Capability{
		Name: c.Key(), Type: c.Type, Enabled: c.Enabled, Notes: c.Notes, Properties: c.Properties, Active: active, Reason: reason, Report: r.Settings.Report(c.ID),
	}
}
