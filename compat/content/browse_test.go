package content

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"entrepot/app/access"
	"entrepot/app/repository"
	"entrepot/app/server"
	"entrepot/formats"
	"entrepot/storage/catalog"
)

var linkPattern = regexp.MustCompile(`<a href="([^"]*)">([^<]*)</a>`)

// links gives the targets and texts of a page's links.
func links(body string) []string {
	var all []string
	for _, m := range linkPattern.FindAllStringSubmatch(body, -1) {
		all = append(all, m[1]+" "+m[2])
	}
	return all
}

func TestIndexPages(t *testing.T) {
	s := open(t, nil)
	for _, path := range []string{
		"a.txt", "b/c.txt", "b/d/e.txt", "sp%20ace/x.txt", "%C3%A4/%C3%B6.txt", "z%2By.txt", "%3Ci%3E.txt", "a%26b.txt", "q%25r.txt", "B.txt", ".hidden", "10.txt", "9.txt", "q%22.txt",
	} {
		s.put("/repository/files/"+path, "x")
	}
	for _, version := range []string{"1.0", "1.10", "1.9", "2.0-SNAPSHOT"} {
		s.put(fmt.Sprintf("/repository/mvn/org/acme/app/%s/app-%s.txt", version, version), "x")
	}
	s.put("/repository/mvn/org/acme/maven-metadata.xml", "<metadata/>")
	s.create(repository.Definition{Name: "other", Format: "raw", Kind: formats.Hosted, Write: repository.WriteAllow})
	s.put("/repository/other/b/f.txt", "x")
	s.put("/repository/other/p1.txt", "x")
	s.create(repository.Definition{Name: "inner", Format: "raw", Kind: formats.Proxy, Members: []string{"other"}})
	s.create(repository.Definition{Name: "all", Format: "raw", Kind: formats.Proxy, Members: []string{"files", "inner", "other"}})
	s.create(repository.Definition{Name: "empty", Format: "raw", Kind: formats.Hosted, Write: repository.WriteAllow})

	const base = "http://repo.example.org/repository/"
	tests := []struct {
		path string
		want []string
	}{
		{"files/", []string{
			base + "files/.hidden .hidden", base + "files/%3Ci%3E.txt &lt;i&gt;.txt", base + "files/B.txt B.txt", base + "files/a%26b.txt a&amp;b.txt",
			base + "files/a.txt a.txt", base + "files/q%22.txt q&#34;.txt", base + "files/q%25r.txt q%r.txt", base + "files/z%2By.txt z+y.txt",
			base + "files/9.txt 9.txt", base + "files/10.txt 10.txt", "b/ b", "sp%20ace/ sp ace", "%C3%A4/ ä",
		}},
		{"FILES/b/", []string{"../ Parent Directory", base + "files/b/c.txt c.txt", "d/ d"}},
		{"files/sp%20ace/", []string{"../ Parent Directory", base + "files/sp%20ace/x.txt x.txt"}},
		{"mvn/org/acme/", []string{"../ Parent Directory", "app/ app", base + "mvn/org/acme/maven-metadata.xml maven-metadata.xml"}},
		{"mvn/org/acme/app/", []string{"../ Parent Directory", "1.0/ 1.0", "1.9/ 1.9", "1.10/ 1.10", "2.0-SNAPSHOT/ 2.0-SNAPSHOT"}},
		{"all/b/", []string{"../ Parent Directory", base + "all/b/c.txt c.txt", base + "all/b/f.txt f.txt", "d/ d"}},
		{"inner/", []string{base + "inner/p1.txt p1.txt", "b/ b"}},
		{"empty/", nil},
	}
	for _, tt := range tests {
		r := s.ask("GET", browsePrefix+tt.path, "")
		if d := cmp.Diff(tt.want, links(r.body)); r.line != "200 OK" || d != "" {
			t.Errorf("%s: %s %s", tt.path, r.line, d)
		}
		r.has(t, tt.path, "Content-Type=text/html;charset=utf-8; X-Content-Type-Options=nosniff; -Content-Security-Policy; -X-Frame-Options")
	}
	if r := s.ask("GET", browsePrefix+"files/b/", ""); !strings.Contains(r.body, "<title>Index of /b</title>") || !regexp.MustCompile(`<td>\w{3} \w{3} \d\d [\d:]{8} Z \d{4}</td><td>1</td>`).MatchString(r.body) {
		t.Errorf("page:\n%s", r.body)
	}
	for target, location := range map[string]string{"files": "files/", "files/b": "files/b/", "none": "none/", "files/sp%20ace": "files/sp%20ace/"} {
		for _, method := range []string{"GET", "HEAD"} {
			r := s.ask(method, browsePrefix+target, "")
			if r.line != "303 See Other" || r.header.Get("Location") != "http://repo.example.org"+browsePrefix+location {
				t.Errorf("%s: %s to %q", target, r.line, r.header.Get("Location"))
			}
		}
	}
	for _, target := range []string{"", "none/", "files/none/", "files/a.txt/", "files//b/", "files/b//d/", "files/b/../", "files/b/./"} {
		r := s.ask("GET", browsePrefix+target, "")
		if r.line != "404 Not Found" || r.body != "" {
			t.Errorf("%q: %s %q", target, r.line, r.body)
		}
		r.has(t, target, "X-Siesta-Faultid")
	}
	if r := s.ask("POST", browsePrefix+"files/", "x"); r.line != "405 Method Not Allowed" {
		t.Errorf("POST: %s", r.line)
	}
	if r := s.ask("GET", browsePrefix+"files/", "", "Authorization: Basic YWRtaW46d3Jvbmc="); r.line != "401 Unauthorized" || r.header.Get("Www-Authenticate") == "" {
		t.Errorf("wrong credentials: %s", r.line)
	}
}

func TestIndexRights(t *testing.T) {
	s := open(t, nil)
	s.put("/repository/files/pub/a.txt", "x")
	s.put("/repository/files/closed/b.txt", "x")
	ctx, system := t.Context(), access.System()
	if err := s.access.SetAnonymous(ctx, system, access.Anonymous{UserID: access.UserAnonymous, Realm: access.RealmAuthorizing}); err != nil {
		t.Fatal(err)
	}
	if err := s.access.CreateSelector(ctx, system, access.Selector{Name: "pub", Expression: `path =^ "/pub/"`}); err != nil {
		t.Fatal(err)
	}
	for _, p := range []access.Privilege{
		{Name: "select", Type: access.TypeSelector, Format: "raw", Repository: "files", Selector: "pub", Actions: []string{"read"}},
	} {
		if err := s.access.CreatePrivilege(ctx, system, p); err != nil {
			t.Fatal(err)
		}
	}
	for user, privilege := range map[string]string{"selecting": "select", "browsing": "nx-repository-view-raw-files-browse", "reading": "nx-repository-view-raw-files-read"} {
		if _, err := s.access.CreateRole(ctx, system, access.RoleInput{ID: user, Name: user, Privileges: []string{privilege}}); err != nil {
			t.Fatal(err)
		}
		u := access.NewUser{ID: user, FirstName: "F", LastName: "L", Email: user + "@example.org", Status: access.StatusActive, Roles: []string{user}, Password: "pw"}
		if _, err := s.access.CreateUser(ctx, system, u); err != nil {
			t.Fatal(err)
		}
	}
	basic := func(user string) string {
		r, err := http.NewRequest("GET", "/", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.SetBasicAuth(user, "pw")
		return "Authorization: " + r.Header.Get("Authorization")
	}
	for _, tt := range []struct {
		user, path, line string
		want             []string
	}{
		{"browsing", "files/", "200 OK", []string{"closed/ closed", "pub/ pub"}},
		{"selecting", "files/", "200 OK", []string{"pub/ pub"}},
		{"selecting", "files/pub/", "200 OK", []string{"../ Parent Directory", "http://repo.example.org/repository/files/pub/a.txt a.txt"}},
		{"selecting", "files/closed/", "404 Not Found", nil},
		{"selecting", "mvn/", "404 Not Found", nil},
		{"reading", "files/", "404 Not Found", nil},
		{"reading", "mvn/", "404 Not Found", nil},
		{"", "files/", "404 Not Found", nil},
		{"", "mvn/", "404 Not Found", nil},
	} {
		var header []string
		if tt.user != "" {
			header = append(header, basic(tt.user))
		}
		r := s.ask("GET", browsePrefix+tt.path, "", header...)
		if d := cmp.Diff(tt.want, links(r.body)); r.line != tt.line || d != "" {
			t.Errorf("%s as %q: %s %s", tt.path, tt.user, r.line, d)
		}
	}
}

// TestEntryOrder states that the order of an index is one, whatever order the entries came in.
func TestEntryOrder(t *testing.T) {
	names := []string{".a", "B", "a", "a&b", "ä", "1", "1.0", "1.0-alpha", "1.0.1", "1_2", "2", "10", "10.txt", "2x y", "20260101.1", "1..2", "v1"}
	var want []entry
	for _, folder := range []bool{false, true} {
		for _, n := range names {
			want = append(want, entry{Node: catalog.Node{Name: n, Folder: folder, Asset: &catalog.Asset{}}, version: versionOf(n)})
		}
	}
	slices.SortFunc(want, compareEntries)
	for range 200 {
		got := slices.Clone(want)
		rand.Shuffle(len(got), func(i, j int) { got[i], got[j] = got[j], got[i] })
		slices.SortFunc(got, compareEntries)
		if !slices.EqualFunc(got, want, func(a, b entry) bool { return a.Name == b.Name && a.Folder == b.Folder }) {
			t.Fatalf("two orders:\n%v\n%v", got, want)
		}
	}
}

func TestTranslate(t *testing.T) {
	tests := []struct {
		err    error
		method string
		status int
		reason string
	}{
		{errors.New("disk on fire: /secret/path"), "GET", 500, "Server Error"},
		{formats.Errorf(formats.Internal, "secret"), "GET", 500, "Server Error"},
		{formats.Errorf(formats.Invalid, "bad path"), "GET", 400, "bad path"},
		{&formats.Error{Kind: formats.Invalid}, "GET", 400, "Bad Request"},
		{formats.Errorf(formats.NotFound, "/x"), "GET", 404, "/x"},
		{&formats.Error{Kind: formats.NotFound}, "GET", 404, "Not Found"},
		{&formats.Error{Kind: formats.Unauthenticated}, "GET", 401, "Unauthorized"},
		{&formats.Error{Kind: formats.Forbidden}, "GET", 403, "Forbidden"},
		{&formats.Error{Kind: formats.MethodNotAllowed, Message: "PUT", Allow: []string{"GET"}}, "PUT", 405, "PUT"},
		{formats.Errorf(formats.Denied, "r/a cannot be updated"), "PUT", 400, "r/a cannot be updated"},
		{formats.Errorf(formats.InvalidContent, "Detected"), "PUT", 400, "Detected"},
		{formats.Errorf(formats.InvalidContent, "Detected"), "GET", 404, "Detected"},
		{formats.Errorf(formats.InvalidContent, "Detected"), "HEAD", 404, "Detected"},
		{&formats.Error{Kind: formats.PreconditionFailed}, "GET", 412, "Precondition Failed"},
		{formats.Errorf(formats.Unavailable, "Repository offline"), "GET", 503, "Repository offline"},
		{&formats.Error{Kind: formats.Unavailable, Err: repository.ErrReadOnly}, "PUT", 503, "Nexus Repository Manager is in read-only mode"},
		{&formats.Error{Kind: formats.BadGateway}, "GET", 502, "Bad Gateway"},
		{formats.Errorf(formats.NoSpace, "No space"), "PUT", 507, "No space"},
		{&formats.Error{Kind: formats.RangeNotSatisfiable}, "GET", 416, "Requested Range Not Satisfiable"},
		{fmt.Errorf("wrapped: %w", formats.Errorf(formats.NotFound, "/y")), "GET", 404, "/y"},
		{&server.StatusError{Status: 413, Message: "too long"}, "PUT", 413, "too long"},
		{&server.StatusError{Status: 408}, "PUT", 408, "Request Timeout"},
		{unauthenticated(access.ErrBadCredentials), "GET", 401, "Unauthorized"},
		{unauthenticated(&access.ThrottledError{RetryAfter: 1}), "GET", 429, "Too many authentication attempts"},
	}
	for _, tt := range tests {
		if got := translate(tt.err, tt.method); got.status != tt.status || got.reason != tt.reason {
			t.Errorf("%v on %s: %d %q; want %d %q", tt.err, tt.method, got.status, got.reason, tt.status, tt.reason)
		}
	}
	if got := translate(unauthenticated(&access.ThrottledError{}), "GET").header.Get("Retry-After"); got != "1" {
		t.Errorf("Retry-After %q", got)
	}
}

func TestExhaust(t *testing.T) {
	for _, tt := range []struct {
		method, agent string
		status        int
		want          bool
	}{
		{"PUT", "Apache-Maven/3.9.9 (Java 21)", 401, true},
		{"POST", "Apache Ivy/2.5", 400, true},
		{"PUT", "Apache-Maven/3.9.9", 201, false},
		{"GET", "Apache-Maven/3.9.9", 404, false},
		{"PUT", "curl/8", 401, false},
		{"PUT", "not Apache-Maven", 401, false},
	} {
		r := &server.Request{Method: tt.method, Header: http.Header{"User-Agent": {tt.agent}}}
		if got := Exhaust(r, tt.status); got != tt.want {
			t.Errorf("%+v: %v", tt, got)
		}
	}
}
