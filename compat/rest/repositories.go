package rest

import (
	"net/http"

	"entrepot/app/access/permission"
	"entrepot/app/repository"
	"entrepot/app/server"
	"entrepot/compat/names"
	"entrepot/formats"
)

func (a *API) repositoryOperations() []operation {
	return []operation{
		{method: http.MethodGet, path: "v1/repositories", access: server.Content(), run: a.listRepositories},
		{method: http.MethodGet, path: "v1/repositories/{name}", access: server.Content(), run: a.getRepository},
		{method: http.MethodDelete, path: "v1/repositories/{name}", access: server.Content(), run: a.deleteRepository},
		{method: http.MethodPost, path: "v1/repositories/{name}/invalidate-cache", access: server.Content(), run: a.invalidateCache},
		{method: http.MethodPost, path: "v1/repositories/{name}/rebuild-index", access: server.Content(), run: a.rebuildIndex},
		{method: http.MethodPost, path: "v1/repositories/{name}/health-check", access: server.Permission("nexus:healthcheck:update"), run: a.examine},
		{method: http.MethodDelete, path: "v1/repositories/{name}/health-check", access: server.Permission("nexus:healthcheck:update"), run: a.examineNoMore},
	}
}

// summary is a repository as lists show it.
func summary(c *call, d repository.Definition) object {
	attributes := object{}
	if d.Upstream != nil {
		attributes = object{{"proxy", object{{"remoteUrl", emptyAsNull(d.Upstream.URL)}}}}
	}
	return object{
		{"name", d.Name}, {"format", d.Format}, {"type", names.Type(d.Kind)}, {"url", repositoryURL(c, d.Name)}, {"attributes", attributes},
	}
}

func repositoryURL(c *call, name string) string { return c.BaseURL() + "/repository/" + name }

func emptyAsNull(text string) any {
	if text == "" {
		return nil
	}
	return text
}

// listRepositories shows what the caller may browse.
func (a *API) listRepositories(c *call) (any, error) {
	list := []object{}
	for _, d := range a.engine.List() {
		if c.subject.MayEnter(d.Format, d.Name, permission.Browse) {
			list = append(list, summary(c, d))
		}
	}
	return list, nil
}

// getRepository needs browse or read on the repository, or on a proxy that it is a member of.
func (a *API) getRepository(c *call) (any, error) {
	d, ok := a.engine.Lookup(c.Param("name"))
	if !ok {
		return nil, statusOnly(http.StatusNotFound)
	}
	if !a.visible(c, d) {
		return nil, forbidden()
	}
	return summary(c, d), nil
}

// visible reports whether the caller may see that a repository exists.
func (a *API) visible(c *call, d repository.Definition) bool {
	const either = permission.Browse | permission.Read
	if c.subject.MayEnter(d.Format, d.Name, either) {
		return true
	}
	for _, holder := range a.engine.Holders(d.Name) {
		if c.subject.MayEnter(d.Format, holder, either) {
			return true
		}
	}
	return false
}

// administered looks a repository up and checks that the caller may do something to its settings. unknown answers a name that no
// repository has.
func (a *API) administered(c *call, action permission.Action, unknown error) (repository.Definition, error) {
	d, ok := a.engine.Lookup(c.Param("name"))
	if !ok {
		return d, unknown
	}
	return d, c.administers(d.Format, d.Name, action)
}

func (a *API) deleteRepository(c *call) (any, error) {
	if !c.subject.SignedIn() {
		return nil, forbidden()
	}
	d, ok := a.engine.Lookup(c.Param("name"))
	if !ok {
		return absent(), nil
	}
	if err := c.administers(d.Format, d.Name, permission.Delete); err != nil {
		return nil, err
	}
	return nil, a.engine.Delete(c.Context(), d.Name, c.subject.UserID())
}

func (a *API) invalidateCache(c *call) (any, error) {
	d, err := a.administered(c, permission.Edit, quotedf(http.StatusNotFound, "Repository not found"))
	if err != nil {
		return nil, err
	}
	if d.Kind == formats.Hosted {
		return nil, quotedf(http.StatusBadRequest, "You can invalidate cache of proxy or group repository only")
	}
	return nil, a.engine.InvalidateCache(c.Context(), d.Name)
}

// rebuildIndex has nothing to do: every search takes in what is new before it looks, and a component's terms never change.
func (a *API) rebuildIndex(c *call) (any, error) {
	d, err := a.administered(c, permission.Edit, quotedf(http.StatusNotFound, "Repository not found"))
	if err != nil {
		return nil, err
	}
	if d.Kind == formats.Proxy {
		return nil, quotedf(http.StatusBadRequest, "You can rebuild search index of hosted or proxy repository only")
	}
	return nil, nil
}

// examined looks up a cache whose content a caller wants examined, or no more.
func (a *API) examined(c *call) (repository.Definition, error) {
	if err := c.signedIn(); err != nil {
		return repository.Definition{}, err
	}
	d, ok := a.engine.Lookup(c.Param("name"))
	if !ok || d.Kind != formats.Cache {
		return d, statusOnly(http.StatusNotFound)
	}
	return d, nil
}

// examine is refused until an administrator made the capability that asks for it.
func (a *API) examine(c *call) (any, error) {
	d, err := a.examined(c)
	if err != nil {
		return nil, err
	}
	if !a.Settings.Effect().HealthChecks {
		return nil, quotedf(http.StatusConflict, "The capability Health Check: Configuration is not enabled")
	}
	return nil, a.engine.SetHealthCheck(c.Context(), d.Name, true, c.subject.UserID())
}

func (a *API) examineNoMore(c *call) (any, error) {
	d, err := a.examined(c)
	if err != nil {
		return nil, err
	}
	return nil, a.engine.SetHealthCheck(c.Context(), d.Name, false, c.subject.UserID())
}
