package repository

import (
	"io"
	"strings"
	"testing"
	"time"

	"entrepot/storage/blob"
	"entrepot/storage/catalog"
)

// TestRestoreWhatWasDeleted deletes what another server brought, and restores it as it was there and as it may be since.
func TestRestoreWhatWasDeleted(t *testing.T) {
	b := newBench(t)
	b.create(rawHosted("files"), rawCache("cache", "http://127.0.0.1:1/"))
	day := time.Date(2025, 1, 2, 3, 4, 5, 0, time.UTC)
	was := Restored{BlobCreated: day, Updated: day, Origin: "old", Digests: blob.Digests{SHA1: "fe05bcdcdc4928012781a5f1a2a77cbb5398e106"}}
	with := func(change func(*Restored)) Restored {
		in := was
		change(&in)
		return in
	}
	for _, c := range []struct {
		name, repo, body string
		in               Restored
		want             RestoreOutcome
	}{
		{"the same", "files", "one", was, RestoreDeleted},
		{"of another server", "files", "one", with(func(in *Restored) { in.Origin = "other" }), RestoreDeleted},
		{"of nobody", "files", "one", with(func(in *Restored) { in.Origin = "" }), RestoreNew},
		{"downloaded", "files", "one", with(func(in *Restored) { in.LastDownloaded = day.Add(time.Hour) }), RestoreDeleted},
		{"asked for", "files", "one", with(func(in *Restored) { in.Again = true }), RestoreNew},
		{"updated", "files", "one", with(func(in *Restored) { in.Updated = day.Add(time.Hour) }), RestoreNew},
		{"another blob", "files", "two", with(func(in *Restored) { in.Digests.SHA1 = ""; in.BlobCreated = day.Add(time.Hour) }), RestoreNew},
		{"other bytes", "files", "two", with(func(in *Restored) { in.Digests.SHA1 = "ad782ecdac770fc6eb9a62e44f90873fb97fb26b" }), RestoreNew},
		{"cached, the same", "cache", "one", was, RestoreDeleted},
		{"cached, verified", "cache", "one", with(func(in *Restored) {
			in.Updated, in.Upstream = day.Add(time.Hour), &catalog.Upstream{Verified: day.Add(time.Hour)}
		}), RestoreDeleted},
		{"cached anew", "cache", "one", with(func(in *Restored) { in.BlobCreated = day.Add(time.Hour) }), RestoreNew},
	} {
		restore := func(body string, in Restored) (RestoreOutcome, error) {
			in.Path, in.Size = "/a.txt", int64(len(body))
			return b.Restore(t.Context(), c.repo, in, func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(body)), nil })
		}
		in := was
		in.Again = true
		if _, err := restore("one", in); err != nil {
			t.Fatal(err)
		}
		content := b.state.Load().find(c.repo).content
		if err := content.Delete(t.Context(), "/a.txt"); err != nil {
			t.Fatal(err)
		}
		if got, err := restore(c.body, c.in); got != c.want || err != nil {
			t.Errorf("%s: outcome %d, %v; want %d", c.name, got, err, c.want)
		}
		if err := content.Delete(t.Context(), "/a.txt"); (err == nil) != (c.want == RestoreNew) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}
