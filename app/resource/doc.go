// Package resource gives what administrators set as documents: one Go type for each kind of thing, the same for the native API and for
// the configuration file, with the calls of the domains that read and change them. It holds no policy of its own; what a domain
// refuses is refused here with the domain's error.
//
// Invariants:
//
//   - A document that is read holds no secret. A secret that is absent, or "***", keeps the stored one.
//   - A document that was read can be written back unchanged; what the server decides itself is ignored then.
//   - A document is looked at together with the version of its record (Look): a change that names it is decided in the batch that stores it,
//     against every writer there is, and its tag tells of changed secrets without being made of them.
//   - An unknown member is an error that names it.
//
// Example:
//
//	s := resource.New(resource.Options{Engine: engine, Access: users, Mail: mailer})
//	role, err := s.Roles().Get(ctx, "developers")
//	changed, err := resource.Merge(s.Roles(), &role, []byte(`{"description": "those who build"}`))
//	err = s.Roles().Replace(ctx, actor, "developers", changed)
package resource
