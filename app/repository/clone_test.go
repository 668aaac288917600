package repository

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	goruntime "runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"entrepot/formats"
)

func TestClone(t *testing.T) {
	b := newBench(t)
	b.create(rawHosted("files"), rawProxy("all", "files"))
	for i := range 50 {
		b.want(b.do("PUT", "files", fmt.Sprintf("/d%d/f%d.txt", i%3, i), fmt.Sprintf("body %d", i)), http.StatusCreated, "")
	}
	told := int64(0)
	must(t, b.Clone(t.Context(), Cloning{Source: "files", Name: "copy", Progress: func(done, total int64) {
		if told = done; total < done {
			t.Errorf("%d of %d", done, total)
		}
	}}, "ann"))
	must(t, b.Clone(t.Context(), Cloning{Source: "files", Name: "frozen", Snapshot: true}, "ann"))
	must(t, b.Clone(t.Context(), Cloning{Source: "all", Name: "every"}, "ann"))
	b.want(b.do("PUT", "files", "/d0/f0.txt", "changed"), http.StatusCreated, "")
	b.want(b.do("DELETE", "files", "/d1/f1.txt", ""), http.StatusNoContent, "")
	b.want(b.do("PUT", "copy", "/only/here.txt", "new"), http.StatusCreated, "")

	b.want(b.do("GET", "copy", "/d0/f0.txt", ""), http.StatusOK, "body 0")
	b.want(b.do("GET", "copy", "/d1/f1.txt", ""), http.StatusOK, "body 1")
	b.want(b.do("GET", "files", "/only/here.txt", ""), http.StatusNotFound, "/only/here.txt")
	b.want(b.do("GET", "frozen", "/d1/f1.txt", ""), http.StatusOK, "body 1")
	b.want(b.do("GET", "every", "/d0/f0.txt", ""), http.StatusOK, "changed")
	if got := b.do("PUT", "frozen", "/x.txt", "x"); got.status/100 != 4 {
		t.Errorf("a snapshot took a write: %v", got)
	}
	if told != 50 {
		t.Errorf("progress ended at %d", told)
	}
	original, copied := b.do("GET", "files", "/d2/f2.txt", ""), b.do("GET", "copy", "/d2/f2.txt", "")
	if a, b := original.header.Get("Last-Modified"), copied.header.Get("Last-Modified"); a != b {
		t.Errorf("the copy is of %s, the original of %s", b, a)
	}
}

func TestCloneIsRefused(t *testing.T) {
	b := newBench(t)
	b.create(rawHosted("files"), rawProxy("all", "files"))
	for name, c := range map[string]Cloning{
		"no source":             {Source: "nothing", Name: "x"},
		"name that is taken":    {Source: "files", Name: "ALL"},
		"bad name":              {Source: "files", Name: "a b"},
		"snapshot of a proxy":   {Source: "all", Name: "x", Snapshot: true},
		"clone without a name":  {Source: "files"},
		"snapshot over its own": {Source: "files", Name: "files", Snapshot: true},
	} {
		if err := b.CheckClone(c); err == nil {
			t.Errorf("%s: it would be done", name)
		}
		if err := b.Clone(t.Context(), c, "ann"); err == nil {
			t.Errorf("%s: it was done", name)
		}
	}
}

// TestCloneIsCutOff ends a clone in the middle: nothing of it stays.
func TestCloneIsCutOff(t *testing.T) {
	b := newBench(t)
	b.create(rawHosted("files"))
	for i := range 20 {
		b.want(b.do("PUT", "files", fmt.Sprintf("/f%d.txt", i), "body"), http.StatusCreated, "")
	}
	ctx, cancel := context.WithCancel(t.Context())
	err := b.Clone(ctx, Cloning{Source: "files", Name: "copy", Progress: func(done, _ int64) {
		if done == 10 {
			cancel()
		}
	}}, "ann")
	if !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	if _, ok := b.Lookup("copy"); ok {
		t.Error("half a clone is there")
	}
	source, _ := b.Lookup("files")
	var trees []string
	for deadline := time.Now().Add(10 * time.Second); ; goruntime.Gosched() { // it goes in the background
		trees = nil
		for id, err := range b.opts.Catalog.Contents(t.Context()) {
			must(t, err)
			trees = append(trees, id)
		}
		if slices.Equal(trees, []string{source.Content}) {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("trees %q are left, want that of the source alone", trees)
		}
	}
	must(t, b.Clone(t.Context(), Cloning{Source: "files", Name: "copy"}, "ann"))
}

// TestCloneFollowsWrites clones while clients write: the clone has what was there before, and of the rest whole states only.
func TestCloneFollowsWrites(t *testing.T) {
	b := newBench(t)
	b.create(rawHosted("files"))
	for i := range 30 {
		b.want(b.do("PUT", "files", fmt.Sprintf("/f%02d.txt", i), "0"), http.StatusCreated, "")
	}
	must(t, b.Clone(t.Context(), Cloning{Source: "files", Name: "copy", Progress: func(done, _ int64) {
		b.do("PUT", "files", fmt.Sprintf("/f%02d.txt", 30-done), "1")
		b.do("DELETE", "files", fmt.Sprintf("/f%02d.txt", done-1), "")
		b.do("PUT", "files", fmt.Sprintf("/new%d.txt", done), "1")
	}}, "ann"))
	paths := func(repository string) (all []string) {
		d, _ := b.Lookup(repository)
		for a, err := range b.opts.Catalog.Content(d.Content).Assets(t.Context(), "") {
			must(t, err)
			all = append(all, a.Path+" "+a.Digests.SHA1)
		}
		return all
	}
	if source, clone := paths("files"), paths("copy"); !slices.Equal(source, clone) || len(clone) < 30 {
		t.Errorf("source %s\nclone  %s", strings.Join(source, ", "), strings.Join(clone, ", "))
	}
	for problem, err := range b.opts.Catalog.Check(t.Context()) {
		t.Errorf("%v, %v", problem, err)
	}
}

// TestSnapshotOfACache keeps what was cached when the upstream is gone.
func TestSnapshotOfACache(t *testing.T) {
	b := newBench(t)
	o := newOrigin(t)
	o.on("/a.txt", text("upstream's"))
	b.create(rawCache("mirror", o.URL))
	b.want(b.do("GET", "mirror", "/a.txt", ""), http.StatusOK, "upstream's")
	must(t, b.Clone(t.Context(), Cloning{Source: "mirror", Name: "kept", Snapshot: true}, "ann"))
	if d, _ := b.Lookup("kept"); d.Kind != formats.Hosted || d.Upstream != nil {
		t.Errorf("%+v", d)
	}
	b.want(b.do("GET", "kept", "/a.txt", ""), http.StatusOK, "upstream's")
}
