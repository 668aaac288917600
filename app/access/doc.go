// Package access knows who may do what: users, roles, privileges, content selectors, realms, anonymous access, sessions and tokens.
// It holds no HTTP; the edge hands it credentials and asks the Subject it gets back.
//
// Records live in storage/kv, in partitions that begin with "access/". Roles, privileges, selectors and settings are also kept in
// memory as one immutable snapshot; users and tokens are read when they sign in. Every change of a record that can alter an answer
// is one atomic batch that also moves the change number, on the condition that nobody else moved it, so that rules over several
// records (no role contains itself, no selector vanishes while in use) hold for ever and caches know when to look again. A server
// sees its own changes at once and those of other instances within Options.Refresh.
//
// Sessions live in the memory of one instance: they end with the process, and several instances need a balancer that keeps a
// client on one. Their record is small and self-contained, so that they can move into the store when that is not enough.
//
// Who comes by single sign-on is proved elsewhere: LoginExternal begins the session, and a Keeper (package federated) keeps what the
// provider told of the user, so that tokens, roles and listings work as for the users of a directory.
//
// Invariants:
//
//   - Deny by default: a subject may do only what a privilege of one of its roles, or of a role nested in them, names.
//   - Credentials that are wrong are refused even where anonymous may act; a user that is not active never signs in.
//   - Passwords and tokens are stored hashed and never appear in errors or logs. Verified ones are remembered under a keyed digest.
//   - Built-in roles and privileges are derived, not stored, and cannot be changed; those of a repository come and go with it.
//   - When the store cannot be asked for a while, nobody is let in on old knowledge.
//   - What a directory said of its user is forgotten after the realm's CacheFor, for passwords, tokens and sessions alike; a directory
//     that is down makes guessing at the other realms no faster.
//
// Example:
//
//	svc, err := access.Open(ctx, store, &access.Options{Formats: []string{"maven2", "raw"}, Repositories: engine.Refs})
//	subject, err := svc.Authenticate(ctx, access.ParseAuthorization(header))
//	if err == nil && !subject.MayView("raw", "docs", permission.Read, "/a.txt") { ... }
package access
