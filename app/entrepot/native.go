package main

import (
	"context"

	"entrepot/app/access"
	"entrepot/app/api"
	"entrepot/app/audit"
	"entrepot/app/server"
)

// auditFile is the name of the file of the audit inside the data folder.
const auditFile = "audit.log"

// acting puts the caller into the context of requests that may change something.
func acting(ctx context.Context, c server.Caller, remote string) context.Context {
	subject, ok := c.(*access.Subject)
	if !ok {
		return ctx
	}
	return audit.WithActor(ctx, subject.Actor(remote))
}

// mountNative adds the native API.
func (a *appliance) mountNative(s *server.Server, authenticator server.Authenticator) error {
	return api.New(api.Options{Domains: a.Domains, Version: version, Health: a.records.Health, Log: a.log}).Mount(s, authenticator)
}

// legacyURLs reports whether the URLs of Nexus 2 are answered.
func (a *appliance) legacyURLs() bool { return a.cfg.LegacyURLs || a.Settings.Effect().LegacyURLs }
