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
	}
}

type anonymousBody struct {
	Enabled bool    `json:"enabled"`
	UserID  *string `json:"userId"`
	Realm   *string `json:"realmName"`
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
	user, realm := "anonymous", access.RealmAuthorizing
	b := anonymousBody{UserID: &user, Realm: &realm}
	if err := c.decode(&b); err != nil {
		return nil, err
	}
	s := access.Anonymous{Enabled: b.Enabled, UserID: deref(b.UserID), Realm: deref(b.Realm)}
	if err := c.authorize(); err != nil {
		return nil, err
	}
	if err := a.access.SetAnonymous(c.Context(), c.actor(), s); err != nil {
		return nil, err
	}
	return anonymous(s), nil
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
	var ids []string
	if err := c.decode(&ids); err != nil {
		return nil, err
	}
	if err := c.authorize(); err != nil {
		return nil, err
	}
	err := a.access.SetActiveRealms(c.Context(), c.actor(), ids)
	var refused *access.Error
	if errors.As(err, &refused) {
		return nil, &message{status: http.StatusBadRequest, text: refused.Message, quoted: true, plain: true}
	}
	return nil, err
}
