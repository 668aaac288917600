package rest

import (
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"entrepot/app/access/permission"
	"entrepot/app/repository"
	"entrepot/app/search"
	"entrepot/app/server"
	"entrepot/formats"
	"entrepot/storage/catalog"
)

// searchPage is how many components one answer of a search has.
const searchPage = 50

func (a *API) searchOperations() []operation {
	return []operation{
		{method: http.MethodGet, path: "v1/search", access: server.Content(), run: a.searchComponents},
		{method: http.MethodGet, path: "v1/search/assets", access: server.Content(), run: a.searchAssets},
		{method: http.MethodGet, path: "v1/search/assets/download", access: server.Content(), run: a.searchDownload},
	}
}

// criteria gives what a parameter means; every other one is met by no component.
var criteria = map[string]search.Field{
	"q": search.Text, "keyword": search.Text, "group": search.Group, "group.raw": search.Group, "name": search.Name, "name.raw": search.Name,
	"version": search.Version, "prerelease": search.Prerelease, "isPrerelease": search.Prerelease,
	"maven.groupId": search.MavenGroup, "attributes.maven2.groupId": search.MavenGroup,
	"maven.artifactId": search.MavenName, "attributes.maven2.artifactId": search.MavenName,
	"maven.baseVersion": search.Base, "attributes.maven2.baseVersion": search.Base,
	"maven.extension": search.Extension, "assets.attributes.maven2.extension": search.Extension,
	"maven.classifier": search.Classifier, "assets.attributes.maven2.classifier": search.Classifier,
	"sha1": search.SHA1, "assets.attributes.checksum.sha1": search.SHA1, "sha256": search.SHA256, "assets.attributes.checksum.sha256": search.SHA256,
	"sha512": search.SHA512, "assets.attributes.checksum.sha512": search.SHA512, "md5": search.MD5, "assets.attributes.checksum.md5": search.MD5,
}

// found is a search with what its answer needs.
type found struct {
	query       search.Query
	definitions map[string]repository.Definition // by name
	hits        []search.Hit
	offset      int    // of the first hit
	next        string // continuation token
}

// place is a repository with content, and under which names the caller may browse it: its own and those of proxies in front of it.
type place struct {
	definition repository.Definition
	names      []string
}

// see reports whether the caller may see a path.
func (p *place) see(c *call, path string) bool {
	return slices.ContainsFunc(p.names, func(name string) bool {
		return c.subject.MayView(p.definition.Format, name, permission.Browse, path)
	})
}

// places gives the repositories that a search looks in: those with content of their own that the caller may browse and that the
// parameters repository and format name.
func (a *API) places(c *call, query url.Values) []place {
	var all []place
	for _, d := range a.engine.List() {
		if d.Kind == formats.Proxy || !meets(query["format"], d.Format) {
			continue
		}
		names := append([]string{d.Name}, a.engine.Holders(d.Name)...)
		if !slices.ContainsFunc(names, func(name string) bool { return meets(query["repository"], name) }) {
			continue
		}
		names = slices.DeleteFunc(names, func(name string) bool { return !c.subject.MayEnter(d.Format, name, permission.Browse) })
		if len(names) > 0 {
			all = append(all, place{d, names})
		}
	}
	return all
}

// meets reports whether a value meets all wanted ones, in which * and ? stand for other characters. Nothing wanted is met by all.
func meets(wanted []string, value string) bool {
	return !slices.ContainsFunc(wanted, func(w string) bool { return w == "" || !search.Like(value, w) })
}

// searchFor does the search that the parameters describe.
func (a *API) searchFor(c *call, limit int, token bool) (*found, error) {
	query := c.Query()
	f := &found{definitions: make(map[string]repository.Definition)}
	f.query.Limit = limit
	if err := f.control(c, query, token); err != nil {
		return nil, err
	}
	places := make(map[string]*place)
	for _, p := range a.places(c, query) {
		name := p.definition.Name
		f.definitions[name], places[name] = p.definition, &p
		f.query.Places = append(f.query.Places, search.Place{Repository: name, Format: p.definition.Format, Content: p.definition.Content})
	}
	f.query.See = func(at search.Place, found *catalog.Component) bool { return places[at.Repository].see(c, found.Name) }
	page, err := a.Search.Search(c.Context(), f.query)
	if err != nil {
		return nil, err
	}
	f.hits = page.Hits
	if page.Next != "" {
		f.next = searchToken(query, f.offset+limit, f.orderName()+page.Next)
	}
	return f, nil
}

// control reads the parameters that are no criteria, and collects those that are.
func (f *found) control(c *call, query url.Values, token bool) error {
	for name, values := range query {
		switch name {
		case "repository", "format", "sort", "direction", "continuationToken":
			continue
		case "timeout":
			if _, err := strconv.Atoi(values[0]); err != nil {
				return statusOnly(http.StatusNotFound)
			}
			continue
		}
		field := criteria[name]
		for _, value := range values {
			if field == search.Prerelease {
				value = strconv.FormatBool(value != "" && !strings.EqualFold(value, "false"))
			}
			f.query.Criteria = append(f.query.Criteria, search.Criterion{Field: field, Value: value})
		}
	}
	if err := f.order(query); err != nil || !token || !query.Has("continuationToken") {
		return err
	}
	offset, cursor, ok := parseSearchToken(query)
	if !ok {
		return statusOnly(http.StatusNotAcceptable)
	}
	f.offset = offset
	if after, ok := strings.CutPrefix(cursor, f.orderName()); ok {
		f.query.After = after
	} else { // a token may be used for another order, in which it only counts
		f.query.Skip = offset
	}
	return nil
}

// orderName tells an order and its direction from others.
func (f *found) orderName() string {
	return fmt.Sprintf("%d %t ", f.query.Sort, f.query.Descending)
}

var orders = map[string]search.Sort{
	"group": search.ByGroup, "name": search.ByName, "version": search.ByVersion, "repository": search.ByRepository,
}

// order reads sort and direction. Versions begin with the newest unless asked otherwise.
func (f *found) order(query url.Values) error {
	if query.Has("sort") {
		order, ok := orders[query.Get("sort")]
		if !ok {
			return quotedf(http.StatusBadRequest, "Cannot sort by '%s': group, name, version and repository are known", query.Get("sort"))
		}
		f.query.Sort, f.query.Descending = order, order == search.ByVersion
	}
	if !query.Has("direction") {
		return nil
	}
	switch direction := strings.ToLower(query.Get("direction")); direction {
	case "asc", "desc":
		f.query.Descending = direction == "desc"
		return nil
	}
	return quotedf(http.StatusBadRequest, "Unknown direction '%s': asc and desc are known", query.Get("direction"))
}

// searchToken says where the next page of a query begins: behind how many hits, and behind which one. It is of no use for another query.
func searchToken(query url.Values, offset int, cursor string) string {
	return hex.EncodeToString([]byte(strconv.Itoa(offset) + ":" + digestOf(query) + ":" + cursor))
}

func digestOf(query url.Values) string {
	rest := make(url.Values)
	for name, values := range query {
		if name != "continuationToken" && name != "sort" && name != "direction" {
			rest[name] = values
		}
	}
	sum := md5.Sum([]byte(rest.Encode()))
	return hex.EncodeToString(sum[:])
}

func parseSearchToken(query url.Values) (offset int, cursor string, ok bool) {
	text, err := hex.DecodeString(query.Get("continuationToken"))
	parts := strings.SplitN(string(text), ":", 3)
	if err != nil || len(parts) != 3 || parts[1] != digestOf(query) {
		return 0, "", false
	}
	offset, err = strconv.Atoi(parts[0])
	return offset, parts[2], err == nil && offset >= 0
}

// hit gives a hit with the assets that the caller may see.
func (a *API) hit(c *call, f *found, h search.Hit) (repository.FoundComponent, error) {
	d := f.definitions[h.Place.Repository]
	out := repository.FoundComponent{Repository: d, Holder: d, Component: h.Component}
	p := place{d, append([]string{d.Name}, a.engine.Holders(d.Name)...)}
	for asset, err := range a.Catalog.Content(d.Content).ComponentAssets(c.Context(), h.Component.Coordinates) {
		if err != nil {
			return out, err
		}
		if p.see(c, asset.Path) {
			out.Assets = append(out.Assets, repository.FoundAsset{Repository: d, Holder: d, Asset: asset})
		}
	}
	return out, nil
}

// searchComponents finds components among those that the caller may browse.
func (a *API) searchComponents(c *call) (any, error) {
	f, err := a.searchFor(c, searchPage, true)
	if err != nil {
		return nil, err
	}
	items := []object{}
	for _, h := range f.hits {
		found, err := a.hit(c, f, h)
		if err != nil {
			return nil, err
		}
		items = append(items, withoutBlobDates(component(c, found)))
	}
	return page(items, f.next), nil
}

// withoutBlobDates gives an asset, or a component with its assets, as searches show them: when a blob was made is left out.
func withoutBlobDates(o object) object {
	for i, m := range o {
		switch value := m.value.(type) {
		case []object:
			for _, asset := range value {
				withoutBlobDates(asset)
			}
		default:
			if m.name == "blobCreated" {
				o[i].value = nil
			}
		}
	}
	return o
}

// searchAssets finds the assets of components that are meant themselves.
func (a *API) searchAssets(c *call) (any, error) {
	f, err := a.searchFor(c, searchPage, true)
	if err != nil {
		return nil, err
	}
	items := []object{}
	err = a.eachAsset(c, f, func(found repository.FoundAsset) bool {
		items = append(items, withoutBlobDates(asset(c, found)))
		return true
	})
	return page(items, f.next), err
}

// eachAsset hands on the assets of the hits that are meant themselves, until do wants no more.
func (a *API) eachAsset(c *call, f *found, do func(repository.FoundAsset) bool) error {
	for _, h := range f.hits {
		found, err := a.hit(c, f, h)
		if err != nil {
			return err
		}
		for _, asset := range found.Assets {
			if f.query.MatchesAsset(asset.Asset) && !do(asset) {
				return nil
			}
		}
	}
	return nil
}

// searchDownload leads to the one asset that is found, or to the first one of an order.
func (a *API) searchDownload(c *call) (any, error) {
	f, err := a.searchFor(c, searchPage, false)
	if err != nil {
		return nil, err
	}
	var assets []repository.FoundAsset
	err = a.eachAsset(c, f, func(found repository.FoundAsset) bool {
		assets = append(assets, found)
		return len(assets) < 2
	})
	switch {
	case err != nil:
		return nil, err
	case len(assets) == 0:
		return nil, &message{status: http.StatusNotFound, text: "Asset search returned no results", plain: true}
	case len(assets) > 1 && f.query.Sort == search.Unsorted:
		return nil, &message{
			status: http.StatusBadRequest, plain: true,
			text: "Search returned multiple assets, please refine search criteria to find a single asset or use the sort query parameter to retrieve the first result.",
		}
	}
	location := repositoryURL(c, assets[0].Repository.Name) + (&url.URL{Path: assets[0].Path}).EscapedPath()
	return &formats.Response{Status: http.StatusFound, Header: http.Header{"Location": {location}}}, nil
}
