// Package repository is the engine: it gives a client's request inside a repository the same steps whatever the format and kind,
// in this order: known and online, authorised on this very repository, routing rule, negative cache, the kind's answer, conditional
// and range. A hosted repository answers from the catalog or with a document its format generates; a cache from a fresh copy or from
// one upstream fetch shared by all who wait; a proxy from its members in order, or with a document its format merges.
//
// It also owns the definitions of repositories, blob stores and routing rules, as records over storage/kv.
//
// Invariants: nothing is served before the subject's permission was checked; a blob is committed before its record; a refusal is a
// *formats.Error that the edge maps to HTTP in one place; a cache never serves bytes that failed their digest.
package repository
