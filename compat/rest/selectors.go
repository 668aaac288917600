package rest

import (
	"errors"
	"net/http"

	"entrepot/app/access"
	"entrepot/app/server"
	"entrepot/formats"
)

func (a *API) selectorOperations() []operation {
	const path = "v1/security/content-selectors"
	return []operation{
		{method: http.MethodGet, path: path, access: server.PermissionAfterBody("nexus:selectors:read"), run: a.listSelectors},
		{method: http.MethodPost, path: path, access: server.PermissionAfterBody("nexus:selectors:create"), consumes: mediaJSON, run: a.createSelector},
		{method: http.MethodGet, path: path + "/{name}", access: server.Permission("nexus:selectors:read"), run: a.getSelector},
		{method: http.MethodPut, path: path + "/{name}", access: server.PermissionAfterBody("nexus:selectors:update"), consumes: mediaJSON, run: a.updateSelector},
		{method: http.MethodDelete, path: path + "/{name}", access: server.Permission("nexus:selectors:delete"), run: a.deleteSelector},
		{method: http.MethodPost, path: "internal/ui/content-selectors/preview", access: server.Content(), consumes: mediaJSON, run: a.previewSelector},
	}
}

type selectorBody struct {
	Name        *string `json:"name"`
	Description *string `json:"description"`
	Expression  string  `json:"expression"`
}

func selector(s access.Selector) object {
	return object{{"name", s.Name}, {"type", s.Type}, {"description", s.Description}, {"expression", s.Expression}}
}

// listSelectors gives a list that must not be kept, nor must its refusal.
func (a *API) listSelectors(c *call) (any, error) {
	fresh := http.Header{
		"Cache-Control": {"no-cache, must-revalidate, no-transform, no-store, proxy-revalidate, s-maxage=0, max-age=0"},
		"Expires":       {"0"}, "Pragma": {"no-cache"},
	}
	if c.Authorize() != nil {
		return nil, &server.StatusError{Status: http.StatusForbidden, Header: fresh}
	}
	selectors, err := a.access.Selectors(c.Context())
	if err != nil {
		return nil, err
	}
	out := []object{}
	for _, s := range selectors {
		out = append(out, selector(s))
	}
	body, err := encode(out)
	if err != nil {
		return nil, err
	}
	fresh.Set("Content-Type", string(mediaJSON))
	return &formats.Response{Status: http.StatusOK, Header: fresh, Body: formats.Body{Bytes: body, Size: int64(len(body))}}, nil
}

func (a *API) getSelector(c *call) (any, error) {
	s, err := a.access.Selector(c.Context(), c.Param("name"))
	if err != nil {
		return nil, err
	}
	return selector(s), nil
}

// selectorInput reads and checks a body, then the caller's right. name replaces the body's when it is not "".
func (c *call) selectorInput(name string) (access.Selector, error) {
	var b selectorBody
	if err := c.decode(&b); err != nil {
		return access.Selector{}, err
	}
	if name != "" {
		b.Name = &name
	}
	s := access.Selector{Name: deref(b.Name), Type: access.SelectorType, Description: b.Description, Expression: b.Expression}
	if err := withoutNameRule(b.Name, s.Validate()); err != nil {
		return s, wordSelector(err)
	}
	return s, c.authorize()
}

// wordSelector reports a fault of the expression under the id that clients know.
func wordSelector(err error) error {
	var e *access.Error
	if errors.As(err, &e) && len(e.Fields) == 1 && e.Fields[0].Field == "expression" && !e.Fields[0].Shape {
		return violations{{"HelperBean.expression", e.Fields[0].Message}}
	}
	return err
}

func (a *API) createSelector(c *call) (any, error) {
	s, err := c.selectorInput("")
	if err != nil {
		return nil, err
	}
	return nil, wordSelector(a.access.CreateSelector(c.Context(), c.actor(), s))
}

func (a *API) updateSelector(c *call) (any, error) {
	s, err := c.selectorInput(c.Param("name"))
	if err != nil {
		return nil, err
	}
	return nil, wordSelector(a.access.UpdateSelector(c.Context(), c.actor(), s))
}

func (a *API) deleteSelector(c *call) (any, error) {
	if err := c.signedIn(); err != nil {
		return nil, err
	}
	return nil, a.access.DeleteSelector(c.Context(), c.actor(), c.Param("name"))
}
