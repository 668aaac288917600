package repository

import (
	"fmt"
	"slices"
	"testing"

	"entrepot/storage/kv"
)

func fileStore(name string) BlobStore { return BlobStore{Name: name, Type: BlobStoreFile, Path: name} }

func groupOf(name string, fill FillPolicy, members ...string) BlobStore {
	return BlobStore{Name: name, Type: BlobStoreGroup, FillPolicy: fill, Members: members}
}

func rawIn(name, store string) Definition {
	d := rawHosted(name)
	d.BlobStore = store
	return d
}

// lies counts in which blob stores the assets of a repository lie.
func (b *bench) lies(repository string, paths int) map[string]int {
	b.t.Helper()
	stores := make(map[string]int)
	for i := range paths {
		stores[b.stored(repository, fmt.Sprintf("/%d", i)).Blob.Store]++
	}
	return stores
}

func TestGroupFills(t *testing.T) {
	b := newBench(t)
	bad := fileStore("bad")
	for _, s := range []BlobStore{fileStore("one"), fileStore("two"), fileStore("three"), bad, groupOf("turns", FillRoundRobin, "one", "two"), groupOf("first", FillFirst, "bad", "three")} {
		must(t, b.CreateBlobStore(t.Context(), s))
	}
	bad.Path = "/bad" // found out at the next start
	value, err := encodeStore(bad)
	must(t, err)
	must(t, b.kv.Apply(t.Context(), kv.Put(storeKey(bad.Name), value)))
	b.open()
	b.create(rawIn("by-turns", "turns"), rawIn("in-order", "first"))
	for i := range 4 {
		for _, repository := range []string{"by-turns", "in-order"} {
			b.want(b.do("PUT", repository, fmt.Sprintf("/%d", i), fmt.Sprint("body", i)), 201, "")
			b.want(b.do("GET", repository, fmt.Sprintf("/%d", i), ""), 200, fmt.Sprint("body", i))
		}
	}
	if got := b.lies("by-turns", 4); got["one"] != 2 || got["two"] != 2 {
		t.Errorf("filled by turns: %v", got)
	}
	if got := b.lies("in-order", 4); got["three"] != 4 {
		t.Errorf("filled in order, the first is out of use: %v", got)
	}
	if s, err := b.BlobStoreStatus(t.Context(), "turns"); err != nil || s.Blobs != 4 || s.Bytes != 20 || s.Err != nil {
		t.Errorf("status of the group: %+v, %v", s, err)
	}
	changed := groupOf("turns", FillFirst, "two")
	if got := wrong(b.UpdateBlobStore(t.Context(), changed)); !slices.Equal(got, []string{"members: Blob store one holds 2 blobs and cannot be taken out of the group"}) {
		t.Errorf("a full member taken out: %q", got)
	}
	changed.Members = []string{"two", "one"}
	must(t, b.UpdateBlobStore(t.Context(), changed))
	b.want(b.do("PUT", "by-turns", "/4", "more"), 201, "")
	if got := b.lies("by-turns", 5); got["two"] != 3 {
		t.Errorf("after the change: %v", got)
	}
}

func TestGroupRules(t *testing.T) {
	b := newBench(t)
	for _, s := range []BlobStore{fileStore("free"), fileStore("member"), fileStore("used"), groupOf("group", FillFirst, "member")} {
		must(t, b.CreateBlobStore(t.Context(), s))
	}
	b.create(rawIn("files", "used"), rawIn("grouped", "group"))
	for _, tt := range []struct {
		store BlobStore
		want  string
	}{
		{groupOf("x", "sometimes", "free"), "fillPolicy: must be one of roundRobin, writeToFirst"},
		{groupOf("x", FillFirst), "members: A group of blob stores needs at least one member"},
		{groupOf("x", FillFirst, "nope"), "members: Blob store nope does not exist"},
		{groupOf("x", FillFirst, "free", "free"), "members: Blob store free is named twice"},
		{groupOf("x", FillFirst, "group"), "members: Blob store group is a group and cannot be a member of another"},
		{groupOf("x", FillFirst, "member"), "members: Blob store member is a member of group group"},
		{groupOf("x", FillFirst, "used"), "members: Blob store used is used by repository files; make it a group instead"},
	} {
		if got := wrong(b.CreateBlobStore(t.Context(), tt.store)); !slices.Equal(got, []string{tt.want}) {
			t.Errorf("got %q; want %q", got, tt.want)
		}
	}
	for _, name := range []string{"member", "group"} {
		if got := wrong(b.DeleteBlobStore(t.Context(), name)); !slices.Equal(got, []string{"BlobStore " + name + " is in use and cannot be deleted"}) {
			t.Errorf("%s: %q", name, got)
		}
	}
	must(t, b.Delete(t.Context(), "grouped", "admin"))
	must(t, b.DeleteBlobStore(t.Context(), "group"))
	must(t, b.DeleteBlobStore(t.Context(), "member"))
}

func TestConvertBlobStore(t *testing.T) {
	b := newBench(t)
	must(t, b.CreateBlobStore(t.Context(), fileStore("old")))
	must(t, b.CreateBlobStore(t.Context(), fileStore("new")))
	b.create(rawIn("files", "old"))
	b.want(b.do("PUT", "files", "/0", "before"), 201, "")
	if _, err := b.ConvertBlobStore(t.Context(), "nope", "x"); err == nil {
		t.Error("a store that is not there was made a group")
	}
	if _, err := b.ConvertBlobStore(t.Context(), "old", "NEW"); err == nil {
		t.Error("a name that is taken was given")
	}
	group, err := b.ConvertBlobStore(t.Context(), "old", "older")
	must(t, err)
	if group.Name != "old" || !slices.Equal(group.Members, []string{"older"}) {
		t.Errorf("the group is %+v", group)
	}
	group.Members, group.FillPolicy = []string{"new", "older"}, FillFirst
	must(t, b.UpdateBlobStore(t.Context(), group))
	b.want(b.do("PUT", "files", "/1", "after"), 201, "")
	for range 2 {
		b.want(b.do("GET", "files", "/0", ""), 200, "before")
		b.want(b.do("GET", "files", "/1", ""), 200, "after")
		if s, err := b.BlobStoreStatus(t.Context(), "older"); err != nil || s.Blobs != 1 || s.Bytes != 6 {
			t.Errorf("status of the member: %+v, %v", s, err)
		}
		b.open()
	}
	if _, err := b.ConvertBlobStore(t.Context(), "old", "oldest"); err == nil {
		t.Error("a group was made a group")
	}
	if _, err := b.ConvertBlobStore(t.Context(), "older", "oldest"); err == nil {
		t.Error("a member was made a group")
	}
	must(t, b.Delete(t.Context(), "files", "admin"))
	must(t, b.DeleteBlobStore(t.Context(), "old"))
	must(t, b.CreateBlobStore(t.Context(), BlobStore{Name: "old", Type: BlobStoreFile, Path: "again"}))
	if s, err := b.BlobStore("old"); err != nil || s.Ref() == "old" {
		t.Errorf("a new store has the label of another: %+v, %v", s, err)
	}
}
