package rest

import (
	"errors"
	"net/http"

	"entrepot/app/scripts"
	"entrepot/app/server"
)

func (a *API) scriptOperations() []operation {
	const path = "v1/script"
	return []operation{
		{method: http.MethodGet, path: path, access: server.Permission("nexus:script:*:browse"), run: a.listScripts},
		{method: http.MethodPost, path: path, access: server.PermissionAfterBody("nexus:script:*:add"), consumes: mediaJSON, run: a.createScript},
		{method: http.MethodGet, path: path + "/{name}", access: server.Content(), run: a.getScript},
		{method: http.MethodPut, path: path + "/{name}", access: server.Content(), consumes: mediaJSON, run: a.updateScript},
		{method: http.MethodDelete, path: path + "/{name}", access: server.Content(), run: a.deleteScript},
		{method: http.MethodPost, path: path + "/{name}/run", access: server.Content(), consumes: mediaTextOrJSON, run: a.runScript},
	}
}

type scriptBody struct {
	Name    *string `json:"name"`
	Type    *string `json:"type"`
	Content *string `json:"content"`
}

func script(s scripts.Script) object {
	return object{{"name", s.Name}, {"content", s.Content}, {"type", s.Type}}
}

// mayScript checks a permission on the script that the path names.
func (c *call) mayScript(action string) error {
	if !permits(c.subject, "nexus:script:"+c.Param("name")+":"+action) {
		return forbidden()
	}
	return nil
}

// scriptInput reads and checks a body.
func (c *call) scriptInput() (scripts.Script, error) {
	var b scriptBody
	if err := c.decode(&b); err != nil {
		return scripts.Script{}, err
	}
	s := scripts.Script{Name: deref(b.Name), Type: deref(b.Type), Content: deref(b.Content)}
	var v violations
	for _, f := range s.Validate() {
		if b.Name == nil && f.Message == nameRule { // it is missing, that is all
			continue
		}
		if len(s.Name) > scripts.MaxName && !c.api.Scripts.CreationAllowed() { // it is refused all the same
			continue
		}
		v.parameter(f.Field, f.Message)
	}
	if len(v) > 0 {
		return s, v
	}
	return s, nil
}

func (a *API) listScripts(c *call) (any, error) {
	all, err := a.Scripts.List(c.Context())
	if err != nil {
		return nil, err
	}
	out := []object{}
	for _, s := range all {
		out = append(out, script(s))
	}
	return out, nil
}

func (a *API) createScript(c *call) (any, error) {
	s, err := c.scriptInput()
	if err != nil {
		return nil, err
	}
	if err := c.authorize(); err != nil {
		return nil, err
	}
	return wordScript(s.Name, a.Scripts.Create(c.Context(), s))
}

func (a *API) getScript(c *call) (any, error) {
	if err := c.mayScript("read"); err != nil {
		return nil, err
	}
	s, err := a.Scripts.Get(c.Context(), c.Param("name"))
	if err != nil {
		return wordScript(c.Param("name"), err)
	}
	return script(s), nil
}

func (a *API) updateScript(c *call) (any, error) {
	s, err := c.scriptInput()
	if err != nil {
		return nil, err
	}
	name := c.Param("name")
	if err := c.mayScript("edit"); err != nil {
		return nil, err
	}
	if s.Name != name {
		return nil, quotedf(http.StatusBadRequest, "The script's name '%s' does not match the name used in the path '%s'.", s.Name, name)
	}
	if _, err := a.Scripts.Get(c.Context(), name); err != nil {
		return wordScript(name, err)
	}
	return wordScript(name, a.Scripts.Update(c.Context(), s))
}

func (a *API) deleteScript(c *call) (any, error) {
	if err := c.mayScript("delete"); err != nil {
		return nil, err
	}
	return wordScript(c.Param("name"), a.Scripts.Delete(c.Context(), c.Param("name")))
}

// runScript tells that this server does not run scripts, but for those that it knows by name.
func (a *API) runScript(c *call) (any, error) {
	if err := c.mayScript("run"); err != nil {
		return nil, err
	}
	s, err := a.Scripts.Get(c.Context(), c.Param("name"))
	if err != nil {
		return wordScript(c.Param("name"), err)
	}
	if s.Type != scripts.Groovy {
		return scriptResult(http.StatusBadRequest, s.Name, "Language: "+s.Type+" is not allowed")
	}
	if run := a.wellKnownScript(s.Name); run != nil {
		return a.runWellKnown(c, s.Name, run)
	}
	return scriptResult(http.StatusGone, s.Name, "This server keeps scripts and does not run them: use its REST API, or entrepot apply with a configuration file")
}

// wordScript answers what became of a change in the form that clients of scripts read.
func wordScript(name string, err error) (any, error) {
	switch {
	case errors.Is(err, scripts.ErrNotFound):
		return nil, statusOnly(http.StatusNotFound)
	case errors.Is(err, scripts.ErrDisabled):
		return scriptResult(http.StatusGone, name, "Creating and updating scripts is disable")
	case errors.Is(err, scripts.ErrExists):
		return nil, quotedf(http.StatusBadRequest, "A script with the name '%s' exists already.", name)
	}
	return nil, err
}

func scriptResult(status int, name, result string) (any, error) {
	return jsonAnswer(status, object{{"name", name}, {"result", result}})
}
