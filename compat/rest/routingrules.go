package rest

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/google/uuid"

	"entrepot/app/access/permission"
	"entrepot/app/repository"
	"entrepot/app/server"
)

func (a *API) routingOperations() []operation {
	return []operation{
		{method: http.MethodGet, path: "v1/routing-rules", access: server.Content(), run: a.listRules},
		{method: http.MethodPost, path: "v1/routing-rules", access: server.PermissionAfterBody("nexus:*"), consumes: mediaJSON, run: a.createRule},
		{method: http.MethodGet, path: "v1/routing-rules/{name}", access: server.Content(), run: a.getRule},
		{method: http.MethodPut, path: "v1/routing-rules/{name}", access: server.PermissionAfterBody("nexus:*"), consumes: mediaJSON, run: a.updateRule},
		{method: http.MethodDelete, path: "v1/routing-rules/{name}", access: server.Permission("nexus:*"), run: a.deleteRule},
		{method: http.MethodGet, path: "internal/ui/routing-rules", access: server.Content(), run: a.uiListRules},
		{method: http.MethodPost, path: "internal/ui/routing-rules", access: server.PermissionAfterBody("nexus:*"), consumes: mediaJSON, run: a.createRule},
		{method: http.MethodGet, path: "internal/ui/routing-rules/{name}", access: server.Content(), run: a.uiGetRule},
		{method: http.MethodPut, path: "internal/ui/routing-rules/{name}", access: server.PermissionAfterBody("nexus:*"), consumes: mediaJSON, run: a.updateRule},
		{method: http.MethodDelete, path: "internal/ui/routing-rules/{name}", access: server.Permission("nexus:*"), run: a.uiDeleteRule},
		{method: http.MethodPost, path: "internal/ui/routing-rules/test", access: server.PermissionAfterBody("nexus:*"), consumes: mediaJSON, run: a.testRule},
	}
}

type ruleBody struct {
	Name        string   `json:"name"`
	Description *string  `json:"description"`
	Mode        *string  `json:"mode"`
	Matchers    []string `json:"matchers"`
}

// mode gives the mode, or an error when it is none of those there are.
func (b *ruleBody) mode() (repository.RuleMode, error) {
	if b.Mode == nil {
		return "", nil
	}
	switch mode := repository.RuleMode(strings.ToUpper(*b.Mode)); mode {
	case repository.RuleBlock, repository.RuleAllow:
		return mode, nil
	}
	text := fmt.Sprintf("Cannot deserialize value from String %q: not one of the values accepted: [ALLOW, BLOCK]", *b.Mode)
	return "", &errShape{[]string{"mode"}, text}
}

func routingRule(r repository.RoutingRule) object {
	return object{{"name", r.Name}, {"description", r.Description}, {"mode", r.Mode}, {"matchers", list(r.Matchers)}}
}

// mayReadRules is for those who may add a cache of some format or read the settings of some repository.
func (a *API) mayReadRules(c *call) error {
	for _, d := range a.engine.List() {
		if c.subject.MayAdminister(d.Format, d.Name, permission.Read) {
			return nil
		}
	}
	if c.subject.MayAdminister(permission.Any, permission.Any, permission.Add) {
		return nil
	}
	return forbidden()
}

func (a *API) listRules(c *call) (any, error) {
	if err := a.mayReadRules(c); err != nil {
		return nil, err
	}
	out := []object{}
	for _, r := range a.engine.RoutingRules() {
		out = append(out, routingRule(r))
	}
	return out, nil
}

func (a *API) getRule(c *call) (any, error) {
	if err := a.mayReadRules(c); err != nil {
		return nil, err
	}
	r, err := a.engine.RoutingRule(c.Param("name"))
	if err != nil {
		return nil, wordRule(err, c.Param("name"))
	}
	return routingRule(r), nil
}

// ruleInput reads and checks a body, then the caller's right. before is the name of the rule that it is to replace.
func (c *call) ruleInput(before string) (repository.RoutingRule, error) {
	var b ruleBody
	if err := c.decode(&b); err != nil {
		return repository.RoutingRule{}, err
	}
	mode, err := b.mode()
	if err != nil {
		return repository.RoutingRule{}, err
	}
	var v violations
	if b.Description == nil {
		v.add("description", "A non-null value must be specified")
	}
	r := repository.RoutingRule{
		Name: b.Name, Description: deref(b.Description), Mode: mode, Matchers: b.Matchers,
	}
	for _, f := range c.api.engine.CheckRoutingRule(before, r) {
		v.add(f.Field, f.Message)
	}
	if len(v) > 0 {
		return r, v
	}
	return r, c.authorize()
}

func (a *API) createRule(c *call) (any, error) {
	r, err := c.ruleInput("")
	if err != nil {
		return nil, err
	}
	return nil, wordRule(a.engine.CreateRoutingRule(c.Context(), r), r.Name)
}

func (a *API) updateRule(c *call) (any, error) {
	name := c.Param("name")
	r, err := c.ruleInput(name)
	if err != nil {
		return nil, err
	}
	return nil, wordRule(a.engine.UpdateRoutingRule(c.Context(), name, r), name)
}

func (a *API) deleteRule(c *call) (any, error) {
	if err := c.signedIn(); err != nil {
		return nil, err
	}
	name := c.Param("name")
	if n := len(a.engine.RoutingRuleUsers(name)); n > 0 {
		return nil, quotedf(http.StatusBadRequest, "Routing rule is still in use by %d repositories.", n)
	}
	return nil, wordRule(a.engine.DeleteRoutingRule(c.Context(), name), name)
}

func wordRule(err error, name string) error {
	if errors.Is(err, repository.ErrNotFound) {
		return quotedf(http.StatusNotFound, "Did not find a routing rule with the name '%s'", name)
	}
	return err
}

// uiRule is a rule as the user interface shows it. Its id is made of its name, which is the only one that a rule has here. users are left
// out of lists that did not ask for them.
func (a *API) uiRule(r repository.RoutingRule, named bool) object {
	users := a.engine.RoutingRuleUsers(r.Name)
	var shown any
	if named {
		shown = list(users)
	}
	id := object{{"id", uuid.NewSHA1(uuid.NameSpaceOID, []byte("routing-rule:"+r.Name))}}
	return append(append(id, routingRule(r)...), member{"assignedRepositoryCount", len(users)}, member{"assignedRepositoryNames", shown})
}

func (a *API) uiListRules(c *call) (any, error) {
	if err := a.mayReadRules(c); err != nil {
		return nil, err
	}
	out := []object{}
	for _, r := range a.engine.RoutingRules() {
		out = append(out, a.uiRule(r, c.Query().Get("includeRepositoryNames") == "true"))
	}
	return out, nil
}

func (a *API) uiGetRule(c *call) (any, error) {
	if err := a.mayReadRules(c); err != nil {
		return nil, err
	}
	r, err := a.engine.RoutingRule(c.Param("name"))
	if err != nil {
		return nil, statusOnly(http.StatusNotFound)
	}
	return a.uiRule(r, true), nil
}

func (a *API) uiDeleteRule(c *call) (any, error) {
	if _, err := a.engine.RoutingRule(c.Param("name")); err != nil {
		return nil, statusOnly(http.StatusNotFound)
	}
	return a.deleteRule(c)
}

type ruleTestBody struct {
	ruleBody
	Path *string `json:"path"`
}

// testRule tells whether a rule that need not exist lets a path pass.
func (a *API) testRule(c *call) (any, error) {
	var b ruleTestBody
	if err := c.decode(&b); err != nil {
		return nil, err
	}
	mode, err := b.mode()
	if err != nil {
		return nil, err
	}
	var v violations
	if mode == "" {
		v.add("mode", mustNotBeNull)
	}
	if b.Matchers == nil {
		v.add("matchers", mustNotBeNull)
	}
	if b.Path == nil {
		v.add("path", mustNotBeNull)
	}
	if len(v) > 0 {
		return nil, v
	}
	if err := c.authorize(); err != nil {
		return nil, err
	}
	return repository.RoutingRule{Mode: mode, Matchers: b.Matchers}.Allows(*b.Path)
}
