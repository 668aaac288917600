package rest

import "net/http"

// Tags, see describe_security.go.
const (
	tagCapabilities = "Capabilities"
	tagSupport      = "Support"
	tagLicense      = "Product licensing"
	tagIQ           = "Manage Sonatype Repository Firewall configuration"
	tagSecrets      = "Security management: secrets encryption"
)

// serverDescriptions describe what is set for the whole server and what it says of itself.
func (a *API) serverDescriptions() map[string]description {
	capability := literal("CapabilityDTO", object{{"id", ""}, {"type", ""}, {"notes", ""}, {"enabled", false}, {"properties", mapOf(textual)}})
	kind := literal("CapabilityTypeXO", object{{"id", ""}, {"name", ""}, {"about", ""}, {"formFields", arrayOf(anything)}})
	missing, invalid := []int{http.StatusNotFound}, []int{http.StatusBadRequest}
	checked := nullable(literal("NodeCheckResult", object{{"healthy", false}, {"message", ""}}), "message")
	clustered := literal("NodeSystemCheckResult", object{{"hostname", ""}, {"nodeId", ""}, {"results", mapOf(checked)}})
	archive := taken[archiveBody]("SupportZipGeneratorRequest")
	saved := literal("SupportZipXO", object{{"file", ""}, {"name", ""}, {"size", int64(0)}, {"truncated", false}})
	license := nullable(literal("ApiLicenseDetailsXO", object{
		{"contactEmail", ""}, {"contactCompany", ""}, {"contactName", ""}, {"effectiveDate", ""}, {"expirationDate", ""},
		{"licenseType", ""}, {"licensedUsers", ""}, {"fingerprint", ""}, {"features", ""},
	}), "contactEmail", "contactCompany", "contactName", "effectiveDate", "expirationDate", "fingerprint")
	iq, iqAudit := taken[iqBody]("IqConnectionXo"), taken[iqAuditBody]("IqAuditXo")
	outcome := literal("IqConnectionVerificationXo", object{{"success", false}, {"reason", ""}})
	shown := nullable(iq, "url", "username", "timeoutSeconds", "properties")
	return map[string]description{
		"POST v1/support/supportzip":              {tag: tagSupport, summary: "Download an archive for whoever looks for a fault", body: archive, reply: textual},
		"POST v1/support/supportzippath":          {tag: tagSupport, summary: "Leave such an archive on the server's disk", body: archive, reply: saved},
		"GET atlas/system-information":            {tag: tagSupport, summary: "Tell what the server is and runs on", reply: mapOf(anything)},
		"GET atlas/security-diagnostic/user/{id}": {tag: tagSupport, summary: "Tell how the rights of a user come together", reply: mapOf(anything), refuses: []int{http.StatusServiceUnavailable}},
		"GET beta/system/information":             {tag: tagNode, summary: "Tell what each server is and runs on", reply: mapOf(anything)},

		"GET beta/status/check/cluster": {tag: tagStatus, summary: "Give the results of the checks of each server", reply: arrayOf(clustered)},
		"GET beta/status/check/{id}":    {tag: tagStatus, summary: "Give the results of one server's checks", reply: mapOf(anything), refuses: missing},

		"GET v1/system/license":    {tag: tagLicense, summary: "Tell that no licence is needed", reply: license},
		"POST v1/system/license":   {tag: tagLicense, summary: "Refuse a licence", body: textual, refuses: invalid},
		"DELETE v1/system/license": {tag: tagLicense, summary: "Do without a licence"},

		"GET v1/iq":                    {tag: tagIQ, summary: "Read the connection to an IQ server, of which there is none", reply: shown},
		"PUT v1/iq":                    {tag: tagIQ, summary: "Set the connection to an IQ server off", body: iq, refuses: invalid},
		"POST v1/iq/enable":            {tag: tagIQ, summary: "Refuse to connect", refuses: invalid},
		"POST v1/iq/disable":           {tag: tagIQ, summary: "Do without a connection"},
		"POST v1/iq/verify-connection": {tag: tagIQ, summary: "Tell that there is no connection", reply: outcome},
		"GET v1/iq/audit":              {tag: tagIQ, summary: "List the repositories that are examined, of which there are none", reply: arrayOf(iqAudit)},
		"PUT v1/iq/audit":              {tag: tagIQ, summary: "Have a repository not examined", body: iqAudit, refuses: missing},
		"GET v1/iq/audit/{name}":       {tag: tagIQ, summary: "Tell whether a repository is examined", reply: iqAudit, refuses: []int{http.StatusBadRequest, http.StatusNotFound}},

		"PUT v1/secrets/encryption/re-encrypt": {
			tag: tagSecrets, summary: "Seal all secrets with a key", body: taken[resealBody]("ReEncryptionRequestApiXO"),
			reply: literal("ReEncryptionResultApiXO", object{{"status", ""}, {"message", ""}}),
		},

		"GET v1/capabilities":         {tag: tagCapabilities, summary: "List capabilities", reply: arrayOf(capability)},
		"GET v1/capabilities/types":   {tag: tagCapabilities, summary: "List the types of capabilities", reply: arrayOf(kind)},
		"POST v1/capabilities":        {tag: tagCapabilities, summary: "Create a capability", body: capability, reply: capability},
		"PUT v1/capabilities/{id}":    {tag: tagCapabilities, summary: "Change a capability", body: capability, refuses: missing},
		"DELETE v1/capabilities/{id}": {tag: tagCapabilities, summary: "Delete a capability", refuses: missing},
	}
}
