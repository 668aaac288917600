package rest

import (
	"errors"
	"net/http"

	"entrepot/app/access"
	"entrepot/app/server"
)

func (a *API) realmOperations() []operation {
	return []operation{
		{method: http.MethodGet, path: "v1/security/anonymous", access: server.Permission("nexus:settings:read"), run: a.getAnonymous},
		{method: http.MethodPut, path: "v1/security/anonymous", access: server.PermissionAfterBody("nexus:settings:update"), consumes: mediaJSON, run: a.setAnonymous},
		{method: http.MethodGet, path: "v1/security/realms/available", access: server.Permission("nexus:settings:read"), run: a.availableRealms},
		{method: http.MethodGet, path: "v1/security/realms/active", access: server.Permission("nexus:settings:read"), run: a.activeRealms},
		{method: http.MethodPut, path: "v1/security/realms/active", access: server.PermissionAfterBody("nexus:settings:update"), consumes: mediaJSON, run: a.setActiveRealms},
		{method: http.MethodGet, path: "internal/ui/anonymous-settings", access: server.Permission("nexus:settings:read"), run: a.getAnonymous},
		{method: http.MethodPut, path: "internal/ui/anonymous-settings", access: server.PermissionAfterBody("nexus:settings:update"), consumes: mediaJSON, run: a.setAnonymousQuietly},
		{method: http.MethodGet, path: "internal/ui/realms/types", access: server.Permission("nexus:settings:read"), run: a.realmTypes},
	}
}

type anonymousBody struct {
	Enabled bool   `json:"enabled"`
	UserID  string `json:"userId" null:"empty"`
	Realm   string `json:"realmName" null:"empty"`
}

func anonymous(s access.Anonymous) object {
	return object{{"enabled", s.Enabled}, {"userId", s.UserID}, {"realmName", s.Realm}}
}

func (a *API) getAnonymous(c *call) (any, error) {
	s, err := a.access.Anonymous(c.Context())
	if err != nil {
		return nil, err
	}
	return anonymous(s), nil
}

func (a *API) setAnonymous(c *call) (any, error) {
	s, err := a.storeAnonymous(c)
	if err != nil {
		return nil, err
	}
	return anonymous(s), nil
}

// setAnonymousQuietly is setAnonymous for the web UI, which wants no answer.
func (a *API) setAnonymousQuietly(c *call) (any, error) {
	_, err := a.storeAnonymous(c)
	return nil, err
}

// storeAnonymous takes members that are absent for their defaults, but not those that are null.
func (a *API) storeAnonymous(c *call) (access.Anonymous, error) {
	b := anonymousBody{UserID: access.UserAnonymous, Realm: access.RealmAuthorizing}
	if err := c.decode(&b); err != nil {
		return access.Anonymous{}, err
	}
	s := access.Anonymous{Enabled: b.Enabled, UserID: b.UserID, Realm: b.Realm}
	if err := c.authorize(); err != nil {
		return s, err
	}
	return s, a.access.SetAnonymous(c.Context(), c.actor(), s)
}

// realmTypes lists the realms that anonymous access may be said to come from. Only the one that is always in force makes sense.
func (a *API) realmTypes(*call) (any, error) {
	return []object{{{"id", access.RealmAuthorizing}, {"name", "Local Authorizing Realm"}}}, nil
}

func (a *API) availableRealms(*call) (any, error) {
	out := []object{}
	for _, r := range a.access.AvailableRealms() {
		out = append(out, object{{"id", r.ID}, {"name", r.Name}})
	}
	return out, nil
}

func (a *API) activeRealms(c *call) (any, error) {
	ids, err := a.access.ActiveRealms(c.Context())
	if err != nil {
		return nil, err
	}
	return list(ids), nil
}

func (a *API) setActiveRealms(c *call) (any, error) {
	var items []*string
	if err := c.decode(&items); err != nil {
		return nil, err
	}
	if err := c.authorize(); err != nil {
		return nil, err
	}
	ids := make([]string, len(items))
	for i, id := range items {
		if ids[i] = "null"; id != nil {
			ids[i] = *id
		}
	}
	err := a.access.SetActiveRealms(c.Context(), c.actor(), ids)
	var refused *access.Error
	if errors.As(err, &refused) {
		return nil, &message{status: http.StatusBadRequest, text: refused.Message, quoted: true, plain: true}
	}
	return nil, err
}
