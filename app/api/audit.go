package api

import (
	"net/http"
	"time"

	"entrepot/app/audit"
	"entrepot/app/server"
	"entrepot/formats"
)

func (a *API) auditOperations() []operation {
	everything := server.Permission("nexus:*")
	return []operation{
		{method: http.MethodGet, path: "audit", access: everything, run: a.listAudit},
		{method: http.MethodGet, path: "settings/audit", access: everything, run: a.getAuditSettings},
		{method: http.MethodPut, path: "settings/audit", access: everything, run: a.putAuditSettings},
		{method: http.MethodPatch, path: "settings/audit", access: everything, run: a.patchAuditSettings},
	}
}

// listAudit gives who changed what, the newest change first.
//
//	@Summary		List changes and failed sign-ins
//	@Description	Who changed what, when, from where, and what was there before and after; the newest first. A part may be shorter than the limit. Needs nexus:*.
//	@Tags			audit
//	@Param			user	query		string	false	"only those by a user"
//	@Param			action	query		string	false	"only an action (user.create), or all on one kind of thing (user)"
//	@Param			object	query		string	false	"only those of one thing"
//	@Param			from	query		string	false	"not older"	format(date-time)
//	@Param			to		query		string	false	"not newer"	format(date-time)
//	@Param			limit	query		int		false	"how many at most"	minimum(1)	maximum(1000)	default(100)
//	@Param			cursor	query		string	false	"where to go on: next of the part before"
//	@Success		200		{object}	Page[audit.Entry]
//	@Failure		400		{object}	Problem
//	@Failure		401		{object}	Problem
//	@Failure		403		{object}	Problem
//	@Router			/audit [get]
func (a *API) listAudit(c *call) (*formats.Response, error) {
	limit, err := c.limit()
	if err != nil {
		return nil, err
	}
	after, err := c.cursor()
	if err != nil {
		return nil, err
	}
	query := c.Query()
	filter := audit.Filter{User: query.Get("user"), Action: query.Get("action"), Object: query.Get("object")}
	for name, at := range map[string]*time.Time{"from": &filter.From, "to": &filter.To} {
		if text := query.Get(name); text != "" {
			if *at, err = time.Parse(time.RFC3339, text); err != nil {
				return nil, badParameter(name, "must be a time such as 2026-01-31T12:00:00Z")
			}
		}
	}
	found, next, err := a.Audit.Query(c.Context(), filter, after, limit)
	if err != nil {
		return nil, err
	}
	return paged(c, found, next)
}

// getAuditSettings gives what is audited.
//
//	@Summary		Read what is audited
//	@Description	Needs nexus:*.
//	@Tags			settings
//	@Param			If-None-Match	header	string	false	"tag of the document that the client has"
//	@Success		200				{object}	audit.Settings
//	@Success		304
//	@Failure		401				{object}	Problem
//	@Failure		403				{object}	Problem
//	@Router			/settings/audit [get]
func (a *API) getAuditSettings(c *call) (*formats.Response, error) {
	return getValue(c, a.Resources.AuditSettings())
}

// putAuditSettings replaces what is audited.
//
//	@Summary		Replace what is audited
//	@Description	Needs nexus:*.
//	@Tags			settings
//	@Param			If-Match	header		string			false	"tag of the document as it was seen"
//	@Param			document	body		audit.Settings	true	"all of it: absent members get their defaults"
//	@Success		200			{object}	audit.Settings
//	@Failure		400			{object}	Problem
//	@Failure		401			{object}	Problem
//	@Failure		403			{object}	Problem
//	@Failure		412			{object}	Problem
//	@Failure		415			{object}	Problem
//	@Failure		422			{object}	Problem
//	@Failure		503			{object}	Problem
//	@Router			/settings/audit [put]
func (a *API) putAuditSettings(c *call) (*formats.Response, error) {
	return putValue(c, a.Resources.AuditSettings())
}

// patchAuditSettings changes members of what is audited.
//
//	@Summary		Change what is audited
//	@Description	A merge patch as of RFC 7396: null takes a member away. Needs nexus:*.
//	@Tags			settings
//	@Param			If-Match	header		string			false	"tag of the document as it was seen"
//	@Param			patch		body		audit.Settings	true	"the members that change"
//	@Success		200			{object}	audit.Settings
//	@Failure		400			{object}	Problem
//	@Failure		401			{object}	Problem
//	@Failure		403			{object}	Problem
//	@Failure		412			{object}	Problem
//	@Failure		415			{object}	Problem
//	@Failure		422			{object}	Problem
//	@Failure		503			{object}	Problem
//	@Router			/settings/audit [patch]
func (a *API) patchAuditSettings(c *call) (*formats.Response, error) {
	return patchValue(c, a.Resources.AuditSettings())
}
