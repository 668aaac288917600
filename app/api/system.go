package api

import (
	"context"
	_ "embed"
	"net/http"
	"time"

	"entrepot/app/repository"
	"entrepot/app/server"
	"entrepot/formats"
	"entrepot/storage/kv"
)

func (a *API) systemOperations() []operation {
	return []operation{
		{method: http.MethodGet, path: "system/version", access: server.Public(), run: a.getVersion},
		{method: http.MethodGet, path: "system/health", access: server.Public(), run: a.getHealth},
		{method: http.MethodGet, path: "system/node", access: server.Permission("nexus:*"), run: a.getNode},
		{method: http.MethodGet, path: "system/read-only", access: server.Permission("nexus:settings:read"), run: a.getReadOnly},
		{method: http.MethodPut, path: "system/read-only", access: server.Permission("nexus:*"), run: a.putReadOnly},
	}
}

// Version tells which program answers.
type Version struct {
	Name    string `json:"name" example:"entrepot"`
	Version string `json:"version"`
}

// getVersion tells which program answers.
//
//	@Summary		Tell which program answers
//	@Description	For everybody.
//	@Tags			system
//	@Success		200	{object}	Version
//	@Failure		401	{object}	Problem
//	@Router			/system/version [get]
func (a *API) getVersion(*call) (*formats.Response, error) {
	return reply(http.StatusOK, Version{"entrepot", a.Version})
}

// Health tells what the server can do now.
type Health struct {
	Readable bool   `json:"readable"`
	Writable bool   `json:"writable"`
	Detail   string `json:"detail,omitempty"` // what is wrong
}

// getHealth tells what the server can do now.
//
//	@Summary		Tell what the server can do now
//	@Description	For everybody.
//	@Tags			system
//	@Success		200	{object}	Health
//	@Failure		401	{object}	Problem
//	@Failure		503	{object}	Health	"records cannot be read or written"
//	@Router			/system/health [get]
func (a *API) getHealth(c *call) (*formats.Response, error) {
	if err := a.Health(); err != nil {
		a.Log.WarnContext(c.Context(), "health was asked for and is not good", "error", err)
		return reply(http.StatusServiceUnavailable, Health{Detail: "records cannot be read or written; the log says why"})
	}
	if a.Engine.Frozen() != nil {
		return reply(http.StatusOK, Health{Readable: true, Detail: "the server is in read-only mode"})
	}
	return reply(http.StatusOK, Health{Readable: true, Writable: true})
}

// Node tells one server from another.
type Node struct {
	ID string `json:"id"`
}

// getNode gives the server's id.
//
//	@Summary		Read the server's id
//	@Description	Needs nexus:*.
//	@Tags			system
//	@Success		200	{object}	Node
//	@Failure		401	{object}	Problem
//	@Failure		403	{object}	Problem
//	@Router			/system/node [get]
func (a *API) getNode(*call) (*formats.Response, error) {
	return reply(http.StatusOK, Node{a.Node.ID()})
}

// ReadOnly says whether the server takes writes.
type ReadOnly struct {
	ReadOnly bool `json:"readOnly"`
	// The rest is decided by the server.
	Since *time.Time `json:"since,omitempty"`
	Actor string     `json:"actor,omitempty"` // who asked for it
	Task  bool       `json:"task,omitempty"`  // a task of the server did
}

func (a *API) readOnly(ctx context.Context) (ReadOnly, kv.Row, error) {
	row, err := a.Engine.FreezeRow(ctx)
	frozen := a.Engine.Frozen()
	if err != nil || frozen == nil {
		return ReadOnly{}, row, err
	}
	return ReadOnly{ReadOnly: true, Since: &frozen.Since, Actor: frozen.Actor, Task: frozen.System}, row, nil
}

// getReadOnly tells whether the server takes writes.
//
//	@Summary		Tell whether the server takes writes
//	@Description	Needs nexus:settings:read.
//	@Tags			system
//	@Param			If-None-Match	header		string	false	"tag of the document that the client has"
//	@Success		200				{object}	ReadOnly
//	@Success		304
//	@Failure		401	{object}	Problem
//	@Failure		403	{object}	Problem
//	@Router			/system/read-only [get]
func (a *API) getReadOnly(c *call) (*formats.Response, error) {
	doc, row, err := a.readOnly(c.Context())
	if err != nil {
		return nil, err
	}
	return c.show(doc, row)
}

// putReadOnly makes the server take no writes, or take them again.
//
//	@Summary		Start or end read-only mode
//	@Description	Ends it also when a task of the server began it. Needs nexus:*.
//	@Tags			system
//	@Param			If-Match	header		string		false	"tag of the document as it was seen"
//	@Param			document	body		ReadOnly	true	"what is wanted"
//	@Success		200			{object}	ReadOnly
//	@Failure		400			{object}	Problem
//	@Failure		401			{object}	Problem
//	@Failure		403			{object}	Problem
//	@Failure		412			{object}	Problem
//	@Failure		415			{object}	Problem
//	@Router			/system/read-only [put]
func (a *API) putReadOnly(c *call) (*formats.Response, error) {
	var wanted ReadOnly
	if err := c.decode(&wanted); err != nil {
		return nil, err
	}
	err := changing(c, a.readOnly, func(ctx context.Context, before ReadOnly) error {
		var changed bool
		var err error
		if wanted.ReadOnly {
			changed, err = a.Engine.Freeze(ctx, repository.Freeze{Actor: c.subject.UserID()})
		} else {
			changed, err = a.Engine.Release(ctx)
		}
		if err == nil && !changed && before.ReadOnly != wanted.ReadOnly {
			err = kv.ErrStale // somebody else did it
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	doc, row, err := a.readOnly(c.Context())
	if err != nil {
		return nil, err
	}
	return tagged(http.StatusOK, doc, row)
}

//go:embed docs/swagger.json
var document []byte

func documentOperations() []operation {
	return []operation{{method: http.MethodGet, path: "swagger.json", access: server.Public(), run: getDocument}}
}

// getDocument gives the description of this API.
//
//	@Summary		Describe this API
//	@Description	An OpenAPI 2.0 document. For everybody.
//	@Tags			system
//	@Success		200	{object}	object
//	@Failure		401	{object}	Problem
//	@Router			/swagger.json [get]
func getDocument(*call) (*formats.Response, error) {
	return replyBytes(http.StatusOK, mediaJSON, document), nil
}
