// Package h2 reads the H2 database of a Nexus repository manager without H2 and without Java: the file nexus.mv.db itself (MVStore
// format 3, which H2 2.2 and 2.3 write), a zip of it made by the database backup task, or the SQL text that H2's SCRIPT command
// writes (plain, gzip or zip). All of them give the same tables and rows.
//
// Invariants:
//
//   - The source is never written to: it is opened for reading only, no lock file appears, and a file that a living H2 holds locked
//     is refused with ErrLocked.
//   - A file that was not closed in an orderly way is read as H2 would recover it: the newest whole version is found, changes of
//     transactions that were still open do not show, and those of transactions whose commit was recorded do. What a kill left half
//     written is named in Info.Torn.
//   - Tables and columns come from the CREATE TABLE statements in the file's own catalogue; nothing is assumed of their order.
//   - Damage gives a *DamageError with the offset. Page structure, key order, entry counts, value types and nullability are all
//     checked, so that no row disappears unnoticed. The format has no checksum over the bytes of a row: a flipped bit inside a text
//     or a number cannot be noticed by any reader.
//   - Memory is bounded by the largest page or value, not by the size of a table; allocations never exceed what the file's own size
//     or Options.MaxValue justify.
//
// Example:
//
//	db, err := h2.Open("db/nexus.mv.db", nil)
//	if err != nil { … }
//	defer db.Close()
//	for row, err := range db.Rows(ctx, "repository") {
//		if err != nil { … }
//		name, _, err := h2.Get[string](row, "name")
//		…
//	}
package h2
