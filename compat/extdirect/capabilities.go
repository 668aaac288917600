package extdirect

import (
	"encoding/json"

	"entrepot/app/server"
	"entrepot/app/settings"
	"entrepot/formats"
)

// capability is a capability as the old user interface knows it.
type capability struct {
	ID          string            `json:"id"`
	Type        string            `json:"typeId"`
	Enabled     bool              `json:"enabled"`
	Notes       string            `json:"notes"`
	Properties  map[string]string `json:"properties"`
	Active      bool              `json:"active"`
	Error       bool              `json:"error"`
	Description any               `json:"description"`
	State       string            `json:"state"`
	StateText   string            `json:"stateDescription"`
	Status      any               `json:"status"`
	TypeName    string            `json:"typeName"`
	Tags        map[string]string `json:"tags"`
	Disable     any               `json:"disableWarningMessage"`
	Delete      any               `json:"deleteWarningMessage"`
}

func show(c settings.Capability) capability {
	out := capability{
		ID: c.ID, Type: c.Type, Enabled: c.Enabled, Notes: c.Notes, Properties: c.Properties, Active: c.Enabled,
		State: "disabled", StateText: "Disabled", TypeName: "Base URL", Tags: map[string]string{"Category": "Core"},
	}
	if c.Enabled {
		out.State, out.StateText = "active", "Active"
	}
	return out
}

func (c *Calls) readCapabilities(r *server.Request, _ []json.RawMessage) (any, error) {
	all, err := c.settings.Capabilities(r.Context())
	if err != nil {
		return nil, err
	}
	out := []capability{}
	for _, one := range all {
		out = append(out, show(one))
	}
	return out, nil
}

// argument reads the one argument of a method.
func argument(data []json.RawMessage, into any) error {
	if len(data) != 1 || json.Unmarshal(data[0], into) != nil {
		return formats.Errorf(formats.Invalid, "The method takes one argument of another shape")
	}
	return nil
}

func (c *Calls) createCapability(r *server.Request, data []json.RawMessage) (any, error) {
	var in capability
	if err := argument(data, &in); err != nil {
		return nil, err
	}
	made, err := c.settings.Create(r.Context(), settings.Capability{Type: in.Type, Enabled: in.Enabled, Notes: in.Notes, Properties: in.Properties})
	if err != nil {
		return nil, err
	}
	return show(made), nil
}

func (c *Calls) updateCapability(r *server.Request, data []json.RawMessage) (any, error) {
	var in capability
	if err := argument(data, &in); err != nil {
		return nil, err
	}
	changed := settings.Capability{ID: in.ID, Type: in.Type, Enabled: in.Enabled, Notes: in.Notes, Properties: in.Properties}
	if err := c.settings.Update(r.Context(), changed); err != nil {
		return nil, err
	}
	changed.Type = settings.TypeBaseURL
	return show(changed), nil
}

func (c *Calls) removeCapability(r *server.Request, data []json.RawMessage) (any, error) {
	var id string
	if err := argument(data, &id); err != nil {
		return nil, err
	}
	return nil, c.settings.Delete(r.Context(), id)
}
