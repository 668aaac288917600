package api

import (
	"errors"
	"net/http"
	"strings"

	"entrepot/app/configuration"
	"entrepot/app/server"
	"entrepot/formats"
)

func (a *API) configurationOperations() []operation {
	everything, media := server.Permission("nexus:*"), []string{mediaYAML}
	return []operation{
		{method: http.MethodGet, path: "configuration", access: everything, run: a.getConfiguration},
		{method: http.MethodPut, path: "configuration", access: everything, media: media, run: a.putConfiguration},
		{method: http.MethodPost, path: "configuration/plan", access: everything, media: media, run: a.planConfiguration},
	}
}

// getConfiguration gives all that administrators set as one file.
//
//	@Summary		Export the configuration
//	@Description	All that administrators set, without secrets and without what came with the server. YAML when that is accepted, else JSON. Needs nexus:*.
//	@Tags			configuration
//	@Produce		json,application/yaml
//	@Param			If-None-Match	header		string	false	"tag of the document that the client has"
//	@Success		200				{object}	object
//	@Success		304
//	@Failure		401	{object}	Problem
//	@Failure		403	{object}	Problem
//	@Router			/configuration [get]
func (a *API) getConfiguration(c *call) (*formats.Response, error) {
	all, err := a.configuration.Export(c.Context())
	if err != nil {
		return nil, err
	}
	tag := quoted(all.Revision)
	if lists(c.Header.Get("If-None-Match"), tag) {
		return &formats.Response{Status: http.StatusNotModified, Header: http.Header{"Etag": {tag}}}, nil
	}
	var resp *formats.Response
	if strings.Contains(c.Header.Get("Accept"), "yaml") {
		var text []byte
		text, err = all.YAML()
		resp = replyBytes(http.StatusOK, mediaYAML, text)
	} else {
		resp, err = reply(http.StatusOK, all)
	}
	if err != nil {
		return nil, err
	}
	resp.Header["Etag"] = []string{tag}
	return resp, nil
}

// plan compares the file in the body with what there is.
func (c *call) plan() (*configuration.Plan, error) {
	data, err := c.body()
	if err != nil {
		return nil, err
	}
	file, err := configuration.Parse(data)
	if err != nil {
		return nil, err
	}
	prune := false
	switch c.Query().Get("prune") {
	case "", "false":
	case "true":
		prune = true
	default:
		return nil, badParameter("prune", "must be true or false")
	}
	return c.api.configuration.Plan(c.Context(), c.actor(), file, prune)
}

// planConfiguration tells what applying a file would change.
//
//	@Summary		Plan a configuration
//	@Description	What has to change for the server to be what the file says, in order, member by member; secrets are ***. What would be refused is refused here already. Nothing is changed. The tag is that of the present configuration. Needs nexus:*.
//	@Tags			configuration
//	@Accept			json,application/yaml
//	@Param			prune		query		bool	false	"also delete what the sections of the file do not name"
//	@Param			document	body		object	true	"the file"
//	@Success		200			{object}	configuration.Plan
//	@Failure		400			{object}	Problem
//	@Failure		401			{object}	Problem
//	@Failure		403			{object}	Problem
//	@Failure		404			{object}	Problem
//	@Failure		409			{object}	Problem
//	@Failure		415			{object}	Problem
//	@Failure		422			{object}	Problem
//	@Router			/configuration/plan [post]
func (a *API) planConfiguration(c *call) (*formats.Response, error) {
	plan, err := c.plan()
	if err != nil {
		return nil, err
	}
	resp, err := reply(http.StatusOK, plan)
	if err == nil {
		resp.Header["Etag"] = []string{quoted(plan.Revision)}
	}
	return resp, err
}

// putConfiguration makes the server what a file says.
//
//	@Summary		Apply a configuration
//	@Description	Makes the changes of the plan, in order, after they were tried without effect. When one fails all the same, those before it are put back; deletions, which come last, cannot be, and then the answer says what stays, and applying again makes the rest. With If-Match only when the configuration is still the one that was planned for. Needs nexus:*.
//	@Tags			configuration
//	@Accept			json,application/yaml
//	@Param			prune		query		bool	false	"also delete what the sections of the file do not name"
//	@Param			If-Match	header		string	false	"tag of the configuration as it was when the plan was made"
//	@Param			document	body		object	true	"the file"
//	@Success		200			{object}	configuration.Plan	"what was changed"
//	@Failure		400			{object}	Problem
//	@Failure		401			{object}	Problem
//	@Failure		403			{object}	Problem
//	@Failure		404			{object}	Problem
//	@Failure		409			{object}	Problem
//	@Failure		412			{object}	Problem
//	@Failure		415			{object}	Problem
//	@Failure		422			{object}	Problem
//	@Failure		503			{object}	Problem
//	@Failure		507			{object}	Problem
//	@Router			/configuration [put]
func (a *API) putConfiguration(c *call) (*formats.Response, error) {
	plan, err := c.plan()
	if err == nil {
		err = c.matches(quoted(plan.Revision))
	}
	if err == nil {
		err = a.configuration.Apply(c.Context(), c.actor(), plan)
	}
	if err != nil {
		return nil, err
	}
	return reply(http.StatusOK, plan)
}

// partly adds to a problem what became of a configuration.
func partly(p *Problem, err error) {
	var failed *configuration.ApplyError
	if errors.As(err, &failed) {
		p.Detail = failed.Change.Name() + ": " + strings.TrimSuffix(p.Detail, ".") + "; " + failed.Outcome()
		p.Applied, p.NotApplied = failed.Stays, failed.Open
	}
}
