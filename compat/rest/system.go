package rest

import (
	"net/http"
	"slices"
	"strings"

	"entrepot/app/node"
	"entrepot/app/server"
)

func (a *API) systemOperations() []operation {
	return []operation{
		{method: http.MethodGet, path: "v1/system/node", access: server.Permission("nexus:*"), run: a.getNode},
		{method: http.MethodDelete, path: "v1/system/node", access: server.Permission("nexus:*"), run: a.resetNode},
		{method: http.MethodGet, path: "v1/system/eula", access: server.Permission("nexus:*"), run: a.getAgreement},
		{method: http.MethodPost, path: "v1/system/eula", access: server.PermissionAfterBody("nexus:*"), consumes: mediaJSON, run: a.setAgreement},
		{method: http.MethodGet, path: "v1/system/license", access: server.Permission("nexus:licensing:read"), run: getLicense},
		{method: http.MethodPost, path: "v1/system/license", access: server.PermissionAfterBody("nexus:licensing:create"), consumes: mediaAny, run: setLicense},
		{method: http.MethodDelete, path: "v1/system/license", access: server.Permission("nexus:licensing:uninstall"), run: func(c *call) (any, error) { return nil, c.signedIn() }},
		{method: http.MethodGet, path: "v1/lifecycle/phase", access: server.Public(), produces: mediaText, run: getPhase},
		{method: http.MethodPut, path: "v1/lifecycle/phase", access: server.PermissionAfterBody("nexus:*"), consumes: mediaText, run: setPhase},
		{method: http.MethodPut, path: "v1/lifecycle/bounce", access: server.PermissionAfterBody("nexus:*"), consumes: mediaText, run: setPhase},
	}
}

func (a *API) getNode(*call) (any, error) { return object{{"nodeId", a.Node.ID()}}, nil }

func (a *API) resetNode(c *call) (any, error) {
	if err := c.signedIn(); err != nil {
		return nil, err
	}
	return nil, a.Node.Reset(c.Context())
}

type agreementBody struct {
	Accepted   bool   `json:"accepted"`
	Disclaimer string `json:"disclaimer"`
}

func (a *API) getAgreement(c *call) (any, error) {
	accepted, err := a.Node.AgreementAccepted(c.Context())
	if err != nil {
		return nil, err
	}
	return object{{"accepted", accepted}, {"disclaimer", node.Agreement}}, nil
}

// setAgreement demands the text back, so that nobody agrees to what they did not see.
func (a *API) setAgreement(c *call) (any, error) {
	var b agreementBody
	if err := c.decode(&b); err != nil {
		return nil, err
	}
	if err := c.authorize(); err != nil {
		return nil, err
	}
	if b.Disclaimer != node.Agreement {
		return nil, quotedf(http.StatusBadRequest, "Invalid EULA disclaimer")
	}
	return nil, a.Node.SetAgreement(c.Context(), b.Accepted)
}

// getLicense tells that none is needed, in the members in which clients look for one.
func getLicense(*call) (any, error) {
	return object{
		{"contactEmail", nil}, {"contactCompany", nil}, {"contactName", nil}, {"effectiveDate", nil}, {"expirationDate", nil},
		{"licenseType", "none needed"}, {"licensedUsers", "unlimited"}, {"fingerprint", nil}, {"features", ""},
	}, nil
}

func setLicense(c *call) (any, error) {
	if err := c.authorize(); err != nil {
		return nil, err
	}
	return nil, quotedf(http.StatusBadRequest, "This server needs no licence and takes none")
}

// servingPhase is the phase in which a server does everything. This one is always in it while it answers.
const servingPhase = "TASKS"

// phases are those that a server passes through, as clients know them.
var phases = []string{"OFF", "KERNEL", "STORAGE", "RESTORE", "UPGRADE", "SCHEMAS", "EVENTS", "SECURITY", "SERVICES", "REPOSITORIES", "CAPABILITIES", servingPhase}

func getPhase(*call) (any, error) { return servingPhase, nil }

// setPhase ends where it began: in the phase that this server is always in. Phases on the way there cannot be stayed in.
func setPhase(c *call) (any, error) {
	data, err := c.bytes()
	if err != nil {
		return nil, err
	}
	if err := c.authorize(); err != nil {
		return nil, err
	}
	phase := strings.TrimSpace(string(data))
	bounce := strings.Contains(c.Target, "/bounce")
	switch {
	case !slices.Contains(phases, phase):
		return nil, &message{status: http.StatusBadRequest, text: "Problem moving to phase " + phase + ": there is no such phase", plain: true}
	case phase != servingPhase && !bounce:
		return nil, &message{status: http.StatusBadRequest, text: "Problem moving to phase " + phase + ": this server is always in phase " + servingPhase, plain: true}
	}
	return nil, nil
}
