package api

import (
	"cmp"
	"net/http"
	"slices"
	"time"

	"entrepot/app/access"
	"entrepot/app/resource"
	"entrepot/app/server"
	"entrepot/formats"
	"entrepot/storage/kv"
)

func (a *API) tokenOperations() []operation {
	return []operation{
		{method: http.MethodGet, path: "tokens", access: server.SignedIn(), run: a.listTokens},
		{method: http.MethodPost, path: "tokens", access: server.SignedIn(), run: a.createToken},
		{method: http.MethodGet, path: "tokens/{id}", access: server.SignedIn(), run: a.getToken},
		{method: http.MethodDelete, path: "tokens/{id}", access: server.SignedIn(), run: a.deleteToken},
	}
}

// NewToken is what it takes to make an API token.
type NewToken struct {
	Name string `json:"name" example:"build server"`
	// Scope is what the token may do of what its user may: "read", or permissions. None is all that the user may.
	Scope    []string           `json:"scope,omitempty" example:"nexus:repository-view:raw:docs:read"`
	Expires  *time.Time         `json:"expires,omitempty"`                                      // absent: never
	ValidFor *resource.Duration `json:"validFor,omitempty" swaggertype:"string" example:"720h"` // instead of expires
}

// Token is an API token. It is sent as "Authorization: Bearer TOKEN", or as the password of its user.
type Token struct {
	ID      string     `json:"id"`
	Name    string     `json:"name"`
	User    string     `json:"user"`
	Source  string     `json:"source"`
	Scope   []string   `json:"scope,omitempty"` // absent: all that the user may
	Created time.Time  `json:"created"`
	Expires *time.Time `json:"expires,omitempty"` // absent: never
	Token   string     `json:"token,omitempty"`   // the text, in the answer that made it and never again
}

func tokenOf(t access.Token) Token {
	return Token{ID: t.Digest, Name: t.Name, User: t.User, Source: t.Source, Scope: t.Scope, Created: t.Created.UTC(), Expires: moment(t.Expires)}
}

// owned gives the tokens of the caller, or of the user that the request names, whose tokens need a permission.
func (c *call) owned(permission string) ([]access.Token, error) {
	filter := access.TokenFilter{Source: c.subject.Source(), User: c.subject.UserID(), Domain: access.RealmAPIToken}
	if user := c.Query().Get("user"); user != "" {
		filter.User, filter.Source = user, cmp.Or(c.Query().Get("source"), access.SourceLocal)
		if (filter.User != c.subject.UserID() || filter.Source != c.subject.Source()) && !c.permits(permission) {
			return nil, forbidden()
		}
	}
	tokens, err := c.api.Access.Tokens(c.Context(), filter)
	slices.SortFunc(tokens, func(a, b access.Token) int { return cmp.Compare(a.Digest, b.Digest) })
	return tokens, err
}

// named gives the token that the request's address names.
func (c *call) named(permission string) (access.Token, error) {
	tokens, err := c.owned(permission)
	if err != nil {
		return access.Token{}, err
	}
	i := slices.IndexFunc(tokens, func(t access.Token) bool { return t.Digest == c.key() })
	if i < 0 {
		return access.Token{}, formats.Errorf(formats.NotFound, "There is no such token")
	}
	return tokens[i], nil
}

// listTokens gives the caller's API tokens.
//
//	@Summary		List API tokens
//	@Description	Those of the caller, for every caller who is signed in. Those of another user need nexus:users:read.
//	@Tags			tokens
//	@Param			user	query		string	false	"another user's"
//	@Param			source	query		string	false	"source of that user"	default(default)
//	@Param			limit	query		int		false	"how many at most"		minimum(1)	maximum(1000)	default(100)
//	@Param			cursor	query		string	false	"where to go on: next of the part before"
//	@Success		200		{object}	Page[Token]
//	@Failure		400		{object}	Problem
//	@Failure		401		{object}	Problem
//	@Failure		403		{object}	Problem
//	@Router			/tokens [get]
func (a *API) listTokens(c *call) (*formats.Response, error) {
	tokens, err := c.owned("nexus:users:read")
	if err != nil {
		return nil, err
	}
	list := make([]Token, len(tokens))
	for i, t := range tokens {
		list[i] = tokenOf(t)
	}
	return part(c, list, func(t *Token) string { return t.ID })
}

// createToken makes an API token for the caller.
//
//	@Summary		Make an API token
//	@Description	For every caller who is signed in, unless with an API token. The answer has the token's text, which cannot be read again.
//	@Tags			tokens
//	@Param			document	body		NewToken	true	"what is wanted"
//	@Success		201			{object}	Token
//	@Failure		400			{object}	Problem
//	@Failure		401			{object}	Problem
//	@Failure		403			{object}	Problem
//	@Failure		409			{object}	Problem
//	@Failure		415			{object}	Problem
//	@Failure		422			{object}	Problem
//	@Failure		503			{object}	Problem
//	@Router			/tokens [post]
func (a *API) createToken(c *call) (*formats.Response, error) {
	var wanted NewToken
	if err := c.decode(&wanted); err != nil {
		return nil, err
	}
	t := access.APIToken{Name: wanted.Name, Scope: wanted.Scope}
	switch {
	case wanted.Expires != nil && wanted.ValidFor != nil:
		return nil, &resource.SyntaxError{Field: "validFor", Message: "cannot be given together with expires"}
	case wanted.Expires != nil:
		t.Expires = *wanted.Expires
	case wanted.ValidFor != nil && *wanted.ValidFor != resource.Forever:
		t.Expires = a.Now().Add(time.Duration(*wanted.ValidFor))
	}
	made, text, err := a.Access.CreateAPIToken(c.Context(), c.subject, c.actor(), t)
	if err != nil {
		return nil, err
	}
	doc := tokenOf(made)
	doc.Token = text
	resp, err := reply(http.StatusCreated, doc)
	if err == nil {
		resp.Header["Location"] = []string{prefix + "tokens/" + doc.ID}
	}
	return resp, err
}

// getToken gives an API token.
//
//	@Summary		Read an API token
//	@Description	One of the caller's, for every caller who is signed in. One of another user needs nexus:users:read.
//	@Tags			tokens
//	@Param			id				path		string	true	"which"
//	@Param			user			query		string	false	"another user's"
//	@Param			source			query		string	false	"source of that user"	default(default)
//	@Param			If-None-Match	header		string	false	"tag of the document that the client has"
//	@Success		200				{object}	Token
//	@Success		304
//	@Failure		401	{object}	Problem
//	@Failure		403	{object}	Problem
//	@Failure		404	{object}	Problem
//	@Router			/tokens/{id} [get]
func (a *API) getToken(c *call) (*formats.Response, error) {
	t, err := c.named("nexus:users:read")
	if err != nil {
		return nil, err
	}
	return c.show(tokenOf(t), kv.Row{})
}

// deleteToken revokes an API token.
//
//	@Summary		Revoke an API token
//	@Description	One of the caller's, for every caller who is signed in. One of another user needs nexus:users:update. It stops working at once.
//	@Tags			tokens
//	@Param			id		path	string	true	"which"
//	@Param			user	query	string	false	"another user's"
//	@Param			source	query	string	false	"source of that user"	default(default)
//	@Success		204
//	@Failure		401	{object}	Problem
//	@Failure		403	{object}	Problem
//	@Failure		404	{object}	Problem
//	@Failure		503	{object}	Problem
//	@Router			/tokens/{id} [delete]
func (a *API) deleteToken(c *call) (*formats.Response, error) {
	t, err := c.named("nexus:users:update")
	if err != nil {
		return nil, err
	}
	return empty(), a.Access.DeleteAPIToken(c.Context(), c.actor(), t)
}
