package extdirect

import (
	"maps"

	"entrepot/app/settings"
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

// show words a capability. A secret that is set shows as the placeholder; one without effect says why.
func (c *Calls) show(one settings.Capability) capability {
	t, known := settings.TypeOf(one.Type)
	if !known {
		t = settings.Type{Name: one.Type, Category: "Unknown"}
	}
	active, why := settings.Standing(one)
	out := capability{
		ID: one.ID, Type: one.Type, Enabled: one.Enabled, Notes: one.Notes, Properties: maps.Clone(one.Properties), Active: active,
		State: "disabled", StateText: "Disabled", TypeName: t.Name, Tags: map[string]string{"Category": t.Category},
	}
	if out.Properties == nil {
		out.Properties = make(map[string]string)
	}
	for id, secret := range one.Secrets {
		if secret != "" {
			out.Properties[id] = hidden
		}
	}
	switch {
	case active:
		out.State, out.StateText = "active", "Active"
		if report := c.Settings.Report(one.ID); report != "" {
			out.StateText += ". " + report
		}
	case one.Enabled && known:
		out.State, out.StateText = "passive", "Passive. "+why
	case why != "":
		out.StateText = "Disabled. " + why
	}
	return out
}

// capability translates what a client sends. The placeholder stands for the secret that is stored.
func (in *capability) capability() settings.Capability {
	maps.DeleteFunc(in.Properties, func(_, value string) bool { return value == hidden })
	return settings.Capability{ID: in.ID, Type: in.Type, Enabled: in.Enabled, Notes: in.Notes, Properties: in.Properties}
}

func (c *Calls) capabilityMethods() []method {
	return []method{
		{"capability_Capability.read", "nexus:capabilities:read", 0, c.readCapabilities},
		{"capability_Capability.readTypes", "nexus:capabilities:read", 0, c.readCapabilityTypes},
		{"capability_Capability.create", "nexus:capabilities:create", 1, c.createCapability},
		{"capability_Capability.update", "nexus:capabilities:update", 1, c.updateCapability},
		{"capability_Capability.updateNotes", "nexus:capabilities:update", 1, c.updateCapabilityNotes},
		{"capability_Capability.enable", "nexus:capabilities:update", 1, func(q *request) (any, error) { return c.switchCapability(q, true) }},
		{"capability_Capability.disable", "nexus:capabilities:update", 1, func(q *request) (any, error) { return c.switchCapability(q, false) }},
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
		out = append(out, c.show(one))
	}
	return out, nil
}

// formField is a field of a form as the old user interface draws it. What is nil is nothing that the form uses.
type formField struct {
	ID           string         `json:"id"`
	Type         string         `json:"type"`
	Label        string         `json:"label"`
	Help         string         `json:"helpText"`
	Required     bool           `json:"required"`
	Disabled     bool           `json:"disabled"`
	ReadOnly     bool           `json:"readOnly"`
	Pattern      *string        `json:"regexValidation"`
	Initial      *string        `json:"initialValue"`
	Attributes   map[string]any `json:"attributes"`
	Min          *int           `json:"minValue"`
	Max          *int           `json:"maxValue"`
	Choices      *string        `json:"storeApi"`
	Filters      *string        `json:"storeFilters"`
	IDs          *string        `json:"idMapping"`
	Names        *string        `json:"nameMapping"`
	Autocomplete bool           `json:"allowAutocomplete"`
}

func (c *Calls) readCapabilityTypes(*request) (any, error) {
	type shown struct {
		ID     string      `json:"id"`
		Name   string      `json:"name"`
		About  string      `json:"about"`
		Fields []formField `json:"formFields"`
	}
	var out []shown
	for _, t := range settings.Types() {
		one := shown{ID: t.ID, Name: t.Name, About: "<p>" + t.About + "</p>", Fields: []formField{}}
		if t.Idle != "" {
			one.About += "<p>" + t.Idle + ".</p>"
		}
		for _, f := range t.Fields {
			field := formField{
				ID: f.ID, Type: string(f.Kind), Label: f.Label, Help: f.Help, Required: f.Required, Initial: some(f.Initial), Choices: some(f.Choices), Attributes: map[string]any{},
			}
			if len(f.Among) > 0 {
				field.Attributes["options"] = f.Among
			}
			one.Fields = append(one.Fields, field)
		}
		out = append(out, one)
	}
	return out, nil
}

// some is nothing for the empty text.
func some(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}

func (c *Calls) createCapability(q *request) (any, error) {
	var in capability
	if err := q.argument(&in); err != nil {
		return nil, err
	}
	made, err := c.Settings.Create(q.Context(), in.capability())
	if err != nil {
		return nil, err
	}
	return c.show(made), nil
}

func (c *Calls) updateCapability(q *request) (any, error) {
	var in capability
	if err := q.argument(&in); err != nil {
		return nil, err
	}
	changed, err := c.Settings.Update(q.Context(), in.capability())
	if err != nil {
		return nil, err
	}
	return c.show(changed), nil
}

// updateCapabilityNotes changes nothing but the notes.
func (c *Calls) updateCapabilityNotes(q *request) (any, error) {
	var in capability
	if err := q.argument(&in); err != nil {
		return nil, err
	}
	return c.editCapability(q, in.ID, func(one *settings.Capability) { one.Notes = in.Notes })
}

func (c *Calls) switchCapability(q *request, on bool) (any, error) {
	var id string
	if err := q.argument(&id); err != nil {
		return nil, err
	}
	return c.editCapability(q, id, func(one *settings.Capability) { one.Enabled = on })
}

func (c *Calls) editCapability(q *request, id string, edit func(*settings.Capability)) (any, error) {
	one, err := c.Settings.Capability(q.Context(), id)
	if err != nil {
		return nil, err
	}
	edit(&one)
	if one, err = c.Settings.Update(q.Context(), one); err != nil {
		return nil, err
	}
	return c.show(one), nil
}

func (c *Calls) removeCapability(q *request) (any, error) {
	var id string
	if err := q.argument(&id); err != nil {
		return nil, err
	}
	return nil, c.Settings.Delete(q.Context(), id)
}
