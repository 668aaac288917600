package rest

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"entrepot/app/repository"
	"entrepot/app/server"
	"entrepot/formats"
)

func (a *API) blobStoreOperations() []operation {
	const path = "v1/blobstores"
	return append(a.bucketOperations(), []operation{
		{method: http.MethodGet, path: path, access: server.Permission("nexus:blobstores:read"), run: a.listBlobStores},
		{method: http.MethodDelete, path: path + "/{name}", access: server.Permission("nexus:blobstores:delete"), run: a.deleteBlobStore},
		{method: http.MethodGet, path: path + "/{name}/quota-status", access: server.Permission("nexus:blobstores:read"), run: a.quotaStatus},
		{method: http.MethodPost, path: path + "/file", access: server.PermissionAfterBody("nexus:blobstores:create"), consumes: mediaJSON, run: a.createFileStore},
		{method: http.MethodGet, path: path + "/file/{name}", access: server.Permission("nexus:blobstores:read"), run: a.getFileStore},
		{method: http.MethodPut, path: path + "/file/{name}", access: server.PermissionAfterBody("nexus:blobstores:update"), consumes: mediaJSON, run: a.updateFileStore},
		{method: http.MethodGet, path: "internal/ui/blobstores/quotaTypes", access: server.Permission("nexus:blobstores:read"), run: quotaTypes},
		{method: http.MethodGet, path: "internal/ui/blobstores/usage/{name}", access: server.Permission("nexus:blobstores:read"), run: a.blobStoreUsage},
		{method: http.MethodPost, path: path + "/group", access: server.PermissionAfterBody("nexus:blobstores:create"), consumes: mediaJSON, run: a.createStoreGroup},
		{method: http.MethodPost, path: path + "/group/convert/{name}/{newNameForOriginal}", access: server.Permission("nexus:blobstores:create"), run: a.convertStore},
		{method: http.MethodGet, path: path + "/group/{name}", access: server.Permission("nexus:blobstores:read"), run: a.getStoreGroup},
		{method: http.MethodPut, path: path + "/group/{name}", access: server.PermissionAfterBody("nexus:blobstores:update"), consumes: mediaJSON, run: a.updateStoreGroup},
	}...)
}

type fileStoreBody struct {
	Name  *string    `json:"name"`
	Path  *string    `json:"path"`
	Quota *quotaBody `json:"softQuota"`
}

type quotaBody struct {
	Type  *string `json:"type"`
	Limit *int64  `json:"limit"`
}

func (q *quotaBody) quota() *repository.SoftQuota {
	if q == nil {
		return nil
	}
	limit := int64(-1)
	if q.Limit != nil {
		limit = *q.Limit
	}
	return &repository.SoftQuota{Type: deref(q.Type), Limit: limit}
}

func softQuota(q *repository.SoftQuota) any {
	if q == nil {
		return nil
	}
	return object{{"type", emptyAsNull(q.Type)}, {"limit", q.Limit}}
}

// storeTypes is how clients spell the types of blob stores.
var storeTypes = map[string]string{
	repository.BlobStoreFile: "File", repository.BlobStoreGroup: "Group", bucketType: "S3",
	"azure cloud storage": "Azure Cloud Storage", "google cloud storage": "Google Cloud Storage",
}

func storeType(t string) string {
	if word, ok := storeTypes[t]; ok {
		return word
	}
	return t
}

// listBlobStores puts the store of that name first that every server begins with: clients take the first one for it.
func (a *API) listBlobStores(c *call) (any, error) {
	stores := a.engine.BlobStores()
	slices.SortStableFunc(stores, func(x, y repository.BlobStore) int {
		return cmp.Compare(rank(x.Name), rank(y.Name))
	})
	out := []object{}
	for _, store := range stores {
		s, err := a.engine.BlobStoreStatus(c.Context(), store.Name)
		if formats.KindOf(err) == formats.NotFound { // deleted meanwhile
			continue
		}
		if err != nil {
			return nil, err
		}
		out = append(out, object{
			{"softQuota", softQuota(s.Quota)}, {"name", s.Name}, {"type", storeType(s.Type)}, {"unavailable", s.Err != nil},
			{"blobCount", s.Blobs}, {"totalSizeInBytes", s.Bytes}, {"availableSpaceInBytes", s.Free},
		})
	}
	return out, nil
}

func rank(name string) int {
	if name == "default" {
		return 0
	}
	return 1
}

// noStore answers a name that no blob store of a type has; "" is any type.
func noStore(t, name string) error {
	return messagef(http.StatusNotFound, "Unable to find %s '%s' blobstore", t, name)
}

func (a *API) getFileStore(c *call) (any, error) {
	s, err := a.engine.BlobStore(c.Param("name"))
	if err != nil || s.Type != repository.BlobStoreFile {
		return nil, noStore("File", c.Param("name"))
	}
	return object{{"softQuota", softQuota(s.Quota)}, {"path", s.Path}}, nil
}

// fileStoreInput reads and checks a body, then the caller's right.
func (c *call) fileStoreInput() (*fileStoreBody, error) {
	var b fileStoreBody
	if err := c.decode(&b); err != nil {
		return nil, err
	}
	var v violations
	if c.Method == http.MethodPost && deref(b.Name) == "" {
		v.parameter("name", "Name is required")
	}
	if deref(b.Path) == "" {
		v.parameter("path", "Path is required")
	}
	if len(v) > 0 {
		return nil, v
	}
	return &b, c.authorize()
}

func (a *API) createFileStore(c *call) (any, error) {
	b, err := c.fileStoreInput()
	if err != nil {
		return nil, err
	}
	store := repository.BlobStore{Name: *b.Name, Type: repository.BlobStoreFile, Path: *b.Path, Quota: b.Quota.quota()}
	return nil, wordStore(a.engine.CreateBlobStore(c.Context(), store))
}

func (a *API) updateFileStore(c *call) (any, error) {
	b, err := c.fileStoreInput()
	if err != nil {
		return nil, err
	}
	store, err := a.engine.BlobStore(c.Param("name"))
	if err != nil || store.Type != repository.BlobStoreFile {
		return nil, noStore("File", c.Param("name"))
	}
	store.Path, store.Quota = *b.Path, b.Quota.quota()
	return nil, wordStore(a.engine.UpdateBlobStore(c.Context(), store))
}

// wordStore gives a path that cannot be used as an error of validation, as clients know it.
func wordStore(err error) error {
	var refused *formats.Error
	if errors.As(err, &refused) && refused.Kind == formats.Invalid {
		return violations{{"*", refused.Message}}
	}
	return err
}

func (a *API) deleteBlobStore(c *call) (any, error) {
	if err := c.signedIn(); err != nil {
		return nil, err
	}
	err := a.engine.DeleteBlobStore(c.Context(), c.Param("name"))
	if formats.KindOf(err) == formats.NotFound {
		return nil, noStore("", c.Param("name"))
	}
	return nil, err
}

func (a *API) quotaStatus(c *call) (any, error) {
	s, err := a.engine.BlobStoreStatus(c.Context(), c.Param("name"))
	if err != nil {
		return nil, err
	}
	message := "Blob store " + s.Name + " has no quota"
	switch {
	case s.Quota == nil:
	case s.Quota.Type == repository.QuotaUsed:
		message = fmt.Sprintf("Blob store %s is using %s space and has a limit of %s", s.Name, byteSize(s.Bytes), byteSize(s.Quota.Limit))
	case s.Quota.Type == repository.QuotaRemaining:
		message = fmt.Sprintf("Blob store %s is limited to having %s available space, and has %s space remaining",
			s.Name, byteSize(s.Quota.Limit), byteSize(s.Free))
	}
	return object{{"isViolation", s.Exceeded()}, {"message", message}, {"blobStoreName", s.Name}}, nil
}

// byteSize writes a number of bytes for people, in powers of 1000.
func byteSize(n int64) string {
	const units = "KMGTPE"
	if n < 1000 {
		return fmt.Sprintf("%d.00 B", n)
	}
	size, unit := float64(n), 0
	for size /= 1000; size >= 999.995 && unit < len(units)-1; unit++ {
		size /= 1000
	}
	return fmt.Sprintf("%.2f %cB", size, units[unit])
}

func quotaTypes(*call) (any, error) {
	return []object{
		{{"id", repository.QuotaRemaining}, {"name", "Space Remaining"}},
		{{"id", repository.QuotaUsed}, {"name", "Space Used"}},
	}, nil
}

// blobStoreUsage counts what uses a blob store: repositories and groups.
func (a *API) blobStoreUsage(c *call) (any, error) {
	name := c.Param("name")
	return object{{"repositoryUsage", len(a.engine.BlobStoreUsers(name))}, {"blobStoreUsage", len(a.engine.BlobStoreGroups(name))}}, nil
}
