package rest

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"entrepot/app/access"
	"entrepot/app/server"
)

func (a *API) userOperations() []operation {
	return []operation{
		{method: http.MethodGet, path: "v1/security/users", access: server.Permission("nexus:users:read"), run: a.listUsers},
		{method: http.MethodPost, path: "v1/security/users", access: server.PermissionAfterBody("nexus:users:create"), consumes: mediaJSON, run: a.createUser},
		{method: http.MethodPut, path: "v1/security/users/{id}", access: server.PermissionAfterBody("nexus:users:update"), consumes: mediaJSON, run: a.updateUser},
		{method: http.MethodDelete, path: "v1/security/users/{id}", access: server.Permission("nexus:users:delete"), run: a.deleteUser},
		{method: http.MethodPut, path: "v1/security/users/{id}/change-password", access: server.PermissionAfterBody("nexus:*"), consumes: mediaText, run: a.changePassword},
		{method: http.MethodGet, path: "v1/security/user-sources", access: server.Permission("nexus:users:read"), run: a.listSources},
	}
}

type userBody struct {
	ID        string   `json:"userId"`
	FirstName string   `json:"firstName"`
	LastName  string   `json:"lastName"`
	Email     string   `json:"emailAddress"`
	Password  string   `json:"password"`
	Source    string   `json:"source"`
	Status    *string  `json:"status"`
	Roles     []string `json:"roles"`
	External  []string `json:"externalRoles"` // PUT takes them together with the others
}

// status gives the status, or an error when it is none of those there are.
func (b *userBody) status() (access.Status, error) {
	if b.Status == nil {
		return "", nil
	}
	switch s := access.Status(strings.ToLower(*b.Status)); s {
	case access.StatusActive, access.StatusLocked, access.StatusDisabled, access.StatusChangePassword:
		return s, nil
	}
	text := fmt.Sprintf("Cannot deserialize value from String %q: not one of the values accepted: [locked, changepassword, disabled, active]", *b.Status)
	return "", &errShape{[]string{"status"}, text}
}

// userInput reads a body.
func (c *call) userInput() (b userBody, status access.Status, err error) {
	if err = c.decode(&b); err == nil {
		status, err = b.status()
	}
	return b, status, err
}

// user is a user as clients see it. The password never shows.
func (a *API) user(u access.User) object {
	return object{
		{"userId", u.ID}, {"firstName", u.FirstName}, {"lastName", u.LastName}, {"emailAddress", u.Email}, {"source", u.Source},
		{"status", u.Status}, {"readOnly", u.Source != access.SourceLocal}, {"roles", list(u.Roles)}, {"externalRoles", list(u.Groups)},
	}
}

// list makes sure that no list is written as null.
func list(items []string) []string { return append([]string{}, items...) }

func (a *API) listUsers(c *call) (any, error) {
	query := c.Query()
	users, err := a.access.Users(c.Context(), access.UserFilter{Prefix: query.Get("userId"), Source: query.Get("source")})
	if err != nil {
		return nil, err
	}
	out := []object{}
	if query.Has("source") && query.Get("source") == "" {
		return out, nil
	}
	for _, u := range users {
		out = append(out, a.user(u))
	}
	return out, nil
}

func (a *API) createUser(c *call) (any, error) {
	b, status, err := c.userInput()
	if err != nil {
		return nil, err
	}
	u := access.NewUser{
		ID: b.ID, FirstName: b.FirstName, LastName: b.LastName, Email: b.Email, Password: b.Password, Status: status, Roles: b.Roles,
	}
	if err := u.Validate(); err != nil {
		return nil, err
	}
	if err := c.authorize(); err != nil {
		return nil, err
	}
	made, err := a.access.CreateUser(c.Context(), c.actor(), u)
	if err != nil {
		return nil, err
	}
	return a.user(made), nil
}

func (a *API) updateUser(c *call) (any, error) {
	b, status, err := c.userInput()
	if err != nil {
		return nil, err
	}
	u := access.UserUpdate{
		ID: b.ID, Source: b.Source, FirstName: b.FirstName, LastName: b.LastName, Email: b.Email, Status: status, Roles: append(b.Roles, b.External...),
	}
	if b.Source != access.SourceLocal {
		u.Roles = b.Roles // the others are the directory's to give
	}
	if err := u.Validate(); err != nil {
		return nil, err
	}
	if err := c.authorize(); err != nil {
		return nil, err
	}
	if b.ID != c.Param("id") {
		return nil, quotedf(http.StatusBadRequest, "The path's userId does not match the body")
	}
	return nil, a.access.UpdateUser(c.Context(), c.actor(), u)
}

func (a *API) deleteUser(c *call) (any, error) {
	if err := c.signedIn(); err != nil {
		return nil, err
	}
	// A realm may be named to say whose user is meant.
	if c.Query().Has("realm") {
		realms := a.access.AvailableRealms()
		i := slices.IndexFunc(realms, func(r access.Realm) bool { return r.ID == c.Query().Get("realm") })
		if i < 0 {
			return nil, quotedf(http.StatusBadRequest, "Invalid or empty realm name.")
		}
		if source := realms[i].Source; source != "" && source != access.SourceLocal {
			return nil, access.NotLocal()
		}
	}
	return nil, a.access.DeleteUser(c.Context(), c.actor(), c.Param("id"))
}

func (a *API) changePassword(c *call) (any, error) {
	password, err := c.bytes()
	if err != nil {
		return nil, err
	}
	if err := c.authorize(); err != nil {
		return nil, err
	}
	change := access.PasswordChange{UserID: c.Param("id"), Password: string(password)}
	if c.subject.UserID() == change.UserID {
		change.KeepSession = c.subject.Session()
	}
	return nil, a.access.ChangePassword(c.Context(), c.actor(), change)
}

func (a *API) listSources(*call) (any, error) {
	out := []object{}
	for _, s := range a.access.Sources() {
		name := s.Name
		if s.ID == access.SourceLocal {
			name = access.RealmLocal
		}
		out = append(out, object{{"id", s.ID}, {"name", name}})
	}
	return out, nil
}
