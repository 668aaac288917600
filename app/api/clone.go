package api

import (
	"net/http"
	"strconv"

	"entrepot/app/access/permission"
	"entrepot/app/repository"
	"entrepot/app/resource"
	"entrepot/app/upkeep"
	"entrepot/formats"
)

// CloneRequest says what a clone is to be.
type CloneRequest struct {
	Name     string `json:"name" example:"releases-2030"`
	Snapshot bool   `json:"snapshot"` // a hosted repository that takes no writes, whatever the source is
}

// cloneRepository makes a repository with the settings and content of another one.
//
//	@Summary		Clone a repository, or take a snapshot
//	@Description	Begins a task that makes a repository with the settings and the content of this one; files are shared, not copied. The repository appears when it is complete. Location names the task, whose events tell the progress. Needs nexus:repository-admin:FORMAT:NAME:read and nexus:repository-view:FORMAT:NAME:read of this one, and nexus:repository-admin:FORMAT:CLONE:add.
//	@Tags			repositories
//	@Param			name		path		string			true	"which"
//	@Param			document	body		CloneRequest	true	"the clone"
//	@Success		202			{object}	TaskStatus
//	@Failure		400			{object}	Problem
//	@Failure		401			{object}	Problem
//	@Failure		403			{object}	Problem
//	@Failure		404			{object}	Problem
//	@Failure		409			{object}	Problem
//	@Failure		415			{object}	Problem
//	@Failure		422			{object}	Problem
//	@Failure		503			{object}	Problem
//	@Router			/repositories/{name}/clone [post]
func (a *API) cloneRepository(c *call) (*formats.Response, error) {
	source, err := a.repositories.Get(c.Context(), c.key())
	if err == nil {
		err = a.repositories.allowed(c, &source, permission.Read)
	}
	if err != nil {
		return nil, err
	}
	var wanted CloneRequest
	if err := c.decode(&wanted); err != nil {
		return nil, err
	}
	if !c.permits("nexus:repository-view:"+source.Format+":"+source.Name+":read") || !c.subject.MayAdminister(source.Format, wanted.Name, permission.Add) {
		return nil, &formats.Error{Kind: formats.Forbidden}
	}
	cloning := repository.Cloning{Source: source.Name, Name: wanted.Name, Snapshot: wanted.Snapshot}
	if err := a.Engine.CheckClone(cloning); err != nil {
		return nil, err
	}
	task, err := a.Resources.CreateTask(c.Context(), c.actor(), resource.Task{
		Type: upkeep.CloneRepository, Name: "Clone " + source.Name + " as " + wanted.Name, Enabled: true,
		Schedule:   resource.TaskSchedule{Frequency: "manual"},
		Properties: map[string]string{"repository": source.Name, "name": wanted.Name, "snapshot": strconv.FormatBool(wanted.Snapshot)},
	})
	if err != nil {
		return nil, err
	}
	if err := a.Tasks.Start(c.Context(), task.ID, c.subject.UserID()); err != nil {
		return nil, err
	}
	status, err := a.Tasks.Get(task.ID)
	if err != nil {
		return nil, err
	}
	resp, err := reply(http.StatusAccepted, statusOf(status))
	if err == nil {
		resp.Header["Location"] = []string{prefix + "tasks/" + task.ID}
	}
	return resp, err
}
