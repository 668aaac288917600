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

// reseal has nothing to do while the key file holds one key. Where it holds more, what an older key sealed is sealed with the first
// key whenever it is stored again; there is no sooner way.
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
	switch {
	case !slices.Contains(keys, id):
		return nil, messagef(http.StatusBadRequest, "Key id '%s' not found. Check secrets configuration, make sure the file and key id exists.", id)
	case keys[0] != id:
		return nil, messagef(http.StatusBadRequest, "Key id '%s' is not the first of the key file, so nothing is sealed with it.", id)
	case len(keys) > 1:
		return nil, messagef(http.StatusBadRequest, "Key id '%s' seals new secrets. Those of other keys are sealed with it when they are stored again.", id)
	}
	return object{{"status", "done"}, {"message", "All secrets are sealed with this key."}}, nil
}
