package rest

import "net/http"

// Tags, see describe_security.go.
const tagCapabilities = "Capabilities"

// serverDescriptions describe what is set for the whole server and what it says of itself.
func (a *API) serverDescriptions() map[string]description {
	capability := literal("CapabilityDTO", object{{"id", ""}, {"type", ""}, {"notes", ""}, {"enabled", false}, {"properties", mapOf(textual)}})
	kind := literal("CapabilityTypeXO", object{{"id", ""}, {"name", ""}, {"about", ""}, {"formFields", arrayOf(anything)}})
	missing := []int{http.StatusNotFound}
	return map[string]description{
		"GET v1/capabilities":         {tag: tagCapabilities, summary: "List capabilities", reply: arrayOf(capability)},
		"GET v1/capabilities/types":   {tag: tagCapabilities, summary: "List the types of capabilities", reply: arrayOf(kind)},
		"POST v1/capabilities":        {tag: tagCapabilities, summary: "Create a capability", body: capability, reply: capability},
		"PUT v1/capabilities/{id}":    {tag: tagCapabilities, summary: "Change a capability", body: capability, refuses: missing},
		"DELETE v1/capabilities/{id}": {tag: tagCapabilities, summary: "Delete a capability", refuses: missing},
	}
}
