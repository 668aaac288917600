// Package search finds components by words and coordinates, over an index of terms in the key-value store.
//
// A component's terms come from its coordinates alone: whole ones (group, name, version, base version) and the words in them, in lower
// case. They never change, so a component is indexed once, when it is new. What depends on its assets (checksums, file endings) is asked
// of the catalog.
//
// The index follows the catalog's change feeds. Every search first takes in what is new in the repositories it looks at, so that it
// finds what was stored before it; Run does the same in the background for what came in bulk. Terms of a component that is gone are
// removed when a search comes across them: no result is shown that was not read from the catalog.
//
// Rows:
//
//	search/terms     FIELD 0 TERM 0 CONTENT 0 ID     one for each term of a component
//	search/documents CONTENT 0 ID                    the component's terms, to remove them by
//	search/progress  CONTENT                         how far the change feed was followed
//
// Example:
//
//	x := search.New(store, catalog, nil)
//	hits, err := x.Search(ctx, search.Query{
//		Places: []search.Place{{Repository: "releases", Format: "maven2", Content: id}},
//		Criteria: []search.Criterion{{Field: search.Name, Value: "core*"}}, Limit: 50,
//	})
package search
