package rest

import (
	"net/http"
	"slices"
	"strconv"
	"time"

	"entrepot/app/access"
	"entrepot/app/server"
)

const (
	userTokensPath = "v1/security/user-tokens"
	userTokenPath  = "v1/security/users/{id}/{realm}/user-token"
)

// userTokenPage is how many user tokens a page has unless the client says so, and the most it may say.
const userTokenPage = 1000

// userTokenOperations are about user tokens. Users who hold usertoken-current may use those about one user for themselves.
func (a *API) userTokenOperations() []operation {
	own := server.Content() // and their own right, which the handlers look at
	read := server.Permission("nexus:usertoken-settings:read")
	return []operation{
		{method: http.MethodGet, path: userTokensPath, access: read, run: a.getUserTokenSettings},
		{method: http.MethodPut, path: userTokensPath, access: server.PermissionAfterBody("nexus:usertoken-settings:update"), consumes: mediaJSON, run: a.setUserTokenSettings},
		{method: http.MethodDelete, path: userTokensPath, access: server.Permission("nexus:usertoken-settings:update"), run: a.resetUserTokens},
		{method: http.MethodGet, path: userTokensPath + "/tokens", access: read, run: a.listUserTokens},
		{method: http.MethodGet, path: userTokenPath, access: own, run: a.getUserToken},
		{method: http.MethodPost, path: userTokenPath, access: own, status: http.StatusCreated, run: a.createUserToken},
		{method: http.MethodDelete, path: userTokenPath, access: own, run: a.deleteUserToken},
		{method: http.MethodDelete, path: userTokenPath + "-reset", access: own, run: a.deleteUserToken},
	}
}

type userTokenSettingsBody struct {
	Enabled bool `json:"enabled"`
	Protect bool `json:"protectContent"`
	Expire  bool `json:"expirationEnabled"`
	Days    int  `json:"expirationDays"`
}

func userTokenSettings(s access.UserTokenSettings) object {
	return object{{"enabled", s.Enabled}, {"protectContent", s.ProtectContent}, {"expirationEnabled", s.Expire}, {"expirationDays", s.Days}}
}

func (a *API) getUserTokenSettings(c *call) (any, error) {
	s, err := a.access.UserTokenSettings(c.Context())
	if err != nil {
		return nil, err
	}
	return userTokenSettings(s), nil
}

func (a *API) setUserTokenSettings(c *call) (any, error) {
	b := userTokenSettingsBody{Days: 30}
	if err := c.decode(&b); err != nil {
		return nil, err
	}
	s := access.UserTokenSettings{Enabled: b.Enabled, ProtectContent: b.Protect, Expire: b.Expire, Days: b.Days}
	if err := s.Validate(); err != nil {
		return nil, err
	}
	if err := c.authorize(); err != nil {
		return nil, err
	}
	if err := a.access.SetUserTokenSettings(c.Context(), c.actor(), s); err != nil {
		return nil, err
	}
	return userTokenSettings(s), nil
}

func (a *API) resetUserTokens(c *call) (any, error) {
	if err := c.signedIn(); err != nil {
		return nil, err
	}
	return nil, a.access.DeleteUserTokens(c.Context(), c.actor())
}

// userToken is a token as clients see it, without its pass code.
func (a *API) userToken(t access.UserToken) object {
	return object{
		{"userId", t.User}, {"realm", a.realmOf(t.Source)}, {"nameCode", t.NameCode}, {"created", instant(t.Created)}, {"expires", instant(t.Expires)},
		{"isExpired", !t.Expires.IsZero() && !a.Now().Before(t.Expires)},
		{"createdByUserId", emptyAsNull(t.CreatedBy.UserID)}, {"createdByRealm", emptyAsNull(a.realmOf(t.CreatedBy.Source))},
	}
}

// realmOf gives the realm whose users have a source; the source itself when no realm says so.
func (a *API) realmOf(source string) string {
	for _, s := range a.access.Sources() {
		if s.ID == source {
			return s.Name
		}
	}
	return source
}

// sourceOf gives the source of the users of a realm.
func (a *API) sourceOf(realm string) (string, error) {
	sources := a.access.Sources()
	i := slices.IndexFunc(sources, func(s access.Source) bool { return s.Name == realm })
	if i < 0 {
		return "", quotedf(http.StatusUnprocessableEntity, "Realm '%s' has no users.", realm)
	}
	return sources[i].ID, nil
}

// number reads a parameter that is a number not below 0.
func (c *call) number(name string, fallback int) (int, error) {
	text := c.Query().Get(name)
	if text == "" {
		return fallback, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		return 0, violations{{"PARAMETER " + name, "must be greater than or equal to 0"}}
	}
	return n, nil
}

func (a *API) listUserTokens(c *call) (any, error) {
	skip, err := c.number("skip", 0)
	if err != nil {
		return nil, err
	}
	limit, err := c.number("limit", userTokenPage)
	if err != nil {
		return nil, err
	}
	q := c.Query()
	filter := access.UserTokenFilter{User: q.Get("userId"), Expired: q.Get("includeExpired") == "true", Skip: skip, Limit: min(limit, userTokenPage)}
	if realm := q.Get("realm"); realm != "" {
		if filter.Source, err = a.sourceOf(realm); err != nil {
			return nil, err
		}
	}
	tokens, err := a.access.UserTokens(c.Context(), filter)
	if err != nil {
		return nil, err
	}
	items := []object{}
	for _, t := range tokens {
		items = append(items, a.userToken(t))
	}
	return object{{"items", items}}, nil
}

// owner gives the source of the user whose token a path names, when the caller may do something to it.
func (a *API) owner(c *call, action string) (source string, err error) {
	if err := c.signedIn(); err != nil {
		return "", err
	}
	source, err = a.sourceOf(c.Param("realm"))
	own := err == nil && c.subject.UserID() == c.Param("id") && c.subject.Source() == source
	if !c.permits("nexus:usertoken-user:"+action) && !(own && c.permits("nexus:usertoken-current:"+action)) {
		return "", forbidden()
	}
	return source, err
}

func (a *API) getUserToken(c *call) (any, error) {
	source, err := a.owner(c, "read")
	if err != nil {
		return nil, err
	}
	t, err := a.access.UserToken(c.Context(), source, c.Param("id"))
	if err != nil {
		return nil, err
	}
	return a.userToken(t), nil
}

// createUserToken tells the pass code: this is the only time.
func (a *API) createUserToken(c *call) (any, error) {
	source, err := a.owner(c, "create")
	if err != nil {
		return nil, err
	}
	t, passCode, err := a.access.CreateUserToken(c.Context(), c.actor(), source, c.Param("id"))
	if access.KindOf(err) == access.Exists {
		return nil, quotedf(http.StatusConflict, "User '%s' has a user token already.", c.Param("id"))
	}
	if err != nil {
		return nil, err
	}
	return append(a.userToken(t), member{"passCode", passCode}), nil
}

func (a *API) deleteUserToken(c *call) (any, error) {
	source, err := a.owner(c, "delete")
	if err != nil {
		return nil, err
	}
	return nil, a.access.DeleteUserToken(c.Context(), c.actor(), source, c.Param("id"))
}

// describeUserTokens adds what is about user tokens.
func describeUserTokens(all map[string]description) {
	settings := given("UserTokensApiModel", userTokenSettings)
	fields := object{
		{"userId", ""}, {"realm", ""}, {"nameCode", ""}, {"created", time.Time{}}, {"expires", time.Time{}}, {"isExpired", false},
		{"createdByUserId", ""}, {"createdByRealm", ""},
	}
	nulls := []string{"expires", "createdByUserId", "createdByRealm"}
	token := nullable(literal("UserTokenXo", fields), nulls...)
	made := nullable(literal("UserTokenCreatedXo", append(fields, member{"passCode", ""})), nulls...)
	for key, d := range map[string]description{
		"GET " + userTokensPath:    {summary: "Read how user tokens are treated", reply: settings},
		"PUT " + userTokensPath:    {summary: "Set how user tokens are treated", body: settings, reply: settings},
		"DELETE " + userTokensPath: {summary: "End all user tokens"},
		"GET " + userTokensPath + "/tokens": {
			summary: "List user tokens", reply: literal("UserTokenPage", object{{"items", arrayOf(token)}}), refuses: []int{http.StatusUnprocessableEntity},
			query: []parameter{
				query("realm", "of the users"), query("userId", "of one user"), query("includeExpired", "true for those that have ended too"),
				{Name: "skip", About: "how many to pass over", Type: "integer"}, {Name: "limit", About: "how many to list", Type: "integer"},
			},
		},
		"GET " + userTokenPath:               {summary: "Read a user's token, without its pass code", reply: token, refuses: []int{http.StatusUnprocessableEntity}},
		"POST " + userTokenPath:              {summary: "Make a user's token; the pass code is told this once", reply: made, refuses: []int{http.StatusConflict, http.StatusUnprocessableEntity}},
		"DELETE " + userTokenPath:            {summary: "End a user's token", refuses: []int{http.StatusUnprocessableEntity}},
		"DELETE " + userTokenPath + "-reset": {summary: "End a user's token", refuses: []int{http.StatusUnprocessableEntity}},
	} {
		d.tag = tagUserTokens
		all[key] = d
	}
}
