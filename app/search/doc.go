// Package search finds components by words and coordinates, over an index of terms in the key-value store.
//
// A component's terms are its coordinates as a whole (group, name, version, base version), the words in them in lower case, and what
// its assets are called (file ending, classifier). They never become wrong while the component lives: a term of an asset that is gone
// stays, and every component that is found is checked against the catalog before it is shown. Checksums are asked of the catalog.
//
// Each content tree has partitions of its own, so that one repository's size never slows a search in another one:
//
//	search/CONTENT/terms      FIELD 0 TERM 0 ID      one for each term of a component, with its coordinates if it is one of them; ID is
//	                                                 eight bytes, big-endian
//	search/CONTENT/order      ORDER 0 KEY 0 ID       three for each component: by group, by name, by version
//	search/CONTENT/grams      GRAM 0 WORD            the words that hold three letters in a row, for patterns that begin with * or ?
//	search/CONTENT/documents  ID                     the component's terms and keys, to remove them by
//	search/followed           CONTENT                how far the change feed was followed
//
// The index follows the catalog's change feeds. Every search first takes in what is new in the repositories it looks at, so that it
// finds what was stored before it; Run does the same in the background for what came in bulk. Rows of a component that is gone are
// removed when a search comes across them.
//
// A search costs what it shows, not what there is: criteria are looked up and their lists of IDs cut with each other; an order is read
// from its rows, a page from where the last one ended. What cannot be looked up (two letters inside a word) is checked component by
// component, and ErrTooBroad says when that would take too long. Nothing is left out in silence.
//
// Example:
//
//	x := search.New(store, catalog, nil)
//	page, err := x.Search(ctx, search.Query{
//		Places: []search.Place{{Repository: "releases", Format: "maven2", Content: id}},
//		Criteria: []search.Criterion{{Field: search.Name, Value: "core*"}}, Limit: 50,
//	})
package search
