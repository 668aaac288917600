package importer_test

import (
	"bytes"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"entrepot/app/access"
	"entrepot/app/progress"
	"entrepot/migrate/importer"
	"entrepot/storage/catalog"
	"entrepot/storage/kv"
)

// delete deletes an asset here, as any deletion does in the end.
func (s *server) delete(t *testing.T, repo, path string) {
	t.Helper()
	d, there := s.Engine.Lookup(repo)
	if !there {
		t.Fatalf("no repository %s", repo)
	}
	must(t, s.trees.Content(d.Content).Delete(t.Context(), path))
}

func deletedLines(all []importer.Deleted) []string {
	list := []string{}
	for _, d := range all {
		line := d.Section + " " + d.Name
		if d.Again {
			line += " again"
		}
		list = append(list, line)
	}
	slices.Sort(list)
	return list
}

// TestDeletedHere deletes things here that an import brought, has the old server change some of them, and imports again, twice.
func TestDeletedHere(t *testing.T) {
	from := newOld()
	for _, name := range []string{"stays", "blob", "later", "twice"} {
		from.put("files", "/"+name+".txt", name, 1)
	}
	from.put("cache", "/later.txt", "later", 1).Upstream = &catalog.Upstream{Verified: day}
	s := newServer(t)
	s.bring(t, from)
	for _, at := range [][2]string{{"files", "/stays.txt"}, {"files", "/blob.txt"}, {"files", "/later.txt"}, {"files", "/twice.txt"}, {"cache", "/later.txt"}} {
		s.delete(t, at[0], at[1])
	}
	must(t, s.Access.DeleteImportedUser(t.Context(), access.Actor{UserID: "admin", Source: access.SourceLocal}, "default", "ann"))
	must(t, s.Access.DeleteImportedUser(t.Context(), access.Actor{UserID: "admin", Source: access.SourceLocal}, "LDAP", "bob"))
	must(t, s.Engine.Delete(t.Context(), "images", "admin"))

	from.Access.Users[1].Email = "bob@example.org"
	from.put("files", "/blob.txt", "another", 2)
	for _, a := range from.assets {
		if a.Path == "/later.txt" {
			a.Updated = day.AddDate(0, 0, 3)
		}
	}
	plan, report := s.bring(t, from)
	want := []string{
		"assets cache/later.txt", "assets files/blob.txt again", "assets files/later.txt again", "assets files/stays.txt", "assets files/twice.txt",
		"repositories images", "tokens NpmToken/default/ann/" + day.String(), "users LDAP/bob again", "users default/ann",
	}
	if d := cmp.Diff(want, deletedLines(plan.Deleted)); d != "" {
		t.Error(d)
	}
	if plan.DeletedAssets != 3 || plan.ReturningAssets != 2 || plan.NewAssets != 2 || report.New != 2 || report.Deleted != 3 || report.Settings != 1 || report.Skipped != 2 {
		t.Errorf("plan %+v\nreport %+v", plan, report)
	}
	var text bytes.Buffer
	must(t, plan.Print(&text))
	for _, line := range []string{"files/stays.txt stays deleted", "users LDAP/bob comes again: was changed there since", "3 stay deleted, 2 come again"} {
		if !strings.Contains(strings.Join(strings.Fields(text.String()), " "), line) {
			t.Errorf("the plan does not say %q:\n%s", line, text.String())
		}
	}
	wantDifferent := []string{"asset far/far.txt", "asset images/v2/-/blobs/sha256:00", "repository images", "token NpmToken of default/ann", "user default/ann"}
	different := s.differences(t, from)
	slices.Sort(different)
	for i, name := range different {
		different[i] = strings.Replace(name, "images//", "images/", 1)
	}
	if d := cmp.Diff(wantDifferent, different); d != "" {
		t.Error(d)
	}
	if plan, report = s.bring(t, from); plan.DeletedAssets != 3 || plan.ReturningAssets != 0 || report.New+report.Settings != 0 || len(report.Created) != 0 {
		t.Errorf("again: plan %+v\nreport %+v", plan, report)
	}
}

// TestAgain brings back what was deleted here, when that is asked for.
func TestAgain(t *testing.T) {
	s, from := newServer(t), newOld()
	s.bring(t, from)
	s.delete(t, "files", "/a.txt")
	must(t, s.Engine.Delete(t.Context(), "images", "admin"))
	must(t, s.Access.SetDefaultRole(t.Context(), access.System(), ""))
	for round, want := range []int64{2, 0} {
		plan, err := importer.Prepare(t.Context(), s.Target, from, importer.Options{Again: true})
		must(t, err)
		meter := progress.Start(io.Discard, progress.Options{})
		report, err := plan.Run(t.Context(), meter)
		meter.Close()
		must(t, err)
		if report.New != want || report.Settings != want/2 || int64(len(report.Created)) != want/2 {
			t.Errorf("round %d: %+v", round, report)
		}
	}
	if d := s.differences(t, from); !slices.Equal(d, []string{"asset far/far.txt"}) {
		t.Errorf("different: %v", d)
	}
}

// TestEverythingDeletedHere empties a repository here: it is not filled as if it were new. What is deleted there leaves no note.
func TestEverythingDeletedHere(t *testing.T) {
	s, from := newServer(t), newOld()
	s.bring(t, from)
	for _, path := range []string{"/a.txt", "/same.txt"} {
		s.delete(t, "files", path)
	}
	for _, news := range []bool{false, true} {
		if news {
			from.put("files", "/new.txt", "new", 1)
		}
		if plan, report := s.bring(t, from); plan.DeletedAssets != 2 || report.Deleted != 2 || report.New != int64(len(from.assets)-5) {
			t.Errorf("plan %+v\nreport %+v", plan, report)
		}
	}
	gone := from.assets[len(from.assets)-1]
	from.delete("files", "/new.txt")
	if _, report := s.bring(t, from); report.RemovedAssets != 1 {
		t.Errorf("report %+v", report)
	}
	from.assets = append(from.assets, gone) // taken back there
	if _, report := s.bring(t, from); report.New != 1 || report.Deleted != 2 {
		t.Errorf("report %+v", report)
	}
	must(t, s.Engine.Delete(t.Context(), "files", "admin"))
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); {
		left := 0
		for _, err := range s.rows.Scan(t.Context(), "cat/tree", kv.Range{}) {
			must(t, err)
			left++
		}
		if left == 2 { // images and cache
			return
		}
	}
	t.Error("the notes of a repository that is gone stay")
}
