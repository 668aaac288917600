// Package catalog keeps the records of repositories' content over the key-value contract: assets, components, the browse tree,
// the checksum index, usage counters and the change feed.
//
// Invariants:
//
//   - One write of an asset is one atomic batch: asset, component, browse nodes, checksum index, blob reference, usage, feed.
//   - A record never names a blob that was not committed before.
//   - Keys are partitioned by content tree, so work on one repository never reads another's rows, and no call on a request path
//     scans more than it delivers.
//   - A repository refers to its content by the id of a tree of partitions, not by its own name: a clone or snapshot can share a
//     tree instead of copying it.
package catalog
