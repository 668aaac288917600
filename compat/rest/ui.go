package rest

import (
	"cmp"
	"net/http"
	"slices"
	"strings"

	"entrepot/app/access"
	"entrepot/app/access/permission"
	"entrepot/app/repository"
	"entrepot/app/server"
	"entrepot/compat/names"
	"entrepot/formats"
)

// uiOperations are what the old user interface asks for besides the public API, and scripts that were made by watching it.
func (a *API) uiOperations() []operation {
	const path = "internal/ui/"
	return []operation{
		{method: http.MethodGet, path: path + "user", access: server.Content(), run: a.uiUser},
		{method: http.MethodPut, path: path + "user", access: server.Content(), consumes: mediaJSON, run: a.uiSetUser},
		{
			method: http.MethodPut, path: path + "user/{id}/password", access: server.PermissionAfterBody("nexus:userschangepw:create"),
			consumes: mediaJSON, run: a.uiSetPassword,
		},
		{
			method: http.MethodPut, path: path + "onboarding/change-admin-password", access: server.PermissionAfterBody("nexus:*"),
			consumes: mediaText, run: a.uiFirstPassword,
		},
		{method: http.MethodPost, path: path + "upload/{name}", access: server.PermissionAfterBody("nexus:component:create"), consumes: mediaMultipart, run: a.uiUpload},
		{method: http.MethodGet, path: path + "onboarding", access: server.Permission("nexus:*"), run: a.uiOnboarding},
		{method: http.MethodGet, path: path + "roles", access: server.Permission("nexus:roles:read"), run: a.listRoles},
		{method: http.MethodGet, path: path + "repositories", access: server.Content(), run: a.uiRepositories},
		{method: http.MethodGet, path: path + "repositories/details", access: server.Content(), run: a.uiRepositoryDetails},
		{method: http.MethodGet, path: path + "repositories/recipes", access: server.Public(), run: uiRecipes},
		{method: http.MethodGet, path: path + "repositories/repository/{name}", access: server.Content(), run: a.uiRepository},
		{method: http.MethodGet, path: path + "blobstores", access: server.Permission("nexus:blobstores:read"), run: a.uiBlobStores},
		{method: http.MethodGet, path: path + "blobstores/types", access: server.Permission("nexus:blobstores:read"), run: uiBlobStoreTypes},
		{method: http.MethodGet, path: path + "privileges/types", access: server.Permission("nexus:privileges:read"), run: uiPrivilegeTypes},
		{method: http.MethodGet, path: "internal/proprietary-content", access: server.Content(), run: a.uiProprietary},
	}
}

// uiUser shows callers who they are, also those who did not sign in but may come in as somebody.
func (a *API) uiUser(c *call) (any, error) {
	u, err := a.access.User(c.Context(), cmp.Or(c.subject.Source(), access.SourceLocal), c.subject.UserID())
	if access.KindOf(err) == access.NotFound {
		return nil, forbidden() // nobody
	}
	if err != nil {
		return nil, err
	}
	return object{
		{"userId", u.ID}, {"firstName", u.FirstName}, {"lastName", u.LastName}, {"email", u.Email}, {"external", u.Source != access.SourceLocal},
	}, nil
}

type uiUserBody struct {
	ID        string `json:"userId"`
	FirstName string `json:"firstName"`
	LastName  string `json:"lastName"`
	Email     string `json:"email"`
}

// uiSetUser lets callers change their own names and address, nothing else.
func (a *API) uiSetUser(c *call) (any, error) {
	var b uiUserBody
	if err := c.decode(&b); err != nil {
		return nil, err
	}
	if err := c.signedIn(); err != nil {
		return nil, err
	}
	before, err := a.access.User(c.Context(), c.subject.Source(), c.subject.UserID())
	if err != nil {
		return nil, err
	}
	u := access.UserUpdate{
		ID: before.ID, Source: before.Source, FirstName: b.FirstName, LastName: b.LastName, Email: b.Email, Status: before.Status, Roles: before.Roles,
	}
	if err := u.Validate(); err != nil {
		return nil, err
	}
	return nil, a.access.UpdateUser(c.Context(), c.actor(), u)
}

type uiPasswordBody struct {
	Ticket   string `json:"authToken"`
	Password string `json:"password"`
}

// uiSetPassword sets a user's password for a caller who has a ticket.
func (a *API) uiSetPassword(c *call) (any, error) {
	var b uiPasswordBody
	if err := c.decode(&b); err != nil {
		return nil, err
	}
	if err := c.authorize(); err != nil {
		return nil, err
	}
	if !a.tickets.redeem(b.Ticket, c.subject.UserID(), a.Now()) {
		return nil, errTicket
	}
	own := c.Param("id") == c.subject.UserID() && c.subject.Source() == access.SourceLocal // others may have a user of the same id
	if !own && !c.subject.Permits(permission.Everything()) {
		return nil, forbidden()
	}
	return nil, a.access.ChangePassword(c.Context(), c.actor(), access.PasswordChange{UserID: c.Param("id"), Password: b.Password, KeepSession: c.subject.Session()})
}

// uiFirstPassword replaces the password that a new server made up for its administrator.
func (a *API) uiFirstPassword(c *call) (any, error) {
	password, err := c.bytes()
	if err != nil {
		return nil, err
	}
	if len(password) == 0 {
		return nil, violations{{"PARAMETER arg0", "password is a required field, and cannot be empty."}}
	}
	if err := c.authorize(); err != nil {
		return nil, err
	}
	return nil, a.access.ChangePassword(c.Context(), c.actor(), access.PasswordChange{UserID: "admin", Password: string(password), KeepSession: c.subject.Session()})
}

// uiUpload stores the components of a form and tells what they are found by.
func (a *API) uiUpload(c *call) (any, error) {
	if err := c.authorize(); err != nil {
		return nil, err
	}
	stored, err := a.store(c, c.Param("name"))
	if err != nil {
		return nil, err
	}
	found := ""
	for i, path := range stored {
		if i == 0 {
			found = path
		}
		for !strings.HasPrefix(path, found) {
			found = found[:len(found)-1]
		}
	}
	return jsonResponse(http.StatusOK, object{{"data", found}, {"success", true}}), nil
}

// uiOnboarding lists what is left to do on a new server, in the order of the priorities.
func (a *API) uiOnboarding(c *call) (any, error) {
	todo := []object{}
	admin, err := a.access.User(c.Context(), access.SourceLocal, "admin")
	if err == nil && admin.Status == access.StatusChangePassword {
		todo = append(todo, object{{"priority", 1}, {"type", "ChangeAdminPassword"}})
	}
	return todo, nil
}

// uiRepositories lists the repositories that the caller may browse as a form's choices, if wanted with choices for several at once.
func (a *API) uiRepositories(c *call) (any, error) {
	if err := c.signedIn(); err != nil {
		return nil, err
	}
	q := c.Query()
	out := []object{}
	choice := func(id, name string) { out = append(out, object{{"id", id}, {"name", name}}) }
	if q.Get("withAll") == "true" {
		choice("*", "(All Repositories)")
	}
	visible := a.engine.Visible(c.subject)
	if q.Get("withFormats") == "true" {
		for _, format := range repository.KnownFormats() {
			choice("*-"+format, "(All "+format+" Repositories)")
		}
	}
	for _, d := range visible {
		if (q.Get("type") == "" || q.Get("type") == names.Type(d.Kind)) && (q.Get("format") == "" || q.Get("format") == d.Format) {
			choice(d.Name, d.Name)
		}
	}
	return out, nil
}

// details are a repository with its state.
func (a *API) details(c *call, d repository.Definition) object {
	status := object{{"online", d.Online}, {"description", nil}, {"reason", nil}}
	if state, _, ok := a.engine.UpstreamState(d.Name); ok && d.Online {
		status[1].value = string(state)
	}
	return object{
		{"name", d.Name}, {"type", names.Type(d.Kind)}, {"format", d.Format}, {"url", repositoryURL(c, d.Name)}, {"status", status},
	}
}

func (a *API) uiRepositoryDetails(c *call) (any, error) {
	out := []object{}
	for _, d := range a.engine.Visible(c.subject) {
		out = append(out, a.details(c, d))
	}
	return out, nil
}

// uiRepository gives the settings of a repository, whatever its format and type.
func (a *API) uiRepository(c *call) (any, error) {
	if err := c.signedIn(); err != nil {
		return nil, err
	}
	d, err := a.administered(c, permission.Read, statusOnly(http.StatusNotFound))
	if err != nil {
		return nil, err
	}
	return settings(c, d), nil
}

// uiRecipes lists the formats and the types that repositories of each may have.
func uiRecipes(*call) (any, error) {
	out := []object{}
	for _, format := range repository.KnownFormats() {
		for _, kind := range repository.KindsOf(format) {
			out = append(out, object{{"format", format}, {"type", names.Type(kind)}})
		}
	}
	return out, nil
}

func (a *API) uiBlobStores(c *call) (any, error) {
	out := []object{}
	for _, store := range a.engine.BlobStores() {
		s, err := a.engine.BlobStoreStatus(c.Context(), store.Name)
		if formats.KindOf(err) == formats.NotFound { // deleted meanwhile
			continue
		}
		if err != nil {
			return nil, err
		}
		out = append(out, object{
			{"name", s.Name}, {"typeId", s.Type}, {"typeName", storeType(s.Type)}, {"path", emptyAsNull(s.Path)}, {"unavailable", s.Err != nil},
			{"blobCount", s.Blobs}, {"totalSizeInBytes", s.Bytes}, {"availableSpaceInBytes", s.Free}, {"unlimited", false},
		})
	}
	return out, nil
}

// uiProprietary lists the hosted repositories whose components must not come from elsewhere.
func (a *API) uiProprietary(c *call) (any, error) {
	out := []string{}
	for _, d := range a.engine.Visible(c.subject) {
		if d.Proprietary {
			out = append(out, d.Name)
		}
	}
	slices.Sort(out)
	return out, nil
}
