package resource

import (
	"context"

	"entrepot/app/access"
	"entrepot/app/scripts"
)

// Script is a program text that clients of the old server store. It is never run here.
type Script struct {
	Name    string `json:"name" example:"cleanup"` // letters, digits, "_", "-", "."
	Type    string `json:"type" default:"groovy"`  // language
	Content string `json:"content"`
}

// Scripts gives the scripts.
func (r *Resources) Scripts() *Set[Script] {
	return &Set[Script]{
		Name:  "scripts",
		Key:   func(d *Script) string { return d.Name },
		Blank: func() Script { return Script{Type: scripts.Groovy} },
		List: func(ctx context.Context) ([]Script, error) {
			all, err := r.Options.Scripts.List(ctx)
			list := []Script{}
			for _, s := range all {
				list = append(list, Script(s))
			}
			return list, err
		},
		Get: func(ctx context.Context, name string) (Script, error) {
			s, err := r.Options.Scripts.Get(ctx, name)
			return Script(s), err
		},
		Row: r.Options.Scripts.Row,
		Create: func(ctx context.Context, _ access.Actor, d Script) error {
			return r.Options.Scripts.Create(ctx, scripts.Script(d))
		},
		Replace: func(ctx context.Context, _ access.Actor, name string, d Script) error {
			if d.Name != name {
				return renamed("name")
			}
			return r.Options.Scripts.Update(ctx, scripts.Script(d))
		},
		Delete: func(ctx context.Context, _ access.Actor, name string) error {
			return r.Options.Scripts.Delete(ctx, name)
		},
	}
}
