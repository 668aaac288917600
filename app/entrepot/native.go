package main

import (
	"entrepot/app/api"
	"entrepot/app/resource"
	"entrepot/app/server"
)

// resources gives what administrators set as documents.
func (a *appliance) resources() *resource.Resources {
	return resource.New(resource.Options{Engine: a.engine, Access: a.access, Mail: a.mail})
}

// mountNative adds the native API.
func (a *appliance) mountNative(s *server.Server, authenticator server.Authenticator) error {
	return api.New(api.Options{
		Engine: a.engine, Access: a.access, Resources: a.resources(), Node: a.node, Trees: a.catalog, Version: version, Health: a.records.Health, Log: a.log,
	}).Mount(s, authenticator)
}
