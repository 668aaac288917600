package extdirect

import (
	"slices"
	"strconv"
	"strings"

	"entrepot/app/access"
	"entrepot/app/repository"
	"entrepot/compat/names"
	"entrepot/formats"
)

func (c *Calls) repositoryMethods() []method {
	return []method{
		{"coreui_Repository.readReferences", "", 1, c.repositories},
		{"coreui_Repository.readReferencesAddingEntryForAll", "", 1, c.repositoriesAndAll},
		{"coreui_Repository.readReferencesAddingEntriesForAllFormats", "", 1, c.repositoriesAndFormats},
		{"coreui_Repository.readRecipes", "", 0, c.recipes},
		{"coreui_Repository.getBrowseableFormats", "", 0, func(q *request) (any, error) { return c.browseable(q.subject), nil }},
		{"coreui_Browse.read", "", 1, c.browse},
		{"coreui_Upload.getUploadDefinitions", "", 0, c.uploadDefinitions},
		{"coreui_Blobstore.read", "nexus:blobstores:read", 0, c.blobStores},
		{"coreui_Blobstore.readNames", "nexus:blobstores:read", 0, c.blobStoreNames},
	}
}

// shownRepository is a repository that the caller may browse.
type shownRepository struct {
	ID            string        `json:"id"`
	Name          string        `json:"name"`
	Type          string        `json:"type"`
	Format        string        `json:"format"`
	VersionPolicy *string       `json:"versionPolicy"` // maven2
	URL           string        `json:"url"`
	BlobStore     string        `json:"blobStoreName"`
	Status        *onlineStatus `json:"status"`
	Order         int           `json:"sortOrder"`
}

type onlineStatus struct {
	Online      bool    `json:"online"`
	Description *string `json:"description"` // how the upstream stands
	Reason      *string `json:"reason"`
}

func (c *Calls) repositories(q *request) (any, error) { return c.visible(q), nil }

func (c *Calls) visible(q *request) []shownRepository {
	out := []shownRepository{}
	for _, d := range c.Engine.Visible(q.subject) {
		one := shownRepository{
			ID: d.Name, Name: d.Name, Type: names.Type(d.Kind), Format: d.Format, URL: q.BaseURL() + "/repository/" + d.Name, BlobStore: d.BlobStore,
			Status: &onlineStatus{Online: d.Online},
		}
		if policy := d.Settings["versionPolicy"]; policy != "" {
			one.VersionPolicy = &policy
		}
		if state, _, ok := c.Engine.UpstreamState(d.Name); ok && d.Online {
			text := string(state)
			one.Status.Description = &text
		}
		out = append(out, one)
	}
	return out
}

func (c *Calls) repositoriesAndAll(q *request) (any, error) {
	all := shownRepository{ID: "*", Name: "(All Repositories)", Order: 1}
	return append([]shownRepository{all}, c.visible(q)...), nil
}

func (c *Calls) repositoriesAndFormats(q *request) (any, error) {
	visible := c.visible(q)
	out := []shownRepository{{ID: "*", Name: "(All Repositories)", Order: 2}}
	for _, format := range c.browseable(q.subject) {
		out = append(out, shownRepository{ID: "*-" + format.ID, Name: "(All " + format.ID + " Repositories)", Format: format.ID, Order: 1})
	}
	return append(out, visible...), nil
}

// recipes are the formats with the types that repositories of each may have.
func (c *Calls) recipes(*request) (any, error) {
	out := []reference{}
	for _, format := range repository.KnownFormats() {
		for _, kind := range repository.KindsOf(format) {
			out = append(out, reference{names.Recipe(format, kind), format + " (" + names.Type(kind) + ")"})
		}
	}
	return out, nil
}

type namedFormat struct {
	ID string `json:"id"`
}

// browseable gives the formats of the repositories that somebody may browse.
func (c *Calls) browseable(s *access.Subject) []namedFormat {
	out := []namedFormat{}
	for _, d := range c.Engine.Visible(s) {
		if !slices.Contains(out, namedFormat{d.Format}) {
			out = append(out, namedFormat{d.Format})
		}
	}
	slices.SortFunc(out, func(a, b namedFormat) int { return strings.Compare(a.ID, b.ID) })
	return out
}

// maxEntries is the most entries of a folder that are listed, as on the old server.
const maxEntries = 10_000

// browse lists a folder of a repository.
func (c *Calls) browse(q *request) (any, error) {
	type entry struct {
		ID        string  `json:"id"`
		Text      string  `json:"text"`
		Type      string  `json:"type"`
		Leaf      bool    `json:"leaf"`
		Component *string `json:"componentId"`
		Asset     *string `json:"assetId"`
		Package   *string `json:"packageUrl"`
	}
	var in struct {
		Repository string `json:"repositoryName"`
		Node       string `json:"node"`
	}
	if err := q.argument(&in); err != nil {
		return nil, err
	}
	dir := "/" + strings.Trim(in.Node, "/") + "/"
	if dir == "//" {
		dir = "/"
	}
	nodes, err := c.Engine.Browse(q.Context(), q.subject, in.Repository, dir, repository.BrowsePage{Limit: maxEntries})
	if err != nil {
		return nil, err
	}
	out := []entry{}
	for _, n := range nodes {
		one := entry{ID: strings.Trim(n.Path, "/"), Text: n.Name, Type: "folder", Leaf: !n.Folder}
		if n.Asset != nil {
			id := strconv.FormatUint(n.Asset.ID, 10)
			one.Type, one.Asset = "asset", &id
		}
		out = append(out, one)
	}
	return out, nil
}

type uploadField struct {
	Display  string  `json:"displayName"`
	Help     *string `json:"helpText"`
	Name     string  `json:"name"`
	Optional bool    `json:"optional"`
	Type     string  `json:"type"`
	Group    *string `json:"group"`
}

func uploadFields(in []formats.UploadField) []uploadField {
	out := []uploadField{}
	for _, f := range in {
		one := uploadField{Display: f.Display, Name: f.Name, Optional: f.Optional, Type: "STRING"}
		if f.Boolean {
			one.Type = "BOOLEAN"
		}
		if f.Help != "" {
			one.Help = &f.Help
		}
		if f.Group != "" {
			one.Group = &f.Group
		}
		out = append(out, one)
	}
	return out
}

// uploadDefinitions describes the upload forms of all formats.
func (c *Calls) uploadDefinitions(*request) (any, error) {
	type shown struct {
		UI        bool          `json:"uiUpload"`
		API       bool          `json:"apiUpload"`
		Multiple  bool          `json:"multipleUpload"`
		Format    string        `json:"format"`
		Component []uploadField `json:"componentFields"`
		Asset     []uploadField `json:"assetFields"`
		Guess     *string       `json:"regexMap"` // how to fill fields from a file's name; the client's business
	}
	out := []shown{}
	for _, format := range c.Engine.UploadFormats() {
		spec, err := c.Engine.UploadSpec(format)
		if err != nil {
			return nil, err
		}
		out = append(out, shown{
			UI: true, API: true, Multiple: spec.Multiple, Format: format, Component: uploadFields(spec.Component), Asset: uploadFields(spec.Asset),
		})
	}
	return out, nil
}

func (c *Calls) blobStores(q *request) (any, error) {
	type shown struct {
		Name       string                    `json:"name"`
		Type       string                    `json:"type"`
		HasQuota   bool                      `json:"isQuotaEnabled"`
		QuotaType  *string                   `json:"quotaType"`
		QuotaLimit *int64                    `json:"quotaLimit"`
		Attributes map[string]map[string]any `json:"attributes"`
		Blobs      int64                     `json:"blobCount"`
		Bytes      int64                     `json:"totalSize"`
		Free       int64                     `json:"availableSpace"`
		Users      int                       `json:"repositoryUseCount"`
		Unlimited  bool                      `json:"unlimited"`
		Broken     bool                      `json:"unavailable"`
		InUse      bool                      `json:"inUse"`
	}
	out := []shown{}
	for _, store := range c.Engine.BlobStores() {
		s, err := c.Engine.BlobStoreStatus(q.Context(), store.Name)
		if formats.KindOf(err) == formats.NotFound { // deleted meanwhile
			continue
		}
		if err != nil {
			return nil, err
		}
		users := len(c.Engine.BlobStoreUsers(s.Name))
		one := shown{
			Name: s.Name, Type: strings.ToUpper(s.Type[:1]) + s.Type[1:], Attributes: map[string]map[string]any{s.Type: {"path": s.Path}},
			Blobs: s.Blobs, Bytes: s.Bytes, Free: s.Free, Users: users, Broken: s.Err != nil, InUse: users > 0,
		}
		if s.Quota != nil {
			one.HasQuota, one.QuotaType, one.QuotaLimit = true, &s.Quota.Type, &s.Quota.Limit
		}
		out = append(out, one)
	}
	return out, nil
}

func (c *Calls) blobStoreNames(*request) (any, error) {
	type named struct {
		Name string `json:"name"`
	}
	out := []named{}
	for _, s := range c.Engine.BlobStores() {
		out = append(out, named{s.Name})
	}
	return out, nil
}
