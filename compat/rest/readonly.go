package rest

import (
	"net/http"

	"entrepot/app/access"
	"entrepot/app/access/permission"
	"entrepot/app/repository"
	"entrepot/app/server"
)

func (a *API) readOnlyOperations() []operation {
	return []operation{
		{method: http.MethodGet, path: "v1/read-only", access: server.Public(), run: a.readOnlyState},
		{method: http.MethodPost, path: "v1/read-only/freeze", access: server.Permission("nexus:*"), run: a.freeze},
		{method: http.MethodPost, path: "v1/read-only/release", access: server.Permission("nexus:*"), run: a.release},
		{method: http.MethodPost, path: "v1/read-only/force-release", access: server.Permission("nexus:*"), run: a.forceRelease},
	}
}

// readOnlyState is for every caller that is known; a caller without credentials is, as long as anonymous access is on. Why the server
// is frozen is for those who may read its settings.
func (a *API) readOnlyState(c *call) (any, error) {
	if err := c.known(); err != nil {
		return nil, err
	}
	frozen, reason := a.engine.Frozen(), ""
	if frozen != nil && permits(c.subject, "nexus:settings:read") {
		reason = "Requested by an administrator at " + frozen.Since.UTC().Format("2006-01-02 15:04:05 -07:00")
		if frozen.System {
			reason = "Requested by 1 running system task(s)"
		}
	}
	return object{{"summaryReason", reason}, {"systemInitiated", frozen != nil && frozen.System}, {"frozen", frozen != nil}}, nil
}

// known is an error for callers without credentials while anonymous access is off.
func (c *call) known() error {
	anonymous, err := c.api.access.Anonymous(c.Context())
	if err != nil {
		return err
	}
	if c.subject.Anonymous() && !anonymous.Enabled {
		return forbidden()
	}
	return nil
}

// permits reports whether a subject has an application permission.
func permits(s *access.Subject, name string) bool {
	p, err := permission.Parse(name)
	return err == nil && s.Permits(p)
}

func (a *API) freeze(c *call) (any, error) {
	changed, err := a.engine.Freeze(c.Context(), repository.Freeze{Actor: c.subject.UserID()})
	return nil, foundOr404(changed, err)
}

// release ends what an administrator began; what a task of the server began ends with the task or by force.
func (a *API) release(c *call) (any, error) {
	if frozen := a.engine.Frozen(); frozen != nil && frozen.System {
		return nil, statusOnly(http.StatusNotFound)
	}
	changed, err := a.engine.Release(c.Context())
	return nil, foundOr404(changed, err)
}

func (a *API) forceRelease(c *call) (any, error) {
	_, err := a.engine.Release(c.Context())
	return nil, err
}

func foundOr404(changed bool, err error) error {
	if err == nil && !changed {
		return statusOnly(http.StatusNotFound)
	}
	return err
}
