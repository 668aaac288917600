package api

import (
	"net/http"

	"entrepot/app/resource"
	"entrepot/app/server"
	"entrepot/formats"
)

func (a *API) taskOperations() []operation {
	return []operation{
		{method: http.MethodGet, path: "tasks", access: server.Permission("nexus:tasks:read"), run: a.listTasks},
		{method: http.MethodPost, path: "tasks", access: server.Permission("nexus:tasks:create"), run: a.createTask},
		{method: http.MethodGet, path: "tasks/{id}", access: server.Permission("nexus:tasks:read"), run: a.getTask},
		{method: http.MethodPut, path: "tasks/{id}", access: server.Permission("nexus:tasks:update"), run: a.replaceTask},
		{method: http.MethodPatch, path: "tasks/{id}", access: server.Permission("nexus:tasks:update"), run: a.patchTask},
		{method: http.MethodDelete, path: "tasks/{id}", access: server.Permission("nexus:tasks:delete"), run: a.deleteTask},
		{method: http.MethodGet, path: "tasks/{id}/status", access: server.Permission("nexus:tasks:read"), run: a.getTaskStatus},
		{method: http.MethodGet, path: "tasks/{id}/events", access: server.Permission("nexus:tasks:read"), run: a.watchTask},
		{method: http.MethodPost, path: "tasks/{id}/start", access: server.Permission("nexus:tasks:start"), run: a.startTask},
		{method: http.MethodPost, path: "tasks/{id}/stop", access: server.Permission("nexus:tasks:stop"), run: a.stopTask},
		{method: http.MethodGet, path: "task-events", access: server.Permission("nexus:tasks:read"), run: a.watchTasks},
		{method: http.MethodGet, path: "task-statuses", access: server.Permission("nexus:tasks:read"), run: a.listTaskStatuses},
		{method: http.MethodGet, path: "task-types", access: server.Permission("nexus:tasks:read"), run: a.listTaskTypes},
	}
}

// listTasks gives the tasks by id.
//
//	@Summary	List tasks
//	@Description	All tasks by id. Needs nexus:tasks:read.
//	@Tags	tasks
//	@Param	limit query int false "how many at most" minimum(1) maximum(1000) default(100)
//	@Param	cursor query string false "where to go on: next of the part before"
//	@Success	200 {object} Page[resource.Task]
//	@Failure	400 {object} Problem
//	@Failure	401 {object} Problem
//	@Failure	403 {object} Problem
//	@Router	/tasks [get]
func (a *API) listTasks(c *call) (*formats.Response, error) { return a.tasks.list(c) }

// createTask makes a task.
//
//	@Summary	Make a task
//	@Description	Needs nexus:tasks:create.
//	@Tags	tasks
//	@Param	document body resource.Task true "a task"
//	@Success	201 {object} resource.Task
//	@Failure	400 {object} Problem
//	@Failure	401 {object} Problem
//	@Failure	403 {object} Problem
//	@Failure	409 {object} Problem
//	@Failure	415 {object} Problem
//	@Failure	422 {object} Problem
//	@Failure	503 {object} Problem
//	@Router	/tasks [post]
func (a *API) createTask(c *call) (*formats.Response, error) {
	data, err := c.body()
	if err != nil {
		return nil, err
	}
	doc, err := resource.Read(a.tasks.Set, data)
	if err == nil {
		doc, err = a.Resources.CreateTask(c.Context(), c.actor(), doc)
	}
	if err != nil {
		return nil, err
	}
	return a.tasks.created(c, doc.ID)
}

// getTask gives a task.
//
//	@Summary	Read a task
//	@Description	Needs nexus:tasks:read.
//	@Tags	tasks
//	@Param	id path string true "which"
//	@Param	If-None-Match header string false "tag of the document that the client has"
//	@Success	200 {object} resource.Task
//	@Success	304
//	@Failure	401 {object} Problem
//	@Failure	403 {object} Problem
//	@Failure	404 {object} Problem
//	@Router	/tasks/{id} [get]
func (a *API) getTask(c *call) (*formats.Response, error) { return a.tasks.get(c) }

// replaceTask puts a task in the place of what is there.
//
//	@Summary	Replace a task
//	@Description	The type stays; a run that goes on is not touched. Needs nexus:tasks:update.
//	@Tags	tasks
//	@Param	id path string true "which"
//	@Param	If-Match header string false "tag of the document as it was seen"
//	@Param	document body resource.Task true "all of it: absent members get their defaults"
//	@Success	200 {object} resource.Task
//	@Failure	400 {object} Problem
//	@Failure	401 {object} Problem
//	@Failure	403 {object} Problem
//	@Failure	404 {object} Problem
//	@Failure	409 {object} Problem
//	@Failure	412 {object} Problem
//	@Failure	415 {object} Problem
//	@Failure	422 {object} Problem
//	@Failure	503 {object} Problem
//	@Router	/tasks/{id} [put]
func (a *API) replaceTask(c *call) (*formats.Response, error) { return a.tasks.replace(c) }

// patchTask changes members of a task.
//
//	@Summary	Change a task
//	@Description	A merge patch as of RFC 7396: null takes a member away. The type stays; a run that goes on is not touched. Needs nexus:tasks:update.
//	@Tags	tasks
//	@Param	id path string true "which"
//	@Param	If-Match header string false "tag of the document as it was seen"
//	@Param	patch body resource.Task true "the members that change"
//	@Success	200 {object} resource.Task
//	@Failure	400 {object} Problem
//	@Failure	401 {object} Problem
//	@Failure	403 {object} Problem
//	@Failure	404 {object} Problem
//	@Failure	409 {object} Problem
//	@Failure	412 {object} Problem
//	@Failure	415 {object} Problem
//	@Failure	422 {object} Problem
//	@Failure	503 {object} Problem
//	@Router	/tasks/{id} [patch]
func (a *API) patchTask(c *call) (*formats.Response, error) { return a.tasks.patch(c) }

// deleteTask deletes a task.
//
//	@Summary	Delete a task
//	@Description	A run that goes on is stopped. Tasks of the server itself cannot be deleted. Needs nexus:tasks:delete.
//	@Tags	tasks
//	@Param	id path string true "which"
//	@Param	If-Match header string false "tag of the document as it was seen"
//	@Success	204
//	@Failure	401 {object} Problem
//	@Failure	403 {object} Problem
//	@Failure	404 {object} Problem
//	@Failure	409 {object} Problem
//	@Failure	412 {object} Problem
//	@Failure	503 {object} Problem
//	@Router	/tasks/{id} [delete]
func (a *API) deleteTask(c *call) (*formats.Response, error) { return a.tasks.remove(c) }
