package rest

import (
	"encoding/base64"
	"net/http"

	"entrepot/app/access"
	"entrepot/app/server"
	"entrepot/formats"
)

const ownTokenPath = "internal/current-user/user-token"

// ownTokenOperations are about the caller's own user token. They want a ticket besides the credentials, in base64; without one there is
// no such place.
func (a *API) ownTokenOperations() []operation {
	return []operation{
		{method: http.MethodGet, path: ownTokenPath, access: server.Content(), run: a.getOwnToken},
		{method: http.MethodDelete, path: ownTokenPath, access: server.Content(), run: a.deleteOwnToken},
	}
}

// ticketed is an error unless the caller holds a right on its own user token and shows a ticket.
func (a *API) ticketed(c *call, action string) error {
	if !c.Query().Has("authToken") {
		return statusOnly(http.StatusNotFound)
	}
	if err := c.signedIn(); err != nil {
		return err
	}
	if !c.permits("nexus:usertoken-current:" + action) {
		return forbidden()
	}
	ticket, err := base64.StdEncoding.DecodeString(c.Query().Get("authToken"))
	if err != nil || !a.tickets.redeem(string(ticket), c.subject.UserID(), a.Now()) {
		return errTicket
	}
	return nil
}

// getOwnToken makes the token of a caller who has none and tells its pass code, this once: it is not kept.
func (a *API) getOwnToken(c *call) (any, error) {
	if err := a.ticketed(c, "read"); err != nil {
		return nil, err
	}
	if !c.permits("nexus:usertoken-current:create") {
		return nil, forbidden()
	}
	t, passCode, err := a.access.CreateUserToken(c.Context(), c.actor(), c.subject.Source(), c.subject.UserID())
	if access.KindOf(err) == access.Exists {
		return nil, quotedf(http.StatusConflict, "The pass code of your user token was told when it was made. Delete it to get another.")
	}
	if err != nil {
		return nil, err
	}
	resp, err := jsonAnswer(http.StatusOK, object{{"nameCode", t.NameCode}, {"passCode", passCode}, {"created", instant(t.Created)}})
	if err != nil {
		return nil, err
	}
	return keepNowhere(resp), nil
}

func (a *API) deleteOwnToken(c *call) (any, error) {
	if err := a.ticketed(c, "delete"); err != nil {
		return nil, err
	}
	return nil, a.access.DeleteUserToken(c.Context(), c.actor(), c.subject.Source(), c.subject.UserID())
}

// keepNowhere tells everybody on the way not to keep an answer.
func keepNowhere(resp *formats.Response) *formats.Response {
	for name, values := range unkept() {
		resp.Header[name] = values
	}
	return resp
}
