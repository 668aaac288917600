package rest

import (
	"net/http"

	"entrepot/app/access"
	"entrepot/app/access/saml"
	"entrepot/app/server"
	"entrepot/formats"
)

const samlPath = "v1/security/saml"

// samlUsersListed is the most users that a listing shows.
const samlUsersListed = 1000

func (a *API) samlOperations() []operation {
	const all = "nexus:*" // who sets the provider decides who everybody is
	read := server.Permission("nexus:settings:read")
	return []operation{
		{method: http.MethodGet, path: samlPath, access: read, run: a.getSAML},
		{method: http.MethodPut, path: samlPath, access: server.PermissionAfterBody(all), consumes: mediaJSON, run: a.setSAML},
		{method: http.MethodDelete, path: samlPath, access: server.Permission(all), run: a.deleteSAML},
		{method: http.MethodGet, path: samlPath + "/metadata", access: read, produces: mediaAny, run: a.samlMetadata},
		{method: http.MethodGet, path: samlPath + "/pem", access: read, produces: mediaAny, run: a.samlCertificate},
		{method: http.MethodGet, path: samlPath + "/users", access: server.Permission("nexus:users:read"), run: a.listSAMLUsers},
		{method: http.MethodPost, path: samlPath + "/users", access: server.PermissionAfterBody("nexus:users:create"), consumes: mediaJSON, status: http.StatusCreated, run: a.createSAMLUser},
		{method: http.MethodGet, path: samlPath + "/users/{id}", access: server.Permission("nexus:users:read"), run: a.getSAMLUser},
		{method: http.MethodPut, path: samlPath + "/users/{id}", access: server.PermissionAfterBody("nexus:users:update"), consumes: mediaJSON, run: a.updateSAMLUser},
		{method: http.MethodDelete, path: samlPath + "/users/{id}", access: server.Permission("nexus:users:delete"), run: a.deleteSAMLUser},
	}
}

type samlBody struct {
	EntityID          string `json:"entityId"`
	IDPMetadata       string `json:"idpMetadata"`
	Username          string `json:"usernameAttribute"`
	FirstName         string `json:"firstNameAttribute"`
	LastName          string `json:"lastNameAttribute"`
	Email             string `json:"emailAttribute"`
	Groups            string `json:"groupsAttribute"`
	ValidateResponse  *bool  `json:"validateResponseSignature"`
	ValidateAssertion *bool  `json:"validateAssertionSignature"`
}

// samlSettings are settings as clients see them.
func samlSettings(s saml.Settings) object {
	flag := func(b *bool) any {
		if b == nil {
			return nil
		}
		return *b
	}
	return object{
		{"idpMetadata", s.IDPMetadata}, {"entityId", s.EntityID}, {"usernameAttribute", s.Username}, {"firstNameAttribute", emptyAsNull(s.FirstName)},
		{"lastNameAttribute", emptyAsNull(s.LastName)}, {"emailAttribute", emptyAsNull(s.Email)}, {"groupsAttribute", emptyAsNull(s.Groups)},
		{"validateResponseSignature", flag(s.ValidateResponse)}, {"validateAssertionSignature", flag(s.ValidateAssertion)},
	}
}

func (a *API) getSAML(c *call) (any, error) {
	s, err := a.SAML.Settings(c.Context())
	if err != nil {
		return nil, err
	}
	if s.EntityID == "" {
		s.EntityID = saml.DefaultEntityID(c.BaseURL())
	}
	return samlSettings(s), nil
}

func (a *API) setSAML(c *call) (any, error) {
	var b samlBody
	if err := c.decode(&b); err != nil {
		return nil, err
	}
	s := saml.Settings{
		EntityID: b.EntityID, IDPMetadata: b.IDPMetadata, Username: b.Username, FirstName: b.FirstName, LastName: b.LastName, Email: b.Email, Groups: b.Groups,
		ValidateResponse: b.ValidateResponse, ValidateAssertion: b.ValidateAssertion,
	}
	if s.EntityID == saml.DefaultEntityID(c.BaseURL()) {
		s.EntityID = "" // so that it follows the external URL
	}
	if err := s.Validate(); err != nil {
		return nil, err
	}
	if err := c.authorize(); err != nil {
		return nil, err
	}
	created, err := a.SAML.Set(c.Context(), c.actor(), s)
	if err != nil || !created {
		return nil, err
	}
	return &formats.Response{Status: http.StatusCreated}, nil
}

func (a *API) deleteSAML(c *call) (any, error) {
	if err := c.signedIn(); err != nil {
		return nil, err
	}
	return nil, a.SAML.Delete(c.Context(), c.actor())
}

func (a *API) samlMetadata(c *call) (any, error) {
	text, err := a.SAML.Metadata(c.Context(), c.BaseURL())
	if err != nil {
		return nil, err
	}
	return fileAnswer("application/xml", text), nil
}

// samlCertificate gives the certificate for signatures or for decryption, which is the same one.
func (a *API) samlCertificate(c *call) (any, error) {
	switch kind := c.Query().Get("type"); kind {
	case "", "signing", "decryption":
	default:
		return nil, violations{{"PARAMETER type", "must be signing or decryption"}}
	}
	text, err := a.SAML.Certificate(c.Context())
	if err != nil {
		return nil, err
	}
	return fileAnswer("application/x-pem-file", []byte(text)), nil
}

func fileAnswer(contentType string, text []byte) *formats.Response {
	return &formats.Response{Status: http.StatusOK, Header: http.Header{"Content-Type": {contentType}}, Body: formats.Body{Bytes: text, Size: int64(len(text))}}
}

type samlUserBody struct {
	ID        string   `json:"userId"`
	FirstName string   `json:"firstName"`
	LastName  string   `json:"lastName"`
	Email     string   `json:"emailAddress"`
	Status    *string  `json:"status"`
	Roles     []string `json:"roles"`
}

func samlUser(u access.User) object {
	return object{
		{"userId", u.ID}, {"firstName", u.FirstName}, {"lastName", u.LastName}, {"emailAddress", u.Email}, {"status", u.Status}, {"roles", list(u.Roles)},
	}
}

// samlUserInput reads a body, then checks the caller's right.
func (c *call) samlUserInput() (access.User, error) {
	var b samlUserBody
	if err := c.decode(&b); err != nil {
		return access.User{}, err
	}
	status, err := (&userBody{Status: b.Status}).status()
	if err != nil {
		return access.User{}, err
	}
	u := access.User{Source: access.SourceSAML, ID: b.ID, FirstName: b.FirstName, LastName: b.LastName, Email: b.Email, Status: status, Roles: b.Roles}
	if err := u.ValidateExternal(); err != nil {
		return u, err
	}
	return u, c.authorize()
}

func (a *API) listSAMLUsers(c *call) (any, error) {
	users, err := a.access.Users(c.Context(), access.UserFilter{Source: access.SourceSAML, Limit: samlUsersListed})
	if err != nil {
		return nil, err
	}
	out := []object{}
	for _, u := range users {
		out = append(out, samlUser(u))
	}
	return out, nil
}

func (a *API) getSAMLUser(c *call) (any, error) {
	u, err := a.access.User(c.Context(), access.SourceSAML, c.Param("id"))
	if err != nil {
		return nil, err
	}
	return samlUser(u), nil
}

func (a *API) createSAMLUser(c *call) (any, error) {
	u, err := c.samlUserInput()
	if err != nil {
		return nil, err
	}
	if err := a.access.CreateExternalUser(c.Context(), c.actor(), u); err != nil {
		return nil, err
	}
	return samlUser(u), nil
}

func (a *API) updateSAMLUser(c *call) (any, error) {
	u, err := c.samlUserInput()
	if err != nil {
		return nil, err
	}
	if u.ID != c.Param("id") {
		return nil, violations{{"PARAMETER userId", "must be the user of the path"}}
	}
	return nil, a.access.UpdateExternalUser(c.Context(), c.actor(), u)
}

func (a *API) deleteSAMLUser(c *call) (any, error) {
	if err := c.signedIn(); err != nil {
		return nil, err
	}
	return nil, a.access.DeleteExternalUser(c.Context(), c.actor(), access.SourceSAML, c.Param("id"))
}

// describeSAML adds what is about single sign-on by SAML.
func describeSAML(all map[string]description) {
	settings := given("SamlConfigurationXO", samlSettings)
	statuses := func(m model) model {
		return choices(m, "status", string(access.StatusActive), string(access.StatusLocked), string(access.StatusDisabled), string(access.StatusChangePassword))
	}
	user := statuses(given("SamlUserXO", samlUser))
	body := statuses(taken[samlUserBody]("SamlUserRequest"))
	unset := []int{http.StatusNotFound} // while it is not set up
	for key, d := range map[string]description{
		"GET " + samlPath:                 {summary: "Read the settings of SAML", reply: nullable(settings, "validateResponseSignature", "validateAssertionSignature"), refuses: unset},
		"PUT " + samlPath:                 {summary: "Set how people sign in by SAML", body: taken[samlBody]("SamlConfigurationRequest"), refuses: []int{http.StatusCreated}},
		"DELETE " + samlPath:              {summary: "Forget the settings of SAML and the key pair", refuses: unset},
		"GET " + samlPath + "/metadata":   {summary: "Read the description of this server for the identity provider", reply: textual, refuses: unset},
		"GET " + samlPath + "/pem":        {summary: "Read the certificate of this server", reply: textual, refuses: unset, query: []parameter{query("type", "signing (default) or decryption")}},
		"GET " + samlPath + "/users":      {summary: "List users who came by SAML", reply: arrayOf(user)},
		"POST " + samlPath + "/users":     {summary: "Make a user of SAML before the first sign-in", body: body, reply: user},
		"GET " + samlPath + "/users/{id}": {summary: "Read a user of SAML", reply: user},
		"PUT " + samlPath + "/users/{id}": {summary: "Change a user of SAML", body: body},
		"DELETE " + samlPath + "/users/{id}": {
			summary: "Forget a user of SAML, who comes back with the next sign-in unless the provider refuses",
		},
	} {
		d.tag = tagSAML
		all[key] = d
	}
}
