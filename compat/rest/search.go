package rest

import (
	"net/http"
	"net/url"

	"entrepot/app/access/permission"
	"entrepot/app/repository"
	"entrepot/app/server"
)

// searchPage is how many components one answer of a search has.
const searchPage = 50

func (a *API) searchOperations() []operation {
	return []operation{{method: http.MethodGet, path: "v1/search", access: server.Content(), run: a.search}}
}

// search finds components by exact coordinates among those that the caller may browse.
func (a *API) search(c *call) (any, error) {
	query := c.Query()
	items, next := []object{}, ""
	for _, d := range a.engine.List() {
		if name := query.Get("repository"); name != "" && name != d.Name || !c.subject.MayEnter(d.Format, d.Name, permission.Browse) {
			continue
		}
		found, err := a.searchRepository(c, d, query, searchPage-len(items))
		if err != nil {
			return nil, err
		}
		if items = append(items, found...); len(items) >= searchPage {
			break
		}
	}
	return page(items, next), nil
}

func (a *API) searchRepository(c *call, d repository.Definition, query url.Values, limit int) ([]object, error) {
	var items []object
	token := ""
	for {
		found, err := a.engine.Components(c.Context(), c.subject, d.Name, token)
		if err != nil {
			return nil, wordListing(err)
		}
		for _, f := range found.Items {
			if matches(f, query) {
				items = append(items, component(c, f))
			}
			if len(items) == limit {
				return items, nil
			}
		}
		if token = found.Next; token == "" {
			return items, nil
		}
	}
}

// matches applies the criteria of coordinates. An unknown criterion matches nothing.
func matches(f repository.FoundComponent, query url.Values) bool {
	known := map[string]string{"repository": f.Repository.Name, "format": f.Repository.Format, "group": f.Group, "name": f.Name, "version": f.Version}
	for name, values := range query {
		have, ok := known[name]
		for _, want := range values {
			if !ok || have != want {
				return false
			}
		}
	}
	return true
}
