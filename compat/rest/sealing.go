package rest

import (
	"net/http"
	"slices"

	"entrepot/app/server"
)

func (a *API) sealingOperations() []operation {
	return []operation{{
		method: http.MethodPut, path: "v1/secrets/encryption/re-encrypt", access: server.PermissionAfterBody("nexus:*"), consumes: mediaJSON,
		status: http.StatusAccepted, run: a.reseal,
	}}
}

type resealBody struct {
	Key    *string `json:"secretKeyId"`
	Notify *string `json:"notifyEmail"`
}

// reseal stores all secrets again with the key that the body names, which has to be the first of the key file.
func (a *API) reseal(c *call) (any, error) {
	var b resealBody
	if err := c.decode(&b); err != nil {
		return nil, err
	}
	id := deref(b.Key)
	if id == "" {
		return nil, violations{{"PARAMETER secretKeyId", "must not be blank"}}
	}
	if err := c.authorize(); err != nil {
		return nil, err
	}
	keys := a.Diagnostics.SealKeys()
	if !slices.Contains(keys, id) {
		return nil, messagef(http.StatusBadRequest, "Key id '%s' not found. Check secrets configuration, make sure the file and key id exists.", id)
	}
	if keys[0] != id {
		return nil, messagef(http.StatusBadRequest, "Key id '%s' is not the first of the key file, so nothing is sealed with it.", id)
	}
	if err := a.engine.Writable(); err != nil {
		return nil, err
	}
	if err := a.Reseal(c.Context()); err != nil {
		return nil, err
	}
	return object{{"status", "done"}, {"message", "All secrets are sealed with this key. Keys after it can be removed from the key file."}}, nil
}
