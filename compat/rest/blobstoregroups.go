package rest

import (
	"net/http"

	"entrepot/app/repository"
	"entrepot/formats"
)

type storeGroupBody struct {
	Name    *string    `json:"name"`
	Members []string   `json:"members"`
	Fill    *string    `json:"fillPolicy"`
	Quota   *quotaBody `json:"softQuota"`
}

// storeGroupInput reads and checks a body, then the caller's right.
func (c *call) storeGroupInput() (*storeGroupBody, error) {
	var b storeGroupBody
	if err := c.decode(&b); err != nil {
		return nil, err
	}
	var v violations
	if c.Method == http.MethodPost && deref(b.Name) == "" {
		v.parameter("name", "Name is required")
	}
	if b.Members == nil {
		v.parameter("members", mustNotBeNull)
	}
	need(&v, "fillPolicy", b.Fill)
	if len(v) > 0 {
		return nil, v
	}
	return &b, c.authorize()
}

func (a *API) createStoreGroup(c *call) (any, error) {
	b, err := c.storeGroupInput()
	if err != nil {
		return nil, err
	}
	store := repository.BlobStore{
		Name: *b.Name, Type: repository.BlobStoreGroup, Members: b.Members, FillPolicy: repository.FillPolicy(*b.Fill), Quota: b.Quota.quota(),
	}
	return nil, wordStore(a.engine.CreateBlobStore(c.Context(), store))
}

// storeGroup looks a group up.
func (a *API) storeGroup(name string) (repository.BlobStore, error) {
	s, err := a.engine.BlobStore(name)
	if err != nil || s.Type != repository.BlobStoreGroup {
		return s, noStore("Group", name)
	}
	return s, nil
}

func (a *API) getStoreGroup(c *call) (any, error) {
	s, err := a.storeGroup(c.Param("name"))
	if err != nil {
		return nil, err
	}
	return storeGroup(s), nil
}

func storeGroup(s repository.BlobStore) object {
	return object{{"softQuota", softQuota(s.Quota)}, {"name", s.Name}, {"members", list(s.Members)}, {"fillPolicy", s.FillPolicy}}
}

func (a *API) updateStoreGroup(c *call) (any, error) {
	b, err := c.storeGroupInput()
	if err != nil {
		return nil, err
	}
	s, err := a.storeGroup(c.Param("name"))
	if err != nil {
		return nil, err
	}
	s.Members, s.FillPolicy, s.Quota = b.Members, repository.FillPolicy(*b.Fill), b.Quota.quota()
	return nil, wordStore(a.engine.UpdateBlobStore(c.Context(), s))
}

// convertStore makes a blob store the only member of a group that takes its name.
func (a *API) convertStore(c *call) (any, error) {
	if err := c.signedIn(); err != nil {
		return nil, err
	}
	group, err := a.engine.ConvertBlobStore(c.Context(), c.Param("name"), c.Param("newNameForOriginal"))
	switch {
	case formats.KindOf(err) == formats.NotFound:
		return nil, noStore("", c.Param("name"))
	case err != nil:
		return nil, wordStore(err)
	}
	return storeGroup(group), nil
}
