package rest

import (
	"net/http"

	"entrepot/app/server"
	"entrepot/formats"
)

// noIQ is why nothing can be set up or asked.
const noIQ = "This server has no connection to an IQ server"

// iqOperations answer as a server that is connected to no IQ server, and cannot be.
func (a *API) iqOperations() []operation {
	const path = "v1/iq"
	read, update := server.Permission("nexus:settings:read"), server.PermissionAfterBody("nexus:settings:update")
	return []operation{
		{method: http.MethodGet, path: path, access: read, run: getIQ},
		{method: http.MethodPut, path: path, access: update, consumes: mediaJSON, run: setIQ},
		{method: http.MethodPost, path: path + "/enable", access: server.Permission("nexus:settings:update"), run: enableIQ},
		{method: http.MethodPost, path: path + "/disable", access: server.Permission("nexus:settings:update"), run: disableIQ},
		{method: http.MethodPost, path: path + "/verify-connection", access: server.Permission("nexus:settings:update"), run: verifyIQ},
		{method: http.MethodGet, path: path + "/audit", access: read, run: func(*call) (any, error) { return []object{}, nil }},
		{method: http.MethodPut, path: path + "/audit", access: update, consumes: mediaJSON, run: a.setIQAudit},
		{method: http.MethodGet, path: path + "/audit/{name}", access: read, run: a.getIQAudit},
	}
}

type iqBody struct {
	Enabled        bool    `json:"enabled"`
	ShowLink       bool    `json:"showLink"`
	URL            *string `json:"url"`
	Authentication *string `json:"authenticationType"`
	Username       *string `json:"username"`
	TrustStore     bool    `json:"useTrustStoreForUrl"`
	Timeout        *int    `json:"timeoutSeconds"`
	Properties     *string `json:"properties"`
	FailOpen       bool    `json:"failOpenModeEnabled"`
}

func getIQ(*call) (any, error) {
	return object{
		{"enabled", false}, {"showLink", false}, {"url", nil}, {"authenticationType", "USER"}, {"username", nil}, {"password", nil}, {"useTrustStoreForUrl", false},
		{"timeoutSeconds", nil}, {"properties", nil}, {"failOpenModeEnabled", false},
	}, nil
}

// setIQ takes what changes nothing: a connection that stays off.
func setIQ(c *call) (any, error) {
	var b iqBody
	if err := c.decode(&b); err != nil {
		return nil, err
	}
	if err := c.authorize(); err != nil {
		return nil, err
	}
	if b.Enabled {
		return nil, quotedf(http.StatusBadRequest, noIQ)
	}
	return nil, nil
}

func enableIQ(c *call) (any, error) {
	if err := c.signedIn(); err != nil {
		return nil, err
	}
	return nil, quotedf(http.StatusBadRequest, noIQ)
}

func disableIQ(c *call) (any, error) { return nil, c.signedIn() }

func verifyIQ(*call) (any, error) { return object{{"success", false}, {"reason", noIQ}}, nil }

type iqAuditBody struct {
	Repository *string `json:"repositoryName"`
	Enabled    bool    `json:"enabled"`
	Quarantine bool    `json:"enabledQuarantine"`
}

func (a *API) setIQAudit(c *call) (any, error) {
	var b iqAuditBody
	if err := c.decode(&b); err != nil {
		return nil, err
	}
	if err := c.authorize(); err != nil {
		return nil, err
	}
	if err := a.examinable(deref(b.Repository)); err != nil {
		return nil, err
	}
	if b.Enabled || b.Quarantine {
		return nil, quotedf(http.StatusBadRequest, noIQ)
	}
	return nil, nil
}

func (a *API) getIQAudit(c *call) (any, error) {
	name := c.Param("name")
	if err := a.examinable(name); err != nil {
		return nil, err
	}
	return object{{"repositoryName", name}, {"enabled", false}, {"enabledQuarantine", false}}, nil
}

// examinable is an error unless a repository is a cache.
func (a *API) examinable(name string) error {
	d, ok := a.engine.Lookup(name)
	if !ok {
		return quotedf(http.StatusNotFound, "Repository not found")
	}
	if d.Kind != formats.Cache {
		return quotedf(http.StatusBadRequest, "Repository %s is no proxy repository", name)
	}
	return nil
}
