// Package cleanup decides by policies which components of repositories are old, and removes them. A repository names its policies
// (repository.Definition.Cleanup); a component goes when one of them selects it, that is when it meets all of the policy's criteria.
//
// Invariants:
//
//   - A policy without criteria selects nothing. A regular expression that cannot be decided in its bounds selects nothing.
//   - Only components are selected, as on the old server: what belongs to none, such as version lists and checksums, stays.
//   - The dates of a component are those of its youngest asset: one file that was downloaded lately keeps all.
//   - A component is removed as it was looked at: what changed meanwhile stays until the next time.
//   - A preview looks at a bounded number of components; a run walks the repository in the order of its components, with a memory that
//     grows with Criteria.Retain only.
//
// Example:
//
//	policies, err := cleanup.Open(ctx, store)
//	service := cleanup.New(policies, engine, cleanup.Options{})
//	err = service.Create(ctx, cleanup.Policy{Name: "old", Format: "*", Criteria: cleanup.Criteria{DownloadedDays: &days}}, "admin")
//	report, err := service.Clean(ctx, "maven-snapshots", cleanup.Run{})
package cleanup
