package domains_test

import (
	"testing"

	"go.uber.org/goleak"

	"entrepot/app/access"
	"entrepot/app/apptest"
	"entrepot/app/repository"
	"entrepot/formats"
	"entrepot/storage/kv"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestRehearsal makes and deletes things beside a server that takes no writes: it stays as it is to the last row.
func TestRehearsal(t *testing.T) {
	ctx, s := t.Context(), apptest.New(t, nil)
	hosted := func(name string) repository.Definition {
		return repository.Definition{Name: name, Format: "raw", Kind: formats.Hosted, Online: true, BlobStore: "default", Write: repository.WriteAllow}
	}
	apptest.Must(t, s.Engine.Create(ctx, hosted("files"), "test"))
	_, err := s.Engine.Freeze(ctx, repository.Freeze{})
	apptest.Must(t, err)
	before := rows(t, s.Store)
	try, err := s.Rehearsal(ctx)
	apptest.Must(t, err)
	apptest.Must(t, try.Engine.CreateBlobStore(ctx, repository.BlobStore{Name: "more", Type: repository.BlobStoreFile, Path: "more"}))
	apptest.Must(t, try.Engine.Delete(ctx, "files", "test"))
	apptest.Must(t, try.Engine.Create(ctx, hosted("fresh"), "test"))
	_, err = try.Access.CreateRole(ctx, access.System(), access.RoleInput{ID: "r", Name: "r", Privileges: []string{"nx-repository-view-raw-fresh-read"}})
	apptest.Must(t, err)
	if _, err := try.Access.CreateRole(ctx, access.System(), access.RoleInput{ID: "q", Name: "q", Privileges: []string{"nx-repository-view-raw-files-read"}}); access.KindOf(err) != access.Refused {
		t.Errorf("a privilege of what was deleted: %v", err)
	}
	apptest.Must(t, try.Close())
	if after := rows(t, s.Store); after != before {
		t.Errorf("rows are\n%s\nthey were\n%s", after, before)
	}
	if _, found := s.Engine.Lookup("files"); !found || s.Engine.Frozen() == nil {
		t.Error("the server follows its rehearsal")
	}
}

// rows gives what the records of settings are.
func rows(t *testing.T, store *kv.Store) string {
	t.Helper()
	text := ""
	for _, partition := range []string{"repository/repositories", "repository/blobstores", "repository/drops", "repository/freeze", "access/roles", "access/settings", "access/users", "audit/events"} {
		for e, err := range store.Scan(t.Context(), partition, kv.Range{}) {
			apptest.Must(t, err)
			text += partition + " " + e.Sort + " " + string(e.Value) + "\n"
		}
	}
	return text
}
