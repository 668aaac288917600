package repository

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"entrepot/formats"
)

func TestNegativeCacheIsBounded(t *testing.T) {
	c := &clock{now: start}
	n := newNegativeCache(10*(negativeOverhead+4), c.Now)
	key := func(i int) negativeKey { return negativeKey{1, fmt.Sprintf("%04d", i)} }
	for i := range 10 {
		n.add(key(i), time.Hour)
	}
	n.has(key(0)) // used: the next one goes in its place
	n.add(key(10), time.Hour)
	for i := range 11 {
		if got, want := n.has(key(i)), i != 1; got != want {
			t.Errorf("entry %d: %v; want %v", i, got, want)
		}
	}
	n.drop(key(5))
	n.drop(key(5))
	if n.has(key(5)) || n.has(negativeKey{2, "0003"}) {
		t.Error("an entry that is not there was found")
	}
	for i := range 1000 {
		n.add(negativeKey{3, strings.Repeat("x", i)}, -1)
	}
	if n.bytes > n.max || len(n.entries) != n.recent.Len() {
		t.Errorf("%d bytes of %d, %d entries, %d in the list", n.bytes, n.max, len(n.entries), n.recent.Len())
	}
}

func TestNegativeCacheForgetsInTime(t *testing.T) {
	c := &clock{now: start}
	n := newNegativeCache(0, c.Now)
	n.add(negativeKey{1, "hour"}, time.Hour)
	n.add(negativeKey{1, "ever"}, -1)
	n.add(negativeKey{1, "never"}, 0)
	if n.has(negativeKey{1, "never"}) {
		t.Error("an entry that lives no time was found")
	}
	c.forward(time.Hour - time.Second)
	n.add(negativeKey{1, "longer"}, time.Hour)
	if !n.has(negativeKey{1, "hour"}) {
		t.Error("forgotten too early")
	}
	c.forward(time.Second)
	if n.has(negativeKey{1, "hour"}) || !n.has(negativeKey{1, "longer"}) {
		t.Error("forgotten at the wrong time")
	}
	c.forward(1e6 * time.Hour)
	if !n.has(negativeKey{1, "ever"}) {
		t.Error("an entry for ever was forgotten")
	}
}

func TestDocumentCacheIsBounded(t *testing.T) {
	d := newDocumentCache(8000)
	put := func(content, path string, size int) {
		d.put(documentKey{content, path}, newMadeDocument("1", &formats.Document{Body: make([]byte, size)}))
	}
	put("a", "/big", 8000)
	if d.get(documentKey{"a", "/big"}, "1") != nil {
		t.Error("a document that takes most of the room was kept")
	}
	for i := range 20 {
		put("a", fmt.Sprintf("/%d", i), 1000)
		if d.bytes > d.max {
			t.Fatalf("%d bytes of %d", d.bytes, d.max)
		}
	}
	if d.get(documentKey{"a", "/0"}, "1") != nil || d.get(documentKey{"a", "/19"}, "1") == nil {
		t.Error("the oldest stayed or the newest went")
	}
	if d.get(documentKey{"a", "/19"}, "2") != nil {
		t.Error("a document made from something else was found")
	}
	put("b", "/x", 10)
	d.dropContent("a")
	if d.get(documentKey{"a", "/19"}, "1") != nil || d.get(documentKey{"b", "/x"}, "1") == nil || len(d.entries) != 1 || d.recent.Len() != 1 {
		t.Error("dropping one tree's documents")
	}
	d.dropContent("b")
	if d.bytes != 0 {
		t.Errorf("%d bytes in an empty cache", d.bytes)
	}
}
