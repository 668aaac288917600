// Package configuration has all that administrators set as one document: it can be exported, compared with a file, and made to be what
// the file says. It is written in YAML or JSON:
//
//	version: 1
//	repositories:
//	  - name: maven-releases
//	    format: maven2
//	    kind: hosted
//	roles:
//	  - id: developers
//	    privileges: [nx-repository-view-maven2-*-*]
//	anonymous:
//	  enabled: false
//
// A section that a file does not have is left alone, and so is a member of a document that the file does not have: null takes one away.
// What a section does not name is deleted only when that is asked for.
//
// Invariants:
//
//   - What came with the server is not exported, and no secret is. A secret that the file has and that is stored already is no change.
//   - Things are made before those that need them, and deleted after.
//   - What a plan would be refused is found on a rehearsal, before the first change; a change that fails all the same takes those before it
//     back with it, as far as that can be.
//   - Applying a file twice changes nothing the second time, and neither does applying what was exported.
//
// Example:
//
//	c := configuration.New(domains)
//	file, err := configuration.Parse(data)
//	plan, err := c.Plan(ctx, actor, file, prune)
//	err = c.Apply(ctx, actor, plan)
package configuration
