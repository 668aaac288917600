package repository

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"entrepot/app/access/permission"
	"entrepot/formats"
)

// reader may browse and read one repository.
func reader(repository string) *user {
	return &user{id: "ann", may: func(_, name string, actions permission.Action, _ string) bool {
		return name == repository && actions&^(permission.Browse|permission.Read) == 0
	}}
}

// below may browse and read paths with a prefix in one repository, by a selector.
func below(repository, prefix string) *selected {
	return &selected{user{id: "ann", may: func(_, name string, actions permission.Action, path string) bool {
		return name == repository && actions&^(permission.Browse|permission.Read) == 0 && strings.HasPrefix(path, prefix)
	}}, repository}
}

// selected may enter its repository whatever the expression of its selector.
type selected struct {
	user
	repository string
}

func (s *selected) MayEnter(_, repository string, _ permission.Action) bool {
	return repository == s.repository
}

func allAssets(t *testing.T, b *bench, s Subject, repository string) []string {
	t.Helper()
	var paths []string
	for token := ""; ; {
		page, err := b.Assets(t.Context(), s, repository, token)
		must(t, err)
		for _, a := range page.Items {
			paths = append(paths, a.Holder.Name+a.Path)
			if a.Repository.Name != repository {
				t.Errorf("asset says it is of %s", a.Repository.Name)
			}
		}
		if page.Next == "" {
			return paths
		}
		token = page.Next
	}
}

func TestAssetsPageByPage(t *testing.T) {
	b := newBench(t)
	b.create(rawHosted("one"), rawHosted("two"), rawProxy("all", "two", "one"))
	for i := range pageSize + 20 {
		b.want(b.do("PUT", "one", fmt.Sprintf("/d%d/%03d.txt", i%3, i), "x"), 201, "")
	}
	b.want(b.do("PUT", "two", "/z.txt", "x"), 201, "")
	first, err := b.Assets(t.Context(), admin, "one", "")
	must(t, err)
	if len(first.Items) != pageSize || first.Next == "" {
		t.Errorf("first page: %d assets, next %q", len(first.Items), first.Next)
	}
	if got := allAssets(t, b, admin, "one"); len(got) != pageSize+20 || len(slices.Compact(slices.Sorted(slices.Values(got)))) != len(got) {
		t.Errorf("%d assets", len(got))
	}
	if got := allAssets(t, b, admin, "all"); len(got) != pageSize+21 || got[0] != "two/z.txt" {
		t.Errorf("behind the proxy: %d assets, first %q", len(got), got[0])
	}
	if got := allAssets(t, b, below("one", "/d1/"), "one"); len(got) != (pageSize+20)/3 {
		t.Errorf("through a selector: %d assets", len(got))
	}
	for _, token := range []string{"nope", "bm9wZQ", "e30"} {
		if _, err := b.Assets(t.Context(), admin, "one", token); !errors.Is(err, ErrBadToken) {
			t.Errorf("token %q: %v; want ErrBadToken", token, err)
		}
	}
}

func TestVisibility(t *testing.T) {
	b := newBench(t)
	b.create(rawHosted("one"), rawHosted("two"), rawProxy("all", "one"))
	b.want(b.do("PUT", "one", "/a.txt", "x"), 201, "")
	kindOf := func(err error) formats.ErrorKind {
		if err == nil {
			return 255
		}
		return formats.KindOf(err)
	}
	const fine = formats.ErrorKind(255)
	for _, test := range []struct {
		name       string
		subject    Subject
		repository string
		want       formats.ErrorKind
	}{
		{"admin", admin, "one", fine},
		{"unknown", nobody, "none", formats.NotFound},
		{"nobody", nobody, "one", formats.Unauthenticated},
		{"reader", reader("one"), "one", fine},
		{"reader of another", reader("two"), "one", formats.Forbidden},
		{"not the proxy through the member", reader("one"), "all", formats.Forbidden},
		{"through a selector", below("one", "/nothing"), "one", fine},
	} {
		_, err := b.Assets(t.Context(), test.subject, test.repository, "")
		if got := kindOf(err); got != test.want {
			t.Errorf("%s: %v; want kind %d", test.name, err, test.want)
		}
		if _, err := b.See(test.subject, test.repository); kindOf(err) != test.want {
			t.Errorf("%s: See: %v; want kind %d", test.name, err, test.want)
		}
	}
	if _, err := b.Assets(t.Context(), reader("all"), "one", ""); kindOf(err) != formats.Forbidden {
		t.Errorf("content of a member through its proxy: %v; want a refusal", err)
	}
	if _, err := b.See(reader("all"), "one"); err != nil {
		t.Errorf("definition of a member through its proxy: %v", err)
	}
	if got := b.Visible(reader("one")); len(got) != 1 || got[0].Name != "one" {
		t.Errorf("visible: %v", got)
	}
	if got := b.Visible(nobody); len(got) != 0 {
		t.Errorf("visible to nobody: %v", got)
	}
}

func TestComponentsAndTheirRemoval(t *testing.T) {
	const metadata = "/g/a/maven-metadata.xml"
	b := newBench(t)
	b.create(mavenHosted("releases"), mavenProxy("all", "releases"))
	for _, v := range []string{"1.0", "1.1"} {
		for _, ext := range []string{"jar", "pom"} {
			b.want(b.do("PUT", "releases", fmt.Sprintf("/g/a/%s/a-%s.%s", v, v, ext), "x"), 201, "")
		}
	}
	b.want(b.do("PUT", "releases", metadata, versions("1.0", "1.1")), 201, "")
	page, err := b.Components(t.Context(), admin, "all", "")
	must(t, err)
	if len(page.Items) != 2 || len(page.Items[0].Assets) != 2 || page.Items[0].Holder.Name != "releases" || page.Items[0].Repository.Name != "all" {
		t.Fatalf("components: %+v", page.Items)
	}
	first := page.Items[0]
	got, err := b.Component(t.Context(), admin, Locator{Repository: "releases", ID: first.ID})
	if err != nil || got.Version != "1.0" || len(got.Assets) != 2 {
		t.Errorf("by number: %+v, %v", got, err)
	}
	if _, err := b.Component(t.Context(), admin, Locator{Repository: "releases", ID: 12345}); formats.KindOf(err) != formats.NotFound {
		t.Errorf("unknown number: %v", err)
	}
	if a, err := b.Asset(t.Context(), reader("all"), Locator{Repository: "all", ID: first.Assets[0].ID}); err != nil || a.Path != first.Assets[0].Path {
		t.Errorf("asset by number: %+v, %v", a, err)
	}
	deleter := &user{id: "ann", may: func(_, _ string, a permission.Action, _ string) bool { return a == permission.Delete }}
	for _, s := range []Subject{reader("releases"), deleter} {
		if err := b.DeleteComponent(t.Context(), s, Locator{Repository: "releases", ID: first.ID}); formats.KindOf(err) != formats.Forbidden {
			t.Errorf("removal without permission: %v", err)
		}
		if err := b.DeleteAsset(t.Context(), s, Locator{Repository: "releases", ID: first.Assets[0].ID}); formats.KindOf(err) != formats.Forbidden {
			t.Errorf("removal of an asset without permission: %v", err)
		}
	}
	if err := b.DeleteAsset(t.Context(), below("releases", "/other"), Locator{Repository: "releases", ID: first.Assets[0].ID}); formats.KindOf(err) != formats.NotFound {
		t.Errorf("removal of an asset that a selector hides: %v", err)
	}
	must(t, b.DeleteComponent(t.Context(), admin, Locator{Repository: "releases", ID: first.ID}))
	if got := b.do("GET", "releases", "/g/a/1.0/a-1.0.jar", ""); got.status != 404 {
		t.Errorf("removed file: %s", got)
	}
	rebuilt := b.do("GET", "releases", metadata, "")
	if strings.Contains(rebuilt.body, "1.0<") || !strings.Contains(rebuilt.body, "<version>1.1</version>") {
		t.Errorf("metadata after the removal: %s", rebuilt)
	}
	b.want(b.do("GET", "releases", metadata+".sha1", ""), 200, digest(rebuilt.body))
	if got := b.do("GET", "all", metadata, ""); strings.Contains(got.body, "1.0<") {
		t.Errorf("merged metadata after the removal: %s", got)
	}
	page, err = b.Components(t.Context(), admin, "releases", "")
	must(t, err)
	must(t, b.DeleteComponent(t.Context(), admin, Locator{Repository: "releases", ID: page.Items[0].ID}))
	if got := b.do("GET", "releases", metadata, ""); got.status != 404 {
		t.Errorf("metadata of nothing: %s", got)
	}
}

func TestDeleteAsset(t *testing.T) {
	b, o := newBench(t), newOrigin(t)
	o.on("/c.txt", text("x"))
	deny := rawHosted("deny")
	b.create(deny, rawCache("copy", o.URL), rawProxy("all", "deny", "copy"))
	b.want(b.do("PUT", "deny", "/a.txt", "x"), 201, "")
	b.want(b.do("GET", "copy", "/c.txt", ""), 200, "x")
	deny.Write = WriteDeny
	must(t, b.Update(t.Context(), deny, "admin"))
	page, err := b.Assets(t.Context(), admin, "all", "")
	must(t, err)
	for _, a := range page.Items {
		if err := b.DeleteAsset(t.Context(), reader("all"), Locator{Repository: "all", ID: a.ID}); formats.KindOf(err) != formats.Forbidden {
			t.Errorf("without permission: %v", err)
		}
		must(t, b.DeleteAsset(t.Context(), admin, Locator{Repository: "all", ID: a.ID}))
		if err := b.DeleteAsset(t.Context(), admin, Locator{Repository: "all", ID: a.ID}); formats.KindOf(err) != formats.NotFound {
			t.Errorf("again: %v", err)
		}
	}
	if got := allAssets(t, b, admin, "all"); len(got) != 0 {
		t.Errorf("left: %q", got)
	}
}

func TestListingTellsOfDownloads(t *testing.T) {
	b, o := newBench(t, streaming), newOrigin(t)
	big := strings.Repeat("0123456789", 1000)
	o.on("/big.bin", text(big))
	b.create(rawHosted("files"), rawCache("copy", o.URL), rawProxy("all", "files", "copy"))
	b.want(b.do("PUT", "files", "/got.txt", "x"), 201, "")
	b.want(b.do("PUT", "files", "/headed.txt", "x"), 201, "")
	b.clock.forward(time.Hour)
	b.want(b.do("GET", "all", "/got.txt", ""), 200, "x")
	b.want(b.do("HEAD", "all", "/headed.txt", ""), 200, "")
	b.want(b.do("GET", "copy", "/big.bin", ""), 200, big)
	page, err := b.Assets(t.Context(), admin, "all", "")
	must(t, err)
	got := map[string]time.Time{}
	for _, a := range page.Items {
		got[a.Path] = a.LastDownloaded
	}
	want := map[string]time.Time{"/got.txt": start.Add(time.Hour), "/headed.txt": {}, "/big.bin": start.Add(time.Hour)}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func names(nodes []BrowseNode) string {
	var list []string
	for _, n := range nodes {
		name := n.Name
		if n.Folder {
			name += "/"
		}
		list = append(list, name)
	}
	return strings.Join(list, " ")
}

func TestBrowse(t *testing.T) {
	b := newBench(t)
	b.create(rawHosted("one"), rawHosted("two"), rawProxy("all", "one", "two"))
	for _, path := range []string{"/a.txt", "/d/x.txt", "/d/e/y.txt", "/secret/z.txt"} {
		b.want(b.do("PUT", "one", path, "x"), 201, "")
	}
	b.want(b.do("PUT", "two", "/d/w.txt", "x"), 201, "")
	b.want(b.do("PUT", "two", "/a.txt", "other"), 201, "")
	browse := func(s Subject, repository, dir string, page BrowsePage) string {
		t.Helper()
		nodes, err := b.Browse(t.Context(), s, repository, dir, page)
		if err != nil {
			return err.Error()
		}
		return names(nodes)
	}
	for _, test := range []struct {
		subject         Subject
		repository, dir string
		page            BrowsePage
		want            string
	}{
		{admin, "one", "/", BrowsePage{}, "a.txt d/ secret/"},
		{admin, "one", "/d", BrowsePage{}, "e/ x.txt"},
		{admin, "one", "/d/", BrowsePage{}, "e/ x.txt"},
		{admin, "all", "/", BrowsePage{}, "a.txt d/ secret/"},
		{admin, "all", "/d", BrowsePage{}, "e/ w.txt x.txt"},
		{admin, "all", "/d", BrowsePage{Limit: 2}, "e/ w.txt"},
		{admin, "all", "/d", BrowsePage{After: "w.txt"}, "x.txt"},
		{admin, "one", "/none", BrowsePage{}, "Path not found"},
		{below("one", "/d/e/"), "one", "/", BrowsePage{}, "d/"},
		{below("one", "/d/e/"), "one", "/d", BrowsePage{}, "e/"},
		{below("one", "/d/x"), "one", "/d", BrowsePage{}, "x.txt"},
	} {
		if got := browse(test.subject, test.repository, test.dir, test.page); got != test.want {
			t.Errorf("%s%s %+v: %q; want %q", test.repository, test.dir, test.page, got, test.want)
		}
	}
	nodes, err := b.Browse(t.Context(), admin, "all", "/", BrowsePage{})
	must(t, err)
	if nodes[0].Holder.Name != "one" || nodes[0].Asset.Size != 1 || nodes[1].Count != 3 {
		t.Errorf("nodes: %+v", nodes)
	}
	if _, err := b.Browse(t.Context(), nobody, "one", "/", BrowsePage{}); formats.KindOf(err) != formats.Unauthenticated {
		t.Errorf("nobody: %v", err)
	}
}
