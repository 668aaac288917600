package main

import (
	"context"

	"entrepot/app/access"
	"entrepot/app/api"
	"entrepot/app/audit"
	"entrepot/app/resource"
	"entrepot/app/server"
)

// auditFile is the name of the file of the audit inside the data folder.
const auditFile = "audit.log"

// openAudit opens what changes are written down in.
func (a *appliance) openAudit(ctx context.Context) (err error) {
	a.audit, err = audit.Open(ctx, a.store, audit.Options{
		Path: a.path(auditFile), Present: resource.Shown, Logger: a.log,
		Writable: func() error { return a.engine.Writable() }, // which is opened later
	})
	return err
}

// acting puts the caller into the context of requests that may change something.
func acting(ctx context.Context, c server.Caller, remote string) context.Context {
	subject, ok := c.(*access.Subject)
	if !ok {
		return ctx
	}
	return audit.WithActor(ctx, subject.Actor(remote))
}

// resources gives what administrators set as documents.
func (a *appliance) resources() *resource.Resources {
	return resource.New(resource.Options{Engine: a.engine, Access: a.access, Mail: a.mail, Audit: a.audit, Outbound: a.out, Trust: a.trust, Settings: a.settings, LDAP: a.ldap, OAuth2: a.oauth2, SAML: a.saml, Cleanup: a.cleanup, Upkeep: a.tasks})
}

// mountNative adds the native API.
func (a *appliance) mountNative(s *server.Server, authenticator server.Authenticator) error {
	return api.New(api.Options{
		Engine: a.engine, Access: a.access, Resources: a.resources(), Audit: a.audit, Node: a.node, Search: a.search, Tasks: a.tasks, Trees: a.catalog, Version: version,
		Health: a.records.Health, Log: a.log,
	}).Mount(s, authenticator)
}
