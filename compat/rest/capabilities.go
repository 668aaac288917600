package rest

import (
	"errors"
	"hash/fnv"
	"net/http"
	"strconv"

	"entrepot/app/server"
	capability "entrepot/app/settings"
	"entrepot/formats"
)

func (a *API) capabilityOperations() []operation {
	const path = "v1/capabilities"
	return []operation{
		{method: http.MethodGet, path: path, access: server.Permission("nexus:capabilities:read"), run: a.listCapabilities},
		{method: http.MethodGet, path: path + "/types", access: server.Permission("nexus:capabilities:read"), run: capabilityTypes},
		{method: http.MethodPost, path: path, access: server.PermissionAfterBody("nexus:capabilities:create"), consumes: mediaJSON, run: a.createCapability},
		{method: http.MethodPut, path: path + "/{id}", access: server.PermissionAfterBody("nexus:capabilities:update"), consumes: mediaJSON, run: a.updateCapability},
		{method: http.MethodDelete, path: path + "/{id}", access: server.Permission("nexus:capabilities:delete"), run: a.deleteCapability},
	}
}

type capabilityBody struct {
	ID         string            `json:"id"`
	Type       *string           `json:"type"`
	Notes      string            `json:"notes"`
	Enabled    *bool             `json:"enabled"`
	Properties map[string]string `json:"properties"`
}

// secretOf gives what stands for a secret of a capability in answers: a reference, by which clients know that it is one and keep what they
// sent. It says nothing of the secret.
func secretOf(capability, property string) string {
	h := fnv.New32a()
	h.Write([]byte(capability + "\x00" + property)) // never fails
	return "_" + strconv.FormatUint(uint64(h.Sum32()), 10)
}

// capability translates a body. The reference and the placeholder stand for the secret that is stored.
func (b *capabilityBody) capability(id string) capability.Capability {
	for property, value := range b.Properties {
		if value == placeholder || value == secretOf(id, property) {
			delete(b.Properties, property)
		}
	}
	return capability.Capability{
		ID: b.ID, Type: deref(b.Type), Notes: b.Notes, Enabled: b.Enabled == nil || *b.Enabled, Properties: b.Properties,
	}
}

func showCapability(c capability.Capability) object {
	properties := make(map[string]string, len(c.Properties)+len(c.Secrets))
	for id, value := range c.Properties {
		properties[id] = value
	}
	for id, secret := range c.Secrets {
		if secret != "" {
			properties[id] = secretOf(c.ID, id)
		}
	}
	return object{{"id", c.ID}, {"type", c.Type}, {"notes", c.Notes}, {"enabled", c.Enabled}, {"properties", properties}}
}

func (a *API) listCapabilities(c *call) (any, error) {
	all, err := a.Settings.Capabilities(c.Context())
	if err != nil {
		return nil, err
	}
	out := []object{}
	for _, one := range all {
		out = append(out, showCapability(one))
	}
	return out, nil
}

func capabilityTypes(*call) (any, error) {
	out := []object{}
	for _, t := range capability.Types() {
		fields := []object{}
		for _, f := range t.Fields {
			fields = append(fields, object{
				{"id", f.ID}, {"type", string(f.Kind)}, {"label", f.Label}, {"helpText", f.Help}, {"required", f.Required}, {"disabled", false}, {"readOnly", false},
				{"regexValidation", nil}, {"initialValue", orNull(f.Initial)}, {"attributes", map[string]any{}}, {"storeApi", orNull(f.Choices)},
			})
		}
		about := t.About
		if t.Idle != "" {
			about += " " + t.Idle + "."
		}
		out = append(out, object{{"id", t.ID}, {"name", t.Name}, {"about", about}, {"formFields", fields}})
	}
	return out, nil
}

// capabilityInput reads a body and checks the caller's rights.
func (c *call) capabilityInput() (capability.Capability, error) {
	var b capabilityBody
	if err := c.decode(&b); err != nil {
		return capability.Capability{}, err
	}
	var v violations
	if deref(b.Type) == "" {
		v.parameter("type", "must not be empty")
	}
	if len(v) > 0 {
		return capability.Capability{}, v
	}
	return b.capability(c.Param("id")), c.authorize()
}

func (a *API) createCapability(c *call) (any, error) {
	in, err := c.capabilityInput()
	if err != nil {
		return nil, err
	}
	made, err := a.Settings.Create(c.Context(), in)
	if err != nil {
		return nil, err
	}
	return showCapability(made), nil
}

func (a *API) updateCapability(c *call) (any, error) {
	in, err := c.capabilityInput()
	if err != nil {
		return nil, err
	}
	if in.ID != "" && in.ID != c.Param("id") {
		return nil, quotedf(http.StatusBadRequest, "The capability's id '%s' does not match the id used in the path '%s'.", in.ID, c.Param("id"))
	}
	in.ID = c.Param("id")
	if _, err := a.Settings.Update(c.Context(), in); err != nil {
		return nil, wordCapability(err)
	}
	return nil, nil
}

func (a *API) deleteCapability(c *call) (any, error) {
	if err := c.signedIn(); err != nil {
		return nil, err
	}
	return nil, wordCapability(a.Settings.Delete(c.Context(), c.Param("id")))
}

// wordCapability gives what was not found a body.
func wordCapability(err error) error {
	var missing *formats.Error
	if errors.Is(err, capability.ErrNotFound) && errors.As(err, &missing) {
		return quotedf(http.StatusNotFound, "%s", missing.Message)
	}
	return err
}
