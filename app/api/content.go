package api

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"entrepot/app/repository"
	"entrepot/app/server"
	"entrepot/formats"
	"entrepot/storage/kv"
)

func (a *API) contentOperations() []operation {
	return []operation{
		{method: http.MethodGet, path: "components", access: server.Content(), run: a.listComponents},
		{method: http.MethodGet, path: "components/{id}", access: server.Content(), run: a.getComponent},
		{method: http.MethodDelete, path: "components/{id}", access: server.Content(), run: a.deleteComponent},
		{method: http.MethodGet, path: "assets", access: server.Content(), run: a.listAssets},
		{method: http.MethodGet, path: "assets/{id}", access: server.Content(), run: a.getAsset},
		{method: http.MethodDelete, path: "assets/{id}", access: server.Content(), run: a.deleteAsset},
	}
}

// Asset is a path in a repository with what is known about it.
type Asset struct {
	ID             string            `json:"id"`
	Repository     string            `json:"repository"`
	Format         string            `json:"format"`
	Path           string            `json:"path" example:"/org/acme/lib/1.0/lib-1.0.jar"`
	DownloadURL    string            `json:"downloadUrl"`
	ContentType    string            `json:"contentType"`
	Size           int64             `json:"size"` // bytes
	Checksums      Checksums         `json:"checksums"`
	Created        *time.Time        `json:"created,omitempty"`        // first time the path was stored
	Updated        *time.Time        `json:"updated,omitempty"`        // when its present bytes were stored
	LastDownloaded *time.Time        `json:"lastDownloaded,omitempty"` // absent when never
	Uploader       string            `json:"uploader,omitempty"`
	UploaderIP     string            `json:"uploaderIp,omitempty"`
	Attributes     map[string]string `json:"attributes,omitempty"` // the format's own
}

// Checksums are the digests of an asset in hex. One that is not known yet is absent.
type Checksums struct {
	SHA1   string `json:"sha1,omitempty"`
	SHA256 string `json:"sha256,omitempty"`
	SHA512 string `json:"sha512,omitempty"`
	MD5    string `json:"md5,omitempty"`
}

// Component is what assets belong to.
type Component struct {
	ID         string            `json:"id"`
	Repository string            `json:"repository"`
	Format     string            `json:"format"`
	Group      string            `json:"group,omitempty"`
	Name       string            `json:"name"`
	Version    string            `json:"version,omitempty"`
	Created    *time.Time        `json:"created,omitempty"`
	Updated    *time.Time        `json:"updated,omitempty"`
	Attributes map[string]string `json:"attributes,omitempty"`
	Assets     []Asset           `json:"assets"`
}

// reference is the id of an asset or a component: the repository that keeps it, and its number there.
func reference(repository string, id uint64) string {
	return base64.RawURLEncoding.EncodeToString([]byte(repository + ":" + strconv.FormatUint(id, 16)))
}

// parseReference reads an id. What is none names nothing.
func parseReference(text string) (repository string, id uint64, err error) {
	raw, err := base64.RawURLEncoding.DecodeString(text)
	repository, number, ok := strings.Cut(string(raw), ":")
	if err == nil {
		id, err = strconv.ParseUint(number, 16, 64)
	}
	if err != nil || !ok {
		return "", 0, &formats.Error{Kind: formats.NotFound}
	}
	return repository, id, nil
}

// moment gives a time that is known.
func moment(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

func assetOf(c *call, f repository.FoundAsset) Asset {
	d := f.Digests
	return Asset{
		ID: reference(f.Holder.Name, f.ID), Repository: f.Repository.Name, Format: f.Repository.Format, Path: f.Path,
		DownloadURL: c.BaseURL() + "/repository/" + f.Repository.Name + (&url.URL{Path: f.Path}).EscapedPath(),
		ContentType: f.ContentType, Size: f.Size, Checksums: Checksums{d.SHA1, d.SHA256, d.SHA512, d.MD5}, Created: moment(f.Created), Updated: moment(f.BlobUpdated),
		LastDownloaded: moment(f.LastDownloaded), Uploader: f.Uploader, UploaderIP: f.UploaderIP, Attributes: f.Format,
	}
}

func componentOf(c *call, f repository.FoundComponent) Component {
	out := Component{
		ID: reference(f.Holder.Name, f.ID), Repository: f.Repository.Name, Format: f.Repository.Format, Group: f.Group, Name: f.Name, Version: f.Version,
		Created: moment(f.Created), Updated: moment(f.Updated), Attributes: f.Attributes, Assets: []Asset{},
	}
	for _, a := range f.Assets {
		out.Assets = append(out.Assets, assetOf(c, a))
	}
	return out
}

// contentPage cuts the engine's pages to the size that the request asks for. Its cursor is the engine's token and how many items of
// that page were given already.
func contentPage[F, T any](c *call, read func(repository, token string) (repository.Page[F], error), show func(*call, F) T) (*formats.Response, error) {
	limit, err := c.limit()
	if err != nil {
		return nil, err
	}
	name := c.Query().Get("repository")
	if name == "" {
		return nil, badParameter("repository", "must name a repository")
	}
	at, err := c.cursor()
	if err != nil {
		return nil, err
	}
	number, token, _ := strings.Cut(at, " ")
	skip, _ := strconv.Atoi(number)
	found, err := read(name, token)
	if err != nil {
		return nil, err
	}
	items := found.Items[min(max(skip, 0), len(found.Items)):]
	next := ""
	if len(items) > limit {
		items, next = items[:limit], strconv.Itoa(skip+limit)+" "+token
	} else if found.Next != "" {
		next = "0 " + found.Next
	}
	shown := make([]T, 0, len(items))
	for _, f := range items {
		shown = append(shown, show(c, f))
	}
	return paged(c, shown, next)
}

// listComponents gives the components of a repository.
//
//	@Summary		List components
//	@Description	The components of a repository, of a proxy those of its members, in the order of storing. A part may be shorter than the limit. Shows what the caller may browse or read.
//	@Tags			content
//	@Param			repository	query		string	true	"name of the repository"
//	@Param			limit		query		int		false	"how many at most"	minimum(1)	maximum(1000)	default(100)
//	@Param			cursor		query		string	false	"where to go on: next of the part before"
//	@Success		200			{object}	Page[Component]
//	@Failure		400			{object}	Problem
//	@Failure		401			{object}	Problem
//	@Failure		403			{object}	Problem
//	@Failure		404			{object}	Problem
//	@Router			/components [get]
func (a *API) listComponents(c *call) (*formats.Response, error) {
	return contentPage(c, func(name, token string) (repository.Page[repository.FoundComponent], error) {
		return a.Engine.Components(c.Context(), c.subject, name, token)
	}, componentOf)
}

// listAssets gives the assets of a repository.
//
//	@Summary		List assets
//	@Description	The assets of a repository, of a proxy those of its members, in the order of storing. A part may be shorter than the limit. Shows what the caller may browse or read.
//	@Tags			content
//	@Param			repository	query		string	true	"name of the repository"
//	@Param			limit		query		int		false	"how many at most"	minimum(1)	maximum(1000)	default(100)
//	@Param			cursor		query		string	false	"where to go on: next of the part before"
//	@Success		200			{object}	Page[Asset]
//	@Failure		400			{object}	Problem
//	@Failure		401			{object}	Problem
//	@Failure		403			{object}	Problem
//	@Failure		404			{object}	Problem
//	@Router			/assets [get]
func (a *API) listAssets(c *call) (*formats.Response, error) {
	return contentPage(c, func(name, token string) (repository.Page[repository.FoundAsset], error) {
		return a.Engine.Assets(c.Context(), c.subject, name, token)
	}, assetOf)
}

// getComponent gives a component.
//
//	@Summary		Read a component
//	@Description	For those who may browse or read it.
//	@Tags			content
//	@Param			id				path		string	true	"which"
//	@Param			If-None-Match	header		string	false	"tag of the document that the client has"
//	@Success		200				{object}	Component
//	@Success		304
//	@Failure		401	{object}	Problem
//	@Failure		403	{object}	Problem
//	@Failure		404	{object}	Problem
//	@Router			/components/{id} [get]
func (a *API) getComponent(c *call) (*formats.Response, error) {
	name, id, err := parseReference(c.key())
	if err != nil {
		return nil, err
	}
	f, err := a.Engine.Component(c.Context(), c.subject, repository.Locator{Repository: name, ID: id})
	if err != nil {
		return nil, err
	}
	return c.show(componentOf(c, f), kv.Row{})
}

// getAsset gives an asset.
//
//	@Summary		Read an asset
//	@Description	For those who may browse or read it.
//	@Tags			content
//	@Param			id				path		string	true	"which"
//	@Param			If-None-Match	header		string	false	"tag of the document that the client has"
//	@Success		200				{object}	Asset
//	@Success		304
//	@Failure		401	{object}	Problem
//	@Failure		403	{object}	Problem
//	@Failure		404	{object}	Problem
//	@Router			/assets/{id} [get]
func (a *API) getAsset(c *call) (*formats.Response, error) {
	name, id, err := parseReference(c.key())
	if err != nil {
		return nil, err
	}
	f, err := a.Engine.Asset(c.Context(), c.subject, repository.Locator{Repository: name, ID: id})
	if err != nil {
		return nil, err
	}
	return c.show(assetOf(c, f), kv.Row{})
}

// deleteComponent deletes a component with its assets.
//
//	@Summary		Delete a component
//	@Description	With all its assets. Needs delete on each of them.
//	@Tags			content
//	@Param			id	path	string	true	"which"
//	@Success		204
//	@Failure		401	{object}	Problem
//	@Failure		403	{object}	Problem
//	@Failure		404	{object}	Problem
//	@Failure		409	{object}	Problem
//	@Failure		503	{object}	Problem
//	@Router			/components/{id} [delete]
func (a *API) deleteComponent(c *call) (*formats.Response, error) {
	name, id, err := parseReference(c.key())
	if err != nil {
		return nil, err
	}
	return empty(), a.Engine.DeleteComponent(c.Context(), c.subject, repository.Locator{Repository: name, ID: id})
}

// deleteAsset deletes an asset.
//
//	@Summary		Delete an asset
//	@Description	Needs delete on it.
//	@Tags			content
//	@Param			id	path	string	true	"which"
//	@Success		204
//	@Failure		401	{object}	Problem
//	@Failure		403	{object}	Problem
//	@Failure		404	{object}	Problem
//	@Failure		409	{object}	Problem
//	@Failure		503	{object}	Problem
//	@Router			/assets/{id} [delete]
func (a *API) deleteAsset(c *call) (*formats.Response, error) {
	name, id, err := parseReference(c.key())
	if err != nil {
		return nil, err
	}
	return empty(), a.Engine.DeleteAsset(c.Context(), c.subject, repository.Locator{Repository: name, ID: id})
}
