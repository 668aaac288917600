package extdirect

import "entrepot/app/settings"

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

func (c *Calls) capabilityMethods() []method {
	return []method{
		{"capability_Capability.read", "nexus:capabilities:read", 0, c.readCapabilities},
		{"capability_Capability.create", "nexus:capabilities:create", 1, c.createCapability},
		{"capability_Capability.update", "nexus:capabilities:update", 1, c.updateCapability},
		{"capability_Capability.remove", "nexus:capabilities:delete", 1, c.removeCapability},
	}
}

func (c *Calls) readCapabilities(q *request) (any, error) {
	all, err := c.Settings.Capabilities(q.Context())
	if err != nil {
		return nil, err
	}
	out := []capability{}
	for _, one := range all {
		out = append(out, show(one))
	}
	return out, nil
}

func (c *Calls) createCapability(q *request) (any, error) {
	var in capability
	if err := q.argument(&in); err != nil {
		return nil, err
	}
	made, err := c.Settings.Create(q.Context(), settings.Capability{Type: in.Type, Enabled: in.Enabled, Notes: in.Notes, Properties: in.Properties})
	if err != nil {
		return nil, err
	}
	return show(made), nil
}

func (c *Calls) updateCapability(q *request) (any, error) {
	var in capability
	if err := q.argument(&in); err != nil {
		return nil, err
	}
	changed := settings.Capability{ID: in.ID, Type: in.Type, Enabled: in.Enabled, Notes: in.Notes, Properties: in.Properties}
	if err := c.Settings.Update(q.Context(), changed); err != nil {
		return nil, err
	}
	changed.Type = settings.TypeBaseURL
	return show(changed), nil
}

func (c *Calls) removeCapability(q *request) (any, error) {
	var id string
	if err := q.argument(&id); err != nil {
		return nil, err
	}
	return nil, c.Settings.Delete(q.Context(), id)
}
