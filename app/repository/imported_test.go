package repository

import (
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"entrepot/formats"
	"entrepot/storage/blob"
	"entrepot/storage/catalog"
)

func TestImportTakesWhatAnotherServerKept(t *testing.T) {
	b := newBench(t)
	docker := Definition{
		Name: "images", Format: "docker", Kind: formats.Hosted, Online: true, BlobStore: "gone", Write: WriteOnce, RoutingRule: "gone",
		Settings: map[string]string{"httpPort": "5000"},
	}
	must(t, b.Import(t.Context(), docker, "system"))
	must(t, b.Import(t.Context(), rawProxy("all", "files", "deleted", "all"), "system"))
	must(t, b.Import(t.Context(), rawHosted("files"), "system"))
	first, _ := b.Lookup("files")
	changed := rawHosted("files")
	changed.Write = WriteDeny
	must(t, b.Import(t.Context(), changed, "system"))
	got, _ := b.Lookup("files")
	if got.Write != WriteDeny || got.Content != first.Content || got.Content == "" {
		t.Errorf("a second import gives %+v after %+v", got, first)
	}
	got, _ = b.Lookup("images")
	docker.Content = got.Content
	if d := cmp.Diff(docker, got); d != "" {
		t.Error(d)
	}
	for name, d := range map[string]Definition{
		"another format": {Name: "files", Format: "maven2", Kind: formats.Hosted, Write: WriteAllow},
		"another case":   {Name: "FILES", Format: "raw", Kind: formats.Hosted, Write: WriteAllow},
		"no kind":        {Name: "x", Format: "raw"},
		"a bad name":     {Name: "../x", Format: "raw", Kind: formats.Hosted, Write: WriteAllow},
		"no upstream":    {Name: "x", Format: "raw", Kind: formats.Cache},
	} {
		if err := b.Import(t.Context(), d, "system"); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}

// TestRestore restores one path again and again, each time with something else.
func TestRestore(t *testing.T) {
	b := newBench(t)
	b.create(rawHosted("files"), rawCache("cache", "http://127.0.0.1:1/"))
	day := time.Date(2025, 1, 2, 3, 4, 5, 0, time.UTC)
	opened := 0
	restore := func(repo, body string, in Restored) (RestoreOutcome, error) {
		in.Path, in.Size = "/a.txt", int64(len(body))
		return b.Restore(t.Context(), repo, in, func() (io.ReadCloser, error) {
			opened++
			return io.NopCloser(strings.NewReader(body)), nil
		})
	}
	verified := func(at time.Time) *catalog.Upstream { return &catalog.Upstream{ETag: `"1"`, Verified: at} }
	for _, c := range []struct {
		name, repo, body string
		in               Restored
		want             RestoreOutcome
		opens            int
	}{
		{"new", "files", "one", Restored{BlobCreated: day}, RestoreNew, 1},
		{"same", "files", "one", Restored{BlobCreated: day}, RestoreKept, 0},
		{"downloaded", "files", "one", Restored{BlobCreated: day, LastDownloaded: day.Add(time.Hour)}, RestoreUpdated, 0},
		{"older download", "files", "one", Restored{BlobCreated: day, LastDownloaded: day}, RestoreKept, 0},
		{"newer", "files", "two", Restored{BlobCreated: day.Add(time.Hour)}, RestoreReplaced, 1},
		{"older", "files", "one", Restored{BlobCreated: day}, RestoreKept, 0},
		{"cached", "cache", "one", Restored{BlobCreated: day, Upstream: verified(day)}, RestoreNew, 1},
		{"verified again", "cache", "one", Restored{BlobCreated: day, Upstream: verified(day.Add(time.Hour))}, RestoreUpdated, 0},
		{"verified before", "cache", "one", Restored{BlobCreated: day, Upstream: verified(day)}, RestoreKept, 0},
	} {
		opened = 0
		if got, err := restore(c.repo, c.body, c.in); got != c.want || err != nil || opened != c.opens {
			t.Errorf("%s: outcome %d, %v, opened %d times; want %d, opened %d times", c.name, got, err, opened, c.want, c.opens)
		}
	}
	held, err := b.Held(t.Context(), "files", "/a.txt")
	if err != nil || held.Size != 3 || !held.BlobCreated.Equal(day.Add(time.Hour)) || !held.Created.Equal(day) || !held.LastDownloaded.Equal(day.Add(time.Hour)) {
		t.Errorf("held is %+v, %v", held, err)
	}
	later := Restored{BlobCreated: day.AddDate(1, 0, 0)}
	for name, digests := range map[string]blob.Digests{
		"SHA-1": {SHA1: "00"}, "SHA-256": {SHA256: "00"}, "MD5": {MD5: "00"}, "SHA-512": {SHA512: "00"},
	} {
		later.Digests = digests
		if _, err := restore("files", "six", later); !errors.Is(err, ErrDigest) || !strings.Contains(err.Error(), name) {
			t.Errorf("a wrong %s: %v", name, err)
		}
	}
}

// TestRestoreUnserved keeps what another server said of a format that is not served.
func TestRestoreUnserved(t *testing.T) {
	b := newBench(t)
	must(t, b.Import(t.Context(), Definition{
		Name: "debs", Format: "apt", Kind: formats.Hosted, Online: true, BlobStore: DefaultBlobStore, Write: WriteAllow,
	}, "system"))
	in := Restored{
		Path: "/pool/a.deb", Size: 3, BlobCreated: start, Kind: "DEB", Attributes: map[string]string{"package_name": "a"}, ContentType: "application/x-debian-package",
		Component: &catalog.Coordinates{Group: "all", Name: "a", Version: "1"}, ComponentKind: "k", ComponentAttributes: map[string]string{"x": "y"},
	}
	outcome, err := b.Restore(t.Context(), "debs", in, func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader("deb")), nil })
	if outcome != RestoreNew || err != nil {
		t.Fatalf("outcome %d, %v", outcome, err)
	}
	held, err := b.Held(t.Context(), "debs", "/pool/a.deb")
	must(t, err)
	if held.Kind != "DEB" || held.Format["package_name"] != "a" || *held.Component != *in.Component || held.ContentType != in.ContentType {
		t.Errorf("held is %+v", held)
	}
}
