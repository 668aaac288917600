package api

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"entrepot/app/access/permission"
	"entrepot/app/repository"
	"entrepot/app/search"
	"entrepot/app/server"
	"entrepot/formats"
	"entrepot/storage/catalog"
)

func (a *API) searchOperations() []operation {
	return []operation{{method: http.MethodGet, path: "search", access: server.Permission("nexus:search:read"), run: a.search}}
}

// criteria are the parameters that say what is looked for.
var criteria = map[string]search.Field{
	"q": search.Text, "group": search.Group, "name": search.Name, "version": search.Version, "prerelease": search.Prerelease,
	"extension": search.Extension, "classifier": search.Classifier, "sha1": search.SHA1, "sha256": search.SHA256, "sha512": search.SHA512, "md5": search.MD5,
}

var orders = map[string]search.Sort{
	"": search.Unsorted, "group": search.ByGroup, "name": search.ByName, "version": search.ByVersion, "repository": search.ByRepository,
}

// place is a repository with content, and under which names the caller may browse it: its own and those of proxies in front of it.
type place struct {
	repository.Definition
	names []string
}

// shows reports whether the caller may see a path.
func (p *place) shows(c *call, path string) bool {
	return slices.ContainsFunc(p.names, func(name string) bool { return c.subject.MayView(p.Format, name, permission.Browse, path) })
}

// places gives the repositories that are looked in, by name: those with content of their own that the caller may browse.
func (c *call) places(query url.Values) map[string]*place {
	wanted := func(values []string, names ...string) bool {
		return len(values) == 0 || slices.ContainsFunc(values, func(v string) bool { return slices.Contains(names, v) })
	}
	all := make(map[string]*place)
	for _, d := range c.api.Engine.List() {
		names := append([]string{d.Name}, c.api.Engine.Holders(d.Name)...)
		if d.Kind == formats.Proxy || !wanted(query["format"], d.Format) || !wanted(query["repository"], names...) {
			continue
		}
		names = slices.DeleteFunc(names, func(name string) bool { return !c.subject.MayEnter(d.Format, name, permission.Browse) })
		if len(names) > 0 {
			all[d.Name] = &place{d, names}
		}
	}
	return all
}

// query reads the parameters of a search.
func (c *call) query(places map[string]*place) (q search.Query, err error) {
	if q.Limit, err = c.limit(); err != nil {
		return q, err
	}
	if q.After, err = c.cursor(); err != nil {
		return q, err
	}
	for name, values := range c.Query() {
		field, known := criteria[name]
		if !known && !slices.Contains([]string{"repository", "format", "sort", "direction", "limit", "cursor"}, name) {
			return q, badParameter(strconv.Quote(name), "is not known")
		}
		for _, value := range values {
			if known {
				q.Criteria = append(q.Criteria, search.Criterion{Field: field, Value: value})
			}
		}
	}
	var ok bool
	if q.Sort, ok = orders[c.Query().Get("sort")]; !ok {
		return q, badParameter("sort", "must be group, name, version or repository")
	}
	switch c.Query().Get("direction") {
	case "", "asc":
	case "desc":
		q.Descending = true
	default:
		return q, badParameter("direction", "must be asc or desc")
	}
	for name, p := range places {
		q.Places = append(q.Places, search.Place{Repository: name, Format: p.Format, Content: p.Content})
	}
	q.See = func(at search.Place, found *catalog.Component) bool {
		return places[at.Repository].shows(c, found.Name)
	}
	return q, nil
}

// search finds components.
//
//	@Summary		Find components
//	@Description	Those that meet all criteria, in the repositories that the caller may browse. In a value * and ? stand for other characters. A checksum finds the components of the assets that have it. Needs nexus:search:read.
//	@Tags			content
//	@Param			q			query		string		false	"words of the coordinates"
//	@Param			repository	query		[]string	false	"only in these repositories"	collectionFormat(multi)
//	@Param			format		query		[]string	false	"only of these formats"			collectionFormat(multi)
//	@Param			group		query		string		false	"group"
//	@Param			name		query		string		false	"name"
//	@Param			version		query		string		false	"version"
//	@Param			prerelease	query		bool		false	"whether the version is one before a release"
//	@Param			extension	query		string		false	"file ending of an asset"
//	@Param			classifier	query		string		false	"classifier of an asset"
//	@Param			sha1		query		string		false	"SHA-1 of an asset, in hex"
//	@Param			sha256		query		string		false	"SHA-256 of an asset, in hex"
//	@Param			sha512		query		string		false	"SHA-512 of an asset, in hex"
//	@Param			md5			query		string		false	"MD5 of an asset, in hex"
//	@Param			sort		query		string		false	"order"							Enums(group, name, version, repository)
//	@Param			direction	query		string		false	"direction of the order"		Enums(asc, desc)
//	@Param			limit		query		int			false	"how many at most"				minimum(1)	maximum(1000)	default(100)
//	@Param			cursor		query		string		false	"where to go on: next of the part before, for the same search"
//	@Success		200			{object}	Page[Component]
//	@Failure		400			{object}	Problem
//	@Failure		401			{object}	Problem
//	@Failure		403			{object}	Problem
//	@Failure		422			{object}	Problem	"the search is too broad"
//	@Router			/search [get]
func (a *API) search(c *call) (*formats.Response, error) {
	places := c.places(c.Query())
	q, err := c.query(places)
	if err != nil {
		return nil, err
	}
	found, err := a.Search.Search(c.Context(), q)
	if err != nil {
		return nil, err
	}
	items := make([]Component, 0, len(found.Hits))
	for _, h := range found.Hits {
		p := places[h.Place.Repository]
		component := repository.FoundComponent{Repository: p.Definition, Holder: p.Definition, Component: h.Component}
		for asset, err := range a.Catalog.Content(p.Content).ComponentAssets(c.Context(), h.Component.Coordinates) {
			if err != nil {
				return nil, err
			}
			if p.shows(c, asset.Path) {
				component.Assets = append(component.Assets, repository.FoundAsset{Repository: p.Definition, Holder: p.Definition, Asset: asset})
			}
		}
		items = append(items, componentOf(c, component))
	}
	return paged(c, items, found.Next)
}
