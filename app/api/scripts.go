package api

import (
	"net/http"

	"entrepot/app/access/permission"
	"entrepot/app/resource"
	"entrepot/app/server"
	"entrepot/formats"
)

func (a *API) scriptOperations() []operation {
	of := server.Content()
	return []operation{
		{method: http.MethodGet, path: "scripts", access: of, run: a.listScripts},
		{method: http.MethodPost, path: "scripts", access: of, run: a.createScript},
		{method: http.MethodGet, path: "scripts/{name}", access: of, run: a.getScript},
		{method: http.MethodPut, path: "scripts/{name}", access: of, run: a.replaceScript},
		{method: http.MethodPatch, path: "scripts/{name}", access: of, run: a.patchScript},
		{method: http.MethodDelete, path: "scripts/{name}", access: of, run: a.deleteScript},
	}
}

// mayScript reports whether the caller is signed in and may do something to a script.
func mayScript(c *call, d *resource.Script, action permission.Action) bool {
	names := map[permission.Action]string{permission.Read: "read", permission.Add: "add", permission.Edit: "edit", permission.Delete: "delete"}
	return !c.subject.Anonymous() && c.permits("nexus:script:"+d.Name+":"+names[action])
}

// listScripts gives the scripts by name.
//
//	@Summary	List scripts
//	@Description	The scripts that the caller may read, by name. Scripts are kept and never run.
//	@Tags	scripts
//	@Param	limit query int false "how many at most" minimum(1) maximum(1000) default(100)
//	@Param	cursor query string false "where to go on: next of the part before"
//	@Success	200 {object} Page[resource.Script]
//	@Failure	400 {object} Problem
//	@Failure	401 {object} Problem
//	@Failure	403 {object} Problem
//	@Router	/scripts [get]
func (a *API) listScripts(c *call) (*formats.Response, error) { return a.scripts.list(c) }

// createScript makes a script.
//
//	@Summary	Make a script
//	@Description	Only while the configuration of the server allows to store scripts. Needs nexus:script:NAME:add.
//	@Tags	scripts
//	@Param	document body resource.Script true "a script"
//	@Success	201 {object} resource.Script
//	@Failure	400 {object} Problem
//	@Failure	401 {object} Problem
//	@Failure	403 {object} Problem
//	@Failure	409 {object} Problem
//	@Failure	415 {object} Problem
//	@Failure	422 {object} Problem
//	@Failure	503 {object} Problem
//	@Router	/scripts [post]
func (a *API) createScript(c *call) (*formats.Response, error) { return a.scripts.create(c) }

// getScript gives a script.
//
//	@Summary	Read a script
//	@Description	Needs nexus:script:NAME:read.
//	@Tags	scripts
//	@Param	name path string true "which"
//	@Param	If-None-Match header string false "tag of the document that the client has"
//	@Success	200 {object} resource.Script
//	@Success	304
//	@Failure	401 {object} Problem
//	@Failure	403 {object} Problem
//	@Failure	404 {object} Problem
//	@Router	/scripts/{name} [get]
func (a *API) getScript(c *call) (*formats.Response, error) { return a.scripts.get(c) }

// replaceScript puts a script in the place of what is there.
//
//	@Summary	Replace a script
//	@Description	Needs nexus:script:NAME:edit.
//	@Tags	scripts
//	@Param	name path string true "which"
//	@Param	If-Match header string false "tag of the document as it was seen"
//	@Param	document body resource.Script true "all of it: absent members get their defaults"
//	@Success	200 {object} resource.Script
//	@Failure	400 {object} Problem
//	@Failure	401 {object} Problem
//	@Failure	403 {object} Problem
//	@Failure	404 {object} Problem
//	@Failure	409 {object} Problem
//	@Failure	412 {object} Problem
//	@Failure	415 {object} Problem
//	@Failure	422 {object} Problem
//	@Failure	503 {object} Problem
//	@Router	/scripts/{name} [put]
func (a *API) replaceScript(c *call) (*formats.Response, error) {
	return a.scripts.replace(c)
}

// patchScript changes members of a script.
//
//	@Summary	Change a script
//	@Description	A merge patch as of RFC 7396: null takes a member away. Needs nexus:script:NAME:edit.
//	@Tags	scripts
//	@Param	name path string true "which"
//	@Param	If-Match header string false "tag of the document as it was seen"
//	@Param	patch body resource.Script true "the members that change"
//	@Success	200 {object} resource.Script
//	@Failure	400 {object} Problem
//	@Failure	401 {object} Problem
//	@Failure	403 {object} Problem
//	@Failure	404 {object} Problem
//	@Failure	409 {object} Problem
//	@Failure	412 {object} Problem
//	@Failure	415 {object} Problem
//	@Failure	422 {object} Problem
//	@Failure	503 {object} Problem
//	@Router	/scripts/{name} [patch]
func (a *API) patchScript(c *call) (*formats.Response, error) { return a.scripts.patch(c) }

// deleteScript deletes a script.
//
//	@Summary	Delete a script
//	@Description	Needs nexus:script:NAME:delete.
//	@Tags	scripts
//	@Param	name path string true "which"
//	@Param	If-Match header string false "tag of the document as it was seen"
//	@Success	204
//	@Failure	401 {object} Problem
//	@Failure	403 {object} Problem
//	@Failure	404 {object} Problem
//	@Failure	409 {object} Problem
//	@Failure	412 {object} Problem
//	@Failure	503 {object} Problem
//	@Router	/scripts/{name} [delete]
func (a *API) deleteScript(c *call) (*formats.Response, error) { return a.scripts.remove(c) }
