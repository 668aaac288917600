package api

import (
	"net/http"

	"entrepot/app/server"
	"entrepot/formats"
)

func (a *API) blobStoreOperations() []operation {
	return []operation{
		{method: http.MethodGet, path: "blob-stores", access: server.Permission("nexus:blobstores:read"), run: a.listBlobStores},
		{method: http.MethodPost, path: "blob-stores", access: server.Permission("nexus:blobstores:create"), run: a.createBlobStore},
		{method: http.MethodGet, path: "blob-stores/{name}", access: server.Permission("nexus:blobstores:read"), run: a.getBlobStore},
		{method: http.MethodPut, path: "blob-stores/{name}", access: server.Permission("nexus:blobstores:update"), run: a.replaceBlobStore},
		{method: http.MethodPatch, path: "blob-stores/{name}", access: server.Permission("nexus:blobstores:update"), run: a.patchBlobStore},
		{method: http.MethodDelete, path: "blob-stores/{name}", access: server.Permission("nexus:blobstores:delete"), run: a.deleteBlobStore},
		{method: http.MethodGet, path: "blob-stores/{name}/status", access: server.Permission("nexus:blobstores:read"), run: a.blobStoreStatus},
	}
}

// listBlobStores gives the blob stores by name.
//
//	@Summary	List blob stores
//	@Description	All blob stores by name. Needs nexus:blobstores:read.
//	@Tags	blob-stores
//	@Param	limit query int false "how many at most" minimum(1) maximum(1000) default(100)
//	@Param	cursor query string false "where to go on: next of the part before"
//	@Success	200 {object} Page[resource.BlobStore]
//	@Failure	400 {object} Problem
//	@Failure	401 {object} Problem
//	@Failure	403 {object} Problem
//	@Router	/blob-stores [get]
func (a *API) listBlobStores(c *call) (*formats.Response, error) { return a.blobStores.list(c) }

// createBlobStore makes a blob store.
//
//	@Summary	Make a blob store
//	@Description	Needs nexus:blobstores:create.
//	@Tags	blob-stores
//	@Param	document body resource.BlobStore true "a blob store"
//	@Success	201 {object} resource.BlobStore
//	@Failure	400 {object} Problem
//	@Failure	401 {object} Problem
//	@Failure	403 {object} Problem
//	@Failure	409 {object} Problem
//	@Failure	415 {object} Problem
//	@Failure	422 {object} Problem
//	@Failure	503 {object} Problem
//	@Router	/blob-stores [post]
func (a *API) createBlobStore(c *call) (*formats.Response, error) { return a.blobStores.create(c) }

// getBlobStore gives a blob store.
//
//	@Summary	Read a blob store
//	@Description	Needs nexus:blobstores:read.
//	@Tags	blob-stores
//	@Param	name path string true "which"
//	@Param	If-None-Match header string false "tag of the document that the client has"
//	@Success	200 {object} resource.BlobStore
//	@Success	304
//	@Failure	401 {object} Problem
//	@Failure	403 {object} Problem
//	@Failure	404 {object} Problem
//	@Router	/blob-stores/{name} [get]
func (a *API) getBlobStore(c *call) (*formats.Response, error) { return a.blobStores.get(c) }

// replaceBlobStore puts a blob store in the place of what is there.
//
//	@Summary	Replace a blob store
//	@Description	A path that is changed takes effect at once: the blobs must be there. Needs nexus:blobstores:update.
//	@Tags	blob-stores
//	@Param	name path string true "which"
//	@Param	If-Match header string false "tag of the document as it was seen"
//	@Param	document body resource.BlobStore true "all of it: absent members get their defaults"
//	@Success	200 {object} resource.BlobStore
//	@Failure	400 {object} Problem
//	@Failure	401 {object} Problem
//	@Failure	403 {object} Problem
//	@Failure	404 {object} Problem
//	@Failure	409 {object} Problem
//	@Failure	412 {object} Problem
//	@Failure	415 {object} Problem
//	@Failure	422 {object} Problem
//	@Failure	503 {object} Problem
//	@Router	/blob-stores/{name} [put]
func (a *API) replaceBlobStore(c *call) (*formats.Response, error) { return a.blobStores.replace(c) }

// patchBlobStore changes members of a blob store.
//
//	@Summary	Change a blob store
//	@Description	A merge patch as of RFC 7396: null takes a member away. A path that is changed takes effect at once: the blobs must be there. Needs nexus:blobstores:update.
//	@Tags	blob-stores
//	@Param	name path string true "which"
//	@Param	If-Match header string false "tag of the document as it was seen"
//	@Param	patch body resource.BlobStore true "the members that change"
//	@Success	200 {object} resource.BlobStore
//	@Failure	400 {object} Problem
//	@Failure	401 {object} Problem
//	@Failure	403 {object} Problem
//	@Failure	404 {object} Problem
//	@Failure	409 {object} Problem
//	@Failure	412 {object} Problem
//	@Failure	415 {object} Problem
//	@Failure	422 {object} Problem
//	@Failure	503 {object} Problem
//	@Router	/blob-stores/{name} [patch]
func (a *API) patchBlobStore(c *call) (*formats.Response, error) { return a.blobStores.patch(c) }

// deleteBlobStore deletes a blob store.
//
//	@Summary	Delete a blob store
//	@Description	Its bytes stay where they are. One that a repository uses cannot be deleted. Needs nexus:blobstores:delete.
//	@Tags	blob-stores
//	@Param	name path string true "which"
//	@Param	If-Match header string false "tag of the document as it was seen"
//	@Success	204
//	@Failure	401 {object} Problem
//	@Failure	403 {object} Problem
//	@Failure	404 {object} Problem
//	@Failure	409 {object} Problem
//	@Failure	412 {object} Problem
//	@Failure	503 {object} Problem
//	@Router	/blob-stores/{name} [delete]
func (a *API) deleteBlobStore(c *call) (*formats.Response, error) { return a.blobStores.remove(c) }

// BlobStoreStatus is what a blob store holds.
type BlobStoreStatus struct {
	Name          string   `json:"name"`
	Available     bool     `json:"available"`
	Error         string   `json:"error,omitempty"` // why it is not
	Blobs         int64    `json:"blobs"`           // distinct ones that assets reach
	Bytes         int64    `json:"bytes"`           // sum of their sizes
	FreeBytes     int64    `json:"freeBytes"`       // 0 when nobody knows
	QuotaExceeded bool     `json:"quotaExceeded"`
	Repositories  []string `json:"repositories"` // that keep their content in it
}

// blobStoreStatus counts what is in a blob store.
//
//	@Summary		Count what is in a blob store
//	@Description	Needs nexus:blobstores:read.
//	@Tags			blob-stores
//	@Param			name	path		string	true	"which"
//	@Success		200		{object}	BlobStoreStatus
//	@Failure		401		{object}	Problem
//	@Failure		403		{object}	Problem
//	@Failure		404		{object}	Problem
//	@Router			/blob-stores/{name}/status [get]
func (a *API) blobStoreStatus(c *call) (*formats.Response, error) {
	s, err := a.Engine.BlobStoreStatus(c.Context(), c.key())
	if err != nil {
		return nil, err
	}
	status := BlobStoreStatus{
		Name: s.Name, Available: s.Err == nil, Blobs: s.Blobs, Bytes: s.Bytes, FreeBytes: s.Free, QuotaExceeded: s.Exceeded(),
		Repositories: append([]string{}, a.Engine.BlobStoreUsers(s.Name)...),
	}
	if s.Err != nil {
		status.Error = s.Err.Error()
	}
	return reply(http.StatusOK, status)
}
